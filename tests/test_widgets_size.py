"""The explorer of student sizes, in Python: its numbers and words, its curves, and what it refuses."""

import math

import pandas as pd
import pytest
import torch

from kdcourse import claims, data, devices
from kdcourse.claims import sizes as full_run
from kdcourse.claims.arms import teacher_accuracy
from kdcourse.claims.lesson_04 import RATIOS
from kdcourse.models import mlp
from kdcourse.ship import break_even, cost_per_1000
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


def at(explorer, **values):
    for name, value in values.items():
        setattr(explorer, name, value)
    return explorer.say()


@pytest.fixture
def explorer():
    return student_size(SIZES, TEACHER, price=36, requests_per_day=10_000, one_time_cost=80)


# ---- numbers and words ----


def test_the_numbers_are_those_of_a_hand_calculation(explorer):
    # 0.1 and 0.02 per 1,000 requests; 80 are saved after 1,000,000 requests, and a year has 3,650,000.
    assert at(explorer, ratio=20) == [
        "20× smaller: shown to keep less than 95 % of the teacher's accuracy. It pays back after 100 days.",
        "20× smaller: retains 90.0 % [87.5 %, 92.5 %] of the teacher's accuracy.",
        "1,000 requests cost 0.1 with the teacher, 0.02 with the student.",
        "Break-even: after 1,000,000 requests, 100 days at 10,000 a day.",
        "In a year, the teacher costs 365; the student costs 153, its making included.",
    ]
    assert explorer.numbers == pytest.approx(
        {
            "retained": 0.9,
            "low": 0.875,
            "high": 0.925,
            "teacher_cost": 0.1,
            "student_cost": 0.02,
            "break_even_requests": 1e6,
            "break_even_days": 100,
            "horizon": "a year",
            "teacher_spent": 365,
            "student_spent": 153,
        }
    )


def test_a_student_may_retain_more_than_all(explorer):
    assert at(explorer, ratio=1.25)[1] == "1.25× smaller: retains 100.0 % [97.5 %, 102.5 %] of the teacher's accuracy."


def test_the_finding_has_three_verdicts(explorer):
    assert "shown to keep 95 %" in at(explorer, ratio=1.25)[0]
    assert "shown to keep less than 95 %" in at(explorer, ratio=20)[0]
    wide = student_size(SIZES.assign(low=0.7), TEACHER)
    assert "these runs cannot tell whether it keeps 95 %" in at(wide, ratio=1.25)[0]


def test_an_interval_is_cut_where_accuracy_ends():
    wide = student_size(SIZES.assign(low=-0.3, high=1.2), TEACHER)
    assert at(wide, ratio=1.25)[1] == "1.25× smaller: retains 100.0 % [0.0 %, 125.0 %] of the teacher's accuracy."


def test_a_student_that_is_no_cheaper_never_breaks_even(explorer):
    finding, _, costs, when, spent = at(explorer, ratio=1.25)
    assert finding.endswith("It never pays back.")
    assert costs == "1,000 requests cost 0.1 with the teacher, 0.1 with the student."
    assert when == "Break-even: never. The student saves nothing."
    assert spent == "In a year, the teacher costs 365; the student costs 445, its making included."
    assert explorer.numbers["break_even_requests"] == math.inf


def test_a_machine_for_nothing_saves_nothing(explorer):
    assert at(explorer, ratio=20, price=0)[3] == "Break-even: never. The student saves nothing."


def test_a_student_for_nothing_pays_at_once(explorer):
    finding, *_, when, _ = at(explorer, ratio=20, one_time_cost=0)
    assert finding.endswith("It pays back at once.")
    assert when.startswith("Break-even: after 0 requests, 0 days")


@pytest.mark.parametrize(
    ("load", "days", "horizon"),
    [(1e7, "0.1", "a day"), (1e6, "1", "a day"), (5e5, "2", "a week"), (1e5, "10", "a month"), (1e3, "1,000", "ten")],
)
def test_the_time_axis_is_the_shortest_that_holds_the_break_even(explorer, load, days, horizon):
    *_, when, spent = at(explorer, ratio=20, requests_per_day=load)
    assert when == f"Break-even: after 1,000,000 requests, {days} days at {load:,.0f} a day."
    assert spent.startswith(f"In {horizon}")


def test_a_break_even_beyond_ten_years_is_said_to_be_out_of_the_picture(explorer):
    *_, when, spent = at(explorer, ratio=20, requests_per_day=100)
    assert when == "Break-even: after 1,000,000 requests, 10,000 days at 100 a day (beyond the picture)."
    assert spent.startswith("In ten years, ")


def test_a_break_even_after_a_few_requests_is_a_whole_number(explorer):
    # A request costs 1 with the teacher and 0.2 with the student: two of them save 1.6.
    assert at(explorer, ratio=20, price=3.6e5, one_time_cost=1.5)[3].startswith("Break-even: after 2 requests, ")


# ---- curves ----


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
        numbers = explorer.numbers
        assert 100 * (numbers["retained"] - 0.95) == pytest.approx(part["mean"], abs=1e-4)
        assert numbers["low"] < numbers["retained"] < numbers["high"]
        sizes = explorer.curves[place]["sizes"]
        assert [size["ratio"] for size in sizes] == RATIOS
        # Wider here: these intervals hold for fourteen sizes together, those for two.
        assert 100 * (numbers["low"] - 0.95) < part["low"]
        assert 100 * (numbers["high"] - 0.95) > part["high"]


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


def test_the_benchmark_measures_every_model(monkeypatch):
    import sys
    from pathlib import Path
    from types import SimpleNamespace

    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    import sizes as benchmark

    try:
        inputs = torch.zeros(3, 4)
        parameters = 10_000
        garments = SimpleNamespace(
            test=SimpleNamespace(inputs=inputs), class_names=("a", "b"), teacher_parameters=parameters
        )
        rows = benchmark.measure(garments, mlp([4, 50, 2], seed=0), rounds=6, seconds=1e-6)
    finally:
        del sys.modules["sizes"]
    assert [row["ratio"] for row in rows] == [None, *RATIOS]
    assert rows[0]["multiply_adds"] == 4 * 50 + 50 * 2
    assert rows[1]["parameters"] == pytest.approx(parameters / 2, rel=0.01)
    assert all(row["median_ms"] > 0 for row in rows)


# ---- the state, from Python ----


def test_another_curve_takes_the_nearest_ratio(explorer):
    explorer.ratio = 2.5
    explorer.curve = 1
    assert explorer.ratio == 2
    explorer.ratio = 200
    explorer.curve = 0
    assert explorer.ratio == 20


def test_the_words_follow_costs_from_the_package(explorer):
    explorer.curve, explorer.price, explorer.requests_per_day = 2, 0.25, 123_456
    numbers, curve = explorer.numbers, explorer.curves[2]
    ms = next(size["ms"] for size in curve["sizes"] if size["ratio"] == explorer.ratio)
    costs = [cost_per_1000(one, 0.25) for one in (curve["teacher"]["ms"], ms)]
    assert [numbers["teacher_cost"], numbers["student_cost"]] == costs
    assert numbers["break_even_requests"] == break_even(80, *costs)
    assert numbers["break_even_days"] == numbers["break_even_requests"] / 123_456


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("curve", 3, r"curve must be in \[0, 3\), got 3"),
        ("ratio", 10, "ratio must be one of 1.25, 2.5, 20, got 10"),
        ("price", -1, r"price must be in \[0, 1e\+12\], got -1"),
        ("price", math.nan, r"price must be in \[0, 1e\+12\], got nan"),
        ("requests_per_day", 10, r"requests_per_day must be in \[100, 1e\+08\], got 10"),
        ("one_time_cost", 1e13, r"one_time_cost must be in \[0, 1e\+12\], got"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(explorer, name, value, message):
    before = explorer.say()
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert explorer.say() == before


def test_requests_are_whole(explorer):
    explorer.requests_per_day = 1000.5
    assert explorer.requests_per_day == 1001
    with pytest.raises(TypeError, match="requests_per_day must be a number, got 'many'"):
        explorer.requests_per_day = "many"


# ---- the picture ----


def test_lines_cross_at_the_break_even(explorer):
    explorer.ratio = 20
    fig, alt = explorer.picture()
    accuracies, costs = fig.axes
    teacher, student, mark = costs.lines
    assert (teacher.get_xydata()[0].tolist(), student.get_xydata()[0].tolist()) == ([0, 0], [0, 80])
    assert teacher.get_xydata()[-1] == pytest.approx([365, 365])
    assert student.get_xydata()[-1] == pytest.approx([365, 153])
    assert mark.get_xydata()[-1] == pytest.approx([100, 100])
    assert len({line.get_linestyle() for line in costs.lines} & {"-", "--", ":"}) == 3
    assert len({line.get_marker() for line in costs.lines}) == 3
    assert fig.get_suptitle() == explorer.say()[0]
    assert len(accuracies.containers) == 3  # one interval for each size
    for sentence in explorer.say():
        assert sentence in alt
    assert "1.25× 100.0 [97.5, 102.5], 2.5× 97.5 [95.0, 100.0], 20× 90.0 [87.5, 92.5]" in alt


@pytest.mark.parametrize("never", [{"ratio": 1.25}, {"ratio": 20, "requests_per_day": 100}])
def test_what_is_not_in_the_picture_is_not_drawn(explorer, never):
    at(explorer, **never)
    fig, _ = explorer.picture()
    assert pd.isna(fig.axes[1].lines[2].get_xdata()).all()


def test_where_nothing_costs_anything_there_is_still_an_axis(explorer):
    at(explorer, price=0, one_time_cost=0)
    fig, _ = explorer.picture()
    assert fig.axes[1].get_ylim() == (0, 1)


def test_a_saved_notebook_has_picture_words_and_state(explorer):
    import matplotlib.pyplot as plt

    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"].startswith("[explorer] 20× smaller") or "smaller: " in bundle["text/plain"]
    assert metadata["image/png"]["alt"] == bundle["text/plain"].removeprefix("[explorer] ")
    state = bundle["application/vnd.kdcourse.explorer+json"]
    assert state["explorer"] == "student_size"
    assert set(state["state"]) == {"curves", "curve", "ratio", "price", "requests_per_day", "one_time_cost"}
    assert plt.get_fignums() == []


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
