"""`kdcourse audit`: a file of predictions in, a table and reports out, and an exit status that can be relied on."""

import csv
import datetime
import decimal
import gzip
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from kdcourse import cli
from kdcourse.audit import audit, command, predictions
from kdcourse.audit.command import parse_slice
from kdcourse.audit.predictions import matching

N = 400
ASKED = ["--label", "y", "--teacher", "teacher", "--student", "student"]


def columns(**more):
    """Two groups of 200; in "hard" the student loses 25 points, in "easy" none."""
    rows = range(N)
    truth = [k % 2 for k in rows]
    group = ["hard" if k < N // 2 else "easy" for k in rows]
    student = [t ^ (k < N // 2 and k % 4 == 0) for k, t in enumerate(truth)]
    length = [float(k % 100) for k in rows]
    return {"id": list(rows), "y": truth, "teacher": truth, "student": student, "group": group, "length": length} | more


def probabilities(name, chosen, classes=(0, 1), sure=0.9):
    return {f"{name}_{one}": [sure if one == k else 1 - sure for k in chosen] for one in classes}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_csv(path, table, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return str(path)


def write_parquet(path, table):
    parquet.write_table(pa.table(table), path)
    return str(path)


def run(*arguments):
    """(exit status, what was printed, what was said of an error, on one line)."""
    done = CliRunner().invoke(cli.app, ["audit", *map(str, arguments)], env={"COLUMNS": "2000", "NO_COLOR": "1"})
    return done.exit_code, done.stdout, re.sub(r"[\s│╭╮╰╯─]+", " ", done.stderr)


def rows_of(path, *arguments):
    """{level: row} of the JSON that the command writes."""
    status, _, said = run(path, *arguments, "--json", "out.json")
    assert status in (0, 1), said
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))
    return {row["level"]: row for row in found["rows"]} | {"all": found["overall"]}, found


def refused(option, said, *arguments):
    before = sorted(Path().rglob("*"))
    status, printed, error = run(*arguments)
    assert (status, printed) == (2, ""), error
    assert f"Invalid value for {option}: " in error
    assert said in error
    assert sorted(Path().rglob("*")) == before


# ---- the whole of it ----


def test_the_command_prints_the_table_and_writes_every_report(folder):
    path = write_csv("p.csv", columns(baseline=[0] * N))
    status, printed, _ = run(
        *[path, *ASKED, "--baseline", "baseline", "--id", "id", "--slice", "group", "--slice", "length:4"],
        *["--max-gap", "0.03", "--html", "a/r.html", "--json", "r.json", "--markdown", "r.md"],
    )
    assert status == 1
    lines = printed.splitlines()
    assert re.split(r"\s{2,}", lines[1])[:4] == ["group", "hard", "flag", "200"]
    assert lines[-4].startswith(
        "5 of 6 slices lose more than allowed, and so do all examples together; worst: group = hard"
    )
    assert lines[-3:] == ["written: a/r.html", "written: r.json", "written: r.md"]
    assert "group = hard" in Path("a/r.html").read_text(encoding="utf-8")
    assert "| group | hard | **flag** | 200 |" in Path("r.md").read_text(encoding="utf-8")
    found = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert found["status"] == 1
    assert found["settings"]["max_gap"] == 0.03
    assert found["rows"][0]["gap"] == 0.25
    assert found["rows"][0]["over_baseline"] == 0.25


def test_a_file_and_the_same_arrays_give_the_same_report(folder):
    table = columns()
    report = audit(
        table["y"], table["teacher"], table["student"], pd.DataFrame({"g": table["group"], "x": table["length"]})
    )
    for path in [write_csv("p.csv", table), write_parquet("p.parquet", table)]:
        status, _, _ = run(path, *ASKED, "--slice", "group", "--slice", "length", "--json", "out.json")
        found = json.loads(Path("out.json").read_text())
        assert status == report.status
        assert [row["level"] for row in found["rows"]] == report.table["level"].tolist()
        for name in ["n", "teacher", "student", "gap", "low", "high", "max_gap", "verdict"]:
            assert [row[name] for row in found["rows"]] == report.table[name].tolist(), name
        assert found["settings"]["classes"] == [0, 1]


def in_process_of_its_own(*arguments, **options):
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", "audit", *arguments],
        capture_output=True,
        env=environment,
        **options,
    )


@pytest.mark.parametrize(("gap", "status"), [("0.9", 0), ("0.03", 1), ("9", 2)])
def test_the_exit_status_is_a_gate(folder, gap, status):
    path = write_csv("p.csv", columns(group=["é×–" if k % 2 else "x" for k in range(N)]))
    # A terminal that knows ASCII only is no reason to fail.
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = in_process_of_its_own(path, *ASKED, "--slice", "group", "--max-gap", gap, env=ascii_only)
    assert done.returncode == status, done.stderr
    assert (done.stdout == b"") == (status == 2)
    assert (done.stderr == b"") == (status != 2)
    assert (b"\\xe9\\xd7\\u2013" in done.stdout) == (status != 2)


def test_the_status_stands_when_nobody_reads_to_the_end(folder):
    path = write_csv("p.csv", columns())
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", "audit", path, *ASKED, "--slice", "group", "--max-gap", "0.9"],
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, b"")


def test_a_fault_of_our_own_is_not_taken_for_a_flag(folder, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(command, "audit", broken)
    status, printed, said = run(write_csv("p.csv", columns()), *ASKED, "--slice", "group")
    assert (status, printed) == (2, "")
    assert "RuntimeError: a fault of our own" in said


def test_without_a_page_neither_torch_nor_matplotlib_is_waited_for(folder):
    path = write_csv("p.csv", columns())
    code = (
        "import sys\nfrom kdcourse import cli\n"
        "print(sorted({'pyarrow', 'pandas', 'kdcourse.audit'} & set(sys.modules)), file=sys.stderr)\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'matplotlib', 'jinja2', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    arguments = ["audit", path, *ASKED, "--slice", "group", "--json", "r.json", "--markdown", "r.md"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stderr.splitlines() == ["[]", "['pandas']"]


def test_the_help_names_the_defaults_that_hold():
    _, printed, _ = run("--help")
    text = re.sub(r"[\s│]+", " ", printed)
    defaults = {name: one.default for name, one in inspect.signature(audit).parameters.items()}
    assert f"a share; {defaults['max_gap']} if not said" in text
    assert f"Smallest slice to judge; {defaults['min_samples']} if not said" in text
    assert f"Of all verdicts together; {defaults['confidence']} if not said" in text


# ---- slices ----

NAMES = ["group", "length", "a:4", "b*c", "b", "c", "d:levels*e"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("group", ([("group", None)], False)),
        ("length:4", ([("length", 4)], False)),
        ("length:10,100,1000", ([("length", [10.0, 100.0, 1000.0])], False)),
        ("length:-1.5,2e3", ([("length", [-1.5, 2000.0])], False)),
        ("length:levels", ([("length", 0)], False)),
        ("group*length:4", ([("group", None), ("length", 4)], True)),
        ("length:1,2 * group:levels", ([("length", [1.0, 2.0]), ("group", 0)], True)),
        ("a:4", ([("a:4", None)], False)),
        ("a:4:5", ([("a:4", 5)], False)),
        ("b*c", ([("b*c", None)], False)),
        ("b*c*group", ([("b*c", None), ("group", None)], True)),
        ("b * c", ([("b", None), ("c", None)], True)),
        ("d:levels*e", ([("d:levels*e", None)], False)),
    ],
)
def test_a_slice_is_a_column_and_how_to_cut_it(text, read):
    assert parse_slice(text, NAMES) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size", "there is no column 'size'; the columns are 'group', 'length', 'a:4'"),
        ("size:4", "there is no column 'size'; the columns are"),
        ("group*size", "there is no column 'size'; the columns are"),
        ("length:1", "'length:1' must end in a number of bins >= 2, in edges that increase, or in levels, got '1'"),
        ("length:four", "or in levels, got 'four'"),
        ("length:", "or in levels, got ''"),
        ("group*length:x", "'length:x' must end in a number of bins"),
        ("group*length*b", "a crossing must be of two columns, got 'group*length*b'"),
    ],
)
def test_a_slice_that_cannot_be_read_is_explained(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_slice(text, NAMES)


def test_what_can_be_read_in_two_ways_is_refused():
    with pytest.raises(ValueError, match=re.escape("'a*b*c' can be read in 2 ways")):
        parse_slice("a*b*c", ["a", "b*c", "a*b", "c"])


def test_crossings_and_bins_come_out_as_asked(folder):
    path = write_csv("p.csv", columns())
    rows, found = rows_of(path, *ASKED, "--slice", "group*length:20,50", "--slice", "length", "--min-samples", "10")
    assert found["settings"]["slices"] == ["group", "length", "group × length"]
    assert {level: rows[level]["n"] for level in ["< 20", "20 – 50", ">= 50"]} == {
        "< 20": 80,
        "20 – 50": 120,
        ">= 50": 200,
    }
    assert rows["hard × 20 – 50"]["n"] == 60
    refused(
        "--slice", "'length' must be cut in one way, got 4 and [20.0, 50.0]",
        path, *ASKED, "--slice", "length:4", "--slice", "length:20,50",
    )  # fmt: skip


def test_numbers_are_levels_when_asked(folder):
    path = write_csv("p.csv", columns(year=[2000 + k % 20 for k in range(N)]))
    binned, _ = rows_of(path, *ASKED, "--slice", "year")
    assert len(binned) == 5
    levels, _ = rows_of(path, *ASKED, "--slice", "year:levels")
    assert {level: row["n"] for level, row in levels.items()} == {**{str(2000 + k): 20 for k in range(20)}, "all": N}
    refused(
        "--slice", "'id' must have at most 200 levels, got 400: bin its values, or group the rare ones",
        path, *ASKED, "--slice", "id:levels", "--json", "r.json",
    )  # fmt: skip


@pytest.mark.parametrize("bins", ["4", "20,50"])
def test_text_cannot_be_binned(folder, bins):
    table = columns()
    table["length"][6] = "long"
    path = write_csv("p.csv", table)
    said = "column 'length' must hold numbers, got 'long' in row 7"
    refused("--slice", said, path, *ASKED, "--slice", "group", "--slice", f"length:{bins}")


def test_edges_must_increase(folder):
    refused("--slice", "bins['length'] must be", write_csv("p.csv", columns()), *ASKED, "--slice", "length:50,20")


# ---- classes and levels as they are written ----


def test_a_level_stays_as_it_is_written(folder):
    groups = ["01", "1", "NA", "", " x", "1.0", "nan", "007"]
    path = write_csv("p.csv", columns(group=[groups[k % 8] for k in range(N)]))
    rows, found = rows_of(path, *ASKED, "--slice", "group")
    assert {*rows} == {"01", "1", "NA", "(missing)", " x", "1.0", "nan", "007", "all"}
    assert {row["n"] for level, row in rows.items() if level != "all"} == {50}
    assert any("no value for 50 examples" in note for note in found["notes"])


def test_leading_zeros_make_names_and_not_numbers(folder):
    path = write_csv("p.csv", columns(code=[f"{k % 20:02}" for k in range(N)]))
    rows, _ = rows_of(path, *ASKED, "--slice", "code", "--min-samples", "10")
    assert {level: row["n"] for level, row in rows.items()} == {**{f"{k:02}": 20 for k in range(20)}, "all": N}


def test_levels_that_are_asked_for_stay_as_they_are_written(folder):
    path = write_csv("p.csv", columns(code=["1.0" if k % 4 else "1" for k in range(N)]))
    rows, _ = rows_of(path, *ASKED, "--slice", "code:levels")
    assert (rows["1"]["n"], rows["1.0"]["n"]) == (100, 300)


def test_a_column_can_be_classes_and_numbers_at_once(folder):
    table = columns()
    for name in ["y", "teacher", "student"]:
        table[name] = [f"0{k}" for k in table[name]]
    rows, found = rows_of(write_csv("p.csv", table), *ASKED, "--slice", "y:0.5,9")
    assert found["settings"]["classes"] == ["00", "01"]
    assert (rows["< 0.5"]["n"], rows["0.5 – 9"]["n"]) == (200, 200)


def test_missing_numbers_are_a_level_of_their_own(folder):
    table = columns()
    table["length"] = ["NA" if k % 8 == 0 else "" if k % 8 == 1 else k % 100 for k in range(N)]
    for how in ["length", "length:4", "length:50,60"]:
        rows, _ = rows_of(write_csv("p.csv", table), *ASKED, "--slice", how, "--min-samples", "10")
        assert rows["(missing)"]["n"] == 100


@pytest.mark.parametrize(
    ("label", "teacher", "student"),
    [
        (["0", "1"], ["0", "1"], ["0.0", "1.0"]),
        (["0.0", "1.0"], ["0", "1"], ["0", "1.00"]),
        (["-1", "1"], ["-1.0", "1"], ["-1", "1"]),
        (["True", "False"], ["True", "False"], ["True", "False"]),
        (["01", "02"], ["01", "02"], ["01", "02"]),
        (["NA", "nan"], ["NA", "nan"], ["NA", "nan"]),
        (["a b", "1"], ["a b", "1"], ["a b", "1"]),
    ],
)
def test_classes_of_all_columns_are_compared_alike(folder, label, teacher, student):
    table = columns()
    for name, written in [("y", label), ("teacher", teacher), ("student", student)]:
        table[name] = [written[k] for k in table[name]]
    rows, _ = rows_of(write_csv("p.csv", table), *ASKED, "--slice", "group")
    assert (rows["all"]["teacher"], rows["all"]["student"]) == (1.0, 0.875)
    assert rows["hard"]["gap"] == 0.25


@pytest.mark.parametrize(
    ("label", "student", "said"),
    [
        (["True", "False"], ["true", "false"], "'student' must write classes as 'y' does, got 'false' for 'False'"),
        (["01", "02"], ["1", "2"], "'student' must write classes as 'y' does, got '1' for '01'"),
        (["a", "b"], ["a ", "b"], "'student' must write classes as 'y' does, got 'a ' for 'a'"),
        (["yes", "no"], ["1", "0"], "'student' must hold classes of 'y', got '0', '1'; the classes are 'no', 'yes'"),
        (["x", "1"], ["x", "1.0"], "'student' must write classes as 'y' does, got '1.0' for '1'"),
    ],
)
def test_classes_that_are_written_otherwise_are_refused(folder, label, student, said):
    table = columns()
    table["y"] = table["teacher"] = [label[k] for k in table["y"]]
    table["student"] = [student[k] for k in table["student"]]
    refused("--label, --teacher, --student", said, write_csv("p.csv", table), *ASKED, "--slice", "group")


@pytest.mark.parametrize("name", ["y", "teacher", "student"])
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_an_empty_cell_among_the_classes_is_refused(folder, name, write):
    table = columns()
    table[name] = [None if k in (4, 9) else value for k, value in enumerate(table[name])]
    said = f"column '{name}' must have a value in each row, got 2 that are empty, the first in row 5"
    refused("--label, --teacher, --student", said, write("p", table), *ASKED, "--slice", "group", "--markdown", "r.md")


def test_a_class_that_only_predictions_have_is_noted(folder):
    table = columns()
    table["student"] = [2 if k < 8 else value for k, value in enumerate(table["student"])]
    _, found = rows_of(write_csv("p.csv", table), *ASKED, "--slice", "group")
    assert "student predicts a class that no label has, 2, for 8 examples." in found["notes"]


# ---- Parquet ----


def test_parquet_columns_have_the_types_they_were_stored_with(folder):
    table = columns()
    start = datetime.date(2026, 1, 1)
    table |= {
        "student": pa.array(table["student"], pa.float32()),
        "teacher": pa.array(table["teacher"], pa.int8()),
        "group": pa.array(table["group"]).dictionary_encode(),
        "day": [start + datetime.timedelta(days=k % 3) for k in range(N)],
        "flag": [k % 5 == 0 for k in range(N)],
        "level": pa.array([None if k % 4 == 0 else k % 4 for k in range(N)]),
        "money": [decimal.Decimal(k) / 4 for k in range(N)],
        "text": pa.array(["01"] * N, pa.large_string()),
        "kind": pa.DictionaryArray.from_arrays(pa.array([k % 2 for k in range(N)]), pa.array([7, 8])),
        "a.b": ["x"] * N,
    }
    asked = ["day", "flag", "level", "money:2", "text", "kind", "a.b", "group"]
    arguments = [part for name in asked for part in ("--slice", name)]
    rows, found = rows_of(write_parquet("p.bin", table), *ASKED, *arguments)  # whatever the file is called
    expected = {
        "2026-01-01": 134,
        "True": 80,
        "(missing)": 100,
        "3": 100,
        "0 – 50": 200,
        "01": 400,
        "7": 200,
        "hard": 200,
    }
    assert {level: rows[level]["n"] for level in expected} == expected
    assert rows["hard"]["gap"] == 0.25
    assert {row["slice"] for row in found["rows"]} == {name.split(":")[0] for name in asked}


def test_missing_text_of_parquet_is_a_level_of_its_own(folder):
    table = columns(group=["x" if k % 8 > 1 else "" if k % 8 else None for k in range(N - 1, -1, -1)])
    rows, _ = rows_of(write_parquet("p", table), *ASKED, "--slice", "group")
    assert (rows["(missing)"]["n"], rows["x"]["n"]) == (100, 300)


def test_parquet_classes_of_other_types_are_refused(folder):
    table = columns()
    text = columns(student=[str(k) for k in table["student"]])
    refused("--student", "student must be numbers", write_parquet("p.parquet", text), *ASKED, "--slice", "group")
    nested = columns(group=[[k] for k in range(N)])
    refused("PREDICTIONS", "column 'group' must hold", write_parquet("p.parquet", nested), *ASKED, "--slice", "group")


# ---- probabilities ----


def test_a_pattern_names_the_columns_of_the_classes(folder):
    table = columns()
    names = {0: "ham", 1: "spam"}
    for name in ["teacher", "student"]:
        table |= {f"{name}_{names[k]}": values for k, values in enumerate(probabilities(name, table[name]).values())}
    table["y"] = [names[k] for k in table["y"]]
    order = sorted(table, key=lambda name: name == "teacher_ham")  # another order than the student's
    table = {name: table[name] for name in order}
    path = write_csv("p.csv", table)
    rows, found = rows_of(
        *[path, "--label", "y", "--teacher", "teacher_*", "--student", "student_*", "--slice", "group"],
        *["--confidence-bins", "2"],
    )
    assert found["settings"]["classes"] == ["spam", "ham"]
    assert rows["hard"]["gap"] == 0.25
    assert rows["all"]["ece_teacher"] == pytest.approx(0.1)
    assert rows["all"]["ece_student"] == pytest.approx(0.025)
    assert "teacher confidence" in found["settings"]["slices"]


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_classes_that_are_numbers_meet_labels_that_are(folder, write):
    table = columns()
    table |= probabilities("t", table["teacher"]) | probabilities("s", table["student"])
    rows, found = rows_of(write("p", table), "--label", "y", "--teacher", "t_*", "--student", "s_*", "--slice", "group")
    assert found["settings"]["classes"] == [0, 1]
    assert rows["hard"]["gap"] == 0.25
    rows, _ = rows_of(write("p", table), "--label", "y", "--teacher", "t_*", "--student", "student", "--slice", "group")
    assert rows["hard"]["gap"] == 0.25


def test_boolean_labels_of_parquet_meet_their_columns(folder):
    table = columns()
    for name in ["teacher", "student"]:
        one = probabilities(name, table[name])
        table |= {f"{name}_False": one[f"{name}_0"], f"{name}_True": one[f"{name}_1"]}
    table["y"] = [bool(k) for k in table["y"]]
    asked = ["--label", "y", "--teacher", "teacher_*", "--student", "student_*", "--slice", "group"]
    rows, _ = rows_of(write_parquet("p", table), *asked)
    assert rows["hard"]["gap"] == 0.25


def test_a_column_of_that_very_name_wins_over_the_pattern(folder):
    table = columns()
    table["t_*"] = table["teacher"]
    table |= probabilities("t", table["teacher"])
    rows, found = rows_of(
        write_csv("p.csv", table), "--label", "y", "--teacher", "t_*", "--student", "student", "--slice", "group"
    )
    assert rows["all"]["ece_teacher"] is None


def test_matching_takes_what_the_star_stands_for():
    assert matching("p_*_t", ["p_a_t", "p__t", "p_t", "q_a_t", "p_a_b_t", "p_*_t"]) == {
        "a": "p_a_t",
        "a_b": "p_a_b_t",
        "*": "p_*_t",
    }


@pytest.mark.parametrize(
    ("change", "option", "said"),
    [
        ({}, "--teacher", "'p_*' must match the columns of two classes or more, got []; the columns are 'id', 'y'"),
        ({"p_0": [1.0] * N}, "--teacher", "must match the columns of two classes or more, got ['p_0']"),
        (
            {"p_0": [0.9] * N, "p_1": [0.2] * N},
            "--teacher",
            "probabilities that sum to 1 in each row, got 1.1 in row 0",
        ),
        ({"p_0": [1.5] * N, "p_1": [-0.5] * N}, "--teacher", "must be probabilities in [0, 1], got 1.5"),
        ({"p_0": ["", *[0.5] * (N - 1)], "p_1": [0.5] * N}, "--teacher", "got nan in row 0, column 0"),
        (
            {"p_0": [0.5, "?", *[0.5] * (N - 2)], "p_1": [0.5] * N},
            "--teacher",
            "'p_0' must hold numbers, got '?' in row 2",
        ),
        ({"p_0": [0.5] * N, "p_2": [0.5] * N}, "--label", "labels must be among the classes 0, 2"),
        ({"p_a": [0.5] * N, "p_b": [0.5] * N}, "--label, --teacher, --student", "'student' must hold classes of"),
    ],
)
def test_bad_probabilities_are_refused(folder, change, option, said):
    path = write_csv("p.csv", columns(**change))
    asked = ["--label", "y", "--teacher", "p_*", "--student", "student", "--slice", "group", "--json", "r.json"]
    refused(option, said, path, *asked)


def test_models_must_have_the_same_classes(folder):
    table = columns()
    table |= probabilities("t", table["teacher"]) | probabilities("s", table["student"], classes=(0, 2))
    refused(
        "--student", "'s_*' must match the same classes as --teacher, but only one has '1', '2'",
        write_csv("p.csv", table), "--label", "y", "--teacher", "t_*", "--student", "s_*", "--slice", "group",
    )  # fmt: skip


# ---- files that are no predictions ----


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as CSV or Parquet: Empty CSV file"),
        (b"y,teacher,student,group,y\n1,1,1,a,1\n", "must have distinct column names, got 'y' twice"),
        (b"y,teacher,student,group\n1,1,1\n", "Expected 4 columns, got 3"),
        (b"y,teacher,student,group\n1,1,1,\xff\n", "invalid UTF8"),
        (b"PAR1 and nothing else", "cannot be read as CSV or Parquet: "),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder, content, said):
    Path("p.csv").write_bytes(content)
    refused("PREDICTIONS", said, "p.csv", *ASKED, "--slice", "group", "--html", "r.html")


def test_a_file_that_is_not_there_is_refused(folder):
    Path("folder").mkdir()
    refused("PREDICTIONS", "none.csv cannot be read: No such file", "none.csv", *ASKED, "--slice", "group")
    refused("PREDICTIONS", "folder cannot be read: Is a directory", "folder", *ASKED, "--slice", "group")
    Path("p.csv.gz").write_bytes(b"no gzip")
    refused("PREDICTIONS", "p.csv.gz cannot be read", "p.csv.gz", *ASKED, "--slice", "group")


def test_a_table_without_rows_is_refused(folder):
    path = write_csv("p.csv", {name: [] for name in columns()})
    refused("--label", "labels must hold at least one example, got none", path, *ASKED, "--slice", "group")


@pytest.mark.parametrize("option", ["--label", "--teacher", "--student", "--baseline", "--id", "--slice"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(folder, option):
    said = "there is no column 'speed'; the columns are 'id', 'y', 'teacher', 'student', 'group', 'length'"
    refused(option, said, write_csv("p.csv", columns()), *ASKED, "--slice", "group", option, "speed")


def test_ids_that_come_twice_are_refused(folder):
    path = write_csv("p.csv", columns(id=["a", "b", "a", *map(str, range(N - 3))]))
    refused("--id", "ids must be unique, got 'a'", path, *ASKED, "--slice", "group", "--id", "id")


def test_other_columns_are_not_even_looked_at(folder):
    table = columns()
    rows = [",".join(map(str, row)).encode() for row in zip(*table.values(), strict=True)]
    Path("p.csv").write_bytes(
        b"junk," + ",".join(table).encode() + b"\n" + b"".join(b'"\xff\n,",%b\n' % row for row in rows)
    )
    rows, _ = rows_of("p.csv", *ASKED, "--slice", "group")
    assert rows["hard"]["n"] == 200
    for path in ["p.csv", write_parquet("p.parquet", table)]:
        read = predictions._read_parquet(path, ["y"]) if "parquet" in path else predictions._read_csv(path, ["y"], ())
        assert read.column_names == ["y"]


@pytest.mark.parametrize("name", ["p.csv.gz", "p.tsv", "p.tsv.gz", "bom.csv"])
def test_compressed_and_tab_separated_files_are_read(folder, name):
    table = columns(group=['a, "quoted"\nname' if k % 2 else "b" for k in range(N)])
    write_csv("plain", table, "\t" if ".tsv" in name else ",", "utf-8-sig" if "bom" in name else "utf-8")
    content = Path("plain").read_bytes()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    rows, _ = rows_of(name, *ASKED, "--slice", "group")
    assert rows['a, "quoted"\nname']["n"] == 200
    assert rows["b"]["gap"] == 0.25


def test_a_file_of_many_blocks_is_read_whole(folder):
    n = 60_000  # some megabytes: more than pyarrow reads at once
    order = np.random.default_rng(0).permutation(n)
    table = {
        "y": [f"class {k % 7}" for k in order],
        "teacher": [f"class {k % 7}" for k in order],
        "student": [f"class {k % 7 if k % 11 else (k + 1) % 7}" for k in order],
        "group": [f"group {k % 50}" if k < n // 2 else f"late {k % 13}" for k in sorted(order)],
        "unused": [k if k < n - 9 else "no number, and late" for k in range(n)],
        "padding": ["two\nlines, " * 6] * n,
    }
    assert Path(write_csv("p.csv", table)).stat().st_size > 4_000_000
    rows, _ = rows_of("p.csv", *ASKED, "--slice", "group")
    counts = pd.Series(table["group"]).value_counts()
    assert {level: row["n"] for level, row in rows.items() if level != "all"} == counts.to_dict()
    frame = pd.DataFrame(table)
    right = (frame["y"] == frame["student"]).groupby(frame["group"]).mean()
    assert {level: row["student"] for level, row in rows.items() if level != "all"} == pytest.approx(right.to_dict())


# ---- thresholds ----


def toml(text):
    Path("t.toml").write_text(text, encoding="utf-8")
    return ["--thresholds", "t.toml"]


def test_the_file_of_thresholds_sets_the_policy_and_options_win(folder):
    path = write_csv("p.csv", columns())
    policy = 'max_gap = 0.3\nmin_samples = 150\nconfidence = 0.9\n[thresholds]\n"group" = 0.1\n"group=hard" = 0.4\n'
    rows, found = rows_of(path, *ASKED, "--slice", "group", "--slice", "length:4", *toml(policy))
    settings = found["settings"]
    assert [settings[name] for name in ("max_gap", "min_samples", "confidence")] == [0.3, 150, 0.9]
    assert (rows["hard"]["max_gap"], rows["easy"]["max_gap"], rows["0 – 25"]["max_gap"]) == (0.4, 0.1, 0.3)
    assert rows["0 – 25"]["verdict"] == "too few"
    _, found = rows_of(
        path, *ASKED, "--slice", "group", *toml(policy), "--max-gap", "0.2", "--min-samples", "7", "--confidence", "0.8"
    )
    assert [found["settings"][name] for name in ("max_gap", "min_samples", "confidence")] == [0.2, 7, 0.8]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_gap = ", "t.toml is not valid TOML: Invalid value (at "),
        ("maxgap = 0.1", "t.toml must hold max_gap, min_samples, confidence and [thresholds] only, got 'maxgap'"),
        ("max_gap = 3", "max_gap must be in [0, 1), got 3"),
        ("max_gap = '0.1'", "max_gap must be a number, got '0.1'"),
        ("min_samples = 0", "min_samples must be an integer >= 1, got 0"),
        ("confidence = 1", "confidence must be in (0, 1), got 1"),
        ("thresholds = 0.1", "thresholds must be a dict of gaps by slice"),
        ("[thresholds]\ngroup = 2", "thresholds['group'] must be in [0, 1), got 2"),
        ("[thresholds]\nsize = 0.1", "thresholds must name slices, got 'size'; there are 'group'"),
        ('[thresholds]\n"group=odd" = 0.1', "got 'group=odd'; the levels of group are 'easy', 'hard'"),
    ],
)
def test_a_bad_file_of_thresholds_is_refused(folder, text, said):
    path = write_csv("p.csv", columns())
    refused("--thresholds", said, path, *ASKED, "--slice", "group", *toml(text), "--html", "r.html")


def test_a_bad_option_is_not_blamed_on_the_file_that_it_overrides(folder):
    path = write_csv("p.csv", columns())
    refused("--max-gap", "got 3.0", path, *ASKED, "--slice", "group", *toml("max_gap = 0.1"), "--max-gap", "3")


def test_a_file_of_thresholds_that_cannot_be_read_is_refused(folder):
    path = write_csv("p.csv", columns())
    Path("t.toml").write_bytes(b"\xff")
    for name, said in [("none.toml", "none.toml cannot be read: No such file"), ("t.toml", "is not valid TOML")]:
        refused("--thresholds", said, path, *ASKED, "--slice", "group", "--thresholds", name)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--max-gap", "3", "max_gap must be in [0, 1), got 3.0"),
        ("--max-gap", "-0.1", "max_gap must be in [0, 1), got -0.1"),
        ("--min-samples", "0", "min_samples must be an integer >= 1, got 0"),
        ("--confidence", "95", "confidence must be in (0, 1), got 95.0"),
        ("--confidence-bins", "4", "confidence_bins=4 needs the teacher's probabilities"),
    ],
)
def test_a_bad_option_is_named(folder, option, value, said):
    refused(option, said, write_csv("p.csv", columns()), *ASKED, "--slice", "group", option, value, "--json", "r.json")


# ---- outputs ----


@pytest.mark.parametrize("option", ["--html", "--json", "--markdown"])
def test_what_cannot_be_written_is_refused_before_anything_is_read(folder, option):
    Path("file").write_text("mine")
    Path("folder").mkdir()
    for path, said in [
        ("file/report", "file is no folder that can be written to"),
        ("folder", "it is a folder"),
        ("none.csv", "is already the file of PREDICTIONS"),
    ]:
        refused(option, said, "none.csv", *ASKED, "--slice", "group", option, path)


def test_two_reports_cannot_be_one_file(folder):
    path = write_csv("p.csv", columns())
    refused("--json", "is already the file of --html", path, *ASKED, "--slice", "group", "--html", "r", "--json", "./r")


def test_a_disk_that_is_full_is_bad_luck_and_not_a_flag(folder, monkeypatch):
    path = write_csv("p.csv", columns())

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(
        "--json",
        "r.json cannot be written: No space left on device",
        path,
        *ASKED,
        "--slice",
        "group",
        "--json",
        "r.json",
    )
