"""Arms in a plane: where each stands, and what its runs came to."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from kdcourse.plots.base import figure, interval_of, looks, plain, set_title, show


def scatter(arms: Mapping[str, tuple[float, ArrayLike]], *, title: str, xlabel: str, ylabel: str) -> None:
    """Every run a dot, and its arm's mean with a 95 % t-interval, at the arm's own place along the x axis.

    Parameters
    ----------
    arms : {name: (x, results)}
        Two results or more.
    title : str
        The finding.
    xlabel, ylabel : str
        What the two are.

    Raises
    ------
    ValueError
        That names the arm of a single result.

    Examples
    --------
    >>> scatter({"hat": (1, [2, 4])}, title="Hats do", xlabel="size", ylabel="gain")
    [figure] Hats do. gain, means with 95 % intervals, by size. hat: at 1, 3 [-9.71, 15.7], n = 2.
    """
    all_runs = {name: np.asarray(results, dtype=float) for name, (_, results) in arms.items()}
    intervals = {name: interval_of(runs, name) for name, runs in all_runs.items()}
    fig, ax = figure(7.5, 4.0)
    words = []
    for (name, (x, _)), (colour, marker) in zip(arms.items(), looks(list(arms)), strict=True):
        runs, (mean, low, high) = all_runs[name], intervals[name]
        ax.plot(np.full(len(runs), x), runs, ".", color=colour, alpha=0.35, markersize=5)
        error = [[mean - low], [high - mean]]
        ax.errorbar(x, mean, error, fmt=marker, color=colour, capsize=4, markersize=7, label=name)
        words.append(f"{name}: at {plain(x)}, {plain(mean)} [{plain(low)}, {plain(high)}], n = {len(runs)}")
    ax.set_xlabel(f"{xlabel}\nmean and 95 % interval; each dot is one run")
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. {ylabel}, means with 95 % intervals, by {xlabel}. {'; '.join(words)}.")
