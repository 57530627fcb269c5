"""The memo: its arguments, and the recommendation that follows from its rules."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.audit import AuditReport
from kdcourse.audit.report.tables import printable
from kdcourse.memo import pages
from kdcourse.memo.decision import Decision
from kdcourse.memo.plan import Plan
from kdcourse.memo.rules import NO, NOT_MEASURED, OPEN, called, rules_of
from kdcourse.stats import Comparison

if TYPE_CHECKING:
    from kdcourse.ship import BusinessCase, Export  # which bring torch


@dataclass(frozen=True, repr=False)
class Memo:
    """What `memo` returns; it shows itself in a notebook.

    Attributes
    ----------
    title : str
    recommendation : str
        "ship", where no rule is broken, or "do not ship".
    rules : DataFrame
        A row for each rule: `rule`, `required`, `measured`, and `held`: "yes", "no", or "not asked" where the plan sets
        no such limit. What the plan asks for and was not measured is not held.
    not_tested, monitoring : list of str
        Sentences: those that were given, and those that follow from the results.
    plan, report, latency, case, sheet
        As they were given.
    """

    title: str
    recommendation: str
    rules: pd.DataFrame
    not_tested: list[str]
    monitoring: list[str]
    plan: Plan
    report: AuditReport
    latency: pd.DataFrame | None = None
    case: "BusinessCase | None" = None
    sheet: Decision | None = None

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write a page of its own that asks nothing of the network and prints on one sheet of A4.

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

    def to_markdown(self, path: str | os.PathLike[str] | None = None) -> str:
        """The memo in GitHub's Markdown; written to `path`, too, if there is one.

        Parameters and errors are those of `to_html`.
        """
        return pages.write_markdown(self, path)

    def _repr_markdown_(self):
        return self.to_markdown()

    def __str__(self):
        broken = self.rules[self.rules["held"] == NO]
        lines = [f"  {row.rule}: {row.measured} (required: {row.required})" for row in broken.itertuples()]
        return "\n".join([f"{self.title}: {self.recommendation}", *lines])

    __repr__ = __str__


def memo(
    title: str,
    *,
    plan: Plan,
    report: AuditReport,
    not_tested: Iterable[str],
    monitoring: Iterable[str],
    comparison: Comparison | None = None,
    against: str = "the same student on hard labels",
    export: "Export | None" = None,
    latency: pd.DataFrame | None = None,
    student: str = "student",
    case: "BusinessCase | None" = None,
    sheet: Decision | None = None,
) -> Memo:
    """One page that says whether to ship a student: "ship" where every rule holds that was set before, else not.

    The rules: the audit kept to the plan, which is no younger; no slice is shown to lose more than its margin; every
    slice is shown to lose less, or is waived by name; the student is not worse than a simpler model by more than the
    margin; the exported file answers alike; it is fast enough; it pays for itself in time; the decision sheet says do.
    The last five ask for nothing where nothing was set or given, and the memo then lists them as not measured.

    Parameters
    ----------
    title : str
        What would ship.
    plan : Plan
    report : AuditReport
        Of the test set, once. Its waivers are the memo's.
    not_tested : iterable of str
        One or more sentences: on what the student was not tried.
    monitoring : iterable of str
        One or more sentences: what has to be watched once it serves.
    comparison : Comparison, optional
        Student minus a simpler model, as `stats.compare` says, in the units of the audit.
    against : str
        What that model is.
    export : Export, optional
        As `ship.export_onnx` returns it.
    latency : DataFrame, optional
        As `ship.latency_percentiles` or `ship.latency` returns it. The smallest batch counts.
    student : str
        The row of `latency` that would ship.
    case : BusinessCase, optional
        As `ship.business_case` returns it, of single numbers.
    sheet : Decision, optional
        As `decide` returns it.

    Returns
    -------
    Memo

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> from kdcourse.audit import audit
    >>> plan = Plan(margin=0.03, slices=["group"], min_samples=50, written="2026-11-01")
    >>> labels, group = [0, 1] * 500, ["a"] * 980 + ["b"] * 20
    >>> report = audit(labels, labels, labels, {"group": group}, **plan.policy)
    >>> memo("A student", plan=plan, report=report, not_tested=["Other groups."], monitoring=["Accuracy, weekly."])
    A student: do not ship
      Every slice is shown safe: group = b (too few) (required: each passes, or is waived by name)
    """
    kinds: dict[str, tuple[Any, type]] = {
        "title": (title, str),
        "plan": (plan, Plan),
        "report": (report, AuditReport),
        "comparison": (comparison, Comparison),
        "latency": (latency, pd.DataFrame),
        "sheet": (sheet, Decision),
    }
    if export is not None or case is not None:
        from kdcourse.ship import BusinessCase, Export

        kinds |= {"export": (export, Export), "case": (case, BusinessCase)}
    for name, (value, kind) in kinds.items():
        optional = name not in ("title", "plan", "report")
        if not isinstance(value, kind) and not (optional and value is None):
            wanted = f"{'an' if kind.__name__[0] in 'AE' else 'a'} {kind.__name__}{' or None' if optional else ''}"
            raise bad_type(name, f"must be {wanted}, got {describe(value)}")
    if case is not None and not all(np.ndim(value) == 0 for value in case):
        raise bad_value("case", "must be of single numbers, got arrays")
    speed = None if latency is None else _row_of(latency, student)
    rules = pd.DataFrame(rules_of(plan, report, comparison, against, export, speed, case, sheet))
    return Memo(
        title=title,
        recommendation="do not ship" if (rules["held"] == NO).any() else "ship",
        rules=rules,
        not_tested=[*_sentences("not_tested", not_tested), *_not_measured(rules), *_not_judged(report)],
        monitoring=[*_sentences("monitoring", monitoring), *_waived(report)],
        plan=plan,
        report=report,
        latency=latency,
        case=case,
        sheet=sheet,
    )


def _sentences(name, given):
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise bad_type(name, f"must be a list of sentences, got {describe(given)}")
    given = list(given)
    if not given or not all(isinstance(one, str) and one.strip() for one in given):
        raise bad_value(name, f"must hold one or more sentences, got {given}")
    return given


def _row_of(latency, student):
    """The row of the student, of its smallest batch."""
    if "p99_ms" not in latency.columns:
        raise bad_value("latency", f"must have the column p99_ms, got {list(latency.columns)}")
    models = latency.index.get_level_values("model") if "model" in latency.index.names else latency.index
    if student not in models:
        raise bad_value("student", f"must be a row of latency, one of {list(dict.fromkeys(models))}, got {student!r}")
    rows = latency[models == student]
    return rows.sort_index().iloc[0]


def _not_measured(rules):
    open_ones = rules[(rules["held"] == OPEN) & rules["measured"].isin([NOT_MEASURED, "not filled in"])]
    return [f"{row.rule}: {row.measured}." for row in open_ones.itertuples()]


def _not_judged(report):
    few = report.table[report.table["verdict"] == "too few"]
    return [f"{called(row)}: {row['n']:,} examples are too few to judge." for _, row in few.iterrows()]


def _waived(report):
    rows = [*(row for _, row in report.table.iterrows()), report.overall]
    return [f"{called(row)}, {printable(row['waiver'])}" for row in rows if row["waiver"]]
