"""What a learner passed is kept whole, whoever writes at once or is killed, and never stops a lesson."""

import csv
import errno
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import filelock
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import kdcourse
from kdcourse import check, cli, progress, quiz
from kdcourse.progress import overview, record

EMPTY = {"version": 1, "exercises": {}, "quizzes": {}}
TIMES = [f"2025-03-{day:02d}T10:00:00+00:00" for day in range(1, 10)]
EXERCISE = {"lesson": "01_soft_labels", "first": TIMES[0], "last": TIMES[1], "times": 2}
QUIZ = {"lesson": None, "best": 0.8, "best_total": 5, "best_when": TIMES[0]}
QUIZ |= {"last": 0.5, "last_total": 4, "last_when": TIMES[1], "attempts": 3}
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
    progress.path().write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())


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
    assert progress.load() == on_disk() == {**EMPTY, "exercises": {"soften": EXERCISE}}


def test_a_quiz_keeps_its_best_score_and_when_it_was_first_reached(clock):
    for correct, total in [(0, 5), (4, 5), (8, 10), (2, 5)]:
        assert progress.answered_quiz("final", correct, total) is True
    expected = {"lesson": None, "attempts": 4, "best": 0.8, "best_total": 5, "best_when": TIMES[1]}
    assert progress.load()["quizzes"]["final"] == {**expected, "last": 0.4, "last_total": 5, "last_when": TIMES[3]}


def test_the_file_lies_in_kdcourse_home_or_in_the_data_folder_of_the_user(home, monkeypatch, tmp_path):
    assert progress.path() == home / "progress.json"
    assert progress.load() == EMPTY
    assert not home.exists()  # nothing is written before there is something to remember
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / name)
    monkeypatch.delenv("KDCOURSE_HOME")
    assert progress.path() == tmp_path / "kdcourse" / "progress.json"


lessons = st.none() | st.sampled_from(["00_start_here", "01_soft_labels"])
scores = st.integers(1, 20).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@settings(max_examples=20)  # each call waits for the disk
@given(st.lists(st.tuples(st.sampled_from(["final", "ä b"]), scores, lessons), max_size=8))
def test_after_any_calls_the_best_is_the_maximum_and_a_lesson_once_known_is_kept(tmp_path_factory, calls):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDCOURSE_HOME", str(home))
        for name, score, lesson in calls:
            assert progress.answered_quiz(name, *score, lesson=lesson)
        kept = progress.load()["quizzes"]
        assert set(os.listdir(home)) <= {"progress.json", "progress.lock"}  # no damage was seen
    assert kept.keys() == {name for name, *_ in calls}
    for name, one in kept.items():
        shares = [correct / total for quiz, (correct, total), _ in calls if quiz == name]
        known = [lesson for quiz, _, lesson in calls if quiz == name and lesson]
        assert (one["best"], one["last"], one["attempts"]) == (max(shares), shares[-1], len(shares))
        assert one["lesson"] == (known[-1] if known else None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: progress.passed_exercise("\ud800", "01"), r"name must be .*, got '\\ud800'"),
        (lambda: progress.answered_quiz("final", 1, 2, lesson=" "), "lesson must be .*, got ' '"),
        (lambda: progress.answered_quiz("final", 0, 0), "total must be an integer >= 1, got 0"),
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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("content", [json.dumps(SOUND).encode(), b"broken"])
@pytest.mark.parametrize("step", ["fsync", "replace", "rename"])
def test_a_writer_that_is_killed_loses_nothing_and_leaves_no_lock(home, step, content):
    write(content)
    code = f"""
import os, signal
from kdcourse import progress
os.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
progress.passed_exercise("new", "01_soft_labels")
"""
    unharmed = step == "rename" and content != b"broken"  # only a damaged file is renamed
    assert subprocess.run([sys.executable, "-c", code]).returncode == (0 if unharmed else -signal.SIGKILL)
    assert unharmed or content in [file.read_bytes() for file in home.glob("progress*.json")]
    assert progress.passed_exercise("after", "01_soft_labels")
    assert [name in progress.load()["exercises"] for name in ("after", "soften")] == [True, content != b"broken"]


# ---- records that cannot be written or read ----


@contextmanager
def held_lock(_):
    with filelock.FileLock(progress.path().with_suffix(".lock")):
        yield "another program has been writing there for too long"


def failing(owner, step, error):
    """An obstacle: a function that raises, and the words that the learner gets to see."""

    def fail(*_, **__):
        raise error

    @contextmanager
    def obstacle(patch):
        patch.setattr(owner, step, fail)
        yield error.strerror if isinstance(error, OSError) else "NotImplementedError"

    return obstacle


OBSTACLES = [held_lock, failing(filelock.FileLock, "acquire", NotImplementedError())]
OBSTACLES += [failing(filelock.FileLock, "acquire", OSError(errno.ENOLCK, "No locks available"))]
OBSTACLES += [failing(os, step, OSError(errno.ENOSPC, "No space left")) for step in ("fsync", "replace")]


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("before", [SOUND, None])
def test_what_cannot_be_kept_costs_a_false_and_one_line_but_no_error(home, monkeypatch, capsys, obstacle, before):
    monkeypatch.setattr(record, "LOCK_SECONDS", 0.01)
    if before:
        write(before)
    home.mkdir(exist_ok=True)
    with monkeypatch.context() as patch, obstacle(patch) as reason:
        assert progress.passed_exercise("other", "01_soft_labels") is False
        assert progress.answered_quiz("final", 5, 5) is False
        assert progress.load() == (before or EMPTY)
    said = capsys.readouterr().err
    assert re.fullmatch(rf"kdcourse: your progress cannot be kept in .*\({reason}.*\); all else works\.\n", said)
    assert set(os.listdir(home)) - {"progress.lock"} == ({"progress.json"} if before else set())
    assert progress.passed_exercise("other", "01_soft_labels") is True


def test_a_file_in_the_place_of_the_folder_and_missing_locks_are_made_do_with(home, monkeypatch, capsys):
    home.write_text("a file where the folder should be")
    assert progress.passed_exercise("soften", "01_soft_labels") is False
    assert progress.load() == EMPTY
    assert "cannot be kept" in capsys.readouterr().err
    home.unlink()
    fcntl = pytest.importorskip("fcntl", reason="Windows locks by other means")

    def missing(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    kept = progress.passed_exercise("soften", "01_soft_labels")  # older filelocks give up here, newer ones do not
    assert capsys.readouterr().err.count("\n") == (0 if kept else 1)
    assert ("soften" in progress.load()["exercises"]) is kept


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no permissions of this kind")
@pytest.mark.parametrize(("mode", "shown", "more"), [(0o444, "soften", 0), (0o000, "", 1)])
def test_a_read_only_folder_costs_a_false_and_is_still_read(monkeypatch, mode, shown, more):
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
        write(SOUND)
        progress.path().chmod(mode)
        os.chmod(home, 0o555)
        process = python(code)
        out, err = process.communicate()
        os.chmod(home, 0o755)
        assert os.listdir(home) == ["progress.json"]
    assert (process.returncode, out) == (0, f"False False\n{shown}\n"), err
    first, *others = err.splitlines()
    assert re.fullmatch(r"kdcourse: your progress cannot be kept in .* \(Permission denied\); all else works\.", first)
    assert ["your progress cannot be read" in line for line in others] == [True] * more


# ---- damaged files ----

WRONG_EXERCISES = [3, {}, *({**EXERCISE, "times": times} for times in (0, True)), {**EXERCISE, "lesson": None}]
WRONG_EXERCISES += [{**EXERCISE, "first": "yesterday"}, {**EXERCISE, "last": "2025-03-01T10:00:00+05:30"}]
WRONG_QUIZZES = [[], *({**QUIZ, "best": best} for best in (1.01, -0.1, "0.5"))]
WRONG_QUIZZES += [{**QUIZ, field: wrong} for field, wrong in {"attempts": 2.0, "lesson": "", "last_when": None}.items()]
DAMAGED = [b"", b'{"version": 1, "exer', b"\xff\xfe\x00garbage\x80", b"[" * 100_000, b'{"version": NaN}', b"[1, 2]"]
DAMAGED += [json.dumps(SOUND).replace("0.8", "1e999").encode(), {"version": 1}, {**SOUND, "exercises": []}]
DAMAGED += [{**SOUND, "version": version} for version in (0, "1", None)]
DAMAGED += [{**SOUND, "exercises": {"bad": wrong, "soften": EXERCISE}} for wrong in WRONG_EXERCISES]
DAMAGED += [{**SOUND, "quizzes": {"final": QUIZ, "bad": wrong}} for wrong in WRONG_QUIZZES]
DAMAGED += [{**SOUND, "exercises": {name: EXERCISE}} for name in ("", "\ud800", "\x1b[2J")]


@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_file_reads_as_empty_and_is_moved_aside_on_writing(home, capsys, value):
    write(value)
    content = progress.path().read_bytes()
    for _ in range(2):
        assert progress.load() == EMPTY
    assert progress.path().read_bytes() == content
    assert capsys.readouterr().err.count("\n") == 1
    assert progress.passed_exercise("soften", "01_soft_labels") is True
    assert progress.load()["exercises"].keys() == {"soften"}
    assert (home / "progress.damaged-1.json").read_bytes() == content
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(home / "progress.damaged-1.json") in said


def test_no_damaged_file_replaces_another_and_a_folder_is_moved_as_well(home):
    for number in (1, 2):
        write(b"broken %d" % number)
        assert progress.answered_quiz("final", 1, 2)
    progress.path().unlink()
    progress.path().mkdir()
    (progress.path() / "note").write_text("something of the user's")
    assert progress.load() == EMPTY
    assert progress.answered_quiz("final", 1, 2)
    assert [(home / f"progress.damaged-{n}.json").read_text() for n in (1, 2)] == ["broken 1", "broken 2"]
    assert (home / "progress.damaged-3.json" / "note").read_text() == "something of the user's"


@pytest.mark.parametrize("value", [{"version": 2, "passed": ["soften"]}, {**SOUND, "version": 2}, {"version": 1.5}])
def test_the_file_of_a_newer_version_is_left_alone(home, capsys, value):
    write(value)
    assert progress.passed_exercise("soften", "01_soft_labels") is False
    assert progress.answered_quiz("final", 1, 2) is False
    assert progress.load() == EMPTY
    assert on_disk() == value
    assert set(os.listdir(home)) == {"progress.json", "progress.lock"}
    assert "is of a newer version of the course; it is left as it is" in capsys.readouterr().err


# ---- the table ----

EXERCISES = {"kd_loss": "02_temperature", "soften": "01_soft_labels", "stray": "", "entropy": "01_soft_labels"}
QUIZZES = {"final": (None, 5), "01_soft_labels": ("01_soft_labels", 7)}


def test_the_table_has_a_row_for_all_there_is_and_was_in_the_order_of_the_lessons():
    write({**SOUND, "exercises": {"gone": {**EXERCISE, "lesson": "00_gone"}, **SOUND["exercises"]}})
    table = progress.table(EXERCISES, QUIZZES)
    assert table.columns.tolist() == ["lesson", "kind", "name", "done", "score", "when"]
    assert table[["lesson", "kind", "name", "done"]].values.tolist() == [
        ["01_soft_labels", "exercise", "soften", True],
        ["01_soft_labels", "exercise", "entropy", False],
        ["01_soft_labels", "quiz", "01_soft_labels", False],
        ["02_temperature", "exercise", "kd_loss", False],
        ["", "exercise", "stray", False],
        ["", "quiz", "final", True],
        ["00_gone", "exercise", "gone", True],
    ]
    assert table["score"].dropna().to_dict() == {5: 0.8}
    assert table["when"].dropna().to_dict() == dict.fromkeys([0, 5, 6], pd.Timestamp(TIMES[0]))
    assert str(table["when"].dt.tz) == "UTC"
    assert progress.table({}, {}).iloc[:0].dtypes.iloc[3:].equals(table.dtypes.iloc[3:])
    grown = progress.table({}, {"final": (None, 6)}).set_index("name")  # by a question: open again, with its score
    assert grown.loc["final", ["done", "score"]].tolist() == [False, 0.8]


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_clock_that_was_wrong_does_not_break_the_table(year):
    write({**SOUND, "exercises": {"soften": {**EXERCISE, "first": f"{year}-12-31T23:59:59+00:00"}}})
    table = progress.table(EXERCISES, QUIZZES)
    assert table["when"][0].year == int(year)
    assert progress.show(table)
    assert f"{year}-12-31T23:59:59+00:00" in progress.export(table, "csv")


def test_next_up_is_the_first_that_is_open_and_at_the_end_there_is_none():
    def said():
        return progress.next_up(progress.table({"soften": "01_soft_labels"}, {"final": (None, 5)}))

    assert progress.next_up(progress.table({}, {})) == "There are no exercises and no quizzes yet"
    assert said() == "Next: exercise soften in 01_soft_labels"
    progress.passed_exercise("soften", "01_soft_labels")
    assert said() == "Next: quiz final"
    progress.answered_quiz("final", 1, 5)
    assert said() == "Everything is done"


def test_the_text_says_what_is_done_and_fits_into_80_columns():
    progress.passed_exercise("soften", "01_soft_labels")
    progress.answered_quiz("q" * 90, 100, 100, lesson="x" * 90)
    lines = progress.show(progress.table(EXERCISES, QUIZZES)).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[:3:2] for line in lines[2:4]] == [["done", "soften"], ["open", "entropy"]]
    assert "of no lesson" in lines
    assert lines[-1].split()[-2] == "100%"


def test_an_export_says_the_same_as_the_table_and_names_no_person(home, monkeypatch):
    monkeypatch.setenv("USER", "a-person")
    monkeypatch.setattr(overview, "now", lambda: TIMES[8])
    write({**SOUND, "exercises": {'a "b", c': EXERCISE}})
    table = progress.table(EXERCISES, QUIZZES)
    texts = {format: progress.export(table, format) for format in ("csv", "json")}
    as_csv, as_json = list(csv.DictReader(io.StringIO(texts["csv"]))), json.loads(texts["json"])
    for rows in (as_csv, as_json):
        assert [row["name"] for row in rows] == table["name"].tolist()
        assert [str(row["done"]) for row in rows] == table["done"].map(str).tolist()
        assert {(row["course_version"], row["exported"]) for row in rows} == {(kdcourse.__version__, TIMES[8][:10])}
        assert all(list(row) == [*table.columns, "course_version", "exported"] for row in rows)
    for row in (as_csv[5], as_json[5]):
        assert (row["name"], float(row["score"]), row["when"]) == ("final", 0.8, TIMES[0])
    assert [as_csv[0]["score"], as_csv[0]["when"], as_json[0]["score"], as_json[0]["when"]] == ["", "", None, None]
    assert not re.search("|".join(map(re.escape, ("a-person", socket.gethostname(), str(home)))), str(texts))


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
    assert {row[2] for row in rows if row[0] == "done"} == {"soften", "final"}
    assert re.search(r"\n\nNext: exercise \w+ in 00_start_here\n$", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_export_goes_to_the_screen_or_into_a_file(command, tmp_path):
    write(b"broken")  # is said on stderr, and does not get into the export
    out = tmp_path / "new folder" / "progress.csv"
    printed = command("--export", "csv").stdout
    done = command("--export", "csv", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.read_bytes().decode() == printed
    assert re.search(r"^\d+ rows are in ", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--export", "xml"], "format must be one of 'csv', 'json', got 'xml'"),
        (["--out", "progress.csv"], "needs --export csv or --export json beside it"),
        (["--export", "csv", "--out", "."], "is a directory"),
        (["--export", "csv", "--out", f"{__file__}/progress.csv"], "cannot be written"),
    ],
)
def test_mistakes_at_the_command_get_a_sentence(command, arguments, message):
    done = command(*arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)


# ---- the certificate ----


def cells(page):
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page, flags=re.S)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.split(r"</t[hd]>", row)[:-1]] for row in rows]


def test_the_certificate_says_what_was_done_when_and_with_which_version(clock):
    progress.passed_exercise("soften", "01_soft_labels")
    progress.answered_quiz("01_soft_labels", 5, 6, "01_soft_labels")
    progress.answered_quiz("final", 3, 4)
    exercises = {"soften": "01_soft_labels", "kd_loss": "03_blended_loss"}
    quizzes = {"01_soft_labels": ("01_soft_labels", 6), "final": (None, 15), "vocabulary": (None, 5)}
    page = progress.certificate(progress.table(exercises, quizzes))
    assert cells(page) == [
        ["01_soft_labels", "1 of 1: soften", "83 %", TIMES[1][:10]],
        ["03_blended_loss", "0 of 1", "–", "–"],
        ["of no lesson", "–", "final 75 % (of fewer questions), vocabulary open", TIMES[2][:10]],
    ]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))
    for said in ("1 of 2 exercises", "1 of 3 quizzes", f"{TIMES[0][:10]} to {TIMES[2][:10]}", "In progress."):
        assert said in words
    assert f"kdcourse {kdcourse.__version__}, {TIMES[3][:10]}" in words


def test_a_certificate_of_everything_says_so_and_one_of_nothing_does_not(clock):
    assert "In progress." in progress.certificate(progress.table({}, {}))
    progress.passed_exercise("soften", "01_soft_labels")
    assert "Everything is done." in progress.certificate(progress.table({"soften": "01_soft_labels"}, {}))


def test_the_certificate_asks_nothing_of_the_network_holds_nothing_personal_and_no_markup_of_names(home, monkeypatch):
    monkeypatch.setenv("USER", "grace-hopper")
    progress.passed_exercise("<script>x</script>", "01_soft_labels")
    page = progress.certificate(progress.table({}, {}))
    assert "&lt;script&gt;x" in page
    for absent in ("<script", "http:", "https:", str(home), "grace-hopper", socket.gethostname()):
        assert absent not in page


def test_the_command_writes_the_certificate_and_takes_no_export_beside_it(tmp_path):
    runner, out = CliRunner(), tmp_path / "sub" / "done.html"
    done = runner.invoke(cli.app, ["progress", "--html", str(out)])
    assert (done.exit_code, done.output) == (0, f"the page is {out}\n")
    assert f"of {len(check.EXERCISES)}</strong> exercises" in out.read_text(encoding="utf-8")
    assert runner.invoke(cli.app, ["progress", "--html", str(out), "--export", "csv"]).exit_code == 2
    assert runner.invoke(cli.app, ["progress", "--html", str(tmp_path)]).exit_code == 2
