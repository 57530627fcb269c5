"""What real files bring: probabilities for classes, look-alikes, dates, byte-order marks, outputs that are no file."""

import os
import stat
import subprocess
import sys
import threading
import unicodedata

import pandas as pd
import pytest
from typer.testing import CliRunner

from kdcourse import cli, progress, store
from kdcourse.audit import audit

ASKED = ["--label", "y", "--teacher", "teacher", "--student", "student", "--slice", "group", "--max-gap", "0.1"]
MAIN = "from kdcourse.cli import main; main()"
needs_posix = pytest.mark.skipif(os.name == "nt", reason="pipes, links and modes of POSIX")


def write(folder, columns, name="p.csv"):
    path = folder / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def run(*arguments):
    found = CliRunner().invoke(cli.app, ["audit", *map(str, arguments)], env={"COLUMNS": "2000", "NO_COLOR": "1"})
    return found.exit_code, found.stdout, " ".join(found.stderr.split())


def columns(n=200, **more):
    truth = [k % 2 for k in range(n)]
    return {"y": truth, "teacher": truth, "student": truth, "group": ["a", "b"] * (n // 2)} | more


def test_a_column_of_probabilities_is_no_column_of_classes(tmp_path):
    scores = ["1", "0.97", "0", "0.03"] * 50
    status, _, said = run(write(tmp_path, columns(student=scores)), *ASKED)
    assert status == 2
    for words in ("--student", "'0.97'" if "'0.97'" in said else "'0.03'", "a column for each class, or a threshold"):
        assert words in said
    whole = [f"{k % 2}.0" for k in range(200)]  # numbers that are whole are classes however they are written
    assert run(write(tmp_path, columns(student=whole)), *ASKED)[0] == 0
    absent = ["none", "1"] * 100  # no number, and no probability either
    assert "threshold" not in run(write(tmp_path, columns(student=absent)), *ASKED)[2]


def test_classes_that_look_alike_are_refused_and_slices_that_do_are_one(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    labels = [composed, "tea"] * 60
    for other in ([decomposed, "tea"] * 60, [composed + " ", "tea"] * 60):
        with pytest.raises(ValueError, match="student must write a class in one way.*look alike"):
            audit(labels, labels, other, {"group": ["a"] * 120})
    group = ["cat", "cat ", composed, decomposed] * 30
    report = audit(labels, labels, labels, {"group": group}, min_samples=10)
    assert report.table.set_index("level")["n"].to_dict() == {"cat": 60, composed: 60}
    assert any("levels that look alike count as one" in note for note in report.notes)


@pytest.mark.parametrize(
    ("part", "levels"),
    [
        ("month", {"2026-01": 2, "2026-02": 1, "2027-01": 1}),
        ("year", {"2026": 3, "2027": 1}),
        ("quarter", {"2026-Q1": 3, "2027-Q1": 1}),
        ("weekday", {"3 Wednesday": 1, "4 Thursday": 1, "5 Friday": 1, "7 Sunday": 1}),
        ("week", {"2026-W01": 1, "2026-W05": 2, "2026-W53": 1}),
    ],
)
def test_dates_are_cut_by_the_calendar(tmp_path, part, levels):
    days = ["2026-01-01", "2026-01-28", "2026-02-01", "2027-01-01"]
    truth = [0, 1, 0, 1]
    for values in (days, pd.to_datetime(days)):
        report = audit(truth, truth, truth, {"day": values}, bins={"day": part}, min_samples=1)
        assert report.table.set_index("level")["n"].to_dict() == levels
    path = write(tmp_path, {"y": truth, "teacher": truth, "student": truth, "day": days})
    asked = [*ASKED[:6], "--slice", f"day:{part}", "--min-samples", "1", "--json", tmp_path / "out.json"]
    assert run(path, *asked)[0] in (0, 1)
    assert {row["level"] for row in store.load_json(tmp_path / "out.json")["rows"]} == set(levels)
    with pytest.raises(ValueError, match=f"slices\\['day'\\] must hold dates, as 2026-11-30, to be cut by {part}"):
        audit(truth, truth, truth, {"day": ["soon"] * 4}, bins={"day": part})


def test_byte_order_marks_are_read_over(tmp_path, monkeypatch):
    (tmp_path / "one.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert store.load_json(tmp_path / "one.json") == {"a": 1}
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    progress.passed_exercise("soften", "01_soft_labels")
    record = tmp_path / "progress.json"
    record.write_text("\ufeff" + record.read_text(encoding="utf-8"), encoding="utf-8")
    assert "soften" in progress.load()["exercises"]


@needs_posix
def test_an_output_that_is_no_file_stays_what_it_is(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    store.save_json(pipe, {"a": 1})
    reader.join(20)
    assert (read, stat.S_ISFIFO(pipe.stat().st_mode)) == (['{\n "a": 1\n}\n'], True)
    before = os.stat("/dev/null")
    store.save_json("/dev/null", {"a": 1})
    after = os.stat("/dev/null")
    assert (stat.S_ISCHR(after.st_mode), after.st_ino) == (True, before.st_ino)
    with pytest.raises(IsADirectoryError):
        store.save_json(tmp_path, {"a": 1})


@needs_posix
def test_what_is_written_to_standard_output_stands_where_it_belongs(tmp_path):
    code = "from kdcourse import store; print('before'); store.save_json('/dev/stdout', 1); print('after')"
    with open(tmp_path / "out", "w", encoding="utf-8") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text(encoding="utf-8").split() == ["before", "1", "after"]


@needs_posix
def test_links_are_followed_modes_are_kept_and_the_umask_holds(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("1", encoding="utf-8")
    target.chmod(0o600)
    link.symlink_to(target)
    store.save_json(link, 2)
    assert (link.is_symlink(), store.load_json(target), stat.S_IMODE(target.stat().st_mode)) == (True, 2, 0o600)
    code = "import os; os.umask(0o077); from kdcourse import store; store.save_json('new.json', 1)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o600


@needs_posix
def test_a_user_without_a_home_has_a_folder_all_the_same(tmp_path):
    code = (
        "import os, pathlib; del os.environ['HOME']\n"
        "import pwd; pwd.getpwuid = lambda uid: (_ for _ in ()).throw(KeyError(uid))\n"
        "from kdcourse import progress, store; progress.load(); print(store.cache_folder('sweeps'))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KDCOURSE", "XDG"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.path.isabs(done.stdout.strip())
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("KDCOURSE_HOME", "~/here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert store.cache_folder("sweeps") == tmp_path / "here" / "sweeps"
    assert progress.path() == tmp_path / "here" / "progress.json"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["claims"], ["glossary"], ["quiz"]])
def test_a_terminal_with_few_letters_gets_escapes(command):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", MAIN, *command], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    done.stdout.decode("ascii")


@pytest.mark.slow
@needs_posix
def test_a_reader_who_has_seen_enough_ends_a_command_in_silence():
    line = f"{sys.executable} -c '{MAIN}' claims | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
