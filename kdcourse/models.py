"""Students and teachers. A student is a plain multilayer perceptron; a teacher is a small residual CNN.

Both take inputs as `[N, D]`, so that the same loop trains either.
"""

from contextlib import contextmanager

import torch
from torch import nn

from kdcourse._arguments import integer, integers, positive


def mlp(sizes, seed=None):
    """A multilayer perceptron with ReLU between its layers.

    sizes    layer widths from input to output: (784, 64, 10) has one hidden layer of 64
    seed     initial weights as after `torch.manual_seed(seed)`, the global generator left alone; None: draw from it
    returns  nn.Sequential, `[N, sizes[0]]` -> `[N, sizes[-1]]`

    Raises ValueError if there are fewer than two sizes or one is not a positive integer.
    """
    sizes = integers("sizes", sizes, how_many=2)
    with _seeded(seed):
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """x + two 3×3 convolutions of x, each with batch norm and ReLU; the shape stays (He et al. 2016, section 3.2)."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, x):
        return x + self.body(x)


def cnn(channels=(32, 64, 128), image=(1, 28, 28), classes=10, seed=None):
    """A small residual network: the course's teacher for images.

    channels  width of the stem and of each later stage; every later stage halves the picture (stride 2)
    image     (channels, height, width) that the flat inputs are folded back into
    seed      as in `mlp`
    returns   nn.Sequential, `[N, prod(image)]` -> `[N, classes]`
    """
    channels = integers("channels", channels, how_many=1)
    with _seeded(seed):
        layers = [nn.Unflatten(1, tuple(image)), _convolution(image[0], channels[0])]
        for inputs, outputs in zip(channels, channels[1:], strict=False):
            layers += [_convolution(inputs, outputs, stride=2), Residual(outputs)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes)]
    # Channels last is the layout that the CPU's convolution kernels work in; they need not reorder then.
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def count_parameters(model):
    """How many trainable numbers `model` (an nn.Module) holds; a parameter shared by two layers counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def width_for_ratio(ratio, teacher_parameters, inputs=784, classes=10, hidden_layers=1):
    """The hidden width at which an MLP student is `ratio` times smaller than its teacher, as nearly as widths allow.

    ratio               > 0: 10 means a tenth of the teacher's parameters
    teacher_parameters  `count_parameters(teacher)`
    returns             the width whose parameter count is nearest to teacher_parameters / ratio, at least 1

    Raises ValueError if a number is not positive, or if even one hidden unit is more than twice too large.
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


def _convolution(inputs, outputs, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


@contextmanager
def _seeded(seed):
    """Seed torch's CPU generator inside a `with`, and put it back afterwards; with None, do nothing."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield
