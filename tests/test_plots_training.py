"""Curves over epochs, pairs as slopes, and pictures that were picked: what is drawn and said is what was handed in."""

import numpy as np
import pytest
import torch
from figures import assert_nothing_is_cut_off, numbers, title_of

from kdcourse import plots
from kdcourse.data import DataSet, Split
from kdcourse.plots.base import ARMS, look

SOFT, HARD = (look(ARMS[arm])[0] for arm in ("soft labels", "labels"))


def test_a_learning_curve_draws_every_epoch_in_the_arm_s_colour_and_names_it_at_its_end(drawn):
    values = {"soft labels": [0.5, 0.7, 0.8], "labels": [0.6, 0.7, 0.799], "third": [0.2, 0.3, 0.8]}
    plots.learning(values, title="Soft labels end higher", ylabel="accuracy", percent=True)
    figure, alt = drawn()
    (ax,) = figure.axes
    lines = {line.get_color(): line for line in ax.lines}
    assert lines[SOFT].get_ydata() == pytest.approx([50, 70, 80])
    assert lines[HARD].get_xdata().tolist() == [1, 2, 3]
    names = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert set(names) == set(values)
    assert min(np.diff(sorted(names.values()))) > 2  # none is written over another, though the lines meet
    assert set(numbers(alt)) >= {50, 80, 60, 79.9, 20}
    assert title_of(ax) == "Soft labels end higher"
    assert_nothing_is_cut_off(figure)


def test_slopes_draw_one_line_for_each_pair(drawn):
    plots.slopes([0.7, 0.8, 0.9], [0.71, 0.79, 0.95], names=("labels", "soft labels"), title="Two rise", ylabel="right")
    figure, alt = drawn()
    (ax,) = figure.axes
    pairs = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "-"]
    assert np.array(pairs) == pytest.approx(np.array([[70, 71], [80, 79], [90, 95]]))
    points = {line.get_color(): sorted(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 3}
    assert points == {HARD: pytest.approx([70, 80, 90]), SOFT: pytest.approx([71, 79, 95])}
    assert "2 rise" in alt
    assert_nothing_is_cut_off(figure)


def test_picks_frame_what_is_of_the_wanted_class_and_name_what_is_not(drawn):
    split = Split(torch.tensor([1, 0, 1, 2]), torch.zeros(4, 3), inputs=torch.arange(16.0).reshape(4, 4))
    data_set = DataSet("tiny", split, split, split, class_names=("hat", "sock", "glove"))
    plots.picks(data_set, {"soft labels": [0, 2], "labels": [1, 2]}, "sock", title="Soft labels find socks")
    figure, alt = drawn()
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "", "hat", ""]
    assert [ax.images[0].get_array().ravel().tolist() for ax in figure.axes] == [
        split.inputs[k].tolist() for k in (0, 2, 1, 2)
    ]
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["soft labels: 2 of 2", "labels: 1 of 2"]
    assert "soft labels: sock, sock; labels: hat, sock" in alt
    with pytest.raises(ValueError, match="class_name must be one of hat, sock, glove; got 'shoe'"):
        plots.picks(data_set, {"labels": [0]}, "shoe", title="")
