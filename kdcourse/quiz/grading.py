"""What makes an answer right. `static/quiz.js` has the same rule, and a test compares the two."""

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple

from kdcourse.quiz.content import Question

SPACES = " \t\u00a0\u2009\u202f"
NUMBER = re.compile(
    rf"[+-]?[{SPACES}]*"
    rf"(?:(?:[0-9]{{1,3}}(?:[{SPACES}][0-9]{{3}})+|[0-9]+)(?:[.,][0-9]*)?|[.,][0-9]+)"
    r"(?:[eE][+-]?[0-9]{1,3})?"
)
TWO_WAYS = re.compile(rf"[+-]?[{SPACES}]*[1-9][0-9]{{0,2}},[0-9]{{3}}")  # 1,234: a decimal comma, or thousands?


class NotAnAnswer(ValueError):
    """What was given cannot be graded, and does not count as a try. The message is for the learner."""


class Grade(NamedTuple):
    """Whether an answer is right, and why: pairs (option, explanation), where option is an index or None."""

    correct: bool
    feedback: tuple[tuple[int | None, str], ...]


def grade(question: Question, given: float | str | Sequence[int] | None) -> Grade:
    """Grade what was given as an answer to a question.

    Parameters
    ----------
    question : Question
    given : int, sequence of int, float or str
        For multiple_choice, the index of an option, from 0. For many_choice, the indices of all that were chosen, in
        any order. For numeric, a number, or the text that was typed (see `read_number`).

    Returns
    -------
    Grade
        `correct`, and `feedback` for what was chosen. A number gets the first answer that it fits; a range contains its
        lower end and not its upper one, as in jupyterquiz.

    Raises
    ------
    NotAnAnswer
        For what is no answer. The message tells the learner why.

    Examples
    --------
    >>> red = {"answer": "Red", "correct": False, "feedback": "Red is a colour of the evening."}
    >>> blue = {"answer": "Blue", "correct": True, "feedback": "Short waves are scattered most."}
    >>> sky = Question("sky", "01_soft_labels", "Which colour?", "multiple_choice", [red, blue])
    >>> grade(sky, 1)
    Grade(correct=True, feedback=((1, 'Short waves are scattered most.'),))
    """
    if question.type == "numeric":
        return _grade_number(question, given)
    answers, many = question.answers, question.type == "many_choice"
    chosen: Any = given if many and isinstance(given, (list, tuple, set)) else [given]
    if given is None or len(chosen) == 0:
        raise NotAnAnswer("Choose an option first.")
    for index in chosen:
        if type(index) is not int or not 0 <= index < len(answers):
            raise NotAnAnswer(f"There are options 0 to {len(answers) - 1}, and no option {index}.")
    feedback = [(index, answers[index]["feedback"]) for index in sorted(set(chosen))]
    right = all(answers[index]["correct"] for index in chosen)
    missing = many and sum(answer["correct"] for answer in answers) > len(feedback)
    if right and missing:
        feedback.append((None, "What you chose applies, but something else does too."))
    return Grade(right and not missing, tuple(feedback))


def _grade_number(question, given):
    exact = question.precision is None
    number = read_number(given) if exact else _round(read_number(given), question.precision)

    def fits(answer):
        if answer["type"] == "value":
            return number == (answer["value"] if exact else _round(answer["value"], question.precision))
        return answer["type"] == "range" and answer["range"][0] <= number < answer["range"][1]

    default = next(answer for answer in question.answers if answer["type"] == "default")
    answer = next(filter(fits, question.answers), default)
    return Grade(answer.get("correct", False), ((None, answer["feedback"]),))


def _round(number, precision):
    """To significant digits; a tie goes away from zero, as JavaScript's toPrecision has it."""
    return float(Context(prec=precision, rounding=ROUND_HALF_UP).create_decimal(Decimal(number)))


def read_number(given: float | str | None) -> float:
    """Return the number in a text as people write it; a percent sign is dropped.

    Raises
    ------
    NotAnAnswer
        For what cannot be read, or could be read in two ways.

    Examples
    --------
    >>> [read_number(text) for text in ("12,5", "−3", "2 000", "1e-3", "1/8", "95 %")]
    [12.5, -3.0, 2000.0, 0.001, 0.125, 95.0]
    """
    if isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given):
        return float(given)
    text = given.strip(SPACES) if isinstance(given, str) else ""
    if not text:
        raise NotAnAnswer("Type a number first.")
    unreadable = NotAnAnswer(f"“{text}” cannot be read as a number. Write it like 12.5, −3 or 1/8.")
    numbers = []
    for part in text.replace("−", "-").removesuffix("%").split("/"):
        part = part.strip(SPACES)
        if TWO_WAYS.fullmatch(part):
            raise NotAnAnswer(
                f"“{text}” can be read in two ways. Write a point for the decimals, and nothing between thousands."
            )
        if not NUMBER.fullmatch(part):
            raise unreadable
        numbers.append(float(re.sub(f"[{SPACES}]", "", part).replace(",", ".")))
    if len(numbers) == 2 and numbers[1]:
        numbers = [numbers[0] / numbers[1]]
    if len(numbers) != 1 or not math.isfinite(numbers[0]):
        raise unreadable
    return numbers[0]
