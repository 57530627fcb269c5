"""Slices that nobody named: found on one half of the examples, and confirmed on the other.

The worst of many candidates looks worse than it is. So the two halves, drawn at random, share no example: what is found
on the first is tested on the second as if it had been named before, with Holm's correction for what was found.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_value, integer
from kdcourse.audit.inputs.examples import counted
from kdcourse.audit.inputs.slicing import SliceColumn
from kdcourse.audit.metrics import Metric
from kdcourse.audit.report.tables import (
    Column,
    Part,
    Report,
    confidence_of,
    gap_text,
    printable,
    unit_of,
    with_interval,
)
from kdcourse.stats import holm
from kdcourse.stats.paired import gap_interval, gap_p_values, t_interval, t_p_values


class Group(NamedTuple):
    columns: list[SliceColumn]  # one, or the two that are crossed
    max_gap: np.ndarray  # [levels]

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """The number of the level of each of these examples; made anew each time, for there are many pairs."""
        first, *second = (column.codes[rows] for column in self.columns)
        return first * len(self.columns[1].levels) + second[0] if second else first


def check_search(most: int, metric: Metric, weights: np.ndarray | None, clusters: np.ndarray | None) -> None:
    """Refuse what has no difference for each example, or examples that do not count one by one."""
    if not (metric.is_proportion or metric.is_mean):
        raise bad_value("search", f"must be 0 for {metric.name}, which is no mean over examples, got {most}")
    if weights is not None or clusters is not None:
        raise bad_value("search", f"must be 0 with {'clusters' if weights is None else 'weights'}, got {most}")


def search_part(
    report: Report,
    difference: np.ndarray,
    columns: Sequence[SliceColumn],
    max_gap: Sequence[float],
    most: int,
    seed: int = 0,
) -> Part:
    """The `most` worst levels and pairs of levels of `columns` in one half of the examples, tested in the other.

    difference  [n] how much worse the student is on each example
    max_gap     [levels of all columns, one after the other]; a pair may lose what the more generous of its levels may

    A candidate has half of min_samples examples in each half. The worst one loses more than it may by the most standard
    errors; the next one is the worst among the examples that are left without it, and so on: nothing is found again
    under the name of a part of it.
    """
    most, seed = integer("search", most, at_least=1), integer("search_seed", seed, at_least=0)
    confidence, least = report.settings["confidence"], report.settings["min_samples"]
    order = np.random.default_rng(seed).permutation(len(difference))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    groups = list(_groups(columns, max_gap))
    large = [
        np.minimum(*(np.bincount(group.codes(half), minlength=len(group.max_gap)) for half in (first, second)))
        >= -(-least // 2)
        for group in groups
    ]
    rows = []
    for group, level in _worst(groups, large, first, difference, -(-least // 2), most):
        found, own = (difference[half[group.codes(half) == level]] for half in (first, second))
        limit = float(group.max_gap[level])
        gap, low, high, p_exceeds = _tested(own, limit, confidence, not report.settings["metric"]["exact"])
        evidence = [len(found), found.mean(), len(own), gap, low, high, limit, p_exceeds]
        rows.append([*_names(group, level), *evidence])
    names = ["slice", "level", "n_found", "gap_found", "n", "gap", "low", "high", "max_gap", "p_exceeds"]
    table = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], float) | {"n_found": int, "n": int})
    if rows:
        table["p_exceeds"] = holm(table["p_exceeds"])
    table["confirmed"] = (table["p_exceeds"] <= (1 - confidence) / 2).astype(bool)
    candidates = counted(sum(int(one.sum()) for one in large), "candidate")
    confirmed = int(table["confirmed"].sum())
    tests = counted(len(table), "test")
    said = [
        f"Of {candidates} (levels and pairs of levels of at least {counted(least, 'example')}), "
        f"{counted(len(table), 'slice')} lost more than allowed on {len(first):,} examples, drawn at random "
        f"(seed {seed}); confirmed on the other {len(second):,}: {confirmed}. No example is in both halves.",
        f"With a probability of at most {50 * (1 - confidence):.4g} %, a slice is confirmed that does not lose more "
        f"than allowed (Holm's method for {tests}). The gap where it was found is the worst of many: it is too large. "
        "The search changes neither verdicts nor exit status; to hold a release to a slice, name it.",
    ]
    return Part("Slices that were searched for", said, table, _columns(report), table)


def _groups(columns, max_gap) -> Iterator[Group]:
    """Every column, and every pair of columns, that is not made of two others."""
    crossed = {f"{a.name} × {b.name}" for a, b in itertools.permutations(columns, 2)}
    ends = np.cumsum([len(column.levels) for column in columns])[:-1]
    limits = np.split(np.array(max_gap, float), ends)
    single = [(one, limit) for one, limit in zip(columns, limits, strict=True) if one.name not in crossed]
    for column, limit in single:
        yield Group([column], limit)
    for (a, limit_a), (b, limit_b) in itertools.combinations(single, 2):
        yield Group([a, b], np.maximum.outer(limit_a, limit_b).ravel())


def _worst(groups, large, half, difference, least, most) -> Iterator[tuple[Group, int]]:
    """The worst (group, level), one after the other, each among the examples that those before it leave."""
    spread = difference[half].var()
    for _ in range(most):
        best: tuple[float, Group | None, int] = (0.0, None, 0)  # what loses no more than it may is not found
        for group, allowed in zip(groups, large, strict=True):
            excess = _standard_errors(group, group.codes(half), difference[half], spread, least)
            excess = np.where(allowed, excess, -np.inf)
            level = int(excess.argmax())
            best = max(best, (float(excess[level]), group, level), key=lambda one: one[0])
        _, group, level = best
        if group is None:
            return
        yield group, level
        half = half[group.codes(half) != level]


def _standard_errors(group, codes, difference, spread, least):
    """[levels] by how many standard errors each loses more than it may; -infinity under `least` examples."""
    n, total, squares = (np.bincount(codes, w, len(group.max_gap)) for w in (None, difference, difference**2))
    mean = total / np.maximum(n, 1)
    # One more example as varied as all are: a few that are equal have some spread, too.
    variance = squares / np.maximum(n, 1) - mean**2 + spread / np.maximum(n, 1)
    error = np.sqrt(np.maximum(variance, 1e-30) / np.maximum(n, 1))
    return np.where(n >= least, (mean - group.max_gap) / error, -np.inf)


def _tested(difference, limit, confidence, scored):
    """(gap, low, high, p-value of "the gap is at most the limit")."""
    n, gap = len(difference), float(difference.mean())
    if not scored:
        only_teacher, only_student = int((difference > 0).sum()), int((difference < 0).sum())
        ends = gap_interval(only_teacher, only_student, n, confidence)
        return gap, *ends, gap_p_values(only_teacher, only_student, n, limit)[0]
    if n < 2:
        return gap, np.nan, np.nan, 1.0
    deviation = float(difference.std(ddof=1))
    return gap, *t_interval(gap, deviation, n, confidence), t_p_values(gap, deviation, n, limit)[0]


def _names(group, level):
    """(slice, level) as a crossing would be called."""
    places = [level] if len(group.columns) == 1 else divmod(level, len(group.columns[1].levels))
    levels = [column.levels[place] for column, place in zip(group.columns, places, strict=True)]
    return " × ".join(column.name for column in group.columns), " × ".join(levels)


def _columns(report):
    unit = unit_of(report)[1]
    return [
        Column("slice", "slice", lambda row: printable(row["slice"]), False),
        Column("level", "level", lambda row: printable(row["level"]), False),
        Column("confirmed", "confirmed", lambda row: "yes" if row["confirmed"] else "no", False),
        Column("n", "n, other half", lambda row: f"{row['n']:,}", True),
        Column(
            "gap",
            f"gap there ({unit}) [{confidence_of(report)} interval]",
            lambda row: with_interval(report, row),
            True,
        ),
        Column("max_gap", f"allowed gap ({unit})", lambda row: gap_text(report, row["max_gap"], ""), True),
        Column("n_found", "n where found", lambda row: f"{row['n_found']:,}", True),
        Column("gap_found", f"gap where found ({unit})", lambda row: gap_text(report, row["gap_found"]), True),
    ]
