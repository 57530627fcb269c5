"""What several runs logged, as small multiples: a row for each measure, a column for each run."""

import textwrap
from collections.abc import Mapping

import pandas as pd

from kdcourse.plots.base import figure, looks, plain, show

# Columns of `kdcourse.lm.watch`, and how they are written.
MEASURES = {
    "length": "length\n(tokens)",
    "entropy": "entropy\n(nats)",
    "overlap": "overlap\n(share)",
    "reward": "reward\n(nats)",
}


def dashboard(
    tables: Mapping[str, pd.DataFrame], *, title: str, measures: Mapping[str, str] = MEASURES, x: str = "step"
) -> None:
    """Small multiples: what each run logged, step by step, every row of panels on one scale.

    Parameters
    ----------
    tables : {run: DataFrame}
        One row for each time the run was watched, in order, with the columns x and those of the measures.
    title : str
        The finding.
    measures : {column: name}
        The rows of panels, from above; length, entropy, overlap and reward of `lm.watch` if left out.
    x : str
        The column of the steps.

    Examples
    --------
    >>> table = pd.DataFrame({"step": [0, 8], "length": [6.5, 21.0]})
    >>> dashboard({"A": table}, title="A never stops", measures={"length": "length (tokens)"})
    [figure] A never stops. From the first to the last step. A, step 0 to 8: length (tokens) 6.5 to 21.
    """
    rows, columns = len(measures), len(tables)
    grid = {"nrows": rows, "ncols": columns, "sharex": True, "sharey": "row", "squeeze": False}
    fig, axes = figure(1.0 + 0.9 * columns, 1.1 + 1.0 * rows, **grid)
    words = []
    for column, (run, table), (colour, marker) in zip(axes.T, tables.items(), looks(list(tables)), strict=True):
        first, last = table.iloc[0], table.iloc[-1]
        for ax, measure in zip(column, measures, strict=True):
            ax.plot(table[x], table[measure], f"{marker}-", color=colour, linewidth=2, markersize=4.5)
            ax.margins(x=0.12, y=0.12)
            ax.grid(axis="y", color="#dddddd", linewidth=0.8)
            ax.locator_params(axis="y", nbins=4)
        column[0].set_title(textwrap.fill(run, 11), fontsize=11, fontweight="bold", color=colour)
        column[-1].set_xticks([first[x], last[x]])
        said = [f"{' '.join(name.split())} {plain(first[key])} to {plain(last[key])}" for key, name in measures.items()]
        words.append(f"{run}, {x} {plain(first[x])} to {plain(last[x])}: {', '.join(said)}")
    for ax, name in zip(axes[:, 0], measures.values(), strict=True):
        ax.set_ylabel(name)
    fig.align_ylabels(axes[:, 0])
    fig.supxlabel(x, fontsize=10)
    fig.suptitle(textwrap.fill(title, int(11 * fig.get_figwidth())), x=0.01, ha="left", fontsize=12)
    show(fig, f"{title}. From the first to the last {x}. {'; '.join(words)}.")
