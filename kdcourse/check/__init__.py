"""Checks of the exercises: `check.soften(my_soften)` prints whether it is right, and if not, which mistake it makes.

Every module in `kdcourse/check/exercises/` is an exercise, and is imported when it is first asked for.
"""

import importlib
import pkgutil
from typing import Any

from kdcourse.check import exercises
from kdcourse.check.core import Exercise
from kdcourse.check.outcome import ordinary_torch
from kdcourse.check.result import Bug, Result, Rule

__all__ = ["EXERCISES", "Bug", "Exercise", "Result", "Rule", "wrong_answers"]

EXERCISES: tuple[Exercise, ...]  # in the order of the lessons; made when first asked for


def wrong_answers() -> list[tuple[str, str, str]]:
    """Every mistake that a check knows by name.

    Returns
    -------
    list of (exercise, bug, message)
        In the order of the lessons.

    Examples
    --------
    >>> next(row[:2] for row in wrong_answers())
    ('distill_epoch', 'student left in evaluation mode')
    """
    return [
        (exercise.name, name, bug.message)
        for exercise in __getattr__("EXERCISES")
        for name, bug in exercise.bugs.items()
    ]


def _names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(exercises.__path__) if not module.name.startswith("_")]


def __getattr__(name: str) -> Any:
    """An exercise, imported now, or all of them: what `check.soften` and `check.EXERCISES` ask for."""
    if name == "EXERCISES":
        everything = map(__getattr__, _names())
        return tuple(sorted(everything, key=lambda exercise: (exercise.lesson, exercise.order)))
    if name not in _names():
        raise AttributeError(f"there is no exercise {name!r}; there are {', '.join(_names())}")
    with ordinary_torch():
        return getattr(importlib.import_module(f"{exercises.__name__}.{name}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_names()})
