"""The toy problem of the step-through explorer: what the browser trains is what torch trains."""

import math

import numpy as np
import pytest
import torch
from browser import needs_chromium
from explorer_page import call, in_module

from kdcourse.losses import blended_loss

pytestmark = needs_chromium
STREAMS = ["training", "transfer", "test", "teacher", "student"]
TEACHER = {"steps": 400, "rate": 0.02, "batch": 60}
STUDENT = {"steps": 300, "rate": 0.05}
FINISHED = """(toy, seed, settings) => {
    const work = toy.pipeline(seed, settings);
    work.pursue(7, 1e9);
    const { training, transfer, test, teacher, students: { hard, distilled }, studentStart } = work;
    const nets = { teacher: teacher.net, hard: hard.net, distilled: distilled.net };
    return { accuracies: work.accuracies(), test: work.test, training, transfer, studentStart,
             teacherStart: teacher.start, ...nets };
}"""


@pytest.fixture(scope="module")
def toy(browser):
    """A page to evaluate functions of toy.js on."""
    with browser.new_context(offline=True) as context:
        yield context.new_page()


def scalar_mulberry32(state):
    """As its author published it, with a number at a time."""
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ (state >> 15)) * (1 | state)) & 0xFFFFFFFF
        t = ((t + (((t ^ (t >> 7)) * (61 | t)) & 0xFFFFFFFF)) & 0xFFFFFFFF) ^ t
        yield ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296


DRAWS = "(toy, seed, stream, length) => Array.from({ length }, toy.generator(seed, stream))"


def test_the_generator_is_mulberry32_and_streams_share_no_numbers(toy):
    for seed in (0, 99_999):
        for place, stream in enumerate(STREAMS, 1):
            expected = scalar_mulberry32(((seed + 1) * 0x9E3779B1 + place * 0x85EBCA6B) & 0xFFFFFFFF)
            assert in_module(toy, "toy", DRAWS, seed, stream, 50) == [next(expected) for _ in range(50)]
    drawn = [in_module(toy, "toy", DRAWS, seed, stream, 2_000) for seed in range(5) for stream in STREAMS]
    assert len(np.unique(drawn)) > 0.9999 * 50_000  # a few coincide, as of so many out of 2³² they do


def test_points_lie_around_the_arms_of_a_spiral_and_more_of_them_begin_with_the_same(toy):
    few, many = call(toy, "toy", "toyPoints", [[3, "test", 10], [3, "test", 20_000]])
    assert many["inputs"][:20] == few["inputs"]
    inputs, labels = np.reshape(many["inputs"], (-1, 2)), np.array(many["labels"])
    assert np.bincount(labels) / 20_000 == pytest.approx([1 / 3] * 3, abs=0.015)
    along = np.random.default_rng(0).random(200_000)
    for c in range(3):
        angle = 2 * np.pi * c / 3 + 2.4 * along
        x, y = (0.15 + 1.1 * along) * np.cos(angle), (0.15 + 1.1 * along) * np.sin(angle)
        own = inputs[labels == c]
        assert own.mean(0) == pytest.approx([x.mean(), y.mean()], abs=0.03)
        assert own.var(0) == pytest.approx([x.var() + 0.22**2, y.var() + 0.22**2], abs=0.02)


def test_networks_start_with_variance_one_over_inputs(toy):
    [layers] = call(toy, "toy", "network", [[[2, 300, 300, 3], 0, "teacher"]])
    assert [np.std(one["weights"]) * math.sqrt(one["before"]) for one in layers[:2]] == pytest.approx([1, 1], rel=0.1)
    assert not any(any(one["biases"]) for one in layers)


def torch_net(layers):
    """The same network in torch: tanh between linear layers, in float64."""
    parts = []
    for one in layers:
        layer = torch.nn.Linear(one["before"], one["after"], dtype=torch.float64)
        layer.weight.data = torch.tensor(one["weights"], dtype=torch.float64).reshape(one["before"], one["after"]).T
        layer.bias.data = torch.tensor(one["biases"], dtype=torch.float64)
        parts += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1])


def tensors(points):
    return torch.tensor(points["inputs"], dtype=torch.float64).reshape(-1, 2), torch.tensor(points["labels"])


def torch_trained(start, points, steps, rate, batch=None, teacher_logits=None, temperature=1.0, soft_weight=0.0):
    """The same training by torch: its layers, its gradients, its Adam, and the course's own loss."""
    model, (inputs, labels) = torch_net(start), tensors(points)
    batch = batch or len(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.999), eps=1e-8)
    falls = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(steps):
        now = torch.arange(step * batch, (step + 1) * batch) % len(labels)
        scores = model(inputs[now])
        if teacher_logits is None:
            loss = torch.nn.functional.cross_entropy(scores, labels[now])
        else:
            loss = blended_loss(scores, teacher_logits[now], labels[now], temperature, soft_weight).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falls.step()
    return model


@pytest.mark.parametrize(
    ("seed", "temperature", "soft_weight", "transfer_size"),
    [(0, 2.0, 0.9, 40), (99_999, 0.5, 1.0, 200), (7, 4.0, 0.0, 10)],
)
def test_teacher_and_students_are_those_that_torch_trains(toy, seed, temperature, soft_weight, transfer_size):
    settings = {"temperature": temperature, "softWeight": soft_weight, "transferSize": transfer_size}
    got = in_module(toy, "toy", FINISHED, seed, settings)
    assert (got["training"]["n"], got["transfer"]["n"], got["test"]["n"]) == (600, transfer_size, 2_000)
    teacher = torch_trained(got["teacherStart"], got["training"], **TEACHER)
    with torch.no_grad():
        soft = teacher(tensors(got["transfer"])[0])
    soft = {"teacher_logits": soft, "temperature": temperature, "soft_weight": soft_weight}
    expected = {
        "teacher": teacher,
        "hard": torch_trained(got["studentStart"], got["transfer"], **STUDENT),
        "distilled": torch_trained(got["studentStart"], got["transfer"], **STUDENT, **soft),
    }
    inputs, labels = tensors(got["test"])
    for name, model in expected.items():
        found = torch_net(got[name])
        for one, other in zip(found.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        assert got["accuracies"][name] == (found(inputs).argmax(1) == labels).double().mean().item()
    if soft_weight == 0:
        assert got["hard"] == got["distilled"]


def test_each_verdict_has_its_own_sentence(toy):
    base = {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 11}
    inputs = [[base | {"verdict": verdict}, 0.9] for verdict in ("better", "worse", "inconclusive")]
    said = call(toy, "steps_words", "verdictOf", [*inputs, [base | {"n": 1}, 0.9], [base, 0]])
    words = ["soft labels help", "soft labels harm", "cannot tell", "One seed proves nothing", "the same student"]
    for sentence, word in zip(said, words, strict=True):
        assert word in sentence
        assert [other in sentence for other in words].count(True) == 1


def test_without_soft_labels_none_makes_a_difference(toy):
    accuracies = {"teacher": 0.9, "hard": 0.8, "distilled": 0.85}
    with_soft, without = call(toy, "steps_words", "resultOf", [[3, accuracies, 5, 0.5], [3, accuracies, 0, 0]])
    assert without == "Seed 3: teacher 90.0 %, student on labels 80.0 %, distilled student 85.0 %."
    assert with_soft == f"{without} The soft labels made a difference of +5.0 points."
