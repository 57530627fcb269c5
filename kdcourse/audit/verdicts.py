"""From examples to verdicts: counts of every level, the gap that each may have, corrected tests, and what to do."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from kdcourse._arguments import bad_value, describe
from kdcourse.audit.inputs import Examples, plain
from kdcourse.audit.slicing import SliceColumn
from kdcourse.stats import holm
from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values, gap_power, t_interval, t_p_values

TEACHER, STUDENT, BASELINE, AGREE = 1, 2, 4, 8  # bits of what happened to an example
CALIBRATION_BINS = 15  # as in kdcourse.stats.calibration
COLUMNS = [
    *["slice", "level", "n", "teacher", "student", "baseline", "gap", "low", "high", "only_teacher", "only_student"],
    *["retained", "agreement", "over_baseline", "over_baseline_low", "over_baseline_high", "ece_teacher"],
    *["ece_student", "max_gap", "p_exceeds", "p_within", "verdict", "student_better", "more_needed", "handling"],
    *["chance_at_twice", "needed_at_twice"],
]
# The worst first.
HANDLING = {"flag": "fallback to teacher", "alarm": "fallback to teacher", "watch": "collect data"}
HANDLING |= {"too few": "collect data", "pass": "monitor"}
UNDECIDED = ("alarm", "watch", "too few")
CORRECTIONS = {"holm": holm, "fdr": stats.false_discovery_control}
OUT_OF_REACH = 20  # times n: whoever needs so many more examples to tell had better monitor
POWER = 0.8


# ---- counts ----


def scores_of(score: Callable, given: dict[str, Any], labels: Any, n: int) -> dict[str, np.ndarray]:
    """{model: [N] floats} of a score that people have written."""
    scores = {}
    for model, predictions in given.items():
        values = np.asarray(plain(f"score(labels, {model})", score(labels, predictions)))
        if values.shape != (n,) or values.dtype.kind not in "biuf":
            expected = f"one number for each of the {n:,} examples"
            raise bad_value("score", f"must return {expected}, got {describe(values)} for {model}")
        scores[model] = values = values.astype(np.float64)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise bad_value("score", f"must return finite numbers, got {values[row]} for {model} in row {row}")
    return scores


def tally(
    examples: Examples, columns: Sequence[SliceColumn], scores: dict[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """One row per level of each of `columns`, in their order, from one pass over the examples for each column.

    n, teacher, student, baseline                  examples, and shares that are right, or mean scores
    gap, deviation                                 teacher − student; with scores, the deviation of that difference
    only_teacher, only_student                     how many examples only one of the two gets right
    over, over_deviation, over_more, over_fewer    the same four for student and baseline
    agreement                                      share of equal choices
    ece_teacher, ece_student                       NaN where there are no probabilities

    scores  {model: [N]} or None: what counts is then whether the choice is right
    """
    choices, labels = examples.choices, examples.labels
    outcome = AGREE * (choices["teacher"] == choices["student"])
    for bit, model in [(TEACHER, "teacher"), (STUDENT, "student"), (BASELINE, "baseline")]:
        if model in choices:
            outcome = outcome + bit * (choices[model] == labels)
    surprise = {model: _surprise(examples, model) for model in examples.confidence if model != "baseline"}
    return pd.concat([_counted(column, outcome, surprise, scores) for column in columns], ignore_index=True)


def _surprise(examples, model):
    """(bin of the confidence, right − confidence) of each example: what the calibration error is made of."""
    confidence = examples.confidence[model]
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    which = np.clip(np.searchsorted(edges, confidence) - 1, 0, CALIBRATION_BINS - 1)
    return which, (examples.choices[model] == examples.labels) - confidence


def _counted(column, outcome, surprise, scores):
    codes, levels = column.codes, len(column.levels)
    counts = np.bincount(codes * 16 + outcome, minlength=levels * 16).reshape(levels, 16)
    n = counts.sum(1)

    def count(yes, no=0):
        return counts[:, [bits for bits in range(16) if bits & yes == yes and not bits & no]].sum(1)

    table = pd.DataFrame({"slice": column.name, "level": column.levels, "n": n})
    table["teacher"], table["student"], table["baseline"] = (count(bit) / n for bit in (TEACHER, STUDENT, BASELINE))
    table["only_teacher"], table["only_student"] = count(TEACHER, STUDENT), count(STUDENT, TEACHER)
    table["over_more"], table["over_fewer"] = count(STUDENT, BASELINE), count(BASELINE, STUDENT)
    table["gap"] = (table["only_teacher"] - table["only_student"]) / n
    table["over"] = (table["over_more"] - table["over_fewer"]) / n
    table["deviation"] = table["over_deviation"] = np.nan
    table["agreement"] = count(AGREE) / n
    for model in ["teacher", "student"]:
        table[f"ece_{model}"] = _calibration_error(codes, levels, *surprise[model]) / n if model in surprise else np.nan
    if scores is not None:
        for model, values in scores.items():
            table[model] = np.bincount(codes, weights=values, minlength=levels) / n
        table["gap"], table["deviation"] = _moments(codes, n, scores["teacher"] - scores["student"])
        if "baseline" in scores:
            table["over"], table["over_deviation"] = _moments(codes, n, scores["student"] - scores["baseline"])
    return table


def _calibration_error(codes, levels, which, surprise):
    sums = np.bincount(codes * CALIBRATION_BINS + which, weights=surprise, minlength=levels * CALIBRATION_BINS)
    return np.abs(sums.reshape(levels, CALIBRATION_BINS)).sum(1)


def _moments(codes, n, values):
    """Mean and standard deviation (n − 1) of each level; in two passes, so that nothing cancels."""
    mean = np.bincount(codes, weights=values, minlength=len(n)) / n
    squares = np.bincount(codes, weights=(values - mean[codes]) ** 2, minlength=len(n))
    deviation = np.sqrt(squares / np.maximum(n - 1, 1))
    # The mean of equal numbers is off by a rounding error, which must not pass for a spread.
    return mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 0)


# ---- verdicts ----


def judge(
    counts: pd.DataFrame,
    max_gap: Sequence[float],
    *,
    chance: float,
    scored: bool,
    compared: bool,
    min_samples: int,
    confidence: float,
    correction: str = "holm",
    students: int = 1,
) -> tuple[pd.DataFrame, int]:
    """The report's rows, in the order of `counts`, and how many tests they are corrected for.

    counts      from `tally`, of one student below the other; the first row of each is all examples, which is tested
                however few they are
    max_gap     [rows] the gap that each row allows
    scored      a score counts, not whether the choice is right;  compared  there is a baseline
    correction  one of CORRECTIONS
    """
    error, adjusted = (1 - confidence) / 2, CORRECTIONS[correction]
    table = counts.rename(columns={"over": "over_baseline"}).assign(max_gap=max_gap)
    evidence = _evidence(table, ["gap", "deviation"] if scored else ["only_teacher", "only_student"])
    table["low"], table["high"] = zip(*(_interval(scored, row, confidence) for row in evidence), strict=True)
    table["over_baseline_low"] = table["over_baseline_high"] = np.nan
    if compared:
        over = _evidence(table, ["over_baseline", "over_deviation"] if scored else ["over_more", "over_fewer"])
        ends = zip(*(_interval(scored, row, confidence) for row in over), strict=True)
        table["over_baseline_low"], table["over_baseline_high"] = ends
    else:
        table["baseline"] = table["over_baseline"] = np.nan
    above_chance = table["teacher"] - chance
    retained = (table["student"] - chance) / above_chance.where(above_chance > 0)
    table["retained"] = np.nan if scored else retained

    tested = (table["n"] >= min_samples).to_numpy(copy=True)
    tested[:: len(table) // students] = True
    tests = int(tested.sum())
    within = np.flatnonzero(tested).tolist()
    at_limit = np.array([_p_values(scored, evidence[row], max_gap[row]) for row in within])
    for name, p_values in zip(["p_exceeds", "p_within"], at_limit.T, strict=True):
        table[name] = np.nan
        table.loc[tested, name] = adjusted(p_values)
    # A gap that is not below 0 shows nothing; Holm's method asks only how many larger p-values there are.
    below = table["gap"].lt(0).to_numpy()
    at_zero = [_p_values(scored, evidence[row], 0.0)[1] if below[row] else 1.0 for row in within]
    better = np.zeros(len(table), dtype=bool)
    better[tested] = adjusted(at_zero) <= error
    table["student_better"] = better
    alone = np.zeros(len(table), dtype=bool)
    alone[tested] = at_limit[:, 0] <= error
    table["verdict"] = np.select(
        [~tested, table["p_exceeds"] <= error, table["p_within"] <= error, alone],
        ["too few", "flag", "pass", "alarm"],
        "watch",
    )
    # At least one more where the data cannot tell: the approximation may say that n should have done.
    at_level = 1 - (1 - confidence) / tests
    table["more_needed"] = [
        float(min_samples - row[2])
        if verdict == "too few"
        else max(1.0, float(_examples_needed(scored, row, limit, at_level) - row[2]))
        if verdict in ("alarm", "watch")
        else 0.0
        for verdict, row, limit in zip(table["verdict"], evidence, max_gap, strict=True)
    ]
    sight = [_at_twice(scored, row, limit, at_level) for row, limit in zip(evidence, max_gap, strict=True)]
    table["chance_at_twice"], table["needed_at_twice"] = (np.array(side, float) for side in zip(*sight, strict=True))
    table.loc[~tested, "chance_at_twice"] = 0.0
    hopeless = (table["verdict"] == "watch") & (table["more_needed"] > OUT_OF_REACH * table["n"])
    table["handling"] = table["verdict"].map(HANDLING).mask(hopeless, "monitor")
    return table[COLUMNS], tests


def corrected(rows: pd.DataFrame, tests: int, confidence: float, scored: bool) -> pd.DataFrame:
    """low and high of the tested rows of a report such that all of them hold together (Bonferroni); NaN in others."""
    level = 1 - (1 - confidence) / tests
    ends = np.full((len(rows), 2), np.nan)
    for k in np.flatnonzero(rows["verdict"] != "too few"):
        row = rows.iloc[k]
        if not scored:
            ends[k] = gap_interval(row["only_teacher"], row["only_student"], row["n"], level)
        elif row["n"] > 1:  # Student's t interval is as much wider as its quantile is larger
            wider = special.stdtrit(row["n"] - 1, (1 + level) / 2) / special.stdtrit(row["n"] - 1, (1 + confidence) / 2)
            ends[k] = row["gap"] + wider * (np.array([row["low"], row["high"]], float) - row["gap"])
    return pd.DataFrame(ends, rows.index, ["low", "high"])


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by verdict, the largest gap first; ties stay in the order of slices and levels."""
    rank = table["verdict"].map({verdict: place for place, verdict in enumerate(HANDLING)})
    # Rounded: sums of scores differ in the last digits with the order of the examples.
    order = np.lexsort((np.arange(len(table)), -table["gap"].round(12), rank))
    return table.iloc[order].reset_index(drop=True)


def _evidence(table, names):
    """[(a, b, n)] by which a gap is judged: how many only one of two gets right, or mean and deviation of a score."""
    return list(table[[*names, "n"]].itertuples(index=False, name=None))


def _interval(scored, row, confidence):
    if not scored:
        return gap_interval(*row, confidence)
    return t_interval(*row, confidence) if row[-1] > 1 else (math.nan, math.nan)  # one example has no deviation


def _p_values(scored, row, margin):
    if not scored:
        return gap_p_values(*row, margin)
    return t_p_values(*row, margin) if row[-1] > 1 else (1.0, 1.0)


def _at_twice(scored, row, limit, confidence):
    """(the chance that a gap of twice the limit would have been flagged, examples for a chance of POWER)."""
    *evidence, n = row
    if not scored:
        share = evidence[1] / n
        fits = limit > 0 and share + (share + 2 * limit) <= 1
        return gap_power(share, n, 2 * limit, limit, confidence, POWER) if fits else (math.nan, math.nan)
    deviation = evidence[1]
    if n < 2 or not limit or not deviation > 0:
        return math.nan, math.nan
    reach = special.ndtri(1 - (1 - confidence) / 2)
    needed = math.ceil(((reach + special.ndtri(POWER)) * deviation / limit) ** 2)
    return float(special.ndtr(math.sqrt(n) * limit / deviation - reach)), needed


def _examples_needed(scored, row, margin, confidence):
    if not scored:
        return examples_needed(*row, margin, confidence, POWER)
    mean, deviation, n = row
    if n < 2 or mean == margin:
        return math.inf
    reach = special.ndtri(1 - (1 - confidence) / 2) + special.ndtri(POWER)  # by the normal approximation
    return math.ceil((reach * deviation / (mean - margin)) ** 2)
