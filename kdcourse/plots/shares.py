"""How often each of several things happens, along a dial: bars that add up to 100 %."""

import pandas as pd

from kdcourse.plots.base import COLOURS, figure, set_title, show

VERDICTS = {"flag": 1, "watch": 4, "pass": 0}  # places in the palette, as in the figure of an audit


def shares(table: pd.DataFrame, *, title: str, xlabel: str, ylabel: str) -> None:
    """A bar for each row, shared out among the columns.

    Parameters
    ----------
    table : DataFrame
        Shares in [0, 1]; the names of its rows and columns are shown. The columns flag, watch and pass have the
        colours of an audit.
    title : str
        The finding.
    xlabel, ylabel : str
        What the rows are, and of what the columns are shares.

    Raises
    ------
    ValueError
        For a row that does not sum to 1.

    Examples
    --------
    >>> found = pd.DataFrame({"flag": [0.25, 1.0], "watch": [0.75, 0.0]}, index=[50, 400])
    >>> shares(found, title="More settle it", xlabel="examples", ylabel="audits")
    [figure] More settle it. Shares of audits by examples. 50: flag 25 %, watch 75 %; 400: flag 100 %, watch 0 %.
    """
    for name, row in table.iterrows():
        if not abs(row.sum() - 1) < 1e-6:
            raise ValueError(f"table must have rows that sum to 1, got {row.sum():g} in {name!r}")
    fig, ax = figure(8.0, 3.8)
    names = [str(name) for name in table.index]
    below = 0 * table.iloc[:, 0].to_numpy()
    for k, column in enumerate(table):
        values = 100 * table[column].to_numpy()
        ax.bar(names, values, bottom=below, color=COLOURS[VERDICTS.get(column, k)], label=column, width=0.8)
        for place, (start, value) in enumerate(zip(below, values, strict=True)):
            if value >= 8:  # there is room for its number
                ax.text(place, start + value / 2, f"{value:.0f} %", ha="center", va="center", color="black", fontsize=9,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85})  # fmt: skip
        below = below + values
    ax.set_ylim(0, 100)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(f"{ylabel} (%)")
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{column} {100 * value:.0f} %" for column, value in row.items())
        for name, row in table.iterrows()
    )
    show(fig, f"{title}. Shares of {ylabel} by {xlabel}. {said}.")
