"""The experiments of lessons 01 to 03, on a sweep whose results are known: they find just that, in fair pairs."""

import functools
import itertools

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from toy_bench import by_order, flat, found, means, positions, speaker, spy, trap, which, width, world

from kdcourse.claims import lesson_02, lesson_03
from kdcourse.models import StudentStack
from kdcourse.stack import distill_stack, logits_of_stack

pytestmark = pytest.mark.slow  # whole experiments


# ---- what there is to find is found, with the settings that validation chose ----


def soft_and_hard(row, some):
    if row.soft_weight == 1:
        return trap(row.temperature == 7 and row.lr == 0.01, 0.72)
    return trap(row.lr == 0.003 and row.weight_decay == 0.1, 0.7)


def few_and_many(row, some):
    gain = {100: 0.03, 500: 0.01, 5_000: 0.01}[len(some.train)]
    return flat(row, some)[0], 0.7 + gain * (row.soft_weight == 1)


def temperatures(row, some):
    inside = 4 <= row.temperature <= 10
    return trap(row.lr == 0.01 and row.temperature == (7 if inside else 20), 0.83 if inside else 0.815)


def moving_temperature(row, some):
    gains = {(32, 500): 0.010, (256, 500): 0.022, (32, 5_000): 0.003, (256, 5_000): 0.011}
    gain = gains[row.width, len(some.train)] + 0.01 * row.order_seed  # what a block shares cancels in its pairs
    return trap(row.lr == 0.01, 0.7 + gain * (row.temperature == 4))


def blends(row, some):
    if row.soft_weight in (0, 1):  # the soft one is better on validation, and its own best setting is at T = 2
        return trap(row.soft_weight == 1 and row.temperature == 2 and row.lr == 0.01, 0.82)
    return trap(row.soft_weight == 0.5 and row.temperature == 4 and row.lr == 0.01, 0.83)


@pytest.mark.parametrize(
    ("name", "effect", "expected", "margin", "units"),
    [
        ("soft-beats-hard", soft_and_hard, [2] * 4, 0, [40, 40, 10, 16]),
        ("low-data-gains-most", few_and_many, [2, 0], 0, [10, 10]),
        ("t-4-to-10", temperatures, [1.5] * 4, 0.5, [40, 10, 40, 10]),
        ("best-temperature-moves", moving_temperature, [1.2, 0.8, 0.7, 1.1], 0, [10] * 4),
        ("blend-beats-either", blends, [1, 1], 0.25, [40, 10]),
    ],
)
def test_an_effect_is_found_as_large_as_it_is(name, effect, expected, margin, units):
    result = found(name, world(effect))
    assert means(result) == pytest.approx(expected, abs=0.1)
    assert width(result) < 0.3
    assert [(one["margin"], one["n"]) for one in result["parts"]] == [(margin, n) for n in units]
    assert {(one["setting"], one["metric"]) for one in result["parts"]} == {("fashion-mnist", "accuracy")}


def test_the_best_of_the_other_temperatures_may_lie_beyond_them_and_of_4_to_10_it_may_not():
    def likes_40(row, some):
        return 0.8 - 0.01 * abs(np.log2(row.temperature / 40)) - 0.1 * (row.lr != 0.01), 0.7

    result = found("t-4-to-10", world(likes_40))
    chosen = [[arm["chosen"]["temperature"] for arm in one["arms"].values()] for one in result["parts"]]
    assert chosen == [[10, 40]] * 4
    assert not any(arm.get("edges") for one in result["parts"] for arm in one["arms"].values())


# ---- other settings ----


def test_of_flights_the_area_under_the_curve_is_compared_and_days_are_what_is_drawn():
    def says(row, some, name):
        split, random = getattr(some, name), np.random.default_rng([row.init_seed, int(row.soft_weight)])
        margin = random.normal(size=len(split)) + split.labels.numpy() * (1 + 0.5 * row.soft_weight)
        return np.stack([np.zeros_like(margin), margin], 1)

    bench = world(flat, setting="flights", says=says)
    parts = found("soft-beats-hard", bench)["parts"]
    tested = [one for one in bench.seen if one.predictions]
    labels, days = bench.data.test.labels.numpy(), bench.data.test.about["date"].nunique()
    for part, n in zip(parts, [500, 5_000, 50_000], strict=True):
        for name, soft in [("a", 1), ("b", 0)]:
            rows = [(one, row) for one in tested if len(one.data.train) == n for row in one.grid.itertuples()]
            rows = sorted(
                (row.order_seed, row.init_seed, row, one)
                for one, row in rows
                if row.soft_weight == soft and row.hidden_layers
            )
            margins = [says(row, one.data, "test")[:, 1] for *_, row, one in rows]
            by_hand = [scipy_stats.mannwhitneyu(one[labels == 1], one[labels == 0]).statistic for one in margins]
            pairs = labels.sum() * (1 - labels).sum()
            assert part["pairs"][name] == pytest.approx(np.array(by_hand) / pairs, abs=1e-5)
        assert (part["setting"], part["metric"], part["unit"]) == ("flights", "AUROC", "points")
        assert part["covers"]["example"] == days
        assert part["example_error"] > 0


def says_late(row, some, name):
    """Logits that are better with more examples, and with soft labels; no two students are alike."""
    split, n = getattr(some, name), len(some.train)
    random = np.random.default_rng([row.init_seed, int(row.soft_weight), int(row.temperature), n, int(row.width)])
    margin = random.normal(size=len(split)) + split.labels.numpy() * (1 + 0.5 * row.soft_weight + n / 20_000)
    return np.stack([np.zeros_like(margin), margin], 1)


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("low-data-gains-most", ["log-likelihood", "accuracy"]),
        ("best-temperature-moves", ["log-likelihood", "accuracy"]),
        ("sweet-spot-5-20", ["log-likelihood", "accuracy"]),
        ("below-5x-use-small", ["accuracy"]),
        ("above-20x-gap", ["accuracy"]),
        ("gap-is-not-uniform", ["accuracy"]),
        ("rare-and-hard-lose-most", ["accuracy"]),
    ],
)
def test_beside_the_metric_of_flights_stand_others(name, metrics):
    parts = found(name, world(flat, setting="flights", says=says_late))["parts"]
    assert [[one["metric"] for one in part["also"]] for part in parts] == [metrics] * len(parts)
    assert all(one["mean"] != part["mean"] for part in parts for one in part["also"])


def test_a_difference_of_gains_is_one_of_accuracies_too():
    bench = world(flat, setting="flights", says=says_late)
    part, *_ = found("low-data-gains-most", bench)["parts"]
    (accuracy,) = (one for one in part["also"] if one["metric"] == "accuracy")
    labels, right = bench.data.test.labels.numpy(), {}
    for one in bench.seen:
        for row in one.grid.itertuples() if one.predictions else ():
            where = len(one.data.train), row.soft_weight
            right.setdefault(where, []).append((says_late(row, one.data, "test").argmax(1) == labels).mean())
    mean = {where: 100 * np.mean(values) for where, values in right.items()}
    by_hand = (mean[500, 1] - mean[500, 0]) - (mean[5_000, 1] - mean[5_000, 0])
    assert part["key"] == {"examples": [500, 5_000]}
    assert accuracy["mean"] == pytest.approx(by_hand, abs=1e-3)


# ---- lesson 01 ----


def test_the_left_out_class_is_nowhere_in_the_training_pictures():
    bench = world(flat, teacher=0.8)
    result = found("omitted-class-is-learned", bench)
    ceiling, *seen = [one.data.train for one in bench.seen]
    assert len(ceiling.labels.unique()) == 10  # who is the ceiling was shown all
    assert [one["key"]["class"] for one in result["parts"]] == ["sneaker", "trouser", "bag", "shirt"]
    for soft, hard, label in zip(seen[::2], seen[1::2], [7, 1, 8, 6], strict=True):
        for train in (soft, hard):
            assert not (train.labels == label).any()
            assert not (train.teacher_logits.argmax(1) == label).any()
        assert torch.equal(soft.inputs, hard.inputs)
        assert not torch.isinf(soft.teacher_logits).any()
        assert torch.isinf(hard.teacher_logits).any()  # it knows the first choices alone


def test_the_bias_of_the_left_out_class_is_the_one_that_validation_asks_for():
    """One arm needs a small bias on validation and a large one on test, the other the reverse."""
    low = {4.0: {"validation": 9.25, "test": 5.25}, 1.0: {"validation": 5.25, "test": 9.25}}  # how much too low it is

    def says(row, some, name):
        logits = 5 * np.eye(10, dtype=np.float32)[getattr(some, name).labels]
        logits[:, 7] -= low[row.temperature][name] * (len(calls) < 4)  # of the ceiling, then of both arms
        return logits

    bench = world(lambda row, some: (calls.add(id(some)), flat(row, some))[1], says=says)
    calls = set()
    sneaker, *others = found("omitted-class-is-learned", bench)["parts"]
    assert sneaker["mean"] == pytest.approx(100)  # chosen on test, both arms would have found all
    assert [one["mean"] for one in others] == [0, 0, 0]
    assert [one["beside"]["before the correction"] for one in (sneaker, *others)] == [0, 1, 1, 1]
    assert sneaker["covers"]["example"] == (bench.data.test.labels == 7).sum()


# ---- lesson 02 ----


def test_gradients_are_those_of_the_loss_times_t_squared(monkeypatch):
    """Far above the logits' size, T² · KL has a gradient that no longer depends on T; below, it does."""
    monkeypatch.setattr(lesson_02, "BLOCK", 1_000)
    bench = world(flat, examples=1_000)
    parts = lesson_02.t_squared_keeps_gradients.measure(bench)
    assert [part.key for part in parts] == [{"temperature": [4, 1]}, {"temperature": [20, 4]}]
    some = bench.data.train
    stack = StudentStack([6, 64, 10], range(8))
    distill_stack(stack, some.inputs, some.teacher_logits, some.labels, soft_weight=0.0, epochs=1, order_seed=3)
    z = logits_of_stack(stack, some.inputs).double().numpy()
    t = some.teacher_logits.T.double().numpy()
    for temperature, norms in [(1, parts[0].b), (4, parts[0].a), (20, parts[1].a)]:
        q, p = (np.exp(x / temperature) / np.exp(x / temperature).sum(-2, keepdims=True) for x in (z, t))
        each = temperature * np.linalg.norm(q - p, axis=1)  # T² · (q − p) / T
        assert norms.values[-8:].mean(1) == pytest.approx(np.log2(each.mean(1)), abs=1e-4)
        # And a picture's part in the logarithm: what the mean loses without it, at first order.
        without = (each.sum(1, keepdims=True) - each) / (each.shape[1] - 1)
        jackknife = np.log2(each.mean(1, keepdims=True) / without) * (each.shape[1] - 1)
        influence = norms.values[-8:] - norms.values[-8:].mean(1, keepdims=True)
        assert influence == pytest.approx(jackknife, abs=0.02)


@pytest.fixture
def teachers(monkeypatch):
    """Six hundred pictures in blocks of a hundred; and the teachers trained on them, each with how it was trained."""
    monkeypatch.setattr(lesson_02, "BLOCK", 100)
    trained = []
    for name in ("train", "distill"):
        spy(monkeypatch, lesson_02, name, trained)
    return trained


def test_a_smoothed_teacher_differs_from_its_plain_twin_in_nothing_but_its_labels(teachers):
    cost = {1: 0.0, 4: 0.01, 10: 0.02}

    def effect(row, some):
        smoothed = speaker(some, [one["model"] for one in teachers[1::2]]) is not None
        return trap(row.lr == 0.01, 0.8 - cost[row.temperature] * smoothed)

    bench = world(effect, examples=600)
    result = found("smoothed-teacher-teaches-worse", bench)
    assert means(result) == pytest.approx([0, -1, -2], abs=0.1)
    assert width(result) < 0.4
    assert [one["n"] for one in result["parts"]] == [6, 6, 6]  # the teacher is the unit

    everything = bench.data.train
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


# ---- lesson 03 ----

NOISY = [("clean", 500, 2_000), ("clean", 5_000, 2_000), ("misled", 500, 2_000), ("equally misled", 500, 2_000)]
NOISY += [("equally misled", 5_000, 2_000), ("clean", 500, 500)]


@pytest.mark.parametrize("setting", ["fashion-mnist", "wordnet-glosses"])
def test_resistance_to_noise_is_what_soft_labels_gain_over_labels_of_which_three_in_ten_are_wrong(setting, monkeypatch):
    """The same ones for both arms, and for a teacher that learned from the same labels; a misled one saw others."""
    teachers = []
    spy(monkeypatch, lesson_03, "train", teachers, untrained=True)
    gains = {"clean": 0.02, "misled": -0.08, "equally misled": -0.04}

    @functools.cache
    def about(some):
        """The teacher of its soft labels, what kind of teacher it is, and which of its labels are wrong."""
        where, clean = which(some.train), bench.data.train
        differ = tuple((some.train.labels != clean.labels[where]).nonzero().flatten().tolist())
        if torch.equal(some.train.teacher_logits, clean.teacher_logits[where]):
            return None, "clean", differ
        teacher = teachers[speaker(some, [one["model"] for one in teachers])]
        return teacher, "misled" if len(teacher["inputs"]) == 4_000 else "equally misled", differ

    def effect(row, some):
        _, kind, differ = about(some)
        if row.soft_weight == 1:
            return trap(row.temperature == 4 and row.lr == 0.01, 0.8 + gains[kind])
        on_test = 0.8 + 0.01 * (len(some.train) == 500) - 0.2 * len(differ) / len(some.train)
        return trap(row.lr == 0.003 and row.weight_decay == 0.1, on_test)

    bench = world(effect, setting=setting)
    result = found("soft-labels-resist-noise", bench)
    expected = [100 * (gains[teacher] + 0.06 - 0.01 * (n == 500)) for teacher, n, _ in NOISY]
    assert means(result) == pytest.approx(expected, abs=0.1)
    assert width(result) < 0.3
    assert {one["setting"] for one in result["parts"]} == {setting}

    clean, differs = bench.data, {}
    for one in bench.seen:
        train, where, validation = one.data.train, which(one.data.train), one.data.validation
        assert torch.equal(train.inputs, clean.train.inputs[where])
        teacher, kind, differ = about(one.data)
        assert len(differ) == 0.3 * len(train)
        assert torch.equal(validation.labels, clean.validation.labels[: len(validation)])
        of_block = differs.setdefault((kind, len(train), len(validation)), {})
        assert of_block.setdefault(where[0], differ) == differ
        if kind == "equally misled":
            assert torch.equal(teacher["inputs"], train.inputs)
            assert torch.equal(teacher["signal"], train.labels)
        elif teacher:
            others = positions(teacher["inputs"])
            assert others == list(range(where[0] + 1_000, where[0] + 5_000))
            assert (teacher["signal"] != clean.train.labels[others]).sum() == 0.3 * 4_000
    assert [*differs] == NOISY
    for of_block in differs.values():
        assert len({*of_block.values()}) == len(of_block) == 10  # every block has its own
    # None of that was written into the examples that everybody else uses.
    assert torch.equal(clean.train.labels, world(flat, setting=setting).data.train.labels)


@pytest.mark.parametrize("best", [{"lr": 0.032, "weight_decay": 4.0, "epochs": 1}, {"lr": 0.0005, "epochs": 32}])
def test_a_teacher_of_noisy_labels_trains_as_validation_likes_best_wherever_that_lies(best, monkeypatch):
    best = {"weight_decay": 0.25} | best

    def train(model, inputs, labels, *, lr, weight_decay, epochs, **options):
        assert epochs == int(epochs) >= 1
        model.how = {"lr": lr, "weight_decay": weight_decay, "epochs": epochs}

    def says(model, inputs, **options):
        split = bench.data.validation
        assert inputs is split.inputs
        off = sum(abs(np.log2(model.how[name] / best[name])) for name in best)
        labels = torch.where(torch.arange(len(split)) < (0.9 - 0.02 * off) * len(split), split.labels, split.labels - 1)
        return torch.nn.functional.one_hot(labels % 10, 10).float()

    monkeypatch.setattr(lesson_03, "train", train)
    monkeypatch.setattr(lesson_03, "teacher_logits", says)
    bench = world(flat, examples=50_000)
    assert lesson_03._best_teacher(bench, "equally misled", 500, 0) == pytest.approx(best)
