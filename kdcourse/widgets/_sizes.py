"""The curves that the explorer of student sizes offers: what a notebook has measured, and the committed full run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdcourse._arguments import number, positive, share
from kdcourse.claims.ladder import measured_sizes
from kdcourse.claims.sizes import full_run_date, size_curves

COLUMNS = ("ratio", "accuracy", "low", "high", "ms")


def just_measured(sizes: list[dict], teacher: dict) -> dict[str, Any]:
    """A curve of checked values, as `check_sizes` and `check_teacher` return them."""
    about = "Accuracies, their intervals and milliseconds: measured when this notebook ran, where it ran."
    return {"name": "measured when this notebook ran", "about": about, "teacher": teacher, "sizes": sizes}


def full_run() -> list[dict[str, Any]]:
    """The curves of lesson 04's full run, with the milliseconds of `benchmarks/sizes.py`."""
    measured = measured_sizes()
    ms = {(row["student"], row["ratio"]): row["median_ms"] for row in measured["models"]}
    teacher = {"accuracy": measured["teacher_accuracy"], "ms": ms[None, None]}
    machine = measured["machine"]
    where = f"{machine['system']} on {machine['architecture']}, {machine['cores']} cores, torch {machine['torch']}"
    times = (
        f"Milliseconds: medians of one request at a time on one thread, measured on {measured['date']} ({where}); "
        "yours will differ."
    )
    curves = []
    for student, (pictures, rows) in ((one, each) for one in ("CNN", "MLP") for each in size_curves(one).items()):
        accuracies = (
            f"Accuracies: the full run of {full_run_date()}, {rows[0]['n']} distilled {student}s of each size on "
            f"{pictures:,} pictures. The intervals are wide enough that, with 95 % confidence, all of this run hold "
            "together."
        )
        curves.append(
            {
                "name": f"{student}s, {pictures:,} pictures",
                "about": f"{accuracies} {times}",
                "teacher": teacher,
                "sizes": [_size({**row, "ms": ms[student, row["ratio"]]}) for row in rows],
            }
        )
    return curves


def check_sizes(sizes: pd.DataFrame) -> list[dict[str, float]]:
    """[{column: value}], the smallest ratio first."""
    if not isinstance(sizes, pd.DataFrame):
        raise TypeError(f"sizes must be a DataFrame, got {type(sizes).__name__}")
    missing = [name for name in COLUMNS if name not in sizes.columns]
    if missing:
        raise ValueError(f"sizes must have the columns {', '.join(COLUMNS)}; {missing[0]!r} is missing")
    if len(sizes) == 0 or sizes["ratio"].duplicated().any():
        raise ValueError(f"sizes must have one row or more, one for each ratio, got ratios {sizes['ratio'].tolist()}")
    rows = []
    for row in sizes.sort_values("ratio")[list(COLUMNS)].to_dict("records"):
        row = {name: number(f"sizes[{name!r}]", value) for name, value in row.items()}
        for name in ("ratio", "ms"):
            positive(f"sizes[{name!r}]", row[name])
        share("sizes['accuracy']", row["accuracy"])
        if not row["low"] <= row["accuracy"] <= row["high"]:
            got = [row[name] for name in ("low", "accuracy", "high")]
            raise ValueError(f"sizes must have low <= accuracy <= high, got {got} at ratio {row['ratio']:g}")
        rows.append(_size(row))
    return rows


def check_teacher(teacher: Mapping[str, float] | None) -> dict[str, float]:
    """{accuracy, ms}"""
    if not isinstance(teacher, Mapping) or not {"accuracy", "ms"} <= set(teacher):
        raise ValueError(f"teacher must be a dict with accuracy and ms, got {teacher!r}")
    if positive("teacher['accuracy']", teacher["accuracy"]) > 1:
        raise ValueError(f"teacher['accuracy'] must be in (0, 1], got {teacher['accuracy']}")
    return {name: positive(f"teacher[{name!r}]", teacher[name]) for name in ("accuracy", "ms")}


def _size(row):
    """The row with its interval cut where accuracy ends, as plain numbers."""
    cut = {"low": max(row["low"], 0.0), "high": min(row["high"], 1.0)}
    return {name: float({**row, **cut}[name]) for name in COLUMNS}
