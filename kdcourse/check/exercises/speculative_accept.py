"""The exercise `speculative_accept`: when a draft's token stays, and what is drawn if not (Leviathan et al. 2023).

p are the teacher's probabilities, q the draft's.
"""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _ratio(p, q):
    return (p / q).clamp(max=1)


def _left(p, q):
    return (p - q).clamp(min=0)


def _shared_out(rest):
    """Made to sum to 1 over the tokens; 0 where there is nothing."""
    return rest / rest.sum(1, keepdim=True).clamp(min=1e-30)


def _answer(accept=_ratio, rest=_left, scaled=_shared_out):
    """An answer, with one of its pieces replaced; both of its parts in one tensor."""
    return lambda p, q: torch.stack([accept(p, q), scaled(rest(p, q))])


def _likeliest(p, q):
    return torch.zeros_like(p).scatter_(1, p.argmax(1, keepdim=True), 1.0)


def _divided_by(total):
    return _answer(scaled=lambda rest: rest / total(rest).clamp(min=1e-30))


def _distributions(generator):
    """p and q [B, V], or [B, V, P]; in the first row q is p."""
    shape = torch.randint(3, 6, (int(torch.randint(2, 4, (), generator=generator)),), generator=generator).tolist()
    p, q = (1.5 * torch.randn(2, *shape, generator=generator, dtype=torch.float32)).softmax(2)
    q[0] = p[0]
    return p, q


speculative_accept = Exercise(
    "speculative_accept",
    lesson="09_ship_it",
    order=3,
    reference=lambda teacher, draft: _answer()(teacher, draft),
    inputs=_distributions,
    small=[
        (torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[0.125, 0.375, 0.5]])),
        (torch.tensor([[0.25, 0.75], [0.125, 0.875]]), torch.tensor([[0.5, 0.5], [0.75, 0.25]])),
        (torch.tensor([[0.25, 0.75], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])),
        # One row, two tokens, two places: [B, V, P], as the logits of a sequence are.
        (torch.tensor([[[0.5, 0.75], [0.5, 0.25]]]), torch.tensor([[[0.25, 0.25], [0.75, 0.75]]])),
    ],
    praise="What is written has the teacher's distribution, however bad the draft.",
    hints=[
        "Call the teacher's probabilities p, the draft's q. Where q is no more than p, a token always stays. Where it "
        "is twice as much, it stays half of the time.",
        "accept = (p / q).clamp(max=1).",
        "What did the draft give too little? p − q where that is positive, else 0; then divide by its sum over axis 1.",
        "rest = (p - q).clamp(min=0); return accept, rest / rest.sum(1, keepdim=True).clamp(min=1e-30)",
    ],
    bugs={
        "q over p": Bug(
            _answer(lambda p, q: (q / p).clamp(max=1)),
            "The ratio is upside down. A token that the teacher likes better than the draft does always stays: "
            "min(1, p / q).",
        ),
        "accepted by p": Bug(
            _answer(lambda p, q: p),
            "You accept with probability p. The draft proposes with probability q already, so likely tokens would be "
            "weighed twice: p / q.",
        ),
        "the share that both give": Bug(
            _answer(torch.minimum),
            "min(p, q) is how often a token is proposed *and* accepted. Once it is proposed, divide by q.",
        ),
        "never above 1 forgotten": Bug(
            _answer(lambda p, q: p / q),
            "Some of your probabilities are above 1. Where p is larger than q, accept with probability 1.",
        ),
        "all or nothing": Bug(
            _answer(lambda p, q: (p >= q).to(p.dtype)),
            "You turn down every token that the draft likes better than the teacher does. It stays with probability "
            "p / q, or such tokens would come too seldom.",
            _answer(lambda p, q: (p > q).to(p.dtype)),
        ),
        "only the teacher's first choice": Bug(
            _answer(_likeliest),
            "You accept the teacher's likeliest token alone. That is right for greedy decoding; samples would lose all "
            "others.",
        ),
        "turned down": Bug(
            _answer(lambda p, q: 1 - _ratio(p, q)),
            "That is the probability that a token is turned down. `accept` is 1 minus it.",
        ),
        "rest from p": Bug(
            _answer(rest=lambda p, q: p),
            "After a refusal you draw from p. What was accepted has had its share already, so it would come too often: "
            "draw from what q lacks.",
        ),
        "rest from q": Bug(
            _answer(rest=lambda p, q: q),
            "After a refusal you draw from the draft again. Draw from what the teacher gives more than the draft.",
        ),
        "absolute differences": Bug(
            _answer(rest=lambda p, q: (p - q).abs()),
            "You take the absolute difference. Where q is larger, too many were proposed, and none is to be added: 0.",
        ),
        "q minus p": Bug(
            _answer(rest=lambda p, q: _left(q, p)),
            "You draw where the draft gives too much. The rest is what it gives too little, p − q.",
        ),
        "rest not scaled": Bug(
            _answer(scaled=lambda rest: rest),
            "`rest` does not sum to 1: divide by its sum over the tokens.",
        ),
        "softmax of the rest": Bug(
            _answer(scaled=lambda rest: rest.softmax(1)),
            "A softmax gives every token a share, those of which there were too many as well. Divide by the sum.",
            _answer(rest=lambda p, q: p - q, scaled=lambda rest: rest.softmax(1)),
        ),
        "summed over everything": Bug(
            _divided_by(lambda rest: rest.sum()),
            "You divide by the sum over all rows. Each row is a distribution of its own: axis 1, keepdim=True.",
        ),
        "summed over the batch": Bug(
            _divided_by(lambda rest: rest.sum(0, keepdim=True)),
            "You divide by the sum over axis 0, the batch. The tokens are on axis 1.",
        ),
        "last axis": Bug(
            _divided_by(lambda rest: rest.sum(-1, keepdim=True)),
            "You take the last axis for the tokens. For sequences p is [B, V, P]: the tokens are on axis 1.",
        ),
        "0 divided by 0": Bug(
            _answer(scaled=lambda rest: rest / rest.sum(1, keepdim=True)),
            "Where p is q nothing is left, and 0 / 0 is NaN. Let the sum be no smaller than 1e-30.",
        ),
        "exchanged": Bug(
            lambda p, q: _answer()(p, q).flip(0),
            "The two have changed places: return `accept` first, then `rest`.",
        ),
        "models exchanged": Bug(
            lambda p, q: _answer()(q, p),
            "Teacher and draft have changed places: p is the teacher's, q is the draft's.",
        ),
    },
    rules=[
        Rule(
            lambda found, p, q: len(found) == 2 and bool(((found >= 0) & (found <= 1 + 1e-4)).all()),
            "Both are probabilities: none is below 0 or above 1.",
        ),
    ],
)
