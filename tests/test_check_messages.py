"""What a check says where it knows no bug by name, its cautions about gradients, and what it prints and records."""

import sys
import types

import pytest
import torch
import torch.nn.functional as F
from test_check import (
    BUGS,
    EXERCISES,
    RIGHT,
    bits_by_hand,
    each_exercise,
    kd_by_kl_div,
    kd_in_log_space,
    kd_in_numpy,
    on_one_line,
    soften_in_log_space,
)
from test_check_lesson_05 import interval_by_counts, needed_by_counting, read_by_loop
from test_check_lessons import scaling_by_scipy, width_by_trying_all

from kdcourse import check, losses
from kdcourse.check import core
from kdcourse.check.core import solution_of
from kdcourse.check.outcome import call


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


# ---- answers that have no known bug, of which something can be said ----


def kd(s, t, T):
    return losses.kd_loss(s, t.detach(), T)


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        (
            check.soften,
            lambda z, t: (z / t).softmax(1)[:, :1],
            "shape [1, 3] is expected, and a tensor of shape [1, 1]",
        ),
        (check.soften, lambda z, t: (z / t).softmax(1).unsqueeze(0), "The shape is wrong"),
        (check.soften, lambda z, t: z * torch.nan, "There is NaN in the result"),
        (check.soften, lambda z, t: z + torch.inf, "There is inf in the result"),
        (check.soften, lambda z, t: "probabilities", "returned a str that cannot be read as a tensor of shape [1, 3]"),
        (check.soften, lambda z, t: {"p": z}, "returned a dict that cannot be read"),
        (check.soften, lambda z, t: z.softmax, "a builtin_function_or_method that cannot be read"),
        (check.soften, lambda z, t: z.softmax, "parentheses missing"),
        (check.soften, lambda z, t: z.to(torch.complex64), "returned a Tensor that cannot be read"),
        (check.soften, lambda z, t: (z.softmax(1), t), "returned 2 things (a tuple). Return only a tensor of shape"),
        (check.soften, lambda z, t: (z / t).softmax(1).round().long(), "These are whole numbers"),
        (check.soften, lambda z, t: (z / t).softmax(1) - 0.3, "A probability is never negative"),
        (check.soften, lambda z, t: (z / t).sigmoid(), "Each row should sum to 1"),
        (check.soften, lambda z, t: (z / t).softmax(1).flip(1), "a temperature never changes the winner"),
        (check.soften, lambda z, t: (z / t / 2).softmax(1), "in a way that this check has no name for"),
        (check.soften, lambda z, t: (z / t / 2).softmax(1), "check.soften.hint() gives a hint"),
        (check.entropy_bits, lambda p: bits_by_hand(p) - 2, "Entropy is never negative"),
        (check.entropy_bits, lambda p: bits_by_hand(p) + 2, "at most log2(C) bits"),
        (check.hard_targets, lambda z: -1 - z.argmax(1), "A class index lies from 0 to C − 1"),
        (check.retained_accuracy, lambda s, t: -s / t, "never negative"),
        (check.retained_accuracy, lambda s, t: 1 + s / t, "the share is below 1"),
        (check.retained_accuracy, lambda s, t: 1, "These are whole numbers"),
        (
            check.kd_loss,
            lambda s, t, T: kd(s, t, T).reshape(1),
            "one number is expected, and a tensor of shape [1] came",
        ),
        (check.kd_loss, lambda s, t, T: kd(s, t, T) - 1, "A divergence is never negative"),
        (check.kd_loss, lambda s, t, T: kd(s, t, T) + 1, "Student and teacher agree here"),
        (check.blended_loss, losses.blended_loss, "returned 3 things (a LossTerms). Return only one number."),
        (check.blended_loss, lambda s, t, y, T, w: kd(s, t, T) - 1, "Neither of the two terms is ever negative"),
        (check.blended_loss, lambda s, t, y, T, w: 5 + kd(s, t, T), "A weighted mean lies between its two terms"),
        (check.limit_gradient, lambda z, v: z - z.mean(1, keepdim=True), "differ by a constant here"),
        (check.limit_gradient, lambda z, v: (z - v - (z - v)[:, :1]) ** 2, "Each row should sum to 0: adding"),
        (check.choose_temperature, lambda T, v, t: T.mean(), "should be one of the temperatures that were tried"),
        (check.fit_temperature, lambda z, y: -scaling_by_scipy(z, y), "A temperature is positive"),
        (check.fit_temperature, lambda z, y: scaling_by_scipy(z, y) / 9, "That is far too small"),
        (check.fit_temperature, lambda z, y: scaling_by_scipy(z, y) * 9, "That is far too large"),
        (check.fit_temperature, lambda z, y: round(2 * scaling_by_scipy(z, y)) / 2, "near, but not within 2 %"),
        (check.blend_gradient, lambda z, v, y, T, w: T * z.softmax(1), "both parts are differences of two"),
        (check.blend_gradient, lambda z, v, y, T, w: 9 * (z.softmax(1) - v.softmax(1)), "No entry can be larger than"),
        (check.student_width, lambda *case: width_by_trying_all(*case) - 5, "at least one hidden unit"),
        (check.student_width, lambda *case: width_by_trying_all(*case) + 2, "One unit more or less comes nearer"),
        (check.break_even, lambda one, t, s: 7 - one, "A number of requests is positive"),
        (check.break_even, lambda one, t, s: 1000 * one / max(t - s, 0.001), "The student is not cheaper here"),
        (check.break_even, lambda one, t, s: one, "So few requests cost less than the one-time cost"),
        (check.smallest_student, lambda r, lo, hi, g: r.mean(), "one of the ratios, or 1.0 for the teacher"),
        (check.smallest_student, lambda r, lo, hi, g: r[2], "is not shown to be small enough"),
        (check.smallest_student, lambda r, lo, hi, g: 1.0, "A smaller student passes as well"),
        (check.paired_interval, lambda t, s: (0.5, 0.4, 0.6), "The first number is not the gap"),
        (
            check.paired_interval,
            lambda t, s: (interval_by_counts(t, s)[0], 0.9, 1.0),
            "does not lie between the two ends",
        ),
        (check.paired_interval, lambda t, s: (interval_by_counts(t, s)[0], -1.0, 0.9), "as far from low as from high"),
        (
            check.paired_interval,
            lambda t, s: [interval_by_counts(t, s)[0] + end for end in (0, -0.3, 0.3)],
            "The gap is right, and the width is not",
        ),
        (check.examples_needed, lambda *case: 7 - needed_by_counting(*case), "A number of examples is positive"),
        (check.examples_needed, lambda *case: needed_by_counting(*case) + 0.5, "no part of an example: round up"),
        (
            check.examples_needed,
            lambda *case: 5000 if case[1] == case[2] else needed_by_counting(*case),
            "is expected to be max_gap here",
        ),
        (check.examples_needed, lambda *case: needed_by_counting(*case) // 3, "less than half of the time"),
        (check.read_audit, lambda *case: ["fail"] * len(case[0]), "Only these words are verdicts"),
        (check.read_audit, lambda *case: ["too few"] * len(case[0]), "“too few” is due where n < min_samples"),
        (
            check.read_audit,
            lambda *case: ["too few" if n < 100 else "flag" for n in case[0]],
            "A slice is flagged whose gap is not shown",
        ),
        (
            check.read_audit,
            lambda *case: [word.replace("flag", "pass") for word in read_by_loop(*case)],
            "A slice passes whose gap is not shown",
        ),
        (
            check.read_audit,
            lambda *case: [word.replace("flag", "watch") for word in read_by_loop(*case)],
            "A slice is watched although",
        ),
    ],
)
def test_what_is_wrong_is_said_without_a_known_bug_too(exercise, answer, message):
    result = exercise(answer)
    assert (result.status, result.bug) == ("not yet", None)
    assert message in on_one_line(result.message)
    assert " expected " in on_one_line(result.message)


def test_every_rule_has_a_wrong_answer_of_its_own():
    rules = {rule.message for exercise in EXERCISES for rule in exercise.rules}
    parameters = test_what_is_wrong_is_said_without_a_known_bug_too.pytestmark[0].args[1]
    assert [rule for rule in rules if not any(message in rule for _, _, message in parameters)] == []


@each_exercise
def test_right_answers_break_no_rule(exercise):
    generator = torch.Generator().manual_seed(0)
    for case in [*exercise.small, *(exercise.inputs(generator) for _ in range(50))]:
        numbers = call(exercise.reference, case, exercise.words).numbers
        assert all(rule.holds(numbers, *case) for rule in exercise.rules)


def test_difference_that_rounding_would_hide_is_shown():
    result = check.retained_accuracy(lambda s, t: s / t + 0.0003)
    assert "expected 0.8947" in on_one_line(result.message)
    assert "got 0.895" in on_one_line(result.message)
    small = core.text.expected_and_got(torch.tensor(0.00001), torch.tensor(0.00002))
    assert on_one_line(small) == "expected 1e-05 got 2e-05"


def test_answer_that_changes_its_input_is_told_so():
    result = check.soften(lambda logits, temperature: logits.div_(temperature).softmax(1))
    assert "changed its arguments in place" in result.message


# ---- gradients ----


@pytest.mark.parametrize("answer", [kd_in_log_space, losses.kd_loss, kd])
def test_loss_that_trains_the_student_alone_passes_without_a_caution(answer):
    assert "caution" not in check.kd_loss(answer).message


@pytest.mark.parametrize(
    "answer",
    [
        lambda s, t, T: kd(s, t, T).item(),
        lambda s, t, T: kd(s.detach(), t, T),
        lambda s, t, T: torch.no_grad()(kd)(s, t, T),
        lambda s, t, T: torch.tensor(kd_in_numpy(s.numpy(), t, T)),
        kd_in_numpy,
    ],
)
def test_right_value_without_a_gradient_passes_with_a_caution(answer):
    result = check.kd_loss(answer)
    assert result.passed
    assert "no gradient reaches student_logits, so nothing would train" in on_one_line(result.message)


def test_gradient_into_the_teacher_passes_with_a_caution():
    result = check.kd_loss(kd_by_kl_div)
    assert result.passed
    assert "a gradient flows into teacher_logits as well" in on_one_line(result.message)
    assert "no gradient reaches" not in result.message


def test_right_value_with_the_gradient_of_one_term_only_passes_with_a_caution():
    def hard_term_as_a_number(s, t, y, T, w):
        return w * kd(s, t, T) + (1 - w) * F.cross_entropy(s, y).item()

    result = check.blended_loss(hard_term_as_a_number)
    assert result.passed
    assert "its gradient to student_logits is not" in on_one_line(result.message)


# ---- what is printed, and what is recorded ----


@each_exercise
def test_no_line_is_wider_than_a_hundred_columns(exercise, capsys):
    for answer in [*RIGHT[exercise.name], *(bug.function for bug in exercise.bugs), lambda *a: "x" * 500, None]:
        exercise(answer)
    for _ in exercise.hints:
        exercise.hint()
    exercise(lambda *a: 1 / 0)
    exercise()
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 100] == []


@each_exercise
def test_hints_come_one_at_a_time_and_start_again(exercise, capsys):
    exercise._hints_given = 0
    for _ in range(len(exercise.hints) + 1):
        exercise.hint()
    printed = capsys.readouterr().out
    count = len(exercise.hints)
    assert count >= 3
    assert printed.count(f"Hint 1 of {count}: ") == 2
    assert all(printed.count(f"Hint {number} of {count}: ") == 1 for number in range(2, count + 1))
    assert all(hint in on_one_line(printed) for hint in map(on_one_line, exercise.hints))


def test_result_says_what_was_printed_and_repeats_nothing(capsys):
    result = check.soften(lambda z, t: z.softmax(1))
    assert capsys.readouterr().out == f"{result}\n"
    assert repr(result) == "Result(passed=False, status='not yet', bug='temperature ignored')"
    assert result._ipython_display_() is None


def test_success_and_only_success_is_recorded(monkeypatch):
    recorded = []
    stand_in = types.ModuleType("kdcourse.progress")
    stand_in.passed_exercise = lambda *arguments: recorded.append(arguments)
    monkeypatch.setitem(sys.modules, "kdcourse.progress", stand_in)
    monkeypatch.setattr("kdcourse.progress", stand_in, raising=False)
    check.soften(lambda z, t: z.softmax(1))
    assert recorded == []
    check.soften(soften_in_log_space)
    check.kd_loss(kd_by_kl_div)  # a caution does not count against it
    assert recorded == [("soften", "01_soft_labels"), ("kd_loss", "03_blended_loss")]


def test_failure_to_record_does_not_cost_the_verdict(monkeypatch):
    monkeypatch.setitem(sys.modules, "kdcourse.progress", None)  # importing it raises
    monkeypatch.delattr("kdcourse.progress", raising=False)
    assert check.soften(soften_in_log_space).passed


@each_exercise
def test_exercise_belongs_to_a_lesson_and_names_its_parameters(exercise):
    assert (core.lessons.folder() / "source" / f"{exercise.lesson}.py").exists()
    assert len(exercise.parameters) == len(exercise.small[0])
    assert all(len(name) > 2 for name in exercise.parameters if name != "n")  # no z, v, T; n is a column of an audit
    assert f"check.{exercise.name}.hint()" in repr(exercise)


def test_wrong_answers_are_listed_and_tabulated():
    rows = check.wrong_answers()
    assert rows[0] == ("retained_accuracy", "upside down", check.retained_accuracy.bugs[0].message)
    assert len(rows) == len(set(rows)) == len(BUGS)
    lines = check.answers_table().splitlines()
    assert [line for line in lines if line.startswith("### ")][0] == "### `retained_accuracy` (lesson 00)"
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == len(rows) + len(EXERCISES)
    assert {line.count("|") for line in table} == {3}


def test_unknown_solution_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="no lesson has a solution for 'nothing'"):
        solution_of("nothing")


def test_solution_without_the_lessons_says_where_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(core.lessons, "folder", lambda: tmp_path)
    check.soften.solution()
    assert "stands in lesson 01_soft_labels" in capsys.readouterr().out
