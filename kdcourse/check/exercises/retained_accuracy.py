"""The exercise `retained_accuracy`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _accuracies(generator):
    teacher = 0.6 + 0.35 * torch.rand((), generator=generator)
    return float(teacher * (0.7 + 0.25 * torch.rand((), generator=generator))), float(teacher)


retained_accuracy = Exercise(
    "retained_accuracy",
    lesson="00_start_here",
    order=1,
    reference=lambda student_accuracy, teacher_accuracy: student_accuracy / teacher_accuracy,
    inputs=_accuracies,
    small=[(0.85, 0.95)],
    praise="Lesson 04 draws it against the size of the student.",
    hints=[
        "What share of the teacher's accuracy does the student keep?",
        "It is a ratio of the two accuracies, and it is below 1 when the student is the worse of the two.",
        "return student_accuracy / teacher_accuracy",
    ],
    bugs={
        "upside down": Bug(
            lambda s, t: t / s, "That is the teacher over the student: more than 1 for a worse student."
        ),
        "a difference": Bug(lambda s, t: s - t, "That is a difference in points. A share is a ratio."),
        "the loss": Bug(lambda s, t: t - s, "That is what was lost, in points. What share was kept?"),
        "the lost share": Bug(lambda s, t: 1 - s / t, "That is the share that was lost. What share was kept?"),
        "a percentage": Bug(
            lambda s, t: 100 * s / t, "Nearly: give a share, such as 0.9, not a percentage, such as 90."
        ),
    },
    rules=[
        Rule(lambda share, s, t: share >= 0, "A share of an accuracy is never negative."),
        Rule(
            lambda share, s, t: share < 1,
            "This student is worse than its teacher, so it keeps less than all of the accuracy: the share is below 1.",
        ),
    ],
)
