"""The instructor kit: its times add up, its pages are those of today's lessons, and its commands are those it names."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcourse import claims, lessons

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_workshop  # noqa: E402
import drill  # noqa: E402
import kit  # noqa: E402
import rehearse  # noqa: E402

PAGE = (ROOT / "workshop" / "schedule.md").read_text(encoding="utf-8")
DAYS = re.findall(r"^## ((?:Half a|A) day)\n\n(\S+) to (\S+), (\d+) minutes of work\.(.*?)(?=^## )", PAGE, re.M | re.S)
STATED = {
    re.search(r"^# # (.+)$", text, re.M)[1]: int(re.search(r"\*\*(\d+) minutes\*\*", text)[1])
    for text in (path.read_text(encoding="utf-8") for path in sorted(lessons.folder().glob("source/*.py")))
}


def minutes(clock):
    hours, rest = clock.split(":")
    return 60 * int(hours) + int(rest)


def test_the_schedule_is_the_one_that_the_lessons_make():
    assert build_workshop.schedule() == PAGE, "run python tools/build_workshop.py"


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day[0])
def test_a_day_adds_up_and_nobody_works_longer_than_ninety_minutes(day):
    _, start, end, work, text = day
    rows = re.findall(r"^\| (\d\d:\d\d) \| (\d+) \| (.+?) \|", text, re.M)
    now, worked, in_all = minutes(start), 0, 0
    for clock, length, what in rows:
        assert minutes(clock) == now
        now += int(length)
        rest = what.startswith("*")
        worked = 0 if rest else worked + int(length)
        in_all += 0 if rest else int(length)
        assert worked <= 90, what
        assert rest or int(length) == STATED.get(what, int(length)), what
    assert (now, in_all) == (minutes(end), int(work))
    assert sum(what in STATED for _, _, what in rows) >= 4
    assert not rows[0][2].startswith("*")
    assert not rows[-1][2].startswith("*")


def test_half_a_day_and_a_day_are_no_longer_than_that():
    lengths = [minutes(end) - minutes(start) for _, start, end, _, _ in DAYS]
    assert len(lengths) == 2
    assert lengths[0] <= 4.5 * 60
    assert lengths[1] <= 8.5 * 60


def test_the_sessions_have_every_lesson_once_and_are_short():
    sessions = kit.sessions()
    assert [one.what for session in sessions for one in session if one.what in STATED] == list(STATED)
    assert max(sum(one.minutes for one in session) for session in sessions) <= 90


@given(st.lists(st.integers(1, 90), min_size=1))
def test_breaks_are_put_only_where_work_would_last_too_long(lengths):
    packed = kit.packed([kit.Item(str(k), "", length) for k, length in enumerate(lengths)])
    assert [one.minutes for one in packed if not one.rest] == lengths
    stretches = [[]]
    for one in packed:
        stretches.append([]) if one.rest else stretches[-1].append(one.minutes)
    assert max(map(sum, stretches)) <= 90
    assert all(sum(a) + b[0] > 90 for a, b in zip(stretches, stretches[1:], strict=False))


NOTES = sorted((ROOT / "workshop" / "notes").glob("*.md"))


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_notes_are_of_a_lesson_have_all_headings_and_no_typed_result(path):
    assert path.stem in [lesson.stem for lesson in kit.lessons()]
    text = path.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, re.M)) == build_workshop.HEADINGS
    assert re.findall(r"\d[\d.,]* ?(?:%|points?\b|times\b)", re.sub(r"\{\{.*?\}\}", "", text)) == []


def test_the_page_for_instructors_has_every_claim_and_every_known_wrong_answer():
    page = build_workshop.pages()["notes.md"]
    for lesson in kit.lessons():
        assert f"## {lesson.title}\n" in page
        bugs = [bug.message for exercise in kit.exercises_of(lesson) for bug in exercise.bugs.values()]
        found = [claim.wording for claim in lesson.claims]
        found += [claims.plain(claim, claims.result(claim.name)) for claim in lesson.claims]
        assert [text for text in bugs + found if text not in page] == []


def test_the_rehearsal_runs_what_the_page_names(monkeypatch):
    before = re.search(r"Before people come:\n\n```\n(.*?)```", PAGE, re.S)[1].splitlines()
    _, _, _, _, text = DAYS[0]
    named = before + [line for block in re.findall(r"```\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert [command for _, _, _, command in rehearse.planned("half-day")] == named
    assert all(Path(rehearse.arguments(command)[0]) == Path(sys.executable) for command in named)


@pytest.mark.slow
@pytest.mark.parametrize("kind", drill.CASES)
def test_the_incident_does_not_give_the_bug_away_and_the_debrief_names_it(kind, monkeypatch, tmp_path, capsys):
    logged = {"gallery": ["scaled", "accuracy", "agreement", "confidence"], "on-policy": list(drill.MEANING)[-4:]}[kind]
    x = "epoch" if kind == "gallery" else "step"
    table = pd.DataFrame({x: [1, 2], **{name: [0.2, 0.1] for name in logged}})
    runs = ({"bug": table, "right": table}, dict.fromkeys(list(drill.MEANING)[:2], (0.5, 0.0)))
    monkeypatch.setattr(drill, f"{kind.replace('-', '_')}_runs", lambda bug, fast: runs)
    for case, bug in enumerate(drill.CASES[kind], 1):
        folder = tmp_path / str(case)
        drill.make(kind, case, True, folder)
        assert (folder / "runs.png").stat().st_size > 10_000
        given = "".join((folder / name).read_text(encoding="utf-8") for name in ("incident.md", "runs.txt", "cards.md"))
        assert bug not in given
        assert "0.50; as it should be: 0.00" in given
        drill.debrief(kind, case)
        assert f"It was: {bug}." in capsys.readouterr().out
