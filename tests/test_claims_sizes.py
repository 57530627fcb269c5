"""The experiments of lesson 04: what is known of students of seven sizes, and of assistants, is what they find."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from toy_bench import flat, found, ids, means, said, settings, speaker, spy, trap, which, width, world

from kdcourse.claims import lesson_04

pytestmark = pytest.mark.slow  # whole experiments

ALL, BLOCK = 50_000, 5_000
BEST = {(1, 4, 0.003), (0, 1, 0.01)}
GAINS = {2: 0.002, 5: 0.01, 10: 0.02, 20: 0.02, 50: 0.01, 100: 0.03, 200: 0.04}


def parameters(width):
    """Of a student with one hidden layer, six inputs and ten classes."""
    return (6 + 1) * width + (width + 1) * 10


def ratio_of(width, teacher=460_000):
    return min(GAINS, key=lambda ratio: abs(np.log(teacher / parameters(width) / ratio)))


def accuracy(ratio, n, soft):
    return 0.9 - 0.0006 * ratio - 0.02 * (n == BLOCK) + GAINS[ratio] * (2 if n == BLOCK else 1) * soft


def by_size(row, some):
    """Each arm has one setting that is best on validation; the others are better on test."""
    chosen = (row.soft_weight, row.temperature, row.lr) in BEST
    return trap(chosen, accuracy(ratio_of(row.width), len(some.train), row.soft_weight))


@pytest.fixture(scope="module")
def bench():
    return world(by_size)


@pytest.fixture(scope="module")
def teacher(bench):
    """Its accuracy in points, by a loop of its own."""
    test = bench.garments.test
    right = [int(z.argmax()) == int(label) for z, label in zip(test.teacher_logits, test.labels, strict=True)]
    return 100 * sum(right) / len(test)


def keys(side_of=lambda ratio: {}, ratios=tuple(GAINS)):
    return [{**side_of(ratio), "ratio": ratio, "examples": n} for n in (ALL, BLOCK) for ratio in ratios]


def test_the_sweet_spot_is_the_gain_at_10_minus_the_gain_outside_the_range(bench):
    result = found("sweet-spot-5-20", bench)
    outside = [2, 50, 100, 200]
    assert [one["key"] for one in result["parts"]] == keys(ratios=[[10, ratio] for ratio in outside])
    expected = [100 * more * (GAINS[10] - GAINS[ratio]) for more in (1, 2) for ratio in outside]
    assert means(result) == pytest.approx(expected, abs=0.15)
    assert width(result) < 0.6
    assert list(said(result).values()) == ["supported"] * 4 + ["not_supported"] * 4


@pytest.mark.parametrize("gains", [(0.002, 0.004), (0.015, -0.015)])
def test_at_half_the_size_it_is_measured_how_far_the_gain_stays_under_a_point(gains):
    """A gain of more than a point speaks against the claim, a loss of more than one for it."""

    def effect(row, some):
        gain = gains[len(some.train) == BLOCK]
        return trap((row.soft_weight, row.temperature, row.lr) in BEST, 0.8 + gain * row.soft_weight)

    result = found("below-5x-use-small", world(effect))
    assert means(result) == pytest.approx([1 - 100 * gain for gain in gains], abs=0.1)
    assert width(result) < 0.6
    assert [one["margin"] for one in result["parts"]] == [0, 0]
    assert said(result) == {
        f"side=under,ratio=2,examples={n}": "supported" if gain < 0.01 else "not_supported"
        for n, gain in zip((ALL, BLOCK), gains, strict=True)
    }


def test_the_gap_is_measured_over_the_limit_above_20_times_and_under_it_up_to_there(bench, teacher):
    result = found("above-20x-gap", bench)
    over = {(n, ratio): teacher - 100 * accuracy(ratio, n, 1) - 5 for n in (ALL, BLOCK) for ratio in GAINS}
    # One teacher for all students: here, the luck of a student's seed does not cancel.
    assert means(result) == pytest.approx([gap if ratio > 20 else -gap for (_, ratio), gap in over.items()], abs=2)
    assert [one["key"] for one in result["parts"]] == keys(lambda ratio: {"side": "over" if ratio > 20 else "under"})


def test_95_percent_is_of_the_teachers_accuracy(bench, teacher):
    result = found("95-percent-at-10x", bench)
    expected = [100 * (100 * accuracy(10, n, 1) / teacher - 0.95) for n in (ALL, BLOCK)]
    assert means(result) == pytest.approx(expected, abs=2)
    assert [one["key"] for one in result["parts"]] == keys(ratios=[10])


def test_the_sizes_are_those_of_the_ratios_and_at_each_both_arms_have_as_many_chances():
    bench = world(by_size)
    lesson_04.sizes(bench)
    widths = pd.concat([one.grid["width"] for one in bench.seen]).unique()
    assert sorted(460_000 / parameters(units) for units in widths) == pytest.approx(lesson_04.RATIOS, rel=0.01)
    for n, units, soft in itertools.product([ALL, BLOCK], widths, [1, 0]):
        assert len(settings(bench, lambda row, u=units, w=soft: (row.width, row.soft_weight) == (u, w), n)) == 4


# ---- assistants ----


@pytest.fixture
def assistants(monkeypatch):
    """Six hundred pictures in blocks of sixty; and the assistants trained on them, each with how it was trained."""
    monkeypatch.setattr(lesson_04, "BLOCK", 60)
    schedule = next(iter(lesson_04.TRAINING.values()))
    monkeypatch.setattr(lesson_04, "TRAINING", {n: schedule | {"epochs": 2, "batch_size": 30} for n in (600, 60)})
    trained = []
    spy(monkeypatch, lesson_04, "distill", trained)
    return trained


def small_world(effect):
    return world(effect, pictures=600, teacher_parameters=4_600)


def assistant_of(some, assistants):
    return speaker(some, [one["model"] for one in assistants])


def units(model):
    return model[0].out_features


def test_assistants_of_two_sizes_learn_from_the_teacher_on_the_pictures_of_the_students_that_hear_them(assistants):
    bench = small_world(flat)
    found("assistant-bridges-gap", bench)
    everything = bench.garments.train
    assert len(assistants) == 2 * (8 + 10)
    sizes = [4_600 / parameters(units(one["model"])) for one in assistants]
    assert sizes == pytest.approx([5] * 8 + [20] * 8 + [5] * 10 + [20] * 10, rel=0.03)
    for one in assistants:
        where = (one["inputs"][:, 0].double() * 2**16).round().long()
        assert torch.equal(one["signal"], everything.teacher_logits[where])
        assert one["device"] == bench.device
        assert (one["epochs"], one["batch_size"]) == (2, 30)  # as long as a student
    for n in (600, 60):
        same = [one for one in assistants if len(one["inputs"]) == n and units(one["model"]) == 13]
        first = {tuple(one["begun"][0].flatten().tolist()) for one in same}
        assert len(first) == len({one["order_seed"] for one in same}) == len(same)
    heard = {}
    for one in bench.seen:
        k = assistant_of(one.data, assistants)
        if k is None:
            assert torch.equal(one.data.train.teacher_logits, everything.teacher_logits[which(one.data.train)])
        else:
            assert torch.equal(one.data.train.inputs, assistants[k]["inputs"])
            (order,) = set(one.grid["order_seed"])
            assert heard.setdefault(k, order) == order  # its own students, and nobody else's
            assert not set(one.grid["init_seed"]) & {assistants[k]["order_seed"]}
        assert one.data.validation is bench.garments.validation
        assert one.data.test is bench.garments.test
    assert sorted(heard) == list(range(len(assistants)))


def test_an_assistant_is_trained_with_the_settings_that_validation_chose_for_students_of_its_size(assistants):
    chosen = {(600, 5): (4, 0.01), (600, 20): (1, 0.003), (60, 5): (1, 0.01), (60, 20): (4, 0.003)}
    other = {600: (1, 0.01), 60: (4, 0.01)}  # at any other size

    def effect(row, some):
        n = len(some.train)
        if row.soft_weight == 0:
            return trap(row.lr == 0.03, 0.85)
        best = chosen.get((n, ratio_of(row.width, 4_600)), other[n])
        return trap((row.temperature, row.lr) == best, 0.8)

    found("assistant-bridges-gap", small_world(effect))
    assert len(assistants) == 2 * (8 + 10)
    for one in assistants:
        best = chosen[len(one["inputs"]), ratio_of(units(one["model"]), 4_600)]
        assert (one["temperature"], one["lr"]) == best
        assert one.get("soft_weight", 1) == 1
        assert one.get("weight_decay", 0) == 0


def test_the_effect_of_an_assistant_is_found_and_which_of_them_is_chosen_on_validation(assistants):
    helps = {50: 0.0, 100: 0.01, 200: 0.02}

    def effect(row, some):
        ratio = min(helps, key=lambda r: abs(np.log(4_600 / parameters(row.width) / r)))
        k = assistant_of(some, assistants)
        if k is None:
            return trap(row.temperature == 7 and row.lr == 0.01, 0.8)
        smaller = units(assistants[k]["model"]) < 30
        return trap(smaller and row.temperature == 1 and row.lr == 0.01, 0.8 + helps[ratio])

    result = found("assistant-bridges-gap", small_world(effect))
    assert means(result) == pytest.approx([0, 1, 2] * 2, abs=0.15)
    assert width(result) < 0.6
    assert ids(result) == [f"ratio={ratio},examples={n}" for n in (600, 60) for ratio in (50, 100, 200)]


def test_with_an_assistant_and_without_there_are_as_many_chances_and_as_many_steps(assistants, monkeypatch):
    original = lesson_04.sizes

    def sizes(run):
        """What was swept to choose the settings of the assistants is no chance of their students."""
        students = original(run)
        run.seen.clear()
        return students

    monkeypatch.setattr(lesson_04, "sizes", sizes)
    bench = small_world(flat)
    found("assistant-bridges-gap", bench)
    tried = {}
    for one in bench.seen:
        k = assistant_of(one.data, assistants)
        size = None if k is None else ratio_of(units(assistants[k]["model"]), 4_600)
        for row in one.grid.itertuples():
            assert (row.soft_weight, row.weight_decay) == (1, 0)
            arm = tried.setdefault((len(one.data.train), row.width, k is None), set())
            arm.add((size, row.temperature, row.lr))
    direct = set(itertools.product([None], [1, 2, 4, 7], [0.003, 0.01]))
    via = set(itertools.product([5, 20], [1, 4], [0.003, 0.01]))
    assert len(tried) == 2 * 3 * 2
    for (_, _, alone), arm in tried.items():
        assert arm == (direct if alone else via)
    assert len(direct) == len(via)
    assert len({str(one.options) for one in bench.seen}) == 1
