"""What training refuses: before the first step, naming the argument and the value that came."""

import copy
import math

import pytest
import torch
from torch import nn

from kdcourse.data import Split
from kdcourse.models import mlp
from kdcourse.train import distill, resolve_device, teacher_logits, train

QUIET = {"device": "cpu", "progress": False}
N, D, C = 40, 6, 4
INPUTS = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(N) % C
LOGITS = torch.randn(N, C, generator=torch.Generator().manual_seed(1))


def student():
    return mlp((D, 8, C), seed=0)


def same(model, other):
    mine, others = model.state_dict(), other.state_dict()
    return mine.keys() == others.keys() and all(torch.equal(mine[name], others[name]) for name in mine)


def with_nan():
    inputs = INPUTS.clone()
    inputs[7, 2] = math.nan
    return inputs


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": lambda x: x}, TypeError, "model must be an nn.Module, got function"),
        ({"inputs": INPUTS.long()}, TypeError, r"inputs must be .* got torch\.int64"),
        ({"inputs": INPUTS.numpy()}, TypeError, "inputs must be .* got ndarray"),
        ({"inputs": INPUTS[:0], "labels": LABELS[:0]}, ValueError, "inputs must hold at least one example"),
        ({"inputs": with_nan()}, ValueError, "inputs must be finite, got nan in row 7"),
        ({"inputs": INPUTS[:, :3]}, ValueError, "inputs .* 3"),
        ({"inputs": INPUTS.double()}, (TypeError, ValueError), "inputs .* torch.float64"),
        ({"labels": LABELS[:-1]}, ValueError, "labels must have one row per input, got 39 for 40 inputs"),
        ({"labels": LABELS.float()}, TypeError, r"labels must be an integer tensor .* got torch\.float32"),
        ({"labels": LABELS == 0}, TypeError, r"labels must be an integer tensor .* got torch\.bool"),
        ({"labels": LABELS.tolist()}, TypeError, "labels must be an integer tensor .* got list"),
        ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
        ({"labels": LABELS - 1}, ValueError, r"labels must be in \[0, 4\), got -1"),
        ({"labels": LABELS[:, None]}, ValueError, r"labels .* \[40, 1\]"),
        ({"labels": nn.functional.one_hot(LABELS)}, ValueError, r"labels .* \[40, 4\]"),
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
        ({"epochs": 1.5}, ValueError, r"epochs must be an integer >= 1, got 1\.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1, got 0"),
        ({"batch_size": -5}, ValueError, "batch_size must be an integer >= 1, got -5"),
        ({"lr": 0}, ValueError, "lr must be > 0, got 0"),
        ({"lr": -0.1}, ValueError, r"lr must be > 0, got -0\.1"),
        ({"lr": math.nan}, ValueError, "lr must be > 0.*, got nan"),
        ({"lr": math.inf}, ValueError, "lr .* got inf"),
        ({"weight_decay": -1}, ValueError, "weight_decay must be >= 0, got -1"),
        ({"device": "abacus"}, ValueError, "device must be .* got 'abacus'"),
        ({"order_seed": None}, (TypeError, ValueError), "order_seed .* None"),
        ({"order_seed": 1.5}, (TypeError, ValueError), r"order_seed .* 1\.5"),
        ({"schedule": 0.5}, (TypeError, ValueError), r"schedule .* 0\.5"),
        ({"validation": (INPUTS, LABELS)}, (TypeError, ValueError), "validation .* tuple"),
        ({"validation": Split(LABELS, inputs=INPUTS[:, :3])}, (TypeError, ValueError), "validation .* 3"),
        ({"validation": Split(LABELS[:0], inputs=INPUTS[:0])}, ValueError, "validation"),
    ],
)
def test_train_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    with pytest.raises(error, match=message):
        train(**{"model": model, "inputs": INPUTS, "labels": LABELS, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"teacher_logits": LOGITS[:-1]}, ValueError, "teacher_logits must have one row per input, got 39 for 40"),
        ({"teacher_logits": LOGITS[:1]}, ValueError, "teacher_logits must have one row per input, got 1 for 40"),
        ({"teacher_logits": LOGITS[:, :3]}, ValueError, "teacher_logits must have as many classes .* got 3 and 4"),
        ({"teacher_logits": LOGITS[:, :1]}, ValueError, "teacher_logits must have as many classes .* got 1 and 4"),
        (
            {"teacher_logits": LOGITS * math.nan},
            ValueError,
            r"teacher_logits must be finite, got nan at index \[0, 0\]",
        ),
        ({"teacher_logits": LOGITS[:, :, None]}, ValueError, r"teacher_logits .* \[40, 4, 1\]"),
        ({"teacher_logits": LOGITS[:, 0]}, ValueError, r"teacher_logits .* \[40\]"),
        ({"teacher_logits": LOGITS.long()}, TypeError, r"teacher_logits .* torch\.int64"),
        ({"teacher_logits": LOGITS.tolist()}, TypeError, "teacher_logits .* list"),
        ({"teacher_logits": LOGITS.numpy()}, TypeError, "teacher_logits .* ndarray"),
        ({"teacher_logits": None}, TypeError, "teacher_logits .* None"),
        ({"labels": None, "soft_weight": 0.5}, ValueError, r"labels must be given .* got soft_weight=0\.5"),
        ({"labels": LABELS[1:]}, ValueError, "labels must have one row per input, got 39 for 40"),
        ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
        ({"labels": LABELS[:, None]}, ValueError, r"labels .* \[40, 1\]"),
        ({"inputs": with_nan()}, ValueError, "inputs must be finite, got nan in row 7"),
        ({"temperature": 0}, ValueError, "temperature must be > 0, got 0"),
        ({"temperature": -2.0}, ValueError, r"temperature must be > 0, got -2\.0"),
        ({"temperature": math.nan}, ValueError, "temperature .* got nan"),
        ({"temperature": "2"}, TypeError, "temperature .* got '2'"),
        # One value per example cannot follow the shuffled batches; taken as it comes it would be misaligned.
        ({"temperature": torch.ones(N, 1), "batch_size": N}, (TypeError, ValueError), r"temperature .* \[40, 1\]"),
        ({"soft_weight": torch.ones(N, 1) / 2, "batch_size": N}, (TypeError, ValueError), r"soft_weight .* \[40, 1\]"),
        ({"soft_weight": 1.5}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5"),
        ({"soft_weight": math.nan}, ValueError, "soft_weight .* got nan"),
        ({"direction": "sideways"}, ValueError, "direction must be .* got 'sideways'"),
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
        ({"lr": 0}, ValueError, "lr must be > 0, got 0"),
    ],
)
def test_distill_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    given = {"student": model, "inputs": INPUTS, "teacher_logits": LOGITS, "labels": LABELS, "soft_weight": 0.5}
    with pytest.raises(error, match=message):
        distill(**{**given, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"teacher": lambda x: x}, TypeError, "teacher must be an nn.Module, got function"),
        ({"inputs": INPUTS[:0]}, ValueError, r"inputs must be .* got torch.float32 of shape \[0, 6\]"),
        ({"inputs": INPUTS.tolist()}, (TypeError, ValueError), "inputs must be .* got list"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1, got 0"),
        ({"batch_size": 2.5}, ValueError, r"batch_size must be an integer >= 1, got 2\.5"),
        ({"device": "abacus"}, ValueError, "device must be .* got 'abacus'"),
    ],
)
def test_teacher_logits_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        teacher_logits(**{"teacher": student(), "inputs": INPUTS, "device": "cpu", **arguments})


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "meta", "", None, 3.5])
def test_a_device_that_is_not_here_is_named(device):
    with pytest.raises(ValueError, match="device must be 'auto' or a device of this machine, got " + repr(device)):
        resolve_device(device)
