"""The step-through explorer from Python, and its toy problem against torch."""

import json
import math

import numpy as np
import pytest
import torch
from traitlets import TraitError

from kdcourse.losses import blended_loss
from kdcourse.widgets import _toy, distillation_steps
from kdcourse.widgets.distillation_steps import DistillationSteps

SOFT = {"temperature": 3.0, "soft_weight": 0.7}


def scalar_mulberry32(state):
    """As its author published it, with a number at a time."""
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ (state >> 15)) * (1 | state)) & 0xFFFFFFFF
        t = ((t + (((t ^ (t >> 7)) * (61 | t)) & 0xFFFFFFFF)) & 0xFFFFFFFF) ^ t
        yield ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296


@pytest.mark.parametrize("seed", [0, 1, 99_999])
@pytest.mark.parametrize("stream", _toy.STREAMS)
def test_the_generator_is_mulberry32(seed, stream):
    start = ((seed + 1) * 0x9E3779B1 + _toy.STREAMS[stream] * 0x85EBCA6B) & 0xFFFFFFFF
    expected = scalar_mulberry32(start)
    assert _toy.uniform(seed, stream, 50).tolist() == [next(expected) for _ in range(50)]


def test_seeds_and_streams_share_no_numbers():
    drawn = [_toy.uniform(seed, stream, 5_000) for seed in range(20) for stream in ("training", "test")]
    assert len(np.unique(np.concatenate(drawn))) > 0.9999 * 200_000  # a few coincide, as of 200,000 out of 2³² they do


def test_points_lie_around_the_arms_of_a_spiral():
    inputs, labels = _toy.points(3, "test", 20_000)
    assert np.bincount(labels) / 20_000 == pytest.approx([1 / 3] * 3, abs=0.015)
    random = np.random.default_rng(0)
    along, arm = random.random(200_000), 2 * np.pi / 3
    for c in range(3):
        angle = arm * c + 2.4 * along
        x, y = (0.15 + 1.1 * along) * np.cos(angle), (0.15 + 1.1 * along) * np.sin(angle)
        own = inputs[labels == c]
        assert own.mean(0) == pytest.approx([x.mean(), y.mean()], abs=0.03)
        assert own.var(0) == pytest.approx([x.var() + 0.22**2, y.var() + 0.22**2], abs=0.02)


def test_a_larger_transfer_set_begins_with_the_smaller_one():
    few, many = _toy.points(5, "transfer", 10), _toy.points(5, "transfer", 200)
    assert (few.inputs == many.inputs[:10]).all()
    assert (few.labels == many.labels[:10]).all()


def test_networks_start_with_variance_one_over_inputs():
    first, hidden, last = _toy.network((2, 300, 300, 3), 0, "teacher")
    assert first[0].std() == pytest.approx(math.sqrt(1 / 2), rel=0.1)
    assert hidden[0].std() == pytest.approx(math.sqrt(1 / 300), rel=0.02)
    assert [biases.any() for _, biases in (first, hidden, last)] == [False] * 3


def torch_trained(net, data, steps, rate, batch, teacher_logits=None, temperature=1.0, soft_weight=0.0):
    """The same training by torch: its layers, its gradients, its Adam, and the course's own loss."""
    layers = []
    for weights, biases in net:
        layer = torch.nn.Linear(*weights.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(weights.T.copy()), torch.tensor(biases.copy())
        layers += [layer, torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.999), eps=1e-8)
    falls = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    inputs, labels = torch.tensor(data.inputs), torch.tensor(data.labels)
    losses = []
    for step in range(steps):
        now = torch.arange(step * batch, (step + 1) * batch) % len(labels)
        scores = model(inputs[now])
        if teacher_logits is None:
            loss = torch.nn.functional.cross_entropy(scores, labels[now])
        else:
            loss = blended_loss(scores, torch.tensor(teacher_logits)[now], labels[now], temperature, soft_weight).total
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falls.step()
    return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in model[::2]], losses


@pytest.mark.parametrize("seed", [0, 7])
def test_the_teacher_is_the_one_that_torch_trains(seed):
    data = _toy.points(seed, "training", _toy.TEACHER_POINTS)
    start = _toy.network(_toy.TEACHER_SIZES, seed, "teacher")
    settings = data, _toy.TEACHER_STEPS, _toy.TEACHER_RATE, _toy.TEACHER_BATCH
    check_same(_toy.trained(start, *settings), torch_trained(start, *settings))


@pytest.mark.parametrize("soft", [{}, SOFT, {"temperature": 0.5, "soft_weight": 1.0}])
def test_students_are_those_that_torch_trains(soft):
    data = _toy.points(1, "transfer", 30)
    start = _toy.network(_toy.STUDENT_SIZES, 1, "student")
    if soft:
        soft = soft | {"teacher_logits": 3 * np.random.default_rng(0).normal(size=(30, 3))}
    settings = data, _toy.STUDENT_STEPS, _toy.STUDENT_RATE, 30
    check_same(_toy.trained(start, *settings, **soft), torch_trained(start, *settings, **soft))


def check_same(ours, theirs):
    assert ours[1] == pytest.approx(theirs[1], rel=1e-7, abs=1e-9)
    for layer, other in zip(ours[0], theirs[0], strict=True):
        for part, expected in zip(layer, other, strict=True):
            np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-7)


def test_without_soft_weight_both_students_are_one():
    result = _toy.run(2, 4.0, 0.0, 20)
    for one, other in zip(result.hard, result.distilled, strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert result.accuracies["hard"] == result.accuracies["distilled"]


def test_everything_is_readable_and_settable():
    explorer = distillation_steps(3, temperature=4, soft_weight=0.5, transfer_size=20)
    assert isinstance(explorer, DistillationSteps)
    values = {"seed": 8, "temperature": 1.5, "soft_weight": 1.0, "transfer_size": 30, "point": 29}
    values |= {"speed": 2.0, "stage": 7, "playing": True}
    for name, value in values.items():
        setattr(explorer, name, value)
        assert getattr(explorer, name) == value
    assert json.loads(json.dumps(explorer.state())).items() >= values.items()
    assert (explorer.accuracies, explorer.differences, explorer.difference_seeds) == ({}, [], [])


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("seed", -1, ValueError, "seed must be an integer >= 0, got -1"),
        ("seed", 1.5, ValueError, "seed must be an integer >= 0, got 1.5"),
        ("seed", 100_000, ValueError, r"seed must be in \[0, 99999\], got 100000"),
        ("temperature", 0.1, ValueError, r"temperature must be in \[0.5, 32\], got 0.1"),
        ("temperature", "4", TypeError, "temperature must be a number, got '4'"),
        ("soft_weight", 1.1, ValueError, r"soft_weight must be in \[0, 1\], got 1.1"),
        ("soft_weight", math.nan, ValueError, r"soft_weight must be in \[0, 1\], got nan"),
        ("transfer_size", 9, ValueError, "transfer_size must be an integer >= 10, got 9"),
        ("transfer_size", 201, ValueError, r"transfer_size must be in \[10, 200\], got 201"),
        ("point", 40, ValueError, r"point must be in \[0, 40\), got 40"),
        ("speed", 0, ValueError, r"speed must be in \[0.25, 8\], got 0"),
        ("stage", 0, ValueError, "stage must be an integer >= 1, got 0"),
        ("stage", 8, ValueError, r"stage must be in \[1, 7\], got 8"),
        ("playing", 1, TypeError, "playing must be True or False, got 1"),
    ],
)
def test_bad_values_are_refused_by_name_and_change_nothing(name, value, error, message):
    explorer = distillation_steps()
    before = getattr(explorer, name)
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    if name in ("seed", "temperature", "soft_weight", "transfer_size"):
        with pytest.raises(error, match=message):
            distillation_steps(**{name: value})


def measured():
    explorer = distillation_steps(4)
    accuracies = {"teacher": 0.9, "hard": 0.8, "distilled": 0.85}
    explorer.set_state({"accuracies": accuracies, "differences": [5.0, 2.0], "difference_seeds": [4, 5]})
    assert (explorer.accuracies, explorer.differences) == (accuracies, [5.0, 2.0])
    return explorer


@pytest.mark.parametrize(("name", "value"), [("temperature", 8.0), ("soft_weight", 0.2), ("transfer_size", 80)])
def test_another_setting_empties_what_was_measured(name, value):
    explorer = measured()
    setattr(explorer, name, getattr(explorer, name))
    assert explorer.difference_seeds == [4, 5]
    setattr(explorer, name, value)
    assert (explorer.accuracies, explorer.differences, explorer.difference_seeds) == ({}, [], [])


def test_another_seed_keeps_the_differences_of_the_others():
    explorer = measured()
    explorer.seed = 9
    assert (explorer.accuracies, explorer.differences, explorer.difference_seeds) == ({}, [5.0, 2.0], [4, 5])


def test_what_the_browser_measures_with_new_settings_is_kept():
    explorer = measured()
    explorer.set_state({"temperature": 8.0, "differences": [1.0], "difference_seeds": [4]})
    assert (explorer.temperature, explorer.differences, explorer.difference_seeds) == (8.0, [1.0], [4])


def test_only_the_browser_sets_results():
    explorer = distillation_steps()
    for name, value in [("accuracies", {"teacher": 1.0}), ("differences", [9.0]), ("difference_seeds", [1])]:
        with pytest.raises(TraitError, match="read-only"):
            setattr(explorer, name, value)


def test_a_smaller_transfer_set_keeps_the_point_inside():
    explorer = distillation_steps()
    explorer.point = 39
    explorer.transfer_size = 10
    assert explorer.point == 9
    explorer.set_state({"transfer_size": 20, "point": 15})
    assert (explorer.transfer_size, explorer.point) == (20, 15)


def test_the_picture_shows_the_result_of_the_seed_and_says_that_it_is_one():
    explorer = distillation_steps(1, transfer_size=20)
    fig, alt = explorer.picture()
    found = _toy.run(1, 2.0, 0.9, 20).accuracies
    for name, ax in zip(["teacher", "hard", "distilled"], fig.axes, strict=True):
        share = f"{100 * found[name]:.1f} %"
        assert share in ax.get_title(loc="left")
        assert share in alt
    gap = 100 * (found["distilled"] - found["hard"])
    assert gap > 0
    assert f"{gap:.1f} points ahead" in fig.get_suptitle()
    assert "One seed proves nothing" in fig.get_suptitle()
    assert f"{gap:+.1f} points" in alt


def test_the_title_of_the_picture_follows_the_finding():
    assert "is level with the one on labels" in distillation_steps(soft_weight=0).picture()[0].get_suptitle()
    behind = next(k for k in range(100) if np.subtract(*gaps(k)) < 0)
    assert "points behind the one" in distillation_steps(behind, transfer_size=200).picture()[0].get_suptitle()


def gaps(seed):
    found = _toy.run(seed, 2.0, 0.9, 200).accuracies
    return found["distilled"], found["hard"]


def test_a_saved_notebook_has_picture_and_state():
    import matplotlib.pyplot as plt

    data, metadata = distillation_steps()._repr_mimebundle_()
    assert len(metadata["image/png"]["alt"]) > 40
    [state] = [value for name, value in data.items() if "explorer" in name]
    assert state["explorer"] == "distillation_steps"
    assert state["state"]["stage"] == 1
    assert plt.get_fignums() == []
