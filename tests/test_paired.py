"""Paired gaps in accuracy: against all outcomes enumerated, scipy's optimiser, statsmodels and published intervals."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from kdcourse.stats.paired import (
    UNSEEN,
    examples_needed,
    gap_interval,
    gap_p_values,
    t_interval,
    t_p_values,
)
from kdcourse.stats.tango import smallest_as_extreme

pytestmark = pytest.mark.slow  # all outcomes, enumerated

margins = st.floats(-0.9, 0.9)


@st.composite
def tables(draw, most=60):
    """(only_a, only_b, n), the differences rare as often as not."""
    n = draw(st.integers(1, most))
    only_a = draw(st.integers(0, n) | st.integers(0, min(n, 3)))
    return only_a, draw(st.integers(0, n - only_a) | st.integers(0, min(n - only_a, 3))), n


# Written out with nothing of the package: likelihood, statistic, and the probability of every outcome.


def likelihood(only_a, only_b, n, share_a, share_b):
    neither = np.maximum(1 - share_a - share_b, 0)
    return special.xlogy(only_a, share_a) + special.xlogy(only_b, share_b) + special.xlogy(n - only_a - only_b, neither)


@functools.cache
def tango_z(only_a, only_b, n, gap):
    """Tango's statistic, its restricted maximum likelihood found by an optimiser."""
    low, high = max(0.0, -gap), (1 - gap) / 2
    found = optimize.minimize_scalar(
        lambda share: -likelihood(only_a, only_b, n, share + gap, share), bounds=(low, high), options={"xatol": 1e-12}
    )
    share = max([low, found.x, high], key=lambda share: likelihood(only_a, only_b, n, max(0, share + gap), share))
    above, variance = only_a - only_b - n * gap, n * (2 * share + gap - gap**2)
    return above / math.sqrt(variance) if variance > 1e-9 else 0.0


def tango_interval(only_a, only_b, n, confidence):
    z = scipy_stats.norm.isf((1 - confidence) / 2)
    gap = (only_a - only_b) / n
    low = optimize.brentq(lambda at: tango_z(only_a, only_b, n, at) - z, -0.999, gap, xtol=1e-10)
    return low, optimize.brentq(lambda at: tango_z(only_a, only_b, n, at) + z, gap, 0.999, xtol=1e-10)


@functools.cache
def outcomes(n):
    return [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]


def probabilities(n, share_a, share_b):
    a, b = np.array(outcomes(n)).T
    ways = special.gammaln(n + 1) - special.gammaln(a + 1) - special.gammaln(b + 1) - special.gammaln(n - a - b + 1)
    return np.exp(ways + likelihood(a, b, n, share_a, share_b))


def shares_of(gap, points=40):
    for share_b in np.linspace(max(0, -gap), (1 - gap) / 2, points):
        yield max(0.0, share_b + gap), share_b


TABLES = [(0, 0, 5, 0.1), (3, 1, 8, 0.0), (4, 0, 9, 0.07), (1, 5, 9, -0.2), (6, 2, 8, 0.3), (2, 2, 10, -0.15),
          (5, 1, 12, 0.02), (0, 3, 12, -0.5), (1, 0, 1, 0.4), (7, 7, 14, 0.01), (8, 1, 14, 0.05)]  # fmt: skip


@pytest.mark.parametrize(("only_a", "only_b", "n", "margin"), TABLES)
def test_p_exceeds_is_the_largest_probability_of_so_extreme_an_outcome(only_a, only_b, n, margin):
    observed = tango_z(only_a, only_b, n, margin)
    extreme = np.array([tango_z(a, b, n, margin) >= observed - 1e-6 for a, b in outcomes(n)])
    low, high = scipy_stats.beta.ppf([UNSEEN / 2, 1 - UNSEEN / 2], [only_b, only_b + 1], [n - only_b + 1, n - only_b])
    low, high = max(np.nan_to_num(low), -margin, 0), min(np.nan_to_num(high, nan=1.0), (1 - margin) / 2)

    def tail(share_b, less=0.0):
        return probabilities(n, max(0.0, share_b + margin - less), share_b)[extreme].sum()

    shares = np.linspace(low, high, 400)
    best = shares[np.argmax([tail(share) for share in shares])]
    around = (max(low, best - (high - low) / 200), min(high, best + (high - low) / 200))
    largest = -optimize.minimize_scalar(lambda share: -tail(share), bounds=around, options={"xatol": 1e-9}).fun
    largest = max(largest, tail(low), tail(high))
    p_exceeds = gap_p_values(only_a, only_b, n, margin)[0]
    assert p_exceeds == pytest.approx(min(1, largest + UNSEEN), rel=1e-3)
    # A smaller gap than the margin makes so extreme an outcome no likelier.
    assert max(tail(share, less) for share in shares[::10] for less in [0.01, 0.1]) <= p_exceeds * 1.001


def test_with_twelve_examples_the_interval_covers_every_gap_whatever_the_models_share():
    low, high = np.array([gap_interval(a, b, 12) for a, b in outcomes(12)]).T
    gaps = np.concatenate([np.linspace(-0.98, 0.98, 50), low - 1e-9, high + 1e-9])  # worst just beyond an end
    covered, missed = [], []
    for gap in gaps[abs(gaps) < 1]:
        for share_a, share_b in shares_of(gap):
            chance = probabilities(12, share_a, share_b)
            covered.append(chance[(low <= gap) & (gap <= high)].sum())
            missed.append(max(chance[gap < low].sum(), chance[high < gap].sum()))
    assert min(covered) >= 0.95
    assert max(missed) <= 0.025
    assert max(missed) > 0.0245  # no wider than it has to be


@pytest.mark.parametrize(("n", "margin"), [(13, 0.0), (13, -0.1), (24, 0.3), (24, 0.02), (24, -0.1)])
def test_the_tests_err_no_more_than_they_may(n, margin):
    p_exceeds = np.array([gap_p_values(a, b, n, margin)[0] for a, b in outcomes(n)])
    for error in [0.1, 0.025, 0.025 / 20]:
        worst = max(probabilities(n, a, b)[p_exceeds <= error].sum() for a, b in shares_of(margin))
        assert error / 4 < worst <= error * 1.0005


def rejection_error(n, share_a, share_b, rejects):
    """P(rejects(a, b)) where more of a is more extreme: the smallest such count of a, for each likely count of b."""
    error = 0.0
    for b in range(int(scipy_stats.binom.isf(1e-10, n, share_b)) + 2):
        low, high = 0, n - b + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if rejects(middle, b) else (middle + 1, high)
        tail = scipy_stats.binom.sf(low - 1, n - b, share_a / (1 - share_b))
        error += scipy_stats.binom.pmf(b, n, share_b) * tail
    return error


def test_with_rare_differences_the_far_tail_holds_where_the_normal_approximation_does_not():
    n, share_a, share_b, error = 300, 0.0523, 0.0023, 0.025 / 20
    margin, z = share_a - share_b, scipy_stats.norm.isf(error)
    normal = rejection_error(n, share_a, share_b, lambda a, b: tango_z(a, b, n, margin) >= z)
    ours = rejection_error(n, share_a, share_b, lambda a, b: gap_p_values(a, b, n, margin)[0] <= error)
    assert normal > 1.9 * error
    assert error / 4 < ours <= error


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(30_000, 20_000, 10_000_000), (9_000, 9_400, 50_000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_with_many_examples_it_is_tangos_interval(only_a, only_b, n, confidence):
    low, high = gap_interval(only_a, only_b, n, confidence)
    expected = tango_interval(only_a, only_b, n, confidence)
    assert (low, high) == pytest.approx(expected, abs=0.01 * (expected[1] - expected[0]))
    for at, end, side in [(expected[0], low, 0), (expected[1], high, 1)]:
        assert gap_p_values(only_a, only_b, n, at)[side] == pytest.approx((1 - confidence) / 2, rel=0.05)
        assert gap_p_values(only_a, only_b, n, end)[side] == pytest.approx((1 - confidence) / 2, rel=0.025)


@pytest.mark.parametrize(
    ("table", "confidence", "published"),
    [
        # Airway hyper-responsiveness (Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33:2850, table II).
        ((1, 7, 21), 0.95, (-0.517, -0.026)),
        # The R package PropCIs: scoreci.mp(25, 28, 618, 0.9), of the second less the first.
        ((28, 25, 618), 0.90, (-0.0148, 0.0247)),
    ],
)
def test_published_score_intervals_lie_inside_by_less_than_an_example(table, confidence, published):
    assert tango_interval(*table, confidence) == pytest.approx(published, abs=5e-4)
    low, high = gap_interval(*table, confidence)
    assert published[0] - 1 / table[2] < low < published[0]
    assert published[1] < high < published[1] + 1 / table[2]


@pytest.mark.parametrize(("only_a", "only_b"), [(5, 0), (8, 0), (9, 1), (12, 3), (15, 2), (30, 14), (200, 150)])
def test_at_margin_0_the_test_is_mcnemars_without_its_caution(only_a, only_b):
    table = [[1000 - only_a, only_a], [only_b, 1000 - only_b]]
    conditional = statsmodels_mcnemar(table, exact=True).pvalue / 2
    middle = conditional - scipy_stats.binom.pmf(only_a, only_a + only_b, 0.5) / 2  # its mid-p form
    p_exceeds, _ = gap_p_values(only_a, only_b, 2000, 0.0)
    assert p_exceeds < conditional
    assert p_exceeds == pytest.approx(middle, rel=0.25)


def test_models_that_never_differ_show_no_gap_and_no_margin_larger_than_the_rule_of_three():
    for n in [1, 10, 1000, 10_000_000]:
        assert gap_p_values(0, 0, n, 0.0) == (1.0, 1.0)
        low, high = gap_interval(0, 0, n)
        assert low == -high
        # 0.025 = (1 - high)^n, if only one of the two models could be the better one anywhere.
        assert 1 - 0.025 ** (1 / n) <= high <= 1.2 * (1 - 0.025 ** (1 / n))
    # Within a margin of 1 %, none of 200 examples is the most extreme outcome there is.
    assert gap_p_values(0, 0, 200, 0.01) == (1.0, pytest.approx(0.99**200, rel=1e-6))


@pytest.mark.parametrize("n", [1, 7, 100, 10_000_000])
def test_where_one_model_is_right_wherever_the_other_is_wrong(n):
    low, high = gap_interval(n, 0, n)
    assert high == 1.0
    # All n with the largest share that a gap of `low` allows, (1 + low) / 2: the other ends of both shares touch.
    assert low <= 2 * 0.025 ** (1 / n) - 1 + 1e-9
    assert low == pytest.approx(2 * 0.025 ** (1 / n) - 1, abs=2 / n)
    assert gap_p_values(n, 0, n, 0.9)[1] == 1.0


@pytest.mark.parametrize("margin", [-0.999, -0.5, -1e-9, 0.0, 1e-9, 0.02, 0.999])
@pytest.mark.parametrize("n", [1, 31, 10_000_000])
def test_any_counts_give_numbers_within_their_ranges(n, margin):
    for only_a, only_b in {(0, 0), (n, 0), (0, n), (n // 2, n - n // 2), (1, 0), (n // 3, 1 if n > 1 else 0)}:
        p_values = gap_p_values(only_a, only_b, n, margin)
        assert all(UNSEEN <= p <= 1 for p in p_values)
        assert sum(p_values) > 1  # one of the two hypotheses holds, and the outcome itself counts for both
        assert 1 <= examples_needed(only_a, only_b, n, margin) <= math.inf
        low, high = gap_interval(only_a, only_b, n)
        assert -1 <= low <= (only_a - only_b) / n <= high <= 1


@given(tables(), margins)
def test_swapping_the_models_mirrors_everything(table, margin):
    only_a, only_b, n = table
    assert gap_interval(only_b, only_a, n) == tuple(-end for end in reversed(gap_interval(*table)))
    assert gap_p_values(only_b, only_a, n, -margin) == gap_p_values(*table, margin)[::-1]
    assert examples_needed(only_b, only_a, n, -margin) == examples_needed(*table, margin)


@given(tables(), margins)
def test_one_more_example_for_a_is_never_evidence_against_a(table, margin):
    only_a, only_b, n = table
    if only_a + only_b < n:
        assert gap_p_values(only_a + 1, only_b, n, margin)[0] <= gap_p_values(*table, margin)[0] * 1.001
        assert gap_p_values(only_a, only_b + 1, n, margin)[1] <= gap_p_values(*table, margin)[1] * 1.001
        assert gap_interval(only_a + 1, only_b, n)[0] >= gap_interval(*table)[0] - 0.2 / n


@given(tables(), st.sampled_from([0.8, 0.95, 0.995]), st.floats(-1, 1))
def test_interval_and_tests_agree_beyond_an_example_from_the_ends(table, confidence, away):
    n, error = table[2], (1 - confidence) / 2
    low, high = gap_interval(*table, confidence)
    margin = low + away
    if -1 < margin < low:
        assert gap_p_values(*table, margin)[0] <= error * 1.05
    if low + 1.2 / n < margin < 1:
        assert gap_p_values(*table, margin)[0] > error
    margin = high + away
    if high < margin < 1:
        assert gap_p_values(*table, margin)[1] <= error * 1.05
    if -1 < margin < high - 1.2 / n:
        assert gap_p_values(*table, margin)[1] > error


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(30, 10, 500), (57, 14, 400), (63, 7, 100), (21, 2, 40)])
def test_the_interval_reaches_the_last_tooth_of_a_saw_tooth(only_a, only_b, n):
    low, _ = gap_interval(only_a, only_b, n)
    p_exceeds = {place: gap_p_values(only_a, only_b, n, low + place / (20 * n))[0] for place in range(-22, 23)}
    assert max(p_exceeds[place] for place in range(-22, 0)) <= 0.025
    assert max(p_exceeds[place] for place in range(7)) > 0.025
    assert min(p_exceeds[place] for place in range(6, 23)) < 0.025  # the next tooth begins below the error again


@pytest.mark.parametrize(
    ("only_a", "only_b", "n", "margin"), [(65, 14, 382, 0.0398), (76, 837, 2376, -0.0074), (3, 0, 7, 0.1)]
)
def test_every_count_is_on_its_side_of_the_observed_statistic(only_a, only_b, n, margin):
    given_b = np.arange(0, n + 1, max(1, n // 300), dtype=float)
    observed = tango_z(only_a, only_b, n, margin)
    for b, needed in zip(given_b, smallest_as_extreme(only_a, only_b, n, margin, given_b), strict=True):
        assert needed == n - b + 1 or tango_z(needed, b, n, margin) >= observed - 1e-6
        assert needed == 0 or tango_z(needed - 1, b, n, margin) <= observed + 1e-6


@given(tables(), st.sampled_from([(0.8, 0.9), (0.95, 0.99), (0.99, 0.9999)]))
def test_more_confidence_widens_the_interval(table, confidences):
    less, more = (gap_interval(*table, confidence) for confidence in confidences)
    assert more[0] <= less[0]
    assert less[1] <= more[1]


def test_confidence_that_no_p_value_reaches_excludes_nothing():
    assert gap_interval(500, 0, 1000, 1 - UNSEEN) == (-1.0, 1.0)
    assert gap_interval(500, 0, 1000, 1 - 4 * UNSEEN)[0] > 0.4


# How many examples are needed


def score_power(share_a, share_b, n, z, margin, random):
    """How often Tango's test of "the gap is at most the margin" rejects, by simulation."""
    a, b, _ = random.multinomial(n, [share_a, share_b, 1 - share_a - share_b], 2000).T
    return np.mean([tango_z(int(a_), int(b_), n, margin) > z for a_, b_ in zip(a, b, strict=True)])


@pytest.mark.parametrize(
    ("table", "margin", "confidence", "power"),
    [((60, 30, 1000), 0.0, 0.95, 0.8), ((60, 30, 1000), 0.01, 0.9975, 0.9), ((90, 20, 300), 0.1, 0.95, 0.6)],
)
def test_with_so_many_examples_the_test_decides_with_that_power(table, margin, confidence, power):
    only_a, only_b, n = table
    needed = examples_needed(*table, margin, confidence, power)
    z = scipy_stats.norm.isf((1 - confidence) / 2)
    reached = score_power(only_a / n, only_b / n, needed, z, margin, np.random.default_rng(0))
    assert reached == pytest.approx(power, abs=0.04)


def test_examples_needed_by_hand():
    # At margin 0 with power 1/2: the z of the same shares in n examples, gap · √(n / discordance), is 1.96.
    assert examples_needed(30, 10, 400, 0.0, power=0.5) == math.ceil(1.959964**2 * 0.1 / 0.05**2)
    # Models that never differ: the variance under the margin is margin · (1 − margin), the observed one 0.
    assert examples_needed(0, 0, 50, 0.02) == math.ceil(1.959964**2 * 0.02 * 0.98 / 0.02**2)
    # To decide less often than by chance takes no examples, and one is the least there can be.
    assert examples_needed(60, 30, 1000, 0.0, confidence=0.1, power=0.01) == 1


@pytest.mark.parametrize("table", [(2, 0, 100), (3, 1, 100), (20, 0, 1000), (200_000, 0, 10_000_000)])
def test_no_number_of_examples_shows_a_gap_that_is_the_margin(table):
    assert examples_needed(*table, 0.02) == math.inf
    assert examples_needed(*table, 0.02 + 1e-6) > 1e6


@given(tables(), margins, st.floats(0.5, 0.99), st.integers(2, 9))
def test_examples_needed_depend_on_shares_and_grow_with_what_is_asked(table, margin, power, times):
    needed = examples_needed(*table, margin, power=power)
    assert examples_needed(*(times * count for count in table), margin, power=power) == pytest.approx(needed, abs=1)
    assert needed <= examples_needed(*table, margin, power=power + 0.005)
    assert needed <= examples_needed(*table, margin, confidence=1 - 0.05 / 1000, power=power)


# Student's t, for scores that are not 0 or 1


@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=30), st.floats(-3, 3))
def test_t_agrees_with_scipy_and_statsmodels(values, margin):
    mean, deviation, n = np.mean(values), np.std(values, ddof=1), len(values)
    if deviation < 1e-6:
        return
    assert t_interval(mean, deviation, n, 0.9) == pytest.approx(DescrStatsW(values).tconfint_mean(0.1), rel=1e-9)
    greater, less = (scipy_stats.ttest_1samp(values, margin, alternative=side).pvalue for side in ["greater", "less"])
    assert t_p_values(mean, deviation, n, margin) == pytest.approx((greater, less), rel=1e-6)


def test_t_without_spread_is_certain():
    assert t_interval(0.3, 0, 5) == (0.3, 0.3)
    assert t_p_values(0.3, 0, 5, 0.2) == (0.0, 1.0)
    assert t_p_values(0.3, 0, 5, 0.4) == (1.0, 0.0)
    assert t_p_values(0.3, 0, 5, 0.3) == (1.0, 1.0)


# Bad input


COUNTS = {"only_a": 3, "only_b": 1, "n": 10}


@pytest.mark.parametrize("call", [gap_interval, functools.partial(gap_p_values, margin=0.0),
                                  functools.partial(examples_needed, margin=0.0)])  # fmt: skip
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"only_a": -1}, "only_a must be an integer >= 0, got -1"),
        ({"only_b": True}, "only_b must be an integer >= 0, got True"),
        ({"n": 0}, "n must be an integer >= 1, got 0"),
        ({"n": 3}, r"only_a \+ only_b must be in \[0, 3\], got 3 \+ 1"),
    ],
)
def test_counts_that_cannot_be_are_refused(call, change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call(**{**COUNTS, **change})


@pytest.mark.parametrize(
    ("call", "change", "message"),
    [
        (gap_interval, {"confidence": 1}, r"confidence must be in \(0, 1\), got 1"),
        (gap_p_values, {"margin": 1}, r"margin must be in \(-1, 1\), got 1"),
        (gap_p_values, {"margin": math.nan}, r"margin must be in \(-1, 1\), got nan"),
        (examples_needed, {"margin": -1}, r"margin must be in \(-1, 1\), got -1"),
        (examples_needed, {"margin": 0, "power": 1}, r"power must be in \(0, 1\), got 1"),
        (examples_needed, {"margin": 0, "confidence": 0}, r"confidence must be in \(0, 1\), got 0"),
    ],
)
def test_what_is_asked_of_counts_is_refused_by_name(call, change, message):
    with pytest.raises(ValueError, match=message):
        call(**COUNTS | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": math.nan}, "mean must be finite, got nan"),
        ({"deviation": -1}, "deviation must be >= 0 and finite, got -1"),
        ({"n": 1}, "n must be an integer >= 2, got 1"),
        ({"margin": math.inf}, "margin must be finite, got inf"),
    ],
)
def test_what_is_asked_of_means_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        t_p_values(**{"mean": 0, "deviation": 1, "n": 5, "margin": 0} | change)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_counts_may_come_from_a_table(kind):
    assert gap_interval(kind(3), kind(1), kind(10)) == gap_interval(3, 1, 10)
