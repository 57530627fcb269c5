"""The calibration error against a naive loop; the fitted temperature against other optimisers and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from scipy import stats as scipy_stats

from kdcourse.stats.calibration import expected_calibration_error, fit_bias, fit_temperature, reliability


def examples(seed=0, n=400, classes=5, spread=2.0, sharpness=1.0):
    """Logits, and labels that are drawn from their softmax at T = 1 / sharpness: at that temperature, calibrated."""
    random = np.random.default_rng(seed)
    logits = spread * random.normal(size=(n, classes))
    scores = sharpness * logits + random.gumbel(size=(n, classes))
    return logits, scores.argmax(1)


# ---- the bias ----


@pytest.mark.parametrize("label", range(5))
def test_the_bias_is_the_first_of_the_best_that_a_loop_finds(label):
    logits, labels = examples(label)
    logits[:, label] -= 4.2  # as if the class had never been the likeliest
    right = {}
    for step in range(41):
        raised = logits.copy()
        raised[:, label] += step / 2
        right[step / 2] = sum(row.argmax() == truth for row, truth in zip(raised, labels, strict=True))
    assert fit_bias(logits, torch.from_numpy(labels), label) == max(right, key=right.get) > 0


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 4))
def test_of_equal_logits_the_first_counts_for_the_bias_too(seed, n, classes):
    random = np.random.default_rng(seed)
    logits, labels = random.integers(-4, 4, (n, classes)) / 2, random.integers(0, classes, n)  # many are equal
    for label in range(classes):
        right = {}
        for step in range(41):
            raised = logits.copy()
            raised[:, label] += step / 2
            right[step / 2] = (raised.argmax(1) == labels).sum()
        assert fit_bias(logits, labels, label) == max(right, key=right.get)
    assert fit_bias([[0.0, 1.0]], [0], 0) == 1
    assert fit_bias([[1.0, 0.0]], [1], 1) == 1.5


def test_a_class_that_is_not_there_is_not_raised_and_one_that_cannot_be_is_refused():
    logits, labels = examples()
    assert fit_bias(logits, np.where(labels == 2, 1, labels), 2) == 0
    with pytest.raises(ValueError, match="label must be one of the 5 classes, got 5"):
        fit_bias(logits, labels, 5)
    with pytest.raises(ValueError, match="label must be an integer >= 0, got -1"):
        fit_bias(logits, labels, -1)
    with pytest.raises(ValueError, match="logits must be of two classes or more, got 1"):
        fit_bias(logits[:, :1], np.zeros_like(labels), 0)


# ---- the temperature ----


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_temperature_is_the_one_that_torch_finds(seed):
    logits, labels = (torch.from_numpy(array) for array in examples(seed, sharpness=0.5))
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_temperature], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-15
    )

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(logits, labels) == pytest.approx(log_temperature.exp().item(), rel=1e-6)


@given(st.integers(0, 1000), st.integers(2, 12), st.floats(0.2, 5))
def test_at_the_optimum_the_expected_logit_is_that_of_the_labels(seed, classes, sharpness):
    logits, labels = examples(seed, n=200, classes=classes, sharpness=sharpness)
    temperature = fit_temperature(logits, labels)
    expected = (special.softmax(logits / temperature, axis=1) * logits).sum(1).mean()
    assert expected == pytest.approx(logits[np.arange(200), labels].mean(), abs=1e-9)


@given(st.floats(0.1, 20), st.integers(1, 9))
def test_two_classes_at_one_distance_have_a_closed_form(distance, right):
    # Confidence is 1 / (1 + exp(-distance / T)) everywhere, and has to become the share that is right.
    logits = np.tile([distance, 0.0], (20, 1))
    labels = np.array([0] * (10 + right) + [1] * (10 - right))
    expected = distance / math.log((10 + right) / (10 - right))
    assert fit_temperature(logits, labels) == pytest.approx(expected)


@given(st.integers(0, 1000), st.integers(-20, 20))
def test_louder_logits_need_a_temperature_that_is_higher_in_proportion(seed, exponent):
    logits, labels = examples(seed, n=60)
    factor = 10.0**exponent
    ratio = fit_temperature(factor * logits, labels) / fit_temperature(logits, labels)
    assert ratio / factor == pytest.approx(1)


@given(st.integers(0, 1000))
def test_a_number_added_to_a_row_changes_nothing(seed):
    logits, labels = examples(seed, n=60)
    shift = np.random.default_rng(seed).normal(scale=10, size=(60, 1))
    assert fit_temperature(logits + shift, labels) == pytest.approx(fit_temperature(logits, labels))


def test_a_class_that_is_ruled_out_has_no_say():
    logits, labels = examples(classes=4)
    ruled_out = np.hstack([logits, np.full((len(logits), 1), -1e9)])
    assert fit_temperature(ruled_out, labels) == pytest.approx(fit_temperature(logits, labels))


def test_tensors_arrays_and_lists_give_the_same_temperature():
    logits, labels = examples(n=50)
    expected = fit_temperature(logits, labels)
    with_gradient = torch.tensor(logits, requires_grad=True)
    assert fit_temperature(with_gradient, torch.tensor(labels)) == expected
    assert fit_temperature(logits.tolist(), labels.tolist()) == expected
    rough = fit_temperature(torch.tensor(logits, dtype=torch.bfloat16), labels)
    assert isinstance(rough, float)
    assert rough == pytest.approx(expected, rel=0.02)


ROWS = [[2.0, 0.0, -1.0], [0.0, 1.0, 3.0], [1.0, 0.5, 0.0], [0.0, 4.0, 1.0]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        # The loss falls towards T = 0, and towards infinity.
        ({"labels": [0, 2, 0, 1]}, ValueError, "logits must put another class above .* T = 0; .* for 1 of the labels"),
        ({"labels": [2, 0, 2, 0]}, ValueError, r"logits must be higher for the labels .* got -0\.25 .* and 0\.9583"),
        ({"logits": np.ones((4, 3))}, ValueError, "logits must differ between the classes, got equal ones"),
        ({"logits": [[0.0, math.nan, 1.0]] * 4}, ValueError, r"logits must be finite, got nan at index \[0, 1\]"),
        ({"logits": [0.0, 1.0, 2.0, 3.0]}, ValueError, r"logits must be \[N, C\] .* got \[4\] for 4 labels"),
        ({"logits": [["a", "b"]] * 4}, TypeError, "logits must be numbers, got ndarray of <U1"),
        ({"labels": [0, 2, 0, 3]}, ValueError, r"labels must be in \[0, 3\), got 3"),
        ({"labels": [0.0, 2.0, 0.0, 1.0]}, ValueError, "labels must be integers .* got float64"),
    ],
)
def test_the_fit_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        fit_temperature(**{"logits": ROWS, "labels": [0, 2, 1, 1], **arguments})


# ---- the table ----


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 300))
def test_the_calibration_error_is_the_weighted_gap_of_the_table(seed, bins, n):
    logits, labels = examples(seed, n=n, sharpness=0.5)
    probabilities = special.softmax(logits, axis=1)
    table = reliability(probabilities, labels, bins)
    error = (table.n / n * (table.accuracy - table.confidence).abs()).sum()
    assert error == pytest.approx(expected_calibration_error(probabilities, labels, bins), abs=1e-12)
    assert table.n.sum() == n
    assert (table.n * table.accuracy).sum() == pytest.approx((probabilities.argmax(1) == labels).sum())
    assert (table.n * table.confidence).sum() == pytest.approx(probabilities.max(1).sum())
    assert ((table.low < table.confidence + 1e-12) & (table.confidence <= table.high + 1e-12)).all()
    assert (table.low.diff().dropna() > 0).all()


def test_a_row_of_the_table_by_hand():
    probabilities = [[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 2 + [[0.6, 0.4]] * 4
    table = reliability(torch.tensor(probabilities), torch.tensor([0, 0, 1, 1, 0, 0, 1, 0, 1]), bins=4)
    assert table[["low", "high", "n"]].values.tolist() == [[0.5, 0.75, 4], [0.75, 1.0, 5]]
    assert table.confidence.tolist() == pytest.approx([0.6, (3 * 0.9 + 2 * 0.8) / 5])
    assert table.accuracy.tolist() == pytest.approx([0.5, 0.6])
    for row in table.itertuples():
        expected = scipy_stats.binomtest(round(row.n * row.accuracy), row.n).proportion_ci(0.95, "wilson")
        assert (row.accuracy_low, row.accuracy_high) == pytest.approx((expected.low, expected.high))
    assert table.columns.tolist() == ["low", "high", "n", "confidence", "accuracy", "accuracy_low", "accuracy_high"]


# ---- the calibration error ----


def naive_calibration_error(probabilities, labels, bins):
    error = 0.0
    for k in range(bins):
        inside = [i for i, row in enumerate(probabilities) if k / bins < max(row) <= (k + 1) / bins]
        if inside:
            accuracy = sum(int(np.argmax(probabilities[i])) == labels[i] for i in inside) / len(inside)
            confidence = sum(max(probabilities[i]) for i in inside) / len(inside)
            error += len(inside) / len(labels) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("bins", [1, 5, 15, 40])
def test_the_calibration_error_agrees_with_a_naive_loop(bins):
    random = np.random.default_rng(bins)
    probabilities = random.dirichlet([0.4] * 4, size=300)
    labels = random.integers(0, 4, 300)
    expected = naive_calibration_error(probabilities.tolist(), labels.tolist(), bins)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower_one():
    # 0.5 falls into (0, 1/2], right, 0.75 into (1/2, 1], wrong; in one bin the gaps would nearly cancel.
    error = expected_calibration_error([[0.5, 0.5], [0.75, 0.25]], [0, 1], bins=2)
    assert error == pytest.approx((0.5 + 0.75) / 2)


def test_a_decimal_confidence_on_an_edge_belongs_to_the_lower_bin_too():
    # 14 / 25 is the number 0.56, but 0.56 * 25 is more than 14.
    table = reliability([[0.56, 0.44]], [0], bins=25)
    assert table[["low", "high"]].values.tolist() == [[0.52, 0.56]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probabilities": [[0.5, 0.6], [0.5, 0.5]]}, r"probabilities must sum to 1 .* got 1\.1 in row 0"),
        ({"probabilities": [1.0, 1.0]}, r"probabilities must be \[N, C\].*got \[2\]"),
        ({"probabilities": [[1.5, -0.5], [0.5, 0.5]]}, r"probabilities .* got (1\.5|-0\.5)"),
        ({"probabilities": [[0.5, 0.5], [math.nan, 0.5]]}, "probabilities .* got nan"),
        ({"probabilities": np.zeros((0, 2)), "labels": []}, r"probabilities .* got \[0, 2\] for 0 labels"),
        ({"labels": [0, 2]}, "labels .* got 2"),
        ({"labels": [-1, 0]}, "labels .* got -1"),
        ({"bins": 0}, "bins .* got 0"),
    ],
)
@pytest.mark.parametrize("call", [expected_calibration_error, reliability])
def test_error_and_table_name_what_they_refuse(call, arguments, message):
    with pytest.raises(ValueError, match=message):
        call(**{"probabilities": [[0.5, 0.5], [0.9, 0.1]], "labels": [0, 1], **arguments})
