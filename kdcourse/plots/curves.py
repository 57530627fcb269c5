"""What changes along a dial: accuracy over temperature, over size."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdcourse.plots.base import figure, interval_of, line_at, looks, set_title, show, units


def curves(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    title: str,
    xlabel: str | None = None,
    ylabel: str | None = None,
    percent: bool = False,
    reference: tuple[str, float] | None = None,
    marked: Mapping[str, float] | None = None,
    log_y: bool = False,
) -> None:
    """One line per arm along a logarithmic x axis: mean and 95 % t-interval at each x, every run a dot.

    Parameters
    ----------
    table : DataFrame
        One row per run; an arm may lack some x, but has two runs or more where it has any.
    x, y, hue : str
        Its columns: the dial (positive numbers), the result, the arm.
    title : str
        The finding.
    xlabel, ylabel : str, optional
        The columns' names if left out.
    percent : bool
        Results are shares; show them as percentages.
    reference : (str, float), optional
        Name and value of a horizontal line.
    marked : {arm: x}, optional
        A point of each arm to be ringed, such as what validation chose.
    log_y : bool
        A logarithmic y axis too, for ratios.

    Raises
    ------
    ValueError
        That names the arm and the x of a single run, an x <= 0, or a mark where there is no point.

    Examples
    --------
    >>> runs = pd.DataFrame({"T": [1, 1, 4, 4], "arm": "soft", "accuracy": [0.70, 0.72, 0.80, 0.82]})
    >>> curves(runs, x="T", y="accuracy", hue="arm", title="T = 4 is better", percent=True)  # doctest: +ELLIPSIS
    [figure] T = 4 is better. Means with 95 % intervals, 2 runs each. soft, T 1: 71.0 % [58.3, 83.7], 4: 81.0 %...
    """
    arms, (scale, unit, write), xlabel = list(dict.fromkeys(table[hue])), units(percent), xlabel or x
    check_positive(x, table[x])
    runs = {arm: {at: scale * own[y].to_numpy() for at, own in table[table[hue] == arm].groupby(x)} for arm in arms}
    spans = {arm: {at: interval_of(runs[arm][at], f"{arm} at {x} = {at:g}") for at in runs[arm]} for arm in arms}
    for arm, at in (marked or {}).items():
        if at not in spans.get(arm, {}):
            raise ValueError(f"marked must name an arm of the table and one of its {x}, got {arm!r}: {at!r}")
    places = sorted(set(table[x]))
    # Beside one another, or their intervals hide each other.
    step = (places[-1] / places[0]) ** min(0.015, 0.06 / len(arms))
    fig, ax = figure(8.0, 4.4)
    words = []
    for a, (arm, (colour, marker)) in enumerate(zip(arms, looks(arms), strict=True)):
        means, lows, highs = np.array(list(spans[arm].values())).T
        at = np.array(list(spans[arm])) * step ** (a - (len(arms) - 1) / 2)
        for place, values in zip(at, runs[arm].values(), strict=True):
            ax.plot(np.full(len(values), place), values, ".", color=colour, alpha=0.35, markersize=4)
        error = [means - lows, highs - means]
        ax.errorbar(at, means, error, fmt=f"{marker}-", color=colour, capsize=3, markersize=6, linewidth=1.2, label=arm)
        if marked is not None and arm in marked:
            k = list(spans[arm]).index(marked[arm])
            ax.plot(at[k], means[k], "o", markersize=15, fillstyle="none", color=colour)
        rounded = np.round(list(spans[arm].values()), 12) + 0.0  # a mean of 0 is not 3.6e-17, and not −0
        said = (
            f"{place:,.10g}: {write(mean)}{unit} [{write(low)}, {write(high)}]"
            for place, (mean, low, high) in zip(spans[arm], rounded, strict=True)
        )
        words.append(f"{arm}, {xlabel} {', '.join(said)}")
    words += [f"chosen on validation for {arm}: {at:,.10g}" for arm, at in (marked or {}).items()]
    words += line_at(ax, reference, percent)
    ax.set_xscale("log")
    ax.set_xticks(places, [f"{place:,.10g}" for place in places])
    ax.minorticks_off()
    if log_y:
        ax.set_yscale("log")
        plain_ticks(ax.yaxis)
    ringed = "\nringed: chosen on validation" if marked else ""
    ax.set_xlabel(f"{xlabel}\nmean and 95 % interval; each small dot is one run{ringed}")
    ax.set_ylabel((ylabel or y) + (" (%)" if percent else ""))
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    counts = sorted({len(values) for own in runs.values() for values in own.values()})
    how_many = " to ".join(str(count) for count in dict.fromkeys([counts[0], counts[-1]]))
    show(fig, f"{title}. Means with 95 % intervals, {how_many} runs each. " + "; ".join(words) + ".")


def check_positive(name, values):
    for value in values:
        if not value > 0:
            raise ValueError(f"{name} must be > 0 on a logarithmic axis, got {value}")


def plain_ticks(axis):
    """The ticks of a logarithmic axis as plain numbers, and several even where it spans less than a decade."""
    from matplotlib.ticker import AutoLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = axis.get_view_interval()
    if high < 10 * low:
        axis.set_major_locator(AutoLocator())
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
