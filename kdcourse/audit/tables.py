"""What the outputs of an audit share: the finding in a sentence, and the cells of each row as people read them."""

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import pandas as pd

from kdcourse._arguments import integer

NOTHING = "–"
SHORT = ["slice", "level", "n", "teacher", "student", "baseline", "gap", "max_gap", "verdict", "more_needed"]


class Column(NamedTuple):
    name: str  # as in AuditReport.table
    title: str
    cell: Callable  # row -> text
    numeric: bool


def headline(report):
    """The finding in a sentence or two, by verdict."""
    table, rows = report.table, _slices(len(report.table))
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
        finding = (
            f"{'All ' if len(table) > 1 else ''}{rows} {'stay' if len(table) > 1 else 'stays'} within what is allowed"
        )
        undecided = ["all examples together are undecided"] if whole == "watch" else []
    return f"{finding}; {' and '.join(undecided)}" if undecided else finding


def name_of(row, longest=60):
    """ "group = hard ham", cut where it is longer."""
    return cut(printable(f"{row['slice']} = {row['level']}"), longest)


def cut(text, longest=60):
    """`text`, without its middle if it is too long: names often differ at their ends."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[: longest - half - 1]}…{text[-half:]}"


def printable(text):
    """`text` with what cannot be shown, such as line breaks and terminal codes, written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def unit_of(report):
    """(what to multiply a gap by, its unit, decimals or None): points for accuracy, else the units of the score."""
    if report.score_name != "accuracy":
        return 1, report.score_name, None
    allowed = [*report.table["max_gap"], report.overall["max_gap"]]
    decimals = next((d for d in (1, 2, 3) if all(math.isclose(100 * a, round(100 * a, d)) for a in allowed)), 4)
    return 100, "points", decimals


def gap_text(report, value, sign="+"):
    """A gap, or a limit of one, in the report's unit."""
    scale, _, decimals = unit_of(report)
    if pd.isna(value):
        return NOTHING
    scaled = scale * value + 0.0  # no minus before a plain zero
    return f"{scaled:{sign}.4g}" if decimals is None else f"{scaled:{sign}.{decimals}f}"


def interval_text(report, low, high):
    return NOTHING if pd.isna(low) or pd.isna(high) else f"[{gap_text(report, low)}, {gap_text(report, high)}]"


def columns(report):
    """Every Column of the report that holds something."""
    _, unit, _ = unit_of(report)
    rows = pd.concat([report.table, report.overall.to_frame().T], ignore_index=True)
    percent = f"{100 * report.settings['confidence']:.4g} %"

    def gap(name, low, high):
        return lambda row: f"{gap_text(report, row[name])} {interval_text(report, row[low], row[high])}"

    def plain(name):
        return lambda row: printable(row[name])

    def share(name):
        return lambda row: _share(report, row[name])

    over = gap("over_baseline", "over_baseline_low", "over_baseline_high")
    found = [
        Column("slice", "slice", plain("slice"), False),
        Column("level", "level", plain("level"), False),
        Column("verdict", "verdict", verdict_text, False),
        Column("n", "n", lambda row: f"{row['n']:,}", True),
        Column("gap", f"gap ({unit}) [{percent} interval]", gap("gap", "low", "high"), True),
        Column("max_gap", f"allowed gap ({unit})", lambda row: gap_text(report, row["max_gap"], ""), True),
        *(Column(name, name, share(name), True) for name in ["teacher", "student", "baseline"]),
        Column("over_baseline", f"student over baseline ({unit}) [{percent} interval]", over, True),
        Column("retained", "retained above chance", lambda row: _percent(row["retained"]), True),
        Column("agreement", "agreement", lambda row: _percent(row["agreement"]), True),
        Column("ece_teacher", "calibration error, teacher", lambda row: _percent(row["ece_teacher"]), True),
        Column("ece_student", "calibration error, student", lambda row: _percent(row["ece_student"]), True),
        Column("more_needed", "more examples needed", _more_needed, True),
        Column("handling", "handling", plain("handling"), False),
    ]
    return [column for column in found if rows[column.name].notna().any()]


def verdict_text(row):
    return f"{row['verdict']}, student better" if row["student_better"] else row["verdict"]


def rows_of(report, most_rows):
    """(the worst rows, how many are left out), with `most_rows` an integer >= 1, or None for all."""
    if most_rows is None:
        return report.table, 0
    most_rows = integer("most_rows", most_rows, at_least=1)
    return report.table.head(most_rows), max(len(report.table) - most_rows, 0)


def plain_text(report, most_rows=None):
    """The report for a terminal: the table, the worst row first, how it was judged, notes, and the headline last."""
    shown = [column for column in columns(report) if column.name in SHORT]
    rows, left = rows_of(report, most_rows)
    cells = [[column.title for column in shown]]
    cells += [[cut(column.cell(row)) for column in shown] for _, row in rows.iterrows()]
    cells.append([column.cell(report.overall) for column in shown])
    widths = [max(map(len, cells_of)) for cells_of in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(line, widths, shown, strict=True)
        ).rstrip()
        for line in cells
    ]
    lines.insert(-1, "-" * max(map(len, lines)))
    if left:
        lines.insert(-2, f"… and {left:,} more rows")
    return "\n".join(
        [*lines, "", report.method, *(f"Note: {printable(note)}" for note in report.notes), headline(report)]
    )


@contextmanager
def named(path):
    """An OSError of the block says which file cannot be written, and why: it would name a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def _slices(count):
    return f"{count:,} slice{'s' if count != 1 else ''}"


def _share(report, value):
    if pd.isna(value):
        return NOTHING
    scale, _, _ = unit_of(report)
    return f"{value:.4g}" if scale == 1 else _percent(value)


def _percent(value):
    return NOTHING if pd.isna(value) else f"{100 * value:.1f} %"


def _more_needed(row):
    if row["more_needed"] == 0:
        return NOTHING
    return "no number is enough" if math.isinf(row["more_needed"]) else f"{row['more_needed']:,.0f}"
