"""Curves along a dial, against means and intervals by scipy; and their words say all that is drawn."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off, assert_styles_differ, bars, numbers, title_of
from scipy import stats as scipy_stats

from kdcourse import plots
from kdcourse.plots.base import look

TEMPERATURES = [1, 2, 4, 7, 10, 20]
ARMS = ["32 units, 500 pictures", "256 units, 500 pictures", "32 units, 5,000 pictures", "256 units, 5,000 pictures"]


def runs(arms=ARMS, places=TEMPERATURES, n=8, seed=0):
    """A table of accuracies as a sweep over temperatures gives them: 4 arms, 6 temperatures, 8 runs each."""
    random = np.random.default_rng(seed)
    rows = [
        {"T": place, "arm": arm, "accuracy": 0.75 + 0.03 * a - 0.002 * k + random.normal(0, 0.006)}
        for (a, arm), (k, place), _ in itertools.product(enumerate(arms), enumerate(places), range(n))
    ]
    return pd.DataFrame(rows)


def curves(table, **options):
    plots.curves(table, **{"x": "T", "y": "accuracy", "hue": "arm", "title": "Hot is better"} | options)


def test_arms_can_be_told_apart_by_marker_and_by_colour():
    assert len({look(k)[0] for k in range(7)}) == len({look(k)[1] for k in range(7)}) == 7
    assert len({look(k) for k in range(49)}) == 49


@pytest.mark.parametrize("percent", [False, True])
def test_curves_draw_and_say_every_run_and_the_mean_and_interval_of_every_arm_at_every_place(drawn, percent):
    table, scale = runs(n=3), 100 if percent else 1
    finding = "The best temperature is higher for the larger student, and it is higher where there are fewer pictures"
    curves(table, percent=percent, title=finding, ylabel="accuracy on test", reference=("teacher", 0.921))
    figure, alt = drawn()
    (ax,) = figure.axes
    assert list(bars(ax)) == ARMS
    for k, (arm, points) in enumerate(bars(ax).items()):
        own = table[table["arm"] == arm]
        dots = [line for line in ax.lines if line.get_marker() == "." and line.get_color() == look(k)[0]]
        assert sorted(np.concatenate([dot.get_ydata() for dot in dots])) == sorted(scale * own["accuracy"])
        for place, (x, *span) in zip(TEMPERATURES, points, strict=True):
            values = scale * own[own["T"] == place]["accuracy"]
            mean, error = values.mean(), scipy_stats.sem(values)
            assert span == pytest.approx([mean, *scipy_stats.t.interval(0.95, len(values) - 1, mean, error)])
            assert x == pytest.approx(place, rel=0.1)
            for value in span:
                assert np.isclose(numbers(alt), value, rtol=0.006, atol=1e-9).any(), f"{value} is not in {alt}"
    assert_styles_differ(ax)
    assert_nothing_is_cut_off(figure)
    assert title_of(ax) == finding
    assert alt.startswith(f"{finding}. Means with 95 % intervals, 3 runs each.")
    assert ax.get_xlabel() == "T\nmean and 95 % interval; each small dot is one run"
    assert ax.get_ylabel() == "accuracy on test" + percent * " (%)"
    (line,) = [line for line in ax.lines if line.get_label() == "teacher"]
    assert line.get_ydata() == pytest.approx([scale * 0.921] * 2)
    assert "teacher" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert ("teacher: 92.1 %" if percent else "teacher: 0.921") in alt


def test_at_one_place_no_two_arms_stand_on_each_other_and_places_stay_apart(drawn):
    curves(runs())
    figure, _ = drawn()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    at = np.array([[ax.transData.transform((x, mean))[0] for x, mean, *_ in points] for points in bars(ax).values()])
    assert (np.diff(at, axis=0) > 3).all()  # pixels; in the order of the key
    assert (at[0, 1:] - at[-1, :-1] > 15).all()


def test_the_dial_is_logarithmic_with_its_own_values_as_ticks(drawn):
    curves(runs(places=[1_024, 50_000, 4, 0.5]))
    (ax,) = drawn()[0].axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xticks().tolist() == [0.5, 4, 1_024, 50_000]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "4", "1,024", "50,000"]


@pytest.mark.parametrize("factor", [1, 1e6])
def test_a_logarithmic_y_axis_has_plain_numbers_and_several_of_them(drawn, factor):
    table = runs(ARMS[:1])
    curves(table.assign(accuracy=table["accuracy"] * factor ** (table["T"] / 20)), log_y=True)
    figure, _ = drawn()
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    figure.draw_without_rendering()
    low, high = ax.get_ylim()
    shown = [tick.label1.get_text() for tick in ax.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert len(shown) >= 3
    assert all(re.fullmatch(r"[\d,]+(\.\d+)?", text) for text in shown), shown


def test_what_is_marked_is_ringed_and_said(drawn):
    curves(runs(), marked={ARMS[0]: 2, ARMS[3]: 10})
    figure, alt = drawn()
    (ax,) = figure.axes
    rings = {line.get_color(): line.get_xydata()[0] for line in ax.lines if line.get_fillstyle() == "none"}
    expected = {look(k)[0]: bars(ax)[ARMS[k]][TEMPERATURES.index(place)][:2] for k, place in [(0, 2), (3, 10)]}
    assert rings.keys() == expected.keys()
    for colour, ring in rings.items():
        assert ring == pytest.approx(expected[colour])
    assert f"chosen on validation for {ARMS[0]}: 2; chosen on validation for {ARMS[3]}: 10" in alt
    assert "ringed: chosen on validation" in ax.get_xlabel()


def test_an_arm_may_lack_some_places_and_some_runs(drawn):
    table = runs(n=5).query("not (arm == @ARMS[0] and T < 4) and not (arm == @ARMS[2] and T == 7)")
    curves(table.drop(table.query("arm == @ARMS[1] and T == 7").index[:2]))
    figure, alt = drawn()
    points = bars(figure.axes[0])
    assert {arm: len(of_arm) for arm, of_arm in points.items()} == dict(zip(ARMS, [4, 6, 5, 6], strict=True))
    assert points[ARMS[0]][0][0] == pytest.approx(4, rel=0.1)
    assert f"{ARMS[0]}, T 4: " in alt
    assert "3 to 5 runs each" in alt


LONELY = runs().drop(runs().query("arm == @ARMS[1] and T == 7").index[1:])


@pytest.mark.parametrize(
    ("table", "marked", "message"),
    [
        (runs(), {ARMS[0]: 3}, f"marked must name an arm of the table and one of its T, got '{ARMS[0]}': 3"),
        (LONELY, None, f"{ARMS[1]} at T = 7: values must hold at least 2 values"),
        *((runs(places=[4, place]), None, f"T must be > 0 .*, got {place}") for place in (0, np.nan)),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(table, marked, message):
    with pytest.raises(ValueError, match=message):
        curves(table, marked=marked)
    assert plt.get_fignums() == []  # a half-drawn figure would show up in the notebook
