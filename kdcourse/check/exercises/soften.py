"""The exercise `soften`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import many_logits


def _rows_sum_to_one(probabilities):
    return ((probabilities.sum(1) - 1).abs() < 1e-3).all()


soften = Exercise(
    "soften",
    lesson="01_soft_labels",
    order=1,
    reference=lambda logits, temperature: (logits / temperature).softmax(1),
    inputs=lambda generator: (1000 * many_logits(generator), float(1.5 + 6 * torch.rand((), generator=generator))),
    small=[(torch.tensor([[2.0, 0.0, 0.0]]), 2.0), (torch.tensor([[1000.0, 0.0]]), 2.0)],
    praise="It survives logits in the thousands, and any number of classes.",
    hints=[
        "Divide first. Then turn each row into probabilities.",
        "What does exp do to 10,000? Which function of PyTorch was made for that?",
        "softmax over axis 1, the classes, of logits / temperature",
    ],
    bugs={
        "temperature ignored": Bug(
            lambda z, t: z.softmax(1), "The temperature has no effect: these are the probabilities at T = 1."
        ),
        "temperature upside down": Bug(
            lambda z, t: (z * t).softmax(1),
            "You multiply by the temperature. A higher temperature should make the probabilities flatter.",
        ),
        "wrong axis": Bug(
            lambda z, t: (z / t).softmax(0),
            "The softmax runs over axis 0, the examples. Each row, one example, should sum to 1.",
        ),
        "softened too late": Bug(
            lambda z, t: z.softmax(1) / t,
            "You divide the probabilities, so that they sum to 1/T. Divide the logits, before the softmax.",
        ),
        "softmax applied twice": Bug(
            lambda z, t: (z / t).softmax(1).softmax(1),
            "The softmax is applied twice: probabilities went in where logits belong.",
        ),
        "softmax before the temperature": Bug(
            lambda z, t: (z.softmax(1) / t).softmax(1),
            "The softmax is applied twice, once before the temperature. Divide the raw logits.",
        ),
        "overflow": Bug(
            lambda z, t: (z / t).exp() / (z / t).exp().sum(1, keepdim=True),
            "exp overflows for large logits, and inf / inf is NaN. Subtract the row's maximum first, or use softmax.",
        ),
        "log-probabilities": Bug(lambda z, t: (z / t).log_softmax(1), "These are log-probabilities. Take exp of them."),
    },
    rules=[
        Rule(lambda p, z, t: (p >= 0).all(), "A probability is never negative."),
        Rule(lambda p, z, t: _rows_sum_to_one(p), "Each row should sum to 1 over its classes."),
        Rule(
            lambda p, z, t: torch.equal(p.argmax(1), z.argmax(1)),
            "The largest logit should get the largest probability: a temperature never changes the winner.",
        ),
    ],
)
