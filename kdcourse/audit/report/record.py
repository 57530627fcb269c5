"""What an audit was made from, so that a reader can make it again, and a later audit knows what it is compared with."""

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import kdcourse
from kdcourse._arguments import bad_value
from kdcourse.audit.inputs.examples import plain, series
from kdcourse.store import sha256

PACKAGES = ["numpy", "pandas", "scipy"]  # what the numbers come from


@functools.cache
def versions() -> dict[str, str]:
    """{name: version} of Python and of the packages that the numbers come from."""
    found = {"kdcourse": kdcourse.__version__, "Python": platform.python_version()}
    return found | {name: metadata.version(name) for name in PACKAGES}


def fingerprints(columns: dict[str, Any]) -> dict[str, str]:
    """Hexadecimal names of columns as they were given, such as labels and predictions; none of what is None."""
    return {name: _mark(name, given) for name, given in columns.items() if given is not None}


def _mark(name, given):
    given = plain(name, given)
    values = np.asarray(series(name, given) if given.ndim == 1 else given)
    numeric = values.dtype.kind in "biuf"  # equal numbers of any type have one name
    content = values.astype(np.float64).tobytes() if numeric else "\n".join(map(str, values.ravel())).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def signature(note: str | None, file: Any, rows: int, columns: Any) -> dict[str, Any]:
    """What `record` needs to know beside the settings of an audit; see `AuditReport.signed`."""
    if note is not None and not (isinstance(note, str) and note.strip()):
        raise bad_value("note", f"must say who signs, got {note!r}")
    data = None if file is None else {"file": Path(file).name, "sha256": sha256(file), "rows": rows}
    known = {role: column for role, column in (columns or {}).items() if column is not None}
    return {"note": note, "data": data, "columns": known}


def record(settings: dict[str, Any]) -> dict[str, str]:
    """{term: description} of the data, the models, the versions, and who has signed, as far as it is known."""
    data, columns = settings.get("data"), settings.get("columns")
    found = {}
    if data:
        found["Data"] = f"{data['file']}, {data['rows']:,} rows, SHA-256 {data['sha256']}"
    if columns:
        found["Columns"] = ", ".join(f"{column} ({role})" for role, column in columns.items())
    found["Date"] = settings["date"]
    found["Versions"] = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    if settings.get("note"):
        found["Signed"] = settings["note"]
    return found
