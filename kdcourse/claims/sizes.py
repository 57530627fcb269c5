"""What the full run of lesson 04 says of MLPs of each size: their accuracy with its interval, and their time."""

from kdcourse.claims.ladder import measured_sizes
from kdcourse.claims.ledger import result
from kdcourse.claims.lesson_04 import LIMIT

CLAIM, SETTING = "above-20x-gap", "fashion-mnist"


def full_run_date() -> str:
    """When the full run was, as it stands in its result."""
    return _full_run()["settings"][SETTING]["date"]


def size_curves() -> dict[int, list[dict]]:
    """The accuracy of the distilled students in the full run, by how many pictures they had, the most first.

    Returns
    -------
    dict
        {examples: [{ratio, accuracy, low, high, n}]}, accuracies as shares, the smallest ratio first. With 95 %
        confidence, all intervals together hold.

    Raises
    ------
    FileNotFoundError
        Where there is no such run, or no teacher to compare with.

    Notes
    -----
    The run stores how far the gap, teacher − student, lies under or over a limit. The teacher's accuracy is taken as
    known, so a student's accuracy has the interval of its gap.

    Examples
    --------
    >>> [row["ratio"] for row in size_curves()[5_000]]
    [2, 5, 10, 20, 50, 100, 200]
    """
    at_limit = measured_sizes()["teacher_accuracy"] - LIMIT
    curves: dict[int, list[dict]] = {}
    for part in _full_run()["parts"]:
        if part["setting"] != SETTING or "student" in part["key"]:  # CNNs
            continue
        # "under" is limit − gap, "over" is gap − limit. What is left is teacher − gap.
        sign = 1 if part["key"]["side"] == "under" else -1
        accuracy, *ends = (at_limit + sign * part[name] / part["scale"] for name in ("mean", "low", "high"))
        row = {"ratio": part["key"]["ratio"], "accuracy": accuracy, "low": min(ends), "high": max(ends), "n": part["n"]}
        curves.setdefault(part["key"]["examples"], []).append(row)
    return {n: sorted(curves[n], key=lambda row: row["ratio"]) for n in sorted(curves, reverse=True)}


def _full_run():
    found = result(CLAIM)
    if found is None:
        raise FileNotFoundError(f"no full run of {CLAIM}: kdcourse claims --run {CLAIM}")
    return found
