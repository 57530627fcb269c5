"""The figure of ratios of speed: every model at its ratio, faster on the right, hollow where the interval spans 1."""

import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off, title_of

from kdcourse import plots

ROWS = {"MLP, int8": (2.0, 1.8, 2.3), "CNN, int8": (0.04, 0.03, 0.05), "MLP, zeros": (1.01, 0.95, 1.1)}
TABLE = pd.DataFrame.from_dict(ROWS, orient="index", columns=["faster", "faster_low", "faster_high"])


def test_every_model_stands_at_its_ratio_and_is_hollow_where_it_may_be_none(drawn):
    plots.speeds(TABLE, title="int8 makes one faster and one slower", xlabel="times as fast as float32")
    figure, alt = drawn()
    (ax,) = figure.axes
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in marks] == [row[0] for row in ROWS.values()]
    assert [line.get_ydata()[0] for line in marks] == [0, 1, 2]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first is at the top
    assert [line.get_markerfacecolor() for line in marks] == ["black", "black", "white"]
    assert title_of(ax) == "int8 makes one faster and one slower"
    assert "CNN, int8: 0.04 [0.03, 0.05]" in alt
    assert_nothing_is_cut_off(figure)


def test_a_ratio_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="faster_low must be > 0 on a logarithmic axis, got -1"):
        plots.speeds(TABLE.assign(faster_low=-1), title="", xlabel="")
