"""Build the notebooks that learners open from `notebooks/source/`, and execute them.

    python tools/build_notebooks.py                       # all lessons: minutes
    python tools/build_notebooks.py 01                    # the lessons whose name starts so
    python tools/build_notebooks.py --form solved 01      # with the exercises solved, into notebooks/solutions/

`kdcourse.lessons.build` says what the two forms are. The learner form is committed, with the outputs of a full run and
a picture of every explorer, so that it can be read without a kernel; the solved form is built where one wants it.
"""

import argparse
import ast
import base64
import io
import os
import tempfile
import time
from pathlib import Path

import nbformat
from explorer_pictures import add_pictures
from nbclient import NotebookClient
from PIL import Image

from kdcourse.lessons import CELL_SECONDS, KERNEL_ARGUMENTS, METADATA, SKIPPED, build, drop_transient_outputs

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


def sources():
    """The lessons' sources, in order."""
    return sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))


def target(source, form="learner"):
    """Where the notebook lies that a source makes in one form."""
    return (NOTEBOOKS if form == "learner" else NOTEBOOKS / "solutions") / f"{source.stem}.ipynb"


def built(source, form):
    """What `build` makes, with links from the folder in which this form lies."""
    notebook = build(source, form)
    for cell in notebook.cells:
        if form == "solved" and cell.cell_type == "markdown":
            # It lies one folder deeper. The pictures go second, or their new link would be changed again.
            cell.source = cell.source.replace("](../", "](../../").replace("](pictures/", "](../pictures/")
    return notebook


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
    return add_pictures(with_smaller_figures(drop_transient_outputs(notebook)))


def with_smaller_figures(notebook):
    """The notebook, its figures in 256 colours: a third of the bytes, and alike to the eye."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            drawn, few = io.BytesIO(base64.b64decode(output.data["image/png"])), io.BytesIO()
            Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(few, "PNG")
            output.data["image/png"] = base64.b64encode(few.getvalue()).decode()
    return notebook


def drift(source, path):
    """What is wrong with a committed notebook, in words; empty if it is what its source makes, and was run whole."""
    if not path.exists():
        return [f"{path.name} does not exist"]
    expected, found = build(source, "learner"), nbformat.read(path, as_version=4)
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
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="beginnings of lesson names; none means all")
    parser.add_argument("--form", choices=["learner", "solved"], default="learner")
    arguments = parser.parse_args()
    chosen = [s for s in sources() if not arguments.lessons or s.stem.startswith(tuple(arguments.lessons))]
    if not chosen:
        parser.error(f"no lesson starts with {', '.join(arguments.lessons)}")
    for number, source in enumerate(chosen, 1):
        path = target(source, arguments.form)
        print(f"[{number}/{len(chosen)}] {source.stem} ({arguments.form})", end=" ", flush=True)
        start = time.perf_counter()
        path.parent.mkdir(exist_ok=True)
        write(execute(built(source, arguments.form), path.parent), path)
        print(f"{time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
