"""The exercise `decoupled`: the two terms of decoupled distillation (Zhao et al. 2022), which kd_loss ties together."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import divergence, logits_and_temperature, logs, of_the_labels


def _others(values, labels):
    """In each row, the values of all classes but the one that its label names."""
    other = torch.arange(values.shape[1]) != labels.unsqueeze(1)
    return values[other].reshape(len(values), -1)


def _two(log_values, labels):
    """The logarithms of (the label, any other class)."""
    rest = _others(log_values, labels).logsumexp(1)
    return torch.stack([of_the_labels(log_values, labels), rest], 1)


def _target(s, t, y, T):
    return divergence(_two(logs(t, T), y), _two(logs(s, T), y))


def _rest(s, t, y, T):
    return divergence(logs(_others(t, y), T), logs(_others(s, y), T))


def _answer(target=_target, rest=_rest, factor=lambda T: T**2):
    """An answer, with one of its pieces replaced."""
    return lambda s, t, y, T: torch.stack([factor(T) * target(s, t, y, T), factor(T) * rest(s, t, y, T)])


def _both(change):
    """An answer that gives both terms other arguments."""
    return lambda s, t, y, T: _answer()(*change(s, t, y, T))


def _not_renormalised(s, t, y, T):
    log_p, log_q = (_others(logs(logits, T), y) for logits in (t, s))
    return divergence(log_p, log_q)


def _not_label(t, y, T):
    return 1 - of_the_labels(logs(t, T), y).exp()


def _log_of_zero(s, t, y, T):
    q, p = (of_the_labels((logits / T).softmax(1), y) for logits in (s, t))
    return p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()


def _times_a_mask(s, t, y, T):
    """The label's logit becomes 0, and stays in the softmax."""
    other = torch.arange(s.shape[1]) != y.unsqueeze(1)
    return divergence(logs(t * other, T), logs(s * other, T))


def _case(generator):
    student, teacher, temperature = logits_and_temperature(generator)
    while student.shape[1] < 3:  # of two classes, the others are one, and their term is always 0
        student, teacher, temperature = logits_and_temperature(generator)
    labels = torch.randint(student.shape[1], student.shape[:1], generator=generator)
    labels[0] = teacher[0].argsort()[-2]  # in one row the teacher is wrong
    return student, teacher, labels, temperature


decoupled = Exercise(
    "decoupled",
    lesson="07_features_and_assistants",
    order=2,
    reference=lambda student_logits, teacher_logits, labels, temperature: _answer()(
        student_logits, teacher_logits, labels, temperature
    ),
    inputs=_case,
    small=[
        (torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[3.0, 2.0, 0.0]]), torch.tensor([0]), 2.0),
        (
            torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]),
            torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 4.0]]),
            torch.tensor([0, 1]),
            2.0,
        ),
        # The teacher's probability of all other classes is exp(-200): 1 minus that of the label is 0 in float32.
        (torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[400.0, 0.0, 2.0]]), torch.tensor([0]), 2.0),
    ],
    praise="Two terms, each with a weight of its own: kd_loss ties the second to 1 − p, so a sure teacher mutes it.",
    hints=[
        "The first term knows two events only: the label, or any other class. The second knows the other classes only.",
        "F.one_hot(labels, C).bool() picks the labels from log-probabilities, and with ~ all the others; "
        ".view(B, -1) brings these back to [B, C − 1].",
        "The logarithm of the others' total is their .logsumexp(1): 1 − p would round to 0 for a sure teacher. "
        "log_softmax(1) of the others alone renormalises them.",
        "two = torch.stack([label, others.logsumexp(1)], 1) and others.log_softmax(1), of both models; then "
        "temperature**2 * (p.exp() * (p - q)).sum(1), once for each, and return them in this order.",
    ],
    bugs={
        "label kept among the others": Bug(
            _answer(rest=lambda s, t, y, T: divergence(logs(t, T), logs(s, T))),
            "Your second term still has the label in it: it is the whole divergence. Take the label out, and "
            "renormalise what remains.",
        ),
        "others not renormalised": Bug(
            _answer(rest=_not_renormalised),
            "The other classes keep their share of all classes. Renormalise each side without the label, so that they "
            "add up to 1: log_softmax of their logits alone.",
        ),
        "weighted by 1 − p": Bug(
            _answer(rest=lambda s, t, y, T: _not_label(t, y, T) * _rest(s, t, y, T)),
            "Your second term carries the weight 1 − p. So it stands in kd_loss, and your two add up to it; decoupling "
            "is to leave that weight out.",
        ),
        "half of the first term": Bug(
            _answer(target=lambda s, t, y, T: of_the_labels(logs(t, T).exp() * (logs(t, T) - logs(s, T)), y)),
            "Your first term has the label's p · log(p / q) alone. A divergence of two events has two parts: add the "
            "one of any other class.",
        ),
        "cross-entropy in the first term": Bug(
            _answer(target=lambda s, t, y, T: -of_the_labels(logs(s, T), y)),
            "Your first term is the cross-entropy with the label, in which the teacher has no say. Compare its two "
            "probabilities, label and not label, with the student's.",
            _answer(target=lambda s, t, y, T: -of_the_labels(logs(s), y)),
        ),
        "the teacher's verdict for the label": Bug(
            _both(lambda s, t, y, T: (s, t, t.argmax(1), T)),
            "You split at the class that the teacher likes best. Split at the label, also where the teacher is wrong.",
        ),
        "exchanged": Bug(
            lambda s, t, y, T: _answer()(s, t, y, T).flip(0),
            "The two have changed places: return the term of the label first.",
        ),
        "arguments swapped": Bug(
            _both(lambda s, t, y, T: (t, s, y, T)),
            "These are KL(student ‖ teacher). The teacher's distribution comes first: p · (log p − log q).",
        ),
        "no T²": Bug(
            _answer(factor=lambda T: 1),
            "T² is missing. Both terms are softened, so the gradients of both shrink by about 1/T².",
            _answer(factor=lambda T: T),
        ),
        "temperature ignored": Bug(
            lambda s, t, y, T: _answer(factor=lambda _: 1)(s, t, y, 1),
            "Nothing is softened: divide both models' logits by the temperature.",
            lambda s, t, y, T: _answer(factor=lambda _: T**2)(s, t, y, 1),
        ),
        "log of zero": Bug(
            _answer(target=_log_of_zero),
            "For a sure teacher 1 − p is 0 in float32, and 0 · log 0 is NaN. Take the others' total as a logsumexp of "
            "log-probabilities.",
        ),
        "label's logit set to 0": Bug(
            _answer(rest=_times_a_mask),
            "You multiply the logits by a mask. That sets the label's logit to 0, which is a logit like any other, and "
            "it stays in the softmax. Leave the label out, or set it to minus infinity.",
        ),
        "added up": Bug(
            lambda s, t, y, T: _answer()(s, t, y, T).sum(0),
            "You add the two up. Return both, so that each can have a weight.",
        ),
        "one value for the batch": Bug(
            lambda s, t, y, T: _answer()(s, t, y, T).mean(1),
            "You average over the batch. Keep one value per example in both terms: the training loop averages.",
        ),
    },
    rules=[Rule(lambda terms, *_: (terms > -1e-4).all(), "Both terms are divergences, and never negative.")],
)
