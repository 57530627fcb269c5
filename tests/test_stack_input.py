"""What stacked training refuses: before the first step, naming the argument and the value that came."""

import copy
import math

import numpy as np
import pytest
import torch

from kdcourse.models import StudentStack, mlp
from kdcourse.stack import distill_stack

N, D, C = 40, 6, 4
INPUTS = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(N) % C
LOGITS = torch.randn(N, C, generator=torch.Generator().manual_seed(1))


def with_one(tensor, value):
    changed = tensor.clone()
    changed[7, 2] = value
    return changed


def squares(student_logits, teacher_logits, labels):
    return (student_logits - teacher_logits).square().mean(1)


def shrinking(done):
    return 0.5 - done


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"stack": mlp((D, 8, C))}, TypeError, "stack must be a StudentStack, got Sequential"),
        ({"inputs": INPUTS.long()}, TypeError, r"inputs must be .* got torch\.int64"),
        ({"inputs": INPUTS.numpy()}, TypeError, "inputs must be .* got ndarray"),
        ({"inputs": INPUTS.double()}, ValueError, r"inputs must fit the model, got torch\.float64"),
        ({"inputs": INPUTS[:, :3]}, ValueError, r"inputs must fit the model, got .* \[40, 3\]"),
        ({"inputs": with_one(INPUTS, math.inf)}, ValueError, "inputs must be finite, got inf in row 7"),
        ({"inputs": INPUTS[:0], "labels": LABELS[:0], "teacher_logits": LOGITS[:0]}, ValueError, "inputs must hold"),
        ({"teacher_logits": LOGITS[:-1]}, ValueError, "teacher_logits must have one row per input, got 39 for 40"),
        ({"teacher_logits": LOGITS[:, :3]}, ValueError, "teacher_logits must have as many classes .* got 3 and 4"),
        ({"teacher_logits": LOGITS[:, :, None]}, ValueError, r"teacher_logits must be \[N, C\], got .* \[40, 4, 1\]"),
        ({"teacher_logits": LOGITS.long()}, TypeError, r"teacher_logits must be .* got torch\.int64"),
        (
            {"teacher_logits": with_one(LOGITS, math.nan)},
            ValueError,
            r"teacher_logits must be finite, got nan at index \[7, 2\]",
        ),
        ({"teacher_logits": with_one(LOGITS, math.inf)}, ValueError, r"teacher_logits .* got inf at index \[7, 2\]"),
        ({"teacher_logits": LOGITS * 0 - math.inf}, ValueError, r"teacher_logits .* got -inf at index \[0, 0\]"),
        ({"labels": LABELS[1:]}, ValueError, "labels must have one row per input, got 39 for 40"),
        ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
        ({"labels": LABELS.float()}, TypeError, r"labels must be an integer tensor .* got torch\.float32"),
        ({"temperature": [1.0, 2.0]}, ValueError, "temperature must be a number or one per student, got 2 for 3"),
        ({"weight_decay": np.zeros(1)}, ValueError, "weight_decay must be a number or one per student, got 1 for 3"),
        ({"lr": torch.ones(3, 1)}, TypeError, "lr must be a number, got list"),
        ({"temperature": [1.0, 0.0, 2.0]}, ValueError, r"temperature must be > 0, got 0\.0"),
        ({"temperature": [1, 1, math.nan]}, ValueError, "temperature must be > 0, got nan"),
        ({"temperature": [1, 1, math.inf]}, ValueError, "temperature must be from 1e-6 to 1e6, got inf"),
        ({"temperature": "2"}, TypeError, "temperature must be a number, got '2'"),
        ({"soft_weight": [0, 1, 1.5]}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5"),
        ({"lr": [0.1, 0, 0.1]}, ValueError, r"lr must be > 0, got 0\.0"),
        ({"lr": [0.1, "a", 0.1]}, TypeError, "lr must be a number, got 'a'"),
        ({"weight_decay": [0, -1, 0]}, ValueError, r"weight_decay must be >= 0 and finite, got -1\.0"),
        ({"direction": "sideways"}, ValueError, "direction must be one of 'forward', 'reverse', got 'sideways'"),
        ({"loss": "squares"}, TypeError, "loss must be a function .*, got 'squares'"),
        ({"loss": squares, "temperature": [1, 2, 1]}, ValueError, r"loss replaces .* got loss and temperature=2\.0"),
        ({"loss": squares, "soft_weight": 0.5}, ValueError, r"loss replaces .* got loss and soft_weight=0\.5"),
        ({"loss": squares, "direction": "reverse"}, ValueError, "loss replaces .* got loss and direction='reverse'"),
        ({"loss": squares, "teacher_logits": with_one(LOGITS, math.nan)}, ValueError, "teacher_logits must be finite"),
        (
            {"loss": lambda s, t, y: squares(s, t, y).mean()},
            ValueError,
            r"loss must return .* \[3, 2\].* got shape \[\]",
        ),
        ({"loss": lambda s, t, y: (s - t).square()}, ValueError, r"loss must return .* got shape \[3, 4, 2\]"),
        ({"loss": lambda s, t, y: (s - t).square().mean(2)}, ValueError, r"loss must return .* got shape \[3, 4\]"),
        ({"loss": lambda s, t, y: 1.0}, TypeError, r"loss must return .* got 1\.0"),
        ({"loss": lambda s, t, y: squares(s.detach(), t, y)}, ValueError, "loss must return .* without a gradient"),
        ({"loss": lambda s, t, y: squares(s, t, y) / 0}, ValueError, "loss must be finite, got inf before the first"),
        ({"loss": lambda s, t: s.sum(1)}, TypeError, "takes 2 positional arguments but 3 were given"),
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1, got 0"),
        ({"order_seed": -1}, ValueError, "order_seed must be an integer >= 0, got -1"),
        ({"schedule": 0.5}, TypeError, r"schedule must be a function or None, got 0\.5"),
        ({"schedule": shrinking, "batch_size": 10}, ValueError, r"schedule must return .* got -0\.25 at step 3"),
        ({"schedule": lambda done: "half"}, TypeError, "what schedule returns must be a number, got 'half'"),
    ],
)
def test_it_names_what_it_refuses_before_the_first_step(arguments, error, message):
    stack = StudentStack((D, 8, C), [0, 1, 2])
    before = copy.deepcopy(stack.state_dict())
    given = {"stack": stack, "inputs": INPUTS, "teacher_logits": LOGITS, "labels": LABELS, "epochs": 1, **arguments}
    with pytest.raises(error, match=message):
        distill_stack(
            given.pop("stack"), given.pop("inputs"), given.pop("teacher_logits"), given.pop("labels"), **given
        )
    assert all(torch.equal(value, before[name]) for name, value in stack.state_dict().items())


def test_the_given_tensors_stay_as_they_were():
    given = [INPUTS.clone(), LOGITS.clone(), LABELS.clone()]
    distill_stack(StudentStack((D, 8, C), [0, 1]), *given, epochs=1, temperature=[1, 60])
    assert all(torch.equal(a, b) for a, b in zip(given, [INPUTS, LOGITS, LABELS], strict=True))


def test_numbers_may_come_from_a_table():
    settings = {"epochs": np.int64(2), "batch_size": np.int64(16), "order_seed": np.int64(1)}
    one, other = StudentStack((D, 8, C), [0]), StudentStack(np.array([D, 8, C]), np.array([0]))
    distill_stack(one, INPUTS, LOGITS, LABELS, **{name: int(value) for name, value in settings.items()})
    distill_stack(other, INPUTS, LOGITS, LABELS, **settings)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int16])
def test_labels_may_be_any_integers(dtype):
    one, other = StudentStack((D, 8, C), [0]), StudentStack((D, 8, C), [0])
    distill_stack(one, INPUTS, LOGITS, LABELS, epochs=1, soft_weight=0)
    distill_stack(other, INPUTS, LOGITS, LABELS.to(dtype), epochs=1, soft_weight=0)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
