"""Counts and means of every level of every slice, in one pass over the examples for each column."""

import numpy as np
import pandas as pd

from kdcourse._arguments import describe
from kdcourse.audit.columns import plain

TEACHER, STUDENT, BASELINE, AGREE = 1, 2, 4, 8  # bits of what happened to an example
CALIBRATION_BINS = 15  # as in kdcourse.calibration


def tally(examples, columns, scores=None):
    """DataFrame with one row per level of each of `columns`, in their order.

    n, teacher, student, baseline                  examples, and shares that are right, or mean scores
    gap, deviation                                 teacher − student; with scores, the deviation of that difference
    only_teacher, only_student                     how many examples only one of the two gets right
    over, over_deviation, over_more, over_fewer    the same four for student and baseline
    agreement                                      share of equal choices
    ece_teacher, ece_student                       NaN where there are no probabilities

    scores  {model: [N]} or None: what counts is then whether the choice is right
    """
    outcome = _outcomes(examples)
    surprise = {model: _surprise(examples, model) for model in examples.confidence if model != "baseline"}
    return pd.concat([_column(column, outcome, surprise, scores) for column in columns], ignore_index=True)


def check_score(score, given, labels, n):
    """{model: [N] floats} of a score that people have written."""
    scores = {}
    for model, predictions in given.items():
        values = plain(f"what score returns for {model}", score(labels, predictions))
        values = np.asarray(values)
        if values.shape != (n,) or values.dtype.kind not in "biuf":
            raise ValueError(
                f"score must return one number for each of the {n:,} examples, got {describe(values)} for {model}"
            )
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise ValueError(f"score must return finite numbers, got {values[row]} for {model} in row {row}")
        scores[model] = values
    return scores


def _outcomes(examples):
    choices = examples.choices
    outcome = np.zeros(len(examples.labels), dtype=np.intp)
    for bit, model in [(TEACHER, "teacher"), (STUDENT, "student"), (BASELINE, "baseline")]:
        if model in choices:
            outcome += bit * (choices[model] == examples.labels)
    return outcome + AGREE * (choices["teacher"] == choices["student"])


def _surprise(examples, model):
    """(bin of the confidence, right − confidence) of each example: what the calibration error is made of."""
    confidence = examples.confidence[model]
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    which = np.clip(np.searchsorted(edges, confidence) - 1, 0, CALIBRATION_BINS - 1)
    return which, (examples.choices[model] == examples.labels) - confidence


def _column(column, outcome, surprise, scores):
    codes, levels = column.codes, len(column.levels)
    counts = np.bincount(codes * 16 + outcome, minlength=levels * 16).reshape(levels, 16)
    n = counts.sum(1)

    def count(yes, no=0):
        wanted = [bits for bits in range(16) if bits & yes == yes and not bits & no]
        return counts[:, wanted].sum(1)

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
