"""Slice columns: every example gets the number of one level in each of them, numbers by the bin that they lie in."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_type, bad_value, describe, integer, number
from kdcourse.audit.inputs.examples import alike, check_length, counted, factorized, listed, repeated, series

MISSING = "(missing)"
MAX_LEVELS = 200
FEW_VALUES = 12  # whole numbers that take no more values than this are levels as they are
TEACHER_CONFIDENCE = "teacher confidence"
# How dates are binned, in the codes of strftime, which has none for quarters: 2026-11, 1 Monday, 14 h.
CALENDAR = {"year": "%Y", "quarter": "", "month": "%Y-%m", "week": "%G-W%V", "weekday": "%u %A", "hour": "%H h"}


class SliceColumn(NamedTuple):
    name: str
    codes: np.ndarray  # [N] the number of each example's level
    levels: list[str]  # their names, in order; each holds at least one example


class Slices(NamedTuple):
    columns: list[SliceColumn]
    edges: dict[str, list]  # column: where it was cut into bins
    notes: list[str]


def read_slices(
    slices: Any,
    n: int,
    *,
    bins: Any = 4,
    crossings: Any = (),
    confidence: np.ndarray | None = None,
    confidence_bins: int | None = None,
) -> Slices:
    """The slice columns of n examples. `confidence` is the teacher's, [N], or None; the rest is as in `audit`."""
    given = _by_name(slices)
    how = _bins_by_name(bins, list(given))
    columns: dict[str, SliceColumn] = {}
    edges: dict[str, list] = {}
    notes: list[str] = []
    for name, values in given.items():
        values = series(f"slices[{name!r}]", values)
        check_length(f"slices[{name!r}]", values, n)
        columns[name] = _column(name, values, how[name], edges, notes)
    if confidence_bins is not None:
        confidence_bins = integer("confidence_bins", confidence_bins, at_least=2)
        if confidence is None:
            raise bad_value(
                "confidence_bins", f"must be None unless the teacher gives probabilities [N, C], got {confidence_bins}"
            )
        if TEACHER_CONFIDENCE in columns:
            raise bad_value("slices", f"must not hold {TEACHER_CONFIDENCE!r}, which confidence_bins adds")
        by_confidence = _binned(TEACHER_CONFIDENCE, pd.Series(confidence), confidence_bins, edges, notes)
        columns[TEACHER_CONFIDENCE] = by_confidence
    if not columns:
        raise bad_value("slices", "must hold at least one column, got none")
    for first, second in _pairs(crossings, list(columns)):
        crossed = _crossed(columns[first], columns[second], notes)
        if crossed.name in columns:
            raise bad_value("crossings", f"must be distinct and have names of their own, got {crossed.name!r} twice")
        columns[crossed.name] = crossed
    for column in columns.values():
        if len(column.levels) == 1:
            notes.append(f"{column.name} has one level only, {column.levels[0]!r}: there is nothing to compare.")
    if any(edges.values()):
        notes.append("A bin holds its lower edge and not its upper one; the last quantile bin holds both.")
    return Slices(list(columns.values()), edges, notes)


def _by_name(slices):
    if not isinstance(slices, (pd.DataFrame, Mapping)):
        raise bad_type("slices", f"must be a DataFrame, or a dict of columns by name, got {describe(slices)}")
    items = list(slices.items())  # two columns of a DataFrame may have one name
    names = [str(name) for name, _ in items]
    if any(not name.strip() for name in names):
        raise bad_value("slices", f"must have names that are not empty, got {names}")
    if (again := repeated(names)) is not None:
        raise bad_value("slices", f"must have distinct names, got {again!r} twice")
    return dict(zip(names, (values for _, values in items), strict=True))


def _bins_by_name(bins, names):
    """{column: (how many bins, or a list of edges, or None for levels as they are; whether that was asked for)}."""
    if not isinstance(bins, Mapping):
        return dict.fromkeys(names, (integer("bins", bins, at_least=2), False))
    how = dict.fromkeys(names, (4, False))
    for key, value in bins.items():
        name, argument = str(key), f"bins[{str(key)!r}]"
        if name not in how:
            raise bad_value("bins", f"must name columns of slices, got {name!r}; there are {listed(names)}")
        if isinstance(value, str) and value in CALENDAR:
            how[name] = value, True
        elif value is None or (np.isscalar(value) and value == 0):
            how[name] = None, True
        elif np.iterable(value) and not isinstance(value, str):
            edges = [number(argument, edge) for edge in value]
            if not edges or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
                raise bad_value(argument, f"must be finite edges that increase, at least one, got {list(value)}")
            how[name] = edges, True
        else:
            how[name] = integer(argument, value, at_least=2), True
    return how


# ---- levels ----


def _column(name, values, how, edges, notes):
    setting, asked = how
    if isinstance(setting, str):
        values, setting = _calendar(name, values, setting), None
    numeric = pd.api.types.is_float_dtype(values) or pd.api.types.is_integer_dtype(values)
    if asked and setting is not None and not numeric:
        raise bad_value("bins", f"must name columns of numbers, got {name!r} of {values.dtype}")
    if numeric and setting is not None and (asked or not _few_whole_numbers(values)):
        return _binned(name, values, setting, edges, notes)
    codes, distinct = factorized(f"slices[{name!r}]", values)
    _refuse_many(name, len(distinct))
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = set(distinct)
        _note_empty(name, [str(category) for category in values.cat.categories if category not in used], notes)
    codes, distinct = _merged(name, codes, distinct, notes)
    levels = [_text(value) for value in distinct]
    if repeated(levels) is not None or (MISSING in levels and (codes < 0).any()):  # 1 and "1" become 1 and '1'
        levels = [repr(value) for value in distinct]
    return _with_missing(name, codes, levels, notes)


def _calendar(name, values, part):
    """The month, or another part of the calendar, of dates and times; of texts, too, in the forms of ISO 8601."""
    try:
        dates = pd.to_datetime(values.astype(object).where(values.notna(), None), format="ISO8601", utc=False)
    except (ValueError, TypeError) as error:
        said = str(error).splitlines()[0]
        raise bad_value(f"slices[{name!r}]", f"must hold dates, as 2026-11-30, to be cut by {part}: {said}") from None
    if part == "quarter":
        return dates.dt.to_period("Q").astype(str).str.replace("Q", "-Q").where(dates.notna())
    return dates.dt.strftime(CALENDAR[part])


def _merged(name, codes, distinct, notes):
    """Levels that look alike are one: "cat" and "cat ", and an é that is one letter or two."""
    first: dict[Any, int] = {}
    place = [first.setdefault(alike(value), len(first)) for value in distinct]
    if len(first) == len(distinct):
        return codes, distinct
    odd = [value for value in distinct if isinstance(value, str) and value != alike(value)]
    notes.append(f"{name}: levels that look alike count as one, {listed(odd, 3)} among them.")
    return np.array([*place, -1], dtype=np.intp)[codes], list(first)


def _refuse_many(name, count):
    if count > MAX_LEVELS:
        what = f"at most {MAX_LEVELS} levels, got {count:,}"
        raise bad_value(f"slices[{name!r}]", f"must have {what}: bin its values, or group the rare ones")


def _few_whole_numbers(values):
    """Floats count too: one missing value turns a column of integers into floats."""
    distinct = pd.unique(values.dropna().to_numpy())
    return len(distinct) <= FEW_VALUES and all(float(value).is_integer() for value in distinct)


def _text(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text if text.strip() else repr(value)


def _with_missing(name, codes, levels, notes):
    missing = codes < 0
    count = int(missing.sum())
    if count:
        notes.append(f"{name} has no value for {counted(count, 'example')}, the level {MISSING}.")
        codes[missing] = len(levels)
        levels = [*levels, MISSING]
    return SliceColumn(name, codes, levels)


def _note_empty(name, levels, notes):
    if levels:
        notes.append(f"{name} has no examples in {listed(levels)}.")


# ---- bins ----


def _binned(name, values, how, edges, notes):
    missing = values.isna().to_numpy()
    present = values[~missing].to_numpy() if missing.any() else values.to_numpy()
    if isinstance(how, list):
        shown = _edge_texts(how)
        levels, cuts = [f"< {shown[0]}", *_between(shown), f">= {shown[-1]}"], np.array(how)
    else:
        levels, cuts = _quantile_bins(present, how)
        if len(present) and len(levels) < how:
            notes.append(f"{name}: {how} quantile bins were asked for and {len(levels)} came out, for values repeat.")
    _refuse_many(name, len(levels))
    edges[name], inside = cuts.tolist(), np.searchsorted(cuts, present, side="right")
    used = np.bincount(inside, minlength=len(levels)) > 0
    _note_empty(name, [level for level, holds in zip(levels[1:-1], used[1:-1], strict=True) if not holds], notes)
    codes = np.full(len(values), -1, dtype=np.intp)
    codes[~missing] = (np.cumsum(used) - 1)[inside]
    return _with_missing(name, codes, [level for level, holds in zip(levels, used, strict=True) if holds], notes)


def _quantile_bins(values, count):
    """(names of the bins, edges between them): `count` bins of about equal size, fewer where values repeat.

    The edges are values of the data, so that no bin is empty, and a value that repeats often gets a bin of its own.
    """
    if len(values) == 0:
        return [], np.empty(0)
    low, high = values.min(), values.max()
    inner = np.unique(np.quantile(values, np.arange(1, count) / count, method="higher"))
    inner = inner[inner > low]
    last = [low, *inner][-1]
    shown = _edge_texts([low, *inner, high] if high > last else [low, *inner])
    return [*_between(shown), *([shown[-1]] if high == last else [])], inner  # its last bin may hold one value alone


def _between(shown):
    return [f"{low} – {high}" for low, high in zip(shown, shown[1:], strict=False)]


def _edge_texts(edges):
    """Edges as people write them: whole numbers in full, others to four digits, or as many as tell them apart."""
    for digits in range(4, 18):
        shown = [_edge_text(edge, digits) for edge in edges]
        if len(set(shown)) == len(set(edges)):
            break
    return shown


def _edge_text(edge, digits):
    if isinstance(edge, (int, np.integer)) or (edge.is_integer() and abs(edge) < 1e15):
        return str(int(edge))
    if 1e-4 <= abs(edge) < 1e15:
        digits = max(digits, len(str(int(abs(edge)))) + 1)  # 1234567.5 is not 1235000
        return np.format_float_positional(edge, precision=digits, fractional=False, trim="-")
    return f"{edge:.{digits}g}"


# ---- crossings ----


def _pairs(crossings: Any, names: Collection[str]) -> Iterator[tuple[str, str]]:
    if isinstance(crossings, (str, Mapping)) or not np.iterable(crossings):
        raise bad_type("crossings", f"must be pairs of slice names, got {describe(crossings)}")
    for pair in crossings:
        if isinstance(pair, str) or not np.iterable(pair) or len(list(pair)) != 2:
            raise bad_value("crossings", f"must be pairs of slice names, got {pair!r}")
        first, second = (str(name) for name in pair)
        for name in (first, second):
            if name not in names:
                raise bad_value("crossings", f"must name slices, got {name!r}; there are {listed(list(names))}")
        if first == second:
            raise bad_value("crossings", f"must be of two different slices, got {first!r} twice")
        yield first, second


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
