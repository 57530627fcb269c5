"""The exercise `hard_targets`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import many_logits

hard_targets = Exercise(
    "hard_targets",
    lesson="01_soft_labels",
    order=3,
    reference=lambda teacher_logits: teacher_logits.argmax(1),
    inputs=lambda generator: (many_logits(generator),),
    small=[(torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 1.0]]),)],
    praise="Now a student can learn from the teacher's verdicts without its doubts.",
    hints=[
        "The control keeps the teacher's verdict on each example and throws its doubts away.",
        "A label is the index of the winning class.",
        "return teacher_logits.argmax(1)",
    ],
    bugs={
        "wrong axis": Bug(
            lambda z: z.argmax(0),
            "argmax runs over axis 0: for each class, the example that has the most of it. Use axis 1.",
        ),
        "one number for all": Bug(
            lambda z: z.argmax(), "argmax without an axis flattens everything first and gives one number. Use axis 1."
        ),
        "values, not indices": Bug(
            lambda z: z.amax(1), "These are the largest logits. A label is the index of the class."
        ),
        "still soft": Bug(
            lambda z: z.softmax(1),
            "These are still soft labels: the teacher's doubts are all in them. Return only which class wins.",
        ),
        "one-hot": Bug(
            lambda z: torch.nn.functional.one_hot(z.argmax(1), z.shape[1]),
            "One-hot rows are right in spirit; `train` wants class indices, int64 [B].",
        ),
        "least likely": Bug(lambda z: z.argmin(1), "That is the class the teacher finds least likely."),
        "counted from 1": Bug(lambda z: z.argmax(1) + 1, "You count the classes from 1. The first has index 0."),
        "floats, not indices": Bug(
            lambda z: z.argmax(1).float(),
            "These are the right classes, but as floating-point numbers. `train` wants indices, int64.",
        ),
        "a column": Bug(
            lambda z: z.argmax(1, keepdim=True),
            "The classes are right, but they stand in a column, [B, 1]. Return [B]: no keepdim.",
        ),
    },
    rules=[
        Rule(lambda labels, z: ((labels >= 0) & (labels < z.shape[1])).all(), "A class index lies from 0 to C − 1.")
    ],
)
