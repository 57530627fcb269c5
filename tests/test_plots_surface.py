"""Tables of differences and reliability diagrams: every number is there, in its place, readable, and in the words."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figures import assert_nothing_is_cut_off, assert_styles_differ, bars, numbers, title_of
from matplotlib.colors import to_rgba

from kdcourse import plots
from kdcourse.stats import Comparison
from kdcourse.stats.calibration import reliability

ROWS, COLUMNS = [16, 32, 64, 128, 256], [2, 4, 10, 20]


# ---- surface ----


def comparisons(scale=1.0):
    """Five rows and four columns: from clearly worse over what cannot be told to clearly better."""
    found = {}
    for (r, row), (c, column) in itertools.product(enumerate(ROWS), enumerate(COLUMNS)):
        mean = scale * (0.004 * (r - 1) - 0.0061 * (c - 1))
        low, high = mean - 0.003 * scale, mean + 0.003 * scale
        verdict = "better" if low > 0 else "worse" if high < 0 else "equivalent" if r == 2 else "inconclusive"
        found[row, column] = Comparison(mean, low, high, 10, verdict)
    return found


def surface(found=None, **options):
    looks = {"rows": ROWS, "columns": COLUMNS, "title": "It depends", "xlabel": "temperature", "ylabel": "hidden units"}
    plots.surface(comparisons() if found is None else found, **looks | options)


def cells(ax):
    """{(row, column): text} of the cells that a table shows, by where they stand."""
    texts = {(round(text.get_position()[1]), round(text.get_position()[0])): text for text in ax.texts}
    return {(ROWS[r], COLUMNS[c]): text for (r, c), text in texts.items()}


def test_surface_shows_every_comparison_at_its_row_and_column(drawn):
    surface()
    figure, alt = drawn()
    ax = figure.axes[0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [str(row) for row in ROWS]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(column) for column in COLUMNS]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top
    shown = cells(ax)
    assert len(shown) == 20
    centres = [(patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2) for patch in ax.patches]
    framed = {(ROWS[round(y)], COLUMNS[round(x)]) for x, y in centres}
    assert framed == {cell for cell, one in comparisons().items() if one.verdict in ("inconclusive", "equivalent")}
    for r, row in enumerate(ROWS):
        for c, column in enumerate(COLUMNS):
            result = comparisons()[row, column]
            points = [100 * value for value in result[:3]]
            assert numbers(shown[row, column].get_text()) == pytest.approx(points, abs=0.0051)
            assert ax.images[0].get_array()[r, c] == pytest.approx(points[0])
            said = re.search(rf"hidden units {row}, temperature {column}: (\S+ \[.*?\]), ([\w ]+)", alt)
            assert numbers(said.group(1)) == pytest.approx(points, abs=0.0051)
            assert said.group(2) == {"inconclusive": "not shown to differ"}.get(result.verdict, result.verdict)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_every_cell_can_be_read_on_its_colour(drawn, scale):
    surface(comparisons(scale))
    ax = drawn()[0].axes[0]
    (image,) = ax.images
    assert image.norm.vmin == -image.norm.vmax  # nothing gained is the middle of the scale

    def luminance(colour):
        return sum(
            weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
            for weight, value in zip((0.2126, 0.7152, 0.0722), to_rgba(colour)[:3], strict=True)
        )

    for (row, column), text in cells(ax).items():
        behind = image.to_rgba(100 * comparisons(scale)[row, column].mean)
        dark, light = sorted([luminance(text.get_color()), luminance(behind)])
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, success criterion 1.4.3


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((-0.00001, -0.00004, 0.00002), "+0.00\n[+0.00, +0.00]"),
        ((-0.015, -0.0299, 0.0001), "−1.50\n[−2.99, +0.01]"),
    ],
)
def test_a_surface_has_minus_signs_and_none_before_a_zero(drawn, ends, text):
    surface(dict.fromkeys(comparisons(), Comparison(*ends, 10, "inconclusive")))
    figure, alt = drawn()
    assert {cell.get_text() for cell in cells(figure.axes[0]).values()} == {text}
    assert alt.count(text.replace("\n", " ")) == len(comparisons())


def test_a_missing_cell_is_refused_by_name(drawn):
    found = comparisons()
    del found[64, 10]
    with pytest.raises(ValueError, match=r"comparisons must hold every row and column, got none for \(64, 10\)"):
        surface(found)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("rows", "columns"), [(ROWS, COLUMNS), ([16], [2]), (ROWS, [2]), ([16], COLUMNS)])
def test_a_surface_of_any_size_shows_all_its_words(drawn, rows, columns):
    finding = "A finding that takes more than a few words, as findings often do"
    surface(rows=rows, columns=columns, title=finding)
    figure, _ = drawn()
    assert title_of(figure.axes[0]) == finding
    assert_nothing_is_cut_off(figure)
    inside = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(inside, 2))


# ---- reliability ----


def calibrated(sharpness, seed):
    """The table of a network that is `sharpness` times as sure as it should be, on 3,000 examples of ten classes."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (3_000, 10))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(10, p=row) for row in true])
    said = np.exp(sharpness * logits)
    return reliability(said / said.sum(1, keepdims=True), labels)


def test_reliability_draws_each_bin_with_its_interval_and_says_it(drawn):
    tables = {"as it is": calibrated(2.0, 0), "scaled": calibrated(1.0, 1)}
    plots.reliability(tables, title="Scaling takes the confidence down to the accuracy")
    figure, alt = drawn()
    (ax,) = figure.axes
    for name, points in bars(ax).items():
        table = tables[name]
        columns = ["confidence", "accuracy", "accuracy_low", "accuracy_high"]
        assert np.array(points) == pytest.approx(table[columns].to_numpy())
        words = alt.split(f"{name}: ")[1].split(";")[0]
        assert numbers(words) == pytest.approx(table[columns].to_numpy().ravel(), abs=0.0051)
    assert_styles_differ(ax)
    (perfect,) = [line for line in ax.lines if line.get_label() == "perfect"]
    assert perfect.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert ax.get_aspect() == 1
    assert title_of(ax) == "Scaling takes the confidence down to the accuracy"
    assert "confidence" in ax.get_xlabel()
    assert "95 % interval" in ax.get_ylabel()
    assert_nothing_is_cut_off(figure)
