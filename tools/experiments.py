"""Simulated experiments whose true difference is known: for the tests of intervals, and to measure them at length."""

import numpy as np

from kdcourse.stats import compare


def pairs(n):
    """n pairs that share nothing, with normal differences. Every scenario: random generator -> (difference, seeds)."""
    return lambda random: (random.normal(size=n), {})


def skewed_pairs(n):
    return lambda random: (random.lognormal(size=n) - np.exp(0.5), {})


def pairs_and_an_outlier(n, deviations=8):
    """The outlier has either sign, so the true difference is 0."""

    def draw(random):
        difference = random.normal(size=n)
        difference[0] = deviations * random.choice([-1, 1])
        return difference, {}

    return draw


def clusters(orders, students, effect):
    """Students that share a batch order in stacks; an order moves all of its differences by `effect` deviations."""

    def draw(random):
        order = np.repeat(np.arange(orders), students)
        return random.normal(size=len(order)) + effect * random.normal(size=orders)[order], {"order_seed": order}

    return draw


def crossed(inits, orders, init_effect, order_effect, missing=0):
    """Every init with every order, less some pairs at random, whose students diverged."""

    def draw(random):
        init, order = np.repeat(np.arange(inits), orders), np.tile(np.arange(orders), inits)
        difference = init_effect * random.normal(size=inits)[init] + order_effect * random.normal(size=orders)[order]
        difference += random.normal(size=len(init))
        kept = np.sort(random.permutation(len(init))[missing:])
        return difference[kept], {"init_seed": init[kept], "order_seed": order[kept]}

    return draw


SCENARIOS = {
    "5 pairs": pairs(5),
    "8 pairs": pairs(8),
    "16 pairs": pairs(16),
    "30 pairs": pairs(30),
    "6 orders × 8, no effect of the order": clusters(6, 8, 0.0),
    "6 orders × 8, strong effect": clusters(6, 8, 1.0),
    "8 inits × 6 orders, no effects": crossed(8, 6, 0.0, 0.0),
    "8 inits × 6 orders, weak effects": crossed(8, 6, 0.3, 0.3),
    "8 inits × 6 orders, order only": crossed(8, 6, 0.0, 1.0),
    "8 inits × 6 orders, init only": crossed(8, 6, 1.0, 0.0),
    "8 inits × 6 orders, both": crossed(8, 6, 1.0, 1.0),
    "8 inits × 6 orders, both, 4 pairs missing": crossed(8, 6, 1.0, 1.0, missing=4),
    "8 inits × 6 orders, order only, 24 pairs missing": crossed(8, 6, 0.0, 1.0, missing=24),
    "16 inits × 4 orders, order moderate": crossed(16, 4, 0.0, 0.5),
    "4 inits × 3 orders, both": crossed(4, 3, 1.0, 1.0),
    "8 inits × 2 orders, both": crossed(8, 2, 1.0, 1.0),
    "8 pairs, lognormal": skewed_pairs(8),
    "16 pairs, lognormal": skewed_pairs(16),
    "30 pairs, lognormal": skewed_pairs(30),
    "8 pairs, one of them an outlier": pairs_and_an_outlier(8),
    "16 pairs, one of them an outlier": pairs_and_an_outlier(16),
}


def simulate(draw, experiments, *, true=0.0, margin=0.0):
    """Shares of experiments: the 95 % interval covers the true difference; each verdict; the note speaks."""
    random = np.random.default_rng(0)
    counts = {"covered": 0, "better": 0, "worse": 0, "equivalent": 0, "note": 0}
    for _ in range(experiments):
        difference, seeds = draw(random)
        shared = random.normal(size=len(difference))
        result = compare(shared + difference + true, shared, margin=margin, **seeds)
        counts["covered"] += result.low <= true <= result.high
        counts["note"] += bool(result.note)
        if result.verdict != "inconclusive":
            counts[result.verdict] += 1
    return {name: count / experiments for name, count in counts.items()}
