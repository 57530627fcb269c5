import struct

import torch
from test_plots import tiny_data_set

from kdcourse.widgets import soft_labels


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
