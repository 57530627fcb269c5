"""The look of a figure, and how it is shown."""

import base64
import html
import io
import textwrap

import numpy as np

from kdcourse.stats import mean_interval

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "D", "^", "v", "P", "X"]
DPI = 110


def look(k):
    """The colour and the marker of arm k: seven of each, and no two arms of the first 49 have both in common."""
    return COLOURS[k % len(COLOURS)], MARKERS[(k + k // len(COLOURS)) % len(MARKERS)]


def interval_of(runs, which):
    """`mean_interval(runs)`. Its ValueError, for a single run or one that is not finite, names the arm as `which`."""
    try:
        return mean_interval(runs)
    except ValueError as error:
        raise ValueError(f"{which}: {error}") from None


def figure(width=8.0, height=3.6, **options):
    """(figure, axes) of `plt.subplots` in the course's style; sizes in inches."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(width, height), layout="constrained", **options)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def set_title(ax, title):
    """The finding, from the left edge of the axes, wrapped so that the figure does not cut it off."""
    characters = int(9 * (ax.figure.get_figwidth() - 0.9))
    ax.set_title(textwrap.fill(title, characters), fontsize=12, loc="left")


def show(fig, alt):
    """Display a figure with alternative text, and close it.

    No notebook front end carries the text of an image to a screen reader, so it also comes folded up under the picture.

    alt  what the figure shows, in words and numbers, for somebody who cannot see it
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    if not alt or not alt.strip():
        raise ValueError(f"alt must describe the figure, got {alt!r}")
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=DPI, facecolor="white")
    plt.close(fig)
    display(
        {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": f"[figure] {alt}"},
        raw=True,
        metadata={"image/png": {"alt": alt}},
    )
    display(HTML(f"<details><summary>This figure in words</summary>{html.escape(alt)}</details>"))
