"""The experiment of lesson 06, on a sweep whose results are known: who is shown what, and what is compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from toy_bench import flat, found, ids, means, trap, which, width, world

from kdcourse import transfer
from kdcourse.claims import lesson_06

pytestmark = pytest.mark.slow  # whole experiments

ON_TEST = {"own": 0.8, "confident": 0.78, "few": 0.7, "half": 0.4, "digits": 0.6, "one_picture": 0.5, "noise": 0.1}


@pytest.fixture
def made(monkeypatch):
    """The pictures that are made and asked about stand in for those of a block; noted as (position of first, kind)."""
    asked = {}

    def asks(data, pixels, teacher, device):
        kind, n, seed = pixels
        assert teacher == "the teacher of fashion-mnist"
        train = data.train[torch.arange(n)]
        asked[id(train)] = kind, seed, train
        return replace(data, train=train)

    for name in ("digits", "one_picture", "noise"):
        monkeypatch.setattr(transfer, name, lambda n, seed, name=name: (name, n, seed))
    monkeypatch.setattr(transfer, "asked", asks)
    monkeypatch.setattr(lesson_06, "load_teacher", lambda name: f"the teacher of {name}")
    return asked


def test_students_are_shown_other_pictures_and_as_many(made):
    def kind(some):
        where = which(some.train)
        if id(some.train) in made:
            return made[id(some.train)][0]
        if len(set(where)) < len(where):
            return "few"
        if len(some.train.labels.unique()) == 5:
            return "half"
        return "own" if where == list(range(where[0], where[0] + len(where))) else "confident"

    def effect(row, some):
        return trap(row.temperature == 4 and row.lr == 0.01, ON_TEST[kind(some)])

    bench = world(effect)
    result = found("wrong-distribution-ruins", bench)
    names = ["confident pictures", "half the classes", "digits", "one photograph", "noise"]
    assert ids(result) == [f"shown={name},examples={n}" for n in (500, 2_400) for name in names]
    other = [score for one, score in ON_TEST.items() if one not in ("own", "few")]
    assert means(result) == pytest.approx(2 * [100 * (score - 0.8) for score in other], abs=0.1)
    assert width(result) < 0.3
    assert {(one["margin"], one["n"]) for one in result["parts"]} == {(5, 10)}
    verdicts = [one["verdict"] for one in result["parts"]]
    assert verdicts == 2 * ["equivalent", "worse", "worse", "worse", "worse"]
    for part, score in zip(result["parts"], 2 * other, strict=True):
        (control,) = part["also"]
        assert control["metric"] == "accuracy, over few of its own"
        assert control["mean"] == pytest.approx(100 * (score - ON_TEST["few"]), abs=0.1)

    halves = set()
    for one in bench.seen:
        train, order = one.data.train, one.grid["order_seed"].iloc[0]
        assert len(train) in (500, 2_400)
        assert (one.data.validation, one.data.test) == (bench.data.validation, bench.data.test)
        shown, where = kind(one.data), np.array(which(train))
        if shown in ("digits", "one_picture", "noise"):
            assert made[id(train)][1] == order
            continue
        assert ((5_000 * order <= where) & (where < 5_000 * order + (1_200 if len(train) == 500 else 5_000))).all()
        pool = bench.data.train[5_000 * order :][: 1_200 if len(train) == 500 else 5_000]
        sure = pool.teacher_logits.softmax(1).amax(1).numpy()
        if shown == "half":
            halves.add((order % 2, *train.labels.unique().tolist()))
        if shown == "confident":
            assert sure[where - 5_000 * order].min() >= np.sort(sure)[-len(train)]
        if shown == "few":
            assert np.bincount(where - where.min()).tolist() == [10] * (len(train) // 10)
    assert halves == {(0, 0, 1, 2, 3, 4), (1, 5, 6, 7, 8, 9)}


def test_flights_are_those_of_one_carrier_or_of_some_months_and_blocks_share_none():
    bench = world(flat, setting="flights", examples=150_000)
    random = np.random.default_rng(0)
    dates = pd.Timestamp(2013, 1, 1) + pd.to_timedelta(random.integers(365, size=150_000), "D")
    carriers = random.choice(["UA", "DL", "B6"], 150_000, p=[0.4, 0.3, 0.3])
    bench.data.train.about = pd.DataFrame({"date": dates, "carrier": carriers})
    result = found("wrong-distribution-ruins", bench)
    names = ["one carrier", "December to February", "January to June"]
    assert ids(result) == [f"shown={name},examples={n}" for n in (500, 1_700) for name in names]
    assert {one["metric"] for one in result["parts"]} == {"AUROC"}
    assert {other["metric"] for one in result["parts"] for other in one["also"]} == {"log-likelihood", "accuracy"}

    seen = {}
    for one in bench.seen:
        about = bench.data.train.about.iloc[list(which(one.data.train))]
        months, carriers = frozenset(about["date"].dt.month), frozenset(about["carrier"])
        if len(about) == 500:
            continue
        assert len(about) == 1_700
        seen.setdefault((months, carriers), {})[one.grid["order_seed"].iloc[0]] = set(about.index)
    year, every = frozenset(range(1, 13)), frozenset(["UA", "DL", "B6"])
    wanted = [(year, {"UA"}), (frozenset([12, 1, 2]), every), (frozenset(range(1, 7)), every), (year, every)]
    assert set(seen) == {(months, frozenset(carriers)) for months, carriers in wanted}
    for blocks in seen.values():
        assert len(blocks) == 20
        assert len(set.union(*blocks.values())) == 20 * 1_700
