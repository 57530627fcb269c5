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
    >>> result = check.soften(lambda logits, temperature: logits.softmax(1))
    Not yet. The temperature has no effect: these are the probabilities at T = 1.
      called with logits      = [[2.0, 0.0, 0.0]]
                  temperature = 2.0
      expected    [[0.5761, 0.2119, 0.2119]]
      got         [[0.787, 0.1065, 0.1065]]
    >>> result
    Result(passed=False, status='not yet', bug='temperature ignored')
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
        >>> import torch
        >>> soften = check.soften(lambda logits, temperature: ...).use()
        soften: not attempted yet.
        What follows uses our soften.
        >>> soften(torch.tensor([[0.0, 0.0]]), 2.0)
        tensor([[0.5000, 0.5000]])
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
