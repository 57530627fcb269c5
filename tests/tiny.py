"""What the tests of training share: fifty examples, what a teacher says of them, and a student with 8 hidden units."""

import pytest
import torch
from torch import nn

from kdcourse.data import DataSet, Split
from kdcourse.models import mlp

N, D, C = 50, 6, 4
QUIET = {"device": "cpu", "progress": False}


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


INPUTS, LABELS, LOGITS = numbers(N, D), numbers(N, C, seed=1).argmax(1), 3 * numbers(N, C, seed=2)


def student(dtype=torch.float32):
    return mlp((D, 8, C), seed=0).to(dtype)


def with_batch_norm_and_dropout():
    """A model whose modules are in different modes, on purpose."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(D, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, C))
    model.train()
    model[1].eval()
    model[3].eval()
    return model


def same(model, other):
    """Whether two models hold the same numbers, buffers included, to the last bit."""
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, others) for mine, others in pairs)


def close(model, other, rtol=1e-9, atol=1e-10):
    for mine, others in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, others, rtol=rtol, atol=atol)


def modes(model):
    return [module.training for module in model.modules()]


def refusals(name, *rows):
    """Parametrizes a test by values of an argument that are refused, the error, and what its message must match."""
    return pytest.mark.parametrize((name, "error", "message"), rows)


def tiny_data_set():
    """Six pictures in each split, of three classes, and what a teacher says about them."""
    generator = torch.Generator().manual_seed(0)
    parts = {
        name: Split(
            torch.tensor([0, 1, 2, 0, 1, 2]),
            torch.randn(6, 3, generator=generator),
            pixels=torch.randint(0, 255, (6, 784), generator=generator, dtype=torch.uint8),
        )
        for name in ("train", "validation", "test")
    }
    return DataSet("tiny", **parts, class_names=("hat", "sock", "glove"))
