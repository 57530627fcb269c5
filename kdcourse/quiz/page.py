"""A quiz as HTML that needs no kernel and asks nothing of the network: style, content and script are in it."""

import html
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from kdcourse._javascript import STATIC, bundle
from kdcourse.quiz.content import Quiz, load

Link = Callable[[str], str | None]  # from the stem of a lesson to its address, or to None

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Quiz: {title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ background: Canvas; color: CanvasText; font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 46rem;
padding: 0 1rem 2rem; }}
h1 {{ font-size: 1.6rem; }}
</style>
</head>
<body>
<main>
<h1>Quiz: {title}</h1>
{quiz}
</main>
</body>
</html>
"""


def to_html(name: str, link: Link | None = None) -> str:
    """Return a page with a quiz, complete in one file.

    Parameters
    ----------
    name : str
        One of `names()`.
    link : function, optional
        The address of a lesson, from its stem, or None. Without it, lessons are only named.

    Raises
    ------
    ValueError
        If there is no such quiz; the message lists those there are.

    Examples
    --------
    >>> to_html("vocabulary", "https://example.org/{}.html".format).splitlines()[0]
    '<!doctype html>'
    """
    return page(content(load(name), link))


def page(shown: dict[str, Any]) -> str:
    """Return the page for what `content` gives."""
    return PAGE.format(title=html.escape(shown["title"]), quiz=fragment(shown))


def content(quiz: Quiz, link: Link | None = None) -> dict[str, Any]:
    """Return what the browser gets of a quiz: its fields, and an `href` for each question whose lesson has an address.

    Parameters
    ----------
    quiz : Quiz
    link : function, optional
        As in `to_html`.
    """
    shown = asdict(quiz)
    for question in shown["questions"]:
        if link and (href := link(question["lesson"])):
            question["href"] = href
    return shown


def fragment(shown: dict[str, Any]) -> str:
    """Return what `content` gives as a piece of a page.

    Until the script runs, or where none may, it is a plain list with the answers.
    """
    style = (STATIC / "quiz.css").read_text(encoding="utf-8")
    return (
        f'{container(shown)}\n<style>\n{style}</style>\n<script type="module">\n{bundle("quiz")}\nstart();\n</script>'
    )


def container(shown: dict[str, Any]) -> str:
    """Return the quiz without style and script, for a page that has these once for all of its quizzes."""
    data = json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")
    return f'<div class="kdcourse-quiz">\n{_plain_list(shown)}\n<script type="application/json">{data}</script>\n</div>'


def _plain_list(shown):
    items = []
    for question in shown["questions"]:
        options = "".join(f"<li>{html.escape(one['answer'])}</li>" for one in question["answers"] if "answer" in one)
        right = [one for one in question["answers"] if one.get("correct")]
        reasons = "".join(f"<p>{html.escape(describe(one))}<br>{html.escape(one['feedback'])}</p>" for one in right)
        folded = f"<details><summary>Answer</summary>{reasons}</details>"
        items.append(f"<li><p>{html.escape(question['question'])}</p>{options and f'<ul>{options}</ul>'}{folded}</li>")
    listed = "\n".join(items)
    return f"<ol>\n{listed}\n</ol>"


def describe(answer: dict[str, Any]) -> str:
    """Return an option, or the number that is meant, in words."""
    if "range" in answer:
        return f"from {answer['range'][0]:g} to {answer['range'][1]:g}"
    return answer["answer"] if "answer" in answer else f"{answer['value']:g}"


def plain_text(shown: dict[str, Any]) -> str:
    """Return the questions and their options, without the answers, for where there is nothing but text."""
    lines = [f"Quiz: {shown['title']}"]
    for number, question in enumerate(shown["questions"], 1):
        lines.append(f"{number}. {question['question']}")
        lines += [f"   - {answer['answer']}" for answer in question["answers"] if "answer" in answer]
    return "\n".join(lines)
