"""Make lessons from their sources, find them, run them without a browser, and leave an HTML page of each.

Every source has its solutions in it. The learner form keeps the stub of an exercise and folds the solution away under
it; the solved form runs the solution and skips the stub.
"""

import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kdcourse import _course, lab

CELL_SECONDS = 300  # a cell that takes longer than this is taken for stuck
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER = "application/vnd.kdcourse.explorer+json"
KERNEL_ARGUMENTS = ["--log-level=ERROR"]  # a kernel on this machine alone need not warn that it is not encrypted
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SKIPPED = ["skip-execution", "nbval-skip"]  # the first for nbclient and papermill, the second for nbval


class Run(NamedTuple):
    """What became of one lesson: seconds, peak memory of its kernel in bytes, and the error if it stopped at one."""

    lesson: str
    seconds: float
    peak_bytes: int
    html: Path
    error: str

    def __str__(self) -> str:
        found = f"{'FAIL' if self.error else 'OK  '}  {self.lesson:<24} {self.seconds:6.1f} s"
        line = f"{found}  {self.peak_bytes / 1e6:6.0f} MB  {self.html}"
        return f"{line}\n      {self.error}" if self.error else line


def folder() -> Path:
    """Where the notebooks lie: the course's `notebooks/`."""
    return _course.find("notebooks")


def source_of(path: Path) -> Path:
    """The source of a lesson's notebook. Raises ValueError where it is not there."""
    source = path.parent / "source" / f"{path.stem}.py"
    if not source.exists():
        raise ValueError(f"{path.stem} has no source to make its solved form from: {source} is missing")
    return source


def build(source: Path, form: str) -> Any:
    """The notebook, without outputs, that a source makes in one form ("learner" or "solved"). Needs jupytext.

    Where its prose has placeholders, they are filled with what the ledger says (`claims.quotes`). Raises ValueError for
    what the ledger does not have, and for a verdict that is no longer the one a sentence counts on.
    """
    import jupytext
    import nbformat

    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    cells = [_transformed(cell, form) for cell in notebook.cells]
    seen: dict[str, int] = {}
    for cell in cells:
        content = f"{cell.cell_type}\n{cell.source}"
        seen[content] = seen.get(content, 0) + 1
        cell.id = hashlib.sha256(f"{seen[content]}\n{content}".encode()).hexdigest()[:12]
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA, nbformat_minor=5)


def _transformed(cell, form):
    from nbformat.v4 import new_markdown_cell

    from kdcourse.claims import quotes

    tags = [tag for tag in cell.metadata.get("tags", []) if tag not in SKIPPED]
    if cell.cell_type == "code" and "solution" in tags and form == "learner":
        return new_markdown_cell(
            f"<details><summary><b>Solution</b></summary>\n\n```python\n{cell.source}\n```\n\n</details>",
            metadata={"tags": ["solution"]},
        )
    if cell.cell_type == "code" and "exercise" in tags and form == "solved":
        tags += SKIPPED
    cell.metadata = {"tags": tags} if tags else {}
    if cell.cell_type == "markdown":
        cell.source = quotes.filled(cell.source)
    return cell


def find(names: Sequence[str] = ()) -> list[Path]:
    """Paths of the lessons that `names` ask for, in order; all of them if it is empty.

    names   "01", "01_soft_labels" or "1"

    Raises ValueError that names what was not found and lists what there is; CourseError where there are no notebooks.
    """
    available = lab.shipped()
    chosen = []
    for name in names:
        match = [path for path in available if path.stem == name or path.stem.startswith(f"{name:0>2}_")]
        if not match:
            raise ValueError(f"no lesson {name!r}; there are {', '.join(path.stem for path in available)}")
        chosen += [path for path in match if path not in chosen]
    return sorted(chosen) or available


def run(path: Path, out: Path, *, fast: bool = False, solved: bool = False, progress: bool = True) -> Run:
    """Execute one notebook through papermill, write `out/<lesson>.ipynb` and `.html`, and measure it.

    fast      fewer seeds and epochs (the lessons' FAST parameter)
    solved    its solved form instead, which is built from the source and kept nowhere else
    progress  one progress line, cell by cell
    returns   Run; a lesson that stops at an error is a Run with `error` set, not an exception
    """
    _course.require_lab()
    lab.give_home()
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    copy, html = out / path.name, out / f"{path.stem}.html"
    error = ""
    with _form(path, solved) as notebook, PeakMemory() as memory:
        start = time.perf_counter()  # making the solved form is no part of the lesson
        try:
            papermill.execute_notebook(
                notebook,
                copy,
                parameters={"FAST": fast},
                kernel_name="python3",
                cwd=path.parent,
                execution_timeout=CELL_SECONDS,
                extra_arguments=KERNEL_ARGUMENTS,
                progress_bar={"desc": path.stem, "leave": False} if progress else False,
            )
        except papermill.PapermillExecutionError as failure:
            error = f"{failure.ename}: {failure.evalue}"
        except (CellTimeoutError, DeadKernelError) as failure:
            error = f"{type(failure).__name__}: {str(failure).splitlines()[0]}"
        except RuntimeError as failure:  # jupyter_client's, of a kernel that did not even start
            raise _course.CourseError(f"{failure}. What kdcourse doctor calls FAIL may be why.") from failure
        seconds = time.perf_counter() - start
    notebook = drop_transient_outputs(nbformat.read(copy, as_version=4))
    html.write_text(to_html(notebook, path.parent), encoding="utf-8")
    return Run(path.stem, seconds, memory.peak, html, error)


@contextmanager
def _form(path, solved):
    """The notebook to run. The solved form is made in a folder that vanishes, and keeps its record of progress there:
    who runs it has not passed its exercises.
    """
    if not solved:
        yield path
        return
    import nbformat

    notebook, before = build(source_of(path), "solved"), os.environ.get("KDCOURSE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder) / path.name)
        os.environ["KDCOURSE_HOME"] = folder
        try:
            yield Path(folder) / path.name
        finally:
            os.environ.pop("KDCOURSE_HOME")
            if before is not None:
                os.environ["KDCOURSE_HOME"] = before


def to_html(notebook: Any, folder: Path) -> str:
    """A page as nbconvert makes it, but with the alternative text of the figures, which its own template leaves out.

    folder  where the notebook's links start from; the drawn pictures below it become part of the page
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    template = """{% extends 'lab/index.html.j2' %}
{% block data_png scoped %}
<div class="jp-RenderedImage jp-OutputArea-output"><img src="data:image/png;base64,{{ output.data['image/png'] }}"
alt="{{ output | get_metadata('alt', 'image/png') | escape_html }}"></div>
{% endblock data_png %}"""
    exporter = HTMLExporter(extra_loaders=[DictLoader({"lesson.html.j2": template})], template_file="lesson.html.j2")
    exporter.embed_images = True  # the page lies elsewhere, and is sent around without the folder
    return exporter.from_notebook_node(notebook, resources={"metadata": {"path": str(folder)}})[0]


def drop_transient_outputs(notebook: Any) -> Any:
    """Remove what means nothing once the kernel is gone: progress bars, and widgets that nobody drives any more.

    A widget that brings something else along leaves that: a quiz its form in HTML, an explorer its state.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_transient(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    notebook.metadata.pop("widgets", None)
    return notebook


def _is_transient(output):
    if output.output_type == "stream":
        return output.name == "stderr" and re.search(r"\d+%\|", output.text) is not None
    data = output.get("data", {})
    return WIDGET in data and not {"text/html", "image/png", EXPLORER} & set(data)


class PeakMemory:
    """Inside a `with`, watch the largest resident memory of any process that this one starts (a kernel, here)."""

    INTERVAL = 0.2  # seconds; looking through all processes is not free

    def __enter__(self):
        self.peak = 0
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._watcher.join()

    def _watch(self):
        import psutil

        this = psutil.Process()
        while not self._stop.wait(self.INTERVAL):
            for child in this.children(recursive=True):
                try:
                    self.peak = max(self.peak, child.memory_info().rss)
                except psutil.Error:  # it ended between being listed and being asked
                    continue
