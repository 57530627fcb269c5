"""What the full run of lesson 04 says of students of each size: their accuracy with its interval, and their time."""

import re

from kdcourse import data, store
from kdcourse.claims.ledger import result
from kdcourse.claims.lesson_04 import LIMIT

SIZES = "student-sizes.json"  # in the folder of the data; benchmarks/sizes.py writes it
CLAIM = "above-20x-gap"
PART = re.compile(r"(under|over) the limit at (\d+)×, ([\d,]+) pictures")


def measured_sizes():
    """What `benchmarks/sizes.py` has measured, as a dict: date, machine, teacher_accuracy, and one row per model."""
    return store.load_json(data.folder() / SIZES)


def full_run_date():
    """When the full run was, as it stands in its result."""
    return _full_run()["date"]


def size_curves():
    """{pictures: [{ratio, accuracy, low, high, n}]} of the distilled students in the full run, the largest set first.

    The run stores how far the gap, teacher − student, lies under or over a limit; the teacher's accuracy is taken as
    known, so a student's accuracy has the interval of its gap. With 95 % confidence, all of them together hold.

    Raises FileNotFoundError where there is no such run or no teacher to compare with.
    """
    teacher = measured_sizes()["teacher_accuracy"]
    curves = {}
    for part in _full_run()["parts"]:
        side, ratio, pictures = PART.fullmatch(part["name"]).groups()
        # In points: "under" is limit − gap, "over" is gap − limit. What is left is teacher − gap.
        sign, ends = (1, ("low", "high")) if side == "under" else (-1, ("high", "low"))
        at_limit = teacher - LIMIT
        accuracy, low, high = (at_limit + sign * part[name] / 100 for name in ("mean", *ends))
        row = {"ratio": int(ratio), "accuracy": accuracy, "low": low, "high": high, "n": part["n"]}
        curves.setdefault(int(pictures.replace(",", "")), []).append(row)
    return {pictures: sorted(curves[pictures], key=lambda row: row["ratio"]) for pictures in sorted(curves)[::-1]}


def _full_run():
    found = result(CLAIM)
    if found is None:
        raise FileNotFoundError(f"no full run of {CLAIM}: kdcourse claims --run {CLAIM}")
    return found
