import base64
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from test_plots import tiny_data_set

from kdcourse import widgets
from kdcourse._javascript import STATIC, bundle
from kdcourse.widgets import soft_labels
from kdcourse.widgets._figure import paragraphs, plain


def shown(explorer):
    """(data, metadata) as a notebook gets them."""
    return explorer._repr_mimebundle_()


def test_dragging_the_temperature_changes_the_probabilities():
    explorer = soft_labels(tiny_data_set(), examples=range(3))
    logits = np.array(explorer.logits)
    for temperature in (1.0, 0.5, 8.0):
        explorer.temperature = temperature
        powers = np.exp(logits / temperature)
        np.testing.assert_allclose(explorer.probabilities, powers / powers.sum(), rtol=1e-12)


def test_choosing_a_picture_takes_the_teachers_logits_and_dragging_changes_them():
    data_set = tiny_data_set()
    explorer = soft_labels(data_set, examples=[4, 1], split="validation")
    assert [one["index"] for one in explorer.pictures] == [4, 1]
    assert [one["label"] for one in explorer.pictures] == [1, 1]
    for place, index in enumerate([4, 1]):
        explorer.picture_number = place
        np.testing.assert_allclose(explorer.logits, data_set.validation.teacher_logits[index], atol=1e-4)
    explorer.logits = [0, 0, 0]
    np.testing.assert_allclose(explorer.probabilities, 1 / 3)
    explorer.picture_number = 0
    np.testing.assert_allclose(explorer.logits, data_set.validation.teacher_logits[4], atol=1e-4)


def test_the_pictures_are_those_of_the_data_black_on_white():
    data_set = tiny_data_set()
    explorer = soft_labels(data_set, examples=[2])
    uri = explorer.pictures[0]["picture"]
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))), float)
    pixels = data_set.test.pixels[2].view(28, 28).double().numpy()
    stretched = 255 * (pixels - pixels.min()) / (pixels.max() - pixels.min())
    np.testing.assert_allclose(found, 255 - stretched, atol=0.51)


def test_a_saved_notebook_has_the_picture_in_words_and_the_state_for_a_page():
    explorer = soft_labels(tiny_data_set(), examples=range(3), temperature=4)
    data, metadata = shown(explorer)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert base64.b64decode(data["image/png"])[:8] == b"\x89PNG\r\n\x1a\n"
    alt = metadata["image/png"]["alt"]
    order = np.argsort(-explorer.probabilities)
    names = [f"{('hat', 'sock', 'glove')[c]} {explorer.probabilities[c]:.2f}" for c in order]
    assert alt == (f"A garment labelled hat. At T = 4.0, the teacher says {names[0]}, then {names[1]}, {names[2]}.")
    assert data["text/plain"] == f"[explorer] {alt}"
    state = json.loads(json.dumps(data["application/vnd.kdcourse.explorer+json"]))
    assert state["explorer"] == "soft_labels"
    assert set(state["state"]) == {"class_names", "pictures", "picture_number", "temperature", "logits"}
    assert state["state"]["temperature"] == 4


def test_the_picture_follows_the_dials():
    explorer = soft_labels(tiny_data_set(), examples=range(3))
    pictures = set()
    for name, value in [("temperature", 1.0), ("temperature", 8.0), ("picture_number", 2), ("logits", [0, 1, 2])]:
        setattr(explorer, name, value)
        pictures.add(shown(explorer)[0]["image/png"])
    assert len(pictures) == 4


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("temperature", 0.4, ValueError, r"temperature must be in \[0.5, 32\], got 0.4"),
        ("temperature", float("nan"), ValueError, r"temperature must be in \[0.5, 32\], got nan"),
        ("temperature", "4", TypeError, "temperature must be a number, got '4'"),
        ("picture_number", 3, ValueError, r"picture_number must be in \[0, 3\), got 3"),
        ("picture_number", -1, ValueError, "picture_number must be an integer >= 0, got -1"),
        ("logits", [1, 2], ValueError, "logits must hold 3 numbers, one for each class, got 2"),
        ("logits", [1, 2, float("inf")], ValueError, "logits must be finite"),
        ("logits", [1, 2, "3"], TypeError, "logits must be a number, got '3'"),
        ("logits", "123", TypeError, "logits must be a number, got '123'"),
        ("logits", 5, TypeError, "logits must be a list of numbers, got 5"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(name, value, error, message):
    explorer = soft_labels(tiny_data_set(), examples=range(3))
    before = explorer.state()
    with pytest.raises(error, match=message):
        setattr(explorer, name, value)
    assert explorer.state() == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "valid"}, "split must be 'train', 'validation' or 'test', got 'valid'"),
        ({"examples": []}, "examples must be one or more indices"),
        ({"examples": [6]}, r"examples must be one or more indices in \[0, 6\), got \[6\]"),
        ({"temperature": 100}, r"temperature must be in \[0.5, 32\], got 100"),
    ],
)
def test_bad_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        soft_labels(tiny_data_set(), **{"examples": [0]} | wrong)


def test_the_widget_leaves_no_open_figure():
    import matplotlib.pyplot as plt

    shown(soft_labels(tiny_data_set(), examples=torch.arange(2).tolist()))
    assert plt.get_fignums() == []


def test_a_bundle_is_one_module_that_imports_nothing_and_exports_what_its_own_file_does():
    for path in sorted(STATIC.glob("*.js")):
        text = bundle(path.stem)
        own = re.findall(r"^export .*", path.read_text(encoding="utf-8"), flags=re.M)
        assert re.findall(r"^export .*", text, flags=re.M) == own
        assert not re.search(r"^import ", text, flags=re.M), path.name


def test_a_module_that_several_import_is_in_a_bundle_once():
    text = bundle("blended_loss")
    for name in ("element", "soften", "slider", "pageModel"):
        assert len(re.findall(rf"^function {name}\(", text, flags=re.M)) == 1


def test_a_bundle_of_what_does_not_exist_names_the_file():
    with pytest.raises(FileNotFoundError, match=r"nothing\.js"):
        bundle("nothing")


def in_a_fresh_process(code):
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def test_a_quiz_does_not_wait_for_torch():
    code = "import sys, kdcourse.quiz.widget; print('torch' in sys.modules, 'anywidget' in sys.modules)"
    assert in_a_fresh_process(code) == ["False", "True"]


def test_every_widget_is_there_when_it_is_asked_for():
    names = ["blended_loss", "distillation_steps", "live", "slices", "soft_labels", "student_size"]
    assert widgets.__all__ == names
    assert set(names) <= set(dir(widgets))
    code = f"""
import sys
import kdcourse.widgets
print(sorted(set({names}) & set(dir(kdcourse.widgets))) == {names}, "matplotlib" in sys.modules)
for _ in range(2):
    from kdcourse.widgets import *
    from kdcourse.widgets import soft_labels
    print(all(callable(globals()[name]) for name in kdcourse.widgets.__all__))
"""
    assert in_a_fresh_process(code) == ["True", "False", "True", "True"]


def test_a_widget_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'kdcourse.widgets' has no attribute 'sliders'"):
        _ = widgets.sliders


def test_words_are_escaped():
    assert paragraphs("a < b & <b>", "second") == "<p>a &lt; b &amp; &lt;b&gt;</p><p>second</p>"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (3e-17, "0"),
        (0.00027777, "0.000278"),
        (0.1, "0.1"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (1234567.4, "1,234,567"),
    ],
)
def test_numbers_are_written_for_people(number, text):
    assert plain(number) == text
