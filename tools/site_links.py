"""Which files of the repository are pages of the site, and what becomes of a link from one file to another."""

import os
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TEXTS = {
    "README.md": "index.md",
    "LICENSE": "about.md",
    "CITATION.cff": "about.md",
    "CONTRIBUTING.md": "contributors/index.md",
    "quizzes/README.md": "contributors/quizzes.md",
    "site/README.md": "contributors/site.md",
    "workshop/README.md": "instructors/index.md",
    "workshop/schedule.md": "instructors/schedule.md",
    "workshop/notes": "instructors/notes.md",
    "workshop/drills.md": "instructors/drills.md",
    "workshop/mail.md": "instructors/mail.md",
    "workshop/hub.md": "instructors/hub.md",
    "workshop/classroom.md": "instructors/classroom.md",
    "site/scale_out.md": "instructors/scale-out.md",
    "site/install.md": "install.md",
    "site/command.md": "command.md",
    "site/audit.md": "audit.md",
    "site/audit_tools.md": "audit_tools.md",
    "site/language_models.md": "language_models.md",
}

# Code comes before and after links in this pattern, so that what only looks like a link inside of code is left alone.
TOKEN = re.compile(
    r"(?P<fence>^[ >]*(?P<ticks>```+|~~~+).*?^[ >]*(?P=ticks)[`~]*[ \t]*$)"
    r"|(?P<link>(?<!!)\[(?P<text>(?:`[^`\n]*`|[^\[\]`])*)\]\((?P<target>[^()\s]+)\))"
    r"|(?P<code>(?P<tick>`+)(?!`).*?(?<!`)(?P=tick)(?!`))",
    re.M | re.S,
)


def pages(root=ROOT):
    """{file in the repository: page of the site}, both as paths with forward slashes."""
    found = {name: page for name, page in TEXTS.items() if (root / name).exists()}
    for notebook in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        found[f"notebooks/{notebook.name}"] = f"lessons/{notebook.name}"
    for result in sorted((root / "data" / "results").glob("*.json")):
        found[f"data/results/{result.name}"] = f"claims/{result.stem}.md"
    for sheet in sorted((root / "data").glob("*/README.md")):
        folder = f"data/{sheet.parent.name}"
        found[f"{folder}/README.md"] = f"{folder}.md"
        if (sheet.parent / "teacher-card.md").exists():
            found[f"{folder}/teacher-card.md"] = f"{folder}-teacher.md"
    return found


def rewrite(text, source, page, known, repository=""):
    """Markdown from a file of the repository, with its links as they must be on a page of the site.

    source      the file, such as "workshop/README.md"
    page        the page it becomes, such as "instructors/index.md"
    known       what `pages` gives
    repository  address of the repository, for files that are not on the site; without one they are named, not linked
    """

    def replaced(match):
        if match["link"] is None:
            return match[0]
        return link(match["text"], match["target"], source, page, known, repository)

    return TOKEN.sub(replaced, text)


def link(text, target, source, page, known, repository=""):
    """One link, rewritten; see `rewrite`."""
    path, _, fragment = target.partition("#")
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.I) or not path:
        return f"[{text}]({target})"
    here = posixpath.dirname(source)
    path = posixpath.normpath(posixpath.join(here, path))
    if path in known:
        ending = f"#{fragment}" if fragment else ""
        return f"[{text}]({relative(known[path], page)}{ending})"
    if repository:
        return f"[{text}]({repository.rstrip('/')}/blob/main/{path})"
    named = text.strip("`")
    return f"`{path}`" if path.endswith(named.strip("/").removeprefix("../")) else f"{text} (`{path}`)"


def relative(target, page):
    """The way from one page to another."""
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def repository():
    """Where the sources can be read, from the variable KDCOURSE_REPOSITORY; empty if nobody said."""
    return os.environ.get("KDCOURSE_REPOSITORY", "").rstrip("/")
