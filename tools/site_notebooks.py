"""Lessons for the site: a notebook keeps its outputs, and those that need a kernel or a big file get another form.

Figures become files, quizzes and explorers become pieces of the page that a script of the site brings to life.
"""

import base64
import html
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import nbformat
import site_links

from kdcourse import claims, quiz
from kdcourse.quiz.page import container, content

GITHUB = "https://github.com/"
EXPLORER = "application/vnd.kdcourse.explorer+json"
SHOWN = re.compile(r"quiz\.show\(\s*([\"'])(?P<name>[^\"']+)\1")


class SiteError(ValueError):
    """The site cannot be built from what there is. The message says which file, which cell, and what is wrong."""


@dataclass(frozen=True)
class Figure:
    """A picture: `path` from the root of the site, size in pixels, alternative text."""

    path: str
    width: int
    height: int
    alt: str

    def html(self, root):
        """The picture on a page from which the site's root is `root`, such as "../" or ""."""
        return (
            f'<img src="{root}{html.escape(self.path)}" alt="{html.escape(self.alt)}" '
            f'width="{self.width}" height="{self.height}" loading="lazy">'
        )


@dataclass(frozen=True)
class Explorer:
    """An explorer as a lesson has stored it: what its script needs, and the picture of it."""

    name: str
    state: object
    picture: Figure

    def html(self, root):
        """The explorer on a page: the picture, until the script replaces it."""
        return (
            f'<div class="kdcourse-explorer" data-explorer="{html.escape(self.name)}">{self.picture.html(root)}'
            f'<script type="application/json">{json_in_html(self.state)}</script></div>'
        )


def json_in_html(value):
    """JSON that can stand in a <script>: nothing in it ends the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def read(path):
    """The notebook in a file. Raises SiteError if it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its validators and json raise
        raise SiteError(f"{path.name} is no notebook: {str(error).splitlines()[0]}") from None


def transform(notebook, name, folder, known, repository=""):
    """Change a notebook in place for the page `lessons/<name>.html`; returns its explorers, in order.

    name    the stem of the notebook
    folder  where the site is assembled: figures are written into it, as _static/figures/<name>/<number>.png
    known   what `site_links.pages` gives
    """
    source, page, explorers, figures = f"notebooks/{name}.ipynb", f"lessons/{name}.ipynb", [], []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            cell.source = site_links.rewrite(cell.source, source, page, known, repository)
        for output in cell.get("outputs", []):
            if "data" not in output:
                continue
            try:
                changed = _changed(output, cell.source, f"_static/figures/{name}", folder, figures, explorers, known)
            except ValueError as error:
                raise SiteError(f"{name}.ipynb, cell {number}: {error}") from None
            if changed is not None:
                output.data = {"text/html": changed}
                output.metadata = {}
    if notebook.cells and repository.startswith(GITHUB):
        notebook.cells[0].source += "\n\n" + open_elsewhere(source, repository)
    return explorers


def open_elsewhere(source, repository):
    """Links that open a notebook of a repository on GitHub where it can be run."""
    of = repository.removeprefix(GITHUB)
    colab = f"https://colab.research.google.com/github/{of}/blob/main/{source}"
    binder = f"https://mybinder.org/v2/gh/{of}/main?labpath={source}"
    return f"[Open in Colab]({colab}) · [Open in Binder]({binder})"


def _changed(output, source, place, folder, figures, explorers, known):
    """The HTML that replaces an output, or None if it may stay as it is."""
    data = output.data
    if EXPLORER in data:
        explorer = _explorer(output, place, folder, figures)
        explorers.append(explorer)
        return explorer.html("../")
    if "kdcourse-quiz" in data.get("text/html", ""):
        shown = SHOWN.search(source)
        if not shown:
            raise ValueError("it shows a quiz, but has no quiz.show with a name")
        return quiz_html(shown["name"], known, "../")
    if "text/html" in data:  # the corner of a table of pandas is a heading of nothing
        return data["text/html"].replace("<th></th>", "<td></td>") + _claim_shown(data)
    if "image/png" in data:
        return f'<div class="kd-figure">{_figure(output, place, folder, figures).html("../")}</div>'
    return None


def _claim_shown(data):
    """A link to the page of the claim that an output shows; most show none."""
    name = data.get(claims.MIME, {}).get("claim")
    return f'<p class="kd-note">In full: <a href="../claims/{name}.html">{name}</a></p>' if name else ""


def quiz_html(name, known, root):
    """A quiz as a piece of a page that loads the quizzes' script and style itself. Raises ValueError for the name."""
    lessons = {Path(page).stem for page in known.values() if page.startswith("lessons/")}
    shown = content(quiz.load(name), lambda lesson: f"{root}lessons/{lesson}.html" if lesson in lessons else None)
    return container(shown)


def _explorer(output, place, folder, figures):
    stored = output.data[EXPLORER]
    stored = json.loads(stored) if isinstance(stored, str) else stored
    name = stored.get("explorer") if isinstance(stored, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or "state" not in stored:
        raise ValueError(f"an explorer must have a name and a state, got {str(stored)[:60]}")
    if "image/png" not in output.data:
        raise ValueError(f"the explorer {name!r} has no picture beside it")
    return Explorer(name, stored["state"], _figure(output, place, folder, figures))


def _figure(output, place, folder, figures):
    """Write the picture of an output as the next file in `place`."""
    about = output.get("metadata", {}).get("image/png", {})
    alt = about.get("alt", "").strip()
    if not alt:
        raise ValueError("a picture has no alternative text: show it with plots.show(fig, alt=...)")
    stored = output.data["image/png"]
    try:
        picture = base64.b64decode("".join(stored), validate=False)
    except ValueError:
        picture = b""
    if picture[:8] != b"\x89PNG\r\n\x1a\n" or picture[12:16] != b"IHDR":
        raise ValueError("a picture is no PNG")
    width, height = struct.unpack(">II", picture[16:24])
    path = Path(folder) / place / f"{len(figures) + 1}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    figures.append(path)
    # What it says of its size; a figure has twice as many pixels, for sharp screens.
    return Figure(f"{place}/{path.name}", about.get("width", width), about.get("height", height), alt)


def header(notebook, name):
    """(title, minutes, what one is able to do afterwards) of a lesson's first cell. SiteError if it lacks one."""
    text = notebook.cells[0].source if notebook.cells else ""
    title, minutes = re.search(r"^# (.+)$", text, re.M), re.search(r"\*\*(\d+) minutes\*\*", text)
    able = re.findall(r"^- (.+?)[,.]?$", text, re.M)
    if not title or not minutes or not able:
        raise SiteError(
            f"{name}.ipynb must begin with a heading, **NN minutes**, and what one is able to do, as a list"
        )
    return title[1].strip(), int(minutes[1]), "; ".join(able)
