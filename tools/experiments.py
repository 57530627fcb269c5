"""Simulated experiments whose true difference is known: for the tests of intervals, and to measure them at length."""

import math

import numpy as np
from scipy import special

from kdcourse.stats import compare, detectable_difference


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


# Seeds crossed with examples: the same N test examples for every pair.

DESIGNS = {  # the seeds that pairs share: (how many pairs, their seeds)
    "3 seeds": (3, {}),
    "4 seeds": (4, {}),
    "8 seeds": (8, {}),
    "10 seeds": (10, {}),
    "10 blocks × 2 inits": (20, {"order_seed": np.repeat(np.arange(10), 2)}),
    "4 inits × 4 orders": (16, {"init_seed": np.repeat(np.arange(4), 4), "order_seed": np.tile(np.arange(4), 4)}),
}
KINDS = {"both": (1, 1), "seeds only": (1, 0), "examples only": (0, 1), "neither": (0, 0)}
EXAMPLE_EFFECT = 0.5  # of an example on all students, in deviations of what it does to a single one
SHARED_EFFECT = 0.3  # of an example on the students that share a seed


def _outcomes(random, design, examples, seed_effect, example_effect):
    """(outcomes [n, N], their variance): normal, of mean 0. Seeds, if they matter, move it as much as examples do."""
    n, seeds = DESIGNS[design]
    levels = list(seeds.values()) or [np.arange(n)]
    outcomes = random.standard_normal((n, examples), dtype=np.float32)
    outcomes += EXAMPLE_EFFECT * example_effect * random.standard_normal(examples, dtype=np.float32)
    variance = 1 + (EXAMPLE_EFFECT * example_effect) ** 2
    for level in levels:
        units = level.max() + 1
        deviation = EXAMPLE_EFFECT * seed_effect * math.sqrt(units / examples)
        shared = SHARED_EFFECT if units < n else 0.0
        each = deviation * random.standard_normal((units, 1), dtype=np.float32)
        if shared:
            each = each + shared * random.standard_normal((units, examples), dtype=np.float32)
        outcomes += each[level]
        variance += deviation**2 + shared**2
    return outcomes, variance


def scores(design, examples, seed_effect, example_effect):
    """Differences of two arms, example by example, that are normal."""

    def draw(random):
        return _outcomes(random, design, examples, seed_effect, example_effect)[0], DESIGNS[design][1]

    return draw


def answers(design, examples, seed_effect, example_effect, easy=(1.0, 1.0), difficulty=1.0):
    """Differences of two arms' right (1) and wrong (0) answers, less the true one; both find the same examples hard.

    easy        for each arm, how much more than the difficulty of the mean example it can do
    difficulty  how much examples differ: a student is right with probability 1/2 where it can do just as much
    """

    def draw(random):
        hard = difficulty * random.standard_normal(examples, dtype=np.float32)
        difference = 0.0
        for sign, above in zip((1, -1), easy, strict=True):
            outcomes, variance = _outcomes(random, design, examples, seed_effect, example_effect)
            true = special.ndtr(above / math.sqrt(variance + difficulty**2))
            difference = difference + sign * ((outcomes + above > hard) - true)
        return difference, DESIGNS[design][1]

    return draw


CROSSED_WITH_EXAMPLES = {
    f"{outcome}, {design} × {examples} examples, {kind}": draw(design, examples, *effects)
    for outcome, draw in [("normal", scores), ("right or wrong", answers)]
    for design in DESIGNS
    for examples in (200, 2000)
    for kind, effects in KINDS.items()
} | {
    # Accuracies of 87 % and 85 %; nearly all students are right on most examples; two arms disagree on 9 %.
    f"as in the course, {design} × {examples} examples": answers(design, examples, 1, 1, (3.6, 3.3), 3.0)
    for design in DESIGNS
    for examples in (200, 2000)
}


def _planned(design, examples):
    """Power -> the difference that `scores` of independent seeds, with both effects, show with it."""
    n, _ = DESIGNS[design]
    deviation = math.sqrt((EXAMPLE_EFFECT**2 * n + 1) / examples)
    effects = {"example_deviation": EXAMPLE_EFFECT, "examples": examples}
    return lambda power: detectable_difference(deviation, n, power=power, **effects)


PLANNED = {  # (scenario, power -> the difference planned for it)
    f"{design} × {examples} examples": (scores(design, examples, 1, 1), _planned(design, examples))
    for design in ("8 seeds", "10 seeds")
    for examples in (200, 2000)
}


def simulate(draw, experiments, *, true=0.0, margin=0.0, confidence=0.95):
    """Shares of experiments: the interval covers the true difference; each verdict; the note speaks."""
    random = np.random.default_rng(0)
    counts = {"covered": 0, "better": 0, "worse": 0, "equivalent": 0, "note": 0}
    for _ in range(experiments):
        difference, seeds = draw(random)
        shared = random.normal(size=len(difference)) if difference.ndim == 1 else np.zeros_like(difference)
        result = compare(shared + difference + true, shared, margin=margin, confidence=confidence, **seeds)
        counts["covered"] += result.low <= true <= result.high
        counts["note"] += bool(result.note)
        if result.verdict != "inconclusive":
            counts[result.verdict] += 1
    return {name: count / experiments for name, count in counts.items()}
