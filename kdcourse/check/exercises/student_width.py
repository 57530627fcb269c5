"""The exercise `student_width`."""

import math
from bisect import bisect_left

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _size(width, inputs, classes):
    """Weights and biases of inputs → width → classes."""
    return inputs * width + width + width * classes + classes


def _nearest(size, target):
    """The width whose `size(width)` is nearest to the target; the smaller one of two equally near, and at least 1."""
    above = 1 + bisect_left(range(1, 10**9), target, key=size)
    return above if above == 1 or size(above) - target < target - size(above - 1) else above - 1


def _width(size=_size, target=lambda ratio, teacher, inputs, classes: teacher / ratio):
    """The answer, with another way to count or another count to reach."""

    def answer(ratio, teacher_parameters, inputs, classes):
        wanted = target(ratio, teacher_parameters, inputs, classes)
        return _nearest(lambda width: size(width, inputs, classes), wanted)

    return answer


def _exact(ratio, teacher_parameters, inputs, classes):
    """The width as a fraction: the one that has exactly as many parameters as asked for."""
    return (teacher_parameters / ratio - classes) / (inputs + 1 + classes)


def _of_the_teacher(teacher_parameters, inputs, classes):
    """The width that the teacher would have, were it a network of the same kind."""
    return _exact(1, teacher_parameters, inputs, classes)


def _at_least_one(rounded):
    """A bug, with and without the floor of 1."""
    return (lambda *case: max(1, rounded(*case))), rounded


def _sizes(generator):
    """Nowhere near a tie: what a float makes of one is not what is asked."""
    while True:
        inputs, classes = (int(torch.randint(*ends, (), generator=generator)) for ends in ((8, 200), (2, 20)))
        teacher_parameters = int(torch.randint(20_000, 200_000, (), generator=generator))
        ratio = round(2 + 38 * float(torch.rand((), generator=generator)), 1)
        exact = _exact(ratio, teacher_parameters, inputs, classes)
        if exact > 3 and abs(exact % 1 - 0.5) > 0.02:
            return ratio, teacher_parameters, inputs, classes


_down, _up, _half_up = (
    _at_least_one(lambda *case, how=how: how(_exact(*case)))
    for how in (math.floor, math.ceil, lambda width: math.floor(width + 0.5))
)

student_width = Exercise(
    "student_width",
    lesson="04_student_size",
    order=1,
    reference=_width(),
    inputs=_sizes,
    small=[(5, 250, 4, 4), (20, 1000, 3, 10), (10, 800, 3, 4), (4, 60, 3, 10)],
    praise="Now sizes can be asked for by ratio, and be compared at equal numbers of parameters.",
    hints=[
        "How many parameters should the student have? And how many has one with `width` hidden units?",
        "A layer from n to m has n · m weights and m biases. There are two: inputs → width → classes.",
        "Each hidden unit brings inputs + 1 + classes numbers; another `classes` biases are there whatever the width.",
        "exact = (teacher_parameters / ratio - classes) / (inputs + 1 + classes). Take the nearest integer, the "
        "smaller one of two equally near, and at least 1: max(1, math.ceil(exact - 0.5))",
    ],
    bugs={
        "a float": Bug(
            lambda *case: float(_width()(*case)), "The number is right, but it is a float. nn.Linear wants an int."
        ),
        "biases forgotten": Bug(
            _width(lambda width, i, c: i * width + width * c),
            "The biases are not counted: there is one for each hidden unit, and one for each class.",
        ),
        "hidden biases forgotten": Bug(
            _width(lambda width, i, c: i * width + width * c + c),
            "The biases of the hidden units are not counted: there are `width` of them.",
        ),
        "output biases forgotten": Bug(
            _width(lambda width, i, c: i * width + width + width * c),
            "The biases of the output layer are not counted: there are `classes` of them, whatever the width.",
        ),
        "output layer forgotten": Bug(
            _width(lambda width, i, c: i * width + width),
            "The output layer is not counted: width · classes weights, and classes biases.",
            _width(lambda width, i, c: i * width),
        ),
        "input layer forgotten": Bug(
            _width(lambda width, i, c: width * c + c),
            "The layer from the inputs is not counted: inputs · width weights, and width biases.",
            _width(lambda width, i, c: width * c),
        ),
        "two hidden layers": Bug(
            _width(lambda width, i, c: _size(width, i, c) + width * width + width),
            "You count two hidden layers. This student has one: inputs → width → classes.",
        ),
        "multiplied by the ratio": Bug(
            _width(target=lambda r, p, i, c: p * r),
            "That student is `ratio` times larger than the teacher. Divide by the ratio.",
        ),
        "ratio ignored": Bug(
            _width(target=lambda r, p, i, c: p), "That student is as large as its teacher: the ratio has no effect."
        ),
        "ratio of the widths": Bug(
            _width(target=lambda r, p, i, c: _of_the_teacher(p, i, c) / r * (i + 1 + c) + c),
            "You divide a width by the ratio. The output biases do not shrink with the width, so this is not the "
            "ratio of the parameters.",
        ),
        "square root of the ratio": Bug(
            _width(target=lambda r, p, i, c: _of_the_teacher(p, i, c) / r**0.5 * (i + 1 + c) + c),
            "You divide by the square root of the ratio. With one hidden layer between fixed ends, the parameters grow "
            "with the width, not with its square.",
        ),
        "rounded down": Bug(
            _down[0], "You always round down. The nearest count is asked for, and it may lie above.", _down[1]
        ),
        "rounded up": Bug(_up[0], "You always round up. The nearest count is asked for, and it may lie below.", _up[1]),
        "not rounded": Bug(
            _exact,
            "A layer has a whole number of units. Take the nearest integer, at least 1.",
            lambda *case: max(1, _exact(*case)),
        ),
        "no hidden unit": Bug(
            lambda *case: math.ceil(_exact(*case) - 0.5),
            "A width of 0 comes out where the student should be tiny. A network needs one hidden unit: max(1, …).",
            lambda *case: round(_exact(*case)),
            _half_up[1],
        ),
        "the larger of two": Bug(
            _half_up[0],
            "Two widths come equally near here, and you take the larger one. The smaller one is asked for. "
            "(Python's round goes to the even one.)",
            lambda *case: max(1, round(_exact(*case))),
        ),
        "the number of parameters": Bug(
            lambda r, p, i, c: round(p / r),
            "That is a number of parameters. Which hidden width leads to teacher_parameters / ratio of them?",
            lambda r, p, i, c: p / r,
            lambda r, p, i, c: int(p / r),
            lambda r, p, i, c: _size(_width()(r, p, i, c), i, c),
        ),
    },
    rules=[
        Rule(lambda width, *case: width >= 1, "A network needs at least one hidden unit."),
        Rule(
            lambda width, r, p, i, c: all(
                abs(_size(float(width), i, c) - p / r) <= abs(_size(other, i, c) - p / r)
                for other in (float(width) + 1, float(width) - 1)
                if other >= 1
            ),
            "One unit more or less comes nearer to teacher_parameters / ratio. Count your parameters by hand.",
        ),
    ],
)
