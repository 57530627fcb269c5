"""How large a student is that is so many times smaller than its teacher."""

from collections.abc import Sequence
from itertools import pairwise

from kdcourse._arguments import integer, integers, positive


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
    >>> channels_for_ratio(10, teacher_parameters=463_594)
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
