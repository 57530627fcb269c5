"""What a learner has done, on one sheet: what was measured and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import kdcourse
from kdcourse._pages import rendered
from kdcourse.progress import record

if TYPE_CHECKING:
    import pandas as pd


def certificate(table: pd.DataFrame) -> str:
    """Return a `table` as a page of its own, which asks nothing of the network and prints on one sheet.

    Parameters
    ----------
    table : DataFrame
        As `table` makes it.

    Returns
    -------
    str
        HTML: of each lesson which of its exercises and quizzes are done, the best scores and the days; the version of
        the course and the date (UTC). There is no name in it, nor anything else of a person.

    Examples
    --------
    >>> from kdcourse.progress import table
    >>> page = certificate(table({"soften": "01_soft_labels"}, {}))
    >>> "0 of 1</strong> exercises" in page
    True
    """
    import pandas as pd

    rows = table.to_dict("records")
    lessons: dict[str, dict] = {}
    for row in rows:
        lesson = lessons.setdefault(row["lesson"], {"exercises": [], "quizzes": [], "days": []})
        lesson["exercises" if row["kind"] == "exercise" else "quizzes"].append(row)
        if pd.notna(row["when"]):
            lesson["days"].append(f"{row['when']:%Y-%m-%d}")
    totals = {
        kind: (sum(row["done"] for row in rows if row["kind"] == kind), sum(row["kind"] == kind for row in rows))
        for kind in ("exercise", "quiz")
    }
    days = sorted(day for lesson in lessons.values() for day in lesson["days"])
    return rendered(
        Path(__file__).parent,
        "certificate.html.jinja",
        lessons=[_line(name, lesson) for name, lesson in lessons.items()],
        exercises=totals["exercise"],
        quizzes=totals["quiz"],
        complete=bool(rows) and all(row["done"] for row in rows),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        version=kdcourse.__version__,
        today=record.now()[:10],
    )


def _line(name, lesson):
    """(lesson, exercises, quizzes, last day) as texts; what is open is said to be open."""
    exercises = [one["name"] for one in lesson["exercises"] if one["done"]]
    of = len(lesson["exercises"])
    passed = f"{len(exercises)} of {of}" + (f": {', '.join(exercises)}" if exercises else "")
    scores = ", ".join(f"{'' if one['name'] == name else one['name']} {_score(one)}" for one in lesson["quizzes"])
    return name or "of no lesson", passed if of else "–", scores.strip() or "–", max(lesson["days"], default="–")


def _score(quiz):
    if quiz["score"] != quiz["score"]:  # NaN: never answered
        return "open"
    return f"{100 * quiz['score']:.0f} %" + ("" if quiz["done"] else " (of fewer questions)")
