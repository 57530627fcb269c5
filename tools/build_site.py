"""Build the static site: `make site`, or

    python tools/build_site.py                # into build/site
    python tools/build_site.py --out DIR

Nothing is executed and nothing is fetched. What the pages are made of lies all over the repository, so it is first put
together in a folder of its own (build/site-source), from which Sphinx makes the pages; its warnings are errors. The
variable KDCOURSE_REPOSITORY is the address of the repository, for links to files that are no pages.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import build_workshop  # noqa: E402
import nbformat  # noqa: E402
import site_landing  # noqa: E402
import site_links  # noqa: E402
from build_answers import answers  # noqa: E402
from site_api import api_pages  # noqa: E402
from site_claims import claim_pages, claims_page  # noqa: E402
from site_notebooks import SiteError, header, read, transform  # noqa: E402
from site_pages import cards_page, glossary_page, quiz_pages  # noqa: E402

from kdcourse import claims  # noqa: E402
from kdcourse.widgets._explorer import explorers as known_explorers  # noqa: E402

SITE = ROOT / "site"
OUT = ROOT / "build" / "site"
NOTEBOOKS = ROOT / "notebooks"
WIDGETS = ROOT / "kdcourse" / "static"
# Pages that hold others: {page: the pages below it}, appended as a hidden table of contents.
BELOW = {
    "instructors/index.md": ["schedule", "notes", "drills", "mail", "answers", "hub", "classroom", "scale-out"],
    "contributors/index.md": ["quizzes", "site"],
}


def build(out=OUT, *, notebooks=NOTEBOOKS):
    """Build the site into the folder `out`, which is emptied first; returns it.

    notebooks  the folder with the lessons

    Raises SiteError if a part of it is broken, with where and why, and if Sphinx warns.
    """
    out = Path(out).resolve()
    source = out.parent / f"{out.name}-source"
    assemble(source, notebooks=notebooks)
    render(source, out)
    return out


def render(source, out):
    """Have Sphinx make the pages. Raises SiteError with its warnings, if it has any."""
    if out.exists():
        shutil.rmtree(out)
    options = ["-W", "--keep-going", "-q", "-b", "html", "-d", str(source / ".doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SiteError(f"Sphinx is not content:\n{done.stdout}{done.stderr}")


def assemble(source, *, notebooks=NOTEBOOKS):
    """Put everything that Sphinx needs into the folder `source`, which is emptied first; see `build`."""
    lay_out(source)

    known, repository = site_links.pages(), site_links.repository()
    lessons, explorers = _lessons(source, Path(notebooks), known, repository)
    require_explorers(explorers)
    for page, text in _texts(known, repository).items():
        _write(source / page, text)
    values = site_landing.values(lessons, explorers, known)
    for path in sorted(SITE.glob("*.md")):
        if f"site/{path.name}" not in known:
            _write(source / path.name, filled(path.read_text(encoding="utf-8"), values, path.name))
    generated = {"claims.md": claims_page(known), "flashcards.md": cards_page(known), "glossary.md": glossary_page()}
    generated["instructors/answers.md"] = answers()
    generated |= {f"instructors/{name}": text for name, text in build_workshop.pages().items()}
    generated |= claim_pages(known) | quiz_pages(known) | api_pages(ROOT / "kdcourse") | site_landing.data_index(known)
    for page, text in generated.items():
        _write(source / page, text)


def lay_out(source):
    """Make the folder with what is the same for all sites: settings, templates, scripts, styles, drawn pictures."""
    if source.exists():
        shutil.rmtree(source)
    source.mkdir(parents=True)
    shutil.copyfile(SITE / "conf.py", source / "conf.py")
    for part in ("_static", "_templates", "_extensions"):
        shutil.copytree(SITE / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(WIDGETS, source / "_static" / "kdcourse")
    shutil.copytree(NOTEBOOKS / "pictures", source / "lessons" / "pictures")
    # Where a lesson's links look for them, where the landing page does, and where the pages of site/ do.
    for place in ("site", "_static", ""):
        shutil.copytree(SITE / "pictures", source / place / "pictures")


def _lessons(source, folder, known, repository):
    """Write the lessons; returns [(stem, title, minutes, aims)] and {name of an explorer: the one to show}."""
    lessons, explorers = [], {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        notebook = read(path)
        lessons.append((path.stem, *header(notebook, path.stem)))
        # The first of a name, but one from its own lesson goes before an earlier mention, which may lack a control.
        for explorer in reversed(transform(notebook, path.stem, source, known, repository)):
            if explorer.name not in explorers or known_explorers()[explorer.name].lesson == path.stem:
                explorers[explorer.name] = explorer
        _write(source / "lessons" / path.name, nbformat.writes(notebook))
    return lessons, explorers


def require_explorers(explorers):
    """See that the lessons have stored every explorer there is. Raises SiteError if not."""
    missing = [name for name in known_explorers() if name not in explorers]
    if missing:
        raise SiteError(f"no lesson has stored the explorers {', '.join(missing)}: run make notebooks")


def _texts(known, repository):
    """{page: Markdown} of the files of the repository that are pages."""
    made = {}
    for name, page in known.items():
        if name.endswith(".md") and page != "index.md":
            made[page] = site_links.rewrite((ROOT / name).read_text(encoding="utf-8"), name, page, known, repository)
    for page, below in BELOW.items():
        made[page] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(below) + "\n```\n"
    return made


def filled(text, values, name):
    """A text with every <!-- put: WHAT --> replaced by what it names, and {{ ... }} by what the ledger says.

    Raises SiteError for a name that is not there, and ValueError as `claims.filled` does.
    """

    def put(match):
        if match[1] not in values:
            raise SiteError(f"{name} asks for {match[1]!r}; there are {', '.join(values)}")
        return values[match[1]]

    return claims.filled(re.sub(r"<!-- put: (.+?) -->", put, text))


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    start = time.perf_counter()
    try:
        out = build(arguments.out)
    except SiteError as error:
        sys.exit(str(error))
    pages = sum(1 for _ in out.rglob("*.html"))
    print(f"{pages} pages in {out}, built in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
