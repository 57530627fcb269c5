"""The chance that examples show a gap: against simulated audits, and against Connor's formula."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm

from kdcourse.stats import paired, power
from kdcourse.stats.paired import gap_p_values, gap_power

pytestmark = pytest.mark.slow  # thousands of exact tests

CASES = [
    (share, n, gap, margin, confidence)
    for n, share, (gap, margin), confidence in itertools.product(
        [60, 216, 600], [0.0, 0.01, 0.05], [(0.06, 0.03), (0.08, 0.0), (0.1, 0.08)], [0.95, 0.999]
    )
]
CASES += [(0.003, 1500, 0.02, 0.01, 0.9995), (0.05, 1500, 0.04, 0.02, 0.99)]


@pytest.mark.parametrize(("share", "n", "gap", "margin", "confidence"), CASES)
def test_the_chance_is_that_of_simulated_examples_within_two_points(share, n, gap, margin, confidence):
    drawn = np.random.default_rng(n).multinomial(n, [share + gap, share, 1 - 2 * share - gap], 5000)[:, :2]
    pairs, times = np.unique(drawn, axis=0, return_counts=True)
    a, b = pairs.T
    # p-values fall with a, so the simulation asks for each count of b where the tests begin to reject.
    rejected = np.zeros(len(pairs), dtype=bool)
    for count in np.unique(b):
        places = np.flatnonzero(b == count)  # in the order of a
        low, high = 0, len(places)
        while low < high:
            middle = (low + high) // 2
            p_value = gap_p_values(int(a[places[middle]]), int(count), n, margin)[0]
            low, high = (low, middle) if p_value <= (1 - confidence) / 2 else (middle + 1, high)
        rejected[places[low:]] = True
    simulated = (rejected * times).sum() / times.sum()
    noise = 3 * math.sqrt(simulated * (1 - simulated) / 5000)
    assert gap_power(share, n, gap, margin, confidence)[0] == pytest.approx(simulated, abs=0.02 + noise)


def test_an_audit_of_few_examples_is_not_called_more_hopeful_than_it_is():
    # The normal approximation says 41 %.
    chance, needed = gap_power(0.0, 216, 0.06, 0.03, 0.995)
    assert 0.2 < chance < 0.26
    assert needed > 216


@pytest.mark.parametrize(("share", "gap", "n"), [(0.02, 0.06, 4000), (0.05, 0.1, 2000), (0.1, 0.02, 3000)])
def test_with_many_examples_the_chance_at_no_margin_is_connors(share, gap, n):
    # Connor (1987), Biometrics 43:207, for McNemar's test.
    z, reach = norm.ppf(0.975), norm.ppf(0.8)
    discordant = 2 * share + gap
    spread = math.sqrt(discordant - gap**2)
    chance, needed = gap_power(share, n, gap, 0.0)
    assert chance == pytest.approx(norm.cdf((gap * math.sqrt(n) - z * math.sqrt(discordant)) / spread))
    assert needed == math.ceil(((z * math.sqrt(discordant) + reach * spread) / gap) ** 2)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
def test_n_is_enough_where_the_chance_is_and_only_there(share):
    for n in (50, 150, 400, 1000):
        chance, needed = gap_power(share, n, 0.06, 0.03)
        assert (needed <= n) == (chance >= 0.8)


def test_a_power_that_cannot_be_is_refused():
    for arguments, said in [((0.6, 100, 0.1, 0.0), "gap"), ((0.1, 100, 0.02, 0.02), "gap"), ((0.1, 0, 0.1, 0.0), "n ")]:
        with pytest.raises(ValueError, match=said):
            gap_power(*arguments)


def test_both_modules_have_the_same_functions():
    assert (paired.gap_power, paired.examples_needed) == (power.gap_power, power.examples_needed)
