"""Two figures about the size of a student: what smaller buys in time, and which size to ship."""

import math
from collections.abc import Sequence

import pandas as pd

from kdcourse.plots.base import figure, looks, plain, set_title, show
from kdcourse.plots.curves import check_positive, plain_ticks

REGION = "#DCEFE6"  # what could be shipped
FILLS = ["full", "none"]  # markers of the first kind of student, and of the second
FACES = ["black", "white", "#999999"]  # the same where no arm has a colour, and of a third
LINES = ["-", "--"]


def faster(table: pd.DataFrame, *, kind: str, title: str) -> None:
    """How many times faster students are against how many times smaller, beside what the sizes seem to promise.

    Parameters
    ----------
    table : DataFrame
        One row per student: smaller (times fewer parameters than the teacher), and faster, faster_low and faster_high,
        as `ship.latency` returns them.
    kind : str
        A column that tells the kinds of students apart, three at most.
    title : str
        The finding.

    Examples
    --------
    >>> two = pd.DataFrame({"smaller": [2, 10], "faster": [1.4, 3], "faster_low": 1.2, "faster_high": 3.5})
    >>> faster(two.assign(kind="CNN"), kind="kind", title="Ten times smaller, three times faster")  # doctest: +ELLIPSIS
    [figure] Ten times smaller, three times faster. ... CNN: 2× smaller, 1.4× faster [1.2, 3.5]; 10× smaller, 3×...
    """
    check_positive("smaller", table["smaller"])
    check_positive("faster_low", table["faster_low"])
    fig, ax = figure(8.0, 4.2)
    ends = [table["smaller"].min(), table["smaller"].max()]
    ax.plot(ends, ends, "--", color="#666666", linewidth=1)
    ax.annotate("as many times faster\nas smaller", (ends[1], ends[1]), (8, -4), textcoords="offset points", fontsize=9)
    words = []
    for one, face in zip(dict.fromkeys(table[kind]), FACES, strict=False):
        rows = table[table[kind] == one].sort_values("smaller")
        error = [rows["faster"] - rows["faster_low"], rows["faster_high"] - rows["faster"]]
        ax.errorbar(rows["smaller"], rows["faster"], error, fmt="o-", color="black", mfc=face, capsize=3, elinewidth=1)
        last = rows.iloc[-1]
        ax.annotate(str(one), (last["smaller"], last["faster"]), (8, -4), textcoords="offset points")
        numbers = rows[["smaller", "faster", "faster_low", "faster_high"]].map(plain).to_numpy()
        words.append(f"{one}: " + "; ".join(f"{s}× smaller, {f}× faster [{a}, {b}]" for s, f, a, b in numbers))
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sorted(set(table["smaller"])), [f"{one:g}×" for one in sorted(set(table["smaller"]))])
    ax.minorticks_off()
    plain_ticks(ax.yaxis)
    ax.set_xlabel("times fewer parameters than the teacher")
    ax.set_ylabel("times faster than the teacher")
    ax.margins(x=0.12)
    set_title(ax, title)
    show(fig, f"{title}. With 95 % intervals. " + ". ".join(words) + ".")


def decision(
    table: pd.DataFrame,
    *,
    floor: float,
    budget: float,
    title: str,
    sentence: str,
    xlabel: str,
    chosen: Sequence | None = None,
) -> None:
    """The chart for the meeting: accuracy over cost, the region that could be shipped, and the student that is chosen.

    Parameters
    ----------
    table : DataFrame
        One row per model: name, arm, kind, cost (> 0), accuracy, low, high (shares; where low and high are NaN, there
        is no interval). Kinds are the teacher's and two of students at most. Students on "labels" are faint.
    floor, budget : float
        The least accuracy, a share, and the greatest cost with which a model can be shipped.
    title, sentence : str
        The finding, and what it means, below the chart.
    xlabel : str
        What the cost is, with its unit.
    chosen : (arm, kind, name), optional
        The model to be circled.

    Raises
    ------
    ValueError
        For a cost that is not positive.

    Examples
    --------
    >>> names = {"name": ["teacher", "10×"], "arm": ["teacher", "soft labels"], "kind": ["teacher", "CNN"]}
    >>> models = pd.DataFrame(names).assign(cost=[700, 200], accuracy=[0.937, 0.915])
    >>> models = models.assign(low=[0.93, 0.91], high=[0.94, 0.92])
    >>> how = {"title": "Ship 10×", "sentence": "It saves 500 a month.", "xlabel": "cost in a month"}
    >>> decision(models, floor=0.9, budget=300, chosen=("soft labels", "CNN", "10×"), **how)  # doctest: +ELLIPSIS
    [figure] Ship 10×. It saves 500 a month. ... CNN on soft labels 10×: 200, 91.5 % [91.0, 92.0], circled. Could be...
    """
    check_positive("cost", table["cost"])
    fig, ax = figure(8.5, 5.0)
    ax.set_xscale("log")
    left, right = table["cost"].min() / 1.6, table["cost"].max() * 1.6
    top = min(100, 5 * math.ceil(20 * table[["accuracy", "high"]].max(axis=None) + 0.2))
    bottom = 5 * math.floor(20 * table[["accuracy", "low"]].min(axis=None))
    ax.fill_between([left, budget], 100 * floor, top, color=REGION, linewidth=0, zorder=0)
    ax.text(left * 1.05, top - 0.3, "could be shipped", color="#2C6E4F", va="top")
    kinds = [one for one in dict.fromkeys(table["kind"]) if one != "teacher"]
    colour_of = dict(zip(dict.fromkeys(table["arm"]), looks(list(dict.fromkeys(table["arm"]))), strict=True))
    words, handles = [], []
    for (kind, arm), rows in table.groupby(["kind", "arm"], sort=False):
        (colour, marker), place = colour_of[arm], kinds.index(kind) if kind in kinds else 0
        values = 100 * rows[["accuracy", "low", "high"]]
        style = {"color": colour, "alpha": 0.35 if arm == "labels" else 1.0, "fillstyle": FILLS[place], "markersize": 7}
        style |= {
            "marker": marker,
            "linestyle": LINES[place],
            "label": arm if kind == "teacher" else f"{kind} on {arm}",
        }
        if values["low"].isna().all():
            handles += ax.plot(rows["cost"], values["accuracy"], **style)
        else:
            error = [values["accuracy"] - values["low"], values["high"] - values["accuracy"]]
            handles.append(ax.errorbar(rows["cost"], values["accuracy"], error, capsize=3, elinewidth=1, **style))
            if arm != "labels":  # as faint as their marks would have to be
                _name(ax, rows, (top - bottom) / 22)
        for row in rows.itertuples():
            here = chosen is not None and (arm, kind, row.name) == tuple(chosen)
            words.append(_said(style["label"], row, here))
            if here:
                ax.plot(row.cost, 100 * row.accuracy, "o", markersize=24, fillstyle="none", color="black", mew=2)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    plain_ticks(ax.xaxis)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("accuracy on test (%)")
    set_title(ax, title)
    ax.legend(handles=handles, frameon=False, loc="lower right")
    fig.supxlabel(sentence, fontsize=11)
    region = f"Could be shipped: {100 * floor:.1f} % or more for {plain(budget)} or less"
    show(fig, f"{title}. {sentence} Against {xlabel}, with intervals: {'; '.join(words)}. {region}.")


def _name(ax, rows, apart):
    """Names beside their marks, in the same order from above: on the left where another mark stands close by.

    A line leads from a mark to a name that had to make room.

    apart  the least distance between two names, in percent
    """
    from matplotlib.transforms import offset_copy

    above: dict[str, float] = {}
    for row in rows.sort_values("accuracy", ascending=False).itertuples():
        crowded = ((rows["cost"] > row.cost) & (rows["cost"] < 1.5 * row.cost)).any()
        side, away = ("right", -12) if crowded else ("left", 12)
        at = 100 * row.accuracy
        above[side] = min(at, above.get(side, float("inf")) - apart)
        beside = offset_copy(ax.transData, ax.figure, x=away, units="points")
        place = {"xytext": (row.cost, above[side]), "textcoords": beside, "ha": side, "va": "center"}
        if at - above[side] > apart / 4:
            place["arrowprops"] = {"arrowstyle": "-", "color": "#777777", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3}
        ax.annotate(row.name, (row.cost, at), **place, fontsize=9)


def _said(label, row, circled):
    name = "" if label == row.name else f" {row.name}"
    interval = f" [{100 * row.low:.1f}, {100 * row.high:.1f}]" if row.low == row.low else ""
    return f"{label}{name}: {plain(row.cost)}, {100 * row.accuracy:.1f} %{interval}{', circled' if circled else ''}"
