"""Checks that every module needs: each returns the plain value, or raises an error that names argument and value."""

import math
import operator


def integer(name, value, *, at_least):
    """`value` as a Python int; numpy's integers, from a table, will do. ValueError otherwise."""
    try:
        plain = operator.index(value)
    except TypeError:
        plain = None
    if plain is None or plain < at_least or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer >= {at_least}, got {value!r}")
    return plain


def integers(name, values, *, how_many):
    """`values` as a list of positive Python ints, at least `how_many` of them. ValueError otherwise."""
    values = list(values)
    try:
        plain = [integer(name, value, at_least=1) for value in values]
    except ValueError:
        plain = []
    if len(plain) < how_many:
        count = {1: "one", 2: "two"}[how_many]
        raise ValueError(f"{name} must be {count} or more positive integers, got {values}")
    return plain


def number(name, value):
    """`value` as a Python float. TypeError for what is no single number (a string of digits is none)."""
    try:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"{name} must be a number, got {describe(value)}") from None


def positive(name, value):
    """`value` as a positive, finite Python float. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not plain > 0:
        raise ValueError(f"{name} must be > 0, got {value}")
    if plain == math.inf:
        raise ValueError(f"{name} must be finite, got {value}")
    return plain


def not_negative(name, value):
    """`value` as a finite Python float >= 0. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 <= plain < math.inf:
        raise ValueError(f"{name} must be >= 0 and finite, got {value}")
    return plain


def share(name, value):
    """`value` as a Python float in [0, 1]. TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 <= plain <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return plain


def confidence_level(value, name="confidence"):
    """`value` as a Python float in (0, 1). TypeError or ValueError otherwise."""
    plain = number(name, value)
    if not 0 < plain < 1:
        raise ValueError(f"{name} must be in (0, 1), got {value}")
    return plain


def one_of(name, value, choices):
    """`value`, if it is one of `choices`. ValueError that lists them otherwise."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def class_indices(name, labels, shape, classes):
    """`labels`, a tensor or an array, if they are class indices in [0, classes) of this shape. An error otherwise."""
    kind = str(getattr(labels, "dtype", "")).removeprefix("torch.")
    if not kind.startswith(("int", "uint")):
        raise TypeError(f"{name} must be an integer tensor of class indices, got {describe(labels)}")
    if list(labels.shape) != list(shape):
        raise ValueError(f"{name} must have shape {list(shape)}, one per example, got {list(labels.shape)}")
    outside = ((labels < 0) | (labels >= classes)).reshape(-1)
    if outside.any():
        first = int(outside.nonzero()[0][0])
        value, where = int(labels.reshape(-1)[first]), []
        for size in reversed(labels.shape):
            first, place = divmod(first, size)
            where.insert(0, place)
        raise ValueError(f"{name} must be in [0, {classes}), got {value} at index {where}")
    return labels


def describe(value):
    """What something is, in a few words: an array by its type and shape, anything else as Python writes it."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        kind = "" if str(value.dtype).startswith("torch.") else f"{type(value).__name__} of "
        return f"{kind}{value.dtype} of shape {list(value.shape)}"
    return repr(value) if value is None or isinstance(value, (str, bool, int, float)) else type(value).__name__
