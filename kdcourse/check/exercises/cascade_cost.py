"""The exercise `cascade_cost`: what 1,000 requests cost, some of which the teacher answers as well."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _time(share, student, teacher):
    return student + share * teacher


def _cost(time=_time, unit=1 / 3600, busy=lambda utilisation: 1 / utilisation):
    """An answer: seconds of 1,000 requests, as a share of an hour, times the price; each piece can be another."""

    def answer(share, student_ms, teacher_ms, price_per_hour, utilisation):
        return time(share, student_ms, teacher_ms) * unit * price_per_hour * busy(utilisation)

    return answer


def _service(generator):
    share, student, teacher, price, busy = torch.rand(5, generator=generator).tolist()
    return (
        round(0.05 + 0.35 * share, 2),
        round(5 + 60 * student, 1),
        round(200 + 700 * teacher, 1),
        round(2 + 10 * price, 2),
        round(0.15 + 0.25 * busy, 2),
    )


cascade_cost = Exercise(
    "cascade_cost",
    lesson="09_ship_it",
    order=2,
    reference=_cost(),
    inputs=_service,
    small=[(0.25, 36.0, 720.0, 10.0, 0.5), (0.1, 20.0, 300.0, 9.0, 0.2), (0.2, 10.0, 900.0, 4.0, 0.25)],
    praise="An idle machine costs as much as a busy one.",
    hints=[
        "How long does a request keep the machine busy, on average? All of them take the student's time.",
        "milliseconds = student_ms + share * teacher_ms. A thousand requests take as many seconds.",
        "Seconds / 3600 are hours of work. The machine is paid for longer, as it is busy only `utilisation` of the "
        "time.",
        "return (student_ms + share * teacher_ms) / 3600 * price_per_hour / utilisation",
    ],
    bugs={
        "teacher without the student": Bug(
            _cost(lambda share, s, t: (1 - share) * s + share * t),
            "A request that goes on to the teacher was answered by the student first: it takes both their times.",
        ),
        "student for free": Bug(
            _cost(lambda share, s, t: share * t),
            "The student's own time is missing. Small as it is, every request takes it.",
        ),
        "teacher for all": Bug(
            _cost(lambda share, s, t: s + t),
            "All requests go to the teacher in your sum, only `share` of them in the router.",
        ),
        "share turned over": Bug(
            _cost(lambda share, s, t: s + (1 - share) * t),
            "You hand on 1 − share of the requests. `share` is what goes to the teacher.",
            _cost(lambda share, s, t: share * s + (1 - share) * t),
        ),
        "fallback at the student's price": Bug(
            _cost(lambda share, s, t: s + share * s),
            "What is handed on is answered by the teacher, and takes the teacher's time.",
        ),
        "share in per cent": Bug(
            _cost(lambda share, s, t: s + share / 100 * t),
            "You divide the share by 100. It is a fraction already: 0.1 is a tenth.",
        ),
        "utilisation forgotten": Bug(
            _cost(busy=lambda utilisation: 1),
            "`utilisation` has no effect: this machine would be paid only while it answers.",
        ),
        "utilisation the wrong way": Bug(
            _cost(busy=lambda utilisation: utilisation),
            "You multiply by the utilisation. A machine that idles half of the time costs twice as much per request: "
            "divide.",
        ),
        "idle share": Bug(
            _cost(busy=lambda utilisation: 1 / (1 - utilisation)),
            "You divide by the share of the time in which the machine is idle. Divide by the busy one.",
        ),
        "price per second": Bug(
            _cost(unit=1),
            "You take the price of an hour for that of a second: divide by 3,600.",
        ),
        "price per minute": Bug(
            _cost(unit=1 / 60),
            "You divide by 60: those are minutes. An hour has 3,600 seconds.",
        ),
        "one request": Bug(
            _cost(unit=1 / 3600 / 1000),
            "That is what a single request costs. Asked for are 1,000.",
        ),
        "milliseconds as seconds": Bug(
            _cost(unit=1000 / 3600),
            "You take milliseconds for seconds. A thousand of the one make one of the other.",
        ),
    },
    rules=[
        Rule(
            lambda cost, share, student_ms, teacher_ms, price_per_hour, utilisation: (
                cost >= student_ms / 3600 * price_per_hour
            ),
            "That is less than what the student alone would cost on a machine that is never idle.",
        ),
    ],
)
