"""Intervals against scipy's own tests, closed forms written out, and naive loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from kdcourse.stats import compare, mean_interval, proportion_interval

values = st.floats(-1000, 1000)
MIRROR = {"better": "worse", "worse": "better", "equivalent": "equivalent", "inconclusive": "inconclusive"}


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_compare_gives_the_paired_interval_of_scipy(n, confidence):
    random = np.random.default_rng(n)
    a, b = random.normal(1, 2, n), random.normal(0, 1, n)
    comparison = compare(a, b, confidence=confidence)
    expected = scipy_stats.ttest_rel(a, b).confidence_interval(confidence)
    assert (comparison.low, comparison.high) == pytest.approx((expected.low, expected.high))
    assert comparison.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert comparison.n == n


def test_compare_reproduces_the_sleep_data_of_student():
    # Student 1908: extra hours of sleep of ten patients under two drugs; R's t.test(paired = TRUE) prints
    # "95 percent confidence interval: -2.4598858 -0.7001142, mean difference -1.58".
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    comparison = compare(first, second)
    assert comparison[:3] == pytest.approx((-1.58, -2.4598858, -0.7001142), abs=5e-8)
    assert (comparison.n, comparison.verdict) == (10, "worse")


# Differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t(0.975, 2) = 4.30265: the interval is 2 ± 2.4841.
# Differences 9, 10, 11 and -9, -10, -11: ±10 ± 2.4841.
@pytest.mark.parametrize(
    ("difference", "margin", "verdict"),
    [
        ([9, 10, 11], 0, "better"),
        ([9, 10, 11], 7.5, "better"),
        ([9, 10, 11], 7.6, "inconclusive"),
        ([9, 10, 11], 12.4, "inconclusive"),
        ([9, 10, 11], 12.5, "equivalent"),
        ([-9, -10, -11], 0, "worse"),
        ([-9, -10, -11], 7.5, "worse"),
        ([-9, -10, -11], 7.6, "inconclusive"),
        ([-9, -10, -11], 12.5, "equivalent"),
        ([1, 2, 3], 0, "inconclusive"),
        ([1, 2, 3], 4.4, "inconclusive"),
        ([1, 2, 3], 4.5, "equivalent"),
        ([1, 2, 3], math.inf, "equivalent"),
        # No variance: the interval is a point, here on the edge of the margin and on either side of it.
        ([2, 2, 2], 0, "better"),
        ([2, 2, 2], 1.99, "better"),
        ([2, 2, 2], 2, "inconclusive"),
        ([2, 2, 2], 2.01, "equivalent"),
        ([-2, -2, -2], 2, "inconclusive"),
        ([-2, -2, -2], 1.99, "worse"),
        ([0, 0, 0], 0, "inconclusive"),
        ([0, 0, 0], 1e-9, "equivalent"),
    ],
)
def test_the_verdict_depends_on_where_the_whole_interval_lies(difference, margin, verdict):
    b = np.array([5.0, 6.0, 7.0])
    assert compare(b + difference, b, margin=margin).verdict == verdict


@given(st.lists(st.tuples(values, values), min_size=2, max_size=8), st.floats(0, 10), st.floats(0.01, 0.99))
def test_swapping_the_arms_mirrors_everything(pairs, margin, confidence):
    a, b = zip(*pairs, strict=True)
    one = compare(a, b, margin=margin, confidence=confidence)
    other = compare(b, a, margin=margin, confidence=confidence)
    assert (one.mean, one.low, one.high) == (-other.mean, -other.high, -other.low)
    assert one.verdict == MIRROR[other.verdict]
    assert one.low <= one.mean <= one.high


@given(st.lists(values, min_size=2, max_size=8), st.floats(0, 10))
def test_identical_arms_are_never_better_or_worse(a, margin):
    comparison = compare(a, a, margin=margin)
    assert comparison[:3] == (0, 0, 0)
    assert comparison.verdict == ("equivalent" if margin > 0 else "inconclusive")


def test_pairing_removes_what_the_arms_share():
    shared = np.array([0.0, 100.0, -50.0, 30.0])
    assert compare(shared + [1.0, 1.1, 0.9, 1.0], shared).verdict == "better"


def test_a_comparison_reads_as_a_sentence():
    text = str(compare([3.0, 4.0, 5.0], [2.0, 2.0, 2.0]))
    assert text == "+2 [-0.4841, +4.484] (n = 3): inconclusive"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": [1.0], "b": [1.0]}, r"a must hold at least 2 values in one dimension, got shape \[1\]"),
        ({"a": []}, r"a must .* got shape \[0\]"),
        ({"b": [[1.0, 2.0], [3.0, 4.0]]}, r"b must have the shape of a .* got \[2, 2\] and \[3\]"),
        ({"b": 3.0}, r"b must .* got shape \[\]"),
        ({"b": [1.0, 2.0]}, r"b must have the shape of a .* got \[2\] and \[3\]"),
        ({"a": [1.0, math.nan, 2.0]}, "a must be finite, got nan at index 1"),
        ({"b": [1.0, 2.0, -math.inf]}, "b must be finite, got -inf at index 2"),
        ({"margin": -0.1}, r"margin must be >= 0, got -0\.1"),
        ({"margin": math.nan}, "margin must be >= 0, got nan"),
        ({"confidence": 0}, r"confidence must be in \(0, 1\), got 0"),
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\), got 1"),
        ({"confidence": 95}, r"confidence must be in \(0, 1\), got 95"),
        ({"confidence": math.nan}, r"confidence must be in \(0, 1\), got nan"),
    ],
)
def test_compare_names_what_it_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare(**{"a": [1.0, 2.0, 3.0], "b": [2.0, 2.0, 2.0], **arguments})


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("sample", [[1.0, 2.0], [0.91, 0.92, 0.9, 0.93], [5.0, -3.0, 0.5, 100.0, 2.0]])
def test_the_mean_interval_is_the_one_of_scipy(sample, confidence):
    expected = scipy_stats.ttest_1samp(sample, 0).confidence_interval(confidence)
    result = mean_interval(sample, confidence)
    assert result == pytest.approx((np.mean(sample), expected.low, expected.high))


@given(st.lists(values, min_size=2, max_size=9), st.floats(0.01, 0.99))
def test_the_mean_interval_is_that_of_a_formula(sample, confidence):
    mean = math.fsum(sample) / len(sample)
    error = math.sqrt(math.fsum((one - mean) ** 2 for one in sample) / (len(sample) - 1) / len(sample))
    reach = scipy_stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * error
    assert mean_interval(sample, confidence) == pytest.approx((mean, mean - reach, mean + reach), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("value", [0.5, 0.1, -1e300, 1 / 3])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_equal_values_have_an_interval_of_no_width(value, n):
    assert mean_interval([value] * n) == (value, value, value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1.0]}, r"values must hold at least 2 .* got shape \[1\]"),
        ({"values": [1.0, math.inf]}, "values must be finite, got inf at index 1"),
        ({"confidence": 0.0}, "confidence must be .* got 0"),
    ],
)
def test_mean_interval_names_what_it_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        mean_interval(**{"values": [1.0, 2.0], **arguments})


@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959963984540054), (0.8, 1.2815515655446004)])
@pytest.mark.parametrize(("successes", "total"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 20), (9321, 10_000)])
def test_the_proportion_interval_is_wilsons(successes, total, confidence, z):
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    reach = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    low, high = proportion_interval(successes, total, confidence)
    assert (low, high) == pytest.approx((centre - reach, centre + reach), abs=1e-12)
    assert 0 <= low <= share <= high <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"total": 0}, "total must be an integer >= 1, got 0"),
        ({"total": math.nan}, "total must be an integer >= 1, got nan"),
        ({"successes": -1}, r"successes must be an integer >= 0, got -1"),
        ({"successes": 11}, r"successes must be in \[0, 10\], got 11"),
        ({"successes": math.nan}, r"successes .* got nan"),
        ({"confidence": 2}, "confidence .* got 2"),
        # An accuracy where a count belongs would quietly become zero successes.
        ({"successes": 0.93}, r"successes .* got 0\.93"),
        ({"total": 10.5}, r"total .* got 10\.5"),
    ],
)
def test_proportion_interval_names_what_it_refuses(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        proportion_interval(**{"successes": 5, "total": 10, **arguments})


@pytest.mark.parametrize(
    ("a", "margin", "said"),
    [
        ([2.0, 2.1, 2.2], 0, "up"),
        ([-2.0, -2.1, -2.2], 0, "down"),
        ([1.0, -1.0, 0.1], 0, "unclear"),
        ([0.1, 0.0, -0.1], 1, "same"),
    ],
)
def test_the_sentence_follows_the_verdict(a, margin, said):
    result = compare(a, [0.0] * 3, margin=margin)
    assert result.say(better="up", worse="down", inconclusive="unclear", equivalent="same") == said


def test_no_sentence_may_be_left_out():
    with pytest.raises(TypeError, match="inconclusive"):
        compare([1.0, 2.0], [0.0, 0.0]).say(better="up", worse="down")
    with pytest.raises(ValueError, match="equivalent must be a sentence, for that is the verdict; got ''"):
        compare([0.1, 0.0], [0.0, 0.1], margin=9).say(better="up", worse="down", inconclusive="unclear")


def test_the_margin_stands_beside_the_verdict():
    assert str(compare([0.1, 0.2, 0.1], [0.0] * 3, margin=0.5)).endswith("(n = 3): equivalent (margin 0.5)")
    assert str(compare([0.1, 0.2, 0.1], [0.0] * 3)).endswith("(n = 3): inconclusive")


def test_what_rounding_leaves_of_equal_values_is_no_difference():
    result = compare([0.3] * 5, [0.1 + 0.2] * 5)
    assert (*result, result.p_value) == (0.0, 0.0, 0.0, 5, "inconclusive", 1.0)
