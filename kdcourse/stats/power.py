"""How many examples show a gap between two models, and with what chance so many do."""

import math
from functools import lru_cache

import numpy as np
from scipy import special

from kdcourse._arguments import confidence_level, integer, number, share
from kdcourse.stats.tango import (
    binomial_tail,
    checked_counts,
    checked_margin,
    likely_counts,
    p_exceeds,
    restricted_variance,
)

MANY = 60  # where so many are expected that only b gets right, single counts no longer matter
NODES = 9


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
    only_a, only_b, n = checked_counts(only_a, only_b, n)
    margin, confidence, power = checked_margin(margin), confidence_level(confidence), confidence_level(power, "power")
    gap = (only_a - only_b) / n
    distance = abs(gap - margin)
    if distance < 1e-12:
        return math.inf
    expected = math.sqrt(float(restricted_variance(only_a, only_b, n, margin)))
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
    The chance is that of the test of `gap_p_values` itself: the smallest count of a that it rejects is looked up beside
    each likely count of b, or beside 9 of them and between these by a straight line, and summed over what the two
    counts may be. It is within 2 percentage points of simulation. Where more than 60 examples are expected that only b
    gets right, it is the normal approximation of `examples_needed`, within 2 points, too. `needed` comes from that
    approximation, moved so that it says of n examples what was computed for them.

    Examples
    --------
    >>> chance, needed = gap_power(0.02, 216, gap=0.06, margin=0.03)
    >>> round(chance, 2), needed
    (0.23, 966)
    """
    n, only_b = integer("n", n, at_least=1), share("only_b", only_b)
    gap, margin = number("gap", gap), checked_margin(margin)
    confidence, power = confidence_level(confidence), confidence_level(power, "power")
    if not (margin < gap and only_b + gap >= 0 and 2 * only_b + gap <= 1):
        raise ValueError(f"gap must lie above the margin {margin:g}, with shares from 0 to 1 in all, got {gap:g}")
    error, distance = (1 - confidence) / 2, gap - margin
    reach = -special.ndtri(error) * math.sqrt(float(restricted_variance((only_b + gap) * n, only_b * n, n, margin)))
    observed = math.sqrt(2 * only_b + gap - gap**2)
    if n * only_b > MANY or not observed:
        surplus = math.sqrt(n) * distance - reach
        chance = float(special.ndtr(surplus / observed)) if observed else float(surplus > 0)
    else:
        chance = _chance(only_b, n, gap, margin, error)
        if 1e-6 < chance < 1 - 1e-6:
            reach = math.sqrt(n) * distance - special.ndtri(chance) * observed
    needed = max(1, math.ceil((max(0.0, reach + special.ndtri(power) * observed) / distance) ** 2))
    return chance, needed


@lru_cache(maxsize=4096)
def _chance(only_b, n, gap, margin, error):
    """How often p_exceeds is at most `error`, summed over the counts."""
    given_b, step = likely_counts(n, only_b, only_b)
    weight = step * np.exp(
        special.gammaln(n + 1) - special.gammaln(given_b + 1) - special.gammaln(n - given_b + 1)
        + special.xlogy(given_b, only_b) + special.xlog1py(n - given_b, -only_b)
    )  # fmt: skip
    likely = given_b[weight > 1e-4]
    places = np.unique(np.linspace(likely[0], likely[-1], NODES).round())
    fewest, surplus = [], 0
    for b in places.astype(int).tolist():
        above = -special.ndtri(error) * math.sqrt(n * float(restricted_variance(b + n * margin, b, n, margin)))
        normal = math.ceil(b + n * margin + above)
        fewest.append(_fewest_rejected(b, n, margin, error, normal + surplus))
        surplus = fewest[-1] - normal  # hardly changes from one place to the next
    every_one = len(places) == len(likely)
    # Between two places the counts are not whole: half of one less, rounded up, is right on average.
    needed_a = np.interp(given_b, places, fewest) if every_one else np.ceil(np.interp(given_b, places, fewest) - 0.5)
    share_a = np.full(len(given_b), min(1.0, (only_b + gap) / (1 - only_b)))
    return float(min(1.0, (weight * binomial_tail(needed_a, n - given_b, share_a)).sum()))


def _fewest_rejected(b, n, margin, error, guess):
    """The smallest count of a that rejects beside b; one more than there can be if none does. In steps that double."""
    low, high, step = -1, n - b + 1, 1
    a = min(max(guess, 0), n - b)
    while high - low > 1:
        if p_exceeds(a, b, n, margin) <= error:
            high, a = a, a - step
        else:
            low, a = a, a + step
        step *= 2
        if not low < a < high:
            a = (low + high) // 2
    return high
