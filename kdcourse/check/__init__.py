"""Checks of the exercises: `check.soften(my_soften)` prints whether it is right, and if not, which mistake it makes."""

from kdcourse.check.core import Bug, Exercise, Result, Rule
from kdcourse.check.exercises import (
    EXERCISES,
    answers_table,
    blend_gradient,
    blended_loss,
    break_even,
    choose_temperature,
    entropy_bits,
    fit_temperature,
    hard_targets,
    kd_loss,
    limit_gradient,
    retained_accuracy,
    smallest_student,
    soften,
    student_width,
    wrong_answers,
)

__all__ = [
    "EXERCISES",
    "Bug",
    "Exercise",
    "Result",
    "Rule",
    "answers_table",
    "blend_gradient",
    "blended_loss",
    "break_even",
    "choose_temperature",
    "entropy_bits",
    "fit_temperature",
    "hard_targets",
    "kd_loss",
    "limit_gradient",
    "retained_accuracy",
    "smallest_student",
    "soften",
    "student_width",
    "wrong_answers",
]
