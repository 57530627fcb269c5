"""The exercise `repaired_loss`: a loss from a review with two bugs, T² forgotten and T applied to one side only."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import divergence, kl, logits_and_temperature, logs

T, WEIGHT = 10.0, 0.9


def _hard(z, y, T=1.0):
    return -logs(z, T).gather(1, y.unsqueeze(1)).squeeze(1)


def _blend(soft, hard=_hard, weight=WEIGHT):
    return lambda z, v, y: weight * soft(z, v) + (1 - weight) * hard(z, y)


def _one_side(z, v):
    """Only the teacher is softened."""
    return divergence(logs(v, T), logs(z))


def _repaired(student_logits, teacher_logits, labels):
    soft = T**2 * kl(student_logits, teacher_logits, T)
    return WEIGHT * soft + (1 - WEIGHT) * _hard(student_logits, labels)


def _examples(generator):
    student, teacher, _ = logits_and_temperature(generator)
    return student, teacher, torch.randint(student.shape[1], student.shape[:1], generator=generator)


repaired_loss = Exercise(
    "repaired_loss",
    lesson="02_temperature",
    order=3,
    reference=_repaired,
    inputs=_examples,
    small=[
        (torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[6.0, 3.0, 0.0]]), torch.tensor([0])),
        (
            torch.tensor([[1.0, 0.0], [0.0, 3.0]]),
            torch.tensor([[9.0, 2.0], [4.0, 0.0]]),
            torch.tensor([0, 1]),
        ),
        # One student and two examples: [M, C, B], as a stack calls it.
        (
            torch.tensor([[[2.0, 0.0], [0.0, 1.0], [1.0, 5.0]]]),
            torch.tensor([[[6.0, 1.0], [3.0, 0.0], [0.0, 4.0]]]),
            torch.tensor([[0, 1]]),
        ),
    ],
    praise="Both sides at one temperature, and T² so that nine tenths are nine tenths.",
    hints=[
        "Set student and teacher equal, on paper. Should the soft part be 0? Is it?",
        "Student and teacher are compared at the same temperature: divide both logits by T.",
        "The second bug shows in the size: at T = 10 the soft part's gradient is about 100 times too small.",
        "soft = T**2 * kl_div((student_logits / T).log_softmax(1), (teacher_logits / T).softmax(1), "
        'reduction="none").sum(1); the last two lines stay as they are',
    ],
    bugs={
        "as it was": Bug(
            _blend(_one_side),
            "Nothing is repaired yet. There are two bugs: one on the line of the student, one in what soft is "
            "multiplied by.",
        ),
        "T² still missing": Bug(
            _blend(lambda z, v: kl(z, v, T)),
            "One of two: both sides are softened now. But the soft part is about T² = 100 times too small.",
        ),
        "student still not softened": Bug(
            _blend(lambda z, v: T**2 * _one_side(z, v)),
            "One of two: T² is there. But teacher and student are compared at different temperatures, so a student "
            "equal to its teacher has a loss.",
        ),
        "T in place of T²": Bug(
            _blend(lambda z, v: T * kl(z, v, T)),
            "You multiply by T. The gradient shrinks by T twice: once through z / T, once through q − p.",
        ),
        "divided by T²": Bug(_blend(lambda z, v: kl(z, v, T) / T**2), "You divide by T². It is too small already."),
        "nothing softened": Bug(
            _blend(lambda z, v: kl(z, v, 1)),
            "Now both sides are at T = 1. That is consistent, but T = 10 was meant: soften both.",
            _blend(lambda z, v: T**2 * kl(z, v, 1)),
        ),
        "the other side only": Bug(
            _blend(lambda z, v: T**2 * divergence(logs(v), logs(z, T))),
            "Now the student is softened and the teacher is not. Both have to be.",
            _blend(lambda z, v: divergence(logs(v), logs(z, T))),
        ),
        "T² on the whole loss": Bug(
            lambda z, v, y: T**2 * _blend(lambda z, v: kl(z, v, T))(z, v, y),
            "T² multiplies the hard part too, so the balance is as wrong as before. It belongs to the soft part.",
        ),
        "hard part softened": Bug(
            _blend(lambda z, v: T**2 * kl(z, v, T), lambda z, y: _hard(z, y, T)),
            "The hard part is softened too. Labels are compared with the student as it is used: at T = 1.",
            _blend(lambda z, v: T**2 * kl(z, v, T), lambda z, y: T**2 * _hard(z, y, T)),
        ),
        "weights exchanged": Bug(
            _blend(lambda z, v: T**2 * kl(z, v, T), weight=1 - WEIGHT),
            "The weights are exchanged: nine tenths are meant for the soft part.",
        ),
        "soft part only": Bug(
            lambda z, v, y: T**2 * kl(z, v, T), "The labels have no say any more. The last two lines were right."
        ),
        "divided by the classes": Bug(
            _blend(lambda z, v: T**2 * kl(z, v, T) / z.shape[1]),
            "You average over the classes. A divergence is their sum: .sum(1).",
        ),
        "one value for the batch": Bug(
            lambda z, v, y: _repaired(z, v, y).mean(),
            "You average over the examples as well. Each keeps a value of its own: the training loop averages.",
        ),
        "sides swapped": Bug(
            _blend(lambda z, v: T**2 * kl(v, z, T)),
            "Student and teacher have changed places: kl_div takes the student's log-probabilities first.",
        ),
    },
    rules=[Rule(lambda loss, z, v, y: (loss > -1e-4).all(), "Neither part is ever negative.")],
)
