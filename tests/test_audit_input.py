"""What an audit refuses, naming the argument, and what it notes about labels and predictions."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch

from kdcourse.audit import audit

LABELS = [0, 1, 2, 0]
TABLE = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])


def changed(row, column, value):
    table = TABLE.copy()
    table[row, column] = value
    return table


def audited(labels=LABELS, teacher=LABELS, student=LABELS, **settings):
    return audit(labels, teacher, student, settings.pop("slices", {"group": list("aabb")}), **settings)


MANY = np.arange(10_000)
LONG = {"labels": MANY % 2, "teacher": MANY % 2, "student": MANY % 2}
NAMED = pd.DataFrame(TABLE, columns=list("abc"))
LEVELS = "must have at most 200 levels, got"
# (arguments, the one that the error is about, what its message says)
REFUSED = [
    # Lengths and shapes
    ({"labels": []}, "labels", "labels must hold at least one example, got none"),
    ({"student": [0, 1, 2]}, "student", "student must be as long as labels, got 3 for 4 labels"),
    ({"slices": {"group": ["a"]}}, "slices", "slices['group'] must be as long as labels, got 1"),
    ({"ids": [1, 2, 3]}, "ids", "ids must be as long as labels, got 3"),
    ({"labels": [[0], [1], [2], [0]]}, "labels", "labels must be [N], one value per example, got shape [4, 1]"),
    ({"teacher": [[1.0]] * 4}, "teacher", "of two classes or more, got shape [4, 1]"),
    ({"student": TABLE[:, :, None]}, "student", "student must be labels [N], or probabilities [N, C] of two"),
    # Kinds
    ({"labels": "abcd"}, "labels", "labels must be an array, a list, a tensor or a Series, got 'abcd'"),
    ({"teacher": np.float64(1)}, "teacher", "a tensor or a Series, got a single value, 1.0"),
    ({"teacher": [[0.5, 0.5], [1.0]] * 2}, "teacher", "teacher must be an array, a list, a tensor or a Series: "),
    ({"labels": [0.5, 1, 2, 0]}, "labels", "labels must be classes: whole numbers, strings or booleans, got 0.5"),
    ({"student": [0.2, 0.9, 0.4, 1]}, "student", "got 0.2; probabilities need a column for each class"),
    ({"student": ["0", "1", "2", "0"]}, "student", "must be numbers, as labels are, got '0'; labels hold 0, 1, 2"),
    # Missing, and twice
    ({"labels": [0, None, 2, None]}, "labels", "labels must hold no missing values, got 2, the first in row 1"),
    ({"ids": ["a", "b", "b", "b"]}, "ids", "ids must be unique, got 'b' in 3 rows; repeated ids: 1"),
    # Probabilities
    ({"teacher": changed(2, 1, math.nan)}, "teacher", "probabilities in [0, 1], got nan in row 2, column 1"),
    ({"student": pd.DataFrame([[1, pd.NA, 0]] * 4)}, "student", "in [0, 1], got nan in row 0, column 1"),
    ({"student": changed(1, 0, -0.5)}, "student", "got -0.5 in row 1, column 0; logits need a softmax first"),
    ({"teacher": changed(0, 0, 0.7985)}, "teacher", "sum to 1 in each row, got 0.9985 in row 0"),
    ({"teacher": pd.DataFrame(TABLE).astype(str)}, "teacher", "must be probabilities, numbers in two dimensions"),
    ({"teacher": TABLE, "student": np.full((4, 2), 0.5)}, "student", "as many columns as teacher, got 2 and 3"),
    ({"teacher": TABLE, "labels": [0, 1, 2, 3]}, "labels",
     "among the classes 0, 1, 2 (from teacher), got 3 in 1 row; classes can name the columns"),
    ({"teacher": pd.DataFrame(TABLE, columns=[2, 0, 1])}, "teacher", "in the order [0, 1, 2], got [2, 0, 1]"),
    ({"teacher": NAMED, "student": NAMED[["a", "c", "b"]]}, "teacher", "must have its columns in the order"),
    ({"confidence_bins": 4}, "confidence_bins", "must be None unless the teacher gives probabilities [N, C], got 4"),
    ({"teacher": TABLE, "confidence_bins": 2, "slices": {"teacher confidence": LABELS}}, "slices",
     "slices must not hold 'teacher confidence', which confidence_bins adds"),
    # Classes
    ({"classes": [0, 1]}, "labels", "labels must be among the classes 0, 1 (from classes), got 2 in 1 row"),
    ({"classes": list("abc"), "labels": [0, 1, 2, 3]}, "labels", "the classes 'a', 'b', 'c' (from classes), got 3"),
    ({"classes": [0, 1, 1]}, "classes", "classes must be distinct, got 1 twice"),
    ({"classes": [0]}, "classes", "classes must name two classes or more, got 1"),
    ({"classes": ["a", "b"], "teacher": TABLE}, "classes", "classes must name the 3 columns of teacher, got 2"),
    # Slices
    ({"slices": {}}, "slices", "slices must hold at least one column, got none"),
    ({"slices": pd.Series(list("aabb"))}, "slices", "slices must be a DataFrame, or a dict of columns by name, got "),
    ({"slices": {" ": list("aabb")}}, "slices", "slices must have names that are not empty, got [' ']"),
    ({"slices": pd.DataFrame([["a", "b"]] * 4, columns=["g", "g"])}, "slices", "distinct names, got 'g' twice"),
    ({"slices": {"group": [{2}, 1, 3, 4]}}, "slices", "slices['group'] must hold single values, such as numbers or"),
    ({"slices": {"overall": ["fine", "all examples"] * 2}}, "slices",
     "slices['overall'] must not have a level 'all examples', the name of all examples together"),
    (LONG | {"slices": {"zip": MANY.astype(str)}}, "slices", f"slices['zip'] {LEVELS} 10,000: bin its values"),
    (LONG | {"slices": {"length": MANY}, "bins": 201}, "slices", f"slices['length'] {LEVELS} 201"),
    (LONG | {"slices": {"a": MANY, "b": MANY * 7919 % 10_000}, "bins": 50, "crossings": [("a", "b")]}, "slices",
     f"slices['a × b'] {LEVELS} 2,500"),
    # Bins
    ({"bins": {"grup": 4}}, "bins", "bins must name columns of slices, got 'grup'; there are 'group'"),
    ({"bins": {"group": 4}}, "bins", "bins must name columns of numbers, got 'group' of "),
    *[({"bins": {"group": edges}}, "bins", f"['group'] must be finite edges that increase, at least one, got {edges}")
      for edges in ([1, 1], [], [0, math.inf])],
    # Crossings
    ({"crossings": "group"}, "crossings", "crossings must be pairs of slice names, got 'group'"),
    ({"crossings": ("group", "length")}, "crossings", "crossings must be pairs of slice names, got 'group'"),
    ({"crossings": [("group", "grup")]}, "crossings", "crossings must name slices, got 'grup'; there are 'group'"),
    ({"crossings": [("group", "group")]}, "crossings", "must be of two different slices, got 'group' twice"),
    ({"slices": {"a": LABELS, "b": LABELS, "a × b": LABELS}, "crossings": [("a", "b")]}, "crossings",
     "crossings must be distinct and have names of their own, got 'a × b' twice"),
    # Policy
    ({"max_gap": "2 %"}, "max_gap", "max_gap must be a number, got '2 %'"),
    *[({"max_gap": gap}, "max_gap", f"max_gap must be in [0, 1), got {gap}") for gap in (1, -0.1, math.nan)],
    ({"score": np.equal, "max_gap": math.inf}, "max_gap", "must be >= 0 and finite, got inf"),
    ({"confidence": 95}, "confidence", "confidence must be in (0, 1), got 95"),
    ({"thresholds": [0.1]}, "thresholds", "thresholds must be a dict of gaps by slice, got list"),
    ({"thresholds": {"grup": 0.1}}, "thresholds", "must name slices, got 'grup'; there are 'group', and 'slice=level'"),
    ({"thresholds": {"group=c": 0.1}}, "thresholds", "got 'group=c'; the levels of group are 'a', 'b'"),
    ({"slices": {"a": list("xbbx"), "a=b": LABELS}, "thresholds": {"a=b": 0.1}}, "thresholds",
     "must name one slice each, got 'a=b', which may be any of [('a', 'b'), ('a=b', None)]"),
    # Score
    ({"score": "accuracy"}, "score", "score must be a function of labels and predictions, got 'accuracy'"),
    ({"score": lambda a, b: [1.0]}, "score", "one number for each of the 4 examples, got "),
    ({"score": lambda a, b: [0, 1, math.inf, 0]}, "score", "must return finite numbers, got inf for teacher in row 2"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "argument", "message"), REFUSED)
def test_bad_input_is_refused_with_the_name_of_its_argument(arguments, argument, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as refused:
        audited(**arguments)
    assert refused.value.argument == argument
    assert str(refused.value).startswith(argument)


def notes(**arguments):
    return audited(**{"min_samples": 1} | arguments).notes


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        ({"student": LABELS}, "teacher and student choose the same class for all 4 examples."),
        ({"min_samples": 3}, "All slices have too few examples: none has 3."),
        ({"min_samples": 5}, "There are fewer examples than min_samples, 4: all together are judged nevertheless."),
    ],
)
def test_what_is_odd_is_noted_and_what_is_usual_is_not(arguments, note):
    usual = {"student": [0, 1, 2, 1]}
    assert notes(**usual) == []
    assert note in notes(**usual | arguments)


def test_a_single_class_leaves_the_share_above_chance_empty():
    report = audited(labels=[True] * 4, teacher=[1, 1, 1, 0], student=[1, 1, 0, 0], classes=[0, 1])
    assert "labels hold one class only, 1: no share above chance is given, since it has no meaning." in report.notes
    assert report.table["retained"].isna().all()


def test_predictions_of_a_class_that_no_label_has_are_noted():
    assert notes(student=[0, 9, 9, 0]) == ["student predicts a class that no label has, 9, for 2 examples."]
    labels = [0, 1] * 5
    many = audit(labels, [7, 8, 9, 8, 11, 8, 0, 1, 0, 1], labels, {"group": labels}, min_samples=1)
    assert many.notes == ["teacher predicts 4 classes that no label has, for 6 examples; most often 8 (3)."]
    assert many.overall["teacher"] == 0.4
    assert many.settings["chance"] == 0.5  # of the classes that labels have
    assert notes(labels=[0, 1, 1, 0], teacher=TABLE, student=[0, 1, 1, 0]) == [
        "teacher predicts a class that no label has, 2, for 1 example."
    ]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(LABELS, dtype=np.float32),
        torch.tensor(LABELS, dtype=torch.bfloat16),
        pd.Series(LABELS, index=[3, 1, 0, 2]),
        pd.array(LABELS, dtype="Int64"),
        pd.Categorical(LABELS, [5, 2, 1, 0]),  # with a category that nobody uses
        [str(label) for label in LABELS],
        pd.Series([str(label) for label in LABELS], dtype="category"),
        [torch.tensor(label) for label in LABELS],
    ],
)
def test_labels_may_come_in_any_form(labels):
    as_text = isinstance(labels[0] if isinstance(labels, list) else next(iter(labels)), str)
    student = [str(label) if as_text else label for label in [0, 1, 1, 1]]
    report = audited(labels=labels, teacher=labels, student=student)
    assert report.overall[["teacher", "student"]].tolist() == [1, 0.5]
    assert report.overall["retained"] == pytest.approx((0.5 - 1 / 3) / (1 - 1 / 3))
    assert [str(value) for value in report.settings["classes"]] == (
        ["2", "1", "0"] if isinstance(labels, pd.Categorical) else ["0", "1", "2"]
    )


@pytest.mark.parametrize(
    "table",
    [
        TABLE.tolist(),
        torch.tensor(TABLE, requires_grad=True),
        torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0, 0, 1], [0, 1, 0]]).bfloat16(),
        pd.DataFrame(TABLE, columns=["p0", "p1", "p2"], index=[9, 9, 1, 0]),
        pd.DataFrame(TABLE, dtype=object),
        np.eye(3, dtype=bool)[[0, 1, 2, 1]],
    ],
)
def test_probabilities_may_come_in_any_form(table):
    report = audited(teacher=table)
    assert report.overall["teacher"] == 0.75
    assert report.overall["ece_teacher"] >= 0


def test_classes_name_the_columns_of_probabilities():
    named = audited(labels=list("zxyz"), teacher=TABLE, student=list("zxyx"), classes=list("zxy"))
    numbered = audited(teacher=TABLE, student=[0, 1, 2, 1], classes=list("zxy"))
    for report in (named, numbered):
        assert report.overall[["teacher", "student"]].tolist() == [0.75, 0.75]
    assert named.settings["classes"] == list("zxy")
    assert audited(labels=[0, 1, 1, 0], classes=[0, 1, 2, 3]).settings["chance"] == 0.25


def test_the_score_gets_what_was_given():
    seen = []

    def value(labels, predictions):
        seen.append((labels, predictions))
        return torch.ones(4)

    labels, teacher, student = pd.Series(LABELS), torch.tensor(TABLE), tuple(LABELS)
    report = audited(labels=labels, teacher=teacher, student=student, score=value, max_gap=3)
    assert [*map(id, sum(seen, ()))] == [*map(id, [labels, teacher, labels, student])]
    assert (report.overall["teacher"], report.overall["gap"], report.overall["verdict"]) == (1, 0, "pass")


def test_arguments_are_left_as_they_were_and_unique_ids_change_nothing():
    slices = pd.DataFrame({"group": ["a", None, "b", "b"], "length": [1.5, 2.5, np.nan, 4.0]})
    teacher, copy = TABLE.copy(), slices.copy()
    settings = {"teacher": teacher, "slices": slices, "crossings": [("group", "length")], "confidence_bins": 2}
    pd.testing.assert_frame_equal(audited(**settings, ids=list("dcba")).table, audited(**settings).table)
    pd.testing.assert_frame_equal(slices, copy)
    assert (teacher == TABLE).all()
