"""Intervals and verdicts: what a lesson may conclude from a handful of runs. Built on scipy."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from kdcourse._arguments import integer


class Comparison(NamedTuple):
    """What `compare` returns. In the units of what was compared."""

    mean: float
    low: float
    high: float
    n: int
    verdict: str

    def __str__(self):
        return f"{self.mean:+.4g} [{self.low:+.4g}, {self.high:+.4g}] (n = {self.n}): {self.verdict}"

    def say(self, *, better, worse, inconclusive, equivalent=""):
        """The sentence that fits the verdict. All are written before the result is known; none can be left out.

        equivalent  needed only where `compare` was given a margin
        """
        sentences = {"better": better, "worse": worse, "inconclusive": inconclusive, "equivalent": equivalent}
        return sentences[self.verdict]


def compare(a, b, *, margin=0.0, confidence=0.95):
    """Is `a` better than `b`? The mean paired difference a − b, its t-interval, and a verdict in words.

    a, b        [n] results of two arms, higher is better; entry i of both shares its seeds (that is the pairing)
    margin      differences smaller than this do not matter, >= 0, in the units of a and b
    confidence  of the interval, in (0, 1)
    returns     Comparison(mean, low, high, n, verdict) with verdict one of
                "better"        the whole interval lies above +margin
                "worse"         the whole interval lies below −margin
                "equivalent"    the whole interval lies within ±margin (never, where the margin is 0)
                "inconclusive"  anything else: these runs cannot tell

    Raises ValueError that names the argument: lengths that differ, fewer than 2 pairs, values that are not finite.
    """
    a, b = (_values(name, value) for name, value in [("a", a), ("b", b)])
    if len(a) != len(b):
        raise ValueError(f"b must be as long as a (the arms are paired), got {len(b)} and {len(a)}")
    if not margin >= 0:
        raise ValueError(f"margin must be >= 0, got {margin}")
    _check_confidence(confidence)
    difference = a - b
    mean = difference.mean()
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    reach = stats.t.ppf((1 + confidence) / 2, len(difference) - 1) * error
    low, high = mean - reach, mean + reach
    if low > margin:
        verdict = "better"
    elif high < -margin:
        verdict = "worse"
    elif margin > 0 and -margin < low and high < margin:
        verdict = "equivalent"
    else:
        verdict = "inconclusive"
    return Comparison(float(mean), float(low), float(high), len(difference), verdict)


def mean_interval(values, confidence=0.95):
    """(mean, low, high) of a handful of runs, by Student's t. Raises ValueError for fewer than 2 values."""
    values = _values("values", values)
    _check_confidence(confidence)
    reach = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - reach), float(values.mean() + reach)


def proportion_interval(successes, total, confidence=0.95):
    """(low, high): Wilson's score interval for a proportion (Wilson 1927); sensible also for 0 or all successes.

    successes, total  counts: integers, not shares

    Raises ValueError unless they are integers with 0 <= successes <= total and total >= 1.
    """
    total = integer("total", total, at_least=1)
    successes = integer("successes", successes, at_least=0)
    if successes > total:
        raise ValueError(f"successes must be in [0, {total}], got {successes}")
    _check_confidence(confidence)
    interval = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def expected_calibration_error(probabilities, labels, bins=15):
    """How far confidence is from accuracy, on average (Guo et al. 2017, eq. 5): 0 is perfect, 1 the worst.

    probabilities  [N, C], rows that sum to 1;  labels  [N] class indices
    bins           equal-width bins of the highest probability, open on the left: (0, 1/15], (1/15, 2/15], ...
    """
    probabilities, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or len(labels) == 0:
        raise ValueError(
            "probabilities must be [N, C] with one row per label, "
            f"got {list(probabilities.shape)} for {len(labels)} labels"
        )
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers [N], got {labels.dtype} of shape {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        worst = labels[(labels < 0) | (labels >= probabilities.shape[1])][0]
        raise ValueError(f"labels must be in [0, {probabilities.shape[1]}), got {worst}")
    bins = integer("bins", bins, at_least=1)
    outside = ~((probabilities >= 0) & (probabilities <= 1 + 1e-3))
    if outside.any():
        raise ValueError(f"probabilities must be in [0, 1], got {probabilities[outside][0]}")
    if not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        row = int(np.abs(probabilities.sum(1) - 1).argmax())
        raise ValueError(f"probabilities must sum to 1 over axis 1, got {probabilities[row].sum():.4g} in row {row}")
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def _values(name, values):
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"{name} must hold at least 2 values in one dimension, got shape {list(values.shape)}")
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"{name} must be finite, got {values[where]} at index {where}")
    return values


def _check_confidence(confidence):
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
