"""The explorer of student sizes: what a student retains, what it costs, and when it has paid for its making."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import traitlets

from kdcourse._arguments import number
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._sizes import check_sizes, check_teacher, full_run, just_measured
from kdcourse.widgets._traits import Bounded, Flag, Place, Whole

MOST_MONEY = 1e12


def student_size(
    sizes: pd.DataFrame | None = None,
    teacher: Mapping[str, float] | None = None,
    *,
    price: float = 1.0,
    requests_per_day: int = 1_000_000,
    one_time_cost: float = 100.0,
    fallback: float = 0.0,
    upkeep: float = 0.0,
    listed: bool = False,
) -> "StudentSize":
    """A widget with what students of each size retain and cost, for a price and a load that can be set.

    Parameters
    ----------
    sizes : DataFrame, optional
        One row per student: ratio (how many times smaller than the teacher), accuracy in [0, 1] and its interval low,
        high (cut at 0 and 1: a t-interval may stick out), ms (milliseconds per request). It can be chosen beside the
        committed full run of lesson 04, which is there in any case.
    teacher : dict, optional
        accuracy, in (0, 1], and ms. Its accuracy is taken as known, so the interval of the share that a student
        retains is the student's, divided by it.
    price : float
        Of the machine for an hour, in [0, 1e12].
    requests_per_day : int
        From 100 to 100,000,000.
    one_time_cost : float
        Of the student, its people included, in [0, 1e12].
    fallback : float
        The share of the requests that the student hands on to the teacher, in [0, 1]. These cost both.
    upkeep : float
        Of the student in a month of 30 days, in [0, 1e12], such as retraining.
    listed : bool
        Requests are paid by the request, whatever the price: 0.10 for 1,000 with the teacher, 0.01 with the student.

    Returns
    -------
    StudentSize

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Notes
    -----
    Requests are served one after the other, on a machine that is paid only while it serves. All money is in one
    currency, whichever. The time axis is the shortest of a day, a week, a month, a year and ten years that holds the
    break-even; a year where there is none.

    Examples
    --------
    >>> explorer = student_size(price=0.5)
    >>> explorer.ratio
    10.0
    >>> explorer.ratio = 20
    """
    if (sizes is None) != (teacher is None):
        missing = "teacher" if teacher is None else "sizes"
        raise ValueError(f"sizes and teacher must be given together, or neither; {missing} is missing")
    own = [] if sizes is None else [just_measured(check_sizes(sizes), check_teacher(teacher))]
    curves = [*own, *full_run()]
    money = {"price": price, "requests_per_day": requests_per_day, "one_time_cost": one_time_cost}
    money |= {"fallback": fallback, "upkeep": upkeep, "listed": listed}
    return StudentSize(curves=curves, ratio=_nearest(curves[0], 10.0), **money)


class StudentSize(Explorer):
    """What `student_size` returns.

    Attributes
    ----------
    curve : int
        Place of the accuracies among those that can be chosen (`curves`), from 0.
    ratio : float
        How many times smaller than the teacher the student is: one of the curve's. Another curve takes its nearest.
    price, requests_per_day, one_time_cost, fallback, upkeep, listed
        As in `student_size`.
    """

    title = "The size of a student"
    lesson = "04_student_size"
    question = (
        "Put in a price, a traffic and what the work around a student costs, and read off when it has paid for itself. "
        "From which traffic on does it pay within a year? How many requests can be handed on to the teacher before it "
        "never does? Change the size alone: how far does the payback move?"
    )

    curves: traitlets.List = traitlets.List().tag(sync=True)
    curve = Place("curves").tag(sync=True)
    ratio = traitlets.Float(10.0).tag(sync=True)
    price = Bounded(1.0, 0.0, MOST_MONEY).tag(sync=True)
    requests_per_day = Whole(1_000_000, 100, 100_000_000).tag(sync=True)
    one_time_cost = Bounded(100.0, 0.0, MOST_MONEY).tag(sync=True)
    fallback = Bounded(0.0, 0.0, 1.0).tag(sync=True)
    upkeep = Bounded(0.0, 0.0, MOST_MONEY).tag(sync=True)
    listed = Flag(False).tag(sync=True)

    @traitlets.validate("ratio")
    def _is_measured(self, proposal):
        ratios = [size["ratio"] for size in self.curves[self.curve]["sizes"]]
        if number("ratio", proposal["value"]) not in ratios:
            raise ValueError(f"ratio must be one of {', '.join(f'{one:g}' for one in ratios)}, got {proposal['value']}")
        return float(proposal["value"])

    @traitlets.observe("curve")
    def _take_a_ratio_of_it(self, _):
        self.ratio = _nearest(self.curves[self.curve], self.ratio)


def _nearest(curve: dict[str, Any], ratio: float) -> float:
    """The ratio of the curve that is nearest, as a factor; the smaller of two."""
    return min((size["ratio"] for size in curve["sizes"]), key=lambda one: abs(math.log(one / ratio)))
