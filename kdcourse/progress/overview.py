"""What there is to do and what is done: as a table, as text, and as a file for an instructor."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import kdcourse
from kdcourse._arguments import one_of
from kdcourse.progress.record import load, now

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["lesson", "kind", "name", "done", "score", "when"]


def table(exercises: Mapping[str, str], quizzes: Mapping[str, tuple[str | None, int]]) -> pd.DataFrame:
    """Return what there is and what is done: one row per exercise and quiz, in the order of the lessons.

    Parameters
    ----------
    exercises : dict
        {name: stem of its lesson, or ""}.
    quizzes : dict
        {name: (stem of its lesson or None, number of questions)}.

    Returns
    -------
    DataFrame
        `lesson`, a stem, or "" for none, and these come after the lessons; `kind`, "exercise" or "quiz"; `name`;
        `done`, whether an exercise was passed, or a quiz answered with all the questions it has now; `score`, the best
        share of a quiz in [0, 1], else NaN; `when` an exercise was first passed, or that score first reached, in UTC,
        else NaT. What is in the record and in neither argument comes last, as done.

    Examples
    --------
    >>> table({"soften": "01_soft_labels"}, {"final": (None, 15)}).columns.tolist()
    ['lesson', 'kind', 'name', 'done', 'score', 'when']
    """
    import pandas as pd

    record = load()
    passed, answered = record["exercises"], record["quizzes"]
    rows = [_exercise_row(name, lesson, passed.pop(name, None)) for name, lesson in exercises.items()]
    rows += [_quiz_row(name, lesson, answered.pop(name, None), n) for name, (lesson, n) in quizzes.items()]
    others = [_exercise_row(name, entry["lesson"], entry) for name, entry in passed.items()]
    others += [_quiz_row(name, entry["lesson"], entry, 1) for name, entry in answered.items()]

    def by_lesson(row):
        return row[0] == "", row[0]

    frame = pd.DataFrame(sorted(rows, key=by_lesson) + sorted(others, key=by_lesson), columns=COLUMNS)
    # Seconds: any year that a wrong clock can name fits, which nanoseconds do not promise.
    return frame.astype({"done": bool, "score": float, "when": "datetime64[s, UTC]"})


def _exercise_row(name, lesson, entry):
    when = entry and datetime.datetime.fromisoformat(entry["first"])
    return lesson, "exercise", name, entry is not None, None, when


def _quiz_row(name, lesson, entry, questions):
    if entry is None:
        return lesson or "", "quiz", name, False, None, None
    done = max(entry["best_total"], entry["last_total"]) >= questions
    return lesson or "", "quiz", name, done, entry["best"], datetime.datetime.fromisoformat(entry["best_when"])


def next_up(table: pd.DataFrame) -> str:
    """Return one sentence: the first row of a `table` that is not done, or that all are.

    Examples
    --------
    >>> next_up(table({"never passed": "01_soft_labels"}, {}))
    'Next: exercise never passed in 01_soft_labels'
    """
    for row in table.to_dict("records"):
        if not row["done"]:
            return f"Next: {row['kind']} {row['name']}" + (f" in {row['lesson']}" if row["lesson"] else "")
    return "Everything is done" if len(table) else "There are no exercises and no quizzes yet"


def show(table: pd.DataFrame) -> str:
    """Return a `table` as plain text, lesson by lesson, no line longer than 80 characters."""
    import pandas as pd

    width = min(40, max([10, *map(len, table["name"])]))
    lines = [f"  {'':<4}  {'kind':<8}  {'name':<{width}}  {'best':>4}  when (UTC)"]
    for lesson, rows in itertools.groupby(table.to_dict("records"), key=lambda row: row["lesson"]):
        lines.append(_cut(lesson, 80) or "of no lesson")
        for row in rows:
            score = "" if pd.isna(row["score"]) else f"{row['score']:.0%}"
            when = "" if pd.isna(row["when"]) else f"{row['when']:%Y-%m-%d}"
            state = "done" if row["done"] else "open"
            line = f"  {state}  {row['kind']:<8}  {_cut(row['name'], width):<{width}}  {score:>4}  {when}"
            lines.append(line.rstrip())
    return "\n".join(lines)


def _cut(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def export(table: pd.DataFrame, format: str) -> str:
    """Return a `table` as text for an instructor, with the version of the course and the date (UTC).

    Parameters
    ----------
    table : DataFrame
        As `table` makes it.
    format : str
        "csv", with a header row, or "json", a list of objects; what is missing is empty, or null.

    Raises
    ------
    ValueError
        For another format.

    Notes
    -----
    There is nothing personal in it.

    Examples
    --------
    >>> export(table({}, {}), "csv").splitlines()[0]
    'lesson,kind,name,done,score,when,course_version,exported'
    """
    one_of("format", format, ["csv", "json"])
    when = table["when"].map(lambda time: time.isoformat(), na_action="ignore").astype(object)
    told = table.assign(when=when, course_version=kdcourse.__version__, exported=now()[:10])
    if format == "csv":
        return told.to_csv(index=False, lineterminator="\n")
    return told.to_json(orient="records", indent=1, force_ascii=False) + "\n"


def save_export(text: str, out: str | Path) -> None:
    """Write what `export` made to a file; missing folders are made."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8", newline="\n")
