"""Do the intervals keep their promise? Experiments simulated with a known truth, by the thousand, always the same ones.

The scenarios are those of tools/experiments.py; benchmarks/coverage.py runs each more often.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdcourse.stats import holm, proportion_interval
from kdcourse.stats.bootstrap import with_examples

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from experiments import CROSSED_WITH_EXAMPLES, DESIGNS, PLANNED, SCENARIOS, simulate  # noqa: E402

pytestmark = pytest.mark.slow  # simulations

EXPERIMENTS = 2000  # a share of 95 % is then known to ±1 %, one of 2.5 % to ±0.7 %
AS_PROMISED = [
    "5 pairs",
    "8 pairs",
    "16 pairs",
    "6 orders × 8, no effect of the order",
    "6 orders × 8, strong effect",
    "8 inits × 6 orders, order only",
    "8 inits × 6 orders, init only",
    "8 inits × 6 orders, both",
    "8 inits × 6 orders, both, 4 pairs missing",
]


@pytest.mark.parametrize("name", AS_PROMISED)
def test_intervals_cover_the_truth_as_often_as_they_say(name):
    shares = simulate(SCENARIOS[name], EXPERIMENTS)
    assert 0.93 <= shares["covered"] <= 0.97
    assert (shares["better"] + shares["worse"]) / 2 <= 0.03  # the mirror image is as likely: two looks at one share
    assert shares["note"] <= 0.055


def test_where_neither_seed_matters_the_crossed_interval_is_on_the_safe_side():
    # 97.8 % in 10,000 experiments: whether a seed matters has to be estimated from a handful of its values.
    shares = simulate(SCENARIOS["8 inits × 6 orders, no effects"], EXPERIMENTS)
    assert 0.95 <= shares["covered"] <= 0.99
    assert (shares["better"] + shares["worse"]) / 2 <= 0.025


@pytest.mark.parametrize("name", ["8 pairs", "6 orders × 8, strong effect", "8 inits × 6 orders, both"])
def test_a_difference_as_large_as_the_margin_is_seldom_called_larger_or_smaller(name):
    shares = simulate(SCENARIOS[name], EXPERIMENTS, true=5.0, margin=5.0)
    assert min(shares["equivalent"], shares["better"]) > 0.005  # the margin is such that both verdicts occur
    assert (shares["equivalent"] + shares["better"]) / 2 <= 0.03
    assert shares["worse"] == 0


@pytest.mark.parametrize(
    "name", [name for name in CROSSED_WITH_EXAMPLES if "200 examples" in name and "normal" not in name]
)
def test_intervals_of_seeds_and_examples_cover_the_truth_as_often_as_they_say(name):
    shares = simulate(CROSSED_WITH_EXAMPLES[name], EXPERIMENTS // 2)
    safe = "4 inits" in name  # a variance that is at least the residual's, and whose degrees of freedom are few
    assert 0.93 <= shares["covered"] <= (0.995 if safe else 0.97)
    assert (shares["better"] + shares["worse"]) / 2 <= 0.035
    assert shares["note"] <= 0.055


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("units", [3, 4, 5, 8])
def test_few_seeds_keep_the_promise_also_where_a_dozen_parts_share_the_five_percent(units, share):
    # Of normal data all that an interval knows is the mean, the variance between rows, and the examples' own.
    random = np.random.default_rng(0)
    mean, experiments = random.standard_normal(100_000), 100_000
    of_rows = share * random.chisquare(units - 1, experiments) / (units - 1)
    error, degrees = with_examples(np.sqrt(of_rows), units - 1, units, np.sqrt(1 - share), 10_000)
    for confidence, least, most in [(0.95, 0.945, 0.97), (1 - 0.05 / 13, 0.99, 0.9985)]:
        reach = scipy_stats.t.ppf((1 + confidence) / 2, degrees) * error
        assert least <= (abs(mean) <= reach).mean() <= most


@pytest.mark.parametrize("design", DESIGNS)
def test_an_interval_of_the_training_alone_misses_the_truth_where_examples_matter(design):
    draw = CROSSED_WITH_EXAMPLES[f"normal, {design} × 200 examples, examples only"]

    def means(random):
        difference, seeds = draw(random)
        return difference.mean(1).astype(float), seeds

    assert simulate(means, 500)["covered"] < 0.93


@pytest.mark.parametrize("name", [name for name in PLANNED if "200 examples" in name])
def test_a_planned_difference_is_found_as_often_as_planned(name):
    draw, planned = PLANNED[name]
    found = simulate(draw, EXPERIMENTS, true=planned(0.8))["better"]
    assert found == pytest.approx(0.8, abs=0.03)


def test_an_interval_that_ignores_a_shared_batch_order_misses_the_truth_more_often():
    random = np.random.default_rng(0)
    draw = SCENARIOS["6 orders × 8, strong effect"]
    difference = np.stack([draw(random)[0] for _ in range(EXPERIMENTS)])
    naive = scipy_stats.ttest_1samp(difference, 0, axis=1).confidence_interval()
    assert ((naive.low <= 0) & (naive.high >= 0)).mean() < 0.7


@pytest.mark.parametrize(
    ("name", "at_least"), [("16 pairs, one of them an outlier", 0.9), ("30 pairs, lognormal", 0.5)]
)
def test_the_note_usually_speaks_where_data_are_not_normal(name, at_least):
    assert simulate(SCENARIOS[name], 500)["note"] >= at_least


@pytest.mark.parametrize("total", [8, 50, 400])
def test_wilsons_interval_covers_as_often_as_it_says_on_average(total):
    ends = np.array([proportion_interval(k, total) for k in range(total + 1)])
    proportions = (np.arange(1000) + 0.5) / 1000
    inside = (ends[:, 0] <= proportions[:, None]) & (proportions[:, None] <= ends[:, 1])
    covered = (scipy_stats.binom.pmf(np.arange(total + 1), total, proportions[:, None]) * inside).sum(1)
    assert 0.945 <= covered.mean() <= 0.96
    assert covered.min() > 0.8


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_holm_keeps_the_family_of_twenty_at_its_error(shared):
    # 20 arms against one baseline: the baseline's runs are in every comparison.
    random = np.random.default_rng(1)
    runs = random.normal(size=(EXPERIMENTS, 20, 8)) + shared * random.normal(size=(EXPERIMENTS, 1, 8))
    p_values = scipy_stats.ttest_1samp(runs, 0, axis=2).pvalue
    unadjusted, adjusted = (p_values <= 0.05).any(1), np.array([holm(p) for p in p_values]) <= 0.05
    assert unadjusted.mean() > 0.3
    assert adjusted.any(1).mean() <= 0.05 + 0.015  # three standard errors of 5 %


def test_holm_finds_at_least_what_bonferroni_finds():
    random = np.random.default_rng(2)
    runs = random.normal(size=(200, 20, 8)) + 1.5 * (np.arange(20) < 10)[:, None]
    p_values = scipy_stats.ttest_1samp(runs, 0, axis=2).pvalue
    found = np.array([holm(p) <= 0.05 for p in p_values])
    assert (found >= (p_values <= 0.05 / 20)).all()
    assert found.sum() > (p_values <= 0.05 / 20).sum()
    assert found[:, 10:].any(1).mean() <= 0.1
