"""What the experiments share: settings chosen on validation, blocks that share nothing, arms that are treated alike."""

import itertools

import pandas as pd
import pytest
import torch
from toy_bench import by_order, flat, found, settings, which, world

from kdcourse.claims import arms, lesson_03

pytestmark = pytest.mark.slow  # whole experiments

# The claims about sizes share their students, so one stands for all of them.
BY_BLOCK = ["soft-beats-hard", "low-data-gains-most", "t-4-to-10", "best-temperature-moves", "blend-beats-either"]
BY_BLOCK += ["soft-labels-resist-noise", "sweet-spot-5-20", "gap-is-not-uniform", "rare-and-hard-lose-most"]
BY_BLOCK += ["distillation-lifts-the-tail-over-hard-labels"]


@pytest.fixture(autouse=True)
def untrained_teachers(monkeypatch):
    monkeypatch.setattr(lesson_03, "train", lambda *arguments, **options: None)


def share_no_seed(*benches):
    one, other = (pd.concat([call.grid for call in bench.seen]) for bench in benches)
    return not any({*one[name]} & {*other[name]} for name in ("init_seed", "order_seed"))


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
        test = [1 - mean, 0.2, 0.3, 0.4]
        values = [mean + spread, mean, mean, mean - spread]
        rows.append(table(temperature=[t], lr=[lr], validation_accuracy=values, test_accuracy=test))
    chosen = arms.best(pd.concat(rows).sample(frac=1, random_state=0))
    assert chosen["test_accuracy"].tolist() == pytest.approx([0.15, 0.2, 0.3, 0.4])  # in the order of their seeds
    arm = arms.students("soft labels", chosen)
    assert arm.chosen == {"temperature": 2, "soft_weight": 1, "lr": 0.1, "weight_decay": 0}


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
    usual, again = world(flat), world(flat)
    arms.by_block(usual, n, 64, 2, {"lr": 0.1})
    arms.by_block(again, n, 64, 2, {"lr": 0.1}, fresh=fresh)
    assert [which(one.data.train) for one in again.seen] == [
        list(range(5_000 * block + first, 5_000 * block + first + n)) for block in range(10)
    ]
    assert share_no_seed(usual, again) == bool(fresh)


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
    assert share_no_seed(first, second)
    used, fresh = (
        {k for one in bench.seen if len(one.data.train) == 500 for k in which(one.data.train)}
        for bench in (first, second)
    )
    assert not used & fresh
    assert len(used) == len(fresh) == 5_000
