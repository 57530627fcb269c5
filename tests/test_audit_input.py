"""What an audit refuses, by name, and what it notes about labels and predictions."""

import math

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
TWICE = pd.DataFrame([["a", "b"]] * 4, columns=["g", "g"])
REFUSED = [
    # Lengths and shapes
    ({"labels": []}, "labels must hold at least one example, got none"),
    ({"student": [0, 1, 2]}, "student must be as long as labels, got 3 for 4 labels"),
    ({"teacher": TABLE[:3]}, "teacher must be as long as labels, got 3 for 4 labels"),
    ({"baseline": [0] * 5}, "baseline must be as long as labels, got 5 for 4 labels"),
    ({"slices": {"group": ["a"]}}, r"slices\['group'\] must be as long as labels, got 1 for 4 labels"),
    ({"ids": [1, 2, 3]}, "ids must be as long as labels, got 3 for 4 labels"),
    ({"labels": [[0], [1], [2], [0]]}, r"labels must be \[N\], one value per example, got shape \[4, 1\]"),
    ({"teacher": [[1.0]] * 4}, r"teacher must be labels \[N\], or probabilities .* got shape \[4, 1\]"),
    ({"student": TABLE[:, :, None]}, r"student must be labels .* got shape \[4, 3, 1\]"),
    ({"slices": {"group": TABLE}}, r"slices\['group'\] must be \[N\], .* got shape \[4, 3\]"),
    # Kinds
    ({"labels": [0.5, 1, 2, 0]}, "labels must be classes: whole numbers, strings or booleans, got 0.5$"),
    ({"student": [0.2, 0.9, 0.4, 1]}, "student must be classes: .* got 0.2; probabilities need a column"),
    # Missing
    ({"labels": [0, None, 2, None]}, "labels must hold no missing values, got 2, the first in row 1"),
    ({"labels": [0, 1, math.nan, 2]}, "labels must hold no missing values, got 1, the first in row 2"),
    ({"student": pd.array([0, 1, 2, pd.NA])}, "student must hold no missing values, got 1, the first in row 3"),
    ({"ids": ["a", "b", None, "c"]}, "ids must hold no missing values, got 1, the first in row 2"),
    ({"ids": ["a", "b", "b", "b"]}, "ids must be unique, got 'b' in 3 rows; repeated ids: 1"),
    ({"ids": [1, 2, 1, 2]}, "ids must be unique, got 1 in 2 rows; repeated ids: 2"),
    # Probabilities
    ({"teacher": changed(2, 1, math.nan)}, r"teacher must be .* in \[0, 1\], got nan in row 2, column 1$"),
    ({"student": changed(1, 0, -0.5)}, r"student must .* got -0.5 in row 1, column 0; logits need a softmax"),
    ({"student": changed(3, 2, 1.5)}, r"student must be probabilities .* got 1.5 in row 3, column 2"),
    ({"baseline": changed(3, 2, 0.2)}, "baseline must be .* sum to 1 in each row, got 0.9 in row 3"),
    ({"teacher": changed(0, 0, 0.7985)}, "teacher must be .* sum to 1 in each row, got 0.9985 in row 0"),
    ({"teacher": TABLE, "student": np.full((4, 2), 0.5)}, "student must have as many columns as teacher, got 2 and 3"),
    ({"teacher": TABLE, "labels": [0, 1, 2, 3]},
     r"labels must be among the classes 0, 1, 2 \(from teacher\), got 3 in 1 row; classes can name the columns"),
    ({"teacher": TABLE, "labels": list("abca")}, r"labels must be among the classes 0, 1, 2 .* got 'a' in 2 rows"),
    ({"teacher": TABLE, "student": [0, 1, 2, 7]}, "student must be among the classes 0, 1, 2 .* got 7 in 1 row"),
    ({"teacher": pd.DataFrame(TABLE, columns=[2, 0, 1])},
     r"teacher must have its columns in the order \[0, 1, 2\], got \[2, 0, 1\]"),
    ({"teacher": NAMED, "student": NAMED[["a", "c", "b"]]},
     "must have its columns in the order"),
    ({"confidence_bins": 4}, r"confidence_bins=4 needs the teacher's probabilities \[N, C\], got labels"),
    ({"confidence_bins": 1, "teacher": TABLE}, "confidence_bins must be an integer >= 2, got 1"),
    ({"teacher": TABLE, "confidence_bins": 2, "slices": {"teacher confidence": LABELS}},
     "slices must not hold 'teacher confidence'"),
    ({"student": pd.DataFrame([[1, pd.NA, 0]] * 4)}, "student must .* got nan in row 0, column 1$"),
    # Classes
    ({"classes": [0, 1]}, r"labels must be among the classes 0, 1 \(from classes\), got 2 in 1 row$"),
    ({"classes": [0, 1, 2], "student": [0, 1, 9, 9]}, "student must be among the classes 0, 1, 2 .* got 9 in 2 rows"),
    ({"classes": [0, 1, 1]}, "classes must be distinct, got 1 twice"),
    ({"classes": [0, None]}, "classes must hold no missing values"),
    ({"classes": [0]}, "classes must name two classes or more, got 1"),
    ({"classes": ["a", "b"], "teacher": TABLE}, "classes must name the 3 columns of teacher, got 2"),
    ({"classes": ["a", "b", "c"], "labels": [0, 1, 2, 3]}, "labels must be among the classes 'a', 'b', 'c' .* got 3"),
    # Slices
    ({"slices": {}}, "slices must hold at least one column, got none"),
    ({"slices": pd.DataFrame(index=range(4))}, "slices must hold at least one column, got none"),
    ({"slices": {" ": list("aabb")}}, r"slices must have names that are not empty, got \[' '\]"),
    ({"slices": TWICE}, "slices must have distinct names, got 'g' twice"),
    ({"slices": {1: LABELS, "1": LABELS}}, "slices must have distinct names, got '1' twice"),
    (LONG | {"slices": {"zip": MANY.astype(str)}},
     "'zip' must have at most 200 levels, got 10,000: bin its values, or group the rare ones"),
    (LONG | {"slices": {"length": MANY}, "bins": 201},
     "'length' must have at most 200 levels, got 201"),
    (LONG | {"slices": {"a": MANY, "b": MANY * 7919 % 10_000}, "bins": 50, "crossings": [("a", "b")]},
     "'a × b' must have at most 200 levels, got 2,500"),
    # Bins
    ({"bins": 1}, "bins must be an integer >= 2, got 1"),
    ({"bins": "4"}, "bins must be an integer >= 2, got '4'"),
    ({"bins": {"grup": 4}}, "bins must name columns of slices, got 'grup'; there are 'group'"),
    ({"bins": {"group": 4}}, "bins must name columns of numbers, got 'group' of str"),
    ({"bins": {"group": 1}}, r"bins\['group'\] must be an integer >= 2, got 1"),
    ({"bins": {"group": [3, 1]}}, r"bins\['group'\] must be finite edges that increase, at least one, got \[3, 1\]"),
    ({"bins": {"group": [1, 1]}}, r"bins\['group'\] must be finite edges that increase"),
    ({"bins": {"group": []}}, r"bins\['group'\] must be finite edges that increase, at least one, got \[\]"),
    ({"bins": {"group": [0, math.inf]}}, r"bins\['group'\] must be finite edges"),
    # Crossings
    ({"crossings": ("group", "length")}, "crossings must be pairs of slice names, got 'group'"),
    ({"crossings": [("group",)]}, r"crossings must be pairs of slice names, got \('group',\)"),
    ({"crossings": [("group", "grup")]}, "crossings must name slices, got 'grup'; there are 'group'"),
    ({"crossings": [("group", "group")]}, "crossings must be of two different slices, got 'group' twice"),
    ({"slices": {"a": LABELS, "b": LABELS}, "crossings": [("a", "b"), ("a", "b")]},
     "crossings must be distinct and have names of their own, got 'a × b' twice"),
    ({"slices": {"a": LABELS, "b": LABELS, "a × b": LABELS}, "crossings": [("a", "b")]},
     "crossings must be distinct and .* got 'a × b' twice"),
    # Policy
    ({"max_gap": 1}, r"max_gap must be in \[0, 1\), got 1$"),
    ({"max_gap": -0.1}, r"max_gap must be in \[0, 1\), got -0.1"),
    ({"max_gap": math.nan}, r"max_gap must be in \[0, 1\), got nan"),
    ({"min_samples": 0}, "min_samples must be an integer >= 1, got 0"),
    ({"confidence": 95}, r"confidence must be in \(0, 1\), got 95"),
    ({"confidence": 0}, r"confidence must be in \(0, 1\), got 0"),
    ({"thresholds": {"group": 2}}, r"thresholds\['group'\] must be in \[0, 1\), got 2"),
    ({"thresholds": {"grup": 0.1}}, "thresholds must name slices, got 'grup'; there are 'group', and 'slice=level'"),
    ({"thresholds": {"group=c": 0.1}}, "thresholds must name slices, got 'group=c'; the levels of group are 'a', 'b'"),
    ({"slices": {"a": list("xbbx"), "a=b": LABELS}, "thresholds": {"a=b": 0.1}},
     r"thresholds must name one slice each, got 'a=b', which may be any of \[\('a=b', None\), \('a', 'b'\)\]"),
    # Score
    ({"score": lambda a, b: [1.0]},
     r"score must return one number for each of the 4 examples, got .* of shape \[1\] for teacher"),
    ({"score": lambda a, b: list("abcd")}, "score must return one number for each of the 4 examples, got "),
    ({"score": lambda a, b: [0, 1, math.inf, 0]}, "score must return finite numbers, got inf for teacher in row 2"),
    ({"score": np.equal, "max_gap": -1}, "max_gap must be >= 0 and finite, got -1"),
    ({"score": np.equal, "max_gap": math.inf}, "max_gap must be >= 0 and finite, got inf"),
]  # fmt: skip
OF_ANOTHER_TYPE = [
    ({"labels": "abcd"}, "labels must be an array, a list, a tensor or a Series, got 'abcd'"),
    ({"labels": None}, "labels must be an array, .* got None"),
    ({"teacher": np.float64(1)}, "teacher must be an array, .* got a single value, 1.0"),
    ({"student": {0: 1}}, "student must be an array, .* got dict"),
    ({"teacher": [[0.5, 0.5], [1.0]] * 2}, "teacher must be an array, a list, a tensor or a Series: "),
    ({"student": ["0", "1", "2", "0"]}, "student must be numbers, as labels are, got '0'; labels hold 0, 1, 2"),
    ({"teacher": pd.DataFrame(TABLE).astype(str)}, "teacher must be probabilities, numbers .* of object"),
    ({"teacher": TABLE.astype(str)}, "teacher must be probabilities, numbers in two dimensions, got ndarray"),
    ({"slices": {"group": [[1], {2}, 3, 4]}}, r"slices\['group'\] must "),
    ({"slices": {"group": [{2}, 1, 3, 4]}}, r"slices\['group'\] must hold single values, .* got set"),
    ({"slices": pd.Series(list("aabb"))}, "slices must be a DataFrame, or a dict of columns by name, got "),
    ({"slices": None}, "slices must be a DataFrame, .* got None"),
    ({"bins": {"group": ["a"]}}, r"bins\['group'\] must be a number, got 'a'"),
    ({"crossings": "group"}, "crossings must be pairs of slice names, got 'group'"),
    ({"crossings": 3}, "crossings must be pairs of slice names, got 3"),
    ({"max_gap": "2 %"}, "max_gap must be a number, got '2 %'"),
    ({"thresholds": [0.1]}, "thresholds must be a dict of gaps by slice, got list"),
    ({"score": "accuracy"}, "score must be a function of labels and predictions, got 'accuracy'"),
    ({"score": lambda a, b: 0.5}, "what score returns for teacher must be an array, .* got 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_refused_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        audited(**arguments)


@pytest.mark.parametrize(("arguments", "message"), OF_ANOTHER_TYPE)
def test_what_is_of_another_type_is_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        audited(**arguments)


def notes(**arguments):
    report = audited(min_samples=1, **arguments)
    return [note for note in report.notes if "choose the same class" not in note]


def test_data_without_oddities_have_no_notes():
    assert audited(min_samples=1, student=[0, 1, 2, 1]).notes == []


def test_a_teacher_that_the_student_copies_is_noted():
    expected = "teacher and student choose the same class for all 4 examples."
    assert audited(min_samples=1).notes == [expected]
    assert expected in audited(teacher=TABLE, student=TABLE.argmax(1)).notes


def test_predictions_of_a_class_that_no_label_has_are_noted():
    assert notes(student=[0, 9, 9, 0]) == ["student predicts a class that no label has, 9, for 2 examples."]
    assert notes(labels=list("abba"), teacher=list("abba"), student=list("abba"), baseline=list("abcd")) == [
        "baseline predicts a class that no label has, 'c', for 1 example.",
        "baseline predicts a class that no label has, 'd', for 1 example.",
    ]
    labels = [0, 1] * 5
    many = audit(labels, [7, 8, 9, 8, 11, 8, 0, 1, 0, 1], labels, {"group": labels}, min_samples=1)
    assert many.notes == ["teacher predicts 4 classes that no label has, for 6 examples; most often 8 (3)."]
    assert many.overall["teacher"] == 0.4
    assert many.settings["chance"] == 0.5  # of the classes that labels have
    assert notes(labels=[0, 1, 1, 0], teacher=TABLE, student=[0, 1, 1, 0]) == [
        "teacher predicts a class that no label has, 2, for 1 example."
    ]


def test_a_single_class_leaves_the_share_above_chance_empty():
    report = audited(labels=[1] * 4, teacher=[1, 1, 1, 0], student=[1, 1, 0, 0], classes=[0, 1])
    assert "labels hold one class only, 1: no share above chance is given, since it has no meaning." in report.notes
    assert report.table["retained"].isna().all()
    assert math.isnan(report.overall["retained"])


def test_slices_that_are_all_too_small_are_noted():
    report = audited(min_samples=3)
    assert "All slices have too few examples: none has 3." in report.notes
    assert report.table["verdict"].tolist() == ["too few"] * 2
    assert (report.overall["verdict"], report.corrected_for) == ("watch", 1)
    few = "There are fewer examples than min_samples, 4: all together are judged nevertheless."
    assert few not in report.notes
    assert few in audited(min_samples=5).notes


@pytest.mark.parametrize(
    "labels",
    [
        np.array(LABELS, dtype=np.uint8),
        np.array(LABELS, dtype=np.float32),
        torch.tensor(LABELS),
        torch.tensor(LABELS, dtype=torch.bfloat16),
        pd.Series(LABELS, index=[3, 1, 0, 2]),
        pd.array(LABELS, dtype="Int64"),
        pd.Categorical(LABELS, [5, 2, 1, 0]),  # with a category that nobody uses
        [str(label) for label in LABELS],
        np.array([str(label) for label in LABELS]),
        pd.Series([str(label) for label in LABELS], dtype="category"),
        pd.Series(LABELS, dtype=object),
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
        TABLE.astype(np.float16),
        TABLE.tolist(),
        tuple(map(tuple, TABLE)),
        torch.tensor(TABLE, requires_grad=True),
        torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0, 0, 1], [0, 1, 0]]).bfloat16(),
        pd.DataFrame(TABLE, columns=["p0", "p1", "p2"], index=[9, 9, 1, 0]),
        pd.DataFrame(TABLE).astype("Float64"),
        pd.DataFrame(TABLE, dtype=object),
        np.asfortranarray(TABLE),
        np.eye(3, dtype=bool)[[0, 1, 2, 1]],
    ],
)
def test_probabilities_may_come_in_any_form(table):
    report = audited(teacher=table)
    assert report.overall["teacher"] == 0.75
    assert report.overall["ece_teacher"] >= 0


def test_booleans_are_the_classes_0_and_1():
    labels = [True, False, True, True]
    report = audited(labels=labels, teacher=[1, 0, 1, 0], student=np.full((4, 2), 0.5))
    assert report.overall[["teacher", "student"]].tolist() == [0.75, 0.25]
    assert report.overall["retained"] == pytest.approx((0.25 - 0.5) / (0.75 - 0.5))


def test_classes_name_the_columns_of_probabilities():
    named = audited(labels=list("zxyz"), teacher=TABLE, student=list("zxyx"), classes=list("zxy"))
    assert named.overall[["teacher", "student"]].tolist() == [0.75, 0.75]
    numbered = audited(teacher=TABLE, student=[0, 1, 2, 1], classes=list("zxy"))
    assert numbered.overall[["teacher", "student"]].tolist() == [0.75, 0.75]
    assert named.settings["classes"] == list("zxy")
    assert audited(labels=[0, 1, 1, 0], classes=[0, 1, 2, 3]).settings["chance"] == 0.25


def test_the_score_gets_what_was_given():
    seen = []

    def value(labels, predictions):
        seen.append((labels, predictions))
        return torch.ones(4)

    labels, teacher, student = pd.Series(LABELS), torch.tensor(TABLE), tuple(LABELS)
    report = audited(labels=labels, teacher=teacher, student=student, score=value, max_gap=3)
    assert [(a is labels, b is expected) for (a, b), expected in zip(seen, [teacher, student], strict=True)] == [
        (True, True)
    ] * 2
    assert report.score_name == "value"
    assert (report.overall["teacher"], report.overall["gap"], report.overall["verdict"]) == (1, 0, "pass")
    assert math.isnan(report.overall["retained"])  # a score has no chance level


def test_unique_ids_change_nothing():
    pd.testing.assert_frame_equal(audited(ids=list("dcba")).table, audited().table)


def test_arguments_are_left_as_they_were():
    slices = pd.DataFrame({"group": ["a", None, "b", "b"], "length": [1.5, 2.5, np.nan, 4.0]})
    teacher, copy = TABLE.copy(), slices.copy()
    audited(teacher=teacher, slices=slices, crossings=[("group", "length")], confidence_bins=2)
    pd.testing.assert_frame_equal(slices, copy)
    assert (teacher == TABLE).all()
