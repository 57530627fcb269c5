"""The toy problem of the step-through explorer: what the browser computes of it is what Python does."""

import numpy as np
import pytest
from browser import needs_chromium
from explorer_page import call

from kdcourse._javascript import bundle
from kdcourse.widgets import _toy

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def toy(browser):
    """A page to evaluate functions of toy.js on."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def in_toy(page, script, *inputs):
    """What an async function says whose first argument is toy.js as a module."""
    load = "URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))"
    code = f"async ([source, ...inputs]) => ({script})(await import({load}), ...inputs)"
    return page.evaluate(code, [bundle("toy"), *inputs])


def test_both_sides_have_the_same_settings(toy):
    settings = in_toy(toy, "toy => toy.TOY")
    assert settings == {
        "classes": _toy.CLASSES,
        "edge": _toy.EDGE,
        "noise": _toy.NOISE,
        "trainingPoints": _toy.TEACHER_POINTS,
        "testPoints": _toy.TEST_POINTS,
        "mostTransfer": 200,
        "teacher": {
            "sizes": list(_toy.TEACHER_SIZES),
            "steps": _toy.TEACHER_STEPS,
            "rate": _toy.TEACHER_RATE,
            "batch": _toy.TEACHER_BATCH,
        },
        "student": {"sizes": list(_toy.STUDENT_SIZES), "steps": _toy.STUDENT_STEPS, "rate": _toy.STUDENT_RATE},
    }


@pytest.mark.parametrize("seed", [0, 12_345, 99_999])
def test_generator_points_and_networks_are_those_of_python(toy, seed):
    draws = (
        "(toy, seed, stream) => { const next = toy.generator(seed, stream); return Array.from({ length: 99 }, next); }"
    )
    for stream in _toy.STREAMS:
        assert in_toy(toy, draws, seed, stream) == _toy.uniform(seed, stream, 99).tolist()
    [points] = call(toy, "toy", "toyPoints", [[seed, "transfer", 50]])
    expected = _toy.points(seed, "transfer", 50)
    assert points["inputs"] == pytest.approx(expected.inputs.ravel().tolist(), rel=1e-13, abs=1e-14)
    assert points["labels"] == expected.labels.tolist()
    [net] = call(toy, "toy", "network", [[list(_toy.TEACHER_SIZES), seed, "teacher"]])
    for layer, (weights, _) in zip(net, _toy.network(_toy.TEACHER_SIZES, seed, "teacher"), strict=True):
        assert layer["weights"] == pytest.approx(weights.ravel().tolist(), rel=1e-12, abs=1e-13)


TRAINED = """(toy, seed, settings, teacherSteps, studentSteps) => {
    const work = toy.pipeline(seed, settings);
    work.teacher.advance(teacherSteps);
    const flat = (trainer) => trainer.net.flatMap(({ weights, biases }) => [...weights, ...biases]);
    const students = work.meet();
    if (students) for (const student of Object.values(students)) student.advance(studentSteps);
    const both = students && { hard: flat(students.hard), distilled: flat(students.distilled) };
    return { teacher: flat(work.teacher), ...both, accuracies: work.accuracies() };
}"""


def flat(net):
    return np.concatenate([part.ravel() for layer in net for part in layer]).tolist()


@pytest.mark.parametrize("seed", [0, 3])
def test_the_first_steps_of_the_teacher_are_those_of_python(toy, seed):
    # Five of the 400 steps, so that the rate falls alike.
    got = in_toy(toy, TRAINED, seed, {"temperature": 2, "softWeight": 0.9, "transferSize": 40}, 5, 0)
    data = _toy.points(seed, "training", _toy.TEACHER_POINTS)
    net = _toy.network(_toy.TEACHER_SIZES, seed, "teacher")
    steps = _toy.TEACHER_STEPS
    expected, _ = _toy.trained(net, data, steps, _toy.TEACHER_RATE, _toy.TEACHER_BATCH, until=5)
    assert got["teacher"] == pytest.approx(flat(expected), rel=1e-11, abs=1e-12)
    assert "hard" not in got


@pytest.mark.parametrize(
    ("seed", "temperature", "soft_weight", "transfer_size"),
    [(0, 2.0, 0.9, 40), (5, 8.0, 0.5, 10), (99_999, 0.5, 1.0, 200), (7, 4.0, 0.0, 70)],
)
def test_the_finished_networks_are_those_of_python(toy, seed, temperature, soft_weight, transfer_size):
    settings = {"temperature": temperature, "softWeight": soft_weight, "transferSize": transfer_size}
    got = in_toy(toy, TRAINED, seed, settings, 1_000, 1_000)
    expected = _toy.run(seed, temperature, soft_weight, transfer_size)
    for name in ("teacher", "hard", "distilled"):
        assert got[name] == pytest.approx(flat(getattr(expected, name)), rel=1e-5, abs=1e-6)
    assert got["accuracies"] == expected.accuracies


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
