"""The exercises of lesson 01."""

import math

import torch

from kdcourse.check.core import Bug, Exercise, Rule

LESSON = "01_soft_labels"


def _logits(generator):
    rows = int(torch.randint(2, 7, (), generator=generator))
    classes = int(torch.randint(7, 12, (), generator=generator))
    return 4 * torch.randn(rows, classes, generator=generator, dtype=torch.float32)


def _temperature(generator):
    return float(1.5 + 6 * torch.rand((), generator=generator))


def _rows_sum_to_one(probabilities):
    return ((probabilities.sum(1) - 1).abs() < 1e-3).all()


soften = Exercise(
    "soften",
    lesson=LESSON,
    reference=lambda logits, temperature: (logits / temperature).softmax(1),
    inputs=lambda generator: (1000 * _logits(generator), _temperature(generator)),
    small=[(torch.tensor([[2.0, 0.0, 0.0]]), 2.0), (torch.tensor([[1000.0, 0.0]]), 2.0)],
    praise="It survives logits in the thousands, and any number of classes.",
    hints=[
        "Divide first. Then turn each row into probabilities.",
        "What does exp do to 10,000? Which function of PyTorch was made for that?",
        "softmax over axis 1, the classes, of logits / temperature",
    ],
    bugs=[
        Bug(
            "temperature ignored",
            lambda z, t: z.softmax(1),
            "The temperature has no effect: these are the probabilities at T = 1.",
        ),
        Bug(
            "temperature upside down",
            lambda z, t: (z * t).softmax(1),
            "You multiply by the temperature. A higher temperature should make the probabilities flatter.",
        ),
        Bug(
            "wrong axis",
            lambda z, t: (z / t).softmax(0),
            "The softmax runs over axis 0, the examples. Each row, one example, should sum to 1.",
        ),
        Bug(
            "softened too late",
            lambda z, t: z.softmax(1) / t,
            "You divide the probabilities, so that they sum to 1/T. Divide the logits, before the softmax.",
        ),
        Bug(
            "softmax applied twice",
            lambda z, t: (z / t).softmax(1).softmax(1),
            "The softmax is applied twice: probabilities went in where logits belong.",
        ),
        Bug(
            "softmax before the temperature",
            lambda z, t: (z.softmax(1) / t).softmax(1),
            "The softmax is applied twice, once before the temperature. Divide the raw logits.",
        ),
        Bug(
            "overflow",
            lambda z, t: (z / t).exp() / (z / t).exp().sum(1, keepdim=True),
            "exp overflows for large logits, and inf / inf is NaN. Subtract the row's maximum first, or use softmax.",
        ),
        Bug(
            "log-probabilities",
            lambda z, t: (z / t).log_softmax(1),
            "These are log-probabilities. Take exp of them.",
        ),
    ],
    rules=[
        Rule("not negative", lambda p, z, t: (p >= 0).all(), "A probability is never negative."),
        Rule("sums to 1", lambda p, z, t: _rows_sum_to_one(p), "Each row should sum to 1 over its classes."),
        Rule(
            "same winner",
            lambda p, z, t: torch.equal(p.argmax(1), z.argmax(1)),
            "The largest logit should get the largest probability: a temperature never changes the winner.",
        ),
    ],
)


def _with_certainty(generator):
    """Probabilities, the last row of which is certain: exact zeros happen, and must not give NaN."""
    probabilities = _logits(generator).softmax(1)
    probabilities[-1] = torch.eye(probabilities.shape[1])[0]
    return (probabilities,)


def _entropy(probabilities):
    return -torch.special.xlogy(probabilities, probabilities).sum(1) / math.log(2)


entropy_bits = Exercise(
    "entropy_bits",
    lesson=LESSON,
    reference=_entropy,
    inputs=_with_certainty,
    small=[(torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]),)],
    praise="A certain prediction carries 0 bits beyond its label; ten equal ones carry log2(10).",
    hints=[
        "Entropy is the average surprise: for each class its probability times log2(1 / probability), summed.",
        "Your first answer may give nan for a probability of exactly 0. What is 0 · log 0 in the limit?",
        "-torch.special.xlogy(p, p).sum(1) / math.log(2); or clamp p before the logarithm",
    ],
    bugs=[
        Bug(
            "nats, not bits",
            lambda p: -torch.special.xlogy(p, p).sum(1),
            "These are nats: the natural logarithm. Bits need the logarithm to base 2.",
        ),
        Bug(
            "log of zero",
            lambda p: -(p * p.log2()).sum(1),
            "A probability of exactly 0 gives 0 · (−inf), which is NaN. In the limit that term is 0.",
        ),
        Bug(
            "log of zero, in nats",
            lambda p: -(p * p.log()).sum(1),
            "A probability of exactly 0 gives NaN; and the natural logarithm gives nats, not bits.",
        ),
        Bug("sign", lambda p: -_entropy(p), "The sign: entropy is never negative.", (lambda p: (p * p.log2()).sum(1),)),
        Bug(
            "wrong axis",
            lambda p: _entropy(p.T),
            "The sum runs over axis 0, the examples. Each example has its own entropy: sum over the classes.",
        ),
        Bug(
            "summed over everything",
            lambda p: _entropy(p).sum(),
            "One number came back for all examples together. Return one per example, [B].",
            (lambda p: _entropy(p).mean(),),
        ),
        Bug(
            "mean over classes",
            lambda p: _entropy(p) / p.shape[1],
            "You averaged over the classes; entropy sums over them.",
        ),
        Bug(
            "the probability forgotten",
            lambda p: -p.log2().sum(1),
            "You sum the surprises as they are. Weigh each by its probability, and −log 0 does no harm either.",
        ),
    ],
    rules=[
        Rule("not negative", lambda bits, p: (bits >= -1e-4).all(), "Entropy is never negative."),
        Rule(
            "at most log2(C)",
            lambda bits, p: (bits <= math.log2(p.shape[1]) + 1e-3).all(),
            "Entropy over C classes is at most log2(C) bits, which C equal probabilities have.",
        ),
    ],
)

hard_targets = Exercise(
    "hard_targets",
    lesson=LESSON,
    reference=lambda teacher_logits: teacher_logits.argmax(1),
    inputs=lambda generator: (_logits(generator),),
    small=[(torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 1.0]]),)],
    praise="Now a student can learn from the teacher's verdicts without its doubts.",
    hints=[
        "The control keeps the teacher's verdict on each example and throws its doubts away.",
        "A label is the index of the winning class.",
        "return teacher_logits.argmax(1)",
    ],
    bugs=[
        Bug(
            "wrong axis",
            lambda z: z.argmax(0),
            "argmax runs over axis 0: for each class, the example that has the most of it. Use axis 1.",
        ),
        Bug(
            "one number for all",
            lambda z: z.argmax(),
            "argmax without an axis flattens everything first and gives one number. Use axis 1.",
        ),
        Bug(
            "values, not indices",
            lambda z: z.amax(1),
            "These are the largest logits. A label is the index of the class.",
        ),
        Bug(
            "still soft",
            lambda z: z.softmax(1),
            "These are still soft labels: the teacher's doubts are all in them. Return only which class wins.",
        ),
        Bug(
            "one-hot",
            lambda z: torch.nn.functional.one_hot(z.argmax(1), z.shape[1]),
            "One-hot rows are right in spirit; `train` wants class indices, int64 [B].",
        ),
        Bug("least likely", lambda z: z.argmin(1), "That is the class the teacher finds least likely."),
        Bug("counted from 1", lambda z: z.argmax(1) + 1, "You count the classes from 1. The first has index 0."),
        Bug(
            "floats, not indices",
            lambda z: z.argmax(1).float(),
            "These are the right classes, but as floating-point numbers. `train` wants indices, int64.",
        ),
        Bug(
            "a column",
            lambda z: z.argmax(1, keepdim=True),
            "The classes are right, but they stand in a column, [B, 1]. Return [B]: no keepdim.",
        ),
    ],
    rules=[
        Rule(
            "in range",
            lambda labels, z: ((labels >= 0) & (labels < z.shape[1])).all(),
            "A class index lies from 0 to C − 1.",
        ),
    ],
)
