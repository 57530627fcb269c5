"""Labels and predictions as class numbers, once they are known to fit together, wherever their columns come from."""

import collections
import numbers
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_type, bad_value, describe

TOLERANCE = 1e-3  # by how much probabilities may miss a sum of 1


class Examples(NamedTuple):
    labels: np.ndarray  # [N] class numbers
    choices: dict[str, np.ndarray]  # model: [N] class numbers, of the most probable class where there are probabilities
    confidence: dict[str, np.ndarray]  # model: [N] the highest probability, only of models that gave probabilities
    classes: list  # by number; those that only predictions have come last
    chance: float  # of a guess being right: 1 / number of classes; NaN where the labels hold but one
    notes: list[str]
    tables: dict[str, np.ndarray] = {}  # model: [N, C] probabilities, of models that gave them


def read_examples(labels: Any, models: dict[str, Any], classes: Any = None, ids: Any = None) -> Examples:
    """The examples, from `labels` and {name: predictions}. Arguments and errors are those of `audit`."""
    labels = complete("labels", labels)
    if len(labels) == 0:
        raise bad_value("labels", "must hold at least one example, got none")
    if ids is not None:
        check_ids(ids, len(labels))
    columns, tables, headers = {"labels": labels}, {}, {}
    for name, given in models.items():
        given = plain(name, given)
        check_length(name, given, len(labels))
        if given.ndim == 1:
            columns[name] = complete(name, given)
        else:
            if isinstance(given, pd.DataFrame):
                headers[name] = given.columns.tolist()
            tables[name] = probabilities(name, given)
    known = _known_classes(classes, tables)
    for name, header in headers.items():  # columns that carry the classes' names must have them in their order
        for expected in [known, *headers.values()]:
            if set(header) == set(expected) and header != expected:
                raise bad_value(name, f"must have its columns in the order {expected}, got {header}")
    codes, classes = _numbered(columns, known, "classes" if classes is not None else ", ".join(tables))
    choices = {name: tables[name].argmax(1) if name in tables else codes[name] for name in models}
    confidence = {
        name: np.take_along_axis(table, choices[name][:, None], 1)[:, 0].astype(np.float64)
        for name, table in tables.items()
    }
    present = np.bincount(codes["labels"], minlength=len(classes)) > 0
    notes = [note for name in models for note in _unlabelled(name, choices[name], present, classes)]
    chance = 1 / len(known or np.flatnonzero(present))
    if present.sum() == 1:
        only = classes[int(present.argmax())]
        notes.append(f"labels hold one class only, {only!r}: no share above chance is given, since it has no meaning.")
        chance = np.nan
    for name in models:
        if name.startswith("student") and (choices["teacher"] == choices[name]).all():
            notes.append(f"teacher and {name} choose the same class for all {counted(len(labels), 'example')}.")
    return Examples(codes["labels"], choices, confidence, classes, chance, notes, tables)


def check_ids(ids: Any, n: int) -> None:
    ids = complete("ids", ids)
    check_length("ids", ids, n)
    again = ids[ids.duplicated()]
    if len(again):
        rows = counted(int((ids == again.iloc[0]).sum()), "row")
        raise bad_value(
            "ids", f"must be unique, got {again.tolist()[0]!r} in {rows}; repeated ids: {again.nunique():,}"
        )


# ---- classes ----


def probabilities(name: str, given: Any) -> np.ndarray:
    """`given` as an array [N, C], if its rows are probabilities."""
    table = _table(given) if isinstance(given, pd.DataFrame) else given
    if table.ndim != 2 or table.shape[1] < 2:
        expected = "labels [N], or probabilities [N, C] of two classes or more"
        raise bad_value(name, f"must be {expected}, got shape {list(table.shape)}")
    if table.dtype.kind not in "biuf":
        raise bad_type(name, f"must be probabilities, numbers in two dimensions, got {describe(table)}")
    if not (table.min() >= 0 and table.max() <= 1 + TOLERANCE):
        row, column = np.argwhere(~((table >= 0) & (table <= 1 + TOLERANCE)))[0].tolist()
        found = f"{table[row, column]} in row {row}, column {column}"
        hint = "" if np.isnan(table).any() else "; logits need a softmax first"
        raise bad_value(name, f"must be probabilities in [0, 1], got {found}{hint}")
    sums = table.sum(1, dtype=np.float64)
    if np.abs(sums - 1).max() > TOLERANCE:
        row = int((np.abs(sums - 1) > TOLERANCE).argmax())
        raise bad_value(name, f"must be probabilities that sum to 1 in each row, got {sums[row]:.6g} in row {row}")
    return table


def _table(frame):
    if any(pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes):  # numbers with None or pandas.NA among them
        frame = frame.mask(frame.isna()).infer_objects()
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy()
    numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)
    return frame.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else frame.to_numpy(dtype=object)


def _known_classes(classes, tables):
    """The classes by column, from `classes` or the number of columns; None where only labels tell them."""
    first = next(iter(tables), None)
    columns = tables[first].shape[1] if tables else None
    for name, table in tables.items():
        if table.shape[1] != columns:
            raise bad_value(name, f"must have as many columns as {first}, got {table.shape[1]} and {columns}")
    if classes is None:
        return list(range(columns)) if tables else None
    classes = complete("classes", classes).tolist()
    if len(classes) < 2 or (tables and len(classes) != columns):
        expected = f"the {columns} columns of {first}" if tables else "two classes or more"
        raise bad_value("classes", f"must name {expected}, got {len(classes)}")
    if (again := repeated(classes)) is not None:
        raise bad_value("classes", f"must be distinct, got {again!r} twice")
    return classes


def _numbered(columns, known, source):
    """({name: class numbers}, the classes). `source` says where the known classes come from."""
    codes, values = {}, {}
    for name, column in columns.items():
        codes[name], values[name] = factorized(name, column)
        values[name] = [_whole(name, value) for value in values[name]]
    classes = list(known or values["labels"])
    _refuse_look_alikes(values)
    for name, distinct in values.items():
        if known and _kind(known) == "strings" and _kind(distinct) == "numbers":  # numbers of the columns, then
            place = {number: number for number in range(len(known))}
        else:
            place = {value: number for number, value in enumerate(classes)}
        unknown = [number for number, value in enumerate(distinct) if value not in place]
        if unknown and known:
            value, rows = distinct[unknown[0]], counted(int((codes[name] == unknown[0]).sum()), "row")
            hint = "" if source == "classes" else "; classes can name the columns"
            expected = f"among the classes {listed(known)} (from {source})"
            raise bad_value(name, f"must be {expected}, got {value!r} in {rows}{hint}")
        if not known and {_kind(distinct), _kind(values["labels"])} == {"numbers", "strings"}:
            expected = f"{_kind(values['labels'])}, as labels are"
            hold = listed(values["labels"], 3)
            raise bad_type(name, f"must be {expected}, got {distinct[0]!r}; labels hold {hold}")
        for number in unknown:
            place[distinct[number]] = len(classes)
            classes.append(distinct[number])
        codes[name] = np.array([place[value] for value in distinct], dtype=np.intp)[codes[name]]
    return codes, classes


def _refuse_look_alikes(values):
    """ "cat" and "cat " would be two classes, and a perfect student half wrong."""
    seen: dict[Any, tuple[str, Any]] = {}
    for name, distinct in values.items():
        for value in distinct:
            where, before = seen.setdefault(alike(value), (name, value))
            if before != value and type(before) is type(value):
                here = f"{value!r} beside {before!r} of {where}"
                raise bad_value(name, f"must write a class in one way, got {here}, which look alike")


def _whole(name, value):
    if isinstance(value, float):
        if not value.is_integer():
            hint = "probabilities need a column for each class, or a threshold"
            hint = f"; {'mae, rmse and pinball are metrics for real numbers' if name == 'labels' else hint}"
            raise bad_value(name, f"must be classes: whole numbers, strings or booleans, got {value}{hint}")
        return int(value)
    return value


def _kind(values):
    """ "numbers", "strings", or "mixed": a number never equals a string, so comparing the two is a mistake."""
    if all(isinstance(value, numbers.Number) for value in values):
        return "numbers"
    return "strings" if all(isinstance(value, str) for value in values) else "mixed"


def _unlabelled(name, choices, present, classes) -> Iterator[str]:
    counts = np.bincount(choices, minlength=len(classes))
    odd = np.flatnonzero((counts > 0) & ~present)
    if len(odd) > 3:
        most = odd[counts[odd].argmax()]
        many = f"{name} predicts {len(odd):,} classes that no label has, for {counted(counts[odd].sum(), 'example')}"
        yield f"{many}; most often {classes[most]!r} ({counts[most]:,})."
        return
    for number in odd:
        where = counted(counts[number], "example")
        yield f"{name} predicts a class that no label has, {classes[number]!r}, for {where}."


# ---- columns ----


def plain(name: str, values: Any) -> Any:
    """`values` as a Series, a DataFrame or an array: a tensor on any device, a list, or anything that numpy reads."""
    if getattr(values, "ndim", None) == 0:
        raise bad_type(name, f"must be an array, a list, a tensor or a Series, got a single value, {values}")
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
    if isinstance(values, (list, tuple, range)):
        values = list(values)
        if values and hasattr(values[0], "detach"):  # tensors hash by identity: no two would be the same class
            values = [value.tolist() for value in values]
        if not any(isinstance(value, (list, tuple, np.ndarray)) for value in values):
            return pd.Series(values, dtype=None if values else object)
    elif isinstance(values, (pd.Series, pd.DataFrame, np.ndarray)):
        return values
    elif isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return pd.Series(values)
    elif not hasattr(values, "__array__"):
        raise bad_type(name, f"must be an array, a list, a tensor or a Series, got {describe(values)}")
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as reason:  # ragged lists
        raise bad_type(name, f"must be an array, a list, a tensor or a Series: {reason}") from None


def series(name: str, values: Any) -> pd.Series:
    """`values` [N] as a Series that counts its rows from 0: whatever index they had, they align by position."""
    values = plain(name, values)
    if values.ndim != 1:
        raise bad_value(name, f"must be [N], one value per example, got shape {list(values.shape)}")
    column = pd.Series(values.array if isinstance(values, pd.Series) else values, copy=False)
    if column.dtype != object:
        return column
    missing = column.isna()
    # Numbers with None among them become floats; pandas.NA would keep them from it.
    return (column.mask(missing) if missing.any() else column).infer_objects()


def complete(name: str, values: Any) -> pd.Series:
    """The same, of what may have no missing values."""
    column = series(name, values)
    missing = column.isna().to_numpy()
    if missing.any():
        found = f"{int(missing.sum()):,}, the first in row {int(missing.argmax())}"
        raise bad_value(name, f"must hold no missing values, got {found}")
    return column


def check_length(name: str, values: Any, n: int) -> None:
    if len(values) != n:
        raise bad_value(name, f"must be as long as labels, got {len(values):,} for {n:,} labels")


def factorized(name: str, column: pd.Series) -> tuple[np.ndarray, list]:
    """(codes [N], the distinct values in their order): -1 stands for a missing value."""
    try:
        codes, index = pd.factorize(column)
    except TypeError:  # what has no hash
        odd = next((value for value in column if isinstance(value, (list, dict, set, np.ndarray))), column.iloc[0])
        raise bad_type(name, f"must hold single values, such as numbers or strings, got {describe(odd)}") from None
    values = index.tolist()
    places = range(len(values))
    if isinstance(index, pd.CategoricalIndex):  # categories as they are declared, anything else by value
        order = sorted(places, key=index.codes.__getitem__)
    else:
        try:
            order = sorted(places, key=values.__getitem__)
        except TypeError:  # numbers among strings
            order = sorted(places, key=lambda place: (type(values[place]).__name__, repr(values[place])))
    rank = np.empty(len(order) + 1, dtype=np.intp)
    rank[np.array(order, dtype=np.intp)], rank[-1] = np.arange(len(order)), -1
    return rank[codes], [values[place] for place in order]


def alike(value: Any) -> Any:
    """What a text looks like: equal for texts that differ in Unicode form or in blanks. Anything else is itself."""
    return isinstance(value, str) and " ".join(unicodedata.normalize("NFKC", value).split()) or value


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def repeated(values: Sequence) -> Any:
    """The first value that occurs twice, or None."""
    return next((value for value, count in collections.Counter(values).items() if count > 1), None)


def listed(values: Sequence, most: int = 10) -> str:
    """The first few of them for a message: 'a', 'b', and 3 more."""
    shown = ", ".join(repr(value) for value in values[:most])
    return f"{shown}, and {len(values) - most:,} more" if len(values) > most else shown
