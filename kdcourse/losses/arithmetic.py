"""The everyday loss: what training computes at every step. It does arithmetic and no checks."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F

from kdcourse._arguments import one_of
from kdcourse._arguments.logits import check_class_weight, check_soft_weight, check_temperature, range_of

LossFunction: TypeAlias = Callable[[torch.Tensor, torch.Tensor | None, torch.Tensor | None], torch.Tensor]
Setting: TypeAlias = float | torch.Tensor

# Above this temperature two softened distributions differ by so little that float32 rounds their divergence away
# (4 % wrong at T = 1000), so the losses compute in float64 there.
_FLOAT32_RESOLVES_UP_TO = 50.0
_DIRECTIONS = ("forward", "reverse")
_HALVES = (torch.float16, torch.bfloat16)


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


def soft_per_example(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: Setting, *, direction: str = "forward"
) -> torch.Tensor:
    """`kd_loss` with reduction "none", without any check, in the precision of the logits.

    >>> soft_per_example(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 2.0]]), 1)
    tensor([0.3278])
    """
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
    """Cross-entropy at T = 1, one value per example, without any check.

    >>> hard_per_example(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """
    return -F.log_softmax(student_logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1)


def widen(logits: torch.Tensor, temperature: Setting) -> tuple[torch.Tensor, Setting]:
    """(logits, temperature) in a precision that the loss can be computed in: never less than float32.

    >>> widen(torch.zeros(1, 2, dtype=torch.float16), 4)
    (tensor([[0., 0.]]), 4)
    """
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
