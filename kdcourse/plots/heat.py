"""Tables of numbers as colours, each cell with its number."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from kdcourse.plots.base import COLOURS, figure, set_title, show, signed
from kdcourse.stats import Comparison


def surface(
    comparisons: Mapping[tuple, Comparison], *, rows: Sequence, columns: Sequence, title: str, xlabel: str, ylabel: str
) -> None:
    """Paired differences in points as colours, each cell with its number; what cannot be told from 0 is framed.

    Parameters
    ----------
    comparisons : {(row, column): Comparison}
    rows, columns : sequence
        Their values in order, top to bottom and left to right.
    title : str
        The finding.
    xlabel, ylabel : str
        What columns and rows are.

    Raises
    ------
    ValueError
        That names the row and the column of a comparison that is missing.

    Examples
    --------
    >>> found = {(32, 4): Comparison(0.01, 0.004, 0.016, 8, "better")}
    >>> surface(found, rows=[32], columns=[4], title="T = 4 gains", xlabel="T", ylabel="units")
    [figure] T = 4 gains. Paired differences in points with 95 % intervals. units 32, T 4: +1.00 [+0.40, +1.60], better.
    """
    cells = {(r, c): (row, column) for r, row in enumerate(rows) for c, column in enumerate(columns)}
    for cell in cells.values():
        if cell not in comparisons:
            raise ValueError(f"comparisons must hold every row and column, got none for {cell}")
    means = np.array([[100 * comparisons[row, column].mean for column in columns] for row in rows])
    reach = max(abs(means).max(), 1e-9)
    fig, ax = figure(max(4.6, 2.4 + 1.1 * len(columns)), 2.1 + 0.62 * len(rows))
    image = ax.imshow(means, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
    words = []
    for (r, c), (row, column) in cells.items():
        result = comparisons[row, column]
        mean, low, high = (signed(100 * value) for value in result[:3])
        colour = _readable_on(image.cmap(image.norm(means[r, c])))
        text = f"{mean}\n[{low}, {high}]"
        ax.text(c, r, text, ha="center", va="center", color=colour, fontsize=8, linespacing=1.3)
        if result.verdict in ("inconclusive", "equivalent"):
            ax.add_patch(_frame(c, r, colour))
        verdict = result.verdict.replace("inconclusive", "not shown to differ")
        words.append(f"{ylabel} {row}, {xlabel} {column}: {mean} [{low}, {high}], {verdict}")
    ax.set_xticks(range(len(columns)), [textwrap.fill(str(column), 12) for column in columns])
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xlabel(f"{xlabel}\nmean and 95 % interval, in points\nframed with dashes: not shown to differ")
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    bar = fig.colorbar(image, ax=ax, label="points")
    bar.ax.set_ylim(min(0, means.min()), max(0, means.max()))  # white stays 0; only what occurs is shown
    show(fig, f"{title}. Paired differences in points with 95 % intervals. " + "; ".join(words) + ".")


def matrix(
    values: ArrayLike,
    names: Sequence[str],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    alt: str,
    marked: Sequence[str] = (),
) -> None:
    """A square table of shares in [0, 1] as shades of percent, each cell that rounds to 1 % or more with its number.

    Parameters
    ----------
    values : array_like [C, C]
        Rows of `ylabel`, columns of `xlabel`.
    names : sequence of str [C]
        The classes.
    title : str
        The finding.
    xlabel, ylabel : str
        What columns and rows are.
    alt : str
        What there is to see, since a table of a hundred numbers read aloud is no help.
    marked : sequence of str
        The names of columns to be framed.

    Examples
    --------
    >>> table = [[0.9, 0.1], [0.3, 0.7]]
    >>> words = "3 in 10 hams are taken for spam."
    >>> matrix(table, ["spam", "ham"], title="Ham is hard", xlabel="said", ylabel="is", alt=words)
    [figure] Ham is hard. 3 in 10 hams are taken for spam.
    """
    values = 100 * np.asarray(values)
    fig, ax = figure(7.4, 6.0)
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(values.shape):
        share = values[row, column]
        if share >= 0.5:
            colour = "white" if share > 50 else "black"
            ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    for name in marked:
        ax.add_patch(_frame(names.index(name), (len(names) - 1) / 2, COLOURS[1], height=len(names)))
        ax.get_xticklabels()[names.index(name)].set(color=COLOURS[1], fontweight="bold")
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    fig.colorbar(image, ax=ax, shrink=0.8, label="%")
    show(fig, f"{title}. {alt}")


def _readable_on(colour):
    """ "black" or "white", whichever stands out more (WCAG 2.2, relative luminance)."""
    channels = np.array(colour[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return "white" if (luminance + 0.05) ** 2 < 1.05 * 0.05 else "black"


def _frame(column, row, colour, height=0.92):
    from matplotlib.patches import Rectangle

    place, several = (column - 0.46, row - height / 2), height > 1
    style = {"linestyle": "-" if several else "--", "linewidth": 2.5 if several else 1, "clip_on": False}
    return Rectangle(place, 0.92, height, fill=False, edgecolor=colour, **style)
