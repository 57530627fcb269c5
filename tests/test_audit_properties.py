"""What may not change an audit, and the report as people and programs meet it."""

import math
import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdcourse.audit
from kdcourse.audit import audit

FIELDS_THAT_MIRROR = [("teacher", "student"), ("only_teacher", "only_student")]
examples = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from("abc")),
    min_size=4,
    max_size=25,
).map(lambda rows: [list(column) for column in zip(*rows, strict=True)])


def audited(labels, teacher, student, group, **settings):
    settings = {"max_gap": 0.1, "min_samples": 5, "classes": ["x", "y", "z"]} | settings
    return audit(labels, teacher, student, {"group": group}, **settings)


@given(examples, st.randoms(use_true_random=False))
def test_the_order_of_the_examples_changes_nothing(columns, random):
    order = list(range(len(columns[0])))
    random.shuffle(order)
    shuffled = [[column[position] for position in order] for column in columns]
    pd.testing.assert_frame_equal(audited(*shuffled).table, audited(*columns).table)


def test_the_order_of_the_examples_changes_neither_bins_nor_the_order_of_scores():
    rng = np.random.default_rng(5)
    labels, teacher, student = rng.integers(0, 2, (3, 400))
    slices = pd.DataFrame({"length": rng.lognormal(3, 1, 400), "zip": rng.integers(0, 30, 400)})
    weight = rng.random(400)

    def report(order):
        def worth(labels, predictions):
            return (labels == predictions) * weight[order]

        return audit(
            labels[order], teacher[order], student[order], slices.iloc[order], score=worth, min_samples=20,
            crossings=[("length", "zip")],
        ).table  # fmt: skip

    pd.testing.assert_frame_equal(report(rng.permutation(400)), report(np.arange(400)))


@given(examples, st.permutations([7, "seven", True]))
def test_other_names_for_the_classes_change_nothing(columns, names):
    renamed = dict(zip("xyz", names, strict=True))
    predictions = [[renamed[value] for value in column] for column in columns[:3]]
    report = audited(*predictions, columns[3], classes=list(names))
    pd.testing.assert_frame_equal(report.table, audited(*columns).table)


@given(examples)
def test_swapping_teacher_and_student_mirrors_the_gap(columns):
    labels, teacher, student, group = columns
    keys = ["slice", "level"]
    one = audited(labels, teacher, student, group).table.sort_values(keys, ignore_index=True)
    other = audited(labels, student, teacher, group).table.sort_values(keys, ignore_index=True)
    assert one["gap"].tolist() == (-other["gap"]).tolist()
    assert one["low"].tolist() == pytest.approx((-other["high"]).tolist(), abs=1e-4)
    for field, mirrored in FIELDS_THAT_MIRROR:
        assert one[field].tolist() == other[mirrored].tolist()
    assert one["agreement"].tolist() == other["agreement"].tolist()


@given(examples)
def test_probabilities_of_0_and_1_count_like_the_classes(columns):
    labels, teacher, student, group = columns
    one_hot = [np.array([[value == name for name in "xyz"] for value in column]) for column in (teacher, student)]
    counted = audited(labels, *one_hot, group).table.drop(columns=["ece_teacher", "ece_student"])
    pd.testing.assert_frame_equal(counted, audited(*columns).table.drop(columns=["ece_teacher", "ece_student"]))


@given(examples)
def test_slices_of_a_column_add_up_to_the_whole(columns):
    report = audited(*columns)
    for field in ["n", "only_teacher", "only_student"]:
        assert report.table[field].sum() == report.overall[field]
    assert np.average(report.table["gap"], weights=report.table["n"]) == pytest.approx(report.overall["gap"])


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(0)
    labels, group = rng.integers(0, 2, 600), np.repeat(["<i>hard & old</i>", "easy"], 300)
    student = np.where((group != "easy") & (rng.random(600) < 0.3), 1 - labels, labels)
    return audit(labels, labels, student, {"group": group}, min_samples=50)


def test_the_report_as_text_says_what_counts(report):
    text = str(report)
    assert text.startswith("2 slices by accuracy: 1 flag, 0 watch, 0 too few, 1 pass\nAll 600 examples: teacher 1, ")
    assert ": flag\n" in text
    assert "<i>hard & old</i>" in text
    assert report.method in text
    assert "baseline" not in text
    assert repr(report) == text


def test_the_report_in_a_notebook_escapes_what_the_data_hold(report):
    page = report._repr_html_()
    assert "&lt;i&gt;hard &amp; old&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "1 flag, 0 watch, 0 too few, 1 pass" in page


def test_a_long_table_is_cut_in_print_and_notes_are_printed():
    labels = [0, 1] * 60
    report = audit(labels, labels, labels, {"zip": [str(number // 4) for number in range(120)]}, baseline=labels)
    assert "More in .table: 10 rows." in str(report)
    assert str(report).count("too few\n") == 20
    assert "baseline" in str(report)
    assert "Note: teacher and student choose the same class for all 120 examples." in str(report)


def test_the_method_says_what_was_done(report):
    assert report.corrected_for == 3
    assert report.method == (
        "Verdicts come from a test on what only one of the two gets right, corrected by Holm's method for 3 tests "
        "(2 slices of at least 50 examples, and all examples together): with a probability of at least 95 %, no flag "
        "and no pass of this report is wrong. Each interval has 95 % for itself alone."
    )


def test_the_method_of_a_score_is_students_t():
    labels = [0, 1] * 50
    report = audit(labels, labels, labels[::-1], {"all": [0] * 100}, score=lambda a, b: np.equal(a, b), confidence=0.9)
    assert report.score_name == "score"
    assert report.method.startswith("Verdicts come from Student's t test of the mean difference, corrected by Holm's ")
    assert "for 2 tests (1 slice of at least 100 examples" in report.method
    assert report.method.endswith("Each interval has 90 % for itself alone.")


def test_the_settings_say_what_was_asked_for_and_what_followed():
    labels = ["ham", "spam"] * 20
    settings = audit(
        labels, labels, labels, {"length": np.arange(40), "group": ["a", "b"] * 20}, max_gap=0.1, min_samples=7,
        confidence=0.9, thresholds={"group=a": 0.2}, bins={"length": [10, 30]},
    ).settings  # fmt: skip
    assert settings == {
        "max_gap": 0.1,
        "min_samples": 7,
        "confidence": 0.9,
        "thresholds": {"group=a": 0.2},
        "classes": ["ham", "spam"],
        "chance": 0.5,
        "edges": {"length": [10.0, 30.0]},
        "slices": ["length", "group"],
        "confidence_bins": None,
    }


@pytest.mark.parametrize(
    ("method", "module", "function", "arguments"),
    [
        ("plot", "figure", "draw", []),
        ("to_html", "html", "write", ["report.html"]),
        ("to_json", "machine", "write", ["report.json"]),
        ("to_markdown", "markdown", "write", [None]),
    ],
)
def test_each_way_out_has_a_module_that_is_loaded_when_it_is_used(
    report, monkeypatch, method, module, function, arguments
):
    fake = types.ModuleType(f"kdcourse.audit.{module}")
    setattr(fake, function, lambda *given: given)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr(kdcourse.audit, module, fake, raising=False)
    assert getattr(report, method)(*arguments) == (report, *arguments)


def test_the_report_can_be_changed_by_nobody_by_accident(report):
    flagged = report.flagged
    flagged["verdict"] = "pass"
    assert report.status == 1
    with pytest.raises(AttributeError):
        report.table = None


def test_an_audit_loads_neither_torch_nor_figures():
    code = (
        "import sys; from kdcourse.audit import audit; audit([0, 1], [0, 1], [0, 1], {'a': [0, 1]}); "
        "print(sorted({'torch', 'matplotlib', 'sklearn', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_all_right_in_a_slice_is_no_special_case():
    labels = [0, 1] * 300
    report = audit(labels, labels, labels, {"group": ["a"] * 300 + ["b"] * 300})
    assert report.table["gap"].tolist() == [0, 0]
    assert report.table["retained"].tolist() == [1, 1]
    assert report.status == 0
    assert not math.isnan(report.overall["low"])
