"""The losses of the course. Pure functions: tensors in, tensors out, no state.

The classes are always on axis 1, as in `torch.nn.functional.cross_entropy`: `[B, C]` for one student, `[M, C, B]`
for M stacked students, `[B, C, L]` for sequences.

`soften`, `kd_loss` and `blended_loss` check their arguments and then do the arithmetic. What trains students takes a
*loss function*, `(student_logits, teacher_logits, labels) -> one value per example`: `blended` makes the everyday one.
A new loss is one function in this file. It does arithmetic and no checks; `distill` tries it before the first step.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F

from kdcourse._arguments import class_indices, one_of
from kdcourse._arguments.logits import (
    check_class_weight,
    check_form,
    check_logits,
    check_mask,
    check_soft_weight,
    check_teacher_logits,
    check_temperature,
    range_of,
    without_classes,
)

LossFunction: TypeAlias = Callable[[torch.Tensor, torch.Tensor | None, torch.Tensor | None], torch.Tensor]
Setting: TypeAlias = float | torch.Tensor

# Above this temperature two softened distributions differ by so little that float32 rounds their divergence away
# (4 % wrong at T = 1000), so the losses compute in float64 there.
_FLOAT32_RESOLVES_UP_TO = 50.0
_DIRECTIONS = ("forward", "reverse")
_HALVES = (torch.float16, torch.bfloat16)


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
    return (wide / temperature).softmax(1).to(logits.dtype)


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


def blended(
    temperature: Setting = 1.0,
    soft_weight: Setting = 1.0,
    *,
    direction: str = "forward",
    class_weight: torch.Tensor | Sequence[float] | None = None,
) -> LossFunction:
    """The everyday loss as a loss function: `blended_loss` with its settings fixed, and one value per example.

    Parameters
    ----------
    temperature, soft_weight : float or Tensor
        As in `blended_loss`. A tensor, such as [M, 1, 1] for M stacked students, must be on their device.
    direction : {"forward", "reverse"}
        As in `kd_loss`.
    class_weight : [C] Tensor or sequence, optional
        What an example's cross-entropy is multiplied by, class by class; >= 0.

    Returns
    -------
    function
        (student_logits, teacher_logits, labels) -> Tensor, the logits' shape without axis 1. It checks nothing. A term
        that nobody weighs is left out: with soft weight 1 the labels may be None, with 0 the teacher's logits.

    Raises
    ------
    TypeError, ValueError
        Naming the setting and what came.

    Examples
    --------
    >>> loss = blended(temperature=2, soft_weight=0)
    >>> loss(torch.zeros(3, 2), None, torch.tensor([0, 1, 1]))
    tensor([0.6931, 0.6931, 0.6931])
    """
    one_of("direction", direction, _DIRECTIONS)
    temperature, soft_weight = check_temperature(temperature), check_soft_weight(soft_weight)
    weights = None if class_weight is None else check_class_weight(class_weight)
    # Asked once: in a loop on a GPU every `.item()` would wait for the device, and a CUDA graph forbids it.
    double = range_of(temperature)[1] > _FLOAT32_RESOLVES_UP_TO
    lightest, heaviest = range_of(soft_weight)

    def loss(student_logits, teacher_logits, labels):
        student, total = _precise(student_logits, double), 0.0
        if heaviest > 0:
            teacher = _precise(teacher_logits, double)
            total = soft_per_example(student, teacher, _like(temperature, student), direction=direction)
        if lightest < 1:
            hard = hard_per_example(student, labels)
            if weights is not None:
                hard = _of_their_class(weights, labels, student) * hard
            share = _per_example(_like(soft_weight, student))
            total = share * total + (1 - share) * hard
        return total

    return loss


def jsd_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    beta: float = 0.5,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence, a loss function whose ends are the two directions of `kd_loss`.

    With teacher p, student q and m = βp + (1 − β)q it is T² · [β KL(p ‖ m) + (1 − β) KL(q ‖ m)] / (β(1 − β)). Without
    the divisor (Agarwal et al. 2023, section 2) it shrinks to 0 at both ends. With it, it is continuous there: the
    forward divergence at β = 0, the reverse one at 1, and four times the plain Jensen-Shannon divergence in the middle.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1; no gradient flows into the teacher's.
    labels : ignored
    beta : float
        The teacher's share of the mixture, in [0, 1].
    temperature : float
        As in `kd_loss`.

    Returns
    -------
    Tensor
        One value per example, the logits' shape without axis 1; nats, times T².

    Examples
    --------
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log()
    >>> [round(jsd_loss(student, teacher, beta=beta).item(), 4) for beta in (0, 0.001, 0.5, 0.999, 1)]
    [0.1308, 0.1308, 0.1353, 0.1438, 0.1438]
    """
    if beta in (0, 1):
        return soft_per_example(student_logits, teacher_logits, temperature, direction="reverse" if beta else "forward")
    # Towards the ends a divergence of the order β² is divided by β: that takes more than float32.
    student, teacher = (_precise(logits, True) / temperature for logits in (student_logits, teacher_logits.detach()))
    log_q, log_p = student.log_softmax(1), teacher.log_softmax(1)
    log_p = log_p.clamp_min(torch.finfo(log_p.dtype).min)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    mixed = beta * log_p.exp() * (log_p - log_m) + (1 - beta) * log_q.exp() * (log_q - log_m)
    return (temperature**2 * mixed.sum(1) / (beta * (1 - beta))).to(student_logits.dtype)


def soft_per_example(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: Setting, *, direction: str = "forward"
) -> torch.Tensor:
    """`kd_loss` with reduction "none", without any check, in the precision of the logits."""
    log_student = F.log_softmax(student_logits / temperature, 1)
    log_teacher = F.log_softmax(teacher_logits.detach() / temperature, 1)
    # A teacher's probability of exactly zero has the logarithm -inf, and 0 · inf is NaN. The smallest float is as good.
    log_teacher = log_teacher.clamp_min(torch.finfo(log_teacher.dtype).min)
    if direction == "forward":
        divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    else:
        divergence = (log_student.exp() * (log_student - log_teacher)).sum(1)
    # Each gradient of the softened loss carries 1/T twice; T² keeps it in step with cross-entropy (for large T).
    return _per_example(temperature) ** 2 * divergence


def hard_per_example(student_logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy at T = 1, one value per example, without any check."""
    return -F.log_softmax(student_logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1)


def widen(logits: torch.Tensor, temperature: Setting) -> tuple[torch.Tensor, Setting]:
    """(logits, temperature) in a precision that the loss can be computed in: never less than float32."""
    wide = _precise(logits, range_of(temperature)[1] > _FLOAT32_RESOLVES_UP_TO)
    return wide, _like(temperature, wide)


def _precise(logits, double):
    """Half precision overflows at once (10,000 / 0.01); at a high temperature float32 rounds the divergence away."""
    if double and logits.device.type != "mps":  # mps has no float64
        return logits.double()
    return logits.float() if logits.dtype in _HALVES else logits


def _like(value, logits):
    """A setting in the precision of the logits, so that it neither limits the loss nor widens it."""
    return value.to(logits.dtype) if isinstance(value, torch.Tensor) else value


def _per_example(value):
    """A number stays a number; a [M, 1, B] tensor loses its class axis, as the logits do in the sum over classes."""
    return value.squeeze(1) if isinstance(value, torch.Tensor) and value.ndim > 1 else value


def _of_their_class(weights, labels, logits):
    if len(weights) != logits.shape[1]:
        raise ValueError(f"class_weight must have one weight per class, got {len(weights)} for {logits.shape[1]}")
    return weights.to(logits)[labels]


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
