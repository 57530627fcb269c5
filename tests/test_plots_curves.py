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
from kdcourse.plots.base import interval_of, look

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


def by_scipy(values):
    values = np.asarray(values)
    low, high = scipy_stats.t.interval(0.95, len(values) - 1, values.mean(), scipy_stats.sem(values))
    return values.mean(), low, high


def assert_all_said(values, text, digits=3):
    said = numbers(text)
    for value in values:
        assert np.isclose(said, value, rtol=0.6 * 10 ** (1 - digits), atol=1e-9).any(), f"{value} is not in {text}"


# ---- the look of an arm ----


def test_arms_can_be_told_apart_by_marker_and_by_colour():
    assert len({look(k)[0] for k in range(7)}) == len({look(k)[1] for k in range(7)}) == 7
    assert len({look(k) for k in range(49)}) == 49


def test_the_interval_of_too_few_runs_is_an_error_that_names_the_arm():
    assert interval_of([1.0, 2.0, 4.0], "small") == pytest.approx(by_scipy([1.0, 2.0, 4.0]))
    with pytest.raises(ValueError, match=r"small: values must hold at least 2 values .*, got shape \[1\]"):
        interval_of([1.0], "small")
    with pytest.raises(ValueError, match="small: values must be finite, got nan at index 1"):
        interval_of([1.0, np.nan], "small")


# ---- curves ----


@pytest.mark.parametrize("percent", [False, True])
def test_curves_draw_the_mean_and_the_interval_of_every_arm_at_every_place(drawn, percent):
    table = runs()
    curves(table, percent=percent)
    figure, alt = drawn()
    (ax,) = figure.axes
    assert list(bars(ax)) == ARMS
    for arm, points in bars(ax).items():
        for place, (x, *span) in zip(TEMPERATURES, points, strict=True):
            own = table[(table["arm"] == arm) & (table["T"] == place)]["accuracy"]
            expected = by_scipy(own * (100 if percent else 1))
            assert span == pytest.approx(expected)
            assert x == pytest.approx(place, rel=0.1)
            assert_all_said(expected, alt)
    assert_styles_differ(ax)


def test_curves_draw_every_run_in_the_colour_of_its_arm(drawn):
    table = runs(n=3)
    curves(table)
    (ax,) = drawn()[0].axes
    for k, arm in enumerate(ARMS):
        dots = [line for line in ax.lines if line.get_marker() == "." and line.get_color() == look(k)[0]]
        seen = np.concatenate([dot.get_ydata() for dot in dots])
        assert sorted(seen) == sorted(table[table["arm"] == arm]["accuracy"])


def test_at_one_place_no_two_arms_stand_on_each_other_and_places_stay_apart(drawn):
    curves(runs())
    figure, _ = drawn()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    at = np.array([[ax.transData.transform((x, mean))[0] for x, mean, *_ in points] for points in bars(ax).values()])
    assert (np.diff(at, axis=0) > 3).all()  # pixels; in the order of the key
    assert (at[0, 1:] - at[-1, :-1] > 15).all()


def test_the_title_of_curves_is_the_finding_and_so_are_the_first_words(drawn):
    finding = "The best temperature is higher for the larger student, and it is higher where there are fewer pictures"
    curves(runs(), title=finding)
    figure, alt = drawn()
    assert title_of(figure.axes[0]) == finding
    assert alt.startswith(f"{finding}. Means with 95 % intervals, 8 runs each.")
    assert_nothing_is_cut_off(figure)


def test_the_dial_is_logarithmic_with_its_own_values_as_ticks(drawn):
    curves(runs(places=[1_024, 50_000, 4, 0.5]))
    (ax,) = drawn()[0].axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xticks().tolist() == [0.5, 4, 1_024, 50_000]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "4", "1,024", "50,000"]


@pytest.mark.parametrize("factor", [1, 1e3, 1e6])
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


def test_the_axes_of_curves_are_labelled_with_units(drawn):
    curves(runs(), xlabel="temperature", ylabel="accuracy on test", percent=True)
    (ax,) = drawn()[0].axes
    assert ax.get_xlabel().splitlines()[0] == "temperature"
    assert "mean and 95 % interval; each dot is one run" in ax.get_xlabel()
    assert "ringed" not in ax.get_xlabel()
    assert ax.get_ylabel() == "accuracy on test (%)"
    curves(runs())
    (ax,) = drawn()[0].axes
    assert (ax.get_xlabel().splitlines()[0], ax.get_ylabel()) == ("T", "accuracy")


def test_a_reference_is_a_line_with_a_name(drawn):
    curves(runs(), percent=True, reference=("teacher", 0.921))
    figure, alt = drawn()
    (ax,) = figure.axes
    (line,) = [line for line in ax.lines if line.get_label() == "teacher"]
    assert line.get_ydata() == pytest.approx([92.1, 92.1])
    assert "teacher" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert "teacher: 92.1 %" in alt


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


def test_an_arm_may_lack_some_places(drawn):
    table = runs().query("not (arm == @ARMS[0] and T < 4) and not (arm == @ARMS[2] and T == 7)")
    curves(table)
    figure, alt = drawn()
    points = bars(figure.axes[0])
    assert {arm: len(of_arm) for arm, of_arm in points.items()} == dict(zip(ARMS, [4, 6, 5, 6], strict=True))
    assert points[ARMS[0]][0][0] == pytest.approx(4, rel=0.1)
    assert f"{ARMS[0]}, T 4: " in alt
    assert "nan" not in alt


LONELY = runs().drop(runs().query("arm == @ARMS[1] and T == 7").index[1:])


@pytest.mark.parametrize(
    ("table", "marked", "message"),
    [
        (runs(), {"32 units": 2}, "marked must name an arm of the table and one of its T, got '32 units': 2"),
        (runs(), {ARMS[0]: 3}, f"marked must name an arm of the table and one of its T, got '{ARMS[0]}': 3"),
        (LONELY, None, f"{ARMS[1]} at T = 7: values must hold at least 2 values"),
        *((runs(places=[4, place]), None, f"T must be > 0 .*, got {place}") for place in (0, -1, np.nan)),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(table, marked, message):
    with pytest.raises(ValueError, match=message):
        curves(table, marked=marked)
    assert plt.get_fignums() == []  # a half-drawn figure would show up in the notebook


def test_runs_that_differ_in_number_are_counted_from_fewest_to_most(drawn):
    table = runs(n=5)
    curves(table.drop(table.query("arm == @ARMS[1] and T == 7").index[:2]))
    assert "3 to 5 runs each" in drawn()[1]


def test_one_place_and_one_arm_are_a_figure_too(drawn):
    curves(runs(ARMS[:1], places=[4]), percent=True)
    figure, _ = drawn()
    assert len(bars(figure.axes[0])[ARMS[0]]) == 1
    assert_nothing_is_cut_off(figure)
