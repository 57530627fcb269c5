"""Holm's test and the detectable difference: against statsmodels, and written out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from kdcourse.stats import detectable_difference, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 2, 5, 50])
def test_holm_adjusts_as_statsmodels_does(m):
    p = np.random.default_rng(m).beta(0.3, 1, m).round(2)  # with ties and zeros
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_by_hand():
    # 3 · 0.01; then 2 · 0.02 = 0.04; then 1 · 0.03, but no less than the one before.
    assert holm([0.03, 0.01, 0.02]).tolist() == pytest.approx([0.04, 0.03, 0.04])


@given(p_values)
def test_holm_is_at_least_the_p_value_and_at_most_bonferronis(p):
    adjusted = holm(p)
    assert ((np.array(p) <= adjusted) & (adjusted <= np.minimum(1, len(p) * np.array(p)))).all()


@given(p_values.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))))
def test_holm_keeps_the_order_it_is_given(p_and_order):
    p, order = np.array(p_and_order[0]), np.array(p_and_order[1])
    assert (holm(p[order]) == holm(p)[order]).all()


def test_holm_does_not_change_its_argument():
    p = np.array([0.5, 0.01])
    holm(p)
    assert p.tolist() == [0.5, 0.01]


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        ([], ValueError, r"p_values must hold at least 1 value in one dimension, got shape \[0\]"),
        (0.05, ValueError, r"p_values must hold .* got shape \[\]"),
        ([[0.1, 0.2]], ValueError, r"p_values must hold .* got shape \[1, 2\]"),
        ([0.1, math.nan], ValueError, "p_values must be finite, got nan at index 1"),
        ([0.1, 1.1], ValueError, r"p_values must be in \[0, 1\], got 1\.1"),
        ([-0.1], ValueError, r"p_values must be in \[0, 1\], got -0\.1"),
        (["0.1"], TypeError, "p_values must be numbers, got ndarray of <U3"),
        (None, ValueError, r"p_values must hold .* got shape \[\]"),
    ],
)
def test_holm_names_what_it_refuses(p, error, message):
    with pytest.raises(error, match=message):
        holm(p)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("power", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("n", [8, 16, 200])  # with fewer it gives nan in places
def test_statsmodels_finds_the_detectable_difference_with_that_power(n, power, confidence):
    effect = detectable_difference(1.0, n, confidence=confidence, power=power)
    assert TTestPower().power(effect, nobs=n, alpha=1 - confidence) == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 16])
@pytest.mark.parametrize(("confidence", "power"), [(0.95, 0.8), (0.99, 0.99), (0.5, 0.6)])
def test_a_difference_of_that_size_is_found_with_that_power(n, confidence, power):
    # The noncentral t as an integral over the sample's standard deviation.
    shift = detectable_difference(1.0, n, confidence=confidence, power=power) * math.sqrt(n)
    reach = scipy_stats.t.isf((1 - confidence) / 2, n - 1)
    deviation = np.sqrt(scipy_stats.chi2.ppf((np.arange(100_000) + 0.5) / 100_000, n - 1) / (n - 1))
    found = scipy_stats.norm.cdf(shift - reach * deviation) + scipy_stats.norm.cdf(-shift - reach * deviation)
    assert found.mean() == pytest.approx(power, abs=1e-5)


@given(st.floats(1e-6, 1e6), st.integers(2, 100))
def test_the_detectable_difference_is_in_the_units_of_the_deviation(deviation, n):
    assert detectable_difference(deviation, n) == pytest.approx(deviation * detectable_difference(1.0, n))


@given(st.integers(2, 300), st.floats(0.1, 0.98))
def test_more_pairs_and_less_power_need_smaller_differences(n, power):
    difference = detectable_difference(1.0, n, power=power)
    assert (
        detectable_difference(1.0, n + 1, power=power) < difference < detectable_difference(1.0, n, power=power + 0.01)
    )


def test_without_spread_any_difference_is_found():
    assert detectable_difference(0, 5) == 0.0
    assert detectable_difference(0, 5, example_deviation=0, examples=10) == 0.0


@pytest.mark.parametrize("power", [0.5, 0.8])
@pytest.mark.parametrize(("deviation", "of_examples"), [(1.0, 8.0), (0.2, 8.0), (1.0, 2.0)])
def test_with_few_examples_a_difference_of_that_size_is_found_with_that_power(deviation, of_examples, power):
    # Statsmodels takes an effect in deviations of a single pair, and nobs for the degrees of freedom; neither is whole.
    options = {"power": power, "example_deviation": of_examples, "examples": 100}
    difference = detectable_difference(deviation, 8, **options)
    pairs, examples = deviation**2 / 8, of_examples**2 / 100
    most = pairs * 7 / scipy_stats.chi2.ppf(0.2, 7)  # for the degrees of freedom
    nobs = 1 + (most + examples) ** 2 / (most**2 / 7 + examples**2 / 99)
    effect = difference / math.sqrt(pairs + examples) / math.sqrt(nobs)
    assert TTestPower().power(effect, nobs=nobs, alpha=0.05) == pytest.approx(power, abs=1e-9)


@given(st.floats(0.01, 100), st.integers(2, 50))
def test_examples_that_all_say_the_same_change_nothing(deviation, n):
    expected = detectable_difference(deviation, n)
    assert detectable_difference(deviation, n, examples=7) == pytest.approx(expected)
    assert detectable_difference(deviation, n, example_deviation=0.0, examples=7) == pytest.approx(expected)


def test_no_number_of_pairs_shows_less_than_the_examples_do():
    found = [detectable_difference(1.0, n, example_deviation=5.0, examples=10_000) for n in (10, 100, 10_000, 10**8)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx((1.959964 + 0.841621) * 5 / 100, rel=1e-3)


@pytest.mark.parametrize(("only_a", "only_b"), [(30, 0), (45, 15), (200, 180)])
def test_the_half_width_of_the_examples_alone_is_that_of_mcnemars_variance(only_a, only_b):
    n, gap = 1000, (only_a - only_b) / 1000
    differences = np.repeat([1, -1, 0], [only_a, only_b, n - only_a - only_b])
    expected = 1.959964 * math.sqrt((only_a + only_b) - (only_a - only_b) ** 2 / n) / n  # Agresti 2013, section 11.1
    disagree = (only_a + only_b) / n
    options = {"power": 0.5, "example_deviation": math.sqrt(disagree - gap**2), "examples": n}
    assert detectable_difference(0.0, 10, **options) == pytest.approx(expected, rel=0.005)
    assert differences.std() == pytest.approx(options["example_deviation"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"deviation": -1}, ValueError, r"deviation must be >= 0 and finite, got -1"),
        ({"deviation": math.nan}, ValueError, "deviation must be >= 0 and finite, got nan"),
        ({"deviation": math.inf}, ValueError, "deviation must be >= 0 and finite, got inf"),
        ({"deviation": "1"}, TypeError, "deviation must be a number, got '1'"),
        ({"deviation": [1.0, 2.0]}, TypeError, "deviation must be a number, got list"),
        ({"n": 1}, ValueError, "n must be an integer >= 2, got 1"),
        ({"n": 5.0}, ValueError, r"n must be an integer >= 2, got 5\.0"),
        ({"n": True}, ValueError, "n must be an integer >= 2, got True"),
        ({"example_deviation": 1.0}, ValueError, "examples must be given with an example_deviation, got None"),
        ({"example_deviation": -1.0, "examples": 9}, ValueError, r"example_deviation must be >= 0 and finite, got -1"),
        ({"example_deviation": 1.0, "examples": 1}, ValueError, "examples must be an integer >= 2, got 1"),
        ({"examples": 9.0}, ValueError, r"examples must be an integer >= 2, got 9\.0"),
        ({"confidence": 1}, ValueError, r"confidence must be in \(0, 1\), got 1"),
        ({"confidence": "high"}, TypeError, "confidence must be a number, got 'high'"),
        ({"power": 1.0}, ValueError, r"power must be in \(0\.05, 1\), above 1 - confidence, got 1"),
        ({"power": 0.05}, ValueError, r"power must be in \(0\.05, 1\), .* got 0\.05"),
        ({"power": 0.25, "confidence": 0.75}, ValueError, r"power must be in \(0\.25, 1\), .* got 0\.25"),
        ({"power": math.nan}, ValueError, "power must be in .* got nan"),
        ({"power": True}, TypeError, "power must be a number, got True"),
    ],
)
def test_the_detectable_difference_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        detectable_difference(**{"deviation": 1.0, "n": 5, **arguments})
