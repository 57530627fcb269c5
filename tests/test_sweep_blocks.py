"""Sweeps on blocks: the students of `sweep` on each cut of the training split, and the best of them on validation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from blobs import blobs

from kdcourse.data import Split
from kdcourse.sweep import best_on_validation, gain_over, grid, sweep, sweep_blocks

OPTIONS = {"epochs": 2, "batch_size": 10, "resume": False}


def test_each_block_has_the_students_that_a_sweep_of_its_own_examples_and_seed_has():
    data, students = blobs(), grid(width=6, lr=[0.01, 0.1])
    table = sweep_blocks(students, data, examples=40, blocks=3, progress=False, **OPTIONS)
    assert table["block"].tolist() == [0, 0, 1, 1, 2, 2]
    for block in range(3):
        part = replace(data, train=data.train[40 * block :][:40])
        alone = sweep(students.assign(init_seed=block, order_seed=block), part, progress=False, **OPTIONS)
        rows = table[table["block"] == block].drop(columns=["block", "seconds"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone.drop(columns="seconds"), check_exact=False)
    assert table["test_accuracy"].nunique() > 1


def test_a_signal_changes_what_a_block_learns_and_knows_its_number():
    seen = []

    def signal(data, block):
        seen.append((block, len(data.train)))
        train = data.train
        return replace(data, train=Split((train.labels + 1) % 4, train.teacher_logits, inputs=train.inputs))

    arms = grid(width=6, soft_weight=0, lr=0.1)
    options = {"examples": 100, "blocks": 2, "progress": False, **OPTIONS, "epochs": 20}
    right = sweep_blocks(arms, blobs(), **options)["test_accuracy"]
    wrong = sweep_blocks(arms, blobs(), signal=signal, **options)["test_accuracy"]
    assert sorted(seen) == [(0, 100), (1, 100)]
    assert right.min() > 0.6 > 0.3 > wrong.max()


@pytest.mark.parametrize(("examples", "blocks"), [(151, 2), (300, 2)])
def test_blocks_that_do_not_fit_are_refused(examples, blocks):
    with pytest.raises(ValueError, match=f"300 training examples, got {blocks} of {examples}"):
        sweep_blocks(grid(width=2), blobs(), examples=examples, blocks=blocks, **OPTIONS)


@pytest.mark.parametrize(("by", "better"), [("validation_accuracy", max), ("validation_nll", min)])
def test_the_best_settings_are_those_of_the_best_mean_and_come_block_by_block(by, better):
    generator = np.random.default_rng(0)
    settings = [(T, lr) for T in (1.0, 4.0) for lr in (0.01, 0.1)]
    rows = [{"temperature": T, "lr": lr, "block": block} for T, lr in settings for block in range(5)]
    table = pd.DataFrame(rows).assign(soft_weight=1.0, weight_decay=0.0).sample(frac=1, random_state=0)
    table[by] = generator.normal(size=len(table))
    table["validation_accuracy" if by == "validation_nll" else "validation_nll"] = -table[by]
    means = {}
    for T, lr in settings:
        means[T, lr] = np.mean([row[by] for _, row in table.iterrows() if (row["temperature"], row["lr"]) == (T, lr)])
    best = better(means, key=means.get)
    found = best_on_validation(table, by)
    assert found["block"].tolist() == [0, 1, 2, 3, 4]
    assert {*zip(found["temperature"], found["lr"], strict=True)} == {best}


def test_a_grid_of_several_seeds_is_refused_for_every_block_has_its_own():
    with pytest.raises(ValueError, match=r"grid must have one init_seed, .* got \[0, 1, 2\]"):
        sweep_blocks(grid(width=2, init_seed=range(3)), blobs(), examples=20, blocks=2, **OPTIONS)


def test_what_cannot_be_chosen_among_is_refused():
    runs = {"lr": [0.1, 0.1, 1, 1], "block": [0, 1, 0, 1], "validation_accuracy": [0.7, 0.8, 0.6, 0.7]}
    table = pd.DataFrame(runs).assign(temperature=1, soft_weight=1, weight_decay=0, width=4)
    sizes = pd.concat([table, table.assign(width=8)])
    with pytest.raises(ValueError, match=r"one student for each .* sizes \{'width': \[4, 8\]\}"):
        best_on_validation(sizes)
    with pytest.raises(ValueError, match="one student for each"):
        best_on_validation(table.iloc[1:])  # the best has no student on the first block
    with pytest.raises(ValueError, match="by must be a column of the table, .* got 'val_accuracy'"):
        best_on_validation(table, "val_accuracy")
    for nothing in (table.iloc[:0], table.assign(validation_accuracy=np.nan)):
        with pytest.raises(ValueError, match="no student diverged"):
            best_on_validation(nothing)
    assert best_on_validation(table)["lr"].tolist() == [0.1, 0.1]


def test_a_gain_is_over_the_student_of_the_same_block_size_and_examples():
    generator = np.random.default_rng(0)
    cases = [
        (n, width, block, T) for n in (50, 500) for width in (4, 8) for block in range(3) for T in (1.0, 4.0, np.inf)
    ]
    table = pd.DataFrame(cases, columns=["examples", "width", "block", "temperature"])
    table = table.assign(test_accuracy=generator.random(len(table))).sample(frac=1, random_state=0)
    gains = gain_over(table, temperature=1)
    for row, gain in zip(table.itertuples(), gains, strict=True):
        (base,) = [
            other.test_accuracy
            for other in table.itertuples()
            if other.temperature == 1
            and (other.examples, other.width, other.block) == (row.examples, row.width, row.block)
        ]
        assert gain == row.test_accuracy - base
    with pytest.raises(ValueError, match="single out one student per block"):
        gain_over(table, width=4)
    with pytest.raises(ValueError, match="single out one student per block"):
        gain_over(table, temperature=7)


def test_a_loss_may_be_made_of_what_a_block_trains_on():
    seen = []

    def loss_of(data):
        seen.append(data.train.labels.tolist())
        return lambda student, teacher, labels: 0 * student.sum(1)

    data = blobs()
    options = {"examples": 40, "blocks": 2, "progress": False, **OPTIONS}
    table = sweep_blocks(grid(width=6, lr=0.1), data, signal=lambda part, k: part, loss_of=loss_of, **options)
    assert sorted(seen) == sorted([data.train.labels[:40].tolist(), data.train.labels[40:80].tolist()])
    untrained = sweep_blocks(grid(width=6, lr=0.1), data, **{**options, "epochs": 1, "batch_size": 40}, loss_of=loss_of)
    assert table["test_accuracy"].tolist() == untrained["test_accuracy"].tolist()
