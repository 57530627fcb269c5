"""Checks of the exercises: `check.soften(my_soften)` prints whether it is right, and if not, which mistake it makes."""

from kdcourse.check.core import Bug, Exercise, Result
from kdcourse.check.exercises import entropy_bits, hard_targets, retained_accuracy, soften

__all__ = ["Bug", "Exercise", "Result", "entropy_bits", "hard_targets", "retained_accuracy", "soften"]
