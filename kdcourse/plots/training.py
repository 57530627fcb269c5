"""How training went: curves over the epochs, and pairs as slopes."""

from collections.abc import Mapping, Sequence

import numpy as np

from kdcourse.plots.base import figure, looks, set_title, show, units


def learning(
    curves: Mapping[str, Sequence[float]],
    *,
    title: str,
    ylabel: str,
    xlabel: str = "epoch: passes over the training pictures",
    percent: bool = False,
) -> None:
    """One line per arm over the epochs, its name at its end.

    Parameters
    ----------
    curves : {arm: a value after each epoch}
    title : str
        The finding.
    ylabel, xlabel : str
        What the values are, and what is counted from 1, if not epochs.
    percent : bool
        They are shares; show them as percentages.

    Examples
    --------
    >>> learning({"soft labels": [0.5, 0.8], "labels": [0.6, 0.7]}, title="Soft wins", ylabel="accuracy", percent=True)
    [figure] Soft wins. accuracy, from 1 to 2. soft labels: 50.0 %, at last 80.0 %; labels: 60.0 %, at last 70.0 %.
    """
    scale, unit, write = units(percent)
    fig, ax = figure(8.0, 3.8)
    words, ends = [], []
    for k, ((arm, values), (colour, marker)) in enumerate(zip(curves.items(), looks(list(curves)), strict=True)):
        shown = scale * np.asarray(values, dtype=float)
        every = max(1, len(shown) // 8)
        # Thinner from line to line, and marked at other places: of two that are equal, both can be seen.
        style = {
            "linewidth": max(1.4, 3.4 - 0.8 * k),
            "markersize": 6.5,
            "markevery": (k * every // len(curves), every),
        }
        ax.plot(np.arange(1, len(shown) + 1), shown, f"{marker}-", color=colour, **style)
        ends.append([shown[-1], arm, colour])
        words.append(f"{arm}: {write(shown[0])}{unit}, at last {write(shown[-1])}{unit}")
    low, high = ax.get_ylim()
    last, under = max(map(len, curves.values())), -np.inf
    for end, arm, colour in sorted(ends, key=lambda one: one[0]):
        under = max(end, under + 0.07 * (high - low))  # names of lines that end together stand above each other
        ax.text(last * 1.02, under, arm, color=colour, va="center", fontweight="bold")
    ax.set_ylim(top=max(high, under + 0.05 * (high - low)))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel + (" (%)" if percent else ""))
    set_title(ax, title)
    show(fig, f"{title}. {ylabel}, from 1 to {last}. {'; '.join(words)}.")


def slopes(first: Sequence[float], second: Sequence[float], *, names: tuple[str, str], title: str, ylabel: str) -> None:
    """A line for each pair, from its value in one arm to that in the other: what is luck of the pair, and what is not.

    Parameters
    ----------
    first, second : sequence of float
        Shares, shown as percentages; entry i of both is a pair.
    names : (str, str)
        Of the two arms.
    title : str
        The finding.
    ylabel : str
        What the values are.

    Examples
    --------
    >>> slopes([0.7, 0.8], [0.71, 0.82], names=("old", "new"), title="Both rise", ylabel="accuracy")
    [figure] Both rise. accuracy of 2 pairs, old to new: 2 rise; from 70.0 % to 71.0 %, from 80.0 % to 82.0 %.
    """
    pairs = [(100 * a, 100 * b) for a, b in zip(first, second, strict=True)]
    fig, ax = figure(5.5, 4.0)
    for pair in pairs:
        ax.plot([0, 1], pair, color="#999999", linewidth=1.2, zorder=1)
    for place, (colour, marker) in enumerate(looks(list(names))):
        ax.plot([place] * len(pairs), [pair[place] for pair in pairs], marker, color=colour, markersize=7)
    ax.set_xlim(-0.35, 1.35)
    ax.set_xticks([0, 1], names)
    ax.set_xlabel("each line is one pair")
    ax.set_ylabel(f"{ylabel} (%)")
    set_title(ax, title)
    rise = sum(b > a for a, b in pairs)
    said = ", ".join(f"from {a:.1f} % to {b:.1f} %" for a, b in pairs)
    show(fig, f"{title}. {ylabel} of {len(pairs)} pairs, {names[0]} to {names[1]}: {rise} rise; {said}.")
