"""The experiments of lesson 04: what is known of students of seven sizes, and of assistants, is what they find."""

import functools
import itertools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from toy_bench import by_order, flat, found, means, positions, settings, speaker, spy, trap, which, width, world

from kdcourse.claims import ladder, lesson_04, tuning

pytestmark = pytest.mark.slow  # whole experiments
SLOW = {2: 1.4, 5: 2.1, 10: 2.9, 20: 3.3, 50: 3.8, 100: 3.9, 200: 3.9}  # how many times faster CNNs are
FAST = {2: 1.6, 5: 3.1, 10: 6.4, 20: 9.4, 50: 13.0, 100: 21.0, 200: 22.0}

ALL, BLOCK = 50_000, 5_000
GAINS = {2: 0.002, 5: 0.01, 10: 0.02, 20: 0.02, 50: 0.01, 100: 0.03, 200: 0.04}
OF_CNNS = {2: 0.03, 5: 0.0, 10: 0.01, 20: 0.0, 50: 0.015, 100: 0.02, 200: 0.0}  # and the arg-max gains 0.004
OUTSIDE = [2, 50, 100, 200]


@pytest.fixture(autouse=True, scope="module")
def as_long_as_planned():
    """What is tried after the grid, stopping sooner and weight decays, has tests of its own, as has latency."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson_04, "faster", lambda: {ratio: float(ratio) for ratio in GAINS})
        patch.setattr(tuning, "SOONER", ())
        patch.setattr(tuning, "THEN", {})
        yield


def parameters(width):
    """Of a student with one hidden layer, six inputs and ten classes."""
    return (6 + 1) * width + (width + 1) * 10


def ratio_of(width):
    return min(GAINS, key=lambda ratio: abs(np.log(46_000 / parameters(width) / ratio)))


def accuracy(ratio, n, soft):
    return 0.9 - 0.0006 * ratio - 0.02 * (n == BLOCK) + GAINS[ratio] * (2 if n == BLOCK else 1) * soft


def chosen(row):
    """Each arm has one setting that is best on validation; the others are better on test."""
    if row.soft_weight == 1:
        return (row.temperature, row.lr) == (2, 0.01)
    return (row.lr, row.weight_decay) == (0.003, 0.1)


def of_a_cnn(row, some, accuracy):
    """(on validation, on test): the nearer to the best settings the better on validation, and the worse on test."""
    off = abs(np.log2(row.lr / 0.008)) + (abs(np.log2(row.temperature / 2)) if listens(row, some) == "soft" else 0)
    return 0.8 - 0.02 * off, 0.99 if off > 0.01 else accuracy


def listens(row, some):
    if row.soft_weight == 0:
        return "labels"
    return "arg-max" if some.train.teacher_logits[:2].isinf().any() else "soft"


def accuracy_of_cnn(ratio, n, arm):
    return 0.9 - 0.0004 * ratio - 0.01 * (n == BLOCK) + {"soft": OF_CNNS[ratio], "arg-max": 0.004, "labels": 0}[arm]


def ratio_of_cnn(row):
    made = row.student({"init_seed": 0})
    count = sum(weight.numel() for weight in made.parameters())
    return min(GAINS, key=lambda ratio: abs(np.log(46_000 / count / ratio)))


@pytest.fixture(scope="module")
def bench():
    def effect(row, some):
        n = len(some.train)
        if row.student:
            return of_a_cnn(row, some, accuracy_of_cnn(ratio_of_cnn(row), n, listens(row, some)))
        return trap(chosen(row), accuracy(ratio_of(row.width), n, row.soft_weight))

    return world(effect)


@pytest.fixture(scope="module")
def teacher(bench):
    """Whether it is right about each test picture, by a loop of its own."""
    test = bench.data.test
    return np.array([int(z.argmax()) == int(label) for z, label in zip(test.teacher_logits, test.labels, strict=True)])


def side(ratio):
    return "over" if ratio > 20 else "under"


def students(result):
    return [one["key"].get("student", "MLP") for one in result["parts"]]


def test_the_sweet_spot_is_the_gain_at_10_minus_the_gain_outside_the_range(bench):
    result = found("sweet-spot-5-20", bench)
    of_cnns = [(ALL, 50), *((BLOCK, ratio) for ratio in OUTSIDE)]
    cnns = [{"student": "CNN", "ratio": [10, ratio], "examples": n} for n, ratio in of_cnns]
    mlps = [{"ratio": [10, ratio], "examples": n} for n in (ALL, BLOCK) for ratio in OUTSIDE]
    assert [one["key"] for one in result["parts"]] == cnns + mlps
    expected = [100 * (OF_CNNS[10] - OF_CNNS[ratio]) for _, ratio in of_cnns]
    expected += [100 * more * (GAINS[10] - GAINS[ratio]) for more in (1, 2) for ratio in OUTSIDE]
    assert means(result) == pytest.approx(expected, abs=0.15)
    assert width({"parts": result["parts"][1:5]}) < 2  # of four blocks
    assert width({"parts": result["parts"][5:]}) < 0.6
    assert [one["n"] for one in result["parts"]] == [3] + [4] * 4 + [8] * 4 + [10] * 4
    assert [one["covers"] for one in result["parts"][1:5]] == [{"block": 4, "example": 2_000}] * 4
    for one in result["parts"][1:5]:
        assert one["beside"] == {"gain over arg-max labels, 10×": pytest.approx(0.006, abs=1e-3)}
        for arm in one["arms"].values():
            best = {"temperature": 2, "lr": 0.008, "lr of the others": 0.008, "soft_weight of the others": 0}
            best |= {"epochs": 8, "epochs of the others": 8}
            assert {name: arm["chosen"][name] for name in best} == best


def test_at_half_the_size_it_is_measured_how_far_the_gain_stays_under_a_point():
    """A gain of more than a point speaks against the claim, a loss of more than one for it."""
    gains = {ALL: 0.015, BLOCK: -0.015}

    def effect(row, some):
        if row.student:
            return of_a_cnn(row, some, 0.8 + 0.02 * (listens(row, some) == "soft"))
        return trap(chosen(row), 0.8 + gains[len(some.train)] * row.soft_weight)

    result = found("below-5x-use-small", world(effect))
    assert students(result) == ["CNN", "MLP", "MLP"]
    assert means(result) == pytest.approx([-1, -0.5, 2.5], abs=0.1)
    assert width(result) < 0.6
    assert [one["margin"] for one in result["parts"]] == [0, 0, 0]


def test_the_gap_is_measured_over_the_limit_above_20_times_and_under_it_up_to_there(bench, teacher):
    result = found("above-20x-gap", bench)
    of_cnns = [(ALL, ratio) for ratio in (10, 20, 50, 100)] + [(BLOCK, ratio) for ratio in GAINS]
    of_mlps = [(n, ratio) for n in (ALL, BLOCK) for ratio in GAINS]
    assert [one["key"] for one in result["parts"]] == [
        {**which, "side": side(ratio), "ratio": ratio, "examples": n}
        for which, those in (({"student": "CNN"}, of_cnns), ({}, of_mlps))
        for n, ratio in those
    ]
    accuracies = [accuracy_of_cnn(r, n, "soft") for n, r in of_cnns] + [accuracy(r, n, 1) for n, r in of_mlps]
    over = [100 * (teacher.mean() - one) - 5 for one in accuracies]
    # One teacher for all students: here, the luck of a student's seed does not cancel.
    signs = [1 if ratio > 20 else -1 for _, ratio in of_cnns + of_mlps]
    assert means(result) == pytest.approx(np.multiply(signs, over).tolist(), abs=3)
    assert [one["covers"] for one in result["parts"][:5]] == [{"seed": 3, "example": 2_000}] * 4 + [
        {"block": 4, "example": 2_000}
    ]
    # All students of this world are as good at every picture: the luck of the pictures is the teacher's alone.
    by_pictures = 100 * teacher.std(ddof=1) / np.sqrt(len(teacher))
    assert [one["example_error"] for one in result["parts"]] == pytest.approx([by_pictures] * 25, rel=0.01)


def test_95_percent_is_of_the_teachers_accuracy(bench, teacher):
    result = found("95-percent-at-10x", bench)
    assert [(one["key"]["examples"], who) for one, who in zip(result["parts"], students(result), strict=True)] == [
        (ALL, "CNN"), (BLOCK, "CNN"), (ALL, "MLP"), (BLOCK, "MLP")
    ]  # fmt: skip
    accuracies = [accuracy_of_cnn(10, n, "soft") for n in (ALL, BLOCK)] + [accuracy(10, n, 1) for n in (ALL, BLOCK)]
    assert means(result) == pytest.approx([100 * (one - 0.95 * teacher.mean()) for one in accuracies], abs=3)
    assert [one["arms"]["b"]["mean"] for one in result["parts"]] == pytest.approx([0.95 * teacher.mean()] * 4, abs=1e-5)
    _, cnn, *_ = result["parts"]
    soft = cnn["arms"]["a"]["mean"]  # with the same luck
    assert cnn["beside"] == pytest.approx(
        {"teacher": teacher.mean(), "students on labels": soft - 0.01, "students on arg-max labels": soft - 0.006},
        abs=1e-3,
    )


@pytest.fixture(scope="module")
def cnns(bench):
    """As the ladder returns them."""
    return ladder.ladder(bench)


@pytest.mark.parametrize(
    ("name", "effect", "slow", "fast"),
    [
        ("sweet-spot-5-20", lambda _, of: OF_CNNS[of[0]] - OF_CNNS[of[1]], [], [[20, out] for out in (2, 5, 100, 200)]),
        ("below-5x-use-small", lambda _, of: 0.01 - OF_CNNS[of], [5, 10, 20, 50, 100, 200], [5]),
        (
            "above-20x-gap",
            lambda teacher, of: 0.05 - teacher + accuracy_of_cnn(of, BLOCK, "soft"),
            [50, 100, 200],
            [50],
        ),
        ("95-percent-at-10x", lambda teacher, of: accuracy_of_cnn(of, BLOCK, "soft") - 0.95 * teacher, [], [20]),
    ],
)
def test_by_latency_there_is_what_no_part_by_parameters_compares(
    name, effect, slow, fast, bench, teacher, cnns, monkeypatch
):
    monkeypatch.setattr(lesson_04, "ladder", lambda run: cnns)
    monkeypatch.setattr(lesson_04, "sizes", lambda run, *arms: {})
    for times, ratios in ((SLOW, slow), (FAST, fast)):
        monkeypatch.setattr(lesson_04, "faster", lambda times=times: times)
        result = found(name, bench)
        by_latency = [one for one in result["parts"] if "by" in one["key"]]
        assert [one["key"]["ratio"] for one in by_latency] == ratios
        for one in by_latency:
            ratio = one["key"]["ratio"]
            luck = 3 if name in ("above-20x-gap", "95-percent-at-10x") else 0.15  # of a gain, it cancels
            assert one["mean"] == pytest.approx(100 * effect(teacher.mean(), ratio), abs=luck)
            side = {"side": "under"} if "side" in one["key"] else {}
            assert one["key"] == {"student": "CNN", "by": "latency", **side, "ratio": ratio, "examples": BLOCK}
            said = " ".join(arm["name"] for arm in one["arms"].values())
            expected = [times[each] for each in np.atleast_1d(ratio)]
            assert re.findall(r"([\d.]+) times faster", said) == [f"{each:g}" for each in expected]
        keys = [{**one["key"], "by": None} for one in result["parts"]]
        assert all(keys.count(key) == 1 for key in keys)


def test_how_much_faster_is_a_matter_of_a_batch(monkeypatch):
    rows = [{"student": None, "ratio": None, "median_ms": 1.0, "batch_median_ms": 2.5}]
    rows += [
        {"student": "CNN", "ratio": ratio, "median_ms": 9.0, "batch_median_ms": ms} for ratio, ms in [(2, 2), (50, 0.7)]
    ]
    rows += [{"student": "MLP", "ratio": 2, "median_ms": 9.0, "batch_median_ms": 0.1}]
    monkeypatch.setattr(ladder, "measured_sizes", lambda: {"models": rows})
    assert ladder.faster() == {2: 1.2, 50: 3.6}


def test_of_flights_what_is_compared_is_the_auroc():
    """Against scipy's U statistic; a score is the label times so much, and noise that all students share."""
    noise = np.random.default_rng(0).normal(size=2_000)
    pull = {2: (2.0, 1.9), 5: (1.9, 1.7), 10: (1.8, 1.5), 20: (1.5, 1.3), 50: (0.9, 0.8)}

    def size(row):
        return min(pull, key=lambda ratio: abs(np.log(46_000 / (9 * row.width + 2) / ratio)))

    def says(row, some, name):
        hard, soft = pull[size(row)][::-1]
        score = getattr(some, name).labels.numpy() * (soft if row.soft_weight else hard) + noise
        return np.stack([0 * score, score], 1)

    bench = world(lambda row, some: trap(chosen(row), 0.5), setting="flights", examples=100_000, says=says)
    labels = bench.data.test.labels.numpy()

    def auroc(score):
        wins = stats.mannwhitneyu(score[labels == 1], score[labels == 0]).statistic
        return 100 * wins / ((labels == 1).sum() * (labels == 0).sum())

    logits = bench.data.test.teacher_logits.numpy()
    soft, hard = ({ratio: auroc(labels * both[k] + noise) for ratio, both in pull.items()} for k in (0, 1))
    gap = {ratio: auroc(logits[:, 1] - logits[:, 0]) - one for ratio, one in soft.items()}
    gains = {ratio: soft[ratio] - hard[ratio] for ratio in pull}
    expected = {
        "sweet-spot-5-20": {(10, 2): gains[10] - gains[2], (10, 50): gains[10] - gains[50]},
        "below-5x-use-small": {2: 1 - gains[2]},
        "above-20x-gap": {ratio: gap[50] - 5 if ratio == 50 else 5 - gap[ratio] for ratio in pull},
    }
    for name, parts in expected.items():
        result = found(name, bench)
        assert means(result) == pytest.approx([*parts.values()] * 2, abs=1e-3)
        ratios = [one["key"]["ratio"] for one in result["parts"]]
        assert ratios == [list(ratio) if isinstance(ratio, tuple) else ratio for ratio in parts] * 2
        assert {one["metric"] for one in result["parts"]} == {"AUROC"}
        sizes, days = [ALL] * len(parts) + [BLOCK] * len(parts), bench.data.test.about["date"].nunique()
        assert [one["key"]["examples"] for one in result["parts"]] == sizes
        assert {one["covers"]["example"] for one in result["parts"]} == {days}


def test_without_pictures_there_are_no_cnns(monkeypatch):
    monkeypatch.setattr(lesson_04, "ladder", lambda run: pytest.fail("it was trained"))
    bench = world(flat, setting="wordnet-glosses")
    assert set(students(found("above-20x-gap", bench))) == {"MLP"}
    hashed, before = [], len(bench.seen)
    monkeypatch.setattr(lesson_04, "load", lambda name, features: hashed.append((name, features)) or bench.data)
    result = found("95-percent-at-10x", bench)
    cheap = [f"linear model, {size} n-grams" for size in (4_096, 32_768)]
    assert [(one["key"], set(one["beside"])) for one in result["parts"]] == [
        ({"ratio": 10, "examples": n}, {"teacher", "students on labels", *cheap}) for n in (ALL, BLOCK)
    ]
    assert hashed == [("wordnet-glosses", 4_096), ("wordnet-glosses", 32_768)] * 2
    linear = [one for one in bench.seen[before:] if (one.grid["hidden_layers"] == 0).all()]
    assert {len(one.data.train) for one in linear} == {ALL, BLOCK}
    assert all((one.grid["soft_weight"] == 0).all() for one in linear)
    ratios = {
        name: [one["key"]["ratio"] for one in found(name, bench)["parts"]]
        for name in ("sweet-spot-5-20", "below-5x-use-small")
    }
    assert ratios["sweet-spot-5-20"] == [[10, ratio] for ratio in (2, 50, 100, 200, 500)] * 2
    assert ratios["below-5x-use-small"] == [2, 2]


def test_the_sizes_are_those_of_the_ratios_and_soft_labels_have_no_more_chances_at_any():
    bench = world(flat)
    lesson_04.sizes(bench, "soft", "labels")
    widths = pd.concat([one.grid["width"] for one in bench.seen]).unique()
    assert sorted(46_000 / parameters(units) for units in widths) == pytest.approx(bench.setting.ratios, rel=0.04)
    for n, units, soft in itertools.product([ALL, BLOCK], widths, [1, 0]):
        calls = [one for one in bench.seen if len(one.data.train) == n]
        found = len(settings(calls, lambda row, u=units, w=soft: (row.width, row.soft_weight) == (u, w)))
        gain = ratio_of(units) not in (5, 20)  # where none is asked for, nobody learns from labels
        assert found == (9 if soft else 18 * gain)


# ---- assistants ----


@pytest.fixture
def assistants(monkeypatch):
    """The assistants that are trained, each with how it would be."""
    trained = []
    spy(monkeypatch, lesson_04, "distill", trained, untrained=True)
    return trained


def listener(assistants):
    """A function that gives the assistant that students of a data set hear, or None."""

    @functools.cache
    def hears(some):
        k = speaker(some, [one["model"] for one in assistants])
        return None if k is None else assistants[k]

    return hears


def units(assistant):
    return assistant["model"][0].out_features


def test_assistants_of_two_sizes_learn_from_the_teacher_on_the_pictures_of_the_students_that_hear_them(
    assistants, monkeypatch
):
    """With one and without, there are as many chances, and as many steps; or as many as assistant and student have."""
    sizes = lesson_04.sizes

    def forgotten(run, *arms):
        """What was swept to choose the settings of the assistants is no chance of their students."""
        students = sizes(run, *arms)
        run.seen.clear()
        return students

    monkeypatch.setattr(lesson_04, "sizes", forgotten)
    # Of the assistants, the smaller is better for students of the 100th part, the larger for the others.
    best = {50: 5, 100: 20, 200: 5}
    hears = listener(assistants)

    def effect(row, some):
        at, on_test = flat(row, some)
        assistant = hears(some)
        right = assistant is not None and best.get(ratio_of(row.width)) == ratio_of(units(assistant))
        return at + 0.001 * right, on_test

    bench = world(effect)
    result = found("assistant-bridges-gap", bench)
    assert [one["key"] for one in result["parts"]] == [
        {"ratio": ratio, "examples": n, "compute": compute}
        for n in (ALL, BLOCK)
        for ratio in best
        for compute in ("equal for the student", "equal in all")
    ]
    assert [one["n"] for one in result["parts"]] == [8, 4] * 3 + [10, 10] * 3
    everything = bench.data.train
    assert [ratio_of(units(one)) for one in assistants] == [5] * 8 + [20] * 8 + [5] * 10 + [20] * 10
    for one in assistants:
        assert torch.equal(one["signal"], everything.teacher_logits[positions(one["inputs"])])
        usual = bench.setting.training[len(one["inputs"])]
        assert {name: one[name] for name in usual} == usual  # as long as a student
        assert one["device"] == bench.device
    for n, size in itertools.product((ALL, BLOCK), (5, 20)):
        same = [one for one in assistants if len(one["inputs"]) == n and ratio_of(units(one)) == size]
        first = {tuple(one["begun"][0].flatten().tolist()) for one in same}
        assert len(first) == len({one["order_seed"] for one in same}) == len(same)

    arms, heard = {}, {}
    for one in bench.seen:
        assistant, n, (ratio,) = hears(one.data), len(one.data.train), set(map(ratio_of, one.grid["width"]))
        (order,) = set(one.grid["order_seed"])
        if assistant is None:
            assert torch.equal(one.data.train.teacher_logits, everything.teacher_logits[which(one.data.train)])
        else:
            assert torch.equal(one.data.train.inputs, assistant["inputs"])
            assert heard.setdefault(id(assistant), order) == order  # its own students, and nobody else's
            assert not set(one.grid["init_seed"]) & {assistant["order_seed"]}
        arms.setdefault((n, ratio, assistant and ratio_of(units(assistant)), one.options["epochs"]), []).append(one)
    assert len(heard) == len(assistants)
    everywhere = {}
    for n, ratio in itertools.product((ALL, BLOCK), best):
        usual = bench.setting.training[n]["epochs"]
        longer = round(usual + usual * ratio / best[ratio])  # an epoch of the assistant costs ratio / size of one
        cases = [(n, ratio, *case) for case in [(5, usual), (20, usual), (None, usual), (None, longer)]]
        small, large, *direct = (arms.pop(case) for case in cases)
        as_long, longest = direct
        assert len(settings(as_long)) == len(settings(small)) + len(settings(large)) == 18
        tried = settings(longest)  # with the temperature of the other, and the learning rates next to its own
        assert (set(tried["temperature"]), sorted(tried["lr"])) == ({2}, [0.003, 0.01, 0.03])
        assert {str({**one.options, "epochs": 0}) for some in (small, large, *direct) for one in some} == {
            str(direct[0][0].options | {"epochs": 0})
        }
        for some in (small, large, as_long):
            assert everywhere.setdefault(n, by_order(some, bench)) == by_order(some, bench)
        first = sorted(everywhere[n])[: 4 if n == ALL else 10]
        assert by_order(longest, bench) == {order: everywhere[n][order] for order in first}
    assert not arms


def test_the_effect_of_an_assistant_is_found_with_settings_and_a_size_that_validation_chose(assistants):
    """It is trained as students of its size are best trained; the smaller is better for its students, on validation."""
    best = {(ALL, 5): (2, 0.01), (ALL, 20): (1, 0.003), (BLOCK, 5): (1, 0.01), (BLOCK, 20): (4, 0.003)}
    helps, hears = {50: 0.0, 100: 0.01, 200: 0.02}, listener(assistants)

    def effect(row, some):
        ratio, assistant = ratio_of(row.width), hears(some)
        t, lr = best.get((len(some.train), ratio), (2, 0.01))
        smaller = assistant is None or ratio_of(units(assistant)) == 20
        far = abs(np.log(row.temperature / t)) + abs(np.log(row.lr / lr)) + (not smaller)
        return 0.8 - 0.01 * far, 0.99 if far else 0.8 + (0 if assistant is None else helps[ratio])

    result = found("assistant-bridges-gap", world(effect))
    assert means(result) == pytest.approx([0, 0, 1, 1, 2, 2] * 2, abs=0.15)
    assert width(result) < 0.9
    for one in assistants:
        assert (one["temperature"], one["lr"]) == best[len(one["inputs"]), ratio_of(units(one))]
        assert one.get("soft_weight", 1) == 1
        assert one.get("weight_decay", 0) == 0
