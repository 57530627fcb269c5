"""Each lesson, in both forms, is what its source makes, and runs top to bottom through papermill and nbval."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from kdcourse import lessons

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_notebooks  # noqa: E402

CELL_SECONDS = 120
LARGEST = 1.5e6  # bytes; GitHub stops showing notebooks that are much larger

NOTEBOOKS = [
    pytest.param(source, form, path, id=f"{source.stem}-{form}")
    for source in build_notebooks.sources()
    for form, path in build_notebooks.targets(source).items()
]


def test_there_are_lessons_and_each_notebook_has_a_source():
    made = {path for source in build_notebooks.sources() for path in build_notebooks.targets(source).values()}
    found = {path for folder in ("", "solutions") for path in (build_notebooks.NOTEBOOKS / folder).glob("*.ipynb")}
    assert len(made) >= 4
    assert found == made


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_notebook_is_what_its_source_makes(source, form, path):
    assert build_notebooks.drift(source, form, path) == [], "run `make notebooks` and commit what it writes"


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_notebook_is_small_valid_and_says_nothing_of_the_machine_that_made_it(source, form, path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    assert "Warning" not in "".join(
        output.text
        for cell in nbformat.reads(text, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_links_to_files_lead_somewhere(source, form, path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", "\n".join(_markdown(path)))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_headings_do_not_skip_levels(source, form, path):
    text = re.sub(r"```.*?```", "", "\n".join(_markdown(path)), flags=re.S)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, flags=re.M)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_cells_are_short(source, form, path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            assert len(lines) <= 25, cell.source
            assert max(map(len, lines), default=0) <= 79, max(lines, key=len)


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_every_figure_has_alternative_text(source, form, path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 40


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_papermill_runs_it_fast(source, form, path, tmp_path):
    result = lessons.run(path, tmp_path, fast=True, progress=False)
    assert result.error == ""
    assert result.html.stat().st_size > 100_000
    executed = nbformat.read(tmp_path / path.name, as_version=4)
    assert any(cell.source.startswith("# Parameters\nFAST = True") for cell in executed.cells)
    checks = [  # a kernel may send one line in two pieces
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in executed.cells
        if re.match(r"check\.\w+\(\w+\)$", cell.source.splitlines()[-1] if cell.source else "")
    ]
    wanted = "is correct" if form == "solved" else "not attempted yet"
    assert len(checks) == sum("exercise" in cell.metadata.get("tags", []) for cell in executed.cells) > 0
    assert all(wanted in text for text in checks), checks
    if int(source.stem[:2]) >= 1:
        compared, contradicting = against_full_run(executed)
        assert contradicting == []
        assert compared, "no part of a claim is measured both here and in the full run: are they named alike?"


def against_full_run(notebook):
    """([parts], [parts]) that cells with `claims.show` say were measured here too, and that contradict the full run.

    A part is a line indented by two, with a line for each run that has measured it, indented by four, below.
    """
    compared, contradicting = [], []
    for text in _shown_claims(notebook):
        for block in re.split(r"^(?=  \S)", text, flags=re.M):
            part, *runs = block.splitlines() or [""]
            if all(any(line.startswith(f"    {run}: ") for line in runs) for run in ("full run", "just now")):
                compared.append(part.strip())
            if any("contradicts the full run" in line for line in runs):
                contradicting.append(part.strip())
    return compared, contradicting


def _shown_claims(notebook):
    return [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        if cell.cell_type == "code" and "claims.show(" in cell.source
        for output in cell.outputs
    ]


AGREES = """soft-beats-hard: A student learns more from soft labels than from hard labels.
  supported here
  100 pictures
    full run: +2.4 points [+2.0, +2.9], n = 40: better
    just now: +2.2 points [+1.4, +3.0], n = 3: better
  500 pictures
    full run: +0.5 points [+0.2, +0.8], n = 40: better
  ten pictures
    just now: +0.1 points [-0.4, +0.6], n = 3: inconclusive"""
CONTRADICTS = """t-4-to-10: A temperature from 4 to 10 is a good choice.
  depends: supported for A; not supported for B
  A
    full run: +1.2 points [+0.3, +2.1], n = 10: better
    just now: -0.9 points [-1.3, -0.5], n = 5: worse
    This contradicts the full run: trust neither until you know why.
  B
    full run: -0.3 points [-0.5, -0.1], n = 10: worse
    just now: -0.2 points [-0.9, +0.5], n = 5: inconclusive"""


@pytest.mark.parametrize(
    ("texts", "compared", "contradicting"),
    [
        ([AGREES], ["100 pictures"], []),
        ([CONTRADICTS], ["A", "B"], ["A"]),
        ([AGREES, CONTRADICTS], ["100 pictures", "A", "B"], ["A"]),
        (["on-policy-helps: Training on its own samples helps.\n  not measured yet"], [], []),
        ([], [], []),
    ],
)
def test_a_contradiction_of_the_full_run_would_be_found(texts, compared, contradicting):
    notebook = nbformat.v4.new_notebook()
    for text in texts:
        code = nbformat.v4.new_code_cell('from kdcourse import claims\n\nclaims.show(\n    "a-claim", measured=gain\n)')
        data = {"text/plain": text, "text/html": "<table></table>"}
        code.outputs = [nbformat.v4.new_output("stream", text=""), nbformat.v4.new_output("execute_result", data)]
        notebook.cells.append(code)
    other = nbformat.v4.new_code_cell("print(lesson)")
    other.outputs = [nbformat.v4.new_output("stream", text=CONTRADICTS)]  # not the ledger's word
    notebook.cells += [nbformat.v4.new_markdown_cell("`claims.show(...)`"), other]
    assert against_full_run(notebook) == (compared, contradicting)


@pytest.mark.parametrize(("source", "form", "path"), NOTEBOOKS)
def test_nbval_runs_it_fast_and_finds_the_marked_outputs(source, form, path, tmp_path):
    """Cells tagged nbval-check-output must print exactly what is stored; the others must only run."""
    notebook = nbformat.read(path, as_version=4)
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert "FAST = False" in parameters.source
    parameters.source = parameters.source.replace("FAST = False", "FAST = True")
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in notebook.cells)
    copy = tmp_path / path.name
    nbformat.write(notebook, copy)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", f"--nbval-cell-timeout={CELL_SECONDS}", "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "-c", str(tmp_path / "none.ini"), str(copy)]
    (tmp_path / "none.ini").write_text("[pytest]\n")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    skipped = sum("nbval-skip" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert f"{code_cells - skipped} passed" in done.stdout, done.stdout[-500:]


def _markdown(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
