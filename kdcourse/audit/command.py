"""What `kdcourse audit` does: read a file of predictions, audit it, write reports, print the table."""

import os
import re
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import typer

from kdcourse.audit.columns import listed
from kdcourse.audit.core import audit
from kdcourse.audit.predictions import as_classes, as_levels, as_numbers, as_slice, column_names, matching, read_columns
from kdcourse.audit.tables import plain_text

POLICY = ["max_gap", "min_samples", "confidence"]  # what the file of --thresholds may say besides
# The start of an error of `audit`, and the option that it is about.
OPTIONS = [
    (r"labels\b", "--label"),
    (r"(teacher|classes)\b", "--teacher"),
    (r"student\b", "--student"),
    (r"baseline\b", "--baseline"),
    (r"ids\b", "--id"),
    (r"(max_gap|min_samples|confidence_bins|confidence|thresholds)\b", None),  # the option has the argument's name
    (r"(slices|bins|crossings|'.*' must have at most)\b", "--slice"),
]


def run(
    predictions,
    *,
    label,
    teacher,
    student,
    slices,
    baseline=None,
    ids=None,
    thresholds=None,
    confidence_bins=None,
    html=None,
    json=None,
    markdown=None,
    **policy,
):
    """Print the audit of a file and write what is asked for; returns 0, or 1 if anything is flagged.

    policy  max_gap, min_samples and confidence, each None where it was not given: then the file of `thresholds` says
            it, and after that the default of `audit`

    Raises typer.BadParameter, which names the option, for whatever is wrong with the input. No file is then written.
    """
    outputs = {"--html": html, "--json": json, "--markdown": markdown}
    _check_outputs(outputs, predictions)
    asked, by_slice = _read_thresholds(thresholds)
    from_file = set(asked)
    for name, value in policy.items():
        if value is not None:
            asked[name] = value
            from_file.discard(name)
    arguments = _read(predictions, label, teacher, student, baseline, ids, slices)
    try:
        report = audit(**arguments, **asked, thresholds=by_slice, confidence_bins=confidence_bins)
    except (ValueError, TypeError) as error:
        option = _option_of(str(error), from_file)
        if option is None:
            raise
        raise typer.BadParameter(str(error), param_hint=option) from None
    # First the files: whoever reads only the first lines of what is printed has them all the same.
    for option, write in [("--html", report.to_html), ("--json", report.to_json), ("--markdown", report.to_markdown)]:
        if outputs[option] is not None:
            try:
                write(outputs[option])
            except OSError as error:
                raise typer.BadParameter(str(error), param_hint=option) from None
    _print([plain_text(report), *(f"written: {path}" for path in outputs.values() if path is not None)])
    return report.status


def parse_slice(text, columns):
    """([(column, bins)], whether they are crossed) of one --slice; bins is None, 0 for levels, a number, or edges.

    A name is looked up whole first, so that columns with a colon or a star in their names can be reached.
    Raises ValueError.
    """
    if (one := _one_slice(text, columns)) is not None:
        return [one], False
    pairs = []
    for star in re.finditer(r"\*", text):
        pair = [_one_slice(part.strip(), columns) for part in (text[: star.start()], text[star.end() :])]
        if None not in pair:
            pairs.append(pair)
    if len(pairs) > 1:
        raise ValueError(f"{text!r} can be read in {len(pairs)} ways: rename a column")
    if pairs:
        return pairs[0], True
    names = [name.strip() for name in text.split("*")]
    if len(names) > 2:
        raise ValueError(f"a crossing must be of two columns, got {text!r}")
    wrong = next(name for name in names if _one_slice(name, columns) is None)
    column, colon, bins = wrong.rpartition(":")
    if colon and column in columns:
        raise ValueError(
            f"{wrong!r} must end in a number of bins >= 2, in edges that increase, or in levels, got {bins!r}"
        )
    raise ValueError(_no_column(column if colon else wrong, columns))


def _one_slice(text, columns):
    if text in columns:
        return text, None
    column, colon, bins = text.rpartition(":")
    if not colon or column not in columns:
        return None
    if bins == "levels":
        return column, 0
    try:
        numbers = [float(edge) for edge in bins.split(",")]
    except ValueError:
        return None
    if len(numbers) == 1:
        return (column, int(bins)) if bins.isdecimal() and int(bins) >= 2 else None
    return column, numbers


def _no_column(name, columns):
    return f"there is no column {name!r}; the columns are {listed(columns, 30)}"


def _read(path, label, teacher, student, baseline, ids, slices):
    """The arguments of `audit` that come from the file."""
    models = {"teacher": teacher, "student": student} | ({} if baseline is None else {"baseline": baseline})
    try:
        names = column_names(path)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(_said(error, path), param_hint="PREDICTIONS") from None
    for option, name in [("--label", label), ("--id", ids)]:
        if name is not None and name not in names:
            raise typer.BadParameter(_no_column(name, names), param_hint=option)
    classes, probabilities = _probabilities(models, names)
    bins, crossings = _slices(slices, names)
    binned = {name for name, how in bins.items() if how}
    class_columns = [label, *(name for model, name in models.items() if model not in probabilities)]
    numbers = {name for columns in probabilities.values() for name in columns}
    needed = dict.fromkeys([*class_columns, *numbers, *bins, *([ids] if ids is not None else [])])
    try:
        # What is needed as text somewhere is read as text: 01 is then still 01.
        column = read_columns(path, list(needed), (numbers | binned) - {*class_columns, ids})
    except (ValueError, OSError) as error:
        raise typer.BadParameter(_said(error, path), param_hint="PREDICTIONS") from None
    compared, classes = _asked(
        "--label, --teacher, --student", as_classes, {name: column[name] for name in class_columns}, classes
    )
    arguments = {"labels": compared[label], "classes": classes}
    for model, name in models.items():
        if model in probabilities:
            arguments[model] = _asked(f"--{model}", _stacked, column, probabilities[model])
        else:
            arguments[model] = compared[name]
    arguments["slices"] = {
        name: as_levels(column[name])
        if how == 0
        else as_slice(column[name])
        if how is None
        else _asked("--slice", as_numbers, name, column[name])
        for name, how in bins.items()
    }
    arguments["bins"] = {name: how for name, how in bins.items() if how is not None}
    arguments["crossings"] = crossings
    arguments["ids"] = None if ids is None else as_levels(column[ids])
    return arguments


def _probabilities(models, names):
    """(the classes that patterns name, {model: its columns in that order}); a column of that very name wins."""
    classes, found = None, {}
    for model, pattern in models.items():
        if pattern in names:
            continue
        if pattern.count("*") != 1:
            raise typer.BadParameter(_no_column(pattern, names), param_hint=f"--{model}")
        columns = matching(pattern, names)
        if len(columns) < 2:
            raise typer.BadParameter(
                f"{pattern!r} must match the columns of two classes or more, got {list(columns.values())}; "
                f"the columns are {listed(names, 30)}",
                param_hint=f"--{model}",
            )
        classes = classes or list(columns)
        if set(columns) != set(classes):
            odd = sorted(set(columns) ^ set(classes))
            raise typer.BadParameter(
                f"{pattern!r} must match the same classes as --{next(iter(found))}, but only one has {listed(odd)}",
                param_hint=f"--{model}",
            )
        found[model] = [columns[name] for name in classes]
    return classes, found


def _stacked(column, names):
    import numpy as np

    return np.stack([as_numbers(name, column[name]) for name in names], axis=1)


def _slices(asked, names):
    """({column: bins}, crossings). A crossing brings its two columns along."""
    bins, crossings = {}, []
    for text in asked:
        try:
            parts, crossed = parse_slice(text, names)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--slice") from None
        for column, how in parts:
            if bins.get(column) is not None and how is not None and how != bins[column]:
                raise typer.BadParameter(
                    f"{column!r} must be cut in one way, got {bins[column]} and {how}", param_hint="--slice"
                )
            bins[column] = bins.get(column) if how is None else how
        if crossed:
            crossings.append(tuple(column for column, _ in parts))
    return bins, crossings


def _read_thresholds(path):
    """(max_gap, min_samples and confidence as far as the file says them, {slice: gap} or None)."""
    if path is None:
        return {}, None
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # broken TOML, and broken UTF-8, too
        raise typer.BadParameter(f"{path} is not valid TOML: {error}", param_hint="--thresholds") from None
    except OSError as error:
        raise typer.BadParameter(_said(error, path), param_hint="--thresholds") from None
    by_slice = found.pop("thresholds", None)
    for key in found:
        if key not in POLICY:
            raise typer.BadParameter(
                f"{path} must hold {', '.join(POLICY)} and [thresholds] only, got {key!r}", param_hint="--thresholds"
            )
    return found, by_slice


def _check_outputs(outputs, predictions):
    """Refuse what cannot be written before anything is computed, and what would overwrite its own input."""
    taken = {Path(predictions).resolve(): "PREDICTIONS"}
    for option, path in outputs.items():
        if path is None:
            continue
        path = Path(path).resolve()
        if path in taken:
            raise typer.BadParameter(f"{path} is already the file of {taken[path]}", param_hint=option)
        taken[path] = option
        folder = next(parent for parent in path.parents if parent.exists())
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            what = "it is a folder" if path.is_dir() else f"{folder} is no folder that can be written to"
            raise typer.BadParameter(f"{path} cannot be written: {what}", param_hint=option)


def _print(lines):
    """Neither a terminal that lacks a letter of some name nor a reader who has seen enough changes the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # or Python would complain of it once more when it leaves
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _asked(option, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _option_of(message, from_file):
    for start, option in OPTIONS:
        if found := re.match(start, message):
            name = found.group(1) if option is None else None
            return option or ("--thresholds" if name in from_file else f"--{name.replace('_', '-')}")
    return None


def _said(error, path):
    return f"{path} cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
