"""What it is worth to run something several times, and to report the best."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from kdcourse._arguments import integer
from kdcourse.stats.columns import values


def expected_best(runs: ArrayLike, tried: int) -> float:
    """The mean of the best of `tried` runs, over all ways to draw so many of these (Dodge et al. 2019, section 3.1).

    Dodge et al. draw with replacement. Without it, as here, the estimate has no bias (Tang et al. 2020).

    Parameters
    ----------
    runs : array_like [n]
        Results of runs that differ by luck alone, higher is better.
    tried : int
        From 1, which gives the mean, to n, which gives the best.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Examples
    --------
    >>> round(expected_best([0.70, 0.71, 0.75], tried=2), 4)  # the best of a pair: 0.71, 0.75 and 0.75
    0.7367
    """
    ordered = np.sort(values("runs", runs))
    n, tried = len(ordered), integer("tried", tried, at_least=1)
    if tried > n:
        raise ValueError(f"tried must be at most the number of runs, {n}, got {tried}")
    below = np.arange(tried - 1, n)  # how many runs lie below the best one
    ways = _log_choose(below, tried - 1) - _log_choose(n, tried)
    return float(np.exp(ways) @ ordered[tried - 1 :])


def _log_choose(n, k):
    return gammaln(np.add(n, 1.0)) - gammaln(k + 1.0) - gammaln(np.subtract(n, k) + 1.0)
