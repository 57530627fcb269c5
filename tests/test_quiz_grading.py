"""What makes an answer right."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdcourse.quiz import NotAnAnswer, Question, grade
from kdcourse.quiz.grading import read_number


def choice(*correct, many=False):
    answers = [{"answer": f"{k}", "correct": right, "feedback": f"why {k}"} for k, right in enumerate(correct)]
    return Question("q", "01_soft_labels", "?", "many_choice" if many else "multiple_choice", answers)


def number(*answers, precision=None):
    return Question("q", "01_soft_labels", "?", "numeric", [*answers, {"type": "default", "feedback": "no"}], precision)


def value(at, correct=True):
    return {"type": "value", "value": at, "correct": correct, "feedback": f"value {at}"}


def between(low, high, correct=True):
    return {"type": "range", "range": [low, high], "correct": correct, "feedback": f"range {low}"}


@given(st.lists(st.booleans(), min_size=2, max_size=7), st.data())
def test_many_choice_is_right_exactly_if_each_option_is_judged_right(correct, data):
    assume(any(correct))
    chosen = data.draw(st.lists(st.sampled_from(range(len(correct))), min_size=1))
    result = grade(choice(*correct, many=True), chosen)
    assert result.correct == all((k in chosen) == right for k, right in enumerate(correct))
    assert [k for k, _ in result.feedback if k is not None] == sorted(set(chosen))


def test_a_wrong_choice_does_not_tell_which_options_are_missing():
    missing = grade(choice(True, True, False, many=True), [0])
    assert missing.feedback == ((0, "why 0"), (None, "What you chose applies, but something else does too."))
    assert grade(choice(True, True, False, many=True), [0, 2]).feedback == ((0, "why 0"), (2, "why 2"))


def test_multiple_choice_explains_the_option_that_was_chosen():
    question = choice(False, True, False)
    assert [grade(question, k) for k in (1, 2)] == [(True, ((1, "why 1"),)), (False, ((2, "why 2"),))]


@pytest.mark.parametrize("given", [None, 3, -1, 1.0, True, "1"])
def test_what_is_no_option_is_no_answer(given):
    with pytest.raises(NotAnAnswer):
        grade(choice(False, True, False), given)
    with pytest.raises(NotAnAnswer):
        grade(choice(False, True, False, many=True), [] if given is None else [given])


READ = {"12.5": 12.5, "12,5": 12.5, " −3 ": -3, "- 3": -3, "+.5": 0.5, "5.": 5, "0,755": 0.755, "1.234": 1.234}
READ |= {"2 000": 2000, "2\u202f000\u202f000,5": 2000000.5, "1e-3": 0.001, "1,5E3": 1500, "1/8": 0.125}
READ |= {"-1 / 8": -0.125, "95 %": 95, "95,5%": 95.5, 3: 3, 0.1: 0.1}


@pytest.mark.parametrize("written", READ)
def test_numbers_are_read_as_people_write_them(written):
    assert read_number(written) == READ[written]


WORDS = "- . , 1.2.3 1,2,3 1,234.5 1,234,567 0x10 1_000 nan inf 1e999 1/0 1/2/3 1/ /2 %% 12%% 1e e5 one ½ ٣ 1;2 1- --1"
REFUSED = dict.fromkeys([*WORDS.split(), "1 2", "1 2000", "12 34", "\n1", "1 000 00", "3 1/2"], "cannot be read as a")
REFUSED |= dict.fromkeys(["1,234", "-200,000", "12,000 %", "1,000/3"], "can be read in two ways")
REFUSED |= dict.fromkeys(["", "  ", None, "\u202f", math.nan, math.inf, True, (1,)], "Type a number first.")


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_no_number_is_said_and_not_guessed(written):
    with pytest.raises(NotAnAnswer, match=REFUSED[written]):
        read_number(written)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_being_written(x):
    assert read_number(repr(x)) == x
    assert read_number(f"{x:.17e}".replace(".", ",").replace("-", "−")) == x


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_a_fraction_is_its_value(a, b):
    assert read_number(f"{a} / {b}") == float(Fraction(a, b))


def test_the_first_answer_that_fits_is_taken_and_ranges_are_half_open():
    question = number(between(1, 2), value(2, correct=False), between(0, 9, correct=False))
    said = {given: grade(question, given) for given in ("0,999", "1", "1,99", "2", "9")}
    assert [result.correct for result in said.values()] == [False, True, True, False, False]
    assert [result.feedback[0][1] for result in said.values()] == ["range 0", "range 1", "range 1", "value 2", "no"]


@pytest.mark.parametrize(
    ("given", "at", "precision", "right"),
    [("3.14159", 3.14, 3, True), ("3.2", 3.14, 3, False), ("3.2", 3.14, 1, True), ("3.14159", 3.14, None, False)]
    + [("314", 3.14, 3, False), ("0.125", 0.13, 2, True), ("-2.5", -3, 1, True)],  # a tie goes away from zero
)
def test_precision_counts_significant_digits(given, at, precision, right):
    assert grade(number(value(at), precision=precision), given).correct is right
