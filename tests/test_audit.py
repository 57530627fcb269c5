"""The audit's table and verdicts: against plain loops, statsmodels' Holm, scipy's t-tests, and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from kdcourse.audit import audit
from kdcourse.stats.calibration import expected_calibration_error
from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values

SHARES = ["teacher", "student", "baseline", "gap", "agreement", "over_baseline"]


def answers(seed, losses, *, n_each=60, classes=3):
    """Labels, teacher, student, baseline and a group for each example; the student's loss differs between groups.

    Where it is negative, the student is always right.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(losses)), n_each)
    labels = rng.integers(0, classes, len(group))

    def predictions(accuracy):
        wrong = (labels + rng.integers(1, classes, len(labels))) % classes
        return np.where(rng.random(len(labels)) < accuracy, labels, wrong)

    teacher = predictions(0.9)
    loss = np.array(losses)[group]
    student = np.where(rng.random(len(labels)) < loss, (teacher + 1) % classes, teacher)
    student = np.where(loss < 0, labels, student)
    return labels, teacher, student, predictions(0.8), np.array([f"g{number}" for number in group])


def paired(only_teacher, only_student, both, neither=0):
    """Labels, teacher and student with these counts of who is right."""
    teacher = [1] * only_teacher + [0] * only_student + [1] * both + [0] * neither
    student = [0] * only_teacher + [1] * only_student + [1] * both + [0] * neither
    return [1] * len(teacher), teacher, student


def joined(*parts):
    """Several such slices below one another; a label 0 that all get right makes it two classes."""
    columns = [[0], [0], [0], ["other"]]
    for name, counts in parts:
        for column, values in zip(columns, [*paired(*counts), [name] * sum(counts)], strict=True):
            column.extend(values)
    return columns


def row(report, level):
    (found,) = report.table[report.table["level"] == level].to_dict("records")
    return found


def by_loop(labels, teacher, student, baseline, where):
    counts = dict.fromkeys(["n", *SHARES, "only_teacher", "only_student"], 0)
    for label, t, s, b, inside in zip(labels, teacher, student, baseline, where, strict=True):
        if inside:
            counts["n"] += 1
            counts["teacher"] += t == label
            counts["student"] += s == label
            counts["baseline"] += b == label
            counts["gap"] += int(t == label) - int(s == label)
            counts["over_baseline"] += int(s == label) - int(b == label)
            counts["agreement"] += t == s
            counts["only_teacher"] += t == label and s != label
            counts["only_student"] += s == label and t != label
    return {name: value / counts["n"] if name in SHARES else value for name, value in counts.items()}


def test_every_row_is_what_a_plain_loop_counts():
    labels, teacher, student, baseline, group = answers(0, [0.0, 0.1, 0.3, -0.5])
    teacher[group == "g1"] = (labels[group == "g1"] + 1) % 3  # knows nothing there
    parity = np.arange(len(labels)) % 2 == 0
    report = audit(labels, teacher, student, {"group": group, "even": parity}, baseline=baseline, min_samples=10)
    assert len(report.table) == 6
    for found in [*report.table.to_dict("records"), report.overall.to_dict()]:
        where = {
            "group": group == found["level"],
            "even": parity.astype(str) == found["level"],
            "overall": np.ones(len(labels), dtype=bool),
        }[found["slice"]]
        expected = by_loop(labels, teacher, student, baseline, where)
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
        retained = (found["student"] - 1 / 3) / (found["teacher"] - 1 / 3) if found["teacher"] > 1 / 3 else math.nan
        assert found["retained"] == pytest.approx(retained, nan_ok=True)
        right = [(model == labels)[where] for model in (teacher, student, baseline)]
        n = int(where.sum())
        only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        assert (found["low"], found["high"]) == gap_interval(*only, n, 0.95)
        over = int((right[1] & ~right[2]).sum()), int((right[2] & ~right[1]).sum())
        assert (found["over_baseline_low"], found["over_baseline_high"]) == gap_interval(*over, n, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_verdicts_are_holms_over_all_slices_that_are_large_enough_and_the_whole(confidence):
    labels, teacher, student, _, group = answers(3, [0.0, 0.0, 0.055, 0.3, 0.12, -1], n_each=400)
    kept = np.ones(len(labels), dtype=bool)
    kept[:370] = False  # 30 of g0 are left
    labels, teacher, student, group = labels[kept], teacher[kept], student[kept], group[kept]
    report = audit(labels, teacher, student, {"group": group}, max_gap=0.05, confidence=confidence)
    right_teacher, right_student = teacher == labels, student == labels
    names, p_exceeds, p_within, p_better = [], [], [], []
    for name in ["overall", "g1", "g2", "g3", "g4", "g5"]:
        where = np.ones(len(group), dtype=bool) if name == "overall" else group == name
        only = int((right_teacher & ~right_student & where).sum()), int((right_student & ~right_teacher & where).sum())
        exceeds, within = gap_p_values(*only, int(where.sum()), 0.05)
        names.append(name)
        p_exceeds.append(exceeds)
        p_within.append(within)
        p_better.append(gap_p_values(*only, int(where.sum()), 0.0)[1])
    adjusted = [multipletests(p, method="holm")[1] for p in (p_exceeds, p_within, p_better)]
    assert report.corrected_for == 6
    seen = set()
    for name, alone, exceeds, within, better in zip(names, p_exceeds, *adjusted, strict=True):
        found = report.overall if name == "overall" else row(report, name)
        error = (1 - confidence) / 2
        unsure = "alarm" if alone <= error else "watch"
        expected = "flag" if exceeds <= error else "pass" if within <= error else unsure
        assert (found["p_exceeds"], found["p_within"]) == pytest.approx((exceeds, within))
        assert found["verdict"] == expected
        assert found["student_better"] == (better <= error)
        seen.add((expected, bool(found["student_better"])))
    assert seen - {("alarm", False)} == {("flag", False), ("watch", False), ("pass", True), ("pass", False)}
    small = row(report, "g0")
    assert (small["n"], small["verdict"], small["more_needed"]) == (30, "too few", 70)
    assert math.isnan(small["p_exceeds"])


@pytest.mark.slow
@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 80), st.sampled_from([0.0, 0.02, 0.1]))
def test_a_single_test_flags_where_the_interval_lies_above_the_gap_allowed(only_teacher, only_student, both, max_gap):
    labels, teacher, student = paired(only_teacher, only_student, both)
    report = audit(labels, teacher, student, {"all": [0] * len(labels)}, max_gap=max_gap, min_samples=1000)
    assert report.corrected_for == 1  # the slice is too small: only the whole is tested
    low, high, verdict = (report.overall[name] for name in ["low", "high", "verdict"])
    assert verdict == "flag" if low > max_gap else verdict != "flag" or low > max_gap - 1 / len(labels)
    assert verdict == "pass" if high < max_gap else verdict != "pass" or high < max_gap + 1 / len(labels)


def test_more_slices_of_the_same_examples_make_each_verdict_harder():
    labels, teacher, student, group = joined(("a", (15, 1, 134)), ("b", (3, 3, 144)))
    once = audit(labels, teacher, student, {"group": group}, confidence=0.95)
    often = audit(labels, teacher, student, {f"group {number}": group for number in range(8)})
    assert (once.corrected_for, often.corrected_for) == (3, 17)
    assert row(once, "a")["verdict"] == "flag"
    assert set(often.table.loc[often.table["level"] == "a", "verdict"]) == {"alarm"}
    assert set(often.table.loc[often.table["level"] == "a", "low"]) == {row(once, "a")["low"]}


def test_the_worst_comes_first_and_ties_keep_the_order_of_slices_and_levels():
    parts = [
        *[("passes", (2, 0, 398)), ("flag small", (40, 0, 110)), ("flag large", (60, 0, 90)), ("few", (9, 0, 1))],
        *[("watch", (4, 1, 145)), ("tied b", (2, 0, 148)), ("tied a", (2, 0, 148)), ("gains", (0, 40, 160))],
    ]
    labels, teacher, student, group = joined(*parts)
    report = audit(labels, teacher, student, {"group": group, "again": group}, min_samples=20, max_gap=0.04)
    expected = {
        "flag": (report.flagged, ["flag large"] * 2 + ["flag small"] * 2, "fallback to teacher"),
        "watch": (report.watched, ["watch"] * 2 + ["tied a", "tied b"] * 2, "collect data"),
        "too few": (report.too_few, ["few"] * 2 + ["other"] * 2, "collect data"),
        "pass": (report.passed, ["passes"] * 2 + ["gains"] * 2, "monitor"),
    }
    assert report.table["level"].tolist() == [level for _, levels, _ in expected.values() for level in levels]
    for verdict, (rows, levels, handling) in expected.items():
        assert rows["level"].tolist() == levels
        assert ({*rows["verdict"]}, {*rows["handling"]}) == ({verdict}, {handling})
    both = ["group", "again"]
    assert report.table["slice"].tolist() == [*both * 3, "group", "group", "again", "again", *both * 4]
    assert report.table.loc[report.table["student_better"], "level"].tolist() == ["gains", "gains"]


@pytest.mark.parametrize(
    ("parts", "status", "whole", "flagged"),
    [
        ([("a", (60, 0, 90)), ("b", (0, 0, 3000))], 1, "watch", 1),
        ([(name, (8, 0, 52)) for name in "abcdefgh"], 1, "flag", 0),  # only all examples together are
        ([("a", (1, 0, 999)), ("b", (0, 0, 1000))], 0, "pass", 0),
    ],
)
def test_status_is_1_if_a_slice_or_the_whole_is_flagged(parts, status, whole, flagged):
    labels, teacher, student, group = joined(*parts)
    report = audit(labels, teacher, student, {"group": group})
    assert (report.status, report.overall["verdict"], len(report.flagged)) == (status, whole, flagged)


def test_what_a_watched_slice_needs():
    parts = [("near", (4, 1, 145)), ("far", (5, 2, 143)), ("fine", (0, 0, 400))]
    labels, teacher, student, group = joined(*parts)
    report = audit(labels, teacher, student, {"group": group}, max_gap=0.0198, confidence=0.9)
    assert report.corrected_for == 4
    for name, counts in parts[:2]:
        needed = examples_needed(*counts[:2], 150, 0.0198, 1 - 0.1 / 4, 0.8) - 150
        assert needed > 20 * 150
        assert (row(report, name)["more_needed"], row(report, name)["handling"]) == (needed, "monitor")
    near = audit(labels, teacher, student, {"group": group}, max_gap=0.05)
    needed = examples_needed(4, 1, 150, 0.05, 1 - 0.05 / 4, 0.8) - 150
    assert 0 < needed < 20 * 150
    assert (row(near, "near")["more_needed"], row(near, "near")["handling"]) == (needed, "collect data")
    assert (row(near, "fine")["verdict"], row(near, "fine")["more_needed"]) == ("pass", 0)


def test_the_threshold_of_a_level_comes_before_that_of_its_column_and_max_gap():
    labels, teacher, student, group = joined(("a", (60, 0, 90)), ("b", (60, 0, 90)), ("c", (60, 0, 90)))
    half = np.arange(len(labels)) % 2
    thresholds = {"group": 0.4, "group=b": 0.6}
    report = audit(labels, teacher, student, {"group": group, "half": half}, thresholds=thresholds, max_gap=0.1)
    allowed = {level: row(report, level)["max_gap"] for level in ["a", "b", "c", "0", "1"]}
    assert allowed == {"a": 0.4, "b": 0.6, "c": 0.4, "0": 0.1, "1": 0.1}
    assert report.overall["max_gap"] == 0.1
    assert {level: row(report, level)["verdict"] for level in "abc"} == {"a": "watch", "b": "pass", "c": "watch"}
    assert report.settings["thresholds"] == thresholds


@pytest.mark.parametrize("classes", [2, 5])
def test_the_calibration_error_of_a_slice_is_that_of_its_examples_alone(classes):
    rng = np.random.default_rng(classes)
    labels, group = rng.integers(0, classes, 200), rng.choice(["a", "b", "c"], 200)
    teacher, student = (rng.dirichlet(np.full(classes, 0.5), 200) for _ in range(2))
    report = audit(labels, teacher, student, {"group": group}, baseline=teacher)
    for found in [*report.table.to_dict("records"), report.overall.to_dict()]:
        where = np.ones(200, dtype=bool) if found["slice"] == "overall" else group == found["level"]
        for name, table in [("teacher", teacher), ("student", student)]:
            expected = expected_calibration_error(table[where], labels[where])
            assert found[f"ece_{name}"] == pytest.approx(expected, abs=1e-12)
            assert found[name] == pytest.approx((table.argmax(1) == labels)[where].mean())
    top = np.array([11.5, 12, 12, 12.5] * 5) / 15  # on the edge of a bin: it belongs to the one below
    labels, teacher = np.arange(20) % 3 // 2, np.stack([top, 1 - top], axis=1)
    report = audit(labels, teacher, labels, {"all": [0] * 20})
    assert report.overall["ece_teacher"] == pytest.approx(expected_calibration_error(teacher, labels), abs=1e-12)


def negative_log_loss(labels, probabilities):
    return np.log(probabilities[np.arange(len(labels)), labels])


def test_a_score_takes_the_place_of_accuracy_and_students_t_that_of_the_paired_test():
    rng = np.random.default_rng(8)
    labels, group = rng.integers(0, 3, 900), rng.choice(["a", "b", "c", "d"], 900, p=[0.4, 0.4, 0.19, 0.01])
    sharp = np.where(group == "b", 0.3, 3.0)[:, None] * np.eye(3)[labels]
    logits = [3 * np.eye(3)[labels] + rng.normal(size=(900, 3)) for _ in range(2)]
    teacher, student, baseline = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in [*logits, sharp])
    student[group == "b"] = baseline[group == "b"]
    student[(group == "c") & (rng.random(900) < 0.35)] = 1 / 3
    report = audit(
        labels, teacher, student, {"group": group}, baseline=baseline, score=negative_log_loss, max_gap=0.25,
        min_samples=50,
    )  # fmt: skip
    assert report.score_name == "negative_log_loss"
    scores = [[math.log(p[label]) for p, label in zip(x, labels, strict=True)] for x in (teacher, student, baseline)]
    teacher_score, student_score, baseline_score = np.array(scores)
    names, p_values = ["overall", "a", "b", "c"], []
    for name in [*names, "d"]:
        found = report.overall if name == "overall" else row(report, name)
        where = np.ones(900, dtype=bool) if name == "overall" else group == name
        difference = (teacher_score - student_score)[where]
        assert found["teacher"] == pytest.approx(teacher_score[where].mean())
        assert found["baseline"] == pytest.approx(baseline_score[where].mean())
        assert found["gap"] == pytest.approx(difference.mean())
        assert (found["low"], found["high"]) == pytest.approx(
            scipy_stats.ttest_1samp(difference, 0).confidence_interval(0.95)
        )
        over = scipy_stats.ttest_rel(student_score[where], baseline_score[where]).confidence_interval(0.95)
        assert (found["over_baseline_low"], found["over_baseline_high"]) == pytest.approx(tuple(over))
        assert found["agreement"] == pytest.approx((teacher.argmax(1) == student.argmax(1))[where].mean())
        assert math.isnan(found["retained"])
        p_values.append(
            [scipy_stats.ttest_1samp(difference, 0.25, alternative=side).pvalue for side in ("greater", "less")]
        )
    for column, side in enumerate(["p_exceeds", "p_within"]):
        adjusted = multipletests([p[column] for p in p_values[:4]], method="holm")[1]
        found = [report.overall[side], *(row(report, name)[side] for name in "abc")]
        assert found == pytest.approx(adjusted.tolist(), rel=1e-6)
    assert [row(report, name)["verdict"] for name in "abcd"] == ["pass", "flag", "watch", "too few"]
    watched = (teacher_score - student_score)[group == "c"]
    reach = scipy_stats.norm.ppf(1 - 0.05 / 4 / 2) + scipy_stats.norm.ppf(0.8)
    needed = math.ceil((reach * watched.std(ddof=1) / (watched.mean() - 0.25)) ** 2) - len(watched)
    assert row(report, "c")["more_needed"] == needed


@pytest.mark.parametrize("score", [None, np.equal])
def test_no_number_of_examples_tells_a_gap_that_is_the_gap_allowed(score):
    labels, student = [0, 1] * 60, [0, 0] * 60
    report = audit(labels, labels, student, {"all": [0] * 120}, score=score, max_gap=0.5)
    assert (row(report, "0")["gap"], row(report, "0")["verdict"]) == (0.5, "watch")
    assert (row(report, "0")["more_needed"], row(report, "0")["handling"]) == (math.inf, "monitor")


# ---- what may not change an audit ----

examples = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from("abc")),
    min_size=4,
    max_size=25,
).map(lambda rows: [list(column) for column in zip(*rows, strict=True)])


def audited(labels, teacher, student, group, classes=("x", "y", "z")):
    return audit(labels, teacher, student, {"group": group}, max_gap=0.1, min_samples=5, classes=list(classes))


@pytest.mark.slow
@given(examples, st.randoms(use_true_random=False), st.permutations([7, "seven", True]))
def test_neither_order_nor_names_nor_probabilities_of_0_and_1_change_an_audit(columns, random, names):
    order = list(range(len(columns[0])))
    random.shuffle(order)
    labels, teacher, student, group = ([column[place] for place in order] for column in columns)
    renamed = dict(zip("xyz", names, strict=True))
    labels, student = ([renamed[value] for value in column] for column in (labels, student))
    teacher = np.array([[value == name for name in "xyz"] for value in teacher])
    other = audited(labels, teacher, student, group, names).table.drop(columns="ece_teacher")
    pd.testing.assert_frame_equal(other, audited(*columns).table.drop(columns="ece_teacher"))


@pytest.mark.slow
@given(examples)
def test_swapping_teacher_and_student_mirrors_the_gap_and_slices_add_up_to_the_whole(columns):
    labels, teacher, student, group = columns
    report = audited(labels, teacher, student, group)
    one, other = (
        found.table.sort_values("level", ignore_index=True)
        for found in (report, audited(labels, student, teacher, group))
    )
    assert one["gap"].tolist() == (-other["gap"]).tolist()
    assert one["low"].tolist() == pytest.approx((-other["high"]).tolist(), abs=1e-4)
    for field, mirrored in [("teacher", "student"), ("only_teacher", "only_student"), ("agreement", "agreement")]:
        assert one[field].tolist() == other[mirrored].tolist()
    for field in ["n", "only_teacher", "only_student"]:
        assert one[field].sum() == report.overall[field]
    assert np.average(one["gap"], weights=one["n"]) == pytest.approx(report.overall["gap"])


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


def test_the_method_says_what_was_done():
    labels, teacher, student, group = joined(("a", (3, 0, 97)), ("b", (0, 0, 20)))
    report = audit(labels, teacher, student, {"group": group}, min_samples=50)
    assert report.method == (
        "Verdicts come from a test on what only one of the two gets right, corrected by Holm's method for 2 tests "
        "(1 slice of at least 50 examples, and all examples together): with a probability of at least 95 %, no flag "
        "and no pass of this report is wrong. Each interval has 95 % for itself alone."
    )
    scored = audit(labels, teacher, student, {"group": group}, score=lambda a, b: np.equal(a, b), confidence=0.9)
    assert scored.score_name == "score"
    assert scored.method.startswith("Verdicts come from Student's t test of the mean difference, corrected by Holm's ")
