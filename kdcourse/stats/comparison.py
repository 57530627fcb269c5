"""Intervals, tests and verdicts: what a lesson may conclude from a handful of runs. Built on scipy."""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from kdcourse._arguments import describe, integer, number
from kdcourse.stats.bootstrap import bootstrap_interval, bootstrap_tolerance, seed_levels, standard_error


class _Interval(NamedTuple):
    mean: float
    low: float
    high: float
    n: int
    verdict: str


class Comparison(_Interval):
    """What `compare` returns: (mean, low, high, n, verdict), in the units of what was compared.

    p_value  two-sided, of no difference
    note     a sentence where a bootstrap says something else, "" otherwise
    """

    p_value = math.nan
    note = ""

    def __new__(cls, mean, low, high, n, verdict, *, p_value=math.nan, note=""):
        self = super().__new__(cls, mean, low, high, n, verdict)
        self.p_value, self.note = p_value, note
        return self

    def _replace(self, **changes):
        return type(self)(**{**self._asdict(), "p_value": self.p_value, "note": self.note, **changes})

    __replace__ = _replace

    def __repr__(self):
        return f"{super().__repr__()[:-1]}, p_value={self.p_value!r}, note={self.note!r})"

    def __str__(self):
        text = f"{self.mean:+.4g} [{self.low:+.4g}, {self.high:+.4g}] (n = {self.n}): {self.verdict}"
        return f"{text}. {self.note}" if self.note else text

    def say(self, *, better, worse, inconclusive, equivalent=""):
        """The sentence that fits the verdict. All are written before the result is known; none can be left out.

        equivalent  needed only where `compare` was given a margin
        """
        sentences = {"better": better, "worse": worse, "inconclusive": inconclusive, "equivalent": equivalent}
        return sentences[self.verdict]


def compare(a, b, *, margin=0.0, confidence=0.95, init_seed=None, order_seed=None):
    """Is `a` better than `b`? The mean paired difference a − b, its t-interval, and a verdict in words.

    a, b        [n] results of two arms, higher is better; entry i of both shares its seeds (that is the pairing)
    margin      differences smaller than this do not matter, >= 0, in the units of a and b
    confidence  of the interval, in (0, 1)
    init_seed,  [n] the seed of each pair, any values that can be told apart. Pairs that share a seed are not
    order_seed  independent; leave out what no two pairs share
    returns     Comparison(mean, low, high, n, verdict) with verdict one of
                "better"        the whole interval lies above +margin
                "worse"         the whole interval lies below −margin
                "equivalent"    the whole interval lies within ±margin (never, where the margin is 0)
                "inconclusive"  anything else: these runs cannot tell
                and beside these five .p_value, of no difference, from the same t, and .note

    Without seeds: Student's paired t (n − 1 degrees of freedom). With one: its clusters are the independent units, and
    the standard error is cluster-robust (CR1; Cameron, Gelbach & Miller 2011, doi:10.1198/jbes.2010.07136) with
    clusters − 1 degrees of freedom: for clusters of one size, the t-interval of the cluster means. With both, where
    each occurs with several of the other: crossed random effects (Searle, Casella & McCulloch 1992, ch. 4), variance
    (MS_init + MS_order − MS_residual) / n, but at least MS_residual / n, with Satterthwaite's (1946) degrees of
    freedom, the residual's where that floor holds, and 1 where there are but 2 inits or orders. Pairs may be missing
    at random. Nested seeds count as clusters of the wider one.

    The note compares with a bootstrap of the pairs, or clusters, or inits and orders (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789). It speaks where an end of the interval differs by more than a tenth of the
    half-width, or 2.2 / units if that is more; half of that is enough where the verdict differs too. The verdict is
    always Student's. Fewer than 5 units are too few for a bootstrap, and it is left out beyond 1,000.

    benchmarks/coverage.py measures how often all this is right.

    Raises ValueError that names the argument: lengths that differ, fewer than 2 pairs or seeds, values that are not
    finite; TypeError for what are no numbers.
    """
    a, b = (_values(name, value) for name, value in [("a", a), ("b", b)])
    if len(a) != len(b):
        raise ValueError(f"b must be as long as a (the arms are paired), got {len(b)} and {len(a)}")
    margin = number("margin", margin)
    if not margin >= 0:
        raise ValueError(f"margin must be >= 0, got {margin}")
    confidence = _confidence(confidence)
    difference = a - b
    seeds = (seed_levels(name, seed, len(a)) for name, seed in [("init_seed", init_seed), ("order_seed", order_seed)])
    error, degrees, effects = standard_error(difference, *seeds)
    mean = difference.mean()
    reach = -special.stdtrit(degrees, (1 - confidence) / 2) * error
    low, high = mean - reach, mean + reach
    verdict = _verdict(low, high, margin)
    note = ""
    resampled = bootstrap_interval(mean, error, degrees, effects, confidence)
    if resampled:
        off = max(abs(resampled[0] - low), abs(resampled[1] - high)) / max(reach, error)
        other = _verdict(*resampled, margin)
        if off > bootstrap_tolerance(effects) / (1 if other == verdict else 2):
            says = "the same verdict" if other == verdict else f"another verdict, {other}"
            note = (
                "A bootstrap, which assumes no normal distribution, gives "
                f"[{resampled[0]:+.4g}, {resampled[1]:+.4g}] and {says}."
            )
    p_value = 2 * special.stdtr(degrees, -abs(mean) / error) if error > 0 else float(mean == 0)
    return Comparison(float(mean), float(low), float(high), len(difference), verdict, p_value=float(p_value), note=note)


def _verdict(low, high, margin):
    if low > margin:
        return "better"
    if high < -margin:
        return "worse"
    return "equivalent" if margin > 0 and -margin < low and high < margin else "inconclusive"


def holm(p_values):
    """P-values adjusted for how many there are, so that the whole family errs with 5 % at 0.05 (Holm 1979).

    p_values  [m] in [0, 1], of m tests, in any dependence
    returns   [m] in [0, 1], in the same order: reject where it is at most the error allowed for the family

    Raises ValueError for values outside [0, 1], for none at all, and for more than one dimension.
    """
    p_values = _values("p_values", p_values, at_least=1)
    outside = p_values[(p_values < 0) | (p_values > 1)]
    if len(outside):
        raise ValueError(f"p_values must be in [0, 1], got {outside[0]}")
    order = p_values.argsort()
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(np.arange(len(order), 0, -1) * p_values[order]).clip(max=1)
    return adjusted


class McNemar(NamedTuple):
    """What `mcnemar` returns: gap in accuracy (a − b, a share), the examples only one gets right, n, p_value."""

    gap: float
    only_a: int
    only_b: int
    n: int
    p_value: float

    def __str__(self):
        only = f"only a right: {self.only_a}, only b: {self.only_b}"
        return f"{self.gap:+.4g} (n = {self.n}; {only}): p = {self.p_value:.3g}"


def mcnemar(a_correct, b_correct):
    """Do two models differ in accuracy on the same examples? McNemar's (1947) test, in its exact form.

    It asks about these two models and more such examples; `compare` asks about more seeds.

    a_correct, b_correct  [n] is the model right? Booleans, or integers 0 and 1, of one example each
    returns               McNemar(gap, only_a, only_b, n, p_value): the p-value is the two-sided binomial one of a fair
                          coin on the examples that only one model gets right, 1.0 where there are none

    Raises TypeError for what are no booleans, ValueError for lengths that differ and for no examples.
    """
    a, b = (_booleans(name, value) for name, value in [("a_correct", a_correct), ("b_correct", b_correct)])
    if len(a) != len(b):
        raise ValueError(f"b_correct must be as long as a_correct (the same examples), got {len(b)} and {len(a)}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    tail = float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5))
    return McNemar((only_a - only_b) / len(a), only_a, only_b, len(a), min(1.0, 2 * tail))


def detectable_difference(deviation, n, *, confidence=0.95, power=0.8):
    """The smallest true difference that n pairs show as significant with this power (noncentral t; Cohen 1988, ch. 2).

    deviation   standard deviation of the paired differences, >= 0, finite; the result is in its units
    n           how many independent pairs, >= 2: for pairs that share seeds, how many clusters, with the deviation of
                the cluster means
    confidence  of the interval that `compare` will give, in (0, 1)
    power       how often the interval is to leave 0 out, in (1 − confidence, 1)

    Raises ValueError, or TypeError for what is no number, that names the argument.
    """
    deviation, power = number("deviation", deviation), number("power", power)
    if not 0 <= deviation < math.inf:
        raise ValueError(f"deviation must be >= 0 and finite, got {deviation}")
    n = integer("n", n, at_least=2)
    confidence = _confidence(confidence)
    if not 1 - confidence < power < 1:
        raise ValueError(f"power must be in ({1 - confidence:.4g}, 1), above 1 - confidence, got {power}")
    threshold = -special.stdtrit(n - 1, (1 - confidence) / 2)

    def surplus(shift):  # the second term is the lower tail, mirrored: nct.cdf of it is nan for some shifts
        return stats.nct.sf(threshold, n - 1, shift) + stats.nct.sf(threshold, n - 1, -shift) - power

    most = 1.0
    while surplus(most) < 0:
        most *= 2
    return float(deviation * optimize.brentq(surplus, 0, most) / math.sqrt(n))


def mean_interval(values, confidence=0.95):
    """(mean, low, high) of a handful of runs, by Student's t. Raises ValueError for fewer than 2 values."""
    values = _values("values", values)
    confidence = _confidence(confidence)
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
    confidence = _confidence(confidence)
    interval = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _values(name, values, at_least=2):
    try:
        values = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as reason:  # ragged lists; tensors with a gradient or on a GPU
        raise TypeError(f"{name} must be numbers in one dimension: {reason}") from None
    if values.ndim != 1 or len(values) < at_least:
        how_many = f"at least {at_least} value{'s' * (at_least > 1)}"
        raise ValueError(f"{name} must hold {how_many} in one dimension, got shape {list(values.shape)}")
    if values.dtype.kind == "O":
        values = np.array([number(name, value) for value in values])
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got {describe(values)}")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"{name} must be finite, got {values[where]} at index {where}")
    return values


def _booleans(name, values):
    values = np.asarray(values)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must hold at least 1 value in one dimension, got shape {list(values.shape)}")
    if values.dtype.kind == "O" and all(isinstance(value, (bool, np.bool_)) for value in values):
        values = values.astype(bool)
    if values.dtype.kind not in "biu":
        raise TypeError(f"{name} must be booleans, or integers 0 and 1, got {describe(values)}")
    outside = values[(values != 0) & (values != 1)]
    if len(outside):
        raise ValueError(f"{name} must be booleans, or integers 0 and 1, got {outside[0]}")
    return values.astype(bool)


def _confidence(confidence):
    plain = number("confidence", confidence)
    if not 0 < plain < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return plain
