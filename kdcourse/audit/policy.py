"""What a slice may lose, what a release requires, and which undecided slices are waived."""

import datetime
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from kdcourse._arguments import bad_type, bad_value, describe, not_negative, number
from kdcourse.audit.inputs.examples import listed
from kdcourse.audit.inputs.slicing import SliceColumn

# What may stop a release: a slice that is flagged, or any that is not shown to be safe.
REQUIRED = ("no flag", "pass")
EVERYTHING = "all examples"  # the name that a waiver has for them


class Waiver(NamedTuple):
    reason: str
    until: datetime.date

    def __str__(self):
        return f"waived until {self.until}: {self.reason}"


def gap_limit(name: str, value: Any, is_share: bool) -> float:
    """`value` as a float: a share in [0, 1), or anything >= 0 in the units of a metric that is no share."""
    if not is_share:
        return not_negative(name, value)
    share = number(name, value)
    if not 0 <= share < 1:
        raise bad_value(name, f"must be in [0, 1), got {value}")
    return share


def limits_by_slice(thresholds: Any, is_share: bool) -> dict[str, float]:
    """{key: gap} with strings as keys."""
    if thresholds is None:
        return {}
    if not isinstance(thresholds, Mapping):
        raise bad_type("thresholds", f"must be a dict of gaps by slice, got {describe(thresholds)}")
    return {str(key): gap_limit(f"thresholds[{str(key)!r}]", gap, is_share) for key, gap in thresholds.items()}


def waivers_by_slice(waivers: Any) -> dict[str, Waiver]:
    """{key: waiver} with strings as keys."""
    if waivers is None:
        return {}
    if not isinstance(waivers, Mapping):
        raise bad_type("waivers", f"must be a dict of waivers by slice, got {describe(waivers)}")
    return {str(key): _waiver(f"waivers[{str(key)!r}]", said) for key, said in waivers.items()}


def _waiver(name, said):
    if not isinstance(said, Mapping) or set(said) != {"reason", "until"}:
        raise bad_value(name, f"must hold a reason and a date, until, got {said!r}")
    reason = said["reason"]
    if not isinstance(reason, str) or not reason.strip():
        raise bad_value(f"{name}['reason']", f"must be a sentence, got {reason!r}")
    return Waiver(reason.strip(), as_date(f"{name}['until']", said["until"]))


def as_date(name: str, value: Any) -> datetime.date:
    """`value` as a date; a str is an ISO date."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.date.fromisoformat(value)
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise bad_value(name, f"must be a date, as 2027-01-31, got {value!r}")
    return value


def by_level(argument: str, columns: Sequence[SliceColumn], said: Mapping[str, Any]) -> list[Any]:
    """[levels of all columns, one after the other]: what `said` has under "slice=level", or under "slice", or None."""
    meant: dict[str, list] = {}
    for column in columns:
        meant.setdefault(column.name, []).append((column.name, None))
        for level in column.levels:
            meant.setdefault(f"{column.name}={level}", []).append((column.name, level))
    for key in said:
        if key not in meant:
            raise bad_value(argument, f"must name slices, got {key!r}; {_there_is(key, columns)}")
        if len(meant[key]) > 1:
            raise bad_value(argument, f"must name one slice each, got {key!r}, which may be any of {meant[key]}")
    return [said.get(f"{column.name}={level}", said.get(column.name)) for column in columns for level in column.levels]


def _there_is(key, columns):
    for column in columns:
        if key.startswith(f"{column.name}="):
            return f"the levels of {column.name} are {listed(column.levels)}"
    return f"there are {listed([column.name for column in columns])}, and 'slice=level'"


def waived(
    verdicts: Sequence[str], waivers: Sequence[Waiver | None], names: Sequence[str], today: datetime.date
) -> tuple[list[str], list[str]]:
    """([rows] what the waiver of each row says, "" where none holds; notes on waivers that do not hold)."""
    held, notes = [], []
    for verdict, waiver, name in zip(verdicts, waivers, names, strict=True):
        holds = waiver is not None and waiver.until >= today and verdict not in ("flag", "pass")
        held.append(str(waiver) if holds else "")
        if waiver is None or holds or verdict == "pass":
            continue
        why = "a flag cannot be waived" if verdict == "flag" else f"it ended on {waiver.until}"
        notes.append(f"The waiver of {name} does not hold: {why}.")
    return held, notes
