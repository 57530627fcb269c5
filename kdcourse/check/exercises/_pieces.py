"""Random logits, and the losses of lesson 03 in pieces, from which right and wrong answers are put together.

s, t and y are student logits, teacher logits and labels, T is the temperature, w the soft weight.
"""

import torch


def logs(logits, temperature=1.0, axis=1):
    return (logits / temperature).log_softmax(axis)


def of_the_labels(values, labels):
    """In each row, the value of the class that its label names."""
    return values.gather(1, labels.unsqueeze(1)).squeeze(1)


def divergence(log_p, log_q):
    """KL(p ‖ q) of each row."""
    return (log_p.exp() * (log_p - log_q)).sum(1)


def kl(s, t, T):
    return divergence(logs(t, T), logs(s, T))


def loss(student_logits, teacher_logits, temperature):
    return temperature**2 * kl(student_logits, teacher_logits, temperature).mean()


def against_soft_targets(s, t, T):
    """Cross-entropy with the teacher's probabilities."""
    return -(logs(t, T).exp() * logs(s, T)).sum(1).mean()


def kl_with_log_of_zero(s, t, T):
    p = (t / T).softmax(1)
    return (p * (p.log() - logs(s, T))).sum(1).mean()


def many_logits(generator):
    rows = int(torch.randint(2, 7, (), generator=generator))
    classes = int(torch.randint(7, 12, (), generator=generator))
    return 4 * torch.randn(rows, classes, generator=generator, dtype=torch.float32)


def logits_and_temperature(generator):
    rows = int(torch.randint(1, 7, (), generator=generator))
    classes = int(torch.randint(2, 12, (), generator=generator))
    student, teacher = 4 * torch.randn(2, rows, classes, generator=generator, dtype=torch.float32)
    return student, teacher, float(1.5 + 6.5 * torch.rand((), generator=generator))


def blend_arguments(generator):
    student, teacher, temperature = logits_and_temperature(generator)
    labels = torch.randint(student.shape[1], student.shape[:1], generator=generator)
    weight = float(0.15 + 0.3 * torch.rand((), generator=generator))  # never near 0.5, where an exchange is not seen
    heads = bool(torch.randint(2, (), generator=generator))
    return student, teacher, labels, temperature, 1 - weight if heads else weight


# Three small pairs of logits. Two examples show what goes wrong between examples; in the last, the teacher's
# probability of class 1 is exp(-200) at T = 2: zero in float32.
ONE_STUDENT, ONE_TEACHER = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])
STUDENT, TEACHER = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
CERTAIN_STUDENT, CERTAIN_TEACHER = torch.tensor([[1.0, 0.0]]), torch.tensor([[400.0, 0.0]])
