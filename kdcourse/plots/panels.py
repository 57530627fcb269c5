"""A dial and what it does, in one panel per situation."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdcourse.plots.base import figure, interval_of, looks, plain, show


def panels(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    panel: str,
    title: str,
    xlabel: str | None = None,
    ylabel: str | None = None,
    hue_name: str = "{}",
    panel_name: str = "{}",
    marked: Mapping[tuple, float] | None = None,
) -> None:
    """One panel per situation, all on one scale: a line per arm, its mean and 95 % t-interval at each x.

    The values of x stand side by side, evenly, so that infinity can be one of them; a line at 0 is what nothing does.

    Parameters
    ----------
    table : DataFrame
        One row per run, two runs or more of everything it has.
    x, y, hue, panel : str
        Its columns: the dial (numbers), the result, the arm, the situation.
    title : str
        The finding.
    xlabel, ylabel : str, optional
        The columns' names if left out.
    hue_name, panel_name : str
        How the values of these columns are written, as "{:,} pictures".
    marked : {(panel, hue): x}, optional
        A point of each line to be ringed: what validation chose.

    Raises
    ------
    ValueError
        That names the arm of a single run.

    Examples
    --------
    >>> runs = pd.DataFrame({"T": [1, 1, 4, 4], "n": 500, "units": 32, "gain": [0, 0, 1.0, 2.0]})
    >>> panels(runs, x="T", y="gain", hue="units", panel="n", title="T = 4 gains")  # doctest: +ELLIPSIS
    [figure] T = 4 gains. Means with 95 % intervals. 500, 32, T 1: 0 [0, 0], 4: 1.5 [-4.85, 7.85].
    """
    places, arms, situations = sorted(set(table[x])), sorted(set(table[hue])), sorted(set(table[panel]))
    found = {}
    for (situation, arm), own in table.groupby([panel, hue]):
        name = f"{panel_name.format(situation)}, {hue_name.format(arm)}"
        found[situation, arm] = {at: interval_of(runs, f"{name} at {x} = {at:g}") for at, runs in own.groupby(x)[y]}
    fig, axes = figure(4.3 * len(situations) + 0.6, 3.9, ncols=len(situations), sharey=True, squeeze=False)
    words = []
    for ax, situation in zip(axes.flat, situations, strict=True):
        ax.axhline(0, color="#666666", linewidth=1)
        for a, (arm, (colour, marker)) in enumerate(zip(arms, looks(arms), strict=True)):
            name, spans = f"{panel_name.format(situation)}, {hue_name.format(arm)}", found[situation, arm]
            at = np.array([places.index(place) for place in spans]) + 0.1 * (a - (len(arms) - 1) / 2)
            means, lows, highs = np.array(list(spans.values())).T
            style = {"fmt": f"{marker}-", "color": colour, "capsize": 3, "linewidth": 1.6, "markersize": 6}
            ax.errorbar(at, means, [means - lows, highs - means], label=hue_name.format(arm), **style)
            said = [
                f"{_written(place)}: {plain(mean)} [{plain(low)}, {plain(high)}]"
                for place, (mean, low, high) in spans.items()
            ]
            words.append(f"{name}, {x} {', '.join(said)}")
            if marked is not None and (situation, arm) in marked:
                k = list(spans).index(marked[situation, arm])
                ax.plot(at[k], means[k], "o", markersize=15, fillstyle="none", color=colour)
                words[-1] += f", chosen on validation: {_written(marked[situation, arm])}"
        ax.set_xticks(range(len(places)), [_written(place) for place in places])
        ax.set_title(panel_name.format(situation), fontsize=11, loc="left")
    ringed = "; ringed: chosen on validation" if marked else ""
    fig.supxlabel(f"{xlabel or x} (mean and 95 % interval{ringed})", fontsize=10)
    axes.flat[0].set_ylabel(ylabel or y)
    axes.flat[0].legend(frameon=False, loc="lower left")
    fig.suptitle(title, x=0.01, ha="left", fontsize=12)
    show(fig, f"{title}. Means with 95 % intervals. " + "; ".join(words) + ".")


def _written(place):
    return "∞" if math.isinf(place) else f"{place:g}"
