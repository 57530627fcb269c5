"""The pages about quizzes: their list, one page each, the flashcards and the glossary.

All of them can be read without a script. Scripts in `site/_static/` make them interactive.
"""

import html
import re
from itertools import groupby
from pathlib import Path

from site_notebooks import json_in_html, quiz_html

from kdcourse import quiz
from kdcourse.quiz.content import title_of as lesson_title


def quiz_pages(known):
    """{page: Markdown} of the list of quizzes and of every quiz."""
    quizzes = [quiz.load(name) for name in quiz.names()]
    made = {"quizzes/index.md": _quiz_list(quizzes)}
    for one in quizzes:
        count = f"{len(one.questions)} questions. Your answers stay in this browser."
        made[f"quizzes/{one.name}.md"] = f"# Quiz: {one.title}\n\n{count}\n\n{quiz_html(one.name, known, '../')}\n"
    return made


def _quiz_list(quizzes):
    total = sum(len(one.questions) for one in quizzes)
    items = "\n".join(
        f'<li><a href="{one.name}.html">{html.escape(one.title)}</a> '
        f'<span data-quiz="{html.escape(one.name)}">{len(one.questions)} questions</span></li>'
        for one in quizzes
    )
    ids = {one.name: [question.id for question in one.questions] for one in quizzes}
    toctree = "\n".join(one.name for one in quizzes)
    return f"""# Quizzes

{len(quizzes)} quizzes with {total} questions. Every option is explained, right or wrong, and what you miss comes again
at the end. They work with the keyboard alone. What you answer stays in this browser: nobody else sees it.

<div data-course="quizzes">
<ul class="kd-list">
{items}
</ul>
<script type="application/json">{json_in_html(ids)}</script>
</div>

In a terminal, `kdcourse quiz` has the same questions.

```{{toctree}}
:hidden:

{toctree}
```
"""


def cards_page(known):
    """The flashcards as Markdown."""
    cards, lessons = quiz.cards(), lesson_pages(known)
    sections = "\n".join(
        f'<section data-lesson="{stem}" aria-labelledby="of-{stem}">\n'
        f'<h2 id="of-{stem}">{lesson_link(stem, lessons)}</h2>\n{"".join(map(_card, some))}</section>'
        for stem, some in groupby(cards, key=lambda card: card["lesson"])
    )
    return f"""# Flashcards

{len(cards)} questions as they are asked in interviews, lesson by lesson, each with the one that is asked next. Answer
aloud, then turn the card. What you know stays away, what you do not know comes again.

<div data-course="cards">
{sections}
</div>
"""


def _card(card):
    front, back, follow_up, follow_up_back = (rich(card[k]) for k in ("front", "back", "follow_up", "follow_up_back"))
    return (
        f'<details class="kd-card" id="{card["id"]}">\n<summary>{front}</summary>\n<p>{back}</p>\n'
        f"<details><summary>Asked next: {follow_up}</summary>\n<p>{follow_up_back}</p>\n</details>\n</details>\n"
    )


def glossary_page():
    """The glossary as Markdown: every term with all that the file says about it."""
    entries = sorted(quiz.glossary(), key=lambda entry: entry["term"].casefold())
    terms = "\n".join(_term(entry) for entry in entries)
    return f"""# Glossary

{len(entries)} terms, each with what people get wrong about it and when to use it.

<div data-course="glossary">
{terms}
</div>
"""


def _term(entry):
    also = f'<p class="kd-also">Also: {html.escape(", ".join(entry["also_known_as"]))}</p>\n'
    mistakes = "".join(f"<li>{rich(mistake)}</li>" for mistake in entry["mistakes"])
    rows = [
        ("What people get wrong", rich(entry["misconception"])),
        ("Use it", rich(entry["when_to_use"])),
        ("Avoid it", rich(entry["when_to_avoid"])),
        ("Mistakes", mistakes and f"<ul>{mistakes}</ul>"),
        ("Related", ", ".join(f'<a href="#{term_id(one)}">{html.escape(one)}</a>' for one in entry["related"])),
    ]
    listed = "\n".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value)
    slug = term_id(entry["term"])
    return (
        f'<section class="kd-term" id="{slug}" aria-labelledby="{slug}-term">\n'
        f'<h2 id="{slug}-term"><a href="#{slug}">{html.escape(entry["term"])}</a></h2>\n'
        f"{also if entry['also_known_as'] else ''}"
        f'<p class="kd-definition">{rich(entry["definition"])}</p>\n'
        f"<details><summary>More about {html.escape(entry['term'])}</summary>\n<p>{rich(entry['explanation'])}</p>\n"
        f"<dl>\n{listed}\n</dl>\n</details>\n</section>"
    )


def term_id(term):
    """The anchor of a term on the glossary's page."""
    return re.sub(r"[^a-z0-9]+", "-", term.casefold().replace("'", "").replace("’", "")).strip("-")


def lesson_pages(known):
    """{stem of a lesson: its page}, of the lessons that the site has."""
    return {Path(page).stem: page for page in known.values() if page.startswith("lessons/")}


def lesson_link(stem, lessons):
    """A link to a lesson, or only its name where the site does not have it."""
    words = html.escape(lesson_title(stem))
    return f'<a href="lessons/{stem}.html">{words}</a>' if stem in lessons else words


def rich(text):
    """A text of a quiz file as HTML; what stands between backticks is code."""
    parts = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
