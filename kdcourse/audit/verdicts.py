"""From counts to verdicts: intervals, tests that are corrected for how many there are, and what to do."""

import math

import numpy as np
from scipy import special

from kdcourse.stats import holm
from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values, t_interval, t_p_values

COLUMNS = [
    *["slice", "level", "n", "teacher", "student", "baseline", "gap", "low", "high", "only_teacher", "only_student"],
    *["retained", "agreement", "over_baseline", "over_baseline_low", "over_baseline_high", "ece_teacher"],
    *["ece_student", "max_gap", "p_exceeds", "p_within", "verdict", "student_better", "more_needed", "handling"],
]
VERDICTS = ["flag", "watch", "too few", "pass"]  # the worst first
HANDLING = {
    "flag": "fallback to teacher",
    "watch": "collect data",
    "too few": "collect data",
    "pass": "monitor",
}
OUT_OF_REACH = 20  # times n: whoever needs so many more examples to tell had better monitor
POWER = 0.8


def judge(counts, max_gap, *, chance, scored, compared, min_samples, confidence):
    """The report's rows, in the order of `counts`, and how many tests they are corrected for.

    counts    from `tally`; the first row is all examples, which is tested however few they are
    max_gap   [rows] the gap that each row allows
    scored    a score counts, not whether the choice is right;  compared  there is a baseline
    """
    error = (1 - confidence) / 2
    table = counts.rename(columns={"over": "over_baseline"})
    table["max_gap"] = max_gap
    rows = list(table.itertuples(index=False))
    gaps = [_Scores(r.gap, r.deviation, r.n) if scored else _Shares(r.only_teacher, r.only_student, r.n) for r in rows]
    table["low"], table["high"] = zip(*(gap.interval(confidence) for gap in gaps), strict=True)
    table["over_baseline_low"] = table["over_baseline_high"] = np.nan
    if compared:
        overs = [
            _Scores(r.over_baseline, r.over_deviation, r.n) if scored else _Shares(r.over_more, r.over_fewer, r.n)
            for r in rows
        ]
        ends = zip(*(over.interval(confidence) for over in overs), strict=True)
        table["over_baseline_low"], table["over_baseline_high"] = ends
    else:
        table["baseline"] = table["over_baseline"] = np.nan
    above_chance = table["teacher"] - chance
    retained = (table["student"] - chance) / above_chance.where(above_chance > 0)
    table["retained"] = np.nan if scored else retained

    tested = (table["n"] >= min_samples).to_numpy(copy=True)
    tested[0] = True
    tests = int(tested.sum())
    within = np.flatnonzero(tested)
    at_margin = np.array([gaps[row].p_values(rows[row].max_gap) for row in within])
    for column, name in enumerate(["p_exceeds", "p_within"]):
        table[name] = np.nan
        table.loc[tested, name] = holm(at_margin[:, column])
    better = np.zeros(len(table), dtype=bool)
    # A gap that is not below 0 shows nothing; Holm's method asks only how many larger p-values there are.
    better[tested] = holm([gaps[row].p_values(0.0)[1] if rows[row].gap < 0 else 1.0 for row in within]) <= error
    table["student_better"] = better
    table["verdict"] = np.select(
        [~tested, table["p_exceeds"] <= error, table["p_within"] <= error], ["too few", "flag", "pass"], "watch"
    )
    at_level = 1 - (1 - confidence) / tests
    table["more_needed"] = [
        _more_needed(verdict, gap, row, min_samples, at_level)
        for verdict, gap, row in zip(table["verdict"], gaps, rows, strict=True)
    ]
    handling = table["verdict"].map(HANDLING)
    hopeless = (table["verdict"] == "watch") & (table["more_needed"] > OUT_OF_REACH * table["n"])
    table["handling"] = handling.mask(hopeless, "monitor")
    return table[COLUMNS], tests


def worst_first(table):
    """The rows by verdict, the largest gap first; ties stay in the order of slices and levels."""
    rank = table["verdict"].map({verdict: place for place, verdict in enumerate(VERDICTS)})
    # Rounded: sums of scores differ in the last digits with the order of the examples.
    order = np.lexsort([np.arange(len(table)), -table["gap"].round(12), rank])
    return table.iloc[order].reset_index(drop=True)


def _more_needed(verdict, gap, row, min_samples, confidence):
    if verdict == "too few":
        return float(min_samples - row.n)
    if verdict == "watch":
        # At least one more: the approximation may say that n should have done.
        return max(1.0, float(gap.needed(row.max_gap, confidence) - row.n))
    return 0.0


class _Shares:
    """What a slice says of two models of which each example is right or wrong."""

    def __init__(self, only_a, only_b, n):
        self.counts = int(only_a), int(only_b), int(n)

    def interval(self, confidence):
        return gap_interval(*self.counts, confidence)

    def p_values(self, margin):
        return gap_p_values(*self.counts, margin)

    def needed(self, margin, confidence):
        return examples_needed(*self.counts, margin, confidence, POWER)


class _Scores:
    """The same of a score: mean and deviation of the paired differences."""

    def __init__(self, mean, deviation, n):
        self.moments = float(mean), float(deviation), int(n)
        self.alone = n < 2  # one example has no deviation

    def interval(self, confidence):
        return (math.nan, math.nan) if self.alone else t_interval(*self.moments, confidence)

    def p_values(self, margin):
        return (1.0, 1.0) if self.alone else t_p_values(*self.moments, margin)

    def needed(self, margin, confidence):
        mean, deviation, _ = self.moments
        if self.alone or mean == margin:
            return math.inf
        reach = special.ndtri(1 - (1 - confidence) / 2) + special.ndtri(POWER)
        return math.ceil((reach * deviation / (mean - margin)) ** 2)
