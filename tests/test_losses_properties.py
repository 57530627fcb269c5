"""Properties that hold for any logits: hypothesis looks for the ones that break them."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from kdcourse.losses import blended_loss, kd_loss

temperatures = st.floats(0.05, 100)
directions = st.sampled_from(["forward", "reverse"])
sizes = st.tuples(st.integers(1, 5), st.integers(1, 6))


def logits_of(shape, reach=20.0, dtype=np.float64):
    width = 64 if dtype == np.float64 else 32
    return arrays(dtype, shape, elements=st.floats(-reach, reach, width=width)).map(torch.from_numpy)


@st.composite
def pairs(draw, reach=20.0, sizes=sizes, dtype=np.float64):
    shape = draw(sizes)
    return draw(logits_of(shape, reach, dtype)), draw(logits_of(shape, reach, dtype))


@given(pairs() | pairs(dtype=np.float32), temperatures, directions)
def test_the_divergence_is_not_negative_beyond_rounding(pair, temperature, direction):
    each = kd_loss(*pair, temperature, direction=direction, reduction="none")
    rounding = 1e-14 if each.dtype == torch.float64 else 1e-6
    assert (each >= -rounding * max(1, temperature**2)).all()


@given(pairs(reach=1e4, dtype=np.float32), temperatures, directions)
def test_it_is_zero_at_equality(pair, temperature, direction):
    same = pair[0].clone().requires_grad_()
    loss = kd_loss(same, same.detach(), temperature, direction=direction)
    loss.backward()
    assert loss.item() == 0
    assert (same.grad.abs() <= 1e-6 * max(1, temperature)).all()


@given(pairs(), st.floats(-100, 100), st.floats(-100, 100), temperatures, directions)
def test_shifting_all_logits_of_an_example_changes_nothing(pair, shift, teacher_shift, temperature, direction):
    student, teacher = pair
    row = torch.arange(len(student), dtype=torch.float64).unsqueeze(1)
    moved = kd_loss(student + shift * row, teacher + teacher_shift, temperature, direction=direction)
    torch.testing.assert_close(moved, kd_loss(student, teacher, temperature, direction=direction), rtol=1e-6, atol=1e-8)


@given(pairs(), temperatures, directions, st.randoms(use_true_random=False))
def test_the_order_of_examples_and_classes_changes_nothing(pair, temperature, direction, random):
    order = [random.sample(range(size), size) for size in pair[0].shape]
    shuffled = [each[order[0]][:, order[1]] for each in pair]
    loss = kd_loss(*shuffled, temperature, direction=direction)
    torch.testing.assert_close(loss, kd_loss(*pair, temperature, direction=direction), rtol=1e-8, atol=1e-9)


@given(pairs(sizes=st.tuples(st.integers(2, 8), st.integers(1, 5))), temperatures, directions, st.data())
def test_a_split_batch_has_the_weighted_mean_of_its_parts(pair, temperature, direction, data):
    student, teacher = pair
    cut = data.draw(st.integers(1, len(student) - 1))
    parts = [kd_loss(student[part], teacher[part], temperature, direction=direction) * len(student[part])
             for part in (slice(cut), slice(cut, None))]  # fmt: skip
    whole = kd_loss(student, teacher, temperature, direction=direction)
    torch.testing.assert_close(sum(parts) / len(student), whole, rtol=1e-9, atol=1e-10)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)).flatmap(
        lambda shape: st.tuples(logits_of(shape), logits_of(shape), arrays(bool, (shape[0], shape[2])))
    ),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300]),
    directions,
)
def test_padding_changes_neither_loss_nor_gradient(case, garbage, direction):
    student, teacher, mask = case
    mask = torch.from_numpy(mask)
    mask[0, 0] = True
    labels = torch.zeros(mask.shape, dtype=torch.int64)
    valid = [(b, position) for b, position in mask.nonzero().tolist()]
    lone = torch.stack([student[b, :, position] for b, position in valid]).requires_grad_()
    lone_teacher = torch.stack([teacher[b, :, position] for b, position in valid])
    expected = blended_loss(lone, lone_teacher, labels[mask], 2.0, 0.4, direction=direction)
    expected.total.backward()

    padding = ~mask.unsqueeze(1)
    student = student.masked_fill(padding, garbage).requires_grad_()
    teacher = teacher.masked_fill(padding, garbage)
    labels = labels.masked_fill(~mask, -100)
    terms = blended_loss(student, teacher, labels, 2.0, 0.4, direction=direction, mask=mask)
    terms.total.backward()
    for term, other in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, other, rtol=1e-9, atol=1e-12)
    assert (student.grad.masked_select(padding) == 0).all()
    gradients = torch.stack([student.grad[b, :, position] for b, position in valid])
    torch.testing.assert_close(gradients, lone.grad, rtol=1e-9, atol=1e-12)


@given(pairs(), temperatures)
def test_the_gradient_is_the_gap_of_probabilities_times_the_temperature(pair, temperature):
    student, teacher = pair[0].clone().requires_grad_(), pair[1]
    kd_loss(student, teacher, temperature).backward()
    p, q = (softmax(each.detach().numpy() / temperature, axis=1) for each in (teacher, student))
    expected = (q - p) / temperature * temperature**2 / len(p)
    np.testing.assert_allclose(student.grad.numpy(), expected, rtol=1e-9, atol=1e-10 * temperature)


@given(pairs(reach=3.0), st.floats(0.5, 20))
def test_the_reverse_gradient_agrees_with_finite_differences(pair, temperature):
    student, teacher = pair[0].clone().requires_grad_(), pair[1]
    assert torch.autograd.gradcheck(lambda s: kd_loss(s, teacher, temperature, direction="reverse"), student)


@given(pairs(reach=5.0), directions)
def test_at_a_high_temperature_the_loss_matches_logits(pair, direction):
    student, teacher = pair
    difference = (student - student.mean(1, keepdim=True) - teacher + teacher.mean(1, keepdim=True)).numpy()
    limit = (difference**2).sum(1).mean() / (2 * student.shape[1])
    for temperature in (1e3, 1e4):
        loss = kd_loss(student, teacher, temperature, direction=direction).item()
        # The next term of the expansion is smaller by the range of the logits over T.
        assert abs(loss - limit) <= 20 / temperature * limit + 1e-6


@st.composite
def stacks(draw):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)))
    many = arrays(np.float64, shape[0], elements=st.floats(0.1, 100)).map(torch.from_numpy)
    weights = arrays(np.float64, shape[0], elements=st.floats(0, 1)).map(torch.from_numpy)
    return draw(logits_of(shape)), draw(logits_of(shape)), draw(many), draw(weights)


@given(stacks(), directions)
def test_stacked_students_equal_separate_ones(stack, direction):
    student, teacher, temperature, soft_weight = stack
    labels = torch.arange(student.shape[0] * student.shape[2]).view(student.shape[0], -1) % student.shape[1]
    settings = {"direction": direction, "reduction": "none"}
    each = blended_loss(student, teacher, labels, temperature.view(-1, 1, 1), soft_weight.view(-1, 1, 1), **settings)
    for m in range(len(student)):
        alone = blended_loss(
            student[m].T, teacher[m].T, labels[m], temperature[m].item(), soft_weight[m].item(), **settings
        )
        for term, other in zip(each, alone, strict=True):
            torch.testing.assert_close(term[m], other, rtol=1e-9, atol=1e-9)
