"""What the full run of lesson 04 says of students of each size: their accuracy with its interval, in both arms."""

import pandas as pd

from kdcourse.claims.ladder import measured_sizes
from kdcourse.claims.ledger import result
from kdcourse.claims.lesson_04 import LIMIT

CLAIM, GAINS, SETTING = "above-20x-gap", "sweet-spot-5-20", "fashion-mnist"


def full_run_date() -> str:
    """When the full run was, as it stands in its result."""
    return _full_run()["settings"][SETTING]["date"]


def size_curves(student: str = "MLP") -> dict[int, list[dict]]:
    """The accuracy of the students in the full run, by how many pictures they had, the most first.

    Parameters
    ----------
    student : str
        "CNN", of the teacher's shape and narrower, or "MLP", with one hidden layer.

    Returns
    -------
    dict
        {examples: [{ratio, accuracy, low, high, n, temperature, labels}]}, accuracies as shares, the smallest ratio
        first; of students on soft labels, and of those on labels (`labels`, a mean without an interval). With 95 %
        confidence, all intervals together hold. None stands for what the run has not stored. Empty, if the run had no
        such students.

    Raises
    ------
    FileNotFoundError
        Where there is no such run, or no teacher to compare with.

    Notes
    -----
    The run stores how far the gap, teacher − student, lies under or over a limit. The teacher's accuracy is taken as
    known, so a student's accuracy has the interval of its gap. What students on labels reach is stored as what soft
    labels gain over them.

    Examples
    --------
    >>> [row["ratio"] for row in size_curves()[5_000]]
    [2, 5, 10, 20, 50, 100, 200]
    """
    at_limit = measured_sizes()["teacher_accuracy"] - LIMIT
    gains, curves = _gains(student), {}
    for part in _parts(_full_run(), student):
        # "under" is limit − gap, "over" is gap − limit. What is left is teacher − gap.
        sign = 1 if part["key"]["side"] == "under" else -1
        n, ratio = part["key"]["examples"], part["key"]["ratio"]
        accuracy, *ends = (at_limit + sign * part[name] / part["scale"] for name in ("mean", "low", "high"))
        row = {"ratio": ratio, "accuracy": accuracy, "low": min(ends), "high": max(ends), "n": part["n"]}
        gap = part["arms"]["b" if part["key"]["side"] == "under" else "a"]
        row["temperature"] = (gap["chosen"] or {}).get("temperature")
        row["labels"] = accuracy - gains[n, ratio] if (n, ratio) in gains else None
        curves.setdefault(n, []).append(row)
    return {n: sorted(curves[n], key=lambda row: row["ratio"]) for n in sorted(curves, reverse=True)}


def student_sizes(examples: int = 50_000) -> pd.DataFrame:
    """The teacher and its students of all sizes, each with its accuracy and its time.

    Parameters
    ----------
    examples : int
        How many pictures the students had.

    Returns
    -------
    DataFrame
        One row per kind ("CNN", "MLP"), arm ("soft labels", and "labels" where the run has them) and ratio, the teacher
        first: name, kind, arm, ratio, accuracy, low, high (shares; no interval for "labels", and none for the teacher,
        which is taken as known), median_ms and p99_ms of one request, as `benchmarks/sizes.py` has measured them.

    Examples
    --------
    >>> student_sizes()["name"][0]
    'teacher'
    """
    measured = measured_sizes()
    times = {
        (row["student"], row["ratio"]): {name: row[name] for name in ("median_ms", "p99_ms")}
        for row in measured["models"]
    }
    known = dict.fromkeys(["accuracy", "low", "high"], measured["teacher_accuracy"])
    rows = [{**dict.fromkeys(["name", "kind", "arm"], "teacher"), **known, **times[None, None]}]
    for kind in ("CNN", "MLP"):
        for one in size_curves(kind).get(examples, []):
            same = {"name": f"{one['ratio']}×", "kind": kind, "ratio": one["ratio"], **times[kind, one["ratio"]]}
            rows.append({**same, "arm": "soft labels", **{name: one[name] for name in ("accuracy", "low", "high")}})
            if one["labels"] is not None:
                rows.append({**same, "arm": "labels", "accuracy": one["labels"]})
    return pd.DataFrame(rows)


def size_times(*, batches: bool = False) -> pd.DataFrame:
    """How long the teacher and students of all sizes take for a request, as `benchmarks/sizes.py` has measured it.

    Parameters
    ----------
    batches : bool
        256 requests are answered at once, in place of one at a time.

    Returns
    -------
    DataFrame
        One row per model, by its name ("teacher", "CNN 10×"): kind, smaller (times fewer parameters), median_ms and
        p99_ms per request, and faster (times as fast as the teacher) between faster_low and faster_high: one end of the
        teacher's 95 % interval over the other end of the student's.

    Examples
    --------
    >>> size_times()["kind"].unique().tolist()
    ['teacher', 'CNN', 'MLP']
    """
    measured = measured_sizes()
    each, before = (measured["batch_size"], "batch_") if batches else (1, "")
    teacher, *_ = measured["models"]
    rows = {}
    for one in measured["models"]:
        kind, name = (
            ("teacher",) * 2 if one["student"] is None else (one["student"], f"{one['student']} {one['ratio']}×")
        )
        low, median, high, p99 = (one[f"{before}{which}_ms"] / each for which in ("low", "median", "high", "p99"))
        least, middle, most = (teacher[f"{before}{which}_ms"] / each for which in ("low", "median", "high"))
        rows[name] = {"kind": kind, "smaller": float(one["ratio"] or 1), "median_ms": median, "p99_ms": p99}
        rows[name] |= {"faster": middle / median, "faster_low": least / high, "faster_high": most / low}
    return pd.DataFrame.from_dict(rows, orient="index")


def _gains(student):
    """{(examples, ratio): what soft labels gain over labels}"""
    found = {}
    for part in _parts(result(GAINS) or {"parts": []}, student):
        for arm, ratio in zip(("a", "b"), part["key"]["ratio"], strict=True):
            if part["arms"][arm]["mean"] is not None:
                found[part["key"]["examples"], ratio] = part["arms"][arm]["mean"]
    return found


def _parts(found, student):
    """Those of a result about students of this kind and pictures, by their parameters."""
    for part in found["parts"]:
        if part["setting"] == SETTING and "by" not in part["key"] and part["key"].get("student", "MLP") == student:
            yield part


def _full_run():
    found = result(CLAIM)
    if found is None:
        raise FileNotFoundError(f"no full run of {CLAIM}: kdcourse claims --run {CLAIM}")
    return found
