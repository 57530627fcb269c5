"""What training refuses: before the first step, naming the argument and the value that came."""

import copy
import math

import pytest
import torch
from tiny import INPUTS, LABELS, LOGITS, QUIET, N, refusals, same, student

from kdcourse.data import Split
from kdcourse.train import distill, resolve_device, teacher_logits, train


def with_nan():
    inputs = INPUTS.clone()
    inputs[7, 2] = math.nan
    return inputs


@refusals(
    "arguments",
    ({"model": lambda x: x}, TypeError, "model must be an nn.Module, got function"),
    ({"inputs": INPUTS[:, :3]}, ValueError, r"inputs must fit the model, got .* \[50, 3\]"),
    ({"inputs": INPUTS.numpy()}, TypeError, "inputs must be .* got ndarray"),
    ({"inputs": INPUTS[:0], "labels": LABELS[:0]}, ValueError, "inputs must hold at least one example"),
    ({"inputs": with_nan()}, ValueError, "inputs must be finite, got nan in row 7"),
    ({"labels": LABELS[:-1]}, ValueError, "labels must have one row per input, got 49 for 50 inputs"),
    ({"labels": LABELS.float()}, TypeError, r"labels must be an integer tensor .* got torch\.float32"),
    ({"labels": LABELS + 1}, ValueError, r"labels must be in \[0, 4\), got 4"),
    ({"labels": LABELS[:, None]}, ValueError, r"labels must have shape \[50\], one per example, got \[50, 1\]"),
    ({"epochs": 1.5}, ValueError, r"epochs must be an integer >= 1, got 1\.5"),
    ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1, got 0"),
    ({"weight_decay": -1}, ValueError, "weight_decay must be >= 0 and finite, got -1"),
    ({"lr": -0.1}, ValueError, r"lr must be > 0, got -0\.1"),
    ({"device": "abacus"}, ValueError, "device must be .* got 'abacus'"),
    ({"order_seed": None}, ValueError, "order_seed must be an integer >= 0, got None"),
    ({"schedule": 0.5}, TypeError, r"schedule must be a function or None, got 0\.5"),
    ({"validation": INPUTS}, TypeError, "of validation, labels must be .* got None"),
    ({"validation": Split(LABELS, inputs=INPUTS[:, :3])}, ValueError, r"of validation, inputs must fit .* \[50, 3\]"),
)
def test_train_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    with pytest.raises(error, match=message):
        train(**{"model": model, "inputs": INPUTS, "labels": LABELS, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@refusals(
    "arguments",
    ({"teacher_logits": LOGITS[:1]}, ValueError, "teacher_logits must have one row per input, got 1 for 50"),
    ({"teacher_logits": LOGITS[:, :1]}, ValueError, "teacher_logits must have as many classes .* got 1 and 4"),
    ({"teacher_logits": LOGITS * math.nan}, ValueError, r"teacher_logits must be finite, got nan at index \[0, 0\]"),
    ({"teacher_logits": LOGITS[:, :, None]}, ValueError, r"teacher_logits must be \[N, C\], got .* \[50, 4, 1\]"),
    ({"teacher_logits": LOGITS.long()}, TypeError, r"teacher_logits must be a floating-point .* torch\.int64"),
    (
        {"teacher_logits": LOGITS.masked_fill(LOGITS < 0, -math.inf), "direction": "reverse"},
        ValueError,
        r'with direction="reverse", teacher_logits must be finite, got -inf',
    ),
    ({"labels": None}, ValueError, r"labels must be given unless soft_weight is 1, got soft_weight=0\.5"),
    ({"temperature": -2.0}, ValueError, r"temperature must be > 0, got -2\.0"),
    ({"temperature": "2"}, TypeError, "temperature must be a number, got '2'"),
    # One value per example cannot follow the shuffled batches; taken as it comes it would be misaligned.
    ({"temperature": torch.ones(N, 1), "batch_size": N}, TypeError, r"temperature must be a number.* \[50, 1\]"),
    ({"soft_weight": 1.5}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5"),
    ({"direction": "sideways"}, ValueError, "direction must be .* got 'sideways'"),
)
def test_distill_names_what_it_refuses_before_the_first_step(arguments, error, message):
    model = student()
    before = copy.deepcopy(model)
    given = {"student": model, "inputs": INPUTS, "teacher_logits": LOGITS, "labels": LABELS, "soft_weight": 0.5}
    with pytest.raises(error, match=message):
        distill(**{**given, "epochs": 1, **QUIET, **arguments})
    assert same(model, before)


@refusals(
    "arguments",
    ({"teacher": lambda x: x}, TypeError, "teacher must be an nn.Module, got function"),
    ({"batch_size": 2.5}, ValueError, r"batch_size must be an integer >= 1, got 2\.5"),
)
def test_teacher_logits_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        teacher_logits(**{"teacher": student(), "inputs": INPUTS, "device": "cpu", **arguments})


@pytest.mark.parametrize("device", ["cuda:99", "meta", None])
def test_a_device_that_is_not_here_is_named(device):
    with pytest.raises(ValueError, match="device must be 'auto' or a device of this machine, got " + repr(device)):
        resolve_device(device)
