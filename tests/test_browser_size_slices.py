"""The explorers of student sizes and of an audit's slices in a real browser: by keyboard, from Python, by axe."""

import itertools
import math
import random

import pandas as pd
import pytest
from browser import needs_chromium, tab_to
from explorer_page import call, model_value, press, said, set_model
from test_widgets_size import SIZES, TEACHER
from test_widgets_slices import LIMITS, examples, hard_ham

from kdcourse.audit import audit
from kdcourse.ship import break_even, cost_per_1000
from kdcourse.widgets import slices, student_size

pytestmark = needs_chromium
CURVE, RATIO, PAID, PRICE, LOAD, ONCE, UPKEEP, FALLBACK = (
    f".kdx-controls > :nth-child({place}) :is(select, input:not([aria-label]))" for place in range(1, 9)
)
STATE = ("curve", "ratio", "listed", "price", "requests_per_day", "one_time_cost", "fallback", "upkeep")


def finding(page):
    return page.locator(".kdx-finding").inner_text()


# ---- student sizes ----


def test_student_sizes_by_keyboard_alone(show):
    page = show(student_size(SIZES, TEACHER))
    press(page, RATIO, "End")
    assert model_value(page, "ratio") == 20
    press(page, PRICE, "ArrowRight")
    assert model_value(page, "price") == 1.3
    press(page, "[aria-label='price per machine-hour, exact']", "Control+a", "3", "6")
    assert model_value(page, "price") == 36
    press(page, LOAD, *["ArrowLeft"] * 20)
    assert model_value(page, "requests_per_day") == 10_000
    press(page, ONCE, "Control+a", "8", "0", ".", "5")
    assert model_value(page, "one_time_cost") == 80.5
    for _ in range(2):
        page.keyboard.press("Backspace")
    # 0.1 and 0.02 per 1,000 requests; 80 are saved after 1,000,000 requests, and a year has 3,650,000.
    assert said(page) == [
        "Accuracy kept: 90.0 % [87.5 %, 92.5 %].",
        "1,000 requests cost 0.1 with the teacher, 0.02 with the student, all included.",
        "Break-even: after 1,000,000 requests, 100 days at 10,000 a day.",
        "In a year, the teacher costs 365; the student costs 153, its making included.",
    ]
    assert finding(page).startswith("It pays back after 3.3 months. ")
    press(page, UPKEEP, "Control+a", "9")
    press(page, FALLBACK, *["ArrowRight"] * 10)
    assert (model_value(page, "upkeep"), model_value(page, "fallback")) == (9, 0.1)
    assert said(page)[1].endswith("0.06 with the student, all included.")  # 0.01 falls back, and 0.03 is upkeep
    tab_to(page, PAID, back=True)
    page.keyboard.press("ArrowDown")
    assert model_value(page, "listed") is True
    assert page.locator(PRICE).is_disabled()
    tab_to(page, CURVE, back=True)
    page.keyboard.press("ArrowDown")
    assert (model_value(page, "curve"), model_value(page, "ratio")) == (1, 20)
    assert page.locator(".kdx-note").inner_text() == student_size(SIZES, TEACHER).curves[1]["about"]
    assert page.complaints == []


def test_what_is_no_amount_is_marked_and_changes_nothing(show):
    page = show(student_size(SIZES, TEACHER))
    before = said(page)
    press(page, ONCE, "Control+a", "-", "5")
    assert page.locator(ONCE).get_attribute("aria-invalid") == "true"
    assert (model_value(page, "one_time_cost"), said(page)) == (100, before)
    press(page, ONCE, "Control+a", "7")
    assert page.locator(ONCE).get_attribute("aria-invalid") == "false"
    assert model_value(page, "one_time_cost") == 7


def values(explorer, **changed):
    return {name: getattr(explorer, name) for name in STATE} | changed


@pytest.fixture(scope="module")
def priced():
    return student_size(SIZES, TEACHER, price=36, requests_per_day=10_000, one_time_cost=80)


EDGES = [
    ({"ratio": 1.25}, 0, "It never pays back. The student, 1.25× smaller, keeps 100.0 % of the teacher's accuracy."),
    ({"ratio": 1.25}, 1, "Accuracy kept: 100.0 % [97.5 %, 102.5 %]."),
    ({"ratio": 1.25}, 3, "Break-even: never. The student saves nothing."),
    ({"ratio": 1.25}, 4, "In a year, the teacher costs 365; the student costs 445, its making included."),
    ({"ratio": 2.5}, 0, "It pays back after 5.3 months. The student, 2.5× smaller, keeps 97.5 % of"),  # 160 days
    ({"ratio": 20, "price": 0}, 3, "Break-even: never. The student saves nothing."),
    ({"ratio": 20, "one_time_cost": 0}, 0, "pays back at once."),
    ({"ratio": 20, "one_time_cost": 0}, 3, "Break-even: after 0 requests, 0 days at 10,000 a day."),
    *[
        ({"ratio": 20, "requests_per_day": per_day}, 4, f"In {horizon}, ")
        for per_day, horizon in {1e7: "a day", 5e5: "a week", 1e5: "a month", 1e3: "ten years"}.items()
    ],
    ({"ratio": 20, "requests_per_day": 1e3}, 0, "It pays back after 2.7 years."),  # 1,000 days
    ({"ratio": 20, "requests_per_day": 100}, 0, "It does not pay back within ten years."),
    ({"ratio": 20, "requests_per_day": 100}, 3, "10,000 days at 100 a day (beyond the picture)."),
    # A request costs 1 with the teacher and 0.2 with the student: two of them save 1.6.
    ({"ratio": 20, "price": 3.6e5, "one_time_cost": 1.5}, 3, "Break-even: after 2 requests, "),
    # What falls back costs 0.02 and 0.1, and a month has 300,000 requests.
    ({"ratio": 20, "fallback": 0.5}, 2, "0.1 with the teacher, 0.07 with the student"),
    ({"ratio": 20, "upkeep": 9}, 2, "0.1 with the teacher, 0.05 with the student"),
    ({"ratio": 20, "upkeep": 27}, 0, "It never pays back."),
    ({"ratio": 20, "price": 0, "listed": True}, 2, "0.1 with the teacher, 0.01 with the student"),
]


def test_the_words_at_the_edges_are_those_of_a_calculation_by_hand(show, priced):
    inputs = [[priced.curves[0], values(priced, **changed)] for changed, *_ in EDGES]
    for lines, (changed, line, words) in zip(call(show(priced), "student_size", "say", inputs), EDGES, strict=True):
        assert words in lines[line], changed


def test_costs_are_those_of_the_package_at_every_state(show, priced):
    chance, inputs, expected = random.Random(0), [], []
    for _ in range(200):
        curve = chance.choice(priced.curves)
        size = chance.choice(curve["sizes"])
        price = chance.choice([0, 0.2, 36, 10 ** chance.uniform(-3, 4), 1e12])
        per_day = chance.choice([100, 10_000, 1e8, round(10 ** chance.uniform(2, 8))])
        once = chance.choice([0, 80, 10 ** chance.uniform(-2, 7), 1e12])
        fallback, upkeep = chance.choice([0, chance.random()]), chance.choice([0, 10 ** chance.uniform(0, 4)])
        state = {"ratio": size["ratio"], "price": price, "requests_per_day": per_day, "one_time_cost": once}
        inputs.append([curve, state | {"fallback": fallback, "upkeep": upkeep, "listed": chance.random() < 0.2}])
        listed = inputs[-1][1]["listed"]
        teacher, student = (cost_per_1000(one["ms"], price) for one in (curve["teacher"], size))
        teacher, student = (0.1, 0.01) if listed else (teacher, student)
        costs = teacher, student + fallback * teacher + 1000 * upkeep / (30 * per_day)
        requests = break_even(once, *costs)
        expected.append([*costs, requests, requests / per_day, 100 * size["accuracy"] / curve["teacher"]["accuracy"]])
    for found, numbers in zip(call(show(priced), "student_size", "numbersOf", inputs), expected, strict=True):
        assert [*found["costs"], found["requests"], found["days"], found["kept"]] == pytest.approx(numbers, rel=1e-9)
        spent = [found["length"] * found["perDay"] * cost / 1000 for cost in found["costs"]]
        assert found["spent"] == pytest.approx([spent[0], found["once"] + spent[1]], rel=1e-12)


def test_what_python_sets_is_what_is_shown(show, priced):
    page = show(priced)
    for changed in ({"ratio": 2.5, "price": 0.2}, {"curve": 1, "ratio": 50, "one_time_cost": 1e12, "fallback": 0.2}):
        state = values(priced, **changed)
        set_model(page, **state)
        curve = priced.curves[state["curve"]]
        assert [finding(page), *said(page)] == call(page, "student_size", "say", [[curve, state]])[0]
        assert page.locator(CURVE).evaluate("node => node.selectedIndex") == state["curve"]
        ratios = [size["ratio"] for size in curve["sizes"]]
        assert page.locator(RATIO).evaluate("node => node.valueAsNumber") == ratios.index(state["ratio"])
        assert page.locator(FALLBACK).evaluate("node => node.valueAsNumber") == 100 * state["fallback"]
        fields = page.locator("input[type=number]").evaluate_all("nodes => nodes.map(node => node.valueAsNumber)")
        assert fields == [state["price"], state["one_time_cost"], state["upkeep"]]


def test_the_chart_is_drawn_where_the_numbers_say(show, priced):
    page = show(priced, viewport=(360, 900))
    set_model(page, ratio=20)
    costs = page.locator("svg.kdx-chart")
    box = costs.bounding_box()
    cross = costs.locator(".kdx-chart-mark.kdx-size-even path").evaluate(
        "node => node.getBoundingClientRect().toJSON()"
    )
    x, y = cross["x"] + cross["width"] / 2, cross["y"] + cross["height"] / 2
    # 100 days of a year; both have cost 100 then, and the axis ends at 1.05 times 365.
    assert (x - box["x"]) / box["width"] == pytest.approx(100 / 365, abs=0.01)
    assert (box["y"] + box["height"] - y) / box["height"] == pytest.approx(100 / (1.05 * 365), abs=0.01)
    assert costs.locator("text.kdx-size-day").text_content() == "3.3 months"
    assert costs.get_attribute("aria-label").startswith("Break-even: after 1,000,000 requests")
    set_model(page, ratio=1.25)
    assert costs.locator(".kdx-size-even, .kdx-size-day").count() == 0
    for label in page.locator("svg.kdx-chart text").all():
        spot = label.bounding_box()
        assert 0 <= spot["x"] <= spot["x"] + spot["width"] <= 360


def test_ticks_are_round_and_few(show):
    page = show(student_size())
    inputs = [[0, 365, 4], [0, 1, 4], [80, 101, 5], [0, 7, 4], [-0.03, 0.104, 4], [0, 3e9, 4], [0, 1.05, 4]]
    found = call(page, "charts", "ticks", inputs)
    assert found[:4] == [[0, 100, 200, 300], [0, 0.5, 1], [80, 85, 90, 95, 100], [0, 2, 4, 6]]
    assert found[4] == [0, 0.05, 0.1]
    for (low, high, most), places in zip(inputs, found, strict=True):
        assert 2 <= len(places) <= most + 1
        assert all(low <= place <= high for place in places)


# ---- slices ----


def test_verdicts_and_needs_are_those_of_an_audit_at_every_limit(show):
    page = show(slices(hard_ham()))
    verdicts, handling = set(), set()
    for seed in range(4):
        data, confidence = examples(seed), (0.95, 0.8)[seed % 2]
        explorer = slices(audit(*data, max_gap=0.03, min_samples=20, confidence=confidence), LIMITS)
        inputs, expected = [], []
        for (place, max_gap), min_samples in itertools.product(enumerate(LIMITS), (1, 20, 100, 10_000)):
            report = audit(*data, max_gap=max_gap, min_samples=min_samples, confidence=confidence)
            table = pd.concat([report.overall.to_frame().T, report.table]).set_index(["slice", "level"])
            inputs.append([explorer.rows, LIMITS, place, min_samples, confidence])
            rows = [table.loc[(row["slice"], row["level"])] for row in explorer.rows]
            expected.append(
                [{"verdict": r["verdict"], "more": r["more_needed"], "handling": r["handling"]} for r in rows]
            )
            verdicts |= set(table["verdict"])
            handling |= set(table["handling"])
        assert call(page, "slices", "judged", inputs) == expected
    assert verdicts == {"flag", "alarm", "watch", "too few", "pass"}
    assert handling == {"fallback to teacher", "collect data", "monitor"}


def shown(page):
    """{level: (verdict, more needed)} of the table on the page."""
    rows = page.locator(".kdx-slices-table tbody tr").all()
    names = [row.locator("th").inner_text() for row in rows]  # of one slice: nothing is said twice
    cells = [(row.locator(".kdx-slices-word").inner_text(), row.locator("td").nth(4).inner_text()) for row in rows]
    return dict(zip(names, cells, strict=True))


def test_slices_by_keyboard_alone(show):
    page = show(slices(hard_ham()))
    verdicts = {level: verdict for level, (verdict, _) in shown(page).items()}
    expected = {"list": "flag", "spam": "watch", "hard-ham": "too few", "easy-ham": "pass", "all examples": "flag"}
    assert verdicts == expected
    counts = "1 flagged, 1 cannot be told, 1 has too few examples, 1 passes"
    assert finding(page) == f"At a limit of 3 points: {counts}"
    limit, minimum = page.locator("input[type=range]").all()
    press(page, "input[type=range][max='40']", "Home")
    assert model_value(page, "max_gap") == 0
    assert limit.get_attribute("aria-valuetext").startswith("0 points; 3 flagged, ")
    page.keyboard.press("End")
    assert model_value(page, "max_gap") == 0.1
    press(page, "input[type=range]:not([max='40'])", "Home")
    assert model_value(page, "min_samples") == 10
    assert minimum.get_attribute("aria-valuetext").startswith("10; 1 flagged, ")
    assert shown(page)["hard-ham"][0] == "watch"
    assert page.complaints == []


def more_of(row):
    """As the table has it: in two digits, where it rests on an estimate."""
    more = row["more_needed"] if row["verdict"] == "too few" else float("{:.2g}".format(row["more_needed"]))
    return f"{more:,.0f}"


def test_what_python_sets_is_what_the_table_shows(show):
    explorer = slices(hard_ham())
    page = show(explorer)
    order = list(shown(page))
    for max_gap, min_samples in [(0, 10), (0.0325, 100), (0.05, 150), (0.1, 77), (0.075, 10_000)]:
        explorer.max_gap, explorer.min_samples = max_gap, min_samples
        set_model(page, max_gap=max_gap, min_samples=min_samples)
        expected = {
            row["level"]: (row["verdict"], more_of(row) if row["more_needed"] else "–")
            for row in [*explorer.table.to_dict("records"), explorer.overall.to_dict()]
        }
        found = shown(page)
        assert found == expected
        assert list(found) == order  # nothing jumps
        dashed = page.locator(".kdx-slices-limit").first.evaluate("node => getComputedStyle(node).left")
        axis = page.locator(".kdx-slices-drawing").first.bounding_box()["width"]
        low, high = explorer.ends
        assert float(dashed.removesuffix("px")) / axis == pytest.approx((max_gap - low) / (high - low), abs=0.01)
    assert page.complaints == []


def test_the_table_is_one_for_a_screen_reader_and_scrolls_from_the_keyboard(show):
    page = show(slices(hard_ham()), viewport=(360, 900))
    table = page.locator("table")
    assert table.locator("caption").inner_text() == "Gap, teacher − student, by slice"
    assert table.locator("thead th[scope=col]").count() == 6
    assert table.locator("tbody th[scope=row]").count() == 5
    frame = page.locator(".kdx-slices-frame")
    assert frame.evaluate("node => node.scrollWidth > node.clientWidth")
    tab_to(page, ".kdx-slices-frame")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.kdx-slices-frame').scrollLeft > 0")


def test_words_say_what_more_examples_would_settle(show):
    page = show(slices(hard_ham()))
    rows = [{"slice": "group", "level": level, "n": 100} for level in ("all examples", *"abcde")]
    verdicts = [
        {"verdict": verdict, "more": more, "handling": handling}
        for verdict, more, handling in [
            ("watch", 7, "collect data"),
            ("flag", 0, "fallback to teacher"),
            ("watch", 1_432, "collect data"),
            ("watch", 99_999, "monitor"),
            ("watch", math.inf, "monitor"),
            ("too few", 5, "collect data"),
        ]
    ]
    [lines] = call(page, "slices", "advice", [[rows, verdicts, 0.03, 105, 2]])
    expected = [
        "Shown to lose more than 3 points: a.",
        "More examples would probably decide, if the gap stays as it is: b (about 1,400).",
        "Out of reach, with over 20 times the examples there are: c (about 100,000). Monitor those.",
        "The gap is the limit itself, and no number of examples would decide: d.",
        "Below the minimum of 105, and not asked: e (5 short).",
        "All examples together: watch.",
        "A limit that is chosen after the table has been read can always be met",
        "One limit holds for all slices here.",
    ]
    assert [line[: len(words)] for line, words in zip(lines, expected, strict=True)] == expected
    assert call(page, "slices", "summary", [[verdicts]]) == ["1 flagged, 3 cannot be told, 1 has too few examples"]
    points = call(page, "slices", "points", [[0.0025], [0.01], [0.1], [0]])
    assert points == ["0.25 points", "1 point", "10 points", "0 points"]
    passed = {"verdict": "pass", "more": 0, "handling": "monitor"}
    [fine] = call(page, "slices", "advice", [[rows[:2], [passed, passed], 0.03, 105, 0]])
    assert fine[:2] == ["Every slice is shown to stay within the limit.", "All examples together: pass."]
    assert len(fine) == 3
