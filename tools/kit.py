"""What a day with the course consists of: lessons with their honest minutes, drills, breaks, and the commands of each.

The minutes of a lesson are those in the head of its source, which a test computes. Nothing here names a lesson but
the two days, which are a choice; every lesson there is appears in the course of sessions, and in the notes.
"""

import re
from pathlib import Path
from typing import NamedTuple

from kdcourse import check, claims

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "notebooks" / "source"
NOTES = ROOT / "workshop" / "notes"
LONGEST = 90  # minutes without a break
BREAK, LUNCH = 15, 60
START = 9 * 60  # minutes after midnight
HALF_DAY = ("00", "01", "02", "gallery", "05", "close")
FULL_DAY = ("00", "01", "02", "03", "lunch", "gallery", "04", "05", "08", "10", "close")
DRILLS = {"gallery": ("Drill: a run with a bug", "06"), "on-policy": ("Drill: an on-policy run gone wrong", "08")}
DRILL_MINUTES, CLOSE_MINUTES = 20, 10
BEFORE = ("kdcourse doctor", "python tools/build_slides.py")


class Item(NamedTuple):
    """A piece of a day. Commands are run in the root of the course, while one talks."""

    name: str
    what: str
    minutes: int
    exercises: int = 0
    commands: tuple[str, ...] = ()

    @property
    def rest(self):
        return self.name in ("break", "lunch")


class Lesson(NamedTuple):
    """A lesson as the kit sees it; `claims` are those of its number that have a result or wait for one."""

    number: str
    stem: str
    title: str
    minutes: int
    exercises: int
    claims: tuple


def lessons(sources=SOURCES):
    """All lessons, in order, from their sources."""
    return [_lesson(path) for path in sorted(sources.glob("[0-9][0-9]_*.py"))]


def _lesson(path):
    text = path.read_text(encoding="utf-8")
    title, minutes = re.search(r"^# # (.+)$", text, re.M)[1], int(re.search(r"\*\*(\d+) minutes\*\*", text)[1])
    exercises = sum(map(int, re.findall(r"\*\*Exercise[^\n]*?(\d+) minutes", text)))
    found = tuple(claim for claim in claims.CLAIMS if claim.lesson == path.stem[:2])
    return Lesson(path.stem[:2], path.stem, title, minutes, exercises, found)


def exercises_of(lesson):
    """The exercises of a lesson, in their order."""
    found = [exercise for exercise in check.EXERCISES if exercise.lesson == lesson.stem]
    return sorted(found, key=lambda exercise: exercise.order)


def item(name):
    """The piece of a day that is called so: the number of a lesson, a drill, "lunch", "break" or "close"."""
    if name in DRILLS:
        commands = (f"python tools/drill.py {name}", f"python tools/drill.py {name} --debrief")
        return Item(name, DRILLS[name][0], DRILL_MINUTES, DRILL_MINUTES, commands)
    if name == "close":
        return Item(
            name, "Feedback, progress, what to do on Monday", CLOSE_MINUTES, 0,
            ("kdcourse progress --export csv --out build/class/NAME.csv",
             "kdcourse progress --gather build/class/*.csv --out build/class.csv"),
        )  # fmt: skip
    if name in ("lunch", "break"):
        return Item(name, name.capitalize(), LUNCH if name == "lunch" else BREAK)
    lesson = next(one for one in lessons() if one.number == name)
    commands = [f"kdcourse run {name} --fast --out build/room"]
    commands += ["kdcourse claims " + " ".join(claim.name for claim in lesson.claims)] * bool(lesson.claims)
    return Item(name, lesson.title, lesson.minutes, lesson.exercises, tuple(commands))


def packed(items, longest=LONGEST):
    """The pieces in their order, with a break wherever work would otherwise last longer than `longest` minutes."""
    day, worked = [], 0
    for one in items:
        if one.rest:
            worked = 0
        elif worked and worked + one.minutes > longest:
            day.append(item("break"))
            worked = one.minutes
        else:
            worked += one.minutes
        day.append(one)
    return day


def day(names):
    """[(minutes after midnight, piece)] of a day."""
    now, found = START, []
    for one in packed(map(item, names)):
        found.append((now, one))
        now += one.minutes
    return found


def sessions(longest=LONGEST):
    """Everything there is, lessons and drills, in sessions of at most `longest` minutes: lists of pieces."""
    names = []
    for lesson in lessons():
        names += [lesson.number, *(drill for drill, (_, after) in DRILLS.items() if after == lesson.number)]
    found = [[]]
    for one in packed(map(item, names), longest):
        if one.rest:
            found.append([])
        else:
            found[-1].append(one)
    return found


def notes(lesson):
    """{heading: Markdown} of what instructors wrote about a lesson, numbers put in; empty if nobody has yet."""
    path = NOTES / f"{lesson.stem}.md"
    if not path.exists():
        return {}
    parts = re.split(r"^## (.+)\n", claims.filled(path.read_text(encoding="utf-8")), flags=re.M)
    return {heading: text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}
