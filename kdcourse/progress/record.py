"""The file in which a learner's progress lies, and how it is read and written.

    {"version": 1,
     "exercises": {name: {"lesson", "first", "last", "times"}},
     "quizzes": {name: {"lesson", "best", "best_total", "best_when", "last", "last_total", "last_when", "attempts"}}}

Scores are shares in [0, 1], totals count questions, times are ISO 8601 in UTC. Keeping a record must never stop a
lesson: where it cannot be kept, one line on stderr says so, and the learner goes on.
"""

import datetime
import itertools
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock

from kdcourse import store
from kdcourse._arguments import integer

VERSION = 1
LOCK_SECONDS = 3  # how long a lesson may wait for another kernel to finish writing
CANNOT = (OSError, NotImplementedError)  # the second is filelock's, where the system has no locks

_said: set[str] = set()


def path() -> Path:
    """Return where the record lies: in the folder KDCOURSE_HOME if that is set, else in the user's data folder.

    Examples
    --------
    >>> path().name
    'progress.json'
    """
    return store.user_folder("data") / "progress.json"


def passed_exercise(name: str, lesson: str) -> bool:
    """Remember that an exercise was passed: when first, when last, how often.

    Parameters
    ----------
    name : str
        Of the exercise.
    lesson : str
        Stem of its lesson, such as "01_soft_labels".

    Returns
    -------
    bool
        Whether it could be kept.

    Raises
    ------
    ValueError
        For a name or lesson that is no text to print, or empty.

    Examples
    --------
    >>> passed_exercise("", "01_soft_labels")
    Traceback (most recent call last):
    ValueError: name must be a non-empty string of printable characters, got ''
    """
    _check_name("name", name)
    _check_name("lesson", lesson)

    def change(record):
        when = now()
        entry = record["exercises"].setdefault(name, {"lesson": lesson, "first": when, "times": 0})
        entry |= {"lesson": lesson, "last": when, "times": entry["times"] + 1}

    return _update(change)


def answered_quiz(name: str, correct: int, total: int, lesson: str | None = None) -> bool:
    """Remember that a quiz was answered: the best score and when it was first reached, the last score, how often.

    Parameters
    ----------
    name : str
        Of the quiz.
    correct, total : int
        0 <= correct <= total questions, total >= 1.
    lesson : str, optional
        Stem of its lesson; None for a quiz of no lesson, or where it is known already.

    Returns
    -------
    bool
        Whether it could be kept.

    Raises
    ------
    ValueError
        The message names the argument and its value.

    Examples
    --------
    >>> answered_quiz("vocabulary", 6, 5)
    Traceback (most recent call last):
    ValueError: correct must be <= total, got 6 of 5
    """
    _check_name("name", name)
    total = integer("total", total, at_least=1)
    correct = integer("correct", correct, at_least=0)
    if correct > total:
        raise ValueError(f"correct must be <= total, got {correct} of {total}")
    if lesson is not None:
        _check_name("lesson", lesson)

    def change(record):
        share, when = correct / total, now()
        entry = record["quizzes"].setdefault(name, {"lesson": None, "best": -1, "attempts": 0})
        entry |= {"lesson": lesson or entry["lesson"], "attempts": entry["attempts"] + 1}
        entry |= {"last": share, "last_total": total, "last_when": when}
        if share > entry["best"]:
            entry |= {"best": share, "best_total": total, "best_when": when}

    return _update(change)


def load() -> dict[str, Any]:
    """Return the record, as the head of this module shows it. Nothing is written, and nothing raised.

    It is empty if there is none yet, or only a damaged one, or one of a newer version; a line on stderr then says so.

    Examples
    --------
    >>> sorted(load())
    ['exercises', 'quizzes', 'version']
    """
    try:
        return _read(path()) or _empty()
    except (OSError, store.DamagedFile) as error:
        _say_once(f"your progress cannot be read: {error}")
        return _empty()


def now() -> str:
    """Return the time, as the record writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


# ---- the file ----


def _update(change: Callable[[dict[str, Any]], None]) -> bool:
    """Read, `change(record)`, write, while no other process does. Returns whether it could be done."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(file.with_suffix(".lock"), timeout=LOCK_SECONDS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a file system has no locks, filelock says so and makes do
            held = lock.acquire()
        with held:
            try:
                record = _read(file)
            except store.DamagedFile as error:
                record = _empty()
                numbers = (file.with_name(f"progress.damaged-{n}.json") for n in itertools.count(1))
                aside = next(one for one in numbers if not os.path.lexists(one))
                file.rename(aside)
                _say_once(f"{error}; it is now {aside}, and a new record is begun")
            if record is None:
                return False
            change(record)
            store.save_json(file, record)
    except CANNOT as error:
        busy = "another program has been writing there for too long"
        reason = busy if isinstance(error, filelock.Timeout) else getattr(error, "strerror", None) or repr(error)
        _say_once(f"your progress cannot be kept in {file.parent} ({reason}); all else works")
        return False
    return True


def _read(file: Path) -> dict[str, Any] | None:
    """The record in the file; an empty one if there is no file, None if it is a newer version's.

    Raises OSError, or DamagedFile for what is no record.
    """
    if not os.path.lexists(file):
        return _empty()
    if not file.is_file():
        raise store.DamagedFile(f"{file} is no file")
    record = store.load_json(file)
    version = record.get("version") if isinstance(record, dict) else None
    if isinstance(version, (int, float)) and version > VERSION:
        _say_once(f"{file} is of a newer version of the course; it is left as it is, and nothing is added")
        return None
    if version != VERSION or not _is_whole(record):
        raise store.DamagedFile(f"{file} is damaged")
    return record


def _empty():
    return {"version": VERSION, "exercises": {}, "quizzes": {}}


def _is_whole(record):
    """Whether every entry has its fields, and each is all right."""
    try:
        return all(
            _is_name(name) and all(fits(entry[field]) for field, fits in fields.items())
            for kind, fields in FIELDS.items()
            for name, entry in record[kind].items()
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _is_name(value):
    """Printable: no line break, no escape code, and no half of a pair that UTF-8 cannot hold."""
    return isinstance(value, str) and value.isprintable() and value.strip() != ""


def _is_count(value):
    return type(value) is int and value >= 1


def _is_share(value):
    return type(value) in (int, float) and 0 <= value <= 1


def _is_time(value):
    return datetime.datetime.fromisoformat(value).utcoffset() == datetime.timedelta(0)


def _is_lesson(value):
    return value is None or _is_name(value)


FIELDS = {
    "exercises": {"lesson": _is_name, "first": _is_time, "last": _is_time, "times": _is_count},
    "quizzes": {"lesson": _is_lesson, "attempts": _is_count}
    | {"best": _is_share, "best_total": _is_count, "best_when": _is_time}
    | {"last": _is_share, "last_total": _is_count, "last_when": _is_time},
}


def _check_name(argument, value):
    if not _is_name(value):
        raise ValueError(f"{argument} must be a non-empty string of printable characters, got {value!r}")


def _say_once(text):
    """One line on stderr, once in a process: not a warning, which a lesson may have turned into an error."""
    if text not in _said:
        _said.add(text)
        print(f"kdcourse: {text}.", file=sys.stderr)
