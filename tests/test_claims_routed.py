"""The cascades of lesson 09: students whose confidence and mistakes are known, routed place by place."""

import numpy as np
import pytest
from toy_bench import found, means, trap, world

pytestmark = pytest.mark.slow  # whole experiments
CLAIM = "cascade-recovers-the-tail"


def less_and_less_sure(wrong):
    """A student that is less sure of each example than of the one before, and gets this share, the last ones, wrong."""

    def says(row, some, name):
        n, classes = (split := getattr(some, name)).teacher_logits.shape
        place = np.arange(n)
        called = (split.labels.numpy() + (place >= n * (1 - wrong))) % classes
        return np.eye(classes)[called] * (8 - 5 * place[:, None] / n)

    return says


def measured(setting, wrong):
    """(what the claim comes to, whether the teacher is right on validation and on test, the test split)"""
    picked = {"says": less_and_less_sure(wrong), "setting": setting, "teacher": 0.9}
    bench = world(lambda row, some: trap((row.temperature, row.lr) == (2, 0.01), 0.8), **picked)
    right = [
        (split.teacher_logits.argmax(1) == split.labels).numpy() for split in (bench.data.validation, bench.data.test)
    ]
    return found(CLAIM, bench), *right, bench.data.test


@pytest.mark.parametrize("setting", ["spam-assassin", "wordnet-glosses"])
def test_what_is_won_is_counted_place_by_place(setting):
    result, on_validation, teacher, test = measured(setting, wrong=0.3)
    n = len(teacher)
    student = np.arange(n) < 0.7 * n
    if setting == "spam-assassin":
        slices = [(test.about["group"] == "hard-ham-1").to_numpy(), np.ones(n, dtype=bool)]
    else:
        slices = [(test.labels >= 7).numpy(), np.ones(n, dtype=bool)]  # of ten classes, each rarer than the last
    wanted, by_chance, shares = [], [], []
    for budget in (n // 10, n // 5):
        # On validation, too, the student is right up to seven tenths: all that is asked was wrong.
        asks = max(range(budget + 1), key=lambda count: on_validation[n - count :].sum())
        shares += [asks / n] * 2
        for chosen in slices:
            routed = np.where(np.arange(n) >= n - asks, teacher, student)[chosen].mean()
            own, its = student[chosen].mean(), teacher[chosen].mean()
            wanted.append(100 * (routed - (own + its) / 2))
            by_chance.append(100 * (routed - own - asks / n * (its - own)))
    assert means(result) == pytest.approx(wanted, abs=1e-3)
    controls = [control for part in result["parts"] for control in part["also"]]
    assert [one["mean"] for one in controls] == pytest.approx(by_chance, abs=1e-3)
    assert {one["metric"] for one in controls} == {"accuracy, over asking at random"}
    assert [part["key"]["share"] for part in result["parts"]] == [0.1] * 2 + [0.2] * 2
    assert [part["arms"]["a"]["chosen"]["share asked on test"] for part in result["parts"]] == pytest.approx(shares)
    assert [part["covers"]["example"] for part in result["parts"]] == 2 * [int(one.sum()) for one in slices]


def test_a_student_that_is_always_right_asks_nothing():
    result, _, teacher, _ = measured("spam-assassin", wrong=0.0)
    assert {part["arms"]["a"]["chosen"]["share asked on test"] for part in result["parts"]} == {0.0}
    assert means(result)[1] == pytest.approx(100 * (1 - teacher.mean()) / 2, abs=1e-3)
    assert [control["mean"] for part in result["parts"] for control in part["also"]] == pytest.approx([0] * 4)
