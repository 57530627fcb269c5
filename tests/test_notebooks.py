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
