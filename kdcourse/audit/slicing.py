"""Slice columns: every example gets the number of one level in each of them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import describe, integer
from kdcourse.audit.binning import by_edges, by_quantiles, check_edges
from kdcourse.audit.columns import MISSING, counted, factorized, listed, repeated, series, texts
from kdcourse.audit.inputs import check_length

MAX_LEVELS = 200
FEW_VALUES = 12  # whole numbers that take no more values than this are levels as they are
TEACHER_CONFIDENCE = "teacher confidence"


class SliceColumn(NamedTuple):
    name: str
    codes: np.ndarray  # [N] the number of each example's level
    levels: list  # their names, in order; each holds at least one example


class Slices(NamedTuple):
    columns: list  # of SliceColumn
    edges: dict  # column: where it was cut into bins
    notes: list


def read_slices(slices, n, *, bins=4, crossings=(), confidence=None, confidence_bins=None):
    """The slice columns of n examples. `confidence` is the teacher's, [N], or None; the rest is as in `audit`."""
    given = _by_name(slices)
    how = _bins_by_name(bins, list(given))
    columns, edges, notes = {}, {}, []
    for name, values in given.items():
        argument = f"slices[{name!r}]"
        values = series(argument, values)
        check_length(argument, values, n)
        columns[name] = _column(name, values, how[name], edges, notes)
    if confidence_bins is not None:
        confidence_bins = integer("confidence_bins", confidence_bins, at_least=2)
        if confidence is None:
            raise ValueError(f"confidence_bins={confidence_bins} needs the teacher's probabilities [N, C], got labels")
        if TEACHER_CONFIDENCE in columns:
            raise ValueError(f"slices must not hold {TEACHER_CONFIDENCE!r}, which confidence_bins adds")
        by_confidence = _binned(TEACHER_CONFIDENCE, pd.Series(confidence), confidence_bins, edges, notes)
        columns[TEACHER_CONFIDENCE] = by_confidence
    if not columns:
        raise ValueError("slices must hold at least one column, got none")
    for pair in _pairs(crossings, list(columns)):
        crossed = _crossed(*(columns[name] for name in pair), notes)
        if crossed.name in columns:
            raise ValueError(f"crossings must be distinct and have names of their own, got {crossed.name!r} twice")
        columns[crossed.name] = crossed
    for column in columns.values():
        if len(column.levels) == 1:
            notes.append(f"{column.name} has one level only, {column.levels[0]!r}: there is nothing to compare.")
    if any(edges.values()):
        notes.append("A bin holds its lower edge and not its upper one; the last quantile bin holds both.")
    return Slices(list(columns.values()), edges, notes)


def _by_name(slices):
    if not isinstance(slices, (pd.DataFrame, Mapping)):
        raise TypeError(f"slices must be a DataFrame, or a dict of columns by name, got {describe(slices)}")
    items = list(slices.items())  # two columns of a DataFrame may have one name
    names = [str(name) for name, _ in items]
    if any(not name.strip() for name in names):
        raise ValueError(f"slices must have names that are not empty, got {names}")
    if (again := repeated(names)) is not None:
        raise ValueError(f"slices must have distinct names, got {again!r} twice")
    return dict(zip(names, (values for _, values in items), strict=True))


def _bins_by_name(bins, names):
    """{column: (how many bins, or a list of edges, or None for levels as they are; whether that was asked for)}."""
    if not isinstance(bins, Mapping):
        return dict.fromkeys(names, (integer("bins", bins, at_least=2), False))
    how = dict.fromkeys(names, (4, False))
    for key, value in bins.items():
        name, argument = str(key), f"bins[{str(key)!r}]"
        if name not in how:
            raise ValueError(f"bins must name columns of slices, got {name!r}; there are {listed(names)}")
        if value is None or (np.isscalar(value) and value == 0):
            how[name] = None, True
        elif np.iterable(value) and not isinstance(value, str):
            how[name] = check_edges(argument, value), True
        else:
            how[name] = integer(argument, value, at_least=2), True
    return how


def _column(name, values, how, edges, notes):
    setting, asked = how
    numeric = pd.api.types.is_float_dtype(values) or pd.api.types.is_integer_dtype(values)
    if asked and setting is not None and not numeric:
        raise ValueError(f"bins must name columns of numbers, got {name!r} of {values.dtype}")
    if numeric and setting is not None and (asked or not _few_whole_numbers(values)):
        return _binned(name, values, setting, edges, notes)
    codes, distinct = factorized(f"slices[{name!r}]", values)
    _refuse_many(name, len(distinct))
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = set(distinct)
        unused = [str(category) for category in values.cat.categories if category not in used]
        if unused:
            notes.append(f"{name} has no examples in {listed(unused)}.")
    return _with_missing(name, codes, texts(distinct, taken=[MISSING] * bool((codes < 0).any())), notes)


def _refuse_many(name, count):
    if count > MAX_LEVELS:
        raise ValueError(
            f"{name!r} must have at most {MAX_LEVELS} levels, got {count:,}: bin its values, or group the rare ones"
        )


def _few_whole_numbers(values):
    """Floats count too: one missing value turns a column of integers into floats."""
    present = values.dropna().to_numpy()
    if not (present[:1000] == np.floor(present[:1000])).all():
        return False
    distinct = pd.unique(present)
    return len(distinct) <= FEW_VALUES and all(float(value).is_integer() for value in distinct)


def _binned(name, values, how, edges, notes):
    missing = values.isna().to_numpy()
    present = values[~missing].to_numpy() if missing.any() else values.to_numpy()
    if isinstance(how, list):
        inside, levels, edges[name] = by_edges(present, how)
    else:
        inside, levels, edges[name] = by_quantiles(present, how)
        if len(present) and len(levels) < how:
            notes.append(f"{name}: {how} quantile bins were asked for and {len(levels)} came out, for values repeat.")
    _refuse_many(name, len(levels))
    used = np.bincount(inside, minlength=len(levels)) > 0
    empty = [level for level, holds in zip(levels[1:-1], used[1:-1], strict=True) if not holds]
    if empty:
        notes.append(f"{name} has no examples in {listed(empty)}.")
    codes = np.full(len(values), -1, dtype=np.intp)
    codes[~missing] = (np.cumsum(used) - 1)[inside]
    return _with_missing(name, codes, [level for level, holds in zip(levels, used, strict=True) if holds], notes)


def _with_missing(name, codes, levels, notes):
    missing = codes < 0
    count = int(missing.sum())
    if count:
        notes.append(f"{name} has no value for {counted(count, 'example')}, the level {MISSING}.")
        codes[missing] = len(levels)
        levels = [*levels, MISSING]
    return SliceColumn(name, codes, levels)


def _pairs(crossings, names):
    if isinstance(crossings, (str, Mapping)) or not np.iterable(crossings):
        raise TypeError(f"crossings must be pairs of slice names, got {describe(crossings)}")
    for pair in crossings:
        if isinstance(pair, str) or not np.iterable(pair) or len(list(pair)) != 2:
            raise ValueError(f"crossings must be pairs of slice names, got {pair!r}")
        pair = [str(name) for name in pair]
        for name in pair:
            if name not in names:
                raise ValueError(f"crossings must name slices, got {name!r}; there are {listed(names)}")
        if pair[0] == pair[1]:
            raise ValueError(f"crossings must be of two different slices, got {pair[0]!r} twice")
        yield pair


def _crossed(first, second, notes):
    name = f"{first.name} × {second.name}"
    codes = first.codes * len(second.levels) + second.codes
    combinations = len(first.levels) * len(second.levels)
    used = np.bincount(codes, minlength=combinations) > 0
    _refuse_many(name, int(used.sum()))
    if not used.all():
        notes.append(f"{name}: {combinations - used.sum():,} of {combinations:,} combinations hold no example.")
    pairs = [divmod(int(code), len(second.levels)) for code in np.flatnonzero(used)]
    levels = [f"{first.levels[one]} × {second.levels[other]}" for one, other in pairs]
    if repeated(levels) is not None:
        levels = [f"{first.levels[one]!r} × {second.levels[other]!r}" for one, other in pairs]
    return SliceColumn(name, (np.cumsum(used) - 1)[codes], levels)
