"""The exports of a class in one table: nothing is lost, nobody is mixed up, and what is damaged is named."""

import csv
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from kdcourse import cli, progress
from kdcourse.progress.gather import EXPORTED

HEAD = ",".join(EXPORTED)
DONE = "01_soft,exercise,soften,True,,2026-01-02T03:04:05+00:00,1.0,2026-01-03"
OPEN = "01_soft,quiz,01,False,0.5,,1.0,2026-01-03"


@pytest.fixture
def exports(tmp_path):
    """A function that writes {name: text} and returns the paths."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return [tmp_path / name for name in files]

    return write


def test_every_row_of_every_learner_is_there_in_the_order_of_the_files(exports):
    rows = {"zoe.csv": [DONE, OPEN], "Jürgen Müller.csv": [OPEN]}
    table, damaged = progress.gather(exports({name: "\n".join([HEAD, *lines]) for name, lines in rows.items()}))
    assert damaged == {}
    wanted = [f"{name[:-4]},{line}" for name, lines in rows.items() for line in lines]
    assert table.to_csv(index=False).splitlines() == [f"learner,{HEAD}", *wanted]


def test_json_and_what_a_spreadsheet_makes_of_a_csv_say_the_same(exports):
    (one, other) = csv.DictReader([HEAD, DONE, OPEN])
    told = [one | {"done": True, "score": None}, other | {"done": False, "score": 0.5, "when": None}]
    spreadsheet = b"\xef\xbb\xbf" + "\r\n".join([HEAD, DONE, OPEN]).replace(",", ";").replace("True", "TRUE").encode()
    files = {"a.csv": "\n".join([HEAD, DONE, OPEN]), "b.json": json.dumps(told), "c.csv": spreadsheet}
    table, damaged = progress.gather(exports(files))
    assert damaged == {}
    one, *others = [rows.drop(columns="learner").to_csv(index=False) for _, rows in table.groupby("learner")]
    assert others == [one, one]


def test_what_this_course_exports_can_be_gathered(exports, tmp_path, monkeypatch):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))  # nothing is passed yet
    table = progress.table({"soften": "01_soft_labels"}, {"final": (None, 15)})
    files = {f"{format}.{format}": progress.export(table, format) for format in ("csv", "json")}
    gathered, damaged = progress.gather(exports(files))
    assert (damaged, gathered.groupby("learner")["name"].apply(list).tolist()) == ({}, [["soften", "final"]] * 2)


def test_two_files_of_one_name_are_two_learners_and_one_file_twice_is_one(exports):
    paths = exports({"monday/anna.csv": f"{HEAD}\n{DONE}", "friday/anna.csv": f"{HEAD}\n{OPEN}"})
    table, _ = progress.gather([*paths, paths[0]])
    assert table["learner"].str.extract(r"(\w+/\w+)$")[0].tolist() == ["monday/anna", "friday/anna"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "."),
        ("name,score\na,1", "it is no export: lesson, kind, done"),
        (f"{HEAD}\n{DONE.replace('True', 'perhaps')}", "done must be true or false"),
        (b"\xff\xfe\x00\x00", "."),
        (b"PK\x03\x04 a spreadsheet", "."),
    ],
)
def test_a_damaged_file_is_named_and_the_others_are_there(exports, text, why):
    good, bad, gone = *exports({"good.csv": f"{HEAD}\n{DONE}", "bad.csv": text}), "gone.json"
    table, damaged = progress.gather([bad, good, gone])
    assert table["learner"].tolist() == ["good"]
    assert list(damaged) == [str(bad), gone]
    assert why in damaged[str(bad)] or why == "."
    assert "\n" not in "".join(damaged.values())


@pytest.mark.slow
def test_the_command_writes_the_table_and_names_what_it_left_out(exports, tmp_path):
    command = [sys.executable, "-m", "kdcourse.cli", "progress"]
    good, bad = map(str, exports({"good.csv": f"{HEAD}\n{DONE}\n{OPEN}", "bad.json": "{}"}))
    out = tmp_path / "class.csv"
    done = subprocess.run([*command, "--gather", good, bad, "--out", out], capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith(f"Left out: {bad}: ")) == (1, True)
    assert "1 learner." in done.stdout
    assert "1 of 2  good" in done.stdout
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3
    for arguments, status in ((["--gather", good], 0), (["--gather"], 2), ([good], 2)):
        assert CliRunner().invoke(cli.app, ["progress", *arguments]).exit_code == status, arguments
