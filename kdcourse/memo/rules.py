"""What a release needs, one rule after the other: what was required, what was measured, and whether it holds."""

import math
from typing import NamedTuple

from kdcourse.audit.policy import EVERYTHING
from kdcourse.audit.report.tables import gap_text, minus, name_of, printable, unit_of

YES, NO, OPEN = "yes", "no", "not asked"
NOT_MEASURED = "not measured"


class Rule(NamedTuple):
    """One row of `Memo.rules`."""

    rule: str
    required: str
    measured: str
    held: str  # YES, NO, or OPEN where the plan does not ask


def rules_of(plan, report, comparison, against, export, speed, case, sheet) -> list[Rule]:
    """Every rule, in the order in which a reader asks; `speed` is the row of the latency table that would ship."""
    return [
        _as_planned(plan, report),
        _within(report),
        _decided(report),
        _compared(plan, report, comparison, against),
        _exported(export),
        _fast(plan, speed),
        _pays(plan, case),
        _sheet(sheet),
    ]


def _as_planned(plan, report):
    settings, promised = report.settings, margin_text(plan, report)
    missing = [name for name in plan.slices if name not in settings["slices"]]
    broken = [
        *([f"{', '.join(map(printable, missing))} was not audited"] if missing else []),
        *([f"audited by {settings['metric']['name']}"] if plan.metric != settings["metric"]["name"] else []),
        *([f"with a confidence of {settings['confidence']:.4g}"] if plan.confidence != settings["confidence"] else []),
        *([f"the margin was {_amount(report, settings['max_gap'])}"] if plan.margin != settings["max_gap"] else []),
        *(["other margins held in some slices"] if dict(plan.thresholds) != settings["thresholds"] else []),
        *([f"at least {settings['min_samples']:,} examples"] if plan.min_samples != settings["min_samples"] else []),
        *(["corrected as for exploring (fdr)"] if settings["correction"] != "holm" else []),
        *([f"audited on {settings['date']}, before it"] if settings["date"] < plan.written.isoformat() else []),
    ]
    measured = "; ".join(broken) or f"kept by the audit of {settings['date']}"
    required = f"{promised}, written {plan.written}"
    return Rule("The plan is not newer, and was kept", required, measured, _held(not broken))


def margin_text(plan, report):
    """The plan in a line: its margin, its slices, and how many examples a slice needs."""
    others = f" ({len(plan.thresholds)} with a margin of their own)" if plan.thresholds else ""
    named = ", ".join(map(printable, plan.slices))
    return f"{_amount(report, plan.margin)} in {named}{others}, {plan.min_samples:,} examples or more"


def _amount(report, value):
    return f"{gap_text(report, value, '')} {unit_of(report)[1]}"


def _rows(report):
    return [*(row for _, row in report.table.iterrows()), report.overall]


def _within(report):
    flagged = [row for row in _rows(report) if row["verdict"] == "flag"]
    measured = _listed(flagged) or f"none of {len(report.table):,}, nor all examples together"
    return Rule("No slice is shown to lose more", "none flagged", measured, _held(not flagged))


def _decided(report):
    undecided = [row for _, row in report.undecided.iterrows()]
    waived = [row for row in _rows(report) if row["waiver"]]
    measured = _listed(undecided, verdict=True) or ("all others decided" if waived else "every one is decided")
    measured += f"; waived: {_listed(waived)}" if waived else ""
    return Rule("Every slice is shown safe", "each passes, or is waived by name", measured, _held(not undecided))


def called(row):
    """The name of a row of an audit."""
    return EVERYTHING if (row["slice"], row["level"]) == ("overall", EVERYTHING) else name_of(row, 32)


def _listed(rows, verdict=False, most=6):
    names = [called(row) + (f" ({row['verdict']})" if verdict else "") for row in rows[:most]]
    return ", ".join(names) + (f" and {len(rows) - most} more" if len(rows) > most else "")


def _compared(plan, report, comparison, against):
    rule, required = f"Not worse than {against}", f"above {minus(gap_text(report, -plan.margin))} {unit_of(report)[1]}"
    if comparison is None:
        return Rule(rule, OPEN, NOT_MEASURED, OPEN)
    mean, low, high = (gap_text(report, value) for value in comparison[:3])
    measured = f"{mean} [{low}, {high}], n = {comparison.n}"
    measured += (
        "; shown to be worse" if comparison.high < 0 else "" if comparison.low > 0 else "; not shown to be better"
    )
    held = comparison.low > -plan.margin and not comparison.high < 0
    return Rule(rule, f"interval {required}, and not below 0", measured, _held(held))


def _exported(export):
    rule = "The exported file answers alike"
    if export is None:
        return Rule(rule, OPEN, NOT_MEASURED, OPEN)
    measured = f"{export.difference:.1e} at most, on inputs {', '.join(export.differences)}"
    required = f"logits within {export.tolerance:g}"
    return Rule(rule, minus(required), minus(measured), _held(export.difference <= export.tolerance))


def _fast(plan, speed):
    rule, measured = "Fast enough", NOT_MEASURED if speed is None else f"p99 {speed['p99_ms']:.3g} ms"
    if plan.p99_ms is None:
        return Rule(rule, OPEN, measured, OPEN)
    held = speed is not None and speed["p99_ms"] <= plan.p99_ms
    return Rule(rule, f"p99 at most {plan.p99_ms:g} ms", measured, _held(held))


def _pays(plan, case):
    rule, measured = "Pays for itself in time", NOT_MEASURED if case is None else _payback(case)
    if plan.break_even_months is None:
        return Rule(rule, OPEN, measured, OPEN)
    held = case is not None and case.break_even_months <= plan.break_even_months
    return Rule(rule, f"after {plan.break_even_months:g} months at most", measured, _held(held))


def _payback(case):
    months = case.break_even_months
    if math.isinf(months):
        return "never"
    return "at once" if months == 0 else f"after {months:.2g} months" if months < 10 else f"after {months:.0f} months"


def _sheet(sheet):
    rule = "The decision sheet says do"
    return Rule(rule, *((OPEN, "not filled in", OPEN) if sheet is None else ("do", sheet.verdict, _sheet_held(sheet))))


def _sheet_held(sheet):
    return _held(sheet.verdict == "do")


def _held(holds):
    return YES if holds else NO
