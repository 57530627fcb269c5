"""A quiz as HTML that needs no kernel and asks nothing of the network: style, content and script are in it."""

import html
import json
from dataclasses import asdict

from kdcourse._javascript import STATIC, bundle
from kdcourse.quiz.content import load

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


def to_html(name, link=None):
    """A page with the quiz of this name, complete in one file.

    link  address of a lesson, with its stem left open, such as "../lessons/{lesson}.html"; None names lessons only
    """
    return page(content(load(name), link))


def page(shown):
    """The page for what `content` gives."""
    return PAGE.format(title=html.escape(shown["title"]), quiz=fragment(shown))


def content(quiz, link=None):
    """What the browser gets of a Quiz: its fields, and `href` of each question's lesson if there is a `link`.

    link  as in `to_html`, or a function from a lesson's stem to its address, or to None
    """
    shown = asdict(quiz)
    for question in shown["questions"]:
        lesson = question["lesson"]
        href = link(lesson) if callable(link) else link and link.format(lesson=lesson)
        if href:
            question["href"] = href
        if question["precision"] is None:
            del question["precision"]
    return shown


def fragment(shown):
    """The quiz as a piece of a page. Until the script runs, or where none may, it is a plain list with the answers.

    shown  as `content` gives it
    """
    style = (STATIC / "quiz.css").read_text(encoding="utf-8")
    return (
        f'{container(shown)}\n<style>\n{style}</style>\n<script type="module">\n{bundle("quiz")}\nstart();\n</script>'
    )


def container(shown):
    """The quiz without style and script, for a page that has these once for all of its quizzes."""
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


def describe(answer):
    """An option, or the number that is meant, in words."""
    if "range" in answer:
        return f"from {answer['range'][0]:g} to {answer['range'][1]:g}"
    return answer["answer"] if "answer" in answer else f"{answer['value']:g}"


def plain_text(shown):
    """The questions and their options, without the answers, for where there is nothing but text."""
    lines = [f"Quiz: {shown['title']}"]
    for number, question in enumerate(shown["questions"], 1):
        lines.append(f"{number}. {question['question']}")
        lines += [f"   - {answer['answer']}" for answer in question["answers"] if "answer" in answer]
    return "\n".join(lines)
