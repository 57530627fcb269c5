"""Many students in one module."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from kdcourse._arguments import integer, integers
from kdcourse.models.networks import mlp


class StudentStack(nn.Module):
    """M students `mlp(sizes, seed)`, one per seed, as one set of tensors: a forward pass runs all, [B, D] -> [M, C, B].

    The batch comes last. All first layers then are ONE matrix product over the shared batch, every later layer is one
    batched product, and the softmax runs over axis 1, where it is much cheaper than over a short last axis.

    Parameters
    ----------
    sizes : sequence of int
        Layer widths from input to output, as in `mlp`.
    seeds : iterable of int
        M seeds, >= 0; student m starts with the weights of `mlp(sizes, seeds[m])`.
    ids : bool
        As in `mlp`: students of ids, [B, L] -> [M, C, B].

    Raises
    ------
    ValueError
        For a size or a seed that is none, or no seed at all.

    Examples
    --------
    >>> stack = StudentStack((784, 64, 10), seeds=range(8))
    >>> stack(torch.zeros(5, 784)).shape
    torch.Size([8, 10, 5])
    """

    def __init__(self, sizes: Sequence[int], seeds: Iterable[int], *, ids: bool = False):
        super().__init__()
        self.sizes, self.ids = integers("sizes", sizes, how_many=2), ids
        self.seeds = [integer("seeds", seed, at_least=0) for seed in seeds]
        if not self.seeds:
            raise ValueError("seeds must hold at least one seed, got none")
        students: list[Any] = [mlp(self.sizes, seed, ids=ids)[::2] for seed in self.seeds]
        layers = list(zip(*students, strict=True))
        # weights: [M, outputs, inputs] per layer, and [M, ids, outputs] for ids;  biases: [M, outputs, 1]
        self.weights = nn.ParameterList(torch.stack([one.weight.detach() for one in layer]) for layer in layers)
        self.biases = nn.ParameterList(
            torch.stack([one.bias.detach()[:, None] for one in layer]) for layer in layers[ids:]
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        weight, *later = self.weights
        biases = list(self.biases)
        if self.ids:
            outputs = _Means.apply(weight, inputs).transpose(1, 2)
        else:
            outputs = (weight.flatten(0, 1) @ inputs.T).unflatten(0, weight.shape[:2]) + biases.pop(0)
        for weight, bias in zip(later, biases, strict=True):
            outputs = torch.baddbmm(bias, weight, outputs.relu())
        return outputs

    def student(self, m: int) -> nn.Sequential:
        """Student m on its own: an `mlp` of the same sizes with a copy of its weights."""
        alone = mlp(self.sizes, seed=0, ids=self.ids).to(self.weights[0])
        layers: Any = alone[::2]
        with torch.no_grad():
            for layer, weight in zip(layers, self.weights, strict=True):
                layer.weight.copy_(weight[m])
            for layer, bias in zip(layers[self.ids :], self.biases, strict=True):
                layer.bias.copy_(bias[m, :, 0])
        return alone

    def __len__(self) -> int:
        return len(self.seeds)


class _Means(torch.autograd.Function):
    """Every student's mean vector of each row's ids, [M, B, H], from vectors [M, V, H] and ids [B, L].

    All students are one lookup in one long table. Each has a padding of its own there, so it is the shares that leave
    it out. The gradient is such a lookup too, of each id's rows; torch's own sorts the ids of every student for it, and
    takes several times as long.
    """

    @staticmethod
    def forward(ctx, vectors, ids):
        students, vocabulary, _ = vectors.shape
        real = (ids != 0).to(vectors.dtype)
        shares = real / real.sum(1, keepdim=True).clamp(min=1)
        ctx.save_for_backward(ids, shares)
        ctx.vocabulary = vocabulary
        rows = ids + vocabulary * torch.arange(students, device=ids.device)[:, None, None]
        starts = ids.shape[1] * torch.arange(students * len(ids), device=ids.device)
        return _sums(vectors, rows.flatten(), starts, shares).unflatten(0, (students, -1))

    @staticmethod
    def backward(ctx, gradient):
        ids, shares = ctx.saved_tensors
        student = torch.arange(len(gradient), device=ids.device)[:, None]
        ordered, places = ids.flatten().sort()
        starts = torch.searchsorted(ordered, torch.arange(ctx.vocabulary, device=ids.device, dtype=ids.dtype))
        rows = (places // ids.shape[1] + len(ids) * student).flatten()
        sums = _sums(gradient, rows, (starts + ids.numel() * student).flatten(), shares.flatten()[places])
        return sums.unflatten(0, (len(gradient), -1)), None


def _sums(vectors, rows, starts, shares):
    """Weighted sums of rows of vectors [M, R, H], one from each start to the next; all students share the weights."""
    weights = shares.flatten().repeat(len(vectors))
    return F.embedding_bag(rows, vectors.flatten(0, 1), starts, mode="sum", per_sample_weights=weights)
