"""Write the parts of the instructor kit that follow from the lessons.

python tools/build_workshop.py

workshop/schedule.md is committed, and a test compares it with what the lessons say now. The notes on every lesson, with
the wrong answers that its checks know and the votes on its claims, go to build/workshop/: a new bug of a check or a new
result of a claim would have to refresh them. On the site they are pages.
"""

import kit
from kit import ROOT, Lesson

from kdcourse import claims

SCHEDULE = ROOT / "workshop" / "schedule.md"
OUT = ROOT / "build" / "workshop"
HEADINGS = ("Say", "Run while you talk", "Stop and ask", "Likely questions", "Late")


def clock(minutes):
    """Minutes after midnight, as a clock shows them."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def schedule():
    """The page with the days, in Markdown."""
    rows = [
        f"| [{lesson.title}](../notebooks/{lesson.stem}.ipynb) | {lesson.minutes} | {lesson.exercises} |"
        for lesson in kit.lessons()
    ]
    parts = [
        "# Schedules",
        "Written by `python tools/build_workshop.py` from the minutes in the heads of the lessons, which a test "
        "computes from their words, code, figures, exercises and quizzes. No stretch of work is longer than "
        f"{kit.LONGEST} minutes. The commands are run in the root of the course, while you talk.",
        "Before people come:\n\n" + _commands(kit.BEFORE),
        _day("Half a day", kit.HALF_DAY),
        _day("A day", kit.FULL_DAY),
        "## A course of sessions",
        "Everything, a week or a day apart.\n\n| session | what | minutes |\n|---:|---|---:|\n"
        + "\n".join(
            f"| {number} | {' · '.join(one.what for one in session)} | {sum(one.minutes for one in session)} |"
            for number, session in enumerate(kit.sessions(), 1)
        ),
        "## The lessons",
        "Exercises are among the minutes.\n\n| lesson | minutes | of these exercises |\n|---|---:|---:|\n"
        + "\n".join(rows),
    ]
    return "\n\n".join(parts) + "\n"


def _day(title, names):
    found = kit.day(names)
    (start, _), (last, piece) = found[0], found[-1]
    end = last + piece.minutes
    work = sum(one.minutes for _, one in found if not one.rest)
    lines = [f"## {title}", f"{clock(start)} to {clock(end)}, {work} minutes of work."]
    lines.append("| | min | | of these exercises |\n|---|---:|---|---:|")
    for when, one in found:
        what = f"*{one.what}*" if one.rest else one.what
        lines[-1] += f"\n| {clock(when)} | {one.minutes} | {what} | {one.exercises or ''} |"
    left = [lesson.title for lesson in kit.lessons() if lesson.number not in names]
    lines.append(f"Left for afterwards: {'; '.join(left)}." if left else "")
    lines += [f"**{clock(when)} {one.what}**\n\n{_commands(one.commands)}" for when, one in found if one.commands]
    return "\n\n".join(filter(None, lines))


def _commands(commands):
    return "```\n" + "\n".join(commands) + "\n```"


def lesson_page(lesson: Lesson):
    """Everything for whoever teaches a lesson, in Markdown: their notes, the votes, the wrong answers to expect."""
    told = kit.notes(lesson)
    lines = [f"## {lesson.title}", f"{lesson.minutes} minutes, {lesson.exercises} of them exercises."]
    lines += [f"### {heading}\n\n{told[heading]}" for heading in HEADINGS if heading in told]
    if lesson.claims:
        lines.append("### Predict, then vote")
        lines += [f"- {claim.wording} ({claim.taught_in}.)\n  **{answer(claim)}**" for claim in lesson.claims]
    found = kit.exercises_of(lesson)
    if found:
        lines += ["### Wrong answers to expect", *map(wrong_answers, found)]
    return "\n\n".join(lines)


def answer(claim):
    """The plain sentence of the ledger."""
    return claims.plain(claim, claims.result(claim.name))


def wrong_answers(exercise):
    """The mistakes that the check of an exercise knows, and the diagnosis of each, as a table."""
    rows = [f"| {name} | {bug.message} |" for name, bug in exercise.bugs.items()]
    return "\n".join([f"**`{exercise.name}`**", "", "| wrong answer | what is behind it |", "|---|---|", *rows])


def pages():
    """{name of a page: Markdown} that is not committed."""
    text = "# Notes on the lessons (spoilers)\n\n"
    return {"notes.md": text + "\n\n".join(map(lesson_page, kit.lessons())) + "\n"}


if __name__ == "__main__":
    SCHEDULE.write_text(schedule(), encoding="utf-8")
    OUT.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (OUT / name).write_text(text, encoding="utf-8")
        print(OUT / name)
