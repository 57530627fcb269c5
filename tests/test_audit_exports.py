"""What spreadsheets and warehouses export: each file is read right, or refused in one line with status 2."""

import datetime
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from hostile_files import (  # noqa: E402
    CLASSES,
    EXPECTED,
    GROUP,
    READ,
    REFUSED,
    SAID,
    TABLE,
    TRUTH,
    audited,
    columns,
    named,
    saved,
    text,
)

PROBABILITIES = ["--label", "y", "--teacher", "t_*", "--student", "s_*"]


def probabilities(delimiter, comma):
    shares = ["1.0", "0.25"], ["0.0", "0.75"]
    rows = [
        [truth, *(share[truth] for share in shares), *(share[said] for share in shares), group]
        for truth, said, group in zip(TRUTH, SAID, GROUP, strict=True)
    ]
    lines = [delimiter.join(str(cell).replace(".", comma) for cell in row) for row in rows]
    return text(*lines, header=delimiter.join(["y", "t_0", "t_1", "s_0", "s_1", "group"]))


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


@pytest.mark.parametrize(("name", "content", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_read_right_is_refused_in_one_line(tmp_path, name, content, asked, words):
    status, found, said = audited(saved(tmp_path, name, content), *CLASSES, *(asked or ["--slice", "group"]))
    assert (status, found) == (2, {})
    assert words in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y": gaps(TRUTH)}, "--label: must hold no missing values, got 1, the first in row 0"),
        (
            {"student": gaps([value == 1 for value in SAID])},
            "--student: must hold no missing values, got 1, the",
        ),
        ({"group": [[1, 2]] * 8}, "--slice: 'group' must hold single values"),
        ({"group": [{"a": 1}] * 8}, "--slice: 'group' must hold single values"),
        ({"group": pa.array([b"\xff"] * 8)}, "FILE: must be CSV or Parquet, and"),
        ({name: one[:0] for name, one in TABLE.items()}, "--label: must hold at least one example, got none"),
    ],
)
def test_a_column_of_a_parquet_file_that_says_nothing_clear_is_refused(tmp_path, changes, words):
    parquet.write_table(pa.table(TABLE | changes), tmp_path / "p.parquet")
    status, found, said = audited(tmp_path / "p.parquet", *CLASSES, "--slice", "group")
    assert (status, found) == (2, {})
    assert words in said
