"""What goes into an exercise, and what comes out of a check."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Result:
    """What a check found.

    Parameters
    ----------
    passed : bool
        True only for a correct answer.
    status : str
        "not attempted", "correct" or "not yet".
    bug : str or None
        The name of the known bug that the answer has.
    message : str
        What the learner has read.
    exercise : str
        Its name.
    function : callable
        The learner's answer if it is correct, else the reference.

    Examples
    --------
    >>> from kdcourse import check
    >>> result = check.retained_accuracy(lambda student, teacher: teacher / student)
    Not yet. That is the teacher over the student: more than 1 for a worse student.
      called with student_accuracy = 0.85
                  teacher_accuracy = 0.95
      expected    0.8947
      got         1.1176
    >>> result
    Result(passed=False, status='not yet', bug='upside down')
    """

    passed: bool
    status: str
    bug: str | None
    message: str = field(repr=False)  # it is printed already
    exercise: str = field(default="", repr=False)
    function: Callable | None = field(default=None, repr=False)

    def use(self) -> Callable:
        """The learner's function if it is correct, else ours, for the experiments that follow; it prints whose.

        Examples
        --------
        >>> from kdcourse import check
        >>> retained_accuracy = check.retained_accuracy(lambda student, teacher: ...).use()
        retained_accuracy: not attempted yet.
        What follows uses our retained_accuracy.
        >>> retained_accuracy(0.85, 1.0)
        0.85
        """
        assert self.function is not None  # a check hands it on
        print(f"What follows uses {'your' if self.passed else 'our'} {self.exercise}.")
        return self.function

    def __str__(self) -> str:
        return self.message

    def _ipython_display_(self) -> None:
        """The check has printed the message already; a notebook need not repeat the object."""


class Bug:
    """A mistake that people really make. Its name is the key under which an exercise has it.

    Parameters
    ----------
    function : callable
        An answer that makes it.
    message : str
        What to say about it, and about nothing else.
    *others : callable
        Other answers that make it.

    Examples
    --------
    >>> Bug(lambda student, teacher: student - teacher, "A share is a ratio.").message
    'A share is a ratio.'
    """

    def __init__(self, function: Callable, message: str, *others: Callable) -> None:
        self.functions = (function, *others)
        self.message = message


class Rule(NamedTuple):
    """What must hold for every right answer.

    Parameters
    ----------
    holds : callable
        From what an answer returned, as a float64 tensor, and the arguments it was given to whether the rule holds.
    message : str
        What to say where it does not.

    Examples
    --------
    >>> Rule(lambda share, *arguments: share >= 0, "A share is never negative.").holds(0.9, 0.85, 0.95)
    True
    """

    holds: Callable
    message: str
