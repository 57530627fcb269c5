"""What a learner passed is kept whole, whoever writes at once or is killed, and never stops a lesson."""

import csv
import datetime
import errno
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile

import filelock
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import kdcourse
from kdcourse import check, cli, progress, quiz
from kdcourse.progress import record

EMPTY = {"version": 1, "exercises": {}, "quizzes": {}}
TIMES = [f"2025-03-{day:02d}T10:00:00+00:00" for day in range(1, 10)]
EXERCISE = {"lesson": "01_soft_labels", "first": TIMES[0], "last": TIMES[1], "times": 2}
QUIZ = {"lesson": None, "best": 0.8, "best_total": 5, "best_when": TIMES[0]}
QUIZ |= {"last": 0.4, "last_total": 5, "last_when": TIMES[1], "attempts": 3}
SOUND = {"version": 1, "exercises": {"soften": EXERCISE}, "quizzes": {"final": QUIZ}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A fresh home for each test, and nothing said yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("KDCOURSE_HOME", str(home))
    monkeypatch.setattr(record, "_said", set())
    return home


@pytest.fixture
def clock(monkeypatch):
    times = iter(TIMES)
    monkeypatch.setattr(record, "now", lambda: next(times))


def write(value):
    progress.path().parent.mkdir(exist_ok=True)
    progress.path().write_text(json.dumps(value))


def on_disk():
    return json.loads(progress.path().read_bytes())


def python(code, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


# ---- what is remembered ----


def test_an_exercise_is_remembered_with_first_last_and_how_often(clock):
    assert progress.passed_exercise("soften", "00_start_here") is True
    assert progress.passed_exercise("soften", "01_soft_labels") is True
    assert on_disk() == {"version": 1, "exercises": {"soften": EXERCISE}, "quizzes": {}}
    assert progress.load() == on_disk()


def test_a_quiz_keeps_its_best_score_and_when_it_was_first_reached(clock):
    for correct, total in [(2, 5), (4, 5), (8, 10), (2, 5)]:
        assert progress.answered_quiz("final", correct, total) is True
    assert progress.load()["quizzes"]["final"] == {
        **{"lesson": None, "attempts": 4, "best": 0.8, "best_total": 5, "best_when": TIMES[1]},
        **{"last": 0.4, "last_total": 5, "last_when": TIMES[3]},
    }


def test_a_quiz_with_nothing_right_is_remembered_as_well():
    assert progress.answered_quiz("final", 0, 5)
    assert progress.load()["quizzes"]["final"]["best"] == 0
    assert progress.load()["quizzes"]["final"]["best_total"] == 5


def test_the_lesson_of_a_quiz_is_kept_when_a_later_call_does_not_know_it():
    progress.answered_quiz("warm-up", 1, 5, lesson="00_start_here")
    progress.answered_quiz("warm-up", 1, 5)
    assert progress.load()["quizzes"]["warm-up"]["lesson"] == "00_start_here"


def test_times_are_in_utc_and_lie_between_before_and_after(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    progress.passed_exercise("soften", "01_soft_labels")
    progress.answered_quiz("final", 1, 2)
    after = datetime.datetime.now(datetime.UTC)
    kept = progress.load()
    times = [kept["exercises"]["soften"][field] for field in ("first", "last")]
    times += [kept["quizzes"]["final"][field] for field in ("best_when", "last_when")]
    for time in map(datetime.datetime.fromisoformat, times):
        assert time.utcoffset() == datetime.timedelta(0)
        assert before <= time <= after


def test_nothing_is_written_before_there_is_something_to_remember(home):
    assert progress.load() == EMPTY
    assert not home.exists()


def test_the_file_lies_in_kdcourse_home_or_in_the_data_folder_of_the_user(home, monkeypatch, tmp_path):
    assert progress.path() == home / "progress.json"
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / name)
    for unset in (lambda: monkeypatch.setenv("KDCOURSE_HOME", ""), lambda: monkeypatch.delenv("KDCOURSE_HOME")):
        unset()
        assert progress.path() == tmp_path / "kdcourse" / "progress.json"


names = st.sampled_from(["soften", "kd_loss", "ä b"])
lessons = st.sampled_from(["00_start_here", "01_soft_labels"])
scores = st.integers(1, 20).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
exercise_calls = st.tuples(st.just("exercise"), names, lessons)
quiz_calls = st.tuples(st.just("quiz"), names, scores, st.none() | lessons)


@given(st.lists(exercise_calls | quiz_calls, max_size=8))
def test_after_any_calls_the_file_is_sound_and_the_best_is_the_maximum(tmp_path_factory, calls):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDCOURSE_HOME", str(home))
        passed, answered = {}, {}
        for kind, name, *rest in calls:
            if kind == "exercise":
                assert progress.passed_exercise(name, *rest)
                passed.setdefault(name, []).append(rest[0])
            else:
                (correct, total), lesson = rest
                assert progress.answered_quiz(name, correct, total, lesson=lesson)
                answered.setdefault(name, []).append((correct / total, lesson))
        kept = progress.load()
        assert set(os.listdir(home)) <= {"progress.json", "progress.lock"}  # no damage was seen
    assert {name: (one["times"], one["lesson"]) for name, one in kept["exercises"].items()} == {
        name: (len(all_), all_[-1]) for name, all_ in passed.items()
    }
    assert kept["quizzes"].keys() == answered.keys()
    for name, one in kept["quizzes"].items():
        shares = [share for share, _ in answered[name]]
        known = [lesson for _, lesson in answered[name] if lesson]
        assert (one["best"], one["last"], one["attempts"]) == (max(shares), shares[-1], len(shares))
        assert one["lesson"] == (known[-1] if known else None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: progress.passed_exercise("", "01"), "name must be a non-empty string of printable characters, got ''"),
        (lambda: progress.passed_exercise(" ", "01"), "name must be .*, got ' '"),
        (lambda: progress.passed_exercise("a\nb", "01"), r"name must be .*, got 'a\\nb'"),
        (lambda: progress.passed_exercise("\ud800", "01"), r"name must be .*, got '\\ud800'"),
        (lambda: progress.passed_exercise(3, "01"), "name must be .*, got 3"),
        (lambda: progress.passed_exercise("soften", None), "lesson must be .*, got None"),
        (lambda: progress.answered_quiz(None, 1, 2), "name must be .*, got None"),
        (lambda: progress.answered_quiz("final", 3, 2), "correct must be <= total, got 3 of 2"),
        (lambda: progress.answered_quiz("final", -1, 2), "correct must be an integer >= 0, got -1"),
        (lambda: progress.answered_quiz("final", 0, 0), "total must be an integer >= 1, got 0"),
        (lambda: progress.answered_quiz("final", 0.5, 2), "correct must be an integer >= 0, got 0.5"),
        (lambda: progress.answered_quiz("final", 1, "2"), "total must be an integer >= 1, got '2'"),
        (lambda: progress.answered_quiz("final", 1, 2, lesson=""), "lesson must be .*, got ''"),
        (lambda: progress.table({"": "01"}, {}), "exercise must be .*, got ''"),
        (lambda: progress.table({"soften": None}, {}), "lesson of soften must be .*, got None"),
        (lambda: progress.table({}, {"final": (3, 5)}), "lesson of final must be .*, got 3"),
        (lambda: progress.table({}, {"final": (None, 0)}), "number of questions of final must be .* >= 1, got 0"),
        (lambda: progress.export(progress.table({}, {}), "xml"), "format must be 'csv' or 'json', got 'xml'"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_written(home, call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()
    assert not home.exists()


# ---- several processes, and processes that are killed ----


def test_two_processes_that_write_at_once_lose_nothing():
    code = """
import sys
from kdcourse import progress
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    assert progress.passed_exercise(f"{sys.argv[1]}-{number}", "01_soft_labels")
    if number % 10 == 9:
        assert progress.answered_quiz("shared", number, 49)
"""
    writers = [python(code, name, stdin=subprocess.PIPE) for name in "ab"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.communicate() == ("", "")
        assert writer.returncode == 0
    kept = progress.load()
    assert kept["exercises"].keys() == {f"{name}-{number}" for name in "ab" for number in range(50)}
    assert kept["quizzes"]["shared"]["attempts"] == 10
    assert kept["quizzes"]["shared"]["best"] == 1


KILL = """
import os, signal, sys
from kdcourse import progress
count, real = 0, os.{step}
def kill(*arguments):
    global count
    count += 1
    if count == {nth}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
os.{step} = kill
progress.passed_exercise("new", "01_soft_labels")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_writer_that_is_killed_leaves_a_whole_file_and_no_lock(home, step):
    write(SOUND)
    killed = python(KILL.format(step=step, nth=1))
    assert killed.communicate() == ("", "")
    assert killed.returncode == -signal.SIGKILL
    assert on_disk() == SOUND
    assert progress.passed_exercise("after", "01_soft_labels")
    assert progress.load()["exercises"].keys() == {"soften", "after"}
    assert not list(home.glob("progress.damaged-*"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("nth", [1, 2, 3])  # the copy, the repaired file, the file with the new entry
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_repair_that_is_killed_loses_nothing(home, step, nth):
    damaged = {**SOUND, "quizzes": 3}
    write(damaged)
    killed = python(KILL.format(step=step, nth=nth))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    contents = [json.loads(file.read_bytes()) for file in home.glob("progress*.json")]
    assert damaged in contents
    assert progress.load() == {**SOUND, "quizzes": {}}


def test_a_lock_that_is_held_costs_a_false_and_one_line_but_no_error(monkeypatch, capsys):
    write(SOUND)
    monkeypatch.setattr(record, "LOCK_SECONDS", 0.01)
    with filelock.FileLock(progress.path().with_suffix(".lock")):
        assert progress.passed_exercise("other", "01_soft_labels") is False
        assert progress.answered_quiz("final", 5, 5) is False
        assert progress.load() == SOUND  # it can still be read
    said = capsys.readouterr().err
    assert re.fullmatch(r"kdcourse: your progress cannot be kept in .*\(another program has been writing.*\n", said)
    assert on_disk() == SOUND
    assert progress.passed_exercise("other", "01_soft_labels") is True


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available")])
def test_a_system_without_locks_costs_a_false_and_no_error(monkeypatch, capsys, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert progress.passed_exercise("soften", "01_soft_labels") is False
    assert progress.load() == EMPTY
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_system_without_locks_is_made_do_with_silently(monkeypatch, capsys):
    fcntl = pytest.importorskip("fcntl", reason="Windows locks by other means")

    def missing(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    kept = progress.passed_exercise("soften", "01_soft_labels")  # older filelocks give up here, newer ones do not
    assert capsys.readouterr().err.count("\n") == (0 if kept else 1)
    assert ("soften" in progress.load()["exercises"]) is kept


# ---- folders that cannot be written ----


def test_a_folder_that_cannot_be_made_costs_a_false_and_one_line(home, capsys):
    home.write_text("a file where the folder should be")
    assert progress.passed_exercise("soften", "01_soft_labels") is False
    assert progress.answered_quiz("final", 1, 2) is False
    assert progress.load() == EMPTY
    assert re.fullmatch(r"kdcourse: your progress cannot be kept in .*; all else works\.\n", capsys.readouterr().err)
    assert home.read_text() == "a file where the folder should be"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no permissions of this kind")
@pytest.mark.parametrize(
    ("content", "mode", "shown", "more"),
    [
        (SOUND, 0o444, "soften", []),
        ({**SOUND, "quizzes": 3}, 0o444, "soften", ["is damaged and cannot be moved aside"]),
        (SOUND, 0o000, "", ["cannot be read (Permission denied)"]),
    ],
)
def test_a_read_only_folder_costs_a_false_and_is_still_read(monkeypatch, content, mode, shown, more):
    code = """
import os
from kdcourse import progress
progress.path()  # imports what it needs
if os.geteuid() == 0:  # whom permissions do not stop
    os.seteuid(65534)
print(progress.passed_exercise("other", "01_soft_labels"), progress.answered_quiz("final", 5, 5))
print(*progress.load()["exercises"])
"""
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders are closed to others
        monkeypatch.setenv("KDCOURSE_HOME", home)
        write(content)
        progress.path().chmod(mode)
        os.chmod(home, 0o555)
        process = python(code)
        out, err = process.communicate()
        os.chmod(home, 0o755)
        assert os.listdir(home) == ["progress.json"]
    assert process.returncode == 0, err
    assert out == f"False False\n{shown}\n"
    first, *others = err.splitlines()
    assert re.fullmatch(r"kdcourse: your progress cannot be kept in .* \(Permission denied\); all else works\.", first)
    assert len(others) == len(more)
    assert all(what in line for what, line in zip(more, others, strict=True))


@pytest.mark.parametrize("value", [SOUND, {**SOUND, "quizzes": 3}])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_disk_costs_a_false_and_leaves_the_file_as_it_is(home, monkeypatch, capsys, value, step, code):
    write(value)

    def fail(*_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        assert progress.passed_exercise("other", "01_soft_labels") is False
        assert progress.passed_exercise("other", "01_soft_labels") is False
        assert progress.load()["exercises"] == SOUND["exercises"]
    said = capsys.readouterr().err
    assert said.count("cannot be kept") == 1
    assert os.strerror(code) in said
    assert on_disk() == value
    assert set(os.listdir(home)) == {"progress.json", "progress.lock"}


# ---- damaged files ----


@pytest.mark.parametrize(
    "content",
    [b"", b'{"version": 1, "exer', b"\xff\xfe\x00garbage\x80", b"[" * 100_000, b'{"version": NaN}', b"[1, 2]", b"3"],
)
@pytest.mark.parametrize("by", ["reading", "writing"])
def test_a_damaged_file_is_moved_aside_and_a_line_says_where(home, capsys, content, by):
    home.mkdir()
    progress.path().write_bytes(content)
    if by == "reading":
        assert progress.load() == EMPTY
    else:
        assert progress.passed_exercise("soften", "01_soft_labels") is True
        assert on_disk()["exercises"].keys() == {"soften"}
    assert (home / "progress.damaged-1.json").read_bytes() == content
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(home / "progress.damaged-1.json") in said
    progress.load()
    assert capsys.readouterr().err == ""


def test_no_damaged_file_replaces_another(home):
    home.mkdir()
    for number in range(3):
        progress.path().write_text(f"broken {number}")
        progress.load()
    assert [(home / f"progress.damaged-{n}.json").read_text() for n in (1, 2, 3)] == [f"broken {n}" for n in range(3)]


@pytest.mark.parametrize("by", [progress.load, lambda: progress.passed_exercise("soften", "01_soft_labels")])
def test_a_folder_in_the_place_of_the_file_is_moved_aside(home, by):
    (home / "progress.json").mkdir(parents=True)
    (home / "progress.json" / "note").write_text("something of the user's")
    by()
    assert (home / "progress.damaged-1.json" / "note").read_text() == "something of the user's"
    assert progress.passed_exercise("soften", "01_soft_labels")
    assert progress.load()["exercises"].keys() == {"soften"}


WRONG_EXERCISES = [
    3,
    {},
    {**EXERCISE, "times": 0},
    {**EXERCISE, "times": True},
    {**EXERCISE, "times": 1.5},
    {**EXERCISE, "lesson": 1},
    {**EXERCISE, "lesson": None},
    {**EXERCISE, "first": "yesterday"},
    {**EXERCISE, "first": "2025-03-01T10:00:00"},
    {**EXERCISE, "last": "2025-03-01T10:00:00+05:30"},
    {**EXERCISE, "last": 1740823200},
]
WRONG_QUIZZES = [
    [],
    {**QUIZ, "best": 1.01},
    {**QUIZ, "best": -0.1},
    {**QUIZ, "best": "0.5"},
    {**QUIZ, "last": None},
    {**QUIZ, "last": True},
    {**QUIZ, "best_total": 0},
    {**QUIZ, "attempts": 2.0},
    {**QUIZ, "lesson": ""},
    {**QUIZ, "last_when": None},
]


@pytest.mark.parametrize(
    "value",
    [
        *({**SOUND, "exercises": {"bad": wrong, "soften": EXERCISE}} for wrong in WRONG_EXERCISES),
        *({**SOUND, "quizzes": {"final": QUIZ, "bad": wrong}} for wrong in WRONG_QUIZZES),
        {**SOUND, "exercises": {"soften": EXERCISE, "": EXERCISE, "\ud800": EXERCISE, "\x1b[2J": EXERCISE}},
        {**SOUND, "exercises": {"soften": {**EXERCISE, "note": "mine"}}},
        {**SOUND, "note": "mine"},
        {**SOUND, "version": 0},
        {**SOUND, "version": "1"},
        {"exercises": SOUND["exercises"], "quizzes": SOUND["quizzes"]},
    ],
)
def test_what_is_sound_in_a_file_of_the_wrong_shape_is_kept(home, capsys, value):
    write(value)
    assert progress.load() == SOUND
    assert on_disk() == SOUND
    assert json.loads((home / "progress.damaged-1.json").read_bytes()) == value
    assert "entries that could be kept: 2." in capsys.readouterr().err


@pytest.mark.parametrize("value", [{**SOUND, "exercises": []}, {**SOUND, "exercises": None}])
def test_a_part_of_the_wrong_shape_costs_that_part_only(value):
    write(value)
    assert progress.load() == {**SOUND, "exercises": {}}


def test_a_number_too_large_for_a_float_is_damage_and_no_error(home):
    home.mkdir()
    progress.path().write_text(json.dumps(SOUND).replace("0.8", "1e999"))
    assert progress.load() == {**SOUND, "quizzes": {}}


@pytest.mark.parametrize("value", [{"version": 2, "passed": ["soften"]}, {**SOUND, "version": 2}, {"version": 1.5}])
def test_the_file_of_a_newer_version_is_left_alone(home, capsys, value):
    write(value)
    before = progress.path().read_bytes()
    assert progress.passed_exercise("soften", "01_soft_labels") is False
    assert progress.answered_quiz("final", 1, 2) is False
    assert progress.load() == EMPTY
    assert progress.path().read_bytes() == before
    assert set(os.listdir(home)) == {"progress.json", "progress.lock"}
    assert re.fullmatch(
        r"kdcourse: .* is of a newer version of the course; it is left as it is.*\n", capsys.readouterr().err
    )


# ---- the table ----

EXERCISES = {"kd_loss": "02_temperature", "soften": "01_soft_labels", "stray": "", "entropy": "01_soft_labels"}
QUIZZES = {"final": (None, 5), "01_soft_labels": ("01_soft_labels", 7)}


def test_the_table_has_a_row_for_all_there_is_in_the_order_of_the_lessons():
    write(SOUND)
    table = progress.table(EXERCISES, QUIZZES)
    assert table.columns.tolist() == ["lesson", "kind", "name", "done", "score", "when"]
    assert table[["lesson", "kind", "name", "done"]].values.tolist() == [
        ["01_soft_labels", "exercise", "soften", True],
        ["01_soft_labels", "exercise", "entropy", False],
        ["01_soft_labels", "quiz", "01_soft_labels", False],
        ["02_temperature", "exercise", "kd_loss", False],
        ["", "exercise", "stray", False],
        ["", "quiz", "final", True],
    ]
    assert table["done"].dtype == bool
    assert table["score"].dropna().to_dict() == {5: 0.8}
    assert table["when"].dropna().to_dict() == {0: pd.Timestamp(TIMES[0]), 5: pd.Timestamp(TIMES[0])}
    assert str(table["when"].dt.tz) == "UTC"


def test_an_empty_table_has_the_same_columns_and_types():
    empty, full = progress.table({}, {}), progress.table(EXERCISES, QUIZZES)
    assert len(empty) == 0
    assert empty.dtypes[["done", "score", "when"]].equals(full.dtypes[["done", "score", "when"]])
    assert empty.columns.equals(full.columns)


def test_what_the_course_no_longer_has_is_kept_and_comes_last():
    old = {"zz_gone": {**EXERCISE, "lesson": "00_gone"}, **SOUND["exercises"]}
    write({**SOUND, "exercises": old, "quizzes": {"old": QUIZ}})
    table = progress.table(EXERCISES, QUIZZES)
    assert table["name"].tolist()[-3:] == ["final", "zz_gone", "old"]
    assert table["done"].tolist()[-3:] == [False, True, True]
    assert progress.load()["exercises"].keys() == old.keys()


def test_a_quiz_that_has_grown_since_is_open_again_and_keeps_its_score():
    write(SOUND)
    (row,) = progress.table({}, {"final": (None, 6)}).query("name == 'final'").itertuples()
    assert (row.done, row.score) == (False, 0.8)


@pytest.mark.parametrize("year", ["0001", "1969", "2300", "9999"])
def test_a_clock_that_was_wrong_does_not_break_the_table(year):
    write({**SOUND, "exercises": {"soften": {**EXERCISE, "first": f"{year}-12-31T23:59:59+00:00"}}})
    table = progress.table(EXERCISES, QUIZZES)
    assert table["when"][0].year == int(year)
    assert progress.show(table)
    assert f"{year}-12-31T23:59:59+00:00" in progress.export(table, "csv")


def test_next_up_is_the_first_that_is_open_and_at_the_end_there_is_none():
    sentences = []
    for pass_next in [
        lambda: progress.passed_exercise("soften", "01_soft_labels"),
        lambda: progress.answered_quiz("final", 1, 5),
        lambda: None,
    ]:
        sentences.append(progress.next_up(progress.table({"soften": "01_soft_labels"}, {"final": (None, 5)})))
        pass_next()
    assert sentences == ["Next: exercise soften in 01_soft_labels", "Next: quiz final", "Everything is done"]


def test_next_up_of_a_course_without_anything_does_not_praise():
    assert progress.next_up(progress.table({}, {})) == "There are no exercises and no quizzes yet"


def test_the_text_says_what_is_done_and_fits_into_80_columns():
    progress.passed_exercise("soften", "01_soft_labels")
    progress.answered_quiz("q" * 90, 100, 100, lesson="x" * 90)
    lines = progress.show(progress.table(EXERCISES, QUIZZES)).splitlines()
    assert max(map(len, lines)) <= 80
    today = progress.load()["exercises"]["soften"]["first"][:10]
    assert [line.split() for line in lines[1:4]] == [
        ["01_soft_labels"],
        ["done", "exercise", "soften", today],
        ["open", "exercise", "entropy"],
    ]
    assert "of no lesson" in lines
    assert lines[-1].split()[-2] == "100%"


# ---- export ----


def test_an_export_says_the_same_as_the_table_in_csv_and_in_json():
    write({**SOUND, "exercises": {'a "b", c': EXERCISE}})
    table = progress.table(EXERCISES, QUIZZES)
    as_csv = list(csv.DictReader(io.StringIO(progress.export(table, "csv"))))
    as_json = json.loads(progress.export(table, "json"))
    today = str(datetime.datetime.now(datetime.UTC).date())
    for rows in (as_csv, as_json):
        assert [row["name"] for row in rows] == table["name"].tolist()
        assert {row["course_version"] for row in rows} == {kdcourse.__version__}
        assert {row["exported"] for row in rows} <= {today, str(datetime.datetime.now(datetime.UTC).date())}
        assert all(list(row) == [*table.columns, "course_version", "exported"] for row in rows)
    assert [row["done"] for row in as_json] == table["done"].tolist()
    assert [row["done"] == "True" for row in as_csv] == table["done"].tolist()
    for row in (as_csv[5], as_json[5]):
        assert (row["name"], float(row["score"]), row["when"]) == ("final", 0.8, TIMES[0])
    assert (as_csv[0]["score"], as_csv[0]["when"]) == ("", "")
    assert (as_json[0]["score"], as_json[0]["when"]) == (None, None)


def test_an_empty_export_is_a_header_or_an_empty_list():
    header = "lesson,kind,name,done,score,when,course_version,exported\n"
    assert progress.export(progress.table({}, {}), "csv") == header
    assert json.loads(progress.export(progress.table({}, {}), "json")) == []


def test_an_export_names_no_person_no_machine_and_no_path(home, monkeypatch):
    monkeypatch.setenv("USER", "a-person")
    write(SOUND)
    for format in ("csv", "json"):
        text = progress.export(progress.table(EXERCISES, QUIZZES), format)
        assert "final" in text
        assert [secret for secret in ("a-person", socket.gethostname(), str(home), "/") if secret in text] == []


# ---- the command ----


@pytest.fixture
def command():
    return lambda *arguments: CliRunner().invoke(cli.app, ["progress", *arguments], env={"COLUMNS": "120"})


def test_the_command_lists_every_exercise_and_quiz_and_what_is_next(command):
    progress.passed_exercise("soften", "01_soft_labels")
    questions = len(quiz.load("final").questions)
    progress.answered_quiz("final", questions - 1, questions)
    done = command()
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")][1:]
    assert sorted(row[2] for row in rows) == sorted([*(one.name for one in check.EXERCISES), *quiz.names()])
    listed = [row[2] for row in rows if row[1] == "exercise"]
    assert listed == [one.name for one in sorted(check.EXERCISES, key=lambda one: one.lesson)]
    assert {tuple(row[:3]) for row in rows if row[0] == "done"} == {
        ("done", "exercise", "soften"),
        ("done", "quiz", "final"),
    }
    assert re.search(r"\n\nNext: exercise \w+ in 00_start_here\n$", done.stdout)


def test_the_command_takes_the_lesson_of_an_exercise_from_it(command, monkeypatch):
    monkeypatch.setattr(check.soften, "lesson", "99_elsewhere")
    lessons = {row["name"]: row["lesson"] for row in json.loads(command("--export", "json").stdout)}
    assert lessons["soften"] == "99_elsewhere"


@pytest.mark.parametrize("format", ["csv", "json"])
def test_an_export_goes_to_the_screen_or_whole_into_a_file(command, tmp_path, format):
    out = tmp_path / "new folder" / f"progress.{format}"
    printed = command("--export", format).stdout
    done = command("--export", format, "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.read_bytes().decode() == printed
    assert re.search(r"^\d+ rows are in ", done.stdout)
    assert os.listdir(out.parent) == [out.name]


def test_an_export_that_fails_leaves_the_old_file_and_says_so(command, tmp_path, monkeypatch):
    out = tmp_path / "progress.csv"
    out.write_text("the old file")

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    done = command("--export", "csv", "--out", str(out))
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert out.read_text() == "the old file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_an_export_goes_into_a_pipe_and_leaves_it_a_pipe(tmp_path):
    out = tmp_path / "pipe"
    os.mkfifo(out)
    reader = python("import sys; print(open(sys.argv[1]).read())", str(out))
    progress.save_export("a,b\n", out)
    assert reader.communicate()[0] == "a,b\n\n"
    assert stat.S_ISFIFO(out.stat().st_mode)


def test_an_export_through_a_link_changes_the_file_and_not_the_link(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    try:
        (tmp_path / "link.csv").symlink_to("real.csv")
    except OSError:
        pytest.skip("links need a privilege on Windows")
    progress.save_export("new", tmp_path / "link.csv")
    assert (tmp_path / "real.csv").read_text() == "new"
    assert (tmp_path / "link.csv").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--export", "xml"], "format must be 'csv' or 'json', got 'xml'"),
        (["--out", "progress.csv"], "needs --export csv or --export json beside it"),
        (["--export", "csv", "--out", "."], "is a directory"),
    ],
)
def test_mistakes_at_the_command_get_a_sentence(command, arguments, message):
    done = command(*arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)


def test_a_damaged_file_does_not_get_into_an_export(command, home):
    home.mkdir()
    progress.path().write_text("broken")
    done = command("--export", "json")
    assert json.loads(done.stdout)
    assert "progress.damaged-1.json" in done.stderr


def test_the_command_in_a_process_of_its_own():
    progress.passed_exercise("soften", "01_soft_labels")
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    process = python("from kdcourse.cli import main; main()", "progress", env=environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == ""
    assert re.search(r"^  done  exercise  soften", out, flags=re.M)
    assert re.search(r"^Next: ", out, flags=re.M)
    assert max(map(len, out.splitlines())) <= 80
