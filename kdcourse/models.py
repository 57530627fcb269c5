"""Students and teachers. A student is a plain multilayer perceptron; a teacher is a small residual CNN.

Both take inputs as `[N, D]`, so that the same loop trains either. `StudentStack` is many students in one.
"""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise

import torch
from torch import nn

from kdcourse._arguments import integer, integers, positive
from kdcourse._process import GENERATOR, generator_kept


def mlp(sizes: Sequence[int], seed: int | None = None) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers, [N, sizes[0]] -> [N, sizes[-1]].

    Parameters
    ----------
    sizes : sequence of int
        Layer widths from input to output: (784, 64, 10) has one hidden layer of 64.
    seed : int, optional
        Initial weights as after `torch.manual_seed(seed)`, the global generator left alone. None: draw from it.

    Raises
    ------
    ValueError
        For fewer than two sizes, or one that is not a positive integer.

    Examples
    --------
    >>> mlp((784, 64, 10), seed=0)(torch.zeros(5, 784)).shape
    torch.Size([5, 10])
    """
    sizes = integers("sizes", sizes, how_many=2)
    with _seeded(seed):
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
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

    def __init__(self, sizes: Sequence[int], seeds: Iterable[int]):
        super().__init__()
        self.sizes = integers("sizes", sizes, how_many=2)
        self.seeds = [integer("seeds", seed, at_least=0) for seed in seeds]
        if not self.seeds:
            raise ValueError("seeds must hold at least one seed, got none")
        students = [[layer for layer in mlp(self.sizes, seed) if isinstance(layer, nn.Linear)] for seed in self.seeds]
        layers = list(zip(*students, strict=True))
        # weights: [M, outputs, inputs] per layer;  biases: [M, outputs, 1]
        self.weights = nn.ParameterList(torch.stack([one.weight.detach() for one in layer]) for layer in layers)
        self.biases = nn.ParameterList(torch.stack([one.bias.detach()[:, None] for one in layer]) for layer in layers)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        first, *later = zip(self.weights, self.biases, strict=True)
        weight, bias = first
        # The copy is small, and the large product beside it is faster for it.
        columns = inputs.T.contiguous()
        outputs = (weight.flatten(0, 1) @ columns).unflatten(0, weight.shape[:2]) + bias
        for weight, bias in later:
            outputs = torch.baddbmm(bias, weight, outputs.relu())
        return outputs

    def student(self, m: int) -> nn.Sequential:
        """Student m on its own: an `mlp(sizes)` with a copy of its weights."""
        alone = mlp(self.sizes, seed=0).to(self.weights[0])
        linear = [layer for layer in alone if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(linear, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[m])
                layer.bias.copy_(bias[m, :, 0])
        return alone

    def __len__(self) -> int:
        return len(self.seeds)


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
