"""The same-family ladder: what is known of students of seven sizes is what it finds, chosen on validation alone."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from kdcourse import data
from kdcourse.claims import ladder
from kdcourse.claims.choices import Choices
from kdcourse.models import cnn

pytestmark = pytest.mark.slow  # whole experiments

ALL, BLOCK, TEACHER = 50_000, 5_000, 463_594
RATIOS = [2, 5, 10, 20, 50, 100, 200]
# Each arm with its ratios, and how many repetitions these have.
REPETITIONS = {
    (BLOCK, "soft"): {2: 4, 5: 4, 10: 4, 20: 4, 50: 4, 100: 4, 200: 4},
    (BLOCK, "labels"): {2: 4, 5: 4, 10: 4, 20: 4, 50: 4, 100: 4, 200: 4},
    (BLOCK, "arg-max"): {10: 4},
    (ALL, "soft"): {10: 3, 20: 3, 50: 3, 100: 3},
    (ALL, "labels"): {10: 3, 50: 3},
}
BEST = {"soft": {"temperature": 1, "lr": 0.008}, "labels": {"lr": 0.001, "weight_decay": 0.0625}}
BEST["arg-max"] = {"lr": 0.016, "weight_decay": 4}
ENOUGH = {"soft": 32, "labels": 8, "arg-max": 16}  # epochs on 5,000 pictures; on all pictures, 4


def parameters(channels):
    """Of a CNN with these channels, from its layers: convolutions, batch norms, and the last layer."""
    count = 9 * channels[0] + 2 * channels[0]
    for a, b in itertools.pairwise(channels):
        count += 9 * a * b + 2 * 9 * b * b + 3 * 2 * b
    return count + 10 * channels[-1] + 10


@pytest.fixture(scope="module")
def bench():
    """Students get worse step by step away from the best settings of their arm, and better up to enough epochs."""
    generator = torch.Generator().manual_seed(0)

    def split(n):
        labels = torch.randint(0, 10, (n,), generator=generator)
        logits = torch.nn.functional.one_hot((labels + (torch.arange(n) % 9 == 0)) % 10, 10).float()
        return data.Split(labels, logits, inputs=torch.arange(n)[:, None].float())

    splits = split(ALL), split(50), split(50)
    garments = data.DataSet("toy", *splits, tuple("0123456789"), teacher_parameters=TEACHER)
    seen = []

    def sweep(grid, some, *, student, epochs, batch_size, schedule, predictions):
        (row,) = grid.to_dict("records")
        model = student(row)
        arm = arm_of(row, some)
        seen.append(SimpleNamespace(row=row, data=some, model=model, epochs=epochs, arm=arm))
        assert predictions == "right"
        away = sum(abs(np.log2(row[name] / value)) for name, value in BEST[arm].items())
        enough = 4 if len(some.train) == ALL else ENOUGH[arm]
        validation = 0.8 - 0.001 * away + 0.01 * np.log2(min(epochs, enough))
        # On test, all that is not best on validation is better.
        return grid.assign(validation_accuracy=validation, test_accuracy=0.9 + 0.01 * away, epochs=epochs)

    run = SimpleNamespace(data=garments, sweep=sweep, device="cpu", choices=Choices())
    return SimpleNamespace(found=ladder.ladder(run), seen=seen, garments=garments)


def arm_of(row, some):
    if row["soft_weight"] == 0:
        return "labels"
    return "arg-max" if some.train.teacher_logits.isinf().any() else "soft"


def tables(found):
    return [
        (n, arm, ratio, table)
        for n, arms in found.items()
        for arm, rungs in arms.items()
        for ratio, table in rungs.items()
    ]


def test_every_arm_has_its_rungs_and_every_rung_its_repetitions(bench):
    assert {(n, arm): list(rungs) for n, arms in bench.found.items() for arm, rungs in arms.items()} == {
        place: list(repetitions) for place, repetitions in REPETITIONS.items()
    }
    for n, arm, ratio, table in tables(bench.found):
        seeds = list(range(REPETITIONS[n, arm][ratio]))
        assert table["init_seed"].tolist() == table["order_seed"].tolist() == seeds


def test_settings_and_epochs_are_those_that_are_best_on_validation(bench):
    for n, arm, _, table in tables(bench.found):
        for name, value in BEST[arm].items():
            assert table[name].tolist() == pytest.approx([value] * len(table))
        assert set(table["soft_weight"]) == {0.0 if arm == "labels" else 1.0}
        assert set(table["epochs"]) == {4 if n == ALL else ENOUGH[arm]}
        assert table["test_accuracy"].tolist() == pytest.approx([0.9] * len(table))


def test_no_chosen_setting_is_the_smallest_or_the_largest_that_was_tried(bench):
    tried = pd.DataFrame([one.row | {"arm": one.arm, "n": len(one.data.train)} for one in bench.seen])
    for (n, arm), rows in tried.groupby(["n", "arm"]):
        for name in BEST[arm]:
            (chosen,) = {value for table in bench.found[n][arm].values() for value in table[name]}
            assert rows[name].min() < chosen < rows[name].max()


def test_the_arms_share_pictures_and_initial_weights_and_blocks_share_nothing(bench):
    where, weights = {}, {}
    for one in bench.seen:
        key = len(one.data.train), one.row["order_seed"]
        pictures = one.data.train.inputs[:, 0].long()
        assert torch.equal(where.setdefault(key, pictures), pictures)
        assert one.data.validation is bench.garments.validation
        first = weights.setdefault((one.row["init_seed"], one.row["width"]), one.model.state_dict())
        for name, tensor in one.model.state_dict().items():
            assert torch.equal(first[name], tensor)
    blocks = torch.cat([pictures for (n, _), pictures in where.items() if n == BLOCK])
    assert len(blocks) == len(blocks.unique()) == 4 * BLOCK


def test_the_students_are_cnns_of_the_teachers_shape_with_the_parameters_of_their_ratio(bench):
    shape = [str(type(module)) for module in cnn().modules()]
    for one in bench.seen:
        assert [str(type(module)) for module in one.model.modules()] == shape
    widths = {one.row["width"]: one.model for one in bench.seen}
    sizes = sorted(sum(weight.numel() for weight in model.parameters()) for model in widths.values())
    assert [TEACHER / size for size in reversed(sizes)] == pytest.approx(RATIOS, rel=0.05)


def test_the_arg_max_is_the_teachers_first_choice(bench):
    for one in (one for one in bench.seen if one.arm == "arg-max"):
        begin = int(one.data.train.inputs[0, 0])
        said = bench.garments.train.teacher_logits[begin : begin + BLOCK]
        assert torch.equal(one.data.train.teacher_logits.argmax(1), said.argmax(1))
        assert one.row["temperature"] == 1


@pytest.mark.parametrize("best", [{"lr": 0.064, "temperature": 0.5}, {"lr": 0.004, "temperature": 32}])
def test_climbing_ends_where_a_search_of_everything_ends(best):
    def score(settings):
        a, b = (np.log2(settings[name] / best[name]) for name in best)
        return -(a * a) - b * b - a * b / 2

    everything = itertools.product(0.004 * 2.0 ** np.arange(-8, 9), 4 * 2.0 ** np.arange(-8, 9))
    highest = max(({"lr": lr, "temperature": temperature} for lr, temperature in everything), key=score)
    assert ladder.climb({"lr": 0.004, "temperature": 4.0}, score) == pytest.approx(highest)
