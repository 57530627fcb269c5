"""Random logits, and the losses of lesson 03 in pieces, from which right and wrong answers are put together.

s, t and y are student logits, teacher logits and labels, T is the temperature, w the soft weight.
"""

import torch

from kdcourse.check.core import Bug


def logs(logits, temperature=1.0, axis=1):
    return (logits / temperature).log_softmax(axis)


def of_the_labels(values, labels):
    """In each row, the value of the class that its label names."""
    return values.gather(1, labels.unsqueeze(1)).squeeze(1)


def divergence(log_p, log_q):
    """KL(p ‖ q) of each example."""
    return (log_p.exp() * (log_p - log_q)).sum(1)


def kl(s, t, T):
    return divergence(logs(t, T), logs(s, T))


def loss(student_logits, teacher_logits, temperature):
    return temperature**2 * kl(student_logits, teacher_logits, temperature)


def against_soft_targets(s, t, T):
    """Cross-entropy with the teacher's probabilities."""
    return -(logs(t, T).exp() * logs(s, T)).sum(1)


def kl_with_log_of_zero(s, t, T):
    p = (t / T).softmax(1)
    return (p * (p.log() - logs(s, T))).sum(1)


def many_logits(generator):
    rows = int(torch.randint(2, 7, (), generator=generator))
    classes = int(torch.randint(7, 12, (), generator=generator))
    return 4 * torch.randn(rows, classes, generator=generator, dtype=torch.float32)


def logits_and_temperature(generator):
    rows = int(torch.randint(1, 7, (), generator=generator))
    classes = int(torch.randint(2, 12, (), generator=generator))
    student, teacher = 4 * torch.randn(2, rows, classes, generator=generator, dtype=torch.float32)
    return student, teacher, float(1.5 + 6.5 * torch.rand((), generator=generator))


def loss_arguments(generator):
    """Logits [B, C], or [M, C, B] as those of stacked students are, and a temperature."""
    student, teacher, temperature = logits_and_temperature(generator)
    if torch.randint(2, (), generator=generator):
        student, teacher = (torch.stack([one, one.flip(0)]).transpose(1, 2) for one in (student, teacher))
    return student, teacher, temperature


def blend_arguments(generator):
    student, teacher, temperature = loss_arguments(generator)
    labels = torch.randint(student.shape[1], student[:, 0].shape, generator=generator)
    weight = float(0.15 + 0.3 * torch.rand((), generator=generator))  # never near 0.5, where an exchange is not seen
    heads = bool(torch.randint(2, (), generator=generator))
    return student, teacher, labels, temperature, 1 - weight if heads else weight


def blend(soft, hard):
    """An answer: the blend of `soft(s, t, T)` and `hard(s, t, y, T)`."""

    def answer(student_logits, teacher_logits, labels, temperature, soft_weight):
        of_soft = soft(student_logits, teacher_logits, temperature)
        return soft_weight * of_soft + (1 - soft_weight) * hard(student_logits, teacher_logits, labels, temperature)

    return answer


def wrong_blends(soft, hard):
    """The mistakes in how a blend puts its two terms together, and in what these see."""

    def by(of_soft, of_hard):
        return lambda s, t, y, T, w: of_soft(w) * soft(s, t, T) + of_hard(w) * hard(s, t, y, T)

    def hard_softened(power):
        return blend(soft, lambda s, t, y, T: T**power * hard(s / T, t, y, T))

    def soft_as_it_is(power):
        return blend(lambda s, t, T: T**power * soft(s, t, 1), hard)

    return {
        "weights exchanged": Bug(
            by(lambda w: 1 - w, lambda w: w),
            "The weights are exchanged: soft_weight belongs to the soft term, 1 − soft_weight to the hard one.",
        ),
        "no weights": Bug(
            by(lambda w: 1, lambda w: 1), "The two terms are added without weights: soft_weight has no effect."
        ),
        "hard term at full weight": Bug(
            by(lambda w: w, lambda w: 1), "The hard term has its full weight. Multiply it by 1 − soft_weight."
        ),
        "soft term at full weight": Bug(
            by(lambda w: 1, lambda w: 1 - w), "The soft term has its full weight. Multiply it by soft_weight."
        ),
        "soft term only": Bug(
            by(lambda w: w, lambda w: 0),
            "The labels have no say: only the soft term is there.",
            by(lambda w: 1, lambda w: 0),
        ),
        "hard term only": Bug(
            by(lambda w: 0, lambda w: 1 - w),
            "The teacher has no say: only the hard term is there.",
            by(lambda w: 0, lambda w: 1),
        ),
        "hard term softened": Bug(
            hard_softened(0),
            "The hard term is softened as well. Labels are compared with the student as it is, at T = 1.",
            *map(hard_softened, (-1, 1, 2)),
        ),
        "soft term not softened": Bug(
            soft_as_it_is(0),
            "The soft term is taken at T = 1. Divide both logits by T before the softmax.",
            *map(soft_as_it_is, (1, 2)),
        ),
        "the teacher's verdict for the labels": Bug(
            blend(soft, lambda s, t, y, T: hard(s, t, t.argmax(1), T)),
            "The hard term compares with the teacher's arg-max. It should use the labels.",
        ),
    }


# Small logits of student and teacher. TWO examples show what goes wrong between examples; in CERTAIN, the teacher's
# probability of class 1 is exp(-200) at T = 2: zero in float32. STACK is one student, two classes, three examples.
ONE = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])
TWO = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
CERTAIN = torch.tensor([[1.0, 0.0]]), torch.tensor([[400.0, 0.0]])
STACK = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]), torch.tensor([[[3.0, 0.0, 0.0], [1.0, 2.0, 1.0]]])
