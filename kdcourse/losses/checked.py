"""The everyday loss for those who call it themselves: it checks its arguments, masks what is padding, and reduces."""

from typing import NamedTuple

import torch

from kdcourse._arguments import class_indices, one_of
from kdcourse._arguments.logits import (
    check_form,
    check_logits,
    check_mask,
    check_soft_weight,
    check_teacher_logits,
    check_temperature,
    without_classes,
)
from kdcourse.losses.arithmetic import (
    _DIRECTIONS,
    _HALVES,
    Setting,
    _per_example,
    hard_per_example,
    soft_per_example,
    widen,
)


class LossTerms(NamedTuple):
    """What `blended_loss` returns: the two terms, and their weighted sum."""

    total: torch.Tensor
    soft: torch.Tensor
    hard: torch.Tensor


def soften(logits: torch.Tensor, temperature: Setting = 1.0) -> torch.Tensor:
    """Probabilities of `logits` at a temperature (Hinton et al. 2015, eq. 1).

    Parameters
    ----------
    logits : Tensor
        [B, C], or any shape with the classes on axis 1; minus infinity stands for probability zero.
    temperature : float or Tensor
        From 1e-6 to 1e6: a number, or a tensor that broadcasts against `logits` with size 1 on axis 1.

    Returns
    -------
    Tensor
        Same shape and dtype; sums to 1 over axis 1.

    Raises
    ------
    TypeError, ValueError
        Naming the argument and what came.

    Examples
    --------
    >>> soften(torch.tensor([[0.0, 0.0, -torch.inf]]), temperature=4)
    tensor([[0.5000, 0.5000, 0.0000]])
    """
    check_logits("logits", logits, allow_minus_infinity=True)
    wide, temperature = widen(logits, check_temperature(temperature, logits))
    scaled = wide / temperature
    if not scaled.amax(1).isfinite().all():  # beyond the largest float: how far they lie apart is what counts
        scaled = (wide - wide.amax(1, keepdim=True)) / temperature
    return scaled.softmax(1).to(logits.dtype)


def kd_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    temperature: Setting = 1.0,
    *,
    direction: str = "forward",
    mask: torch.Tensor | None = None,
    reduction: str = "mean",
) -> torch.Tensor:
    """T² · KL(teacher ‖ student), the loss that matches a student to a teacher (Hinton et al. 2015, section 2).

    Parameters
    ----------
    student_logits : Tensor
        [B, C], or any shape with the classes on axis 1; finite.
    teacher_logits : Tensor
        The same shape; no gradient flows into it. Minus infinity stands for probability zero (not for the reverse
        direction, whose loss would be infinite).
    temperature : float or Tensor
        From 1e-6 to 1e6: a number, or a tensor that broadcasts against the logits, with size 1 on axis 1
        ([M, 1, 1] gives each of M stacked students its own).
    direction : {"forward", "reverse"}
        KL(teacher ‖ student), or KL(student ‖ teacher) (Gu et al. 2023).
    mask : bool Tensor, optional
        The logits' shape without axis 1: True where an example or position counts.
    reduction : {"mean", "none"}
        "mean": over the examples that count, never over classes, a scalar; "none": one value per example, 0 where the
        mask is False.

    Returns
    -------
    Tensor
        Natural-log units (nats), times T²; never negative beyond rounding.

    Raises
    ------
    TypeError, ValueError
        Naming the argument and what came.

    Examples
    --------
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log()  # (1/2, 1/2) and (3/4, 1/4)
    >>> kd_loss(student, teacher)  # 3/4 log(3/2) + 1/4 log(1/2)
    tensor(0.1308)
    """
    one_of("reduction", reduction, ("mean", "none"))
    student, teacher, temperature = _check_pair(student_logits, teacher_logits, temperature, mask, direction)
    soft = soft_per_example(student, teacher, temperature, direction=direction)
    return _reduce(soft, mask, reduction, student_logits)


def blended_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    temperature: Setting = 1.0,
    soft_weight: Setting = 0.5,
    *,
    direction: str = "forward",
    mask: torch.Tensor | None = None,
    reduction: str = "mean",
) -> LossTerms:
    """soft_weight · kd_loss + (1 − soft_weight) · cross-entropy at T = 1 (Hinton et al. 2015, section 2).

    Parameters
    ----------
    student_logits, teacher_logits, temperature, direction, mask, reduction
        As in `kd_loss`.
    labels : integer Tensor
        The logits' shape without axis 1, in [0, C); where the mask is False any value may stand.
    soft_weight : float or Tensor
        In [0, 1]: a number, or a tensor like `temperature`; often called alpha. 0 is plain cross-entropy.

    Returns
    -------
    LossTerms
        (total, soft, hard); `soft` and `hard` are unweighted, so that both can be watched.

    Raises
    ------
    TypeError, ValueError
        Naming the argument and what came.

    Examples
    --------
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log()
    >>> blended_loss(student, teacher, torch.tensor([0]), soft_weight=0.5)
    LossTerms(total=tensor(0.4120), soft=tensor(0.1308), hard=tensor(0.6931))
    """
    one_of("reduction", reduction, ("mean", "none"))
    student, teacher, temperature = _check_pair(student_logits, teacher_logits, temperature, mask, direction)
    if mask is not None and isinstance(labels, torch.Tensor) and labels.shape == mask.shape:
        labels = labels.masked_fill(~mask, 0)  # in padding any label may stand
    labels = class_indices("labels", labels, without_classes(student), student.shape[1]).long()
    weight = _per_example(check_soft_weight(soft_weight, student))
    soft = soft_per_example(student, teacher, temperature, direction=direction)
    hard = hard_per_example(student, labels)
    terms = (weight * soft + (1 - weight) * hard, soft, hard)
    return LossTerms(*(_reduce(term, mask, reduction, student_logits) for term in terms))


def _reduce(per_example, mask, reduction, like):
    if mask is not None:
        per_example = torch.where(mask, per_example, 0)
    if reduction == "mean":
        per_example = per_example.mean() if mask is None else per_example.sum() / mask.sum()
    return per_example.to(torch.float32 if like.dtype in _HALVES else like.dtype)


def _check_pair(student_logits, teacher_logits, temperature, mask, direction):
    one_of("direction", direction, _DIRECTIONS)
    for name, logits in [("student_logits", student_logits), ("teacher_logits", teacher_logits)]:
        check_form(name, logits)
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            "teacher_logits must have the shape of student_logits, "
            f"got {list(teacher_logits.shape)} and {list(student_logits.shape)} (classes on axis 1)"
        )
    if mask is not None:
        check_mask(mask, student_logits)
    student = check_logits("student_logits", student_logits, mask=mask)
    teacher = check_teacher_logits(teacher_logits, direction, mask)
    given = check_temperature(temperature, student)
    student, temperature = widen(student, given)
    return student, widen(teacher, given)[0], temperature
