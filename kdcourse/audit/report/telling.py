"""The worst slice, looked into: which mistakes the student makes there, and the examples that tell the most."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_value, integer
from kdcourse.audit.inputs.examples import Examples, complete, counted
from kdcourse.audit.inputs.reading import Given
from kdcourse.audit.inputs.slicing import SliceColumn
from kdcourse.audit.metrics import Metric
from kdcourse.audit.report.tables import Column, Part, Report, name_of, printable

MOST_MISTAKES = 20


def check_classes(argument: str, metric: Metric, examples: Examples) -> None:
    """Refuse what shows classes where none are chosen; a metric of texts has no classes either."""
    if not (examples.choices and examples.classes):
        raise bad_value(argument, f"must be left out for {metric.name}, which chooses no classes")


def confusion_part(report: Report, examples: Examples, columns: Sequence[SliceColumn]) -> Part:
    """The student's mistakes in the worst slice by label and choice, the most frequent first."""
    inside = _worst_slice(report, columns)
    label, teacher, student = (codes[inside] for codes in (examples.labels, *_choices(examples)))
    frame = pd.DataFrame({"label": label, "student": student, "teacher": teacher == label})
    of_label = frame["label"].value_counts()
    wrong = frame[frame["student"] != frame["label"]].groupby(["label", "student"])["teacher"].agg(["size", "sum"])
    wrong = wrong.reset_index().sort_values("size", ascending=False, kind="stable").head(MOST_MISTAKES)
    names = np.array(examples.classes, object)
    table = pd.DataFrame(
        {
            "label": names[wrong["label"]],
            "student": names[wrong["student"]],
            "n": wrong["size"].to_numpy(),
            "of": of_label.reindex(wrong["label"]).to_numpy(),
            "teacher_right": wrong["sum"].to_numpy(),
        }
    )
    where, right = name_of(report.table.iloc[0]), frame["student"] == frame["label"]
    said = (
        f"Of {counted(len(frame), 'example')} in {where}, the student gets {right.sum():,} right, the teacher "
        f"{frame['teacher'].sum():,}. The student's mistakes, the most frequent first:"
    )
    shown = [
        Column("label", "label", lambda row: printable(row["label"]), False),
        Column("student", "student says", lambda row: printable(row["student"]), False),
        Column("n", "examples", lambda row: f"{row['n']:,}", True),
        Column("of", "of this label", lambda row: f"{row['of']:,}", True),
        Column("teacher_right", "teacher right", lambda row: f"{row['teacher_right']:,}", True),
    ]
    return Part("Mistakes in the worst slice", [said], table, shown, table)


def examples_part(report: Report, given: Given, columns: Sequence[SliceColumn], ids: Any, most: int) -> Part:
    """Examples of the worst slice that the teacher gets right and the student wrong, the surest of both first."""
    most = integer("show_examples", most, at_least=1)
    examples = given.examples
    teacher, student = _choices(examples)
    inside = _worst_slice(report, columns)
    lost = np.flatnonzero(inside & (teacher == examples.labels) & (student != examples.labels))
    sure = {name: examples.confidence[name] for name in ("teacher", "student") if name in examples.confidence}
    rows = lost[np.argsort(-sum((one[lost] for one in sure.values()), np.zeros(len(lost))), kind="stable")][:most]
    names = np.array(examples.classes, object)
    as_given = rows if given.kept is None else np.flatnonzero(given.kept)[rows]
    table = pd.DataFrame({"row": as_given})
    if ids is not None:
        table["id"] = complete("ids", ids).to_numpy()[as_given]
    table["label"], table["student"] = names[examples.labels[rows]], names[student[rows]]
    for name, confidence in sure.items():
        table[f"{name}_confidence"] = confidence[rows]
    order = (
        "those first of which both are surest" if len(sure) > 1 else "the surest first" if sure else "in their order"
    )
    said = (
        f"In {name_of(report.table.iloc[0])} the teacher alone is right on {counted(len(lost), 'example')}; "
        f"{len(rows):,} of them, {order}. Rows count from 0."
    )
    shown = [
        Column("row", "row", lambda row: f"{row['row']}", True),
        *([Column("id", "id", lambda row: printable(row["id"]), False)] if ids is not None else []),
        Column("label", "label, and teacher", lambda row: printable(row["label"]), False),
        Column("student", "student says", lambda row: printable(row["student"]), False),
        *(Column(f"{name}_confidence", f"{name} is sure", _percent(f"{name}_confidence"), True) for name in sure),
    ]
    return Part("Examples of the worst slice", [said], table, shown, table)


def _worst_slice(report, columns):
    """[N] which examples are in the first row of the report's table."""
    worst = report.table.iloc[0]
    column = next(one for one in columns if one.name == worst["slice"])
    return column.codes == column.levels.index(worst["level"])


def _choices(examples):
    return [examples.choices[name].astype(np.intp) for name in ("teacher", "student")]


def _percent(name):
    return lambda row: f"{100 * row[name]:.1f} %"
