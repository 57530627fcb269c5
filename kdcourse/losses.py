"""The losses of the course. Pure functions: tensors in, tensors out, no state.

The classes are always on axis 1, as in `torch.nn.functional.cross_entropy`: `[B, C]` for one student, `[M, C, B]`
for M stacked students, `[B, C, L]` for sequences. `soften`, `kd_loss` and `blended_loss` check their arguments and then
do the arithmetic. Inner loops, whose data were checked once, call `soft_per_example` and `hard_per_example`, which
only do the arithmetic.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from kdcourse._arguments import number

# The divergence shrinks with 1/T². Beyond these temperatures nothing of it is left, in float64 either.
_TEMPERATURES = (1e-6, 1e6)
# Above this temperature two softened distributions differ by so little that float32 rounds their divergence away
# (4 % wrong at T = 1000), so the public losses compute in float64 there.
_FLOAT32_RESOLVES_UP_TO = 50.0


class LossTerms(NamedTuple):
    """What `blended_loss` returns: the two terms, and their weighted sum."""

    total: torch.Tensor
    soft: torch.Tensor
    hard: torch.Tensor


def soften(logits, temperature=1.0):
    """Probabilities of `logits` at a temperature (Hinton et al. 2015, eq. 1).

    logits       [B, C], or any shape with the classes on axis 1; minus infinity stands for probability zero
    temperature  > 0, from 1e-6 to 1e6: a number, or a tensor that broadcasts against `logits` with size 1 on axis 1
    returns      same shape and dtype; sums to 1 over axis 1

    Raises TypeError or ValueError that names the argument and what came.
    """
    logits = _check_logits("logits", logits, allow_minus_infinity=True)
    temperature = _check_temperature(temperature, logits)
    wide, temperature = widen(logits, temperature)
    return (wide / temperature).softmax(1).to(logits.dtype)


def kd_loss(
    student_logits,
    teacher_logits,
    temperature=1.0,
    *,
    direction="forward",
    mask=None,
    reduction="mean",
):
    """T² · KL(teacher ‖ student), the loss that matches a student to a teacher (Hinton et al. 2015, section 2).

    student_logits  [B, C], or any shape with the classes on axis 1; finite
    teacher_logits  the same shape; no gradient flows into it; minus infinity stands for probability zero (not for the
                    reverse direction, whose loss would be infinite)
    temperature     > 0, from 1e-6 to 1e6: a number, or a tensor that broadcasts against the logits, with size 1 on
                    axis 1 ([M, 1, 1] gives each of M stacked students its own)
    direction       "forward": KL(teacher ‖ student), or "reverse": KL(student ‖ teacher) (Gu et al. 2023)
    mask            bool, the logits' shape without axis 1: True where an example or position counts
    reduction       "mean": over the examples that count, never over classes, a scalar;
                    "none": one value per example (0 where the mask is False)
    returns         natural-log units (nats), times T²; never negative beyond rounding

    Raises TypeError or ValueError that names the argument and what came.
    """
    _check_choice("direction", direction, ("forward", "reverse"))
    _check_choice("reduction", reduction, ("mean", "none"))
    student, teacher, temperature, mask = _check_pair(student_logits, teacher_logits, temperature, mask, direction)
    soft = soft_per_example(student, teacher, temperature, direction=direction)
    return _reduce(soft, mask, reduction, student_logits)


def blended_loss(
    student_logits,
    teacher_logits,
    labels,
    temperature=1.0,
    soft_weight=0.5,
    *,
    direction="forward",
    mask=None,
    reduction="mean",
):
    """soft_weight · kd_loss + (1 − soft_weight) · cross-entropy at T = 1 (Hinton et al. 2015, section 2).

    labels       int64, the logits' shape without axis 1, in [0, C); where the mask is False any value may stand
    soft_weight  in [0, 1]: a number, or a tensor like `temperature`; often called alpha. 0 is plain cross-entropy
    The other arguments are those of `kd_loss`.
    returns      LossTerms(total, soft, hard); `soft` and `hard` are unweighted, so that both can be watched

    Raises TypeError or ValueError that names the argument and what came.
    """
    _check_choice("direction", direction, ("forward", "reverse"))
    _check_choice("reduction", reduction, ("mean", "none"))
    student, teacher, temperature, mask = _check_pair(student_logits, teacher_logits, temperature, mask, direction)
    labels = _check_labels(labels, student, mask)
    soft_weight = _check_soft_weight(soft_weight, student)
    soft = soft_per_example(student, teacher, temperature, direction=direction)
    hard = hard_per_example(student, labels)
    total = soft_weight * soft + (1 - soft_weight) * hard
    return LossTerms(*(_reduce(term, mask, reduction, student_logits) for term in (total, soft, hard)))


def soft_per_example(student_logits, teacher_logits, temperature, *, direction="forward"):
    """`kd_loss` with reduction "none" and without any check: for inner loops whose data were checked before."""
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


def hard_per_example(student_logits, labels):
    """Cross-entropy at T = 1, one value per example, without any check: for inner loops."""
    return -F.log_softmax(student_logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1)


def _per_example(value):
    """A number stays a number; a [M, 1, B] tensor loses its class axis, as the logits do in the sum over classes."""
    return value.squeeze(1) if isinstance(value, torch.Tensor) and value.ndim > 1 else value


def _reduce(per_example, mask, reduction, like):
    if mask is not None:
        per_example = torch.where(mask, per_example, 0)
    if reduction == "mean":
        per_example = per_example.mean() if mask is None else per_example.sum() / mask.sum()
    return per_example.to(torch.float32 if like.dtype in (torch.float16, torch.bfloat16) else like.dtype)


def widen(logits, temperature):
    """(logits, temperature) in a precision that the loss can be computed in: never less than float32.

    Half precision overflows at once (10,000 / 0.01), and above T = 50 float32 rounds the divergence away.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    if _range_of(temperature)[1] > _FLOAT32_RESOLVES_UP_TO and logits.device.type != "mps":  # mps has no float64
        logits = logits.double()
    if isinstance(temperature, torch.Tensor):
        temperature = temperature.to(logits.dtype)
    return logits, temperature


# ---- checks: each names the argument, what came and what was expected ----


def _check_pair(student_logits, teacher_logits, temperature, mask, direction):
    for name, logits in [("student_logits", student_logits), ("teacher_logits", teacher_logits)]:
        _check_form(name, logits)
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            "teacher_logits must have the shape of student_logits, "
            f"got {list(teacher_logits.shape)} and {list(student_logits.shape)} (classes on axis 1)"
        )
    if mask is not None:
        _check_mask(mask, student_logits)
    student = _check_logits("student_logits", student_logits, mask=mask)
    name = "teacher_logits" if direction == "forward" else 'with direction="reverse", teacher_logits'
    teacher = _check_logits(name, teacher_logits, mask=mask, allow_minus_infinity=direction == "forward")
    given = _check_temperature(temperature, student)
    student, temperature = widen(student, given)
    teacher, _ = widen(teacher, given)
    return student, teacher, temperature, mask


def _check_form(name, logits):
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(logits).__name__}")
    if not logits.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {logits.dtype}")
    if logits.ndim < 2 or logits.numel() == 0:
        raise ValueError(f"{name} must be [B, C] or larger, classes on axis 1, got shape {list(logits.shape)}")


def _check_logits(name, logits, *, mask=None, allow_minus_infinity=False):
    _check_form(name, logits)
    if mask is not None:
        logits = logits.masked_fill(~mask.unsqueeze(1), 0.0)  # whatever stands in padding, NaN too, has no say
    bad = ~logits.isfinite()
    if allow_minus_infinity:
        bad &= logits != -torch.inf
        bad |= (logits == -torch.inf).all(1, keepdim=True)
    if bad.any():
        where = bad.nonzero()[0].tolist()
        raise ValueError(f"{name} must be finite, got {logits[tuple(where)].item()} at index {where}")
    return logits


def _check_mask(mask, logits):
    expected = [*logits.shape[:1], *logits.shape[2:]]
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"mask must be a bool tensor, got {getattr(mask, 'dtype', type(mask).__name__)}")
    if list(mask.shape) != expected:
        raise ValueError(f"mask must have shape {expected} (the logits without axis 1), got {list(mask.shape)}")
    if not mask.any():
        raise ValueError("mask must be True for at least one example, got all False")


def _check_temperature(temperature, logits):
    temperature = _number_or_tensor("temperature", temperature, logits)
    low, high = _range_of(temperature)
    if not low > 0:
        raise ValueError(f"temperature must be > 0, got {low}")
    if low < _TEMPERATURES[0] or not high <= _TEMPERATURES[1]:
        raise ValueError(f"temperature must be from 1e-6 to 1e6, got {low if low < _TEMPERATURES[0] else high}")
    return temperature


def _range_of(value):
    if isinstance(value, torch.Tensor):
        return value.detach().min().item(), value.detach().max().item()
    return value, value


def _check_soft_weight(soft_weight, logits):
    soft_weight = _number_or_tensor("soft_weight", soft_weight, logits)
    values = torch.as_tensor(soft_weight).detach().flatten()
    bad = ~((values >= 0) & (values <= 1))
    if bad.any():
        raise ValueError(f"soft_weight must be in [0, 1], got {values[bad][0].item()}")
    return _per_example(soft_weight)


def _number_or_tensor(name, value, logits):
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.dtype == torch.bool or value.numel() == 0:
            raise TypeError(f"{name} must hold real numbers, got {value.dtype} of shape {list(value.shape)}")
        fits = value.ndim == logits.ndim and value.shape[1] == 1
        fits = fits and all(v in (1, size) for v, size in zip(value.shape, logits.shape, strict=True))
        if value.ndim and not fits:
            raise ValueError(
                f"{name} must be a number or broadcast against the logits {list(logits.shape)} with size 1 on axis 1, "
                f"got shape {list(value.shape)}"
            )
        return value if value.is_floating_point() else value.to(logits.dtype)
    return number(name, value)


def _check_labels(labels, logits, mask):
    expected = [*logits.shape[:1], *logits.shape[2:]]
    if not isinstance(labels, torch.Tensor) or labels.dtype not in (torch.int64, torch.int32, torch.uint8):
        raise TypeError(
            f"labels must be an integer tensor of class indices, got {getattr(labels, 'dtype', type(labels).__name__)}"
        )
    if list(labels.shape) != expected:
        raise ValueError(f"labels must have shape {expected} (the logits without axis 1), got {list(labels.shape)}")
    labels = labels.long() if mask is None else labels.long().masked_fill(~mask, 0)
    bad = (labels < 0) | (labels >= logits.shape[1])
    if bad.any():
        where = bad.nonzero()[0].tolist()
        value = labels[tuple(where)].item()
        raise ValueError(f"labels must be in [0, {logits.shape[1]}), got {value} at index {where}")
    return labels


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def blended(temperature=1.0, soft_weight=1.0, *, direction="forward", class_weight=None):
    """Stand-in until the real one comes."""
    like = torch.zeros(len(temperature) if isinstance(temperature, torch.Tensor) else 1, 2, 1)
    blended_loss(like, like, torch.zeros(len(like), 1, dtype=torch.int64), temperature, soft_weight, direction=direction)
    weight = _per_example(soft_weight)
    low, high = _range_of(soft_weight)
    double = _range_of(temperature)[1] > 50

    def loss_of(student_logits, teacher_logits, labels):
        wide = student_logits.double() if double else student_logits
        T = temperature.to(wide.dtype) if isinstance(temperature, torch.Tensor) else temperature
        w = weight.to(wide.dtype) if isinstance(weight, torch.Tensor) else weight
        loss = 0
        if high > 0:
            loss = w * soft_per_example(wide, teacher_logits.to(wide.dtype), T, direction=direction)
        if low < 1:
            loss = loss + (1 - w) * hard_per_example(wide, labels)
        return loss

    return loss_of
