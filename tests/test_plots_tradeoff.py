"""One result against another: every model at its place, with its interval, and a name that covers nothing."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off, assert_styles_differ, bars, numbers, title_of

from kdcourse import plots

SIZES = [2, 5, 10, 20, 50, 100, 200]


def models(arms=("soft labels", "labels")):
    rows = []
    for (a, arm), ratio in itertools.product(enumerate(arms), SIZES):
        accuracy = 0.91 - 0.015 * a - 0.01 * np.log2(ratio)
        row = {"parameters": 463_000 / ratio, "accuracy": accuracy, "low": accuracy - 0.003, "high": accuracy + 0.004}
        rows.append(row | {"name": f"{ratio}×", "arm": arm})
    return pd.DataFrame(rows)


def tradeoff(table, **options):
    columns = {"x": "parameters", "y": "accuracy", "low": "low", "high": "high", "label": "name"}
    looks = {"title": "Small ones gain most", "xlabel": "parameters", "ylabel": "accuracy on test", "percent": True}
    plots.tradeoff(table, **columns | looks | options)


def apart_from_each_other(ax):
    """The boxes of the names, none of which covers another."""
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    return boxes


def test_tradeoff_draws_every_model_at_its_cost_with_its_interval_and_says_it(drawn):
    table = models()
    tradeoff(table, group="arm")
    figure, alt = drawn()
    (ax,) = figure.axes
    assert list(bars(ax)) == ["soft labels", "labels"]
    for arm, points in bars(ax).items():
        own = table[table["arm"] == arm]
        expected = own[["parameters", "accuracy", "low", "high"]].to_numpy() * [1, 100, 100, 100]
        assert np.array(points) == pytest.approx(expected)
        for name, row in zip(own["name"], expected, strict=True):
            words = alt.split(f"{name}, arm {arm}: ")[1].split(";")[0].replace("%", "")
            assert numbers(words) == pytest.approx(row, rel=0.006)
    assert_styles_differ(ax)
    assert title_of(ax) == "Small ones gain most"
    assert alt.startswith("Small ones gain most. Against parameters, with 95 % intervals: ")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("parameters", "accuracy on test (%)")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["soft labels", "labels"]
    assert ax.get_legend().get_title().get_text() == "arm"


def test_every_name_is_written_once_beside_a_point_and_over_nothing_else(drawn):
    tradeoff(models(), group="arm", reference=("teacher", 0.921))
    figure, _ = drawn()
    (ax,) = figure.axes
    assert sorted(text.get_text() for text in ax.texts) == sorted(f"{ratio}×" for ratio in SIZES)
    boxes = apart_from_each_other(ax)
    assert all(ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1 for box in boxes)
    for points in bars(ax).values():
        for x, mean, *_ in points:
            at = ax.transData.transform((x, mean))
            assert not any(box.contains(*at) for box in boxes)
    for text in ax.texts:
        box, at = text.get_window_extent(), ax.transData.transform(text.xy)
        assert np.hypot(*(at - np.clip(at, box.p0, box.p1))) < 30  # pixels
    assert_nothing_is_cut_off(figure)


def test_names_of_models_that_stand_close_together_do_not_cover_each_other(drawn):
    costs = {"student, int8": 3.1, "student, int8, half pruned": 3.4, "student": 3.9, "student, half pruned": 4.0}
    costs |= {"teacher with a long name": 120, "teacher, int8": 100}
    table = pd.DataFrame({"name": list(costs), "parameters": list(costs.values())})
    table["accuracy"] = [0.868, 0.8685, 0.868, 0.8655, 0.921, 0.919]
    tradeoff(table.assign(low=table["accuracy"] - 0.004, high=table["accuracy"] + 0.004))
    figure, _ = drawn()
    (ax,) = figure.axes
    assert len(apart_from_each_other(ax)) == 6
    assert_nothing_is_cut_off(figure)


def test_where_there_is_no_room_at_all_the_names_are_still_written(drawn):
    table = pd.concat([models(["soft labels"]).iloc[:1].assign(name=f"model {k}") for k in range(20)])
    tradeoff(table)
    assert len(drawn()[0].axes[0].texts) == 20


@pytest.mark.parametrize("log_y", [False, True])
def test_costs_are_on_a_logarithmic_axis_in_plain_numbers(drawn, log_y):
    tradeoff(models(), group="arm", log_y=log_y)
    figure, _ = drawn()
    (ax,) = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log" if log_y else "linear")
    figure.draw_without_rendering()
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        shown = [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        assert len(shown) >= 3
        assert all(re.fullmatch(r"[\d,]+(\.\d+)?", text) for text in shown), shown


def test_without_percent_a_tradeoff_shows_the_values_themselves_and_without_groups_no_point_moves(drawn):
    table = models(["alone"]).assign(accuracy=lambda rows: rows["parameters"] / 1e5, low=0.01, high=5.0)
    tradeoff(table, percent=False, ylabel="milliseconds per request", apart=0.5)
    figure, alt = drawn()
    (ax,) = figure.axes
    assert ax.get_ylabel() == "milliseconds per request"
    ((points,),) = [bars(ax).values()]
    assert np.array(points)[:, :2] == pytest.approx(table[["parameters", "accuracy"]].to_numpy())
    assert "200×: 2,320, 0.0232 [0.01, 5]" in alt
    assert "2×: 232,000, 2.31 [0.01, 5]" in alt  # and not 2.32e+05
    assert ax.get_legend() is None


def test_groups_of_one_cost_stand_apart_and_the_words_keep_the_true_cost(drawn):
    """1.21 between two groups is 1.1 to either side; a model without a twin stands where it is."""
    table = models()
    teacher = table.iloc[[0]].assign(arm="teacher", name="teacher", parameters=463_000)
    tradeoff(pd.concat([table, teacher]), group="arm", apart=0.21, reference=("95 % of the teacher", 0.875))
    figure, alt = drawn()
    (ax,) = figure.axes
    drawn_at = {arm: [x for x, *_ in points] for arm, points in bars(ax).items()}
    true = [463_000 / ratio for ratio in SIZES]
    assert drawn_at["soft labels"] == pytest.approx([x / 1.1 for x in true])
    assert drawn_at["labels"] == pytest.approx([x * 1.1 for x in true])
    assert drawn_at["teacher"] == [463_000]
    assert "2×, arm soft labels: 232,000, " in alt
    assert "2×, arm labels: 232,000, " in alt
    names = {text.get_text(): text.xy[0] for text in ax.texts}
    assert len(ax.texts) == len(names) == 8
    assert names["2×"] == pytest.approx(231_500 / 1.1)  # at the point that it names
    assert names["teacher"] == 463_000
    (line,) = [line for line in ax.lines if line.get_label() == "95 % of the teacher"]
    assert set(line.get_ydata()) == {87.5}
    assert "95 % of the teacher: 87.5 %" in alt


@pytest.mark.parametrize(
    ("cost", "apart", "message"),
    [
        (-3, 0.0, "parameters must be > 0 on a logarithmic axis, got -3"),
        (1, -0.1, "apart must be >= 0 and finite, got -0.1"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(cost, apart, message):
    with pytest.raises(ValueError, match=message):
        tradeoff(pd.concat([models(), models().assign(parameters=cost)]), group="arm", apart=apart)
    assert plt.get_fignums() == []
