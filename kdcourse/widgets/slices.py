"""The explorer of an audit: a slider for the limit, and what is then flagged, cannot be told, or passes."""

import dataclasses
import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
import traitlets

from kdcourse._arguments import describe, integer, number
from kdcourse._javascript import bundle
from kdcourse.audit import AuditReport
from kdcourse.audit.figure import picture
from kdcourse.audit.verdicts import judge, worst_first
from kdcourse.stats.paired import gap_p_values
from kdcourse.widgets._explorer import Explorer

SHOWN = ["slice", "level", "n", "gap", "low", "high", "verdict", "more_needed", "handling"]
MOST = 0.1  # of the limits that are offered unless others are asked for
STEPS = [(12, 0.0025), (27, 0.005), (200, 0.01)]  # so many slices at most -> a step that keeps opening near a second
MINIMUMS = [10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700]  # and ten, a hundred, ... times as many


def slices(report, limits=None):
    """A widget with the table of an audit, whose limit and whose minimum of examples can be dragged.

    One limit holds for all slices: limits that the audit gave to single ones are replaced, and the widget says so.

    report   AuditReport of accuracies. The sliders start at its max_gap and min_samples
    limits   gaps that can be chosen, shares in [0, 1): two or more. None: from 0 to 0.1, and the report's
    returns  Slices

    Every p-value is computed here, once: about a second for ten slices and the limits of None.

    Raises TypeError or ValueError that names the argument.
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
    return Slices(
        report,
        limits=limits,
        max_gap=min(limits, key=lambda limit: abs(limit - start)),
        min_samples=report.settings["min_samples"],
        minimums=_minimums(report),
        confidence=report.settings["confidence"],
        own_limits=len(report.settings["thresholds"]),
        ends=_ends(rows, report.settings["min_samples"], limits),
        rows=[_row(row, limits) for row in rows.itertuples(index=False)],
    )


class Slices(Explorer):
    """What `slices` returns.

    max_gap      the gap that every slice may have, a share: one of `limits`
    min_samples  slices with fewer examples are not judged, >= 1
    table        DataFrame of the slices as `kdcourse.audit.audit` judges them with these two, the worst first: slice,
                 level, n, gap, low, high, verdict, more_needed, handling;  overall: the same of all examples
    """

    module = "slices"
    _esm = bundle("slices")
    rows = traitlets.List().tag(sync=True)  # the first is all examples; the others in the order of the report
    limits = traitlets.List().tag(sync=True)
    minimums = traitlets.List().tag(sync=True)
    confidence = traitlets.Float(0.95).tag(sync=True)
    own_limits = traitlets.Int(0).tag(sync=True)
    ends = traitlets.List().tag(sync=True)
    max_gap = traitlets.Float().tag(sync=True)
    min_samples = traitlets.Int(100).tag(sync=True)

    def __init__(self, report, **values):
        self._report = report
        super().__init__(**values)

    @property
    def table(self):
        return worst_first(self._judged()[0].iloc[1:])[SHOWN]

    @property
    def overall(self):
        return self._judged()[0].iloc[0].rename("overall")[SHOWN]

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

    def picture(self):
        table, tests = self._judged()
        settings = self._report.settings | {"max_gap": self.max_gap, "min_samples": self.min_samples, "thresholds": {}}
        now = dataclasses.replace(
            self._report,
            table=worst_first(table.iloc[1:]),
            overall=table.iloc[0].rename("overall"),
            corrected_for=tests,
            settings=settings,
        )
        fig, alt = picture(now)
        import matplotlib.pyplot as plt

        plt.close(fig)  # no cell shows it, and it can still be drawn
        return fig, alt

    def _judged(self):
        """(rows, tests) of `kdcourse.audit.verdicts.judge` at the limit and the minimum as they stand."""
        report = self._report
        rows = pd.concat([report.overall.to_frame().T, report.table], ignore_index=True).infer_objects()
        return judge(
            rows.rename(columns={"over_baseline": "over"}),
            [self.max_gap] * len(rows),
            chance=report.settings["chance"],
            scored=False,
            compared=False,
            min_samples=self.min_samples,
            confidence=self.confidence,
        )

    def _repr_mimebundle_(self, **kwargs):
        with warnings.catch_warnings():  # names come from data: one in a script that the font lacks is no complaint
            warnings.filterwarnings("ignore", message="(?s).*Glyph .* missing from font")
            return super()._repr_mimebundle_(**kwargs)


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
