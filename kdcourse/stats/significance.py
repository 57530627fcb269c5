"""Tests of many hypotheses at once, and how many pairs a test needs."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from kdcourse._arguments import confidence_level, integer, not_negative, number
from kdcourse.stats.bootstrap import with_examples
from kdcourse.stats.columns import values


def holm(p_values: ArrayLike) -> np.ndarray:
    """P-values adjusted for how many there are, so that the whole family errs with 5 % at 0.05 (Holm 1979).

    Parameters
    ----------
    p_values : array_like [m]
        In [0, 1], of m tests, in any dependence.

    Returns
    -------
    numpy.ndarray [m]
        In [0, 1], in the same order: reject where it is at most the error allowed for the family.

    Raises
    ------
    ValueError
        For values outside [0, 1], for none at all, and for more than one dimension.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = values("p_values", p_values, at_least=1)
    outside = p_values[(p_values < 0) | (p_values > 1)]
    if len(outside):
        raise ValueError(f"p_values must be in [0, 1], got {outside[0]}")
    order = p_values.argsort()
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(np.arange(len(order), 0, -1) * p_values[order]).clip(max=1)
    return adjusted


def detectable_difference(
    deviation: float,
    n: int,
    *,
    confidence: float = 0.95,
    power: float = 0.8,
    example_deviation: float = 0.0,
    examples: int | None = None,
) -> float:
    """The smallest true difference that n pairs show as significant with this power (noncentral t; Cohen 1988, ch. 2).

    Parameters
    ----------
    deviation : float
        Standard deviation of the paired differences, >= 0, finite.
    n : int
        How many independent pairs, >= 2. For pairs that share seeds: how many clusters, with the deviation of the
        cluster means.
    confidence : float
        Of the interval that `compare` will give, in (0, 1).
    power : float
        How often the interval is to leave 0 out, in (1 - confidence, 1).
    example_deviation : float
        Standard deviation, over test examples, of what an example adds to the difference of every pair; >= 0, finite.
        From a comparison of a trial: its `example_error` times the root of its examples.
    examples : int, optional
        How many test examples, >= 2, each of them in every pair. Needed with `example_deviation`.

    Returns
    -------
    float
        In the units of the deviations.

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    Few examples set a limit that no number of pairs gets below. Two models that disagree on a share q of the examples,
    and whose accuracies differ by g, have an `example_deviation` of sqrt(q - g²) (McNemar 1947): at least
    sqrt(g - g²), since q is at least g. With that, no `deviation` and a power of 1/2, this is the half-width of the
    interval that the examples alone leave. What students of other seeds do not share makes it smaller.

    Examples
    --------
    >>> round(detectable_difference(1.0, 20), 3)
    0.66

    Models that disagree on 8 % of 2,000 examples: the half-width of the examples alone.

    >>> round(detectable_difference(0.0, 10, power=0.5, example_deviation=0.08**0.5, examples=2000), 4)
    0.0124
    """
    deviation, power = not_negative("deviation", deviation), number("power", power)
    n = integer("n", n, at_least=2)
    confidence = confidence_level(confidence)
    if not 1 - confidence < power < 1:
        raise ValueError(f"power must be in ({1 - confidence:.4g}, 1), above 1 - confidence, got {power}")
    example_deviation = not_negative("example_deviation", example_deviation)
    if examples is None and example_deviation > 0:
        raise ValueError("examples must be given with an example_deviation, got None")
    examples = 2 if examples is None else integer("examples", examples, at_least=2)
    of_examples = example_deviation / math.sqrt(examples)
    error, degrees = with_examples(deviation / math.sqrt(n), n - 1, n, of_examples, examples)
    threshold = -special.stdtrit(degrees, (1 - confidence) / 2)

    from scipy import stats

    def surplus(shift):  # the second term is the lower tail, mirrored: nct.cdf of it is nan for some shifts
        return stats.nct.sf(threshold, degrees, shift) + stats.nct.sf(threshold, degrees, -shift) - power

    most = 1.0
    while surplus(most) < 0:
        most *= 2
    return float(error * optimize.brentq(surplus, 0, most))
