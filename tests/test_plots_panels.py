"""Panels of a dial, and the pulls on every logit: what is drawn, against means by hand; and the words say all of it."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest
import torch
from figures import assert_nothing_is_cut_off, bars

from kdcourse import plots
from kdcourse.data import DataSet, Split

T = [1.0, 4.0, math.inf]


def runs():
    random = np.random.default_rng(0)
    cases = [(n, units, t) for n in (500, 5_000) for units in (32, 256) for t in T for _ in range(4)]
    table = pd.DataFrame(cases, columns=["n", "units", "T"])
    return table.assign(gain=random.normal(size=len(table)))


OPTIONS = {"x": "T", "y": "gain", "hue": "units", "panel": "n", "title": "Hot or not"}


def test_every_panel_has_every_arm_with_its_mean_at_every_place_and_infinity_is_one(drawn):
    table = runs()
    plots.panels(table, **OPTIONS, hue_name="{} units", panel_name="{:,} pictures", marked={(500, 32): math.inf})
    figure, alt = drawn()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["500 pictures", "5,000 pictures"]
    for ax, n in zip(figure.axes, (500, 5_000), strict=True):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "4", "∞"]
        for units in (32, 256):
            for (_, mean, low, high), t in zip(bars(ax)[f"{units} units"], T, strict=True):
                values = table[(table["n"] == n) & (table["units"] == units) & (table["T"] == t)]["gain"].tolist()
                half = 3.1824463 * statistics.stdev(values) / 2  # Student's t with 3 degrees of freedom
                wanted = statistics.fmean(values)
                assert (mean, low, high) == pytest.approx((wanted, wanted - half, wanted + half))
    assert "500 pictures, 32 units, T 1: " in alt
    assert "∞: " in alt
    assert alt.count("chosen on validation: ∞") == 1
    assert_nothing_is_cut_off(figure)


def test_a_single_run_is_refused_by_name():
    with pytest.raises(ValueError, match="500, 32 at T = 1"):
        plots.panels(runs().iloc[:1], **OPTIONS)


def test_pulls_draw_and_say_every_class_at_every_temperature(drawn):
    split = Split(torch.tensor([1]), torch.zeros(1, 3), inputs=torch.zeros(1, 4))
    data = DataSet("tiny", split, split, split, class_names=("hat", "sock", "shoe"))
    pulls = {1: [0.5, -0.75, 0.25], 10: [-1.0, 0.5, 0.5]}
    plots.pulls(data, 0, pulls, title="It turns", marked=0)
    figure, alt = drawn()
    _, *panels = figure.axes
    for ax, (temperature, values) in zip(panels, pulls.items(), strict=True):
        assert ax.get_title() == f"T = {temperature}"
        assert [bar.get_width() for bar in ax.patches] == values
        marked, *others = [bar.get_facecolor() for bar in ax.patches]
        assert marked not in others
    assert alt == (
        "It turns. A sock. T = 1: hat +0.50, sock −0.75, shoe +0.25. T = 10: hat −1.00, sock +0.50, shoe +0.50."
    )
    assert_nothing_is_cut_off(figure)
