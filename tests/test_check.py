"""Checks accept right answers however they are written, and reject every known bug with its own message."""

import math
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdcourse import check, losses
from kdcourse.check import core
from kdcourse.check.core import Exercise, solution_of

EXERCISES = check.EXERCISES
BUGS = [pytest.param(e, bug, id=f"{e.name}: {bug.name}") for e in EXERCISES for bug in e.bugs]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


def on_one_line(text):
    return " ".join(text.split())


# ---- right answers, each written in its own way ----


def soften_by_hand(logits, temperature):
    rows = []
    for row in logits.tolist():
        top = max(row)
        powers = [math.exp((value - top) / temperature) for value in row]
        rows.append([power / sum(powers) for power in powers])
    return torch.tensor(rows)


def soften_in_log_space(logits, temperature):
    scaled = logits / temperature
    return (scaled - scaled.logsumexp(1, keepdim=True)).exp()


def soften_in_numpy(logits, temperature):
    scaled = np.asarray(logits) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def bits_by_hand(probabilities):
    return torch.tensor([sum(-p * math.log2(p) for p in row if p > 0) for row in probabilities.tolist()])


def bits_by_torch(probabilities):
    return torch.distributions.Categorical(probs=probabilities).entropy() / math.log(2)


def bits_with_clamp(probabilities):
    return -(probabilities * probabilities.clamp_min(1e-30).log2()).sum(1)


def targets_by_hand(logits):
    return [row.index(max(row)) for row in logits.tolist()]


def kd_in_log_space(student_logits, teacher_logits, temperature):
    log_q = (student_logits / temperature).log_softmax(1)
    log_p = (teacher_logits.detach() / temperature).log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1).mean()


def kd_by_kl_div(s, t, T):
    return F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction="batchmean") * T**2


def kd_by_kl_div_in_log_space(s, t, T):
    log_q, log_p = F.log_softmax(s / T, dim=-1), F.log_softmax(t / T, dim=-1)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * T * T


def kd_by_kl_div_summed(s, t, T):
    return F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="sum") / len(s) * T**2


def kd_by_loops(student_logits, teacher_logits, temperature):
    total = torch.zeros(())
    examples, classes = student_logits.shape
    for i in range(examples):
        log_q = student_logits[i] / temperature - torch.logsumexp(student_logits[i] / temperature, 0)
        log_p = teacher_logits[i] / temperature - torch.logsumexp(teacher_logits[i] / temperature, 0)
        for c in range(classes):
            total = total + log_p[c].exp() * (log_p[c] - log_q[c])
    return temperature**2 * total / examples


def kd_in_numpy(student_logits, teacher_logits, temperature):
    def log_softmax(logits):
        scaled = np.asarray(logits, dtype=np.float64) / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))

    log_q, log_p = log_softmax(student_logits), log_softmax(teacher_logits)
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()


def kd_by_distributions(s, t, T):
    p, q = (torch.distributions.Categorical(logits=z / T) for z in (t, s))
    return torch.distributions.kl_divergence(p, q).mean() * T**2


def kd_as_cross_entropy_less_entropy(s, t, T):
    p = (t / T).softmax(1)
    return T**2 * (F.cross_entropy(s / T, p) + torch.special.xlogy(p, p).sum(1).mean())


def blend_of_two_calls(s, t, y, T, w):
    return w * kd_by_kl_div(s, t.detach(), T) + (1 - w) * F.cross_entropy(s, y)


def blend_by_nll(student_logits, teacher_logits, labels, temperature, soft_weight):
    hard = F.nll_loss(student_logits.log_softmax(1), labels)
    return hard + soft_weight * (kd_in_log_space(student_logits, teacher_logits, temperature) - hard)


def blend_one_hot(s, t, y, T, alpha=0.5):
    hard = -(F.one_hot(y, s.shape[1]) * s.log_softmax(1)).sum(1)
    log_p, log_q = (t / T).log_softmax(1), (s / T).log_softmax(1)
    return (alpha * T**2 * (log_p.exp() * (log_p - log_q)).sum(1) + (1 - alpha) * hard).mean()


def blend_in_numpy(s, t, y, T, w):
    logits = s.double().numpy()
    log_q = logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
    log_q -= logits.max(1, keepdims=True)
    return w * kd_in_numpy(s, t, T) - (1 - w) * log_q[np.arange(len(y)), y.numpy()].mean()


def blend_by_the_package(*arguments):
    return losses.blended_loss(*arguments).total


RIGHT = {
    "retained_accuracy": [
        lambda student_accuracy, teacher_accuracy: student_accuracy / teacher_accuracy,
        lambda *both: both[0] * both[1] ** -1,
        lambda s, t: torch.tensor(s) / t,
        lambda s, t: np.float64(s) / t,
    ],
    "soften": [
        soften_by_hand,
        soften_in_log_space,
        soften_in_numpy,
        lambda z, t: torch.softmax(z / t, dim=-1),
        lambda z, t: torch.nn.Softmax(dim=1)(z.double() / t),
        losses.soften,
    ],
    "entropy_bits": [bits_by_hand, bits_by_torch, bits_with_clamp],
    "hard_targets": [
        targets_by_hand,
        lambda z: z.max(1).indices,
        lambda z: z.softmax(1).topk(1).indices[:, 0],
        lambda z: np.argmax(z.numpy(), axis=1),
    ],
    "kd_loss": [
        kd_in_log_space,
        kd_by_kl_div,
        kd_by_kl_div_in_log_space,
        kd_by_kl_div_summed,
        kd_by_loops,
        kd_in_numpy,
        kd_by_distributions,
        kd_as_cross_entropy_less_entropy,
        losses.kd_loss,
    ],
    "blended_loss": [blend_of_two_calls, blend_by_nll, blend_one_hot, blend_in_numpy, blend_by_the_package],
}


def test_every_exercise_is_tested():
    assert {exercise.name for exercise in EXERCISES} == set(RIGHT)
    assert {value for value in vars(check).values() if isinstance(value, Exercise)} == set(EXERCISES)
    assert all(len(answers) >= 3 for answers in RIGHT.values())


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(e, answer, id=f"{e.name}-{k}") for e in EXERCISES for k, answer in enumerate(RIGHT[e.name])],
)
def test_right_answer_is_accepted_however_it_is_written(exercise, answer):
    for _ in range(5):  # fresh shapes and numbers each time
        result = exercise(answer)
        assert result.status == "correct", result
    assert on_one_line(result.message).startswith(f"{exercise.name} is correct. {exercise.praise}")


@each_exercise
def test_solution_in_the_lesson_is_accepted_without_a_caution(exercise, capsys):
    names = {"torch": torch, "math": math, "F": F}
    for earlier in EXERCISES[: EXERCISES.index(exercise)]:
        if earlier.lesson == exercise.lesson:  # a solution may call the one before it
            exec(solution_of(earlier.name), names)
    exec(solution_of(exercise.name), names)
    result = exercise(names[exercise.name])
    assert result.passed
    assert "caution" not in result.message
    capsys.readouterr()
    exercise.solution()
    assert f"def {exercise.name}(" in capsys.readouterr().out


# ---- known bugs ----


@each_exercise
def test_exercise_knows_five_bugs_each_with_its_own_message(exercise):
    assert len({bug.name for bug in exercise.bugs}) == len(exercise.bugs) >= 5
    assert len({bug.message for bug in exercise.bugs}) == len(exercise.bugs)


@pytest.mark.parametrize(("exercise", "bug"), BUGS)
def test_known_bug_is_rejected_with_its_own_message_on_a_small_input(exercise, bug, capsys):
    small = [on_one_line(core.text.called_with(exercise.parameters, case)) for case in exercise.small]
    for function in (bug.function, *bug.variants):
        result = exercise(function)
        assert (result.passed, result.status, result.bug) == (False, "not yet", bug.name)
        printed = capsys.readouterr().out
        assert on_one_line(printed).startswith(f"Not yet. {bug.message} called with ")
        shown, got = on_one_line(printed).removeprefix(f"Not yet. {bug.message} ").split(" expected ")
        assert shown in small
        assert "a tensor of shape" not in printed
        expected, got = got.split(" got ")
        assert expected != got


@pytest.mark.parametrize(("exercise", "bug"), BUGS)
def test_known_bug_is_recognised_on_every_draw_of_random_inputs(exercise, bug):
    assert {exercise(bug.function).bug for _ in range(5)} == {bug.name}


def mistaken_reduction(s, t, T):
    return F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="mean") * T**2


def mistaken_defaults(s, t, T):
    return F.kl_div((s / T).log_softmax(1), (t / T).softmax(1))


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(
    ("exercise", "answer", "bug"),
    [
        (check.kd_loss, mistaken_reduction, "divided by the classes"),
        (check.kd_loss, mistaken_defaults, "no T², and divided by the classes"),
        (check.kd_loss, lambda s, t, T: losses.kd_loss(s, t, T) / T**2, "no T²"),
        (check.kd_loss, lambda s, t, T: losses.kd_loss(s, t, T, reduction="none"), "not reduced"),
        (check.kd_loss, lambda s, t, T: losses.kd_loss(s, t, T, direction="reverse"), "arguments swapped"),
        (
            check.kd_loss,
            lambda s, t, T: F.kl_div((t / T).log_softmax(1), (s / T).softmax(1), reduction="batchmean") * T**2,
            "arguments swapped",
        ),
        (
            check.kd_loss,
            lambda s, t, T: F.kl_div((s / T).log_softmax(1), (t / T).log_softmax(1), reduction="batchmean") * T**2,
            "teacher in logarithms",
        ),
        (
            check.kd_loss,
            lambda s, t, T: F.kl_div((s / T).softmax(1), (t / T).softmax(1), reduction="batchmean") * T**2,
            "student without a logarithm",
        ),
        (check.kd_loss, lambda s, t, T: F.kl_div(s, t, reduction="batchmean"), "raw logits in place of probabilities"),
        (check.kd_loss, F.mse_loss, None),  # its third parameter is no temperature
        (check.kd_loss, lambda s, t, T: F.mse_loss(s, t), "squared difference of logits"),
        (check.kd_loss, lambda s, t, T: T**2 * F.cross_entropy(s / T, (t / T).softmax(1)), "cross-entropy"),
        (check.blended_loss, lambda *a: losses.blended_loss(*a[:4], 1 - a[4]).total, "weights exchanged"),
        (check.blended_loss, lambda s, t, y, T, w: F.cross_entropy(s, y), "no soft term"),
        (check.blended_loss, lambda *a: losses.blended_loss(*a, reduction="none").total, "not reduced"),
        (
            check.blended_loss,
            lambda s, t, y, T, w: w * losses.kd_loss(s, t, T) + (1 - w) * F.cross_entropy(s.softmax(1), y),
            "cross-entropy of probabilities",
        ),
        (
            check.blended_loss,
            lambda s, t, y, T, w: w * losses.kd_loss(s, t, T) + (1 - w) * F.nll_loss(s, y),
            "nll_loss of logits",
        ),
    ],
)
def test_bugs_are_recognised_in_the_words_people_write_them_in(exercise, answer, bug):
    result = exercise(answer)
    assert (result.status, result.bug) == ("not yet", bug)


def test_bug_is_named_before_the_nan_that_comes_with_it():
    def swapped_and_underflowing(s, t, T):
        p, q = (t / T).softmax(1), (s / T).softmax(1)
        return T**2 * (q * (q.log() - p.log())).sum(1).mean()

    assert check.kd_loss(swapped_and_underflowing).bug == "arguments swapped"


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
        numbers = torch.as_tensor(exercise.reference(*case), dtype=torch.float64)
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
    assert recorded == [("soften", "01_soft_labels"), ("kd_loss", "01_soft_labels")]


def test_failure_to_record_does_not_cost_the_verdict(monkeypatch):
    monkeypatch.setitem(sys.modules, "kdcourse.progress", None)  # importing it raises
    monkeypatch.delattr("kdcourse.progress", raising=False)
    assert check.soften(soften_in_log_space).passed


@each_exercise
def test_exercise_belongs_to_a_lesson_and_names_its_parameters(exercise):
    assert (core.lessons.folder() / "source" / f"{exercise.lesson}.py").exists()
    assert len(exercise.parameters) == len(exercise.small[0])
    assert all(len(name) > 5 for name in exercise.parameters)
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
