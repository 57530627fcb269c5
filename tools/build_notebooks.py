"""Build the notebooks that learners open from `notebooks/source/`, and execute them.

    python tools/build_notebooks.py              # all lessons, both forms: minutes
    python tools/build_notebooks.py 01           # the lessons whose name starts so
    python tools/build_notebooks.py --check      # execute nothing; fail if a notebook is not what its source makes

Every source has its solutions in it. The learner form keeps the stub of an exercise and folds the solution away under
it; the solved form runs the solution and skips the stub. Both keep the outputs of a full run, so that they can be read
without a kernel.
"""

import argparse
import ast
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_markdown_cell

from kdcourse.lessons import CELL_SECONDS, KERNEL_ARGUMENTS, drop_transient_outputs

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SKIPPED = ["skip-execution", "nbval-skip"]  # the first for nbclient and papermill, the second for nbval


def sources():
    """The lessons' sources, in order."""
    return sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))


def targets(source):
    """{form: path} of the notebooks that a source makes."""
    return {
        "learner": NOTEBOOKS / f"{source.stem}.ipynb",
        "solved": NOTEBOOKS / "solutions" / f"{source.stem}.ipynb",
    }


def build(source, form):
    """The notebook, without outputs, that a source makes in one form ("learner" or "solved")."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    cells = [_transformed(cell, form) for cell in notebook.cells]
    seen = {}
    for cell in cells:
        if form == "solved" and cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")  # it lies one folder deeper
        content = f"{cell.cell_type}\n{cell.source}"
        seen[content] = seen.get(content, 0) + 1
        cell.id = hashlib.sha256(f"{seen[content]}\n{content}".encode()).hexdigest()[:12]
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA, nbformat_minor=5)


def _transformed(cell, form):
    tags = [tag for tag in cell.metadata.get("tags", []) if tag not in SKIPPED]
    if cell.cell_type == "code" and "solution" in tags and form == "learner":
        return new_markdown_cell(
            f"<details><summary><b>Solution</b></summary>\n\n```python\n{cell.source}\n```\n\n</details>",
            metadata={"tags": ["solution"]},
        )
    if cell.cell_type == "code" and "exercise" in tags and form == "solved":
        tags += SKIPPED
    cell.metadata = {"tags": tags} if tags else {}
    return cell


def execute(notebook, folder):
    """Run a notebook in place, as a learner's kernel would, and drop the outputs that mean nothing afterwards."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        extra_arguments=KERNEL_ARGUMENTS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
    )
    with tempfile.TemporaryDirectory() as home:
        os.environ["KDCOURSE_HOME"] = home  # everything is trained here and now, nothing taken from an earlier run
        client.execute()
    notebook.metadata = METADATA  # without the version of the Python that happened to run it
    return drop_transient_outputs(notebook)


def drift(source, form, path):
    """What is wrong with a committed notebook, in words; empty if it is what its source makes, and was run whole."""
    if not path.exists():
        return [f"{path.name} ({form}) does not exist"]
    expected, found = build(source, form), nbformat.read(path, as_version=4)
    problems = []
    if dict(found.metadata) != METADATA:
        problems.append("its metadata differ")
    if len(expected.cells) != len(found.cells):
        problems.append(f"it has {len(found.cells)} cells, the source makes {len(expected.cells)}")
    for number, (wanted, cell) in enumerate(zip(expected.cells, found.cells, strict=False)):
        same = all(wanted[key] == cell[key] for key in ("cell_type", "source", "id", "metadata"))
        if not same:
            problems.append(f"cell {number} differs from the source: {cell.source[:60]!r}")
        if cell.cell_type == "code" and not set(SKIPPED) & set(cell.metadata.get("tags", [])):
            if cell.execution_count is None and _runs(cell.source):
                problems.append(f"cell {number} was not executed: {cell.source[:60]!r}")
            if any(output.output_type == "error" for output in cell.outputs):
                problems.append(f"cell {number} ended in an error")
    return [f"{path.relative_to(ROOT)}: {problem}" for problem in problems]


def _runs(code):
    return bool(ast.parse(code).body)


def write(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="beginnings of lesson names; none means all")
    parser.add_argument("--check", action="store_true", help="execute nothing, only report drift")
    arguments = parser.parse_args()
    chosen = [s for s in sources() if not arguments.lessons or s.stem.startswith(tuple(arguments.lessons))]
    if not chosen:
        parser.error(f"no lesson starts with {', '.join(arguments.lessons)}")
    jobs = [(source, form, path) for source in chosen for form, path in targets(source).items()]
    if arguments.check:
        problems = [problem for job in jobs for problem in drift(*job)]
        print("\n".join(problems) or f"{len(jobs)} notebooks are what their sources make")
        sys.exit(1 if problems else 0)
    for number, (source, form, path) in enumerate(jobs, 1):
        print(f"[{number}/{len(jobs)}] {source.stem} ({form})", end=" ", flush=True)
        start = time.perf_counter()
        write(execute(build(source, form), path.parent), path)
        print(f"{time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
