"""What there is to do and what is done: as a table, as text, and as a file for an instructor."""

import csv
import datetime
import io
import itertools
import json
from pathlib import Path

import kdcourse
from kdcourse import store
from kdcourse._arguments import integer
from kdcourse.progress.record import check_name, load, now

COLUMNS = ["lesson", "kind", "name", "done", "score", "when"]


def table(exercises, quizzes):
    """What there is and what is done: a DataFrame, one row per exercise and quiz, in the order of the lessons.

    exercises  {name: stem of its lesson, or ""}
    quizzes    {name: (stem of its lesson or None, number of questions)}
    returns    lesson  stem; "" for none, and these come after the lessons
               kind    "exercise" or "quiz"
               name
               done    an exercise: passed; a quiz: answered, whatever the score, with all the questions it has now
               score   best share of a quiz in [0, 1], else NaN
               when    passed first, or best score reached first, in UTC; else NaT
    What is in the record and in neither argument comes last, as done.

    Raises ValueError that names the argument and its value.
    """
    import pandas as pd

    record = load()
    rows = []
    for name, lesson in exercises.items():
        check_name("exercise", name)
        if lesson != "":
            check_name(f"lesson of {name}", lesson)
        rows.append(_exercise_row(name, lesson, record["exercises"].pop(name, None)))
    for name, (lesson, questions) in quizzes.items():
        check_name("quiz", name)
        if lesson not in (None, ""):
            check_name(f"lesson of {name}", lesson)
        questions = integer(f"number of questions of {name}", questions, at_least=1)
        rows.append(_quiz_row(name, lesson, record["quizzes"].pop(name, None), questions))
    rows.sort(key=_by_lesson)

    unknown = [_exercise_row(name, entry["lesson"], entry) for name, entry in record["exercises"].items()]
    unknown += [_quiz_row(name, entry["lesson"], entry) for name, entry in record["quizzes"].items()]
    rows += sorted(unknown, key=_by_lesson)

    frame = pd.DataFrame(rows, columns=COLUMNS)
    # Seconds: any year a damaged clock can name fits, which nanoseconds do not promise.
    return frame.astype({"done": bool, "score": float, "when": "datetime64[s, UTC]"})


def next_up(table):
    """One sentence: the first row of a `table` that is not done, or that all are."""
    for row in table.itertuples():
        if not row.done:
            return f"Next: {row.kind} {row.name}" + (f" in {row.lesson}" if row.lesson else "")
    return "Everything is done" if len(table) else "There are no exercises and no quizzes yet"


def show(table):
    """A `table` as plain text, lesson by lesson, no line longer than 80 characters."""
    import pandas as pd

    width = min(40, max([10, *map(len, table["name"])]))
    lines = [f"  {'':<4}  {'kind':<8}  {'name':<{width}}  {'best':>4}  when (UTC)"]
    for lesson, rows in itertools.groupby(table.itertuples(), key=lambda row: row.lesson):
        lines.append(_cut(lesson, 80) or "of no lesson")
        for row in rows:
            score = "" if pd.isna(row.score) else f"{row.score:.0%}"
            when = "" if pd.isna(row.when) else f"{row.when:%Y-%m-%d}"
            state = "done" if row.done else "open"
            line = f"  {state}  {row.kind:<8}  {_cut(row.name, width):<{width}}  {score:>4}  {when}"
            lines.append(line.rstrip())
    return "\n".join(lines)


def export(table, format):
    """A `table` as text for an instructor, with the version of the course and the date (UTC), and nothing personal.

    format   "csv", with a header row, or "json", a list of objects; what is missing is empty, or null

    Raises ValueError for another format.
    """
    import pandas as pd

    if format not in ("csv", "json"):
        raise ValueError(f"format must be 'csv' or 'json', got {format!r}")
    about = {"course_version": kdcourse.__version__, "exported": now()[:10]}
    rows = []
    for row in table.itertuples():
        score = None if pd.isna(row.score) else float(row.score)
        when = None if pd.isna(row.when) else row.when.isoformat()
        values = [row.lesson, row.kind, row.name, bool(row.done), score, when]
        rows.append(dict(zip(COLUMNS, values, strict=True)) | about)
    if format == "json":
        return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *about], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def save_export(text, out):
    """Write what `export` made to a file, atomically; through a link, and into a device or pipe as it is."""
    out = Path(out).resolve()
    if out.exists() and not out.is_file():
        out.write_text(text, encoding="utf-8")
        return
    with store.replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _cut(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def _by_lesson(row):
    return row["lesson"] == "", row["lesson"]


def _exercise_row(name, lesson, entry):
    when = entry and datetime.datetime.fromisoformat(entry["first"])
    return {"lesson": lesson, "kind": "exercise", "name": name, "done": entry is not None, "score": None, "when": when}


def _quiz_row(name, lesson, entry, questions=1):
    row = {"lesson": lesson or "", "kind": "quiz", "name": name, "done": False, "score": None, "when": None}
    if entry is not None:
        row["done"] = max(entry["best_total"], entry["last_total"]) >= questions
        row["score"] = entry["best"]
        row["when"] = datetime.datetime.fromisoformat(entry["best_when"])
    return row
