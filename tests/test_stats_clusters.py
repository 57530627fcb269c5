"""Pairs that share seeds: against statsmodels, an analysis of variance, cluster means, and laws that must hold."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.formula.api import ols

from kdcourse.stats import Comparison, compare
from kdcourse.stats.bootstrap import bootstrap_tolerance

INIT, ORDER = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
MIRROR = {"better": "worse", "worse": "better", "equivalent": "equivalent", "inconclusive": "inconclusive"}
SHARED = [{}, {"order_seed": ORDER}, {"init_seed": INIT}, {"init_seed": INIT, "order_seed": ORDER}]
UNITS = [20, 5, 4, 4]  # what is independent: pairs, orders, inits, the fewer of both
KINDS = ["pairs", "one order", "one init", "crossed"]


def differences(seed, n=20, init_effect=1.0, order_effect=2.0):
    random = np.random.default_rng(seed)
    grid = init_effect * random.normal(size=4)[INIT] + order_effect * random.normal(size=5)[ORDER] + 0.5
    return (grid + random.normal(size=20))[:n]


def against_nothing(difference, **options):
    return compare(difference, np.zeros(len(difference)), **options)


def t_interval(error, degrees, mean, confidence=0.95):
    interval = scipy_stats.t(degrees, mean, error).interval(confidence)
    return (*interval, 2 * scipy_stats.t.sf(abs(mean) / error, degrees))


def interval_and_p(result):
    return result.low, result.high, result.p_value


@pytest.mark.parametrize("n", [2, 5, 40])
def test_the_p_value_is_the_one_of_scipys_paired_test(n):
    random = np.random.default_rng(n)
    a, b = random.normal(0.5, 1, n), random.normal(0, 1, n)
    assert compare(a, b).p_value == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("name", ["init_seed", "order_seed"])
def test_clusters_of_one_size_give_the_interval_of_their_means(name):
    difference = differences(0)
    means = [difference[order == ORDER].mean() for order in range(5)]
    expected = scipy_stats.ttest_1samp(means, 0)
    interval = expected.confidence_interval()
    result = against_nothing(difference, **{name: ORDER})
    assert interval_and_p(result) == pytest.approx((interval.low, interval.high, expected.pvalue))
    assert result.n == 5


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_any_size_give_the_cluster_robust_interval_of_statsmodels(seed, confidence):
    random = np.random.default_rng(seed)
    order = np.concatenate([np.arange(6), random.integers(0, 6, 20)])
    difference = 0.7 + random.normal(size=6)[order] + random.normal(size=26)
    # statsmodels' small-sample factor J / (J - 1) · (n - 1) / (n - k) is CR1's J / (J - 1) for a constant (k = 1).
    options = {"cov_type": "cluster", "cov_kwds": {"groups": order, "df_correction": True}, "use_t": True}
    fit = sm.OLS(difference, np.ones(26)).fit(**options)
    result = against_nothing(difference, order_seed=order, confidence=confidence)
    assert interval_and_p(result) == pytest.approx((*fit.conf_int(1 - confidence)[0], fit.pvalues[0]))


def anova(difference, init, order, formula):
    data = pd.DataFrame({"difference": difference, "init": init, "order": order})
    table = sm.stats.anova_lm(ols(f"difference ~ {formula}", data).fit())
    return table["mean_sq"], table["df"]


# Seeds whose effects are there, hidden by chance (the floor), and much larger than the rest.
@pytest.mark.parametrize(("init_effect", "order_effect"), [(1, 2), (0, 0), (0, 1), (20, 10)])
@pytest.mark.parametrize("seed", range(4))
def test_a_full_crossing_gives_the_interval_of_an_analysis_of_variance(seed, init_effect, order_effect):
    difference = differences(seed, init_effect=init_effect, order_effect=order_effect)
    square, degrees = anova(difference, INIT, ORDER, "C(init) + C(order)")
    init, order, residual = square["C(init)"], square["C(order)"], square["Residual"]
    total = init + order - residual
    if total > residual:
        df = max(1, total**2 / (init**2 / 3 + order**2 / 4 + residual**2 / 12))
    else:
        total, df = residual, degrees["Residual"]
    expected = t_interval(math.sqrt(total / 20), df, difference.mean())
    assert interval_and_p(against_nothing(difference, init_seed=INIT, order_seed=ORDER)) == pytest.approx(expected)


def test_the_crossings_above_meet_the_floor_and_stay_clear_of_it():
    def below(seed, effects):
        square, _ = anova(differences(seed, 20, *effects), INIT, ORDER, "C(init) + C(order)")
        return square["C(init)"] + square["C(order)"] < 2 * square["Residual"]

    assert {below(seed, (0, 0)) for seed in range(4)} == {True, False}
    assert {below(seed, (20, 10)) for seed in range(4)} == {False}


def test_pairs_that_repeat_in_every_cell_are_judged_by_the_interaction():
    random = np.random.default_rng(0)
    init, order = np.repeat(INIT, 3), np.repeat(ORDER, 3)
    difference = np.repeat(differences(1), 3) + 0.3 * random.normal(size=60)
    square, _ = anova(difference, init, order, "C(init) * C(order)")
    init_square, order_square, interaction = square["C(init)"], square["C(order)"], square["C(init):C(order)"]
    total = init_square + order_square - interaction
    df = total**2 / (init_square**2 / 3 + order_square**2 / 4 + interaction**2 / 12)
    expected = t_interval(math.sqrt(total / 60), df, difference.mean())
    assert interval_and_p(against_nothing(difference, init_seed=init, order_seed=order)) == pytest.approx(expected)


def cluster_variance(difference, levels):
    """CR1, pair by pair: the products of all residuals that share a cluster."""
    residual, n, many = difference - difference.mean(), len(difference), len(set(levels))
    products = sum(residual[i] * residual[j] for i in range(n) for j in range(n) if levels[i] == levels[j])
    return many / (many - 1) * products / n**2


@pytest.mark.parametrize("missing", [[0], [3, 11, 12], [0, 1, 7, 13, 19]])
def test_a_crossing_with_missing_pairs_subtracts_what_an_additive_fit_leaves(missing):
    difference, init, order = (np.delete(values, missing) for values in (differences(5), INIT, ORDER))
    n = len(difference)
    square, degrees = anova(difference, init, order, "C(init) + C(order)")
    parts = [
        (n * cluster_variance(difference, init), 3),
        (n * cluster_variance(difference, order), 4),
        (square["Residual"], degrees["Residual"]),
    ]
    total = parts[0][0] + parts[1][0] - parts[2][0]
    df = total**2 / sum(part**2 / its for part, its in parts)
    expected = t_interval(math.sqrt(total / n), df, difference.mean())
    assert interval_and_p(against_nothing(difference, init_seed=init, order_seed=order)) == pytest.approx(expected)


def test_a_crossing_too_sparse_for_a_residual_adds_both_variances():
    # A path through the grid: 6 pairs, 3 inits, 4 orders; an additive fit leaves nothing over.
    init, order = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 2, 2, 3])
    difference = np.array([1.0, 1.5, 0.2, 2.0, 1.1, 0.7])
    error = math.sqrt(cluster_variance(difference, init) + cluster_variance(difference, order))
    expected = t_interval(error, 2, difference.mean())
    assert interval_and_p(against_nothing(difference, init_seed=init, order_seed=order)) == pytest.approx(expected)


def test_a_crossing_with_two_inits_has_one_degree_of_freedom():
    difference, init, order = differences(2)[:10], INIT[:10], ORDER[:10]
    result = against_nothing(difference, init_seed=init, order_seed=order)
    square, _ = anova(difference, init, order, "C(init) + C(order)")
    total = max(square["C(init)"] + square["C(order)"] - square["Residual"], square["Residual"])
    assert interval_and_p(result) == pytest.approx(t_interval(math.sqrt(total / 10), 1, difference.mean()))


def test_seeds_that_nobody_shares_change_nothing():
    difference, own = differences(0), np.arange(20)
    plain = against_nothing(difference)
    for seeds in ({"init_seed": own}, {"order_seed": own}, {"init_seed": own, "order_seed": own[::-1]}):
        result = against_nothing(difference, **seeds)
        assert interval_and_p(result) == pytest.approx(interval_and_p(plain))


def test_a_seed_that_is_used_in_one_cluster_only_does_not_count():
    difference = differences(0)
    by_order, by_init = against_nothing(difference, order_seed=ORDER), against_nothing(difference, init_seed=INIT)
    own, within_order, within_init = np.arange(20), 10 * ORDER + INIT // 2, 10 * INIT + ORDER // 3
    assert against_nothing(difference, init_seed=own, order_seed=ORDER) == by_order
    assert against_nothing(difference, init_seed=within_order, order_seed=ORDER) == by_order
    assert against_nothing(difference, init_seed=INIT, order_seed=own) == by_init
    assert against_nothing(difference, init_seed=INIT, order_seed=within_init) == by_init


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, torch.tensor, lambda seeds: [torch.tensor(s) for s in seeds]])
def test_seeds_may_be_any_values_that_can_be_told_apart(kind):
    difference = differences(0)
    expected = against_nothing(difference, init_seed=INIT, order_seed=ORDER)
    assert against_nothing(difference, init_seed=kind(INIT.tolist()), order_seed=kind(ORDER.tolist())) == expected
    names = [f"init {seed}" for seed in INIT]
    tuples = [("order", int(seed)) for seed in ORDER]
    assert against_nothing(difference, init_seed=names, order_seed=tuples) == expected


numbers = st.lists(st.floats(-100, 100), min_size=20, max_size=20).map(np.array)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(a=numbers, b=numbers, margin=st.floats(0, 10), confidence=st.floats(0.5, 0.99))
def test_swapping_the_arms_mirrors_everything_but_the_p_value(seeds, a, b, margin, confidence):
    one = compare(a, b, margin=margin, confidence=confidence, **seeds)
    other = compare(b, a, margin=margin, confidence=confidence, **seeds)
    assert (one.mean, one.low, one.high, one.p_value) == (-other.mean, -other.high, -other.low, other.p_value)
    assert one.verdict == MIRROR[other.verdict]
    assert bool(one.note) == bool(other.note)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(a=st.lists(st.integers(-100, 100), min_size=20, max_size=20), b=numbers, shift=st.integers(-1000, 1000))
def test_what_both_arms_share_changes_nothing(seeds, a, b, shift):
    a, b = np.array(a), np.round(b)  # whole numbers: the sums are exact
    assert compare(a + shift, b + shift, **seeds) == compare(a, b, **seeds)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(difference=numbers, scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_scales_the_interval_and_leaves_the_rest(seeds, difference, scale):
    one, other = against_nothing(difference, **seeds), against_nothing(scale * difference, **seeds)
    assert other[:3] == tuple(scale * value for value in one[:3])
    assert (other.verdict, other.p_value, bool(other.note)) == (one.verdict, one.p_value, bool(one.note))


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(difference=st.lists(st.integers(-99, 99), min_size=20, max_size=20), order=st.permutations(range(20)))
def test_the_order_of_the_pairs_does_not_matter(seeds, difference, order):
    difference, order = np.array(difference, dtype=float), np.array(order)
    one = against_nothing(difference, **seeds)
    other = against_nothing(difference[order], **{name: seed[order] for name, seed in seeds.items()})
    assert other[:3] == pytest.approx(one[:3], rel=1e-9, abs=1e-9)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6, abs=1e-12)
    assert bool(other.note) == bool(one.note)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(difference=numbers, confidence=st.floats(0.05, 0.99))
def test_the_p_value_is_small_where_the_interval_leaves_zero_out(seeds, difference, confidence):
    result = against_nothing(difference, confidence=confidence, **seeds)
    assert 0 <= result.p_value <= 1
    if abs(result.p_value - (1 - confidence)) > 1e-9:
        assert (result.p_value < 1 - confidence) == (result.verdict in ("better", "worse"))


@pytest.mark.parametrize(("seeds", "units"), list(zip(SHARED, UNITS, strict=True)), ids=KINDS)
@pytest.mark.parametrize(("value", "verdict", "p_value"), [(0.0, "inconclusive", 1.0), (0.5, "better", 0.0)])
def test_identical_differences_have_an_interval_of_no_width_and_no_note(seeds, units, value, verdict, p_value):
    result = against_nothing(np.full(20, value), **seeds)
    assert result == (value, value, value, units, verdict)
    assert (result.p_value, result.note) == (p_value, "")


def test_differences_that_are_the_same_within_a_cluster_count_once():
    by_order = np.array([0.1, 0.4, 0.35, 0.2, 0.9])
    expected = against_nothing(by_order)
    for seeds in (SHARED[1], SHARED[3]):
        result = against_nothing(by_order[ORDER], **seeds)
        assert interval_and_p(result) == pytest.approx(interval_and_p(expected))


def test_an_outlier_that_decides_the_interval_is_noted_with_the_bootstraps_verdict():
    result = against_nothing([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 14.0])
    assert result.verdict == "inconclusive"
    assert result.note.startswith("A bootstrap, which assumes no normal distribution, gives [+")
    assert result.note.endswith("] and another verdict, better.")
    assert str(result).endswith(f"(n = 8): inconclusive. {result.note}")


def test_a_note_that_changes_no_verdict_says_so():
    result = against_nothing([9.0, 9.2, 8.8, 9.1, 8.9, 9.0, 9.3, 14.0])
    assert result.verdict == "better"
    assert result.note.endswith("] and the same verdict.")


def test_differences_of_even_shape_have_no_note():
    normal = scipy_stats.norm.ppf((np.arange(16) + 0.5) / 16)
    for shift in (-1, 0, 0.3, 1):
        result = against_nothing(normal + shift)
        assert result.note == ""
        assert str(result).endswith(f": {result.verdict}")


def test_the_noted_interval_is_the_expanded_percentile_interval_of_a_plain_bootstrap():
    skewed = scipy_stats.lognorm(1).ppf((np.arange(16) + 0.5) / 16)
    low, high = noted_interval(against_nothing(skewed))
    random = np.random.default_rng(5)
    means = random.choice(skewed, (200_000, 16)).mean(1)
    # Hesterberg 2015: the level whose normal quantile is sqrt(n / (n - 1)) times Student's.
    level = scipy_stats.norm.sf(math.sqrt(16 / 15) * scipy_stats.t.isf(0.025, 15))
    half_width = scipy_stats.t.isf(0.025, 15) * skewed.std(ddof=1) / 4
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [level, 1 - level])), abs=0.08 * half_width)


def noted_interval(result):
    return [float(end) for end in result.note.split("[")[1].split("]")[0].split(",")]


def test_the_bootstrap_of_the_swapped_arms_is_the_mirror_image():
    skewed = scipy_stats.lognorm(1).ppf((np.arange(16) + 0.5) / 16)
    low, high = noted_interval(against_nothing(skewed))
    assert noted_interval(against_nothing(-skewed)) == [-high, -low]


def test_a_small_deviation_is_noted_only_where_it_changes_the_verdict():
    # By three quarters of what is worth a word; Student's lower end lies at -0.30, the bootstrap's at -0.27.
    skewed = scipy_stats.lognorm(0.5).ppf((np.arange(16) + 0.5) / 16)
    skewed -= skewed.mean()
    assert against_nothing(skewed + 0.285).note.endswith("another verdict, better.")
    assert against_nothing(skewed + 0.1).note == against_nothing(skewed + 0.4).note == ""


def test_whole_clusters_are_resampled():
    # Within each order the 4 students agree: were students resampled, the bootstrap would be much narrower.
    by_order = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 14.0])
    order = np.repeat(np.arange(8), 4)
    assert against_nothing(by_order[order], order_seed=order).note == against_nothing(by_order).note != ""


def test_an_odd_init_in_a_crossing_is_noted():
    init, order = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    difference = np.random.default_rng(0).normal(1, 0.1, 48) + np.where(init == 3, 12, 0)
    result = against_nothing(difference, init_seed=init, order_seed=order)
    assert result.verdict == "inconclusive"
    assert result.note.endswith("another verdict, better.")


@pytest.mark.parametrize("n", [2, 3, 4, 1001])
def test_too_few_and_very_many_pairs_have_no_note(n):
    assert against_nothing([0.0] * (n - 1) + [1000.0]).note == ""


@pytest.mark.parametrize(
    ("sizes", "spreads", "tolerance"),
    [
        # A normal sample of n has a skewness of about sqrt(6 / n), its mean of sqrt(6) / n; a tenth at the least.
        ([8], [1], 2.2 / 8),
        ([16], [1], 2.2 / 16),
        ([40], [1], 0.1),
        # Of a sum, third cumulants add up: with shares of the variance s, the skewness varies by Σ s³ · 6 / n².
        ([8, 8], [1, 1], 2.2 * math.sqrt(0.5**3 / 8**2 + 0.5**3 / 8**2)),
        ([6, 12], [1, 1], 2.2 * math.sqrt((2 / 3) ** 3 / 6**2 + (1 / 3) ** 3 / 12**2)),
        ([10, 5], [1, 2], 2.2 * math.sqrt((1 / 9) ** 3 / 10**2 + (8 / 9) ** 3 / 5**2)),
    ],
)
def test_the_note_tolerates_the_skewness_that_normal_samples_have(sizes, spreads, tolerance):
    effects = [spread * np.resize([-1.0, 1.0], n) for n, spread in zip(sizes, spreads, strict=True)]
    assert bootstrap_tolerance([one - one.mean() for one in effects]) == pytest.approx(tolerance, rel=0.02)


def test_a_comparison_is_a_tuple_of_five_and_attributes():
    result = against_nothing([1.0, 2.0, 4.0])
    mean, low, high, n, verdict = result
    assert (mean, low, high, n, verdict) == tuple(result)
    assert Comparison._fields == ("mean", "low", "high", "n", "verdict")
    assert Comparison(1.0, 0.0, 2.0, 5, "inconclusive").note == ""


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, *(lambda r, p=p: pickle.loads(pickle.dumps(r, p)) for p in range(2, 6))]
)
def test_a_copied_or_pickled_comparison_keeps_its_attributes(copied):
    result = against_nothing([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 14.0])
    again = copied(result)
    assert type(again) is Comparison
    assert (*again, again.p_value, again.note) == (*result, result.p_value, result.note)


def test_replacing_a_field_keeps_the_rest():
    result = against_nothing([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 14.0])
    other = result._replace(verdict="worse")
    assert (other.verdict, other.mean, other.p_value, other.note) == ("worse", result.mean, result.p_value, result.note)
    assert result._replace(note="").note == ""
    with pytest.raises(TypeError, match="speed"):
        result._replace(speed=1)


def test_the_representation_of_a_comparison_makes_it_again():
    result = against_nothing([1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 14.0])
    again = eval(repr(result))
    assert (*again, again.p_value, again.note) == (*result, result.p_value, result.note)


@pytest.mark.parametrize("name", ["init_seed", "order_seed"])
@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([1, 1, 1], ValueError, "must hold at least 2 different seeds, got only 1"),
        ([1, 2], ValueError, "must hold one seed for every pair, got 2 for 3 pairs"),
        ([1, 2, math.nan], ValueError, "must not hold nan"),
        (3, TypeError, "must hold one plain value for every pair, got 3"),
        ("abc", TypeError, "must hold one plain value for every pair, got 'abc'"),
        ([[1], [2], [3]], TypeError, "must hold one plain value for every pair, got list"),
        (np.eye(3), TypeError, r"must hold one plain value .* got ndarray of float64 of shape \[3, 3\]"),
        (torch.eye(3), TypeError, r"must hold one plain value .* got torch\.float32 of shape \[3, 3\]"),
        (torch.tensor(3), TypeError, r"must hold one plain value .* got torch\.int64 of shape \[\]"),
    ],
)
def test_seeds_that_name_no_clusters_are_refused(name, seeds, error, message):
    with pytest.raises(error, match=f"{name} {message}"):
        compare([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], **{name: seeds})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"a": ["1", "2", "3"]}, TypeError, r"a must be numbers, got ndarray of <U1 of shape \[3\]"),
        ({"a": [1.0, None, 2.0]}, TypeError, "a must be a number, got None"),
        ({"b": [1.0, "2", None]}, TypeError, "b must be .*number"),
        ({"b": [1 + 2j, 1, 1]}, TypeError, "b must be numbers, got ndarray of complex128"),
        ({"a": [[1.0], [1.0, 2.0]]}, TypeError, "a must be numbers in one dimension"),
        ({"a": torch.ones(3, requires_grad=True)}, TypeError, "a must be numbers in one dimension: .*requires grad"),
        ({"margin": "1"}, TypeError, "margin must be a number, got '1'"),
        ({"margin": True}, TypeError, "margin must be a number, got True"),
        ({"margin": None}, TypeError, "margin must be a number, got None"),
        ({"margin": -math.inf}, ValueError, "margin must be >= 0, got -inf"),
        ({"confidence": "0.9"}, TypeError, "confidence must be a number, got '0.9'"),
        ({"confidence": None}, TypeError, "confidence must be a number, got None"),
    ],
)
def test_compare_refuses_what_is_no_number(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(**{"a": [1.0, 2.0, 3.0], "b": [2.0, 2.0, 2.0], **arguments})


@pytest.mark.parametrize("kind", [tuple, np.float32, torch.tensor, pd.Series, lambda v: pd.Series(v, dtype=object)])
def test_results_may_come_as_any_array(kind):
    a, b = [1.0, 2.5, 3.0, 4.0], [0.5, 1.0, 1.5, 4.0]
    assert compare(kind(a), kind(b)) == compare(a, b)
