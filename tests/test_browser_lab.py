"""A real JupyterLab: lesson 02 from the first cell to the last, and every explorer, by keyboard and from Python."""

import json
import re
from pathlib import Path

import nbformat
from browser import faults, jupyterlab, needs_chromium, playwright_api, run_cell
from explorer_pictures import stored
from nbformat.v4 import new_code_cell
from quiz_keys import press_answer

from kdcourse import lessons, quiz
from kdcourse.widgets._explorer import explorers

pytestmark = needs_chromium
SCREENSHOTS = Path(__file__).resolve().parent.parent / "build" / "screenshots" / "lab"
# Every explorer as its lesson has stored it, made again from its state.
PREPARE = """import json
from kdcourse.widgets._explorer import explorers

with open("states.json") as file:
    states = json.load(file)

def made(name):
    kind = explorers()[name]
    return kind(**{key: value for key, value in states[name].items() if not kind.class_traits()[key].read_only})

def changed(explorer):
    return [key for key, value in states[explorer.module].items() if getattr(explorer, key) != value]

def reset(explorer):
    for key in changed(explorer):
        setattr(explorer, key, states[explorer.module][key])"""


def test_lesson_02_runs_from_the_first_cell_to_the_last(browser, tmp_path):
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    lesson = nbformat.read(lessons.folder() / "02_temperature.ipynb", as_version=4)
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace("FAST = False", "FAST = True")
    code = "print([one.temperature for one in Out.values() if type(one).__name__ == 'BlendedLoss'])"
    lesson.cells.append(new_code_cell(code, id="last"))
    nbformat.write(lesson, root / "02_temperature.ipynb")
    with jupyterlab(browser, tmp_path, "02_temperature.ipynb", height=900, KDCOURSE_HOME=str(home)) as page:
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        run_cell(page, 0)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        done = re.compile(r"\[\d+\]")
        playwright_api.expect(cells.last.locator(".jp-InputPrompt").first).to_have_text(done, timeout=360_000)
        assert page.locator("[data-mime-type='application/vnd.jupyter.stderr'] .ansi-red-fg").all_inner_texts() == []

        explorer = page.locator(".kdcourse-explorer")
        explorer.wait_for()
        explorer.locator("input[min='-1']").focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        assert "At T = 4.0, the teacher says" in explorer.inner_text()
        assert faults(page, ".kdcourse-explorer") == []
        explorer.scroll_into_view_if_needed()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "lesson-02.png")

        questions = quiz.load("02_temperature").questions
        page.locator(".kdcourse-quiz form:first-of-type input").first.focus()
        for k in range(len(questions)):
            press_answer(page, questions, k, right=True)
        status = page.locator(".kdcourse-quiz").get_by_role("status")
        total = len(questions)
        assert f"{total} / {total} completed, {total} right at the first try." in status.inner_text()
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == sum(c.cell_type == "code" for c in lesson.cells)

        last = cells.count() - 1
        run_cell(page, last)  # once more, now that the dial was moved
        playwright_api.expect(cells.nth(last).locator(".jp-OutputArea-output")).to_have_text("[4.0]")
    kept = json.loads((home / "progress.json").read_text(encoding="utf-8"))["quizzes"]["02_temperature"]
    assert (kept["best"], kept["best_total"]) == (1.0, total)


def test_every_explorer_in_jupyterlab(browser, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "states.json").write_text(json.dumps(stored()), encoding="utf-8")
    code = [PREPARE]
    for name in explorers():
        code += [f"{name} = made('{name}')\n{name}", f"print(changed({name}))", f"reset({name})"]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with jupyterlab(browser, tmp_path, [*code, ""], KDCOURSE_HOME=str(tmp_path / "home")) as page:
        run_cell(page, 0)
        for at in range(1, len(code), 3):
            run_cell(page, at)
            explorer = page.locator(".jp-Notebook .jp-CodeCell").nth(at).locator(".kdcourse-explorer")
            explorer.locator("[role=group]").first.wait_for()
            control = explorer.locator("input[type=range]:not([disabled])").first
            first = control.get_attribute("aria-valuetext")
            control.focus()
            page.keyboard.press("ArrowRight")
            assert control.get_attribute("aria-valuetext") != first
            run_cell(page, at + 1)
            printed = page.locator(".jp-Notebook .jp-CodeCell").nth(at + 1).locator(".jp-OutputArea-output").last
            assert len(json.loads(printed.inner_text().replace("'", '"'))) == 1  # Python knows of the one change
            run_cell(page, at + 2)  # Python sets it, and the page follows
            playwright_api.expect(control).to_have_attribute("aria-valuetext", first)
            cells = page.locator(".jp-Notebook .jp-CodeCell").count()
            assert cells == len(code) + 1, "a key was taken for a command"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(scheme == 'light').lower()}'")
            for k, name in enumerate(explorers()):
                cell = page.locator(".jp-Notebook .jp-CodeCell").nth(3 * k + 1)
                cell.locator(".kdcourse-explorer").screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png")
            assert faults(page, ".kdcourse-explorer") == []
        assert page.errors == []
