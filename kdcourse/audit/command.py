"""What `kdcourse audit` does: read a file of predictions, audit it, write reports, print the table."""

import os
import re
import sys
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import typer

from kdcourse._arguments import bad_value
from kdcourse.audit.core import audit
from kdcourse.audit.inputs.examples import listed
from kdcourse.audit.inputs.files import (
    as_answers,
    as_classes,
    as_numbers,
    as_slice,
    column_names,
    matching,
    read_columns,
    typed_class,
)
from kdcourse.audit.inputs.slicing import CALENDAR
from kdcourse.audit.metrics import Metric, chosen
from kdcourse.audit.report.changes import read_old
from kdcourse.audit.report.tables import plain_text
from kdcourse.audit.several import audit_all

# What the file of --thresholds may say.
MEASURED = ["metric", "pos_label", "threshold", "quantile"]
POLICY = [*MEASURED, "max_gap", "min_samples", "confidence", "thresholds", "require", "waivers", "correction"]
# What is said of these arguments is said of those options; any other has an option of its name.
OPTIONS = {"predictions": "FILE", "labels": "--label", "classes": "--teacher", "ids": "--id"}
OPTIONS |= {"pos_label": "--class", "weights": "--weight", "clusters": "--cluster"}
OPTIONS |= dict.fromkeys(["slices", "bins", "crossings"], "--slice")
OPTIONS |= {"old": "--compare", "students": "--student", "show_confusion": "--confusion", "show_examples": "--examples"}


def run(
    predictions: Path,
    *,
    label: str | None = None,
    slices: Sequence[str],
    teacher: str,
    student: Sequence[str],
    baseline: str | None = None,
    weights: str | None = None,
    clusters: str | None = None,
    ids: str | None = None,
    thresholds: Path | None = None,
    confidence_bins: int | None = None,
    html: Path | None = None,
    json: Path | None = None,
    markdown: Path | None = None,
    require_pass: bool = False,
    compare: Path | None = None,
    search: int = 0,
    confusion: bool = False,
    examples: int = 0,
    note: str | None = None,
    **policy: Any,
) -> int:
    """Print the audit of a file and write what is asked for; returns the report's status.

    policy  those of MEASURED, max_gap, min_samples, confidence and correction, each None where it was not given: then
            the file of `thresholds` says it, and after that the default of `audit`

    Raises typer.BadParameter, which names the option, for whatever is wrong with the input. No file is then written.
    """
    several = len(student) > 1
    students = {f"student[{name!r}]": name for name in student} if several else {"student": student[0]}
    models = {"teacher": teacher, **students} | ({} if baseline is None else {"baseline": baseline})
    outputs = {name: path for name, path in [("html", html), ("json", json), ("markdown", markdown)] if path}
    said = {name: value for name, value in policy.items() if value is not None}
    said |= {"require": "pass"} if require_pass else {}
    from_file: dict[str, Any] = {}
    try:
        _check_outputs(outputs, predictions)
        if several and compare is not None:
            raise bad_value("old", f"must be compared with one student alone, got {len(student)} students")
        old = None if compare is None else read_old(compare)
        if len(set(student)) < len(student):
            raise bad_value("students", f"must be different columns, got {listed(student)}")
        from_file = {} if thresholds is None else _read_thresholds(thresholds)
        asked: dict[str, Any] = {"metric": "accuracy"} | from_file | said
        what = chosen(**{name: asked[name] for name in MEASURED if name in asked})
        if not what.is_share and "max_gap" not in asked:
            raise bad_value("max_gap", f"must be given for {what.name}, in {what.unit}")
        beside = {"ids": ids, "weights": weights, "clusters": clusters}
        read = _read(predictions, what, label, models, beside, slices, "threshold" in asked)
        if "pos_label" in asked:
            asked["pos_label"] = typed_class(str(asked["pos_label"]), read["labels"])
        asked |= {"search": search, "show_confusion": confusion, "show_examples": examples}
        options = {**read, **asked, "confidence_bins": confidence_bins}
        if several:
            options["students"] = {name: options.pop(key) for key, name in students.items()}
            report: Any = audit_all(**options)
        else:
            report = audit(**options)
            report = report if old is None else report.compare(old)
        columns = {"label": label, "teacher": teacher, "student": ", ".join(student), "baseline": baseline}
        columns |= {"id": ids, "weight": weights, "cluster": clusters}
        report = report.signed(note, file=predictions, columns=columns)
    except (ValueError, TypeError) as error:
        argument = getattr(error, "argument", None)
        if argument is None:  # a fault of our own
            raise
        if argument in from_file and argument not in said:
            raise typer.BadParameter(str(error), param_hint="--thresholds") from None
        option = OPTIONS.get(argument, f"--{argument.replace('_', '-')}")
        # The option stands before it, so that Python's name goes; of slices['group'] the column stays.
        problem = re.sub(r"^\[(.+?)\] ", r"\1 ", str(error).removeprefix(argument).lstrip())
        raise typer.BadParameter(problem, param_hint=option) from None
    # First the files: whoever reads only the first lines of what is printed has them all the same.
    for name, path in outputs.items():
        try:
            getattr(report, f"to_{name}")(path)
        except OSError as error:
            raise typer.BadParameter(str(error), param_hint=f"--{name}") from None
    _print([str(report) if several else plain_text(report), *(f"written: {path}" for path in outputs.values())])
    return report.status


def parse_slice(text: str, columns: Sequence[str]) -> tuple[list[tuple[str, Any]], bool]:
    """([(column, bins)], whether they are crossed) of one --slice.

    bins is None, 0 for levels, a number, edges, or a part of the calendar.

    A name is looked up whole first, so that a column with a colon or a star in its name can be reached.
    """
    if (one := _one_slice(text, columns)) is not None:
        return [one], False
    names = [name.strip() for name in text.split("*")]
    if len(names) > 2:
        raise bad_value("slices", f"must be crossed in pairs, got {text!r}")
    parts = []
    for name in names:
        column, colon, _ = name.rpartition(":")
        if (one := _one_slice(name, columns)) is not None:
            parts.append(one)
        elif colon and column in columns:
            expected = f"a number of bins >= 2, in edges that increase, in levels, or in {', '.join(CALENDAR)}"
            raise bad_value("slices", f"must end in {expected}, got {name!r}")
        else:
            raise _no_column("slices", column if colon else name, columns)
    return parts, True


def _one_slice(text, columns):
    if text in columns:
        return text, None
    column, colon, bins = text.rpartition(":")
    if not colon or column not in columns:
        return None
    if bins == "levels":
        return column, 0
    if bins in CALENDAR:
        return column, bins
    try:
        numbers = [float(edge) for edge in bins.split(",")]
    except ValueError:
        return None
    if len(numbers) == 1:
        return (column, int(bins)) if bins.isdecimal() and int(bins) >= 2 else None
    return column, numbers


def _no_column(argument, name, columns):
    return bad_value(argument, f"must name a column, got {name!r}; there are {listed(columns, 30)}")


def _read(path, metric: Metric, label, models, beside, slices, at_threshold):
    """The arguments of `audit` that come from the file; `beside` are those of one column each, or None."""
    names = column_names(path)
    if label is None and metric.reads != "columns":
        raise bad_value("labels", f"must name a column for {metric.name}, got none; there are {listed(names, 30)}")
    beside = {"labels": label} | beside if metric.reads == "columns" else {"labels": label, **beside}
    for argument, name in beside.items():
        if name is not None and name not in names:
            raise _no_column(argument, name, names)
    beside = {argument: name for argument, name in beside.items() if name is not None}
    classes, probabilities = _probabilities(models, names)
    bins, crossings = _slices(slices, names)
    single = {model: name for model, name in models.items() if model not in probabilities}
    of_numbers = at_threshold or metric.reads in ("numbers", "columns", "scores", "probabilities")
    in_numbers = {*single.values()} if of_numbers else set()
    in_numbers |= {name for columns in probabilities.values() for name in columns}
    in_numbers |= {beside["weights"]} if "weights" in beside else set()
    in_numbers |= {label} if metric.reads == "numbers" else set()
    texts = {*beside.values(), *single.values()} - in_numbers
    needed = dict.fromkeys([*beside.values(), *single.values(), *in_numbers, *bins])
    # What is needed as text somewhere is read as text: 01 is then still 01.
    binned = {name for name, how in bins.items() if how and not isinstance(how, str)}
    column = read_columns(path, needed, (in_numbers | binned) - texts)
    found = {argument: column[name] for argument, name in {**beside, **single}.items()}
    for argument, name in {**beside, **single}.items():
        if name in in_numbers:
            found[argument] = as_numbers(argument, column[name])
    if metric.reads == "texts":  # an answer may be empty
        found |= {model: as_answers(column[name]) for model, name in single.items()}
    else:
        compared = {name: found[name] for name in ["labels", *single] if name in found}
        compared = {name: one for name, one in compared.items() if beside.get(name, single.get(name)) not in in_numbers}
        found_classes, classes = as_classes(compared, classes) if "labels" in compared else ({}, classes)
        found |= found_classes
    for model, columns in probabilities.items():
        found[model] = np.stack([as_numbers(f"{model}[{name!r}]", column[name]) for name in columns], axis=1)
    return {
        "labels": None,
        **found,
        "classes": classes,
        "slices": {
            name: as_numbers(f"slices[{name!r}]", column[name])
            if name in binned
            else as_slice(column[name])
            if how is None
            else column[name]
            for name, how in bins.items()
        },
        "bins": {name: how for name, how in bins.items() if how is not None},
        "crossings": crossings,
    }


def _probabilities(models, names):
    """(the classes that patterns name, {model: its columns in that order}); a column of that very name wins."""
    classes, found = None, {}
    for model, pattern in models.items():
        if pattern in names:
            continue
        if pattern.count("*") != 1:
            raise _no_column(model, pattern, names)
        columns = matching(pattern, names)
        if len(columns) < 2:
            got = f"{pattern!r}, which matches {list(columns.values())}; there are {listed(names, 30)}"
            raise bad_value(model, f"must match the columns of two classes or more, got {got}")
        classes = classes or list(columns)
        if set(columns) != set(classes):
            odd = sorted(set(columns) ^ set(classes))
            raise bad_value(model, f"must have the classes of {next(iter(found))}, but only one has {listed(odd)}")
        found[model] = [columns[name] for name in classes]
    return classes, found


def _slices(asked, names):
    """({column: bins}, crossings). A crossing brings its two columns along."""
    bins, crossings = {}, []
    for text in asked:
        parts, crossed = parse_slice(text, names)
        for column, how in parts:
            if bins.get(column) is not None and how is not None and how != bins[column]:
                raise bad_value(f"slices[{column!r}]", f"must be cut in one way, got {bins[column]} and {how}")
            bins[column] = bins.get(column) if how is None else how
        if crossed:
            crossings.append(tuple(column for column, _ in parts))
    return bins, crossings


def _read_thresholds(path):
    """Those arguments of `audit` that a file in TOML says."""
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8").removeprefix("\ufeff"))
    except ValueError as error:  # broken TOML, and broken UTF-8, too
        raise bad_value("thresholds", f"must be valid TOML, and {path} is not: {error}") from None
    except OSError as error:
        raise bad_value("thresholds", f"cannot be read: {path}: {error.strerror or error}") from None
    for key in found:
        if key not in POLICY:
            raise bad_value("thresholds", f"must hold {', '.join(POLICY)} only, got {key!r} in {path}")
    return found


def _check_outputs(outputs, predictions):
    """Refuse what cannot be written before anything is computed, and what would overwrite its own input."""
    taken = {Path(predictions).resolve(): "FILE"}
    for name, path in outputs.items():
        if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
            continue  # a pipe or a device: it is written to as it is
        path = Path(path).resolve()
        if path in taken:
            raise bad_value(name, f"must be a file of its own, got {path}, the file of {taken[path]}")
        taken[path] = f"--{name}"
        folder = next(parent for parent in path.parents if parent.exists())
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            what = "it is a folder" if path.is_dir() else f"{folder} is no folder that can be written to"
            raise bad_value(name, f"must be a file that can be written, got {path}: {what}")


def _print(lines):
    """Neither a terminal that lacks a letter of some name nor a reader who has seen enough changes the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # or Python would complain of it once more when it leaves
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
