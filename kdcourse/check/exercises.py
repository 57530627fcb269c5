"""All exercises, in the order of the lessons, and what their checks say to wrong answers."""

from kdcourse.check.lesson_00 import retained_accuracy
from kdcourse.check.lesson_01 import entropy_bits, hard_targets, soften
from kdcourse.check.lesson_02 import limit_gradient
from kdcourse.check.lesson_02_choose import choose_temperature
from kdcourse.check.lesson_02_fit import fit_temperature
from kdcourse.check.lesson_03_blend import blended_loss
from kdcourse.check.lesson_03_gradient import blend_gradient
from kdcourse.check.lesson_03_kd import kd_loss
from kdcourse.check.lesson_04 import student_width
from kdcourse.check.lesson_04_choose import smallest_student
from kdcourse.check.lesson_04_cost import break_even
from kdcourse.check.lesson_05 import paired_interval
from kdcourse.check.lesson_05_audit import read_audit
from kdcourse.check.lesson_05_examples import examples_needed

EXERCISES = (
    retained_accuracy,
    *(soften, entropy_bits, hard_targets),
    *(limit_gradient, choose_temperature, fit_temperature),
    *(kd_loss, blended_loss, blend_gradient),
    *(student_width, break_even, smallest_student),
    *(paired_interval, examples_needed, read_audit),
)


def wrong_answers():
    """Every known bug: a list of (exercise, bug, message)."""
    return [(exercise.name, bug.name, bug.message) for exercise in EXERCISES for bug in exercise.bugs]


def answers_table():
    """The same in Markdown: a heading and a table for each exercise."""
    parts = []
    for exercise in EXERCISES:
        rows = [f"| {bug.name} | {bug.message} |" for bug in exercise.bugs]
        head = ["| wrong answer | message |", "|---|---|"]
        parts.append("\n".join([f"### `{exercise.name}` (lesson {exercise.lesson[:2]})", "", *head, *rows]))
    return "\n\n".join(parts) + "\n"
