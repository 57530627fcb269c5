import html
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from blobs import C, D, blobs
from scipy import stats

from kdcourse.models import mlp
from kdcourse.stats import Comparison
from kdcourse.train import distill, train
from kdcourse.widgets import _points, live

pytestmark = pytest.mark.slow  # students are trained at every move

SETTINGS = {"control": "temperature", "values": [1, 4, 16], "settings": {"width": 5}, "epochs": 2}
SETTINGS |= {"against": {"soft_weight": 0, "temperature": 1}, "repeats": 3}


def lines(box):
    """What the words beside the picture say, one string per paragraph."""
    return [html.unescape(line) for line in re.findall("<p>(.*?)</p>", box.children[2].value)]


def invented(students):
    """Accuracies that depend on the settings and on the seed, in no simple way."""
    shift = students["soft_weight"] * np.log(students["temperature"]) + students["width"] / 100
    seed = students["init_seed"]
    return 0.5 + 0.02 * shift + 0.01 * np.sin(9.0 * seed) + 0.004 * np.sin(5.0 * seed * (1 + shift))


@pytest.fixture
def sweeps(monkeypatch):
    """Every call of `sweep`, as (students, data, keywords); their accuracies are made up."""
    calls = []

    def sweep(students, data, **keywords):
        calls.append((students, data, keywords))
        return students.assign(validation_accuracy=invented(students))

    monkeypatch.setattr("kdcourse.widgets._students.sweep", sweep)
    return calls


def test_creation_trains_the_first_value_and_its_baseline_in_one_sweep(sweeps):
    box = live(blobs(), **SETTINGS | {"against": {"temperature": 2, "lr": 0.01}})
    [(students, data, keywords)] = sweeps
    assert students["temperature"].tolist() == [1] * 3 + [2] * 3
    assert students["init_seed"].tolist() == [0, 1, 2, 0, 1, 2]
    assert (students["width"] == 5).all()
    assert keywords == {"epochs": 2, "batch_size": 64, "device": "auto", "resume": False, "progress": False}
    assert list(box.results) == [1]
    assert len(data.train) == 300
    assert "against temperature 2, lr 0.01 (" in lines(box)[0]  # it is called by what differs


def test_the_test_split_is_not_looked_at_and_validation_ends_at_5000(sweeps):
    data = replace(blobs(sizes={"train": 10, "validation": 5_003, "test": 1}), test=None)
    live(data, **SETTINGS)
    [(_, seen, _)] = sweeps
    assert seen.validation.inputs.equal(data.validation.inputs[:5_000])
    assert 1 <= len(seen.test) < 20
    assert seen.test.inputs.equal(data.validation.inputs[: len(seen.test)])


def test_the_difference_is_paired_and_in_points(sweeps):
    box = live(blobs(), **SETTINGS, start=4)
    students, *_ = sweeps[0]
    arm, baseline = 100 * invented(students).to_numpy().reshape(2, 3)
    expected = stats.ttest_rel(arm, baseline)
    low, high = expected.confidence_interval(0.95)
    result = box.results[4]
    assert (result.mean, result.low, result.high) == pytest.approx(((arm - baseline).mean(), low, high))
    assert result.n == 3
    start = f"temperature 4: {result.mean:+.2f} points [{low:+.2f}, {high:+.2f}] against labels (3 pairs, "
    assert lines(box)[0].startswith(start)
    assert re.search(rf", \d+\.\d s\): {result.verdict}\.", lines(box)[0])


def test_what_was_trained_is_kept(sweeps):
    box = live(blobs(), **SETTINGS | {"against": {"soft_weight": 0}})
    slider, image, _ = box.children
    pictures = {image.value}
    for value in (16, 1):
        slider.value = value
        pictures.add(image.value)
    # Without soft labels the temperature makes no new baseline; going back trains nothing.
    assert [students["temperature"].tolist() for students, *_ in sweeps] == [[1] * 6, [16] * 3]
    assert list(box.results) == [1, 16]
    assert len(pictures) == 3
    assert all(picture[:8] == b"\x89PNG\r\n\x1a\n" for picture in pictures)
    first, second, advice = lines(box)
    assert first.startswith("temperature 1: ")
    assert second.startswith("temperature 16: ")
    assert "chosen beforehand" in advice


def test_the_baseline_of_a_width_has_that_width_and_trains_with_it(sweeps):
    box = live(blobs(), **SETTINGS | {"control": "width", "values": [8, 3], "settings": {"temperature": 4}})
    box.children[0].value = 3
    for (students, *_), width in zip(sweeps, [8, 3], strict=True):
        assert students["width"].tolist() == [width] * 6
        assert students["temperature"].tolist() == [4] * 3 + [1] * 3
    assert lines(box)[0].startswith("width 3: ")


def test_a_value_that_is_the_baseline_says_so(sweeps):
    given = {"control": "soft_weight", "values": [0.5, 0], "settings": {"width": 5, "temperature": 4}}
    box = live(blobs(), **SETTINGS | given)
    box.children[0].value = 0
    assert len(sweeps) == 1  # soft weight 0 makes the temperature irrelevant
    assert lines(box)[0].endswith("this is the baseline itself.")
    assert box.results[0][:3] == (0, 0, 0)


def test_the_words_say_that_it_trains_while_it_does_and_that_it_was_interrupted(monkeypatch, sweeps):
    box = live(blobs(), **SETTINGS)
    said = []

    def interrupted(*_, **__):
        said.extend(lines(box))
        raise KeyboardInterrupt

    monkeypatch.setattr("kdcourse.widgets._students.sweep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        box.children[0].value = 4
    assert said == ["temperature 4: training …"]
    assert lines(box) == ["temperature 4: interrupted. Move the slider to train again."]


def test_an_error_in_training_is_said_and_the_next_move_works(monkeypatch, sweeps):
    def broken(*_, **__):
        raise RuntimeError("out of <memory>")

    with monkeypatch.context() as patch:
        patch.setattr("kdcourse.widgets._students.sweep", broken)
        box = live(blobs(), **SETTINGS)
    assert lines(box) == ["temperature 1 could not be trained. RuntimeError: out of <memory>"]
    assert "<memory>" not in box.children[2].value
    box.children[0].value = 4
    box.children[0].value = 1
    assert list(box.results) == [4, 1]


def test_students_that_diverge_are_no_result(monkeypatch, sweeps):
    diverge = {"against": {"soft_weight": 0, "temperature": 1, "lr": 0.01}, "settings": {"width": 5, "lr": 1e30}}
    monkeypatch.undo()
    box = live(blobs(), **SETTINGS | diverge)
    assert lines(box)[0].endswith("3 of 6 students diverged: their loss was no longer finite")
    assert box.results == {}


def test_its_accuracies_are_those_of_students_trained_one_by_one():
    data = blobs()
    box = live(data, **SETTINGS | {"settings": {"width": 5, "lr": 0.02}}, start=4, batch_size=50, device="cpu")
    how = {"epochs": 2, "batch_size": 50, "lr": 0.02, "progress": False, "device": "cpu"}
    gains = []
    for seed in range(3):
        soft, hard = mlp([D, 5, C], seed), mlp([D, 5, C], seed)
        distill(soft, data.train.inputs, data.train.teacher_logits, temperature=4, **how)
        train(hard, data.train.inputs, data.train.labels, **how)
        with torch.no_grad():
            right = [student(data.validation.inputs).argmax(1) == data.validation.labels for student in (soft, hard)]
        gains.append(100 * (right[0].double().mean() - right[1].double().mean()).item())
    assert box.results[4].mean == pytest.approx(np.mean(gains), abs=1e-9)


def test_points_stand_at_the_place_of_their_value_and_the_chosen_one_differs():
    fig, ax = _points.axes([1, 4, 16], "temperature", "labels", repeats=3)
    results = {16: Comparison(2.0, 1.0, 3.0, 3, "better"), 1: Comparison(-9.0, -14.0, -4.0, 3, "worse")}
    for chosen in (16, 1):
        _points.draw(ax, [1, 4, 16], results, chosen)
        points = [container.lines[0] for container in ax.containers]
        assert [point.get_xydata().tolist() for point in points] == [[[0, -9]], [[2, 2]]]
        bars = [container.lines[2][0].get_segments()[0].tolist() for container in ax.containers]
        assert bars == [[[0, -14], [0, -4]], [[2, 1], [2, 3]]]
        assert points[0].get_marker() != points[1].get_marker()
        assert points[0].get_color() != points[1].get_color()
    assert ax.get_ylim()[0] < -14 < 3 < ax.get_ylim()[1]


def test_the_slider_trains_on_release_and_has_a_label(sweeps):
    import matplotlib.pyplot as plt

    box = live(blobs(), **SETTINGS, description="T of the loss")
    slider = box.children[0]
    assert (slider.continuous_update, slider.description) == (False, "T of the loss")
    assert lines(box)[0].startswith("T of the loss 1: ")
    assert [label for label, _ in slider.options] == ["1", "4", "16"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"control": "lr"}, "control must be one of 'temperature', 'soft_weight', 'width', got 'lr'"),
        ({"values": [4, 4.0]}, r"values must be one or more, each of them once, got \[4, 4.0\]"),
        ({"values": [0, 1]}, "temperature must be > 0, got 0"),
        ({"settings": [("width", 5)]}, "settings must be a dict, got list"),
        ({"settings": {"width": 5, "temperature": 2}}, "settings must not hold the control temperature, got 2"),
        ({"settings": {"width": [5, 9]}}, "one value for each column"),
        ({"settings": {"width": 5, "init_seed": 3}}, "settings must not hold init_seed, .* got 3"),
        ({"against": {}}, "against must hold at least one column"),
        ({"against": {"soft_weight": 2}}, r"soft_weight must be in \[0, 1\], got 2"),
        ({"start": 2}, "start must be one of 1, 4, 16; got 2"),
        ({"repeats": 1}, "repeats must be an integer >= 2, got 1"),
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"data": []}, "data must be a DataSet, got list"),
    ],
)
def test_bad_arguments_are_refused_before_training(sweeps, wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        live(**{"data": blobs()} | SETTINGS | wrong)
    assert sweeps == []
