"""The engine of `kdcourse.stats.paired`: Tango's statistic, and the tail of its distribution in the worst case."""

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from kdcourse._arguments import integer, number

UNSEEN = 1e-8
"""How often the share that a gap leaves open may lie outside its confidence interval: part of every p-value here."""


def restricted_variance(only_a, only_b, n, gap):
    """Of one example's difference, if the gap is `gap`: its discordance by restricted maximum likelihood (Tango)."""
    if gap < 0:
        only_a, only_b, gap = only_b, only_a, -gap
    linear = (2 * n - only_a + only_b) * gap - only_a - only_b
    product = 2 * only_b * gap * (1 - gap)
    root = np.sqrt(linear * linear + 4 * n * product)
    # Two forms of the larger root of 2n · share² + linear · share − product / 2: in each sign of `linear` one cancels.
    share_b = np.where(linear > 0, product / np.where(linear > 0, linear + root, 1), (root - linear) / (4 * n))
    return 2 * share_b + gap * (1 - gap)


def score(only_a, only_b, n, gap):
    """Tango's z of "the gap is `gap`", for counts or arrays of counts; 0 for 0 / 0."""
    variance = restricted_variance(only_a, only_b, n, gap)
    above = only_a - only_b - n * gap
    return np.divide(above, np.sqrt(n * variance), out=np.zeros(np.shape(above)), where=variance > 0)


def smallest_as_extreme(only_a, only_b, n, gap, given_b):
    """For each count in given_b, the smallest count of a at which z is at least the observed one; more if none is."""
    observed = score(only_a, only_b, n, gap)
    observed = observed - 1e-9 * (1 + abs(observed))
    most = n - given_b + 1
    guess = np.full_like(given_b, only_a)
    for _ in range(3):
        variance = restricted_variance(guess, given_b, n, gap)
        guess = np.clip(np.ceil(given_b + n * gap + observed * np.sqrt(n * variance)), 0, most - 1)
    # z grows with the count of a (Barnard's convexity): bisect, between neighbours of the guess where that holds.
    low, high = np.maximum(guess - 2, 0), np.minimum(guess + 2, most)
    low = np.where(score(low, given_b, n, gap) >= observed, 0, low)
    high = np.where(score(high, given_b, n, gap) >= observed, high, most)
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        extreme = score(middle, given_b, n, gap) >= observed
        low, high = np.where(extreme, low, np.minimum(middle + 1, high)), np.where(extreme, middle, high)
    return high


@lru_cache(maxsize=4096)
def p_exceeds(only_a, only_b, n, margin):
    lowest, highest = _plausible_shares(only_b, n, margin)
    if lowest > highest:
        return UNSEEN
    given_b, step = likely_counts(n, lowest, highest)
    ways = special.gammaln(n + 1) - special.gammaln(given_b + 1) - special.gammaln(n - given_b + 1)
    needed_a = smallest_as_extreme(only_a, only_b, n, margin, given_b)

    def tails(shares_b):
        column = shares_b[:, None]
        weight = step * np.exp(ways + special.xlogy(given_b, column) + special.xlog1py(n - given_b, -column))
        shares_a = np.clip(np.minimum(shares_b + margin, 1 - shares_b) / np.maximum(1 - shares_b, 1e-300), 0, 1)
        which, where = np.nonzero(weight > 1e-13)
        tail = binomial_tail(needed_a[where], n - given_b[where], shares_a[which])
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


def likely_counts(n, lowest, highest):
    """Counts that shares from lowest to highest make likely, and the step between them, so that there are few.

    Where the step is more than 1, the sum over all counts is a trapezoid rule with 8 points a standard deviation.
    """
    below, above = (math.sqrt(n * share * (1 - share)) for share in (lowest, highest))
    step = max(1, int(min(below, above) / 8))
    first = max(0, math.floor(n * lowest - 7.5 * below))
    last = min(n, math.ceil(n * highest + 7.5 * above + 15))
    return np.arange(first, last + 1, step, dtype=np.float64), step


def binomial_tail(at_least, n, share):
    inside = (at_least >= 1) & (at_least <= n)
    tail = special.betainc(np.where(inside, at_least, 1), np.where(inside, n - at_least + 1, 1), share)
    return np.where(inside, tail, at_least < 1)


@lru_cache(maxsize=4096)
def lowest_gap(only_a, only_b, n, error):
    """The smallest gap that p_exceeds does not reject at `error`."""
    quantile = special.ndtri(error)

    def surplus(gap):  # on the normal scale, on which it is nearly straight
        return special.ndtri(min(p_exceeds(only_a, only_b, n, gap), 1 - 1e-15)) - quantile

    def z_surplus(gap):
        return float(score(float(only_a), float(only_b), n, gap)) + quantile

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


def checked_counts(only_a, only_b, n):
    n = integer("n", n, at_least=1)
    only_a, only_b = integer("only_a", only_a, at_least=0), integer("only_b", only_b, at_least=0)
    if only_a + only_b > n:
        raise ValueError(f"only_a + only_b must be in [0, {n}], got {only_a} + {only_b}")
    return only_a, only_b, n


def checked_margin(margin):
    plain = number("margin", margin)
    if not -1 < plain < 1:
        raise ValueError(f"margin must be in (-1, 1), got {margin}")
    return plain
