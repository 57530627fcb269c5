"""The explorers from Python: how they are found and bundled, what they store, and what they refuse."""

import base64
import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from explorer_page import stored
from PIL import Image
from tiny import tiny_data_set
from traitlets import TraitError

from kdcourse import widgets
from kdcourse._javascript import STATIC, bundle
from kdcourse.data import Split
from kdcourse.widgets import blended_loss, distillation_steps, soft_labels, student_size
from kdcourse.widgets._explorer import MIME, explorers

STUDENT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 2.0, -1.0]] * 2)
NEEDED = "application/vnd.jupyter.widget-view+json"


def garments(**options):
    return soft_labels(tiny_data_set(), **{"examples": range(3)} | options)


def loss(**options):
    return blended_loss(**{"data_set": tiny_data_set(), "student_logits": STUDENT, "examples": range(6)} | options)


# ---- found by themselves ----


@pytest.mark.parametrize(
    "code",
    [  # the first puts a module where the function is expected
        "import kdcourse.widgets.distillation_steps; from kdcourse.widgets import distillation_steps as made",
        "import kdcourse.quiz.widget; from anywidget import AnyWidget as made",
    ],
)
def test_what_needs_no_torch_does_not_wait_for_it(code):
    code += "; import sys; print(callable(made), 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["True", "False"]


def test_every_widget_is_found_and_there_when_it_is_asked_for():
    assert {path.stem for path in (STATIC.parent / "widgets").glob("[a-z]*.py")} == {*widgets.__all__}
    assert {*widgets.__all__} <= {*dir(widgets)}
    assert [name for name in widgets.__all__ if not callable(getattr(widgets, name))] == []
    with pytest.raises(AttributeError, match="'kdcourse.widgets' has no attribute 'sliders'"):
        _ = widgets.sliders


def test_an_explorer_says_what_it_is_for():
    for name, kind in explorers().items():
        assert kind.module == name
        assert kind.title
        assert "?" in kind.question
        assert (STATIC.parent.parent / "notebooks" / f"{kind.lesson}.ipynb").exists()
        assert {*kind.opening, *kind.pictured} <= set(kind.class_trait_names(sync=True))


def test_a_bundle_is_one_module_that_imports_nothing_and_exports_what_its_own_file_does():
    for path in sorted(STATIC.glob("*.js")):
        text = bundle(path.stem)
        own = re.findall(r"^export .*", path.read_text(encoding="utf-8"), flags=re.M)
        assert re.findall(r"^export .*", text, flags=re.M) == own
        assert not re.search(r"^import ", text, flags=re.M), path.name
        top = re.findall(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", text, flags=re.M)
        assert len(top) == len(set(top)), path.name  # each module once, and no two names alike
    with pytest.raises(FileNotFoundError, match=r"nothing\.js"):
        bundle("nothing")


# ---- what is stored ----


@pytest.mark.parametrize("make", [garments, loss, distillation_steps, student_size])
def test_a_notebook_stores_the_state_for_a_page(make):
    explorer = make()
    data, _ = explorer._repr_mimebundle_()
    assert data[NEEDED]["model_id"] == explorer.model_id
    assert data["text/plain"].startswith(f"[explorer] {explorer.title}.")
    stored = json.loads(json.dumps(data[MIME]))
    assert stored == {"explorer": explorer.module, "state": json.loads(json.dumps(explorer.state()))}
    known = {name for name in explorer.trait_names(sync=True) if name[0] != "_"}
    assert set(stored["state"]) == known - {"layout", "tabbable", "tooltip"}


@pytest.mark.parametrize("name", explorers())
def test_an_explorer_can_be_made_again_from_what_its_lesson_has_stored(name):
    kind, state = explorers()[name], stored()[name]
    again = kind(**{key: value for key, value in state.items() if not kind.class_traits()[key].read_only})
    assert again.state() == state


def test_the_pictures_are_those_of_the_data_black_on_white():
    data_set = tiny_data_set()
    uri = garments(examples=[2]).pictures[0]["picture"]
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))), float)
    pixels = data_set.test.pixels[2].view(28, 28).double().numpy()
    stretched = 255 * (pixels - pixels.min()) / (pixels.max() - pixels.min())
    np.testing.assert_allclose(found, 255 - stretched, atol=0.51)


# ---- read and set from Python ----


def test_soft_labels_follow_temperature_and_picture():
    data_set = tiny_data_set()
    explorer = soft_labels(data_set, examples=[4, 1], split="validation", temperature=4)
    assert [(one["index"], one["label"]) for one in explorer.pictures] == [(4, 1), (1, 1)]
    for place, temperature in [(0, 4.0), (1, 0.5)]:
        explorer.picture_number, explorer.temperature = place, temperature
        logits = data_set.validation.teacher_logits[[4, 1][place]].double().numpy()
        np.testing.assert_allclose(explorer.logits, logits, atol=1e-4)
        powers = np.exp(np.array(explorer.logits) / temperature)
        np.testing.assert_allclose(explorer.probabilities, powers / powers.sum(), rtol=1e-12)
    explorer.logits = [0, 0, 0]
    np.testing.assert_allclose(explorer.probabilities, 1 / 3)


@pytest.mark.parametrize("squared", [True, False])
def test_the_terms_of_the_blended_loss_are_those_of_torch(squared):
    data_set, explorer = tiny_data_set(), loss(examples=[3, 1])
    explorer.logits = [9, 9, 9]
    explorer.example_number, explorer.temperature, explorer.soft_weight, explorer.squared = 1, 4.0, 0.25, squared
    assert explorer.logits == STUDENT[1].tolist()
    p, log_q = (data_set.validation.teacher_logits[1] / 4).softmax(0), (STUDENT[1] / 4).log_softmax(0)
    soft = (16 if squared else 1) * torch.nn.functional.kl_div(log_q, p, reduction="sum").item()
    hard = -STUDENT[1].log_softmax(0)[1].item()
    assert explorer.terms == pytest.approx([0.25 * soft + 0.75 * hard, soft, hard], rel=1e-3)


def test_every_value_of_the_steps_can_be_set_and_only_the_browser_sets_results():
    explorer = distillation_steps(3, temperature=4, soft_weight=0.5, transfer_size=20)
    values = {"seed": 8, "temperature": 1.5, "soft_weight": 1.0, "transfer_size": 30, "point": 29}
    values |= {"speed": 2.0, "stage": 7, "playing": True}
    for name, value in values.items():
        setattr(explorer, name, value)
    assert explorer.state().items() >= values.items()
    for name in ("accuracies", "differences", "difference_seeds"):
        with pytest.raises(TraitError, match="read-only"):
            setattr(explorer, name, getattr(explorer, name))


def test_another_setting_empties_what_was_measured_and_another_seed_keeps_the_differences():
    accuracies = {"teacher": 0.9, "hard": 0.8, "distilled": 0.85}
    for name, value in [("temperature", 8.0), ("soft_weight", 0.2), ("transfer_size", 80), ("seed", 9)]:
        explorer = distillation_steps(4)
        explorer.set_state({"accuracies": accuracies, "differences": [5.0, 2.0], "difference_seeds": [4, 5]})
        setattr(explorer, name, getattr(explorer, name))
        assert (explorer.accuracies, explorer.difference_seeds) == (accuracies, [4, 5])
        setattr(explorer, name, value)
        kept = ([5.0, 2.0], [4, 5]) if name == "seed" else ([], [])
        assert (explorer.accuracies, explorer.differences, explorer.difference_seeds) == ({}, *kept)
        # What the browser measures with new settings arrives together with them.
        explorer.set_state({"temperature": 16.0, "differences": [1.0], "difference_seeds": [4]})
        assert (explorer.temperature, explorer.differences, explorer.difference_seeds) == (16.0, [1.0], [4])


def test_a_smaller_transfer_set_keeps_the_point_inside():
    explorer = distillation_steps()
    explorer.point = 39
    explorer.transfer_size = 10
    assert explorer.point == 9
    explorer.set_state({"transfer_size": 20, "point": 15})
    assert (explorer.transfer_size, explorer.point) == (20, 15)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("make", "name", "value", "error", "message"),
    [
        (garments, "temperature", math.nan, ValueError, r"temperature must be in \[0.5, 32\], got nan"),
        (garments, "picture_number", 3, ValueError, r"picture_number must be in \[0, 3\), got 3"),
        (garments, "logits", [1, 2], ValueError, "logits must hold 3 numbers, one for each class, got 2"),
        (garments, "logits", [1, 2, math.inf], ValueError, "logits must be finite"),
        (garments, "logits", 5, TypeError, "logits must be a list of numbers, got 5"),
        (loss, "squared", 1, TypeError, "squared must be True or False, got 1"),
        (distillation_steps, "seed", 100_000, ValueError, r"seed must be in \[0, 99999\], got 100000"),
        (distillation_steps, "transfer_size", 9, ValueError, "transfer_size must be an integer >= 10, got 9"),
        (distillation_steps, "point", 40, ValueError, r"point must be in \[0, 40\), got 40"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused_by_name_and_changes_nothing(make, name, value, error, message):
    explorer = make()
    before = explorer.state()
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert explorer.state() == before


@pytest.mark.parametrize(
    ("make", "wrong", "message"),
    [
        (garments, {"split": "valid"}, "split must be one of 'train', 'validation', 'test', got 'valid'"),
        (garments, {"examples": [6]}, r"examples must be one or more indices in \[0, 6\), got \[6\]"),
        (garments, {"examples": [-1]}, "examples must be an integer >= 0, got -1"),
        (loss, {"student_logits": STUDENT[:5]}, r"student_logits must be \[6, 3\], .* got shape \[5, 3\]"),
        (loss, {"student_logits": STUDENT / 0}, "student_logits must be finite"),
        (loss, {"soft_weight": 1.5}, r"soft_weight must be in \[0, 1\], got 1.5"),
        (distillation_steps, {"transfer_size": 201}, r"transfer_size must be in \[10, 200\], got 201"),
        (
            loss,
            {"data_set": replace(tiny_data_set(), validation=Split(torch.tensor([0]), inputs=torch.zeros(1, 4)))},
            "data_set.validation must hold the teacher's logits, got None",
        ),
    ],
)
def test_bad_arguments_are_refused(make, wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**wrong)
