"""Two models on the same examples: intervals and tests for the gap between them that hold in the far tail too."""

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from kdcourse._arguments import confidence_level, integer, not_negative, number, share

__all__ = ["UNSEEN", "examples_needed", "gap_interval", "gap_p_values", "gap_power", "t_interval", "t_p_values"]

UNSEEN = 1e-8
"""How often the share that a gap leaves open may lie outside its confidence interval: part of every p-value here."""


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
    only_a, only_b, n = _counts(only_a, only_b, n)
    error = (1 - confidence_level(confidence)) / 2
    # 0.0 - x, so that an end at 0 is not -0.0.
    return _lowest_gap(only_a, only_b, n, error), 0.0 - _lowest_gap(only_b, only_a, n, error)


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
    only_a, only_b, n = _counts(only_a, only_b, n)
    margin = _margin(margin)
    return _p_exceeds(only_a, only_b, n, margin), _p_exceeds(only_b, only_a, n, 0.0 - margin)


def examples_needed(
    only_a: int, only_b: int, n: int, margin: float, confidence: float = 0.95, power: float = 0.8
) -> float:
    """How many examples, in all, show on which side of the margin the gap is, if it stays as it was observed.

    Parameters
    ----------
    only_a, only_b, n : int
        As in `gap_p_values`.
    margin : float
        In (-1, 1).
    confidence : float
        Of the interval that is to leave the margin out, in (0, 1).
    power : float
        How often it is to do so, in (0, 1).

    Returns
    -------
    int, or math.inf where the observed gap is the margin

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    By the normal approximation, with Tango's (1998) restricted variance under the margin and the observed one
    beside it.

    Examples
    --------
    >>> examples_needed(12, 4, 200, 0.0)
    391
    """
    only_a, only_b, n = _counts(only_a, only_b, n)
    margin, confidence, power = _margin(margin), confidence_level(confidence), confidence_level(power, "power")
    gap = (only_a - only_b) / n
    distance = abs(gap - margin)
    if distance < 1e-12:
        return math.inf
    expected = math.sqrt(float(_variance(only_a, only_b, n, margin)))
    observed = math.sqrt(max(0.0, (only_a + only_b) / n - gap**2))
    reach = -special.ndtri((1 - confidence) / 2) * expected + special.ndtri(power) * observed
    return max(1, math.ceil((max(0.0, reach) / distance) ** 2))


def gap_power(
    only_b: float, n: int, gap: float, margin: float, confidence: float = 0.95, power: float = 0.8
) -> tuple[float, int]:
    """The chance that n examples show a true gap to lie above the margin, and how many show it with a power of 80 %.

    Parameters
    ----------
    only_b : float
        The share of examples that only the second model gets right, in [0, 1]; that of the first is by `gap` larger.
    n : int
        How many examples there are, >= 1.
    gap, margin : float
        In (-1, 1); the gap is the larger one.
    confidence : float
        Of the interval that is to leave the margin out, in (0, 1).
    power : float
        In (0, 1), for the second number.

    Returns
    -------
    chance : float
    needed : int

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    As in `examples_needed`, of which this is the plan before there are data.

    Examples
    --------
    >>> chance, needed = gap_power(0.02, 216, gap=0.06, margin=0.03)
    >>> round(chance, 2), needed
    (0.32, 802)
    """
    n, only_b = integer("n", n, at_least=1), share("only_b", only_b)
    gap, margin = number("gap", gap), _margin(margin)
    confidence, power = confidence_level(confidence), confidence_level(power, "power")
    if not (margin < gap and only_b + gap >= 0 and 2 * only_b + gap <= 1):
        raise ValueError(f"gap must lie above the margin {margin:g}, with shares from 0 to 1 in all, got {gap:g}")
    expected = math.sqrt(float(_variance((only_b + gap) * n, only_b * n, n, margin)))
    observed = math.sqrt(2 * only_b + gap - gap**2)
    reach, distance = -special.ndtri((1 - confidence) / 2) * expected, gap - margin
    chance = special.ndtr((math.sqrt(n) * distance - reach) / observed) if observed else float(math.sqrt(n) > reach)
    needed = max(1, math.ceil((max(0.0, reach + special.ndtri(power) * observed) / distance) ** 2))
    return float(chance), needed


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


def _variance(only_a, only_b, n, gap):
    """Of one example's difference, if the gap is `gap`: its discordance by restricted maximum likelihood (Tango)."""
    if gap < 0:
        only_a, only_b, gap = only_b, only_a, -gap
    linear = (2 * n - only_a + only_b) * gap - only_a - only_b
    product = 2 * only_b * gap * (1 - gap)
    root = np.sqrt(linear * linear + 4 * n * product)
    # Two forms of the larger root of 2n · share² + linear · share − product / 2: in each sign of `linear` one cancels.
    share_b = np.where(linear > 0, product / np.where(linear > 0, linear + root, 1), (root - linear) / (4 * n))
    return 2 * share_b + gap * (1 - gap)


def _score(only_a, only_b, n, gap):
    """Tango's z of "the gap is `gap`", for counts or arrays of counts; 0 for 0 / 0."""
    variance = _variance(only_a, only_b, n, gap)
    above = only_a - only_b - n * gap
    return np.divide(above, np.sqrt(n * variance), out=np.zeros(np.shape(above)), where=variance > 0)


def _smallest_as_extreme(only_a, only_b, n, gap, given_b):
    """For each count in given_b, the smallest count of a at which z is at least the observed one; more if none is."""
    observed = _score(only_a, only_b, n, gap)
    observed = observed - 1e-9 * (1 + abs(observed))
    most = n - given_b + 1
    guess = np.full_like(given_b, only_a)
    for _ in range(3):
        variance = _variance(guess, given_b, n, gap)
        guess = np.clip(np.ceil(given_b + n * gap + observed * np.sqrt(n * variance)), 0, most - 1)
    # z grows with the count of a (Barnard's convexity): bisect, between neighbours of the guess where that holds.
    low, high = np.maximum(guess - 2, 0), np.minimum(guess + 2, most)
    low = np.where(_score(low, given_b, n, gap) >= observed, 0, low)
    high = np.where(_score(high, given_b, n, gap) >= observed, high, most)
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        extreme = _score(middle, given_b, n, gap) >= observed
        low, high = np.where(extreme, low, np.minimum(middle + 1, high)), np.where(extreme, middle, high)
    return high


@lru_cache(maxsize=4096)
def _p_exceeds(only_a, only_b, n, margin):
    lowest, highest = _plausible_shares(only_b, n, margin)
    if lowest > highest:
        return UNSEEN
    given_b, step = _likely_counts(n, lowest, highest)
    ways = special.gammaln(n + 1) - special.gammaln(given_b + 1) - special.gammaln(n - given_b + 1)
    needed_a = _smallest_as_extreme(only_a, only_b, n, margin, given_b)

    def tails(shares_b):
        column = shares_b[:, None]
        weight = step * np.exp(ways + special.xlogy(given_b, column) + special.xlog1py(n - given_b, -column))
        shares_a = np.clip(np.minimum(shares_b + margin, 1 - shares_b) / np.maximum(1 - shares_b, 1e-300), 0, 1)
        which, where = np.nonzero(weight > 1e-13)
        tail = _binomial_tail(needed_a[where], n - given_b[where], shares_a[which])
        return np.bincount(which, weight[which, where] * tail, len(shares_b))

    # Look for the largest by the angle of the smaller share, since the bumps lie where its count is small; then closer.
    surplus_b = max(0.0, -margin)
    low, high = (math.asin(math.sqrt(max(0.0, share - surplus_b))) for share in (lowest, highest))
    rare = _is_rare(only_b, n, margin)
    angles, largest = np.linspace(low, high, 17 if rare else 7), 0.0
    for _ in range(3 if rare else 1):
        found = tails(np.sin(angles) ** 2 + surplus_b)
        best = int(found.argmax())
        largest = max(largest, float(found[best]))
        angles = np.linspace(angles[max(best - 1, 0)], angles[min(best + 1, len(angles) - 1)], 7)
    return min(1.0, largest + UNSEEN)


def _plausible_shares(only_b, n, margin):
    """(lowest, highest) share of only_b to look at for "the gap is at most the margin"; lowest > highest if none is."""
    low = special.betaincinv(only_b, n - only_b + 1, UNSEEN / 2) if only_b > 0 else 0.0
    high = special.betainccinv(only_b + 1, n - only_b, UNSEEN / 2) if only_b < n else 1.0
    # A gap of at most the margin needs a share of at least -margin. The worst share of only_a beside it is the largest,
    # share + margin; beyond (1 - margin) / 2 that is 1 - share, and the tail shrinks.
    low = max(float(low), -margin)
    return low, min(float(high), max(low, (1 - margin) / 2))


def _is_rare(only_b, n, margin):
    """Is so little expected of one of the two counts, at worst, that single ones matter?"""
    return n * (_plausible_shares(only_b, n, margin)[0] + min(0.0, margin)) < 20


def _likely_counts(n, lowest, highest):
    """Counts that shares from lowest to highest make likely, and the step between them, so that there are few.

    Where the step is more than 1, the sum over all counts is a trapezoid rule with 8 points a standard deviation.
    """
    below, above = (math.sqrt(n * share * (1 - share)) for share in (lowest, highest))
    step = max(1, int(min(below, above) / 8))
    first = max(0, math.floor(n * lowest - 7.5 * below))
    last = min(n, math.ceil(n * highest + 7.5 * above + 15))
    return np.arange(first, last + 1, step, dtype=np.float64), step


def _binomial_tail(at_least, n, share):
    inside = (at_least >= 1) & (at_least <= n)
    tail = special.betainc(np.where(inside, at_least, 1), np.where(inside, n - at_least + 1, 1), share)
    return np.where(inside, tail, at_least < 1)


@lru_cache(maxsize=4096)
def _lowest_gap(only_a, only_b, n, error):
    """The smallest gap that p_exceeds does not reject at `error`."""
    quantile = special.ndtri(error)

    def surplus(gap):  # on the normal scale, on which it is nearly straight
        return special.ndtri(min(_p_exceeds(only_a, only_b, n, gap), 1 - 1e-15)) - quantile

    def z_surplus(gap):
        return float(_score(float(only_a), float(only_b), n, gap)) + quantile

    almost = 1 - 1e-9
    guess = optimize.brentq(z_surplus, -almost, almost, xtol=1e-9) if z_surplus(-almost) > 0 > z_surplus(almost) else 0
    reach = max((only_a - only_b) / n - guess, 1e-3 / n)
    low = high = min(max(guess, -almost), almost)
    step = reach / 8
    while low > -almost and surplus(low) > 0:
        low, step = max(low - step, -almost), 2 * step
    step = reach / 8
    while high < almost and surplus(high) <= 0:
        high, step = min(high + step, almost), 2 * step
    if surplus(low) > 0:
        return -1.0
    tolerance = 1e-3 * reach
    root = optimize.brentq(surplus, low, high, xtol=tolerance) - tolerance
    if not _is_rare(only_b, n, root):
        return max(-1.0, root)
    # Counts are whole, so p_exceeds is a saw-tooth of the margin, of period 1 / n: one tooth more, looked at 7 times.
    below = np.maximum(root - np.arange(9) / (7 * n), -1)
    not_rejected = [place for place, gap in enumerate(below[:-1]) if gap > -almost and surplus(gap) > 0]
    return float(below[max(not_rejected, default=-1) + 1])


def _counts(only_a, only_b, n):
    n = integer("n", n, at_least=1)
    only_a, only_b = integer("only_a", only_a, at_least=0), integer("only_b", only_b, at_least=0)
    if only_a + only_b > n:
        raise ValueError(f"only_a + only_b must be in [0, {n}], got {only_a} + {only_b}")
    return only_a, only_b, n


def _margin(margin):
    plain = number("margin", margin)
    if not -1 < plain < 1:
        raise ValueError(f"margin must be in (-1, 1), got {margin}")
    return plain


def _finite(name, value):
    plain = number(name, value)
    if not math.isfinite(plain):
        raise ValueError(f"{name} must be finite, got {value}")
    return plain


def _moments(mean, deviation, n):
    mean, deviation = _finite("mean", mean), not_negative("deviation", deviation)
    n = integer("n", n, at_least=2)
    return mean, deviation / math.sqrt(n), n - 1
