"""Checks that every module needs: each returns the plain value, or raises an error that names argument and value.

What they raise carries the argument's name as `.argument` too, for callers who know it by another name.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def bad_value(name: str, problem: str) -> ValueError:
    """A ValueError to raise: "name problem". Its `.argument` is the name; that of slices['group'] is slices."""
    return _about(name, ValueError(f"{name} {problem}"))


def bad_type(name: str, problem: str) -> TypeError:
    """The same as a TypeError."""
    return _about(name, TypeError(f"{name} {problem}"))


def integer(name: str, value: Any, *, at_least: int) -> int:
    """`value` as a Python int; numpy's integers, from a table, will do. ValueError otherwise."""
    try:
        plain = operator.index(value)
    except TypeError:
        plain = None
    if plain is None or plain < at_least or isinstance(value, bool):
        raise bad_value(name, f"must be an integer >= {at_least}, got {value!r}")
    return plain


def integers(name: str, values: Iterable, *, how_many: int) -> list[int]:
    """`values` as a list of positive Python ints, at least `how_many` of them. ValueError otherwise."""
    values = list(values)
    try:
        plain = [integer(name, value, at_least=1) for value in values]
    except ValueError:
        plain = []
    if len(plain) < how_many:
        count = {1: "one", 2: "two"}[how_many]
        raise bad_value(name, f"must be {count} or more positive integers, got {values}")
    return plain


def number(name: str, value: Any) -> float:
    """`value` as a Python float. TypeError for what is no single number (a string of digits is none)."""
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise bad_type(name, f"must be a number, got {describe(value)}") from None


def positive(name: str, value: Any) -> float:
    """`value` as a positive, finite Python float. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not plain > 0:
        raise bad_value(name, f"must be > 0, got {value}")
    if plain == math.inf:
        raise bad_value(name, f"must be finite, got {value}")
    return plain


def not_negative(name: str, value: Any) -> float:
    """`value` as a finite Python float >= 0. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 <= plain < math.inf:
        raise bad_value(name, f"must be >= 0 and finite, got {value}")
    return plain


def share(name: str, value: Any) -> float:
    """`value` as a Python float in [0, 1]. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 <= plain <= 1:
        raise bad_value(name, f"must be in [0, 1], got {value}")
    return plain


def confidence_level(value: Any, name: str = "confidence") -> float:
    """`value` as a Python float in (0, 1). TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 < plain < 1:
        raise bad_value(name, f"must be in (0, 1), got {value}")
    return plain


def one_of(name: str, value: T, choices: Sequence) -> T:
    """`value`, if it is one of `choices`. ValueError that lists them otherwise."""
    if value not in choices:
        raise bad_value(name, f"must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def class_indices(name: str, labels: Any, shape: Iterable[int], classes: int) -> Any:
    """`labels`, a tensor or an array, if they are class indices in [0, classes) of this shape. An error otherwise."""
    kind = str(getattr(labels, "dtype", "")).removeprefix("torch.")
    if not kind.startswith(("int", "uint")):
        raise TypeError(f"{name} must be an integer tensor of class indices, got {describe(labels)}")
    if list(labels.shape) != list(shape):
        raise ValueError(f"{name} must have shape {list(shape)}, one per example, got {list(labels.shape)}")
    return _below(name, labels, classes)


def ids(name: str, rows: Any, vocabulary: int) -> Any:
    """`rows`, a tensor, if it is [N, L] of ids in [0, vocabulary). An error otherwise."""
    if str(getattr(rows, "dtype", "")) not in ("torch.int32", "torch.int64") or rows.ndim != 2:
        raise TypeError(f"{name} must be an int32 or int64 tensor [N, L] of ids, got {describe(rows)}")
    return _below(name, rows, vocabulary)


def _below(name, values, limit):
    outside = ((values < 0) | (values >= limit)).reshape(-1)
    if outside.any():
        first = int(outside.nonzero()[0][0])
        value, where = int(values.reshape(-1)[first]), list[int]()
        for size in reversed(values.shape):
            first, place = divmod(first, size)
            where.insert(0, place)
        raise ValueError(f"{name} must be in [0, {limit}), got {value} at index {where}")
    return values


def describe(value: Any) -> str:
    """What something is, in a few words: an array by its type and shape, anything else as Python writes it."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        kind = "" if str(value.dtype).startswith("torch.") else f"{type(value).__name__} of "
        return f"{kind}{value.dtype} of shape {list(value.shape)}"
    return repr(value) if value is None or isinstance(value, (str, bool, int, float)) else type(value).__name__


def _about(name, error):
    error.argument = name.partition("[")[0].partition("(")[0]
    return error
