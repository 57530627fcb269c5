"""The exercise `choose_student`: several answers are right."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _passes(accuracy, low, median_ms, p99_ms, floor, max_ms):
    return (low >= floor) & (p99_ms <= max_ms)


def _cheapest(accuracy, low, median_ms, p99_ms):
    return -median_ms


def _most_accurate(accuracy, low, median_ms, p99_ms):
    return accuracy


def _best(keep=_passes, by=_cheapest, otherwise=-1):
    """The place of the best of those that are kept."""

    def answer(*case):
        kept = keep(*case).nonzero().flatten()
        return kept[by(*case[:4])[kept].argmax()] if len(kept) else otherwise

    return answer


def _a_right_one(accuracy, low, median_ms, p99_ms, floor, max_ms):
    return _best()(accuracy, low, median_ms, p99_ms, floor, max_ms)


def _bug(keep, message):
    """Another idea of what passes: the cheapest of those, or the best."""
    return Bug(_best(keep), message, _best(keep, _most_accurate), _best(keep, lambda a, low, *times: low))


def _dominated(place, case):
    """Whether another student passes too and is better in something, and worse in nothing."""
    accuracy, low, median_ms, p99_ms = case[:4]
    columns = torch.stack([accuracy, low, -median_ms, -p99_ms])
    ours = columns[:, place, None]
    return bool(((columns >= ours).all(0) & (columns > ours).any(0) & _passes(*case)).any())


def _students(generator):
    """Students that become faster and worse on the whole, none of which lies at a limit."""
    size = int(torch.randint(4, 8, (), generator=generator))

    def some(low, high):
        return low + (high - low) * torch.rand(size, generator=generator)

    median_ms = (10 ** some(-1, 0.7)).sort(descending=True).values * some(0.6, 1.0)
    accuracy = torch.linspace(0.94, 0.84, size) + some(-0.03, 0.02)
    low, p99_ms = accuracy - some(0.002, 0.03), median_ms * some(1.1, 5.0)
    floor = 0.80005 + round(0.13 * float(torch.rand((), generator=generator)), 4)
    max_ms = 0.50005 + round(8 * float(torch.rand((), generator=generator)), 2)
    return *((10_000 * column).round() / 10_000 for column in (accuracy, low, median_ms, p99_ms)), floor, max_ms


_SMALL = [  # accuracy, low, median and p99; the limits are 0.9 and 4 ms
    ([0.90, 0.93, 0.95, 0.89], [0.888, 0.918, 0.938, 0.883], [1.2, 0.4, 1.8, 0.7], [6.4, 2.2, 3.1, 3.7]),
    ([0.93, 0.91, 0.94, 0.87], [0.918, 0.875, 0.905, 0.835], [2.6, 0.7, 1.2, 0.4], [5.5, 2.2, 5.5, 3.1]),
    ([0.89, 0.94, 0.93, 0.96], [0.883, 0.905, 0.908, 0.925], [0.4, 1.2, 0.7, 4.6], [0.9, 3.1, 1.5, 5.5]),
    ([0.86, 0.88, 0.89, 0.91], [0.848, 0.858, 0.855, 0.898], [1.2, 0.4, 1.8, 4.6], [3.1, 8.2, 6.4, 5.5]),
    ([0.94, 0.92, 0.96, 0.95], [0.918, 0.885, 0.938, 0.938], [2.6, 1.8, 0.7, 1.2], [3.7, 3.7, 0.9, 3.7]),
    ([0.87, 0.86, 0.96, 0.88], [0.858, 0.848, 0.948, 0.858], [1.2, 2.6, 4.6, 0.7], [3.1, 5.5, 5.5, 3.7]),
]

choose_student = Exercise(
    "choose_student",
    lesson="04_student_size",
    order=2,
    reference=_a_right_one,
    inputs=_students,
    small=[(*map(torch.tensor, columns), 0.9, 4.0) for columns in _SMALL],
    praise="It promises what was shown, keeps the promise for 99 of 100 requests, and wastes nothing.",
    hints=[
        "Which students pass? Accuracy must be shown to reach the floor, and slow answers count, not typical ones.",
        "passes = (low >= floor) & (p99_ms <= max_ms). If none does, return −1.",
        "Of those that pass, take a cheapest or a most accurate one. Mind that its place among all is asked for.",
        "places = passes.nonzero().flatten(); if len(places) == 0: return -1; "
        "return places[median_ms[places].argmin()].item()",
    ],
    bugs={
        "accuracy without its interval": _bug(
            lambda a, low, median, p99, floor, most: (a >= floor) & (p99 <= most),
            "You compare the mean accuracy with the floor. It is shown to reach it where `low` does.",
        ),
        "median in place of p99": _bug(
            lambda a, low, median, p99, floor, most: (low >= floor) & (median <= most),
            "You compare the median with max_ms: half of the users wait longer than that. Look at p99_ms.",
        ),
        "no limit on time": _bug(
            lambda a, low, median, p99, floor, most: low >= floor,
            "max_ms has no effect: this student is too slow for one request in a hundred.",
        ),
        "no limit on accuracy": _bug(
            lambda a, low, median, p99, floor, most: p99 <= most,
            "The floor has no effect: this student may be worse than what was asked.",
        ),
        "no limit at all": _bug(
            lambda a, *case: torch.ones_like(a, dtype=torch.bool),
            "Neither limit has an effect. Keep only those that pass both.",
        ),
        "place among those that pass": Bug(
            lambda *case: _best()(*(c[_passes(*case)] for c in case[:4]), *case[4:]) if _passes(*case).any() else -1,
            "That is a place among those that pass. Return the place among all students.",
            lambda *case: (
                _best(by=_most_accurate)(*(c[_passes(*case)] for c in case[:4]), *case[4:])
                if _passes(*case).any()
                else -1
            ),
        ),
        "the first that passes": Bug(
            lambda *case: _passes(*case).nonzero().flatten()[0] if _passes(*case).any() else -1,
            "You take the first that passes. Here, another one passes that is cheaper, faster and more accurate.",
        ),
        "the last that passes": Bug(
            lambda *case: _passes(*case).nonzero().flatten()[-1] if _passes(*case).any() else -1,
            "You take the last that passes. The order of the rows says nothing: compare what they cost.",
        ),
        "the dearest": Bug(
            _best(by=lambda a, low, median, p99: median),
            "Of those that pass, you take the slowest. Nothing is better about it here.",
        ),
        "a student where none passes": Bug(
            _best(otherwise=0),
            "No student passes here, and you return one all the same. Keep the teacher: −1.",
            _best(by=_most_accurate, otherwise=0),
            lambda *case: _best()(*case) if _passes(*case).any() else case[1].argmax(),
            lambda *case: _best()(*case) if _passes(*case).any() else case[2].argmin(),
        ),
        "its milliseconds": Bug(
            lambda *case: case[2][k] if (k := int(_best()(*case))) >= 0 else -1,
            "Those are milliseconds. Return the place of the student, a whole number.",
            lambda *case: case[3][k] if (k := int(_best()(*case))) >= 0 else -1,
        ),
    },
    rules=[
        Rule(
            lambda place, accuracy, *case: place.ndim == 0 and float(place) in range(-1, len(accuracy)),
            "Return one whole number: the place of a student, from 0, or −1 to keep the teacher.",
        ),
        Rule(
            lambda place, *case: place >= 0 or not _passes(*case).any(),
            "You keep the teacher, although a student passes both limits.",
        ),
        Rule(
            lambda place, *case: place < 0 or bool((case[1] >= case[4])[int(place)]),
            "The accuracy of this student is not shown to reach the floor: its `low` is below.",
        ),
        Rule(
            lambda place, *case: place < 0 or bool((case[3] <= case[5])[int(place)]),
            "This student is too slow: its p99_ms is above max_ms.",
        ),
        Rule(
            lambda place, *case: place < 0 or not _dominated(int(place), case),
            "Another student passes too, and is better in something and worse in nothing. Compare those that pass.",
        ),
    ],
    open_ended=True,
)
