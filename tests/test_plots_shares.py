"""Bars that are shared out: their heights, where they stand, and what they say."""

import pandas as pd
import pytest

from kdcourse import plots

FOUND = pd.DataFrame({"flag": [0.25, 1.0], "watch": [0.625, 0.0], "other": [0.125, 0.0]}, index=[50, 400])
WORDS = {"title": "More settle it", "xlabel": "examples", "ylabel": "audits"}


def test_each_bar_stands_on_the_one_before_and_all_add_up(drawn):
    plots.shares(FOUND, **WORDS)
    fig, alt = drawn()
    (ax,) = fig.axes
    boxes = [patch.get_bbox().intervaly.tolist() for patch in ax.patches]
    assert boxes == [[0, 25], [0, 100], [25, 87.5], [100, 100], [87.5, 100], [100, 100]]
    assert [text.get_text() for text in ax.texts] == ["25 %", "100 %", "62 %", "12 %"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["other", "watch", "flag"]
    assert "50: flag 25 %, watch 62 %, other 12 %; 400: flag 100 %" in alt


def test_rows_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="rows that sum to 1, got 1.25 in 50"):
        plots.shares(FOUND.assign(flag=[0.5, 1.0]), **WORDS)
