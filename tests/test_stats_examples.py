"""Both kinds of luck, seeds crossed with examples: against REML, analyses of variance, loops, and laws."""

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
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats
from statsmodels.formula.api import ols
from statsmodels.regression.mixed_linear_model import MixedLM

from kdcourse.stats import compare

INIT, ORDER = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
SHARED = [{}, {"order_seed": ORDER}, {"init_seed": INIT}, {"init_seed": INIT, "order_seed": ORDER}]
KINDS = ["pairs", "one order", "one init", "crossed"]
UNITS = [20, 5, 4, 4]
MIRROR = {"better": "worse", "worse": "better", "equivalent": "equivalent", "inconclusive": "inconclusive"}


def table(seed, examples=30, of_seeds=0.3, of_examples=1.0):
    """Differences [20, examples]: of seeds, of examples, of single examples for an init or an order, and the rest."""
    random = np.random.default_rng(seed)
    seeds = of_seeds * (random.normal(size=(4, 1))[INIT] + random.normal(size=(5, 1))[ORDER])
    shared = 0.5 * (random.normal(size=(4, examples))[INIT] + random.normal(size=(5, examples))[ORDER])
    return 0.2 + seeds + of_examples * random.normal(size=examples) + shared + random.normal(size=(20, examples))


def against_nothing(difference, **options):
    return compare(difference, np.zeros(np.shape(difference)), **options)


def everything(result):
    return (*result, result.p_value, result.note, result.example_error)


def mean_squares(values, *factors):
    data = pd.DataFrame({"value": values.ravel(), **{f"f{k}": factor.ravel() for k, factor in enumerate(factors)}})
    formula = " + ".join(f"C(f{k})" for k in range(len(factors)))
    return sm.stats.anova_lm(ols(f"value ~ {formula}", data).fit())["mean_sq"].tolist()


def both_degrees(of_rows, of_rows_degrees, of_examples, of_examples_degrees):
    """Satterthwaite's, from two variances of the mean: that of the rows as large as it may be in 4 cases of 5."""
    largest = of_rows * of_rows_degrees / scipy_stats.chi2.ppf(0.2, of_rows_degrees)
    squares = largest**2 / of_rows_degrees + of_examples**2 / of_examples_degrees
    return (largest + of_examples) ** 2 / squares


@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_that_of_a_mixed_model_with_crossed_random_effects(seed):
    random = np.random.default_rng(seed)
    difference = 0.8 * random.normal(size=(6, 1)) + random.normal(size=15) + random.normal(size=(6, 15))
    row, column = (index.ravel() for index in np.indices(difference.shape))
    data = pd.DataFrame({"difference": difference.ravel(), "row": row, "column": column, "all": 0})
    components = {"row": "0 + C(row)", "column": "0 + C(column)"}
    model = MixedLM.from_formula("difference ~ 1", data, groups="all", vc_formula=components)
    fit = model.fit(reml=True)  # in a full table the analysis of variance, where no component is 0
    of_column = dict(zip(model.exog_vc.names, fit.vcomp, strict=True))["column"]
    result = against_nothing(difference)
    assert result.example_error == pytest.approx(math.sqrt(of_column / 15), rel=1e-3)
    rest = fit.bse["Intercept"] ** 2 - of_column / 15
    degrees = both_degrees(rest, 5, of_column / 15, 14)
    expected = scipy_stats.t(degrees, difference.mean(), fit.bse["Intercept"]).interval(0.95)
    assert (result.low, result.high) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_that_share_no_seed_give_the_interval_of_a_two_way_analysis_of_variance(seed, confidence):
    difference = table(seed)[:6]
    of_row, of_column, residual = mean_squares(difference, *np.indices(difference.shape))
    # Expected mean squares: of rows σ² + Nσ²(row), of columns σ² + nσ²(column), else σ². The mean has the variance
    # of the sum of the two less one σ², over nN; the rows' own part of it has n - 1 degrees of freedom, the rest N - 1.
    of_rows, of_examples = of_row / difference.size, (of_column - residual) / difference.size
    total = of_rows + of_examples
    degrees = both_degrees(of_rows, 5, of_examples, 29)
    interval = scipy_stats.t(degrees, difference.mean(), math.sqrt(total)).interval(confidence)
    p_value = 2 * scipy_stats.t.sf(abs(difference.mean()) / math.sqrt(total), degrees)
    result = against_nothing(difference, confidence=confidence)
    assert (result.low, result.high, result.p_value) == pytest.approx((*interval, p_value))
    assert result.example_error == pytest.approx(math.sqrt(of_examples))


def covariance_of_strangers(difference, *seeds):
    """Over examples, averaged over all pairs of rows that share no seed: number by number."""
    products = []
    for i, one in enumerate(difference):
        for j, other in enumerate(difference):
            if i != j and all(seed[i] != seed[j] for seed in seeds):
                products.append(sum((one - one.mean()) * (other - other.mean())) / (len(one) - 1))
    return np.mean(products)


def variance_of_rows(means, seeds):
    """(variance of their mean, degrees of freedom): of plain means, of clusters' means, or of a full crossing."""
    if len(seeds) < 2:
        units = means
        for seed in seeds.values():
            units = np.array([means[seed == one].mean() for one in np.unique(seed)])
        return units.var(ddof=1) / len(units), len(units) - 1
    init, order, residual = mean_squares(means, *seeds.values())
    assert init + order > 2 * residual  # clear of the floor
    total = init + order - residual
    return total / len(means), total**2 / (init**2 / 3 + order**2 / 4 + residual**2 / 12)


@pytest.mark.parametrize(("seeds", "units"), list(zip(SHARED, UNITS, strict=True)), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_examples_add_the_covariance_of_pairs_that_share_nothing(seeds, units, seed):
    difference = table(seed)
    of_rows, degrees = variance_of_rows(difference.mean(1), seeds)
    of_examples = covariance_of_strangers(difference, *seeds.values()) / 30
    total = of_rows + of_examples
    both = both_degrees(of_rows, degrees, of_examples, 29)
    interval = scipy_stats.t(both, difference.mean(), math.sqrt(total)).interval(0.95)
    result = against_nothing(difference, **seeds)
    assert (result.low, result.high) == pytest.approx(interval)
    assert result.example_error == pytest.approx(math.sqrt(of_examples))
    assert result.n == against_nothing(difference.mean(1), **seeds).n == units


@pytest.mark.parametrize("missing", [[0], [3, 11, 12], [0, 1, 7, 13, 19]])
def test_missing_pairs_change_which_pairs_share_nothing(missing):
    difference, init, order = (np.delete(values, missing, axis=0) for values in (table(3), INIT, ORDER))
    result = against_nothing(difference, init_seed=init, order_seed=order)
    expected = covariance_of_strangers(difference, init, order)
    assert result.example_error == pytest.approx(math.sqrt(expected / 30))


def test_two_units_of_training_leave_one_degree_of_freedom():
    difference = table(0)[:2]
    variance = difference.mean(1).var(ddof=1) / 2 + covariance_of_strangers(difference) / 30
    expected = scipy_stats.t(1, difference.mean(), math.sqrt(variance)).interval(0.95)
    result = against_nothing(difference)
    assert (result.low, result.high) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
def test_examples_on_which_all_pairs_agree_add_nothing(seeds):
    means = np.random.default_rng(0).integers(-9, 9, 20).astype(float)
    assert everything(against_nothing(np.tile(means[:, None], 7), **seeds)) == everything(
        against_nothing(means, **seeds)
    )


def test_examples_that_vary_against_each_other_add_nothing_rather_than_less():
    difference = np.array([[1.0, -1.0, 0.5, 0.0], [-1.0, 1.0, 0.0, 0.5], [0.0, 0.0, 2.0, -1.0]])
    assert covariance_of_strangers(difference) < 0
    result = against_nothing(difference)
    assert everything(result) == pytest.approx(everything(against_nothing(difference.mean(1))))
    assert result.example_error == 0


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
def test_pairs_that_agree_on_every_example_leave_the_paired_test_of_the_examples(seeds):
    a, b = np.random.default_rng(0).normal(0.3, 1, (2, 40)).round(2)
    expected = scipy_stats.ttest_rel(a, b)
    result = compare(np.tile(a, (20, 1)), np.tile(b, (20, 1)), **seeds)
    low, high = expected.confidence_interval()
    assert (result.low, result.high, result.p_value) == pytest.approx((low, high, expected.pvalue))
    assert result.example_error == pytest.approx((a - b).std(ddof=1) / math.sqrt(40))


whole_numbers = arrays(float, (20, 6), elements=st.integers(-20, 20))


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(a=whole_numbers, b=whole_numbers, margin=st.floats(0, 10))
def test_swapping_the_arms_mirrors_everything(seeds, a, b, margin):
    one, other = compare(a, b, margin=margin, **seeds), compare(b, a, margin=margin, **seeds)
    assert (one.mean, one.low, one.high) == (-other.mean, -other.high, -other.low)
    assert (one.p_value, one.example_error, bool(one.note)) == (other.p_value, other.example_error, bool(other.note))
    assert one.verdict == MIRROR[other.verdict]


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
@given(difference=whole_numbers, rows=st.permutations(range(20)), columns=st.permutations(range(6)))
def test_the_order_of_pairs_and_examples_does_not_matter(seeds, difference, rows, columns):
    one = against_nothing(difference, **seeds)
    moved = {name: seed[rows] for name, seed in seeds.items()}
    other = against_nothing(difference[rows][:, columns], **moved)
    assert other[:3] == pytest.approx(one[:3], rel=1e-7, abs=1e-7)
    assert other.example_error == pytest.approx(one.example_error, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("seeds", SHARED, ids=KINDS)
def test_where_a_single_pair_differs_its_place_does_not_matter(seeds):
    """All mean squares are the same there, so that rounding could decide which of them counts."""
    found = set()
    for k in range(20):
        for value in (0.0, 2.9, 3.7):
            difference = np.full((20, 6), 3.0)
            difference[k, 0] = value
            found.add((value, *np.round(against_nothing(difference, **seeds)[:3], 7)))
    assert len(found) == 3


# ---- what else a comparison of examples is ----


@pytest.mark.parametrize(
    "kind", [np.array, np.uint8, torch.tensor, lambda v: torch.tensor(v).to(torch.uint8), pd.DataFrame, np.float32]
)
def test_right_and_wrong_may_come_as_any_table(kind):
    a, b = np.random.default_rng(0).random((2, 8, 50)) < np.array([0.8, 0.6])[:, None, None]
    expected = compare(a.astype(float), b.astype(float))
    assert everything(compare(kind(a), kind(b))) == everything(expected)
    assert expected.example_error > 0


def test_an_odd_example_in_a_short_test_set_is_noted():
    difference = np.random.default_rng(0).normal(1, 0.1, (12, 12))
    difference[:, 5] += 12
    result = against_nothing(difference)
    assert result.verdict == "inconclusive"
    assert result.note.endswith("another verdict, better.")


def test_where_pairs_agree_the_noted_interval_is_that_of_the_examples():
    skewed = scipy_stats.lognorm(1).ppf((np.arange(16) + 0.5) / 16)
    alone, crossed = against_nothing(skewed), against_nothing(np.tile(skewed, (9, 1)))
    ends = [[float(end) for end in result.note.split("[")[1].split("]")[0].split(",")] for result in (alone, crossed)]
    assert ends[1] == pytest.approx(ends[0], abs=0.05 * (alone.high - alone.low))  # both drawn at random


def test_an_odd_pair_is_noted_however_many_examples_there_are():
    difference = np.random.default_rng(0).normal(1, 0.1, (8, 1)) + np.zeros(500)
    difference += np.random.default_rng(1).normal(0, 0.1, 500)
    difference[3] += 12
    assert against_nothing(difference).note.endswith("another verdict, better.")


def test_examples_with_an_even_shape_are_not_noted():
    for examples in (60, 600):
        row = scipy_stats.norm.ppf((np.arange(examples) + 0.5) / examples)
        assert against_nothing(row + 0.01 * scipy_stats.norm.ppf((np.arange(9) + 0.5) / 9)[:, None]).note == ""


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r)), lambda r: r._replace()]
)
def test_a_copy_keeps_what_the_examples_contribute(copied):
    result = against_nothing(table(0))
    assert everything(copied(result)) == everything(result)
    assert result._replace(example_error=2.0).example_error == 2.0


def test_a_large_test_set_is_no_matter():
    random = np.random.default_rng(0)
    a, b = (random.random((64, 30_000), dtype=np.float32) < share for share in (0.9, 0.88))
    assert compare(a, b).mean == pytest.approx(a.mean() - b.mean())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"a": [1.0, 2.0]}, ValueError, r"b must have the shape of a .* got \[2, 3\] and \[2\]"),
        ({"b": [[1.0, 2.0], [1.0, 2.0]]}, ValueError, r"b must have the shape of a .* got \[2, 2\] and \[2, 3\]"),
        ({"a": [[1.0, 2.0, 3.0]]}, ValueError, r"a must hold at least 2 rows and columns, got shape \[1, 3\]"),
        ({"a": [[1.0], [2.0]]}, ValueError, r"a must hold at least 2 rows and columns, got shape \[2, 1\]"),
        ({"b": np.zeros((2, 0))}, ValueError, r"b must hold at least 2 rows and columns, got shape \[2, 0\]"),
        ({"b": np.zeros((2, 3, 1))}, ValueError, r"b must hold .* got shape \[2, 3, 1\]"),
        ({"a": [[1, 2, 3], [4, math.nan, 6]]}, ValueError, r"a must be finite, got nan at index \[1, 1\]"),
        ({"b": [[1, 2, -math.inf], [4, 5, 6]]}, ValueError, r"b must be finite, got -inf at index \[0, 2\]"),
        ({"a": [["1", "2", "3"]] * 2}, TypeError, "a must be numbers, got ndarray of <U1"),
        ({"a": [[1, None, 3]] * 2}, TypeError, "a must be a number, got None"),
        ({"init_seed": [1, 2, 3]}, ValueError, "init_seed must hold one seed for every pair, got 3 for 2 pairs"),
    ],
)
def test_compare_names_what_it_refuses_of_tables(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(**{"a": [[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]], "b": np.zeros((2, 3)), **arguments})
