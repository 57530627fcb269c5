"""The exercise `paired_interval`."""

import torch
from scipy import special

from kdcourse.check.core import Bug, Exercise, Rule

_Z = 1.96


def _around(middle, half):
    return middle, middle - half, middle + half


def _difference(teacher_right, student_right):
    return teacher_right.double() - student_right.double()


def _interval(half=lambda d: _Z * d.std() / len(d) ** 0.5, gap=lambda d: d.mean(), of=_difference):
    """The answer, with another half-width, another gap or another difference `d`, a number for each example."""
    return lambda teacher_right, student_right: _around(
        *(part(of(teacher_right, student_right)) for part in (gap, half))
    )


def _unpaired(half, gap=lambda t, s: t - s):
    """The answer, with a half-width made of the two accuracies and the number of examples."""

    def answer(teacher_right, student_right):
        t, s = teacher_right.double().mean(), student_right.double().mean()
        return _around(gap(t, s), half(t, s, len(teacher_right)))

    return answer


def _error(p, n, lost=0):
    """The standard error of an accuracy."""
    return (p * (1 - p) / (n - lost)) ** 0.5


def _both(t, s, n, lost=0):
    return (_error(t, n, lost) ** 2 + _error(s, n, lost) ** 2) ** 0.5


def _where_they_differ(d):
    return d[d != 0]


def _answers(generator):
    """Two models that get most examples right, often the same ones, and not always."""
    while True:
        n = int(torch.randint(20, 200, (), generator=generator))
        difficulty = torch.rand(n, generator=generator)
        teacher, student = (difficulty + 0.3 * torch.rand(n, generator=generator) > cut for cut in (0.25, 0.4))
        if len(_where_they_differ(_difference(teacher, student)).unique()) == 2:
            return teacher, student


def _right(*values):
    return torch.tensor(values).bool()


paired_interval = Exercise(
    "paired_interval",
    lesson="05_sliced_evaluation",
    order=1,
    reference=_interval(),
    inputs=_answers,
    small=[
        (_right(1, 1, 1, 1, 1, 0, 0, 0), _right(1, 1, 1, 0, 0, 0, 0, 0)),
        (_right(1, 0, 1, 0, 1), _right(1, 1, 1, 1, 0)),
    ],
    praise="What both models find easy or hard drops out, and what is left is where they differ.",
    hints=[
        "The two models saw the same examples. What can be computed for each example, before any mean is taken?",
        "difference = teacher_right.double() - student_right.double() is 1, 0 or −1. The gap is its mean.",
        "How far a mean of N numbers may be off follows from their spread: 1.96 · s / √N, with s = difference.std().",
        "gap = difference.mean(); half = 1.96 * difference.std() / len(difference) ** 0.5; "
        "return gap, gap - half, gap + half",
    ],
    bugs={
        "unpaired": Bug(
            _unpaired(lambda t, s, n: _Z * _both(t, s, n)),
            "You add the variances of the two accuracies, as if each model had its own examples. They share them: take "
            "the difference for each example first.",
            _unpaired(lambda t, s, n: _Z * _both(t, s, n, 1)),
        ),
        "two intervals subtracted": Bug(
            _unpaired(lambda t, s, n: _Z * (_error(t, n) + _error(s, n))),
            "You subtract the ends of two intervals. The gap has one of its own, from the differences.",
            _unpaired(lambda t, s, n: _Z * (_error(t, n, 1) + _error(s, n, 1))),
        ),
        "one model only": Bug(
            _unpaired(lambda t, s, n: _Z * _error(t, n, 1), lambda t, s: t),
            "That is an interval for the accuracy of one model. The gap between the two is asked for.",
            _unpaired(lambda t, s, n: _Z * _error(t, n), lambda t, s: t),
            _unpaired(lambda t, s, n: _Z * _error(s, n), lambda t, s: s),
            _unpaired(lambda t, s, n: _Z * _error(s, n, 1), lambda t, s: s),
        ),
        "width of one model": Bug(
            _unpaired(lambda t, s, n: _Z * _error(t, n)),
            "The gap is right, but its width is that of one model's accuracy. Use the spread of the differences.",
            _unpaired(lambda t, s, n: _Z * _error(t, n, 1)),
            _unpaired(lambda t, s, n: _Z * _error(s, n)),
            _unpaired(lambda t, s, n: _Z * _error(s, n, 1)),
        ),
        "spread of single examples": Bug(
            _interval(lambda d: _Z * d.std()),
            "That is how far single differences spread. The mean of N of them is √N times as certain: divide by √N.",
        ),
        "divided by N": Bug(
            _interval(lambda d: _Z * d.std() / len(d)), "You divide s by N. The uncertainty of a mean shrinks with √N."
        ),
        "variance": Bug(
            _interval(lambda d: _Z * d.var() / len(d) ** 0.5),
            "You use the variance s². The width is made of its root, the standard deviation.",
            _interval(lambda d: _Z * d.var() / len(d)),
            _interval(lambda d: _Z * d.var()),
        ),
        "divided by N in s": Bug(
            _interval(lambda d: _Z * d.std(correction=0) / len(d) ** 0.5),
            "Your s divides by N, as np.std does. For a sample, divide by N − 1: torch's std, or ddof=1 in NumPy.",
            _interval(lambda d: _Z * d.std() / (len(d) - 1) ** 0.5),
        ),
        "mean not removed": Bug(
            _interval(lambda d: _Z * d.square().mean().sqrt() / len(d) ** 0.5),
            "Your s is the root of the mean square. A standard deviation is measured from the mean, the gap.",
            _interval(lambda d: _Z * (d.square().sum() / (len(d) - 1)).sqrt() / len(d) ** 0.5),
        ),
        "sign": Bug(
            _interval(of=lambda t, s: _difference(s, t)),
            "The sign: the gap is the teacher's accuracy minus the student's, positive where the student is worse.",
        ),
        "differences without their sign": Bug(
            _interval(of=lambda t, s: _difference(t, s).abs()),
            "You count how often the two models differ, whoever is right. Where only the student is, it counts −1.",
            _interval(lambda d: _Z * d.abs().std() / len(d) ** 0.5),
        ),
        "size of the gap": Bug(
            _interval(gap=lambda d: d.mean().abs()),
            "You drop the sign of the gap. A student may be better than its teacher; then the gap is negative.",
        ),
        "examples where they differ only": Bug(
            _interval(of=lambda t, s: _where_they_differ(_difference(t, s))),
            "You leave out the examples on which both are right, or both wrong. They count, with a difference of 0.",
            _interval(lambda d: _Z * d.std() / len(_where_they_differ(d)) ** 0.5),
        ),
        "1.645": Bug(
            _interval(lambda d: 1.645 * d.std() / len(d) ** 0.5),
            "1.645 is the factor of a 90 % interval. For 95 % it is 1.96: 2.5 % are left out on each side.",
        ),
        "2.576": Bug(
            _interval(lambda d: 2.576 * d.std() / len(d) ** 0.5),
            "2.576 is the factor of a 99 % interval. For 95 % it is 1.96.",
            _interval(lambda d: 2.5758 * d.std() / len(d) ** 0.5),
        ),
        "no factor": Bug(
            _interval(lambda d: d.std() / len(d) ** 0.5),
            "That is one standard error to each side, an interval of about 68 %. For 95 %, multiply by 1.96.",
        ),
        "2": Bug(_interval(lambda d: 2 * d.std() / len(d) ** 0.5), "2 is the factor rounded. Use 1.96 here."),
        "Student's t": Bug(
            _interval(lambda d: -special.stdtrit(len(d) - 1, 0.025) * d.std() / len(d) ** 0.5),
            "That is the interval of Student's t, a little wider with few examples. Use 1.96 here.",
        ),
        "percent": Bug(
            lambda *both: tuple(100 * end for end in _interval()(*both)),
            "These are points in percent. Return shares: 0.02 for 2 points.",
        ),
        "around zero": Bug(
            lambda *both: (_interval()(*both)[0], *_around(0, _interval(gap=lambda d: 0)(*both)[2])[1:]),
            "The interval lies around 0. It lies around the gap: gap − half, gap + half.",
            lambda *both: (_interval()(*both)[0], *[_interval(gap=lambda d: 0)(*both)[2]] * 2),
        ),
        "ends exchanged": Bug(
            lambda *both: tuple(_interval()(*both)[k] for k in (0, 2, 1)),
            "The ends are exchanged: return gap, low, high.",
        ),
        "another order": Bug(
            lambda *both: tuple(_interval()(*both)[k] for k in (1, 0, 2)),
            "These are the right numbers in another order: return gap, low, high.",
            lambda *both: tuple(_interval()(*both)[k] for k in (1, 2, 0)),
        ),
    },
    rules=[
        Rule(
            lambda found, t, s: abs(found[0] - _difference(t, s).mean()) < 1e-4,
            "The first number is not the gap: the share that the teacher gets right minus the student's.",
        ),
        Rule(
            lambda found, *both: found[1] <= found[0] <= found[2],
            "The gap is right, but it does not lie between the two ends. Return gap, low, high.",
        ),
        Rule(
            lambda found, *both: abs(found[1] + found[2] - 2 * found[0]) < 2e-4,
            "The gap should lie in the middle: as far from low as from high.",
        ),
        Rule(
            lambda found, t, s: abs(found[2] - _interval()(t, s)[2]) < 2e-4,
            "The gap is right, and the width is not: 1.96 · s / √N to each side, with s from the N differences.",
        ),
    ],
)
