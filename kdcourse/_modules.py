"""Borrow an nn.Module and give it back as it was found: its device, the mode of every module in it, the generators."""

import contextlib

import torch

from kdcourse._arguments import describe


@contextlib.contextmanager
def visiting(model, device):
    """Move `model` to a device inside a `with`, and back afterwards."""
    home = home_of(model)
    model.to(device)
    try:
        yield
    finally:
        model.to(home)


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
def drawing_from(seed, device):
    """Seed what a model itself draws (dropout) inside a `with`, and put the generators back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield


def classes_of(model, name, inputs):
    """How many logits `model` gives for an input. ValueError, naming the argument, if it cannot take `inputs`."""
    with in_mode(model, training=False), torch.no_grad():
        try:
            return model(inputs[:1].to(home_of(model))).shape[1]
        except RuntimeError as error:
            raise ValueError(f"{name} must fit the model, got {describe(inputs)}: {error}") from error


def home_of(model):
    """The device that the parameters of `model` are on."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
