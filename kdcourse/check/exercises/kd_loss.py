"""The exercise `kd_loss`."""

import math

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import (
    CERTAIN,
    ONE,
    STACK,
    TWO,
    against_soft_targets,
    divergence,
    kl,
    kl_with_log_of_zero,
    logs,
    loss,
    loss_arguments,
)


def _kl_div(log_input, target):
    """What F.kl_div computes with reduction "none", summed over the classes, whatever it is handed."""
    return (torch.special.xlogy(target, target) - target * log_input).sum(1)


def _scaled(function, power=2):
    return lambda s, t, T: T**power * function(s, t, T)


def _bug(mistake, message, *others):
    """A mistake that is recognised with T² and without it."""
    functions = [f for one in (mistake, *others) for f in (_scaled(one), one)]
    return Bug(functions[0], message, *functions[1:])


kd_loss = Exercise(
    "kd_loss",
    lesson="03_blended_loss",
    order=1,
    reference=loss,
    inputs=loss_arguments,
    small=[
        (*ONE, 2.0),
        (*TWO, 2.0),
        (*CERTAIN, 2.0),
        (torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[2.0, 0.0, 1.0]]), 2.0),
        (*STACK, 2.0),
    ],
    praise="It also holds where a probability of the teacher is too small for float32.",
    hints=[
        "Soften both sides with the same temperature. How far is the student's distribution from the teacher's?",
        "KL(teacher ‖ student) is the sum over the classes of p · (log p − log q); p is the teacher, q the student.",
        "log_softmax gives log p without ever taking the logarithm of 0. Then p = exp(log p).",
        "Sum over the classes, axis 1, and multiply by T². What is left is one value per example.",
        "log_q = (student_logits / T).log_softmax(1); log_p likewise, of the teacher, detached; "
        "T**2 * (log_p.exp() * (log_p - log_q)).sum(1)",
    ],
    bugs={
        "no T²": Bug(
            lambda s, t, T: kl(s, t, T),
            "T² is missing. Softening makes the gradients smaller, by about 1/T²; T² makes up for it.",
        ),
        "T instead of T²": Bug(_scaled(lambda s, t, T: kl(s, t, T), 1), "You multiply by T. It should be T²."),
        "divided by T²": Bug(
            _scaled(lambda s, t, T: kl(s, t, T), -2),
            "You divide by T². The gradients are too small already: multiply.",
        ),
        "no T², and divided by the classes": Bug(
            lambda s, t, T: kl(s, t, T) / s.shape[1],
            "Two things: T² is missing, and there is a mean over the classes, where a divergence is their sum.",
        ),
        "divided by the classes": Bug(
            lambda s, t, T: loss(s, t, T) / s.shape[1],
            "You take the mean over the classes, so the loss is too small by their number. A divergence is their sum.",
        ),
        "mean over the batch": _bug(
            lambda s, t, T: kl(s, t, T).mean(),
            "That is the mean over the batch: one number. Return one value per example, and leave the mean to the "
            'training loop, which may train a stack of students at once. In F.kl_div: reduction="none", then sum(1).',
            lambda s, t, T: kl(s, t, T).sum() / len(s),  # "batchmean", also of a stack
        ),
        "mean over examples and classes": _bug(
            lambda s, t, T: kl(s, t, T).mean() / s.shape[1],
            "That is one number, the mean over examples and classes: what F.kl_div does unless told otherwise. Sum "
            "over the classes, and return one value per example.",
        ),
        "summed over the examples": _bug(
            lambda s, t, T: kl(s, t, T).sum(),
            "You sum over the examples too. Sum over the classes only, and return one value per example.",
        ),
        "sum over the wrong axis": _bug(
            lambda s, t, T: (logs(t, T).exp() * (logs(t, T) - logs(s, T))).sum(0),
            "You add up the first axis, the examples, and leave the classes. Sum over axis 1.",
        ),
        "one value per class": Bug(
            lambda s, t, T: T**2 * logs(t, T).exp() * (logs(t, T) - logs(s, T)),
            "Nothing is added up: that is one value per example and class. Sum over the classes.",
            lambda s, t, T: logs(t, T).exp() * (logs(t, T) - logs(s, T)),
        ),
        "last axis": _bug(
            lambda s, t, T: divergence(logs(t, T, -1).movedim(-1, 1), logs(s, T, -1).movedim(-1, 1)),
            "The classes are on axis 1, which is not always the last one: logits of stacked students are [M, C, B].",
            lambda s, t, T: (logs(t, T).exp() * (logs(t, T) - logs(s, T))).sum(-1),
        ),
        "arguments swapped": _bug(
            lambda s, t, T: kl(t, s, T),
            "This is KL(student ‖ teacher), the reverse. Either student and teacher have changed places, or the two "
            "arguments of F.kl_div have: the student's log-probabilities come first, then the teacher's probabilities.",
        ),
        "sign": _bug(
            lambda s, t, T: -kl(s, t, T),
            "The sign: a divergence is never negative. It is log p − log q, not log q − log p.",
        ),
        "same logits on both sides": _bug(
            lambda s, t, T: kl(s, s, T),
            "This is always 0: both distributions come from the same logits. Look for a name that was copied.",
        ),
        "log of zero": _bug(
            kl_with_log_of_zero,
            "A softened probability of the teacher can be too small for float32. Then it is 0, and 0 · log 0 is NaN. "
            "Take log_softmax instead of the logarithm of softmax.",
        ),
        "cross-entropy": _bug(
            against_soft_targets,
            "That is the cross-entropy: it trains just as well, but it is not 0 for a student that equals its teacher. "
            "What KL has in addition is the teacher's own p · log p.",
        ),
        "softmax applied twice": _bug(
            lambda s, t, T: kl((s / T).softmax(1), (t / T).softmax(1), 1),
            "The softmax is applied twice: probabilities went in where logits belong.",
            lambda s, t, T: kl(s.softmax(1), t.softmax(1), T),
        ),
        "softmax applied twice to the teacher": _bug(
            lambda s, t, T: kl(s / T, (t / T).softmax(1), 1),
            "The softmax is applied twice to the teacher: its probabilities went in where its logits belong.",
            lambda s, t, T: kl(s, t.softmax(1), T),
        ),
        "softmax applied twice to the student": _bug(
            lambda s, t, T: kl((s / T).softmax(1), t / T, 1),
            "The softmax is applied twice to the student: its probabilities went in where its logits belong.",
            lambda s, t, T: kl(s.softmax(1), t, T),
        ),
        "wrong axis": _bug(
            lambda s, t, T: divergence(logs(t, T, 0), logs(s, T, 0)),
            "The softmax runs over axis 0, the examples. The classes are on axis 1.",
        ),
        "temperature ignored": _bug(
            lambda s, t, T: kl(s, t, 1),
            "Nothing is softened: both sides are taken at T = 1. Divide the logits by T before the softmax.",
        ),
        "temperature multiplied": _bug(
            lambda s, t, T: kl(s, t, 1 / T), "You multiply the logits by T, which sharpens. Divide."
        ),
        "T on the teacher only": _bug(
            lambda s, t, T: divergence(logs(t, T), logs(s)),
            "Only the teacher is softened. The student has to be compared at the same temperature.",
        ),
        "T on the student only": _bug(
            lambda s, t, T: divergence(logs(t), logs(s, T)),
            "Only the student is softened. The teacher has to be compared at the same temperature.",
        ),
        "base-2 logarithm": _bug(
            lambda s, t, T: kl(s, t, T) / math.log(2),
            "These are bits: a logarithm to base 2. Losses are in nats, the natural logarithm.",
        ),
        "raw logits in place of probabilities": _bug(
            lambda s, t, T: _kl_div(s / T, t / T),
            "Raw logits are compared as if they were probabilities. F.kl_div wants log-probabilities of the student "
            "first (log_softmax), then probabilities of the teacher (softmax).",
            lambda s, t, T: _kl_div(s, t),
            lambda s, t, T: _kl_div(s / T, (t / T).softmax(1)),
            lambda s, t, T: _kl_div(logs(s, T), t / T),
        ),
        "squared difference of logits": _bug(
            lambda s, t, T: ((s - t) ** 2).mean(1),
            "That is the squared difference of the logits. It is a loss of its own, but not this one: "
            "turn both into probabilities, and take their divergence.",
            lambda s, t, T: ((s - t) ** 2).sum(1),
            lambda s, t, T: (((s - t) / T) ** 2).mean(1),
        ),
        "squared difference of probabilities": _bug(
            lambda s, t, T: (((s / T).softmax(1) - (t / T).softmax(1)) ** 2).mean(1),
            "That is the squared difference of the probabilities (a Brier score). Take their divergence.",
            lambda s, t, T: (((s / T).softmax(1) - (t / T).softmax(1)) ** 2).sum(1),
        ),
        "student without a logarithm": _bug(
            lambda s, t, T: _kl_div((s / T).softmax(1), (t / T).softmax(1)),
            "The student's probabilities stand where their logarithms belong: F.kl_div wants log_softmax first.",
        ),
        "teacher in logarithms": _bug(
            lambda s, t, T: _kl_div(logs(s, T), logs(t, T)),
            "The teacher's log-probabilities stand where probabilities belong. F.kl_div needs log_target=True then.",
        ),
    },
    rules=[
        Rule(lambda loss, s, t, T: (loss >= -1e-4).all(), "A divergence is never negative."),
        Rule(
            lambda loss, s, t, T: not torch.equal(s, t) or (loss.abs() < 1e-4).all(),
            "Student and teacher agree here, so the loss should be 0.",
        ),
    ],
    gradient_to="student_logits",
    no_gradient_to="teacher_logits",
)
