"""The exercise `release`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule

# Points, as the exercise asks: the limit of harm 1 is 3 to 10, that of harm 3 at most 1, and harm 2 lies between them.
# The ends of all intervals keep off those ranges, so that every policy within them decides alike.
_LIMITS = {1: 0.05, 2: 0.03, 3: 0.01}
_FINE, _MIDDLE, _LARGE = 0.0005, (0.012, 0.028), 0.12


def _release(passes=lambda low, high, limit: high < limit, limits=_LIMITS):
    """The answer, with another rule or other limits."""
    return lambda low, high, harm: "go" if passes(low, high, limits[harm]) else "no-go"


def _asked(answer, low, high, harm):
    """What an answer decides of several slices, one by one; or the first thing that it returns and that is no word."""
    decided = []
    for one in zip(low.tolist(), high.tolist(), harm.tolist(), strict=True):
        word = answer(*one)
        if not issubclass(type(word), str):
            return word
        decided.append(word)
    return decided


def _slices(generator):
    """One slice of each kind for each harm, in any order; what harm 2 may lose beside the other two is left open."""

    def between(low, high):
        return low + (high - low) * torch.rand(3, generator=generator)

    wide = between(_LARGE, 0.2)
    kinds = [
        (between(-0.4, -0.25), between(-0.04, _FINE)),
        (between(_MIDDLE[0], 0.02), torch.full((3,), _MIDDLE[1])),
        (-wide, wide - 0.001),
        (between(-0.08, -0.02), between(0.35, 0.4)),
        (between(_LARGE, 0.2), between(0.35, 0.5)),
    ]
    order = torch.tensor([place for place in torch.randperm(15, generator=generator).tolist() if place != 4])
    low, high = (torch.cat(ends)[order] for ends in zip(*kinds, strict=True))
    return low, high, torch.tensor([1, 2, 3] * 5)[order]


def _case(*rows):
    return tuple(torch.tensor(column) for column in zip(*rows, strict=True))


def _all(word, which, of=lambda harm: harm > 0):
    """Whether all slices whose interval is such, and of such harm, get that word: 0 is go, 1 is no-go."""
    return lambda places, low, high, harm: (places == word)[which(low, high) & of(harm)].all()


def _one_limit(limit):
    return _release(limits=dict.fromkeys(_LIMITS, limit))


release = Exercise(
    "release",
    lesson="05_sliced_evaluation",
    order=2,
    reference=_release(),
    through=_asked,
    inputs=_slices,
    small=[
        _case((-0.0098, 0.0004, 3), (-0.15, 0.149, 1), (0.15, 0.25, 2), (-0.05, 0.35, 1)),
        _case((0.015, 0.028, 1), (0.012, 0.028, 3)),
        _case((-0.3, -0.05, 1), (-0.25, -0.05, 3), (0.0002, 0.0005, 1), (-0.15, 0.15, 3), (0.13, 0.3, 1)),
    ],
    words=("go", "no-go"),
    open_ended=True,
    praise="It asks for proof of safety, and asks for more where a mistake costs more. Now it decides.",
    hints=[
        "Which end of the interval says the worst that the gap may still be?",
        "A slice may go where even that end lies below the limit for its harm.",
        "limit = {1: …, 2: …, 3: …}[harm], in shares: 0.05 is five points.",
        'return "go" if high < limit else "no-go"',
    ],
    bugs={
        "by the middle": Bug(
            _release(lambda low, high, limit: (low + high) / 2 < limit),
            "A slice goes because the middle of its interval is small. Its gap may be as large as high.",
        ),
        "not shown to be bad": Bug(
            _release(lambda low, high, limit: low <= limit),
            "A slice goes unless it is shown to be bad. A wide interval shows nothing: ask for high below the limit.",
        ),
        "not significant": Bug(
            _release(lambda low, high, limit: low <= 0),
            "A slice goes where no gap is shown, whatever the limit. With few examples no gap ever is: look at high.",
        ),
        "any gap": Bug(
            _release(lambda low, high, limit: high < 0),
            "Only slices in which the student is better go. You accept a limit above 0: hold high against that.",
        ),
        "shown to lose nothing yet": Bug(
            _release(lambda low, high, limit: low < 0 and high < limit),
            "A slice stays behind because its gap is shown to be above 0. Up to the limit that was accepted.",
        ),
        "a better student": Bug(
            _release(lambda low, high, limit: max(abs(low), abs(high)) < limit),
            "A student that is better than its teacher stays behind. Only a loss has a limit: leave out abs.",
        ),
        "width": Bug(
            _release(lambda low, high, limit: high - low < limit),
            "You hold the width of the interval against the limit. A narrow interval can lie far out: look at high.",
        ),
        "one limit, a loose one": Bug(
            _one_limit(0.05),
            "A slice where somebody is hurt may lose almost three points here. Let the limit depend on harm.",
        ),
        "one limit, a strict one": Bug(
            _one_limit(0.01),
            "A slice where a mistake merely annoys gets the limit of one where it hurts. Let the limit depend on harm.",
        ),
        "harm upside down": Bug(
            _release(limits={1: 0.01, 2: 0.03, 3: 0.05}),
            "Your strictest limit is for harm 1, which merely annoys. Harm 3 hurts somebody.",
        ),
        "limits in points": Bug(
            _release(limits={harm: 100 * limit for harm, limit in _LIMITS.items()}),
            "Everything goes, even what loses a fifth. The intervals are shares: write three points as 0.03.",
        ),
        "nothing goes": Bug(
            _release(lambda low, high, limit: False),
            "Nothing ever goes. That is safe, and nobody needs a student for it.",
        ),
        "exchanged": Bug(
            _release(lambda low, high, limit: high >= limit),
            "go and no-go are exchanged.",
        ),
    },
    rules=[
        Rule(lambda places, *case: (places >= 0).all(), 'Return one of two words for each slice: "go" or "no-go".'),
        Rule(
            _all(1, lambda low, high: low > _LARGE - 0.001),
            "A slice goes that is shown to lose more than ten points.",
        ),
        Rule(
            _all(1, lambda low, high: (low < 0) & (high > _LARGE - 0.002)),
            "A slice goes whose gap may be more than ten points. Not shown to be bad is not shown to be good.",
        ),
        Rule(
            _all(1, lambda low, high: (low > 0.01) & (high < 0.03), lambda harm: harm == 3),
            "A slice of harm 3 goes that is shown to lose more than one point.",
        ),
        Rule(
            _all(0, lambda low, high: (low > 0.01) & (high < 0.03), lambda harm: harm == 1),
            "A slice of harm 1 stays behind that is shown to lose less than three points.",
        ),
        Rule(
            _all(0, lambda low, high: high < _FINE + 1e-4),
            "A slice stays behind that is shown to lose next to nothing.",
        ),
    ],
)
