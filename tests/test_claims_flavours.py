"""Ways to distil beside plain logits: each learns from what it says, all from the same start, tuned on validation."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from kdcourse import claims, data, store
from kdcourse.claims import flavours, ladder
from kdcourse.claims.choices import Choices
from kdcourse.claims.evaluation import evaluate
from kdcourse.claims.settings import SETTINGS
from kdcourse.train import load_teacher

pytestmark = pytest.mark.slow  # whole experiments

BLOCKS, EXAMPLES = 3, 12
FEATURES = {"hints", "hints first", "attention", "relations", "hints, MLP", "hints first, MLP", "relations, MLP"}
BEST = {"lr": 0.008, "temperature": 2.0, "weight": 4.0, "weight_decay": 0.0625, "stop": 2}
GAINS = {"logits": 0.0, "one of our teachers": -0.1, "logits, MLP": -0.2, "hints": 0.02, "relations, MLP": -0.22}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Few garments, few epochs, and a cache of its own."""
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    for name, value in {
        "BLOCKS": BLOCKS,
        "EXAMPLES": EXAMPLES,
        "EPOCHS": 2,
        "TEACHER_EXAMPLES": 40,
        "TEACHER_EPOCHS": 1,
        "CHOOSE_BY": 20,
    }.items():
        monkeypatch.setattr(flavours, name, value)
    whole = data.load("fashion-mnist")
    some = data.DataSet(
        "few", whole.train[:100], whole.validation[:30], whole.test[:40], whole.class_names, whole.teacher_parameters
    )
    return SimpleNamespace(data=some, setting=SETTINGS["fashion-mnist"], device="cpu", choices=Choices())


@pytest.fixture
def seen(monkeypatch):
    """What `distill` is given."""
    calls, real = [], flavours.distill

    def spy(learner, inputs, logits, labels=None, **options):
        student = getattr(learner, "student", learner)
        first = {name: tensor.clone() for name, tensor in student.state_dict().items()}
        calls.append(SimpleNamespace(first=first, inputs=inputs, logits=logits, labels=labels, options=options))
        return real(learner, inputs, logits, labels, **options)

    monkeypatch.setattr(flavours, "distill", spy)
    return calls


HOW = {"lr": 0.004, "temperature": 4.0, "weight": 1.0, "stop": 1}


def test_every_way_trains_its_student_from_the_same_start_on_the_same_pictures(run, seen):
    firsts = {}
    for name in flavours.WAYS:
        right, validation = flavours.trained(run, name, 1, HOW)
        call, *then = [one for one in seen if one.options["order_seed"] == 1]  # others are assistants
        kind = "MLP" if "MLP" in name else "CNN"
        first = firsts.setdefault(kind, call)
        assert call.first.keys() == first.first.keys()
        assert all(torch.equal(first.first[key], tensor) for key, tensor in call.first.items())
        assert torch.equal(call.inputs, F.avg_pool2d(run.data.train.inputs[12:24].view(-1, 1, 28, 28), 2).flatten(1))
        assert torch.equal(call.labels, run.data.train.labels[12:24])
        same = ("batch_size", "order_seed", "lr", "weight_decay")
        assert [call.options[key] for key in same] == [first.options[key] for key in same]
        assert (call.logits.shape[1] > 10) == (name in FEATURES)
        assert sum(one.options["epochs"] for one in (call, *then)) == 2
        assert [one.logits.shape[1] for one in then] == [10] * ("first" in name)
        seen.clear()
        assert right.shape == (40,)
        assert set(right) <= {0, 1}
        assert 0 <= validation <= 1


def test_what_is_learned_from_is_what_the_way_says(run, seen):
    rows = slice(12, 24)
    for name in ("logits", "ensemble", "early-stopped teacher", "one of our teachers"):
        flavours.trained(run, name, 1, HOW)
    members = torch.stack([flavours.own_teacher(run, seed, 1)[rows] for seed in range(flavours.MEMBERS)])
    expected = [run.data.train.teacher_logits[rows], members.softmax(2).mean(0).log(), members[0], members[0]]
    for call, logits in zip(seen, expected, strict=True):
        torch.testing.assert_close(call.logits, logits)
    # Our teachers, and the students' pictures, share none.
    assert len(run.data.train) >= flavours.TEACHER_EXAMPLES + BLOCKS * EXAMPLES


def test_features_are_those_of_the_teacher_on_whole_pictures(run, seen):
    flavours.trained(run, "relations", 1, HOW)
    teacher, pictures = load_teacher("fashion-mnist"), run.data.train.inputs[12:24]
    with torch.no_grad():
        inside = teacher[:8](pictures)
    torch.testing.assert_close(seen[-1].logits[:, 10:], inside, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(seen[-1].logits[:, :10], run.data.train.teacher_logits[12:24])


def test_a_student_is_trained_once_and_found_again_under_its_settings(run, seen):
    first = flavours.trained(run, "logits", 0, HOW)
    assert np.array_equal(first[0], flavours.trained(run, "logits", 0, HOW)[0])
    assert len(seen) == 1
    flavours.trained(run, "logits", 0, HOW | {"lr": 0.001})
    flavours.trained(run, "logits", 1, HOW)
    assert len(seen) == len(list((store.cache_folder("flavours")).iterdir())) == 3


@pytest.fixture
def world(run, monkeypatch):
    """Students get worse step by step away from the best settings, on validation; on test, all else is better."""
    tried = []

    def trained(run, name, k, how):
        tried.append((name, k, dict(how)))
        climbed = {key: value for key, value in how.items() if key in BEST}
        away = sum(abs(np.log2(value / BEST[key])) for key, value in climbed.items())
        share = 0.6 + 0.1 * GAINS.get(name, 0) * 10 + 0.01 * k
        pictures = np.zeros(1_000)
        pictures[: round(1_000 * (share + 0.001 * away))] = 1
        return pictures, 0.8 - 0.001 * away

    monkeypatch.setattr(flavours, "trained", trained)
    monkeypatch.setattr(flavours, "own_teacher", lambda *_: None)
    run.tried = tried
    return run


def test_every_way_is_tuned_by_the_same_climb_on_the_first_blocks(world):
    found = flavours.arms(world)
    assert found.keys() == flavours.WAYS.keys()
    for name, arm in found.items():
        asked = {key: BEST[key] for key in arm.chosen}
        assert arm.chosen == pytest.approx(asked), name
        assert arm.values.shape == (BLOCKS, 1_000)
        settings = [how for way, k, how in world.tried if way == name and k == 0]
        moved = {key for key in settings[0] if len({how[key] for how in settings}) > 1}
        assert len(moved) == 2, name
        for key in moved & ladder.STEPS.keys():
            assert min(how[key] for how in settings) < arm.chosen[key] < max(how[key] for how in settings)
    for name, way in flavours.WAYS.items():
        if way.after:
            assert found[name].chosen["temperature"] == found[way.after].chosen["temperature"]


def test_each_method_is_compared_with_plain_logits_of_the_same_teacher_and_the_same_student(world):
    (claim,) = claims.find("features-beat-logits")
    parts = claim.measure(world)
    result = {claims.part_id(one["key"]): one for one in evaluate(claim, parts)["parts"]}
    methods = [
        "squared logits",
        "dkd",
        "dist",
        "hints",
        "hints first",
        "attention",
        "relations",
        "assistant",
        "ensemble",
    ]
    methods += ["early-stopped teacher"]
    assert list(result) == [f"method={one},student=CNN" for one in methods] + [
        f"method={one},student=MLP" for one in ("hints", "hints first", "relations", "dkd")
    ]
    expected = dict.fromkeys(result, 0.0) | {
        "method=hints,student=CNN": 2.0,
        "method=ensemble,student=CNN": 10.0,
        "method=early-stopped teacher,student=CNN": 10.0,
        "method=hints,student=MLP": 20.0,
        "method=hints first,student=MLP": 20.0,
        "method=relations,student=MLP": -2.0,
        "method=dkd,student=MLP": 20.0,
    }
    assert {name: one["mean"] for name, one in result.items()} == pytest.approx(expected, abs=0.11)
    assert all(one["covers"] == {"block": BLOCKS, "example": 1_000} for one in result.values())
    assert result["method=dist,student=CNN"]["beside"]["labels"] == pytest.approx(0.61)


def test_the_lesson_names_the_epochs_of_the_teachers_that_were_compared():
    lesson = Path(__file__).parent.parent / "notebooks" / "source" / "07_features_and_assistants.py"
    parts = {
        (one["key"]["method"], one["key"]["student"]): one for one in claims.result("features-beat-logits")["parts"]
    }
    stop = parts["early-stopped teacher", "CNN"]["arms"]["a"]["chosen"]["stop"]
    assert f"teacher of {stop:g} epochs − of {flavours.TEACHER_EPOCHS}" in lesson.read_text(encoding="utf-8")
