"""What the losses refuse: every message names the argument and the value that came."""

import math
import re

import pytest
import torch
from tiny import refusals

from kdcourse.losses import blended_loss, kd_loss, soften

STUDENT = torch.arange(12.0).view(4, 3)
TEACHER = STUDENT.flip(0).contiguous()
LABELS = torch.tensor([0, 1, 2, 0])
MASK = torch.tensor([True, True, False, True])


def with_value(tensor, value, *index):
    changed = tensor.clone()
    changed[index] = value
    return changed


@refusals(
    "temperature",
    (0, ValueError, r"temperature must be > 0, got 0"),
    (1e-50, ValueError, "temperature must be from 1e-6 to 1e6, got 1e-50"),
    (1e7, ValueError, "temperature must be from 1e-6 to 1e6, got 10000000"),
    (math.nan, ValueError, r"temperature .* got nan"),
    (torch.tensor([[1.0], [2.0], [-3.0], [1.0]]), ValueError, r"temperature .* got -3"),
    (torch.tensor([[1.0], [math.inf], [3.0], [1.0]]), ValueError, r"temperature .* got inf"),
    (torch.tensor([1.0, 2.0, 3.0, 4.0]), ValueError, r"temperature .* got shape \[4\]"),
    (torch.tensor(True), TypeError, r"temperature .* torch\.bool"),
    ("2", TypeError, r"temperature .* got '2'"),
)
def test_a_bad_temperature_is_named(temperature, error, message):
    with pytest.raises(error, match=message):
        soften(STUDENT, temperature)
    with pytest.raises(error, match=message):
        kd_loss(STUDENT, TEACHER, temperature)
    with pytest.raises(error, match=message):
        blended_loss(STUDENT, TEACHER, LABELS, temperature)


@refusals(
    "soft_weight",
    (1.5, ValueError, r"soft_weight .* got 1\.5"),
    (math.nan, ValueError, r"soft_weight .* got nan"),
    (torch.tensor([[0.5], [-2.0], [0.5], [0.5]]), ValueError, r"soft_weight .* got -2\.0"),
    ("half", TypeError, r"soft_weight .* got 'half'"),
)
def test_a_bad_soft_weight_is_named(soft_weight, error, message):
    with pytest.raises(error, match=message):
        blended_loss(STUDENT, TEACHER, LABELS, 1.0, soft_weight)


@pytest.mark.parametrize(
    "teacher_logits",
    [torch.zeros(1, 3), torch.zeros(4, 1), torch.zeros(4, 3, 1)],
    ids=lambda value: str(list(value.shape)),
)
def test_shapes_that_differ_are_refused_even_where_they_broadcast(teacher_logits):
    message = re.escape(f"got {list(teacher_logits.shape)} and [4, 3]")
    with pytest.raises(ValueError, match=f"teacher_logits must have the shape of student_logits, {message}"):
        kd_loss(STUDENT, teacher_logits, mask=MASK)
    with pytest.raises(ValueError, match=f"teacher_logits .* {message}"):
        blended_loss(STUDENT, teacher_logits, LABELS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_logit_that_is_not_finite_is_named_with_its_place(value):
    with pytest.raises(ValueError, match=rf"student_logits must be finite, got {value} at index \[2, 1\]"):
        kd_loss(with_value(STUDENT, value, 2, 1), TEACHER)
    row = with_value(TEACHER, value, 3)  # a teacher may rule classes out, but not all of them
    with pytest.raises(ValueError, match=rf"teacher_logits must be finite, got {value} at index \[3, 0\]"):
        kd_loss(STUDENT, row)
    with pytest.raises(ValueError, match=rf"logits must be finite, got {value}"):
        soften(row)


@refusals(
    "logits",
    ([[1.0, 2.0]], TypeError, "must be a floating-point tensor, got list"),
    (torch.zeros(4, 3, dtype=torch.int64), TypeError, "must be a floating-point tensor, got torch.int64"),
    (torch.zeros(3), ValueError, r"got shape \[3\]"),
    (torch.zeros(0, 3), ValueError, r"got shape \[0, 3\]"),
)
def test_logits_that_are_no_float_tensor_with_classes_are_refused(logits, error, message):
    with pytest.raises(error, match=f"^logits.*{message}"):
        soften(logits)
    with pytest.raises(error, match=f"student_logits.*{message}"):
        kd_loss(logits, TEACHER)
    with pytest.raises(error, match=f"teacher_logits.*{message}"):
        kd_loss(STUDENT, logits)


@refusals(
    "labels",
    (torch.tensor([0, 1, 3, 0]), ValueError, r"labels must be in \[0, 3\), got 3 at index \[2\]"),
    (LABELS.float(), TypeError, r"labels .* got torch\.float32"),
    ([0, 1, 2, 0], TypeError, r"labels .* got list"),
    (LABELS[:, None], ValueError, r"labels must have shape \[4\].*got \[4, 1\]"),
)
def test_bad_labels_are_named(labels, error, message):
    with pytest.raises(error, match=message):
        blended_loss(STUDENT, TEACHER, labels)


def test_labels_out_of_range_are_refused_where_the_mask_counts_them():
    labels = torch.tensor([[-100, 1], [0, -100]])  # the index has as many places as the labels
    mask = torch.tensor([[False, True], [True, True]])
    logits = torch.zeros(2, 3, 2)
    with pytest.raises(ValueError, match=r"labels .* got -100 at index \[1, 1\]"):
        blended_loss(logits, logits, labels, mask=mask)


@refusals(
    "mask",
    (torch.zeros(4, dtype=torch.bool), ValueError, "mask .* got all False"),
    (torch.ones(4), TypeError, r"mask must be a bool tensor, got torch\.float32"),
    (MASK[:, None], ValueError, r"mask must have shape \[4\].*got \[4, 1\]"),
)
def test_a_bad_mask_is_named(mask, error, message):
    with pytest.raises(error, match=message):
        kd_loss(STUDENT, TEACHER, mask=mask)
    with pytest.raises(error, match=message):
        blended_loss(STUDENT, TEACHER, LABELS, mask=mask)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"direction": "backward"}, "direction must be one of 'forward', 'reverse', got 'backward'"),
        ({"reduction": "sum"}, "reduction must be one of 'mean', 'none', got 'sum'"),
    ],
)
def test_an_unknown_direction_or_reduction_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        kd_loss(STUDENT, TEACHER, **settings)
    with pytest.raises(ValueError, match=message):
        blended_loss(STUDENT, TEACHER, LABELS, **settings)
