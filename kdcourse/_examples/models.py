"""Models that need not be ours: asked, trained on, and given back as they were found.

A model is any nn.Module: it takes a tensor or, as keywords, the fields of a dict, and returns logits or something with
`.logits`.
"""

import contextlib
from collections.abc import Mapping

import torch

from kdcourse._arguments import describe
from kdcourse._process import GENERATOR


@contextlib.contextmanager
def in_mode(model, *, training):
    """Put every module of `model` in a mode inside a `with`, and each back in its own afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def borrowed(model, device, *, training):
    """Move `model` to a device and put it in a mode inside a `with`; afterwards it is as it was, and where it was."""
    home = home_of(model)
    model.to(device)
    try:
        with in_mode(model, training=training):
            yield
    finally:
        model.to(home)


@contextlib.contextmanager
def drawing_from(seed, device):
    """Seed what a model itself draws (dropout) inside a `with`, and put the generators back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], enabled=device.type == "cuda"):
        with GENERATOR:
            before = torch.get_rng_state()
            torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            with GENERATOR:
                torch.set_rng_state(before)


def home_of(model):
    """The device that the parameters of `model` are on."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def logits_of(model, inputs) -> torch.Tensor:
    """What `model` says about a batch: its output, or the field `logits` of it, [B, C] or [B, C, L].

    Pictures that were pooled down to one place, [B, C, 1, 1], are [B, C].
    """
    return as_logits(_said(model, inputs), inputs)


def classes_of(model, name, inputs):
    """How many logits `model` gives for the first of `inputs`. ValueError, naming the argument, if it takes none."""
    return answer(model, inputs[:1], f"{name} must fit the model, got {in_words(inputs)}").shape[1]


def _said(model, inputs):
    output = model(**inputs) if isinstance(inputs, Mapping) else model(inputs)
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", output)
    if not isinstance(logits, torch.Tensor):
        raise TypeError(
            f"the model must return logits, a tensor or something with .logits, got {in_words(output)}"
            f"{' in training' * model.training}"
        )
    return logits


def as_logits(said, inputs):
    if said.ndim < 2 or not said.is_floating_point() or len(said) != count_rows(inputs):
        raise ValueError(f"the model must return logits [B, C] or [B, C, L], got {in_words(said)}")
    return said.flatten(1) if said.ndim > 3 and said.shape[2:].numel() == 1 else said


def answer(model, inputs, problem, *, training=False):
    """What `model` says about a few inputs in a mode. ValueError that says the problem if it takes none."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"the model must be an nn.Module, got {type(model).__name__}")
    with in_mode(model, training=training), torch.no_grad():
        try:
            return _said(model, moved(inputs, home_of(model)))
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(f"{problem}: {error}") from error


@contextlib.contextmanager
def buffers_kept(model):
    """Put back afterwards what a model counts while it trains, such as the means of batch norm."""
    before = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    try:
        yield
    finally:
        for module, name, buffer, values in before:
            setattr(module, name, buffer.copy_(values))


# ---- tensors, and dicts of them ----


def moved(value, device):
    """A tensor, a dict of tensors, or None, on a device."""
    return each(value, lambda part: part.to(device))


def each(value, function):
    if isinstance(value, Mapping):
        return {name: function(part) for name, part in value.items()}
    return value if value is None else function(value)


def count_rows(inputs):
    return len(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)


def in_words(value):
    """What came, in a few words."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {describe(part)}" for name, part in value.items()) + "}"
    return describe(value)
