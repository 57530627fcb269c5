"""The explorer of an audit, in Python: its table is the audit's own, whatever the dials say."""

import math

import numpy as np
import pandas as pd
import pytest

from kdcourse.audit import audit
from kdcourse.widgets import slices

COLUMNS = ["slice", "level", "n", "gap", "low", "high", "verdict", "more_needed", "handling"]
LIMITS = [0.0, 0.01, 0.03, 0.0725, 0.2]


def examples(seed):
    """(labels, teacher, student, slices) of a student that loses nothing, something or much, slice by slice."""
    random = np.random.default_rng(seed)
    n = int(random.integers(300, 900))
    group = random.integers(0, 3, n) * random.integers(0, 2, n)
    labels = random.integers(0, 2, n)
    wrong_teacher = random.random(n) < random.choice([0.0, 0.05])
    wrong_student = random.random(n) < random.choice([0.0, 0.02, 0.08, 0.3], 3)[group]
    teacher = np.where(wrong_teacher, 1 - labels, labels)
    student = np.where(wrong_student ^ (wrong_teacher & (random.random(n) < 0.7)), 1 - labels, labels)
    names = np.array(["plain", "hard", "rare"])
    return labels, teacher, student, {"group": names[group], "size": random.integers(0, 3, n)}


def hard_ham(**options):
    """About what lesson 05 audits: the student loses a little everywhere, and hard ham is rare."""
    sizes = {"easy-ham": (480, 4, 0), "hard-ham": (95, 7, 2), "spam": (216, 6, 0), "list": (120, 36, 1)}
    rows = [
        (name, only_teacher, only_student)
        for name, (n, b, c) in sizes.items()
        for only_teacher, only_student in [(1, 0)] * b + [(0, 1)] * c + [(0, 0)] * (n - b - c)
    ]
    group, only_teacher, only_student = map(np.array, zip(*rows, strict=True))
    labels = np.arange(len(group)) % 2
    teacher = np.where(only_student == 1, 1 - labels, labels)
    student = np.where(only_teacher == 1, 1 - labels, labels)
    return audit(labels, teacher, student, {"group": group}, **{"max_gap": 0.03, **options})


# ---- the table ----


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_table_is_that_of_an_audit_with_the_same_limit_and_minimum(seed):
    data = examples(seed)
    explorer = slices(audit(*data, max_gap=0.01, thresholds={"group=hard": 0.2}), LIMITS)
    for max_gap in LIMITS:
        for min_samples in (20, 150):
            explorer.max_gap, explorer.min_samples = max_gap, min_samples
            expected = audit(*data, max_gap=max_gap, min_samples=min_samples)
            pd.testing.assert_frame_equal(explorer.table, expected.table[COLUMNS])
            assert explorer.overall.to_dict() == expected.overall[COLUMNS].to_dict()


def test_the_sliders_start_where_the_audit_stood():
    explorer = slices(hard_ham(min_samples=60))
    assert (explorer.max_gap, explorer.min_samples) == (0.03, 60)
    assert explorer.limits[:4] == [0.0, 0.0025, 0.005, 0.0075]
    assert (explorer.limits[-1], len(explorer.limits)) == (0.1, 41)
    assert explorer.minimums == [10, 20, 30, 50, 60, 70, 100, 150, 200, 300]
    verdicts = explorer.table.set_index("level")["verdict"].to_dict()
    assert verdicts == {"list": "flag", "easy-ham": "pass", "spam": "watch", "hard-ham": "watch"}
    explorer.max_gap = 0.1 - 0.07  # not quite 0.03
    assert explorer.max_gap == 0.03


def test_a_limit_between_those_of_the_slider_is_offered_too_and_many_slices_have_fewer():
    between, chosen = slices(hard_ham(max_gap=0.033)), slices(hard_ham(max_gap=0.033), [0.05, 0.02, 0.02])
    assert (between.max_gap, len(between.limits)) == (0.033, 42)
    assert (chosen.limits, chosen.max_gap) == ([0.02, 0.05], 0.02)
    labels = np.tile([0, 1], 600)
    many = slices(audit(labels, labels, labels, {"group": np.repeat(np.arange(30).astype(str), 40)}))
    assert many.limits == [k / 100 for k in range(11)]


def test_p_values_that_are_left_out_are_those_that_show_nothing():
    """What is not computed, well inside an interval, is above the level of the tests on both sides."""
    from kdcourse.stats.paired import gap_p_values

    for seed in range(3):
        report = audit(*examples(seed), max_gap=0.03)
        for row in slices(report, LIMITS).rows:
            counts = row["only_teacher"], row["only_student"], row["n"]
            for limit, *given in zip(LIMITS, row["p_exceeds"], row["p_within"], strict=True):
                exact = gap_p_values(*counts, limit)
                assert given == list(exact) or (given == [1, 1] and min(exact) > 0.025)


# ---- the state ----


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_gap", 0.0301, r"max_gap must be one of the 41 limits from 0 to 0.1 \(slices takes others\), got 0.0301"),
        ("max_gap", math.nan, "max_gap must be one of the 41 limits"),
        ("min_samples", 0, "min_samples must be an integer >= 1, got 0"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(name, value, message):
    explorer = slices(hard_ham())
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert (explorer.max_gap, explorer.min_samples) == (0.03, 100)


# ---- what is refused ----


def test_only_an_audit_of_accuracy_can_be_shown():
    def accuracy(labels, predictions):
        return 2.0 * (labels == predictions)

    def recall(labels, predictions):
        return labels == predictions

    for score in (accuracy, recall):
        with pytest.raises(ValueError, match=f"report must be an audit of accuracy, got one of '{score.__name__}'"):
            slices(audit(*examples(0), score=score))
    with pytest.raises(TypeError, match="report must be an AuditReport, got DataFrame"):
        slices(pd.DataFrame())


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([0.03, 3], r"limits must be two or more shares in \[0, 1\), got \[0.03, 3.0\]"),
        (["3 %"], "limits must be a number, got '3 %'"),
        ("0.03", "limits must be shares, got '0.03'"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises((TypeError, ValueError), match=message):
        slices(hard_ham(), limits)
