"""The exercises of lessons 02 to 04: right answers, each written in several ways, and what holds for all of them."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from kdcourse import check, losses, models, ship
from kdcourse.stats import calibration

# ---- right answers: lesson 02 ----


def limit_by_loops(student_logits, teacher_logits):
    rows = []
    for z, v in zip(student_logits.tolist(), teacher_logits.tolist(), strict=True):
        of_z, of_v = statistics.fmean(z), statistics.fmean(v)
        rows.append([((a - of_z) - (b - of_v)) / len(z) for a, b in zip(z, v, strict=True)])
    return torch.tensor(rows)


def limit_in_numpy(z, v):
    difference = np.asarray(z) - np.asarray(v)
    return (difference - difference.mean(axis=1, keepdims=True)) / difference.shape[1]


def limit_by_projection(z, v):
    classes = z.shape[1]
    return (z - v) @ (torch.eye(classes) - 1 / classes) / classes


def limit_by_a_huge_temperature(z, v):
    T = 1e6
    return T * (special.softmax(z.double().numpy() / T, axis=1) - special.softmax(v.double().numpy() / T, axis=1))


def limit_by_autograd(z, v):
    z = z.double().requires_grad_()
    loss = losses.kd_loss(z, v.double(), 1e5, reduction="none").sum()
    return torch.autograd.grad(loss, z)[0]


def limit_of_half_the_squared_distance(z, v):
    z = z.clone().requires_grad_()
    centred = z - v - (z - v).mean(1, keepdim=True)
    return torch.autograd.grad(centred.square().sum() / (2 * z.shape[1]), z)[0]


def choice_by_loops(temperatures, validation, test):
    best, chosen = -1.0, None
    for temperature, accuracies in zip(temperatures.tolist(), validation.tolist(), strict=True):
        mean = sum(accuracies) / len(accuracies)
        if mean > best:
            best, chosen = mean, temperature
    return chosen


def choice_in_numpy(temperatures, validation, test):
    return np.asarray(temperatures)[np.argmax(np.mean(validation.numpy(), axis=1))]


def choice_in_pandas(temperatures, validation, test):
    return pd.DataFrame(validation.numpy(), index=temperatures.tolist()).mean(axis=1).idxmax()


def choice_by_sorting(temperatures, validation, test):
    order = validation.sum(1).argsort(descending=True, stable=True)
    return temperatures[order][0].item()


def choice_by_max(temperatures, validation, test):
    return float(temperatures[max(range(len(validation)), key=lambda k: statistics.fmean(validation[k].tolist()))])


def scaling_by_a_grid(logits, labels):
    grid = torch.logspace(-1, 1, 500)
    return grid[torch.stack([F.cross_entropy(logits / T, labels) for T in grid]).argmin()]


def scaling_by_an_even_grid(logits, labels):
    grid = np.arange(0.01, 10, 0.01)
    return grid[np.argmin([F.cross_entropy(logits / T, labels, reduction="sum") for T in grid])]


def scaling_by_scipy(logits, labels):
    z, y = logits.double().numpy(), labels.numpy()

    def loss(T):
        return -special.log_softmax(z / T, axis=1)[np.arange(len(y)), y].mean()

    return optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x


def scaling_by_lbfgs(logits, labels):
    log_temperature = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = F.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()
        return loss

    optimiser.step(closure)
    return log_temperature.exp()


def scaling_by_newton(logits, labels):
    """The moments of the logits under their own softmax, class by class; steps damped so that none jumps too far."""
    rows, beta = list(zip(logits.tolist(), labels.tolist(), strict=True)), 1.0
    for _ in range(200):
        slope = curvature = 0.0
        for z, y in rows:
            p = [math.exp(beta * (value - max(z))) for value in z]
            p = [value / sum(p) for value in p]
            mean = sum(a * b for a, b in zip(p, z, strict=True))
            slope += mean - z[y]
            curvature += sum(a * b * b for a, b in zip(p, z, strict=True)) - mean**2
        beta = min(max(beta - slope / curvature, beta / 2), 2 * beta)
        if abs(slope) < 1e-6 * curvature * beta:
            break
    return 1 / beta


# ---- right answers: lesson 03 ----


def gradient_by_autograd(student_logits, teacher_logits, labels, temperature, soft_weight):
    z = student_logits.clone().requires_grad_()
    log_q, p = (z / temperature).log_softmax(1), (teacher_logits / temperature).softmax(1)
    soft = temperature**2 * F.kl_div(log_q, p, reduction="sum")
    hard = F.cross_entropy(z, labels, reduction="sum")
    return torch.autograd.grad(soft_weight * soft + (1 - soft_weight) * hard, z)[0]


def gradient_by_the_package(z, v, y, T, w):
    z = z.clone().requires_grad_()
    losses.blended_loss(z, v, y, T, w, reduction="none").total.sum().backward()
    return z.grad


def gradient_per_example(z, v, y, T, w):
    def loss(z, v, y):
        return losses.blended_loss(z[None], v[None], y[None], T, w).total

    return torch.stack([torch.func.grad(loss)(*row) for row in zip(z, v, y, strict=True)])


def gradient_by_loops(z, v, y, T, w):
    def softmax(row, T=1.0):
        powers = [math.exp((value - max(row)) / T) for value in row]
        return [power / sum(powers) for power in powers]

    rows = []
    for student, teacher, label in zip(z.tolist(), v.tolist(), y.tolist(), strict=True):
        q, p, q_1 = softmax(student, T), softmax(teacher, T), softmax(student)
        rows.append([w * T * (q[c] - p[c]) + (1 - w) * (q_1[c] - (c == label)) for c in range(len(q))])
    return rows


def gradient_by_differences(z, v, y, T, w):
    z, v, y = z.double().numpy(), v.double().numpy(), y.numpy()

    def loss(z):
        log_q, log_p = special.log_softmax(z / T, axis=1), special.log_softmax(v / T, axis=1)
        soft = T**2 * (np.exp(log_p) * (log_p - log_q)).sum()
        return w * soft - (1 - w) * special.log_softmax(z, axis=1)[np.arange(len(y)), y].sum()

    gradient = np.empty_like(z)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-5
        gradient[place] = (loss(z + step) - loss(z - step)) / 2e-5
    return gradient


def gradient_sorted_by_what_pulls(z, v, y, T, w):
    target = w * T * F.softmax(v / T, dim=1)
    target[torch.arange(len(y)), y] += 1 - w
    return w * T * F.softmax(z / T, dim=1) + (1 - w) * F.softmax(z, dim=1) - target


# ---- right answers: lesson 04 ----


def size_of(width, inputs, classes):
    return models.count_parameters(models.mlp([inputs, width, classes], seed=0))


def width_by_trying_all(ratio, teacher_parameters, inputs, classes):
    sizes = np.array([(inputs + 1) * w + (w + 1) * classes for w in range(1, 20_000)])
    return np.abs(sizes - teacher_parameters / ratio).argmin() + 1


def width_by_going_up(ratio, teacher_parameters, inputs, classes):
    width, target = 1, teacher_parameters / ratio

    def distance(width):
        return abs(inputs * width + width + width * classes + classes - target)

    while distance(width + 1) < distance(width):
        width += 1
    return width


def width_in_fractions(ratio, teacher_parameters, inputs, classes):
    exact = (teacher_parameters / Fraction(ratio) - classes) / (inputs + 1 + classes)
    return max(1, math.ceil(exact - Fraction(1, 2)))


def width_by_building(ratio, teacher_parameters, inputs, classes):
    guess = int((teacher_parameters / ratio - classes) / (size_of(2, inputs, classes) - size_of(1, inputs, classes)))
    nearby = range(max(1, guess - 1), max(1, guess) + 3)
    return min(nearby, key=lambda width: abs(size_of(width, inputs, classes) - teacher_parameters / ratio))


def paid_back_per_request(one_time_cost, teacher_cost, student_cost):
    saved = (teacher_cost - student_cost) / 1000
    return one_time_cost / saved if saved > 0 else math.inf


def paid_back_with_early_return(one_time_cost, teacher_cost, student_cost):
    if student_cost >= teacher_cost:
        return float("inf")
    return math.ceil(1000 * one_time_cost / (teacher_cost - student_cost))


def paid_back_in_numpy(one, t, s):
    with np.errstate(divide="ignore"):
        n = np.float64(1000) * one / (t - s)
    return np.where(s < t, n, np.inf)


def paid_back_in_torch(one, t, s):
    return 1000 * one / torch.tensor(t - s).clamp_min(0)


def paid_back_where_the_lines_cross(one, t, s):
    if s >= t:
        return math.inf
    return optimize.brentq(lambda n: one + s * n / 1000 - t * n / 1000, 0, 1e12, xtol=1e-3)


def smallest_by_loop(ratios, low, high, max_gap):
    best = 1.0
    for ratio, upper in zip(ratios, high, strict=True):
        if upper <= max_gap:
            best = ratio
    return best


def smallest_by_max(ratios, low, high, max_gap):
    return max((r for r, h in zip(ratios.tolist(), high.tolist(), strict=True) if h <= max_gap), default=1)


def smallest_in_numpy(ratios, low, high, max_gap):
    return np.where(high.numpy() < max_gap, ratios.numpy(), 1.0).max()


def smallest_in_pandas(ratios, low, high, max_gap):
    table = pd.DataFrame({"ratio": ratios, "low": low, "high": high})
    passed = table[table["high"] <= max_gap]
    return passed["ratio"].iloc[-1] if len(passed) else 1.0


def smallest_from_the_end(ratios, low, high, max_gap):
    for k in reversed(range(len(ratios))):
        if high[k] <= max_gap:
            return ratios[k].item()
    return 1


RIGHT_LATER = {
    "limit_gradient": [
        limit_by_loops,
        limit_in_numpy,
        limit_by_projection,
        limit_by_a_huge_temperature,
        limit_by_autograd,
        limit_of_half_the_squared_distance,
    ],
    "choose_temperature": [choice_by_loops, choice_in_numpy, choice_in_pandas, choice_by_sorting, choice_by_max],
    "fit_temperature": [
        scaling_by_a_grid,
        scaling_by_an_even_grid,
        scaling_by_scipy,
        scaling_by_lbfgs,
        scaling_by_newton,
        calibration.fit_temperature,
    ],
    "blend_gradient": [
        gradient_by_autograd,
        gradient_by_the_package,
        gradient_per_example,
        gradient_by_loops,
        gradient_by_differences,
        gradient_sorted_by_what_pulls,
    ],
    "student_width": [
        width_by_trying_all,
        width_by_going_up,
        width_in_fractions,
        width_by_building,
        models.width_for_ratio,
    ],
    "break_even": [
        paid_back_per_request,
        paid_back_with_early_return,
        paid_back_in_numpy,
        paid_back_in_torch,
        paid_back_where_the_lines_cross,
        ship.break_even,
    ],
    "smallest_student": [
        smallest_by_loop,
        smallest_by_max,
        smallest_in_numpy,
        smallest_in_pandas,
        smallest_from_the_end,
    ],
}


# ---- properties of the references ----

seeds = st.integers(0, 2**32 - 1)


def case_of(exercise, seed):
    return exercise.inputs(torch.Generator().manual_seed(seed))


@given(seed=seeds, factor=st.floats(0.5, 2))
def test_temperature_scales_with_the_logits(seed, factor):
    logits, labels = case_of(check.fit_temperature, seed)
    reference = check.fit_temperature.reference
    T = reference(logits.double(), labels)
    assert reference(factor * logits.double(), labels) == pytest.approx(factor * T, rel=1e-6)
    p = special.softmax(logits.double().numpy() / T, axis=1)  # at the best T, the labels' logits are as expected
    expected = (p * logits.double().numpy()).sum(1).mean()
    assert logits.gather(1, labels[:, None]).double().mean().item() == pytest.approx(expected, abs=1e-6)


@given(seed=seeds, shift=st.floats(-5, 5))
def test_gradients_do_not_notice_a_constant_and_sum_to_zero(seed, shift):
    student, teacher = case_of(check.limit_gradient, seed)
    one = check.limit_gradient.reference(student, teacher)
    torch.testing.assert_close(check.limit_gradient.reference(student + shift, teacher), one, atol=1e-4, rtol=1e-4)
    student, teacher, labels, T, w = case_of(check.blend_gradient, seed)
    other = check.blend_gradient.reference(student, teacher + shift, labels, T, w)
    torch.testing.assert_close(
        check.blend_gradient.reference(student, teacher, labels, T, w), other, atol=1e-4, rtol=1e-4
    )
    for gradient in (one, other):
        assert gradient.sum(1).abs().max() < 1e-4


@given(
    ratio=st.sampled_from([1.5, 2, 5, 10, 33.3, 200]),
    teacher=st.integers(1, 3000),
    inputs=st.integers(1, 12),
    classes=st.integers(1, 12),
)
def test_width_is_that_of_a_search_through_all(ratio, teacher, inputs, classes):
    expected = width_by_trying_all(ratio, teacher, inputs, classes)
    assert check.student_width.reference(ratio, teacher, inputs, classes) == expected


@given(seed=seeds)
def test_at_break_even_both_ways_cost_the_same(seed):
    one, teacher, student = case_of(check.break_even, seed)
    n = check.break_even.reference(one, teacher, student)
    if student < teacher:
        assert one + n / 1000 * student == pytest.approx(n / 1000 * teacher, rel=1e-9)
        assert n > 10_000  # so that rounding to whole requests is within the tolerance
    else:
        assert n == math.inf


@given(seed=seeds)
def test_smallest_student_grows_no_larger_as_more_is_allowed(seed):
    ratios, low, high, max_gap = case_of(check.smallest_student, seed)
    reference = check.smallest_student.reference
    chosen = [float(reference(ratios, low, high, gap)) for gap in (-9, 0, max_gap, 2 * max_gap, 99)]
    assert chosen == sorted(chosen)
    assert chosen[0] == 1
    assert chosen[-1] == ratios[-1]
    assert all((end - max_gap).abs().min() > 1e-3 for end in (low, high))  # ≤ and < are both right


@given(seed=seeds)
def test_chosen_temperature_is_one_of_those_with_the_best_mean(seed):
    temperatures, validation, test = case_of(check.choose_temperature, seed)
    chosen = check.choose_temperature.reference(temperatures, validation, test)
    best = [T for T, row in zip(temperatures, validation, strict=True) if row.mean() == validation.mean(1).max()]
    assert chosen == best[0]
    assert torch.equal(check.choose_temperature.reference(temperatures, validation, 1 - test), chosen)
