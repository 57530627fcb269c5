"""The exercise `examples_needed`."""

import math

import torch
from scipy import special

from kdcourse.check.core import Bug, Exercise, Rule

_REACH = 1.96 + 0.84  # for 95 % confidence, two-sided, and 80 % power


def _spread(disagree, gap):
    """Standard deviation of one example's difference."""
    return (disagree - gap**2) ** 0.5


def _square(reach=_REACH, spread=_spread, distance=lambda gap, max_gap: gap - max_gap):
    """The answer before it is rounded, with another factor, another deviation or another distance."""
    return lambda share, gap, limit: (reach * spread(share, gap) / distance(gap, limit)) ** 2


def _or(otherwise, formula=_square(), whole=math.ceil):  # noqa: B008
    """A formula, rounded, and what comes back where the gap is expected to be the limit."""
    return lambda disagree, gap, max_gap: otherwise if gap == max_gap else float(whole(formula(disagree, gap, max_gap)))


def _bug(formula, message, *others):
    """A mistake that is recognised rounded and not, with the usual way out where the gap is the limit."""
    functions = [_or(torch.inf, one, how) for one in (formula, *others) for how in (math.ceil, lambda n: n)]
    return Bug(functions[0], message, *functions[1:])


def _shares(generator):
    """Numbers of examples that do not hang on the last digits: what rounding makes of those is not what is asked.

    Five digits, because with two or three a wrong formula often gives a whole number, up to the last bit of a float.
    """
    while True:
        a, b, c = torch.rand(3, generator=generator).tolist()
        disagree, max_gap = round(0.02 + 0.3 * a, 5), (0.01, 0.02, 0.03, 0.05)[int(4 * c)]
        gap = round((1.6 * b - 0.8) * disagree, 5)
        if torch.rand((), generator=generator) < 0.15 and max_gap < disagree:
            return disagree, max_gap, max_gap
        if gap != max_gap:
            n = _square()(disagree, gap, max_gap)
            if 20 < n < 3000 and 0.1 < n % 1 < 0.9:
                return disagree, gap, max_gap


examples_needed = Exercise(
    "examples_needed",
    lesson="05_sliced_evaluation",
    order=2,
    reference=_or(torch.inf),
    inputs=_shares,
    small=[(0.1, 0.07, 0.02), (0.3, 0.2, 0.05), (0.07, -0.02, 0.03), (0.06, 0.0, 0.03), (0.08, 0.02, 0.02)],
    praise="Ask it before an audit: it says which slices can get a verdict at all.",
    hints=[
        "What makes it hard to tell the gap from max_gap: how much single examples spread, and how near the two are.",
        "An example's difference is 1, −1 or 0. The mean of its square is `disagree`, so s² = disagree − gap².",
        "The distance |gap − max_gap| has to be (1.96 + 0.84) standard errors s/√n. Solve for n, and round up. "
        "And if there is no distance? Infinity.",
        'if gap == max_gap: return float("inf"). '
        "Otherwise: math.ceil((2.8 * (disagree - gap**2) ** 0.5 / (gap - max_gap)) ** 2)",
    ],
    bugs={
        "no power": _bug(
            _square(1.96),
            "1.96 alone leaves the power at a half: the test would decide as often as not. For 80 %, add 0.84.",
        ),
        "no confidence": _bug(
            _square(0.84), "0.84 stands for the power alone. The confidence of 95 % has its 1.96: add the two."
        ),
        "one-sided": _bug(
            _square(1.645 + 0.84), "1.645 is for a one-sided test at 5 %. Two-sided confidence of 95 % takes 1.96."
        ),
        "factors squared one by one": _bug(
            _square((1.96**2 + 0.84**2) ** 0.5), "You add the squares of 1.96 and 0.84. Add first, then square."
        ),
        "factors multiplied": _bug(
            _square(1.96 * 0.84),
            "You multiply 1.96 by 0.84. Add them: the distance has to cover both, one after the other.",
        ),
        "square forgotten": _bug(
            lambda share, gap, limit: _square()(share, gap, limit) ** 0.5,
            "That is √n: the square is missing. Half the distance takes four times as many examples.",
            lambda share, gap, limit: _REACH * _spread(share, gap) / (gap - limit),
        ),
        "distance not squared": _bug(
            lambda share, gap, limit: _REACH**2 * _spread(share, gap) ** 2 / (gap - limit),
            "The distance is not squared, so that n is negative where gap is below max_gap. Square the whole fraction.",
            lambda share, gap, limit: _REACH**2 * _spread(share, gap) ** 2 / abs(gap - limit),
            lambda share, gap, limit: _square()(share, gap, limit) * (1 if gap > limit else -1),
        ),
        "factor not squared": _bug(
            lambda share, gap, limit: _square()(share, gap, limit) / _REACH,
            "The factor (1.96 + 0.84) is not squared. Square the whole fraction.",
        ),
        "s not squared": _bug(
            lambda share, gap, limit: _square()(share, gap, limit) / _spread(share, gap),
            "s is not squared in your fraction. Square all of it: factor, s and distance.",
        ),
        "s² squared again": _bug(
            _square(spread=lambda share, gap: share - gap**2),
            "You take the variance s² for s, and square it again. s is its root.",
        ),
        "gap left in s²": _bug(
            _square(spread=lambda share, gap: share**0.5),
            "Your s² is `disagree`, the mean of the squared differences. Take the squared mean off: disagree − gap².",
        ),
        "gap not squared in s²": _bug(
            _square(spread=lambda share, gap: (share - gap) ** 0.5),
            "You take gap off `disagree`, where gap² is due: s² = disagree − gap².",
        ),
        "variance of one share": _bug(
            _square(spread=lambda share, gap: (share * (1 - share)) ** 0.5),
            "p · (1 − p) is the variance of a yes or no, such as one model's accuracy. A difference is 1, −1 or 0: "
            "s² = disagree − gap².",
            _square(spread=lambda share, gap: (2 * share * (1 - share)) ** 0.5),
        ),
        "compared with 0": Bug(
            lambda share, gap, limit: (
                torch.inf if gap in (0, limit) else math.ceil(_square()(share, gap, 0)) if gap else torch.nan
            ),
            "You ask how many examples show that there is a gap at all. Compare it with max_gap: gap − max_gap.",
            lambda share, gap, limit: math.ceil(_square()(share, gap, 0)) if gap else torch.inf,
            lambda share, gap, limit: _square()(share, gap, 0) if gap else torch.inf,
        ),
        "max_gap for the distance": _bug(
            _square(distance=lambda gap, limit: limit),
            "You divide by max_gap. What has to be seen is the distance between gap and max_gap.",
        ),
        "added": _bug(
            _square(distance=lambda gap, limit: gap + limit),
            "You add gap and max_gap. Their distance is the difference.",
        ),
        "upside down": _bug(
            lambda share, gap, limit: 1 / _square()(share, gap, limit),
            "The fraction is upside down: a small distance takes many examples, so it belongs below.",
        ),
        "not rounded": Bug(_or(torch.inf, whole=lambda n: n), "There is no part of an example. Round up."),
        "rounded down": Bug(
            _or(torch.inf, whole=math.floor),
            "You round down, and so fall short of the power by a little. Round up.",
            _or(torch.inf, whole=lambda n: math.floor(n) + 2),
        ),
        "rounded to the nearest": Bug(
            _or(torch.inf, whole=round), "You round to the nearest number, which may fall short. Round up."
        ),
        "more digits": Bug(
            _or(torch.inf, _square(special.ndtri(0.975) + special.ndtri(0.8))),
            "Your factors have more digits than 1.96 and 0.84. That is finer, but then n differs a little: use these.",
        ),
        "0 for never": Bug(
            _or(0.0),
            "Where gap is max_gap, no number of examples decides: return infinity. 0 would mean that none is needed.",
            _or(-1.0),
            _or(torch.nan),
            _or(-torch.inf),
            _or(1.0),
        ),
        "never below max_gap": Bug(
            lambda share, gap, limit: _or(torch.inf)(share, gap, limit) if gap > limit else torch.inf,
            "Infinity comes back where gap is below max_gap. That can be shown as well, and the slice passes then.",
            lambda share, gap, limit: _or(torch.inf)(share, gap, limit) if gap > limit else 0.0,
        ),
    },
    rules=[
        Rule(lambda n, *case: n > 0, "A number of examples is positive."),
        Rule(lambda n, *case: bool(torch.isinf(n)) or n == n.round(), "There is no part of an example: round up."),
        Rule(
            lambda n, share, gap, limit: gap != limit or torch.isinf(n),
            "The gap is expected to be max_gap here. No number of examples tells on which side it is: infinity.",
        ),
        Rule(
            lambda n, *case: case[1] == case[2] or n > _square(1.96)(*case),
            "With so few, the interval would leave max_gap out less than half of the time.",
        ),
    ],
)
