"""What the hand-written pages of the site ask for with <!-- put: ... -->: times, lessons, claims, explorers."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import build_readme
import claims_forest
from site_claims import summary, what_days_tell, what_wrong_labels_do, where_soft_labels_help

from kdcourse import quiz
from kdcourse.widgets._explorer import explorers as known_explorers

ROOT = Path(__file__).resolve().parent.parent
TIMINGS = ROOT / "benchmarks" / "results" / "lessons.json"


def values(lessons, explorers, known):
    """{what a page can ask for: the text that it gets}.

    lessons    [(stem, title, minutes, what one is able to do afterwards)]
    explorers  {name: Explorer}
    known      what `site_links.pages` gives
    """
    measured = json.loads(TIMINGS.read_text(encoding="utf-8"))["lessons"]
    computes = [measured[stem]["full"] for stem, *_ in lessons if stem in measured]
    given = {
        "lessons": lesson_list(lessons, measured),
        "number of lessons": str(len(lessons)),
        "reading time": duration(sum(minutes for _, _, minutes, _ in lessons)),
        "computing time": f"{round(sum(one['seconds'] for one in computes) / 60)} minutes",
        "memory": f"{max(one['peak_megabytes'] for one in computes) / 1000:.1f} GB",
        "claims": summary(),
        "quizzes": f"{len(quiz.names())} quizzes, {len(quiz.cards())} flashcards and {len(quiz.glossary())} terms",
        "findings": (ROOT / "tools" / "findings.md").read_text(encoding="utf-8"),
        "sneakers": build_readme.picture("sneakers").replace("site/pictures/", "_static/pictures/"),
        "claims picture": claims_forest.inline(claims_forest.ledger("claims/{}.html"), claims_forest.finding()),
        "licence": (ROOT / "LICENSE").read_text(encoding="utf-8").strip(),
        "citation": (ROOT / "CITATION.cff").read_text(encoding="utf-8").strip(),
        "where soft labels help": where_soft_labels_help(),
        "what wrong labels do": what_wrong_labels_do(),
        "what days tell": what_days_tell(),
        "lesson pages": "\n".join(f"{title} <lessons/{stem}>" for stem, title, *_ in lessons),
    }
    opened = {
        name: replace(explorers[name], state={**explorers[name].state, **kind.opening}).html("")
        for name, kind in known_explorers().items()
        if name in explorers
    }
    given |= {f"explorer {name}": html for name, html in opened.items()}
    given["explorers"] = "\n\n".join(_explorer_section(known_explorers()[name], html) for name, html in opened.items())
    return given


def _explorer_section(kind, html):
    """What the page of explorers has of one."""
    lesson = f"From [lesson {kind.lesson[:2]}](lessons/{kind.lesson}.ipynb)."
    return f"## {kind.title}\n\n{kind.question} {lesson}\n\n{html}"


def lesson_list(lessons, measured):
    """The lessons as a list: title, minutes, what one is able to do afterwards."""
    items = []
    for stem, title, minutes, able in lessons:
        computes = f" · computes {measured[stem]['full']['seconds']:.0f} s" if stem in measured else ""
        items.append(
            f'<li><a href="lessons/{stem}.html">{html.escape(title)}</a>'
            f'<span class="kd-note">{minutes} minutes{computes}</span><span>{html.escape(able)}</span></li>'
        )
    return '<ol class="kd-lessons">\n' + "\n".join(items) + "\n</ol>"


def duration(minutes):
    """250 as "4 hours 10 minutes"."""
    hours, rest = divmod(minutes, 60)
    parts = [(hours, "hour"), (rest, "minute")]
    return " ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count)


def data_index(known):
    """{page: Markdown} of the list of data sheets and teachers' cards."""
    listed = [page for page in known.values() if page.startswith("data/")]
    items, toctree = [], []
    for page in listed:
        name = Path(page).stem
        source = next(file for file, other in known.items() if other == page)
        title = re.match(r"# (.+)", (ROOT / source).read_text(encoding="utf-8"))[1]
        items.append(f"- [{title}]({name}.md)")
        toctree.append(name)
    body, below = "\n".join(items), "\n".join(toctree)
    text = f"""# Data

The data sets and the teachers come with the course; nothing is downloaded while you learn. Each has a sheet that says
where it is from, under which licence, how it was split, and what it is not good for.

{body}

```{{toctree}}
:hidden:

{below}
```
"""
    return {"data/index.md": text}
