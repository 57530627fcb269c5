"""How an exercise is checked: against a float64 reference on fresh random inputs, and against the bugs people write."""

import copy
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from kdcourse import lessons

TOLERANCE = 1e-4  # relative and absolute; generous, so that another order of summation never fails


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
    message: str

    def __str__(self):
        return self.message

    def _ipython_display_(self):
        """The check has printed the message already; a notebook need not repeat the object."""


class Bug(NamedTuple):
    """A mistake people really make: its name, a function that makes it, and what to say about it."""

    name: str
    function: Callable
    message: str


class Exercise:
    """One exercise: call it with an answer; ask it for a `hint()` or the `solution()`."""

    def __init__(self, name, *, reference, inputs, small, praise, hints, bugs):
        """
        name       of the function that the learner writes; also the name of the check
        reference  the right answer in float64
        inputs     function from a torch.Generator to one tuple of arguments, a fresh random case
        small      list of tuples of arguments that show the bugs with the least to read, the plainest first
        praise     what a right answer buys
        hints      list of hints, from a nudge to almost the answer
        bugs       list of Bug
        """
        self.name = name
        self.reference = reference
        self.inputs = inputs
        self.small = small
        self.praise = praise
        self.hints = hints
        self.bugs = bugs
        self._hints_given = 0
        self.__doc__ = f"Check your `{name}`. Also: check.{name}.hint(), check.{name}.solution()."

    def __call__(self, answer):
        """Judge `answer`, print the message and return the Result. Never raises, whatever it is handed."""
        result = self._judge(answer)
        print(result.message)
        return result

    def hint(self):
        """Print the next hint; after the last one, start again."""
        number = self._hints_given % len(self.hints)
        self._hints_given += 1
        print(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}")

    def solution(self):
        """Print the solution, as it stands in the lesson's source."""
        print(solution_of(self.name))

    def _judge(self, answer):
        if not callable(answer):
            return _not_yet(
                f"{self.name} should be a function; this is {_kind(answer)}. Pass the function itself: "
                f"check.{self.name}({self.name}), without calling it."
            )
        generator = torch.Generator()
        generator.seed()  # fresh inputs every time; the global generator is the learner's
        cases = [*self.small, *(self.inputs(generator) for _ in range(4))]
        outputs = []
        for number, case in enumerate(cases):
            given = copy.deepcopy(case)
            try:
                output = answer(*given)
            except NotImplementedError:
                return Result(False, "not attempted", None, f"{self.name}: not attempted yet.")
            except Exception as error:
                return _not_yet(
                    f"Your {self.name} stopped with {type(error).__name__}: {error}. It was called with {_show(case)}."
                )
            if output is None or output is ...:
                if number == 0 and (output is ... or _is_stub(answer)):
                    return Result(False, "not attempted", None, f"{self.name}: not attempted yet.")
                return _not_yet(f"Your {self.name} returned {output}. Is there a `return`?")
            if not all(_same(before, after) for before, after in zip(case, given, strict=True)):
                return _not_yet(
                    f"Your {self.name} changed its arguments in place, and the caller's data with them. "
                    "Look for a method that ends in an underscore, or for `-=`."
                )
            outputs.append(output)
        expected = [self.reference(*map(_double, case)) for case in cases]
        if all(_close(output, wanted) for output, wanted in zip(outputs, expected, strict=True)):
            return Result(True, "correct", None, f"{self.name} is correct. {self.praise}")
        for bug in self.bugs:
            wrong = [_call(bug.function, case) for case in cases]
            if all(_close(output, made) for output, made in zip(outputs, wrong, strict=True)):
                return _not_yet(f"{bug.message}\n{self._difference(outputs, expected, cases)}", bug.name)
        return _not_yet(f"The values differ.\n{self._difference(outputs, expected, cases)}")

    def _difference(self, outputs, expected, cases):
        """The first case that the answer gets wrong, in three lines; the small ones come first."""
        for output, wanted, case in zip(outputs, expected, cases, strict=True):
            if not _close(output, wanted):
                return f"  called with {_show(case)}\n  expected    {_brief(wanted)}\n  got         {_brief(output)}"
        return ""


def solution_of(name):
    """The code of the solution of exercise `name`, from the lesson's source: the one place where it is written."""
    for source in sorted((lessons.folder() / "source").glob("*.py")):
        for cell in re.split(r"^# %%", source.read_text(encoding="utf-8"), flags=re.M):
            header, _, code = cell.partition("\n")
            if '"solution"' in header and re.search(rf"^def {name}\(", code, re.M):
                return code.strip()
    raise ValueError(f"no lesson has a solution for {name!r}")


def _not_yet(why, bug=None):
    return Result(False, "not yet", bug, f"Not yet. {why}")


def _is_stub(function):
    """Whether the body is nothing but a docstring, `...` or `pass`."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return True  # typed at a prompt: its source is not to be had, and it returned None
    body = source.partition(":\n")[2]
    body = re.sub(r'(?s)""".*?"""', "", body)
    lines = [line.partition("#")[0].strip() for line in body.splitlines()]
    return all(line in ("", "...", "pass", "return", "return ...", "return None") for line in lines)


def _call(function, case):
    try:
        return function(*copy.deepcopy(case))
    except Exception:
        return None


def _double(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _tensor(value):
    try:
        return torch.as_tensor(value, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError):
        return None


def _close(output, wanted):
    output, wanted = _tensor(output), _tensor(wanted)
    if output is None or wanted is None or output.shape != wanted.shape:
        return False
    return torch.allclose(output, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _same(before, after):
    if isinstance(before, torch.Tensor):
        return before.shape == after.shape and torch.equal(before, after)
    return before == after


def _show(case):
    return ", ".join(_brief(value) for value in case)


def _brief(value):
    """A value in as few characters as it can be read in: small tensors whole, larger ones by their shape."""
    if isinstance(value, torch.Tensor):
        if value.numel() > 8:
            return f"a tensor of shape {list(value.shape)}"
        return str(_rounded(value.tolist()))
    return str(_rounded(value))


def _rounded(value):
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) + 0.0 if isinstance(value, float) else value  # + 0.0 makes a plain zero of -0.0


def _kind(value):
    return f"a {type(value).__name__}"
