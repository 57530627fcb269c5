"""The memo written down: as a page of one sheet, and as Markdown for a pull request."""

from pathlib import Path

import kdcourse
from kdcourse._pages import rendered
from kdcourse.audit.report.pages import StrPath, escaped, write
from kdcourse.audit.report.tables import (
    confidence_of,
    headline,
    printable,
    rows_of,
    unit_of,
    verdict_with_reason,
    with_interval,
)
from kdcourse.memo.rules import NO, called

MOST_SLICES, MOST_MODELS, MOST_SENTENCES = 6, 6, 5  # that fit on one sheet
STATES = {"yes": "good", "no": "bad", "not asked": "open"}


def write_html(memo, path: StrPath) -> None:
    """Write the page, whole or not at all. Words that were given are shown and never read as markup."""
    rules = [(row, STATES[row.held]) for row in memo.rules.itertuples()]
    write(rendered(Path(__file__).parent, "memo.html.jinja", memo=memo, rules=rules, **_told(memo)), path)


def _told(memo):
    """What both forms say beside the rules."""
    rows, left = rows_of(memo.report, MOST_SLICES)
    return {
        "because": because(memo),
        "headline": headline(memo.report),
        "gap_title": f"gap ({unit_of(memo.report)[1]}) [{confidence_of(memo.report)} interval]",
        "slices": [
            (called(row), f"{row['n']:,}", with_interval(memo.report, row), verdict_with_reason(row))
            for row in [*rows, memo.report.overall]
        ],
        "left": left,
        "together": _together(memo.report),
        "times": _times(memo.latency),
        "money": _money(memo.case),
        "not_tested": _cut(memo.not_tested),
        "monitoring": _cut(memo.monitoring),
        "made": f"Plan of {memo.plan.written}, audit of {memo.report.settings['date']}, course {kdcourse.__version__}",
    }


def because(memo) -> str:
    """Which rules are broken, in a sentence."""
    broken = [f"“{row.rule}”" for row in memo.rules.itertuples() if row.held == NO]
    if not broken:
        return "No rule that was set before is broken."
    rules = "rule is" if len(broken) == 1 else "rules are"
    return f"{len(broken)} {rules} broken: {', '.join(broken)}."


def _together(report):
    """Why a slice whose interval ends below its limit need not pass."""
    return "Intervals hold one by one, verdicts all together." if report.corrected_for > 1 else ""


def _times(latency):
    """(titles, rows) of the table of speeds, or None."""
    if latency is None:
        return None
    shown = [name for name in ("p50_ms", "median_ms", "p95_ms", "p99_ms") if name in latency.columns]
    keys = [key if isinstance(key, tuple) else (key,) for key in latency.index]
    rows = [
        [*map(str, key), *(f"{value:.3g}" for value in row)]
        for key, row in zip(keys, latency[shown].to_numpy(), strict=True)
    ]
    names = [str(name or "model").removesuffix("_size") for name in latency.index.names]
    return [*names, *(f"{name.removesuffix('_ms')} (ms)" for name in shown)], rows[:MOST_MODELS]


def _money(case):
    if case is None:
        return ""
    months = case.break_even_months
    after = "never" if months == float("inf") else f"after {months:{',.0f' if months >= 10 else '.2g'}} months"
    return (
        f"A month costs {case.teacher_cost_per_month:,.2f} with the teacher, and {case.student_cost_per_month:,.2f} "
        f"with the student, retraining and what it hands on included. Making it costs {case.one_time_cost:,.2f} once. "
        f"It has paid for itself {after}."
    )


def _cut(sentences):
    shown = [printable(one) for one in sentences[:MOST_SENTENCES]]
    more = len(sentences) - len(shown)
    return [*shown, *([f"And {more} more, in the memo's Markdown."] if more else [])]


# ---- Markdown ----


def write_markdown(memo, path: StrPath | None = None) -> str:
    """The memo in GitHub's Markdown; written to `path`, too, if there is one."""
    told = _told(memo)
    lines = [
        f"### {escaped(memo.title)}: {memo.recommendation}",
        "",
        escaped(told["because"]),
        "",
        *_table(["rule", "required", "measured", "held"], memo.rules.to_numpy()),
        "",
        f"**Audit.** {escaped(told['headline'])}.",
        "",
        *_table(["slice", "n", told["gap_title"], "verdict"], told["slices"]),
        *(["", f"and {told['left']:,} more slices"] if told["left"] else []),
    ]
    if told["together"]:
        lines += ["", escaped(told["together"])]
    if told["times"]:
        lines += ["", "**Speed.**", "", *_table(*told["times"])]
    if told["money"]:
        lines += ["", f"**Cost.** {escaped(told['money'])}"]
    if memo.sheet:
        lines += ["", f"**Decision sheet: {memo.sheet.verdict}.** {escaped(memo.sheet.method.text)}", ""]
        lines += [f"- {one.says}: {escaped(one.text)}{_source(one)}" for one in memo.sheet.reasons]
    lines += ["", "**Not tested.**", "", *(f"- {escaped(one)}" for one in memo.not_tested)]
    lines += ["", "**Monitoring must catch.**", "", *(f"- {escaped(one)}" for one in memo.monitoring)]
    lines += ["", escaped(told["made"])]
    text = "\n".join(lines) + "\n"
    if path is not None:
        write(text, path)
    return text


def _source(reason):
    return f" ([{escaped(reason.source)}]({reason.link}))" if reason.link else ""


def _table(titles, rows):
    lines = [[*map(escaped, titles)], ["---"] * len(titles), *([*map(escaped, row)] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
