"""What `audit` returns: tables, notes, and ways to write them down."""

import html
from dataclasses import dataclass

import pandas as pd

from kdcourse.audit.columns import counted
from kdcourse.audit.verdicts import VERDICTS

SHOWN = ["slice", "level", "n", "teacher", "student", "baseline", "gap", "low", "high", "max_gap", "verdict"]
MOST_ROWS = 20


@dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """Where a student loses what its teacher knows.

    table  DataFrame with one row per level of each slice, the worst first: by verdict (flag, watch, too few, pass),
           then by gap:
           slice, level, n            names, and how many examples
           teacher, student, baseline accuracy, or mean score; baseline is NaN where there is none
           gap, low, high             teacher − student, and its interval at `confidence` for this slice alone
           only_teacher, only_student how many examples only one of the two gets right
           retained                   share of the teacher's accuracy above chance that the student has, where chance
                                      is 1 / number of classes; NaN where the teacher has none, and with a score
           agreement                  share of examples for which both choose the same class
           over_baseline, over_baseline_low, over_baseline_high
                                      student − baseline, and its interval
           ece_teacher, ece_student   expected calibration error in 15 bins; NaN without probabilities
           max_gap                    the gap that this slice may have
           p_exceeds, p_within        Holm-adjusted p-values of "the gap is at most max_gap" and of "at least"; NaN
                                      where n is below min_samples
           verdict                    "flag": p_exceeds <= (1 − confidence) / 2, the gap is shown to exceed max_gap;
                                      "pass": the same of p_within, it is shown to be smaller; "watch": neither, this
                                      many examples cannot tell; "too few": n is below min_samples
           student_better             the student is shown to beat the teacher (gap < 0, Holm-adjusted among its like)
           more_needed                examples: for "too few", up to min_samples; for "watch", until the test would
                                      decide with 80 % power at the Bonferroni level, if the gap stays as it is
                                      (infinity where it is max_gap); else 0
           handling                   "fallback to teacher" for flag; "collect data" for watch and too few; "monitor"
                                      for pass, and for a watch that needs more than 20 times the examples it has
    overall        Series with the same fields, of all examples together
    corrected_for  how many tests the verdicts are corrected for;  method  a sentence that says how
    score_name     "accuracy", or the name of the score
    notes          sentences on the data, for people;  settings  dict of what was asked for, and what followed
    """

    table: pd.DataFrame
    overall: pd.Series
    corrected_for: int
    method: str
    score_name: str
    notes: list
    settings: dict

    @property
    def flagged(self):
        return self._with("flag")

    @property
    def watched(self):
        return self._with("watch")

    @property
    def too_few(self):
        return self._with("too few")

    @property
    def passed(self):
        return self._with("pass")

    @property
    def status(self):
        """1 if any slice is flagged, or all examples together are; else 0."""
        return int((self.table["verdict"] == "flag").any() or self.overall["verdict"] == "flag")

    def plot(self):
        """A figure of the gaps with their intervals."""
        from kdcourse.audit import figure

        return figure.draw(self)

    def to_html(self, path):
        """Write a page that needs nothing else."""
        from kdcourse.audit import html as page

        return page.write(self, path)

    def to_json(self, path):
        """Write everything for machines."""
        from kdcourse.audit import machine

        return machine.write(self, path)

    def to_markdown(self, path=None):
        """The table for a pull request, as a string, or written to a file."""
        from kdcourse.audit import markdown

        return markdown.write(self, path)

    def _with(self, verdict):
        return self.table[self.table["verdict"] == verdict].reset_index(drop=True)

    def _headline(self):
        verdicts = self.table["verdict"].value_counts()
        each = ", ".join(f"{verdicts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
        row = self.overall
        return [
            f"{counted(len(self.table), 'slice')} by {self.score_name}: {each}",
            f"All {counted(row['n'], 'example')}: teacher {row['teacher']:.4g}, student {row['student']:.4g}, "
            f"gap {row['gap']:+.4g} [{row['low']:+.4g}, {row['high']:+.4g}]: {row['verdict']}",
        ]

    def _shown(self):
        table = self.table.head(MOST_ROWS)[SHOWN].round(4)
        return table.drop(columns="baseline") if table["baseline"].isna().all() else table

    def _footer(self):
        left = len(self.table) - MOST_ROWS
        more = [f"More in .table: {counted(left, 'row')}."] if left > 0 else []
        return [*more, self.method, *(f"Note: {note}" for note in self.notes)]

    def __str__(self):
        return "\n".join([*self._headline(), "", self._shown().to_string(index=False), "", *self._footer()])

    __repr__ = __str__

    def _repr_html_(self):
        head, foot = (
            "".join(f"<p>{html.escape(line)}</p>" for line in lines) for lines in (self._headline(), self._footer())
        )
        return f"{head}{self._shown().to_html(index=False)}{foot}"
