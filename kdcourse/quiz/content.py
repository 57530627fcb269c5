"""Read `quizzes/*.json`, strictly: what a front end gets is complete, and plain text.

The questions are in jupyterquiz's schema (multiple_choice, many_choice, numeric), each with an id and a lesson added.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from kdcourse import _course

CARDS, GLOSSARY = "interview", "glossary"  # the two files that are no quizzes
LESSON = re.compile(r"[0-9]{2}(_[a-z0-9]+)+")
ID = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")
NOT_PLAIN = {
    "the HTML tag": re.compile(r"<[A-Za-z/!?][^<>]{0,30}>?"),
    "the HTML entity": re.compile(r"&(#\w+|[A-Za-z]\w*);"),
    "TeX": re.compile(r"\$[^$]*[\\^_{][^$]*\$|\\[(\[]|\\[A-Za-z]+\{"),
}


class QuizError(ValueError):
    """A file in `quizzes/` with a fault. The message names the file, the entry, and what is wrong with it."""


@dataclass(frozen=True)
class Question:
    """One question. `answers` are dicts, as in the file: jupyterquiz's fields.

    type       "multiple_choice", "many_choice" or "numeric"
    precision  significant digits to which a number is rounded before it is compared, or None; as in jupyterquiz
    """

    id: str
    lesson: str
    question: str
    type: str
    answers: tuple
    precision: int | None = None


@dataclass(frozen=True)
class Quiz:
    """The questions of one file. `lesson` is its lesson's stem, or None for a quiz over several."""

    name: str
    title: str
    lesson: str | None
    questions: tuple


def folder():
    """Where the quizzes lie: the course's `quizzes/`."""
    return _course.find("quizzes")


def names():
    """The quizzes there are, in order."""
    stems = (path.stem for path in folder().glob("*.json") if not path.stem.endswith(".schema"))
    return sorted(stem for stem in stems if stem not in (CARDS, GLOSSARY))


def load(name):
    """The quiz of this name. Raises ValueError that lists those there are, or QuizError if the file has a fault."""
    if name not in names():
        there = ", ".join(names()) or f"none in {folder()}: run from a clone of the course, installed with -e"
        raise ValueError(f"no quiz {name!r}; there are {there}")
    return read(folder() / f"{name}.json")


def read(path):
    """The quiz in a file. Raises QuizError if it has a fault."""
    path = Path(path)
    questions = tuple(_question(*entry) for entry in _entries(path, "question", "id"))
    number, _, words = path.stem.partition("_") if LESSON.fullmatch(path.stem) else ("", "", path.stem)
    title = f"{number} {words.replace('_', ' ').capitalize()}".strip()
    return Quiz(path.stem, title, path.stem if number else None, questions)


def cards(path=None):
    """The flashcards: dicts with id, lesson, front, back. Raises QuizError if the file has a fault."""
    fields = {"id": _id, "lesson": _lesson, "front": _text, "back": _text}
    entries = _entries(path or folder() / f"{CARDS}.json", "card", "id")
    return [_check(where, entry, fields) for where, entry in entries]


def glossary(path=None):
    """The glossary: dicts with term, also_known_as, definition, ... Raises QuizError if the file has a fault."""
    texts = ["term", "definition", "explanation", "misconception", "when_to_use", "when_to_avoid"]
    fields = dict.fromkeys(texts, _text) | dict.fromkeys(["also_known_as", "mistakes", "related"], _texts)
    entries = _entries(path or folder() / f"{GLOSSARY}.json", "entry", "term")
    found = [_check(where, entry, fields) for where, entry in entries]
    terms = {entry["term"] for entry in found}
    for where, entry in entries:
        for other in entry["related"]:
            if other not in terms - {entry["term"]}:
                raise QuizError(f"{where}: related must name other entries, got {other!r}")
    return found


# ---- one entry ----


def _question(where, entry):
    fields = {"id": _id, "lesson": _lesson, "question": _text, "type": _type, "answers": _some}
    optional = {"precision": _precision} if isinstance(entry, dict) and entry.get("type") == "numeric" else {}
    _check(where, entry, fields, optional)
    numeric, answers = entry["type"] == "numeric", entry["answers"]
    for number, answer in enumerate(answers, 1):
        _check(f"{where}, answer {number}", answer, _answer_fields(answer) if numeric else OPTION)
    right = sum(answer.get("correct", False) for answer in answers)
    if right == 0:
        raise QuizError(f"{where}: no answer is marked correct")
    if right > 1 and entry["type"] != "many_choice":
        raise QuizError(f"{where}: {right} answers are marked correct; only many_choice may have more than one")
    if numeric and sum(answer["type"] == "default" for answer in answers) != 1:
        raise QuizError(f"{where}: one answer must be of type default, for the numbers that no other answer explains")
    if not numeric and len({answer["answer"] for answer in answers}) < max(2, len(answers)):
        raise QuizError(f"{where}: it must have two options or more, and no two alike")
    return Question(**(entry | {"answers": tuple(answers)}))


def _answer_fields(answer):
    kind = answer.get("type") if isinstance(answer, dict) else None
    of_kind = {
        "value": {"value": _number, "correct": _truth},
        "range": {"range": _range, "correct": _truth},
        "default": {},
    }
    if not isinstance(kind, str) or kind not in of_kind:
        return {"type": lambda value: f"must be value, range or default, got {value!r}"}
    return {"type": _text, "feedback": _text} | of_kind[kind]


# ---- one file ----


def _entries(path, kind, key):
    """[(where, entry)] of a file that holds a list; `where` names file and entry. Their ids must differ."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text, object_pairs_hook=_no_field_twice, parse_constant=_no_constant)
    except FileNotFoundError as error:
        raise QuizError(f"{path} does not exist: run from a clone of the course, installed with -e") from error
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        raise QuizError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise QuizError(f"{path.name}: must be a list of {kind}s that is not empty")
    found, seen = [], set()
    for number, entry in enumerate(entries, 1):
        name = entry.get(key) if isinstance(entry, dict) else None
        where = f"{path.name}, {kind} {name!r}" if isinstance(name, str) else f"{path.name}, {kind} {number}"
        if isinstance(name, str) and name.casefold() in seen:
            raise QuizError(f"{where}: an earlier {kind} has the same {key}")
        seen.add(name.casefold() if isinstance(name, str) else None)
        found.append((where, entry))
    return found


def _no_field_twice(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for name in fields if sum(name == other for other, _ in pairs) > 1)
        about = fields.get("id") or fields.get("answer") or fields.get("question")
        raise ValueError(f"the field {twice!r} stands twice in one entry" + (f" ({about!r})" if about else ""))
    return fields


def _no_constant(name):
    raise ValueError(f"{name} is not a number that JSON has")


# ---- one field: each function returns what is wrong, or an empty string ----


def _check(where, entry, fields, optional=None):
    """`entry`, if it has all `fields`, no others but the `optional`, and each is all right. Else raises QuizError."""
    if not isinstance(entry, dict):
        raise QuizError(f"{where}: must be an object with {', '.join(fields)}, got {entry!r}")
    allowed = fields | (optional or {})
    for name, fault in allowed.items():
        if name not in entry and name in fields:
            raise QuizError(f"{where}: {name} is missing")
        if name in entry and fault(entry[name]):
            raise QuizError(f"{where}: {name} {fault(entry[name])}")
    for name in entry:
        if name not in allowed:
            raise QuizError(f"{where}: there is no field {name!r}; there are {', '.join(allowed)}")
    return entry


def _text(value):
    if not isinstance(value, str) or not value.strip():
        return f"must be a text that is not empty, got {value!r}"
    for what, pattern in NOT_PLAIN.items():
        if found := pattern.search(value):
            return f"must be plain text, but holds {what} {found.group()!r}"
    if bad := [character for character in value if unicodedata.category(character).startswith("C")]:
        return f"must be plain text on one line, but holds {bad[0]!r}"
    return "has a backtick without a partner" if value.count("`") % 2 else ""


def _texts(value):
    if not isinstance(value, list):
        return f"must be a list of texts, got {value!r}"
    return next(filter(None, map(_text, value)), "")


def _id(value):
    good = isinstance(value, str) and ID.fullmatch(value)
    return "" if good else f"must be letters and digits joined by - or _, got {value!r}"


def _lesson(value):
    good = isinstance(value, str) and LESSON.fullmatch(value)
    return "" if good else f"must be a lesson's stem such as 01_soft_labels, got {value!r}"


def _type(value):
    good = value in ("multiple_choice", "many_choice", "numeric")
    return "" if good else f"must be multiple_choice, many_choice or numeric, got {value!r}"


def _truth(value):
    return "" if isinstance(value, bool) else f"must be true or false, got {value!r}"


def _some(value):
    return "" if isinstance(value, list) and value else f"must be a list that is not empty, got {value!r}"


def _number(value):
    good = type(value) in (int, float) and abs(value) < 1e15
    return "" if good else f"must be a number, got {value!r}"


def _range(value):
    good = isinstance(value, list) and len(value) == 2 and not any(map(_number, value)) and value[0] < value[1]
    return "" if good else f"must be two numbers, the smaller one first, got {value!r}"


def _precision(value):
    return "" if type(value) is int and 1 <= value <= 15 else f"must be a whole number from 1 to 15, got {value!r}"


OPTION = {"answer": _text, "correct": _truth, "feedback": _text}
