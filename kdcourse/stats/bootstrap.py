"""How far the mean of paired differences may be off: for pairs that share seeds and examples, and by a bootstrap."""

import numpy as np
from scipy import special

from kdcourse._arguments import describe

RESAMPLES = 2000
MOST_UNITS = 1000  # resampling more takes tens of milliseconds, and the mean of so many is nearly normal anyway
MOST_EXAMPLES = 100  # in place of more, whose mean is normal enough, some with normal quantiles will do
NORMAL_SCORES = special.ndtri((np.arange(30) + 0.5) / 30)


def seed_levels(name, seeds, n):
    """The seed of every pair as a number from 0 on, [n], in order of appearance; None where there are no seeds."""
    if seeds is None:
        return None
    try:
        if isinstance(seeds, (str, bytes)):
            raise TypeError
        plain = seeds.tolist() if hasattr(seeds, "tolist") else seeds
        # Also the elements may be tensors, which are no keys: two that hold the same number are not equal.
        plain = [seed.item() if hasattr(seed, "item") else seed for seed in plain]
        numbers = {seed: k for k, seed in enumerate(dict.fromkeys(plain))}
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must hold one plain value for every pair, got {describe(seeds)}") from None
    if len(plain) != n:
        raise ValueError(f"{name} must hold one seed for every pair, got {len(plain)} for {n} pairs")
    if any(seed != seed for seed in numbers):
        raise ValueError(f"{name} must not hold nan, got {describe(seeds)}")
    if len(numbers) < 2:
        raise ValueError(f"{name} must hold at least 2 different seeds, got only {plain[0]!r}")
    return np.array([numbers[seed] for seed in plain])


def standard_error(difference, init=None, order=None):
    """(error, degrees of freedom, effects) of the mean difference. `kdcourse.stats.compare` says how, and from where.

    init, order  None, or the seed of every pair as a number from 0 on, [n]
    effects      for the bootstrap: one or two vectors of independent units, each unit's deviation from the mean; the
                 mean is off by the sum of the vectors' means
    """
    residual = difference - difference.mean()
    if init is not None and order is not None:
        shape = init.max() + 1, order.max() + 1
        cell = init * shape[1] + order
        counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        init_nested, order_nested = ((counts > 0).sum(axis).max() == 1 for axis in (1, 0))  # never meets two
        if not (init_nested or order_nested):
            sums = np.bincount(cell, weights=residual, minlength=counts.size).reshape(shape)
            return _crossed(counts, sums)
        init, order = (None, order) if init_nested else (init, None)
    levels = order if init is None else init
    effects = residual if levels is None else _effects(np.bincount(levels, weights=residual), len(residual))
    return np.sqrt(_variance(effects)), len(effects) - 1, [effects]


def example_error(difference, *seeds):
    """(error, effects): how far the examples put the mean difference off beyond `standard_error` of the rows' means.

    difference  a row for every pair, a column for every example, [n, N]
    seeds       as for `standard_error`
    effects     for the bootstrap: none where the error is 0, else a list of each example's deviation

    Two rows whose training has nothing in common vary together from one example to the next only by what an example
    does to every student: that covariance, averaged over all such pairs of rows, is the variance between examples.
    """
    independent = ~np.eye(len(difference), dtype=bool)
    for levels in seeds:
        if levels is not None:
            independent &= levels[:, None] != levels
    deviations = difference - difference.mean(1, keepdims=True)
    examples = difference.shape[1]
    covariance = (deviations @ deviations.T)[independent].mean() / (examples - 1)
    columns = deviations.mean(0)
    if not (covariance > 0 and columns.any()):  # where examples matter little, it comes out negative as often as not
        return 0.0, []
    error = np.sqrt(covariance / examples)
    # What the rows' own noise adds to the columns' means is shrunk away.
    shape = columns if examples <= MOST_EXAMPLES else NORMAL_SCORES
    return error, [shape * (error / np.sqrt(_variance(shape)))]


def satterthwaite(shares, degrees):
    """Degrees of freedom of a sum of independent variances, from each one's share and its own (Satterthwaite 1946)."""
    return 1 / sum(share**2 / its for share, its in zip(shares, degrees, strict=True))


def with_examples(error, degrees, units, of_examples, examples):
    """(error, degrees of freedom) of both kinds of luck: `units` of training, and an `of_examples` from so many.

    The variance of few units that comes out small by chance would bring many degrees of freedom along. So these, and
    they alone, are counted as if it lay at its upper 80 % limit; 2 units do not even tell that.
    """
    if of_examples > 0 and units > 2:
        of_units, of_examples_alone = error**2 * degrees / special.chdtri(degrees, 0.8), of_examples**2
        total = of_units + of_examples_alone
        degrees = satterthwaite([of_units / total, of_examples_alone / total], [degrees, examples - 1])
    return np.hypot(error, of_examples), degrees


def _effects(sums, n):
    return sums * (len(sums) / n)


def _variance(effects):
    """Of their mean: CR1, which for clusters of one size is the variance of a mean of cluster means."""
    return (effects**2).sum() / (len(effects) * (len(effects) - 1))


def _crossed(counts, sums):
    """As `standard_error`, of two crossed random factors. counts, sums: the residuals of every cell, [inits, orders]

    In a balanced grid n · _variance(effects) is the factor's mean square. A pair that is missing changes that little,
    and the residual's mean square, from an additive fit, does not mind.
    """
    n = counts.sum()
    effects = [_effects(sums.sum(1), n), _effects(sums.sum(0), n)]
    squares = [n * _variance(factor) for factor in effects]
    residual, free = _residual_mean_square(counts, sums)
    fewest, total = min(counts.shape), sum(squares) - residual
    if free == 0:  # so sparse that nothing is left to subtract: on the safe side
        return np.sqrt(sum(squares) / n), fewest - 1, effects
    if fewest == 2:
        degrees = 1  # two levels do not tell their spread: with Satterthwaite's df, the intervals cover too little
    elif total <= residual * (1 + 1e-9):  # equal where a single pair differs from all others: rounding must not decide
        degrees = free
    else:
        each = [counts.shape[0] - 1, counts.shape[1] - 1, free]
        degrees = max(1.0, satterthwaite([square / total for square in (*squares, residual)], each))
    return np.sqrt(max(total, residual) / n), degrees, effects


def _residual_mean_square(counts, sums):
    """(mean square in the variance of one pair, its degrees of freedom) of what init + order leave of the cells."""
    filled, inits = (counts > 0).astype(float), len(counts)
    means = sums / np.maximum(counts, 1)
    normal = np.diag(np.concatenate([filled.sum(1), filled.sum(0)]))
    normal[:inits, inits:], normal[inits:, :inits] = filled, filled.T
    solution, _, rank, _ = np.linalg.lstsq(normal, np.concatenate([means.sum(1), means.sum(0)]), rcond=None)
    left = (means - solution[:inits, None] - solution[inits:]) * filled
    cells = int(filled.sum())
    free = cells - int(rank)
    return (left**2).sum() * counts.sum() / (cells * free) if free else 0.0, free


def bootstrap_interval(mean, error, degrees, effects, confidence):
    """(low, high) by the expanded percentile bootstrap (Hesterberg 2015, section 5), or None where it can say nothing.

    The units are drawn again, inits and orders independently of each other. The percentiles lie as many of the
    bootstrap's own standard errors from the mean as t · error is: the interval has the width that Student's has where
    the bootstrap distribution is normal, and differs by its shape alone. None for no spread, for too few units
    to reach that far out (below 5, at 95 %), and for more than a thousand.
    """
    spread = np.sqrt(sum(_resampled_variances(effects)))
    if not spread > 1e-12 * abs(mean) or max(map(len, effects)) > MOST_UNITS:  # rounding has a spread, but no shape
        return None
    position = RESAMPLES * special.ndtr(special.stdtrit(degrees, (1 - confidence) / 2) * error / spread) - 0.5
    if position < 0:
        return None
    random = np.random.default_rng(0)
    resampled = np.zeros((2, RESAMPLES // 2))
    for factor in effects:
        # Sorted, and every draw beside its mirror image: the order of the pairs and of the arms changes nothing.
        units = np.sort(factor)
        drawn = random.integers(len(units), size=(len(units), RESAMPLES // 2))
        resampled += [units[drawn].mean(0), units[::-1][drawn].mean(0)]
    resampled = np.sort(resampled, axis=None)
    k, between = int(position), position % 1
    low = resampled[k] + between * (resampled[k + 1] - resampled[k])
    high = resampled[-1 - k] + between * (resampled[-2 - k] - resampled[-1 - k])
    return mean + low, mean + high


def bootstrap_tolerance(effects):
    """How far off an end of the bootstrap interval has to be to be worth a word, in half-widths of Student's.

    Normal data pass it in about 5 of 100 samples at most (benchmarks/coverage.py): their sample skewness moves the
    ends by an amount that falls with the units, and with a factor's share of the variance. The least is a tenth.
    """
    variances = _resampled_variances(effects)
    shares = [variance / sum(variances) for variance in variances]
    skewness = sum(share**3 / len(factor) ** 2 for share, factor in zip(shares, effects, strict=True)) ** 0.5
    return max(0.1, 2.2 * skewness)


def _resampled_variances(effects):
    return [(factor**2).mean() / len(factor) for factor in effects]
