"""What the outputs of an audit share: the finding in a sentence, and the cells of each row as people read them."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import pandas as pd

from kdcourse._arguments import integer
from kdcourse.audit.report.record import record

Report = Any  # an AuditReport, whose module imports this one
NOTHING = "–"
SHORT = ["slice", "level", "n", "teacher", "student", "baseline", "gap", "max_gap", "verdict", "more_needed"]


class Column(NamedTuple):
    name: str  # as in AuditReport.table
    title: str
    cell: Callable[[Any], str]  # of a row
    numeric: bool


class Part(NamedTuple):
    """What a report holds beside its table, where it was asked for."""

    title: str
    said: list[str]
    table: pd.DataFrame
    columns: list[Column]
    shown: pd.DataFrame  # the rows that people see

    def cells(self) -> list[list[str]]:
        return [[column.cell(row) for column in self.columns] for row in self.shown.to_dict("records")]


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
    lines = lined_up(shown, [cells for _, cells in rows])
    more = [f"… and {left:,} more rows"] if left else []
    lines[-1:] = [*more, "-" * max(map(len, lines)), lines[-1]]
    notes = [f"Note: {printable(note)}" for note in report.notes]
    parts = [line for part in report.parts.values() for line in ["", *part_text(part)]] + [""] * bool(report.parts)
    told = [line for line in (sight(report), *waivers_of(report), held_back(report)) if line]
    return "\n".join([*lines, "", report.method, *notes, *parts, *recorded(report), *told, headline(report)])


def recorded(report: Report) -> list[str]:
    """What the report was made from, where a file or a signature is known; arrays in a notebook need no such lines."""
    known = any(report.settings.get(name) for name in ("data", "note"))
    return [f"{term}: {printable(said)}" for term, said in record(report.settings).items()] if known else []


def part_text(part: Part) -> list[str]:
    """Lines for a terminal."""
    table = lined_up(part.columns, part.cells()) if len(part.shown) else []
    return [f"{part.title}. {part.said[0]}", *part.said[1:], *table]


def lined_up(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line of headings and one for each row, with their cells below one another."""
    cells = [[column.title for column in columns], *([cut(cell) for cell in row] for row in rows)]
    widths = [max(map(len, cells_of)) for cells_of in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in cells
    ]


def waivers_of(report: Report) -> list[str]:
    """A sentence for each slice whose waiver holds."""
    rows = [*rows_of(report, None)[0], report.overall]
    return [f"{printable(name_of(row))}: {printable(row['waiver'])}" for row in rows if row["waiver"]]


def headline(report: Report) -> str:
    """What is shown safe, and what is not, in a sentence."""
    table, total = report.table, len(report.table)

    def count(verdict):
        return int((table["verdict"] == verdict).sum())

    def first(verdict):
        found = table[table["verdict"] == verdict]
        return f" ({'' if len(found) == 1 else 'worst: '}{name_of(found.iloc[0])})"

    verdicts = ["pass", "flag", "alarm", "watch", "too few", "not measurable"]
    safe, flagged, alarmed, watched, few, unmeasured = map(count, verdicts)
    parts = [f"{safe:,} of {total:,} slice{'s' if total != 1 else ''} shown safe"]
    parts += [f"{flagged:,} over the limit{first('flag')}"] if flagged else []
    parts += [f"{alarmed:,} alarm{'s' if alarmed > 1 else ''}{first('alarm')}"] if alarmed else []
    parts += [f"{watched:,} undecided"] if watched else []
    parts += [f"{few:,} with too few examples"] if few else []
    parts += [f"{unmeasured:,} not measurable"] if unmeasured else []
    whole = {"flag": "over the limit", "alarm": "in alarm", "watch": "undecided"}.get(report.overall["verdict"])
    return ", ".join(parts) + (f"; all examples together {whole}" if whole else "")


def state_of(report: Report) -> str:
    """The worst that was found: "flag", "alarm", "undecided" or "pass"."""
    found = {*report.table["verdict"], report.overall["verdict"]}
    worst = next(one for one in ("flag", "alarm", "watch", "too few", "not measurable", "pass") if one in found)
    return worst if worst in ("flag", "alarm", "pass") else "undecided"


def sight(report: Report) -> str:
    """What the audit could have seen: how likely a slice at twice its limit would have been flagged."""
    judged = ~report.table["verdict"].isin(["too few", "not measurable"])
    known = report.table[judged & report.table["chance_at_twice"].notna()]
    if known.empty:
        return ""
    least, most = known.loc[known["chance_at_twice"].idxmin()], known["chance_at_twice"].max()
    needed = f"; 80 % would take {about(least['needed_at_twice'])} examples" if least["chance_at_twice"] < 0.8 else ""
    chance = f"{likely(least['chance_at_twice'])} in {name_of(least)} ({least['n']:,} examples{needed})"
    rest = f", and {likely(most, 'up to')} elsewhere" if len(known) > 1 else ""
    return f"Had a slice lost twice what it may, it would have been flagged with a probability of {chance}{rest}."


def held_back(report: Report) -> str:
    """Whether a release may go, where every slice must pass; else ""."""
    if report.settings["require"] != "pass":
        return ""
    undecided = report.undecided
    if report.status == 0:
        return "Release: may go. Every slice passes, or is waived."
    names = [name_of(row) for _, row in undecided.iterrows()]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    why = "something is flagged" if report.status == 1 else f"undecided and not waived: {', '.join(names[:5])}{more}"
    return f"Release: held back; {why}."


def about(count: float) -> str:
    """A number that rests on an estimate, in two digits."""
    return f"about {float(f'{count:.2g}'):,.0f}"


def likely(chance: float, words: str = "about") -> str:
    """A probability that rests on an approximation: neither 0 nor 100 %."""
    percent = 100 * chance
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{words} {percent:.0f} %"


def rows_of(report: Report, most_rows: int | None) -> tuple[list[pd.Series], int]:
    """(the worst rows, how many are left out), with `most_rows` an integer >= 1, or None for all."""
    most_rows = len(report.table) if most_rows is None else integer("most_rows", most_rows, at_least=1)
    rows = [row for _, row in report.table.head(most_rows).iterrows()]
    return rows, len(report.table) - len(rows)


def columns(report: Report) -> list[Column]:
    """Every Column of the report that holds something."""
    _, unit, _ = unit_of(report)
    interval = f"({unit}) [{confidence_of(report)} interval]"
    share = report.settings["metric"]["unit"] == "points"

    def plain(name):
        return lambda row: printable(row[name])

    def percent(name):
        return lambda row: NOTHING if pd.isna(row[name]) else minus(f"{100 * row[name]:.1f} %")

    def mean(name):
        return lambda row: NOTHING if pd.isna(row[name]) else minus(f"{row[name]:.4g}")

    def whole(name):
        return lambda row: NOTHING if pd.isna(row[name]) else f"{row[name]:,.0f}"

    found = [
        Column("slice", "slice", plain("slice"), False),
        Column("level", "level", plain("level"), False),
        Column("verdict", "verdict", verdict_with_reason, False),
        Column("n", "n", lambda row: f"{row['n']:,}", True),
        Column("gap", f"gap {interval}", lambda row: with_interval(report, row), True),
        Column("max_gap", f"allowed gap ({unit})", lambda row: gap_text(report, row["max_gap"], ""), True),
        *(Column(k, k, (percent if share else mean)(k), True) for k in ["teacher", "student", "baseline"]),
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
        Column("effective_n", "effective n", whole("effective_n"), True),
        Column("design_effect", "design effect", mean("design_effect"), True),
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
    """(what to multiply a gap by, its unit, decimals or None): points for shares, else the metric's own unit."""
    unit = report.settings["metric"]["unit"]
    if unit != "points":
        return 1, unit, None
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
    return minus(f"{scaled:{sign}.4g}" if decimals is None else f"{scaled:{sign}.{decimals}f}")


def minus(number: str) -> str:
    """A number with a minus sign where it has a hyphen."""
    return number.replace("-", "−")


def with_interval(report: Report, row: pd.Series, name="gap", low="low", high="high") -> str:
    """ "+19.0 [+14.8, +23.5]": a gap and its interval; a single example has none with a score."""
    ends = f"[{gap_text(report, row[low])}, {gap_text(report, row[high])}]"
    return f"{gap_text(report, row[name])} {NOTHING if pd.isna(row[low]) else ends}"


def verdict_text(row: pd.Series) -> str:
    words = [
        row["verdict"],
        *(["student better"] if row["student_better"] else []),
        *(["waived"] if row["waiver"] else []),
    ]
    return ", ".join(words)


def verdict_with_reason(row: pd.Series) -> str:
    return f"{verdict_text(row)}: {printable(row['why'])}" if row["why"] else verdict_text(row)


def _more_needed(row):
    if not row["more_needed"]:
        return NOTHING
    if math.isinf(row["more_needed"]):
        return "no number is enough"
    return f"{row['more_needed']:,.0f}" if row["verdict"] == "too few" else about(row["more_needed"])
