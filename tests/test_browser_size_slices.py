"""The explorers of student sizes and of an audit's slices in a real browser: by keyboard, from Python, by axe."""

import math
import random

import pandas as pd
import pytest
from browser import faults, needs_chromium, tab_to
from explorer_page import call, model_value, press, said, set_model
from test_widgets_size import SIZES, TEACHER
from test_widgets_slices import LIMITS, examples, hard_ham

from kdcourse.audit import audit
from kdcourse.widgets import slices, student_size

pytestmark = needs_chromium
MAKERS = {"student_size": lambda: student_size(SIZES, TEACHER), "slices": lambda: slices(hard_ham())}
RATIO, PRICE, LOAD = "input[type=range][min='0']", "input[type=range][min='-2']", "input[type=range][min='2']"
SIZE_STATE = ("curve", "ratio", "price", "requests_per_day", "one_time_cost")


def finding(page):
    return page.locator(".kdx-size-finding, .kdx-slices-finding").inner_text()


# ---- both ----


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 360])
def test_axe_finds_no_fault_and_the_page_is_not_wider_than_a_phone(show, name, scheme, width):
    page = show(MAKERS[name](), color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    assert faults(page) == []
    set_model(page, **({"curve": 1, "ratio": 200} if name == "student_size" else {"max_gap": 0.1, "min_samples": 10}))
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


@pytest.mark.parametrize("name", MAKERS)
def test_every_control_has_a_name_and_shows_that_it_has_the_focus(show, name):
    page = show(MAKERS[name]())
    controls = page.locator("input, select, [tabindex='0']")
    for control in controls.all():
        assert control.evaluate("node => node.ariaLabel || node.labels[0].innerText.trim()")
    page.keyboard.press("Tab")
    for number in range(controls.count()):
        assert controls.nth(number).evaluate("node => node === document.activeElement"), number
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"
        page.keyboard.press("Tab")


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_taken_off_the_page_listens_no_longer(show, name):
    page = show(MAKERS[name]())
    before = finding(page), said(page)
    page.evaluate("window.stop()")
    set_model(page, **({"ratio": 20} if name == "student_size" else {"max_gap": 0.1}))
    assert (finding(page), said(page)) == before
    assert page.complaints == []


# ---- student sizes ----


def test_student_sizes_by_keyboard_alone(show):
    page = show(student_size(SIZES, TEACHER))
    press(page, RATIO, "End")
    assert model_value(page, "ratio") == 20
    assert page.locator(RATIO).get_attribute("aria-valuetext") == "20×: retains 90.0 %"
    press(page, PRICE, "ArrowRight")
    assert model_value(page, "price") == 1.3
    assert page.locator(PRICE).get_attribute("aria-valuetext") == "1.3"
    press(page, "[aria-label='price per machine-hour, exact']", "Control+a", "3", "6")
    assert model_value(page, "price") == 36
    press(page, LOAD, *["ArrowLeft"] * 20)
    assert model_value(page, "requests_per_day") == 10_000
    press(page, "input[type=number]:not([aria-label])", "Control+a", "8", "0", ".", "5")
    assert model_value(page, "one_time_cost") == 80.5
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    assert model_value(page, "one_time_cost") == 80
    # The numbers of a calculation by hand, as in tests/test_widgets_size.py.
    assert said(page) == [
        "20× smaller: retains 90.0 % [87.5 %, 92.5 %] of the teacher's accuracy.",
        "1,000 requests cost 0.1 with the teacher, 0.02 with the student.",
        "Break-even: after 1,000,000 requests, 100 days at 10,000 a day.",
        "In a year, the teacher costs 365; the student costs 153, its making included.",
    ]
    assert finding(page).endswith("It pays back after 100 days.")
    tab_to(page, "select", back=True)
    page.keyboard.press("ArrowDown")
    assert (model_value(page, "curve"), model_value(page, "ratio")) == (1, 20)
    assert page.locator(RATIO).get_attribute("max") == "6"
    assert "8 distilled students of each size" in page.locator(".kdx-size-about").inner_text()
    assert page.complaints == []


def test_what_is_no_amount_is_marked_and_changes_nothing(show):
    page = show(student_size(SIZES, TEACHER))
    before = said(page)
    field = "input[type=number]:not([aria-label])"
    press(page, field, "Control+a", "-", "5")
    assert page.locator(field).get_attribute("aria-invalid") == "true"
    assert (model_value(page, "one_time_cost"), said(page)) == (100, before)
    press(page, field, "Control+a", "7")
    assert page.locator(field).get_attribute("aria-invalid") == "false"
    assert model_value(page, "one_time_cost") == 7


def states(explorer, count):
    """Many states of it, and those at the edges: for nothing, at once, never, beyond the picture, half-way digits."""
    chance = random.Random(0)
    for _ in range(count):
        explorer.curve = chance.randrange(len(explorer.curves))
        explorer.ratio = chance.choice(explorer.curves[explorer.curve]["sizes"])["ratio"]
        explorer.price = chance.choice([0, 0.2, 1, 36, round(10 ** chance.uniform(-3, 4), 3), 1e12])
        explorer.requests_per_day = chance.choice([100, 1_000, 10_000, 1e8, round(10 ** chance.uniform(2, 8))])
        explorer.one_time_cost = chance.choice([0, 0.125, 80, 500, round(10 ** chance.uniform(-2, 7), 2), 1e12])
        yield {name: getattr(explorer, name) for name in SIZE_STATE}


def test_the_words_are_those_of_python_on_the_same_inputs(show):
    # 87.25 % and 93.75 % are half-way between two decimals.
    halves = SIZES.assign(accuracy=[0.698, 0.75, 0.8], low=[0.69, 0.73, 0.785])
    explorer = student_size(halves, TEACHER)
    page = show(explorer)
    inputs, expected = [], []
    for state in states(explorer, 600):
        inputs.append([explorer.curves[state["curve"]], state])
        expected.append(explorer.say())
    assert call(page, "student_size", "say", inputs) == expected
    text = "\n".join(line for lines in expected for line in lines)
    for edge in (
        "never pays back",
        "at once",
        "beyond the picture",
        "In a day,",
        "In ten years,",
        "cannot tell",
        "87.",
    ):
        assert edge in text, edge


def test_what_python_sets_is_what_is_shown(show):
    explorer = student_size(SIZES, TEACHER)
    page = show(explorer)
    for state in states(explorer, 12):
        set_model(page, **state)
        assert [finding(page), *said(page)] == explorer.say()
        assert page.locator("select").evaluate("node => node.selectedIndex") == state["curve"]
        ratios = [size["ratio"] for size in explorer.curves[state["curve"]]["sizes"]]
        assert page.locator(RATIO).evaluate("node => node.valueAsNumber") == ratios.index(state["ratio"])
        fields = page.locator("input[type=number]").evaluate_all("nodes => nodes.map(node => node.valueAsNumber)")
        assert fields == [state["price"], state["one_time_cost"]]
    assert page.complaints == []


def test_the_charts_are_drawn_where_the_numbers_say(show):
    page = show(
        student_size(SIZES, TEACHER, price=36, requests_per_day=10_000, one_time_cost=80),
        viewport={"width": 360, "height": 900},
    )
    set_model(page, ratio=20)
    accuracies, costs = page.locator("svg.kdx-chart").all()
    box = costs.bounding_box()

    def middle(chart, selector):
        boxes = chart.locator(selector).evaluate_all("nodes => nodes.map(node => node.getBoundingClientRect())")
        return [(one["x"] + one["width"] / 2, one["y"] + one["height"] / 2) for one in boxes]

    # 100 days of a year; both have cost 100 then, and the axis ends at 1.05 times 365.
    [(x, y)] = middle(costs, ".kdx-chart-mark.kdx-size-even path")
    assert (x - box["x"]) / box["width"] == pytest.approx(100 / 365, abs=0.01)
    assert (box["y"] + box["height"] - y) / box["height"] == pytest.approx(100 / (1.05 * 365), abs=0.01)
    dots = middle(accuracies, ".kdx-chart-mark circle")
    assert len(dots) == 3
    assert [y for _, y in dots] == sorted(y for _, y in dots)  # what is smaller retains less
    here = accuracies.locator(".kdx-size-here").bounding_box()
    assert here["x"] < dots[2][0] < here["x"] + here["width"]
    assert "20× 90.0 [87.5, 92.5]" in accuracies.get_attribute("aria-label")
    assert costs.get_attribute("aria-label").startswith("Break-even: after 1,000,000 requests")
    set_model(page, ratio=1.25)
    assert costs.locator(".kdx-size-even").count() == 0
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


@pytest.fixture(scope="module")
def functions(browser):
    page = browser.new_context(offline=True).new_page()
    return lambda name, inputs: call(page, "slices", name, inputs)


@pytest.mark.parametrize("seed", range(8))
def test_verdicts_and_needs_are_those_of_an_audit_at_every_limit(functions, seed):
    data, confidence = examples(seed), (0.95, 0.8)[seed % 2]
    explorer = slices(audit(*data, max_gap=0.03, min_samples=20, confidence=confidence), LIMITS)
    inputs, expected = [], []
    for place, max_gap in enumerate(LIMITS):
        for min_samples in (1, 20, 100, 10_000):
            report = audit(*data, max_gap=max_gap, min_samples=min_samples, confidence=confidence)
            table = pd.concat([report.overall.to_frame().T, report.table]).set_index(["slice", "level"])
            inputs.append([explorer.rows, LIMITS, place, min_samples, confidence])
            rows = [table.loc[(row["slice"], row["level"])] for row in explorer.rows]
            expected.append(
                [{"verdict": r["verdict"], "more": r["more_needed"], "handling": r["handling"]} for r in rows]
            )
    assert functions("judged", inputs) == expected


def test_all_verdicts_turn_up_among_those_that_are_compared():
    found = set()
    for seed in range(8):
        explorer = slices(audit(*examples(seed), max_gap=0.03, min_samples=20), LIMITS)
        for max_gap in LIMITS:
            explorer.max_gap = max_gap
            explorer.min_samples = 20
            found |= set(explorer.table["verdict"])
            explorer.min_samples = 100
            found |= set(explorer.table["verdict"]) | set(explorer.table["handling"])
    assert found == {"flag", "watch", "too few", "pass", "fallback to teacher", "collect data", "monitor"}


def shown(page):
    """{level: (verdict, more needed)} of the table on the page."""
    rows = page.locator(".kdx-slices-table tbody tr").all()
    names = [row.locator("th").inner_text().removeprefix("group: ") for row in rows]
    cells = [(row.locator(".kdx-slices-word").inner_text(), row.locator("td").nth(3).inner_text()) for row in rows]
    return dict(zip(names, cells, strict=True))


def test_slices_by_keyboard_alone(show):
    page = show(slices(hard_ham()))
    verdicts = {level: verdict for level, (verdict, _) in shown(page).items()}
    expected = {"list": "flag", "spam": "watch", "hard-ham": "too few", "easy-ham": "pass", "all examples": "flag"}
    assert verdicts == expected
    assert finding(page).startswith("Limit 3 points: flagged: 1 · cannot be told: 1 (it would need about ")
    assert finding(page).endswith(" more examples) · too few: 1 · pass: 1")
    limit, minimum = page.locator("input[type=range]").all()
    press(page, "input[type=range][max='40']", "Home")
    assert model_value(page, "max_gap") == 0
    assert limit.get_attribute("aria-valuetext").startswith("0 points; flagged: ")
    page.keyboard.press("End")
    assert model_value(page, "max_gap") == 0.1
    press(page, "input[type=range]:not([max='40'])", "Home")
    assert model_value(page, "min_samples") == 10
    assert minimum.get_attribute("aria-valuetext").startswith("10; flagged: 1 ·")
    assert shown(page)["hard-ham"][0] == "watch"
    assert page.complaints == []


def test_what_python_sets_is_what_the_table_shows(show):
    explorer = slices(hard_ham())
    page = show(explorer)
    order = list(shown(page))
    for max_gap, min_samples in [(0, 10), (0.0325, 100), (0.05, 150), (0.1, 77), (0.075, 10_000)]:
        explorer.max_gap, explorer.min_samples = max_gap, min_samples
        set_model(page, max_gap=max_gap, min_samples=min_samples)
        expected = {
            row["level"]: (row["verdict"], f"{row['more_needed']:,.0f}" if row["more_needed"] else "–")
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
    page = show(slices(hard_ham()), viewport={"width": 360, "height": 900})
    table = page.locator("table")
    assert table.locator("caption").inner_text() == "Gap, teacher − student, by slice"
    assert table.locator("thead th[scope=col]").count() == 8
    assert table.locator("tbody th[scope=row]").count() == 5
    frame = page.locator(".kdx-slices-frame")
    assert frame.evaluate("node => node.scrollWidth > node.clientWidth")
    tab_to(page, ".kdx-slices-frame")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.kdx-slices-frame').scrollLeft > 0")


def test_words_say_what_more_examples_would_settle(functions):
    def row(level, **values):
        return {"slice": "group", "level": level, "n": 100, "handling": "collect data", **values}

    def verdict(verdict, more=0, handling="collect data"):
        return {"verdict": verdict, "more": more, "handling": handling}

    rows = [row("all examples"), row("a"), row("b"), row("c"), row("d"), row("e")]
    verdicts = [
        verdict("watch", 7),
        verdict("flag", handling="fallback to teacher"),
        verdict("watch", 1_432),
        verdict("watch", 99_999, "monitor"),
        verdict("watch", math.inf, "monitor"),
        verdict("too few", 5),
    ]
    [lines] = functions("advice", [[rows, verdicts, 0.03, 105, 2]])
    assert lines[0].startswith("Shown to lose more than 3 points: a.")
    assert lines[1] == "More examples would probably decide, if the gap stays as it is: b (about 1,400)."
    assert lines[2] == "Out of reach, with over 20 times the examples there are: c (about 100,000). Monitor those."
    assert lines[3] == "The gap is the limit itself, and no number of examples would decide: d."
    assert lines[4].startswith("Below the minimum of 105, and not asked: e (5 short).")
    assert lines[5] == "All examples together: cannot be told."
    assert lines[6].startswith("A limit that is chosen after the table has been read can always be met")
    assert lines[7].startswith("One limit holds for all slices here.")
    [line] = functions("summary", [[rows, verdicts]])
    assert line == (
        "flagged: 1 · cannot be told: 3 (one of them would need about 1,400 more examples) · too few: 1 · pass: 0"
    )
    assert functions("points", [[0.0025], [0.01], [0.1], [0]]) == ["0.25 points", "1 point", "10 points", "0 points"]
    [fine] = functions("advice", [[rows[:2], [verdict("pass"), verdict("pass")], 0.03, 105, 0]])
    assert fine[:2] == ["Every slice is shown to stay within the limit.", "All examples together: pass."]
    assert len(fine) == 3


def test_names_of_slices_are_shown_and_never_run(show):
    import numpy as np

    hostile = ["<img src=x onerror='window.ran = 1'>", "</script>", "a_very_long_name_without_a_place_to_break_it_" * 3]
    labels = np.tile([0, 1], 300)
    report = audit(labels, labels, labels, {"<b>group</b>": np.repeat(hostile, 200)})
    page = show(slices(report, [0.01, 0.1]), viewport={"width": 360, "height": 900})
    assert page.evaluate("window.ran") is None
    names = [text.removeprefix("<b>group</b>: ") for text in page.locator("tbody th").all_inner_texts()]
    assert set(names) == {*hostile, "all examples"}
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []
