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

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from kdcourse import cli
from kdcourse.audit import audit, command
from kdcourse.audit.command import parse_slice
from kdcourse.audit.inputs import files

pytestmark = pytest.mark.slow  # a process for every command

N = 400
ASKED = ["--label", "y", "--teacher", "teacher", "--student", "student"]
BY_GROUP = [*ASKED, "--slice", "group"]


def columns(**more):
    """Two groups of 200; in "hard" the student loses 25 points, in "easy" none."""
    rows = range(N)
    truth = [k % 2 for k in rows]
    group = ["hard" if k < N // 2 else "easy" for k in rows]
    student = [t ^ (k < N // 2 and k % 4 == 0) for k, t in enumerate(truth)]
    length = [float(k % 100) for k in rows]
    return {"id": list(rows), "y": truth, "teacher": truth, "student": student, "group": group, "length": length} | more


def probabilities(name, chosen, classes=(0, 1), sure=0.9):
    return {f"{name}_{one}": [sure if place == k else 1 - sure for k in chosen] for place, one in enumerate(classes)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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
    """{level: row} of the JSON that the command writes, and all of it."""
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


def test_the_command_prints_the_table_and_writes_every_report():
    path = write_csv("p.csv", columns(baseline=[0] * N))
    status, printed, _ = run(
        *[path, *BY_GROUP, "--baseline", "baseline", "--id", "id", "--slice", "length:4"],
        *["--max-gap", "0.03", "--html", "a/r.html", "--json", "r.json", "--markdown", "r.md"],
    )
    assert status == 1
    lines = printed.splitlines()
    assert re.split(r"\s{2,}", lines[1])[:4] == ["group", "hard", "flag", "200"]
    assert lines[-4].startswith(
        "0 of 6 slices shown safe, 5 over the limit (worst: group = hard), 1 undecided; all examples together over"
    )
    assert lines[-3:] == ["written: a/r.html", "written: r.json", "written: r.md"]
    assert "group = hard" in Path("a/r.html").read_text(encoding="utf-8")
    assert "| group | hard | **flag** | 200 |" in Path("r.md").read_text(encoding="utf-8")
    found = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert (found["status"], found["settings"]["max_gap"]) == (1, 0.03)
    assert (found["rows"][0]["gap"], found["rows"][0]["over_baseline"]) == (0.25, 0.25)


def test_a_file_and_the_same_arrays_give_the_same_report():
    table = columns()
    report = audit(
        table["y"], table["teacher"], table["student"], pd.DataFrame({"g": table["group"], "x": table["length"]})
    )
    for path in [write_csv("p.csv", table), write_parquet("p.parquet", table)]:
        status, _, _ = run(path, *BY_GROUP, "--slice", "length", "--json", "out.json")
        found = json.loads(Path("out.json").read_text())
        assert status == report.status
        for name in ["level", "n", "teacher", "student", "gap", "low", "high", "max_gap", "verdict"]:
            assert [row[name] for row in found["rows"]] == report.table[name].tolist(), name
        assert found["settings"]["classes"] == [0, 1]


@pytest.mark.parametrize("read", [True, False])
def test_the_status_stands_whatever_the_terminal_knows_and_if_nobody_reads_to_the_end(read):
    path = write_csv("p.csv", columns(group=["é×–" if k % 2 else "x" for k in range(N)]))
    reading, writing = os.pipe()
    if not read:
        os.close(reading)
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "NO_COLOR": "1", "COLUMNS": "200"}
    process = subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", "audit", path, *BY_GROUP, "--max-gap", "0.9"],
        env={**os.environ, **ascii_only},
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, b"")
    if read:
        with open(reading, "rb") as printed:
            assert b"\\xe9\\xd7\\u2013" in printed.read()


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_a_fault_of_our_own_is_not_taken_for_a_flag(monkeypatch, error):
    def broken(*arguments, **options):
        raise error("a fault of our own")

    monkeypatch.setattr(command, "audit", broken)
    status, printed, said = run(write_csv("p.csv", columns()), *BY_GROUP)
    assert (status, printed) == (2, "")
    assert f"{error.__name__}: a fault of our own" in said


def test_an_audit_imports_nothing_that_it_does_not_need():
    path = write_csv("p.csv", columns())
    code = """if True:
        import sys
        from kdcourse import cli
        course = {"IPython", "anywidget", "ipykernel", "ipywidgets", "jupyterlab", "nbconvert", "nbformat", "papermill"}
        heavy = {"torch", "sklearn", "joblib", "psutil", "scipy.stats", *course}
        def loaded(names):
            print(sorted(names & set(sys.modules)), file=sys.stderr)
        loaded({"pyarrow", "pandas", "kdcourse.audit"})
        for page in ([], ["--html", "r.html"]):
            try:
                cli.app([*sys.argv[1:], *page], standalone_mode=True)
            except SystemExit as left:
                assert left.code == 1
            loaded({"pandas", "matplotlib", "jinja2", *heavy})
        """
    arguments = ["audit", path, *BY_GROUP, "--json", "r.json", "--markdown", "r.md"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.stderr.splitlines() == ["[]", "['pandas']", "['jinja2', 'matplotlib', 'pandas']"]


def test_the_help_names_the_file_and_the_defaults_that_hold():
    _, printed, _ = run("--help")
    text = re.sub(r"[\s│]+", " ", printed)
    assert re.search(r"audit \[OPTIONS\] \W?FILE\b", text)  # some versions of Typer put it between braces
    assert run(*BY_GROUP)[2].endswith("Missing argument 'FILE'. ")
    defaults = {name: one.default for name, one in inspect.signature(audit).parameters.items()}
    assert f"a share; {defaults['max_gap']} if not said" in text
    assert f"Smallest slice to judge; {defaults['min_samples']} if not said" in text
    assert f"Of all verdicts together; {defaults['confidence']} if not said" in text


# ---- slices ----

NAMES = ["group", "length", "a:4", "b*c", "b", "c"]


@pytest.mark.parametrize(
    ("text", "parts", "crossed"),
    [
        ("group", [("group", None)], False),
        ("length:-1.5,2e3,1e4", [("length", [-1.5, 2000.0, 10000.0])], False),
        ("group*length:4", [("group", None), ("length", 4)], True),
        ("length:1,2 * group:levels", [("length", [1.0, 2.0]), ("group", 0)], True),
        ("a:4", [("a:4", None)], False),
        ("b*c", [("b*c", None)], False),
        ("a:4:5", [("a:4", 5)], False),
        ("b * c", [("b", None), ("c", None)], True),
    ],
)
def test_a_slice_is_a_column_and_how_to_cut_it(text, parts, crossed):
    assert parse_slice(text, NAMES) == (parts, crossed)


def test_crossings_and_bins_come_out_as_asked():
    path = write_csv("p.csv", columns())
    rows, found = rows_of(path, *ASKED, "--slice", "group*length:20,50", "--slice", "length", "--min-samples", "10")
    assert found["settings"]["slices"] == ["group", "length", "group × length"]
    bins = {level: rows[level]["n"] for level in ["< 20", "20 – 50", ">= 50"]}
    assert bins == {"< 20": 80, "20 – 50": 120, ">= 50": 200}
    assert rows["hard × 20 – 50"]["n"] == 60


# ---- classes and levels as they are written ----


@pytest.mark.parametrize(
    ("written", "how", "levels"),
    [
        (["01", "1", "NA", "", " x", "1.0", "nan", "007"], "group",
         ["01", "1", "NA", "(missing)", " x", "1.0", "nan", "007"]),
        (["1", "1.0"], "group:levels", ["1", "1.0"]),
        (["NA", "", *range(8)], "group:5,7,7.5", ["(missing)", "< 5", "5 – 7", "7 – 7.5"]),
    ],
)  # fmt: skip
def test_levels_stay_as_they_are_written_and_what_is_missing_is_one(written, how, levels):
    groups = [written[k % len(written)] for k in range(N)]
    rows, _ = rows_of(write_csv("p.csv", columns(group=groups)), *ASKED, "--slice", how)
    assert set(rows) == {*levels, "all"}


def test_a_column_can_be_classes_and_numbers_at_once():
    table = columns()
    for name in ["y", "teacher", "student"]:
        table[name] = [f"0{k}" for k in table[name]]
    rows, found = rows_of(write_csv("p.csv", table), *ASKED, "--slice", "y:0.5,9")
    assert found["settings"]["classes"] == ["00", "01"]
    assert (rows["< 0.5"]["n"], rows["0.5 – 9"]["n"]) == (200, 200)


@pytest.mark.parametrize(
    ("label", "teacher", "student"),
    [
        (["0", "1"], ["0", "1"], ["0.0", "1.0"]),
        (["-1.0", "10000000000000000001"], ["-1", "10000000000000000001"], ["-1", "10000000000000000001.00"]),
        (["NA", "nan"], ["NA", "nan"], ["NA", "nan"]),
    ],
)
def test_classes_of_all_columns_are_compared_alike(label, teacher, student):
    table = columns()
    for name, written in [("y", label), ("teacher", teacher), ("student", student)]:
        table[name] = [written[k] for k in table[name]]
    rows, _ = rows_of(write_csv("p.csv", table), *BY_GROUP)
    assert (rows["all"]["teacher"], rows["all"]["student"], rows["hard"]["gap"]) == (1.0, 0.875, 0.25)


@pytest.mark.parametrize(
    ("label", "student", "said"),
    [
        (["True", "False"], ["true", "false"], "--student: must write classes as labels do, got 'false' for 'False'"),
        (["x", "1"], ["x", "1.0"], "got '1.0' for '1'"),
        (["yes", "no"], ["1", "0"], "--student: must hold the classes 'no', 'yes', got '0', '1'"),
        (["a", "b"], ["a", ""], "--student: must hold no missing values, got 250, the first in row 0"),
    ],
)
def test_classes_that_are_written_otherwise_or_missing_are_refused(label, student, said):
    table = columns()
    table["y"] = table["teacher"] = [label[k] for k in table["y"]]
    table["student"] = [student[k] for k in table["student"]]
    refused("--student", said, write_csv("p.csv", table), *BY_GROUP, "--json", "r.json")


# ---- Parquet ----


def test_parquet_columns_have_the_types_they_were_stored_with():
    table = columns()
    start = datetime.date(2026, 1, 1)
    table |= {
        "student": pa.array(table["student"], pa.float32()),
        "teacher": pa.array(table["teacher"], pa.int8()),
        "group": pa.array(table["group"]).dictionary_encode(),
        "day": [start + datetime.timedelta(days=k % 3) for k in range(N)],
        "flag": [None if k % 5 == 0 else k % 5 == 1 for k in range(N)],
        "level": pa.array([None if k % 4 == 0 else k % 4 for k in range(N)]),
        "money": [decimal.Decimal(k) / 4 for k in range(N)],
        "text": pa.array(["01", "", None, "1"] * (N // 4), pa.large_string()),
        "kind": pa.DictionaryArray.from_arrays(pa.array([k % 2 for k in range(N)]), pa.array([7, 8])),
        "a.b": ["x"] * N,
    }
    asked = ["day", "flag", "level", "money:2", "text", "kind", "a.b", "group"]
    arguments = [part for name in asked for part in ("--slice", name)]
    _, found = rows_of(write_parquet("p.bin", table), *ASKED, *arguments)  # whatever the file is called
    sizes = {(row["slice"], row["level"]): row["n"] for row in found["rows"]}
    assert sizes == {
        **{("day", f"2026-01-0{k + 1}"): 133 + (k == 0) for k in range(3)},
        **{("flag", "True"): 80, ("flag", "False"): 240, ("flag", "(missing)"): 80},
        **{("level", level): 100 for level in ["1", "2", "3", "(missing)"]},
        **{("money", "0 – 50"): 200, ("money", "50 – 99.75"): 200, ("a.b", "x"): 400},
        **{("text", "01"): 100, ("text", "1"): 100, ("text", "(missing)"): 200, ("kind", "7"): 200, ("kind", "8"): 200},
        **{("group", "hard"): 200, ("group", "easy"): 200},
    }
    assert next(row["gap"] for row in found["rows"] if row["level"] == "hard") == 0.25


def test_a_parquet_column_of_lists_is_refused():
    path = write_parquet("p.parquet", columns(group=[[k] for k in range(N)]))
    refused("--slice", "--slice: 'group' must hold single values", path, *BY_GROUP)


# ---- probabilities ----


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize("names", [["ham", "spam"], [0, 1], [False, True]])
def test_a_pattern_names_the_columns_of_the_classes(write, names):
    table = columns()
    for name in ["teacher", "student"]:
        table |= probabilities(f"{name}_p", table[name], names)
    table["y"] = [names[k] for k in table["y"]]
    order = sorted(table, key=lambda name: name == f"teacher_p_{names[0]}")  # another order than the student's
    rows, found = rows_of(
        write("p", {name: table[name] for name in order}),
        *["--label", "y", "--teacher", "teacher_p_*", "--student", "student_p_*", "--slice", "group"],
        *["--confidence-bins", "2"],
    )
    text = write is write_csv and isinstance(names[0], bool)
    assert found["settings"]["classes"] == [str(name) if text else name for name in names[::-1]]
    assert rows["hard"]["gap"] == 0.25
    assert rows["all"]["ece_teacher"] == pytest.approx(0.1)
    assert rows["all"]["ece_student"] == pytest.approx(0.025)
    assert "teacher confidence" in found["settings"]["slices"]


def test_a_column_of_that_very_name_wins_over_the_pattern():
    table = columns()
    table |= {"t_*": table["teacher"]} | probabilities("t", table["teacher"])
    path, asked = write_csv("p.csv", table), ["--label", "y", "--student", "student", "--slice", "group"]
    assert rows_of(path, *asked, "--teacher", "t_*")[0]["all"]["ece_teacher"] is None
    names = ["p_a_t", "p__t", "p_t", "q_a_t", "p_a_b_t", "p_*_t"]
    assert files.matching("p_*_t", names) == {"a": "p_a_t", "a_b": "p_a_b_t", "*": "p_*_t"}


HALF = [0.5] * N


@pytest.mark.parametrize(
    ("change", "option", "said"),
    [
        ({}, "--teacher", "the columns of two classes or more, got 'p_*', which matches []; there are 'id', 'y'"),
        ({"p_0": [0.9] * N, "p_1": [0.2] * N}, "--teacher", "must be probabilities that sum to 1 in each row"),
        ({"p_0": [0.5, "?", *HALF[2:]], "p_1": HALF}, "--teacher", ": 'p_0' must hold numbers, got '?' in row 1"),
        ({"p_0": HALF, "p_2": HALF}, "--label", "--label: must be among the classes 0, 2"),
        ({"p_0": HALF, "p_1": HALF, "q_0": HALF, "q_2": HALF}, "--baseline",
         "--baseline: must have the classes of teacher, but only one has '1', '2'"),
    ],
)  # fmt: skip
def test_bad_probabilities_are_refused(change, option, said):
    asked = ["--label", "y", "--teacher", "p_*", "--student", "student", "--slice", "group", "--json", "r.json"]
    asked += ["--baseline", "q_*"] if "q_0" in change else []
    refused(option, said, write_csv("p.csv", columns(**change)), *asked)


# ---- files ----


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", b"", "FILE: must be CSV or Parquet, and p.csv cannot be read: Empty CSV file"),
        ("p.csv", b"y,teacher,student,group,y\n1,1,1,a,1\n", "must have distinct column names, got 'y' twice"),
        ("p.csv", b"y,teacher,student,group\n1,1,1\n", "Expected 4 columns, got 3"),
        ("p.csv", b"y,teacher,student,group\n1,1,1,\xff\n", "invalid UTF8"),
        ("p.csv", b"PAR1 and nothing else", "must be CSV or Parquet, and p.csv cannot be read: "),
        ("p.csv.gz", b"no gzip", "p.csv.gz"),
        ("none.csv", b"", "none.csv: No such file"),
        (".", b"", "cannot be read: .: Is a directory"),
    ],
)
def test_a_file_that_is_no_table_is_refused(name, content, said):
    if name.startswith("p"):
        Path(name).write_bytes(content)
    refused("FILE", said, name, *BY_GROUP, "--html", "r.html")


def test_other_columns_are_not_even_looked_at():
    table = columns()
    rows = [",".join(map(str, row)).encode() for row in zip(*table.values(), strict=True)]
    Path("p.csv").write_bytes(
        b"junk," + ",".join(table).encode() + b"\n" + b"".join(b'"\xff\n,",%b\n' % row for row in rows)
    )
    assert rows_of("p.csv", *BY_GROUP)[0]["hard"]["gap"] == 0.25
    for path in ["p.csv", write_parquet("p.parquet", table)]:
        assert list(files.read_columns(path, ["y"])) == ["y"]


@pytest.mark.parametrize("name", ["p.csv.gz", "p.tsv", "p.tsv.gz", "bom.csv"])
def test_compressed_and_tab_separated_files_are_read(name):
    table = columns(group=['a, "quoted"\nname' if k % 2 else "b" for k in range(N)])
    write_csv("plain", table, "\t" if ".tsv" in name else ",", "utf-8-sig" if "bom" in name else "utf-8")
    content = Path("plain").read_bytes()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    rows, _ = rows_of(name, *BY_GROUP)
    assert (rows['a, "quoted"\nname']["n"], rows["b"]["gap"]) == (200, 0.25)


def test_a_file_of_many_blocks_is_read_whole():
    n = 60_000  # some megabytes: more than pyarrow reads at once
    table = {
        "y": [f"class {k % 7}" for k in range(n)],
        "student": [f"class {k % 7 if k % 11 else (k + 1) % 7}" for k in range(n)],
        "group": [f"group {k % 50}" if k < n // 2 else f"late {k % 13}" for k in range(n)],
        "unused": [k if k < n - 9 else "no number, and late" for k in range(n)],
        "padding": ["two\nlines, " * 6] * n,
    }
    table["teacher"] = table["y"]
    assert Path(write_csv("p.csv", table)).stat().st_size > 4_000_000
    rows, _ = rows_of("p.csv", *BY_GROUP)
    frame = pd.DataFrame(table)
    right = (frame["y"] == frame["student"]).groupby(frame["group"]).agg(["size", "mean"])
    found = {level: (row["n"], row["student"]) for level, row in rows.items() if level != "all"}
    assert found == {level: (size, pytest.approx(mean)) for level, size, mean in right.itertuples()}


# ---- options ----


def toml(text):
    Path("t.toml").write_text(text, encoding="utf-8")
    return ["--thresholds", "t.toml"]


def test_the_file_of_thresholds_sets_the_policy_and_options_win():
    path = write_csv("p.csv", columns())
    policy = 'max_gap = 0.3\nmin_samples = 150\nconfidence = 0.9\n[thresholds]\n"group" = 0.1\n"group=hard" = 0.4\n'
    rows, found = rows_of(path, *BY_GROUP, "--slice", "length:4", *toml(policy))
    said = ["max_gap", "min_samples", "confidence"]
    assert [found["settings"][name] for name in said] == [0.3, 150, 0.9]
    assert (rows["hard"]["max_gap"], rows["easy"]["max_gap"], rows["0 – 25"]["max_gap"]) == (0.4, 0.1, 0.3)
    assert rows["0 – 25"]["verdict"] == "too few"
    options = ["--max-gap", "0.2", "--min-samples", "7", "--confidence", "0.8"]
    _, found = rows_of(path, *BY_GROUP, *toml(policy), *options)
    assert [found["settings"][name] for name in said] == [0.2, 7, 0.8]


@pytest.mark.parametrize("written", ["1", '"1"'])
def test_the_file_of_thresholds_may_name_the_metric_too(written):
    shares = {"p_teacher": [0.9, 0.2] * (N // 2), "p_student": [0.6, 0.1] * (N // 2)}
    path = write_csv("p.csv", columns(**shares))
    policy = toml(f'metric = "recall"\npos_label = {written}\nthreshold = 0.7\nmax_gap = 0.1\n')
    by_group = ["--label", "y", "--teacher", "p_teacher", "--student", "p_student", "--slice", "group"]
    options = ["--metric", "recall", "--class", "1", "--threshold", "0.7", "--max-gap", "0.1"]
    (rows, found), (expected, _) = rows_of(path, *by_group, *policy), rows_of(path, *by_group, *options)
    assert rows == expected
    asked = {"name": "recall", "pos_label": 1, "threshold": 0.7}
    assert {name: found["metric"][name] for name in asked} == asked
    _, found = rows_of(path, *by_group, *policy, "--metric", "f1", "--threshold", "0.5")
    assert [found["metric"][name] for name in asked] == ["f1", 1, 0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('metric = "speed"', "metric must be"),
        ("threshold = 0.5\nmetric = 'auroc'", "threshold must be None for auroc, got 0.5"),
        ("pos_label = 1", "pos_label must be None for accuracy without a threshold, got 1"),
        ("max_gap = ", "--thresholds: must be valid TOML, and t.toml is not: Invalid value (at "),
        ("maxgap = 0.1", "require, waivers, correction only, got 'maxgap' in t.toml"),
        ("min_samples = 0", "--thresholds: min_samples must be an integer >= 1, got 0"),
        ("[thresholds]\nsize = 0.1", "--thresholds: thresholds must name slices, got 'size'; there are 'group'"),
    ],
)
def test_a_bad_file_of_thresholds_is_refused(text, said):
    path = write_csv("p.csv", columns())
    Path("t.toml").write_text(text, encoding="latin-1")
    refused("--thresholds", said, path, *BY_GROUP, "--thresholds", "t.toml", "--html", "r.html")


SPEED = ": must name a column, got 'speed'; there are 'id', 'y', 'teacher', 'student', 'group', 'length'"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *[(option, "speed", SPEED) for option in ("--label", "--baseline", "--slice")],
        ("--id", "group", "--id: must be unique, got 'hard' in 200 rows"),
        ("--slice", "id:levels", "--slice: 'id' must have at most 200 levels, got 400: bin its values, or group the"),
        ("--slice", "group*size", "--slice: must name a column, got 'size'"),
        (
            "--slice",
            "length:1",
            "must end in a number of bins >= 2, in edges that increase, in levels, or in year",
        ),
        ("--slice", "group*length:x", "weekday, hour, got 'length:x'"),
        ("--slice", "group*length*y", "--slice: must be crossed in pairs, got 'group*length*y'"),
        ("--slice", "text:4", "--slice: 'text' must hold numbers, got 'long' in row 6"),
        ("--slice", "length:20,50*length:4", "--slice: 'length' must be cut in one way, got [20.0, 50.0] and 4"),
        ("--max-gap", "3", "--max-gap: must be in [0, 1), got 3.0"),  # not blamed on the file that it overrides
        ("--confidence-bins", "4", "--confidence-bins: must be None unless the teacher gives probabilities"),
        ("--thresholds", "none.toml", "--thresholds: cannot be read: none.toml: No such file"),
        ("--html", "file/report", "file is no folder that can be written to"),
        ("--json", "folder", "it is a folder"),
        ("--json", "full.json", "full.json cannot be written: No space left on device"),
        ("--markdown", "./r.html", "the file of --html"),
    ],
)
def test_a_bad_option_is_named(monkeypatch, option, value, said):
    def full(handle):
        raise OSError(28, "No space left on device")

    Path("file").write_text("mine")
    Path("folder").mkdir()
    path = write_csv("p.csv", columns(text=[*range(6), "long", *range(7, N)]))
    monkeypatch.setattr(os, "fsync", full)
    before = toml("max_gap = 0.1") if option == "--max-gap" else []
    before += ["--html", "r.html"] if value == "./r.html" else []
    refused(option, said, path, *BY_GROUP, *before, option, value)
