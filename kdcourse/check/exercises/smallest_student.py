"""The exercise `smallest_student`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _largest(enough, otherwise=1.0):
    """The largest ratio for which `enough(low, high, max_gap)` holds."""

    def answer(ratios, low, high, max_gap):
        chosen = ratios[enough(low, high, max_gap)]
        return chosen.amax() if len(chosen) else otherwise

    return answer


def _shown(low, high, max_gap):
    return high <= max_gap


def _before_the_first_failure(ratios, low, high, max_gap):
    passed = int(_shown(low, high, max_gap).long().cumprod(0).sum())
    return ratios[passed - 1] if passed else 1.0


def _of_the_chosen(value, otherwise=1.0):
    """A bug: something else about the right choice."""

    def answer(ratios, low, high, max_gap):
        chosen = _shown(low, high, max_gap).nonzero().flatten()
        return value(ratios, high, chosen) if len(chosen) else otherwise

    return answer


def _gaps(generator):
    """Gaps that grow with the ratio on the whole, and intervals none of whose ends lies at the largest gap allowed."""
    sizes = int(torch.randint(3, 8, (), generator=generator))
    ratios = torch.tensor([2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0])[:sizes]
    middle = torch.linspace(-0.5, 3, sizes) + torch.randn(sizes, generator=generator)
    half = 0.2 + torch.rand(sizes, generator=generator)
    max_gap = 1.005 + int(torch.randint(3, (), generator=generator)) / 2
    low, high = (((middle + sign * half) * 100).round() / 100 for sign in (-1, 1))
    return ratios.float(), low.float(), high.float(), max_gap


_SMALL = (
    ([2, 5, 10, 20], [-0.2, 0.1, 0.6, 0.9], [0.7, 0.5, 1.2, 2.4]),
    ([2, 5, 10, 20], [-1.9, -0.1, -1.2, -1.1], [0.7, 1.2, 0.5, 0.8]),
    ([2, 4, 8, 16], [1.1, 1.8, 1.7, 2.6], [2.7, 3.2, 2.2, 4.8]),
)

smallest_student = Exercise(
    "smallest_student",
    lesson="04_student_size",
    order=3,
    reference=_largest(_shown),
    inputs=_gaps,
    small=[(*(torch.tensor(values, dtype=torch.float32) for values in case), 1.0) for case in _SMALL],
    praise="It takes the evidence at its word: what could still be too large a gap does not pass.",
    hints=[
        "A gap is shown to be at most max_gap if the whole interval says so. Which end has to be looked at?",
        "Keep the ratios whose `high` is at most max_gap; each stands on its own, whatever its neighbours do.",
        "The smallest student has the largest ratio. If none is left, the teacher stays: 1.0.",
        "shown = ratios[high <= max_gap]; return shown.max() if len(shown) else 1.0",
    ],
    bugs={
        "lower end": Bug(
            _largest(lambda low, high, gap: low <= gap),
            "You look at the lower end: a small gap is not excluded, but a large one is not either. "
            "The gap is shown to be small where the upper end is.",
        ),
        "middle of the interval": Bug(
            _largest(lambda low, high, gap: (low + high) / 2 <= gap),
            "You look at the middle of the interval, which is a number without uncertainty. Look at the upper end.",
        ),
        "width of the interval": Bug(
            _largest(lambda low, high, gap: high - low <= gap),
            "You compare the width of the interval with max_gap. A narrow one can lie far away: the upper end counts.",
            _largest(lambda low, high, gap: (high - low) / 2 <= gap),
        ),
        "no difference shown": Bug(
            _largest(lambda low, high, gap: (low <= 0) & (high >= 0)),
            "You ask whether the interval contains 0. That no gap is shown does not show that it is small: "
            "a wide interval contains 0 easily.",
            _largest(lambda low, high, gap: low <= 0),
        ),
        "both ends": Bug(
            _largest(lambda low, high, gap: (high <= gap) & (low >= -gap)),
            "You ask both ends to be near 0. A student that beats its teacher is welcome: only the upper end counts.",
        ),
        "largest student that passes": Bug(
            _of_the_chosen(lambda ratios, high, chosen: ratios[chosen[0]]),
            "That is the smallest ratio that passes, and so the largest student. The smallest student is asked for.",
        ),
        "stops at the first failure": Bug(
            _before_the_first_failure,
            "You stop at the first size that fails. A later one passes on evidence of its own, and counts.",
        ),
        "the index": Bug(
            _of_the_chosen(lambda ratios, high, chosen: chosen[-1]),
            "That is a position in the list, or a count. Return the ratio itself.",
            *(_of_the_chosen(lambda ratios, high, chosen: chosen[-1], none) for none in (0, -1)),
            _of_the_chosen(lambda ratios, high, chosen: chosen[-1] + 1),
            _of_the_chosen(lambda ratios, high, chosen: len(chosen), 0),
        ),
        "the gap": Bug(
            _of_the_chosen(lambda ratios, high, chosen: high[chosen[-1]]),
            "That is the upper end of the gap. Return the ratio it belongs to.",
        ),
        "best student": Bug(
            lambda ratios, low, high, gap: ratios[high.argmin()],
            "That is the student with the smallest gap. Among those that are good enough, the smallest student is "
            "asked for; and there may be none.",
            lambda ratios, low, high, gap: ratios[(low + high).argmin()],
            _largest(lambda low, high, gap: (high <= gap) & (high == high.min())),
        ),
        "always the smallest": Bug(
            lambda ratios, low, high, gap: ratios[-1],
            "That is the largest ratio there is, whatever its gap. Keep only those whose upper end is at most max_gap.",
        ),
        "comparison turned over": Bug(
            _largest(lambda low, high, gap: high > gap),
            "You keep the sizes whose upper end is above max_gap. Keep those at or below it.",
            _largest(lambda low, high, gap: low > gap),
        ),
        "no teacher to fall back on": Bug(
            _largest(_shown, otherwise=0.0),
            "No size passes here, so the teacher stays, and its ratio to itself is 1.0.",
            *(_largest(_shown, otherwise) for otherwise in (-1.0, torch.nan, torch.inf)),
        ),
        "a student that does not pass": Bug(
            lambda ratios, low, high, gap: _largest(_shown, otherwise=ratios[0])(ratios, low, high, gap),
            "No size passes here, and you return one of them all the same. Keep the teacher: 1.0.",
            lambda ratios, low, high, gap: _largest(_shown, otherwise=ratios[-1])(ratios, low, high, gap),
        ),
    },
    rules=[
        Rule(
            lambda ratio, ratios, *case: ratio == 1 or bool((ratios == ratio).any()),
            "The answer should be one of the ratios, or 1.0 for the teacher.",
        ),
        Rule(
            lambda ratio, ratios, low, high, gap: ratio == 1 or bool((ratios[_shown(low, high, gap)] == ratio).any()),
            "The gap of that size is not shown to be small enough: its upper end is above max_gap.",
        ),
        Rule(
            lambda ratio, ratios, low, high, gap: not (ratios[_shown(low, high, gap)] > ratio).any(),
            "A smaller student passes as well: there is a larger ratio whose upper end is at most max_gap.",
        ),
    ],
)
