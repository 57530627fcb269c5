"""What `audit` returns: tables, notes, and ways to write them down."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from kdcourse.audit.judging.verdicts import UNDECIDED, corrected
from kdcourse.audit.report import figure, pages
from kdcourse.audit.report.changes import changes_part, read_old
from kdcourse.audit.report.record import signature
from kdcourse.audit.report.tables import Part, plain_text

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """Where a student loses what its teacher knows.

    Attributes
    ----------
    table : DataFrame
        One row per level of each slice, the worst first: by verdict (flag, alarm, watch, too few, not measurable,
        pass), then by gap.

        - slice, level, n: names, and how many examples; for recall and specificity those of the class
        - teacher, student, baseline: the metric; baseline is NaN where there is none
        - gap, low, high: how much worse the student is, and its interval at `confidence` for this slice alone
        - only_teacher, only_student: how many examples only one of the two gets right; NaN where nothing is chosen
        - retained: share of the teacher's accuracy above chance (1 / number of classes) that the student has; NaN
          where the teacher has none, and with another metric
        - agreement: share of examples for which both choose the same class
        - over_baseline, over_baseline_low, over_baseline_high: how much better the student is than the baseline, and
          its interval
        - ece_teacher, ece_student: expected calibration error in 15 bins; NaN without probabilities
        - max_gap: the gap that this slice may have
        - p_exceeds, p_within: adjusted p-values of "the gap is at most max_gap" and of "at least"; NaN where n is below
          min_samples
        - verdict: "flag" (p_exceeds <= (1 − confidence) / 2: the gap is shown to exceed max_gap), "pass" (the same of
          p_within: it is shown to be smaller), "alarm" (by its own test the gap exceeds max_gap, and not after the
          correction), "watch" (none of these), "too few" (n is below min_samples) or "not measurable" (`why` says why)
        - student_better: the student is shown to beat the teacher (gap < 0, Holm-adjusted among its like)
        - more_needed: examples. For "too few", up to min_samples; for "alarm" and "watch", until the test would decide
          with 80 % power at the Bonferroni level, if the gap stays as it is (infinity where it is max_gap); else 0
        - handling: "fallback to teacher" for flag and alarm; "collect data" for watch and too few; "monitor" for pass,
          and for a watch that needs more than 20 times the examples it has
        - chance_at_twice, needed_at_twice: how likely a slice with twice its max_gap would have been flagged at the
          Bonferroni level, and about how many examples give 80 %, with as many examples that only the student gets
          right as were seen; NaN where max_gap is 0
        - standard_error, degrees: of the gap, where its test is not exact, and the degrees of freedom; else NaN
        - independent_n: of a share of right choices whose test is not exact, on how many equal, independent examples it
          rests; effective_n: as many of equal weight tell as much; design_effect: how many times as much the gap varies
          by clusters as by single examples. NaN where there is no such thing
        - why: why the metric cannot be measured here, or ""
        - waiver: what the waiver of an undecided slice says, or ""
    overall : Series
        The same fields, of all examples together.
    corrected_for : int
        How many tests the verdicts are corrected for.
    method : str
        A sentence that says how.
    score_name : str
        The name of the metric, or of the function that gives it; its unit and direction are in settings["metric"].
    notes : list of str
        Sentences on the data, for people.
    settings : dict
        What was asked for, and what followed.
    parts : dict
        What was asked for beside the table: "changes", "search", "confusion", "examples". Of each, `title`, `said`
        (sentences) and `table` (DataFrame).

    Examples
    --------
    >>> from kdcourse.audit import audit
    >>> labels, group = [0, 1] * 500, ["a"] * 400 + ["b"] * 590 + ["c"] * 10
    >>> report = audit(labels, labels, [1, 1] * 20 + [0, 1] * 480, {"group": group})
    >>> report.table[["level", "gap", "verdict", "more_needed"]]
      level   gap  verdict  more_needed
    0     a  0.05     flag          0.0
    1     c  0.00  too few         90.0
    2     b  0.00     pass          0.0
    >>> print(report.to_markdown().splitlines()[0])  # doctest: +ELLIPSIS
    ### Audit: 1 of 3 slices shown safe, 1 over the limit (group = a), 1 with too few examples; all ...
    """

    table: pd.DataFrame
    overall: pd.Series
    corrected_for: int
    method: str
    score_name: str
    notes: list[str]
    settings: dict
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def flagged(self) -> pd.DataFrame:
        """The rows of slices that are shown to lose more than they may."""
        return self._with("flag")

    @property
    def alarmed(self) -> pd.DataFrame:
        """The rows of slices that lose more than they may by their own test, and not after the correction."""
        return self._with("alarm")

    @property
    def watched(self) -> pd.DataFrame:
        """The rows that these examples cannot decide."""
        return self._with("watch")

    @property
    def too_few(self) -> pd.DataFrame:
        """The rows with fewer than min_samples examples."""
        return self._with("too few")

    @property
    def passed(self) -> pd.DataFrame:
        """The rows of slices that are shown to lose less than they may."""
        return self._with("pass")

    @property
    def corrected(self) -> pd.DataFrame:
        """Intervals that hold for all slices together: low and high, at the index of `table` and at "overall".

        Each has the confidence 1 − (1 − confidence) / corrected_for (Bonferroni). Verdicts follow from Holm's method,
        which is never weaker: now and then it decides where such an interval still holds max_gap. NaN for what was not
        tested.
        """
        rows = pd.concat([self.table, self.overall.to_frame().T]).astype({"n": int})
        return corrected(rows, self.corrected_for, self.settings["confidence"], not self.settings["metric"]["exact"])

    @property
    def undecided(self) -> pd.DataFrame:
        """The rows that are neither flagged nor passed nor waived, with the overall row last if it is such a one."""
        rows = pd.concat([self.table, self.overall.to_frame().T], ignore_index=True)
        return rows[rows["verdict"].isin(UNDECIDED) & (rows["waiver"] == "")].reset_index(drop=True)

    @property
    def status(self) -> int:
        """1 if any slice is flagged, or all examples together are; 3 if `require` is "pass" and something is undecided
        that is not waived; else 0.
        """
        if (self.table["verdict"] == "flag").any() or self.overall["verdict"] == "flag":
            return 1
        return 3 if self.settings["require"] == "pass" and len(self.undecided) else 0

    def compare(self, old: "AuditReport | StrPath | Mapping[str, Any]") -> "AuditReport":
        """This report with what changed since an earlier one, as `parts["changes"]`; all outputs then show it.

        Parameters
        ----------
        old : AuditReport, or path, or dict
            The earlier report, or the file that `to_json` wrote (of schema 1, 2 or 3), or what it holds.

        Returns
        -------
        AuditReport
            Gaps are subtracted only where both reports saw the same examples, by the same metric, weighted alike. What
            else differs, such as a limit or clusters, is said.

        Raises
        ------
        ValueError, TypeError
            Naming `old`, where it is no audit, or of an unknown schema.

        Examples
        --------
        >>> from kdcourse.audit import audit
        >>> labels, group = [0, 1] * 500, ["a"] * 400 + ["b"] * 600
        >>> before = audit(labels, labels, [1, 1] * 20 + [0, 1] * 480, {"group": group})
        >>> now = audit(labels, labels, labels, {"group": group}).compare(before)
        >>> now.parts["changes"].table[["level", "change", "verdict_before", "verdict", "moved"]]
                  level  change verdict_before verdict  moved
        0             a  better           flag    pass  -0.05
        1  all examples  better          watch    pass  -0.02
        2             b                   pass    pass   0.00
        """
        content = pages.content(old) if isinstance(old, AuditReport) else read_old(old)
        changes = changes_part(self, pages.content(self), content)
        return replace(self, parts={"changes": changes} | {k: v for k, v in self.parts.items() if k != "changes"})

    def signed(
        self, note: str | None = None, *, file: StrPath | None = None, columns: Mapping[str, str | None] | None = None
    ) -> "AuditReport":
        """This report, which then says who signs it, and what it was made from.

        Parameters
        ----------
        note : str, optional
            Who signs, and when.
        file : path, optional
            Of the predictions: the report names it, its SHA-256, and how many rows it has.
        columns : dict, optional
            {"label": column, "teacher": column, …} of that file; None for what it has no column of.

        Raises
        ------
        ValueError
            For a note without a word.

        Examples
        --------
        >>> from kdcourse.audit import audit
        >>> report = audit([0, 1] * 50, [0, 1] * 50, [0, 1] * 50, {"half": ["a", "b"] * 50})
        >>> "Signed: Ada, 2026-11-26" in str(report.signed("Ada, 2026-11-26"))
        True
        """
        return replace(self, settings=self.settings | signature(note, file, self.settings["rows"], columns))

    def plot(self) -> None:
        """Show a figure of the gaps with their intervals, the worst 30 slices and all examples together."""
        figure.draw(self)

    def to_html(self, path: StrPath) -> None:
        """Write a page of its own, which asks nothing of the network: the figure, every row, and how to read them.

        Parameters
        ----------
        path : path
            Folders on the way are made. The file is whole, or is left as it was.

        Raises
        ------
        OSError
            Where it cannot be written; it names the file.
        """
        pages.write_html(self, path)

    def to_json(self, path: StrPath) -> None:
        """Write everything for programs, in the fields that `kdcourse.audit.report.pages.content` lists.

        Parameters and errors are those of `to_html`.
        """
        pages.write_json(self, path)

    def to_markdown(self, path: StrPath | None = None) -> str:
        """The worst 30 rows for a pull request, in GitHub's Markdown; written to `path`, too, if there is one.

        Parameters and errors are those of `to_html`.
        """
        return pages.write_markdown(self, path)

    def _with(self, verdict):
        return self.table[self.table["verdict"] == verdict].reset_index(drop=True)

    def __str__(self):
        return plain_text(self, most_rows=20)

    __repr__ = __str__

    def _repr_markdown_(self):
        return self.to_markdown()
