"""The decision sheet: its rules in Python and in JavaScript, its arithmetic, and its explorer."""

import itertools
import math

import pytest
from browser import needs_chromium
from explorer_page import call, set_model, shower

from kdcourse.memo import decide
from kdcourse.memo.decision import METHODS, QUESTIONS, REASONS
from kdcourse.ship import business_case
from kdcourse.widgets import decision_sheet

READY = {"terms": "allowed", "gold": "independent", "alternatives": "dearer"}
TEACHER = {"logits": "all", "tokenizer": "same"}
MONTHS = [None, 0.0, 12.0, 12.01, math.inf]
EVERY = [
    dict(zip(QUESTIONS, answers, strict=True)) | {"months": months}
    for *answers, months in itertools.product(*(answers for _, answers in QUESTIONS.values()), MONTHS)
]


def test_one_answer_against_it_stops_it_and_one_that_is_open_delays_it():
    against = {"forbidden", "one does", 12.01, math.inf}
    open_ones = {"unread", "none", "teacher", "not priced", None}
    for answers in EVERY:
        given = {value for name, value in answers.items() if name not in TEACHER}
        verdict = "don't" if given & against else "measure first" if given & open_ones else "do"
        decision = decide(**answers)
        assert (decision.verdict, len(decision.reasons)) == (verdict, 4)
        assert [one.says for one in decision.reasons] == sorted(
            (one.says for one in decision.reasons), key=["don't", "measure first", "do"].index
        )
    assert {reason for answers in EVERY for reason in decide(**answers).reasons} == {*REASONS.values()}
    assert {decide(**answers).method for answers in EVERY} == {*METHODS.values()}


@pytest.mark.parametrize(
    ("logits", "tokenizer", "says"),
    [
        ("all", "same", "token by token"),
        ("top", "same", "the share of all others"),
        ("all", "different", "do not line up"),
        ("text", "different", "texts that it writes"),
        ("text", "same", "texts that it writes"),
        ("text", "classes", "hard labels"),
        ("top", "classes", "the share of all other classes"),
        ("all", "classes", "soft labels"),
    ],
)
def test_what_the_teacher_gives_decides_how_and_not_whether(logits, tokenizer, says):
    decision = decide(logits=logits, tokenizer=tokenizer, **READY, months=1)
    assert decision.verdict == "do"
    assert says in decision.method.text


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"logits": "some"}, ValueError, "logits must be one of 'text', 'top', 'all', got 'some'"),
        ({"months": -1}, ValueError, "months must be >= 0 and finite, got -1"),
        ({"months": math.nan}, ValueError, "months must be >= 0"),
        ({"months": "soon"}, TypeError, "months must be a number"),
        ({"horizon_months": 0}, ValueError, "horizon_months must be > 0, got 0"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_by_name(changed, error, message):
    with pytest.raises(error, match=message):
        decide(**TEACHER | READY | {"months": 1} | changed)


# ---- the explorer ----


@pytest.fixture(scope="module")
def show(browser):
    with shower(browser) as shown:
        yield shown


@needs_chromium
def test_the_script_decides_as_python_does_on_every_combination_of_answers(show):
    page = show(decision_sheet())
    found = call(page, "decision_sheet", "decide", [[answers, answers["months"], 12] for answers in EVERY])
    for answers, one in zip(EVERY, found, strict=True):
        expected = decide(**answers)
        assert one["verdict"] == expected.verdict, answers
        assert tuple(REASONS[name] for name in one["reasons"]) == expected.reasons
        assert METHODS[one["method"]] == expected.method


@needs_chromium
def test_the_script_pays_back_as_ship_says(show):
    money = itertools.product(
        (1_000, 10**6), (0.0, 0.5, 20.0), (0.02, 2.0), (0.0, 5e4), (0, 10**6), (0.0, 0.3, 1.0), (0.0, 90.0)
    )
    names = [
        "requests_per_month",
        "teacher_cost",
        "student_cost",
        "one_time_cost",
        "teacher_queries",
        "fallback",
        "upkeep",
    ]
    given = [dict(zip(names, values, strict=True)) for values in money]
    found = call(show(decision_sheet()), "decision_sheet", "monthsToPayBack", [[values] for values in given])
    for values, months in zip(given, found, strict=True):
        case = business_case(
            requests_per_month=values["requests_per_month"],
            teacher_cost_per_1000=values["teacher_cost"],
            student_cost_per_1000=values["student_cost"],
            training_cost=values["one_time_cost"],
            teacher_queries=values["teacher_queries"],
            fallback_share=values["fallback"],
            retraining_cost_per_month=values["upkeep"],
        )
        assert months == pytest.approx(case.break_even_months, rel=1e-9)


@needs_chromium
def test_the_page_says_what_python_says_and_follows_each_answer(show):
    sheet = decision_sheet()
    page = show(sheet)

    def listed():
        return page.locator(".kdx-sheet-reasons li > span:last-child").all_inner_texts()

    for changes in [
        {},
        {"terms": 2, "gold": 2},
        {"alternatives": 2, "costs_known": True},
        {"horizon_months": 1},
        {"terms": 1},
    ]:
        for name, value in changes.items():
            setattr(sheet, name, value)
        set_model(page, **changes)
        decision = sheet.decision
        assert page.locator(".kdx-sheet-verdict strong").inner_text().lower() == f"{decision.verdict}."
        *found, how = listed()
        assert found == [f"{one.text} {one.source}".strip() for one in decision.reasons]
        assert how == f"How, if at all: {decision.method.text} {decision.method.source}"
    links = page.locator(".kdx-sheet-reasons a").evaluate_all("all => all.map((one) => one.href)")
    assert links == [one.link for one in [*decision.reasons, decision.method] if one.link]
    assert page.complaints == []


@needs_chromium
def test_every_question_is_answered_from_the_keyboard(show):
    page = show(decision_sheet())
    for place, name in enumerate(QUESTIONS):
        page.locator("select").nth(place).focus()
        page.keyboard.press("End")
        assert page.evaluate("name => window.model.get(name)", name) == 2
    page.locator("input[type=checkbox]").focus()
    page.keyboard.press("Space")
    assert page.locator(".kdx-sheet-verdict").inner_text() == "Do. Nothing speaks against it, and nothing is open."


def test_answers_are_set_by_their_names_and_a_wrong_one_is_refused():
    sheet = decision_sheet(terms="forbidden", costs_known=True, horizon_months=3)
    assert (sheet.terms, sheet.answers["terms"], sheet.decision.verdict) == (1, "forbidden", "don't")
    with pytest.raises(ValueError, match="terms must be one of 'unread', 'forbidden', 'allowed', got 'maybe'"):
        decision_sheet(terms="maybe")
    with pytest.raises(TypeError, match="decision_sheet has no price"):
        decision_sheet(price=1)
    with pytest.raises(ValueError, match=r"fallback must be in \[0, 1\], got 2"):
        sheet.fallback = 2


def test_the_months_of_the_sheet_are_those_of_a_hand_written_sum():
    sheet = decision_sheet(requests_per_month=10_000, teacher_cost=3.0, student_cost=1.0, one_time_cost=11.0)
    sheet.teacher_queries, sheet.fallback, sheet.upkeep = 1_000, 0.1, 3.0
    # Each month saves 30 - 10 - 3 (handed on) - 3 (upkeep) = 14; it costs 11 and 3 for the teacher's answers.
    assert sheet.months == pytest.approx(1)
