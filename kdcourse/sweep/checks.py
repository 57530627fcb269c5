"""What a sweep refuses before anything is trained: data, and a loss of one's own, that cannot be trained on."""

from dataclasses import replace
from functools import partial

import torch

from kdcourse._arguments import integer
from kdcourse._examples import check_examples
from kdcourse._process import generator_kept
from kdcourse.data import DataSet
from kdcourse.losses import blended_loss
from kdcourse.models import StudentStack
from kdcourse.stack import check_loss, only_one_per_student


def check_data(data, direction: str, student: torch.nn.Module | None = None) -> None:
    """Raise an error that names the split and the part of it, unless students can be trained on all of `data`."""
    if not isinstance(data, DataSet):
        raise TypeError(f"data must be a DataSet, got {type(data).__name__}")
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        if len(split) == 0:
            raise ValueError(f"data.{name} must hold at least one example, got none")
        if split.teacher_logits is None:
            raise ValueError(f"data.{name} must hold the teacher's logits, got None")
        for part, form in [("inputs", "[N, D]"), ("teacher_logits", "[N, C]")]:
            shape = list(getattr(split, part).shape)
            if len(shape) != 2 and (part != "inputs" or student is None):
                raise ValueError(f"data.{name}.{part} must be {form}, got shape {shape}")
    if data.vocabulary is None and not data.train.inputs.is_floating_point():
        raise ValueError(f"data.vocabulary must be given for inputs that are ids ({data.train.inputs.dtype}), got None")
    tried = _linear(data, [0]) if student is None else student
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        logits = split.teacher_logits
        try:
            _, labels = check_examples(tried, split.inputs, labels=split.labels, teacher_logits=logits)
            blended_loss(torch.zeros_like(logits), logits, labels)
        except (TypeError, ValueError) as error:
            raise type(error)(f"data.{name}: {error}") from None
    logits = data.train.teacher_logits
    blended_loss(torch.zeros_like(logits), logits, data.train.labels.long(), direction=direction)


def taught_by_nobody(data, settings, loss):
    """The data; where they have no teacher, and labels are all that is learned from, with logits that nobody reads."""
    splits = ("train", "validation", "test")
    if not isinstance(data, DataSet) or any(getattr(data, name).teacher_logits is not None for name in splits):
        return data
    if loss is not None or (settings["soft_weight"] != 0).any():
        return data  # which is refused
    parts = {name: getattr(data, name)[:] for name in splits}
    for part in parts.values():
        part.teacher_logits = torch.zeros(len(part), len(data.class_names))
    return replace(data, **parts)


def seeded(make):
    """What makes a student, called with torch's generator at the row's `init_seed`: it need not seed by itself."""
    if isinstance(make, torch.nn.Module) or (isinstance(make, type) and issubclass(make, torch.nn.Module)):
        kind = make.__name__ if isinstance(make, type) else f"a {type(make).__name__}"
        raise TypeError(f"student must be a function of a row of the grid, as `lambda row: Net()`, got {kind}")
    return partial(_made, make)


def _made(make, row):
    with generator_kept():
        torch.default_generator.manual_seed(int(row["init_seed"]))
        return make(row)


def check_loss_on(data, loss, settings, direction: str) -> None:
    """Raise an error unless a loss of one's own stands alone and can be trained on `data`."""
    only_one_per_student(loss, settings["temperature"], settings["soft_weight"], direction)
    train = data.train
    check_loss(loss, _linear(data, [0, 1]), train.inputs, train.teacher_logits.detach().float(), train.labels)


def _linear(data, seeds):
    """Students of these data without a hidden layer, to try things on."""
    ids = data.vocabulary is not None
    inputs = integer("data.vocabulary", data.vocabulary, at_least=2) if ids else data.train.inputs.shape[1]
    return StudentStack([inputs, data.train.teacher_logits.shape[1]], seeds, ids=ids)
