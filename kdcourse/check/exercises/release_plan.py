"""The exercise `release_plan`: many plans are right."""

import datetime

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.memo import Plan

_NAMES = ["group", "length", "language", "garment", "class", "confidence"]
_SLACK = "This margin would let a tenth of all answers in a slice get worse. Who would agree to that before the audit?"
_POINTS = "The margin is a share: three points are 0.03."
_ZERO = "Nothing passes a margin of 0: that a student loses nothing at all cannot be shown with any number of examples."
_SMALL = "So few examples decide nothing, whatever they say. Judge slices from some 30 to 100 examples on."
_LARGE = "With such a min_samples hardly any slice is ever judged, and what is not judged is not shown to be safe."
_LEFT_OUT = "A slice is left out. What is looked at later, when the result is known, proves nothing."
_UNKNOWN = "The audit has no slice of that name. Take the names that you are given."
_LATE = "It is dated after the audit, which is today's. A promise comes first."
_FIXED = "The date does not follow `today`. A plan that is copied with an old date was not written for this student."


def _described(answer, slices, today):
    """(margin, min_samples, names that there are not, names left out, days from today) of a plan; −1s for none."""
    plan = answer(list(slices), today)
    if not isinstance(plan, Plan):
        return None if plan is None else (-1.0,) * 5
    days = (plan.written - datetime.date.fromisoformat(today)).days
    unknown, left_out = set(plan.slices) - {*slices}, {*slices} - set(plan.slices)
    return (plan.margin, plan.min_samples, len(unknown), len(left_out), days)


def _plan(margin=0.03, min_samples=50, named=lambda slices: slices, dated=lambda today: today):
    return lambda slices, today: Plan(
        margin=margin, slices=named(slices), min_samples=min_samples, written=dated(today)
    )


def _in_days(days):
    return lambda today: datetime.date.fromisoformat(today) + datetime.timedelta(days)


def _a_right_one(slices, today):
    return _plan()(slices, today)


def _audits(generator):
    order = torch.randperm(len(_NAMES), generator=generator).tolist()
    count = 2 + int(torch.randint(3, (), generator=generator))
    day = datetime.date(2027, 1, 1) + datetime.timedelta(int(torch.randint(2000, (), generator=generator)))
    return [_NAMES[place] for place in order[:count]], day.isoformat()


release_plan = Exercise(
    "release_plan",
    lesson="10_capstone",
    order=2,
    reference=_a_right_one,
    through=_described,
    inputs=_audits,
    small=[(["group", "length"], "2026-11-26"), (["garment", "confidence", "class"], "2027-02-28")],
    open_ended=True,
    praise="It is dated, it leaves no slice out, and it can be kept or broken.",
    hints=[
        "A Plan needs margin, slices, min_samples and written. Two of the four you are given.",
        "What would you sign? A share such as 0.02 or 0.05, below which nobody would complain.",
        "Plan(margin=…, slices=slices, min_samples=50, written=today)",
    ],
    bugs={
        "points": Bug(_plan(margin=3.0), _POINTS),
        "no margin": Bug(_plan(margin=0.0), _ZERO),
        "a margin that nothing breaks": Bug(_plan(margin=0.1001), _SLACK, _plan(margin=0.2)),
        "single examples": Bug(_plan(min_samples=1), _SMALL, _plan(min_samples=10)),
        "nothing is judged": Bug(_plan(min_samples=5_000), _LARGE, _plan(min_samples=1_000)),
        "the first slice alone": Bug(_plan(named=lambda slices: slices[:1]), _LEFT_OUT),
        "other names": Bug(_plan(named=lambda slices: [*slices, "all"]), _UNKNOWN),
        "dated tomorrow": Bug(_plan(dated=_in_days(1)), _LATE),
        "an old date": Bug(_plan(dated=lambda today: "2026-01-01"), _FIXED),
    },
    rules=[
        Rule(lambda said, *case: said.shape == (5,) and bool((said != -1).any()), "Return a Plan."),
        Rule(lambda said, *case: said[0] < 1, _POINTS),
        Rule(lambda said, *case: said[0] > 0, _ZERO),
        Rule(lambda said, *case: said[0] <= 0.1, _SLACK),
        Rule(lambda said, *case: said[1] >= 20, _SMALL),
        Rule(lambda said, *case: said[1] <= 500, _LARGE),
        Rule(lambda said, *case: said[2] == 0, _UNKNOWN),
        Rule(lambda said, *case: said[3] == 0, _LEFT_OUT),
        Rule(lambda said, *case: said[4] <= 0, _LATE),
        Rule(lambda said, *case: said[4] == 0, _FIXED),
    ],
)
