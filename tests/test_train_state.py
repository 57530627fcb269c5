"""What training and asking a teacher leave behind."""

import copy
import math

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, QUIET, C, N, modes, same, student, with_batch_norm_and_dropout

from kdcourse.data import Split
from kdcourse.devices import resolve_device
from kdcourse.train import distill, teacher_logits, train

# ---- the teacher ----


def test_asking_a_teacher_leaves_it_bit_identical():
    teacher = with_batch_norm_and_dropout()
    before, were = copy.deepcopy(teacher), modes(teacher)
    logits = teacher_logits(teacher, INPUTS, batch_size=7, device="cpu")
    assert same(teacher, before)  # buffers of the batch norm included
    assert modes(teacher) == were == [True, True, False, True, False]
    assert all(parameter.grad is None and parameter.requires_grad for parameter in teacher.parameters())
    assert logits.shape == (N, C)
    assert logits.dtype == torch.float32
    assert logits.device.type == "cpu"
    assert not logits.requires_grad


def test_teacher_logits_are_those_of_eval_mode_whatever_the_batch_size():
    teacher = with_batch_norm_and_dropout()
    reference = copy.deepcopy(teacher).eval()
    expected = torch.stack([reference(row.unsqueeze(0))[0] for row in INPUTS]).detach()
    for batch_size in (1, 7, N, 1000):
        torch.testing.assert_close(teacher_logits(teacher, INPUTS, batch_size=batch_size, device="cpu"), expected)


def test_teacher_logits_can_be_used_in_autograd_and_are_float32():
    logits = teacher_logits(student(), INPUTS, device="cpu")
    weight = torch.ones(C, requires_grad=True)
    (logits * weight).sum().backward()
    torch.testing.assert_close(weight.grad, logits.sum(0))
    for dtype in (torch.float64, torch.bfloat16):
        assert teacher_logits(student(dtype), INPUTS.to(dtype), device="cpu").dtype == torch.float32


def test_distilling_leaves_teacher_and_data_alone():
    teacher = with_batch_norm_and_dropout()
    before, were = copy.deepcopy(teacher), modes(teacher)
    attached = teacher(INPUTS)  # with its graph: no gradient may flow back through it
    before_logits, before_inputs = attached.detach().clone(), INPUTS.clone()
    for options in ({"soft_weight": 0.5}, {"loss": lambda s, t, y: (s - t).square().sum(1) + torch.rand(1)}):
        generator = torch.get_rng_state()
        distill(student(), INPUTS, attached, LABELS, epochs=2, batch_size=16, **options, **QUIET)
        assert torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert same(teacher, before)
    assert modes(teacher) == were
    assert torch.equal(attached, before_logits)
    assert torch.equal(INPUTS, before_inputs)


def test_auto_is_the_best_device_and_a_device_is_itself():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device().type == expected
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")


# ---- the student ----


@pytest.mark.parametrize("mode", ["train", "eval", "mixed"])
def test_the_mode_of_every_module_and_the_device_come_back(mode):
    model = with_batch_norm_and_dropout()
    if mode != "mixed":
        model.train(mode == "train")
    were = modes(model)
    seen = []
    model.register_forward_hook(lambda module, *_: seen.append(modes(module)))
    train(model, INPUTS, LABELS, epochs=2, validation=Split(LABELS, inputs=INPUTS), **QUIET)
    assert modes(model) == were
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert [True] * 5 in seen  # it did train in training mode
    assert [False] * 5 in seen  # and validate in eval mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_modes_come_back_after_an_interruption_too(error):
    model = with_batch_norm_and_dropout()
    were = modes(model)

    def interrupt(batch, generator):
        raise error("stop")

    with pytest.raises(error, match="stop"):
        train(model, INPUTS, LABELS, epochs=2, augment=interrupt, **QUIET)
    assert modes(model) == were


@pytest.mark.parametrize(("fit", "target"), [(train, LABELS), (distill, LOGITS)])
def test_divergence_stops_naming_epoch_step_and_learning_rate(fit, target):
    model = student()
    were = modes(model)
    with pytest.raises(FloatingPointError, match=r"loss became (nan|inf) at epoch 2, step 2: .*learning rate.*1e\+30"):
        fit(model, INPUTS, target, epochs=5, lr=1e30, batch_size=N, **QUIET)
    assert modes(model) == were


def test_the_last_step_cannot_leave_weights_that_are_not_finite():
    with pytest.raises(FloatingPointError, match="not finite after its last step"):
        train(student(), INPUTS, LABELS, epochs=1, batch_size=N, lr=1e38, weight_decay=1e38, **QUIET)
    with pytest.raises(ValueError, match="schedule must return a factor >= 0 and finite, got nan at step 0"):
        train(student(), INPUTS, LABELS, epochs=1, schedule=lambda done: math.nan, **QUIET)


def test_frozen_parameters_stay():
    model = student()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model)
    train(model, INPUTS, LABELS, epochs=2, **QUIET)
    assert same(model[0], before[0])
    assert not same(model[2], before[2])
