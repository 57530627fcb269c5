"""The figures about the size of a student: what smaller buys in time, and the chart for the meeting."""

import itertools

import numpy as np
import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off, bars, numbers, title_of
from matplotlib.colors import to_hex

from kdcourse import plots

LADDER = pd.DataFrame(
    [
        ("teacher", "teacher", "teacher", 760.0, 0.937, 0.937, 0.937),
        ("10×", "CNN", "soft labels", 260.0, 0.921, 0.914, 0.928),
        ("50×", "CNN", "soft labels", 205.0, 0.883, 0.876, 0.89),
        ("2×", "MLP", "soft labels", 29.0, 0.887, 0.885, 0.888),
        ("200×", "MLP", "soft labels", 28.0, 0.767, 0.75, 0.783),
        ("2×", "MLP", "labels", 29.0, 0.881, np.nan, np.nan),
    ],
    columns=["name", "kind", "arm", "cost", "accuracy", "low", "high"],
)


def decision(table=LADDER, **options):
    looks = {"floor": 0.907, "budget": 400.0, "title": "Ship 10×", "sentence": "It saves 500.", "xlabel": "cost"}
    plots.decision(table, **looks | options)


def test_every_model_stands_at_its_cost_and_is_said_the_worst_too(drawn):
    decision()
    figure, alt = drawn()
    (ax,) = figure.axes
    points = bars(ax) | {
        line.get_label(): line.get_xydata() for line in ax.lines if line.get_label() == "MLP on labels"
    }
    assert list(points) == ["teacher", "CNN on soft labels", "MLP on soft labels", "MLP on labels"]
    for (kind, arm), rows in LADDER.groupby(["kind", "arm"]):
        label = arm if kind == "teacher" else f"{kind} on {arm}"
        columns = ["cost", "accuracy", "low", "high"][: 2 if arm == "labels" else 4]
        expected = rows[columns].to_numpy() * [1, 100, 100, 100][: len(columns)]
        assert np.array(points[label]) == pytest.approx(expected)
        for row in rows.itertuples():
            said = alt.split(f"{label}: " if row.name == label else f"{label} {row.name}: ")[1].split(";")[0]
            wanted = [100 * value for value in (row.accuracy, row.low, row.high) if value == value]
            assert numbers(said.split(" Could")[0]) == pytest.approx([row.cost, *wanted])
    assert (title_of(ax), figure.get_supxlabel()) == ("Ship 10×", "It saves 500.")
    assert ax.get_ylim() == (75, 95)  # the next five below the worst and above the best
    assert "Could be shipped: 90.7 % or more for 400 or less." in alt
    assert_nothing_is_cut_off(figure)


def test_an_arm_has_its_colour_and_labels_are_faint(drawn):
    decision()
    (ax,) = drawn()[0].axes
    lines = {one.get_label(): one.lines[0] for one in ax.containers} | {one.get_label(): one for one in ax.lines}
    looks = {label: (to_hex(line.get_color()), line.get_alpha()) for label, line in lines.items()}
    soft, labels = (colour.lower() for colour, _ in plots.looks(["soft labels", "labels"]))
    assert looks["CNN on soft labels"] == looks["MLP on soft labels"] == (soft, 1.0)
    assert looks["MLP on labels"][0] == labels
    assert looks["MLP on labels"][1] < 0.5


def test_what_could_be_shipped_is_shaded_and_the_choice_is_circled(drawn):
    decision(chosen=("soft labels", "CNN", "10×"))
    figure, alt = drawn()
    (ax,) = figure.axes
    (region,) = ax.collections[:1]
    corners = region.get_paths()[0].vertices
    assert (corners[:, 0].min() < 28, corners[:, 0].max()) == (True, 400)
    assert (corners[:, 1].min(), corners[:, 1].max()) == (pytest.approx(90.7), 95)
    (ring,) = [line for line in ax.lines if line.get_markersize() > 20]
    assert ring.get_xydata().tolist() == [[260, pytest.approx(92.1)]]
    assert alt.count("circled") == 1
    assert "CNN on soft labels 10×: 260, 92.1 % [91.4, 92.8], circled" in alt
    figure.draw_without_rendering()
    names = [text for text in ax.texts if text.get_text() in {*LADDER["name"]}]
    boxes = [text.get_window_extent() for text in names]
    assert sorted(text.get_text() for text in names) == ["10×", "200×", "2×", "50×", "teacher"]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_names_of_students_at_the_same_cost_stand_in_the_order_of_the_students(drawn):
    cnns = LADDER[LADDER["kind"] == "CNN"].head(2)
    same = cnns.assign(
        name=["lower", "upper"], arm="soft labels", cost=200.0, accuracy=[0.9175, 0.918], low=0.9, high=0.93
    )
    decision(pd.concat([LADDER[LADDER["kind"] == "teacher"], same]))
    (ax,) = drawn()[0].axes
    names = {text.get_text(): text for text in ax.texts if hasattr(text, "xyann")}
    assert names["upper"].xyann[1] > names["lower"].xyann[1]
    # A line leads from the mark to the name that had to make room, and to no other.
    assert names["lower"].xy == (200, pytest.approx(91.75))
    assert (names["lower"].arrow_patch is None, names["upper"].arrow_patch is None) == (False, True)


def test_a_cost_of_nothing_has_no_place_on_the_axis():
    with pytest.raises(ValueError, match=r"cost must be > 0 on a logarithmic axis, got 0.0"):
        decision(LADDER.assign(cost=0.0))


def test_times_faster_stand_over_times_smaller_beside_the_promise(drawn):
    table = pd.DataFrame({"smaller": [2.0, 10, 2, 10], "faster": [1.4, 3, 33, 55], "kind": ["CNN"] * 2 + ["MLP"] * 2})
    table = table.assign(faster_low=0.9 * table["faster"], faster_high=1.2 * table["faster"])
    plots.faster(table, kind="kind", title="Ten times smaller, three times faster")
    figure, alt = drawn()
    (ax,) = figure.axes
    columns = ["smaller", "faster", "faster_low", "faster_high"]
    for container, (kind, own) in zip(ax.containers, table.groupby("kind"), strict=True):
        line, _, (ends,) = container.lines
        found = [(*point, *end[:, 1]) for point, end in zip(line.get_xydata(), ends.get_segments(), strict=True)]
        assert np.array(found) == pytest.approx(own[columns].to_numpy())
        said = alt.split(f"{kind}: ")[1].split(". ")[0]
        assert numbers(said) == pytest.approx(own[columns].to_numpy().ravel(), rel=0.01)
    promise = ax.lines[0].get_xydata()
    assert promise[:, 0].tolist() == promise[:, 1].tolist() == [2, 10]
    assert {"CNN", "MLP"} < {text.get_text() for text in ax.texts}
    assert_nothing_is_cut_off(figure)
