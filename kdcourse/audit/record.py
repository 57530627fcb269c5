"""What an audit was made from, so that a reader can make it again, and a later audit knows what it is compared with."""

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import kdcourse
from kdcourse._arguments import bad_value
from kdcourse.audit.inputs import Examples, complete
from kdcourse.store import sha256

PACKAGES = ["numpy", "pandas", "scipy"]  # what the numbers come from


def versions() -> dict[str, str]:
    """{name: version} of Python and of the packages that the numbers come from."""
    found = {"kdcourse": kdcourse.__version__, "Python": platform.python_version()}
    return found | {name: metadata.version(name) for name in PACKAGES}


def fingerprints(examples: Examples, ids: Any = None) -> dict[str, str]:
    """Hexadecimal names of the labels, of each model's choices, and of the ids if there are any, in their order.

    They depend on what the classes are called, and not on which other classes there are.
    """
    names = np.array([hashlib.sha256(str(one).encode()).digest()[:8] for one in examples.classes])
    codes = {"examples": examples.labels, **examples.choices}
    found = {name: names[chosen].tobytes() for name, chosen in codes.items()}
    if ids is not None:
        found["ids"] = "\n".join(map(str, complete("ids", ids))).encode()
    return {name: hashlib.sha256(content).hexdigest()[:16] for name, content in found.items()}


def signature(note: str | None, file: Any, rows: int, columns: Any) -> dict[str, Any]:
    """What `record` needs to know beside the settings of an audit; see `AuditReport.signed`."""
    if note is not None and not (isinstance(note, str) and note.strip()):
        raise bad_value("note", f"must say who signs, got {note!r}")
    data = None if file is None else {"file": Path(file).name, "sha256": sha256(file), "rows": rows}
    return {"note": note, "data": data, "columns": dict(columns or {})}


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
