"""What a repair did to the students of each arm: hollow before, filled after."""

from collections.abc import Mapping

import pandas as pd

from kdcourse.plots.base import figure, interval_of, looks, set_title, show


def repairs(
    table: pd.DataFrame,
    *,
    group: str,
    before: str,
    after: str,
    title: str,
    xlabel: str,
    ceiling: Mapping[str, float],
) -> None:
    """The mean share of each arm before and after a repair, group by group, in percent.

    Parameters
    ----------
    table : DataFrame
        One row per run, with the column `arm`.
    group, before, after : str
        Its columns: the group, the share before, the share after.
    title : str
        The finding.
    xlabel : str
        What the share is.
    ceiling : {group: share}
        The best that could be expected of each group.

    Examples
    --------
    >>> runs = {"left out": "hat", "arm": ["labels", "labels"], "recall": [0.0, 0.02], "repaired": [0.5, 0.6]}
    >>> repairs(pd.DataFrame(runs), group="left out", before="recall", after="repaired", title="One bias finds hats",
    ...     xlabel="recall", ceiling={"hat": 0.9})  # doctest: +ELLIPSIS
    [figure] One bias finds hats. Means with 95 % intervals after the repair. hat, labels: 1.0 %, then 55.0 % [0.0, ...
    """
    groups, arms = list(dict.fromkeys(table[group])), list(dict.fromkeys(table["arm"]))
    fig, ax = figure(8.0, 1.6 + 0.33 * len(groups) * len(arms))
    words = []
    for g, name in enumerate(groups):
        for a, (arm, (colour, marker)) in enumerate(zip(arms, looks(arms), strict=True)):
            runs, at = table[(table[group] == name) & (table["arm"] == arm)], g + (a - (len(arms) - 1) / 2) * 0.3
            start = 100 * runs[before].mean()
            mean, low, high = interval_of(100 * runs[after].to_numpy(), f"{arm}, {name}")
            low, high = max(low, 0.0), min(high, 100.0)
            ax.plot([start, mean], [at, at], color=colour, linewidth=1.5, alpha=0.35)
            style = {"color": colour, "fmt": marker, "capsize": 4, "markersize": 7, "zorder": 4, "clip_on": False}
            ax.errorbar(mean, at, xerr=[[mean - low], [high - mean]], **style, label=None if g else f"{arm}, repaired")
            hollow = {"markerfacecolor": "white", "markersize": 12, "zorder": 3, "clip_on": False}
            ax.plot(start, at, marker, color=colour, **hollow, label=None if g else f"{arm}, as trained")
            words.append(f"{name}, {arm}: {start:.1f} %, then {mean:.1f} % [{low:.1f}, {high:.1f}], n = {len(runs)}")
        best = 100 * ceiling[name]
        style = {"color": "black", "linestyle": "--", "linewidth": 1.5}
        ax.plot([best, best], [g - 0.4, g + 0.4], **style, label=None if g else "ceiling: was shown it")
        words.append(f"ceiling {best:.1f} %")
    ax.set_yticks(range(len(groups)), groups)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.set_ylabel(group)
    ax.set_xlabel(f"{xlabel} (%)\nmeans; 95 % interval of the repaired, cut at 0 and 100 %")
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. Means with 95 % intervals after the repair. " + "; ".join(words) + ".")
