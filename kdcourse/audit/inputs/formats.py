"""How a file of predictions is written: Parquet, or CSV with the delimiter and the encoding of whoever exported it."""

import csv as python_csv
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

from kdcourse._arguments import bad_value

PACKED = (".gz", ".bz2", ".zst", ".lz4")  # endings by which pyarrow knows how to unpack a file
# What files that are neither CSV nor Parquet start with.
FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"ARROW1": "an Arrow file",
    b"\xfd7zXZ": "packed by xz",
    b"\x1f\x8b": "packed, and its name must end in .gz",
    b"BZh": "packed, and its name must end in .bz2",
    b"\x28\xb5\x2f\xfd": "packed, and its name must end in .zst",
}


class Form(NamedTuple):
    """How a CSV file is written."""

    delimiter: str
    encoding: str
    skipped: int  # lines before the header

    def options(self) -> dict[str, Any]:
        """The arguments of pyarrow's readers that say so."""
        from pyarrow import csv

        return {
            "parse_options": csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            "read_options": csv.ReadOptions(encoding=self.encoding, skip_rows=self.skipped),
        }

    def check_quotes(self, path: Path) -> None:
        """Raise pyarrow's ArrowInvalid for a quotation mark that is never closed: all after it would be one cell."""
        import pyarrow

        with _unpacked(path) as file:
            marks = sum(part.count(b'"') for part in iter(lambda: file.read(2**22), b""))
        if marks % 2:  # perhaps for inches: within a cell, a mark stands for itself
            with _unpacked(path) as file, io.TextIOWrapper(file, self.encoding, "replace", newline="") as text:
                try:
                    for _ in python_csv.reader(text, delimiter=self.delimiter, strict=True):
                        pass
                except python_csv.Error as error:
                    raise pyarrow.ArrowInvalid(f"a quotation mark is never closed: {error}") from None


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet. ValueError for one that is neither that nor CSV, but something well known."""
    with open(path, "rb") as file:
        start = file.read(8)
    for magic, what in FOREIGN.items():
        if start.startswith(magic) and Path(path).suffix not in PACKED:
            raise bad_value("predictions", f"must be CSV or Parquet, and {path} is {what}")
    return start.startswith(b"PAR1")


def csv_form(path: Path) -> Form:
    """The form of a CSV file, from its first line: Excel may say the delimiter there, or else it is in the header."""
    with _unpacked(path) as file:
        start = file.read(2**16)
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    first = re.split(r"[\r\n]", start.decode(encoding, "replace").lstrip("\ufeff\r\n"))[0]
    if said := re.fullmatch("sep=(.)", first):
        return Form(said[1], encoding, 1)
    if any(suffix in (".tsv", ".tab") for suffix in Path(path).suffixes[-2:]):
        return Form("\t", encoding, 0)
    unquoted = re.sub('"[^"]*"', "", first)
    return Form(next((one for one in ",;\t|" if one in unquoted), ","), encoding, 0)


def _unpacked(path):
    import pyarrow

    return pyarrow.input_stream(str(path), compression="detect")
