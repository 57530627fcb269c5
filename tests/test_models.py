"""Models against plain torch layers, closed forms and brute force."""

import sys
import threading

import numpy as np
import pytest
import torch
from tiny import refusals
from torch import nn

from kdcourse._examples import drawing_from
from kdcourse._process import generator_kept
from kdcourse.models import Residual, StudentStack, channels_for_ratio, cnn, count_parameters, mlp, width_for_ratio

ARCHITECTURES = [(5, 3), (5, 7, 3), (5, 6, 4, 3)]


def layers_by_hand(sizes, seed):
    """(weight, bias) of every layer, drawn by `nn.Linear` after `torch.manual_seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Linear(inputs, outputs) for inputs, outputs in zip(sizes, sizes[1:], strict=False)]
    return [(layer.weight.detach(), layer.bias.detach()) for layer in layers]


@pytest.mark.parametrize("sizes", ARCHITECTURES)
@pytest.mark.parametrize("seed", [0, 123, np.int64(7)])
def test_a_seeded_mlp_has_the_weights_of_layers_built_after_manual_seed(sizes, seed):
    model, layers = mlp(sizes, seed=seed), layers_by_hand(sizes, seed)
    expected = x = torch.randn(5, sizes[0], generator=torch.Generator().manual_seed(1))
    for k, (weight, bias) in enumerate(layers):
        assert torch.equal(model[2 * k].weight, weight)
        assert torch.equal(model[2 * k].bias, bias)
        expected = nn.functional.linear(expected if k == 0 else expected.clamp(min=0), weight, bias)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: mlp((4, 3, 2), seed),
        lambda seed: cnn((2, 3), seed=seed),
        lambda seed: StudentStack((4, 3), [seed]).student(0),
    ],
)
def test_a_seeded_model_leaves_the_global_generator_alone(build):
    before = torch.get_rng_state()
    build(5)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        build("not a seed")
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_seed_the_global_generator_decides():
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model, other = mlp((4, 3)), mlp((4, 3))
    assert torch.equal(model[0].weight, mlp((4, 3), seed=11)[0].weight)
    assert not torch.equal(model[0].weight, other[0].weight)


def test_the_parameters_of_a_cnn_follow_the_closed_form():
    def convolution(inputs, outputs):
        return 9 * inputs * outputs + 2 * outputs  # no bias; scale and shift of the batch norm

    expected = convolution(1, 4) + convolution(4, 6) + 2 * convolution(6, 6) + 6 * 10 + 10
    assert count_parameters(cnn((4, 6))) == expected


def test_shared_parameters_count_once_and_frozen_ones_not_at_all():
    layer = nn.Linear(3, 3)
    assert count_parameters(nn.Sequential(layer, nn.ReLU(), layer)) == 12
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 9
    assert count_parameters(nn.ReLU()) == 0


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize(("inputs", "classes"), [(784, 10), (5, 2)])
def test_the_width_for_a_ratio_is_the_nearest_of_all(inputs, classes, hidden_layers):
    sizes = {width: (inputs, *[width] * hidden_layers, classes) for width in range(1, 150)}
    counts = {width: sum((a + 1) * b for a, b in zip(size, size[1:], strict=False)) for width, size in sizes.items()}
    teacher_parameters = counts[120]
    for ratio in [0.99, 1, 1.3, 2, 3, 5, 7, 10, 17.5, 20]:
        target = teacher_parameters / ratio
        if counts[1] > 2 * target:
            continue
        chosen = width_for_ratio(ratio, teacher_parameters, inputs, classes, hidden_layers)
        assert abs(counts[chosen] - target) == min(abs(count - target) for count in counts.values())


def test_a_cnn_takes_flat_pictures_and_returns_one_logit_per_class():
    model = cnn((4, 6, 8), seed=0)
    assert model(torch.zeros(3, 784)).shape == (3, 10)
    assert cnn((4,), image=(3, 8, 6), classes=5)(torch.zeros(2, 144)).shape == (2, 5)
    again = cnn((4, 6, 8), seed=0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_residual_block_adds_its_input():
    block = Residual(3).eval()
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    expected = x
    with torch.no_grad():
        for convolution in convolutions:  # fresh batch norms in eval mode only divide by sqrt(1 + eps)
            expected = nn.functional.conv2d(expected, convolution.weight, padding=1) / (1 + 1e-5) ** 0.5
            expected = expected.clamp(min=0)
        torch.testing.assert_close(block(x), x + expected)
        for convolution in convolutions:
            convolution.weight.zero_()
        assert torch.equal(block(x), x)


# ---- many students in one ----


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_every_student_of_a_stack_starts_with_the_weights_of_its_own_seed(sizes):
    stack = StudentStack(sizes, [3, 0, 3, 11])
    assert len(stack) == 4
    for m, seed in enumerate([3, 0, 3, 11]):
        for k, (weight, bias) in enumerate(layers_by_hand(sizes, seed)):
            assert torch.equal(stack.weights[k][m], weight)
            assert torch.equal(stack.biases[k][m, :, 0], bias)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_the_forward_pass_of_a_stack_equals_a_loop_over_its_students(sizes, dtype):
    seeds = [4, 1, 9]
    stack = StudentStack(sizes, seeds).to(dtype)
    x = torch.randn(6, sizes[0], generator=torch.Generator().manual_seed(1), dtype=dtype)
    logits = stack(x)
    assert logits.shape == (3, sizes[-1], 6)
    for m, seed in enumerate(seeds):
        for b in range(6):
            row = x[b]
            for k, (weight, bias) in enumerate(layers_by_hand(sizes, seed)):
                row = weight.to(dtype) @ (row if k == 0 else row.clamp(min=0)) + bias.to(dtype)
            torch.testing.assert_close(logits[m, :, b], row)
    assert stack(x[:1]).shape == (3, sizes[-1], 1)


@pytest.mark.parametrize("sizes", ARCHITECTURES)
def test_a_student_taken_out_of_a_stack_says_the_same_and_is_a_copy(sizes):
    stack = StudentStack(sizes, [4, 1, 9]).double()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    x = torch.randn(6, sizes[0], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    before = stack(x).detach()
    for m in range(3):
        alone = stack.student(m)
        torch.testing.assert_close(alone(x), before[m].T)
        assert all(parameter.requires_grad for parameter in alone.parameters())
        with torch.no_grad():
            alone[0].weight.zero_()
    assert torch.equal(stack(x), before)


@pytest.fixture
def eager_threads():
    """Threads take turns as often as they can, so that those that disturb each other do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_that_build_stacks_at_once_do_not_draw_from_each_others_seeds():
    # Layers draw from one global generator. Without care, a third of these stacks had somebody else's weights.
    def build(seed):
        together.wait()
        for _ in range(60):
            built.append((seed, StudentStack((20, 64, 4), [seed] * 4)))

    built, together = [], threading.Barrier(2)
    threads = [threading.Thread(target=build, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {seed: layers_by_hand((20, 64, 4), seed) for seed in (1, 2)}
    assert len(built) == 120
    for seed, stack in built:
        for k, (weight, bias) in enumerate(expected[seed]):
            assert all(torch.equal(stack.weights[k][m], weight) for m in range(4))
            assert all(torch.equal(stack.biases[k][m, :, 0], bias) for m in range(4))


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("seeds", [lambda: drawing_from(7, torch.device("cpu")), generator_kept])
def test_a_thread_that_seeds_for_training_does_not_touch_what_another_builds(seeds):
    def train():
        while not built.is_set():
            with seeds():
                pass

    built = threading.Event()
    thread = threading.Thread(target=train)
    thread.start()
    models = [mlp((20, 64, 4), seed=1) for _ in range(300)]
    built.set()
    thread.join()
    ((first, _), _) = layers_by_hand((20, 64, 4), 1)
    assert all(torch.equal(model[0].weight, first) for model in models)


# ---- students of ids ----

IDS = torch.tensor(
    [[3, 0, 1, 3], [0, 0, 0, 0], [10, 7, 2, 1], [0, 5, 0, 0], [3, 3, 3, 3]]
)  # pads anywhere, repetitions
OF_IDS = [(11, 3), (11, 7, 3), (11, 6, 4, 3)]


def layers_of_ids(sizes, seed):
    """(vectors, [(weight, bias) of every later layer]), drawn after `torch.manual_seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vectors = torch.randn(sizes[0], sizes[1])
        vectors[0] = 0
        layers = [nn.Linear(inputs, outputs) for inputs, outputs in zip(sizes[1:], sizes[2:], strict=False)]
    return vectors, [(layer.weight.detach(), layer.bias.detach()) for layer in layers]


def answer_to_ids(row, sizes, seed, dtype):
    """What the student says about one row, with a mean that is added up and divided."""
    vectors, layers = layers_of_ids(sizes, seed)
    real = [int(one) for one in row if one]
    said = sum((vectors[one].to(dtype) for one in real), torch.zeros(sizes[1], dtype=dtype)) / max(len(real), 1)
    for weight, bias in layers:
        said = weight.to(dtype) @ said.clamp(min=0) + bias.to(dtype)
    return said


@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
@pytest.mark.parametrize("sizes", OF_IDS)
def test_students_of_ids_take_the_mean_of_the_vectors_of_all_that_is_no_padding(sizes, kind):
    stack = StudentStack(sizes, [4, 1, 9], ids=True).double()
    said, one = stack(IDS.to(kind)), mlp(sizes, 4, ids=True).double()
    assert said.shape == (3, sizes[-1], len(IDS))
    for b, row in enumerate(IDS):
        torch.testing.assert_close(one(IDS.to(kind))[b], answer_to_ids(row, sizes, 4, torch.float64))
        for m, seed in enumerate([4, 1, 9]):
            torch.testing.assert_close(said[m, :, b], answer_to_ids(row, sizes, seed, torch.float64))
    if len(sizes) == 2:
        assert not said[:, :, 1].any()  # the row that is all padding


@pytest.mark.parametrize("sizes", OF_IDS)
def test_a_stack_of_ids_has_the_gradients_of_its_students_and_none_for_the_padding(sizes):
    stack = StudentStack(sizes, [4, 1, 9], ids=True).double()
    with torch.no_grad():
        for parameter in stack.parameters():  # the vector of the padding, too
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    weights = torch.randn(3, sizes[-1], len(IDS), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    said = stack(IDS)
    (said * weights).sum().backward()
    for m in range(3):
        alone = stack.student(m)
        torch.testing.assert_close(alone(IDS), said[m].T)
        (alone(IDS) * weights[m].T).sum().backward()
        vectors, *later = [layer for layer in alone if not isinstance(layer, nn.ReLU)]
        torch.testing.assert_close(stack.weights[0].grad[m], vectors.weight.grad)
        for layer, weight, bias in zip(later, stack.weights[1:], stack.biases, strict=True):
            torch.testing.assert_close(weight.grad[m], layer.weight.grad)
            torch.testing.assert_close(bias.grad[m, :, 0], layer.bias.grad)
    assert not stack.weights[0].grad[:, [0, 4, 6, 8, 9]].any()  # nor for ids that are not there


@refusals(
    "call",
    (lambda: mlp((5,)), ValueError, r"sizes must be two or more positive integers, got \[5\]"),
    (lambda: mlp((5, 0)), ValueError, r"sizes must be two or more positive integers, got \[5, 0\]"),
    (lambda: cnn(()), ValueError, r"channels must be one or more positive integers, got \[\]"),
    (lambda: cnn((4, 2.5)), ValueError, r"channels must be one or more positive integers, got \[4, 2\.5\]"),
    (lambda: width_for_ratio(0, 50_000), ValueError, "ratio must be > 0, got 0"),
    (lambda: width_for_ratio(1000, 50_000), ValueError, "ratio must leave room for one hidden unit, got 1000"),
    (lambda: width_for_ratio(10, 0), ValueError, "teacher_parameters must be > 0, got 0"),
    (lambda: width_for_ratio(10, 50_000, inputs=0), ValueError, "inputs must be an integer >= 1, got 0"),
    (lambda: width_for_ratio(10, 50_000, hidden_layers=1.5), ValueError, "hidden_layers .* got 1.5"),
    (lambda: StudentStack((5, 0, 3), [0]), ValueError, r"sizes must be two or more positive integers, got \[5, 0, 3\]"),
    (lambda: StudentStack((5, 3), []), ValueError, "seeds must hold at least one seed, got none"),
    (lambda: StudentStack((5, 3), [0, -1]), ValueError, "seeds must be an integer >= 0, got -1"),
)
def test_models_of_no_sense_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.5, 1, 2, 10, 50, 200])
def test_the_channels_of_a_ratio_are_the_nearest_that_one_scale_gives(ratio):
    teacher = count_parameters(cnn())
    found = channels_for_ratio(ratio, teacher)
    every = {tuple(max(1, round(scale * one)) for one in (32, 64, 128)) for scale in np.arange(1, 640) / 320}
    distance = {channels: abs(count_parameters(cnn(channels)) - teacher / ratio) for channels in every}
    assert distance[found] == min(distance.values())


def test_a_ratio_without_room_for_one_channel_is_refused():
    with pytest.raises(ValueError, match="ratio must leave room for one channel in each stage, got 10000"):
        channels_for_ratio(10_000, 463_594)
    with pytest.raises(ValueError, match="ratio must be > 0"):
        channels_for_ratio(0, 463_594)
