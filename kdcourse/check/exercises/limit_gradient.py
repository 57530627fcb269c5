"""The exercise `limit_gradient`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import logits_and_temperature


def _centred(logits, axis=1):
    return logits - logits.mean(axis, keepdim=True)


def limit(student_logits, teacher_logits):
    """What is left of the gradient of T² · KL once T has grown beyond all bounds."""
    return (_centred(student_logits) - _centred(teacher_logits)) / student_logits.shape[1]


def _two_sets_of_logits(generator):
    """Rows whose means differ from 0, and from each other."""
    student, teacher, _ = logits_and_temperature(generator)
    means = 3 * torch.randn(2, len(student), 1, generator=generator, dtype=torch.float32)
    return student + means[0], teacher + means[1]


def _at_temperature(T):
    """The gradient at one temperature, in float64: large temperatures leave little of it in float32."""
    return lambda z, v: T * ((z.double() / T).softmax(1) - (v.double() / T).softmax(1))


limit_gradient = Exercise(
    "limit_gradient",
    lesson="02_temperature",
    order=1,
    reference=limit,
    inputs=_two_sets_of_logits,
    small=[
        (torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]])),
        (torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 5.0]]), torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])),
        (torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 1.0]])),
    ],
    praise="At a high temperature, then, the student matches the teacher's logits, up to a constant in each row.",
    hints=[
        "Begin with the gradient at one temperature: T · (softmax(z / T) − softmax(v / T)). What is it for a large T?",
        "For a small x, exp(x) is about 1 + x. Put z / T in for x. What is the sum over the C classes then?",
        "The softmax is about (1 + (z − mean(z)) / T) / C: that is where the means come from, one per row.",
        "Subtract from each row its own mean, for the student and for the teacher; their difference, divided by C.",
    ],
    bugs={
        "means not removed": Bug(
            lambda z, v: (z - v) / z.shape[1],
            "The means are still in. A softmax does not notice a constant added to a row, so its gradient cannot "
            "either: subtract each row's mean.",
        ),
        "student's mean only": Bug(
            lambda z, v: (_centred(z) - v) / z.shape[1],
            "Only the student's logits lose their mean. The teacher's softmax ignores a constant too: centre both.",
        ),
        "teacher's mean only": Bug(
            lambda z, v: (z - _centred(v)) / z.shape[1],
            "Only the teacher's logits lose their mean. The student's softmax ignores a constant too: centre both.",
        ),
        "wrong axis": Bug(
            lambda z, v: (_centred(z, 0) - _centred(v, 0)) / z.shape[1],
            "The means run over axis 0, the examples. Each example has its own mean, over its classes: axis 1.",
        ),
        "one mean for everything": Bug(
            lambda z, v: (z - z.mean() - v + v.mean()) / z.shape[1],
            "One mean is taken over the whole batch. Each row has its own: mean(1, keepdim=True).",
        ),
        "logsumexp in place of the mean": Bug(
            lambda z, v: (z.log_softmax(1) - v.log_softmax(1)) / z.shape[1],
            "log_softmax subtracts the row's logsumexp. In the limit it is the mean that goes: "
            "the gradient of a row then sums to 0.",
        ),
        "sign": Bug(
            lambda z, v: -limit(z, v),
            "The sign: that is teacher minus student. A gradient points uphill, so it is positive where the student's "
            "logit is too large.",
        ),
        "not divided by the classes": Bug(
            lambda z, v: limit(z, v) * z.shape[1],
            "The division by the number of classes is missing: at a high temperature each probability is near 1/C.",
        ),
        "divided by the classes twice": Bug(
            lambda z, v: limit(z, v) / z.shape[1],
            "You divide by C². One division by C comes from the softmax; a second one comes of a mean over the "
            'classes, as F.kl_div takes it with reduction="mean".',
        ),
        "divided by the examples too": Bug(
            lambda z, v: limit(z, v) / len(z),
            "You divide by B · C: the gradient of a mean over the batch. Here each example has a loss of its own.",
        ),
        "divided by the examples instead": Bug(
            lambda z, v: limit(z, v) * z.shape[1] / len(z),
            "You divide by B, the examples. It should be C, the classes: len(logits) is B, logits.shape[1] is C.",
        ),
        "added up over the examples": Bug(
            lambda z, v: limit(z, v).sum(0),
            "The examples have been added up, or averaged. Each keeps a row of its own: [B, C].",
            lambda z, v: limit(z, v).mean(0),
        ),
        "probabilities in place of logits": Bug(
            lambda z, v: z.softmax(1) - v.softmax(1),
            "That is a difference of probabilities: the gradient at T = 1. In the limit only the logits are left.",
            lambda z, v: (z.softmax(1) - v.softmax(1)) / z.shape[1],
        ),
        "a large temperature, not the limit": Bug(
            _at_temperature(100),
            "That is the gradient at one large temperature, and not yet the limit. Let T grow on paper, until it is "
            "gone from the formula.",
            *map(_at_temperature, (10, 20, 50, 1000)),
        ),
        "no T²": Bug(
            lambda z, v: torch.zeros_like(z),
            "Everything is 0, the limit without T²: (q − p) / T shrinks like 1/T². The loss has T² against that.",
        ),
        "a factor of 2": Bug(
            lambda z, v: 2 * limit(z, v),
            "It is twice too large: the derivative of a squared difference has a 2. The loss here carries ½.",
        ),
        "the loss, not its gradient": Bug(
            lambda z, v: (_centred(z) - _centred(v)).square().sum(1) / (2 * z.shape[1]),
            "That is a loss, one number per example. Its gradient has one entry per logit, [B, C].",
            lambda z, v: (_centred(z) - _centred(v)).square().mean(1),
            lambda z, v: (_centred(z) - _centred(v)).square().mean(),
        ),
        "teacher forgotten": Bug(
            lambda z, v: _centred(z) / z.shape[1],
            "The teacher is not in it: this pulls all logits of the student together, whatever the teacher says.",
        ),
    },
    rules=[
        Rule(
            lambda g, z, v: not torch.allclose(_centred(z), _centred(v)) or g.abs().max() < 1e-4,
            "Student and teacher differ by a constant here, so their probabilities are equal and the gradient is 0.",
        ),
        Rule(
            lambda g, z, v: (g.sum(1).abs() < 1e-3).all(),
            "Each row should sum to 0: adding the same number to all logits of an example changes no probability.",
        ),
    ],
)
