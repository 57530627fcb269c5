"""The explorer of student sizes, in Python: its curves, and what it refuses."""

import itertools
import math

import pandas as pd
import pytest

from kdcourse import claims, data, devices
from kdcourse.claims import ladder
from kdcourse.claims import sizes as full_run
from kdcourse.claims.arms import teacher_accuracy
from kdcourse.claims.settings import SETTINGS
from kdcourse.widgets import student_size

# 36 per hour is 0.01 per second, so that 10 ms cost 0.0001: 1,000 requests of the teacher cost 0.1.
TEACHER = {"accuracy": 0.8, "ms": 10.0}
SIZES = pd.DataFrame(
    {"ratio": [20.0, 2.5, 1.25], "accuracy": [0.72, 0.78, 0.8], "ms": [2.0, 5.0, 10.0]}
    | {"low": [0.7, 0.76, 0.78], "high": [0.74, 0.8, 0.82], "note": ["small", "middling", "large"]}
)


@pytest.fixture
def explorer():
    return student_size(SIZES, TEACHER, price=36, requests_per_day=10_000, one_time_cost=80)


# ---- curves ----


def test_the_full_runs_are_offered_and_what_was_measured_comes_first_cut_where_accuracy_ends():
    own, *full = student_size(SIZES.assign(low=-0.3, high=1.2), TEACHER).curves
    expected = [f"{one}s, {n:,} pictures" for one in ("CNN", "MLP") for n in full_run.size_curves(one)]
    assert [curve["name"] for curve in full] == expected
    assert expected[-2:] == ["MLPs, 50,000 pictures", "MLPs, 5,000 pictures"]
    assert (own["name"], own["teacher"]) == ("measured when this notebook ran", TEACHER)
    ends = [(size["ratio"], size["low"], size["high"]) for size in own["sizes"]]
    assert ends == [(1.25, 0, 1), (2.5, 0, 1), (20, 0, 1)]


def test_the_full_runs_are_those_of_the_ledger():
    """The distance to five points under the teacher is the one stored; over the limit, its ends change places."""
    found = claims.result("above-20x-gap")
    for curve in student_size().curves:
        kind, pictures = curve["name"].split("s, ")
        for row in curve["sizes"]:
            side, sign = ("over", -1) if row["ratio"] > 20 else ("under", 1)
            which = {"student": "CNN"} if kind == "CNN" else {}
            examples = int(pictures.split()[0].replace(",", ""))
            part = claims.part(found, which | {"side": side, "ratio": row["ratio"], "examples": examples})
            expected = [part["mean"], *sorted([part["low"], part["high"]], key=lambda end: sign * end)]
            gaps = [100 * (row[name] - curve["teacher"]["accuracy"]) + 5 for name in ("accuracy", "low", "high")]
            assert gaps == pytest.approx([sign * end for end in expected])


def stored(key, mean, low, high, a=None, b=None, setting="fashion-mnist"):
    """A part of a result, as the ledger stores it."""
    arms = {name: {"mean": gain, "chosen": {"temperature": 2.0}} for name, gain in (("a", a), ("b", b))}
    return {
        "setting": setting,
        "key": key,
        "mean": mean,
        "low": low,
        "high": high,
        "scale": 100.0,
        "n": 4,
        "arms": arms,
    }


def test_a_curve_is_that_of_one_kind_of_student_on_pictures_and_labels_lack_what_soft_labels_gain(monkeypatch):
    cnn = {"student": "CNN"}
    gaps = [
        stored(cnn | {"side": "over", "ratio": 50, "examples": 5_000}, 2, 1, 4),  # 7 points under the teacher
        stored(cnn | {"side": "under", "ratio": 10, "examples": 5_000}, 1, 0, 2),  # 4 points under it
        stored(cnn | {"by": "latency", "side": "under", "ratio": 50, "examples": 5_000}, -9, -9, -9),
        stored({"side": "under", "ratio": 10, "examples": 5_000}, 3, 2, 4),
        stored(cnn | {"side": "under", "ratio": 20, "examples": 5_000}, 3, 2, 4, setting="wordnet-glosses"),
    ]
    gains = [stored(cnn | {"ratio": [10, 50], "examples": 5_000}, 0, 0, 0, 0.01, -0.004)]
    results = {"above-20x-gap": {"parts": gaps}, "sweet-spot-5-20": {"parts": gains}}
    monkeypatch.setattr(full_run, "result", results.get)
    teacher = ladder.measured_sizes()["teacher_accuracy"]
    ((n, (ten, fifty)),) = full_run.size_curves("CNN").items()
    columns = ("accuracy", "low", "high", "labels")
    assert (n, ten["ratio"], ten["n"], ten["temperature"], fifty["ratio"]) == (5_000, 10, 4, 2, 50)
    assert [teacher - ten[name] for name in columns] == pytest.approx([0.04, 0.05, 0.03, 0.05])
    assert [teacher - fifty[name] for name in columns] == pytest.approx([0.07, 0.09, 0.06, 0.066])
    assert full_run.size_curves("MLP")[5_000][0]["labels"] is None


def test_the_sizes_of_the_full_run_have_the_times_of_the_benchmark():
    table = full_run.student_sizes(5_000)
    models = {(row["student"], row["ratio"]): row for row in ladder.measured_sizes()["models"]}
    first, *others = table.itertuples()
    assert (first.name, first.accuracy) == ("teacher", ladder.measured_sizes()["teacher_accuracy"])
    assert first.median_ms == models[None, None]["median_ms"]
    curves = {one: {row["ratio"]: row for row in full_run.size_curves(one)[5_000]} for one in {r.kind for r in others}}
    for row in others:
        assert (row.median_ms, row.p99_ms) == tuple(models[row.kind, row.ratio][n] for n in ("median_ms", "p99_ms"))
        own = curves[row.kind][row.ratio]
        assert row.accuracy == own["labels" if row.arm == "labels" else "accuracy"]
    soft = table[table["arm"] == "soft labels"]
    assert len(soft) == sum(map(len, curves.values()))
    assert (table["low"].isna() == (table["arm"] == "labels")).all()


@pytest.mark.parametrize(("batches", "before", "each"), [(False, "", 1), (True, "batch_", 256)])
def test_times_are_per_request_and_beside_the_teachers(batches, before, each):
    table = full_run.size_times(batches=batches)
    teacher, *students = ladder.measured_sizes()["models"]
    assert list(table.index) == ["teacher", *(f"{row['student']} {row['ratio']}×" for row in students)]
    assert table.loc["teacher", ["smaller", "faster"]].tolist() == [1, 1]
    for row, found in zip(students, list(table.itertuples())[1:], strict=True):
        assert (found.kind, found.smaller) == (row["student"], row["ratio"])
        assert found.median_ms * each == pytest.approx(row[f"{before}median_ms"])
        assert found.p99_ms * each == pytest.approx(row[f"{before}p99_ms"])
        assert found.faster == pytest.approx(teacher[f"{before}median_ms"] / row[f"{before}median_ms"])
        ends = [teacher[f"{before}{a}_ms"] / row[f"{before}{b}_ms"] for a, b in (("low", "high"), ("high", "low"))]
        assert [found.faster_low, found.faster_high] == pytest.approx(ends)


def test_without_a_full_run_the_error_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(full_run, "result", lambda name: None)
    with pytest.raises(FileNotFoundError, match="kdcourse claims --run above-20x-gap"):
        full_run.size_curves()


def test_the_stored_sizes_are_those_of_the_teacher_and_the_lesson():
    garments, stored = data.load("fashion-mnist"), ladder.measured_sizes()
    assert stored["teacher_accuracy"] == teacher_accuracy(garments)
    teacher, *students = stored["models"]
    assert (teacher["ratio"], teacher["parameters"]) == (None, garments.teacher_parameters)
    kinds = [(row["student"], row["ratio"]) for row in students]
    assert kinds == list(itertools.product(["CNN", "MLP"], SETTINGS["fashion-mnist"].ratios))
    for row in students:
        assert row["parameters"] == pytest.approx(teacher["parameters"] / row["ratio"], rel=0.25)
        if row["student"] == "MLP":
            weights = 784 * row["width"] + row["width"] * 10
            assert (row["parameters"], row["multiply_adds"]) == (weights + row["width"] + 10, weights)
        else:  # pictures of 28, 14 and 7 pixels; nearly all is work within and between the stages
            a, b, c = row["channels"]
            work = 9 * (28**2 * a + 14**2 * (a * b + 2 * b * b) + 7**2 * (b * c + 2 * c * c)) + 10 * c
            assert row["multiply_adds"] == work
    for row, batch in itertools.product(stored["models"], ["", "batch_"]):
        low, median, high, p99 = (row[f"{batch}{name}_ms"] for name in ("low", "median", "high", "p99"))
        assert 0 < low <= median <= min(high, p99)
    assert set(stored["machine"]) == set(devices.machine())


# ---- the state, from Python ----


def test_another_curve_takes_the_nearest_ratio(explorer):
    for ratio, curve, nearest in [(2.5, len(explorer.curves) - 1, 2), (200, 0, 20)]:
        explorer.ratio = ratio
        explorer.curve = curve
        assert explorer.ratio == nearest


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("curve", 9, r"curve must be in \[0, \d\), got 9"),
        ("fallback", 1.5, r"fallback must be in \[0, 1\], got 1.5"),
        ("upkeep", -1, r"upkeep must be in \[0, 1e\+12\], got -1"),
        ("listed", 1, "listed must be True or False, got"),
        ("ratio", 10, "ratio must be one of 1.25, 2.5, 20, got 10"),
        ("price", math.nan, r"price must be in \[0, 1e\+12\], got nan"),
        ("requests_per_day", 1000.5, "requests_per_day must be an integer >= 100, got 1000.5"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(explorer, name, value, message):
    before = explorer.state()
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(explorer, name, value)
    assert explorer.state() == before


@pytest.mark.parametrize(
    ("sizes", "teacher", "message"),
    [
        (SIZES.assign(ratio=[2.0, 2.0, 5.0]), TEACHER, r"one for each ratio, got ratios \[2.0, 2.0, 5.0\]"),
        (SIZES.assign(ms=[1.0, -5.0, 10.0]), TEACHER, r"sizes\['ms'\] must be > 0, got -5.0"),
        (SIZES.assign(low=0.79), TEACHER, r"low <= accuracy <= high, got \[0.79, 0.78, 0.8\] at ratio 2.5"),
        (SIZES.assign(high=math.nan), TEACHER, r"low <= accuracy <= high, got \[0.78, 0.8, nan\] at ratio 1.25"),
        (SIZES.assign(accuracy=[72.0, 0.78, 0.8]), TEACHER, r"sizes\['accuracy'\] must be in \[0, 1\], got 72.0"),
        (SIZES.assign(accuracy="72 %"), TEACHER, r"sizes\['accuracy'\] must be a number, got '72 %'"),
        (SIZES.drop(columns="low"), TEACHER, "sizes must have the columns .*; 'low' is missing"),
        (SIZES[:0], TEACHER, r"sizes must have one row or more, .* got ratios \[\]"),
        ([], TEACHER, "sizes must be a DataFrame, got list"),
        (SIZES, None, "given together, or neither; teacher is missing"),
        (None, TEACHER, "given together, or neither; sizes is missing"),
        (SIZES, {"accuracy": 0.8}, "teacher must be a dict with accuracy and ms, got {'accuracy': 0.8}"),
        (SIZES, {"accuracy": 80, "ms": 1}, r"teacher\['accuracy'\] must be in \(0, 1\], got 80"),
        (SIZES, {"accuracy": 0.8, "ms": 0}, r"teacher\['ms'\] must be > 0, got 0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(sizes, teacher, message):
    with pytest.raises((TypeError, ValueError), match=message):
        student_size(sizes, teacher)
