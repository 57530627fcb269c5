"""What is promised before the test set is opened."""

import datetime
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kdcourse._arguments import (
    bad_type,
    bad_value,
    confidence_level,
    describe,
    integer,
    not_negative,
    one_of,
    positive,
)
from kdcourse.audit.metrics import METRICS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The margin, the slices and the limits that a student has to keep, written down before it is audited.

    Parameters
    ----------
    margin : float
        How much worse than its teacher the student may be in a slice, >= 0; the `max_gap` of the audit.
    slices : iterable of str
        The names that the audit has to look at, one or more.
    written : date or str
        When; a str is an ISO date.
    min_samples : int
        Examples of the smallest slice that is judged, >= 1.
    thresholds : dict, optional
        {"slice" or "slice=level": margin} where another one holds.
    p99_ms : float, optional
        How long 99 % of requests may take at most, > 0.
    break_even_months : float, optional
        When the student has to have paid for itself, > 0.
    metric : str
        Of the audit, by its name; the margin is in its unit.
    confidence : float
        Of the audit's intervals, in (0, 1).

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> plan = Plan(margin=0.02, slices=["garment"], written="2026-11-26")
    >>> plan.policy
    {'metric': 'accuracy', 'max_gap': 0.02, 'min_samples': 100, 'confidence': 0.95, 'thresholds': {}, 'require': 'pass'}
    """

    margin: float
    slices: Iterable[str]
    written: datetime.date | str
    min_samples: int = 100
    thresholds: Mapping[str, float] = field(default_factory=dict)
    p99_ms: float | None = None
    break_even_months: float | None = None
    metric: str = "accuracy"
    confidence: float = 0.95

    def __post_init__(self) -> None:
        checked = {
            "margin": not_negative("margin", self.margin),
            "slices": _names(self.slices),
            "written": _date(self.written),
            "min_samples": integer("min_samples", self.min_samples, at_least=1),
            "thresholds": _limits(self.thresholds),
            "p99_ms": None if self.p99_ms is None else positive("p99_ms", self.p99_ms),
            "break_even_months": None
            if self.break_even_months is None
            else positive("break_even_months", self.break_even_months),
            "metric": one_of("metric", self.metric, list(METRICS)),
            "confidence": confidence_level(self.confidence),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def policy(self) -> dict[str, Any]:
        """What `audit` is to be told, by its keywords."""
        return {
            "metric": self.metric,
            "max_gap": self.margin,
            "min_samples": self.min_samples,
            "confidence": self.confidence,
            "thresholds": dict(self.thresholds),
            "require": "pass",
        }


def _names(slices):
    if isinstance(slices, str) or not isinstance(slices, Iterable):
        raise bad_type("slices", f"must be a list of names, got {describe(slices)}")
    names = tuple(slices)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise bad_value("slices", f"must be one or more names, got {list(names)}")
    return names


def _date(written):
    if isinstance(written, str):
        with suppress(ValueError):
            written = datetime.date.fromisoformat(written)
    if isinstance(written, datetime.datetime) or not isinstance(written, datetime.date):
        raise bad_value("written", f"must be a date, as 2026-11-26, got {written!r}")
    return written


def _limits(thresholds):
    if not isinstance(thresholds, Mapping):
        raise bad_type("thresholds", f"must be a dict of margins by slice, got {describe(thresholds)}")
    return {str(key): not_negative(f"thresholds[{str(key)!r}]", limit) for key, limit in thresholds.items()}
