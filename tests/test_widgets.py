import struct
import subprocess
import sys

import pytest
import torch
from test_plots import tiny_data_set

from kdcourse import widgets
from kdcourse.widgets import soft_labels
from kdcourse.widgets._figure import paragraphs, plain


def test_dragging_the_temperature_redraws_the_picture():
    picture, temperature, image = soft_labels(tiny_data_set(), examples=range(3)).children
    before = image.value
    assert before[:8] == b"\x89PNG\r\n\x1a\n"
    temperature.value = 8.0
    assert image.value != before
    temperature.value = 1.0
    assert image.value == before


def test_choosing_another_picture_redraws_it():
    picture, _, image = soft_labels(tiny_data_set(), examples=range(3)).children
    before, size = image.value, struct.unpack(">II", image.value[16:24])
    picture.value = 2
    assert image.value != before
    assert struct.unpack(">II", image.value[16:24]) == size


def test_only_the_examples_that_were_asked_for_can_be_chosen():
    data_set = tiny_data_set()
    picture, _, _ = soft_labels(data_set, examples=[4, 1], split="validation").children
    assert [index for _, index in picture.options] == [4, 1]
    assert picture.options[0][0] == f"4: {data_set.class_names[int(data_set.validation.labels[4])]}"


def test_the_widget_leaves_no_open_figure():
    import matplotlib.pyplot as plt

    soft_labels(tiny_data_set(), examples=torch.arange(2).tolist())
    assert plt.get_fignums() == []


def in_a_fresh_process(code):
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def test_a_quiz_does_not_wait_for_torch():
    code = "import sys, kdcourse.widgets.quiz; print('torch' in sys.modules, 'anywidget' in sys.modules)"
    assert in_a_fresh_process(code) == ["False", "True"]


def test_every_widget_is_there_when_it_is_asked_for():
    names = ["blended_loss", "live", "soft_labels", "student_size"]
    assert widgets.__all__ == names
    assert set(names) <= set(dir(widgets))
    code = f"""
import sys
import kdcourse.widgets
print(sorted(set({names}) & set(dir(kdcourse.widgets))) == {names}, "matplotlib" in sys.modules)
for _ in range(2):
    from kdcourse.widgets import *
    from kdcourse.widgets import soft_labels
    print(all(callable(widget) for widget in (blended_loss, live, soft_labels, student_size)))
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
