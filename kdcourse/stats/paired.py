"""Two models on the same examples: intervals and tests for the gap between them that hold in the far tail too."""

import math

from scipy import special

from kdcourse._arguments import confidence_level, integer, not_negative, number
from kdcourse.stats.power import examples_needed, gap_power
from kdcourse.stats.tango import UNSEEN, checked_counts, checked_margin, lowest_gap, p_exceeds

__all__ = ["UNSEEN", "examples_needed", "gap_interval", "gap_p_values", "gap_power", "t_interval", "t_p_values"]


def gap_interval(only_a: int, only_b: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the gap in accuracy, (only_a - only_b) / n, between two models on the same examples.

    Parameters
    ----------
    only_a, only_b : int
        How many examples only the first, only the second model gets right.
    n : int
        How many examples there are in all, >= 1.
    confidence : float
        In (0, 1); beyond 1 - 2 UNSEEN the interval is all of [-1, 1].

    Returns
    -------
    low, high : float
        In [-1, 1]: from the smallest to the largest gap that the tests of `gap_p_values` do not reject at
        (1 - confidence) / 2. They reject every margin outside, and of those inside only some that are less than about
        one example, 1 / n, away from an end: counts are whole.

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    It covers the true gap at least as often as `confidence` says, to within 0.1 percentage points, for every n and
    however rarely the models differ: benchmarks/paired.py measures it. Of many examples it is Tango's (1998) interval.

    Examples
    --------
    >>> low, high = gap_interval(12, 4, 200)
    >>> round(low, 3), round(high, 3)
    (0.001, 0.085)
    """
    only_a, only_b, n = checked_counts(only_a, only_b, n)
    error = (1 - confidence_level(confidence)) / 2
    # 0.0 - x, so that an end at 0 is not -0.0.
    return lowest_gap(only_a, only_b, n, error), 0.0 - lowest_gap(only_b, only_a, n, error)


def gap_p_values(only_a: int, only_b: int, n: int, margin: float) -> tuple[float, float]:
    """Is the gap in accuracy, (only_a - only_b) / n, shown to lie above, or below, the margin?

    Parameters
    ----------
    only_a, only_b : int
        How many examples only the first, only the second model gets right.
    n : int
        How many examples there are in all, >= 1.
    margin : float
        In (-1, 1).

    Returns
    -------
    p_exceeds, p_within : float
        One-sided p-values, in [UNSEEN, 1]: of "the gap is at most the margin" and "the gap is at least the margin".
        Where the models never differ, both are 1 at margin 0.

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    Outcomes are ordered by Tango's score statistic (1998, Statistics in Medicine 17:891), at margin 0 McNemar's
    (b - c) / sqrt(b + c). Its normal approximation errs too often in the far tail, which a correction for many slices
    needs. So the p-value is the probability of so extreme an outcome where the gap is the margin (the worst case,
    Hsueh, Liu & Chen 2001, Biometrics 57:478), the largest over all shares of only_b (only_a for p_within) in their
    1 - UNSEEN confidence interval, plus UNSEEN (Berger & Boos 1994, JASA 89:1012; for pairs, Berger & Sidik 2003,
    doi:10.1191/0962280203sm312ra). If the hypothesis holds, a p-value of 0.01 or less turns up in at most 1 % of data
    sets, whatever n. What is computed is within 1 % of that p-value where counts go into the hundreds, and within
    0.1 % where they are smaller.

    Examples
    --------
    >>> exceeds, within = gap_p_values(12, 4, 200, 0.02)
    >>> exceeds > 0.05, within > 0.5
    (True, True)
    """
    only_a, only_b, n = checked_counts(only_a, only_b, n)
    margin = checked_margin(margin)
    return p_exceeds(only_a, only_b, n, margin), p_exceeds(only_b, only_a, n, 0.0 - margin)


def t_interval(mean: float, deviation: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the mean of n paired differences, by Student's t. Without spread it is the mean itself.

    Parameters
    ----------
    mean, deviation : float
        Of the differences, in their units; the deviation (n - 1 in its denominator) >= 0; both finite.
    n : int
        How many differences, >= 2.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Examples
    --------
    >>> t_interval(0.5, 0.0, 10)
    (0.5, 0.5)
    """
    mean, error, degrees = _moments(mean, deviation, n)
    reach = -special.stdtrit(degrees, (1 - confidence_level(confidence)) / 2) * error
    return float(mean - reach), float(mean + reach)


def t_p_values(mean: float, deviation: float, n: int, margin: float) -> tuple[float, float]:
    """Is the mean of n paired differences shown to lie above, or below, the margin? By Student's t.

    Parameters
    ----------
    mean, deviation, n
        As in `t_interval`.
    margin : float
        Finite, in the units of the mean.

    Returns
    -------
    p_exceeds, p_within : float
        One-sided p-values, in [0, 1]. Without spread they are 0 and 1, and both 1 at the margin itself.

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Examples
    --------
    >>> t_p_values(0.0, 1.0, 10, 0.0)
    (0.5, 0.5)
    """
    mean, error, degrees = _moments(mean, deviation, n)
    distance = mean - _finite("margin", margin)
    if error == 0:
        return float(distance <= 0), float(distance >= 0)
    return float(special.stdtr(degrees, -distance / error)), float(special.stdtr(degrees, distance / error))


def _finite(name, value):
    plain = number(name, value)
    if not math.isfinite(plain):
        raise ValueError(f"{name} must be finite, got {value}")
    return plain


def _moments(mean, deviation, n):
    mean, deviation = _finite("mean", mean), not_negative("deviation", deviation)
    n = integer("n", n, at_least=2)
    return mean, deviation / math.sqrt(n), n - 1
