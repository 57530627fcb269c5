"""The exercise `cascade_threshold`: where a student hands on to its teacher, chosen on validation within a budget."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.outcome import read


def _sure(student, teacher, labels):
    return student.amax(1)


def _of_teacher(student, teacher, labels):
    return teacher.amax(1)


def _of_the_label(student, teacher, labels):
    return student.gather(1, labels[:, None])[:, 0]


def _right(student, teacher, labels, asked):
    """How many answers of the cascade are right."""
    return (torch.where(asked, teacher.argmax(1), student.argmax(1)) == labels).sum()


def _right_of_the_kept(student, teacher, labels, asked):
    kept = student.argmax(1)[~asked] == labels[~asked]
    return kept.double().mean() if len(kept) else -1.0


def _within(asked, share):
    return asked.sum() <= share * len(asked)


def _search(by=_sure, asks=torch.lt, right=_right, within=_within, last=False):
    """An answer: all thresholds are tried, from low to high; each piece can be another one, which is a mistake."""

    def answer(student, teacher, labels, share):
        confidence, found, most = by(student, teacher, labels), 0.0, -1.0
        for threshold in [0.0, *confidence.sort().values.tolist(), float("inf")]:
            asked = asks(confidence, torch.tensor(threshold, dtype=confidence.dtype))
            count = float(right(student, teacher, labels, asked))
            if within(asked, share) and (count > most or (last and count == most)):
                found, most = threshold, count
        return found

    return answer


def _always_right(student, teacher, labels, asked):
    return (asked | (student.argmax(1) == labels)).sum()


def _agreement(student, teacher, labels, asked):
    return (asked | (student.argmax(1) == teacher.argmax(1))).sum()


def _most_right(student, teacher, labels, share):
    threshold = _search()(student, teacher, labels, share)
    return float(_right(student, teacher, labels, _sure(student, teacher, labels) < threshold)) / len(labels)


def _at_a_confidence(cascade_threshold, student, teacher, labels, share):
    """The lowest of 0, the confidences and infinity that asks about the same examples as the threshold does."""
    threshold = cascade_threshold(student, teacher, labels, share)
    number, _ = read(threshold)
    if number is None or number.ndim or number.isnan():
        return threshold
    confidence = student.amax(1).double()
    above = confidence[confidence >= number]
    if number <= confidence.min():
        return 0.0
    return float(above.min()) if len(above) else float("inf")


def _probabilities(labels, right, sure):
    """[N, 3] of three classes: so sure of the label where right, else of the next class."""
    found = ((1 - sure) / 2)[:, None].repeat(1, 3)
    return found.scatter(1, ((labels + ~right) % 3)[:, None], sure[:, None])


def _case(generator):
    """Confidences that lie apart, a teacher that is often right, and a budget between two numbers of questions."""
    n = int(torch.randint(9, 15, (), generator=generator))

    def sure():
        return (40 + torch.randperm(55, generator=generator)[:n]) / 100

    def right(share):
        return torch.rand(n, generator=generator) < share

    labels = torch.randint(3, (n,), generator=generator)
    student, teacher = (_probabilities(labels, right(share), sure()) for share in (0.5, 0.8))
    budget = (int(torch.randint(2, n - 1, (), generator=generator)) + 0.5) / n
    return student, teacher, labels, round(budget, 3)


def _small(student, teacher, share):
    """A case whose label is class 0 throughout, from the probabilities of class 0 alone, of two classes."""
    both = (torch.stack([torch.tensor(p), 1 - torch.tensor(p)], 1) for p in (student, teacher))
    return *both, torch.zeros(len(student), dtype=torch.int64), share


cascade_threshold = Exercise(
    "cascade_threshold",
    lesson="09_ship_it",
    order=1,
    reference=_search(),
    inputs=_case,
    through=_at_a_confidence,
    small=[
        _small([0.875, 0.4375, 0.25, 0.375], [0.9375, 0.625, 0.75, 0.6875], 0.5),
        _small([0.9375, 0.375, 0.4375, 0.75], [0.875, 0.75, 0.625, 0.25], 0.75),
        _small([0.1875, 0.375, 0.625, 0.9375], [0.75, 0.8125, 0.375, 0.4375], 0.5),
        _small([0.625, 0.25, 0.875, 0.375], [0.3125, 0.875, 0.9375, 0.25], 0.75),
        _small([0.25, 0.25, 0.9375, 0.625], [0.875, 0.75, 0.625, 0.8125], 0.5),
        _small([0.875, 0.4375, 0.9375, 0.625], [0.875, 0.75, 0.625, 0.8125], 0.25),
    ],
    praise="It spends questions only while they buy right answers.",
    hints=[
        "Take one threshold. Who is asked, whose answer is taken then, and how many of those are right?",
        "asked = student.max(1).values < threshold; torch.where(asked, teacher.argmax(1), student.argmax(1)) are the "
        "cascade's answers.",
        "Skip a threshold whose asked.double().mean() is above share. From low to high, keep one only if it is better "
        "than all before it.",
        'for threshold in [0.0, *confidence.sort().values.tolist(), float("inf")]: count the right answers; '
        "if asked.double().mean() <= share and right > most: best, most = threshold, right",
    ],
    bugs={
        "asked at the threshold too": Bug(
            _search(asks=torch.le),
            "You count with `<=`, and the router asks with `<`: those at the threshold itself stay with the student.",
        ),
        "asked where sure": Bug(
            _search(asks=torch.ge),
            "You ask about those at or above the threshold. The student keeps what it is sure of: ask below.",
            _search(asks=torch.gt),
        ),
        "teacher's confidence": Bug(
            _search(by=_of_teacher),
            "You go by the teacher's confidence. To know that you would have to ask it, about every request.",
        ),
        "probability of the label": Bug(
            _search(by=_of_the_label),
            "You go by the probability of the label. A new request brings no label: confidence is the highest "
            "probability.",
        ),
        "no budget": Bug(
            _search(within=lambda asked, share: True),
            "`share` has no effect: more is asked than the budget allows.",
        ),
        "budget as a count": Bug(
            _search(within=lambda asked, share: asked.sum() <= share),
            "You compare the number of questions with `share`. It is a share of the examples: take their mean.",
        ),
        "budget never spent in full": Bug(
            _search(within=lambda asked, share: asked.double().mean() < share),
            "A threshold that asks about exactly `share` of the examples is left out. At most `share` includes it.",
        ),
        "budget spent to the last": Bug(
            _search(right=lambda student, teacher, labels, asked: asked.sum()),
            "You ask as much as you may, whether it helps or not. Where the teacher errs more than the student, "
            "questions cost right answers: count these.",
        ),
        "more questions of equally good": Bug(
            _search(last=True),
            "Of equally good thresholds you take the one that asks most. Questions that win nothing cost money.",
        ),
        "teacher taken for perfect": Bug(
            _search(right=_always_right),
            "You count every question as a right answer. The teacher errs as well: compare its answers with the "
            "labels.",
        ),
        "agreement with the teacher": Bug(
            _search(right=_agreement),
            "You count where the cascade agrees with the teacher. Right is what the labels say.",
        ),
        "only what the student keeps": Bug(
            _search(right=_right_of_the_kept),
            "You look at the answers that the student keeps alone. The users get the teacher's too: count all.",
        ),
        "the share itself": Bug(
            lambda student, teacher, labels, share: share,
            "You return a share of examples. A threshold is a confidence, and how many lie below it the data tell.",
            lambda student, teacher, labels, share: 1 - share,
        ),
        "accuracy returned": Bug(
            _most_right,
            "You return how many answers are right. Asked for is the threshold that gives them.",
        ),
    },
    rules=[
        Rule(
            lambda threshold, student, teacher, labels, share: _within(student.amax(1).double() < threshold, share),
            "More than `share` of these examples lie below your threshold.",
        ),
    ],
)
