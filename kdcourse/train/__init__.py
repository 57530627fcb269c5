"""The training loop of the course: one loop, and a loss that is an argument.

`train` fits a model to labels, `distill` fits a student to a teacher's cached logits. Both check everything before the
first step, and only do arithmetic after it.
"""

from kdcourse.train.answers import accuracy, load_teacher, teacher_logits
from kdcourse.train.fitting import distill, train
from kdcourse.train.loop import History, cosine

__all__ = ["History", "accuracy", "cosine", "distill", "load_teacher", "teacher_logits", "train"]
