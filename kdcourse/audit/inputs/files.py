"""Predictions from a CSV or Parquet file: only the columns that are needed, and classes as they are written."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_value
from kdcourse.audit.inputs.examples import alike, listed, repeated
from kdcourse.audit.inputs.formats import csv_form, is_parquet

NO_NUMBER = {"", "#n/a", "n/a", "na", "nan", "null", "none"}  # what a missing number is written as
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0+)?")
LEADING_ZERO = re.compile(r"[+-]?0[0-9]")  # 01 is a name, not a number
EXACT = 2**53  # from here on, two whole numbers may be the same float
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})*")  # may be either: 1,500 is 1500 or 1.5


def column_names(path: Path) -> list[str]:
    """The columns of a file, in order. ValueError if it is no CSV or Parquet file, or names two columns alike."""
    from pyarrow import csv, parquet

    with _reading(path):
        if is_parquet(path):
            names = parquet.read_schema(path).names
        else:
            with csv.open_csv(path, **csv_form(path).options()) as file:
                names = file.schema.names
    if (again := repeated([name for name in names if name])) is not None:  # spreadsheets add columns without a name
        raise bad_value("predictions", f"must have distinct column names, got {again!r} twice")
    return names


def read_columns(path: Path, names: Collection[str], numbers: Collection[str] = ()) -> dict[str, pd.Series]:
    """The columns `names`, text as categories in their order; `numbers` are those that are wanted as numbers.

    In a CSV file any other column is text, whatever it looks like: 01 stays 01. So are those in `numbers` if a cell is
    no number. In a Parquet file a column has the type that it was stored with. An empty text is a missing value.
    """
    from pyarrow import parquet

    with _reading(path):
        form = None if is_parquet(path) else csv_form(path)
        if form is None:
            table = parquet.read_table(path, columns=list(names), partitioning=None)
        else:
            form.check_quotes(path)
            table = _read_csv(path, form, names, numbers)
        read = {name: _series(table.column(name), exact=name not in numbers) for name in names}
    read = {name: _in_order(column) if is_text(column) else column for name, column in read.items()}
    if form is not None and form.delimiter == ";":
        return {name: _with_points(column) if is_text(column) else column for name, column in read.items()}
    return read


def is_text(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) and pd.api.types.is_string_dtype(column.cat.categories)


def as_numbers(argument: str, column: pd.Series) -> pd.Series:
    """Text as floats, NaN where there is none. ValueError that names the argument and the first that is no number."""
    if not is_text(column):
        return column
    numbers = [_number(text) for text in column.cat.categories]
    if None in numbers:
        wrong = numbers.index(None)
        row = int((column.cat.codes == wrong).argmax())
        raise bad_value(argument, f"must hold numbers, got {column.cat.categories[wrong]!r} in row {row:,}")
    return pd.Series(np.array([*numbers, np.nan])[column.cat.codes])


def as_slice(column: pd.Series) -> pd.Series:
    """Numbers if each text is one and none starts like 01 or is too long for a float, otherwise its levels."""
    if is_text(column):
        filled = [text for text in column.cat.categories if text.strip().casefold() not in NO_NUMBER]
        if filled and all(_is_measure(text.strip()) for text in filled):
            return as_numbers("slices", column)
    return column


def as_classes(
    columns: dict[str, pd.Series], classes: list[str] | None
) -> tuple[dict[str, pd.Series], Sequence[object] | None]:
    """({argument: classes [N]}, classes) that can be compared: all are numbers, or all are text.

    `columns` has the labels first; `classes` are texts that name the columns of probabilities, or None. Whole numbers,
    such as 3 and 3.0, become numbers if every class is one. ValueError where a prediction is written otherwise than the
    label that it stands for: `true` for `True`, 01 for 1.
    """
    if not all(map(is_text, columns.values())):
        return columns, _typed(classes, columns["labels"])
    _refuse_missing(columns, classes or [])
    texts = {text for column in columns.values() for text in column.cat.categories}.union(classes or [])
    if all(map(WHOLE.fullmatch, texts)):
        places = {name: np.array([*map(_whole, one.cat.categories), None]) for name, one in columns.items()}
        numbers = {name: pd.Series(whole[columns[name].cat.codes]) for name, whole in places.items()}
        return numbers, classes and [*map(_whole, classes)]
    known = set(classes or columns["labels"].cat.categories)
    if len(known) > 100 and not any(one is None or one.is_integer() for one in map(_number, known)):
        expected = "must be classes; mae, rmse and pinball are metrics for real numbers"
        raise bad_value("labels", f"{expected}, got {listed(sorted(known), 3)}")
    spelled = {_alike(text): text for text in known}
    for name, column in list(columns.items())[1:]:
        found = column.cat.categories.tolist()
        if all(map(WHOLE.fullmatch, known)):
            numbers = {text: _number(text) for text in found if not WHOLE.fullmatch(text)}
            shares = [text for text, one in numbers.items() if one is not None and not np.isnan(one)]
            if shares:
                hint = "probabilities need a column for each class, or a threshold first"
                raise bad_value(name, f"must hold the classes {listed(sorted(known), 3)}, got {shares[0]!r}; {hint}")
        for text in found:
            if text not in known and _alike(text) in spelled:
                raise bad_value(name, f"must write classes as labels do, got {text!r} for {spelled[_alike(text)]!r}")
        if not {*map(alike, known)}.intersection(map(alike, found)):
            hint = "; probabilities of one class need a threshold" if all(map(_number, found)) else ""
            raise bad_value(name, f"must hold the classes {listed(sorted(known), 3)}, got {listed(found, 3)}{hint}")
    return columns, classes


def typed_class(text: str, labels: pd.Series) -> object:
    """A class that was named in the command, in the type of the labels, where that can be."""
    return _typed([text], labels)[0]


def as_answers(column: pd.Series) -> pd.Series:
    """Texts, of which an empty one is an answer too."""
    return column.astype(object).fillna("") if is_text(column) else column


def matching(pattern: str, names: Collection[str]) -> dict[str, str]:
    """{what * stands for: name} of the names that match a pattern with one *, in their order."""
    before, _, after = pattern.partition("*")
    shortest = len(before) + len(after) + 1
    return {
        name[len(before) : len(name) - len(after)]: name
        for name in names
        if len(name) >= shortest and name.startswith(before) and name.endswith(after)
    }


@contextmanager
def _reading(path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except OSError as error:
        raise bad_value("predictions", f"cannot be read: {path}: {error.strerror or error}") from None
    except (pyarrow.ArrowException, UnicodeDecodeError, EOFError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise bad_value("predictions", f"must be CSV or Parquet, and {path} cannot be read: {said}") from None


def _read_csv(path, form, names, numbers):
    import pyarrow
    from pyarrow import csv

    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def read(numbers):
        types = {name: pyarrow.float64() if name in numbers else text for name in names}
        options = csv.ConvertOptions(include_columns=list(names), column_types=types)
        return csv.read_csv(path, convert_options=options, **form.options())

    try:
        return read(numbers)
    except pyarrow.ArrowInvalid:  # perhaps for a cell that is no number, which `as_numbers` can then name
        return read(())


def _series(column, *, exact):
    """A column of pyarrow as one of pandas. Where it may be `exact`, large integers with gaps do not become floats."""
    import pyarrow
    from pyarrow import types

    if types.is_decimal(column.type):
        try:
            column = column.cast(pyarrow.int64())
        except pyarrow.ArrowInvalid:  # not whole
            column = column.cast(pyarrow.float64())
    elif types.is_float16(column.type):
        column = column.cast(pyarrow.float32())
    elif types.is_binary(column.type) or types.is_large_binary(column.type):  # as some warehouses write text
        column = column.cast(pyarrow.string())
    gaps: dict[Any, Any] = {}
    if exact and column.null_count:
        gaps = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}
    return column.to_pandas(strings_to_categorical=True, types_mapper=gaps.get)


def _in_order(column):
    return column.cat.set_categories(sorted(text for text in column.cat.categories if text))


def _with_points(column):
    """Text with decimal commas, as 0,5, with points instead, where all of it is that and it cannot be thousands."""
    texts = column.cat.categories
    if not all(map(DECIMAL_COMMA.fullmatch, texts)) or all(map(THOUSANDS.fullmatch, texts)):
        return column
    return column.cat.rename_categories([text.replace(",", ".") for text in texts])


def _refuse_missing(columns, classes):
    """Words such as NA are missing values if all else are numbers, or if one column alone has the word.

    A class that is called so, as Namibia is, occurs in the labels and in a prediction.
    """
    texts = Counter(text for column in columns.values() for text in column.cat.categories)
    words = {text for text in texts if text.strip().casefold() in NO_NUMBER}.difference(classes)
    others, hint = texts.keys() - words, ""
    if not others or not all(map(WHOLE.fullmatch, others)):
        words, hint = {text for text in words if texts[text] == 1}, "; a class of that name must be predicted too"
    for name, column in columns.items():
        for word in words.intersection(column.cat.categories):
            row = int((column == word).argmax())
            raise bad_value(name, f"must hold no missing values, got {word!r} in row {row:,}{hint}")


def _is_measure(text):
    number = _number(text)
    return number is not None and not LEADING_ZERO.match(text) and not EXACT <= abs(number) < np.inf


def _number(text):
    """A text as a number, NaN if it says that there is none, None if it is something else."""
    if text.strip().casefold() in NO_NUMBER:
        return np.nan
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _whole(text):
    return int(text.partition(".")[0])


def _typed(classes, labels):
    """The classes in the type of the labels, where that can be."""
    if classes is None or is_text(labels):
        return classes
    if labels.dtype == bool and {text.casefold() for text in classes} == {"true", "false"}:
        return [text.casefold() == "true" for text in classes]
    return [*map(_whole, classes)] if labels.dtype != bool and all(map(WHOLE.fullmatch, classes)) else classes


def _alike(text):
    text = text.strip().casefold()
    number = _number(text)
    return text if number is None or np.isnan(number) else number
