"""The exercise `effective_classes`."""

import math

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _number(probabilities):
    """How many equally frequent classes are as varied as these probabilities [C]."""
    return torch.special.entr(probabilities).sum().exp()


def _answer(teacher_logits):
    return _number(teacher_logits.softmax(1).mean(0))


def _frequent_choices(teacher_logits):
    """How often the teacher's first choice is each class, as shares [C]."""
    return torch.bincount(teacher_logits.argmax(1), minlength=teacher_logits.shape[1]).double() / len(teacher_logits)


def _logits(generator):
    """A sure teacher, who names some classes more often than others: every mistake shows."""
    rows, classes = (int(torch.randint(*ends, (), generator=generator)) for ends in ((5, 30), (3, 11)))
    often = 2 * torch.randn(classes, generator=generator)
    return ((4 * torch.randn(rows, classes, generator=generator) + often),)


effective_classes = Exercise(
    "effective_classes",
    lesson="06_when_distillation_fails",
    order=1,
    reference=_answer,
    inputs=_logits,
    small=[
        (torch.tensor([[4.0, 0.0], [0.0, 1.0], [3.0, 0.0], [9.0, 0.0]]),),
        (torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.5, 0.0]]),),
        (torch.tensor([[0.0, -2000.0, 2.0], [1.0, -2000.0, 0.0]]),),
    ],
    praise="It needs no label and no student: ask it of a transfer set before you train.",
    hints=[
        "First the teacher's probabilities, picture by picture; then their mean over the pictures: one number a class.",
        "The entropy of that mean is −Σ m · log m. exp turns it into a number of classes.",
        "m = teacher_logits.softmax(1).mean(0); torch.special.entr(m) is −m log m, and 0 at m = 0",
    ],
    bugs={
        "mean of the entropies": Bug(
            lambda z: torch.special.entr(z.softmax(1)).sum(1).mean().exp(),
            "You take the entropy of each picture and then the mean: that says how unsure the teacher is of a single "
            "picture. Take the mean of the probabilities first.",
        ),
        "mean of the logits": Bug(
            lambda z: _number(z.mean(0).softmax(0)),
            "You take the mean of the logits. Probabilities first, then their mean: logits of different pictures have "
            "no common scale.",
        ),
        "wrong axis": Bug(
            lambda z: _number(z.softmax(0).mean(0)),
            "The softmax runs over axis 0, the pictures: then every class has the same mean. Each picture's "
            "probabilities should sum to 1.",
        ),
        "mean over the classes": Bug(
            lambda z: _number(z.softmax(1).mean(1)),
            "Your mean runs over the classes, and is 1/C for every picture. Take it over the pictures, axis 0.",
        ),
        "no exp": Bug(
            lambda z: torch.special.entr(z.softmax(1).mean(0)).sum(),
            "That is the entropy, in nats. exp makes a number of classes of it: ten equal classes should give 10.",
        ),
        "bits": Bug(
            lambda z: (torch.special.entr(z.softmax(1).mean(0)).sum() / math.log(2)).exp(),
            "Your entropy is in bits, and exp undoes nats. Use the natural logarithm, or 2 ** entropy.",
        ),
        "log of zero": Bug(
            lambda z: (-(m := z.softmax(1).mean(0)) * m.log()).sum().exp(),
            "A class that the teacher never names has probability 0, and 0 · log 0 is NaN. torch.special.entr gives 0 "
            "there.",
        ),
        "first choices": Bug(
            lambda z: _number(_frequent_choices(z)),
            "You count first choices. A picture that is half shirt, half coat should count half for either: use the "
            "probabilities.",
        ),
        "classes named": Bug(
            lambda z: (_frequent_choices(z) > 0).sum(),
            "You count the classes that are a first choice at least once. One that is named for a single picture "
            "should hardly count.",
        ),
        "sign": Bug(
            lambda z: (-torch.special.entr(z.softmax(1).mean(0)).sum()).exp(),
            "You have the reciprocal: the entropy is −Σ m · log m, and exp of it is at least 1.",
        ),
    },
    rules=[
        Rule(
            lambda found, z: (found > 1 - 1e-3) & (found < z.shape[1] + 1e-3),
            "There is at least one effective class, and there are at most C.",
        ),
    ],
)
