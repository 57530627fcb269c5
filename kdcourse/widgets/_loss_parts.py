"""What the loss explorer shows, as numbers and as words."""

from typing import NamedTuple

import numpy as np
import torch

from kdcourse import losses
from kdcourse._arguments import integer
from kdcourse.widgets._figure import plain


class Parts(NamedTuple):
    """Of one example, float64 [C] each: probabilities at a temperature, the label, both parts of the gradient."""

    teacher: np.ndarray
    student: np.ndarray
    label: np.ndarray
    soft: np.ndarray
    hard: np.ndarray


def teacher_of(data_set, split):
    """The split, once it is there and has its teacher's logits."""
    if split not in ("train", "validation", "test"):
        raise ValueError(f"split must be 'train', 'validation' or 'test', got {split!r}")
    part = getattr(data_set, split)
    if part.teacher_logits is None:
        raise ValueError(f"data_set.{split} must hold the teacher's logits, got None")
    return part


def check(data_set, student_logits, split, soft_weight):
    """(student, teacher, labels) of the split: float64 [N, C] twice, and int64 [N]."""
    part = teacher_of(data_set, split)
    student = torch.as_tensor(student_logits).detach().cpu().double()
    expected = [len(part), len(data_set.class_names)]
    if list(student.shape) != expected:
        raise ValueError(
            f"student_logits must be {expected}, one row per example of {split}, got shape {list(student.shape)}"
        )
    teacher, labels = part.teacher_logits.cpu().double(), part.labels.cpu().long()
    given = {} if soft_weight is None else {"soft_weight": soft_weight}
    losses.blended_loss(student, teacher, labels, **given)  # for what it refuses
    return student, teacher, labels


def indices(examples, size):
    """The examples as a list of ints, once all of them exist."""
    examples = [integer("examples", index, at_least=0) for index in examples]
    if not examples or max(examples) >= size:
        raise ValueError(f"examples must be one or more indices in [0, {size}), got {examples}")
    return examples


def parts_of(student, teacher, label, temperature, soft_weight):
    """The Parts of one example, from logits [C] and an index."""
    p, q = (losses.soften(logits[None], temperature)[0].numpy() for logits in (teacher, student))
    y = np.eye(len(p))[label]
    hard = losses.soften(student[None])[0].numpy() - y
    return Parts(p, q, y, soft_weight * temperature * (q - p), (1 - soft_weight) * hard)


def say(names, temperature, soft_weight, squared, parts, terms):
    """What the picture shows, and the values of the loss, in four lines."""

    def first(probabilities):
        order = np.argsort(-probabilities, kind="stable")[:3]
        return ", ".join(f"{names[k]} {probabilities[k]:.2f}" for k in order)

    both = parts.soft + parts.hard
    low, high = int(both.argmin()), int(both.argmax())
    total, soft, hard = (plain(max(term, 0.0)) for term in terms)  # rounding may leave a little below 0
    norms = [np.linalg.norm(gradient) for gradient in (parts.soft, parts.hard, both)]
    square = temperature**2
    other = (
        f"Without T², the soft part would have {plain(norms[0] / square)}."
        if squared
        else f"With T², the soft part would have {plain(norms[0] * square)}."
    )
    return [
        f"The label is {names[int(parts.label.argmax())]}. At T = {temperature:.1f}, the teacher says "
        f"{first(parts.teacher)}; the student says {first(parts.student)}.",
        f"Soft term, {'T² · KL' if squared else 'KL without T²'}: {soft}. Hard term, cross-entropy at T = 1: {hard}. "
        f"With soft weight {soft_weight:.2f}, the loss is {total}.",
        f"Training raises the logit of {names[low]} most ({both[low]:+.2f}) and lowers that of {names[high]} most "
        f"({both[high]:+.2f}).",
        f"Norm of the gradient, weights included: soft part {plain(norms[0])}, hard part {plain(norms[1])}, both "
        f"together {plain(norms[2])}. {other}",
    ]
