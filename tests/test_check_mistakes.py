"""Mistakes in the exercises of lessons 02 to 04, as people write them, and how near to the best is near enough."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_check_lessons import (
    RIGHT_LATER,
    limit_by_projection,
    paid_back_per_request,
    scaling_by_scipy,
    width_by_trying_all,
)

from kdcourse import check, losses, models
from kdcourse.check import core
from kdcourse.check.outcome import call, close


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


def on_one_line(text):
    return " ".join(text.split())


# ---- mistakes, in the words people write them in ----


def autograd_of(loss):
    def answer(z, v, y, T, w):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(loss(z, v, y, T, w), z)[0]

    return answer


def soft_and_hard(soft, hard):
    """Gradient of the blend, with F.kl_div and F.cross_entropy reduced in these ways."""

    def loss(z, v, y, T, w):
        divergence = F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction=soft)
        return w * T**2 * divergence + (1 - w) * F.cross_entropy(z, y, reduction=hard)

    return autograd_of(loss)


def grid_of(loss, low=0.05, high=20, back=float):
    def answer(logits, labels):
        grid = np.geomspace(low, high, 600).tolist()
        return back(grid[int(np.argmin([float(loss(logits, labels, T)) for T in grid]))])

    return answer


def cross_entropy(logits, labels, T):
    return F.cross_entropy(logits / T, labels)


def unguarded(one_time_cost, teacher_cost, student_cost):
    return 1000 * one_time_cost / (teacher_cost - student_cost)


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(
    ("exercise", "answer", "bug"),
    [
        (check.limit_gradient, lambda z, v: (z - v) / z.shape[-1], "means not removed"),
        (check.limit_gradient, lambda z, v: 1000 * ((z / 1000).softmax(1) - (v / 1000).softmax(1)), "a large"),
        (check.limit_gradient, lambda z, v: torch.autograd.functional.jacobian(
            lambda z: losses.kd_loss(z, v.double(), 1e5), z.double()), "divided by the examples too"),
        (check.limit_gradient, lambda z, v: z.softmax(1) - v.softmax(1), "probabilities in place of logits"),
        (check.limit_gradient, lambda z, v: ((z - z.mean(0)) - (v - v.mean(0))) / z.shape[1], "wrong axis"),
        (check.choose_temperature, lambda T, v, t: T[np.asarray(v).max(axis=1).argmax()], "the best single run"),
        (check.choose_temperature, lambda T, v, t: T[torch.cat([v, t], 1).mean(1).argmax()], "chosen on both"),
        (check.choose_temperature, lambda T, v, t: T[int(v.argmax()) // v.shape[1]], "the best single run"),
        (check.choose_temperature, lambda T, v, t: T[np.median(v.numpy(), axis=1).argmax()], "the median run"),
        (check.choose_temperature, lambda T, v, t: np.argmax(v.mean(1).numpy()), "the index"),
        (check.choose_temperature, lambda T, v, t: v.mean(1).max(), "the accuracy"),
        (check.choose_temperature, lambda T, v, t: sorted(zip(v.mean(1).tolist(), T.tolist(), strict=True))[-1][1],
         "the last of equal ones"),
        (check.fit_temperature, grid_of(lambda z, y, T: F.cross_entropy(z * T, y)), "upside down"),
        (check.fit_temperature, grid_of(cross_entropy, back=math.log), "the logarithm of T"),
        (check.fit_temperature, grid_of(cross_entropy, low=1), "never below 1"),
        (check.fit_temperature, grid_of(cross_entropy, high=1), "never above 1"),
        (check.fit_temperature, grid_of(lambda z, y, T: -((z / T).argmax(1) == y).double().mean()), "lower end"),
        (check.fit_temperature, grid_of(lambda z, y, T: F.nll_loss(z / T, y)), "lower end"),
        (check.fit_temperature, grid_of(lambda z, y, T: cross_entropy(z, z.argmax(1), T)), "lower end"),
        (check.fit_temperature, grid_of(lambda z, y, T: cross_entropy(z, (y + 1) % z.shape[1], T)), "upper end"),
        (check.fit_temperature, grid_of(lambda z, y, T: -cross_entropy(z, y, T)), "lower end"),
        (check.fit_temperature, lambda z, y: torch.ones(()), "not fitted"),
        (check.fit_temperature, grid_of(lambda z, y, T: F.cross_entropy(z.softmax(1) / T, y), low=0.01),
         "softmax before the temperature"),
        (check.fit_temperature, grid_of(lambda z, y, T: F.nll_loss((z / T).log_softmax(0), y)), "wrong axis"),
        (check.fit_temperature, lambda z, y: min(cross_entropy(z, y, T) for T in np.geomspace(0.1, 10, 500)),
         "the loss"),
        (check.blend_gradient, soft_and_hard("batchmean", "mean"), "divided by the examples"),
        (check.blend_gradient, soft_and_hard("sum", "mean"), "one part divided by the examples"),
        (check.blend_gradient, soft_and_hard("mean", "mean"), "soft part divided by the classes"),
        (check.blend_gradient, autograd_of(lambda z, v, y, T, w: losses.blended_loss(z, v, y, T, w).total),
         "divided by the examples"),
        (check.blend_gradient, autograd_of(lambda z, v, y, T, w: losses.blended_loss(
            z, v, y, T, w, direction="reverse", reduction="none").total.sum()), "arguments swapped"),
        (check.blend_gradient, autograd_of(lambda z, v, y, T, w: losses.blended_loss(
            z, v, y, T, 1 - w, reduction="none").total.sum()), "weights exchanged"),
        (check.blend_gradient, autograd_of(lambda z, v, y, T, w: losses.kd_loss(z, v, T, reduction="none").sum()),
         "soft part only"),
        (check.student_width, lambda r, p, i, c: round((p / r - c) / (i + 1 + c)), "no hidden unit"),
        (check.student_width, lambda r, p, i, c: max(1, round((p / r - c) / (i + 1 + c))), "the larger of two"),
        (check.student_width, lambda r, p, i, c: int((p / r - c) // (i + 1 + c)), "rounded down"),
        (check.student_width, lambda r, p, i, c: max(1, round(p / r / (i + c))), "biases forgotten"),
        (check.student_width, lambda r, p, i, c: (p / r - c) / (i + 1 + c), "not rounded"),
        (check.student_width, lambda *case: np.float64(width_by_trying_all(*case)), "a float"),
        (check.student_width, lambda r, p, i, c: int(p / r), "the number of parameters"),
        (check.student_width, lambda r, p, i, c: models.width_for_ratio(1 / r, p, i, c), "multiplied by the ratio"),
        (check.break_even, unguarded, "negative"),
        (check.break_even, lambda one, t, s: one / (t - s), "in thousands"),
        (check.break_even, lambda one, t, s: one / (t - s) if t > s else math.inf, "in thousands"),
        (check.break_even, lambda one, t, s: 1000 * one / (s - t), "sign"),
        (check.break_even, lambda one, t, s: 1000 * one / (t - s) if t < s else math.inf, "comparison turned over"),
        (check.break_even, lambda one, t, s: math.inf if t > s else 1000 * one / (t - s), "comparison turned over"),
        (check.break_even, lambda one, t, s: 1000 * one / abs(t - s), "paid back by a dearer student"),
        (check.break_even, lambda one, t, s: max(0, 1000 * one / (t - s)) if t != s else 0, "0 for never"),
        (check.smallest_student, lambda r, lo, hi, g: r[lo <= g].max() if (lo <= g).any() else 1, "lower end"),
        (check.smallest_student, lambda r, lo, hi, g: r[hi <= g].min() if (hi <= g).any() else 1.0,
         "largest student that passes"),
        (check.smallest_student, lambda r, lo, hi, g: max(r.tolist()), "always the smallest"),
        (check.smallest_student, lambda r, lo, hi, g: sum(hi <= g), "the index"),
        (check.smallest_student, lambda r, lo, hi, g: r[hi <= g].max() if (hi <= g).any() else 0,
         "no teacher to fall back on"),
        (check.smallest_student, lambda r, lo, hi, g: (r * (hi <= g)).max(), "no teacher to fall back on"),
        (check.smallest_student, lambda r, lo, hi, g: r[torch.where(hi <= g)[0][-1]] if (hi <= g).any() else r[0],
         "a student that does not pass"),
    ],
)  # fmt: skip
def test_bugs_of_lessons_02_to_04_are_recognised_in_the_words_people_write_them_in(exercise, answer, bug):
    result = exercise(answer)
    assert result.status == "not yet"
    assert result.bug is not None
    assert result.bug.startswith(bug)


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        (check.break_even, lambda one, t, s: math.inf if s > t else 1000 * one / (t - s), "ZeroDivisionError"),
        (check.break_even, lambda one, t, s: None if s >= t else unguarded(one, t, s), "returned None"),
        (check.break_even, lambda one, t, s: math.inf, "There is inf in the result"),
        (check.smallest_student, lambda r, lo, hi, g: r[hi <= g].max(), "stopped with"),
        (check.smallest_student, lambda r, lo, hi, g: r[hi <= g], "shape is wrong"),
        (check.smallest_student, lambda r, lo, hi, g: r[hi <= g].tolist()[-1] if (hi <= g).any() else None,
         "returned None. Is there a `return`"),
        (check.choose_temperature, lambda T, v, t: (T[v.mean(1).argmax()], v.mean(1).max()), "Return only one number"),
        (check.choose_temperature, lambda T, v, t: T[v.argmax()], "stopped with IndexError"),
        (check.fit_temperature, lambda z, y: torch.ones(1), "shape is wrong: one number is expected"),
    ],
)  # fmt: skip
def test_what_lessons_02_to_04_say_of_what_is_no_number(exercise, answer, message):
    result = exercise(answer)
    assert (result.status, result.bug) == ("not yet", None)
    assert message in on_one_line(result.message)


def test_infinity_is_expected_in_so_many_letters():
    result = check.break_even(unguarded)
    assert "one_time_cost = 30.0 teacher_cost = 2.0 student_cost = 5.0 expected inf got -10000.0" in on_one_line(
        result.message
    )


@pytest.mark.parametrize("name", RIGHT_LATER)
def test_exercise_of_lessons_02_to_04_knows_six_bugs_and_has_four_hints(name):
    exercise = getattr(check, name)
    assert len(exercise.bugs) >= 6
    assert len(exercise.hints) == 4


@pytest.mark.parametrize("exercise", check.EXERCISES, ids=lambda exercise: exercise.name)
def test_no_two_bugs_do_the_same_on_all_small_inputs(exercise):
    made = [
        (bug.name, [call(function, case, exercise.words) for case in exercise.small])
        for bug in exercise.bugs
        for function in (bug.function, *bug.variants)
    ]
    for k, (name, one) in enumerate(made):
        for other_name, other in made[:k]:
            told_apart = name == other_name or not all(
                close(*pair, exercise.tolerance) for pair in zip(one, other, strict=True)
            )
            assert told_apart, (name, other_name)


# ---- how near is near enough ----


def off_by(factor):
    return lambda logits, labels: factor * scaling_by_scipy(logits, labels)


@pytest.mark.parametrize("factor", [0.985, 1.015])
def test_fit_may_be_off_by_less_than_two_percent(factor):
    assert check.fit_temperature(off_by(factor)).passed


@pytest.mark.parametrize("factor", [0.97, 1.03, 1.15])
def test_fit_that_is_off_by_more_is_told_that_it_is_near(factor):
    result = check.fit_temperature(off_by(factor))
    assert (result.status, result.bug) == ("not yet", None)
    assert "near, but not within 2 %" in on_one_line(result.message)


def test_other_exercises_are_as_strict_as_before():
    assert not check.limit_gradient(lambda z, v: 1.01 * limit_by_projection(z, v)).passed
    assert not check.break_even(lambda *case: 1.01 * paid_back_per_request(*case)).passed


def test_requests_may_be_rounded():
    for how in (math.ceil, math.floor, round):
        assert check.break_even(
            lambda one, t, s: math.inf if s >= t else how(unguarded(one, t, s))  # noqa: B023
        ).passed


def test_best_temperature_of_the_random_cases_lies_where_a_search_finds_it():
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(20):
        logits, labels = check.fit_temperature.inputs(generator)
        assert 50 <= len(logits) == len(labels) <= 300
        found.append(scaling_by_scipy(logits, labels))
    assert 0.3 < min(found) < 0.7 < 1.4 < max(found) < 6
