"""The cost explorer: what teacher and student cost to run, and when the student has paid for its making."""

from collections.abc import Mapping

import ipywidgets
import numpy as np
import pandas as pd

from kdcourse._arguments import number, positive
from kdcourse.plots import COLOURS, MARKERS
from kdcourse.ship import break_even, cost_per_1000
from kdcourse.widgets._figure import paragraphs, plain, render, reused_figure

COLUMNS = ("ratio", "accuracy", "low", "high", "ms")
HORIZONS = {"a day": 1, "a week": 7, "a month": 30, "a year": 365, "ten years": 3650}  # in days
STYLES = {
    "teacher": {"linestyle": "-", "color": COLOURS[0], "marker": MARKERS[0]},
    "student": {"linestyle": "--", "color": COLOURS[1], "marker": MARKERS[1]},
    "break-even": {"linestyle": ":", "color": COLOURS[6], "marker": MARKERS[6], "markersize": 10, "markevery": [1]},
}


def student_size(sizes, teacher):
    """A widget with the cost of teacher and student over time, for a size, a price and a load that can be set.

    Requests are served one after the other, on a machine that is paid only while it serves. All money is in one
    currency, whichever. The time axis is the shortest of a day, a week, a month, a year and ten years that holds the
    break-even; a year where there is none.

    sizes    DataFrame with one row per student: ratio (how many times smaller than the teacher), accuracy in [0, 1]
             and its interval low, high (cut at 0 and 1: a t-interval may stick out), ms (milliseconds per request)
    teacher  dict with accuracy, in (0, 1], and ms. Its accuracy is taken as known, so the interval of the share that a
             student retains is the student's, divided by it
    returns  an ipywidgets box: ratio, price per machine-hour, requests per day, one-time cost, picture, words

    Raises TypeError or ValueError that names the argument.
    """
    sizes, teacher = _check_sizes(sizes), _check_teacher(teacher)
    wide = {"style": {"description_width": "initial"}}
    ratio = ipywidgets.SelectionSlider(
        options=[(f"{plain(ratio)}×", ratio) for ratio in sizes], description="smaller by", **wide
    )
    money = {"min": 0, "max": 1e12, **wide}
    price = ipywidgets.BoundedFloatText(value=1, step=0.1, description="price per machine-hour", **money)
    load = ipywidgets.FloatLogSlider(
        value=1e6, min=2, max=8, step=0.1, description="requests per day", readout_format=",.0f", **wide
    )
    once = ipywidgets.BoundedFloatText(value=1, step=1, description="one-time cost of the student", **money)
    image, words = ipywidgets.Image(format="png"), ipywidgets.HTML()

    fig, ax = reused_figure(7.5, 3.4)
    lines = [ax.plot([], [], label=name, clip_on=False, **style)[0] for name, style in STYLES.items()]
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set_ylabel("cost so far")
    ax.yaxis.set_major_formatter(lambda value, _: plain(value))

    def draw(_=None):
        student, per_day = sizes[ratio.value], round(load.value)
        costs = [cost_per_1000(model["ms"], price.value) for model in (teacher, student)]
        requests = break_even(once.value, *costs)
        days = requests / per_day
        horizon = "a year" if days == np.inf else next((n for n in HORIZONS if days <= HORIZONS[n]), "ten years")
        time = np.linspace(0, HORIZONS[horizon], 6)
        spent = [time * per_day * costs[0] / 1000, once.value + time * per_day * costs[1] / 1000]
        met = days if days <= time[-1] else np.nan
        mark = [met, met], [0, met * per_day * costs[0] / 1000]
        for line, points in zip(lines, [(time, spent[0]), (time, spent[1]), mark], strict=True):
            line.set_data(*points)
        most = max(spent[0][-1], spent[1][-1])
        ax.set_xlim(0, 1.03 * time[-1])
        ax.set_ylim(0, 1.05 * most if most > 0 else 1)
        ax.set_xlabel(f"days ({horizon})")
        image.value = render(fig)
        retained, low, high = (100 * student[name] / teacher["accuracy"] for name in ("accuracy", "low", "high"))
        words.value = paragraphs(
            f"{plain(ratio.value)}× smaller: retains {retained:.1f} % [{low:.1f} %, {high:.1f} %] of the teacher's "
            "accuracy.",
            f"1,000 requests cost {plain(costs[0])} with the teacher, {plain(costs[1])} with the student.",
            _when(requests, days, per_day),
            f"In {horizon}, the teacher costs {plain(spent[0][-1])}; the student costs {plain(spent[1][-1])}, its "
            "making included.",
        )

    for control in (ratio, price, load, once):
        control.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ratio, price, load, once, image, words])


def _when(requests, days, per_day):
    """The break-even in words."""
    if requests == np.inf:
        return "Break-even: never. The student saves nothing."
    whole = plain(np.ceil(round(requests, 3)))
    beyond = " (beyond the picture)" if days > max(HORIZONS.values()) else ""
    return f"Break-even: after {whole} requests, {plain(days)} days at {per_day:,} a day{beyond}."


def _check_sizes(sizes):
    """{ratio: {column: value}}, the smallest ratio first."""
    if not isinstance(sizes, pd.DataFrame):
        raise TypeError(f"sizes must be a DataFrame, got {type(sizes).__name__}")
    missing = [name for name in COLUMNS if name not in sizes.columns]
    if missing:
        raise ValueError(f"sizes must have the columns {', '.join(COLUMNS)}; {missing[0]!r} is missing")
    if len(sizes) == 0 or sizes["ratio"].duplicated().any():
        raise ValueError(f"sizes must have one row or more, one for each ratio, got ratios {sizes['ratio'].tolist()}")
    rows = {}
    for row in sizes.sort_values("ratio")[list(COLUMNS)].to_dict("records"):
        row = {name: number(f"sizes[{name!r}]", value) for name, value in row.items()}
        for name in ("ratio", "ms"):
            positive(f"sizes[{name!r}]", row[name])
        if not 0 <= row["accuracy"] <= 1:
            raise ValueError(f"sizes['accuracy'] must be in [0, 1], got {row['accuracy']}")
        if not row["low"] <= row["accuracy"] <= row["high"]:
            got = [row[name] for name in ("low", "accuracy", "high")]
            raise ValueError(f"sizes must have low <= accuracy <= high, got {got} at ratio {row['ratio']:g}")
        rows[row["ratio"]] = row | {"low": max(row["low"], 0.0), "high": min(row["high"], 1.0)}
    return rows


def _check_teacher(teacher):
    if not isinstance(teacher, Mapping) or not {"accuracy", "ms"} <= set(teacher):
        raise ValueError(f"teacher must be a dict with accuracy and ms, got {teacher!r}")
    if positive("teacher['accuracy']", teacher["accuracy"]) > 1:
        raise ValueError(f"teacher['accuracy'] must be in (0, 1], got {teacher['accuracy']}")
    return {name: positive(f"teacher[{name!r}]", teacher[name]) for name in ("accuracy", "ms")}
