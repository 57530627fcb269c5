"""What stacked training refuses: before the first step, naming the argument and the value that came."""

import copy
import math

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, C, D, refusals, same

from kdcourse.models import StudentStack, mlp
from kdcourse.stack import distill_stack, logits_of_stack


def with_one(tensor, value):
    changed = tensor.clone()
    changed[7, 2] = value
    return changed


def squares(student_logits, teacher_logits, labels):
    return (student_logits - teacher_logits).square().mean(1)


@refusals(
    "arguments",
    ({"stack": mlp((D, 8, C))}, TypeError, "stack must be a StudentStack, got Sequential"),
    ({"inputs": INPUTS.numpy()}, TypeError, "inputs must be .* got ndarray"),
    ({"inputs": INPUTS[:, :3]}, ValueError, r"inputs must fit the model, got .* \[50, 3\]"),
    ({"inputs": with_one(INPUTS, math.inf)}, ValueError, "inputs must be finite, got inf in row 7"),
    ({"inputs": INPUTS[:0], "labels": LABELS[:0], "teacher_logits": LOGITS[:0]}, ValueError, "inputs must hold"),
    ({"teacher_logits": LOGITS[:-1]}, ValueError, "teacher_logits must have one row per input, got 49 for 50"),
    ({"teacher_logits": LOGITS[:, :3]}, ValueError, "teacher_logits must have as many classes .* got 3 and 4"),
    ({"teacher_logits": with_one(LOGITS, math.nan)}, ValueError, r"teacher_logits .* got nan at index \[7, 2\]"),
    ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
    ({"labels": LABELS.float()}, TypeError, r"labels must be an integer tensor .* got torch\.float32"),
    ({"temperature": [1.0, 2.0]}, ValueError, "temperature must be a number or one per student, got 2 for 3"),
    ({"lr": torch.ones(3, 1)}, TypeError, "lr must be a number, got list"),
    ({"temperature": [1.0, 0.0, 2.0]}, ValueError, r"temperature must be > 0, got 0\.0"),
    ({"temperature": [1, 1, math.inf]}, ValueError, "temperature must be from 1e-6 to 1e6, got inf"),
    ({"soft_weight": [0, 1, 1.5]}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5"),
    ({"lr": [0.1, 0, 0.1]}, ValueError, r"lr must be > 0, got 0\.0"),
    ({"weight_decay": [0, -1, 0]}, ValueError, r"weight_decay must be >= 0 and finite, got -1\.0"),
    ({"direction": "sideways"}, ValueError, "direction must be one of 'forward', 'reverse', got 'sideways'"),
    ({"loss": squares, "temperature": [1, 2, 1]}, ValueError, r"loss replaces .* got loss and temperature=2\.0"),
    ({"loss": lambda s, t, y: (s - t).square().mean(2)}, ValueError, r"loss must return .* got shape \[3, 4\]"),
    ({"loss": lambda s, t, y: squares(s, t, y) / 0}, ValueError, "loss must be finite, got inf before the first"),
    ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
    ({"order_seed": -1}, ValueError, "order_seed must be an integer >= 0, got -1"),
    ({"schedule": 0.5}, TypeError, r"schedule must be a function or None, got 0\.5"),
    (
        {"schedule": lambda done: 0.5 - done, "batch_size": 13},
        ValueError,
        r"schedule must return .* got -0\.25 at step 3",
    ),
    ({"schedule": lambda done: "half"}, TypeError, "what schedule returns must be a number, got 'half'"),
)
def test_it_names_what_it_refuses_before_the_first_step(arguments, error, message):
    stack = StudentStack((D, 8, C), [0, 1, 2])
    before = copy.deepcopy(stack)
    given = {"stack": stack, "inputs": INPUTS, "teacher_logits": LOGITS, "labels": LABELS, "epochs": 1, **arguments}
    with pytest.raises(error, match=message):
        distill_stack(**given)
    assert same(stack, before)


@refusals(
    "inputs",
    (
        INPUTS,
        TypeError,
        r"inputs must be an int32 or int64 tensor \[N, L\] of ids, got torch\.float32 of shape \[50, 6\]",
    ),
    (LABELS, TypeError, r"inputs must be an int32 or int64 tensor \[N, L\] of ids, got torch\.int64 of shape \[50\]"),
    (with_one(INPUTS.relu().long(), 9), ValueError, r"inputs must be in \[0, 9\), got 9 at index \[7, 2\]"),
    (with_one(INPUTS.relu().long(), -1), ValueError, r"inputs must be in \[0, 9\), got -1 at index \[7, 2\]"),
)
def test_a_stack_of_ids_takes_ids_and_no_id_of_the_next_student(inputs, error, message):
    stack = StudentStack((9, 8, C), [0, 1], ids=True)
    for call in (
        lambda: distill_stack(stack, inputs, LOGITS, LABELS, epochs=1),
        lambda: logits_of_stack(stack, inputs),
    ):
        with pytest.raises(error, match=message):
            call()


def test_the_given_tensors_stay_as_they_were():
    given = [INPUTS.clone(), LOGITS.clone(), LABELS.clone()]
    distill_stack(StudentStack((D, 8, C), [0, 1]), *given, epochs=1, temperature=[1, 60])
    assert all(torch.equal(a, b) for a, b in zip(given, [INPUTS, LOGITS, LABELS], strict=True))


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_labels_may_be_any_integers(dtype):
    one, other = StudentStack((D, 8, C), [0]), StudentStack((D, 8, C), [0])
    distill_stack(one, INPUTS, LOGITS, LABELS, epochs=1, soft_weight=0)
    distill_stack(other, INPUTS, LOGITS, LABELS.to(dtype), epochs=1, soft_weight=0)
    assert same(one, other)
