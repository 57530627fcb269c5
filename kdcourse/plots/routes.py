"""What a cascade gains by asking: accuracy over the share of examples that go to the teacher."""

import numpy as np
import pandas as pd

from kdcourse.plots.base import figure, looks, show


def routes(table: pd.DataFrame, *, title: str) -> None:
    """A panel per data set: a line per slice from the student alone to the teacher alone, with 95 % intervals.

    A dashed line beside each is the control: as many examples, drawn at random, would get so many right.

    Parameters
    ----------
    table : DataFrame
        What `ship.Cascade.evaluate` gives for several thresholds, put together by `pd.concat` under the levels data
        and budget. The x axis is the share of *all* examples of a data set that is asked, for its slices too.
    title : str
        The finding.

    Raises
    ------
    ValueError
        For a table without these levels.

    Examples
    --------
    >>> from kdcourse.ship import Cascade
    >>> both = [[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.1, 0.9]]
    >>> found = {("toys", t): Cascade(t).evaluate(*both, [0, 1]) for t in (0, 0.8)}
    >>> routes(pd.concat(found, names=["data", "budget"]), title="Half is enough")  # doctest: +ELLIPSIS
    [figure] Half is enough. ... toys, all: 0 % asked 50.0 % right [9.5, 90.5], 50 % asked 100.0 % right [34.2, ...
    """
    if list(table.index.names) != ["data", "budget", "slice", "value"]:
        raise ValueError(f"table must have the levels data, budget, slice and value, got {list(table.index.names)}")
    places = list(dict.fromkeys(table.index.get_level_values("data")))
    fig, axes = figure(4.3 * len(places) + 0.4, 4.0, ncols=len(places), squeeze=False)
    words = []
    for ax, place in zip(axes.flat, places, strict=True):
        own = table.loc[place]
        asked = own.xs("all", level="slice").droplevel("value")["fallback_share"]
        slices = list(dict.fromkeys(own.index.droplevel("budget")))
        for (name, value), (colour, marker) in zip(slices, looks(slices), strict=True):
            label = name if value is True or name == "all" else f"{name} = {value}"
            rows = own.xs((name, value), level=["slice", "value"])
            at = 100 * asked[rows.index].to_numpy()
            means, lows, highs = 100 * rows[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy().T
            error = np.maximum([means - lows, highs - means], 0)
            ax.errorbar(at, means, error, fmt=f"{marker}-", color=colour, capsize=3, markersize=5, label=label)
            ends = 100 * rows[["student_accuracy", "teacher_accuracy"]].iloc[0].to_numpy()
            ax.plot([0, 100], ends, "--", color=colour, linewidth=1)
            said = ", ".join(
                f"{x:.0f} % asked {mean:.1f} % right [{low:.1f}, {high:.1f}]"
                for x, mean, low, high in zip(at, means, lows, highs, strict=True)
            )
            words.append(f"{place}, {label}: {said}; at random, from {ends[0]:.1f} to {ends[1]:.1f} %")
        ax.set_title(place, fontsize=11, loc="left")
        ax.legend(frameon=False, loc="lower right")
    fig.supxlabel("examples that go to the teacher (%); dashed: as many, drawn at random", fontsize=10)
    axes.flat[0].set_ylabel("right (%), with 95 % interval")
    fig.suptitle(title, x=0.01, ha="left", fontsize=12)
    show(fig, f"{title}. Accuracy with 95 % intervals by the share that is asked. {'; '.join(words)}.")
