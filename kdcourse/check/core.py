"""An exercise: judged against a float64 reference on fresh random inputs, and against the bugs that people write."""

import contextlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial

import torch

from kdcourse._course import find
from kdcourse.check import text
from kdcourse.check.judge import judge, not_attempted, not_yet
from kdcourse.check.outcome import TOLERANCE, attempt, ordinary_torch
from kdcourse.check.result import Bug, Result, Rule

__all__ = ["Bug", "Exercise", "Result", "Rule", "cell_of"]

_NOTHING = object()


@dataclass(eq=False, repr=False)
class Exercise:
    """One exercise: call it with an answer; ask it for a `hint()` or the `solution()`.

    Parameters
    ----------
    name : str
        Of the function that the learner writes; also of the check, and of the module that it is in.
    lesson : str
        The stem of the lesson that has the exercise, "01_soft_labels".
    order : int
        Its place among the exercises of the lesson, from 1.
    reference : callable
        The right answer. It gets float64, and its parameters are named as the learner's should be.
    inputs : callable
        From a `torch.Generator` to one tuple of arguments, a fresh random case.
    small : sequence of tuple
        Arguments that show the bugs with the least to read, the plainest first.
    praise : str
        What a right answer buys.
    hints : sequence of str
        From a nudge to almost the answer.
    bugs : dict of Bug
        The mistakes that are known, by their names.
    rules : sequence of Rule
        Asked in this order of an answer that has no known bug.
    gradient_to, no_gradient_to : str, optional
        The parameter that a gradient must reach, and the one that none may reach, both or neither. A right answer that
        fails in this passes with a caution.
    tolerance : float
        How far an answer may be from the right one, relative; larger where it is found by a search.
    words : sequence of str
        Where the answer is a list of words and not numbers: all that may be in it. Rules get the places of the words
        in it, −1 for another word.
    through : callable, optional
        How an answer is called, where it takes more than numbers and tensors, such as a model: from the answer and the
        arguments of a case to what it is judged by. In place of the answer's, its parameters name those arguments.
    open_ended : bool
        Every answer is right that keeps all rules and has no known bug; the reference is one of many.

    Examples
    --------
    >>> import torch
    >>> double = Exercise(
    ...     "double", lesson="00_start_here", order=2,
    ...     reference=lambda value: 2 * value,
    ...     inputs=lambda generator: (torch.rand(3, generator=generator),),
    ...     small=[(torch.tensor([1.0, 3.0]),)],
    ...     praise="Twice as much.",
    ...     hints=["Add it to itself."],
    ...     bugs={"squared": Bug(lambda value: value**2, "You square the value.")},
    ... )
    >>> result = double(lambda value: value * value)
    Not yet. You square the value.
      called with value = [1.0, 3.0]
      expected    [2.0, 6.0]
      got         [1.0, 9.0]
    >>> double.hint()
    Hint 1 of 1: Add it to itself.
    """

    name: str
    _: KW_ONLY
    lesson: str
    order: int
    reference: Callable
    inputs: Callable[[torch.Generator], tuple]
    small: Sequence[tuple]
    praise: str
    hints: Sequence[str]
    bugs: Mapping[str, Bug]
    rules: Sequence[Rule] = ()
    gradient_to: str | None = None
    no_gradient_to: str | None = None
    tolerance: float = TOLERANCE
    words: Sequence[str] = ()
    through: Callable | None = None
    open_ended: bool = False

    def __post_init__(self) -> None:
        self.takes = tuple(inspect.signature(self.reference).parameters)
        self.parameters = self.takes if self.through is None else tuple(inspect.signature(self.through).parameters)[1:]
        self.__doc__ = f"Check your `{self.name}`. Also: check.{self.name}.hint(), check.{self.name}.solution()."
        self._hints_given = 0

    def __repr__(self) -> str:
        return f"<{self.__doc__}>"

    def __call__(self, answer: object = _NOTHING, *more: object, **named: object) -> Result:
        """Judge an answer, and print what there is to say. Never raises, whatever it is handed; Ctrl-C goes through.

        Parameters
        ----------
        answer : callable
            The learner's function.

        Returns
        -------
        Result
            With the message that was printed.
        """
        how = f"check.{self.name}({self.name})"
        if more or named:
            result = not_yet(f"Pass your function and nothing else, without calling it: {how}.")
        elif answer is _NOTHING:
            result = not_attempted(self.name, f"Pass your function: {how}.")
        else:
            with ordinary_torch():
                result, error = attempt(judge, self, answer)
            result = result or not_yet(f"It could not be judged because of {text.error_text(error)}")
        text.say(result.message)
        if result.passed:
            self._record()
        return replace(result, exercise=self.name, function=answer if result.passed else self.reference)

    def called(self, answer: Callable) -> Callable:
        """A function of the arguments of a case that gives what an answer is judged by."""
        return answer if self.through is None else partial(self.through, answer)

    def hint(self) -> None:
        """Print the next hint; after the last one, start again."""
        number = self._hints_given % len(self.hints)
        self._hints_given += 1
        text.say(text.wrapped(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}"))

    def solution(self) -> None:
        """Print the solution, as it stands in the lesson's source."""
        try:
            text.say(cell_of(self, "solution"))
        except (OSError, ValueError):
            text.say(f"The solution of {self.name} stands in lesson {self.lesson}, folded away below the exercise.")

    def _record(self) -> None:
        with contextlib.suppress(Exception):  # what is recorded is a convenience; the verdict stands without it
            from kdcourse import progress

            progress.passed_exercise(self.name, self.lesson)


def cell_of(exercise: Exercise, tag: str) -> str:
    """The code of a cell of an exercise, from the lesson's source: the one place where it is written.

    Parameters
    ----------
    exercise : Exercise
        Whose function the cell defines.
    tag : str
        Of the cell: "exercise" for the stub, "solution" for the solution.

    Returns
    -------
    str
        Python code.

    Raises
    ------
    OSError
        If the lesson's source is not there.
    ValueError
        If the lesson has no such cell.

    Examples
    --------
    >>> from kdcourse import check
    >>> print(cell_of(check.soften, "exercise").splitlines()[0])
    def soften(logits, temperature):
    """
    source = find(f"notebooks/source/{exercise.lesson}.py").read_text(encoding="utf-8")
    for cell in re.split(r"^# %%", source, flags=re.M):
        header, _, code = cell.partition("\n")
        if f'"{tag}"' in header and re.search(rf"^def {exercise.name}\(", code, re.M):
            return code.strip()
    raise ValueError(f"lesson {exercise.lesson} has no cell with the tag {tag!r} for {exercise.name!r}")
