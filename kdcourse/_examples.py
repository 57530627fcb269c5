"""Do a model, its inputs and its targets fit together? Asked once, before the first step of training."""

import torch

from kdcourse._arguments import describe
from kdcourse._modules import classes_of


def check_examples(model, inputs, **targets):
    """The inputs, and the labels as int64 (or None), once each fits the model and the others."""
    teacher_logits, labels = targets.get("teacher_logits"), targets.get("labels")
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"the model must be an nn.Module, got {type(model).__name__}")
    if not isinstance(inputs, torch.Tensor) or not inputs.is_floating_point():
        raise TypeError(f"inputs must be a floating-point tensor, got {describe(inputs)}")
    if len(inputs) == 0:
        raise ValueError("inputs must hold at least one example, got none")
    if not inputs.isfinite().all():
        row = (~inputs.isfinite()).flatten(1).any(1).nonzero()[0].item()
        raise ValueError(f"inputs must be finite, got {inputs[row][~inputs[row].isfinite()][0].item()} in row {row}")
    if "teacher_logits" in targets:
        if not isinstance(teacher_logits, torch.Tensor) or not teacher_logits.is_floating_point():
            raise TypeError(f"teacher_logits must be a floating-point tensor, got {describe(teacher_logits)}")
        if teacher_logits.ndim != 2:
            raise ValueError(f"teacher_logits must be [N, C], got {describe(teacher_logits)}")
    if "labels" in targets:
        if not isinstance(labels, torch.Tensor) or labels.is_floating_point() or labels.dtype == torch.bool:
            raise TypeError(f"labels must be an integer tensor of class indices, got {describe(labels)}")
        if labels.ndim != 1:
            raise ValueError(f"labels must be [N], got {describe(labels)}")
    for name, rows in [("teacher_logits", teacher_logits), ("labels", labels)]:
        if rows is not None and len(rows) != len(inputs):
            raise ValueError(f"{name} must have one row per input, got {len(rows)} for {len(inputs)} inputs")
    classes = classes_of(model, "inputs", inputs)
    if teacher_logits is not None and teacher_logits.shape[1] != classes:
        raise ValueError(
            f"teacher_logits must have as many classes as the student, got {teacher_logits.shape[1]} and {classes}"
        )
    if labels is not None:
        if labels.min() < 0 or labels.max() >= classes:
            worst = labels[(labels < 0) | (labels >= classes)][0].item()
            raise ValueError(f"labels must be in [0, {classes}), got {worst}")
        labels = labels.long()
    return inputs, labels


def check_validation(model, validation):
    """Raise an error that says so if `validation` is no Split that the model can be measured on."""
    if not hasattr(validation, "inputs") or not hasattr(validation, "labels"):
        raise TypeError(f"validation must be a Split, with inputs and labels, got {describe(validation)}")
    if len(validation.inputs) == 0 or len(validation.inputs) != len(validation.labels):
        raise ValueError(
            "validation must hold at least one example, and one label for each, "
            f"got {len(validation.inputs)} inputs and {len(validation.labels)} labels"
        )
    classes_of(model, "validation", validation.inputs)


def try_loss(loss, student_logits, teacher_logits, labels) -> None:
    """Call a loss function on some logits, and raise an error that names it unless it gives one value per example.

    The logits should have axes of different sizes, or a loss that mixes them up may pass.
    """
    logits = student_logits.detach().clone().requires_grad_()
    expected = [*logits.shape[:1], *logits.shape[2:]]
    with torch.enable_grad():
        try:
            values = loss(logits, teacher_logits, labels)
        except Exception as error:
            came = ", ".join(describe(value) for value in (logits, teacher_logits, labels))
            error.add_note(f"It was raised when `loss` was tried on student_logits, teacher_logits and labels: {came}")
            raise
    wanted = f"loss must return one value per example, floating point of shape {expected} (the logits without axis 1)"
    if not isinstance(values, torch.Tensor) or not values.is_floating_point():
        raise TypeError(f"{wanted}, got {describe(values)}")
    if list(values.shape) != expected:
        raise ValueError(f"{wanted}, got shape {list(values.shape)} for logits {list(logits.shape)}")
    if not values.requires_grad or torch.autograd.grad(values.sum(), logits, allow_unused=True)[0] is None:
        raise ValueError(f"{wanted}, that depends on student_logits; got values without a gradient")


def only_one(loss, **settings) -> None:
    """Raise ValueError if `loss` is given together with a setting of the everyday loss that it replaces."""
    default = {"temperature": 1.0, "soft_weight": 1.0, "direction": "forward", "class_weight": None}
    for name, value in settings.items():
        if loss is not None and not (value is default[name] or isinstance(value, float) and value == default[name]):
            raise ValueError(f"loss replaces {', '.join(settings)}: give it or them, got loss and {name}={value!r}")
