"""What makes an answer right. `widgets/static/quiz.js` has the same rule, and a test compares the two."""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

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
    feedback: tuple


def grade(question, given):
    """The Grade of what was given as an answer to a Question.

    given  multiple_choice  the index of an option, from 0
           many_choice      the indices of all that were chosen, in any order
           numeric          a number, or the text that was typed (see `read_number`)

    A number gets the first answer that it fits. A range contains its lower end and not its upper one (jupyterquiz).
    Raises NotAnAnswer for what is none.
    """
    if question.type == "numeric":
        return _grade_number(question, given)
    answers = question.answers
    several = question.type == "many_choice" and isinstance(given, (list, tuple, set))
    chosen = given if several else [given]
    if given is None or len(chosen) == 0:
        raise NotAnAnswer("Choose an option first.")
    for index in chosen:
        if type(index) is not int or not 0 <= index < len(answers):
            raise NotAnAnswer(f"There are options 0 to {len(answers) - 1}, and no option {index}.")
    feedback = [(index, answers[index]["feedback"]) for index in sorted(set(chosen))]
    right = all(answers[index]["correct"] for index in chosen)
    missing = sum(answer["correct"] for answer in answers) > len(feedback)
    if question.type == "many_choice" and right and missing:
        feedback.append((None, "What you chose applies, but something else does too."))
    return Grade(right and (question.type == "multiple_choice" or not missing), tuple(feedback))


def _grade_number(question, given):
    number = read_number(given)
    default = next(answer for answer in question.answers if answer["type"] == "default")
    if question.precision is not None:
        number = _round(number, question.precision)
    for answer in question.answers:
        if answer["type"] == "value":
            value = answer["value"]
            fits = number == (value if question.precision is None else _round(value, question.precision))
        else:
            fits = answer["type"] == "range" and answer["range"][0] <= number < answer["range"][1]
        if fits:
            return Grade(answer["correct"], ((None, answer["feedback"]),))
    return Grade(False, ((None, default["feedback"]),))


def _round(number, precision):
    """To significant digits; a tie goes away from zero, as JavaScript's toPrecision has it."""
    return float(Context(prec=precision, rounding=ROUND_HALF_UP).create_decimal(Decimal(number)))


def read_number(given):
    """The number in a text: 12.5, 12,5, −3, 2 000, 1e-3, 1/8 or 95 %, of which the sign is dropped.

    Raises NotAnAnswer for what cannot be read, or could be read in two ways.
    """
    if type(given) in (int, float):
        if not math.isfinite(given):
            raise NotAnAnswer("Type a number first.")
        return float(given)
    if not isinstance(given, str) or not given.strip(SPACES):
        raise NotAnAnswer("Type a number first.")
    text = given.strip(SPACES)
    parts = text.replace("\u2212", "-").removesuffix("%").split("/")
    numbers = [_read_part(part.strip(SPACES), text) for part in parts]
    if len(numbers) == 2 and numbers[1]:
        numbers = [numbers[0] / numbers[1]]
    if len(numbers) != 1 or not math.isfinite(numbers[0]):
        raise _unreadable(text)
    return numbers[0]


def _read_part(part, text):
    if TWO_WAYS.fullmatch(part):
        raise NotAnAnswer(
            f"“{text}” can be read in two ways. Write a point for the decimals, and nothing between thousands."
        )
    if not NUMBER.fullmatch(part):
        raise _unreadable(text)
    return float(re.sub(f"[{SPACES}]", "", part).replace(",", "."))


def _unreadable(text):
    return NotAnAnswer(f"“{text}” cannot be read as a number. Write it like 12.5, −3 or 1/8.")
