"""Small multiples of what runs logged: every value is drawn where it belongs, and the words have both ends of all."""

import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off

from kdcourse import plots

MEASURES = ("length", "entropy", "overlap", "reward")


def tables(names):
    return {
        name: pd.DataFrame({"step": [0, 8, 16]} | {m: [10 * k + j, k + 0.5, k - j] for j, m in enumerate(MEASURES)})
        for k, name in enumerate(names)
    }


@pytest.mark.slow
def test_a_dashboard_has_a_row_for_each_measure_and_a_column_for_each_run(drawn):
    runs = tables("ABCDE")
    plots.dashboard(runs, title="Four of five runs have a bug, and four rows are enough to tell which")
    figure, alt = drawn()
    panels = [figure.axes[5 * row : 5 * row + 5] for row in range(4)]
    assert len(figure.axes) == 20
    for measure, row in zip(MEASURES, panels, strict=True):
        assert measure in row[0].get_ylabel()
        assert len({ax.get_ylim() for ax in row}) == 1  # one scale, or no two runs could be compared
        for ax, table in zip(row, runs.values(), strict=True):
            (line,) = ax.lines
            assert line.get_xdata().tolist() == [0, 8, 16]
            assert line.get_ydata().tolist() == table[measure].tolist()
    assert [ax.get_title() for ax in panels[0]] == list("ABCDE")
    looks = {(ax.lines[0].get_color(), ax.lines[0].get_marker()) for ax in panels[0]}
    assert len(looks) == 5
    assert "E, step 0 to 16: length (tokens) 40 to 4, entropy (nats) 41 to 3, overlap (share) 42 to 2, reward" in alt
    assert figure.get_figwidth() <= 6  # on a phone of 360 px a wider one shrinks its words below reading
    assert_nothing_is_cut_off(figure)


@pytest.mark.slow
def test_long_names_of_runs_do_not_touch_each_other(drawn):
    plots.dashboard(tables(["healthy", "end-of-sequence mismatch", "no warm start", "pad = end"]), title="Named")
    figure, _ = drawn()
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in figure.axes[:4]]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert_nothing_is_cut_off(figure)


def test_other_measures_can_be_drawn(drawn):
    plots.dashboard(
        {"A": pd.DataFrame({"epoch": [1], "loss": [0.25]})}, title="One", measures={"loss": "loss"}, x="epoch"
    )
    figure, alt = drawn()
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([0.25])
    assert "A, epoch 1 to 1: loss 0.25 to 0.25" in alt
