"""Checks accept right answers however they are written, and reject every known bug with its own message."""

import math

import numpy as np
import pytest
import torch

from kdcourse import check
from kdcourse.check.core import Exercise, solution_of

EXERCISES = [value for value in vars(check).values() if isinstance(value, Exercise)]
BUGS = [pytest.param(e, bug, id=f"{e.name}: {bug.name}") for e in EXERCISES for bug in e.bugs]


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


RIGHT = {
    "retained_accuracy": [
        lambda student_accuracy, teacher_accuracy: student_accuracy / teacher_accuracy,
        lambda *both: both[0] * both[1] ** -1,
        lambda s, t: torch.tensor(s) / t,
    ],
    "soften": [soften_by_hand, soften_in_log_space, soften_in_numpy, lambda z, t: torch.softmax(z / t, dim=-1)],
    "entropy_bits": [bits_by_hand, bits_by_torch, bits_with_clamp],
    "hard_targets": [
        targets_by_hand,
        lambda z: z.max(1).indices,
        lambda z: z.softmax(1).topk(1).indices[:, 0],
        lambda z: np.argmax(z.numpy(), axis=1),
    ],
}


def test_every_exercise_is_tested():
    assert {exercise.name for exercise in EXERCISES} == set(RIGHT)


@pytest.mark.parametrize(("exercise", "bug"), BUGS)
def test_known_bug_is_rejected_with_its_own_message(exercise, bug, capsys):
    result = exercise(bug.function)
    assert (result.passed, result.status, result.bug) == (False, "not yet", bug.name)
    printed = capsys.readouterr().out
    assert bug.message in printed
    assert "expected" in printed
    assert "got" in printed


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_exercise_knows_five_bugs_each_with_its_own_message(exercise):
    assert len({bug.name for bug in exercise.bugs}) == len(exercise.bugs) >= 5
    assert len({bug.message for bug in exercise.bugs}) == len(exercise.bugs)


@pytest.mark.parametrize(("exercise", "bug"), BUGS)
def test_bug_can_be_read_off_a_small_input(exercise, bug, capsys):
    exercise(bug.function)
    assert "a tensor of shape" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(e, answer, id=f"{e.name}-{k}") for e in EXERCISES for k, answer in enumerate(RIGHT[e.name])],
)
def test_right_answer_is_accepted_however_it_is_written(exercise, answer):
    assert exercise(answer).status == "correct"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_solution_in_the_lesson_is_accepted(exercise, capsys):
    names = {"torch": torch, "math": math}
    exec(solution_of(exercise.name), names)
    assert exercise(names[exercise.name]).passed
    capsys.readouterr()
    exercise.solution()
    assert f"def {exercise.name}(" in capsys.readouterr().out


def stub(*arguments): ...


def stub_with_docstring(*arguments):
    """Return what the lesson asks for."""
    # your code here


def stub_of_the_lessons(*arguments):
    return ...  # your code here


def raise_not_implemented(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("answer", [stub, stub_with_docstring, stub_of_the_lessons, raise_not_implemented])
def test_stub_counts_as_not_attempted(exercise, answer, capsys):
    result = exercise(answer)
    assert (result.passed, result.status) == (False, "not attempted")
    assert capsys.readouterr().out == f"{exercise.name}: not attempted yet.\n"


def forgets_to_return(*arguments):
    total = len(arguments)
    total += 1


def changes_its_input(logits, temperature):
    return logits.div_(temperature).softmax(1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "should be a function; this is a NoneType"),
        (torch.ones(2, 3), "should be a function; this is a Tensor"),
        (lambda: 1, "TypeError"),
        (lambda z, t: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda z, t: "probabilities", "The values differ"),
        (lambda z, t: z * torch.nan, "The values differ"),
        (lambda z, t: (z / t).softmax(1)[:, :1], "The values differ"),
        (forgets_to_return, "returned None. Is there a `return`?"),
        (changes_its_input, "changed its arguments in place"),
    ],
)
def test_anything_else_is_answered_and_never_raises(answer, message):
    result = check.soften(answer)
    assert (result.status, result.bug) == ("not yet", None)
    assert message in result.message


def test_hints_come_one_at_a_time_and_start_again(capsys):
    exercise = check.retained_accuracy
    exercise._hints_given = 0
    for _ in range(len(exercise.hints) + 1):
        exercise.hint()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Hint 1 of 3")
    assert lines[-1] == lines[0]
    assert len(set(lines)) == 3


def test_check_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    check.soften(soften_in_log_space)
    assert torch.equal(torch.rand(3), expected)


def test_unknown_solution_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="no lesson has a solution for 'nothing'"):
        solution_of("nothing")
