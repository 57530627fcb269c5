"""Results of runs: every run a dot, every mean with its interval, every comparison with its verdict."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from kdcourse.plots.base import FULL, figure, interval_of, line_at, looks, set_title, show, units
from kdcourse.stats import Comparison


def intervals(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    title: str,
    ylabel: str | None = None,
    percent: bool = False,
    reference: tuple[str, float] | None = None,
) -> None:
    """Every run as a dot, and its arm's mean with a 95 % t-interval, in groups along the x axis.

    Parameters
    ----------
    table : DataFrame
        One row per run; a group may lack an arm, but has two runs or more of those it has.
    x, y, hue : str
        Its columns: the group, the result, the arm within the group.
    title : str
        The finding.
    ylabel : str, optional
        The column's name if left out.
    percent : bool
        Results are shares; show them as percentages.
    reference : (str, float), optional
        Name and value of a horizontal line, such as the teacher.

    Raises
    ------
    ValueError
        That names the arm and the group of a single run.

    Examples
    --------
    >>> runs = pd.DataFrame({"pictures": ["100"] * 4, "arm": ["soft", "soft", "hard", "hard"], "right": [5, 7, 1, 3]})
    >>> intervals(runs, x="pictures", y="right", hue="arm", title="Soft wins")
    [figure] Soft wins. Means with 95 % intervals. 100, soft: 6 [-6.71, 18.7], n = 2; 100, hard: 2 [-10.7, 14.7], n = 2.
    """
    groups, arms = list(dict.fromkeys(table[x])), list(dict.fromkeys(table[hue]))
    scale, unit, write = units(percent)
    runs_of = {pair: scale * own[y].to_numpy() for pair, own in table.groupby([hue, x], observed=True)}
    spans = {(arm, group): interval_of(runs, f"{arm}, {group}") for (arm, group), runs in runs_of.items()}
    fig, ax = figure(min(max(7.0, 1.0 + 0.55 * len(groups) * len(arms)), 9.5), 4.0)
    words = []
    for a, (arm, (colour, marker)) in enumerate(zip(arms, looks(arms), strict=True)):
        label = arm  # once in the key
        for g, group in enumerate(groups):
            if (arm, group) not in spans:
                continue
            runs, (mean, low, high) = runs_of[arm, group], spans[arm, group]
            at = g + (a - (len(arms) - 1) / 2) * 0.8 / len(arms)
            spread = np.linspace(-0.05, 0.05, len(runs))
            ax.plot(at + spread, runs, ".", color=colour, alpha=0.35, markersize=5)
            if percent:
                low, high = max(low, 0.0), min(high, 100.0)
            error = [[mean - low], [high - mean]]
            ax.errorbar(at, mean, error, fmt=marker, color=colour, capsize=4, markersize=7, label=label)
            label = None
            words.append(f"{group}, {arm}: {write(mean)}{unit} [{write(low)}, {write(high)}], n = {len(runs)}")
    words += line_at(ax, reference, percent)
    ax.set_xticks(range(len(groups)), groups)
    cut = " (cut at 0 and 100 %)" if percent else ""
    ax.set_xlabel(f"{x}\nmean and 95 % interval{cut}; each dot is one run")
    ax.set_ylabel((ylabel or y) + (" (%)" if percent else ""))
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. Means with 95 % intervals. " + "; ".join(words) + ".")


def differences(
    comparisons: Mapping[str, Comparison],
    *,
    title: str,
    xlabel: str,
    scale: float = 1.0,
    margin: float = 0.0,
    pairs: Mapping[str, Sequence[float]] | None = None,
    full: Mapping[str, tuple[float, float, float]] | None = None,
    said: Mapping[str, str] | None = None,
    unclear: Collection[str] | None = None,
) -> None:
    """One line per comparison: the paired difference, its interval, and the verdict in words beside it.

    A mark is filled where the interval tells, and hollow where it cannot.

    Parameters
    ----------
    comparisons : {name: Comparison}
    title : str
        The finding.
    xlabel : str
        What the differences are, with their unit.
    scale : float
        What to multiply by for display, such as 100 for points.
    margin : float
        What is too small to matter, in the comparisons' own units: a grey band.
    pairs : {name: differences of the single pairs}, optional
        To be drawn as dots.
    full : {name: (mean, low, high)}, optional
        What the full run found, as it is displayed: a bar behind the mark.
    said : {name: str}, optional
        What to write in place of the verdicts.
    unclear : collection of str, optional
        The names whose marks are hollow; None: those with the verdict "inconclusive".

    Examples
    --------
    >>> found = {"soft − hard": Comparison(0.02, 0.01, 0.03, 8, "better")}
    >>> differences(found, title="Soft wins", xlabel="points", scale=100)  # doctest: +ELLIPSIS
    [figure] Soft wins. ... soft − hard: +2.00 [+1.00, +3.00], n = 8, better.
    """
    fig, ax = figure(8.0, 1.7 + 0.5 * len(comparisons))
    names, words, full = list(comparisons), [], full or {}
    said = said or {name: result.verdict for name, result in comparisons.items()}
    ax.axvline(0, color="#666666", linewidth=1)
    if margin:
        ax.axvspan(-scale * margin, scale * margin, color="#eeeeee", zorder=0)
    for k, (name, result) in enumerate(comparisons.items()):
        mean, low, high = (scale * value for value in (result.mean, result.low, result.high))
        before = ""
        if name in full:
            middle, left, right = full[name]
            ax.plot([left, right], [k, k], color=FULL, linewidth=14, solid_capstyle="butt", zorder=1)
            ax.plot([middle, middle], [k - 0.16, k + 0.16], color="white", linewidth=2, zorder=1.5)
            before = f"; full run {middle:+.2f} [{left:+.2f}, {right:+.2f}]"
        if pairs is not None:
            single = scale * np.asarray(pairs[name])
            ax.plot(single, np.full(len(single), k + 0.3), ".", color="#777777", alpha=0.5, markersize=6)
        style = {"color": "black", "capsize": 4, "markersize": 7, "zorder": 2}
        hollow = result.verdict == "inconclusive" if unclear is None else name in unclear
        style["markerfacecolor"] = "white" if hollow else "black"
        ax.errorbar(mean, k, xerr=[[mean - low], [high - mean]], fmt="o", **style)
        ax.text(1.01, k, said[name], transform=ax.get_yaxis_transform(), va="center")
        words.append(f"{name}: {mean:+.2f} [{low:+.2f}, {high:+.2f}], n = {result.n}, {said[name]}{before}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    counts = sorted({result.n for result in comparisons.values()})
    several = f"{counts[0]} to {counts[-1]}" if len(counts) > 2 else " or ".join(map(str, counts))
    dots = "; each dot is one pair" if pairs is not None else ""
    grey = f"\ngrey: within ±{scale * margin:g}, too small to matter" if margin else ""
    bars = "\nblue bar: the full run" if full else ""
    now = "just now: " if full else ""
    ax.set_xlabel(f"{xlabel}\n{now}mean and 95 % interval of {several} pairs{dots}{bars}{grey}")
    set_title(ax, title)
    limit = f" Within ±{scale * margin:g} is too small to matter." if margin else ""
    show(fig, f"{title}. Paired differences with 95 % intervals, {xlabel}.{limit} " + "; ".join(words) + ".")


def reliability(tables: Mapping[str, pd.DataFrame], *, title: str) -> None:
    """Accuracy against confidence, bin by bin, with Wilson intervals; the diagonal is perfect calibration.

    Parameters
    ----------
    tables : {name: DataFrame}
        What `kdcourse.stats.calibration.reliability` returns.
    title : str
        The finding.

    Examples
    --------
    >>> bins = {"confidence": [0.6, 0.9], "accuracy": [0.5, 0.8], "accuracy_low": 0.4, "accuracy_high": 0.9}
    >>> reliability({"teacher": pd.DataFrame(bins)}, title="It is too sure")  # doctest: +ELLIPSIS
    [figure] It is too sure. teacher: confidence 0.60 right 0.50 [0.40, 0.90], confidence 0.90 right 0.80...
    """
    fig, ax = figure(6.4, 4.4)
    ax.plot([0, 1], [0, 1], color="#666666", linewidth=1, linestyle="--", label="perfect")
    words = []
    for (name, table), (colour, marker) in zip(tables.items(), looks(list(tables)), strict=True):
        error = [table["accuracy"] - table["accuracy_low"], table["accuracy_high"] - table["accuracy"]]
        style = {"fmt": f"{marker}-", "color": colour, "capsize": 3, "linewidth": 1.2}
        ax.errorbar(table["confidence"], table["accuracy"], error, label=name, **style)
        columns = ("confidence", "accuracy", "accuracy_low", "accuracy_high")
        bins = zip(*(table[column] for column in columns), strict=True)
        said = (f"confidence {c:.2f} right {a:.2f} [{low:.2f}, {high:.2f}]" for c, a, low, high in bins)
        words.append(f"{name}: " + ", ".join(said))
    ax.set_xlabel("mean confidence of the bin")
    ax.set_ylabel("share that is right, with 95 % interval")
    ax.set_aspect("equal")
    set_title(ax, title)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    show(fig, f"{title}. " + "; ".join(words) + ".")
