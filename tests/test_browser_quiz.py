"""The quiz in a real browser: as a page, in a saved notebook, and in JupyterLab; by keyboard, and looked at by axe."""

import itertools
import json
import random
import re
from dataclasses import asdict

import pytest
from browser import faults, jupyterlab, needs_chromium, run_cell, tab_to, watched
from explorer_page import in_module
from nbformat.v4 import new_code_cell, new_notebook, new_output
from quiz_keys import press_answer
from sample_quiz import LESSON, NAME, SAMPLE, write_course

from kdcourse import lessons, quiz
from kdcourse.quiz.page import content, fragment
from kdcourse.quiz.page import page as html_of

pytestmark = needs_chromium
QUESTIONS = [quiz.Question(**entry) for entry in SAMPLE]
SHOWN = content(quiz.Quiz(NAME, "07 Colours", NAME, QUESTIONS), "https://example.org/{}.html".format)


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory):
    """The one page of this module, offline."""
    path = tmp_path_factory.mktemp("pages") / "page.html"
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.complaints, page.path = watched(page, path.as_uri()), path
        yield page


@pytest.fixture
def open_page(tab):
    """A function that shows a text of HTML (the sample, if none is given) in the one page, and returns the page."""

    def opened(html=None):
        tab.path.write_text(html or html_of(SHOWN), encoding="utf-8")
        tab.complaints.clear()
        tab.goto(tab.path.as_uri())
        return tab

    yield opened
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 1000, "height": 900})


def status(page):
    return page.get_by_role("status").inner_text()


def focused(page, attribute="className"):
    return page.evaluate(f"document.activeElement.{attribute}")


# ---- the rule of grading ----


TYPED = """95|95 %|94,5|95.5|105|1/8|−3|1,234|| |nan|1e999|1/0|0.125|-2.5|2\u202f000,5|12,5e1|--1|1 2|٣|5.|.5|1/2/3|%
9.995|99.95|0.1|1e-7|1\u00a0000|+ 3|0,5|3.14|1\n""".replace("\n", "|").split("|")
COMPARE = """({ grade, NotAnAnswer }, questions, cases) => cases.map(([number, given]) => {
    try {
        const { correct, feedback } = grade(questions[number], given);
        return [correct, feedback];
    } catch (error) {
        if (error instanceof NotAnAnswer) return error.message;
        throw error;
    }
})"""


def graded(question, given):
    try:
        correct, feedback = quiz.grade(question, given)
    except quiz.NotAnAnswer as error:
        return str(error)
    return [correct, [list(pair) for pair in feedback]]


def test_python_and_javascript_grade_alike(open_page):
    chance = random.Random(0)
    numbers = TYPED + [
        "".join(chance.choices("0123456789.,-−+/% e\u00a0x", k=chance.randint(1, 7))) for _ in range(400)
    ]
    numbers += [chance.uniform(-200, 200) for _ in range(50)] + [round(chance.uniform(0, 2), 2) for _ in range(50)]
    values = [{"type": "value", "value": at, "correct": at > 0, "feedback": f"{at}"} for at in (0.13, -3, 100, 1, 0.1)]
    values.append({"type": "default", "feedback": "none of these"})
    questions = [question for name in quiz.names() for question in quiz.load(name).questions]
    for precision in (None, 1, 2, 3, 15):
        questions.append(quiz.Question("q", "01_soft_labels", "?", "numeric", values, precision))
    cases = []
    for number, question in enumerate(questions):
        some = [*range(-1, len(question.answers) + 1), None]
        if question.type == "many_choice":
            some += [list(each) for size in range(6) for each in itertools.combinations(range(6), size)]
        cases += [(number, given) for given in (numbers if question.type == "numeric" else some)]
    there = in_module(open_page(), "grading", COMPARE, [asdict(question) for question in questions], cases)
    assert len(cases) > 5000
    here = [graded(questions[number], given) for number, given in cases]
    assert {type(one) for one in here} == {list, str}
    assert [pair for pair in zip(cases, here, there, strict=True) if pair[1] != pair[2]] == []


# ---- a page of its own ----


def test_axe_finds_no_fault_in_any_state(open_page):
    page = open_page()
    assert faults(page) == []
    page.get_by_role("button", name="Check answer").first.click()
    assert "Choose an option first." in status(page)
    for k in range(len(QUESTIONS)):
        press_answer(page, QUESTIONS, k, right=k % 2 == 1)
    page.get_by_role("button", name="Show answer").first.click()
    page.locator("summary").first.click()
    assert page.get_by_role("button", name="Try the 3 you missed again").is_visible()
    for scheme, width in {"light": 1000, "dark": 320}.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_the_whole_quiz_by_keyboard_alone(open_page):
    page = open_page()
    assert status(page) == "0 / 5 completed."
    page.locator("form:nth-of-type(5) input").nth(1).check()  # not checked yet: other answers leave it alone
    page.locator("form input").first.focus()
    press_answer(page, QUESTIONS, 0, right=False)
    assert status(page) == "Question 1: not right. 1 / 5 completed."
    assert focused(page) == "kdq-feedback"
    assert "Why red." in focused(page, "innerText")
    assert "The right answer" not in focused(page, "innerText")
    for k, number_right in ((1, True), (2, True), (3, False)):
        press_answer(page, QUESTIONS, k, right=number_right)
        verdict = "right" if number_right else "not right"
        assert status(page) == f"Question {k + 1}: {verdict}. {k + 1} / 5 completed."
        assert focused(page) == "kdq-feedback"
    assert page.locator("form:nth-of-type(5) input").nth(1).is_checked()
    press_answer(page, QUESTIONS, 4, right=True)
    assert status(page) == "Question 5: right. 5 / 5 completed, 3 right at the first try."
    assert page.get_by_role("button", name=re.compile("^Check")).all_inner_texts() == ["Check again", "Check again"]

    tab_to(page, ".kdcourse-quiz > div > button")
    assert focused(page, "innerText") == "Try the 2 you missed again"
    page.keyboard.press("Enter")
    assert status(page) == "2 to try again, from question 1. 5 / 5 completed, 3 right at the first try."
    assert page.evaluate("document.activeElement === document.querySelector('form input')")
    assert page.locator("form:first-of-type :checked").count() == 0
    press_answer(page, QUESTIONS, 0, right=True)
    assert status(page) == "Question 1: right. 5 / 5 completed, 3 right at the first try."
    press_answer(page, QUESTIONS, 3, right=True)
    assert status(page).endswith("5 / 5 completed, 3 right at the first try. All of them are right now.")
    assert page.get_by_role("button").count() == 0  # those that are hidden have no role
    assert page.complaints == []


def test_the_right_answer_is_told_after_the_second_miss_or_when_asked(open_page):
    page = open_page()
    press_answer(page, QUESTIONS, 1, right=False)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert status(page) == "Question 2: not right. The right answer is shown. 1 / 5 completed."
    assert "The right answer: from 94.5 to 95.5\n89.3 / 94.0 = 0.95." in focused(page, "innerText")
    assert page.locator("form:nth-of-type(2) input").is_disabled()
    press_answer(page, QUESTIONS, 3, right=False)
    tab_to(page, "form:nth-of-type(4) button:last-of-type")
    page.keyboard.press("Space")
    assert status(page) == "Question 4: the right answer is shown. 2 / 5 completed."
    assert "The right answer: red; white; blue" in focused(page, "innerText")
    page.locator("form:nth-of-type(4) summary").click()
    told = page.locator("form:nth-of-type(4) details").inner_text()
    assert re.findall(r"(applies|does not apply): (\w+)\nWhy \2\.", told) == [
        ("does not apply" if answer in ("green", "pink") else "applies", answer)
        for answer in ("red", "white", "green", "blue", "pink")
    ]


def test_what_cannot_be_read_is_said_and_does_not_count(open_page):
    page = open_page()
    field = page.get_by_label("Your answer, a number:")
    for typed, said in {
        "ninety-five": "“ninety-five” cannot be read as a number. Write it like 12.5, −3 or 1/8.",
        "1,234": "“1,234” can be read in two ways. Write a point for the decimals, and nothing between thousands.",
        " ": "Type a number first.",
    }.items():
        field.fill(typed)
        field.press("Enter")
        assert status(page) == f"Question 2: {said} 0 / 5 completed."
        assert focused(page, "tagName") == "INPUT"
        assert page.locator(f"#{field.get_attribute('aria-describedby')}").inner_text() == said
    field.fill("95,2 %")
    field.press("Enter")
    assert status(page) == "Question 2: right. 1 / 5 completed."


def test_what_a_text_holds_is_shown_and_never_run(open_page):
    hostile = "<img src=x onerror='window.ran = 1'><script>window.ran = 1</script></script><b>bold</b> `<i>` &lt;"
    one = json.loads(json.dumps(SHOWN | {"title": hostile}))
    for question in one["questions"]:
        question |= {"question": hostile, "lesson": hostile, "href": "javascript:window.ran=1"}
        for answer in question["answers"]:
            answer |= {"feedback": hostile} | ({"answer": hostile} if "answer" in answer else {})
    page = open_page(html_of(one))
    for k in range(len(QUESTIONS)):
        press_answer(page, QUESTIONS, k, right=False)
        page.locator(f"form:nth-of-type({k + 1})").get_by_role("button", name="Show answer").click()
    assert page.evaluate("window.ran") is None
    assert page.locator("img, b, a").count() == 0
    assert page.locator("legend span:last-child").all_inner_texts() == [hostile.replace("`", "")] * 5
    assert page.complaints == []


def test_quizzes_on_one_page_do_not_clash(open_page):
    parts = fragment(SHOWN) * 3
    page = open_page(f'<!doctype html><html lang="en"><title>3</title><main><h1>3</h1>{parts}</main></html>')
    assert page.get_by_role("status").all_inner_texts() == ["0 / 5 completed."] * 3
    ids = page.locator("[id]").evaluate_all("nodes => nodes.map(node => node.id)")
    assert len(set(ids)) == len(ids)
    for part in (1, 3):
        page.locator(f".kdcourse-quiz:nth-of-type({part}) form:first-of-type input").nth(part % 2).check()
    page.locator(".kdcourse-quiz:nth-of-type(3) form:first-of-type button").first.click()
    assert page.locator(".kdcourse-quiz:nth-of-type(1) form:first-of-type input").nth(1).is_checked()
    assert page.get_by_role("status").all_inner_texts()[:2] == ["0 / 5 completed."] * 2
    assert "1 / 5 completed." in page.get_by_role("status").all_inner_texts()[2]
    assert faults(page) == []


def test_without_scripts_the_questions_and_their_answers_can_be_read(browser, tmp_path):
    (tmp_path / "page.html").write_text(html_of(SHOWN), encoding="utf-8")
    with browser.new_context(offline=True, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        assert page.locator("ol > li").count() == 5
        answer = page.locator("details p").first
        assert not answer.is_visible()
        page.locator("summary").first.click()
        assert answer.inner_text() == "blue\nWhy `blue`."


def test_a_saved_notebook_shows_a_quiz_that_works_without_a_kernel(open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("KDCOURSE_COURSE", str(write_course(tmp_path)))
    data, _ = quiz.show(NAME)._repr_mimebundle_()
    del data["application/vnd.jupyter.widget-view+json"]  # as a page without a widget manager does
    output = new_output("execute_result", data, execution_count=1)
    cells = [new_code_cell("quiz.show()", outputs=[output], execution_count=k) for k in (1, 2)]
    page = open_page(lessons.to_html(new_notebook(cells=cells), tmp_path))
    page.locator(".kdcourse-quiz").nth(1).locator("input").nth(1).check()
    page.locator(".kdcourse-quiz").nth(1).get_by_role("button").first.click()
    assert page.get_by_role("status").all_inner_texts() == ["0 / 5 completed.", "Question 1: right. 1 / 5 completed."]
    link = page.locator(".kdcourse-quiz a").get_attribute("href")
    assert link.endswith(f"/{LESSON}.html")  # beside a page lie pages, beside a notebook notebooks
    assert faults(page, ".kdcourse-quiz") == []


# ---- JupyterLab ----


def test_the_quiz_in_jupyterlab(browser, tmp_path):
    write_course(tmp_path)
    code = [
        f'from kdcourse import quiz\n\none = quiz.show("{NAME}")\none',
        "print(one.score, one.completed, len(one.answers), one.answers)",
        "one.answers = {}\none",
        "",
    ]
    environment = {"KDCOURSE_HOME": str(tmp_path / "home"), "KDCOURSE_COURSE": str(tmp_path)}
    with jupyterlab(browser, tmp_path, code, height=2600, **environment) as page:
        cells = page.locator(".jp-Notebook .jp-CodeCell")

        run_cell(page, 0)
        said = cells.nth(0).get_by_role("status")
        said.wait_for()
        tab_to(page, ".kdcourse-quiz form:first-of-type input", back=True)
        for k, right in enumerate([True, False, True, True, True]):
            press_answer(page, QUESTIONS, k, right)
        assert said.inner_text() == "Question 5: right. 5 / 5 completed, 4 right at the first try."
        assert cells.count() == 4  # no key was taken for a command
        link = page.locator(".kdcourse-quiz a").first.get_attribute("href")
        assert link == f"{page.evaluate('location.origin')}/lab/tree/{LESSON}.ipynb"
        assert faults(page, ".kdcourse-quiz") == []

        run_cell(page, 1)
        printed = cells.nth(1).locator(".jp-OutputArea-output")
        printed.wait_for()
        assert printed.inner_text().startswith("4 True 5 {")
        kept = json.loads((tmp_path / "home" / "progress.json").read_text(encoding="utf-8"))["quizzes"][NAME]
        assert (kept["best"], kept["best_total"]) == (0.8, 5)

        # Python takes the answers away; a second view of the widget and the first show the same.
        run_cell(page, 2)
        again = cells.nth(2).get_by_role("status")
        again.wait_for()
        page.wait_for_function("document.querySelector('.kdq-status').textContent === '0 / 5 completed.'")
        assert page.locator(".kdcourse-quiz :checked").count() == 0
        within = ".jp-CodeCell:nth-of-type(3)"
        tab_to(page, f"{within} form:nth-of-type(5) input", back=True)
        press_answer(page, QUESTIONS, 4, right=True, within=within)
        assert again.inner_text() == "Question 5: right. 1 / 5 completed."
        assert said.inner_text() == "1 / 5 completed."

        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
        assert faults(page, ".kdcourse-quiz") == []
