"""Labels and predictions as class numbers, once they are known to fit together."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import describe
from kdcourse.audit.columns import counted, factorized, kind, listed, plain, refuse_missing, repeated, series

TOLERANCE = 1e-3  # by how much probabilities may miss a sum of 1


class Examples(NamedTuple):
    labels: np.ndarray  # [N] class numbers
    choices: dict  # model: [N] class numbers, of the most probable class where there are probabilities
    confidence: dict  # model: [N] the highest probability, only of models that gave probabilities
    classes: list  # by number; those that only predictions have come last
    chance: float  # of a guess being right: 1 / number of classes; NaN where the labels hold but one
    notes: list


def read_examples(labels, models, classes=None, ids=None):
    """The examples, from `labels` and {name: predictions}. Arguments and errors are those of `audit`."""
    labels = series("labels", labels)
    if len(labels) == 0:
        raise ValueError("labels must hold at least one example, got none")
    refuse_missing("labels", labels)
    if ids is not None:
        _check_ids(ids, len(labels))
    columns, tables, headers = {"labels": labels}, {}, {}
    for name, given in models.items():
        given = plain(name, given)
        check_length(name, given, len(labels))
        if given.ndim == 1:
            columns[name] = series(name, given)
            refuse_missing(name, columns[name])
        else:
            if isinstance(given, pd.DataFrame):
                headers[name] = given.columns.tolist()
            tables[name] = _probabilities(name, given)
    known = _known_classes(classes, tables)
    _check_headers(headers, known)
    codes, classes = _numbered(columns, known, "classes" if classes is not None else ", ".join(tables))
    choices, confidence = {}, {}
    for name in models:
        if name in tables:
            choices[name] = tables[name].argmax(1)
            confidence[name] = np.take_along_axis(tables[name], choices[name][:, None], 1)[:, 0].astype(np.float64)
        else:
            choices[name] = codes[name]
    present = np.bincount(codes["labels"], minlength=len(classes)) > 0
    notes = [note for name in models for note in _unlabelled(name, choices[name], present, classes)]
    chance = 1 / len(known or np.flatnonzero(present))
    if present.sum() == 1:
        only = classes[int(present.argmax())]
        notes.append(f"labels hold one class only, {only!r}: no share above chance is given, since it has no meaning.")
        chance = np.nan
    if (choices["teacher"] == choices["student"]).all():
        notes.append(f"teacher and student choose the same class for all {counted(len(labels), 'example')}.")
    return Examples(codes["labels"], choices, confidence, classes, chance, notes)


def check_length(name, values, n):
    if len(values) != n:
        raise ValueError(f"{name} must be as long as labels, got {len(values):,} for {n:,} labels")


def _check_ids(ids, n):
    ids = series("ids", ids)
    check_length("ids", ids, n)
    refuse_missing("ids", ids)
    again = ids[ids.duplicated()]
    if len(again):
        rows = counted(int((ids == again.iloc[0]).sum()), "row")
        raise ValueError(f"ids must be unique, got {again.tolist()[0]!r} in {rows}; repeated ids: {again.nunique():,}")


def _probabilities(name, given):
    table = _table(given) if isinstance(given, pd.DataFrame) else given
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(
            f"{name} must be labels [N], or probabilities [N, C] of two classes or more, got shape {list(table.shape)}"
        )
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be probabilities, numbers in two dimensions, got {describe(table)}")
    if not (table.min() >= 0 and table.max() <= 1 + TOLERANCE):
        row, column = np.argwhere(~((table >= 0) & (table <= 1 + TOLERANCE)))[0].tolist()
        hint = "" if np.isnan(table).any() else "; logits need a softmax first"
        raise ValueError(
            f"{name} must be probabilities in [0, 1], got {table[row, column]} in row {row}, column {column}{hint}"
        )
    sums = table.sum(1, dtype=np.float64)
    if np.abs(sums - 1).max() > TOLERANCE:
        row = int((np.abs(sums - 1) > TOLERANCE).argmax())
        raise ValueError(f"{name} must be probabilities that sum to 1 in each row, got {sums[row]:.6g} in row {row}")
    return table


def _table(frame):
    if any(pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes):  # numbers with None or pandas.NA among them
        frame = frame.mask(frame.isna()).infer_objects()
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy()
    numbers = all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)
    return frame.to_numpy(dtype=np.float64, na_value=np.nan) if numbers else frame.to_numpy(dtype=object)


def _known_classes(classes, tables):
    """The classes by column, from `classes` or the number of columns; None where only labels tell them."""
    widths = {name: table.shape[1] for name, table in tables.items()}
    first = next(iter(widths), None)
    for name, width in widths.items():
        if width != widths[first]:
            raise ValueError(f"{name} must have as many columns as {first}, got {width} and {widths[first]}")
    if classes is None:
        return list(range(widths[first])) if tables else None
    classes = series("classes", classes)
    refuse_missing("classes", classes)
    classes = classes.tolist()
    if len(classes) < 2 or (tables and len(classes) != widths[first]):
        expected = f"the {widths[first]} columns of {first}" if tables else "two classes or more"
        raise ValueError(f"classes must name {expected}, got {len(classes)}")
    if (again := repeated(classes)) is not None:
        raise ValueError(f"classes must be distinct, got {again!r} twice")
    return classes


def _check_headers(headers, known):
    """A DataFrame of probabilities whose columns carry the classes' names must have them in their order."""
    for name, header in headers.items():
        for expected in [known, *headers.values()]:
            if set(header) == set(expected) and header != expected:
                raise ValueError(f"{name} must have its columns in the order {expected}, got {header}")


def _numbered(columns, known, source):
    """({name: class numbers}, the classes). `source` says where the known classes come from."""
    codes, values = {}, {}
    for name, column in columns.items():
        codes[name], values[name] = factorized(name, column)
        values[name] = [_whole(name, value) for value in values[name]]
    classes = list(known or values["labels"])
    for name, distinct in values.items():
        if known and kind(known) == "strings" and kind(distinct) == "numbers":  # numbers of the columns, then
            place = {number: number for number in range(len(known))}
        else:
            place = {value: number for number, value in enumerate(classes)}
        unknown = [number for number, value in enumerate(distinct) if value not in place]
        if unknown and known:
            value, rows = distinct[unknown[0]], counted(int((codes[name] == unknown[0]).sum()), "row")
            hint = "" if source == "classes" else "; classes can name the columns"
            raise ValueError(
                f"{name} must be among the classes {listed(known)} (from {source}), got {value!r} in {rows}{hint}"
            )
        if not known and {kind(distinct), kind(values["labels"])} == {"numbers", "strings"}:
            raise TypeError(
                f"{name} must be {kind(values['labels'])}, as labels are, got {distinct[0]!r}; "
                f"labels hold {listed(values['labels'], 3)}"
            )
        for number in unknown:
            place[distinct[number]] = len(classes)
            classes.append(distinct[number])
        codes[name] = np.array([place[value] for value in distinct], dtype=np.intp)[codes[name]]
    return codes, classes


def _whole(name, value):
    if isinstance(value, float):
        if not value.is_integer():
            hint = "" if name == "labels" else "; probabilities need a column for each class"
            raise ValueError(f"{name} must be classes: whole numbers, strings or booleans, got {value}{hint}")
        return int(value)
    return value


def _unlabelled(name, choices, present, classes):
    counts = np.bincount(choices, minlength=len(classes))
    odd = np.flatnonzero((counts > 0) & ~present)
    if len(odd) > 3:
        most = odd[counts[odd].argmax()]
        yield (
            f"{name} predicts {len(odd):,} classes that no label has, for {counted(counts[odd].sum(), 'example')}; "
            f"most often {classes[most]!r} ({counts[most]:,})."
        )
        return
    for number in odd:
        where = counted(counts[number], "example")
        yield f"{name} predicts a class that no label has, {classes[number]!r}, for {where}."
