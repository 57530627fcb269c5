"""What goes into an exercise, and what comes out of a check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Result:
    """What a check found.

    passed   True only for a correct answer
    status   "not attempted", "correct" or "not yet"
    bug      the name of the known bug that the answer has, or None
    message  what the learner reads
    """

    passed: bool
    status: str
    bug: str | None
    message: str = field(repr=False)  # it is printed already

    def __str__(self):
        return self.message

    def _ipython_display_(self):
        """The check has printed the message already; a notebook need not repeat the object."""


class Bug(NamedTuple):
    """A mistake people really make: its name, a function that makes it, what to say about it, other ways to make it."""

    name: str
    function: Callable
    message: str
    variants: tuple[Callable, ...] = ()


class Rule(NamedTuple):
    """What must hold for every right answer: `holds(numbers, *arguments)`, and what to say where it does not."""

    name: str
    holds: Callable
    message: str
