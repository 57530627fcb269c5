"""What the best of several runs is worth, against every way to draw them."""

from itertools import combinations

import numpy as np
import pytest

from kdcourse.stats import expected_best


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_expected_best_is_the_mean_over_all_draws(n):
    runs = np.random.default_rng(n).normal(size=n).round(1)  # some are equal
    for tried in range(1, n + 1):
        every = [max(draw) for draw in combinations(runs, tried)]
        assert expected_best(runs, tried) == pytest.approx(np.mean(every))


def test_of_a_thousand_runs_it_is_finite_and_the_best_of_all_is_the_maximum():
    runs = np.linspace(0, 1, 1000)
    assert expected_best(runs, 500) == pytest.approx(500 / 501, abs=1e-3)  # of even draws: k / (k + 1)
    assert expected_best(runs, 1000) == pytest.approx(1)


@pytest.mark.parametrize(
    ("runs", "tried", "said"),
    [
        ([0.5, 0.6], 3, "tried must be at most the number of runs, 2, got 3"),
        ([0.5, 0.6], 0, "tried must be an integer >= 1"),
        ([np.nan, 1], 1, "runs"),
    ],
)
def test_bad_input_is_named(runs, tried, said):
    with pytest.raises(ValueError, match=said):
        expected_best(runs, tried)
