"""Which model answers sooner than another, and which later, on an axis of ratios."""

import pandas as pd

from kdcourse.plots.base import figure, plain, set_title, show
from kdcourse.plots.curves import check_positive, plain_ticks


def speeds(table: pd.DataFrame, *, title: str, xlabel: str) -> None:
    """One line per model: how many times as fast as another it is, with its interval; right of 1 is faster.

    Parameters
    ----------
    table : DataFrame
        Indexed by the names of the models: faster, faster_low and faster_high, as `ship.latency` returns them. The
        first row is at the top.
    title : str
        The finding.
    xlabel : str
        Than what.

    Raises
    ------
    ValueError
        For a ratio that is not positive.

    Examples
    --------
    >>> table = pd.DataFrame({"faster": [0.5], "faster_low": 0.4, "faster_high": 0.6}, index=["CNN, int8"])
    >>> speeds(table, title="int8 is slower", xlabel="times as fast as float32")
    [figure] int8 is slower. times as fast as float32, with 95 % intervals. CNN, int8: 0.5 [0.4, 0.6].
    """
    check_positive("faster_low", table["faster_low"])
    fig, ax = figure(8.0, 1.5 + 0.45 * len(table))
    ax.axvline(1, color="#666666", linewidth=1)
    words = []
    for k, (name, row) in enumerate(table.iterrows()):
        middle, low, high = row["faster"], row["faster_low"], row["faster_high"]
        face = "white" if low <= 1 <= high else "black"
        error = [[middle - low], [high - middle]]
        ax.errorbar(middle, k, xerr=error, fmt="o", color="black", mfc=face, capsize=4, markersize=7)
        ax.text(1.01, k, f"{plain(middle)}×", transform=ax.get_yaxis_transform(), va="center")
        words.append(f"{name}: {plain(middle)} [{plain(low)}, {plain(high)}]")
    ax.set_yticks(range(len(table)), [str(name) for name in table.index])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xscale("log")
    plain_ticks(ax.xaxis)
    ax.set_xlabel(f"{xlabel}; right of 1 is faster")
    set_title(ax, title)
    show(fig, f"{title}. {xlabel}, with 95 % intervals. {'; '.join(words)}.")
