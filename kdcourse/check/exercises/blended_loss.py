"""The exercise `blended_loss`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import (
    CERTAIN,
    ONE,
    STACK,
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
    return -of_the_labels(logs(s), y)


def _blend(soft=loss, hard=_hard):
    """The blend, with one of its terms replaced."""
    return blend(soft, hard)


def _between_its_terms(blend, s, t, y, T, w):
    terms = torch.stack([loss(s, t, T), _hard(s, t, y, T)])
    return ((terms.amin(0) - 1e-3 <= blend) & (blend <= terms.amax(0) + 1e-3)).all()


# What goes wrong in kd_loss goes wrong in the soft term too, but for what is a mistake of the blend, or fits no blend.
_NOT_OF_A_TERM = ("same logits on both sides", "temperature ignored", "one value per class", "last axis")
_NOT_OF_A_TERM += ("sum over the wrong axis", "summed over the examples", "mean over examples and classes")
_SOFT_TERM = {
    f"soft term: {name}": Bug(
        _blend(bug.functions[0]), f"In the soft term: {bug.message}", *map(_blend, bug.functions[1:])
    )
    for name, bug in kd_loss.bugs.items()
    if name not in _NOT_OF_A_TERM
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
        (*STACK, torch.tensor([[0, 1, 1]]), 2.0, 0.25),
    ],
    praise="At soft_weight 0 it is plain cross-entropy, at 1 it is distillation alone.",
    hints=[
        "Two terms: how far the student is from the teacher, and how far it is from the labels.",
        "The soft term is kd_loss, T² included. The hard term is cross-entropy with the labels, at T = 1.",
        "soft_weight weighs the soft term, 1 − soft_weight the hard one.",
        "soft_weight * kd_loss(student_logits, teacher_logits, temperature) "
        '+ (1 - soft_weight) * F.cross_entropy(student_logits, labels, reduction="none")',
    ],
    bugs={
        **wrong_blends(loss, _hard),
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
            lambda s, t, y, T, w: w * kl(s, t, T) + (1 - w) * T**2 * _hard(s, t, y, T),
            "T² stands on the hard term. It belongs to the soft one.",
        ),
        "hard term divided by the classes": Bug(
            _blend(hard=lambda s, t, y, T: _hard(s, t, y, T) / s.shape[1]),
            "The hard term is divided by the number of classes. Take the class of each label, and nothing else.",
        ),
        "summed over the examples": Bug(
            lambda s, t, y, T, w: _blend()(s, t, y, T, w).sum(),
            "That is the sum over the examples. Return one value per example.",
        ),
        "mean over the batch": Bug(
            lambda s, t, y, T, w: _blend()(s, t, y, T, w).mean(),
            "That is the mean over the batch: one number. Return one value per example, and leave the mean to the "
            "training loop.",
        ),
        "hard term averaged": Bug(
            _blend(hard=lambda s, t, y, T: _hard(s, t, y, T).mean()),
            "The hard term is the mean over the batch, added to every example. F.cross_entropy gives one value per "
            'example with reduction="none".',
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
            _blend(hard=lambda s, t, y, T: -of_the_labels(s, y)),
            "The hard term picks out raw logits. F.nll_loss wants log-probabilities; F.cross_entropy takes logits.",
            _blend(hard=lambda s, t, y, T: -of_the_labels(s.softmax(1), y)),
        ),
        "hard term over the wrong axis": Bug(
            _blend(hard=lambda s, t, y, T: -of_the_labels(logs(s, axis=0), y)),
            "The softmax of the hard term runs over axis 0, the examples. The classes are on axis 1.",
        ),
        "labels taken for one-hot": Bug(
            _blend(hard=lambda s, t, y, T: -(y.unsqueeze(1) * logs(s)).sum(1)),
            "The labels are multiplied in as if they were one-hot. They are indices: pick out the class of each.",
        ),
    },
    rules=[
        Rule(lambda loss, *case: (loss >= -1e-4).all(), "Neither of the two terms is ever negative."),
        Rule(
            _between_its_terms,
            "A weighted mean lies between its two terms, and this does not. Look at each of them alone.",
        ),
    ],
    gradient_to="student_logits",
    no_gradient_to="teacher_logits",
)
