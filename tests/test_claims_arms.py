"""What the experiments share: settings chosen on validation, blocks that share nothing, arms that are treated alike."""

import itertools

import pandas as pd
import pytest
import torch
from toy_bench import by_order, found, settings, which, world

from kdcourse.claims import arms, lesson_03

pytestmark = pytest.mark.slow  # whole experiments

BY_BLOCK = [
    "soft-beats-hard",
    "low-data-gains-most",
    "t-4-to-10",
    "best-temperature-moves",
    "blend-beats-either",
    "soft-labels-resist-noise",
    "sweet-spot-5-20",  # the claims about sizes share their students
    "gap-is-not-uniform",
    "rare-and-hard-lose-most",
    "distillation-lifts-the-tail-over-hard-labels",
]


def flat(row, some):
    return 0.8, 0.8


@pytest.fixture(autouse=True)
def untrained_teachers(monkeypatch):
    monkeypatch.setattr(lesson_03, "train", lambda *arguments, **options: None)


def seeds_of(calls, name):
    return set(pd.concat([one.grid[name] for one in calls]))


# ---- the best settings, and pairs ----


def table(**columns):
    columns = {"order_seed": [0, 0, 1, 1], "init_seed": [0, 1, 0, 1], **columns}
    columns = {"temperature": [1], "soft_weight": [1], "lr": [0.1], "weight_decay": [0]} | columns
    return pd.DataFrame({name: values * (4 // len(values)) for name, values in columns.items()})


def test_the_best_settings_are_those_with_the_highest_mean_on_validation_whatever_test_says():
    one = table(lr=[0.1], validation_accuracy=[0.9, 0.5, 0.5, 0.5], test_accuracy=[0.9])
    other = table(lr=[0.2], validation_accuracy=[0.61, 0.62, 0.63, 0.64], test_accuracy=[0.1, 0.2, 0.3, 0.4])
    chosen = arms.best(pd.concat([one, other]).sample(frac=1, random_state=0))
    assert chosen["lr"].tolist() == [0.2] * 4
    assert chosen["test_accuracy"].tolist() == [0.1, 0.2, 0.3, 0.4]  # in the order of their seeds
    arm = arms.students("soft labels", chosen)
    assert arm.chosen == {"temperature": 1, "soft_weight": 1, "lr": 0.2, "weight_decay": 0}


def test_the_best_settings_are_one_combination_and_not_the_best_of_each():
    accuracies = {(1, 0.1): 0.7, (1, 0.2): 0.8, (2, 0.1): 0.9, (2, 0.2): 0.4}  # lr 0.1 has the higher mean over T
    rows = [
        table(temperature=[t], lr=[lr], validation_accuracy=[value], test_accuracy=[value])
        for (t, lr), value in accuracies.items()
    ]
    chosen = arms.best(pd.concat(rows))
    assert set(zip(chosen["temperature"], chosen["lr"], strict=True)) == {(2, 0.1)}


@pytest.mark.parametrize("pair", [lambda a, b: arms.pairs({}, ("a", a), ("b", b)), arms.gain])
def test_arms_with_other_seeds_are_refused(pair):
    rows = table(test_accuracy=[0.5, 0.6, 0.7, 0.8])
    with pytest.raises(ValueError, match="the arms must have the same seeds, got 4 and 3 students"):
        pair(rows, rows[:3])
    with pytest.raises(ValueError, match="must have the same seeds, got 4 and 4 students"):
        pair(rows, rows.assign(init_seed=[0, 1, 0, 2]))


# ---- blocks ----


@pytest.mark.parametrize(("n", "fresh", "first"), [(100, 0, 0), (500, 1, 500), (500, 2, 1000), (5_000, 1, 0)])
def test_a_block_gives_its_first_pictures_and_while_it_has_some_others_when_asked_for_fresh_ones(n, fresh, first):
    bench = world(flat)
    arms.by_block(bench, n, 64, 2, {"lr": 0.1})
    usual = len(bench.seen)
    arms.by_block(bench, n, 64, 2, {"lr": 0.1}, fresh=fresh)
    again = bench.seen[usual:]
    assert [which(one.data.train) for one in again] == [
        list(range(5_000 * block + first, 5_000 * block + first + n)) for block in range(10)
    ]
    for name in ("init_seed", "order_seed"):
        assert (not seeds_of(bench.seen[:usual], name) & seeds_of(again, name)) == bool(fresh)


def test_settings_are_tried_on_a_few_blocks_and_the_others_train_what_was_chosen_there():
    def effect(row, some):
        early = row.order_seed < arms.TRIED_ON
        return (0.8 if (row.lr == 0.2) == early else 0.7), 0.5  # from the fourth block on, another lr would look better

    bench = world(effect)
    soft, hard = arms.by_block(bench, 500, 64, 4, {"lr": [0.1, 0.2, 0.3]}, [{"soft_weight": 0, "lr": [0.1, 0.2]}])
    tried = [set(one.grid["lr"]) for one in bench.seen]
    assert tried == [{0.1, 0.2, 0.3}] * 3 + [{0.2}] * 7 + [{0.1, 0.2}] * 3 + [{0.2}] * 7
    for arm, soft_weight in [(soft, 1), (hard, 0)]:
        assert set(arm["lr"]) == {0.2}
        assert set(arm["soft_weight"]) == {soft_weight}
        # Ten orders of four initial weights, none of which any two orders share.
        assert arm[["order_seed", "init_seed"]].to_numpy().tolist() == [[k // 4, k] for k in range(40)]


def test_an_arm_of_several_grids_chooses_among_all_of_them():
    bench = world(lambda row, some: (0.9 if row.soft_weight == 0 and row.lr == 0.3 else 0.8, 0.5))
    (arm,) = arms.by_block(bench, 100, 8, 1, [{"lr": [0.1, 0.2]}, {"soft_weight": 0, "lr": [0.1, 0.3]}])
    assert set(zip(arm["soft_weight"], arm["lr"], strict=True)) == {(0, 0.3)}


def test_a_signal_replaces_the_data_of_each_block():
    asked = []

    def signal(some, block):
        asked.append((block, which(some.train)[0]))
        return some.subset(50)

    bench = world(flat)
    arms.by_block(bench, 100, 8, 1, {"lr": 0.1}, {"lr": 0.2}, signal=signal)
    assert asked == [(block, 5_000 * block) for block in range(10)]  # once for all arms
    assert {len(one.data.train) for one in bench.seen} == {50}


# ---- fair arms ----


@pytest.mark.parametrize(
    ("name", "first", "chances"),
    [
        ("soft-beats-hard", lambda row: row.soft_weight == 1, 12),
        ("low-data-gains-most", lambda row: row.soft_weight == 1, 12),
        ("t-4-to-10", lambda row: 4 <= row.temperature <= 10, 6),
        ("best-temperature-moves", lambda row: row.temperature == 4, 2),
        ("soft-labels-resist-noise", lambda row: row.soft_weight == 1, 12),
        ("distillation-lifts-the-tail-over-hard-labels", lambda row: row.soft_weight == 1, 4),
    ],
)
def test_both_arms_of_an_experiment_have_as_many_chances_and_train_equally_long(name, first, chances):
    bench = world(flat)
    found(name, bench)
    everything, everywhere = bench.seen, bench.garments.train.teacher_logits

    def case(one):
        return size(one), torch.equal(one.data.train.teacher_logits, everywhere[which(one.data.train)])

    for one_case in {case(one) for one in everything}:
        bench.seen = [one for one in everything if case(one) == one_case]
        assert len(settings(bench, first)) == len(settings(bench, lambda row: not first(row))) == chances
        assert all(one.options == bench.seen[0].options for one in bench.seen)
        orders = [
            by_order([one for one in bench.seen if one.grid.apply(first, axis=1).all() == a], bench) for a in (0, 1)
        ]
        assert orders[0] == orders[1]


def test_the_pure_losses_have_at_least_as_many_chances_as_the_blends():
    bench = world(flat)
    found("blend-beats-either", bench)
    for n in (500, 5_000):
        pure, blends = (settings(bench, lambda r, w=w: (r.soft_weight in (0, 1)) == w, n) for w in (True, False))
        assert (set(pure["soft_weight"]), set(blends["soft_weight"])) == ({0, 1}, {0.1, 0.5, 0.9})
        assert len(pure) >= len(blends) > 10


@pytest.mark.parametrize("name", BY_BLOCK)
def test_an_experiment_keeps_its_blocks_apart(name):
    """Two orders have no initial weights in common and, where there are enough of them, no pictures."""
    bench = world(flat)
    found(name, bench)
    bench.seen = [one for one in bench.seen if one.data.name == "toy"]
    for _, calls in itertools.groupby(sorted(bench.seen, key=size), key=size):
        calls = list(calls)
        assert all(one.options == calls[0].options for one in calls)
        orders = by_order(calls, bench)
        everything = len(calls[0].data.train) == 50_000
        assert len(orders) == (8 if everything else 10)
        pictures, inits = zip(*orders.values(), strict=True)
        assert len(set().union(*inits)) == sum(map(len, inits))
        assert len(set().union(*pictures)) == (50_000 if everything else sum(map(len, pictures)))


def size(call):
    """Blocks with a long tail are not all as large."""
    n = len(call.data.train)
    return n if n in (100, 500, 5_000, 50_000) else 0, call.grid["width"].iloc[0]


def test_the_second_run_of_the_blends_shares_no_seed_and_where_possible_no_picture_with_the_first_runs():
    first, second = world(flat), world(flat)
    found("soft-beats-hard", first)
    found("blend-beats-either", second)
    for name in ("init_seed", "order_seed"):
        assert not seeds_of(first.seen, name) & seeds_of(second.seen, name)
    used, fresh = (
        {k for one in bench.seen if len(one.data.train) == 500 for k in which(one.data.train)}
        for bench in (first, second)
    )
    assert not used & fresh
    assert len(used) == len(fresh) == 5_000
