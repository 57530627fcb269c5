"""From examples to verdicts: counts of every level, the gap that each may have, corrected tests, and what to do."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from kdcourse.audit.inputs.examples import Examples
from kdcourse.audit.inputs.slicing import SliceColumn
from kdcourse.audit.judging import spread
from kdcourse.audit.metrics import CALIBRATION_BINS, bins_of
from kdcourse.stats import holm
from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values, gap_power

TEACHER, STUDENT, BASELINE, AGREE = 1, 2, 4, 8  # bits of what happened to an example
COUNTED = ["teacher", "student", "baseline", "gap", "only_teacher", "only_student", "agreement"]
COUNTED += ["ece_teacher", "ece_student"]
# How far a gap may be off, where its test is not exact: as it is measured, and as the report names it.
SPREAD = {"gap_error": "standard_error", "gap_degrees": "degrees", "gap_size": "independent_n"}
COLUMNS = [
    *["slice", "level", "n", "teacher", "student", "baseline", "gap", "low", "high", "only_teacher", "only_student"],
    *["retained", "agreement", "over_baseline", "over_baseline_low", "over_baseline_high", "ece_teacher"],
    *["ece_student", "max_gap", "p_exceeds", "p_within", "verdict", "student_better", "more_needed", "handling"],
    *["chance_at_twice", "needed_at_twice", *SPREAD.values(), "effective_n", "design_effect", "why"],
]
# The worst first.
HANDLING = {"flag": "fallback to teacher", "alarm": "fallback to teacher", "watch": "collect data"}
HANDLING |= {"too few": "collect data", "not measurable": "collect data", "pass": "monitor"}
UNDECIDED = ("alarm", "watch", "too few", "not measurable")
OUT_OF_REACH = 20  # times n: whoever needs so many more examples to tell had better monitor
POWER = 0.8


def _false_discovery(p_values):
    from scipy import stats  # half a second that no release waits for

    return stats.false_discovery_control(p_values)


CORRECTIONS = {"holm": holm, "fdr": _false_discovery}


# ---- counts ----


def tally(examples: Examples, columns: Sequence[SliceColumn]) -> pd.DataFrame:
    """One row per level of each of `columns`, in their order, from one pass over the examples for each column.

    n, teacher, student, baseline    examples, and shares that are right
    gap                              teacher − student
    only_teacher, only_student       how many examples only one of the two gets right
    over, over_more, over_fewer      the same three for student and baseline
    agreement                        share of equal choices
    ece_teacher, ece_student         NaN where there are no probabilities
    why                              ""

    Without choices there is n, and the rest is NaN.
    """
    choices, labels = examples.choices, examples.labels
    if not choices:
        return pd.concat([_sizes(column) for column in columns], ignore_index=True)
    outcome = AGREE * (choices["teacher"] == choices["student"])
    for bit, model in [(TEACHER, "teacher"), (STUDENT, "student"), (BASELINE, "baseline")]:
        if model in choices:
            outcome = outcome + bit * (choices[model] == labels)
    surprise = {model: _surprise(examples, model) for model in examples.confidence if model != "baseline"}
    return pd.concat([_counted(column, outcome, surprise) for column in columns], ignore_index=True)


def _sizes(column):
    n = np.bincount(column.codes, minlength=len(column.levels))
    table = pd.DataFrame({"slice": column.name, "level": column.levels, "n": n})
    return table.assign(**dict.fromkeys([*COUNTED, "over", "over_more", "over_fewer"], np.nan), why="")


def _surprise(examples, model):
    """(bin of the confidence, right − confidence) of each example: what the calibration error is made of."""
    confidence = examples.confidence[model]
    return bins_of(confidence), (examples.choices[model] == examples.labels) - confidence


def _counted(column, outcome, surprise):
    codes, levels = column.codes, len(column.levels)
    counts = np.bincount(codes * 16 + outcome, minlength=levels * 16).reshape(levels, 16)
    n = counts.sum(1)
    some = np.where(n > 0, n, np.nan)

    def count(yes, no=0):
        return counts[:, [bits for bits in range(16) if bits & yes == yes and not bits & no]].sum(1)

    table = {"slice": column.name, "level": column.levels, "n": n}
    table["teacher"], table["student"], table["baseline"] = (count(bit) / some for bit in (TEACHER, STUDENT, BASELINE))
    table["only_teacher"], table["only_student"] = count(TEACHER, STUDENT), count(STUDENT, TEACHER)
    table["over_more"], table["over_fewer"] = count(STUDENT, BASELINE), count(BASELINE, STUDENT)
    table["gap"] = (table["only_teacher"] - table["only_student"]) / some
    table["over"] = (table["over_more"] - table["over_fewer"]) / some
    table["agreement"] = count(AGREE) / some
    for model in ["teacher", "student"]:
        errors = _calibration_error(codes, levels, *surprise[model]) / some if model in surprise else np.nan
        table[f"ece_{model}"] = errors
    return pd.DataFrame(table | {"why": ""})


def _calibration_error(codes, levels, which, surprise):
    sums = np.bincount(codes * CALIBRATION_BINS + which, weights=surprise, minlength=levels * CALIBRATION_BINS)
    return np.abs(sums.reshape(levels, CALIBRATION_BINS)).sum(1)


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

    counts      from `tally`, or with what `measured` adds, of one student below the other; the first row of each is all
                examples, which is tested however few they are
    max_gap     [rows] the gap that each row allows
    scored      by standard errors, not by what only one of the two gets right;  compared  there is a baseline
    correction  one of CORRECTIONS
    """
    error, adjusted = (1 - confidence) / 2, CORRECTIONS[correction]
    unknown = np.full(len(counts), np.nan)
    named = counts.rename(columns={"over": "over_baseline", **SPREAD})
    table: dict[str, Any] = {name: named[name].to_numpy() for name in named}  # a DataFrame costs more than the tests
    table = dict.fromkeys([*SPREAD.values(), "effective_n", "design_effect"], unknown) | table
    table["max_gap"] = np.array(max_gap, float)
    evidence = _evidence(table, ["gap", *SPREAD.values()] if scored else ["only_teacher", "only_student"])
    table["low"], table["high"] = zip(*(_interval(scored, row, confidence) for row in evidence), strict=True)
    table["over_baseline_low"] = table["over_baseline_high"] = unknown
    if compared:
        of_over = ["over_baseline", "over_error", "over_degrees", "over_size"]
        over = _evidence(table, of_over if scored else ["over_more", "over_fewer"])
        ends = zip(*(_interval(scored, row, confidence) for row in over), strict=True)
        table["over_baseline_low"], table["over_baseline_high"] = ends
    else:
        table["baseline"] = table["over_baseline"] = unknown
    above_chance = table["teacher"] - chance
    table["retained"] = (table["student"] - chance) / np.where(above_chance > 0, above_chance, np.nan)

    enough = table["n"] >= min_samples
    if scored:  # a single example, or one of its class, has a gap, and nothing tells its error
        unknown_error = (table["why"] == "") & enough & np.isnan(table["standard_error"])
        table["why"] = np.where(unknown_error, "too few examples to tell its error", table["why"])
    measurable = table["why"] == ""
    tested = measurable & enough
    tested[:: len(counts) // students] = True
    tests = int(tested.sum())
    within = np.flatnonzero(tested).tolist()
    at_limit = np.array([_p_values(scored, evidence[row], max_gap[row]) for row in within])
    table["p_exceeds"], table["p_within"] = unknown.copy(), unknown.copy()
    table["verdict"] = np.where(measurable, "too few", "not measurable")
    for name, found in zip(["p_exceeds", "p_within", "verdict"], decide(at_limit, confidence, correction), strict=True):
        table[name][tested] = found
    # A gap that is not below 0 shows nothing; Holm's method asks only how many larger p-values there are.
    below = table["gap"] < 0
    at_zero = [_p_values(scored, evidence[row], 0.0)[1] if below[row] else 1.0 for row in within]
    table["student_better"] = np.zeros(len(counts), dtype=bool)
    table["student_better"][tested] = adjusted(at_zero) <= error
    # At least one more where the data cannot tell: the approximation may say that n should have done.
    at_level = 1 - (1 - confidence) / tests
    table["more_needed"] = [
        float(min_samples - row[-1])
        if verdict == "too few"
        else max(1.0, float(_examples_needed(scored, row, limit, at_level) - row[-1]))
        if verdict in ("alarm", "watch")
        else 0.0
        for verdict, row, limit in zip(table["verdict"].tolist(), evidence, max_gap, strict=True)
    ]
    sight = [
        at_twice(scored, row, limit, at_level) if asked else (math.nan, math.nan)
        for row, limit, asked in zip(evidence, max_gap, measurable, strict=True)
    ]
    table["chance_at_twice"], table["needed_at_twice"] = (np.array(side, float) for side in zip(*sight, strict=True))
    table["chance_at_twice"][measurable & ~tested] = 0.0
    hopeless = (table["verdict"] == "watch") & (np.array(table["more_needed"]) > OUT_OF_REACH * table["n"])
    handling = [HANDLING[verdict] for verdict in table["verdict"].tolist()]
    table["handling"] = np.where(hopeless, "monitor", handling)
    return pd.DataFrame({name: table[name] for name in COLUMNS}), tests


def decide(at_limit: np.ndarray, confidence: float, correction: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """([tests] adjusted p_exceeds, p_within, and verdict) of one family of tests.

    at_limit  [tests, 2] p_exceeds and p_within of each test alone, at the gap that it allows
    """
    error = (1 - confidence) / 2
    exceeds, within = (CORRECTIONS[correction](alone) for alone in at_limit.T)
    known = [exceeds <= error, within <= error, at_limit[:, 0] <= error]
    return exceeds, within, np.select(known, ["flag", "pass", "alarm"], "watch")


def corrected(rows: pd.DataFrame, tests: int, confidence: float, scored: bool) -> pd.DataFrame:
    """low and high of the tested rows of a report such that all of them hold together (Bonferroni); NaN in others."""
    level = 1 - (1 - confidence) / tests
    ends = np.full((len(rows), 2), np.nan)
    for k in np.flatnonzero(~rows["verdict"].isin(["too few", "not measurable"])):
        row = rows.iloc[k]
        names = ["gap", *SPREAD.values(), "n"] if scored else ["only_teacher", "only_student", "n"]
        ends[k] = _interval(scored, [row[name] for name in names], level)
    return pd.DataFrame(ends, rows.index, ["low", "high"])


def worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by verdict, the largest gap first; ties stay in the order of slices and levels."""
    rank = table["verdict"].map({verdict: place for place, verdict in enumerate(HANDLING)})
    # Rounded: sums of scores differ in the last digits with the order of the examples.
    order = np.lexsort((np.arange(len(table)), -table["gap"].round(12), rank))
    return table.iloc[order].reset_index(drop=True)


def _evidence(table, names):
    """[(…, n)] by which a gap is judged: how many only one of two gets right, or the gap and how far it may be off."""
    return list(zip(*(table[name].tolist() for name in [*names, "n"]), strict=True))


def _interval(scored, row, confidence):
    if scored:
        return spread.interval(*row[:-1], confidence)
    return gap_interval(*row, confidence) if row[-1] else (math.nan, math.nan)


def _p_values(scored, row, margin):
    return spread.p_values(*row[:-1], margin) if scored else gap_p_values(*row, margin)


def at_twice(scored, row, limit, confidence):
    """(the chance that a gap of twice the limit would have been flagged, examples for a chance of POWER)."""
    n = row[-1]
    if not scored:
        share = row[1] / n
        fits = limit > 0 and share + (share + 2 * limit) <= 1
        return gap_power(share, n, 2 * limit, limit, confidence, POWER) if fits else (math.nan, math.nan)
    deviation = row[1] * math.sqrt(n)
    if not limit or not deviation > 0:
        return math.nan, math.nan
    reach = special.ndtri(1 - (1 - confidence) / 2)
    needed = math.ceil(((reach + special.ndtri(POWER)) * deviation / limit) ** 2)
    return float(special.ndtr(math.sqrt(n) * limit / deviation - reach)), needed


def _examples_needed(scored, row, margin, confidence):
    if not scored:
        return examples_needed(*row, margin, confidence, POWER)
    gap, error, n = row[0], row[1], row[-1]
    if not error >= 0 or gap == margin:
        return math.inf
    reach = special.ndtri(1 - (1 - confidence) / 2) + special.ndtri(POWER)  # by the normal approximation
    return math.ceil(n * (reach * error / (gap - margin)) ** 2)
