"""A metric in every level of every slice, for each model, and how far its gaps may be off."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_value, describe
from kdcourse.audit.inputs.reading import Given
from kdcourse.audit.inputs.slicing import SliceColumn
from kdcourse.audit.judging.spread import Spread, resampled_spread, spread
from kdcourse.audit.metrics import Metric, effective

MODELS = ["teacher", "student", "baseline"]
GAPS = {"gap": ("teacher", "student"), "over": ("student", "baseline")}  # how much worse the second one is
PARTS = ["error", "degrees", "size"]


def measured(
    metric: Metric,
    given: Given,
    columns: Sequence[SliceColumn],
    weights: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
) -> pd.DataFrame:
    """One row per level of each of `columns`, in their order: what `tally` cannot count.

    teacher, student, baseline       values of the metric
    gap, gap_error, gap_degrees      how much worse the student is than the teacher; its standard error
    gap_size                         of a share: on how many equal, independent examples it rests; else NaN
    over, over_…                     the same four of student and baseline: how much better the student is
    effective_n, design_effect       of weights and clusters; NaN without
    why                              why nothing is measured here, or ""
    """
    rows = []
    for column in columns:
        order = np.argsort(column.codes, kind="stable")
        ends = np.cumsum(np.bincount(column.codes, minlength=len(column.levels)))
        rows += [_row(metric, given, where, weights, clusters) for where in np.split(order, ends[:-1])]
    return pd.DataFrame(rows)


def _row(metric, given, where, weights, clusters):
    found: dict[str, Any] = dict.fromkeys(MODELS, np.nan) | {"effective_n": np.nan, "design_effect": np.nan, "why": ""}
    for gap in GAPS:
        found |= dict.fromkeys([gap, *(f"{gap}_{part}" for part in PARTS)], np.nan)
    labels, own = given.labels[where], np.ones(len(where)) if weights is None else weights[where]
    values = {name: value[where] for name, value in given.values.items()}
    within = None if clusters is None else clusters[where]
    if not len(where):
        return found | {"why": metric.absent}
    if not own.any():
        return found | {"why": "no example has a weight"}
    if within is not None and (within == within[0]).all():
        return found | {"why": "all examples are in one cluster"}
    if weights is not None:
        found["effective_n"] = effective(own)
    try:
        if metric.reads == "function":
            found |= _by_function(metric, labels, values, None if weights is None else own, within)
        else:
            found |= _by_formula(metric, labels, values, own, within)
    except _Unmeasured as reason:
        found["why"] = str(reason)
    return found


class _Unmeasured(Exception):
    """Why a slice has no value."""


def _by_formula(metric, labels, values, weights, clusters):
    of = {}
    for name, predictions in values.items():
        of[name] = metric.measure(labels, predictions, weights)
        if isinstance(of[name], str):
            raise _Unmeasured(f"{name}: {of[name]}" if metric.name == "precision" else of[name])
    strata = labels if metric.by_class else None
    spreads = {
        gap: spread(of[first], of[second], weights, strata, clusters)
        for gap, (first, second) in GAPS.items()
        if second in of
    }
    return _fields(metric, {name: one.value for name, one in of.items()}, spreads)


def _by_function(metric, labels, values, weights, clusters):
    pairs = [(first, second) for first, second in GAPS.values() if second in values]

    def value_of(name, rows):
        more = {} if weights is None else {"sample_weight": weights[rows]}
        value = metric.measure(labels[rows], values[name][rows], **more)
        if np.ndim(value) or not isinstance(value, (int, float, np.number)):
            raise bad_value("metric", f"must return a number for a slice, got {describe(value)}")
        return float(value)

    def gaps(rows):
        try:
            found = {name: value_of(name, rows) for name in values}
        except (ValueError, ZeroDivisionError) as error:  # a resample without some class
            if getattr(error, "argument", None):
                raise
            return np.full(len(pairs), np.nan)
        return np.array([found[first] - found[second] for first, second in pairs])

    try:
        whole = {name: value_of(name, np.arange(len(labels))) for name in values}
    except (ValueError, ZeroDivisionError) as error:
        if getattr(error, "argument", None):
            raise
        raise _Unmeasured(f"{metric.name} says: {error}") from error
    odd = next((name for name, value in whole.items() if not np.isfinite(value)), None)
    if odd is not None:
        raise _Unmeasured(f"{metric.name} of {odd} is {whole[odd]}")
    return _fields(metric, whole, dict(zip(GAPS, resampled_spread(gaps, len(labels), clusters), strict=False)))


def _fields(metric, values, spreads: dict[str, Spread]) -> dict[str, Any]:
    found = dict(values)
    for gap, one in spreads.items():
        first, second = (values[name] for name in GAPS[gap])
        found[gap] = (first - second) * (1 if metric.greater_is_better else -1)
        found |= {f"{gap}_{part}": getattr(one, part) for part in PARTS}
    return found | {"design_effect": spreads["gap"].design_effect}


def difference(metric: Metric, given: Given) -> np.ndarray:
    """[n] how much worse the student is on each example, by a metric that is a mean over examples."""
    first, second = (given.values[name] for name in GAPS["gap"])
    if metric.is_proportion:
        return (first == given.labels) * 1.0 - (second == given.labels)

    def each(values):
        mean = metric.measure(given.labels, values, np.ones(len(given.labels)))
        return mean.value + mean.influence  # by how much an example differs from the mean

    return each(first) - each(second) if metric.greater_is_better else each(second) - each(first)


def notes_on(weights: np.ndarray | None, clusters: np.ndarray | None, whole: pd.Series) -> Iterator[str]:
    """What weights and clusters cost, in sentences; `whole` is the row of all examples."""
    if weights is not None:
        n = len(weights)
        yield f"Weighted: the {n:,} examples tell as much as {effective(weights):,.0f} of equal weight would."
    if clusters is not None:
        effect = whole["design_effect"]
        said = "" if np.isnan(effect) else f"; over all examples the gap varies {effect:.2g} times as much as without"
        yield f"The {len(np.unique(clusters)):,} clusters count as wholes{said} (design effect)."
