"""Smaller models without training: single weights set to zero, or whole units cut out."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils import prune

from kdcourse._arguments import share as checked_share
from kdcourse.models import Residual
from kdcourse.ship.answering import check_model


def prune_weights(model: nn.Module, share: float) -> nn.Module:
    """A copy in which the smallest weights of all layers together are zero (Han et al. 2015), by torch's own masks.

    The copy has the shapes of the model: it is no smaller on disk and no faster, unless something packs its zeros.

    Parameters
    ----------
    model : nn.Module
    share : float
        Of the weights of nn.Linear, nn.Conv2d and nn.EmbeddingBag, in [0, 1); biases and other layers stay.

    Returns
    -------
    nn.Module

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> pruned = prune_weights(nn.Linear(10, 4), 0.25)
    >>> int((pruned.weight == 0).sum())
    10
    """
    check_model("model", model)
    share, model = _below_1(share), copy.deepcopy(model)
    layers = [part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d | nn.EmbeddingBag)]
    if not layers:
        raise ValueError(f"model must have a layer with weights, got none in {type(model).__name__}")
    weights = [(layer, "weight") for layer in layers]
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch flattens no other
    prune.global_unstructured(weights, pruning_method=prune.L1Unstructured, amount=share)
    for layer in layers:
        prune.remove(layer, "weight")
    return _channels_last(model)


def prune_units(model: nn.Sequential, share: float) -> nn.Sequential:
    """A smaller model: hidden units, or channels, with the smallest weights are cut out (Li et al. 2017, section 3).

    In every layer the same share goes. A unit's size is the sum of its incoming absolute weights. Channels that
    residual blocks add to one another go together, and their size is the sum over the layers that write them.

    Parameters
    ----------
    model : nn.Sequential
        As `models.mlp` or `models.cnn` makes it.
    share : float
        Of the units of each hidden layer, in [0, 1); at least one unit stays.

    Returns
    -------
    nn.Sequential
        The model is left as it is.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; TypeError for layers other than those of `mlp` and `cnn`.

    Examples
    --------
    >>> from kdcourse.models import mlp
    >>> [tuple(weights.shape) for weights in prune_units(mlp((784, 64, 10)), 0.75).parameters()]
    [(16, 784), (16,), (10, 16), (10,)]
    """
    check_model("model", model)
    share, model = _below_1(share), copy.deepcopy(model)
    with torch.no_grad():
        for group in list(_groups(model)):
            size = sum(_outputs_first(layer).abs().flatten(1).sum(1) for layer in group.writers)
            stay = size.topk(max(1, round((1 - share) * len(size)))).indices.sort().values
            for layer in group.writers:
                if isinstance(layer, nn.EmbeddingBag):  # whose vectors are its rows
                    _cut(layer, ["weight"], stay, axis=1)
                else:
                    _cut(layer, ["weight", "bias"], stay)
            for norm in group.norms:
                _cut(norm, ["weight", "bias", "running_mean", "running_var"], stay)
            for layer in group.readers:
                _cut(layer, ["weight"], stay, axis=1)
    model.apply(_tell_sizes)
    return _channels_last(model)


def _channels_last(model):
    """The model, with the layout that `cnn` makes and that cutting and masking lose."""
    has_pictures = any(isinstance(layer, nn.Conv2d) for layer in model.modules())
    return model.to(memory_format=torch.channels_last) if has_pictures else model


class _Group(NamedTuple):
    """Units that go together: the layers that write them, their batch norms, and the layers that read them."""

    writers: list[nn.Module]
    norms: list[nn.Module]
    readers: list[nn.Module]


def _groups(model) -> Iterator[_Group]:
    stream = _Group([], [], [])
    for layer in _flat(model):
        if isinstance(layer, Residual) and stream.writers:
            first, second = ([part for part in half if not isinstance(part, nn.ReLU)] for half in layer.body)
            stream.readers.append(first[0])
            stream.writers.append(second[0])
            stream.norms.append(second[1])
            yield _Group([first[0]], [first[1]], [second[0]])
        elif isinstance(layer, nn.Linear | nn.Conv2d | nn.EmbeddingBag):
            if stream.writers:
                stream.readers.append(layer)
                yield stream
            stream = _Group([layer], [], [])
        elif isinstance(layer, nn.BatchNorm2d) and stream.writers:
            stream.norms.append(layer)
        elif not isinstance(layer, nn.ReLU | nn.Unflatten | nn.AdaptiveAvgPool2d | nn.Flatten):
            raise TypeError(f"model must be made of the layers of mlp and cnn, got {type(layer).__name__}")


def _flat(model):
    if not isinstance(model, nn.Sequential):
        yield model
        return
    for part in model:
        yield from _flat(part)


def _outputs_first(layer):
    return layer.weight.T if isinstance(layer, nn.EmbeddingBag) else layer.weight


def _cut(layer, names, stay, axis=0):
    for name in names:
        tensor = getattr(layer, name)
        if tensor is not None:
            kept = tensor.index_select(axis, stay)
            setattr(layer, name, nn.Parameter(kept, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else kept)


def _tell_sizes(layer):
    """The sizes that a layer says of itself, from its weights."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = layer.weight.shape[:2]
    elif isinstance(layer, nn.EmbeddingBag):
        layer.embedding_dim = layer.weight.shape[1]
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = len(layer.running_mean)


def _below_1(share):
    if checked_share("share", share) == 1:
        raise ValueError(f"share must be below 1, got {share}")
    return float(share)
