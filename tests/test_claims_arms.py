"""What the experiments share: choices made on validation, blocks that share nothing, arms that are treated alike."""

import functools
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats
from toy_bench import by_order, flat, found, settings, which, world

from kdcourse import data
from kdcourse.claims import arms, lesson_03, tuning
from kdcourse.claims.settings import SETTINGS
from kdcourse.losses import kd_loss
from kdcourse.sweep import best_on_validation

pytestmark = pytest.mark.slow  # whole experiments

# The claims about sizes share their students, so one stands for all of them.
BY_BLOCK = ["soft-beats-hard", "low-data-gains-most", "t-4-to-10", "best-temperature-moves", "blend-beats-either"]
BY_BLOCK += ["soft-labels-resist-noise", "sweet-spot-5-20", "gap-is-not-uniform", "rare-and-hard-lose-most"]
BY_BLOCK += ["distillation-lifts-the-tail-over-hard-labels"]


@pytest.fixture(autouse=True)
def as_long_as_planned(monkeypatch):
    """What is tried after the grid, stopping sooner and weight decays, has tests of its own."""
    monkeypatch.setattr(tuning, "SOONER", ())
    monkeypatch.setattr(tuning, "THEN", {})


@functools.cache
def run(name):
    """A bench on which the experiment of this claim was run, where no teacher is trained and no arm is better."""
    bench = world(flat)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson_03, "train", lambda *arguments, **options: None)
        found(name, bench)
    return bench


# ---- the best settings, and pairs ----


def table(**columns):
    columns = {"order_seed": [0, 0, 1, 1], "init_seed": [0, 1, 0, 1], **columns}
    columns = {"temperature": [1], "soft_weight": [1], "lr": [0.1], "weight_decay": [0]} | columns
    return pd.DataFrame({name: values * (4 // len(values)) for name, values in columns.items()})


def test_the_best_settings_are_the_combination_with_the_highest_mean_on_validation_whatever_test_says():
    accuracies = {(1, 0.1): 0.7, (1, 0.2): 0.8, (2, 0.1): 0.85, (2, 0.2): 0.4}  # lr 0.2 is the better one at T = 1
    rows = []
    for (t, lr), mean in accuracies.items():
        spread = 0 if mean == 0.85 else 0.2  # the best single student has other settings
        scores = [mean + spread, mean, mean, mean - spread]
        test = [1 - mean, 0.2, 0.3, 0.4]
        rows.append(table(temperature=[t], lr=[lr], validation_accuracy=scores, score=scores[::-1], on_test=test))
    rows.append(table(lr=[1], validation_accuracy=[0.99, 0.99, 0.99, np.nan], score=[0]))  # one of these diverged
    chosen = best_on_validation(pd.concat(rows).sample(frac=1, random_state=0))
    assert chosen["on_test"].tolist() == pytest.approx([0.15, 0.2, 0.3, 0.4])  # in the order of their seeds
    assert arms.students("soft labels", chosen, None).chosen == {
        "temperature": 2, "soft_weight": 1, "lr": 0.1, "weight_decay": 0
    }  # fmt: skip
    assert set(best_on_validation(pd.concat(rows), "score")["lr"]) == {0.1}


@pytest.mark.parametrize("pair", [lambda run, a, b: arms.pairs(run, {}, ("a", a), ("b", b)), arms.gain])
def test_arms_with_other_seeds_are_refused(pair):
    rows = table(test_right=[[1], [0], [1], [1]])
    with pytest.raises(ValueError, match="the arms must have the same seeds, got 4 and 3 students"):
        pair(None, rows, rows[:3])
    with pytest.raises(ValueError, match="must have the same seeds, got 4 and 4 students"):
        pair(None, rows, rows.assign(init_seed=[0, 1, 0, 2]))


@pytest.mark.parametrize("name", ["fashion-mnist", "wordnet-glosses", "flights"])
def test_at_the_highest_temperature_the_loss_is_all_but_its_limit(name):
    """Of centred logits, half of their squared distance over the number of classes: no temperature goes beyond that."""
    logits = data.load(name).test.teacher_logits[:2_000].double()
    generator = torch.Generator().manual_seed(0)
    student = (logits.std() * torch.randn(logits.shape, dtype=torch.double, generator=generator)).requires_grad_()
    (reached,) = torch.autograd.grad(kd_loss(student, logits, max(tuning.STEPS["temperature"])), student)
    apart = student - logits
    limit = (apart - apart.mean(1, keepdim=True)) / (logits.shape[1] * len(logits))
    assert 0 < (reached - limit).norm() / limit.norm() < 0.02
    assert tuning.NATURAL_EDGES["temperature"] == max(tuning.STEPS["temperature"])


SOFT = {"temperature": [1, 2, 4], "lr": [0.003, 0.01, 0.03]}
HARD = {"soft_weight": 0, "lr": [0.003, 0.01, 0.03], "weight_decay": [0, 0.1, 1]}


@pytest.mark.parametrize(
    ("arm", "best_at", "fixed", "also", "chosen", "edges"),
    [
        (SOFT, (2, 0.01, 0), [], {}, {}, ()),
        (SOFT, (4, 0.01, 0), [], {"temperature": [7]}, {}, ()),
        (SOFT, (1, 0.3, 0), [], {"temperature": [0.5], "lr": [0.1, 0.3, 1]}, {}, ()),
        (SOFT, (9.9, 0.003, 0), [], {"temperature": [7, 10, 20], "lr": [0.001]}, {"temperature": 10}, ()),
        (SOFT, (0, 5, 0), [], {"temperature": [0.5, 0.25, 0.12, 0.06, 0.03], "lr": [0.1, 0.3, 1, 3]},
         {"temperature": 0.03, "lr": 3}, ("temperature", "lr")),
        (SOFT, (999, 0.01, 0), [], {"temperature": [7, 10, 20, 40, 80, 160, 320]}, {"temperature": 320}, ()),
        (SOFT, (20, 0.03, 0), ["temperature"], {"lr": [0.1]}, {"temperature": 4}, ()),
        (HARD, (1, 0.01, 0), [], {}, {}, ()),
        (HARD, (1, 0.01, 300), [], {"weight_decay": [3, 10, 30, 100]}, {"weight_decay": 100}, ("weight_decay",)),
    ],
)  # fmt: skip
def test_more_is_tried_beyond_an_edge_until_no_choice_lies_on_one(arm, best_at, fixed, also, chosen, edges):
    """On the first few blocks only; the others train what was chosen. What cannot be left is reported."""
    best_at = dict(zip(["temperature", "lr", "weight_decay"], best_at, strict=True))

    def effect(row, some):
        if row.order_seed >= tuning.TRIED_ON:  # from the fourth block on, others would look better
            return 0.9 * (row.lr != best_at["lr"]), 0.5
        far = sum(abs(np.log((getattr(row, name) + 0.1) / (at + 0.1))) for name, at in best_at.items())
        return 0.8 - 0.02 * far, 0.5

    bench = world(effect)
    places = arms.repetitions(bench, 500, inits=2)
    students = tuning.best_everywhere(bench, places, 64, arm, arms.options(bench, 500), "students", fixed=fixed)
    expected = {"soft_weight": 1, **best_at, **arm, **chosen} | {k: v for k, v in best_at.items() if k not in chosen}
    found = arms.students("arm", students, None)
    assert (found.chosen, found.edges) == (expected | {"epochs": 40}, edges)
    grids = [[*np.atleast_1d(arm.get(name, default)), *also.get(name, [])] for name, default in
             [("temperature", 1), ("soft_weight", 1), ("lr", None), ("weight_decay", 0)]]  # fmt: skip
    tried, *others = ([one for one in bench.seen if one.predictions == kept] for kept in (False, "right"))
    rows = settings(tried)[["temperature", "soft_weight", "lr", "weight_decay"]]
    assert [set(rows[name]) for name in rows] == [set(values) for values in grids]
    first = [np.atleast_1d(arm.get(name, default)) for name, default in
             [("temperature", 1), ("soft_weight", 1), ("lr", None), ("weight_decay", 0)]]  # fmt: skip
    assert {*itertools.product(*first)} <= {*map(tuple, rows.to_numpy())}
    assert {order for one in tried for order in one.grid["order_seed"]} == {0, 1, 2}
    assert [one.grid["order_seed"].tolist() for one in others[0]] == [[k, k] for k in range(10)]
    assert len(settings(others[0])) == 1


@pytest.mark.parametrize(("best_at", "chosen"), [(200, 40), (40, 40), (10, 10), (1, 2)])
def test_an_arm_stops_sooner_where_validation_likes_that_better_and_never_later(monkeypatch, best_at, chosen):
    monkeypatch.setattr(tuning, "SOONER", (4, 16))
    seen = world(flat)

    def sweep(grid, some, *, epochs, **options):
        accuracy = 0.8 - 0.1 * abs(np.log(epochs / best_at))
        return seen.sweep(grid, some, epochs=epochs, **options).assign(validation_accuracy=accuracy)

    bench = replace(seen, sweep=sweep)
    places = arms.repetitions(bench, 500)
    students = tuning.best_everywhere(bench, places, 64, SOFT, {"epochs": 40, "batch_size": 64}, "students")
    assert set(students["epochs"]) == {chosen}
    assert {one.options["epochs"] for one in seen.seen if one.predictions == "right"} == {chosen}
    assert arms.students("arm", students, None).chosen["epochs"] == chosen


@pytest.mark.parametrize(("best_at", "also"), [(0, [0.1, 1]), (0.1, [0.1, 1]), (3, [0.1, 1, 3, 10])])
def test_an_arm_without_a_weight_decay_of_its_own_then_chooses_one(monkeypatch, best_at, also):
    monkeypatch.setattr(tuning, "THEN", {"weight_decay": [0.1, 1]})
    bench = world(lambda row, some: (0.8 - 0.1 * abs(np.log((row.weight_decay + 0.1) / (best_at + 0.1))), 0.5))
    places = arms.repetitions(bench, 500)
    students = tuning.best_everywhere(bench, places, 64, SOFT, arms.options(bench, 500), "students")
    assert set(students["weight_decay"]) == {best_at}
    tried = {decay for one in bench.seen for decay in one.grid["weight_decay"]}
    assert tried == {0, *also}
    hard = world(lambda row, some: (0.8 - abs(row.lr - 0.01) - 0.1 * abs(row.weight_decay - 0.1), 0.5))
    tuning.best_everywhere(hard, places, 64, HARD, arms.options(hard, 500), "students")
    assert len(settings(hard.seen)) == 9  # it has one in its grid


def test_beyond_an_edge_only_what_is_near_the_choice_is_tried():
    chosen = {"temperature": 4, "soft_weight": 1, "lr": 0.01}
    tried = {"temperature": [1, 2, 4], "soft_weight": 1, "lr": [0.001, 0.003, 0.01, 0.03, 0.1]}
    assert tuning.near(tried, chosen) == {"temperature": [2, 4], "soft_weight": [1], "lr": [0.003, 0.01, 0.03]}


# ---- blocks ----


@pytest.mark.parametrize(
    ("n", "repeats", "first"),
    [
        (100, {}, [0]),
        (500, {"fresh": 1}, [500]),
        (500, {"sets": 4, "fresh": 4}, [2_000, 2_500, 3_000, 3_500]),
        (5_000, {"fresh": 1}, [0]),
    ],
)
def test_a_block_gives_its_first_examples_and_while_it_has_some_others_when_asked_for_more(n, repeats, first):
    bench, fresh = world(flat), repeats.get("fresh", 0)
    places = arms.repetitions(bench, n, inits=2, **repeats)
    assert [which(data.train) for data, _, _ in places] == [
        list(range(5_000 * block + begin, 5_000 * block + begin + n)) for begin in first for block in range(10)
    ]
    # No two orders share initial weights, nor do two sets.
    orders = list(range(10 * fresh, 10 * (fresh + len(first))))
    assert [order for _, _, order in places] == orders
    assert [init for _, inits, _ in places for init in inits] == list(range(2 * orders[0], 2 * orders[-1] + 2))


def test_what_does_not_fit_a_block_is_one_set_for_all_seeds():
    bench = world(flat, examples=40_000)
    places = arms.repetitions(bench, 50_000, inits=2)
    assert [(len(data.train), *inits, order) for data, inits, order in places] == [(40_000, k, k) for k in range(16)]


@pytest.mark.parametrize("name", BY_BLOCK)
def test_an_experiment_keeps_its_blocks_apart(name):
    """Two orders have no initial weights in common and, where there are enough of them, no examples."""
    bench = run(name)
    for (n, _), calls in itertools.groupby(sorted(bench.seen, key=size), key=size):
        calls = list(calls)
        assert all(one.options == calls[0].options for one in calls)
        orders = by_order(calls, bench)
        assert len(orders) in ([8, 16] if n == 50_000 else [10, 40])
        examples, inits = zip(*orders.values(), strict=True)
        assert len(set().union(*inits)) == sum(map(len, inits))
        assert len(set().union(*examples)) == (50_000 if n == 50_000 else sum(map(len, examples)))


def size(call):
    """Blocks with a long tail are not all as large."""
    n = len(call.data.train)
    return n if n in (100, 500, 5_000, 50_000) else 0, call.grid["width"].iloc[0]


def test_the_second_run_of_the_blends_shares_no_seed_and_where_possible_no_example_with_the_first_runs():
    used = []
    for name in ("soft-beats-hard", "blend-beats-either"):
        bench = run(name)
        small = [one for one in bench.seen if len(one.data.train) == 500]
        orders = by_order(small, bench)
        used.append((set(orders), set().union(*(inits for _, inits in orders.values())),
                     {k for where, _ in orders.values() for k in where}))  # fmt: skip
    for one, other in zip(*used, strict=True):
        assert len(one) == len(other) > 0
        assert not one & other


# ---- fair arms ----


@pytest.mark.parametrize(
    ("name", "arm_of", "chances"),
    [
        ("soft-beats-hard", lambda row: row.soft_weight, [18, 36]),
        ("low-data-gains-most", lambda row: row.soft_weight, [18, 36]),
        ("t-4-to-10", lambda row: 4 <= row.temperature <= 10, [9, 9]),
        ("best-temperature-moves", lambda row: row.temperature, [3, 3]),
        ("blend-beats-either", lambda row: row.soft_weight in (0, 1), [27, 54]),  # the pure losses have more
        ("soft-labels-resist-noise", lambda row: row.soft_weight, [18, 36]),
        ("distillation-lifts-the-tail-over-hard-labels", lambda row: (row.loss, row.soft_weight), [9, 18, 18]),
    ],
)
def test_the_arms_of_an_experiment_have_as_many_chances_the_same_data_and_train_equally_long(name, arm_of, chances):
    bench = run(name)
    everywhere = bench.data.train.teacher_logits

    def case(one):
        clean = torch.equal(one.data.train.teacher_logits, everywhere[which(one.data.train)])
        return *size(one), len(one.data.validation), clean

    for _, calls in itertools.groupby(sorted(bench.seen, key=case), key=case):
        calls = list(calls)
        assert all(one.options == calls[0].options for one in calls)
        by_arm = {}
        for one in calls:
            for arm in {arm_of(row) for row in one.grid.itertuples()}:
                by_arm.setdefault(arm, []).append(one)
        assert (
            sorted(len(settings(some, lambda row, a=arm: arm_of(row) == a)) for arm, some in by_arm.items()) == chances
        )
        first, *others = (by_order(some, bench) for some in by_arm.values())
        assert all(other == first for other in others)


# ---- what each example adds ----


def test_what_examples_add_has_the_metric_as_its_mean():
    random = np.random.default_rng(0)
    labels, logits = random.integers(2, size=300), random.normal(size=(3, 300, 2)).astype("float32")
    logits[..., 1] += labels
    test, rows = SimpleNamespace(labels=torch.from_numpy(labels)), pd.DataFrame({"test_logits": list(logits)})
    margins, pairs = logits[..., 1].astype(float) - logits[..., 0], labels.sum() * (1 - labels).sum()
    by_hand = {
        "accuracy": [np.mean(one.argmax(1) == labels) for one in logits],
        "AUROC": [scipy_stats.mannwhitneyu(one[labels == 1], one[labels == 0]).statistic / pairs for one in margins],
        "log-likelihood": [-torch.nn.functional.cross_entropy(torch.tensor(one), test.labels).item() for one in logits],
    }
    for metric, expected in by_hand.items():
        scores = replace(SETTINGS["flights"], metric=metric).scores(rows, test)
        assert scores.shape == (3, 300)
        assert scores.mean(1) == pytest.approx(expected, abs=1e-6)


def test_days_are_summed_and_the_mean_of_a_student_stays():
    random = np.random.default_rng(1)
    values, days = random.normal(size=(4, 500)), random.choice([*"abcdefgh"], 500, p=np.arange(1, 9) / 36)
    by_day = SETTINGS["flights"].independent(values, SimpleNamespace(about=pd.DataFrame({"date": days})))
    sums = pd.DataFrame(values.T).groupby(days).sum().T.to_numpy()
    assert by_day == pytest.approx(sums * 8 / 500)
    assert by_day.mean(1) == pytest.approx(values.mean(1))
    assert SETTINGS["fashion-mnist"].independent(values, None) is values


@pytest.mark.parametrize("several", [False, True])
def test_a_slice_has_its_mean_and_the_spread_that_a_bootstrap_of_the_examples_gives_it(several):
    """How many examples of a slice there are is chance, too."""
    random = np.random.default_rng(2)
    values = random.exponential(size=(2, 400)) + 3
    chosen = random.random((2, 400) if several else 400) < 0.2
    values += 5 * chosen
    each = np.broadcast_to(chosen, values.shape)
    on_slice = arms.on_slice(values, chosen)
    assert on_slice.mean(1) == pytest.approx([row[inside].mean() for row, inside in zip(values, each, strict=True)])
    again = random.integers(400, size=(4_000, 400))
    for row, value, inside in zip(on_slice, values, each, strict=True):
        resampled = (value * inside)[again].sum(1) / inside[again].sum(1)
        assert row.std() / np.sqrt(400) == pytest.approx(resampled.std(), rel=0.06)
