"""A class at a glance: the exports of many learners in one table."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdcourse.progress.overview import COLUMNS, save_export

if TYPE_CHECKING:
    import pandas as pd

EXPORTED = [*COLUMNS, "course_version", "exported"]


def gather(files: Sequence[str | Path]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Put what `export` made for many learners, as CSV or JSON, into one table.

    Parameters
    ----------
    files : sequence of path
        A learner is called what the file is called, without its ending; where two files are called the same, with the
        folder before it. A file that is named twice is read once.

    Returns
    -------
    table : DataFrame
        learner, and the columns of an export; all rows of all files that could be read, in their order.
    damaged : dict
        {path of a file that is no export: why}.

    Examples
    --------
    >>> table, damaged = gather(["no-such-file.csv"])
    >>> len(table), damaged
    (0, {'no-such-file.csv': 'No such file or directory'})
    """
    import pandas as pd

    paths = list(dict.fromkeys(map(Path, files)))
    shared = Counter(path.stem for path in paths)
    found, damaged = [pd.DataFrame(columns=["learner", *EXPORTED])], {}
    for path in paths:
        try:
            rows = _read(path)
        except (OSError, ValueError) as error:
            damaged[str(path)] = getattr(error, "strerror", None) or str(error).strip().splitlines()[-1]
            continue
        name = path.stem if shared[path.stem] == 1 else path.with_suffix("").as_posix()
        rows.insert(0, "learner", name)
        found.append(rows)
    return pd.concat(found if len(found) == 1 else found[1:], ignore_index=True), damaged


def _read(path: Path) -> pd.DataFrame:
    """The rows of one export. Raises OSError, or ValueError for what is none."""
    import pandas as pd

    if path.suffix.lower() == ".json":
        told = json.loads(path.read_text(encoding="utf-8-sig"))
        rows = pd.DataFrame(told if isinstance(told, list) else [], dtype=object)
    else:  # a spreadsheet may have put its mark before the first letter, or other separators
        head = path.read_text(encoding="utf-8-sig").partition("\n")[0]
        rows = pd.read_csv(path, encoding="utf-8-sig", sep=";" if ";" in head else ",", dtype=str, na_filter=False)
    missing = [name for name in EXPORTED if name not in rows.columns]
    if missing:
        raise ValueError(f"it is no export: {', '.join(missing)} missing")
    done = rows["done"].astype(str).str.lower()
    if not done.isin(["true", "false"]).all():
        raise ValueError("it is no export: done must be true or false")
    score = pd.to_numeric(rows["score"], errors="coerce")
    text = rows[EXPORTED].where(rows.notna(), "").astype(str)
    return text.assign(done=done == "true", score=score)


def report(files: Sequence[str | Path], out: str | Path | None = None) -> bool:
    """Print what a class has done, and write the table of `gather` as CSV; False if a file is damaged.

    Examples
    --------
    >>> report([])
    Nobody's progress is in it.
    True
    """
    table, damaged = gather(files)
    print(class_overview(table))
    if out is not None:
        save_export(table.to_csv(index=False, lineterminator="\n"), out)
        print(f"{len(table)} rows are in {out}")
    for path, why in damaged.items():
        print(f"Left out: {path}: {why}", file=sys.stderr)
    return not damaged


def class_overview(table: pd.DataFrame) -> str:
    """Return a table of `gather` as plain text: how many have done what, and how much each has done.

    Examples
    --------
    >>> print(class_overview(gather([])[0]))
    Nobody's progress is in it.
    """
    if not len(table):
        return "Nobody's progress is in it."
    people = table["learner"].nunique()
    items = table.groupby(["lesson", "kind", "name"], sort=False)["done"].sum()
    lines = [f"{people} learner{'s' * (people != 1)}. Done by how many:"]
    lines += [
        f"  {count:>4}  {name} ({kind}, {lesson or 'no lesson'})" for (lesson, kind, name), count in items.items()
    ]
    lines.append("Done by whom, of what there is:")
    each = table.groupby("learner", sort=False)["done"]
    lines += [
        f"  {done:>4} of {total}  {who}"
        for who, done, total in zip(each.sum().index, each.sum(), each.count(), strict=True)
    ]
    return "\n".join(lines)
