"""Several students of one teacher, audited together: one family of tests, one table with a verdict for each."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse._pages import rendered
from kdcourse.audit.core import audit
from kdcourse.audit.family import audited
from kdcourse.audit.judging.verdicts import HANDLING
from kdcourse.audit.report import pages
from kdcourse.audit.report.core import AuditReport, StrPath
from kdcourse.audit.report.figure import svg
from kdcourse.audit.report.tables import (
    Column,
    Part,
    confidence_of,
    headline,
    part_text,
    printable,
    recorded,
    state_of,
    unit_of,
    verdict_with_reason,
    with_interval,
)
from kdcourse.store import save_json

ALONE = ["search", "show_confusion", "show_examples"]  # what is asked of one student


def audit_all(
    labels: ArrayLike,
    teacher: ArrayLike,
    students: Mapping[str, ArrayLike],
    slices: pd.DataFrame | Mapping[Any, ArrayLike],
    **options: Any,
) -> "AuditReports":
    """Audit several students on the same examples, their verdicts corrected for all slices of all students.

    Parameters
    ----------
    labels, teacher, slices
        As in `audit`.
    students : dict
        {name: predictions}, two or more, each as `student` in `audit`.
    **options
        What else `audit` takes, but for `search`, `show_confusion` and `show_examples`, which need one student.

    Returns
    -------
    AuditReports

    Raises
    ------
    TypeError, ValueError
        As `audit`; what is wrong with a student is said of student['name'].

    Examples
    --------
    >>> labels, group = [0, 1] * 500, ["a"] * 400 + ["b"] * 600
    >>> small, large = [1, 1] * 20 + [0, 1] * 480, labels
    >>> found = audit_all(labels, labels, {"small": small, "large": large}, {"group": group})
    >>> found.status, found.reports["large"].status, found.corrected_for
    (1, 0, 6)
    >>> found.table[["level", "verdict small", "verdict large"]]
              level verdict small verdict large
    0             a          flag          pass
    1             b          pass          pass
    2  all examples         watch          pass
    """
    if not isinstance(students, Mapping):
        raise bad_type("students", f"must be a dict of predictions by name, got {describe(students)}")
    names = [str(name) for name in students]
    if len(names) < 2 or any(not name.strip() for name in names) or len(set(names)) < len(names):
        raise bad_value("students", f"must be two or more, with names of their own, got {names}")
    if given := [name for name in ALONE if options.get(name)]:
        raise bad_value(given[0], f"must be asked of one student alone, got {len(names)} students")
    keys = {f"student[{name!r}]": name for name in names}
    settings = {**(audit.__kwdefaults__ or {}), **options}
    found = audited(labels, teacher, dict(zip(keys, students.values(), strict=True)), slices, **settings)
    return AuditReports({keys[key]: report for key, report in found.items()})


@dataclass(frozen=True, eq=False, repr=False)
class AuditReports:
    """Several students, audited together.

    Attributes
    ----------
    reports : dict
        {name: AuditReport}; each has verdicts that are corrected for all students together.
    """

    reports: dict[str, AuditReport]

    @property
    def table(self) -> pd.DataFrame:
        """One row per slice, the worst verdict of any student first, all examples last.

        slice, level, n, max_gap, then verdict, gap, low and high of each student, as "verdict small".
        """
        shared, own, rows = ["slice", "level", "n", "max_gap"], ["verdict", "gap", "low", "high"], {}
        for name, report in self.reports.items():
            for row in [*(row for _, row in report.table.iterrows()), report.overall]:
                one = rows.setdefault((row["slice"], row["level"]), {key: row[key] for key in shared})
                one |= {f"{key} {name}": row[key] for key in own}
        *found, overall = rows.values()
        rank = {verdict: place for place, verdict in enumerate(HANDLING)}
        found.sort(
            key=lambda row: (
                min(rank[row[f"verdict {name}"]] for name in self.reports),
                -np.nanmax([-np.inf, *(row[f"gap {name}"] for name in self.reports)]),
            )
        )
        return pd.DataFrame([*found, overall])

    @property
    def corrected_for(self) -> int:
        """How many tests the verdicts are corrected for, those of all students."""
        return self._first.corrected_for

    @property
    def status(self) -> int:
        """The worst of all students: 1 if anything is flagged, else 3 if something undecided holds back, else 0."""
        found = {report.status for report in self.reports.values()}
        return next(one for one in (1, 3, 0) if one in found)

    def signed(
        self, note: str | None = None, *, file: StrPath | None = None, columns: Mapping[str, str | None] | None = None
    ) -> "AuditReports":
        """These reports, signed as `AuditReport.signed` says."""
        return AuditReports({k: one.signed(note, file=file, columns=columns) for k, one in self.reports.items()})

    def to_html(self, path: StrPath) -> None:
        """Write one page of all students: the table, and the figure of each. As `AuditReport.to_html`."""
        worst = min(map(state_of, self.reports.values()), key=["flag", "alarm", "undecided", "pass"].index)
        text = rendered(
            Path(__file__).parent / "report",
            "several.html.jinja",
            headline="; ".join(self._headlines()),
            headlines=self._headlines(),
            state=worst,
            part=self._part()._replace(title="Every slice", said=[self._first.method]),
            pictures={printable(name): base64.b64encode(svg(one)).decode() for name, one in self.reports.items()},
            compared=pages.compared(self._first),
            min_samples=f"{self._first.settings['min_samples']:,}",
            unmeasured=any((report.table["verdict"] == "not measurable").any() for report in self.reports.values()),
            notes=self._notes(),
            short=False,
        )
        pages.write(text, path)

    def to_json(self, path: StrPath) -> None:
        """Write {"students": {name: what `AuditReport.to_json` writes}} with their status. As `AuditReport.to_json`."""
        content = {
            "schema": "kdcourse.audit.several",
            "schema_version": 1,
            "status": self.status,
            "corrected_for": self.corrected_for,
            "students": {name: pages.content(report) for name, report in self.reports.items()},
        }
        with pages.named(path):
            save_json(path, content)

    def to_markdown(self, path: StrPath | None = None) -> str:
        """The table for a pull request, in GitHub's Markdown. As `AuditReport.to_markdown`."""
        lines = [*pages.part_markdown(self._part()), "", pages.escaped(self._first.method), ""]
        lines += [f"- {pages.escaped(one)}" for one in [*self._notes(), *recorded(self._first)]]
        text = "\n".join(lines).rstrip() + "\n"
        if path is not None:
            pages.write(text, path)
        return text

    @property
    def _first(self):
        return next(iter(self.reports.values()))

    def _headlines(self):
        return [f"{printable(name)}: {headline(report)}" for name, report in self.reports.items()]

    def _notes(self):
        """Those of all students first, then of each what is said of it alone."""
        of = {name: report.notes for name, report in self.reports.items()}
        shared = [note for note in self._first.notes if all(note in notes for notes in of.values())]
        alone = [f"{name}: {note}" for name, notes in of.items() for note in notes if note not in shared]
        return [printable(note) for note in [*shared, *alone]]

    def _part(self):
        """The table with a column of verdicts, and one of gaps, for each student."""
        first, table = self._first, self.table
        unit = f"({unit_of(first)[1]}) [{confidence_of(first)} interval]"
        verdicts = {
            (name, row["slice"], row["level"]): verdict_with_reason(row)
            for name, report in self.reports.items()
            for row in [*(row for _, row in report.table.iterrows()), report.overall]
        }

        def verdict(name):
            return lambda row: verdicts[name, row["slice"], row["level"]]

        def gap(name):
            return lambda row: with_interval(first, row, f"gap {name}", f"low {name}", f"high {name}")

        columns = [
            Column("slice", "slice", lambda row: printable(row["slice"]), False),
            Column("level", "level", lambda row: printable(row["level"]), False),
            *(Column(f"verdict {name}", printable(name), verdict(name), False) for name in self.reports),
            Column("n", "n", lambda row: f"{row['n']:,}", True),
            *(Column(f"gap {name}", f"gap, {printable(name)} {unit}", gap(name), True) for name in self.reports),
        ]
        return Part("Audit of several students", self._headlines(), table, columns, table)

    def __str__(self):
        lines = [*part_text(self._part()), "", self._first.method, *(f"Note: {note}" for note in self._notes())]
        return "\n".join([*lines, *recorded(self._first)])

    __repr__ = __str__

    def _repr_markdown_(self):
        return self.to_markdown()
