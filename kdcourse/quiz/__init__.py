"""Quizzes, flashcards and the glossary, from the files in `quizzes/`.

`quiz.show("vocabulary")` in a notebook, `kdcourse quiz vocabulary` in a terminal, `to_html` for a page of its own.
`grade` is what makes an answer right; the browser has the same rule in JavaScript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcourse import _course
from kdcourse.quiz.content import CARDS, Question, Quiz, QuizError, cards, folder, glossary, load, names
from kdcourse.quiz.grading import Grade, NotAnAnswer, grade
from kdcourse.quiz.page import to_html

if TYPE_CHECKING:
    _course.require_lab()
    from kdcourse.quiz.widget import QuizWidget

__all__ = [
    "CARDS",
    "Grade",
    "NotAnAnswer",
    "Question",
    "Quiz",
    "QuizError",
    "cards",
    "folder",
    "glossary",
    "grade",
    "load",
    "names",
    "show",
    "to_html",
]


def show(name: str) -> QuizWidget:
    """Return the quiz as a widget.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    QuizWidget
        Its `answers`, `score` and `completed` can be read, and `answers` also set, from Python.

    Raises
    ------
    ValueError
        If there is no such quiz; the message lists those there are.

    Examples
    --------
    >>> widget = show("vocabulary")
    >>> widget.answers = {"vocabulary-name": 2}
    >>> widget.score, widget.completed
    (1, False)
    """
    _course.require_lab()
    from kdcourse.quiz.widget import QuizWidget

    return QuizWidget(load(name))
