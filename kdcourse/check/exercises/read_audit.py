"""The exercise `read_audit`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _exceeds(gap, low, high, limit):
    return low > limit


def _within(gap, low, high, limit):
    return high < limit


def _read(
    flag=_exceeds,
    passes=_within,
    few=lambda n, least: n < least,
    limit=lambda limit, n: limit,
    rest="watch",
    order=("too few", "flag", "pass"),
):
    """The answer, with another rule in one place; `rest` is what no rule applies to."""

    def answer(n, gap, low, high, max_gap, min_samples):
        max_gap = limit(max_gap, n).expand(len(n))
        columns = gap, low, high, max_gap
        applies = {"too few": few(n, min_samples), "flag": flag(*columns), "pass": passes(*columns)}
        return [next((word for word in order if applies[word][k]), rest) for k in range(len(n))]

    return answer


def _over_all(weight, few):
    """A bug: one verdict, by a mean gap; slices that are too `few` as they are, or not."""

    def answer(n, gap, low, high, max_gap, min_samples):
        weights = weight(n)
        verdict = "flag" if (gap * weights).sum() / weights.sum() > max_gap.mean() else "pass"
        return ["too few" if few and size < min_samples else verdict for size in n]

    return answer


def _instead_of(word, other):
    return lambda *case: [other if verdict == word else verdict for verdict in _read()(*case)]


def _slices(generator):
    """No end of an interval lies at its limit: whether it then counts as beyond is not what is asked."""
    slices = int(torch.randint(4, 9, (), generator=generator))
    n = torch.randint(40, 400, (slices,), generator=generator)
    max_gap = 0.015 + 0.02 * torch.randint(3, (slices,), generator=generator)
    gap = 0.1 * torch.randn(slices, generator=generator) + 0.02
    half = 0.01 + 0.06 * torch.rand(slices, generator=generator)
    gap, low, high = ((value * 100).round() / 100 for value in (gap, gap - half, gap + half))
    return n, gap.float(), low.float(), high.float(), max_gap.float(), 100


def _case(*rows):
    n, *columns = (torch.tensor(column) for column in zip(*rows, strict=True))
    return n, *columns, 100


read_audit = Exercise(
    "read_audit",
    lesson="05_sliced_evaluation",
    order=3,
    reference=_read(),
    inputs=_slices,
    small=[
        _case((300, 0.06, 0.03, 0.09, 0.02), (500, 0.01, -0.01, 0.03, 0.05), (200, 0.01, -0.04, 0.06, 0.02)),
        _case(
            (60, 0.12, 0.05, 0.19, 0.03),
            (90, 0.0, -0.01, 0.01, 0.03),
            (40, 0.05, -0.04, 0.14, 0.03),
            (100, -0.01, -0.03, 0.01, 0.03),
        ),
        _case((200, 0.05, 0.01, 0.09, 0.03), (400, 0.04, 0.02, 0.06, 0.07), (300, -0.08, -0.11, -0.05, 0.03)),
        _case(
            (250, 0.05, 0.04, 0.06, 0.02),
            (400, 0.03, 0.01, 0.05, 0.04),
            (150, 0.01, -0.03, 0.05, 0.09),
            (120, 0.03, -0.06, 0.12, 0.13),
        ),
    ],
    words=("too few", "flag", "pass", "watch"),
    praise="Shown to be too large, shown to be small enough, not known: an audit that says which can be acted on.",
    hints=[
        "First: are there enough examples in the slice to say anything? Then: where does its interval lie?",
        "A gap is shown to exceed the limit if the whole interval does, so look at its lower end. And to be within it?",
        'Per slice, in this order: n < min_samples → "too few"; low > max_gap → "flag"; high < max_gap → "pass"; '
        'else "watch".',
        "for size, low_end, high_end, limit in zip(n, low, high, max_gap): if size < min_samples, "
        'append "too few"; elif low_end > limit, "flag"; elif high_end < limit, "pass"; else "watch"',
    ],
    bugs={
        "by the gap alone": Bug(
            _read(lambda gap, low, high, limit: gap > limit, rest="pass"),
            "You judge by the gap alone, one number without its uncertainty. Look at the ends of the interval.",
            _read(lambda gap, low, high, limit: gap > limit, lambda gap, low, high, limit: gap < limit),
            _read(lambda gap, low, high, limit: gap > limit, few=lambda n, least: n < 0, rest="pass"),
        ),
        "passed by the gap alone": Bug(
            _read(passes=lambda gap, low, high, limit: gap < limit),
            "You flag by the interval and pass by the gap. A wide interval shows no small gap: high < max_gap.",
        ),
        "flagged by the gap alone": Bug(
            _read(flag=lambda gap, low, high, limit: gap > limit),
            "You pass by the interval and flag by the gap. A gap is shown to be too large where low > max_gap.",
        ),
        "not known passes": Bug(
            _read(rest="pass"),
            "A slice passes here whose interval reaches beyond max_gap. That a large gap is not shown does not show a "
            "small one: watch.",
            _read(rest="pass", passes=lambda gap, low, high, limit: low < limit),
        ),
        "not known is flagged": Bug(
            _read(rest="flag"),
            "A slice is flagged because its interval reaches beyond max_gap. It may be within: flag if low > max_gap.",
        ),
        "flag and pass exchanged": Bug(
            _read(_within, _exceeds),
            "You flag where the interval lies below max_gap, and pass where it lies above. A large gap is the bad one.",
        ),
        "too few last": Bug(
            _read(order=("flag", "pass", "too few")),
            "You ask last whether there are too few. A slice below min_samples gets no other verdict.",
        ),
        "too few after the flags": Bug(
            _read(order=("flag", "too few", "pass")),
            "You flag a slice before you ask whether it has enough examples. Ask that first.",
        ),
        "too few ignored": Bug(
            _read(few=lambda n, least: n < 0),
            "A slice with fewer than min_samples examples gets a verdict. It is “too few”, wherever its interval lies.",
        ),
        "too few are watched": Bug(
            _instead_of("too few", "watch"),
            "A slice with fewer than min_samples examples is watched. Here that has a word of its own: “too few”.",
        ),
        "exactly enough is too few": Bug(
            _read(few=lambda n, least: n <= least),
            "A slice with exactly min_samples examples has enough: n < min_samples.",
        ),
        "enough is too few": Bug(
            _read(few=lambda n, least: n >= least),
            "The slices with enough examples are “too few”, and the others are judged: n < min_samples.",
            _read(few=lambda n, least: n > least),
        ),
        "one max_gap for all": Bug(
            _read(limit=lambda limit, n: limit[0]),
            "You hold all slices against one max_gap. Each has its own: max_gap[k] for slice k.",
            _read(limit=lambda limit, n: limit[-1]),
            _read(limit=lambda limit, n: limit.mean()),
            _read(limit=lambda limit, n: limit.max()),
            _read(limit=lambda limit, n: limit.min()),
        ),
        "any gap is flagged": Bug(
            _read(flag=lambda gap, low, high, limit: low > 0),
            "You flag each gap that is shown to be above 0. Up to max_gap it was declared acceptable: low > max_gap.",
            _read(lambda gap, low, high, limit: low > 0, order=("too few", "pass", "flag")),
            _read(lambda gap, low, high, limit: low > 0, rest="pass"),
            _read(lambda gap, low, high, limit: low > 0, lambda gap, low, high, limit: high < 0),
        ),
        "a better student does not pass": Bug(
            _read(passes=lambda gap, low, high, limit: (high < limit) & (low > -limit)),
            "A student that is better than its teacher does not pass here. Only a loss has a limit: high < max_gap.",
            _read(
                lambda gap, low, high, limit: (low > limit) | (high < -limit),
                lambda gap, low, high, limit: (high < limit) & (low > -limit),
            ),
            _read(lambda gap, low, high, limit: (low > limit) | (high < -limit)),
        ),
        "width of the interval": Bug(
            _read(passes=lambda gap, low, high, limit: high - low < limit),
            "You compare the width of the interval with max_gap. A narrow interval can lie far away: look at its ends.",
            _read(passes=lambda gap, low, high, limit: high - low < 2 * limit),
            _read(passes=lambda gap, low, high, limit: high - gap < limit),
        ),
        "the average decides": Bug(
            _over_all(lambda n: n, True),
            "One average gap decides for all slices. An average can hide a slice: judge each by its own interval.",
            _over_all(lambda n: n, False),
            _over_all(torch.ones_like, True),
            _over_all(torch.ones_like, False),
        ),
    },
    rules=[
        Rule(
            lambda places, *case: (places >= 0).all(),
            "Only these words are verdicts: “too few”, “flag”, “pass” and “watch”, spelled like this.",
        ),
        Rule(
            lambda places, n, gap, low, high, limit, least: ((places == 0) == (n < least)).all(),
            "“too few” is due where n < min_samples, and nowhere else.",
        ),
        Rule(
            lambda places, n, gap, low, high, limit, least: (low > limit)[places == 1].all(),
            "A slice is flagged whose gap is not shown to exceed its max_gap: low > max_gap.",
        ),
        Rule(
            lambda places, n, gap, low, high, limit, least: (high < limit)[places == 2].all(),
            "A slice passes whose gap is not shown to be within its max_gap: high < max_gap.",
        ),
        Rule(
            lambda places, n, gap, low, high, limit, least: ((low <= limit) & (high >= limit))[places == 3].all(),
            "A slice is watched although its interval lies on one side of max_gap.",
        ),
    ],
)
