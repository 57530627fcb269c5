"""The gaps of an audit as a figure: one line a slice, the worst on top, all examples together at the bottom."""

import io
import textwrap
import warnings
from contextlib import contextmanager
from typing import Any

import numpy as np

from kdcourse.audit.report.tables import (
    Report,
    confidence_of,
    cut,
    gap_text,
    headline,
    name_of,
    printable,
    rows_of,
    unit_of,
    verdict_text,
    with_interval,
)
from kdcourse.plots.base import COLOURS, MARKERS, figure, show

# Places in the palette; each has a marker of its own.
STYLES = {"flag": 1, "alarm": 3, "watch": 4, "too few": 6, "not measurable": 6, "pass": 0}
WIDTH = 8.6  # inches
LONGEST_NAME = 46
SIZES = (36, 100)  # square points of the smallest and the largest marker


def draw(report: Report, most_rows: int | None = 30) -> None:
    """Show the gap of each slice with its interval, the gap that it may have, its size and its verdict.

    At most `most_rows` slices, the worst, are drawn; None draws all.
    """
    with _any_glyph():
        show(*picture(report, most_rows))


def picture(report: Report, most_rows: int | None = 30, width: float = WIDTH) -> tuple[Any, str]:
    """(figure, alternative text) of what `draw` shows, so many inches wide. The figure is the caller's to close."""
    rows, left = rows_of(report, most_rows)
    rows = [*rows, report.overall]
    several = report.table["slice"].nunique() > 1
    names = [name_of(row, LONGEST_NAME) if several else cut(printable(row["level"]), LONGEST_NAME) for row in rows]
    names[-1] = "all examples"
    scale, unit, _ = unit_of(report)
    places = [*range(len(rows) - 1), len(rows) - 0.5]  # half a line apart from the slices
    low, high, gap, allowed = (
        scale * np.array([row[name] for row in rows], float) for name in ("low", "high", "gap", "max_gap")
    )
    together = scale * report.corrected.loc[[row.name for row in rows]].to_numpy()
    ends = _ends(rows, np.fmin(low, together[:, 0]), np.fmax(high, together[:, 1]), gap, allowed)
    fig, ax = figure(width, 2.2 + 0.28 * len(rows))
    ax.axvline(0, color="#888888", linewidth=1, zorder=0)
    ax.axhline(len(rows) - 1.25, color="#cccccc", linewidth=1, zorder=0)
    strokes = np.array([np.array(places) - 0.5, np.array(places) + 0.5])
    ax.vlines(allowed, *strokes, color="#333333", linestyle="--", linewidth=1.2, zorder=1, label="allowed")
    largest = max(1, *(row["n"] for row in rows[:-1]))
    ax.hlines(places, *together.T, color="#777777", linewidth=0.8, zorder=1.5, label="together")
    for place, row, *numbers in zip(places, rows, gap, low, high, strict=True):
        _draw_row(ax, place, row, numbers, ends, min(row["n"] / largest, 1))
    ax.set_xlim(*ends)
    ax.set_ylim(places[-1] + 0.6, -0.7)
    ax.set_yticks(places, names, fontsize=9, parse_math=False)
    ax.tick_params(axis="y", length=0)
    _beside(ax, -1.0, "n", "verdict", color="#555555")
    for place, row in zip(places, rows, strict=True):
        weight = "bold" if row["verdict"] in ("flag", "alarm") else "normal"
        _beside(ax, place, f"{row['n']:,}", verdict_text(row), weight=weight)
    confidence = confidence_of(report)
    intervals = f"thick: {confidence} interval, each by itself; thin: {confidence} for all together"
    fits = int(13 * width)  # characters of the small print
    ax.set_xlabel(f"gap: {report.settings['metric']['gap']} ({printable(unit)})", fontsize=9, parse_math=False)
    more = f"{left:,} more slices are not shown" if left else ""
    key = ["dashed: the gap that is allowed", "area of a marker: number of examples", *([more] if more else [])]
    lines = [textwrap.fill(line, fits) for line in (intervals, "; ".join(key))]
    fig.supxlabel("\n".join(lines), fontsize=9, x=0.01, ha="left")
    title = headline(report)
    characters = int(9.5 * (width - 0.2))
    fig.suptitle(textwrap.fill(title, characters), fontsize=12, x=0.01, ha="left", parse_math=False)
    said = "; ".join(
        f"{name_of(row) if row is not report.overall else 'all examples'}: {with_interval(report, row)}, "
        f"n = {row['n']:,}, allowed {gap_text(report, row['max_gap'], '')}, {verdict_text(row)}"
        for row in rows
    )
    alt = f"{title}. Gap of each slice in {unit}, with its {confidence_of(report)} interval. {said}."
    return fig, f"{alt} {more}." if more else alt


def svg(report: Report) -> bytes:
    """The figure as SVG, in bytes: the same ones for the same report."""
    import matplotlib.pyplot as plt

    # Text stays text: the reader's fonts have letters that the ones of this machine may lack.
    with _any_glyph(), plt.rc_context({"svg.hashsalt": "kdcourse.audit", "svg.fonttype": "none"}):
        fig, _ = picture(report)
        file = io.BytesIO()
        try:
            fig.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        finally:
            plt.close(fig)
    return file.getvalue()


def _ends(rows, low, high, gap, allowed):
    """Where the axis ends: at what was judged. The width of a slice with few examples would squeeze all others."""
    judged = np.array([row["verdict"] not in ("too few", "not measurable") for row in rows])
    inner = np.concatenate([[0.0], allowed, *(values[judged & np.isfinite(values)] for values in (low, high, gap))])
    outer = np.concatenate([inner, *(values[np.isfinite(values)] for values in (low, high, gap))])
    span = max(np.ptp(inner), 1e-9)
    left, right = max(outer.min(), inner.min() - span / 2), min(outer.max(), inner.max() + span / 2)
    return left - 0.06 * (right - left), right + 0.06 * (right - left)


def _draw_row(ax, place, row, numbers, ends, share):
    gap, low, high = numbers
    style = STYLES[row["verdict"]]
    colour = "#777777" if style == STYLES["too few"] else COLOURS[style]  # what was not judged stays in the back
    if np.isfinite([low, high]).all():
        ax.plot([low, high], [place, place], color=colour, linewidth=2.4, solid_capstyle="butt", zorder=2)
    # An arrow where the line, or the marker, goes on past the end of the axis.
    inset = 0.012 * (ends[1] - ends[0])
    if min(gap, low) < ends[0]:
        ax.plot(ends[0] + inset, place, "<", color=colour, markersize=7, zorder=4)
    if max(gap, high) > ends[1]:
        ax.plot(ends[1] - inset, place, ">", color=colour, markersize=7, zorder=4)
    area = SIZES[0] + (SIZES[1] - SIZES[0]) * share
    ax.scatter([gap], [place], s=area, marker=MARKERS[style], color=colour, edgecolor="white", linewidth=0.6, zorder=3)


def _beside(ax, y, number, word, **look):
    """Two columns to the right of the axes. Their distance is in points, so that the layout can make room for them."""
    look |= {"va": "center", "fontsize": 9, "annotation_clip": False}
    for text, distance, align in [(number, 50, "right"), (word, 60, "left")]:
        ax.annotate(text, (1, y), (distance, 0), ("axes fraction", "data"), "offset points", ha=align, **look)


@contextmanager
def _any_glyph():
    """Names come from data: one in a script that the font lacks is no reason to complain."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*Glyph .* missing from font")
        yield
