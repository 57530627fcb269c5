"""Files as spreadsheets and warehouses export them, and what an audit says: for its tests and the table on the site."""

import bz2
import gzip
import io
import lzma
import os
import unicodedata
import zipfile

import pyarrow as pa
from pyarrow import feather
from typer.testing import CliRunner

from kdcourse import cli, store

# Eight examples. The student is wrong on the first of group a, and the teacher never.
TRUTH, SAID, GROUP = [0, 1] * 4, [1, 1, 0, 1, 0, 1, 0, 1], ["a", "b"] * 4
EXPECTED = {"a": (4, 1.0, 0.75), "b": (4, 1.0, 1.0)}
CLASSES = ["--label", "y", "--teacher", "teacher", "--student", "student"]


def audited(path, *asked):
    """(status, {level: (n, teacher's accuracy, student's accuracy)}, what was said on standard error)."""
    out = path.parent / "out.json"
    policy = ["--max-gap", "0.9", "--min-samples", "1", "--json", out]
    found = CliRunner().invoke(cli.app, ["audit", *map(str, [path, *asked, *policy])], env={"COLUMNS": "2000"})
    said = [line.strip("│ ") for line in found.stderr.splitlines() if line.startswith("│")] or [found.stderr]
    assert len(said) == 1
    rows = store.load_json(out)["rows"] if out.exists() else []
    levels = {row["level"]: (row["n"], row["teacher"], row["student"]) for row in rows}
    return found.exit_code, levels, said[0].replace(f"{path.parent}{os.sep}", "")


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


def named(classes):
    """The columns of the classes with other names for 0 and 1."""
    return {name: [classes[value] for value in TABLE[name]] for name in CLASSES[1::2]}


BOM = "\ufeff"
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
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
    "blanks around a level": ("p.csv", columns(group=["a", "b", "a ", " b"] * 2)),
}  # fmt: skip


def saved(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


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
    "an empty file": ("p.csv", "", [],
                      "FILE: must be CSV or Parquet, and p.csv cannot be read: Empty CSV file"),
    "blank lines alone": ("p.csv", "\n\n", [],
                          "FILE: must be CSV or Parquet, and p.csv cannot be read"),
    "a header alone": ("p.csv", "y,teacher,student,group\n", [], "--label: must hold at least one example"),
    "zeros": ("p.csv", b"\0" * 99, [], "FILE: must be CSV or Parquet, and p.csv cannot be read"),
    "a comment first": ("p.csv", "# of March\n" + text(), [], "CSV parse error"),
    "a title first": ("p.csv", "March\n\n" + text(), [], "CSV parse error"),
    "a header twice": ("p.csv", columns(x=GROUP).replace("x", "group"), [], "distinct column names, got 'group' twice"),
    "blanks in the header": ("p.csv", text().replace(",t", ", t"), [],
                             "got 'teacher'; there are 'y', ' teacher', 'student', 'group'"),
    "a row too short": ("p.csv", text() + "1,1\n", [], "CSV parse error"),
    "rows too long": ("p.csv", text().replace("a\n", "a,\n"), [], "CSV parse error"),
    "empty rows": ("p.csv", text() + ",,,\n,,,\n", [],
                   "--label: must hold no missing values, got 2, the first in row 8"),
    "an open quotation mark": ("p.csv", columns(x=['"a', *GROUP[1:]]), [], "a quotation mark is never closed"),
    "Latin-1": ("p.csv", columns(**named(["thé", "café"])).encode("latin-1"), [], "invalid UTF8 data"),
    "an Excel workbook": ("p.xlsx", zipped("xl/workbook.xml"), [], "p.xlsx is an Excel workbook or a zip archive"),
    "an old Excel workbook": ("p.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [], "p.xls is an Excel workbook"),
    "a zip archive": ("p.csv.zip", zipped("p.csv"), [], "p.csv.zip is an Excel workbook or a zip archive"),
    "an Arrow file": ("p.csv", arrow(), [], "p.csv is an Arrow file"),
    "xz": ("p.csv.xz", lzma.compress(text().encode()), [], "p.csv.xz is packed by xz"),
    "gzip by another name": ("p.csv", gzip.compress(text().encode()), [], "packed, and its name must end in .gz"),
    "another file called gz": ("p.csv.gz", text(), [], "FILE: cannot be read: p.csv.gz"),
    "half a Parquet file": ("p.parquet", b"PAR1" + bytes(99), [],
                            "FILE: must be CSV or Parquet, and p.parquet cannot be read"),
    "JSON": ("p.json", '[{"y": 0}]', [], "FILE: must be CSV or Parquet, and p.json cannot be read"),
    **{
        f"{word or 'nothing'} in {column}": ("p.csv", first(column, word), [],
                                             f"{argument} must hold no missing values, got {shown}")
        for column, argument in [("y", "--label:"), ("student", "--student:")]
        for word, shown in [("NA", "'NA' in row 0"), ("NULL", "'NULL' in row 0"), ("#N/A", "'#N/A' in row 0"),
                            ("", "1, the first in row 0")]
    },
    "NULL among names": ("p.csv", first("y", "NULL", ["x", "z"]), [],
                         "'NULL' in row 0; a class of that name must be predicted too"),
    "true for TRUE": ("p.csv", columns(**named(["FALSE", "TRUE"]) | {"student": ["true"] * 8}), [],
                      "--student: must write classes as labels do, got 'true' for 'TRUE'"),
    "café in two Unicode forms": ("p.csv", columns(**named([COMPOSED, "tea"]) | {"student": [DECOMPOSED] * 8}), [],
                                  "of labels, which look alike"),
    "probabilities of one class": ("p.csv", columns(student=["1", "0.97", "0", "0.03"] * 2), [],
                                   "got '0.03'; probabilities need a column for each class, or a threshold first"),
    "1 for TRUE": ("p.csv", columns(y=["FALSE", "TRUE"] * 4), [],
                   "--teacher: must hold the classes 'FALSE', 'TRUE', got '0', '1'"),
    "thousands": ("p.csv", columns(group=['"1,500"', *range(7)]), CUT, "must hold numbers, got '1,500' in row 0"),
    "perhaps thousands": ("p.csv", columns(";", group=["1,500"] * 8), CUT, "must hold numbers, got '1,500' in row 0"),
    "a quoted decimal comma": ("p.csv", columns(group=['"0,5"', *range(7)]), CUT,
                               "must hold numbers, got '0,5' in row 0"),
    "ids that lost their digits": ("p.csv", columns(id=["1.23457E+15"] * 8), ["--slice", "group", "--id", "id"],
                                   "--id: must be unique, got '1.23457E+15' in 8 rows"),
    "days first": ("p.csv", columns(group=["31.01.2026"] * 8), BY_MONTH,
                   "must hold dates, as 2026-11-30, to be cut by month"),
    "two time zones": ("p.csv", columns(group=["2026-01-31T12:00+01:00", "2026-07-31T12:00+02:00"] * 4), BY_MONTH,
                       "must hold dates, as 2026-11-30, to be cut by month: Mixed timezones"),
}  # fmt: skip
