"""The losses against references that share no code with them: Python floats, one example at a time."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax

from kdcourse.losses import blended_loss, hard_per_example, kd_loss, soften

SHAPES = [(5, 3), (2, 4, 6), (3, 10, 2), (2, 3, 4, 5)]
TEMPERATURES = [0.01, 0.5, 1.0, 4.0, 20.0, 1000.0]
HALVES = [torch.float16, torch.bfloat16]


def draw(*shape, seed=0, scale=3.0, dtype=torch.float64):
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale).to(dtype)


def log_probabilities(row, temperature):
    scaled = [value / temperature for value in row]
    top = max(scaled)
    log_total = math.log(math.fsum(math.exp(value - top) for value in scaled))
    return [value - top - log_total for value in scaled]


def divergence(row, teacher_row, temperature, direction="forward"):
    """T² · KL between the softmaxes of two lists of numbers."""
    log_q, log_p = (log_probabilities(each, temperature) for each in (row, teacher_row))
    if direction == "reverse":
        log_p, log_q = log_q, log_p
    terms = (math.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True) if p > -math.inf)
    return temperature**2 * math.fsum(terms)


def rows(logits):
    """Every example's class scores, as lists, in the order of the flattened shape without axis 1."""
    return logits.double().movedim(1, -1).reshape(-1, logits.shape[1]).tolist()


def reference(student, teacher, temperature=1.0, direction="forward"):
    values = [divergence(s, t, temperature, direction) for s, t in zip(rows(student), rows(teacher), strict=True)]
    return torch.tensor(values, dtype=torch.float64).reshape(student.shape[:1] + student.shape[2:])


def reference_hard(student, labels):
    scores = [-log_probabilities(s, 1.0)[k] for s, k in zip(rows(student), labels.flatten().tolist(), strict=True)]
    return torch.tensor(scores, dtype=torch.float64).reshape(labels.shape)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_kd_loss_agrees_with_a_naive_loop(shape, temperature, direction):
    student, teacher = draw(*shape), draw(*shape, seed=1)
    expected = reference(student, teacher, temperature, direction)
    each = kd_loss(student, teacher, temperature, direction=direction, reduction="none")
    torch.testing.assert_close(each, expected, rtol=1e-8, atol=1e-9)
    mean = kd_loss(student, teacher, temperature, direction=direction)
    assert mean.item() == pytest.approx(math.fsum(expected.flatten().tolist()) / expected.numel(), rel=1e-8)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_ragged_sequences_average_over_valid_positions(direction):
    student, teacher = draw(3, 4, 5), draw(3, 4, 5, seed=1)
    labels = torch.randint(0, 4, (3, 5), generator=torch.Generator().manual_seed(2))
    lengths = [5, 1, 3]
    mask = torch.tensor([[position < length for position in range(5)] for length in lengths])
    soft, hard = [], []
    for b, length in enumerate(lengths):
        for position in range(length):
            row = student[b, :, position].tolist()
            soft.append(divergence(row, teacher[b, :, position].tolist(), 2.0, direction))
            hard.append(-log_probabilities(row, 1.0)[labels[b, position]])
    soft, hard = math.fsum(soft) / sum(lengths), math.fsum(hard) / sum(lengths)
    assert kd_loss(student, teacher, 2.0, direction=direction, mask=mask).item() == pytest.approx(soft)
    terms = blended_loss(student, teacher, labels, 2.0, 0.3, direction=direction, mask=mask)
    assert [term.item() for term in terms] == pytest.approx([0.3 * soft + 0.7 * hard, soft, hard])
    each = kd_loss(student, teacher, 2.0, direction=direction, mask=mask, reduction="none")
    assert each.shape == mask.shape
    assert (each[~mask] == 0).all()
    torch.testing.assert_close(each[mask], reference(student, teacher, 2.0, direction)[mask])


@pytest.mark.parametrize("soft_weight", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_blended_loss_agrees_with_a_naive_loop(shape, soft_weight):
    student, teacher = draw(*shape), draw(*shape, seed=1)
    labels = torch.randint(0, shape[1], shape[:1] + shape[2:], generator=torch.Generator().manual_seed(2))
    soft, hard = reference(student, teacher, 3.0), reference_hard(student, labels)
    for reduction, reduce in [("none", lambda each: each), ("mean", lambda each: each.mean())]:
        terms = blended_loss(student, teacher, labels, 3.0, soft_weight, reduction=reduction)
        torch.testing.assert_close(terms.soft, reduce(soft))
        torch.testing.assert_close(terms.hard, reduce(hard))
        torch.testing.assert_close(terms.total, reduce(soft_weight * soft + (1 - soft_weight) * hard))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_integer_type_give_cross_entropy(dtype):
    student, labels = draw(7, 4), torch.tensor([0, 3, 1, 2, 3, 0, 1])
    expected = torch.nn.functional.cross_entropy(student, labels)
    terms = blended_loss(student, draw(7, 4, seed=1), labels.to(dtype), soft_weight=0.0)
    torch.testing.assert_close(terms.total, expected)
    torch.testing.assert_close(hard_per_example(student, labels).mean(), expected)


@pytest.mark.parametrize("loss", ["forward", "reverse", "blended"])
def test_no_gradient_reaches_the_teacher(loss):
    student, teacher = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    if loss == "blended":
        value = blended_loss(student, teacher, torch.tensor([0, 1, 2, 0])).total
    else:
        value = kd_loss(student, teacher, 2.0, direction=loss)
    value.backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_arguments_are_left_as_they_were():
    student, teacher = draw(3, 4, 2), draw(3, 4, 2, seed=1)
    mask, labels = torch.tensor([[True, False]] * 3), torch.full((3, 2), -100)
    labels[:, 0] = 1
    before = [value.clone() for value in (student, teacher, mask, labels)]
    blended_loss(student, teacher, labels, 2.0, mask=mask)
    assert all(torch.equal(a, b) for a, b in zip(before, (student, teacher, mask, labels), strict=True))


# ---- extremes ----


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0, 50.0, 50.1, 1000.0])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_huge_logits_give_the_right_loss_and_a_finite_gradient(direction, temperature, dtype):
    student = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1.0], [5.0, 5.0, 5.0]], dtype=dtype, requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 3.0], [-1e4, 1e4, 1.0], [1e4, -1e4, 2.0]], dtype=dtype)
    each = kd_loss(student, teacher, temperature, direction=direction, reduction="none")
    expected = reference(student.detach(), teacher, temperature, direction)
    torch.testing.assert_close(each.double(), expected, rtol=1e-5, atol=1e-6 * temperature**2)
    each.sum().backward()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("off", [-math.inf, -1e4])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 1000.0])
def test_a_one_hot_teacher_gives_cross_entropy_at_the_temperature(temperature, off):
    # -1e4 at T = 1000 is no one-hot teacher: it leaves exp(-10) to the others, which the naive loop accounts for.
    student = draw(4, 3, dtype=torch.float32).requires_grad_()
    teacher = torch.full((4, 3), off)
    teacher[torch.arange(4), torch.tensor([0, 2, 1, 2])] = 0.0
    each = kd_loss(student, teacher, temperature, reduction="none")
    torch.testing.assert_close(each.double(), reference(student.detach(), teacher, temperature), rtol=1e-5, atol=1e-5)
    each.sum().backward()
    q = torch.softmax(student.detach().double() / temperature, 1)
    p = torch.softmax(teacher.double() / temperature, 1)
    torch.testing.assert_close(student.grad.double(), temperature * (q - p), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 4.0, 50.0, 100.0, 1000.0])
@pytest.mark.parametrize("scale", [3.0, 1e4])
def test_logits_of_any_precision_give_a_float32_loss_that_is_right(scale, temperature, dtype):
    student = draw(16, 10, scale=scale, dtype=dtype).clamp(-1e4, 1e4).requires_grad_()
    teacher = draw(16, 10, seed=1, scale=scale, dtype=dtype).clamp(-1e4, 1e4)
    labels = torch.arange(16) % 10
    loss = kd_loss(student, teacher, temperature)
    expected = reference(student.detach(), teacher, temperature).mean().item()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    terms = blended_loss(student, teacher, labels, temperature, 0.5)
    hard = reference_hard(student.detach(), labels).mean().item()
    assert terms.total.item() == pytest.approx(0.5 * expected + 0.5 * hard, rel=1e-4)
    terms.total.backward()
    assert student.grad.isfinite().all()
    assert student.grad.dtype == dtype


@pytest.mark.parametrize("given", ["float16 number", "float16 per row", "bfloat16 per row", "int per row"])
def test_the_precision_of_the_temperature_does_not_limit_the_loss(given):
    # 300² overflows float16; the square must not be taken in it.
    student, teacher = draw(4, 3, dtype=torch.float16), draw(4, 3, seed=1, dtype=torch.float16)
    dtype = {"f": torch.float16, "b": torch.bfloat16, "i": torch.int64}[given[0]]
    temperature = torch.tensor(300.0, dtype=dtype) if "number" in given else torch.full((4, 1), 300, dtype=dtype)
    expected = reference(student, teacher, float(temperature.max())).mean().item()
    assert kd_loss(student, teacher, temperature).item() == pytest.approx(expected, rel=1e-4)


def test_a_learnable_temperature_receives_its_gradient():
    student, teacher = draw(4, 3), draw(4, 3, seed=1)
    temperature = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    kd_loss(student, teacher, temperature).backward()
    step = 1e-5
    slope = (reference(student, teacher, 2 + step) - reference(student, teacher, 2 - step)).mean() / (2 * step)
    assert temperature.grad.item() == pytest.approx(slope.item(), rel=1e-6)


def test_a_reverse_divergence_that_would_be_infinite_is_refused():
    student, teacher = torch.zeros(2, 3), torch.zeros(2, 3)
    teacher[0, 1:] = -math.inf
    with pytest.raises(ValueError, match=r'direction="reverse", teacher_logits must be finite, got -inf at index'):
        blended_loss(student, teacher, torch.tensor([0, 1]), 4.0, 0.0, direction="reverse")


# ---- soften ----


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 1000.0])
def test_soften_keeps_the_dtype_and_sums_to_one_over_axis_one(temperature, dtype):
    logits = draw(3, 10, 4, scale=100, dtype=dtype)
    soft = soften(logits, temperature)
    assert soft.dtype == dtype
    assert soft.shape == logits.shape
    resolution = torch.finfo(dtype).eps * 10
    torch.testing.assert_close(soft.double().sum(1), torch.ones(3, 4).double(), rtol=resolution, atol=resolution)
    expected = softmax(logits.double().numpy() / temperature, axis=1)
    np.testing.assert_allclose(soft.double().numpy(), expected, atol=resolution)


def test_soften_gives_minus_infinity_probability_zero():
    soft = soften(torch.tensor([[0.0, -math.inf, 0.0]]), 3.0)
    assert soft.tolist() == [[0.5, 0.0, 0.5]]


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([1e35, 0.0, -1e35], [1.0, 0.0, 0.0]),
        ([-1e35, -2e35, -math.inf], [1.0, 0.0, 0.0]),
        ([3e38, 3e38, -3e38], [0.5, 0.5, 0.0]),
        ([1e35, 2e35, 2e35], [0.0, 0.5, 0.5]),
    ],
)
def test_soften_takes_the_largest_logits_at_the_lowest_temperature(logits, expected):
    for temperature in (1e-6, torch.tensor([[1e-5], [1.0]])):
        soft = soften(torch.tensor([logits, [0.0, -math.log(3), -math.inf]]), temperature)
        assert soft[0].tolist() == expected
    assert soft[1].tolist() == pytest.approx([0.75, 0.25, 0])


def test_soften_takes_one_temperature_per_stacked_student():
    logits = draw(3, 4, 5)
    together = soften(logits, torch.tensor([1.0, 2.0, 8.0], dtype=torch.float64).view(3, 1, 1))
    for m, temperature in enumerate([1.0, 2.0, 8.0]):
        np.testing.assert_allclose(together[m].numpy(), softmax(logits[m].numpy() / temperature, axis=0), rtol=1e-12)
