"""The file in which a learner's progress lies, and how it is read, written and repaired.

    {"version": 1,
     "exercises": {name: {"lesson", "first", "last", "times"}},
     "quizzes": {name: {"lesson", "best", "best_total", "best_when", "last", "last_total", "last_when", "attempts"}}}

Scores are shares in [0, 1], totals count questions, times are ISO 8601 in UTC. Keeping a record must never stop a
lesson: where it cannot be kept, one line on stderr says so, and the learner goes on.
"""

import datetime
import itertools
import os
import shutil
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import filelock

from kdcourse import store
from kdcourse._arguments import integer

VERSION = 1
LOCK_SECONDS = 3  # how long a lesson may wait for another kernel to finish writing
CANNOT = (OSError, NotImplementedError)  # the second is filelock's, where the system has no locks

_said = set()


def path():
    """Where the record lies: in the folder KDCOURSE_HOME if that is set, else in the user's data folder."""
    import platformdirs

    home = os.environ.get("KDCOURSE_HOME")
    return (Path(home) if home else platformdirs.user_data_path("kdcourse")) / "progress.json"


def passed_exercise(name, lesson):
    """Remember that an exercise was passed: when first, when last, how often. Returns whether it could be kept.

    name, lesson  of the exercise, and the stem of its lesson, such as "01_soft_labels"

    Raises ValueError for a name or lesson that is no text to print, or empty.
    """
    check_name("name", name)
    check_name("lesson", lesson)

    def change(record):
        when = now()
        entry = record["exercises"].setdefault(name, {"lesson": lesson, "first": when, "times": 0})
        entry |= {"lesson": lesson, "last": when, "times": entry["times"] + 1}

    return _update(change)


def answered_quiz(name, correct, total, lesson=None):
    """Remember that a quiz was answered: the best score and when it was first reached, the last score, how often.

    correct, total  0 <= correct <= total questions, total >= 1
    lesson          stem of its lesson; None for a quiz of no lesson, or where it is known already
    returns         whether it could be kept

    Raises ValueError that names the argument and its value.
    """
    check_name("name", name)
    total = integer("total", total, at_least=1)
    correct = integer("correct", correct, at_least=0)
    if correct > total:
        raise ValueError(f"correct must be <= total, got {correct} of {total}")
    if lesson is not None:
        check_name("lesson", lesson)

    def change(record):
        share, when = correct / total, now()
        entry = record["quizzes"].setdefault(name, {"lesson": None, "best": -1, "attempts": 0})
        entry |= {"lesson": lesson or entry["lesson"], "attempts": entry["attempts"] + 1}
        entry |= {"last": share, "last_total": total, "last_when": when}
        if share > entry["best"]:
            entry |= {"best": share, "best_total": total, "best_when": when}

    return _update(change)


def load():
    """The record, as the head of this module shows it; an empty one if there is none, or only a newer version of it.

    A damaged file is moved aside, as on writing; if that cannot be, what is sound in it is returned. Never raises.
    """
    file = path()
    if not os.path.lexists(file):
        return _empty()
    try:
        with _locked(file):
            return _open(file) or _empty()
    except CANNOT:
        pass  # what cannot be written, or is being written for long, can still be read
    try:
        record, fault = _read(file)
    except OSError as error:
        _say_once("unread", f"your progress in {file} cannot be read ({_reason(error)})")
        return _empty()
    if fault == "damaged":
        _say_once("unmended", f"{file} is damaged and cannot be moved aside; what can be read of it is shown")
    return record


# ---- the file ----


def _update(change):
    """Read, `change(record)`, write, while no other process does. Returns whether it could be done."""
    file = path()
    try:
        with _locked(file):
            record = _open(file)
            if record is None:
                return False
            change(record)
            store.save_json(file, record)
    except CANNOT as error:
        _say_once("unkept", f"your progress cannot be kept in {file.parent} ({_reason(error)}); all else works")
        return False
    return True


@contextmanager
def _locked(file):
    """The block runs while no other process is in one. Raises one of `CANNOT` if that cannot be had in time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(file.with_suffix(".lock"), timeout=LOCK_SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where a file system has no locks, filelock says so and makes do
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open(file):
    """The record, for one who holds the lock: a damaged file is moved aside. None if the file is a newer version's."""
    record, fault = _read(file)
    if fault == "newer":
        return None
    if fault == "damaged":
        numbers = itertools.count(1)
        aside = next(one for n in numbers if not os.path.lexists(one := file.with_name(f"progress.damaged-{n}.json")))
        if file.is_file():  # copied, and then replaced: on a full disk, or if killed here, it stays where it is
            with store.replacing(aside) as temporary:
                shutil.copyfile(file, temporary)
        else:
            file.rename(aside)
        store.save_json(file, record)
        kept = len(record["exercises"]) + len(record["quizzes"])
        _say_once(str(aside), f"your progress file was damaged; a copy is {aside}; entries that could be kept: {kept}")
    return record


def _read(file):
    """(record, fault): what is sound in the file, and "" or "damaged" or "newer". Raises OSError."""
    if not os.path.lexists(file):
        return _empty(), ""
    if not file.is_file():
        return _empty(), "damaged"
    try:
        value = store.load_json(file)
    except store.DamagedFile:
        return _empty(), "damaged"
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, (int, float)) and version > VERSION:
        _say_once("newer", f"{file} is of a newer version of the course; it is left as it is, and nothing is added")
        return _empty(), "newer"
    record = _sound(value)
    return record, "" if record == value else "damaged"


def _empty():
    return {"version": VERSION, "exercises": {}, "quizzes": {}}


def _sound(value):
    """A record of the entries of `value` whose fields are all there and all right."""
    record = _empty()
    for kind, fields in FIELDS.items():
        entries = value.get(kind) if isinstance(value, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if _is_name(name) and isinstance(entry, dict) and all(ok(entry.get(field)) for field, ok in fields.items()):
                record[kind][name] = {field: entry.get(field) for field in fields}
    return record


def _is_name(value):
    """Printable: no line break, no escape code, and no half of a pair that UTF-8 cannot hold."""
    return isinstance(value, str) and value.isprintable() and value.strip() != ""


def _is_count(value):
    return type(value) is int and value >= 1


def _is_share(value):
    return type(value) in (int, float) and 0 <= value <= 1


def _is_time(value):
    try:
        return datetime.datetime.fromisoformat(value).utcoffset() == datetime.timedelta(0)
    except (TypeError, ValueError):
        return False


FIELDS = {
    "exercises": {"lesson": _is_name, "first": _is_time, "last": _is_time, "times": _is_count},
    "quizzes": {
        "lesson": lambda value: value is None or _is_name(value),
        "best": _is_share,
        "best_total": _is_count,
        "best_when": _is_time,
        "last": _is_share,
        "last_total": _is_count,
        "last_when": _is_time,
        "attempts": _is_count,
    },
}


# ---- small things ----


def check_name(argument, value):
    """Raises ValueError that names the argument if `value` is no name."""
    if not _is_name(value):
        raise ValueError(f"{argument} must be a non-empty string of printable characters, got {value!r}")


def now():
    """The time, as the record writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _say_once(topic, text):
    """One line on stderr, once in a process: not a warning, which a lesson may have turned into an error."""
    if topic not in _said:
        _said.add(topic)
        print(f"kdcourse: {text}.", file=sys.stderr)


def _reason(error):
    if isinstance(error, filelock.Timeout):
        return "another program has been writing there for too long"
    return getattr(error, "strerror", None) or type(error).__name__
