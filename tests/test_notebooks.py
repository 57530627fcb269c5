"""Each lesson is what its source makes, and runs top to bottom: as learners get it by papermill, solved by nbval."""

import math
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from kdcourse import claims, lessons, quiz, store
from kdcourse.claims.quotes import PLACEHOLDER
from kdcourse.lessons import EXPLORER
from kdcourse.widgets._explorer import explorers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_notebooks  # noqa: E402

CELL_SECONDS = 120
LARGEST = 1.5e6  # bytes; GitHub stops showing notebooks that are much larger
CLAIMS = "application/vnd.kdcourse.claims+json"

# A cell that ends with the call of a check, and may go on with what it hands on.
CHECK = re.compile(r"^(?:\w+ = )?(check\.\w+\(\w+\))(?:\.use\(\))?\Z", re.M)

every_lesson = pytest.mark.parametrize("source", build_notebooks.sources(), ids=lambda source: source.stem)


@pytest.fixture
def path(source):
    return build_notebooks.target(source)


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_there_are_lessons_and_each_notebook_has_a_source():
    made = {build_notebooks.target(source) for source in build_notebooks.sources()}
    assert len(made) >= 4
    assert set(build_notebooks.NOTEBOOKS.glob("*.ipynb")) == made


@every_lesson
def test_notebook_is_what_its_source_makes(source, path):
    assert build_notebooks.drift(source, path) == [], "run `make notebooks` and commit what it writes"


@every_lesson
def test_notebook_is_small_valid_and_says_nothing_of_the_machine_that_made_it(path, notebook):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    nbformat.validate(notebook)
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert "Warning" not in "".join(one.text for one in outputs(notebook) if one.output_type == "stream")


@every_lesson
def test_links_to_files_lead_somewhere_and_headings_do_not_skip_levels(path, notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    levels = [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


@every_lesson
def test_cells_are_short(source):
    for form in ("learner", "solved"):
        for cell in lessons.build(source, form).cells:
            if cell.cell_type == "code":
                lines = cell.source.splitlines()
                assert len(lines) <= 25, cell.source
                assert max(map(len, lines), default=0) <= 79, max(lines, key=len)


@every_lesson
def test_every_figure_has_alternative_text_and_every_explorer_a_picture_and_its_state(notebook):
    for output in outputs(notebook):
        data = output.get("data", {})
        if "image/png" in data:
            assert len(output.metadata["image/png"]["alt"]) > 40
        if EXPLORER in data:
            alt = output.metadata["image/png"]["alt"]
            assert data["text/plain"] == f"[explorer] {alt}"
            assert len(data["image/png"]) < 4 / 3 * 60_000
            kind = explorers()[data[EXPLORER]["explorer"]]
            assert set(kind.class_trait_names(sync=True)) > set(data[EXPLORER]["state"]) > set()


def test_every_explorer_is_stored_in_its_own_lesson():
    for name, kind in explorers().items():
        notebook = nbformat.read(build_notebooks.NOTEBOOKS / f"{kind.lesson}.ipynb", as_version=4)
        stored = [one.data[EXPLORER]["explorer"] for one in outputs(notebook) if EXPLORER in one.get("data", {})]
        assert name in stored


def measures(notebook, lesson):
    """How a learner meets a lesson, counted on the notebook that is opened."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    words = [len(text.split()) for text in prose]
    lines = [sum(bool(line.strip()) for line in text.splitlines()) for text in code]
    prose, code, data = "\n".join(prose), "\n".join(code), [one.get("data", {}) for one in outputs(notebook)]
    figures = sum("image/png" in one for one in data) + prose.count("](pictures/")
    exercises = sum(map(int, re.findall(r"\*\*Exercise[^\n]*?(\d+) minutes", prose)))
    questions = sum(len(quiz.load(name).questions) for name in re.findall(r'quiz\.show\("(\w+)"\)', code))
    measured = store.load_json(ROOT / "benchmarks/results/lessons.json")["lessons"]
    computes = measured[lesson]["full"]["seconds"] if lesson in measured else 0  # a new lesson, before `make bench`
    said = "".join(one.get("text", "") + one.get("data", {}).get("text/plain", "") for one in outputs(notebook))
    return {
        "words": sum(words),
        "code lines": sum(lines),
        "median words of a cell": statistics.median(words),
        "median lines of a cell": statistics.median(lines),
        "cannot tell": said.count("inconclusive") + said.count("cannot tell"),
        "minutes": sum(words) / 200 + sum(lines) / 20 + figures / 3 + exercises + 0.75 * questions + computes / 60,
    }


LIMITS = {"words": 1900, "code lines": 250, "median words of a cell": 35, "median lines of a cell": 8, "cannot tell": 3}


@every_lesson
def test_lessons_are_short_and_their_minutes_are_computed(path, notebook):
    """A minute: 200 words, 20 lines of code, 3 figures. A question is 45 s, exercises and computing what they say."""
    found = measures(notebook, path.stem)
    assert {name: value for name, value in found.items() if value > LIMITS.get(name, 45)} == {}
    (said,) = re.findall(r"\*\*(\d+) minutes\*\*", notebook.cells[0].source)
    assert int(said) == 5 * math.ceil(found["minutes"] / 5)
    assert not re.search("You made no guess|no guess", str(outputs(notebook)))


@every_lesson
def test_numbers_of_the_full_run_are_put_in_by_the_build_and_sentences_name_the_verdict_they_count_on(source):
    asked = PLACEHOLDER.findall(source.read_text(encoding="utf-8"))
    assert asked or source.stem[:2] == "00"
    assert [one for one in asked if one.split()[0] not in ("plain", "margin", "a", "b") and " is " not in one] == []


@every_lesson
def test_papermill_runs_the_learner_form_fast(path, tmp_path):
    result = lessons.run(path, tmp_path, fast=True, progress=False)
    assert result.error == ""
    assert result.html.stat().st_size > 100_000
    executed = nbformat.read(tmp_path / path.name, as_version=4)
    assert any(cell.source.startswith("# Parameters\nFAST = True") for cell in executed.cells)
    said = said_by_checks(executed)
    assert len(said) == len(tagged(executed, "exercise")) > 0
    assert [text for text in said if "not attempted yet" not in text] == []
    if path.name[:2] != "00":
        compared, contradicting = against_full_run(executed)
        assert contradicting == []
        full = [name for name in shown_claims(executed) if claims.result(name)]
        assert compared or not full, (
            "no part of a claim is measured both here and in the full run: are they named alike?"
        )


def said_by_checks(notebook):
    """What each cell that ends with the call of a check has printed. A kernel may send one line in two pieces."""
    return [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if CHECK.search(cell.source)
    ]


def shown_claims(notebook):
    """{claim: its parts} that a notebook shows."""
    shown = {}
    for one in outputs(notebook):
        if CLAIMS in one.get("data", {}):
            data = one["data"][CLAIMS]
            shown.setdefault(data["claim"], []).extend(data["parts"])
    return shown


def against_full_run(notebook):
    """([part], [part]) of claims that were measured here too, and that contradict the full run; parts are claim/id."""
    parts = [(f"{name}/{part['id']}", part) for name, parts in shown_claims(notebook).items() for part in parts]
    compared = [name for name, part in parts if part["full"] is not None and part["now"] is not None]
    return compared, [name for name, part in parts if part["contradicts"]]


def test_a_contradiction_of_the_full_run_would_be_found():
    better, worse = {"verdict": "better"}, {"verdict": "worse"}
    parts = [
        {"id": "100", "full": better, "now": better, "contradicts": False},
        {"id": "500", "full": better, "now": None, "contradicts": False},
        {"id": "10", "full": None, "now": worse, "contradicts": False},
        {"id": "2000", "full": better, "now": worse, "contradicts": True},
    ]
    data = {CLAIMS: {"claim": "soft-beats-hard", "parts": parts}, "text/plain": "in words"}
    shown = nbformat.v4.new_code_cell("claims.show()", outputs=[nbformat.v4.new_output("execute_result", data)])
    printed = nbformat.v4.new_code_cell("print()", outputs=[nbformat.v4.new_output("stream", text="contradicts")])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("words"), printed, shown])
    assert against_full_run(notebook) == (["soft-beats-hard/100", "soft-beats-hard/2000"], ["soft-beats-hard/2000"])


@every_lesson
def test_nbval_runs_the_solved_form_fast_and_finds_the_marked_outputs(source, notebook, tmp_path):
    """Cells tagged nbval-check-output must print exactly what the learner form has stored; the others must only run."""
    solved = lessons.build(source, "solved")
    marked = tagged(notebook, "nbval-check-output")
    stored = {cell.source: cell for cell in marked}
    assert stored
    for cell in tagged(solved, "nbval-check-output"):
        if CHECK.search(cell.source):
            cell.metadata.tags.remove("nbval-check-output")  # it finds an answer here, and is asked about it below
        else:
            cell.outputs, cell.execution_count = stored[cell.source].outputs, 1
    (parameters,) = tagged(solved, "parameters")
    assert "FAST = False" in parameters.source
    parameters.source = parameters.source.replace("FAST = False", "FAST = True")
    solved.cells += [nbformat.v4.new_code_cell(code) for code in all_correct(solved)]
    nbformat.write(solved, tmp_path / "solved.ipynb")
    (tmp_path / "none.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", f"--nbval-cell-timeout={CELL_SECONDS}", "-q"]
    command += ["-p", "nbval.plugin", "-p", "no:cacheprovider", "-c", str(tmp_path / "none.ini")]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([*command, "solved.ipynb"], capture_output=True, text=True, cwd=tmp_path, env=alone)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    run = [cell for cell in solved.cells if cell.cell_type == "code"]
    assert f"{len(run) - len(tagged(solved, 'nbval-skip'))} passed" in done.stdout, done.stdout[-500:]


def all_correct(solved):
    """Code that fails unless every check that the notebook calls finds the solution correct."""
    checks = [call[1] for cell in solved.cells if cell.cell_type == "code" and (call := CHECK.search(cell.source))]
    assert len(checks) == len(tagged(solved, "solution")) > 0
    return [f'assert {call}.status == "correct"' for call in checks]
