"""The exercise `control_targets`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule

MANY = 100  # rows from which on a rule may count how often something happens


def _deal(soft_labels):
    """Each row keeps its winner where it is; its other values are dealt out anew, row by row."""
    winner = soft_labels.argmax(1, keepdim=True)
    chance = torch.rand(soft_labels.shape)
    places = chance.scatter(1, winner, -1.0).argsort(1)  # the winner's place first, the others in random order
    values = soft_labels.scatter(1, winner, 2.0).sort(1, descending=True).values  # the winner first here, too
    values[:, 0] = soft_labels.amax(1)
    return torch.empty_like(soft_labels).scatter(1, places, values)


def _soft_labels(generator):
    """Soft labels [N, C] in which each winner has a favourite runner-up, as boots have sneakers."""
    rows, classes = 3 * MANY, int(torch.randint(6, 10, (), generator=generator))
    logits = 0.8 * torch.randn(rows, classes, generator=generator).clamp(-1.5, 1.5)
    winner = torch.randint(classes, (rows, 1), generator=generator)
    favoured = torch.rand(rows, 1, generator=generator) < 0.7
    other = (winner + torch.randint(1, classes, (rows, 1), generator=generator)) % classes
    runner_up = torch.where(favoured, (winner + 1) % classes, other)
    logits.scatter_(1, runner_up, 2 + torch.rand(rows, 1, generator=generator))
    return (logits.scatter_(1, winner, 3.5 + torch.rand(rows, 1, generator=generator)).softmax(1),)


def _entropy(probabilities):
    return -torch.special.xlogy(probabilities, probabilities).sum(1)


def _runners_up(table, soft_labels):
    """[N, C − 1]: of each row all but the place of the teacher's winner."""
    rest = torch.ones_like(soft_labels, dtype=torch.bool).scatter(1, soft_labels.argmax(1, keepdim=True), False)
    return table[rest].view(len(table), -1).double()


def _close(one, other):
    return bool(((one - other).abs() < 1e-3).all())


def _is_lost(dealt, soft_labels):
    """Whether the runners-up of a row say nothing about those that the teacher had there."""
    if len(dealt) < MANY:  # chance may leave a short row as it was
        return soft_labels.shape[1] < 8 or not _close(dealt, soft_labels)
    one, other = (_runners_up(table, soft_labels) for table in (dealt, soft_labels))
    one, other = (table - table.mean(1, keepdim=True) for table in (one, other))
    like = (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-12)
    return bool(like.mean().abs() < 0.3)  # any fixed exchange of places gives −1 / (C − 2)


def _is_dealt_anew(dealt, soft_labels):
    """Whether rows with the same winner and runner-up get different ones."""
    if len(dealt) < MANY:
        return True
    winner = soft_labels.argmax(1)
    before, after = (_runners_up(table, soft_labels).argmax(1) for table in (soft_labels, dealt))
    classes = soft_labels.shape[1]
    counts = torch.zeros(classes * classes, classes).index_put_(
        (winner * classes + before, after), torch.ones(len(dealt)), accumulate=True
    )
    counts = counts[counts.sum(1) >= 15]
    return bool(counts.amax(1).sum() < 0.7 * counts.sum())


def _certain(p):
    return torch.eye(p.shape[1])[p.argmax(1)]


def _evened(p):
    return torch.where(_certain(p) > 0, p, (1 - p.amax(1, keepdim=True)) / (p.shape[1] - 1))


control_targets = Exercise(
    "control_targets",
    lesson="01_soft_labels",
    order=2,
    reference=_deal,
    inputs=_soft_labels,
    small=[
        (torch.tensor([[0.6, 0.25, 0.1, 0.05], [0.02, 0.08, 0.7, 0.2]]),),
        (torch.tensor([[0.02, 0.13, 0.5, 0.05, 0.2, 0.01, 0.03, 0.06]]),),
    ],
    praise="Winner, confidence and entropy are the teacher's; which runner-up it likes is lost. "
    "A student who does as well on these did not need the ranking.",
    hints=[
        "What does the explanation appeal to? Keep that. What does it deny? Destroy that, and nothing else.",
        "The same numbers in another order have the same entropy. Which number of a row must stay where it is?",
        "Row by row: the places of all classes but the winner, and torch.randperm for the values at these places. "
        "Begin with soft_labels.clone().",
    ],
    bugs={
        "unchanged": Bug(lambda p: p.clone(), "These are the teacher's own soft labels: nothing is controlled for."),
        "evened out": Bug(
            _evened,
            "Spreading the rest evenly also raises the entropy. Two things differ then, and neither can be blamed. "
            "Keep the values, and change who gets them.",
        ),
        "made certain": Bug(
            _certain,
            "The teacher's confidence is gone: these are hard labels. That control exists already, as the arg-max.",
        ),
        "runners-up thrown away": Bug(
            lambda p: p * _certain(p),
            "The runners-up are set to 0 and their probability is lost: the rows no longer sum to 1.",
        ),
        "winner dealt as well": Bug(
            lambda p: p.flip(1),
            "The winner moves, too. Such a student learns wrong garments, and would lose for that reason alone.",
            lambda p: p.roll(1, 1),
            lambda p: p.roll(-1, 1),
        ),
        "rows exchanged": Bug(
            lambda p: p.flip(0),
            "Each picture gets the soft label of another one, winner included. That is the shuffled arm: it tests "
            "whether any soft labels would do.",
            lambda p: p.roll(1, 0),
        ),
        "averaged": Bug(
            lambda p: p.mean(0, keepdim=True).expand_as(p).clone(),
            "Every picture gets the same row, the average. What belongs to a single picture is its confidence: keep "
            "that.",
        ),
        "logarithms": Bug(
            lambda p: p.log(), "These are logarithms. Soft labels go in as probabilities; return probabilities."
        ),
    },
    rules=[
        Rule(lambda q, p: q.shape == p.shape, "One row per picture, one column per class: the shape should stay."),
        Rule(
            lambda q, p: bool((q >= 0).all()) and _close(q.sum(1), 1),
            "Each row should still be probabilities: none below 0, with a sum of 1.",
        ),
        Rule(
            lambda q, p: torch.equal(q.argmax(1), p.argmax(1)),
            "The winner of some row has changed. Such a student learns wrong garments, and loses for that reason.",
        ),
        Rule(
            lambda q, p: _close(q.amax(1), p.amax(1)),
            "The probability of some winner has changed. The explanation appeals to confidence: keep it, row by row.",
        ),
        Rule(
            lambda q, p: _close(_entropy(q), _entropy(p)),
            "The entropy of some row has changed. Two things differ then: who the runners-up are, and how soft the "
            "row is. Keep the row's own values.",
        ),
        Rule(
            _is_lost,
            "The rows still tell which runners-up the teacher likes: its likeliest tend to be the likeliest (or the "
            "least likely) here, too. Let chance decide.",
        ),
        Rule(
            _is_dealt_anew,
            "Pictures with the same winner and runner-up all get the same new runner-up. A student can learn that "
            "rule. Deal each row anew.",
        ),
    ],
    open_ended=True,
)
