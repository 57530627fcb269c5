"""The exercise `entropy_bits`."""

import math

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import many_logits


def _with_certainty(generator):
    """Probabilities, the last row of which is certain: exact zeros happen, and must not give NaN."""
    probabilities = many_logits(generator).softmax(1)
    probabilities[-1] = torch.eye(probabilities.shape[1])[0]
    return (probabilities,)


def _entropy(probabilities):
    return -torch.special.xlogy(probabilities, probabilities).sum(1) / math.log(2)


entropy_bits = Exercise(
    "entropy_bits",
    lesson="01_soft_labels",
    order=2,
    reference=_entropy,
    inputs=_with_certainty,
    small=[(torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]),)],
    praise="A certain prediction carries 0 bits beyond its label; ten equal ones carry log2(10).",
    hints=[
        "Entropy is the average surprise: for each class its probability times log2(1 / probability), summed.",
        "Your first answer may give nan for a probability of exactly 0. What is 0 · log 0 in the limit?",
        "-torch.special.xlogy(p, p).sum(1) / math.log(2); or clamp p before the logarithm",
    ],
    bugs={
        "nats, not bits": Bug(
            lambda p: -torch.special.xlogy(p, p).sum(1),
            "These are nats: the natural logarithm. Bits need the logarithm to base 2.",
        ),
        "log of zero": Bug(
            lambda p: -(p * p.log2()).sum(1),
            "A probability of exactly 0 gives 0 · (−inf), which is NaN. In the limit that term is 0.",
        ),
        "log of zero, in nats": Bug(
            lambda p: -(p * p.log()).sum(1),
            "A probability of exactly 0 gives NaN; and the natural logarithm gives nats, not bits.",
        ),
        "sign": Bug(lambda p: -_entropy(p), "The sign: entropy is never negative.", lambda p: (p * p.log2()).sum(1)),
        "wrong axis": Bug(
            lambda p: _entropy(p.T),
            "The sum runs over axis 0, the examples. Each example has its own entropy: sum over the classes.",
        ),
        "summed over everything": Bug(
            lambda p: _entropy(p).sum(),
            "One number came back for all examples together. Return one per example, [B].",
            lambda p: _entropy(p).mean(),
        ),
        "mean over classes": Bug(
            lambda p: _entropy(p) / p.shape[1], "You averaged over the classes; entropy sums over them."
        ),
        "the probability forgotten": Bug(
            lambda p: -p.log2().sum(1),
            "You sum the surprises as they are. Weigh each by its probability, and −log 0 does no harm either.",
        ),
    },
    rules=[
        Rule(lambda bits, p: (bits >= -1e-4).all(), "Entropy is never negative."),
        Rule(
            lambda bits, p: (bits <= math.log2(p.shape[1]) + 1e-3).all(),
            "Entropy over C classes is at most log2(C) bits, which C equal probabilities have.",
        ),
    ],
)
