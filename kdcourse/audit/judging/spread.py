"""How far the gap of a metric may be off, from what each example adds to it: by paired bootstrap, clusters as wholes.

The standard error is the bootstrap's, in closed form: that of endlessly many resamples of what the examples add (the
infinitesimal jackknife: Efron 1982, chapter 6; Davison & Hinkley 1997, section 2.7). A function that people have
written is really resampled.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from kdcourse.audit.metrics import Measure, effective
from kdcourse.stats.bootstrap import satterthwaite

RESAMPLES = 400  # a standard error from so many is off by 3.5 %


class Spread(NamedTuple):
    error: float  # standard error of the gap; NaN where nothing tells it
    degrees: float
    size: float  # of a share of right choices: on how many equal, independent examples it rests; else NaN
    design_effect: float  # the variance by clusters, in that of single examples; NaN without


def spread(
    first: Measure,
    second: Measure,
    weights: np.ndarray,
    strata: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
) -> Spread:
    """Of first.value − second.value, on the same examples.

    strata    [n] the class of each example, where the metric needs all of them; or None
    clusters  [n] whole numbers from 0, or None
    """
    added = weights * (first.influence - second.influence) / weights.sum()
    size = float(np.minimum(first.size, second.size))
    kinds = np.zeros(len(added), dtype=np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    variance, degrees = _variance(added, kinds, weights)
    # What is left of equal numbers by rounding is no spread.
    if variance < (1e-13 * (abs(first.value) + abs(second.value))) ** 2:
        variance = 0.0
    if clusters is None:
        return Spread(math.sqrt(variance), degrees, size, np.nan)
    _, of = np.unique(clusters, return_inverse=True)
    sums, whole = np.bincount(of, added), np.bincount(of, weights)
    alone, units = variance, len(sums)
    variance, degrees = _variance(sums, np.zeros(units, dtype=np.intp), whole)
    if not alone:
        return Spread(0.0, degrees, min(size, effective(whole)), np.nan)
    effect = variance / alone
    return Spread(math.sqrt(variance), degrees, size / max(1.0, effect), effect)


def _variance(added, kinds, weights):
    """(variance of the sum of `added`, its degrees of freedom), drawn again within each kind."""
    counts = np.bincount(kinds)
    if counts.min() < 2:
        return np.nan, np.nan
    squares = np.bincount(kinds, (added - (np.bincount(kinds, added) / counts)[kinds]) ** 2)
    variances = squares * counts / (counts - 1)
    total = variances.sum()
    free = np.maximum(1.0, np.bincount(kinds, weights) ** 2 / np.bincount(kinds, weights**2) - 1)
    return float(total), float(satterthwaite(variances / total, free) if total > 0 else free.sum())


def resampled(
    values: Callable[[np.ndarray], np.ndarray], n: int, clusters: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """([RESAMPLES, ...] of values(rows) for rows drawn again, as wholes of clusters; how many units are drawn)."""
    random = np.random.default_rng(0)
    if clusters is None:
        return np.array([values(random.integers(n, size=n)) for _ in range(RESAMPLES)]), n
    _, of = np.unique(clusters, return_inverse=True)
    members = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1])
    units = len(members)
    drawn = (random.integers(units, size=units) for _ in range(RESAMPLES))
    return np.array([values(np.concatenate([members[unit] for unit in one])) for one in drawn]), units


def resampled_spread(values: Callable[[np.ndarray], np.ndarray], n: int, clusters: np.ndarray | None) -> list[Spread]:
    """One Spread for each of the gaps that values(rows) gives, a bootstrap of `RESAMPLES`."""

    def errors(by):
        with warnings.catch_warnings():  # of a resample without some class
            warnings.simplefilter("ignore")
            found, units = resampled(values, n, by)
        told = np.isfinite(found).all(1)
        if units < 2 or told.mean() < 0.5:
            return np.full(found.shape[1], np.nan), units
        return found[told].std(0, ddof=1) * math.sqrt(units / (units - 1)), units

    alone, units = errors(None)
    if clusters is None:
        return [Spread(float(error), units - 1, np.nan, np.nan) for error in alone]
    whole, units = errors(clusters)
    effects = np.divide(whole**2, alone**2, out=np.full(len(whole), np.nan), where=alone > 0)
    return [Spread(float(e), units - 1, np.nan, float(d)) for e, d in zip(whole, effects, strict=True)]


# ---- intervals and tests ----


def interval(gap: float, error: float, degrees: float, size: float, confidence: float) -> tuple[float, float]:
    """Of a gap, by Student's t; NaN where its error is.

    With a `size`, of a share: as if one more example had told for each side (Bonett & Price 2012), and no narrower than
    what the ends themselves imply, since a gap of that size needs so many examples that differ. So models that never
    differ are not taken for equal.
    """
    if not (degrees > 0 and error >= 0):
        return math.nan, math.nan
    t = -special.stdtrit(degrees, (1 - confidence) / 2)
    return 0.0 - _end(-gap, error, t, size), _end(gap, error, t, size)  # an end at 0 is not -0.0


def p_values(gap: float, error: float, degrees: float, size: float, margin: float) -> tuple[float, float]:
    """(p_exceeds, p_within) of a gap and a margin, by the test that belongs to `interval`; 1 where its error is NaN."""
    if not (degrees > 0 and error >= 0):
        return 1.0, 1.0
    error = max(_widened(error, size), 0.0 if math.isnan(size) else math.sqrt(abs(margin) * (1 - abs(margin)) / size))
    if error == 0:
        return float(gap <= margin), float(gap >= margin)
    return float(special.stdtr(degrees, (margin - gap) / error)), float(special.stdtr(degrees, (gap - margin) / error))


def _widened(error, size):
    return error if math.isnan(size) else math.sqrt(error**2 + 2 / size**2)


def _end(gap, error, t, size):
    """The largest margin that lies no further than t errors above the gap, by the larger of the two errors."""
    ends = [gap + t * _widened(error, size)]
    if not math.isnan(size):
        k = t**2 / size
        for sign in (1, -1):  # (margin − gap)² = k · |margin| · (1 − |margin|)
            root = k * (k + 4 * sign * gap * (1 - sign * gap))
            if root >= 0:
                ends.append(sign * (2 * sign * gap + k + sign * math.sqrt(root)) / (2 * (1 + k)))
        return min(1.0, max(ends))
    return ends[0]
