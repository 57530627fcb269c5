"""What spreadsheets and warehouses export: each file is read right, or refused in one line with status 2."""

import bz2
import datetime
import gzip
import io
import lzma
import zipfile
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from typer.testing import CliRunner

from kdcourse import cli, store

# Eight examples. The student is wrong on the first of group a, and the teacher never.
TRUTH, SAID, GROUP = [0, 1] * 4, [1, 1, 0, 1, 0, 1, 0, 1], ["a", "b"] * 4
EXPECTED = {"a": (4, 1.0, 0.75), "b": (4, 1.0, 1.0)}
CLASSES = ["--label", "y", "--teacher", "teacher", "--student", "student"]
PROBABILITIES = ["--label", "y", "--teacher", "t_*", "--student", "s_*"]


def audited(path, *asked):
    """(status, {level: (n, teacher's accuracy, student's accuracy)}, what was said on standard error)."""
    out = path.parent / "out.json"
    policy = ["--max-gap", "0.9", "--min-samples", "1", "--json", out]
    found = CliRunner().invoke(cli.app, ["audit", *map(str, [path, *asked, *policy])], env={"COLUMNS": "2000"})
    said = [line.strip("│ ") for line in found.stderr.splitlines() if line.startswith("│")] or [found.stderr]
    assert len(said) == 1
    rows = store.load_json(out)["rows"] if out.exists() else []
    return found.exit_code, {row["level"]: (row["n"], row["teacher"], row["student"]) for row in rows}, said[0]


def text(*rows, header="y,teacher,student,group", end="\n"):
    """A CSV file of the eight examples, or of `rows`."""
    rows = rows or [",".join(map(str, row)) for row in zip(TRUTH, TRUTH, SAID, GROUP, strict=True)]
    return "".join(row + end for row in [header, *rows])


TABLE = {"y": TRUTH, "teacher": TRUTH, "student": SAID, "group": GROUP}


def columns(delimiter=",", **changes):
    """A CSV file of the eight examples with some columns replaced or added."""
    table = TABLE | changes
    rows = [delimiter.join(map(str, row)) for row in zip(*table.values(), strict=True)]
    return text(*rows, header=delimiter.join(table))


def probabilities(delimiter, comma):
    shares = ["1.0", "0.25"], ["0.0", "0.75"]
    rows = [
        [truth, *(share[truth] for share in shares), *(share[said] for share in shares), group]
        for truth, said, group in zip(TRUTH, SAID, GROUP, strict=True)
    ]
    lines = [delimiter.join(str(cell).replace(".", comma) for cell in row) for row in rows]
    return text(*lines, header=delimiter.join(["y", "t_0", "t_1", "s_0", "s_1", "group"]))


def named(classes):
    """The columns of the classes with other names for 0 and 1."""
    return {name: [classes[value] for value in TABLE[name]] for name in CLASSES[1::2]}


BOM = "\ufeff"
EXCEL = text(end="\r\n").replace(",", "\t").encode("utf-16")  # what Excel calls Unicode text
READ = {
    "semicolons": ("p.csv", text().replace(",", ";")),
    "tabs": ("p.csv", text().replace(",", "\t")),
    "pipes": ("p.txt", text().replace(",", "|")),
    "tabs by the name of the file": ("p.tsv", columns(x=GROUP).replace(",", "\t").replace("\tx", "\tx, y")),
    "a line that says the delimiter": ("p.csv", BOM + "sep=;\r\n" + text(end="\r\n").replace(",", ";")),
    "a line that says a comma": ("p.csv", "sep=,\n" + text()),
    "a quoted comma in the header": ("p.csv", columns(x=GROUP).replace(",", ";").replace(";x", ';"x, y"')),
    "UTF-16 with tabs": ("p.csv", EXCEL),
    "UTF-16, big end first": ("p.csv", (BOM + text()).encode("utf-16-be")),
    "UTF-16 that says the delimiter": ("p.csv", ("sep=;\n" + text().replace(",", ";")).encode("utf-16")),
    "UTF-8 with a byte-order mark": ("p.csv", BOM + text()),
    "Latin-1 in a column that nobody asks for": ("p.csv", columns(x=["é"] * 8).encode("latin-1")),
    "mixed line ends": ("p.csv", text().replace("\n", "\r\n", 3)),
    "old line ends": ("p.csv", text(end="\r")),
    "blank lines": ("p.csv", "\n" + text().replace("\n", "\n\n") + "\n\n"),
    "columns without a name": ("p.csv", text().replace("\n", ",,,\n")),
    "quoted numbers": ("p.csv", columns(y=[f'"{value}"' for value in TRUTH], student=[f'"{one}"' for one in SAID])),
    "numbers with a point": ("p.csv", columns(student=[f"{value}.0" for value in SAID])),
    "inches": ("p.csv", columns(x=['5" pipe', *"bcdefgh"])),
    "TRUE and FALSE": ("p.csv", columns(**named(["FALSE", "TRUE"]))),
    "a class called NA": ("p.csv", columns(**named(["NA", "DE"]))),
    "long numbers": ("p.csv", columns(**named([2**53, 2**53 + 1]))),
    "gzip": ("p.csv.gz", gzip.compress(text().encode())),
    "bzip2": ("p.csv.bz2", bz2.compress(text().encode())),
    "Zstandard": ("p.csv.zst", pa.compress(text().encode(), "zstd", asbytes=True)),
    "packed UTF-16": ("p.csv.gz", gzip.compress(EXCEL)),
}  # fmt: skip


def saved(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("name", "content"), READ.values(), ids=READ)
def test_a_file_is_read_right_however_it_was_exported(tmp_path, name, content):
    status, found, said = audited(saved(tmp_path, name, content), *CLASSES, "--slice", "group")
    assert (status, found, said) == (0, EXPECTED, "")


SIZES = [*CLASSES, "--slice", "group:2,6"]
THREE = {"< 2": (2, 1.0, 0.5), "2 – 6": (4, 1.0, 1.0), ">= 6": (2, 1.0, 1.0)}
MONTHS = [*CLASSES, "--slice", "group:month"]
HALVES = {"2026-01": (4, 1.0, 0.75), "2026-02": (4, 1.0, 1.0)}
ACCOUNTS = [2**53, 2**53 + 1] * 4  # as floats they are the same
TWO = {str(2**53): (4, 1.0, 0.75), str(2**53 + 1): (4, 1.0, 1.0)}
NUMBERS = {
    "probabilities": (probabilities(",", "."), [*PROBABILITIES, "--slice", "group"], EXPECTED),
    "probabilities with commas": (probabilities(";", ","), [*PROBABILITIES, "--slice", "group"], EXPECTED),
    "points": (columns(group=[f"{k}.5" for k in range(8)]), SIZES, THREE),
    "commas": (columns(";", group=[f"{k},5" for k in range(8)]), SIZES, THREE),
    "points beside semicolons": (columns(";", group=[f"{k}.5" for k in range(8)]), SIZES, THREE),
    "powers of ten": (columns(group=[f"{k}.50E+00" for k in range(8)]), SIZES, THREE),
    "a number that is missing": (columns(group=["0.5", "NULL", *range(2, 8)]), SIZES,
                                 THREE | {"< 2": (1, 1.0, 0.0), "(missing)": (1, 1.0, 1.0)}),
    "commas in whole numbers of classes": (columns(";", student=[f"{value},0" for value in SAID]),
                                           [*CLASSES, "--slice", "group"], EXPECTED),
    "long numbers": (columns(group=ACCOUNTS), [*CLASSES, "--slice", "group"], TWO),
    "time zones": (columns(group=["2026-01-31T23:30:00-05:00", "2026-02-01T00:30:00-05:00"] * 4), MONTHS, HALVES),
    "time in Greenwich": (columns(group=["2026-01-31 23:30:00Z", "2026-02-01 00:30:00Z"] * 4), MONTHS, HALVES),
}  # fmt: skip


@pytest.mark.parametrize(("content", "asked", "levels"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_and_dates_are_read_right_however_they_are_written(tmp_path, content, asked, levels):
    assert audited(saved(tmp_path, "p.csv", content), *asked) == (0, levels, "")


def gaps(values):
    return [None, *values[1:]]


WHERE_NEW_YORK_IS = pa.timestamp("us", tz="America/New_York")
ONE_MISSING = {"(missing)": (1, 1.0, 0.0), "0": (3, 1.0, 1.0), "1": (4, 1.0, 1.0)}
STORED = {
    "booleans": (named([False, True]), EXPECTED),
    "int8": ({name: pa.array(TABLE[name], pa.int8()) for name in CLASSES[1::2]}, EXPECTED),
    "beyond the floats": (named([2**53, 2**53 + 1]), EXPECTED),
    "uint64": ({name: pa.array(one, pa.uint64()) for name, one in named([2**63, 2**63 + 1]).items()}, EXPECTED),
    "decimal128": ({name: pa.array(map(Decimal, TABLE[name]), pa.decimal128(38, 9)) for name in CLASSES[1::2]},
                   EXPECTED),
    "decimal128 beyond the floats": ({name: pa.array(map(Decimal, one), pa.decimal128(38, 0))
                                      for name, one in named([2**53, 2**53 + 1]).items()}, EXPECTED),
    "dictionaries": ({name: pa.array(one).dictionary_encode() for name, one in TABLE.items()}, EXPECTED),
    "dictionaries of text": ({name: pa.array(one).dictionary_encode() for name, one in named("xy").items()}, EXPECTED),
    "large text": ({name: pa.array(one, pa.large_string()) for name, one in named("xy").items()}, EXPECTED),
    "text as bytes": ({"group": pa.array([name.encode() for name in GROUP])}, EXPECTED),
    "nullable integers": ({"group": gaps(TRUTH)}, ONE_MISSING),
    "nullable booleans": ({"group": gaps([value == 1 for value in TRUTH])},
                          {{"0": "False", "1": "True"}.get(level, level): row for level, row in ONE_MISSING.items()}),
    "nullable and beyond the floats": ({"group": gaps(ACCOUNTS)},
                                       {"(missing)": (1, 1.0, 0.0)} | TWO | {str(2**53): (3, 1.0, 1.0)}),
    "half precision": ({"group": pa.array([float(value) for value in TRUTH], pa.float16())},
                       {"0": (4, 1.0, 0.75), "1": (4, 1.0, 1.0)}),
    "days": ({"group": [datetime.date(2026, 1, 31), datetime.date(2026, 2, 1)] * 4},
             {"2026-01-31": (4, 1.0, 0.75), "2026-02-01": (4, 1.0, 1.0)}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "levels"), STORED.values(), ids=STORED)
def test_a_column_of_a_parquet_file_is_what_it_stands_for(tmp_path, changes, levels):
    parquet.write_table(pa.table(TABLE | changes), tmp_path / "p.parquet")
    assert audited(tmp_path / "p.parquet", *CLASSES, "--slice", "group") == (0, levels, "")


def test_a_time_of_a_parquet_file_is_in_its_own_zone(tmp_path):
    times = [datetime.datetime(2026, 2, 1, 4, 30), datetime.datetime(2026, 2, 1, 5, 30)] * 4  # in Greenwich
    parquet.write_table(pa.table(TABLE | {"group": pa.array(times, WHERE_NEW_YORK_IS)}), tmp_path / "p.parquet")
    assert audited(tmp_path / "p.parquet", *MONTHS) == (0, HALVES, "")


def zipped(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, text())
    return buffer.getvalue()


def arrow():
    buffer = io.BytesIO()
    feather.write_feather(pa.table(TABLE), buffer)
    return buffer.getvalue()


def first(column, value, classes=(0, 1)):
    """A CSV file whose first cell of a column is another."""
    table = TABLE | named(classes)
    return columns(**table | {column: [value, *table[column][1:]]})


CUT = ["--slice", "group:2,6"]
BY_MONTH = ["--slice", "group:month"]
# name of the file, its content, the slice if not that of the groups, and what is said
REFUSED = {
    "an empty file": ("p.csv", "", [], "PREDICTIONS: predictions must be CSV or Parquet, and"),
    "blank lines": ("p.csv", "\n\n", [], "PREDICTIONS: predictions must be CSV or Parquet, and"),
    "a header alone": ("p.csv", "y,teacher,student,group\n", [], "--label: labels must hold at least one"),
    "zeros": ("p.csv", b"\0" * 99, [], "PREDICTIONS: predictions must be CSV or Parquet, and"),
    "a comment first": ("p.csv", "# of March\n" + text(), [], "Row #2: Expected 1 columns, got 4: y,teacher,student,"),
    "a title first": ("p.csv", "March\n\n" + text(), [], "Row #2: Expected 1 columns, got 4: y,teacher,student,group"),
    "a header twice": ("p.csv", columns(x=GROUP).replace("x", "group"), [], "distinct column names, got 'group' twice"),
    "blanks in the header": ("p.csv", text().replace(",t", ", t"), [], "'teacher'; there are 'y', ' teacher', 'stud"),
    "a row too short": ("p.csv", text() + "1,1\n", [], "CSV parse error: Row #10: Expected 4 columns, got 2"),
    "rows too long": ("p.csv", text().replace("a\n", "a,\n"), [], "Row #2: Expected 4 columns, got 5: 0,0,1,a,"),
    "empty rows": ("p.csv", text() + ",,,\n,,,\n", [], "--label: labels must hold no missing values, got 2, the first"),
    "an open quotation mark": ("p.csv", columns(x=['"a', *GROUP[1:]]), [], "a quotation mark is never closed"),
    "Latin-1": ("p.csv", columns(**named(["thé", "café"])).encode("latin-1"), [], "invalid UTF8 data"),
    "an Excel workbook": ("p.xlsx", zipped("xl/workbook.xml"), [], "p.xlsx is an Excel workbook or a zip archive"),
    "an old Excel workbook": ("p.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [], "p.xls is an Excel workbook"),
    "a zip archive": ("p.csv.zip", zipped("p.csv"), [], "p.csv.zip is an Excel workbook or a zip archive"),
    "an Arrow file": ("p.csv", arrow(), [], "p.csv is an Arrow file"),
    "xz": ("p.csv.xz", lzma.compress(text().encode()), [], "p.csv.xz is packed by xz"),
    "gzip by another name": ("p.csv", gzip.compress(text().encode()), [], "packed, and its name must end in .gz"),
    "another file called gz": ("p.csv.gz", text(), [], "PREDICTIONS: predictions"),
    "half a Parquet file": ("p.parquet", b"PAR1" + bytes(99), [], "PREDICTIONS: predictions must be CSV or Parquet"),
    "JSON": ("p.json", '[{"y": 0}]', [], "PREDICTIONS: predictions must be CSV or Parquet, and"),
    **{
        f"{word or 'nothing'} in {column}": ("p.csv", first(column, word), [],
                                             f"{argument} must hold no missing values, got {shown}")
        for column, argument in [("y", "--label: labels"), ("student", "--student: student")]
        for word, shown in [("NA", "'NA' in row 0"), ("NULL", "'NULL' in row 0"), ("#N/A", "'#N/A' in row 0"),
                            ("", "1, the first in row 0")]
    },
    "NULL among names": ("p.csv", first("y", "NULL", ["x", "z"]), [], "'NULL' in row 0; a class of that name must be"),
    "true for TRUE": ("p.csv", columns(**named(["FALSE", "TRUE"]) | {"student": ["true"] * 8}), [],
                      "--student: student must write classes as labels do, got 'true' for 'TRUE'"),
    "1 for TRUE": ("p.csv", columns(y=["FALSE", "TRUE"] * 4), [], "--teacher: teacher must hold the classes 'FALSE'"),
    "thousands": ("p.csv", columns(group=['"1,500"', *range(7)]), CUT, "must hold numbers, got '1,500' in row 0"),
    "perhaps thousands": ("p.csv", columns(";", group=["1,500"] * 8), CUT, "must hold numbers, got '1,500' in row 0"),
    "a quoted decimal comma": ("p.csv", columns(group=['"0,5"', *range(7)]), CUT, "must hold numbers, got '0,5' in"),
    "ids that lost their digits": ("p.csv", columns(id=["1.23457E+15"] * 8), ["--slice", "group", "--id", "id"],
                                   "--id: ids must be unique, got '1.23457E+15' in 8 rows"),
    "days first": ("p.csv", columns(group=["31.01.2026"] * 8), BY_MONTH, "must hold dates, as 2026-11-30, to be cut"),
    "two time zones": ("p.csv", columns(group=["2026-01-31T12:00+01:00", "2026-07-31T12:00+02:00"] * 4), BY_MONTH,
                       "must hold dates, as 2026-11-30, to be cut by month: Mixed timezones"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_read_right_is_refused_in_one_line(tmp_path, name, content, asked, words):
    status, found, said = audited(saved(tmp_path, name, content), *CLASSES, *(asked or ["--slice", "group"]))
    assert (status, found) == (2, {})
    assert words in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y": gaps(TRUTH)}, "--label: labels must hold no missing values, got 1, the first in row 0"),
        (
            {"student": gaps([value == 1 for value in SAID])},
            "--student: student must hold no missing values, got 1, the",
        ),
        ({"group": [[1, 2]] * 8}, "--slice: slices['group'] must hold single values"),
        ({"group": [{"a": 1}] * 8}, "--slice: slices['group'] must hold single values"),
        ({"group": pa.array([b"\xff"] * 8)}, "PREDICTIONS: predictions must be CSV or Parquet, and"),
        ({name: one[:0] for name, one in TABLE.items()}, "--label: labels must hold at least one example, got none"),
    ],
)
def test_a_column_of_a_parquet_file_that_says_nothing_clear_is_refused(tmp_path, changes, words):
    parquet.write_table(pa.table(TABLE | changes), tmp_path / "p.parquet")
    status, found, said = audited(tmp_path / "p.parquet", *CLASSES, "--slice", "group")
    assert (status, found) == (2, {})
    assert words in said
