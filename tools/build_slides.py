"""Slides of the lessons: `make slides`, or

    python tools/build_slides.py          # every lesson and the votes, into build/slides
    python tools/build_slides.py 02       # the lessons whose name starts so

A deck is made of a lesson's notebook: headings, findings, predictions, exercises, drawn pictures, and every figure at
full size; all other prose is in the speaker's notes, which the key S opens. A cell of the source may say otherwise:
slideshow={"slide_type": "slide"}, "notes" or "skip". Nothing is executed, and nothing is fetched: reveal.js comes with
the package sphinx-revealjs, of which nothing else is used.
"""

import argparse
import base64
import html
import importlib.util
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jinja2
import jupytext
import kit
import latex2mathml.converter
import nbformat
from build_workshop import answer
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from kdcourse import claims

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "slides"
WORDS, IN_LIST = 60, 100  # on a slide, and with the points of a list; what is beyond goes to the notes
LEAD = 25  # words that do not fill one
TABLE_ROWS = 12
VOTES = (
    "**Yes**, in all that was measured",
    "**Yes, in part**; the rest is open",
    "**It depends**: here yes, there no",
    "**No**",
    "**We cannot tell** from these runs",
)


@dataclass
class Slide:
    """One slide: HTML of what is shown and of what is said; `above` is the heading that it belongs to."""

    kind: str
    body: str
    notes: str = ""
    above: str = ""


def _maths(text, options):
    return latex2mathml.converter.convert(text, display="block" if options["display_mode"] else "inline")


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin, renderer=_maths)


def shown(text):
    """Markdown as HTML for a slide: links are words, for nobody in the room can press them."""
    return MARKDOWN.render(re.sub(r"(?<!!)\[((?:`[^`]*`|[^\[\]])+)\]\([^()\s]+\)", r"\1", text))


def said(text):
    """Markdown as HTML for the notes: links to other pages are spelled out."""
    text = re.sub(r"!\[(.*?)\]\([^()\s]+\)", r"*Picture: \1*", text)
    return MARKDOWN.render(re.sub(r"(?<!!)\[((?:`[^`]*`|[^\[\]])+)\]\(([^()\s]+)\)", r"\1 (`\2`)", text))


def brief(text, words=WORDS):
    """The beginning of a text, whole blocks and then whole sentences, of at most so many words."""
    kept, left = [], words
    for block in re.split(r"\n\s*\n", text.strip()):
        size = 0 if block.startswith(("#", "![", "$$")) else len(block.split())
        if size <= left + (IN_LIST - WORDS) * block.startswith("- "):
            kept.append(block)
            left -= size
            continue
        if not any(not one.startswith("#") for one in kept):  # one long block: its first sentences
            kept.append(_sentences(block, left))
        break
    return "\n\n".join(kept)


def _sentences(block, words):
    if block.startswith(("-", "|", "1.")):
        return block
    parts = re.split(r"(?<=[.!?:*]) (?=[A-Z“*])", block)
    taken = parts[0]
    for part in parts[1:]:
        if len(f"{taken} {part}".split()) > words and taken.count("**") % 2 == 0 and taken.count("$") % 2 == 0:
            break
        taken = f"{taken} {part}"
    return taken


def fits(lines, most=8, wide=72):
    """Whether so many lines can be read on a slide that has a sentence already."""
    return 0 < len(lines) <= most and max(map(len, lines)) <= wide


def deck(lesson, folder):
    """The slides of a lesson; its pictures are written into `folder`."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson.stem}.ipynb", as_version=4)
    source = jupytext.reads((kit.SOURCES / f"{lesson.stem}.py").read_text(encoding="utf-8"), fmt="py:percent")
    if len(notebook.cells) != len(source.cells):
        raise ValueError(f"{lesson.stem}.ipynb is not what its source makes: run make notebooks")
    made = _Deck(lesson, folder)
    for cell, written in zip(notebook.cells, source.cells, strict=True):
        wanted = written.metadata.get("slideshow", {}).get("slide_type", "")
        if wanted != "skip":
            made.add(cell, wanted, written.metadata.get("tags", []))
    return made.slides


class _Deck:
    """The slides so far, and the heading under which the next one stands."""

    def __init__(self, lesson, folder):
        self.lesson, self.folder, self.slides, self.above, self.figures = lesson, folder, [], "", 0
        self.exercises = {exercise.name: exercise for exercise in kit.exercises_of(lesson)}

    def add(self, cell, wanted, tags):
        if not self.slides:
            self.begin(cell.source)
        elif cell.cell_type == "markdown":
            self.prose(cell.source, wanted, tags)
        elif "exercise" in tags:
            self.exercise(cell.source)
        else:
            self.code(cell, wanted)

    def note(self, text):
        self.slides[-1].notes += said(text)

    def begin(self, text):
        told = kit.notes(self.lesson)
        notes = "".join(said(f"**{name}**\n\n{told[name]}") for name in ("Say", "Run while you talk") if name in told)
        aims = re.match(r".*?(?:^- [^\n]*\n?)+", text, re.M | re.S)[0]  # not the finding: the votes come first
        body = re.sub(r"^\*\*.*$", f"**{self.lesson.minutes} minutes**", aims, count=1, flags=re.M)
        self.slides.append(Slide("title", shown(body), notes + said(text)))
        self.slides += [vote(claim) for claim in self.lesson.claims]

    def prose(self, text, wanted, tags):
        heading = re.search(r"^##+ (.+)$", text, re.M)
        if heading:
            self.above = heading[1].replace("`", "")
        if heading and heading[1] == "Take away":
            self.slides += [outcome(claim) for claim in self.lesson.claims]
        if "solution" in tags or text.startswith("<details") or wanted == "notes" or self.above == "Read on":
            self.note(text)
            return
        picture = "![" in text
        if not (wanted or heading or picture or text.startswith(("**", "|")) or "$$" in text):
            self.note(text)
            return
        body = brief(text, 30 if picture else WORDS)
        if picture and "![" not in body:  # what is drawn is the slide
            body = re.search(r"!\[.*?\]\(.*?\)", text, re.S)[0]
        above = "" if heading else self.above
        self.slides.append(Slide("drawn" if picture else "words", shown(self.local(body)), said(text), above))

    def local(self, text):
        """Markdown whose pictures lie beside the slides."""

        def copy(match):
            path = (ROOT / "notebooks" / match[2]).resolve()
            shutil.copyfile(path, self.folder / path.name)
            return f"![{match[1]}](pictures/{path.name})"

        return re.sub(r"!\[(.*?)\]\(([^()\s]+)\)", copy, text, flags=re.S)

    def exercise(self, code):
        name = re.findall(r"^def (\w+)", code, re.M)[-1]
        body = shown(f"### Now you: `{name}`") + f"<pre><code>{html.escape(code)}</code></pre>"
        notes = ""
        if name in self.exercises:
            bugs = "\n".join(f"- *{bug}*: {one.message}" for bug, one in self.exercises[name].bugs.items())
            notes = said(f"**Wrong answers to expect**\n\n{bugs}")
        self.slides.append(Slide("code", body, notes, self.above))

    def code(self, cell, wanted):
        if wanted == "slide":
            body = f"<pre><code>{html.escape(cell.source)}</code></pre>"
            notes = self.lead()[1] + said("Read it with them, line by line.")
            self.slides.append(Slide("code", body, notes, self.above))
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                self.figure(output)
            elif "dataframe" in data.get("text/html", ""):
                self.table(data["text/html"], data["text/plain"])
            elif "kdcourse-quiz" in data.get("text/html", ""):
                name = re.search(r"quiz\.show\(\s*[\"']([^\"']+)", cell.source)[1]
                self.slides[-1].body += shown(f"`kdcourse quiz {name}`, or in the notebook")
                self.note("Everybody alone, then: which question had most wrong answers? Talk about that one.")
            else:
                text = (output.get("text") or data.get("text/plain", "")).strip()
                self.printed(text)

    def printed(self, text):
        """What a cell prints is said; after a sentence that ends in a colon, it is shown."""
        before, lines = self.slides[-1], text.splitlines()
        if before.kind == "words" and before.body.rstrip().endswith(":</p>") and fits(lines):
            before.body += f"<pre><code>{html.escape(text)}</code></pre>"
        else:
            self.note(f"The notebook prints:\n\n```\n{text}\n```")

    def figure(self, output):
        self.figures += 1
        name = f"{self.lesson.stem}-{self.figures}.png"
        (self.folder / name).write_bytes(base64.b64decode("".join(output.data["image/png"])))
        alt = output.metadata.get("image/png", {}).get("alt", "")
        explorer = "In the notebook it moves: drag it there. " if len(output.data) > 2 else ""
        body = f'<p><img src="pictures/{name}" alt="{html.escape(alt)}"></p>'
        above, notes = self.lead()
        self.slides.append(Slide("figure", body, f"{notes}<p>{explorer}{html.escape(alt)}</p>", above))

    def lead(self):
        """A heading with hardly a sentence is no slide: what it leads to gets it, and its notes."""
        before = self.slides[-1]
        if before.kind == "words" and not before.above and len(before.body.split()) < LEAD:
            self.slides.pop()
            return self.above, before.notes
        return "", ""

    def table(self, found, plain):
        table = re.search(r"<table.*</table>", found, re.S)[0].replace(' border="1"', "")
        if not 1 < table.partition("<tbody>")[2].count("<tr") <= TABLE_ROWS:
            self.note(f"The notebook shows:\n\n```\n{plain}\n```")
            return
        self.slides.append(
            Slide("table", table, said("Read one row aloud before you ask what the table says."), self.above)
        )


def vote(claim):
    """The question, before anybody knows."""
    options = "\n".join(f"1. {text}" for text in VOTES)
    notes = (
        f"**{claim.name}**, taught in: {claim.taught_in}.\n\nMeasured: {claim.measured}\n\n"
        "Half a minute in silence, then hands, all at once; write the counts down. Let one person of each camp say why."
    )
    return Slide("vote", shown(f"## {claim.wording}\n\n{options}"), said(notes), "Predict, then vote")


def outcome(claim):
    """What the ledger says, in its plain sentence."""
    found = claims.result(claim.name)
    parts = "\n".join(f"- {label}: {effect}" for label, effect in claims.effects(found)[:10])
    notes = f"**{claim.name}**\n\n{parts}\n\nWhat would change our mind: {claims.would_change(claim, found)}"
    body = shown(f"## {claim.wording}") + f'<p class="said">{html.escape(answer(claim))}</p>'
    return Slide("answer", body, said(notes), "What came out")


def write(slides, title, path):
    """A deck as one page; reveal.js, the style and the pictures lie beside it."""
    template = jinja2.Template((ROOT / "tools" / "slides.html.jinja").read_text(encoding="utf-8"))
    path.write_text(template.render(slides=slides, title=title), encoding="utf-8")


def lay_out(out):
    """The folder for the decks, with what they share."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    found = importlib.util.find_spec("sphinx_revealjs")  # it is not imported: that would take Sphinx along
    if found is None:
        sys.exit("reveal.js is missing: pip install 'kdcourse[slides]', or make slides")
    reveal = Path(found.origin).parent / "_static" / "revealjs"
    shutil.copytree(
        reveal / "dist", out / "reveal" / "dist", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map", "theme")
    )
    shutil.copytree(reveal / "plugin" / "notes", out / "reveal" / "plugin" / "notes", dirs_exist_ok=True)
    shutil.copyfile(ROOT / "tools" / "slides.css", out / "slides.css")


def build(names=(), out=OUT):
    """Write the decks of the lessons whose name starts so, and the votes of all; returns {file: number of slides}."""
    lay_out(out)
    made = {}
    for lesson in kit.lessons():
        if names and not lesson.stem.startswith(tuple(names)):
            continue
        if not (ROOT / "notebooks" / f"{lesson.stem}.ipynb").exists():
            print(f"{lesson.stem} has no notebook yet")
            continue
        slides = deck(lesson, out / "pictures")
        write(slides, lesson.title, out / f"{lesson.stem}.html")
        made[f"{lesson.stem}.html"] = (lesson.title, len(slides))
    slides = [slide for claim in claims.CLAIMS for slide in (vote(claim), outcome(claim))]
    write(slides, "Predict, then vote", out / "votes.html")
    made["votes.html"] = ("Predict, then vote: every claim", len(slides))
    rows = "".join(f'<li><a href="{file}">{html.escape(title)}</a></li>' for file, (title, _) in made.items())
    help = "<p>Space goes on, S opens the speaker's notes, ? shows all keys.</p>"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Slides</title><h1>Slides</h1>'
    page = f"{head}{help}<ul>{rows}</ul>"
    (out / "index.html").write_text(page, encoding="utf-8")
    return {file: count for file, (_, count) in made.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    start = time.perf_counter()
    for file, count in build(arguments.lessons, arguments.out).items():
        print(f"{count:4} slides  {arguments.out / file}")
    print(f"built in {time.perf_counter() - start:.0f} s; open {arguments.out / 'index.html'}, or, so that the notes")
    print(f"have a window of their own: python -m http.server --bind 127.0.0.1 --directory {arguments.out}")


if __name__ == "__main__":
    main()
