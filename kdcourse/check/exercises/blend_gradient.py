"""The exercise `blend_gradient`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import ONE, TWO, blend, blend_arguments, divergence, logs, wrong_blends


def limit(z, v):
    """What is left of the gradient of T² · KL once T has grown beyond all bounds."""
    return (z - z.mean(1, keepdim=True) - v + v.mean(1, keepdim=True)) / z.shape[1]


def _soft(s, t, T):
    """The gradient of T² · KL(teacher ‖ student)."""
    return T * _difference(s, t, T)


def _difference(s, t, T):
    return (s / T).softmax(1) - (t / T).softmax(1)


def _hard(s, t, y, T):
    """The gradient of the cross-entropy with the labels."""
    return s.softmax(1) - _one_hot(s, y)


def _one_hot(logits, labels):
    return torch.nn.functional.one_hot(labels, logits.shape[1])


def _blend(soft=_soft, hard=_hard):
    """The blend, with one of its parts replaced."""
    return blend(soft, hard)


def _reverse(s, t, T):
    """The gradient of T² · KL(student ‖ teacher)."""
    log_p, log_q = logs(t, T), logs(s, T)
    return T * log_q.exp() * (log_q - log_p - divergence(log_q, log_p).unsqueeze(1))


blend_gradient = Exercise(
    "blend_gradient",
    lesson="03_blended_loss",
    order=3,
    reference=_blend(),
    inputs=blend_arguments,
    small=[(*ONE, torch.tensor([1]), 2.0, 0.25), (*TWO, torch.tensor([0, 1]), 4.0, 0.25)],
    praise="Two pulls on every logit: one towards the teacher's probability, one towards the label.",
    hints=[
        "The gradient of a sum is the sum of the gradients. Take the two parts one at a time.",
        "The gradient of cross-entropy with respect to the logits is softmax(z) minus the one-hot label.",
        "The soft part is a cross-entropy of z / T, up to a constant: softmax(z / T) − softmax(v / T), and a factor. "
        "T² stands before it, and the chain rule brings in 1/T.",
        "soft_weight * T * (softmax(z / T) − softmax(v / T)) + (1 − soft_weight) * (softmax(z) − one_hot(labels))",
    ],
    bugs={
        **wrong_blends(_soft, _hard, "part"),
        "chain rule forgotten": Bug(
            _blend(lambda s, t, T: T**2 * _difference(s, t, T)),
            "The soft part carries T². The student's logits are divided by T, the chain rule takes one T away again.",
        ),
        "T² forgotten": Bug(
            _blend(lambda s, t, T: _difference(s, t, T) / T),
            "The soft part carries 1/T: that is the gradient of the divergence alone. The loss has T² before it.",
        ),
        "T² and chain rule forgotten": Bug(
            _blend(_difference),
            "The soft part has no factor T. T² stands before the divergence, and the chain rule takes one T away.",
        ),
        "T on the hard part too": Bug(
            _blend(hard=lambda s, t, y, T: T * _hard(s, t, y, T)),
            "The hard part carries a factor of T. Only the soft part is softened, so only that one has T in it.",
            _blend(hard=lambda s, t, y, T: T**2 * _hard(s, t, y, T)),
        ),
        "sign": Bug(
            lambda s, t, y, T, w: -_blend()(s, t, y, T, w),
            "The sign of everything: that is the step downhill. The gradient is student minus target.",
        ),
        "sign of the soft part": Bug(
            _blend(lambda s, t, T: _soft(t, s, T)),
            "The sign of the soft part: it is the student's probability minus the teacher's.",
        ),
        "sign of the hard part": Bug(
            _blend(hard=lambda s, t, y, T: -_hard(s, t, y, T)),
            "The sign of the hard part: it is the student's probability minus the one-hot label.",
        ),
        "T on the teacher only": Bug(
            _blend(lambda s, t, T: T * (s.softmax(1) - (t / T).softmax(1))),
            "Only the teacher is softened. The student has to be compared at the same temperature.",
            _blend(lambda s, t, T: s.softmax(1) - (t / T).softmax(1)),
        ),
        "T on the student only": Bug(
            _blend(lambda s, t, T: T * ((s / T).softmax(1) - t.softmax(1))),
            "Only the student is softened. The teacher has to be compared at the same temperature.",
            _blend(lambda s, t, T: (s / T).softmax(1) - t.softmax(1)),
        ),
        "divided by the examples": Bug(
            lambda s, t, y, T, w: _blend()(s, t, y, T, w) / len(s),
            "You divide by the number of examples: that is the gradient of their mean. Here each example has a loss of "
            'its own. With autograd, use reduction="sum".',
        ),
        "one part divided by the examples": Bug(
            _blend(hard=lambda s, t, y, T: _hard(s, t, y, T) / len(s)),
            "One of the two parts is divided by the number of examples, and the other is not: a mean beside a sum. "
            "Then their weights depend on the size of the batch.",
            _blend(lambda s, t, T: _soft(s, t, T) / len(s)),
        ),
        "soft part divided by the classes": Bug(
            _blend(lambda s, t, T: _soft(s, t, T) / s.shape[1]),
            "The soft part is divided by the number of classes, so the teacher has too little weight. "
            'In F.kl_div, reduction="mean" does that.',
            lambda s, t, y, T, w: _blend(lambda s, t, T: _soft(s, t, T) / s.shape[1])(s, t, y, T, w) / len(s),
            _blend(lambda s, t, T: _soft(s, t, T) / s.numel()),
        ),
        "added up over the examples": Bug(
            lambda s, t, y, T, w: _blend()(s, t, y, T, w).mean(0),
            "The examples have been added up, or averaged. Each keeps a row of its own: [B, C].",
            lambda s, t, y, T, w: _blend()(s, t, y, T, w).sum(0),
        ),
        "one-hot label missing": Bug(
            _blend(hard=lambda s, t, y, T: s.softmax(1)),
            "The hard part has no label in it. Subtract the one-hot label from the student's probabilities.",
        ),
        "labels taken for one-hot": Bug(
            _blend(hard=lambda s, t, y, T: s.softmax(1) - y.unsqueeze(1)),
            "The index of the class is subtracted from all its row. Make it one-hot first: F.one_hot(labels, C).",
        ),
        "logits in the hard part": Bug(
            _blend(hard=lambda s, t, y, T: s - _one_hot(s, y)),
            "The hard part subtracts the label from logits. It needs the student's probabilities: softmax(z).",
        ),
        "logits in the soft part": Bug(
            _blend(lambda s, t, T: T * (s - t)),
            "The soft part is a difference of logits. It needs probabilities at T: softmax(z / T).",
            _blend(lambda s, t, T: s - t),
            _blend(lambda s, t, T: (s - t) / T),
        ),
        "the limit for the soft part": Bug(
            _blend(lambda s, t, T: limit(s, t)),
            "The soft part is the limit for a large T, from lesson 02. Here T is what it is: use the softmax at T.",
        ),
        "arguments swapped": Bug(
            _blend(_reverse),
            "The soft part is the gradient of KL(student ‖ teacher), the reverse. The teacher comes first.",
        ),
        "wrong axis": Bug(
            lambda s, t, y, T, w: (
                w * T * ((s / T).softmax(0) - (t / T).softmax(0)) + (1 - w) * (s.softmax(0) - _one_hot(s, y))
            ),
            "The softmax runs over axis 0, the examples. The classes are on axis 1.",
        ),
    },
    rules=[
        Rule(
            lambda g, *case: (g.sum(1).abs() < 1e-3).all(),
            "Each row should sum to 0: both parts are differences of two distributions, which sum to 1 each.",
        ),
        Rule(
            lambda g, s, t, y, T, w: (g.abs() <= w * T + (1 - w) + 1e-3).all(),
            "No entry can be larger than soft_weight · T + (1 − soft_weight): probabilities differ by 1 at most.",
        ),
    ],
)
