"""Losses that need not be ours, tried before the first step."""

from collections.abc import Callable, Sequence

import torch

from kdcourse._arguments import describe
from kdcourse._examples.models import in_words
from kdcourse._process import generator_kept


def try_loss(loss: Callable, student_logits, teacher_logits, labels) -> None:
    """Call a loss function on some logits, and raise an error that names it unless it gives one value per example.

    The logits should have axes of different sizes, or a loss that mixes them up may pass.
    """
    logits = student_logits.detach().clone().requires_grad_()
    expected = [*logits.shape[:1], *logits.shape[2:]]
    with torch.enable_grad(), generator_kept():
        try:
            values = loss(logits, teacher_logits, labels)
        except Exception as error:
            came = ", ".join(in_words(value) for value in (logits, teacher_logits, labels))
            error.add_note(f"It was raised when `loss` was tried on student_logits, teacher_logits and labels: {came}")
            raise
    wanted = f"loss must return one value per example, floating point of shape {expected} (the logits without axis 1)"
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        raise TypeError(f"{wanted}, got {in_words(values)}")
    if list(values.shape) != expected:
        raise ValueError(f"{wanted}, got shape {list(values.shape)} for logits {list(logits.shape)}")
    if not values.requires_grad or torch.autograd.grad(values.sum(), logits, allow_unused=True)[0] is None:
        raise ValueError(f"{wanted}, that depends on student_logits; got values without a gradient")


def only_one(loss, **settings) -> None:
    """Raise ValueError if `loss` is given together with a setting of the everyday loss that it replaces."""
    default = {"temperature": 1.0, "soft_weight": 1.0, "direction": "forward", "class_weight": None}
    if loss is None:
        return
    if not callable(loss):
        raise TypeError(f"loss must be a function (student_logits, teacher_logits, labels), got {describe(loss)}")
    for name, value in settings.items():
        if not (value is default[name] or isinstance(value, (int, float, str)) and value == default[name]):
            raise ValueError(f"loss replaces {', '.join(settings)}: give it or them, got loss and {name}={value!r}")


def check_loss(loss: Callable, stack, inputs: torch.Tensor, teacher_logits: torch.Tensor, labels: torch.Tensor) -> None:
    """Try a loss function on a few examples. Raises TypeError or ValueError unless its values can be trained on."""
    if not callable(loss):
        raise TypeError(f"loss must be a function (student_logits, teacher_logits, labels), got {loss!r}")
    # With no axis as long as another: mixed axes would go unnoticed.
    few = next(count for count in (3, 2, 4) if count not in (len(stack), teacher_logits.shape[1]))
    with torch.no_grad():
        logits = stack(inputs[:few])
    batch = teacher_logits[:few].T.expand(len(stack), -1, -1), labels[:few].expand(len(stack), -1)
    try_loss(loss, logits, *batch)
    values = loss(logits, *batch)
    if not values.isfinite().all():
        raise ValueError(f"loss must be finite, got {values[~values.isfinite()][0].item()} before the first step")


def only_one_per_student(
    loss: Callable | None, temperature: Sequence[float], soft_weight: Sequence[float], direction: str
) -> None:
    """Raise ValueError if any student has a setting of the everyday loss beside a loss of its own."""
    for each_temperature, each_soft_weight in set(zip(temperature, soft_weight, strict=True)):
        only_one(loss, temperature=each_temperature, soft_weight=each_soft_weight, direction=direction)
