"""The experiments of lessons 01 to 03, on a sweep whose results are known: they find just that, in fair pairs."""

import itertools

import numpy as np
import pytest
import torch
from toy_bench import by_order, flat, found, ids, means, said, speaker, spy, trap, which, width, world

from kdcourse.claims import lesson_02, lesson_03
from kdcourse.models import StudentStack
from kdcourse.stack import distill_stack, logits_of_stack

pytestmark = pytest.mark.slow  # whole experiments


def better_by(gain, better):
    """Students for which `better(row)` holds are better by `gain`, on validation and on test."""
    return lambda row, some: (0.8 + gain * better(row),) * 2


def from_4_to_10(row):
    return 4 <= row.temperature <= 10


def blended(row):
    return row.soft_weight not in (0, 1)


# ---- what there is to find is found, with the settings that validation chose ----


def soft_and_hard(row, some):
    if row.soft_weight == 1:
        return trap(row.temperature == 7 and row.lr == 0.01, 0.72)
    return trap(row.lr == 0.003 and row.weight_decay == 0.1, 0.7)


def few_and_many(row, some):
    gain = {100: 0.03, 500: 0.01, 5_000: 0.01}[len(some.train)]
    return (0.7 + gain * (row.soft_weight == 1),) * 2


def temperatures(row, some):
    inside = from_4_to_10(row)
    return trap(row.lr == 0.003 and row.temperature == (7 if inside else 20), 0.83 if inside else 0.815)


def moving_temperature(row, some):
    gains = {(32, 500): 0.010, (256, 500): 0.022, (32, 5_000): 0.003, (256, 5_000): 0.011}
    gain = gains[row.width, len(some.train)] + 0.01 * row.order_seed  # what a block shares cancels in its pairs
    return trap(row.lr == 0.01, 0.7 + gain * (row.temperature == 4))


def blends(row, some):
    if not blended(row):  # the soft one is better on validation, and its own best setting is at T = 2
        return trap(row.soft_weight == 1 and row.temperature == 2 and row.lr == 0.01, 0.82)
    return trap(row.soft_weight == 0.9 and row.temperature == 4 and row.lr == 0.003, 0.83)


YES, NO, UNKNOWN = "supported", "not_supported", "inconclusive"


@pytest.mark.parametrize(
    ("name", "effect", "expected", "verdicts", "pairs"),
    [
        ("soft-beats-hard", soft_and_hard, [2, 2, 2], [YES] * 3, [20] * 3),
        ("low-data-gains-most", few_and_many, [2, 0], [YES, UNKNOWN], [20] * 2),
        ("t-4-to-10", temperatures, [1.5] * 4, [YES] * 4, [20, 20, 10, 10]),
        ("t-4-to-10", better_by(-0.0035, from_4_to_10), [-0.35] * 4, [YES] * 4, [20, 20, 10, 10]),
        ("t-4-to-10", better_by(-0.0065, from_4_to_10), [-0.65] * 4, [NO] * 4, [20, 20, 10, 10]),
        ("t-4-to-10", better_by(-0.005, from_4_to_10), [-0.5] * 4, [UNKNOWN] * 4, [20, 20, 10, 10]),
        ("best-temperature-moves", moving_temperature, [1.2, 0.8, 0.7, 1.1], [YES] * 4, [10] * 4),
        ("blend-beats-either", blends, [1, 1], [YES] * 2, [20] * 2),
        ("blend-beats-either", better_by(0.0015, blended), [0.15] * 2, [NO] * 2, [20] * 2),
        ("blend-beats-either", better_by(0.0025, blended), [0.25] * 2, [UNKNOWN] * 2, [20] * 2),
    ],
)
def test_an_effect_is_found_as_large_as_it_is(name, effect, expected, verdicts, pairs):
    """The margins are half a point (temperatures) and a quarter of one (blends); n loses no pair."""
    result = found(name, world(effect))
    assert means(result) == pytest.approx(expected, abs=0.1)
    assert width(result) < 0.3
    assert [said(result)[one] for one in ids(result)] == verdicts
    assert [one["n"] for one in result["parts"]] == pairs


# ---- lesson 01 ----


def test_the_left_out_class_is_nowhere_in_the_training_pictures():
    bench = world(flat, teacher=0.8)
    seen = []

    def sweep(grid, some, **options):
        seen.append(some.train)
        nothing = [np.zeros((2_000, 10), dtype=np.float32)] * len(grid)
        return grid.assign(validation_logits=nothing, test_logits=nothing, test_accuracy=0)

    bench.sweep = sweep
    parts = found("omitted-class-is-learned", bench)["parts"]
    assert [one["key"]["class"] for one in parts] == ["sneaker", "trouser", "bag", "shirt"]
    for soft, hard, label in zip(seen[::2], seen[1::2], [7, 1, 8, 6], strict=True):
        for train in (soft, hard):
            assert not (train.labels == label).any()
            assert not (train.teacher_logits.argmax(1) == label).any()
        assert torch.equal(soft.inputs, hard.inputs)
        assert not torch.isinf(soft.teacher_logits).any()
        assert torch.isinf(hard.teacher_logits).any()  # it knows the first choices alone


def test_the_bias_of_the_left_out_class_is_the_one_that_validation_asks_for():
    """One arm needs a small bias on validation and a large one on test, the other the reverse."""
    low = {1: (9.25, 5.25), 2: (5.25, 9.25)}  # call -> how much too low the class is, on validation and on test

    def sweep(grid, some, **options):
        calls.append(grid)
        logits = []
        for split, by in zip((some.validation, some.test), low.get(len(calls), (0, 0)), strict=True):
            said = 5 * torch.nn.functional.one_hot(split.labels, 10).float()
            said[:, 7] -= by
            logits.append([said.numpy()] * len(grid))
        return grid.assign(validation_logits=logits[0], test_logits=logits[1], test_accuracy=0)

    bench, calls = world(flat), []
    bench.sweep = sweep
    sneaker, *others = found("omitted-class-is-learned", bench)["parts"]
    assert sneaker["mean"] == pytest.approx(100)  # chosen on test, both arms would have found all
    assert [one["mean"] for one in others] == [0, 0, 0]


# ---- lesson 02 ----


def test_gradients_are_those_of_the_loss_times_t_squared(monkeypatch):
    """Far above the logits' size, T² · KL has a gradient that no longer depends on T; below, it does."""
    monkeypatch.setattr(lesson_02, "BLOCK", 1_000)
    bench = world(flat, pictures=1_000)
    parts = lesson_02.t_squared_keeps_gradients.measure(bench)
    assert [part.key for part in parts] == [{"temperature": [4, 1]}, {"temperature": [20, 4]}]
    some = bench.garments.train
    stack = StudentStack([6, 64, 10], range(8))
    distill_stack(stack, some.inputs, some.teacher_logits, some.labels, soft_weight=0.0, epochs=1, order_seed=3)
    z = logits_of_stack(stack, some.inputs).double().numpy()
    t = some.teacher_logits.T.double().numpy()
    for temperature, norms in [(1, parts[0].b), (4, parts[0].a), (20, parts[1].a)]:
        q, p = (np.exp(x / temperature) / np.exp(x / temperature).sum(-2, keepdims=True) for x in (z, t))
        by_hand = np.log2(temperature * np.linalg.norm(q - p, axis=1).mean(1))  # T² · (q − p) / T
        assert norms.values[-8:] == pytest.approx(by_hand, abs=1e-4)


@pytest.fixture
def teachers(monkeypatch):
    """Six hundred pictures in blocks of a hundred; and the teachers trained on them, each with how it was trained."""
    monkeypatch.setattr(lesson_02, "BLOCK", 100)
    trained = []
    for name in ("train", "distill"):
        spy(monkeypatch, lesson_02, name, trained)
    return trained


def test_a_smoothed_teacher_differs_from_its_plain_twin_in_nothing_but_its_labels(teachers):
    bench = world(flat, pictures=600)
    found("smoothed-teacher-teaches-worse", bench)
    everything = bench.garments.train
    assert [one["with"] for one in teachers] == ["train", "distill"] * 6
    for seed, (plain, smoothed) in enumerate(zip(teachers[::2], teachers[1::2], strict=True)):
        assert torch.equal(plain["signal"], everything.labels)
        even = torch.full((600, 10), 0.1 / 10)
        even[range(600), everything.labels] = 0.9 + 0.1 / 10
        torch.testing.assert_close(smoothed["signal"].softmax(1), even)
        assert smoothed["temperature"] == 1
        for one in (plain, smoothed):
            assert torch.equal(one["inputs"], everything.inputs)
            assert (one["device"], one["order_seed"]) == (bench.device, seed)
        assert all(map(torch.equal, plain["begun"], smoothed["begun"]))
        assert {plain[name] == smoothed[name] for name in ("epochs", "batch_size", "schedule")} == {True}
    first = [one["begun"][0] for one in teachers[::2]]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(first, 2))

    # And their students hear them on pictures of their own.
    heard = {}  # position of the teacher -> the calls of its students
    for one in bench.seen:
        heard.setdefault(speaker(one.data, [teacher["model"] for teacher in teachers]), []).append(one)
    assert sorted(heard) == list(range(12))
    for pair in range(6):
        plain, smoothed = (by_order(heard[k], bench) for k in (2 * pair, 2 * pair + 1))
        assert plain == smoothed == {pair: (list(range(100 * pair, 100 * pair + 100)), {2 * pair, 2 * pair + 1})}


def test_what_smoothing_costs_is_found_at_each_temperature_with_settings_from_validation(teachers):
    def effect(row, some):
        smoothed = speaker(some, [one["model"] for one in teachers[1::2]]) is not None
        cost = {1: 0.0, 4: 0.01, 10: 0.02}[row.temperature]
        return trap(row.lr == 0.003, 0.8 - cost * smoothed)

    bench = world(effect, pictures=600)
    result = found("smoothed-teacher-teaches-worse", bench)
    assert means(result) == pytest.approx([0, -1, -2], abs=0.1)
    assert width(result) < 0.4
    assert said(result) == {"temperature=1": UNKNOWN, "temperature=4": YES, "temperature=10": YES}
    for part in result["parts"]:  # the teacher is the unit
        assert len(set(part["pairs"]["order_seed"])) == 6
        assert len(set(part["pairs"]["init_seed"])) == part["n"] == 12


# ---- lesson 03 ----


@pytest.fixture
def misled_teachers(monkeypatch):
    """The teachers trained on wrong labels, each with how it was trained; one epoch is enough to know them by."""
    trained = []
    spy(monkeypatch, lesson_03, "train", trained, epochs=1)
    return trained


def hears_the_teacher(some, clean):
    return torch.equal(some.train.teacher_logits, clean.train.teacher_logits[which(some.train)])


def wrong(labels, where, clean):
    """Which of these labels, of the training pictures at `where`, are not the right ones."""
    return (labels != clean.train.labels[where]).nonzero().flatten().tolist()


def test_resistance_to_noise_is_what_soft_labels_gain_over_labels_of_which_three_in_ten_are_wrong(misled_teachers):
    def effect(row, some):
        if row.soft_weight == 1:
            on_test = 0.82 if hears_the_teacher(some, bench.garments) else 0.72
            return trap(row.temperature == 4 and row.lr == 0.01, on_test)
        share = len(wrong(some.train.labels, which(some.train), bench.garments)) / len(some.train)
        return trap(row.lr == 0.001 and row.weight_decay == 1, 0.80 + 0.01 * (len(some.train) == 500) - 0.2 * share)

    bench = world(effect)
    result = found("soft-labels-resist-noise", bench)
    assert means(result) == pytest.approx([7, 8, -3], abs=0.1)
    assert width(result) < 0.3
    assert said(result) == {
        "examples=500,teacher=clean": YES,
        "examples=5000,teacher=clean": YES,
        "examples=500,teacher=misled": NO,
    }


def test_three_labels_in_ten_are_wrong_for_both_arms_and_for_a_misled_teacher_on_other_pictures(misled_teachers):
    bench = world(flat)
    found("soft-labels-resist-noise", bench)
    clean, differs = bench.garments, {}
    for one in bench.seen:
        train, where = one.data.train, which(one.data.train)
        assert torch.equal(train.inputs, clean.train.inputs[where])
        differ = wrong(train.labels, where, clean)
        assert len(differ) == 0.3 * len(train)
        of_block = differs.setdefault((len(train), hears_the_teacher(one.data, clean)), {})
        assert of_block.setdefault(where[0], differ) == differ  # the same ones for both arms
        if not hears_the_teacher(one.data, clean):  # then a teacher that has learned on the same block
            assert 5_000 * speaker(one.data, [teacher["model"] for teacher in misled_teachers]) == where[0]
    assert set(differs) == {(500, True), (5_000, True), (500, False)}
    for of_block in differs.values():
        assert len({tuple(differ) for differ in of_block.values()}) == len(of_block) == 10  # every block has its own
    # None of that was written into the pictures that everybody else uses.
    assert torch.equal(clean.train.labels, world(flat).garments.train.labels)

    assert len(misled_teachers) == 10
    for block, teacher in enumerate(misled_teachers):
        where = list(range(5_000 * block + 1_000, 5_000 * (block + 1)))
        assert torch.equal(teacher["inputs"], clean.train.inputs[where])
        assert len(wrong(teacher["signal"], where, clean)) == 0.3 * 4_000
        assert teacher["device"] == bench.device
    for a, b in itertools.combinations(misled_teachers, 2):
        assert not torch.equal(a["begun"][0], b["begun"][0])
        assert not torch.equal(a["signal"], b["signal"])
