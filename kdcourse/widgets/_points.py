"""What live training shows: a point for each value that was tried, in a figure that is made once, and words."""

import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdcourse.plots import COLOURS, MARKERS, figure
from kdcourse.stats import Comparison

STYLES: dict[str, dict[str, Any]] = {
    "tried before": {"fmt": MARKERS[0], "color": COLOURS[0], "markersize": 6, "capsize": 3},
    "chosen now": {"fmt": MARKERS[2], "color": COLOURS[1], "markersize": 9, "capsize": 5},
}


def axes(values: Sequence[float], name: str, baseline: str, repeats: int) -> tuple[Figure, Axes]:
    """(figure, axes) without a point: a place on the x axis for each value, and a line for the baseline."""
    import matplotlib.pyplot as plt

    fig, ax = figure(7.5, 3.2)
    plt.close(fig)  # no cell shows it, and it can still be drawn
    ax.axhline(0, color="#666666", linestyle="--", linewidth=1, label=f"baseline: {baseline}")
    for label, style in STYLES.items():
        ax.errorbar([], [], [], label=label, **style)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_xlabel(f"{name}\nmean and 95 % interval of {repeats} pairs")
    ax.set_ylabel("validation accuracy,\ndifference (points)")
    return fig, ax


def draw(ax: Axes, values: Sequence[float], results: Mapping[float, Comparison], chosen: float) -> None:
    """A point and its interval for every value in `results`, {value: Comparison}, in place of those before."""
    for drawn in list(ax.containers):
        drawn.remove()
    ends = [0.0]
    for k, value in enumerate(values):
        if value in results:
            mean, low, high, *_ = results[value]
            style = STYLES["chosen now" if value == chosen else "tried before"]
            ax.errorbar(k, mean, [[mean - low], [high - mean]], **style)
            ends += [low, high]
    room = max(0.5, 0.1 * (max(ends) - min(ends)))
    ax.set_ylim(min(ends) - room, max(ends) + room)


def render(fig: Figure) -> bytes:
    """The figure as a PNG, for `ipywidgets.Image`."""
    rendered = io.BytesIO()
    fig.savefig(rendered, format="png", dpi=90)
    return rendered.getvalue()


def paragraphs(*lines: str) -> str:
    """The lines as HTML, escaped, for `ipywidgets.HTML`: an Image widget has no alternative text."""
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)
