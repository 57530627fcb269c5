"""What losses are given: logits, masks and settings. Each error names the argument, what came and what was expected."""

import torch

from kdcourse._arguments import describe, number

# The divergence shrinks with 1/T². Beyond these temperatures nothing of it is left, in float64 either.
TEMPERATURES = (1e-6, 1e6)


def without_classes(logits):
    return [*logits.shape[:1], *logits.shape[2:]]


def check_teacher_logits(
    teacher_logits: torch.Tensor, direction: str = "forward", mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The teacher's logits, padding zeroed, if they are finite, or minus infinity where the direction allows it."""
    name = "teacher_logits" if direction == "forward" else 'with direction="reverse", teacher_logits'
    return check_logits(name, teacher_logits, mask=mask, allow_minus_infinity=direction == "forward")


def check_form(name, logits):
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {describe(logits)}")
    if logits.ndim < 2 or logits.numel() == 0:
        raise ValueError(f"{name} must be [B, C] or larger, classes on axis 1, got shape {list(logits.shape)}")


def check_teaches(name, logits):
    """Raise a ValueError for a single class, and for probabilities: a softmax of these trains, and teaches little."""
    if logits.shape[1] == 1:
        raise ValueError(
            f"{name} must have 2 classes or more on axis 1, got 1: the two logits of a sigmoid's z are 0, z"
        )
    if (logits >= 0).all() and ((logits.sum(1) - 1).abs() < 1e-4).all():
        raise ValueError(
            f"{name} must be logits, got probabilities (none is below 0, and an example's sum to 1); "
            "their logarithms are logits"
        )


def check_logits(name, logits, *, mask=None, allow_minus_infinity=False):
    check_form(name, logits)
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


def check_mask(mask, logits):
    expected = without_classes(logits)
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"mask must be a bool tensor, got {describe(mask)}")
    if list(mask.shape) != expected:
        raise ValueError(f"mask must have shape {expected} (the logits without axis 1), got {list(mask.shape)}")
    if not mask.any():
        raise ValueError("mask must be True for at least one example, got all False")


def check_temperature(temperature, logits=None):
    temperature = number_or_tensor("temperature", temperature, logits)
    low, high = range_of(temperature)
    if not low > 0:
        raise ValueError(f"temperature must be > 0, got {low}")
    if low < TEMPERATURES[0] or not high <= TEMPERATURES[1]:
        raise ValueError(f"temperature must be from 1e-6 to 1e6, got {low if low < TEMPERATURES[0] else high}")
    return temperature


def check_soft_weight(soft_weight, logits=None):
    soft_weight = number_or_tensor("soft_weight", soft_weight, logits)
    low, high = range_of(soft_weight)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"soft_weight must be in [0, 1], got {high if low >= 0 else low}")
    return soft_weight


def check_class_weight(class_weight):
    if isinstance(class_weight, (str, dict)):
        raise TypeError(f"class_weight must be [C] numbers, got {class_weight!r}")
    weights = torch.as_tensor(class_weight)
    if weights.ndim != 1 or weights.is_complex() or weights.dtype == torch.bool:
        raise TypeError(f"class_weight must be [C] numbers, got {describe(weights)}")
    if not (weights.isfinite() & (weights >= 0)).all():
        raise ValueError(f"class_weight must be >= 0 and finite, got {weights.tolist()}")
    return weights


def range_of(value):
    """The lowest and the highest of a setting; NaN, if it holds one, is both."""
    if isinstance(value, torch.Tensor):
        return value.detach().min().item(), value.detach().max().item()
    return value, value


def number_or_tensor(name, value, logits):
    if not isinstance(value, torch.Tensor):
        return number(name, value)
    if value.is_complex() or value.dtype == torch.bool or value.numel() == 0:
        raise TypeError(f"{name} must hold real numbers, got {value.dtype} of shape {list(value.shape)}")
    fits = value.ndim == 0 or (value.ndim > 1 and value.shape[1] == 1)
    if value.ndim and logits is not None:
        fits = fits and value.ndim == logits.ndim
        fits = fits and all(v in (1, size) for v, size in zip(value.shape, logits.shape, strict=True))
    if not fits:
        against = "the logits" if logits is None else f"the logits {list(logits.shape)}"
        raise ValueError(
            f"{name} must be a number or broadcast against {against} with size 1 on axis 1, "
            f"got shape {list(value.shape)}"
        )
    return value
