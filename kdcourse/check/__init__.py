"""Checks of the exercises: `check.soften(my_soften)` prints whether it is right, and if not, which mistake it makes."""

from kdcourse.check.core import Bug, Exercise, Result, Rule
from kdcourse.check.exercises import (
    EXERCISES,
    answers_table,
    blended_loss,
    entropy_bits,
    hard_targets,
    kd_loss,
    retained_accuracy,
    soften,
    wrong_answers,
)

__all__ = [
    "EXERCISES",
    "Bug",
    "Exercise",
    "Result",
    "Rule",
    "answers_table",
    "blended_loss",
    "entropy_bits",
    "hard_targets",
    "kd_loss",
    "retained_accuracy",
    "soften",
    "wrong_answers",
]
