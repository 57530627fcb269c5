"""Which gap each slice may have: `max_gap`, unless `thresholds` names its column, or its level."""

import math
from collections.abc import Mapping

from kdcourse._arguments import describe, number
from kdcourse.audit.columns import listed


def check_gap(name, value, scored):
    """`value` as a float: a share in [0, 1), or with a score anything >= 0 in its units."""
    plain = number(name, value)
    if scored and not 0 <= plain < math.inf:
        raise ValueError(f"{name} must be >= 0 and finite, got {value}")
    if not scored and not 0 <= plain < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    return plain


def check_thresholds(thresholds, scored):
    """{key: gap} with strings as keys."""
    if thresholds is None:
        return {}
    if not isinstance(thresholds, Mapping):
        raise TypeError(f"thresholds must be a dict of gaps by slice, got {describe(thresholds)}")
    return {str(key): check_gap(f"thresholds[{str(key)!r}]", gap, scored) for key, gap in thresholds.items()}


def gaps_allowed(columns, max_gap, thresholds):
    """[levels of all columns, one after the other] the gap allowed. ValueError for a key that names nothing, or two."""
    keys = [(column.name, None) for column in columns]
    keys += [(column.name, level) for column in columns for level in column.levels]
    for key in thresholds:
        meant = [(name, level) for name, level in keys if key == _key(name, level)]
        if not meant:
            raise ValueError(f"thresholds must name slices, got {key!r}; {_there_is(key, columns)}")
        if len(meant) > 1:
            raise ValueError(f"thresholds must name one slice each, got {key!r}, which may be any of {meant}")
    return [
        thresholds.get(_key(column.name, level), thresholds.get(column.name, max_gap))
        for column in columns
        for level in column.levels
    ]


def _key(name, level):
    return name if level is None else f"{name}={level}"


def _there_is(key, columns):
    for column in columns:
        if key.startswith(f"{column.name}="):
            return f"the levels of {column.name} are {listed(column.levels)}"
    return f"there are {listed([column.name for column in columns])}, and 'slice=level'"
