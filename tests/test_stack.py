"""Students that train in a stack end as they would alone, whatever the company."""

import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, D, N, same
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kdcourse.losses import blended
from kdcourse.models import StudentStack, mlp
from kdcourse.stack import Step, distill_stack, logits_of_stack
from kdcourse.train import cosine, distill, train

ARCHITECTURES = [(D, C), (D, 8, C), (D, 9, 5, C)]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}  # relative, over all weights of a student
SEEDS = [3, 0, 1, 7, 0]
SETTINGS = {  # one for each of five students
    "temperature": [1.0, 4.0, 2.0, 50.0, 8.0],
    "soft_weight": [1.0, 0.5, 0.0, 0.9, 0.3],
    "lr": [0.01, 0.003, 0.01, 0.01, 0.03],
    "weight_decay": [0.0, 0.1, 0.0, 0.5, 0.01],
}
RUN = {"epochs": 5, "batch_size": 16, "order_seed": 2}  # 16 + 16 + 16 + 2 examples


V = 30
IDS = torch.randint(1, V, (N, 7), generator=torch.Generator().manual_seed(4))
IDS *= torch.rand(IDS.shape, generator=torch.Generator().manual_seed(5)) < 0.7  # the rest is padding
IDS[[3, 30]] = 0


def stacked(sizes=(D, 8, C), seeds=SEEDS, logits=LOGITS, **options):
    """A trained stack, its losses, and where its students diverged."""
    stack = StudentStack(sizes, seeds)
    loss, diverged_at = distill_stack(stack, INPUTS, logits, LABELS, **{**SETTINGS, **RUN, **options})
    return stack, loss, diverged_at


def distance(one, other):
    """How far apart the weights of two models are, as a share of their size."""
    one, other = (nn.utils.parameters_to_vector(model.parameters()).double() for model in (one, other))
    return ((one - other).norm() / other.norm()).item()


def expect_alone(stack, losses, way=distill, targets=(LOGITS, LABELS), own=SETTINGS, rtol=2e-6, **shared):
    """Each student must have the weights and the loss of the one that trains alone."""
    dtype = stack.weights[0].dtype
    inputs = IDS if stack.ids else INPUTS.to(dtype)
    for m, seed in enumerate(SEEDS):
        alone = mlp(stack.sizes, seed, ids=stack.ids).to(dtype)
        settings = {name: values[m] for name, values in own.items()}
        history = way(alone, inputs, *targets, **settings, **shared, **RUN, **QUIET)
        assert distance(stack.student(m), alone) <= rtol
        assert losses[m].item() == pytest.approx(history.last["loss"], rel=10 * rtol)


def centred(logits):
    return logits - logits.mean(1, keepdim=True)


def squares(student_logits, teacher_logits, labels):
    """Squared distances of centred logits, and a tenth of the cross-entropy: for any axes behind the classes."""
    hard = F.cross_entropy(student_logits, labels, reduction="none")
    return (centred(student_logits) - centred(teacher_logits)).square().mean(1) + 0.1 * hard


def margin(student_logits, teacher_logits, labels):
    """How far the label's logit is below one more than the others, weighted with what the teacher thinks of them."""
    own = student_logits.gather(1, labels.unsqueeze(1))
    return ((1 + student_logits - own).relu() * teacher_logits.softmax(1)).sum(1)


RATES = {name: SETTINGS[name] for name in ("lr", "weight_decay")}
WAYS = {
    "forward": (SETTINGS, {}),
    "reverse": (SETTINGS, {"direction": "reverse"}),
    "schedule": (SETTINGS, {"schedule": cosine}),
    "squares": (RATES, {"loss": squares, "schedule": cosine}),
    "margin": (RATES, {"loss": margin}),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", ARCHITECTURES)
@pytest.mark.parametrize("way", WAYS)
def test_a_stacked_student_ends_as_it_does_alone(way, sizes, dtype):
    (own, shared), logits = WAYS[way], LOGITS.to(dtype)
    stack = StudentStack(sizes, SEEDS).to(dtype)
    loss, diverged_at = distill_stack(stack, INPUTS.to(dtype), logits, LABELS, **own, **shared, **RUN)
    assert diverged_at.tolist() == [0] * 5
    expect_alone(stack, loss, targets=(logits, LABELS), own=own, rtol=TOLERANCE[dtype], **shared)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", [(V, C), (V, 8, C), (V, 9, 5, C)])
@pytest.mark.parametrize("way", WAYS)
def test_a_stacked_student_of_ids_ends_as_it_does_alone(way, sizes, dtype):
    (own, shared), logits = WAYS[way], LOGITS.to(dtype)
    stack = StudentStack(sizes, SEEDS, ids=True).to(dtype)
    loss, diverged_at = distill_stack(stack, IDS, logits, LABELS, **own, **shared, **RUN)
    assert diverged_at.tolist() == [0] * 5
    expect_alone(stack, loss, targets=(logits, LABELS), own=own, rtol=TOLERANCE[dtype], **shared)
    assert not stack.weights[0][:, 0].any()  # the padding says nothing


def test_students_of_ids_learn_about_the_same_in_bfloat16():
    found = []
    for bf16 in (False, True):
        stack = StudentStack((V, 8, C), SEEDS, ids=True)
        loss, _ = distill_stack(stack, IDS, LOGITS, LABELS, bf16=bf16, **SETTINGS, **RUN)
        found.append((stack, loss))
    (plain, expected), (rough, loss) = found
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0.02)
    assert 1e-6 < distance(rough, plain) < 0.05


def test_soft_weight_zero_equals_train():
    stack, loss, _ = stacked(soft_weight=0, schedule=cosine)
    expect_alone(stack, loss, train, [LABELS], RATES, schedule=cosine)


def test_a_high_temperature_of_one_is_resolved_and_does_not_disturb_the_others():
    settings = {**SETTINGS, "temperature": [1.0, 4.0, 2.0, 50.0, 5000.0], "soft_weight": [1.0, 0.5, 0.0, 0.9, 1.0]}
    stack, loss, _ = stacked(**settings)
    expect_alone(stack, loss, own=settings, rtol=1e-5)


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array, lambda values: np.float32(values[0])])
def test_settings_come_as_one_number_or_one_per_student(kind):
    expected, _, _ = stacked(seeds=[0, 1], **dict.fromkeys(SETTINGS, 0.5), epochs=1)
    stack, _, _ = stacked(seeds=[0, 1], **dict.fromkeys(SETTINGS, kind([0.5, 0.5])), epochs=1)
    assert same(stack, expected)


def test_the_same_call_gives_bit_identical_students_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    (one, loss, _), (other, again, _) = stacked(), stacked()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(loss, again)
    assert same(one, other)


def test_after_epoch_is_called_after_every_epoch():
    calls = []
    stacked(after_epoch=lambda: calls.append(len(calls)))
    assert calls == [0, 1, 2, 3, 4]


def test_logits_of_a_stack_are_those_of_its_students_in_any_batches():
    stack = StudentStack((D, 8, C), SEEDS)
    logits = logits_of_stack(stack, INPUTS, batch_size=7)
    assert (logits.dtype, logits.shape, logits.requires_grad) == (torch.float32, (5, C, N), False)
    for m in range(5):
        torch.testing.assert_close(logits[m].T, stack.student(m)(INPUTS).detach())
    torch.testing.assert_close(logits, logits_of_stack(stack, INPUTS))
    (logits * torch.ones(1, requires_grad=True)).sum().backward()  # usable in autograd


# ---- divergence ----


def diverging_step(sizes, seed, **options):
    """The step that `train` names when it stops, from 1."""
    with pytest.raises(FloatingPointError) as stopped:
        train(mlp(sizes, seed), INPUTS, LABELS, **options, **QUIET)
    return int(str(stopped.value).split("step ")[1].split(":")[0])


@pytest.mark.parametrize(("lr", "sizes"), [(1e30, (D, 8, C)), (1e20, (D, 9, 5, C)), (1e37, (D, C))])
def test_a_student_that_diverges_is_reported_with_its_step_and_the_others_do_not_notice(lr, sizes):
    hard = {"soft_weight": 0.0, "batch_size": 16, "epochs": 3}
    rates = [0.01, 0.01, lr, 0.01]
    stack, loss, diverged_at = stacked(sizes, [0, 1, 2, 3], lr=rates, **hard, temperature=1, weight_decay=0)
    step = diverging_step(sizes, 2, lr=lr, batch_size=16, epochs=3, order_seed=2)
    assert step > 1
    assert diverged_at.tolist() == [0, 0, step, 0]
    assert not math.isfinite(loss[2])
    without, calm, _ = stacked(sizes, [0, 1, 3], lr=0.01, **hard, temperature=1, weight_decay=0)
    for m, place in [(0, 0), (1, 1), (3, 2)]:
        assert distance(stack.student(m), without.student(place)) <= 1e-6
        assert loss[m].item() == pytest.approx(calm[place].item(), rel=1e-5)


def test_a_last_step_that_spoils_the_weights_is_reported():
    # One step: its loss is finite, and a rate beyond the largest float32 leaves no finite weight.
    stack, loss, diverged_at = stacked(lr=[0.01, 1e38 * 10, 0.01, 0.01, 0.01], epochs=1, batch_size=N)
    assert diverged_at.tolist() == [0, 1, 0, 0, 0]
    assert loss.isfinite().all()
    assert all(parameter[2].isfinite().all() for parameter in stack.parameters())


# ---- bfloat16, and a teacher that is certain ----


def test_bfloat16_keeps_weights_in_float32_and_learns_about_the_same():
    (rough, loss, diverged_at), (plain, expected, _) = stacked(bf16=True), stacked()
    assert {parameter.dtype for parameter in rough.parameters()} == {loss.dtype} == {torch.float32}
    assert not diverged_at.any()
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0.02)
    assert 1e-6 < distance(rough, plain) < 0.05


def test_a_teacher_that_is_certain_teaches_its_choices_as_labels_do():
    chosen = LOGITS.argmax(1)
    certain = torch.full_like(LOGITS, -math.inf).scatter_(1, chosen[:, None], 0.0)
    stack, loss, diverged_at = stacked(logits=certain, temperature=1, soft_weight=1)
    assert not diverged_at.any()
    expect_alone(stack, loss, train, [chosen], RATES, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_cached_logits_in_half_precision_are_not_computed_with_in_half_precision(dtype):
    half = LOGITS.to(dtype)
    (stack, _, _), (expected, _, _) = stacked(logits=half), stacked(logits=half.float())
    assert distance(stack, expected) <= 1e-6


# ---- what CUDA records, on the meta device, which holds no values ----


class OnlyMeta(TorchDispatchMode):
    """An error where a tensor that holds values takes part: on a GPU it would have to be copied there first."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if any(tensor.device.type != "meta" for tensor in tensors):
            raise RuntimeError(f"{function} met a tensor on another device")
        return function(*args, **(kwargs or {}))


@pytest.fixture
def recorded(monkeypatch):
    """A function that runs a step as CUDA would record it, optimizer included, on meta tensors."""
    for module, name in [
        ("optimizer", "_get_fused_kernels_supported_devices"),
        ("adam", "_get_capturable_supported_devices"),
    ]:
        monkeypatch.setattr(sys.modules[f"torch.optim.{module}"], name, lambda *_, **__: ["meta", "cuda"])

    def run(loss, ids=False, **options):
        stack = StudentStack((V if ids else D, 8, C), SEEDS, ids=ids).to("meta")
        examples = [tensor.to("meta") for tensor in (IDS if ids else INPUTS, LOGITS, LABELS)]
        one = Step(stack, *examples, loss, **RATES, **options)
        options = one.optimizer.param_groups
        assert all(group["fused"] and group["capturable"] and group["lr"].is_meta for group in options)
        for count in (16, 16, 2):
            one.set_rate(0.5)
            index = torch.empty(count, dtype=torch.int64, device="meta")
            with OnlyMeta():
                one(index)

    with torch.library._scoped_library("aten", "IMPL") as library:  # the one kernel that meta lacks: it writes in place
        library.impl("_fused_adamw_.tensor_lr", lambda *_, **__: None, "Meta")
        yield run


def everyday(**options):
    columns = [torch.tensor(SETTINGS[name])[:, None, None] for name in ("temperature", "soft_weight")]
    loss = blended(*columns, **options)  # asks for the range of its settings, once
    cells = dict(zip(loss.__code__.co_freevars, loss.__closure__, strict=True))
    for name in ("temperature", "soft_weight"):
        cells[name].cell_contents = cells[name].cell_contents.to("meta")
    return loss


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(
    "loss",
    [everyday(), everyday(direction="reverse"), squares, margin],
    ids=["everyday", "reverse", "squares", "margin"],
)
def test_a_step_asks_the_device_for_no_value_and_meets_no_tensor_of_another_device(recorded, loss, bf16, ids):
    recorded(loss, bf16=bf16, ids=ids)


def reads_a_value(student_logits, teacher_logits, labels):
    return squares(student_logits, teacher_logits, labels) / max(1.0, student_logits.max().item())


def decides_on_a_value(student_logits, teacher_logits, labels):
    loss = squares(student_logits, teacher_logits, labels)
    return loss if loss.mean() > 1 else 2 * loss


def picks_examples(student_logits, teacher_logits, labels):
    loss = squares(student_logits, teacher_logits, labels)
    return loss[loss > 1]


def brings_a_tensor(student_logits, teacher_logits, labels):
    return squares(student_logits, teacher_logits, labels) * torch.tensor(0.5)


@pytest.mark.parametrize("loss", [reads_a_value, decides_on_a_value, picks_examples, brings_a_tensor])
def test_a_loss_that_would_stop_the_recording_is_an_error_on_meta(recorded, loss):
    with pytest.raises((RuntimeError, NotImplementedError), match="item|nonzero|another device"):
        recorded(loss)


# ---- CUDA ----


@pytest.mark.gpu
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sizes", [*ARCHITECTURES, (V, C), (V, 8, C)])
def test_a_gpu_trains_the_same_students(sizes, way):
    # 5 epochs of 3 full batches and a small one: both sizes are recorded and replayed.
    (own, shared), found = WAYS[way], []
    inputs = IDS if sizes[0] == V else INPUTS
    for device in ("cpu", "cuda"):
        stack = StudentStack(sizes, SEEDS, ids=sizes[0] == V).to(device)
        loss, diverged_at = distill_stack(stack, inputs, LOGITS, LABELS, **own, **shared, **RUN)
        assert diverged_at.tolist() == [0] * 5
        found.append((loss, logits_of_stack(stack, inputs)))
    (loss, expected), (other_loss, logits) = found
    assert {tensor.device.type for tensor in (other_loss, diverged_at, logits)} == {"cpu"}
    torch.testing.assert_close(other_loss, loss, rtol=2e-4, atol=0)
    assert (logits - expected).norm() <= 2e-4 * expected.norm()


@pytest.mark.gpu
def test_a_gpu_trains_in_bfloat16():
    _, loss, _ = stacked(epochs=20)
    stack = StudentStack((D, 8, C), SEEDS).to("cuda")
    other_loss, diverged_at = distill_stack(
        stack, INPUTS, LOGITS, LABELS, bf16=True, **{**SETTINGS, **RUN, "epochs": 20}
    )
    assert not diverged_at.any()
    assert {parameter.dtype for parameter in stack.parameters()} == {torch.float32}
    torch.testing.assert_close(other_loss, loss, rtol=0.05, atol=0.02)


@pytest.mark.gpu
def test_a_gpu_reports_the_step_at_which_a_student_diverged():
    hard = {"soft_weight": 0.0, "epochs": 5, "batch_size": 16, "order_seed": 2}
    stack = StudentStack((D, 8, C), [0, 1, 2]).to("cuda")
    _, diverged_at = distill_stack(stack, INPUTS, LOGITS, LABELS, lr=[0.01, 1e30, 0.01], **hard)
    assert diverged_at.tolist() == [0, diverging_step((D, 8, C), 1, lr=1e30, batch_size=16, epochs=5, order_seed=2), 0]
    assert all(parameter[[0, 2]].isfinite().all() for parameter in stack.parameters())
