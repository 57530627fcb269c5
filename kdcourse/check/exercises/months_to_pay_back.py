"""The exercise `months_to_pay_back`."""

import math

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _monthly(per_request=lambda t, s, f: t - s - f * t, upkeep=lambda upkeep: upkeep):
    """What a month saves: another saving per 1,000 requests, another upkeep."""
    return lambda requests, t, s, f, u: requests / 1000 * per_request(t, s, f) - upkeep(u)


def _months(saved, otherwise=math.inf):
    """Months until the one-time cost is saved, and what comes back where a month saves nothing."""

    def answer(one_time_cost, requests, teacher_cost, student_cost, fallback, upkeep):
        by_month = saved(requests, teacher_cost, student_cost, fallback, upkeep)
        return one_time_cost / by_month if by_month > 0 else otherwise

    return answer


def _bug(saved, message, *others):
    """A mistake about what a month saves, with infinity where that is nothing, and without."""
    functions = [f for one in (saved, *others) for f in (_months(one), _unguarded(one))]
    return Bug(functions[0], message, *functions[1:])


def _unguarded(saved):
    return lambda one, *case: one / saved(*case)


def _service(generator):
    """A service, whose student saves something in three of four."""
    a, b, c, d, e, f = torch.rand(6, generator=generator).tolist()
    requests, teacher = round(10 ** (5 + 3 * a)), round(0.05 + 2 * b, 3)
    student, fallback = round(teacher * (0.05 + 0.5 * c), 4), round(0.05 + 0.25 * d, 2)
    gross = requests / 1000 * (teacher * (1 - fallback) - student)
    return (
        round(500 + 20_000 * e, 2),
        requests,
        teacher,
        student,
        fallback,
        round(gross * (0.1 + 0.6 * f + (f > 0.75)), 2),
    )


_saved = _monthly()

months_to_pay_back = Exercise(
    "months_to_pay_back",
    lesson="04_student_size",
    order=1,
    reference=_months(_saved),
    inputs=_service,
    small=[
        (500.0, 1_000_000, 0.5, 0.1, 0.25, 75.0),
        (600.0, 1_000_000, 0.5, 0.1, 0.0, 100.0),
        (600.0, 1_000_000, 0.5, 0.2, 0.5, 100.0),
        (600.0, 2_000_000, 0.5, 0.1, 0.25, 0.0),
    ],
    praise="Put in your own numbers before the first training run: many students end here.",
    hints=[
        "What does a month cost with the teacher? And with the student: which three things have to be paid?",
        "Every request is answered by the student; a share `fallback` is answered by the teacher as well, and costs "
        "both. Costs are per 1,000 requests.",
        "saved = requests / 1000 * (teacher_cost - student_cost - fallback * teacher_cost) - upkeep",
        'return one_time_cost / saved if saved > 0 else float("inf")',
    ],
    bugs={
        "fallback forgotten": _bug(
            _monthly(lambda t, s, f: t - s),
            "The fallback is free in your sum. A share of the requests still goes to the teacher.",
        ),
        "fallback without the student": _bug(
            _monthly(lambda t, s, f: t - (1 - f) * s - f * t),
            "A request that falls back was answered by the student first: it costs both.",
        ),
        "fallback turned over": _bug(
            _monthly(lambda t, s, f: t - s - (1 - f) * t),
            "You send 1 − fallback of the requests on to the teacher. `fallback` is the share that goes on.",
            _monthly(lambda t, s, f: t - f * s - (1 - f) * t),
        ),
        "fallback at the student's price": _bug(
            _monthly(lambda t, s, f: t - s - f * s),
            "The fallback is answered by the teacher, at the teacher's cost.",
        ),
        "upkeep forgotten": _bug(
            _monthly(upkeep=lambda u: 0),
            "The upkeep is missing. It is paid every month, however little is asked.",
        ),
        "upkeep paid once": Bug(
            lambda one, n, t, s, f, u: (one + u) / _saved(n, t, s, f, 0) if _saved(n, t, s, f, 0) > 0 else math.inf,
            "You pay the upkeep once. It comes every month, so it lowers what a month saves.",
            lambda one, n, t, s, f, u: (one + u) / _saved(n, t, s, f, 0),
        ),
        "upkeep added": _bug(_monthly(upkeep=lambda u: -u), "The upkeep is a cost: it lowers what a month saves."),
        "upkeep per 1,000 requests": _bug(
            lambda n, t, s, f, u: n / 1000 * (t - s - f * t - u),
            "You multiply the upkeep by the requests. It is an amount per month.",
        ),
        "per request": _bug(
            lambda n, t, s, f, u: n * (t - s - f * t) - u,
            "The costs are per 1,000 requests. Divide the requests by 1,000.",
        ),
        "student for free": _bug(
            _monthly(lambda t, s, f: t - f * t),
            "The student's own cost is missing.",
        ),
        "sign": _bug(
            lambda n, t, s, f, u: -_saved(n, t, s, f, u),
            "The sign: a month saves what the teacher costs, minus all that the student costs.",
        ),
        "requests, not months": Bug(
            lambda one, n, *case: n * _months(_saved)(one, n, *case),
            "That is a number of requests. How many months do they take?",
            lambda one, n, *case: n * _unguarded(_saved)(one, n, *case),
            lambda one, n, *case: n / 1000 * _months(_saved)(one, n, *case),
        ),
        "upside down": Bug(
            lambda one, *case: max(_saved(*case), 0) / one,
            "That is upside down: the share of the one-time cost that a month pays back.",
            lambda one, *case: _saved(*case) / one,
        ),
        "rounded up": Bug(
            lambda *case: math.ceil(m) if (m := _months(_saved)(*case)) < math.inf else m,
            "You round up. Months may be fractions here; round where it is shown.",
        ),
        "negative": Bug(
            _unguarded(_saved),
            "A negative number of months comes out where a month with the student costs more. It never pays: infinity.",
        ),
        "0 for never": Bug(
            _months(_saved, 0.0),
            "Where a month saves nothing, the cost is never paid back: return infinity. 0 would mean at once.",
            *(_months(_saved, otherwise) for otherwise in (-1.0, math.nan, -math.inf)),
        ),
    },
    rules=[
        Rule(lambda months, *case: months > 0, "A number of months is positive."),
        Rule(
            lambda months, one, *case: _saved(*case) > 0 or torch.isinf(months),
            "A month with this student costs more than with the teacher: it never pays back, infinity.",
        ),
        Rule(
            lambda months, one, n, t, *case: torch.isinf(months) or months > 0.999 * one / (n / 1000 * t),
            "In so few months not even the teacher costs that much: the cost cannot have been saved.",
        ),
    ],
)
