"""The explorer of student sizes, in Python: its curves, and what it refuses."""

import math

import pandas as pd
import pytest

from kdcourse import claims, data, devices
from kdcourse.claims import sizes as full_run
from kdcourse.claims.arms import teacher_accuracy
from kdcourse.claims.lesson_04 import RATIOS
from kdcourse.widgets import student_size

# 36 per hour is 0.01 per second, so that 10 ms cost 0.0001: 1,000 requests of the teacher cost 0.1.
TEACHER = {"accuracy": 0.8, "ms": 10.0}
SIZES = pd.DataFrame(
    {
        "ratio": [20.0, 2.5, 1.25],
        "accuracy": [0.72, 0.78, 0.8],
        "low": [0.7, 0.76, 0.78],
        "high": [0.74, 0.8, 0.82],
        "ms": [2.0, 5.0, 10.0],
        "note": ["small", "middling", "large"],
    }
)


@pytest.fixture
def explorer():
    return student_size(SIZES, TEACHER, price=36, requests_per_day=10_000, one_time_cost=80)


def retained(explorer):
    """Share of the teacher's accuracy that the chosen student retains, with its interval."""
    curve = explorer.curves[explorer.curve]
    [size] = [size for size in curve["sizes"] if size["ratio"] == explorer.ratio]
    return [size[name] / curve["teacher"]["accuracy"] for name in ("accuracy", "low", "high")]


# ---- curves ----


def test_an_interval_is_cut_where_accuracy_ends():
    wide = student_size(SIZES.assign(low=-0.3, high=1.2), TEACHER)
    assert [(size["low"], size["high"]) for size in wide.curves[0]["sizes"]] == [(0, 1)] * 3


def test_the_full_runs_are_offered_and_what_was_measured_comes_first(explorer):
    names = ["full run, 50,000 pictures", "full run, 5,000 pictures"]
    assert [curve["name"] for curve in student_size().curves] == names
    assert [curve["name"] for curve in explorer.curves] == ["measured when this notebook ran", *names]
    assert [size["ratio"] for size in explorer.curves[0]["sizes"]] == [1.25, 2.5, 20]
    assert explorer.curves[0]["teacher"] == TEACHER


def test_the_full_runs_are_those_of_the_ledger():
    """The share retained at 10×, which another claim of the ledger has measured on the same students."""
    found = claims.result("95-percent-at-10x")
    explorer = student_size()
    for place, pictures in enumerate((50_000, 5_000)):
        explorer.curve = place
        explorer.ratio = 10
        part = claims.part(found, {"ratio": 10, "examples": pictures})
        share, low, high = retained(explorer)
        assert 100 * (share - 0.95) == pytest.approx(part["mean"], abs=1e-4)
        assert low < share < high
        sizes = explorer.curves[place]["sizes"]
        assert [size["ratio"] for size in sizes] == RATIOS
        # Wider here: these intervals hold for fourteen sizes together, those for two.
        assert 100 * (low - 0.95) < part["low"]
        assert 100 * (high - 0.95) > part["high"]


def test_a_gap_over_the_limit_has_its_ends_the_other_way_round():
    """The distance to five points under the teacher is the one that is stored, with its ends."""
    teacher = full_run.measured_sizes()["teacher_accuracy"]
    found = claims.result("above-20x-gap")
    for pictures, rows in full_run.size_curves().items():
        for row in rows:
            side, sign = ("over", -1) if row["ratio"] > 20 else ("under", 1)
            part = claims.part(found, {"side": side, "ratio": row["ratio"], "examples": pictures})
            stored = sorted([sign * part["low"], sign * part["high"]])
            assert [100 * (row[end] - teacher) + 5 for end in ("low", "high")] == pytest.approx(stored)
            assert row["n"] == part["n"]


def test_without_a_full_run_the_error_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(full_run, "result", lambda name: None)
    with pytest.raises(FileNotFoundError, match="kdcourse claims --run above-20x-gap"):
        full_run.size_curves()


def test_the_stored_sizes_are_those_of_the_teacher_and_the_lesson():
    garments, stored = data.load("fashion-mnist"), full_run.measured_sizes()
    assert stored["teacher_accuracy"] == teacher_accuracy(garments)
    teacher, *students = stored["models"]
    assert (teacher["ratio"], teacher["parameters"]) == (None, garments.teacher_parameters)
    assert [row["ratio"] for row in students] == RATIOS
    for row in students:
        weights = 784 * row["width"] + row["width"] * 10
        assert (row["parameters"], row["multiply_adds"]) == (weights + row["width"] + 10, weights)
        assert row["parameters"] == pytest.approx(teacher["parameters"] / row["ratio"], rel=0.25)
    assert all(0 < row["low_ms"] <= row["median_ms"] <= row["high_ms"] for row in stored["models"])
    assert set(stored["machine"]) == set(devices.machine())


# ---- the state, from Python ----


def test_another_curve_takes_the_nearest_ratio(explorer):
    explorer.ratio = 2.5
    explorer.curve = 1
    assert explorer.ratio == 2
    explorer.ratio = 200
    explorer.curve = 0
    assert explorer.ratio == 20


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("curve", 3, r"curve must be in \[0, 3\), got 3"),
        ("ratio", 10, "ratio must be one of 1.25, 2.5, 20, got 10"),
        ("price", -1, r"price must be in \[0, 1e\+12\], got -1"),
        ("price", math.nan, r"price must be in \[0, 1e\+12\], got nan"),
        ("requests_per_day", 10, "requests_per_day must be an integer >= 100, got 10"),
        ("requests_per_day", 1000.5, "requests_per_day must be an integer >= 100, got 1000.5"),
        ("one_time_cost", 1e13, r"one_time_cost must be in \[0, 1e\+12\], got"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(explorer, name, value, message):
    before = explorer.state()
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert explorer.state() == before


# ---- what is refused ----


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": [2.0, 2.0, 5.0]}, r"one for each ratio, got ratios \[2.0, 2.0, 5.0\]"),
        ({"ratio": [2.0, 0.0, 5.0]}, r"sizes\['ratio'\] must be > 0, got 0.0"),
        ({"ms": [1.0, -5.0, 10.0]}, r"sizes\['ms'\] must be > 0, got -5.0"),
        ({"low": [0.7, 0.79, 0.79]}, r"low <= accuracy <= high, got \[0.79, 0.78, 0.8\] at ratio 2.5"),
        ({"high": [0.74, 0.8, float("nan")]}, r"low <= accuracy <= high, got \[0.78, 0.8, nan\] at ratio 1.25"),
        ({"accuracy": [72.0, 0.78, 0.8]}, r"sizes\['accuracy'\] must be in \[0, 1\], got 72.0"),
        ({"accuracy": [0.72, float("nan"), 0.8]}, r"sizes\['accuracy'\] must be in \[0, 1\], got nan"),
        ({"accuracy": ["72 %", 0.78, 0.8]}, r"sizes\['accuracy'\] must be a number, got '72 %'"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        student_size(SIZES.assign(**change), TEACHER)


def test_sizes_must_be_a_table_with_its_columns():
    with pytest.raises(ValueError, match="sizes must have the columns .*; 'low' is missing"):
        student_size(SIZES.drop(columns="low"), TEACHER)
    with pytest.raises(ValueError, match=r"sizes must have one row or more, .* got ratios \[\]"):
        student_size(SIZES[:0], TEACHER)
    with pytest.raises(TypeError, match="sizes must be a DataFrame, got list"):
        student_size([], TEACHER)


def test_sizes_and_teacher_come_together():
    with pytest.raises(ValueError, match="given together, or neither; teacher is missing"):
        student_size(SIZES)
    with pytest.raises(ValueError, match="given together, or neither; sizes is missing"):
        student_size(teacher=TEACHER)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"accuracy": 0.8}, "teacher must be a dict with accuracy and ms"),
        (0.8, "teacher must be a dict with accuracy and ms, got 0.8"),
        ({"accuracy": 80, "ms": 1}, r"teacher\['accuracy'\] must be in \(0, 1\], got 80"),
        ({"accuracy": 0.8, "ms": 0}, r"teacher\['ms'\] must be > 0, got 0"),
    ],
)
def test_a_teacher_that_makes_no_sense_is_refused(teacher, message):
    with pytest.raises(ValueError, match=message):
        student_size(SIZES, teacher)
