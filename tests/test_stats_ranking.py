"""The AUROC as a mean: against scikit-learn, and DeLong's variance pair by pair."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kdcourse.stats import auroc_contributions, compare


@st.composite
def scored(draw, models=1):
    """(labels, scores of each model): at least 2 of either label, and ties as often as not."""
    labels = [0, 0, 1, 1, *draw(st.lists(st.integers(0, 1), max_size=30))]
    score = draw(st.sampled_from([st.integers(0, 3), st.floats(-10, 10)]))
    columns = [draw(st.lists(score, min_size=len(labels), max_size=len(labels))) for _ in range(models)]
    return np.array(labels), np.array(columns, dtype=float)


def components(labels, scores):
    """DeLong's: of each positive the share of negatives below it, of each negative that of positives above it."""

    def wins(positive, negative):
        return float(positive > negative) + 0.5 * float(positive == negative)

    positives, negatives = scores[labels == 1], scores[labels == 0]
    of_positives = [np.mean([wins(x, y) for y in negatives]) for x in positives]
    return of_positives, [np.mean([wins(x, y) for x in positives]) for y in negatives]


@given(scored())
def test_the_mean_is_the_auroc(case):
    labels, (scores,) = case
    contributions = auroc_contributions(labels, scores)
    assert contributions.mean() == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert (contributions.dtype, contributions.shape) == (np.float64, labels.shape)


@given(scored(models=2))
def test_the_variance_of_the_mean_is_delongs_and_so_is_the_covariance_of_two_models(case):
    labels, scores = case
    positives, negatives = zip(*(components(labels, one) for one in scores), strict=True)
    expected = np.cov(positives) / (labels == 1).sum() + np.cov(negatives) / (labels == 0).sum()
    contributions = np.stack([auroc_contributions(labels, one) for one in scores])
    assert np.cov(contributions) / len(labels) == pytest.approx(expected, abs=1e-12)


def test_compare_gives_delongs_interval_of_two_models_trained_without_luck():
    random = np.random.default_rng(0)
    labels = random.random(200) < 0.3
    scores = labels + random.normal(size=200) + np.array([0.5, 2.0])[:, None] * random.normal(size=(2, 200))
    a, b = (auroc_contributions(labels, one) for one in scores)
    positives, negatives = (np.array(both) for both in zip(*(components(labels, s) for s in scores), strict=True))
    delong = sum(np.var(one - other, ddof=1) / len(one) for one, other in (positives, negatives))
    result = compare(np.tile(a, (5, 1)), np.tile(b, (5, 1)))
    assert result.mean == pytest.approx(roc_auc_score(labels, scores[0]) - roc_auc_score(labels, scores[1]))
    assert result.example_error == pytest.approx(math.sqrt(delong))


def test_only_the_order_of_the_scores_counts():
    labels, scores = np.array([0, 1, 0, 1, 1]), np.array([-1.0, 0.5, 0.5, 2.0, -3.0])
    assert auroc_contributions(labels, np.exp(scores)).tolist() == auroc_contributions(labels, scores).tolist()


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, lambda labels: pd.Series(labels, dtype="boolean")])
def test_labels_may_be_booleans_of_any_kind(kind):
    scores = [-1.0, 0.5, 0.5, 2.0]
    expected = auroc_contributions([0, 1, 0, 1], scores).tolist()
    assert auroc_contributions(kind([False, True, False, True]), scores).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"labels": [0, 1, 1, 1]}, ValueError, "labels must hold at least 2 positives and 2 negatives, got 3 and 1"),
        ({"labels": [0, 0, 0, 0]}, ValueError, "labels must hold .* got 0 and 4"),
        ({"labels": [0, 1, 2, 1]}, ValueError, "labels must be booleans, or integers 0 and 1, got 2"),
        ({"labels": [-1, 0, 1, 1]}, ValueError, "labels must be booleans, or integers 0 and 1, got -1"),
        ({"labels": [0.0, 1.0, 0.0, 1.0]}, TypeError, "labels must be booleans"),
        ({"labels": [True, None, False, True]}, TypeError, "labels must be booleans, .* got ndarray of object"),
        ({"labels": []}, ValueError, r"labels must hold at least 1 value in one dimension, got shape \[0\]"),
        ({"scores": [1.0, 2.0]}, ValueError, "scores must be as long as labels, got 2 and 4"),
        ({"scores": [1.0, 2.0, math.nan, 3.0]}, ValueError, "scores must be finite, got nan at index 2"),
        ({"scores": np.zeros((4, 2))}, ValueError, r"scores must hold .* got shape \[4, 2\]"),
    ],
)
def test_auroc_contributions_name_what_they_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        auroc_contributions(**{"labels": [0, 0, 1, 1], "scores": [1.0, 2.0, 3.0, 4.0], **arguments})
