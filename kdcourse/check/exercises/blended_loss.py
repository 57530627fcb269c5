"""The exercise `blended_loss`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import (
    CERTAIN,
    ONE,
    TWO,
    blend,
    blend_arguments,
    kl,
    logs,
    loss,
    of_the_labels,
    wrong_blends,
)
from kdcourse.check.exercises.kd_loss import kd_loss


def _hard(s, t, y, T):
    return -of_the_labels(logs(s), y).mean()


def _blend(soft=loss, hard=_hard):
    """The blend, with one of its terms replaced."""
    return blend(soft, hard)


def _between_its_terms(blend, s, t, y, T, w):
    terms = [float(loss(s, t, T)), float(_hard(s, t, y, T))]
    return min(terms) - 1e-3 <= float(blend) <= max(terms) + 1e-3


# What goes wrong in kd_loss goes wrong in the soft term too; these two are the same as a mistake of the blend.
_SOFT_TERM = {
    f"soft term: {name}": Bug(
        _blend(bug.functions[0]), f"In the soft term: {bug.message}", *map(_blend, bug.functions[1:])
    )
    for name, bug in kd_loss.bugs.items()
    if name not in ("same logits on both sides", "temperature ignored")
}

blended_loss = Exercise(
    "blended_loss",
    lesson="03_blended_loss",
    order=2,
    reference=_blend(),
    inputs=blend_arguments,
    small=[
        (*ONE, torch.tensor([1]), 2.0, 0.25),
        (*TWO, torch.tensor([0, 1]), 2.0, 0.25),
        (*CERTAIN, torch.tensor([1]), 2.0, 0.25),
    ],
    praise="At soft_weight 0 it is plain cross-entropy, at 1 it is distillation alone.",
    hints=[
        "Two terms: how far the student is from the teacher, and how far it is from the labels.",
        "The soft term is kd_loss, T² included. The hard term is cross-entropy with the labels, at T = 1.",
        "soft_weight weighs the soft term, 1 − soft_weight the hard one.",
        "soft_weight * kd_loss(student_logits, teacher_logits, temperature) "
        "+ (1 - soft_weight) * F.cross_entropy(student_logits, labels)",
    ],
    bugs={
        **wrong_blends(loss, _hard, "term"),
        **_SOFT_TERM,
        "weights of one half": Bug(
            lambda s, t, y, T, w: (loss(s, t, T) + _hard(s, t, y, T)) / 2,
            "Both terms weigh one half, whatever soft_weight is.",
        ),
        "T² on both terms": Bug(
            lambda s, t, y, T, w: w * loss(s, t, T) + (1 - w) * T**2 * _hard(s, t, y, T),
            "Both terms carry T². Only the soft one is softened, so only that one needs it.",
        ),
        "T² on the hard term only": Bug(
            lambda s, t, y, T, w: w * kl(s, t, T).mean() + (1 - w) * T**2 * _hard(s, t, y, T),
            "T² stands on the hard term. It belongs to the soft one.",
        ),
        "hard term divided by the classes": Bug(
            _blend(hard=lambda s, t, y, T: _hard(s, t, y, T) / s.shape[1]),
            "The mean of the hard term runs over the classes too. Take the class of each label, then the mean.",
        ),
        "summed over the examples": Bug(
            lambda s, t, y, T, w: len(s) * _blend()(s, t, y, T, w),
            "Both terms are summed over the examples, so the loss grows with the batch. Take the mean.",
        ),
        "not reduced": Bug(
            lambda s, t, y, T, w: w * T**2 * kl(s, t, T) - (1 - w) * of_the_labels(logs(s), y),
            "That is one value per example, [B]. Return their mean, one number.",
        ),
        "hard term of the teacher": Bug(
            _blend(hard=lambda s, t, y, T: _hard(t, s, y, T)),
            "The hard term is the teacher's cross-entropy: nothing of it reaches the student. Use student_logits.",
        ),
        "cross-entropy of probabilities": Bug(
            _blend(hard=lambda s, t, y, T: _hard(s.softmax(1), t, y, T)),
            "The hard term applies the softmax twice: F.cross_entropy wants logits, and takes the softmax itself.",
            _blend(hard=lambda s, t, y, T: _hard((s / T).softmax(1), t, y, T)),
        ),
        "nll_loss of logits": Bug(
            _blend(hard=lambda s, t, y, T: -of_the_labels(s, y).mean()),
            "The hard term picks out raw logits. F.nll_loss wants log-probabilities; F.cross_entropy takes logits.",
            _blend(hard=lambda s, t, y, T: -of_the_labels(s.softmax(1), y).mean()),
        ),
        "hard term over the wrong axis": Bug(
            _blend(hard=lambda s, t, y, T: -of_the_labels(logs(s, axis=0), y).mean()),
            "The softmax of the hard term runs over axis 0, the examples. The classes are on axis 1.",
        ),
        "labels taken for one-hot": Bug(
            _blend(hard=lambda s, t, y, T: -(y.unsqueeze(1) * logs(s)).sum(1).mean()),
            "The labels are multiplied in as if they were one-hot. They are indices: pick out the class of each.",
        ),
    },
    rules=[
        Rule(lambda loss, *case: loss >= -1e-4, "Neither of the two terms is ever negative."),
        Rule(
            _between_its_terms,
            "A weighted mean lies between its two terms, and this does not. Look at each of them alone.",
        ),
    ],
    gradient_to="student_logits",
    no_gradient_to="teacher_logits",
)
