"""The explorer of an audit: a slider for the limit, and what is then flagged, cannot be told, or passes."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import traitlets

from kdcourse._arguments import describe, integer, number
from kdcourse.audit import AuditReport
from kdcourse.audit.judging.verdicts import judge, worst_first
from kdcourse.stats.paired import gap_p_values
from kdcourse.widgets._explorer import Explorer

SHOWN = ["slice", "level", "n", "gap", "low", "high", "verdict", "more_needed", "handling"]
MOST = 0.1  # of the limits that are offered unless others are asked for
STEPS = [(12, 0.0025), (27, 0.005), (200, 0.01)]  # so many slices at most -> a step that keeps opening near a second
MINIMUMS = [10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700]  # and ten, a hundred, ... times as many


def slices(report: AuditReport, limits: Iterable[float] | None = None) -> "Slices":
    """A widget with the table of an audit, whose limit and whose minimum of examples can be dragged.

    One limit holds for all slices: limits that the audit gave to single ones are replaced, and the widget says so.

    Parameters
    ----------
    report : AuditReport
        Of accuracies. The sliders start at its max_gap and min_samples.
    limits : iterable of float, optional
        Gaps that can be chosen, shares in [0, 1): two or more. Otherwise from 0 to 0.1, and the report's.

    Returns
    -------
    Slices

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Notes
    -----
    Every p-value is computed here, once: about a second for ten slices and the usual limits.

    Examples
    --------
    >>> from kdcourse.audit import audit
    >>> labels = np.tile([0, 1], 200)
    >>> student = np.where(np.arange(400) < 40, 1 - labels, labels)
    >>> explorer = slices(audit(labels, labels, student, {"half": np.repeat(["first", "second"], 200)}), [0.05, 0.5])
    >>> explorer.table[["level", "verdict"]].to_numpy().tolist()
    [['first', 'flag'], ['second', 'pass']]
    >>> explorer.max_gap = 0.5
    >>> explorer.table["verdict"].tolist()
    ['pass', 'pass']
    """
    if not isinstance(report, AuditReport):
        raise TypeError(f"report must be an AuditReport, got {describe(report)}")
    rows = pd.concat([report.overall.to_frame().T, report.table], ignore_index=True)
    rows = rows.astype({"n": int, "only_teacher": int, "only_student": int})
    counted = (rows["only_teacher"] - rows["only_student"]) / rows["n"]
    if report.score_name != "accuracy" or not np.allclose(rows["gap"].astype(float), counted):
        raise ValueError(f"report must be an audit of accuracy, got one of {report.score_name!r}")
    limits = _limits(limits, report)
    start = report.settings["max_gap"]
    explorer = Slices(
        limits=limits,
        max_gap=min(limits, key=lambda limit: abs(limit - start)),
        min_samples=report.settings["min_samples"],
        minimums=_minimums(report),
        confidence=report.settings["confidence"],
        own_limits=len(report.settings["thresholds"]),
        ends=_ends(rows, report.settings["min_samples"], limits),
        rows=[_row(row, limits) for row in rows.itertuples(index=False)],
    )
    explorer._report = report
    return explorer


class Slices(Explorer):
    """What `slices` returns.

    Attributes
    ----------
    max_gap : float
        The gap that every slice may have, a share: one of `limits`.
    min_samples : int
        Slices with fewer examples are not judged, >= 1.
    """

    title = "Slices"
    lesson = "05_sliced_evaluation"
    question = (
        "The audit of a spam filter: what one small student (one seed) loses against its teacher, in each group of "
        "mails. Which limit would you have set before you looked? Move it: which groups stay undecided whatever it is? "
        "A bar may end left of the limit and still be undecided: five groups are judged at once, so each verdict needs "
        "more than its bar."
    )

    rows = traitlets.List().tag(sync=True)  # the first is all examples; the others in the order of the report
    limits = traitlets.List().tag(sync=True)
    minimums = traitlets.List().tag(sync=True)
    confidence = traitlets.Float(0.95).tag(sync=True)
    own_limits = traitlets.Int(0).tag(sync=True)
    ends = traitlets.List().tag(sync=True)
    max_gap = traitlets.Float().tag(sync=True)
    min_samples = traitlets.Int(100).tag(sync=True)
    _report: AuditReport

    @property
    def table(self) -> pd.DataFrame:
        """The slices as `kdcourse.audit.audit` judges them with these two, the worst first."""
        return worst_first(self._judged().iloc[1:])[SHOWN]

    @property
    def overall(self) -> pd.Series:
        """The same of all examples."""
        return self._judged().iloc[0].rename("overall")[SHOWN]

    @traitlets.validate("max_gap")
    def _is_offered(self, proposal):
        value = number("max_gap", proposal["value"])
        near = min(self.limits, key=lambda limit: abs(limit - value))
        if not abs(near - value) < 1e-9:
            offered = f"the {len(self.limits)} limits from {self.limits[0]:g} to {self.limits[-1]:g}"
            raise ValueError(f"max_gap must be one of {offered} (slices takes others), got {value:g}")
        return near

    @traitlets.validate("min_samples")
    def _is_a_count(self, proposal):
        return integer("min_samples", proposal["value"], at_least=1)

    def _judged(self):
        """All examples, then each slice, as `judging.verdicts.judge` of the audit has them at the limit and minimum."""
        report = self._report
        rows = pd.concat([report.overall.to_frame().T, report.table], ignore_index=True).infer_objects()
        judged, _ = judge(
            rows.rename(columns={"over_baseline": "over"}),
            [self.max_gap] * len(rows),
            chance=report.settings["chance"],
            scored=False,
            compared=False,
            min_samples=self.min_samples,
            confidence=self.confidence,
        )
        return judged


def _row(row, limits):
    """What the browser needs of a slice; p_exceeds and p_within at each of the limits, before any correction."""
    counts = row.only_teacher, row.only_student, row.n
    # Well inside its interval neither side is shown: the tests that drew it do not reject there, and what they would
    # have said changes no verdict, since Holm's method only makes a p-value larger.
    inside = row.low + 2 / row.n, row.high - 2 / row.n
    p_values = [(1.0, 1.0) if inside[0] <= limit <= inside[1] else gap_p_values(*counts, limit) for limit in limits]
    p_exceeds, p_within = (list(side) for side in zip(*p_values, strict=True))
    values = {"slice": str(row.slice), "level": str(row.level), "n": row.n}
    values |= {name: float(getattr(row, name)) for name in ("teacher", "student", "gap", "low", "high")}
    values |= {"only_teacher": row.only_teacher, "only_student": row.only_student}
    return values | {"p_exceeds": p_exceeds, "p_within": p_within}


def _limits(limits, report):
    """The limits that can be chosen, the smallest first."""
    if limits is None:
        step = next((step for most, step in STEPS if len(report.table) <= most), STEPS[-1][1])
        offered = np.arange(round(MOST / step) + 1) * step
        return sorted({*offered.round(4).tolist(), report.settings["max_gap"]})
    if isinstance(limits, str) or not isinstance(limits, Iterable):
        raise TypeError(f"limits must be shares, got {describe(limits)}")
    plain = sorted({number("limits", limit) for limit in limits})
    if len(plain) < 2 or not all(0 <= limit < 1 for limit in plain):
        raise ValueError(f"limits must be two or more shares in [0, 1), got {plain}")
    return plain


def _minimums(report):
    """Counts for the slider: round ones up to the largest slice, and the report's own."""
    most = int(report.table["n"].max())
    powers = (10**power for power in range(len(str(most))))
    offered = {step * power for power in powers for step in MINIMUMS if step * power <= most}
    return sorted({*offered, report.settings["min_samples"]})


def _ends(rows, min_samples, limits):
    """Where the axis of gaps ends. The width of a slice with few examples would squeeze all others, and is cut."""
    judged = rows[(rows["n"] >= min_samples) | (rows.index == 0)]
    low, high = min(0, judged["low"].min()), max(judged["high"].max(), limits[-1])
    room = 0.04 * (high - low)
    return [float(low - room), float(high + room)]
