"""The explorer of student sizes: what a student retains, what it costs, and when it has paid for its making."""

import math

import traitlets

from kdcourse._arguments import integer, number
from kdcourse._javascript import bundle
from kdcourse.plots import COLOURS, MARKERS
from kdcourse.ship import break_even, cost_per_1000
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._figure import plain, reused_figure
from kdcourse.widgets._sizes import check_sizes, check_teacher, full_run, just_measured
from kdcourse.widgets._traits import Bounded

HORIZONS = {"a day": 1, "a week": 7, "a month": 30, "a year": 365, "ten years": 3650}  # in days
ENOUGH = 95  # percent of the teacher's accuracy
MOST_MONEY = 1e12
STYLES = {
    "teacher": {"linestyle": "-", "color": COLOURS[0], "marker": MARKERS[0]},
    "student": {"linestyle": "--", "color": COLOURS[1], "marker": MARKERS[1]},
    "break-even": {"linestyle": ":", "color": COLOURS[2], "marker": MARKERS[6], "markersize": 10, "markevery": [1]},
}


def student_size(sizes=None, teacher=None, *, price=1.0, requests_per_day=1_000_000, one_time_cost=100.0):
    """A widget with what students of each size retain and cost, for a price and a load that can be set.

    Requests are served one after the other, on a machine that is paid only while it serves. All money is in one
    currency, whichever. The time axis is the shortest of a day, a week, a month, a year and ten years that holds the
    break-even; a year where there is none.

    sizes    DataFrame with one row per student: ratio (how many times smaller than the teacher), accuracy in [0, 1]
             and its interval low, high (cut at 0 and 1: a t-interval may stick out), ms (milliseconds per request).
             It can be chosen beside the committed full run of lesson 04, which is there in any case
    teacher  dict with accuracy, in (0, 1], and ms. Its accuracy is taken as known, so the interval of the share that a
             student retains is the student's, divided by it
    price    of the machine for an hour; one_time_cost of the student, its people included; both in [0, 1e12]
    requests_per_day  from 100 to 100,000,000
    returns  StudentSize

    Raises TypeError or ValueError that names the argument.
    """
    if (sizes is None) != (teacher is None):
        missing = "teacher" if teacher is None else "sizes"
        raise ValueError(f"sizes and teacher must be given together, or neither; {missing} is missing")
    own = [] if sizes is None else [just_measured(check_sizes(sizes), check_teacher(teacher))]
    values = {"price": price, "requests_per_day": requests_per_day, "one_time_cost": one_time_cost}
    return StudentSize(curves=[*own, *full_run()], **values)


class Requests(Bounded):
    """A whole number of requests; what is between two is rounded."""

    def validate(self, owner, value):
        return math.floor(super().validate(owner, value) + 0.5)


class StudentSize(Explorer):
    """What `student_size` returns.

    curve             place of the accuracies among those that can be chosen (`curves`), from 0
    ratio             how many times smaller than the teacher the student is: one of the curve's
    price             of the machine for an hour, in [0, 1e12]
    requests_per_day  in [100, 1e8]
    one_time_cost     of the student, in [0, 1e12]
    numbers           dict of what is shown: retained, low, high (shares of the teacher's accuracy), teacher_cost and
                      student_cost (of 1,000 requests), break_even_requests and break_even_days (infinity for never),
                      horizon (its name), teacher_spent and student_spent at its end
    """

    module = "student_size"
    _esm = bundle("student_size")
    curves = traitlets.List().tag(sync=True)
    curve = traitlets.Int(0).tag(sync=True)
    ratio = traitlets.Float(10.0).tag(sync=True)
    price = Bounded(1.0, 0.0, MOST_MONEY).tag(sync=True)
    requests_per_day = Requests(1_000_000, 1e2, 1e8).tag(sync=True)
    one_time_cost = Bounded(100.0, 0.0, MOST_MONEY).tag(sync=True)

    def __init__(self, **values):
        values.setdefault("ratio", _nearest(values["curves"][values.get("curve", 0)]["sizes"], 10.0)["ratio"])
        super().__init__(**values)

    @property
    def numbers(self):
        return _numbers(self.curves[self.curve], self.ratio, self.price, self.requests_per_day, self.one_time_cost)

    def say(self):
        """What the explorer says, as a list of sentences; the first is the finding."""
        return _say(self.curves[self.curve], self.numbers, self.ratio, self.requests_per_day)

    @traitlets.validate("curve")
    def _is_there(self, proposal):
        place = integer("curve", proposal["value"], at_least=0)
        if place >= len(self.curves):
            raise ValueError(f"curve must be in [0, {len(self.curves)}), got {place}")
        return place

    @traitlets.validate("ratio")
    def _is_measured(self, proposal):
        ratios = [size["ratio"] for size in self.curves[self.curve]["sizes"]]
        if number("ratio", proposal["value"]) not in ratios:
            raise ValueError(f"ratio must be one of {', '.join(map(plain, ratios))}, got {proposal['value']:g}")
        return float(proposal["value"])

    @traitlets.observe("curve")
    def _take_a_ratio_of_it(self, _):
        self.ratio = _nearest(self.curves[self.curve]["sizes"], self.ratio)["ratio"]

    def picture(self):
        curve, numbers = self.curves[self.curve], self.numbers
        fig, (left, right) = reused_figure(9.0, 3.9, ncols=2)
        _draw_accuracies(left, curve, self.ratio)
        _draw_costs(right, numbers, self.requests_per_day, self.one_time_cost)
        finding, *lines = self.say()
        fig.suptitle(finding, fontsize=12, x=0.01, ha="left")
        others = ", ".join(
            f"{plain(size['ratio'])}× {kept:.1f} [{low:.1f}, {high:.1f}]"
            for size in curve["sizes"]
            for kept, low, high in [_percent_retained(curve["teacher"], size)]
        )
        alt = f"{finding} {' '.join(lines)} Percent retained at every size ({curve['name']}): {others}."
        return fig, alt


def _nearest(sizes, ratio):
    """The size whose ratio is nearest, as a factor; the smaller of two."""
    return min(sizes, key=lambda size: abs(math.log(size["ratio"] / ratio)))


def _percent_retained(teacher, size):
    return [100 * size[name] / teacher["accuracy"] for name in ("accuracy", "low", "high")]


def _numbers(curve, ratio, price, per_day, once):
    teacher, size = curve["teacher"], _nearest(curve["sizes"], ratio)
    teacher_cost, student_cost = (cost_per_1000(model["ms"], price) for model in (teacher, size))
    requests = break_even(once, teacher_cost, student_cost)
    days = requests / per_day
    horizon = "a year" if days == math.inf else next((n for n in HORIZONS if days <= HORIZONS[n]), "ten years")
    length = HORIZONS[horizon]
    return {
        "retained": size["accuracy"] / teacher["accuracy"],
        "low": size["low"] / teacher["accuracy"],
        "high": size["high"] / teacher["accuracy"],
        "teacher_cost": teacher_cost,
        "student_cost": student_cost,
        "break_even_requests": requests,
        "break_even_days": days,
        "horizon": horizon,
        "teacher_spent": length * per_day * teacher_cost / 1000,
        "student_spent": once + length * per_day * student_cost / 1000,
    }


def _say(curve, numbers, ratio, per_day):
    """As static/student_size.js says it; a test compares the two."""
    kept, low, high = _percent_retained(curve["teacher"], _nearest(curve["sizes"], ratio))
    size, days = f"{plain(ratio)}× smaller", numbers["break_even_days"]
    return [
        f"{size}: {_verdict(low, high)} {ENOUGH} % of the teacher's accuracy. {_payback(days)}",
        f"{size}: retains {kept:.1f} % [{low:.1f} %, {high:.1f} %] of the teacher's accuracy.",
        f"1,000 requests cost {plain(numbers['teacher_cost'])} with the teacher, {plain(numbers['student_cost'])} with "
        "the student.",
        _when(numbers["break_even_requests"], days, per_day),
        f"In {numbers['horizon']}, the teacher costs {plain(numbers['teacher_spent'])}; the student costs "
        f"{plain(numbers['student_spent'])}, its making included.",
    ]


def _verdict(low, high):
    if low >= ENOUGH:
        return "shown to keep"
    return "shown to keep less than" if high < ENOUGH else "these runs cannot tell whether it keeps"


def _payback(days):
    if days == math.inf:
        return "It never pays back."
    return "It pays back at once." if days == 0 else f"It pays back after {plain(days)} days."


def _when(requests, days, per_day):
    """The break-even in words."""
    if requests == math.inf:
        return "Break-even: never. The student saves nothing."
    whole = plain(math.ceil(round(requests, 3)))
    beyond = " (beyond the picture)" if days > max(HORIZONS.values()) else ""
    return f"Break-even: after {whole} requests, {plain(days)} days at {per_day:,} a day{beyond}."


def _draw_accuracies(ax, curve, ratio):
    """How much students of all sizes retain, the chosen one in colour."""
    for place, size in enumerate(curve["sizes"]):
        kept, low, high = _percent_retained(curve["teacher"], size)
        here = size["ratio"] == ratio
        look = {"color": COLOURS[1] if here else "#777777", "marker": MARKERS[1], "markersize": 8 if here else 6}
        ax.errorbar([place], [kept], [[kept - low], [high - kept]], capsize=3, elinewidth=1.6, **look)
    ax.axhline(ENOUGH, color="#333333", linestyle="--", linewidth=1.2, zorder=0)
    ax.annotate(f"{ENOUGH} %", (1, ENOUGH), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9)
    ax.set_xticks(range(len(curve["sizes"])), [f"{plain(size['ratio'])}×" for size in curve["sizes"]])
    ax.set_xlim(-0.5, len(curve["sizes"]) - 0.5)
    ax.set_xlabel("times smaller than the teacher")
    ax.set_ylabel("accuracy retained (% of the teacher's)")
    ax.set_title(f"{curve['name']}, with intervals", fontsize=10, loc="left")


def _draw_costs(ax, numbers, per_day, once):
    """What teacher and student have cost so far, day by day."""
    length, days = HORIZONS[numbers["horizon"]], numbers["break_even_days"]
    met = days if days <= length else math.nan
    at = met * per_day * numbers["teacher_cost"] / 1000
    lines = {
        "teacher": ([0, length], [0, numbers["teacher_spent"]]),
        "student": ([0, length], [once, numbers["student_spent"]]),
        "break-even": ([met, met], [0, at]),
    }
    for name, points in lines.items():
        ax.plot(*points, label=name, clip_on=False, **STYLES[name])
    most = max(numbers["teacher_spent"], numbers["student_spent"], once)
    ax.set_xlim(0, 1.03 * length)
    ax.set_ylim(0, 1.05 * most if most > 0 else 1)
    ax.yaxis.set_major_formatter(lambda value, _: plain(value))
    ax.set_xlabel(f"days ({numbers['horizon']})")
    ax.set_ylabel("cost so far")
    ax.legend(frameon=False, fontsize=9, loc="upper left")
