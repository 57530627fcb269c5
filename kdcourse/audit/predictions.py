"""Predictions from a CSV or Parquet file: only the columns that are needed, and classes as they are written."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdcourse.audit.columns import listed, repeated

NO_NUMBER = {"", "#n/a", "n/a", "na", "nan", "null", "none"}  # what a missing number is written as
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0+)?")
LEADING_ZERO = re.compile(r"[+-]?0[0-9]")  # 01 is a name, not a number


class Text(NamedTuple):
    """A column of text."""

    codes: np.ndarray  # [N] the position of each row's text in `values`, -1 where the cell is empty
    values: list  # the distinct texts, sorted


def column_names(path):
    """The columns of a file, in order. ValueError if it is no CSV or Parquet file, or names two columns alike."""
    import pyarrow

    try:
        if _is_parquet(path):
            import pyarrow.parquet

            names = pyarrow.parquet.read_schema(path).names
        else:
            import pyarrow.csv

            with pyarrow.csv.open_csv(path, parse_options=_parsing(path)) as file:
                names = file.schema.names
    except (pyarrow.ArrowException, UnicodeDecodeError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as CSV or Parquet: {_first_line(error)}") from None
    if (again := repeated(names)) is not None:
        raise ValueError(f"{path} must have distinct column names, got {again!r} twice")
    return names


def read_columns(path, names, numbers=()):
    """{name: Text or numbers [N]} of the columns `names`; `numbers` are those that are wanted as numbers.

    In a CSV file any other column is Text, whatever it looks like: 01 stays 01. So are those in `numbers` if a cell is
    no number. In a Parquet file a column has the type that it was stored with; dates become text. A number that is
    missing is NaN.

    Raises ValueError that names the file or the column.
    """
    import pyarrow

    try:
        table = _read_parquet(path, names) if _is_parquet(path) else _read_csv(path, names, numbers)
        return {name: _plain(name, table.column(name)) for name in names}
    except (pyarrow.ArrowException, UnicodeDecodeError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as CSV or Parquet: {_first_line(error)}") from None


def as_numbers(name, column):
    """A column as floats [N], NaN where it is missing. ValueError that names the first cell that is no number."""
    if not isinstance(column, Text):
        return column.astype(np.float64)
    numbers = [_number(value) for value in column.values]
    if None in numbers:
        wrong = numbers.index(None)
        row = int((column.codes == wrong).argmax()) + 1
        raise ValueError(f"column {name!r} must hold numbers, got {column.values[wrong]!r} in row {row:,}")
    return np.array([*numbers, np.nan])[column.codes]


def as_slice(column):
    """A column for `audit`: numbers if each text in it is one and none starts like 01, otherwise its levels."""
    if not isinstance(column, Text):
        return column
    filled = [value for value in column.values if value.strip().casefold() not in NO_NUMBER]
    if filled and all(_number(value) is not None and not LEADING_ZERO.match(value.strip()) for value in filled):
        return as_numbers("", column)
    return as_levels(column)


def as_levels(column):
    """A column for `audit` whose values are levels as they are written."""
    return pd.Categorical.from_codes(column.codes, column.values) if isinstance(column, Text) else column


def as_classes(columns, classes):
    """({name: classes [N]}, classes) that can be compared: all are numbers, or all are text.

    columns  {name: Text or numbers}, the labels first
    classes  texts that name the columns of probabilities, or None

    Whole numbers, such as 3 and 3.0, become numbers if every class is one. Raises ValueError for an empty cell, and
    where a prediction is written otherwise than the label that it stands for: `true` for `True`, 01 for 1.
    """
    for name, column in columns.items():
        missing = column.codes < 0 if isinstance(column, Text) else pd.isna(column)
        if missing.any():
            row = int(missing.argmax()) + 1
            raise ValueError(
                f"column {name!r} must have a value in each row, got {int(missing.sum()):,} that are empty, "
                f"the first in row {row:,}"
            )
    labels, *predictions = columns
    if not all(isinstance(column, Text) for column in columns.values()):
        wanted = columns[labels] if not isinstance(columns[labels], Text) else None
        return {name: as_levels(column) for name, column in columns.items()}, _typed(classes, wanted)
    texts = {value for column in columns.values() for value in column.values}
    if all(WHOLE.fullmatch(value) for value in texts.union(classes or [])):
        numbers = {name: _whole(column.values)[column.codes] for name, column in columns.items()}
        return numbers, classes and [int(value.partition(".")[0]) for value in classes]
    for name in predictions:
        _check_spelling(labels, classes or columns[labels].values, name, columns[name].values)
    return {name: as_levels(column) for name, column in columns.items()}, classes


def matching(pattern, names):
    """{what * stands for: name} of the names that match a pattern with one *, in their order."""
    before, _, after = pattern.partition("*")
    shortest = len(before) + len(after) + 1
    return {
        name[len(before) : len(name) - len(after)]: name
        for name in names
        if len(name) >= shortest and name.startswith(before) and name.endswith(after)
    }


def _is_parquet(path):
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _parsing(path):
    from pyarrow import csv

    tabs = any(suffix in (".tsv", ".tab") for suffix in Path(path).suffixes[-2:])
    return csv.ParseOptions(delimiter="\t" if tabs else ",", newlines_in_values=True)


def _read_csv(path, names, numbers):
    import pyarrow
    from pyarrow import csv

    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def read(numbers):
        types = {name: pyarrow.float64() if name in numbers else text for name in names}
        options = csv.ConvertOptions(include_columns=list(names), column_types=types)
        return csv.read_csv(path, parse_options=_parsing(path), convert_options=options)

    try:
        return read(numbers)
    except pyarrow.ArrowInvalid:  # perhaps for a cell that is no number, which `as_numbers` can then name
        return read(())


def _read_parquet(path, names):
    from pyarrow import parquet

    stored = parquet.read_schema(path)
    text = [name for name in names if str(stored.field(name).type) in ("string", "large_string")]
    return parquet.read_table(path, columns=list(names), read_dictionary=text, partitioning=None)


def _plain(name, column):
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_boolean(kind) and not column.null_count:
        return column.to_numpy()
    if types.is_integer(kind) and not column.null_count:
        return column.to_numpy()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pyarrow.float64()).to_numpy()
    if types.is_nested(kind):
        raise ValueError(f"column {name!r} must hold numbers or text, got {kind}")
    if types.is_dictionary(kind) and not types.is_string(kind.value_type):
        return _plain(name, column.cast(kind.value_type))
    if not types.is_dictionary(kind):
        column = column.cast(pyarrow.string())
    return _text(column)


def _text(column):
    import pyarrow
    from pyarrow import types

    if not types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    chunks = column.chunks or [pyarrow.array([], pyarrow.string()).dictionary_encode()]
    values = chunks[0].dictionary.to_pylist()
    order = sorted((place for place, value in enumerate(values) if value), key=values.__getitem__)
    rank = np.full(len(values) + 1, -1, dtype=np.int32)  # the last one is for the code -1
    rank[order] = np.arange(len(order), dtype=np.int32)
    codes = [rank[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)] for chunk in chunks]
    return Text(np.concatenate(codes), [values[place] for place in order])


def _number(text):
    """A text as a number, NaN if it says that there is none, None if it is something else."""
    if text.strip().casefold() in NO_NUMBER:
        return np.nan
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _whole(values):
    return np.array([int(value.partition(".")[0]) for value in values], dtype=np.int64)


def _typed(classes, labels):
    """The classes in the type of the labels, where that can be."""
    if classes is None or labels is None:
        return classes
    if labels.dtype == bool and {value.casefold() for value in classes} == {"true", "false"}:
        return [value.casefold() == "true" for value in classes]
    if labels.dtype != bool and all(WHOLE.fullmatch(value) for value in classes):
        return [int(value.partition(".")[0]) for value in classes]
    return classes


def _check_spelling(labels, known, name, values):
    spelled = {_alike(value): value for value in known}
    for value in sorted(set(values) - set(known)):
        if _alike(value) in spelled:
            raise ValueError(
                f"column {name!r} must write classes as {labels!r} does, got {value!r} for {spelled[_alike(value)]!r}"
            )
    if not set(values) & set(known):
        raise ValueError(
            f"column {name!r} must hold classes of {labels!r}, got {listed(sorted(values), 3)}; "
            f"the classes are {listed(sorted(known), 3)}"
        )


def _alike(text):
    text = text.strip().casefold()
    number = _number(text)
    return text if number is None or np.isnan(number) else number


def _first_line(error):
    return str(error).splitlines()[0] if str(error) else type(error).__name__
