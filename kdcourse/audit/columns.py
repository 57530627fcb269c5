"""One column of a table, wherever it comes from: by position, factorised once, with names that people can read."""

import collections
import numbers

import numpy as np
import pandas as pd

from kdcourse._arguments import describe

MISSING = "(missing)"


def plain(name, values):
    """`values` as a Series, a DataFrame or an array: a tensor on any device, a list, or anything that numpy reads."""
    if getattr(values, "ndim", None) == 0:
        raise TypeError(f"{name} must be an array, a list, a tensor or a Series, got a single value, {values}")
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
    if isinstance(values, (list, tuple, range)):
        values = list(values)
        if values and hasattr(values[0], "detach"):  # tensors hash by identity: no two would be the same class
            values = [value.tolist() for value in values]
        nested = any(isinstance(value, (list, tuple, np.ndarray)) for value in values)
        return _array(name, values) if nested else pd.Series(values, dtype=None if values else object)
    if isinstance(values, (pd.Series, pd.DataFrame, np.ndarray)):
        return values
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return pd.Series(values)
    if not hasattr(values, "__array__"):
        raise TypeError(f"{name} must be an array, a list, a tensor or a Series, got {describe(values)}")
    return _array(name, values)


def series(name, values):
    """`values` [N] as a Series that counts its rows from 0: whatever index they had, they align by position."""
    values = plain(name, values)
    if values.ndim != 1:
        raise ValueError(f"{name} must be [N], one value per example, got shape {list(values.shape)}")
    if isinstance(values, pd.Series):
        values = values.array
    column = pd.Series(values, copy=False)
    if column.dtype != object:
        return column
    missing = column.isna()
    # Numbers with None among them become floats; pandas.NA would keep them from it.
    return (column.mask(missing) if missing.any() else column).infer_objects()


def factorized(name, column):
    """(codes [N], the distinct values in their order): -1 stands for a missing value."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # what has no hash
        odd = next((value for value in column if isinstance(value, (list, dict, set, np.ndarray))), column.iloc[0])
        raise TypeError(f"{name} must hold single values, such as numbers or strings, got {describe(odd)}") from None
    order = np.asarray(in_order(values), dtype=np.intp)
    rank = np.empty(len(order) + 1, dtype=np.intp)
    rank[order], rank[-1] = np.arange(len(order)), -1
    values = values.tolist()
    return rank[codes], [values[position] for position in order]


def in_order(values):
    """Positions that sort the distinct values: categories as they are declared, anything else by value."""
    if isinstance(values, pd.CategoricalIndex):
        return values.codes.argsort()
    values = values.tolist()
    try:
        return sorted(range(len(values)), key=values.__getitem__)
    except TypeError:  # numbers among strings
        return sorted(
            range(len(values)), key=lambda position: (type(values[position]).__name__, repr(values[position]))
        )


def refuse_missing(name, column):
    missing = column.isna().to_numpy()
    if missing.any():
        raise ValueError(
            f"{name} must hold no missing values, got {int(missing.sum()):,}, the first in row {int(missing.argmax())}"
        )


def kind(values):
    """ "numbers", "strings", or "mixed": a number never equals a string, so comparing the two is a mistake."""
    if all(isinstance(value, numbers.Number) for value in values):
        return "numbers"
    return "strings" if all(isinstance(value, str) for value in values) else "mixed"


def texts(values, taken=()):
    """A name for each distinct value, no two the same: 1 and "1" become 1 and '1'. Names in `taken` are avoided too."""
    names = [_text(value) for value in values]
    clash = len(set(names)) < len(names) or set(names) & set(taken)
    return [repr(value) for value in values] if clash else names


def counted(count, what):
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def repeated(values):
    """The first value that occurs twice, or None."""
    return next((value for value, count in collections.Counter(values).items() if count > 1), None)


def listed(values, most=10):
    """The first few of them for a message: 'a', 'b', and 3 more."""
    shown = ", ".join(repr(value) for value in values[:most])
    return f"{shown}, and {len(values) - most:,} more" if len(values) > most else shown


def _text(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text if text.strip() else repr(value)


def _array(name, values):
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as reason:  # ragged lists
        raise TypeError(f"{name} must be an array, a list, a tensor or a Series: {reason}") from None
