"""An audit written down: as a page for people, as Markdown for a pull request, as JSON for programs.

The page is one file: no script, nothing from the network, for screens of any width and for paper.
"""

import base64
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import kdcourse
from kdcourse._pages import rendered
from kdcourse.audit.report import wording
from kdcourse.audit.report.changes import SCHEMA, VERSIONS
from kdcourse.audit.report.figure import svg
from kdcourse.audit.report.record import record
from kdcourse.audit.report.tables import (
    SHORT,
    Part,
    Report,
    confidence_of,
    cut,
    gap_text,
    headline,
    held_back,
    name_of,
    printable,
    recorded,
    rows_of,
    sight,
    state_of,
    table_of,
    unit_of,
    waivers_of,
    with_interval,
)
from kdcourse.store import replacing, save_json

StrPath = str | os.PathLike[str]
ONE_PAGE = 12  # slices of a report that fits on one sheet


@contextmanager
def named(path: StrPath) -> Iterator[None]:
    """An OSError of the block says which file cannot be written, and why: it would name a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


def write(text: str, path: StrPath) -> None:
    """Write it whole, or not at all."""
    with named(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


# ---- HTML ----


def write_html(report: Report, path: StrPath) -> None:
    """Write the report as a page, whole or not at all. Names from the data are shown and never read as markup."""
    shown, rows, _ = table_of(report)
    lines = [(verdict.replace(" ", "-"), list(zip(shown, cells, strict=True))) for verdict, cells in rows]
    text = rendered(
        Path(__file__).parent,
        "report.html.jinja",
        headline=headline(report),
        state=state_of(report),
        held_back=held_back(report),
        sight=sight(report),
        waivers=waivers_of(report),
        compared=compared(report),
        picture=base64.b64encode(svg(report)).decode(),
        columns=shown,
        rows=lines[:-1],
        overall=lines[-1],
        better=[
            f"{name_of(row, 120)}: {with_interval(report, row)}"
            for row in [*rows_of(report, None)[0], report.overall]
            if row["student_better"]
        ],
        unit=unit_of(report)[1],
        metric=report.settings["metric"],
        unmeasured=(report.table["verdict"] == "not measurable").any(),
        scored=report.score_name != "accuracy",
        method=report.method,
        notes=[printable(note) for note in report.notes],
        min_samples=f"{report.settings['min_samples']:,}",
        parts=report.parts,
        short=len(rows) <= ONE_PAGE + 1,
    )
    write(text, path)


def compared(report: Report) -> Iterator[tuple[str, str]]:
    """(term, description) of what was compared, and how."""
    settings, unit = report.settings, unit_of(report)[1]
    models = "teacher, student" + (" and baseline" if report.table["baseline"].notna().any() else "")
    yield "Models", f"{models}, by {_metric_of(report)}"
    yield "Examples", f"{report.overall['n']:,}, the same ones for each model"
    if settings["weighted"]:
        yield "Weights", f"as if {report.overall['effective_n']:,.0f} examples of equal weight"
    if settings["clusters"]:
        yield "Clusters", f"{settings['clusters']:,}, drawn again and tested as wholes"
    if settings["classes"]:
        yield "Classes", _listed(settings["classes"])
    yield "Slices", f"{len(report.table):,}, from {_listed(settings['slices'])}"
    yield "Allowed gap", f"{gap_text(report, settings['max_gap'], '')} {unit}"
    for key, value in settings["thresholds"].items():
        yield f"Allowed gap of {printable(key)}", f"{gap_text(report, value, '')} {unit}"
    yield "Smallest slice that is judged", f"{settings['min_samples']:,} examples"
    yield "Confidence", confidence_of(report)
    yield "Required", {"pass": "every slice passes", "no flag": "nothing is flagged"}[settings["require"]]
    for key, waiver in settings["waivers"].items():
        yield f"Waiver of {printable(key)}", printable(waiver)
    for term, said in record(settings).items():
        yield term, printable(said)


def _metric_of(report):
    """The metric, what was said of it, its direction and its unit."""
    metric = report.settings["metric"]
    better = "higher" if metric["greater_is_better"] else "lower"
    return printable(f"{wording.named(report.score_name, metric)}: {better} is better, in {metric['unit']}")


def _listed(values, most=12):
    shown = ", ".join(printable(value) for value in values[:most])
    return f"{shown} and {len(values) - most:,} more" if len(values) > most else shown


# ---- Markdown ----


def write_markdown(report: Report, path: StrPath | None = None, most_rows: int | None = 30) -> str:
    """The report in GitHub's Markdown, the worst rows first; written to `path`, too, if there is one."""
    shown, rows, left = table_of(report, [*SHORT, "handling"], most_rows)
    lines = [
        f"### Audit: {escaped(headline(report))}",
        "",
        _line(column.title for column in shown),
        _line("---:" if column.numeric else "---" for column in shown),
    ]
    place = [column.name for column in shown].index("verdict")
    for verdict, cells in rows:
        cells = [escaped(cut(cell, 80)) for cell in cells]
        cells[place] = f"**{cells[place]}**" if verdict in ("flag", "alarm") else cells[place]
        lines.append(_line(cells))
    lines += ["", *([f"and {left:,} more", ""] if left else [])]
    told = [line for line in (held_back(report), sight(report)) if line]
    lines += [part for line in told for part in (escaped(line), "")]
    lines += [escaped(report.method), "", *(f"- {escaped(note)}" for note in [*waivers_of(report), *report.notes])]
    for part in report.parts.values():
        lines += ["", *part_markdown(part)]
    lines += ["", *(f"- {escaped(line)}" for line in recorded(report))]
    text = "\n".join(lines).rstrip() + "\n"
    if path is not None:
        write(text, path)
    return text


def part_markdown(part: Part) -> list[str]:
    """Lines of Markdown, headed by the part's title."""
    lines = [f"#### {escaped(part.title)}", "", *(line for said in part.said for line in (escaped(said), ""))]
    if len(part.shown):
        lines += [_line(escaped(column.title) for column in part.columns)]
        lines += [_line("---:" if column.numeric else "---" for column in part.columns)]
        lines += [_line(escaped(cut(cell, 80)) for cell in cells) for cells in part.cells()]
    return lines


def escaped(words: object) -> str:
    """`words` on one line, with nothing in them that Markdown or HTML would read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", printable(words))


def _line(cells):
    return f"| {' | '.join(cells)} |"


# ---- JSON ----


def write_json(report: Report, path: StrPath) -> None:
    """Write `content` as JSON, whole or not at all."""
    with named(path):
        save_json(path, content(report))


def content(report: Report) -> dict[str, Any]:
    """Everything the report holds, as dicts, lists and plain values.

    schema, schema_version   SCHEMA and the last of VERSIONS; the number rises when a field changes its meaning or goes
    status                   as of AuditReport;  headline, sight, held_back, method, notes  sentences
    metric                   its name, direction, unit, and whether its test is exact
    rows                     one object for each row of AuditReport.table, in its order, with its fields;
    overall                  the same for all examples together
    changes, search, confusion, examples   said (sentences) and rows of each that was asked for

    What is not a number is null. So is `more_needed` where no number of examples is enough;
    `more_needed_unbounded` is then true.
    """
    return {
        "schema": SCHEMA,
        "schema_version": VERSIONS[-1],
        "kdcourse": kdcourse.__version__,
        "status": report.status,
        "headline": headline(report),
        "sight": sight(report),
        "held_back": held_back(report),
        "score_name": report.score_name,
        "metric": _plain(report.settings["metric"]),
        "corrected_for": report.corrected_for,
        "method": report.method,
        "settings": _plain(report.settings),
        "overall": _fields(report.overall),
        "rows": [_fields(row) for row in rows_of(report, None)[0]],
        "notes": _plain(report.notes),
        **{
            name: _plain({"said": one.said, "rows": one.table.to_dict("records")}) for name, one in report.parts.items()
        },
    }


def _fields(row):
    more = row["more_needed"]
    counts = {"more_needed": int(more) if math.isfinite(more) else None, "more_needed_unbounded": math.isinf(more)}
    return _plain(row.to_dict()) | counts


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, bool, int)) else str(value)
