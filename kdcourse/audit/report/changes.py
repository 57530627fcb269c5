"""What changed since an earlier audit, and whether its numbers can be compared with those of this one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.audit.inputs.examples import counted, listed
from kdcourse.audit.report.tables import NOTHING, Column, Part, Report, gap_text, printable, unit_of, with_interval
from kdcourse.audit.report.wording import named
from kdcourse.store import load_json

SCHEMA, VERSIONS = "kdcourse.audit", (1, 2, 3)  # what `pages.content` writes, and what is read
RANK = {"flag": 0, "alarm": 1, "watch": 2, "too few": 2, "not measurable": 2, "pass": 3}
RULES = {
    "max_gap": "the gap that is allowed",
    "thresholds": "the gaps that single slices may have",
    "min_samples": "the smallest slice that is judged",
    "confidence": "the confidence",
    "correction": "the correction",
    "require": "what a release requires",
}
BESIDE = {"weights": "Weighted", "clusters": "In clusters"}
DEFAULTS = {"correction": "holm", "require": "no flag"}  # of schema 1, which had nothing else

ORDER = {name: place for place, name in enumerate(["worse", "new", "gone", "changed", "better", "clear move", ""])}
WORDS = {
    "worse": "worse by verdict",
    "new": "new",
    "gone": "gone",
    "changed": "between watch, too few and not measurable",
    "better": "better by verdict",
    "clear move": "clearly moved with the same verdict",
}


def read_old(old: Any) -> dict[str, Any]:
    """What an audit wrote as JSON, from its path or as it was read. An error that names `old` for anything else."""
    where = ""
    if isinstance(old, (str, os.PathLike)):
        where = f" in {Path(old)}"
        try:
            old = load_json(old)
        except OSError as error:
            raise bad_value("old", f"cannot be read{where}: {error.strerror or error}") from None
        except ValueError as error:
            raise bad_value("old", f"must be an audit as JSON: {error}") from None
    elif not isinstance(old, Mapping):
        raise bad_type("old", f"must be a report, or the path of one as JSON, got {describe(old)}")
    schema = old.get("schema") if isinstance(old, Mapping) else None
    if schema != SCHEMA:
        raise bad_value("old", f"must be the audit of one student, of schema {SCHEMA!r}, got {schema!r}{where}")
    if old.get("schema_version") not in VERSIONS:
        known = f"{listed(VERSIONS[:-1])} or {VERSIONS[-1]}"
        raise bad_value("old", f"must have schema_version {known}, got {old.get('schema_version')!r}{where}")
    return dict(old)


def changes_part(report: Report, new: dict[str, Any], old: dict[str, Any]) -> Part:
    """Both as `pages.content` has them. One row per slice that either has, the most serious change first.

    slice, level, change     change is "worse" or "better" (of the verdict), "new", "gone", "changed" (watch,
                             too few and not measurable), "clear move" (the same verdict, and intervals that do not
                             overlap) or ""
    verdict_before, verdict  missing where there is no such slice
    gap_before, low_before, high_before, gap, low, high, max_gap_before, max_gap
    moved                    gap less gap_before, NaN unless both reports have the same examples, metric and weights
    """
    comparable, said = _comparable(new, old)
    rows = [_row(now, before, comparable) for now, before in _pairs(new, old)]
    rows.sort(key=lambda row: (ORDER[row["change"]], -abs(row["moved"]) if row["moved"] == row["moved"] else 0.0))
    table = pd.DataFrame(rows)
    counts = table["change"].value_counts()
    parts = [f"{counts[one]:,} {words}" for one, words in WORDS.items() if one in counts]
    same = counts.get("", 0) + counts.get("clear move", 0)
    since = f"Since {_when(old)}: {', '.join(parts) if parts else 'no verdict changed'}"
    said.insert(0, f"{since}; {counted(int(same), 'verdict')} as before.")
    if comparable and "clear move" in counts:
        said.append("A move is clear where the two intervals do not overlap; other moves may be chance.")
    shown = table[table["change"] != ""]
    return Part("What changed", said, table, _columns(report, comparable, _unit(new) == _unit(old)), shown)


def _when(old):
    date, version = old["settings"].get("date"), old.get("kdcourse")
    return f"the audit of {date}" if date else f"an audit without a date (kdcourse {version})"


def _pairs(new, old):
    """[(row or None, its earlier row or None)] in the order of the new report, with what is gone at the end."""
    before, now = ({(row["slice"], row["level"]): row for row in [*one["rows"], one["overall"]]} for one in (old, new))
    return [*((row, before.get(key)) for key, row in now.items()), *((None, before[k]) for k in before if k not in now)]


def _row(now, before, comparable):
    row = {name: (now or before)[name] for name in ("slice", "level")}
    row["verdict_before"], row["verdict"] = (one and one["verdict"] for one in (before, now))
    for name in ("gap", "low", "high", "max_gap"):
        row[f"{name}_before"], row[name] = (float("nan") if not one else _float(one[name]) for one in (before, now))
    row["moved"] = row["gap"] - row["gap_before"] if comparable else float("nan")
    row["change"] = _change(row, comparable)
    return row


def _change(row, comparable):
    if row["verdict_before"] is None or row["verdict"] is None:
        return "new" if row["verdict_before"] is None else "gone"
    before, now = RANK[row["verdict_before"]], RANK[row["verdict"]]
    if now != before:
        return "worse" if now < before else "better"
    if row["verdict_before"] != row["verdict"]:
        return "changed"
    apart = row["low"] > row["high_before"] or row["high"] < row["low_before"]
    return "clear move" if comparable and apart else ""


def _comparable(new, old):
    """(whether gaps may be subtracted, what differs, in sentences)."""
    said = []
    measured = [_metric(one) for one in (old, new)]
    same_metric = measured[0] == measured[1]
    if not same_metric:
        said.append(f"Another metric: {measured[0]} before, {measured[1]} now.")
    marks, before = new["settings"]["fingerprints"], old["settings"].get("fingerprints")
    alike = [name for name in ("examples", "ids") if before and before.get(name) == marks.get(name)]
    same_data = "examples" in alike and ("ids" in alike or not ({"ids"} <= {*before} & {*marks}))
    if before is None:
        said.append("The earlier report does not say which examples it saw, so whether they are the same is unknown.")
    elif not same_data:
        n = [counted(one["overall"]["n"], "example") for one in (old, new)]
        said.append(f"Other examples, or in another order: {n[0]} before, {n[1]} now.")
    elif marks["teacher"] != before["teacher"]:
        said.append("The teacher answers otherwise: a gap may have moved with the teacher, not with the student.")
    if same_data and marks["student"] == before["student"]:
        said.append("The student answers as before.")
    unlike = {name: _unlike(name, marks.get(name), (before or {}).get(name), same_data) for name in BESIDE}
    said += [f"{BESIDE[name]} {how}." for name, how in unlike.items() if how]
    comparable = same_metric and same_data and not unlike["weights"]
    if _unit(new) != _unit(old):
        said.append(f"So gaps before, in {_unit(old)}, are not shown.")
    elif not comparable:
        said.append("So gaps are shown side by side and not subtracted.")
    rules = [words for name, words in RULES.items() if _rule(new, name) != _rule(old, name)]
    rules += ["the clusters"] if unlike["clusters"] else []
    rules += ["the number of tests"] if not rules and new["corrected_for"] != old["corrected_for"] else []
    if rules:
        said.append(f"Judged otherwise: {', '.join(rules)} changed. A verdict may have changed with that alone.")
    if old["schema_version"] == 1:
        said.append("The earlier report knew no alarm: what was watch then may be alarm now.")
    return comparable, said


def _metric(content):
    """The metric in words, which differ where its gaps do."""
    metric = content["settings"].get("metric", {})
    lower = "" if metric.get("greater_is_better", True) else " (lower is better)"
    return printable(named(content["score_name"], metric)) + lower


def _unit(content):
    """Schema 1 and 2 had accuracy, and scores of people's own."""
    return content["settings"].get("metric", {}).get("unit") or (
        "points" if content["score_name"] == "accuracy" else content["score_name"]
    )


def _unlike(name, mark, before, same_data):
    """How weights or clusters differ, or ""; those of other examples always do."""
    if (mark is None) != (before is None):
        return "now, and not before" if before is None else "before, and not now"
    return f"by other {name} than before" if same_data and mark != before else ""


def _rule(content, name):
    return content["settings"].get(name, DEFAULTS.get(name))


def _float(value):
    return float("nan") if value is None else float(value)


def _columns(report, comparable, same_unit):
    unit = unit_of(report)[1]

    def text(name):
        return lambda row: NOTHING if pd.isna(row[name]) else printable(row[name])

    def gap(suffix):
        names = [f"{name}{suffix}" for name in ("gap", "low", "high")]
        return lambda row: NOTHING if pd.isna(row[names[0]]) else with_interval(report, row, *names)

    found = [
        *(Column(name, name, text(name), False) for name in ("slice", "level", "change")),
        Column("verdict_before", "verdict before", text("verdict_before"), False),
        Column("verdict", "verdict now", text("verdict"), False),
        Column("gap_before", f"gap before ({unit})", gap("_before"), True),
        Column("gap", f"gap now ({unit})", gap(""), True),
        Column("moved", f"moved ({unit})", lambda row: gap_text(report, row["moved"]), True),
    ]
    left_out = {name for name, holds in [("moved", comparable), ("gap_before", same_unit)] if not holds}
    return [one for one in found if one.name not in left_out]
