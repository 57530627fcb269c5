"""An exercise: judged against a float64 reference on fresh random inputs, and against the bugs that people write."""

import contextlib
import inspect
import re
import threading
import types

from kdcourse import lessons
from kdcourse.check import text
from kdcourse.check.judge import judge, not_attempted, not_yet
from kdcourse.check.outcome import TOLERANCE
from kdcourse.check.result import Bug, Result, Rule
from kdcourse.check.worker import Worker, undisturbed

__all__ = ["Bug", "Exercise", "Result", "Rule", "solution_of"]

LIMIT = 10.0  # seconds for all inputs together
_NOTHING = object()


class Exercise:
    """One exercise: call it with an answer; ask it for a `hint()` or the `solution()`."""

    def __init__(
        self,
        name,
        *,
        lesson,
        reference,
        inputs,
        small,
        praise,
        hints,
        bugs,
        rules=(),
        gradient_to=None,
        no_gradient_to=None,
        tolerance=TOLERANCE,
        words=(),
    ):
        """
        name            of the function that the learner writes; also the name of the check
        lesson          the stem of the lesson that has the exercise, "01_soft_labels"
        reference       the right answer; it gets float64, and its parameters are named as the learner's should be
        inputs          function from a torch.Generator to one tuple of arguments, a fresh random case
        small           tuples of arguments that show the bugs with the least to read, the plainest first
        praise          what a right answer buys
        hints           from a nudge to almost the answer
        bugs            list of Bug
        rules           list of Rule, asked in this order of an answer that has no known bug
        gradient_to     the parameter that a gradient must reach, and no_gradient_to one that none may reach: a
                        right answer that fails in this passes with a caution
        tolerance       how far an answer may be from the right one, relative; larger where it is found by a search
        words           where the answer is a list of words and not numbers: all that may be in it. Rules get the places
                        of the words in it, −1 for another word
        """
        self.name = name
        self.lesson = lesson
        self.reference = reference
        self.parameters = tuple(inspect.signature(reference).parameters)
        self.inputs = inputs
        self.small = small
        self.praise = praise
        self.hints = hints
        self.bugs = bugs
        self.rules = rules
        self.gradient_to = gradient_to
        self.no_gradient_to = no_gradient_to
        self.tolerance = tolerance
        self.words = words
        self.kept = {}  # what known bugs make of the small cases
        self._hints_given = 0
        self.__doc__ = f"Check your `{name}`. Also: check.{name}.hint(), check.{name}.solution()."

    def __repr__(self):
        return f"<{self.__doc__}>"

    def __call__(self, answer=_NOTHING, *more, **named):
        """Judge `answer`, print the message and return the Result. Never raises, whatever it is handed."""
        result = self._result(answer, more or named)
        text.say(result.message)
        if result.passed:
            self._record()
        return result

    def hint(self):
        """Print the next hint; after the last one, start again."""
        number = self._hints_given % len(self.hints)
        self._hints_given += 1
        text.say(text.wrapped(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}"))

    def solution(self):
        """Print the solution, as it stands in the lesson's source."""
        try:
            text.say(solution_of(self.name))
        except ValueError:
            text.say(f"The solution of {self.name} stands in lesson {self.lesson}, folded away below the exercise.")

    def _result(self, answer, more):
        how = f"check.{self.name}({self.name})"
        if more:
            return not_yet(f"Pass your function and nothing else, without calling it: {how}.")
        if answer is _NOTHING:
            return not_attempted(self.name, f"Pass your function: {how}.")
        if isinstance(threading.current_thread(), Worker):
            return not_yet(f"A check was called inside a check. Take {how} out of your function.")
        now = types.SimpleNamespace(case=self.small[0])
        worker = Worker(lambda: judge(self, answer, now))
        try:
            with undisturbed():
                in_time = worker.work(LIMIT)
        except Exception as error:
            return not_yet(f"It could not be judged because of {text.error_text(error)}")
        if not in_time:
            return self._too_slow(now.case, not worker.ended)
        if worker.error is not None:
            return not_yet(f"It could not be judged because of {text.error_text(worker.error)}")
        return worker.result

    def _too_slow(self, case, goes_on):
        why = f"Your {self.name} was still running after {LIMIT:g} s. Does each of its loops come to an end?"
        if goes_on:
            why += " It could not be stopped: restart the kernel if the computer stays busy."
        return not_yet(why, details=text.called_with(self.parameters, case))

    def _record(self):
        with contextlib.suppress(Exception):  # what is recorded is a convenience; the verdict stands without it
            from kdcourse import progress

            progress.passed_exercise(self.name, self.lesson)


def solution_of(name):
    """The code of the solution of exercise `name`, from the lesson's source: the one place where it is written.

    Raises ValueError if no lesson has one.
    """
    for source in sorted((lessons.folder() / "source").glob("*.py")):
        for cell in re.split(r"^# %%", source.read_text(encoding="utf-8"), flags=re.M):
            header, _, code = cell.partition("\n")
            if '"solution"' in header and re.search(rf"^def {name}\(", code, re.M):
                return code.strip()
    raise ValueError(f"no lesson has a solution for {name!r}")
