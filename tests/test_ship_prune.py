"""Pruned models, against models in which what goes has no effect, and against sorting."""

import copy

import pytest
import torch
from tiny import C, D, numbers, refusals, same
from torch import nn

from kdcourse.models import cnn, count_parameters, mlp
from kdcourse.ship import multiply_adds, prune_units, prune_weights

IMAGE = (1, 8, 8)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_the_smallest_weights_of_all_layers_together_become_zero(share):
    model = cnn((4, 6), image=IMAGE, classes=C, seed=0)
    before, pruned = copy.deepcopy(model), prune_weights(model, share)
    assert same(model, before)
    assert pruned.state_dict().keys() == model.state_dict().keys()  # no masks are left
    weights = [name for name, tensor in model.state_dict().items() if tensor.ndim > 1]
    flat = torch.cat([model.state_dict()[name].flatten() for name in weights])
    limit = flat.abs().sort().values[round(share * len(flat))]
    for name, tensor in model.state_dict().items():
        kept = tensor if name not in weights else torch.where(tensor.abs() < limit, 0.0, tensor)
        assert torch.equal(pruned.state_dict()[name], kept), name


def without_effect(model, layers, norms, units):
    """Make these units of some layers answer nothing, whatever they are given."""
    for layer in layers:
        layer.weight.data[units] = 0
        if layer.bias is not None:
            layer.bias.data[units] = 0
    for norm in norms:
        norm.bias.data[units] = 0


def stirred(model, seed=0):
    """The model with batch norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight.data, part.bias.data, part.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return model.eval()


def test_units_of_a_perceptron_that_have_no_effect_go_first():
    model, inputs = mlp((D, 8, 12, C), seed=0), numbers(20, D)
    without_effect(model, [model[0]], [], [1, 2, 5, 7])
    without_effect(model, [model[2]], [], [0, 3, 4, 8, 9, 11])
    before, smaller = copy.deepcopy(model), prune_units(model, 0.5)
    assert same(model, before)
    torch.testing.assert_close(smaller(inputs), model(inputs))
    assert str(smaller) == str(mlp((D, 4, 6, C)))
    assert count_parameters(smaller) == count_parameters(mlp((D, 4, 6, C)))


def test_units_of_a_model_that_takes_ids_go_with_their_column():
    model = mlp((30, 8, C), seed=0, ids=True)
    model[0].weight.data[:, [0, 2, 3, 6]] = 0
    rows = torch.randint(0, 30, (9, 5), generator=torch.Generator().manual_seed(0))
    smaller = prune_units(model, 0.5)
    torch.testing.assert_close(smaller(rows), model(rows))
    assert str(smaller) == str(mlp((30, 4, C), ids=True))


def test_channels_that_have_no_effect_go_first_through_residual_blocks_too():
    model, inputs = stirred(cnn((4, 6, 8), image=IMAGE, classes=C, seed=0)), numbers(20, 64)
    stem, *stages = model[1], model[2:4], model[4:6]
    without_effect(model, [stem[0]], [stem[1]], [1, 3])
    for (down, residual), stream, inner in zip(
        stages, ([0, 2, 5], [1, 2, 3, 7]), ([1, 3, 4], [0, 4, 5, 6]), strict=True
    ):
        first, second = residual.body
        # What is added to the stream and what it starts from go together: one is nothing, and the other is too.
        without_effect(model, [down[0], second[0]], [down[1], second[1]], stream)
        without_effect(model, [first[0]], [first[1]], inner)
        for norm in (down[1], first[1], second[1]):
            norm.running_mean.zero_()
    stem[1].running_mean.zero_()
    smaller = prune_units(model, 0.5)
    torch.testing.assert_close(smaller(inputs), model(inputs))
    like = cnn((2, 3, 4), image=IMAGE, classes=C, seed=0)
    assert {name: tensor.shape for name, tensor in smaller.state_dict().items()} == {
        name: tensor.shape for name, tensor in like.state_dict().items()
    }
    assert str(smaller) == str(like)
    assert multiply_adds(smaller, inputs) == multiply_adds(like, inputs)
    smaller.train()(inputs).sum().backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())
    assert not any(parameter is other for parameter in smaller.parameters() for other in model.parameters())


@pytest.mark.parametrize(("share", "width"), [(0.0, 10), (0.26, 7), (0.99, 1)])
def test_a_share_of_units_stays_and_at_least_one(share, width):
    assert prune_units(mlp((D, 10, C), seed=0), share)[0].out_features == width


@pytest.mark.parametrize("prune", [prune_units, prune_weights])
@refusals(
    "arguments",
    ({"model": len}, TypeError, "model must be an nn.Module, got builtin_function_or_method"),
    ({"share": 1}, ValueError, "share must be below 1, got 1"),
    ({"share": -0.1}, ValueError, r"share must be in \[0, 1\], got -0.1"),
)
def test_pruning_names_what_it_refuses(prune, arguments, error, message):
    with pytest.raises(error, match=message):
        prune(**{"model": mlp((D, C), seed=0), "share": 0.5} | arguments)


def test_other_layers_are_refused():
    with pytest.raises(TypeError, match="model must be made of the layers of mlp and cnn, got Dropout"):
        prune_units(nn.Sequential(nn.Linear(D, 4), nn.Dropout(), nn.Linear(4, C)), 0.5)
    with pytest.raises(ValueError, match="model must have a layer with weights, got none in ReLU"):
        prune_weights(nn.ReLU(), 0.5)
