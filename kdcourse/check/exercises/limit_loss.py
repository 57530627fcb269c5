"""The exercise `limit_loss`: what T² · KL becomes at very high temperature (Hinton et al. 2015, section 2.1)."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import kl, logits_and_temperature


def _centred(logits, axis=1):
    return logits - logits.mean(axis, keepdim=True)


def _limit(student_logits, teacher_logits, labels):
    return (_centred(student_logits) - _centred(teacher_logits)).square().mean(1) / 2


def _two_sets_of_logits(generator):
    """Rows whose means differ from 0, and from each other, with labels."""
    student, teacher, _ = logits_and_temperature(generator)
    means = 3 * torch.randn(2, len(student), 1, generator=generator, dtype=torch.float32)
    labels = torch.randint(student.shape[1], student.shape[:1], generator=generator)
    return student + means[0], teacher + means[1], labels


def _at_temperature(T):
    """The loss at one temperature, in float64: large temperatures leave little of it in float32."""
    return lambda z, v, y: T**2 * kl(z.double(), v.double(), T)


def _scaled(factor):
    return lambda z, v, y: factor(z) * _limit(z, v, y)


limit_loss = Exercise(
    "limit_loss",
    lesson="02_temperature",
    order=1,
    reference=_limit,
    inputs=_two_sets_of_logits,
    small=[
        (torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([0])),
        (
            torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 5.0]]),
            torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]]),
            torch.tensor([0, 2]),
        ),
        (torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 1.0]]), torch.tensor([0])),
        # One student and two examples: [M, C, B], as a stack calls it.
        (
            torch.tensor([[[2.0, 0.0], [0.0, 1.0], [5.0, 1.0]]]),
            torch.tensor([[[3.0, 1.0], [0.0, 0.0], [1.0, 4.0]]]),
            torch.tensor([[0, 1]]),
        ),
    ],
    praise="At a very high temperature, then, distillation is a regression on the teacher's logits.",
    hints=[
        "Start from its gradient, which the lesson has: a difference of centred logits, divided by C. "
        "Which function of the student's logits has that derivative?",
        "Half a square: the derivative of (a − b)² / 2 with respect to a is a − b. What plays the part of a and b?",
        "Subtract each row's mean, for student and teacher; square the difference; average over the classes, axis 1; "
        "halve.",
        "gap = (student_logits − student_logits.mean(1, keepdim=True)) − the same of the teacher; "
        "return gap.square().mean(1) / 2",
    ],
    bugs={
        "means not removed": Bug(
            lambda z, v, y: (z - v).square().mean(1) / 2,
            "The means are still in. A softmax does not notice a constant added to a row, so this loss cannot either: "
            "subtract each row's mean.",
            lambda z, v, y: (z - v).square().mean(1),
            lambda z, v, y: (z - v).square().sum(1),
            lambda z, v, y: (z - v).square().sum(1) / 2,
        ),
        "student's mean only": Bug(
            lambda z, v, y: (_centred(z) - v).square().mean(1) / 2,
            "Only the student's logits lose their mean. The teacher's softmax ignores a constant too: centre both.",
        ),
        "teacher's mean only": Bug(
            lambda z, v, y: (z - _centred(v)).square().mean(1) / 2,
            "Only the teacher's logits lose their mean. The student's softmax ignores a constant too: centre both.",
        ),
        "no ½": Bug(
            _scaled(lambda z: 2),
            "It is twice too large. The derivative of a square has a 2 in it; the gradient of the lesson has none.",
        ),
        "summed over the classes": Bug(
            _scaled(lambda z: z.shape[1]),
            "You add up the classes. A softened probability is near 1/C, so the limit has the mean over the classes.",
            _scaled(lambda z: 2 * z.shape[1]),
        ),
        "divided by the classes twice": Bug(
            _scaled(lambda z: 1 / z.shape[1]), "You divide by C². One division by C is enough: that of the mean."
        ),
        "one value for the batch": Bug(
            lambda z, v, y: _limit(z, v, y).mean(),
            "You average over the examples as well. Each keeps a value of its own, [B]: the training loop averages.",
            lambda z, v, y: _limit(z, v, y).sum(),
            lambda z, v, y: (z - v).square().mean(),
        ),
        "wrong axis": Bug(
            lambda z, v, y: (_centred(z, 0) - _centred(v, 0)).square().mean(1) / 2,
            "The means run over axis 0, the examples. Each example has its own mean, over its classes: axis 1.",
            lambda z, v, y: (_centred(z, 0) - _centred(v, 0)).square().mean(0) / 2,
        ),
        "last axis": Bug(
            lambda z, v, y: (_centred(z, -1) - _centred(v, -1)).square().mean(-1) / 2,
            "You take the last axis for the classes. In a stack, logits are [M, C, B]: the classes are on axis 1.",
        ),
        "logsumexp in place of the mean": Bug(
            lambda z, v, y: (z.log_softmax(1) - v.log_softmax(1)).square().mean(1) / 2,
            "log_softmax subtracts the row's logsumexp. In the limit it is the mean that goes.",
        ),
        "the gradient, not the loss": Bug(
            lambda z, v, y: (_centred(z) - _centred(v)) / z.shape[1],
            "That is the gradient, one entry per logit. Which loss has it? One value per example is asked for.",
        ),
        "a large temperature, not the limit": Bug(
            _at_temperature(100),
            "That is the loss at one large temperature, and not yet the limit. Let T grow on paper, until it is gone "
            "from the formula.",
            *map(_at_temperature, (10, 20, 50, 1000)),
        ),
        "no T²": Bug(
            lambda z, v, y: torch.zeros_like(z[:, 0]),
            "Everything is 0, which is the limit without T²: KL shrinks like 1/T². The loss has T² against that.",
        ),
        "probabilities in place of logits": Bug(
            lambda z, v, y: (z.softmax(1) - v.softmax(1)).square().mean(1) / 2,
            "You compare probabilities. In the limit only logits are left.",
            lambda z, v, y: (z.softmax(1) - v.softmax(1)).square().sum(1),
            lambda z, v, y: (z.softmax(1) - v.softmax(1)).square().mean(1),
        ),
        "absolute differences": Bug(
            lambda z, v, y: (_centred(z) - _centred(v)).abs().mean(1),
            "You add up distances. Their gradient is only a sign; the lesson's grows with the distance: square them.",
            lambda z, v, y: (_centred(z) - _centred(v)).abs().mean(1) / 2,
        ),
        "teacher forgotten": Bug(
            lambda z, v, y: _centred(z).square().mean(1) / 2,
            "The teacher is not in it: this pulls all logits of the student together, whatever the teacher says.",
        ),
    },
    rules=[
        Rule(lambda loss, z, v, y: (loss >= -1e-4).all(), "A squared distance is never negative."),
        Rule(
            lambda loss, z, v, y: not torch.allclose(_centred(z), _centred(v)) or loss.abs().max() < 1e-4,
            "Student and teacher differ by a constant here, so their probabilities are equal and the loss is 0.",
        ),
    ],
)
