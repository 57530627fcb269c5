"""The exercise `blended_loss`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import (
    CERTAIN_STUDENT,
    CERTAIN_TEACHER,
    ONE_STUDENT,
    ONE_TEACHER,
    STUDENT,
    TEACHER,
    against_soft_targets,
    blend_arguments,
    kl,
    kl_with_log_of_zero,
    logs,
    loss,
    of_the_labels,
)


def _hard(s, t, y, T):
    return -of_the_labels(logs(s), y).mean()


def _blend(soft=loss, hard=_hard):
    """The blend, with one of its terms replaced."""

    def answer(student_logits, teacher_logits, labels, temperature, soft_weight):
        of_soft = soft(student_logits, teacher_logits, temperature)
        return soft_weight * of_soft + (1 - soft_weight) * hard(student_logits, teacher_logits, labels, temperature)

    return answer


def _between_its_terms(blend, s, t, y, T, w):
    terms = [float(loss(s, t, T)), float(_hard(s, t, y, T))]
    return min(terms) - 1e-3 <= float(blend) <= max(terms) + 1e-3


blended_loss = Exercise(
    "blended_loss",
    lesson="03_blended_loss",
    order=2,
    reference=_blend(),
    inputs=blend_arguments,
    small=[
        (ONE_STUDENT, ONE_TEACHER, torch.tensor([1]), 2.0, 0.25),
        (STUDENT, TEACHER, torch.tensor([0, 1]), 2.0, 0.25),
        (CERTAIN_STUDENT, CERTAIN_TEACHER, torch.tensor([1]), 2.0, 0.25),
    ],
    praise="At soft_weight 0 it is plain cross-entropy, at 1 it is distillation alone.",
    hints=[
        "Two terms: how far the student is from the teacher, and how far it is from the labels.",
        "The soft term is kd_loss, T² included. The hard term is cross-entropy with the labels, at T = 1.",
        "soft_weight weighs the soft term, 1 − soft_weight the hard one.",
        "soft_weight * kd_loss(student_logits, teacher_logits, temperature) "
        "+ (1 - soft_weight) * F.cross_entropy(student_logits, labels)",
    ],
    bugs=[
        Bug(
            "weights exchanged",
            lambda s, t, y, T, w: (1 - w) * loss(s, t, T) + w * _hard(s, t, y, T),
            "The weights are exchanged: soft_weight belongs to the soft term, 1 − soft_weight to the hard one.",
        ),
        Bug(
            "no weights",
            lambda s, t, y, T, w: loss(s, t, T) + _hard(s, t, y, T),
            "The two terms are added without weights: soft_weight has no effect.",
        ),
        Bug(
            "weights of one half",
            lambda s, t, y, T, w: (loss(s, t, T) + _hard(s, t, y, T)) / 2,
            "Both terms weigh one half, whatever soft_weight is.",
        ),
        Bug(
            "hard term at full weight",
            lambda s, t, y, T, w: w * loss(s, t, T) + _hard(s, t, y, T),
            "The hard term has its full weight. Multiply it by 1 − soft_weight.",
        ),
        Bug(
            "soft term at full weight",
            lambda s, t, y, T, w: loss(s, t, T) + (1 - w) * _hard(s, t, y, T),
            "The soft term has its full weight. Multiply it by soft_weight.",
        ),
        Bug(
            "no hard term",
            lambda s, t, y, T, w: w * loss(s, t, T),
            "The labels have no say: only the soft term is there.",
            (lambda s, t, y, T, w: loss(s, t, T),),
        ),
        Bug(
            "no soft term",
            lambda s, t, y, T, w: (1 - w) * _hard(s, t, y, T),
            "The teacher has no say: only the hard term is there.",
            (lambda s, t, y, T, w: _hard(s, t, y, T),),
        ),
        Bug(
            "no T²",
            _blend(lambda s, t, T: kl(s, t, T).mean()),
            "The soft term lacks its T². Without it, a higher temperature quietly lowers the weight of the teacher.",
        ),
        Bug(
            "T instead of T²",
            _blend(lambda s, t, T: T * kl(s, t, T).mean()),
            "The soft term is multiplied by T. It should be T².",
        ),
        Bug(
            "T² on both terms",
            lambda s, t, y, T, w: w * loss(s, t, T) + (1 - w) * T**2 * _hard(s, t, y, T),
            "Both terms carry T². Only the soft one is softened, so only that one needs it.",
        ),
        Bug(
            "T² on the hard term only",
            lambda s, t, y, T, w: w * kl(s, t, T).mean() + (1 - w) * T**2 * _hard(s, t, y, T),
            "T² stands on the hard term. It belongs to the soft one.",
        ),
        Bug(
            "hard term softened",
            _blend(hard=lambda s, t, y, T: -of_the_labels(logs(s, T), y).mean()),
            "The hard term is softened as well. Labels are compared with the student as it is, at T = 1.",
            (_blend(hard=lambda s, t, y, T: -(T**2) * of_the_labels(logs(s, T), y).mean()),),
        ),
        Bug(
            "soft term divided by the classes",
            _blend(lambda s, t, T: loss(s, t, T) / s.shape[1]),
            "The mean of the soft term runs over the classes too, so the teacher has too little weight. "
            'In F.kl_div, reduction="mean" does that; "batchmean" does not.',
            (_blend(lambda s, t, T: kl(s, t, T).mean() / s.shape[1]),),
        ),
        Bug(
            "hard term divided by the classes",
            _blend(hard=lambda s, t, y, T: _hard(s, t, y, T) / s.shape[1]),
            "The mean of the hard term runs over the classes too. Take the class of each label, then the mean.",
        ),
        Bug(
            "soft term summed over the examples",
            _blend(lambda s, t, T: T**2 * kl(s, t, T).sum()),
            "The soft term is summed over the examples, so the teacher's weight grows with the batch. "
            "Take the mean, as in the hard term.",
            (_blend(lambda s, t, T: kl(s, t, T).sum()),),
        ),
        Bug(
            "summed over the examples",
            lambda s, t, y, T, w: len(s) * _blend()(s, t, y, T, w),
            "Both terms are summed over the examples, so the loss grows with the batch. Take the mean.",
        ),
        Bug(
            "not reduced",
            lambda s, t, y, T, w: w * T**2 * kl(s, t, T) - (1 - w) * of_the_labels(logs(s), y),
            "That is one value per example, [B]. Return their mean, one number.",
        ),
        Bug(
            "the teacher's verdict for the labels",
            _blend(hard=lambda s, t, y, T: _hard(s, t, t.argmax(1), T)),
            "The hard term compares with the teacher's arg-max. It should use the labels: "
            "they are what keeps the teacher's mistakes in check.",
        ),
        Bug(
            "hard term of the teacher",
            _blend(hard=lambda s, t, y, T: _hard(t, s, y, T)),
            "The hard term is the teacher's cross-entropy: nothing of it reaches the student. Use student_logits.",
        ),
        Bug(
            "cross-entropy of probabilities",
            _blend(hard=lambda s, t, y, T: _hard(s.softmax(1), t, y, T)),
            "The hard term applies the softmax twice: F.cross_entropy wants logits, and takes the softmax itself.",
            (_blend(hard=lambda s, t, y, T: _hard((s / T).softmax(1), t, y, T)),),
        ),
        Bug(
            "nll_loss of logits",
            _blend(hard=lambda s, t, y, T: -of_the_labels(s, y).mean()),
            "The hard term picks out raw logits. F.nll_loss wants log-probabilities; F.cross_entropy takes logits.",
            (_blend(hard=lambda s, t, y, T: -of_the_labels(s.softmax(1), y).mean()),),
        ),
        Bug(
            "hard term over the wrong axis",
            _blend(hard=lambda s, t, y, T: -of_the_labels(logs(s, axis=0), y).mean()),
            "The softmax of the hard term runs over axis 0, the examples. The classes are on axis 1.",
        ),
        Bug(
            "labels taken for one-hot",
            _blend(hard=lambda s, t, y, T: -(y.unsqueeze(1) * logs(s)).sum(1).mean()),
            "The labels are multiplied in as if they were one-hot. They are indices: pick out the class of each.",
        ),
        Bug(
            "arguments swapped",
            _blend(lambda s, t, T: loss(t, s, T)),
            "The soft term is KL(student ‖ teacher), the reverse: student and teacher have changed places, "
            "or the two arguments of F.kl_div have.",
        ),
        Bug(
            "cross-entropy for the soft term",
            _blend(lambda s, t, T: T**2 * against_soft_targets(s, t, T)),
            "The soft term is the cross-entropy with the teacher's probabilities. It lacks the teacher's p · log p, "
            "so it is not 0 for a student that equals its teacher.",
            (_blend(against_soft_targets),),
        ),
        Bug(
            "soft term not softened",
            _blend(lambda s, t, T: T**2 * kl(s, t, 1).mean()),
            "The soft term is taken at T = 1. Divide both logits by T before the softmax.",
            (_blend(lambda s, t, T: kl(s, t, 1).mean()),),
        ),
        Bug(
            "log of zero",
            _blend(lambda s, t, T: T**2 * kl_with_log_of_zero(s, t, T)),
            "The soft term takes the logarithm of a probability that is 0 in float32, and 0 · log 0 is NaN. "
            "Take log_softmax instead of the logarithm of softmax.",
            (_blend(kl_with_log_of_zero),),
        ),
    ],
    rules=[
        Rule("not negative", lambda loss, *case: loss >= -1e-4, "Neither of the two terms is ever negative."),
        Rule(
            "between its terms",
            _between_its_terms,
            "A weighted mean lies between its two terms, and this does not. Look at each of them alone.",
        ),
    ],
    gradient_to="student_logits",
    no_gradient_to="teacher_logits",
)
