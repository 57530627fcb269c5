"""Networks that take inputs as `[N, D]`: perceptrons, and small residual CNNs."""

from collections.abc import Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import nn

from kdcourse._arguments import integers
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
            torch.default_generator.manual_seed(int(seed))
        yield
