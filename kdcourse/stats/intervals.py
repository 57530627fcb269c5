"""Intervals of one mean and of one share. (scipy.stats takes half a second to import, so it is where it is used.)"""

from numpy.typing import ArrayLike

from kdcourse._arguments import confidence_level, integer
from kdcourse.stats.columns import values as checked
from kdcourse.stats.paired import t_interval


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of a handful of runs with its interval, by Student's t; without spread it is the mean itself.

    Parameters
    ----------
    values : array_like [n]
        At least 2.
    confidence : float
        In (0, 1).

    Returns
    -------
    mean, low, high : float

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Examples
    --------
    >>> mean_interval([0.1, 0.1, 0.1])
    (0.1, 0.1, 0.1)
    """
    values = checked("values", values)
    if (values == values[0]).all():  # the mean of three times 0.1 is not quite 0.1
        mean, deviation = float(values[0]), 0.0
    else:
        mean, deviation = float(values.mean()), float(values.std(ddof=1))
    return mean, *t_interval(mean, deviation, len(values), confidence)


def proportion_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) score interval for a proportion; sensible also for 0 or all successes.

    Parameters
    ----------
    successes, total : int
        Counts, not shares: 0 <= successes <= total, total >= 1.
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
    >>> low, high = proportion_interval(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    total = integer("total", total, at_least=1)
    successes = integer("successes", successes, at_least=0)
    if successes > total:
        raise ValueError(f"successes must be in [0, {total}], got {successes}")
    confidence = confidence_level(confidence)
    from scipy import stats

    interval = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
