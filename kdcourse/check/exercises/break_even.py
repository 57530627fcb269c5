"""The exercise `break_even`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _requests(one_time, teacher, student):
    return 1000 * one_time / (teacher - student)


def _or(otherwise, formula=_requests):
    """A formula, and what comes back where the student is not cheaper."""

    def answer(one_time_cost, teacher_cost, student_cost):
        return formula(one_time_cost, teacher_cost, student_cost) if student_cost < teacher_cost else otherwise

    return answer


def _bug(formula, message, *others):
    """A mistake that is recognised with infinity where the student is not cheaper, and without."""
    functions = [f for one in (formula, *others) for f in (_or(torch.inf, one), one)]
    return Bug(functions[0], message, *functions[1:])


def _costs(generator):
    """So many requests that it does not matter whether they are rounded."""
    a, b, c, d = torch.rand(4, generator=generator).tolist()
    one_time, teacher = round(200 + 5000 * a, 2), round(0.5 + 4 * b, 2)
    return one_time, teacher, round(teacher * (0.05 + 0.75 * c if d < 0.75 else 1.1 + c), 3)


break_even = Exercise(
    "break_even",
    lesson="04_student_size",
    order=2,
    reference=_or(torch.inf),
    inputs=_costs,
    small=[(30.0, 5.0, 2.0), (30.0, 2.0, 5.0), (30.0, 2.0, 2.0)],
    praise="Whether a service ever gets so many requests is the first question to ask about a distillation.",
    hints=[
        "What does one request cost less with the student than with the teacher?",
        "The costs are per 1,000 requests: the saving per request is (teacher_cost - student_cost) / 1000.",
        "Divide the one-time cost by the saving per request. And if nothing is saved? It is never paid back: infinity.",
        'return 1000 * one_time_cost / (teacher_cost - student_cost) if student_cost < teacher_cost else float("inf")',
    ],
    bugs={
        "in thousands": _bug(
            lambda one, t, s: one / (t - s),
            "That is in thousands of requests: the costs are per 1,000. Return requests.",
        ),
        "divided by a thousand": _bug(
            lambda one, t, s: one / (t - s) / 1000,
            "The thousand goes the other way: the saving per request is a thousandth of the saving per 1,000 requests.",
        ),
        "sign": _bug(
            lambda one, t, s: _requests(one, s, t),
            "The sign: the saving is the teacher's cost minus the student's.",
            lambda one, t, s: -one / (t - s),
        ),
        "teacher's cost only": _bug(
            lambda one, t, s: 1000 * one / t,
            "You divide by what the teacher costs. The student is not free: divide by the difference.",
            lambda one, t, s: one / t,
        ),
        "student's cost only": _bug(
            lambda one, t, s: 1000 * one / s,
            "You divide by what the student costs. Each request pays back what it costs less: the difference.",
            lambda one, t, s: one / s,
        ),
        "ratio of the costs": _bug(
            lambda one, t, s: 1000 * one / (t / s),
            "You divide by the ratio of the two costs. A saving is a difference, in the currency of the one-time cost.",
            lambda one, t, s: one / (t / s),
            lambda one, t, s: 1000 * one / (s / t),
            lambda one, t, s: one / (s / t),
        ),
        "share saved": _bug(
            lambda one, t, s: 1000 * one / (1 - s / t),
            "You divide by the share of the cost that is saved. What pays back is an amount: their difference.",
            lambda one, t, s: one / (1 - s / t),
        ),
        "costs added": _bug(
            lambda one, t, s: 1000 * one / (t + s),
            "You add the two costs. The saving is their difference.",
            lambda one, t, s: one / (t + s),
        ),
        "multiplied by the saving": _bug(
            lambda one, t, s: one * (t - s) / 1000,
            "You multiply by the saving. The larger it is, the sooner the cost is paid back: divide.",
            lambda one, t, s: one * (t - s) * 1000,
            lambda one, t, s: one * (t - s),
        ),
        "saving turned over": _bug(
            lambda one, t, s: (t - s) / 1000 / one,
            "That is upside down: the share of the one-time cost that one request pays back. Divide the other way.",
            lambda one, t, s: (t - s) / one,
        ),
        "comparison turned over": Bug(
            lambda one, t, s: torch.inf if s < t else -_requests(one, s, t) if s > t else 0.0,
            "Infinity comes back where the student is cheaper. It belongs where the student is not.",
            lambda one, t, s: torch.inf if s < t else _requests(one, s, t) if s > t else 0.0,
            lambda one, t, s: torch.inf if s < t else torch.inf if s == t else -_requests(one, s, t),
            lambda one, t, s: torch.inf if s < t else torch.inf if s == t else _requests(one, s, t),
        ),
        "paid back by a dearer student": Bug(
            lambda one, t, s: 1000 * one / abs(t - s) if s != t else torch.inf,
            "This student costs more than its teacher, and still pays the cost back? Without a saving it is infinity.",
        ),
        "negative": Bug(
            lambda one, t, s: _requests(one, t, s) if s != t else torch.inf,
            "A negative number of requests comes out where the student costs more. It never pays back: infinity.",
        ),
        "0 for never": Bug(
            _or(0.0),
            "Where nothing is saved, the cost is never paid back: return infinity. 0 would mean at once.",
            _or(-1.0),
            _or(torch.nan),
            _or(-torch.inf),
        ),
    },
    rules=[
        Rule(lambda n, *case: n > 0, "A number of requests is positive."),
        Rule(
            lambda n, one, t, s: s < t or torch.isinf(n),
            "The student is not cheaper here, so the cost is never paid back: infinity.",
        ),
        Rule(
            lambda n, one, t, s: s >= t or n > 999 * one / t,
            "So few requests cost less than the one-time cost, even with the teacher: they cannot have paid it back. "
            "The costs are per 1,000 requests.",
        ),
    ],
)
