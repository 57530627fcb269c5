"""Muon: momentum whose matrices are made orthogonal before each step (Jordan et al. 2024).

In a trial on the words of CMUdict it came to a given loss in about two thirds of the steps that AdamW took.
"""

from collections.abc import Iterable

import torch

# Coefficients of a quintic that takes singular values in (0, 1] to about 1 in five rounds (Jordan et al. 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Muon for the matrices of a model's blocks, AdamW for all else, with one learning rate.

    An update of a matrix is scaled to the size of AdamW's, 0.2 per entry (Liu et al. 2025, arXiv:2502.16982, section
    2.2), so that a learning rate for AdamW will do for both.

    Parameters
    ----------
    named_parameters : iterable of (str, Parameter)
        As of a `Transformer`. A matrix is one of two axes within `blocks`; queries, keys and values are three.
    lr : float
    weight_decay : float
        Decoupled; of the matrices alone.
    momentum, betas : float, (float, float)
        Of Muon and of AdamW.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
    ):
        matrices, others = [], []
        for name, parameter in named_parameters:
            (matrices if parameter.ndim == 2 and name.startswith("blocks.") else others).append(parameter)
        groups = [{"params": matrices, "momentum": momentum, "weight_decay": weight_decay}]
        groups += [{"params": others, "betas": betas}]
        super().__init__([group for group in groups if group["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if "momentum" in group:
                _orthogonal(moved, self.state, group)
            else:
                for parameter in moved:
                    _adam(parameter, parameter.grad, self.state[parameter], group)


def _orthogonal(matrices, states, group):
    """Matrices of one shape are made orthogonal together: on a GPU, what costs is how often something is started."""
    parts = {}  # shape -> all that have it, lying down
    for matrix in matrices:
        mean = states[matrix].setdefault("mean", torch.zeros_like(matrix)).lerp_(matrix.grad, 1 - group["momentum"])
        looking_ahead = matrix.grad.lerp(mean, group["momentum"])  # Nesterov
        for part in _parts(looking_ahead):
            parts.setdefault(_lying(part).shape, []).append(_lying(part))
    steps = {shape: iter(orthogonalised(torch.stack(alike))) for shape, alike in parts.items()}
    for matrix in matrices:
        matrix.mul_(1 - group["lr"] * group["weight_decay"])
        for part in _parts(matrix):
            rows, columns = part.shape
            step = next(steps[_lying(part).shape])
            part.add_(step.T if rows > columns else step, alpha=-0.2 * max(rows, columns) ** 0.5 * group["lr"])


def _parts(matrix):
    rows, columns = matrix.shape
    return matrix.chunk(3 if rows == 3 * columns else 1)  # queries, keys and values


def _lying(matrix):
    return matrix.T if matrix.shape[0] > matrix.shape[1] else matrix


def _adam(parameter, gradient, state, group):
    slow, fast = group["betas"]
    count = state.setdefault("count", torch.zeros(())).add_(1).item()
    mean = state.setdefault("mean", torch.zeros_like(parameter)).lerp_(gradient, 1 - slow)
    square = state.setdefault("square", torch.zeros_like(parameter)).lerp_(gradient.square(), 1 - fast)
    root = (square / (1 - fast**count)).sqrt_().add_(1e-8)
    parameter.addcdiv_(mean, root, value=-group["lr"] / (1 - slow**count))


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """About the nearest matrices [.., R, C] whose singular values are all 1: they come out between 0.7 and 1.2
    (Newton-Schulz).

    >>> matrix = torch.randn(8, 32, generator=torch.Generator().manual_seed(0))
    >>> bool((torch.linalg.svdvals(orthogonalised(matrix)) - 1).abs().max() < 0.4)
    True
    """
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
