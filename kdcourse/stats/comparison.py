"""Is one arm better than the other? The paired interval, and a verdict in words."""

import math
from typing import NamedTuple

from numpy.typing import ArrayLike
from scipy import special

from kdcourse._arguments import confidence_level, number
from kdcourse.stats.bootstrap import (
    bootstrap_interval,
    bootstrap_tolerance,
    example_error,
    seed_levels,
    standard_error,
    with_examples,
)
from kdcourse.stats.columns import values


class _Interval(NamedTuple):
    mean: float
    low: float
    high: float
    n: int
    verdict: str


class Comparison(_Interval):
    """What `compare` returns: the tuple (mean, low, high, n, verdict), in the units of what was compared.

    Attributes
    ----------
    mean, low, high : float
        The mean paired difference, and its interval.
    n : int
        How many independent units of training: pairs, clusters of pairs that share a seed, or the smaller number of
        inits and orders that are crossed.
    verdict : str
        "better", "worse", "equivalent" or "inconclusive".
    p_value : float
        Two-sided, of no difference.
    note : str
        A sentence where a bootstrap says something else, "" otherwise.
    example_error : float
        The standard error of the mean that the choice of the examples alone contributes; 0.0 where single examples
        were not given.
    margin : float
        What the verdict was reached with.
    """

    p_value: float = math.nan
    note: str = ""
    example_error: float = 0.0
    margin: float = 0.0

    def __new__(cls, mean, low, high, n, verdict, *, p_value=math.nan, note="", example_error=0.0, margin=0.0):
        self = super().__new__(cls, mean, low, high, n, verdict)
        self.p_value, self.note, self.example_error, self.margin = p_value, note, example_error, margin
        return self

    def _replace(self, **changes):
        return type(self)(**{**self._asdict(), **vars(self), **changes})

    __replace__ = _replace

    def __repr__(self):
        attributes = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{super().__repr__()[:-1]}, {attributes})"

    def __str__(self):
        text = f"{self.mean:+.4g} [{self.low:+.4g}, {self.high:+.4g}] (n = {self.n}): {self.verdict}"
        text += f" (margin {self.margin:.4g})" if self.margin else ""
        return f"{text}. {self.note}" if self.note else text

    def say(self, *, better: str, worse: str, inconclusive: str, equivalent: str = "") -> str:
        """The sentence that fits the verdict. All are written before the result is known; none can be left out.

        Parameters
        ----------
        better, worse, inconclusive : str
            One sentence for each verdict.
        equivalent : str
            Needed only where `compare` was given a margin.

        Raises
        ------
        ValueError
            Where the sentence that fits is empty.

        Examples
        --------
        >>> from kdcourse.stats import compare
        >>> gain = compare([3.0, 4.0, 3.5, 4.5], [1.0, 1.5, 1.0, 2.0])
        >>> gain.say(better="It helps.", worse="It harms.", inconclusive="We cannot tell.")
        'It helps.'
        """
        sentences = {"better": better, "worse": worse, "inconclusive": inconclusive, "equivalent": equivalent}
        if not sentences[self.verdict]:
            raise ValueError(
                f"{self.verdict} must be a sentence, for that is the verdict; got {sentences[self.verdict]!r}"
            )
        return sentences[self.verdict]


def compare(
    a: ArrayLike,
    b: ArrayLike,
    *,
    margin: float = 0.0,
    confidence: float = 0.95,
    init_seed: ArrayLike | None = None,
    order_seed: ArrayLike | None = None,
) -> Comparison:
    """Is `a` better than `b`? The mean paired difference a - b, its t-interval, and a verdict in words.

    Parameters
    ----------
    a, b : array_like [n], or [n, N]
        Results of two arms, higher is better. Entry i of both shares its seeds: that is the pairing. With a column for
        each of the same N test examples (1 and 0 for right and wrong, say) the interval covers the choice of the
        examples too; else it speaks of the examples that were tested.
    margin : float
        Differences smaller than this do not matter; >= 0, in the units of `a` and `b`.
    confidence : float
        Of the interval, in (0, 1).
    init_seed, order_seed : array_like [n], optional
        The seed of each pair, any values that can be told apart. Pairs that share a seed are not independent; leave
        out what no two pairs share.

    Returns
    -------
    Comparison
        With the verdict "better" if the whole interval lies above +margin, "worse" if it lies below -margin,
        "equivalent" if it lies within the margin (never, where the margin is 0), else "inconclusive".

    Raises
    ------
    ValueError
        Naming the argument: shapes that differ, fewer than 2 pairs or seeds, values that are not finite.
    TypeError
        For what are no numbers.

    Notes
    -----
    Without seeds: Student's paired t (n - 1 degrees of freedom). With one: its clusters are the independent units, and
    the standard error is cluster-robust (CR1; Cameron, Gelbach & Miller 2011, doi:10.1198/jbes.2010.07136) with
    clusters - 1 degrees of freedom: for clusters of one size, the t-interval of the cluster means. With both, where
    each occurs with several of the other: crossed random effects (Searle, Casella & McCulloch 1992, ch. 4), variance
    (MS_init + MS_order - MS_residual) / n, but at least MS_residual / n, with Satterthwaite's (1946) degrees of
    freedom, the residual's where that floor holds, and 1 where there are but 2 inits or orders. Pairs may be missing
    at random. Nested seeds count as clusters of the wider one.

    With examples, all of this holds of the means of the rows; seeds and examples are then crossed in their turn, as
    readers and cases are in radiology (multi-reader multi-case). To the variance above, c / N is added: c is the
    covariance, over examples, of two rows that share no seed, averaged over all such rows, but at least 0 (Obuchowski &
    Rockette 1995, doi:10.1080/03610919508813243; Gallas 2006, doi:10.1016/j.acra.2005.11.030, by moments too). What an
    example does to single students is in the variance of the rows already. Degrees of freedom: Satterthwaite's of the
    sum, with N - 1 for c (Hillis 2007, doi:10.1002/sim.2532, neglects its uncertainty) and with the variance of the
    rows at its upper 80 % limit, since that of 3 or 4 of them is often far too small; 1 where there are but 2
    independent units.

    The note compares with a bootstrap of the pairs, or clusters, or inits and orders, and independently of the examples
    (Hesterberg 2015, doi:10.1080/00031305.2015.1089789; the mean of more than 100 examples is taken as normal). It
    speaks where an end of the interval differs by more than a tenth of the half-width, or 2.2 / units if that is more;
    half of that is enough where the verdict differs too. The verdict is always Student's. Fewer than 5 units are too
    few for a bootstrap, and it is left out beyond 1,000 units.

    benchmarks/coverage.py measures how often all this is right.

    Examples
    --------
    >>> print(compare([0.82, 0.84, 0.83, 0.85], [0.80, 0.81, 0.81, 0.82]))
    +0.025 [+0.01581, +0.03419] (n = 4): better
    """
    a, b = (values(name, value, table=True) for name, value in [("a", a), ("b", b)])
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a (the arms are paired), got {list(b.shape)} and {list(a.shape)}")
    margin = number("margin", margin)
    if not margin >= 0:  # an infinite one is allowed: then everything is equivalent
        raise ValueError(f"margin must be >= 0, got {margin}")
    confidence = confidence_level(confidence)
    difference = a - b
    difference[abs(difference) <= 1e-13 * (abs(a) + abs(b))] = 0  # what rounding leaves of values that are equal
    seeds = [seed_levels(name, seed, len(a)) for name, seed in [("init_seed", init_seed), ("order_seed", order_seed)]]
    rows = difference.reshape(len(difference), -1).mean(1)
    error, degrees, effects = standard_error(rows, *seeds)
    units, of_examples = min(map(len, effects)), 0.0
    if difference.ndim == 2:
        of_examples, more = example_error(difference, *seeds)
        effects += more
    error, degrees = with_examples(error, degrees, units, of_examples, difference.size // len(difference))
    mean = rows.mean()
    reach = -special.stdtrit(degrees, (1 - confidence) / 2) * error
    low, high = mean - reach, mean + reach
    verdict = _verdict(low, high, margin)
    note = ""
    resampled = bootstrap_interval(mean, error, degrees, effects, confidence)
    if resampled:
        off = max(abs(resampled[0] - low), abs(resampled[1] - high)) / max(reach, error)
        other = _verdict(resampled[0], resampled[1], margin)
        if off > bootstrap_tolerance(effects) / (1 if other == verdict else 2):
            says = "the same verdict" if other == verdict else f"another verdict, {other}"
            note = (
                "A bootstrap, which assumes no normal distribution, gives "
                f"[{resampled[0]:+.4g}, {resampled[1]:+.4g}] and {says}."
            )
    p_value = 2 * special.stdtr(degrees, -abs(mean) / error) if error > 0 else float(mean == 0)
    return Comparison(
        float(mean),
        float(low),
        float(high),
        units,
        verdict,
        p_value=float(p_value),
        note=note,
        example_error=float(of_examples),
        margin=margin,
    )


def _verdict(low, high, margin):
    if low > margin:
        return "better"
    if high < -margin:
        return "worse"
    return "equivalent" if margin > 0 and -margin < low and high < margin else "inconclusive"
