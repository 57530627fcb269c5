"""Checks accept right answers however they are written, and reject every known bug with its own message."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_check_lesson_05 import RIGHT_05
from test_check_lessons import RIGHT_LATER

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
    **RIGHT_LATER,
    **RIGHT_05,
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
