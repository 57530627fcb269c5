"""How far gaps may be off: against resampling and DeLong, by simulation; weights, and clusters as wholes."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from paired_models import drawn

from kdcourse.audit import audit
from kdcourse.audit.judging import spread
from kdcourse.audit.metrics import METRICS
from kdcourse.stats.paired import gap_interval
from kdcourse.stats.ranking import auroc_contributions

THRESHOLD = 0.4


# ---- errors ----


def measured(metric, labels, teacher, student, weights=None, clusters=None):
    """(gap in value, its Spread) as the audit has them."""
    one = METRICS[metric]
    if one.reads == "probabilities":
        models = [np.stack([1 - p, p], axis=1) for p in (teacher, student)]
    elif one.reads in ("one class", "choices"):
        labels, models = labels.astype(bool), [p >= THRESHOLD for p in (teacher, student)]
    else:
        labels, models = labels.astype(bool if one.reads == "scores" else float), [teacher, student]
    weights = np.ones(len(labels)) if weights is None else weights
    of = [one.measure(labels, model, weights) for model in models]
    return of[0].value - of[1].value, spread.spread(*of, weights, labels if one.by_class else None, clusters)


ERRORS = ["accuracy", "precision", "f1", "balanced-accuracy", "auroc", "log-loss", "brier", "ece", "mae", "rmse"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "weights", "clusters"])
@pytest.mark.parametrize("metric", ERRORS)
def test_the_error_is_that_of_examples_drawn_again(metric, kind):
    random = np.random.default_rng(7)
    labels, teacher, student = drawn(random, 1000, shared=4 if kind == "clusters" else 0)
    weights = random.exponential(size=1000) if kind == "weights" else None
    clusters = np.arange(1000) // 4 if kind == "clusters" else None
    _, found = measured(metric, labels, teacher, student, weights, clusters)
    again = []
    for _ in range(500):
        rows = random.integers(1000, size=1000)
        if kind == "clusters":
            rows = (4 * random.integers(250, size=250)[:, None] + np.arange(4)).ravel()
        own = None if weights is None else weights[rows]
        again.append(measured(metric, labels[rows], teacher[rows], student[rows], own)[0])
    if metric == "ece":  # is not smooth: bins that lie near their confidence change sides, and the error is too large
        assert 0.9 * np.std(again) < found.error < 2 * np.std(again)
    else:
        assert found.error == pytest.approx(np.std(again), rel=0.12)
    if kind == "clusters":
        assert found.design_effect > 1.3
        assert found.degrees == pytest.approx(249)


def test_the_error_of_auroc_is_delongs():
    labels, teacher, student = drawn(np.random.default_rng(8))
    _, found = measured("auroc", labels, teacher, student)
    difference = auroc_contributions(labels, teacher) - auroc_contributions(labels, student)
    assert found.error == pytest.approx(difference.std(ddof=1) / math.sqrt(600))


COVERED = {"precision", "f1", "balanced-accuracy", "accuracy"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "weights", "clusters"])
@pytest.mark.parametrize("metric", ERRORS)
def test_intervals_hold_the_true_gap_as_often_as_they_say(metric, kind):
    """In 92 to 98 % of 800 samples of 200, and shares of right choices, or ECE, in no less than that."""
    random = np.random.default_rng(9)
    shared = 4 if kind == "clusters" else 0
    truth, _ = measured(metric, *drawn(random, 400_000, shared=shared))
    inside = 0
    for _ in range(800):
        labels, teacher, student = drawn(random, 200, shared=shared)
        weights = random.uniform(0.2, 2, 200) if kind == "weights" else None
        clusters = np.arange(200) // 4 if shared else None
        gap, found = measured(metric, labels, teacher, student, weights, clusters)
        low, high = spread.interval(gap, found.error, found.degrees, found.size, 0.95)
        inside += low <= truth <= high
    assert inside / 800 >= 0.92
    assert inside / 800 <= 0.98 or metric in COVERED | {"ece"}


def test_models_that_never_differ_are_not_taken_for_equal():
    for size in (100, 300, 1000):
        low, high = spread.interval(0.0, 0.0, size - 1, size, 0.95)
        assert low == -high
        _, exact = gap_interval(0, 0, size)
        assert high == pytest.approx(exact, rel=0.25)
        assert high > 0.9 * exact
    labels = [0, 1] * 100
    report = audit(labels, labels, labels, {"g": ["a", "b"] * 100}, weights=[1, 2] * 100, max_gap=0.01)
    assert report.overall["verdict"] == "watch"


@pytest.mark.parametrize("margin", [-0.05, 0.0, 0.02, 0.1])
@pytest.mark.parametrize(
    ("gap", "error", "size"), [(0.03, 0.02, 150.0), (0.0, 0.0, 80.0), (-0.2, 0.05, 40.0), (0.3, 0.1, math.nan)]
)
def test_interval_and_tests_agree(gap, error, size, margin):
    for confidence in (0.8, 0.95, 0.999):
        low, high = spread.interval(gap, error, 30, size, confidence)
        exceeds, within = spread.p_values(gap, error, 30, size, margin)
        assert (exceeds <= (1 - confidence) / 2) == (margin < low)
        assert (within <= (1 - confidence) / 2) == (margin > high)


# ---- weights and clusters ----


def test_equal_weights_and_clusters_of_one_change_nothing():
    labels, teacher, student = drawn(np.random.default_rng(12))
    arguments = labels, teacher >= 0.5, student >= 0.5, {"half": np.arange(600) % 2}
    alone = audit(*arguments).table
    pd.testing.assert_frame_equal(audit(*arguments, weights=[3.5] * 600, clusters=range(600)).table, alone)


def test_whole_weights_are_copies_and_clusters_of_copies_undo_them():
    random = np.random.default_rng(13)
    labels, teacher, student = drawn(random)
    slices, times = random.choice(list("ab"), 600), random.integers(1, 4, 600)
    for metric in ["balanced-accuracy", "auroc", "log-loss"]:
        more = {"threshold": 0.5} if metric == "balanced-accuracy" else {}
        weighted = audit(labels, teacher, student, {"g": slices}, metric=metric, weights=times, **more).overall
        rows = np.arange(600).repeat(times)
        copied = audit(
            labels[rows], teacher[rows], student[rows], {"g": slices[rows]}, metric=metric, clusters=rows, **more
        ).overall
        assert weighted["gap"] == pytest.approx(copied["gap"])
        # Class by class, or in one draw: the same but for a few per cent.
        assert weighted["standard_error"] == pytest.approx(copied["standard_error"], rel=0.02)
        assert copied["design_effect"] > 1.5


@pytest.mark.parametrize(
    ("weights", "clusters", "said"),
    [
        ([1, 2, -1, 1], None, "weights must be >= 0, got -1 in row 2"),
        ([1, 2, math.nan, 1], None, "weights must hold no missing values, got 1, the first in row 2"),
        ([1, 2, math.inf, 1], None, "weights must hold finite numbers, got inf in row 2"),
        ([0, 0, 0, 0], None, "weights must not all be 0"),
        ([1, 2], None, "weights must be as long as labels, got 2"),
        (list("abcd"), None, "weights must hold numbers, got "),
        (None, [1, 1, 1, 1], "clusters must name two clusters or more, got 1 only"),
        (None, [1, None, 2, 1], "clusters must hold no missing values, got 1"),
        (None, [1, 2], "clusters must be as long as labels, got 2"),
    ],
)
def test_bad_weights_and_clusters_are_refused_by_name(weights, clusters, said):
    with pytest.raises((TypeError, ValueError), match=re.escape(said)) as refused:
        audit([0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0], {"g": list("aabb")}, weights=weights, clusters=clusters)
    assert refused.value.argument == said.split()[0]
