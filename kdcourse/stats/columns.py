"""Columns of numbers, checked: what every statistic here is made of."""

import numpy as np

from kdcourse._arguments import describe, number


def values(name, given, at_least=2, table=False):
    """`given` as float64 [n], finite and at least so many. TypeError or ValueError that names it otherwise.

    table  may it also be [n, N]? Then at least so many rows, and columns
    """
    try:
        given = np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as reason:  # ragged lists; tensors with a gradient or on a GPU
        raise TypeError(f"{name} must be numbers in one dimension: {reason}") from None
    if table and given.ndim == 2:
        if min(given.shape) < at_least:
            raise ValueError(f"{name} must hold at least {at_least} rows and columns, got shape {list(given.shape)}")
    elif given.ndim != 1 or len(given) < at_least:
        how_many = f"at least {at_least} value{'s' * (at_least > 1)}"
        raise ValueError(f"{name} must hold {how_many} in one dimension, got shape {list(given.shape)}")
    if given.dtype.kind == "O":
        given = np.array([number(name, value) for value in given.flat]).reshape(given.shape)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got {describe(given)}")
    given = given.astype(np.float64)
    if not np.isfinite(given).all():
        where = tuple(np.argwhere(~np.isfinite(given))[0].tolist())
        place = where[0] if len(where) == 1 else list(where)
        raise ValueError(f"{name} must be finite, got {given[where]} at index {place}")
    return given


def booleans(name, given):
    """`given` as bool [n], at least one. TypeError or ValueError that names it otherwise."""
    given = np.asarray(given)
    if given.ndim != 1 or len(given) == 0:
        raise ValueError(f"{name} must hold at least 1 value in one dimension, got shape {list(given.shape)}")
    if given.dtype.kind == "O" and all(isinstance(value, (bool, np.bool_)) for value in given):
        given = given.astype(bool)
    if given.dtype.kind not in "biu":
        raise TypeError(f"{name} must be booleans, or integers 0 and 1, got {describe(given)}")
    outside = given[(given != 0) & (given != 1)]
    if len(outside):
        raise ValueError(f"{name} must be booleans, or integers 0 and 1, got {outside[0]}")
    return given.astype(bool)
