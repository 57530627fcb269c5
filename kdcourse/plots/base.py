"""The look of a figure, and how it is shown."""

from __future__ import annotations

import base64
import html
import io
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from kdcourse.stats import mean_interval

if TYPE_CHECKING:  # matplotlib is imported by the first figure
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "D", "^", "v", "P", "X"]
FULL = "#BBD7EA"  # what the full run found
DPI = 110  # of a figure as it is shown; its pixels are twice as fine
# Arms that look the same in every figure of the course, by the place of their colour and marker.
ARMS = {"soft labels": 0, "labels": 1, "arg-max": 2, "blend": 3, "smoothed": 4, "teacher": 6}


def look(k: int) -> tuple[str, str]:
    """The colour and the marker of place k: seven of each, and no two of the first 49 places have both in common."""
    return COLOURS[k % len(COLOURS)], MARKERS[(k + k // len(COLOURS)) % len(MARKERS)]


def looks(arms: Sequence) -> list[tuple[str, str]]:
    """The colour and the marker of each arm of a figure: its own if `ARMS` has it, else the first that is left over.

    Examples
    --------
    >>> looks(["T = 1", "soft labels"]) == [look(1), look(0)]
    True
    """
    free = iter(sorted(set(range(49)) - {ARMS[arm] for arm in arms if arm in ARMS}))
    return [look(ARMS[arm] if arm in ARMS else next(free)) for arm in arms]


def interval_of(runs: ArrayLike, which: str) -> tuple[float, float, float]:
    """`mean_interval(runs)`. Its ValueError, for a single run or one that is not finite, names the arm as `which`."""
    try:
        return mean_interval(runs)
    except ValueError as error:
        raise ValueError(f"{which}: {error}") from None


def figure(width: float = 8.0, height: float = 3.6, **options) -> tuple[Figure, Any]:
    """A figure in the course's style.

    Parameters
    ----------
    width, height : float
        In inches.
    **options
        Of `plt.subplots`.

    Returns
    -------
    figure, axes
        As of `plt.subplots`.

    Examples
    --------
    >>> fig, ax = figure(4, 3)
    >>> _ = ax.plot([1, 2, 4])
    >>> show(fig, "A line that rises ever faster.")
    [figure] A line that rises ever faster.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(width, height), layout="constrained", **options)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def plain(value: float) -> str:
    """Three digits that count, and never 2.3e+05."""
    return f"{float(f'{value:.3g}'):,.10g}"


def units(percent: bool) -> tuple[int, str, Callable[[float], str]]:
    """What to multiply results by, their unit, and how to write them."""
    return (100, " %", "{:.1f}".format) if percent else (1, "", plain)


def line_at(ax: Axes, reference: tuple[str, float] | None, percent: bool) -> list[str]:
    """Draw the horizontal line, if there is one, and say it."""
    if reference is None:
        return []
    (scale, unit, write), (name, value) = units(percent), reference
    ax.axhline(scale * value, color="#666666", linestyle="--", linewidth=1, label=name)
    return [f"{name}: {write(scale * value)}{unit}"]


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign: a minus sign that is no hyphen, and none before a plain zero.

    >>> signed(1.5), signed(-0.25, 1), signed(-0.001)
    ('+1.50', '−0.2', '+0.00')
    """
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")  # + 0.0 makes a plain zero of -0.0


def set_title(ax: Axes, title: str) -> None:
    """The finding, from the left edge of the axes, wrapped so that the figure does not cut it off."""
    title = re.sub(r"(?<![\w.])-(?=\d)", "−", title)  # a minus sign, not a hyphen
    ax.set_title(title, fontsize=12, loc="left", wrap=True)


def show(fig: Figure, alt: str) -> None:
    """Display a figure with alternative text, and close it. Outside of a notebook the text alone is printed.

    No notebook front end carries the text of an image to a screen reader, so it also comes folded up under the picture.

    Parameters
    ----------
    fig : Figure
        As `figure` makes it.
    alt : str
        What the figure shows, in words and numbers, for somebody who cannot see it.

    Raises
    ------
    ValueError
        If `alt` is empty.

    Examples
    --------
    >>> fig, _ = figure(4, 3)
    >>> show(fig, "A figure without anything in it.")
    [figure] A figure without anything in it.
    """
    import matplotlib.pyplot as plt

    if not alt or not alt.strip():
        raise ValueError(f"alt must describe the figure, got {alt!r}")
    if not _in_notebook():
        plt.close(fig)
        print(f"[figure] {alt}")
        return
    from IPython.display import HTML, display

    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=2 * DPI, facecolor="white")
    plt.close(fig)
    width, height = (round(DPI * inches) for inches in fig.get_size_inches())
    display(
        {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": f"[figure] {alt}"},
        raw=True,
        metadata={"image/png": {"alt": alt, "width": width, "height": height}},
    )
    display(HTML(f"<details><summary>This figure in words</summary>{html.escape(alt)}</details>"))


def _in_notebook():
    """Whether IPython runs this. It is not imported to find out: a script need not have it."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None
