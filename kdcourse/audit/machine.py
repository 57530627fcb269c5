"""An audit as JSON, for programs: everything the report holds, in a form that is named and numbered."""

import math

import numpy as np

import kdcourse
from kdcourse import store
from kdcourse.audit.tables import headline, named

SCHEMA = "kdcourse.audit"
VERSION = 1


def content(report):
    """What `write` writes, as dicts, lists and plain values.

    schema, schema_version   "kdcourse.audit" and 1; the number rises when a field changes its meaning or goes
    status                   0, or 1 if anything is flagged;  headline, method, notes  sentences
    rows                     one object for each row of AuditReport.table, in its order, with its fields;
    overall                  the same for all examples together

    What is not a number is null. So is `more_needed` where no number of examples is enough;
    `more_needed_unbounded` is then true.
    """
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "kdcourse": kdcourse.__version__,
        "status": report.status,
        "headline": headline(report),
        "score_name": report.score_name,
        "corrected_for": report.corrected_for,
        "method": report.method,
        "settings": _plain(report.settings),
        "overall": _row(report.overall),
        "rows": [_row(row) for _, row in report.table.iterrows()],
        "notes": _plain(report.notes),
    }


def write(report, path):
    """Write the report as JSON, whole or not at all. Raises OSError that names the file."""
    with named(path):
        store.save_json(path, content(report))


def _row(row):
    plain = {name: _plain(value) for name, value in row.items()}
    more = row["more_needed"]
    return plain | {
        "more_needed": int(more) if math.isfinite(more) else None,
        "more_needed_unbounded": math.isinf(more),
    }


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
