"""An audit as a page of its own: no script, nothing from the network, for screens of any width and for paper."""

import base64
from pathlib import Path

from kdcourse.audit.figure import svg
from kdcourse.audit.tables import (
    columns,
    gap_text,
    headline,
    interval_text,
    name_of,
    named,
    printable,
    unit_of,
)
from kdcourse.store import replacing

TEMPLATE = "report.html.jinja"


def page(report):
    """The report as a string of HTML. Names from the data are shown and never read as markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = columns(report)
    rows = [row for _, row in report.table.iterrows()]
    return environment.get_template(TEMPLATE).render(
        headline=headline(report),
        status=report.status,
        compared=_compared(report),
        picture=base64.b64encode(svg(report)).decode(),
        columns=shown,
        rows=[(row["verdict"].replace(" ", "-"), [(column, column.cell(row)) for column in shown]) for row in rows],
        overall=(
            report.overall["verdict"].replace(" ", "-"),
            [(column, column.cell(report.overall)) for column in shown],
        ),
        better=[
            f"{name_of(row, 120)}: {gap_text(report, row['gap'])} {interval_text(report, row['low'], row['high'])}"
            for row in [*rows, report.overall]
            if row["student_better"]
        ],
        unit=unit_of(report)[1],
        scored=report.score_name != "accuracy",
        method=report.method,
        notes=[printable(note) for note in report.notes],
        min_samples=f"{report.settings['min_samples']:,}",
        percent=f"{100 * report.settings['confidence']:.4g} %",
    )


def write(report, path):
    """Write the page, whole or not at all. Raises OSError that names the file."""
    text = page(report)
    with named(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _compared(report):
    """(term, description) of what was compared, and how."""
    settings, whole = report.settings, report.overall
    unit = unit_of(report)[1]
    models = "teacher, student" + (" and baseline" if report.table["baseline"].notna().any() else "")
    yield "Models", f"{models}, by {printable(report.score_name)}"
    yield "Examples", f"{whole['n']:,}, the same ones for each model"
    yield "Classes", _listed(settings["classes"])
    yield "Slices", f"{len(report.table):,}, from {_listed(settings['slices'])}"
    yield "Allowed gap", f"{gap_text(report, settings['max_gap'], '')} {unit}"
    for key, value in settings["thresholds"].items():
        yield f"Allowed gap of {printable(key)}", f"{gap_text(report, value, '')} {unit}"
    yield "Smallest slice that is judged", f"{settings['min_samples']:,} examples"
    yield "Confidence", f"{100 * settings['confidence']:.4g} %"


def _listed(values, most=12):
    shown = ", ".join(printable(value) for value in values[:most])
    return f"{shown} and {len(values) - most:,} more" if len(values) > most else shown
