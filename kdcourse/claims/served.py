"""What `benchmarks/ship.py` has measured of teacher and students, in the form in which lesson 09 shows it."""

import pandas as pd

from kdcourse import store
from kdcourse._course import find


def measured_service() -> dict:
    """The whole file: date, machine, processor with its flags, and what was measured. FileNotFoundError without it."""
    return store.load_json(find("benchmarks/results/ship.json"))


def served(kind: str = "MLP", method: str = "dynamic") -> pd.DataFrame:
    """What each model costs to serve and how right it is: the teacher, and the students of one kind.

    Parameters
    ----------
    kind : str
        "MLP" or "CNN".
    method : str
        How int8 is made: "dynamic" or "static".

    Returns
    -------
    DataFrame
        One row per setting and model: `KB` on disk, with the weights beside the graph; `ms, 1` and `ms, 64`, the median
        milliseconds of requests of 1 and of 64 examples, "–" where none were timed; `right`, test accuracy in percent
        with Wilson's interval; `worst class`, the one that is worst on validation, with its test accuracy.

    Examples
    --------
    >>> served().loc["fashion-mnist"].index[0]
    'teacher'
    """
    rows = {}
    for setting, models in measured_service()["settings"].items():
        for row in models:
            student, _, how = row["model"].partition(", ")
            if student in ("teacher", kind) and ("int8" not in how or how.endswith(method)):
                rows[setting, (how or student).removesuffix(f" {method}")] = _row(row)
    return pd.DataFrame(rows).T.rename_axis(["setting", "model"])


def _row(row):
    timed = {size: row.get(f"batch {size}") for size in (1, 64)}
    waits = {f"ms, {size}": round(found["p50_ms"], 3) if found else "–" for size, found in timed.items()}
    accuracy, low, high = (100 * row[name] for name in ("accuracy", "low", "high"))
    worst = row["worst"]
    return {
        "KB": round(row["bytes"] / 1000),
        **waits,
        "right": f"{accuracy:.1f} [{low:.1f}, {high:.1f}]",
        "worst class": f"{worst['class']} {100 * worst['accuracy']:.1f}",
    }


def other_ways() -> pd.DataFrame:
    """How many times as fast as in ONNX Runtime in float32 the distilled MLP is by each way to int8, by batch size.

    Indexed by the ways; torchao is there if it was installed where the file was written.
    """
    found = pd.DataFrame(measured_service()["other ways"]["median_ms"]).set_index("way")
    return found.loc["ONNX Runtime, MLP, distilled"] / found
