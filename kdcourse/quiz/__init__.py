"""Quizzes, flashcards and the glossary, from the files in `quizzes/`.

`quiz.show("vocabulary")` in a notebook, `kdcourse quiz vocabulary` in a terminal, `to_html` for a page of its own.
`grade` is what makes an answer right; the browser has the same rule in JavaScript.
"""

from kdcourse.quiz.content import CARDS, Question, Quiz, QuizError, cards, folder, glossary, load, names
from kdcourse.quiz.grading import Grade, NotAnAnswer, grade
from kdcourse.quiz.page import to_html

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


def show(name):
    """The quiz as a widget. Its `answers`, `score` and `completed` can be read, and `answers` also set, from Python.

    name  as in `names()`

    Raises ValueError that lists the quizzes there are, or QuizError if the file has a fault.
    """
    from kdcourse.quiz.widget import QuizWidget

    return QuizWidget(load(name))
