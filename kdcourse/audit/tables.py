"""What the outputs of an audit share: the finding in a sentence, and the cells of each row as people read them."""

import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import pandas as pd

from kdcourse._arguments import integer

Report = Any  # an AuditReport, whose module imports this one
NOTHING = "–"
SHORT = ["slice", "level", "n", "teacher", "student", "baseline", "gap", "max_gap", "verdict", "more_needed"]


class Column(NamedTuple):
    name: str  # as in AuditReport.table
    title: str
    cell: Callable[[pd.Series], str]
    numeric: bool


class Table(NamedTuple):
    columns: list[Column]
    rows: list[tuple[str, list[str]]]  # (verdict, a text for each column), the worst first, all examples last
    left: int  # how many rows are left out


def table_of(report: Report, names: Collection[str] | None = None, most_rows: int | None = None) -> Table:
    """Every column of the report that holds something, or those of `names`, with at most `most_rows` slices."""
    shown = [column for column in columns(report) if names is None or column.name in names]
    rows, left = rows_of(report, most_rows)
    rows = [*rows, report.overall]
    return Table(shown, [(row["verdict"], [column.cell(row) for column in shown]) for row in rows], left)


def plain_text(report: Report, most_rows: int | None = None) -> str:
    """The report for a terminal: the table, the worst row first, how it was judged, notes, and the headline last."""
    shown, rows, left = table_of(report, SHORT, most_rows)
    cells = [[column.title for column in shown], *([cut(cell) for cell in row] for _, row in rows)]
    widths = [max(map(len, cells_of)) for cells_of in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(line, widths, shown, strict=True)
        ).rstrip()
        for line in cells
    ]
    more = [f"… and {left:,} more rows"] if left else []
    lines[-1:] = [*more, "-" * max(map(len, lines)), lines[-1]]
    notes = [f"Note: {printable(note)}" for note in report.notes]
    return "\n".join([*lines, "", report.method, *notes, headline(report)])


def headline(report: Report) -> str:
    """The finding in a sentence or two, by verdict."""
    table = report.table
    rows = f"{len(table):,} slice{'s' if len(table) != 1 else ''}"
    flagged, watched, few = (int((table["verdict"] == verdict).sum()) for verdict in ["flag", "watch", "too few"])
    whole = report.overall["verdict"]
    if flagged:
        finding = f"{flagged:,} of {rows} {'loses' if flagged == 1 else 'lose'} more than allowed"
        finding += ", and so do all examples together" if whole == "flag" else ""
        return f"{finding}; {'it is' if flagged == 1 else 'worst:'} {name_of(table.iloc[0])}"
    undecided = [f"{watched:,} undecided"] if watched else []
    undecided += [f"{few:,} {'has' if few == 1 else 'have'} too few examples"] if few else []
    if whole == "flag":
        finding = f"All examples together lose more than allowed, though none of {rows} is shown to by itself"
    elif undecided:
        finding = f"None of {rows} is shown to lose more than allowed"
    else:
        finding = f"All {rows} stay" if len(table) > 1 else f"{rows} stays"
        finding += " within what is allowed"
        undecided = ["all examples together are undecided"] if whole == "watch" else []
    return f"{finding}; {' and '.join(undecided)}" if undecided else finding


def rows_of(report: Report, most_rows: int | None) -> tuple[list[pd.Series], int]:
    """(the worst rows, how many are left out), with `most_rows` an integer >= 1, or None for all."""
    most_rows = len(report.table) if most_rows is None else integer("most_rows", most_rows, at_least=1)
    rows = [row for _, row in report.table.head(most_rows).iterrows()]
    return rows, len(report.table) - len(rows)


def columns(report: Report) -> list[Column]:
    """Every Column of the report that holds something."""
    _, unit, _ = unit_of(report)
    interval = f"({unit}) [{confidence_of(report)} interval]"
    accuracy = report.score_name == "accuracy"

    def plain(name):
        return lambda row: printable(row[name])

    def percent(name):
        return lambda row: NOTHING if pd.isna(row[name]) else f"{100 * row[name]:.1f} %"

    def mean(name):
        return lambda row: NOTHING if pd.isna(row[name]) else f"{row[name]:.4g}"

    found = [
        Column("slice", "slice", plain("slice"), False),
        Column("level", "level", plain("level"), False),
        Column("verdict", "verdict", verdict_text, False),
        Column("n", "n", lambda row: f"{row['n']:,}", True),
        Column("gap", f"gap {interval}", lambda row: with_interval(report, row), True),
        Column("max_gap", f"allowed gap ({unit})", lambda row: gap_text(report, row["max_gap"], ""), True),
        *(Column(k, k, (percent if accuracy else mean)(k), True) for k in ["teacher", "student", "baseline"]),
        Column(
            "over_baseline",
            f"student over baseline {interval}",
            lambda row: with_interval(report, row, "over_baseline", "over_baseline_low", "over_baseline_high"),
            True,
        ),
        Column("retained", "retained above chance", percent("retained"), True),
        Column("agreement", "agreement", percent("agreement"), True),
        Column("ece_teacher", "calibration error, teacher", percent("ece_teacher"), True),
        Column("ece_student", "calibration error, student", percent("ece_student"), True),
        Column("more_needed", "more examples needed", _more_needed, True),
        Column("handling", "handling", plain("handling"), False),
    ]
    return [one for one in found if report.table[one.name].notna().any() or pd.notna(report.overall[one.name])]


# ---- single cells ----


def name_of(row: pd.Series, longest: int = 60) -> str:
    """ "group = hard ham", cut where it is longer."""
    return cut(printable(f"{row['slice']} = {row['level']}"), longest)


def cut(text: str, longest: int = 60) -> str:
    """`text`, without its middle if it is too long: names often differ at their ends."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[: longest - half - 1]}…{text[-half:]}"


def printable(text: object) -> str:
    """`text` with what cannot be shown, such as line breaks and terminal codes, written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def unit_of(report: Report) -> tuple[int, str, int | None]:
    """(what to multiply a gap by, its unit, decimals or None): points for accuracy, else the units of the score."""
    if report.score_name != "accuracy":
        return 1, report.score_name, None
    allowed = [*report.table["max_gap"], report.overall["max_gap"]]
    decimals = next((d for d in (1, 2, 3) if all(math.isclose(100 * a, round(100 * a, d)) for a in allowed)), 4)
    return 100, "points", decimals


def confidence_of(report: Report) -> str:
    return f"{100 * report.settings['confidence']:.4g} %"


def gap_text(report: Report, value: float, sign: str = "+") -> str:
    """A gap, or a limit of one, in the report's unit."""
    scale, _, decimals = unit_of(report)
    if pd.isna(value):
        return NOTHING
    scaled = scale * value + 0.0  # no minus before a plain zero
    return f"{scaled:{sign}.4g}" if decimals is None else f"{scaled:{sign}.{decimals}f}"


def with_interval(report: Report, row: pd.Series, name="gap", low="low", high="high") -> str:
    """ "+19.0 [+14.8, +23.5]": a gap and its interval; a single example has none with a score."""
    ends = f"[{gap_text(report, row[low])}, {gap_text(report, row[high])}]"
    return f"{gap_text(report, row[name])} {NOTHING if pd.isna(row[low]) else ends}"


def verdict_text(row: pd.Series) -> str:
    return f"{row['verdict']}, student better" if row["student_better"] else row["verdict"]


def _more_needed(row):
    if row["more_needed"] == 0:
        return NOTHING
    return "no number is enough" if math.isinf(row["more_needed"]) else f"{row['more_needed']:,.0f}"
