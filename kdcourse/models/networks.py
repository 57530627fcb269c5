"""Students and teachers. A student is a plain multilayer perceptron; a teacher is a small residual CNN.

Both take inputs as `[N, D]`, so that the same loop trains either. A student of texts takes the ids of their n-grams,
`[N, L]`. `StudentStack` is many students in one.
"""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from kdcourse._arguments import integer, integers, positive
from kdcourse._process import GENERATOR, generator_kept


def mlp(sizes: Sequence[int], seed: int | None = None, *, ids: bool = False) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers, [N, sizes[0]] -> [N, sizes[-1]].

    Parameters
    ----------
    sizes : sequence of int
        Layer widths from input to output: (784, 64, 10) has one hidden layer of 64, (784, 10) is a linear model.
    seed : int, optional
        Initial weights as after `torch.manual_seed(seed)`, the global generator left alone. None: draw from it.
    ids : bool
        Take ids instead, int32 or int64 [N, L] in [0, sizes[0]): the first layer is the mean of the vectors of a row's
        ids, without a bias (Joulin et al. 2016, section 2). Id 0 pads and does not count; the mean of no ids is 0.

    Raises
    ------
    ValueError
        For fewer than two sizes, or one that is not a positive integer.

    Examples
    --------
    >>> mlp((784, 64, 10), seed=0)(torch.zeros(5, 784)).shape
    torch.Size([5, 10])
    >>> mlp((4097, 64, 26), seed=0, ids=True)(torch.tensor([[7, 4096, 0], [5, 0, 0]])).shape
    torch.Size([2, 26])
    """
    sizes = integers("sizes", sizes, how_many=2)
    with _seeded(seed):
        layers: list[nn.Module] = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            bag = ids and not layers
            layer = nn.EmbeddingBag(inputs, outputs, mode="mean", padding_idx=0) if bag else nn.Linear(inputs, outputs)
            layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


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
            # The copy is small, and the large product beside it is faster for it.
            columns = inputs.T.contiguous()
            outputs = (weight.flatten(0, 1) @ columns).unflatten(0, weight.shape[:2]) + biases.pop(0)
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


class Residual(nn.Module):
    """x + two 3×3 convolutions of x, each with batch norm and ReLU; the shape stays (He et al. 2016, section 3.2)."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def cnn(
    channels: Sequence[int] = (32, 64, 128),
    image: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    seed: int | None = None,
) -> nn.Sequential:
    """A small residual network, [N, prod(image)] -> [N, classes]: the course's teacher for images.

    Parameters
    ----------
    channels : sequence of int
        Width of the stem and of each later stage; every later stage halves the picture (stride 2).
    image : (int, int, int)
        Channels, height and width that the flat inputs are folded back into.
    classes : int
    seed : int, optional
        As in `mlp`.

    Raises
    ------
    ValueError
        For no channels, or a number of them that is not a positive integer.

    Examples
    --------
    >>> cnn((4, 8), seed=0)(torch.zeros(2, 784)).shape
    torch.Size([2, 10])
    """
    channels = integers("channels", channels, how_many=1)
    with _seeded(seed):
        layers = [nn.Unflatten(1, tuple(image)), _convolution(image[0], channels[0])]
        for inputs, outputs in zip(channels, channels[1:], strict=False):
            layers += [_convolution(inputs, outputs, stride=2), Residual(outputs)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes)]
    # Channels last is the layout that the CPU's convolution kernels work in; they need not reorder then.
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def count_parameters(model: nn.Module) -> int:
    """How many trainable numbers `model` holds; a parameter shared by two layers counts once.

    >>> count_parameters(mlp((784, 64, 10)))
    50890
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def width_for_ratio(
    ratio: float, teacher_parameters: float, inputs: int = 784, classes: int = 10, hidden_layers: int = 1
) -> int:
    """The hidden width at which an MLP student is `ratio` times smaller than its teacher, as nearly as widths allow.

    Parameters
    ----------
    ratio : float
        > 0: 10 means a tenth of the teacher's parameters.
    teacher_parameters : int
        `count_parameters(teacher)`.
    inputs, classes, hidden_layers : int
        The student's shape otherwise.

    Returns
    -------
    int
        The width whose parameter count is nearest to teacher_parameters / ratio, at least 1.

    Raises
    ------
    ValueError
        For a number that is not positive, or if even one hidden unit is more than twice too large.

    Examples
    --------
    >>> width_for_ratio(10, teacher_parameters=555_178)
    70
    """
    ratio, teacher_parameters = positive("ratio", ratio), positive("teacher_parameters", teacher_parameters)
    for name, value in [("inputs", inputs), ("classes", classes), ("hidden_layers", hidden_layers)]:
        integer(name, value, at_least=1)
    target = teacher_parameters / ratio

    def size(width):
        return inputs * width + width + (hidden_layers - 1) * (width * width + width) + width * classes + classes

    if size(1) > 2 * target:
        raise ValueError(
            f"ratio must leave room for one hidden unit, got {ratio}: "
            f"{target:.0f} parameters, while width 1 has {size(1)}"
        )
    low, high = 1, 2
    while size(high) < target:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < target else (low, middle)
    return min((low, high), key=lambda width: abs(size(width) - target))


def channels_for_ratio(
    ratio: float,
    teacher_parameters: float,
    channels: Sequence[int] = (32, 64, 128),
    image_channels: int = 1,
    classes: int = 10,
) -> tuple[int, ...]:
    """The channels at which a `cnn` is `ratio` times smaller than its teacher, as nearly as one scale for all allows.

    Parameters
    ----------
    ratio : float
        > 0: 10 means a tenth of the teacher's parameters.
    teacher_parameters : int
        `count_parameters(teacher)`.
    channels : sequence of int
        The teacher's; every stage of the student has the same share of them, rounded, and at least one channel.
    image_channels, classes : int
        The student's shape otherwise.

    Returns
    -------
    tuple of int
        The channels whose parameter count is nearest to teacher_parameters / ratio.

    Raises
    ------
    ValueError
        For a number that is not positive, or if even one channel in each stage is more than twice too large.

    Examples
    --------
    >>> channels_for_ratio(10, teacher_parameters=count_parameters(cnn()))
    (10, 20, 40)
    """
    ratio, teacher_parameters = positive("ratio", ratio), positive("teacher_parameters", teacher_parameters)
    channels = integers("channels", channels, how_many=1)
    target = teacher_parameters / ratio

    def scaled(scale):
        return tuple(max(1, round(scale * one)) for one in channels)

    def size(widths):
        # A convolution has 9 weights for each pair of channels, and batch norm a scale and a shift for each channel.
        stages = [9 * (a * b + 2 * b * b) + 3 * 2 * b for a, b in pairwise(widths)]
        return 9 * image_channels * widths[0] + 2 * widths[0] + sum(stages) + (widths[-1] + 1) * classes

    if size(scaled(0)) > 2 * target:
        raise ValueError(
            f"ratio must leave room for one channel in each stage, got {ratio}: "
            f"{target:.0f} parameters, while that has {size(scaled(0))}"
        )
    low, high = 0.0, 1.0
    while size(scaled(high)) < target:
        high *= 2
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if size(scaled(middle)) < target else (low, middle)
    return min((scaled(low), scaled(high)), key=lambda widths: abs(size(widths) - target))


def _convolution(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


@contextmanager
def _seeded(seed):
    """Seed torch's CPU generator inside a `with`, and put it back afterwards; with None, do nothing."""
    with GENERATOR, nullcontext() if seed is None else generator_kept():
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield
