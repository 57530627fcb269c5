"""Steps after distillation: each acts on the same student, from the state it began with, and is tuned on validation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kdcourse import claims, data, ship
from kdcourse.claims import ladder, shipping
from kdcourse.claims.choices import Choices
from kdcourse.claims.evaluation import evaluate
from kdcourse.claims.settings import SETTINGS
from kdcourse.models import channels_for_ratio

HOW = {"temperature": 4.0, "lr": 0.01}
HARD = {"lr": 0.01, "weight_decay": 0.1}
BEST = {"temperature": 2.0, "lr": 0.004, "weight_decay": 0.0625}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Few garments, one or two epochs, and a cache of its own."""
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(shipping, "EXAMPLES", 300)
    monkeypatch.setattr(shipping, "TRAINING", {kind: {"epochs": 2, "batch_size": 20} for kind in ("MLP", "CNN")})
    monkeypatch.setattr(shipping, "BLOCKS", {"MLP": 3, "CNN": 2})
    whole = data.load("fashion-mnist")
    some = data.DataSet(
        "few", whole.train[:900], whole.validation[:200], whole.test[:200], whole.class_names, whole.teacher_parameters
    )
    return SimpleNamespace(data=some, setting=SETTINGS["fashion-mnist"], device="cpu", choices=Choices())


@pytest.fixture
def seen(monkeypatch):
    """What `distill` is given, with the weights that it begins with."""
    calls, real = [], shipping.distill

    def spy(learner, inputs, logits, labels, **options):
        begun = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
        calls.append(SimpleNamespace(begun=begun, inputs=inputs, logits=logits, **options))
        return real(learner, inputs, logits, labels, **options)

    monkeypatch.setattr(shipping, "distill", spy)
    return calls


def test_arms_learn_from_the_same_examples_and_what_is_cut_goes_on_from_the_whole(run, seen):
    whole = shipping.trained(run, "MLP", "distilled", 1, HOW)
    again = shipping.trained(run, "MLP", "again", 1, HOW | {"lr": 0.005}, HOW)
    small = shipping.trained(run, "MLP", "small", 1, HOW)
    shipping.trained(run, "MLP", "labels", 1, HARD)
    assert [one.epochs for one in seen] == [2, 1, 3, 2]  # the small one learns for as long as both before it
    for one in seen:
        assert torch.equal(one.inputs, run.data.train.inputs[300:600])
        assert torch.equal(one.logits, run.data.train.teacher_logits[300:600])
        assert one.order_seed == 1
    assert [getattr(one, "soft_weight", 1.0) for one in seen] == [1, 1, 1, 0]
    assert torch.equal(seen[0].begun["0.weight"], seen[3].begun["0.weight"])
    size = whole[0].weight.detach().abs().sum(1).numpy()
    kept = np.sort(np.argsort(size)[-32:])
    assert np.array_equal(seen[1].begun["0.weight"], whole[0].weight.detach()[kept])
    assert [one[0].weight.shape[0] for one in (whole, again, small)] == [64, 32, 32]
    found = shipping.trained(run, "MLP", "again", 1, HOW | {"lr": 0.005}, HOW)
    assert torch.equal(found[0].weight, again[0].weight)
    assert len(seen) == 4


def test_a_small_cnn_has_the_channels_that_are_left_when_half_are_cut(run):
    whole, small = (shipping.network(run, "CNN", 0, small=small) for small in (False, True))
    assert channels_for_ratio(shipping.RATIO, run.data.teacher_parameters) == (7, 14, 28)
    cut = ship.prune_units(whole, shipping.UNITS)
    assert [one.shape for one in small.parameters()] == [one.shape for one in cut.parameters()]


def forward(first, bias, second, out, inputs):
    return (np.maximum(inputs @ first.T + bias, 0) @ second.T + out).argmax(1)


@pytest.mark.slow  # six exports
def test_every_state_is_measured_as_it_is_after_its_step(run):
    pytest.importorskip("onnxscript", reason="needs the extra export: pip install kdcourse[export]")
    how = {"distilled": HOW, "small": HOW, "labels": HARD, "again": HOW}
    found = shipping.measured(run, "MLP", 0, how)
    assert len(found) == 6 * 2 * 2
    weights = [one.detach().double().numpy() for one in shipping.trained(run, "MLP", "distilled", 0, HOW).parameters()]
    kept = np.argsort(abs(weights[0]).sum(1))[-32:]
    largest = np.quantile(abs(np.concatenate([weights[0].ravel(), weights[2].ravel()])), shipping.WEIGHTS)
    states = {
        "distilled": weights,
        "half": [weights[0][kept], weights[1][kept], weights[2][:, kept], weights[3]],
        "sparse": [np.where(abs(one) > largest, one, 0) if one.ndim == 2 else one for one in weights],
    }
    for name, of_state in states.items():
        for split in ("validation", "test"):
            some = getattr(run.data, split)
            expected = forward(*of_state, some.inputs.numpy().astype(float)) == some.labels.numpy()
            assert (found[f"{name}, {split}"] == expected).mean() > 0.99, name
            assert (found[f"{name}, int8, {split}"] == expected).mean() > 0.9, name
    assert (found["distilled, test"] != found["distilled, int8, test"]).any() or found["distilled, test"].mean() > 0.9


COSTS = {"distilled, int8": 0.002, "half": 0.2, "half, int8": 0.3, "again": 0.05, "again, int8": 0.052, "sparse": 0.1}


@pytest.fixture
def world(run, monkeypatch):
    """Students whose costs are known: class 7 pays most on validation, class 3 on test."""
    tried, random = [], np.random.default_rng(0)
    splits = {
        name: data.Split(
            torch.from_numpy(random.integers(0, 10, 2_000)), None, inputs=torch.zeros(2_000, 1), about=None
        )
        for name in ("validation", "test")
    }
    run.data = SimpleNamespace(**splits, train=run.data.train, class_names=run.data.class_names)

    def trained(run, kind, arm, k, how, before=None):
        tried.append((kind, arm, k, dict(how), before))
        return sum(abs(np.log2(value / BEST[name])) for name, value in how.items())

    def measured(run, kind, k, how):
        found = {}
        for split, paying in (("validation", 7), ("test", 3)):
            labels, luck = splits[split].labels.numpy(), random.random(2_000)
            for name in [*shipping.ARMS, "half", "again", "sparse"]:
                for form in ("", ", int8"):
                    cost = COSTS.get(name + form, COSTS.get(name, 0.0))
                    found[f"{name}{form}, {split}"] = luck > 0.2 + cost + (labels == paying) * min(2 * cost, 0.3)
        return found

    monkeypatch.setattr(shipping, "trained", trained)
    monkeypatch.setattr(shipping, "measured", measured)
    monkeypatch.setattr(shipping, "accuracy", lambda away, *_, **__: 0.8 - 0.01 * away)
    run.tried = tried
    return run


def test_each_step_is_compared_with_what_it_began_with(world):
    (claim,) = claims.find("pruning-and-int8-stack-with-distillation")
    assert (claim.supports, claim.settings) == ("not worse", ("fashion-mnist", "wordnet-glosses"))
    result = {claims.part_id(one["key"]): one for one in evaluate(claim, claim.measure(world))["parts"]}
    expected = dict(zip(shipping.STEPS, [-0.2, -20, -5, -0.2, -10], strict=True))
    assert list(result) == [f"student={kind},step={step}" for kind in ("MLP", "CNN") for step in expected]
    for name, one in result.items():
        cost = expected[name.partition("step=")[2]]
        assert one["mean"] == pytest.approx(cost - 0.3 * min(2 * abs(cost), 30) / 3, abs=1.5)
        assert one["margin"] == 1
        assert one["covers"] == {"block": 3 if "MLP" in name else 2, "example": 2_000}
        (worst,) = one["also"]  # the class is that of validation, which pays no more than others on test
        assert worst["mean"] == pytest.approx(cost, abs=3)
        assert one["beside"].keys() == {"half as wide from the start", "labels alone", "labels alone in int8"}
    assert result["student=MLP,step=int8"]["verdict"] != "worse"
    assert result["student=MLP,step=half of the units cut"]["verdict"] == "worse"


def test_settings_are_climbed_on_validation_and_the_gentle_start_is_that_of_the_whole(world):
    list(shipping.steps(world))
    for arm, start in shipping.ARMS.items():
        of_arm = [how for kind, name, k, how, _ in world.tried if (kind, name, k) == ("MLP", arm, 0)]
        assert of_arm[-1] == pytest.approx({name: BEST[name] for name in start})
        for name in start.keys() & ladder.STEPS.keys():
            assert min(how[name] for how in of_arm) < BEST[name] < max(how[name] for how in of_arm)
    again = [(how, before) for kind, name, _, how, before in world.tried if (kind, name) == ("MLP", "again")]
    assert again[0][1] == pytest.approx({"temperature": 2.0, "lr": 0.004})
    assert again[0][0] == pytest.approx({"temperature": 2.0, "lr": 0.002})


def test_every_stored_arm_shows_what_was_chosen_for_it():
    stored = claims.result("pruning-and-int8-stack-with-distillation")
    for part in stored["parts"]:
        chosen = {one["what"]: one["chosen"] for one in stored["settings"][part["setting"]]["choices"]}
        for arm in part["arms"].values():
            of = "again" if arm["name"].startswith("again") else "distilled"
            assert arm["chosen"] == chosen[f"{part['key']['student']}, {of}"]
