"""Read `quizzes/*.json`. The schemas beside the files say what may be in them, and the tests hold every file to that.

The questions are in jupyterquiz's schema (multiple_choice, many_choice, numeric), each with an id and a lesson added.
A quiz is found by its file, and its title and lesson are in the file's name.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdcourse import _course, store

CARDS, GLOSSARY = "interview", "glossary"  # the two files that are no quizzes


class QuizError(ValueError):
    """A file in `quizzes/` that cannot be used, or an answer to a question that is not there."""


@dataclass(frozen=True)
class Question:
    """One question of a quiz, as it is in the file.

    Parameters
    ----------
    id : str
        Unique over all files.
    lesson : str
        Stem of the lesson to read, such as "01_soft_labels".
    question : str
        Plain text; what stands between backticks is code.
    type : str
        "multiple_choice", "many_choice" or "numeric".
    answers : list of dict
        jupyterquiz's fields.
    precision : int, optional
        Significant digits to which a number is rounded before it is compared; None compares it as it is.
    """

    id: str
    lesson: str
    question: str
    type: str
    answers: list[dict[str, Any]]
    precision: int | None = None


@dataclass(frozen=True)
class Quiz:
    """The questions of one file.

    Parameters
    ----------
    name : str
        The file's stem.
    title : str
        The name in words.
    lesson : str or None
        Stem of the lesson that the quiz belongs to; None for a quiz over several.
    questions : tuple of Question
    """

    name: str
    title: str
    lesson: str | None
    questions: tuple[Question, ...]


def folder() -> Path:
    """Return the folder that holds the quizzes: the course's `quizzes/`."""
    return _course.find("quizzes")


def names() -> list[str]:
    """Return the names of the quizzes there are, in order.

    Examples
    --------
    >>> "vocabulary" in names()
    True
    """
    stems = (path.stem for path in folder().glob("*.json") if not path.stem.endswith(".schema"))
    return sorted(stem for stem in stems if stem not in (CARDS, GLOSSARY))


def load(name: str) -> Quiz:
    """Return the quiz of this name.

    Parameters
    ----------
    name : str
        One of `names()`.

    Raises
    ------
    ValueError
        If there is no such quiz; the message lists those there are.
    QuizError
        If its file cannot be read as a quiz.

    Examples
    --------
    >>> load("01_soft_labels").title
    '01 Soft labels'
    """
    if name not in names():
        raise ValueError(f"no quiz {name!r}; there are {', '.join(names()) or f'none in {folder()}: {_course.CLONE}'}")
    path = folder() / f"{name}.json"
    try:
        questions = tuple(Question(**entry) for entry in _entries(path))
    except TypeError as error:
        raise QuizError(f"{path} does not fit quiz.schema.json: {error}") from error
    return Quiz(name, title_of(name), name if _of_lesson(name) else None, questions)


def title_of(name: str) -> str:
    """Return the name of a quiz or a lesson in words.

    Examples
    --------
    >>> title_of("02_temperature"), title_of("final")
    ('02 Temperature', 'Final')
    """
    number = name[:3] if _of_lesson(name) else ""
    return f"{number}{name.removeprefix(number).capitalize()}".replace("_", " ")


def _of_lesson(name):
    return re.match(r"\d\d_", name) is not None


def cards(lesson: str | None = None) -> list[dict[str, str]]:
    """Return the flashcards, lesson by lesson: dicts with id, lesson, front, back, follow_up and follow_up_back.

    Parameters
    ----------
    lesson : str, optional
        Only the cards of this lesson: its stem, such as "01_soft_labels", or its number alone, such as "01".

    Raises
    ------
    ValueError
        If there is no card of that lesson; the message lists the lessons that have some.
    QuizError
        If the file is missing or not JSON.

    Examples
    --------
    >>> sorted(cards("01")[0])
    ['back', 'follow_up', 'follow_up_back', 'front', 'id', 'lesson']
    """
    ordered = sorted(_entries(folder() / f"{CARDS}.json"), key=lambda card: card["lesson"])
    chosen = [card for card in ordered if lesson in (None, card["lesson"], card["lesson"].partition("_")[0])]
    if lesson is not None and not chosen:
        there = ", ".join(dict.fromkeys(card["lesson"] for card in ordered))
        raise ValueError(f"no flashcards of a lesson {lesson!r}; there are of {there or 'none'}")
    return chosen


def glossary() -> list[dict[str, Any]]:
    """Return the glossary: dicts with term, also_known_as, definition, and what else `glossary.schema.json` names.

    Raises
    ------
    QuizError
        If the file is missing or not JSON.

    Examples
    --------
    >>> any(entry["term"] == "temperature" for entry in glossary())
    True
    """
    return _entries(folder() / f"{GLOSSARY}.json")


def _entries(path: Path) -> list[Any]:
    try:
        return store.load_json(path)
    except FileNotFoundError:
        raise QuizError(f"{path} does not exist: {_course.CLONE}") from None
    except store.DamagedFile as error:
        raise QuizError(str(error)) from error
