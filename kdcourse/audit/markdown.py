"""An audit as Markdown, for a pull request: the finding, the worst rows, and the notes."""

import re

from kdcourse.audit.tables import columns, cut, headline, named, printable, rows_of
from kdcourse.store import replacing

SHOWN = [
    "slice",
    "level",
    "n",
    "teacher",
    "student",
    "baseline",
    "gap",
    "max_gap",
    "verdict",
    "more_needed",
    "handling",
]


def text(report, most_rows=30):
    """The report in GitHub's Markdown, the worst row first and at most `most_rows` of them; None shows all."""
    shown = [column for column in columns(report) if column.name in SHOWN]
    rows, left = rows_of(report, most_rows)
    lines = [
        f"### Audit: {escaped(headline(report))}",
        "",
        _line(column.title for column in shown),
        _line("---:" if column.numeric else "---" for column in shown),
        *(_row(shown, row) for _, row in rows.iterrows()),
        _row(shown, report.overall),
        "",
    ]
    if left:
        lines += [f"and {left:,} more", ""]
    lines += [escaped(report.method), "", *(f"- {escaped(note)}" for note in report.notes)]
    return "\n".join(lines).rstrip() + "\n"


def write(report, path=None, most_rows=30):
    """The report in Markdown, which is also written to `path` if there is one, whole or not at all.

    Raises OSError that names the file.
    """
    found = text(report, most_rows)
    if path is not None:
        with named(path), replacing(path) as temporary:
            temporary.write_text(found, encoding="utf-8")
    return found


def escaped(words):
    """`words` on one line, with nothing in them that Markdown or HTML would read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", printable(words))


def _row(shown, row):
    cells = [escaped(cut(column.cell(row), 80)) for column in shown]
    place = [column.name for column in shown].index("verdict")
    if row["verdict"] == "flag":
        cells[place] = f"**{cells[place]}**"
    return _line(cells)


def _line(cells):
    return f"| {' | '.join(cells)} |"
