"""Labels and predictions as each metric needs them: choices, of one class too, probabilities, scores or numbers."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.audit.inputs.examples import (
    Examples,
    check_ids,
    check_length,
    complete,
    counted,
    factorized,
    listed,
    plain,
    probabilities,
    read_examples,
)
from kdcourse.audit.metrics import Metric


class Given(NamedTuple):
    examples: Examples  # what there is to count: choices, agreement, calibration
    labels: Any  # [N] as the metric's formula takes them
    values: dict[str, Any]  # model: its predictions, as the formula takes them
    kept: np.ndarray | None  # [N] the examples that are measured; None for all


def read_given(
    metric: Metric,
    labels: Any,
    models: dict[str, Any],
    *,
    classes: Any = None,
    ids: Any = None,
    pos_label: Any = None,
    threshold: float | None = None,
) -> Given:
    """`labels` and {name: predictions} for a metric. Arguments and errors are those of `audit`."""
    if metric.reads == "function":
        return _as_given(labels, models, ids)
    if metric.reads in ("numbers", "columns"):
        return _numbers(metric, labels, models, ids)
    if metric.reads == "texts":
        return _texts(labels, models, ids)
    flat = metric.reads == "probabilities" and any(plain(name, given).ndim == 1 for name, given in models.items())
    if metric.reads == "scores" or threshold is not None or flat:
        return _of_one_class(metric, labels, models, classes, ids, pos_label, threshold)
    examples = read_examples(labels, models, classes, ids)
    if metric.reads != "one class":
        if pos_label is not None:
            raise bad_value("pos_label", f"must be None for {metric.name} of all classes, got {pos_label!r}")
        values = examples.tables if metric.reads == "probabilities" else examples.choices
        return Given(examples, examples.labels, values, None)
    positive = _position(pos_label, examples.classes, examples.labels)
    notes = [note for note in examples.notes if "share above chance" not in note]
    truth = examples.labels == positive
    choices = {name: choice == positive for name, choice in examples.choices.items()}
    return _binary(metric, truth, choices, examples.classes[positive], notes)


def _binary(metric, truth, choices, positive, notes):
    kept = None if metric.only is None else truth == metric.only
    if kept is not None:
        if not kept.any():
            raise bad_value("labels", f"must hold an example {_kind_of(metric, positive)}, got none")
        which = f"the {counted(int(kept.sum()), 'example')} {_kind_of(metric, positive)}, of {len(kept):,}"
        notes = [*notes, f"{metric.name.capitalize()} is accuracy among {which}: n counts those."]
        truth, choices = truth[kept], {name: choice[kept] for name, choice in choices.items()}
    examples = Examples(truth.astype(np.intp), choices, {}, [f"not {positive}", positive], np.nan, notes)
    return Given(examples, truth, choices, kept)


def _kind_of(metric, positive):
    return f"whose label is{'' if metric.only else ' not'} {positive!r}"


def _of_one_class(metric, labels, models, classes, ids, pos_label, threshold):
    """The class `pos_label` against all others, from its probabilities or scores."""
    labels = complete("labels", labels)
    _check_length_and_ids(labels, {}, ids)
    codes, distinct = factorized("labels", labels)
    positive = _position(pos_label, distinct, codes)
    truth = codes == positive
    columns = {}
    for name, given in models.items():
        given = plain(name, given)
        check_length(name, given, len(truth))
        if given.ndim == 1:
            columns[name] = numbers(name, given)
            outside = (columns[name] < 0) | (columns[name] > 1)
            if metric.reads != "scores" and outside.any():
                row = int(outside.argmax())
                expected = f"probabilities of {distinct[positive]!r} in [0, 1]"
                raise bad_value(name, f"must be {expected}, got {columns[name][row]:g} in row {row}")
        else:
            table = probabilities(name, given)
            known = complete("classes", classes).tolist() if classes is not None else list(range(table.shape[1]))
            if len(known) != table.shape[1]:
                raise bad_value("classes", f"must name the {table.shape[1]} columns of {name}, got {len(known)}")
            if distinct[positive] not in known:
                hint = "" if classes is not None else "; classes can name the columns"
                expected = f"among the classes {listed(known)} of the columns of {name}"
                raise bad_value("pos_label", f"must be {expected}, got {distinct[positive]!r}{hint}")
            columns[name] = table[:, known.index(distinct[positive])].astype(np.float64)
    if metric.reads == "probabilities":
        tables = {name: np.stack([1 - column, column], axis=1) for name, column in columns.items()}
        examples = read_examples(truth, tables, [False, True])
        named = examples._replace(classes=[f"not {distinct[positive]}", distinct[positive]])
        return Given(named, examples.labels, tables, None)
    if threshold is not None:
        choices = {name: column >= threshold for name, column in columns.items()}
        return _binary(metric, truth, choices, distinct[positive], [])
    if truth.all():
        raise bad_value("labels", f"must hold two classes or more, got {distinct[positive]!r} only")
    uncounted = Examples(truth, {}, {}, [f"not {distinct[positive]}", distinct[positive]], np.nan, [])
    return Given(uncounted, truth, columns, None)


def _position(pos_label, classes, codes):
    """The place of `pos_label` in `classes`. Without it, that of 1 or True where labels are 0 and 1 (scikit-learn)."""
    present = [classes[number] for number in np.unique(codes)]
    if pos_label is None:
        if not set(present) <= {0, 1} or 1 not in classes:
            raise bad_value("pos_label", f"must name a class of the labels, got None; there are {listed(present)}")
        pos_label = 1
    if pos_label not in present:
        raise bad_value("pos_label", f"must be a class of the labels, got {pos_label!r}; there are {listed(present)}")
    return classes.index(pos_label)


def _numbers(metric, labels, models, ids):
    """Real numbers as labels and predictions, or columns of scores, which need no labels."""
    truth = None if metric.reads == "columns" else numbers("labels", labels)
    values = {name: numbers(name, given) for name, given in models.items()}
    truth = np.zeros(len(values["teacher"])) if truth is None else truth
    _check_length_and_ids(truth, values, ids)
    return Given(_nothing_to_count(truth), truth, values, None)


def _texts(labels, models, ids):
    """Answers of any kind, right where they equal the label, letter by letter."""
    columns = {name: complete(name, given) for name, given in [("labels", labels), *models.items()]}
    for name, column in columns.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = column.astype(column.cat.categories.dtype)
    _check_length_and_ids(columns["labels"], columns, ids)
    for name, column in columns.items():
        odd = next((value for value in column if not isinstance(value, str)), None) if column.dtype == object else None
        if odd is not None or not pd.api.types.is_string_dtype(column):
            raise bad_type(name, f"must hold strings for exact-match, got {describe(column if odd is None else odd)}")
    every = pd.concat([column.astype(object) for column in columns.values()], ignore_index=True)
    codes = np.split(pd.factorize(every)[0], len(columns))
    coded = dict(zip(columns, codes, strict=True))
    truth = coded.pop("labels")
    loose = every.str.strip().str.casefold().to_numpy().reshape(len(columns), -1)
    notes = []
    for place, (name, choices) in enumerate(coded.items(), start=1):
        nearly = int(((choices != truth) & (loose[place] == loose[0])).sum())
        if nearly:
            what = f"{counted(nearly, 'answer')} of {name}, unlike the label in blanks at the ends or capitals only"
            notes.append(f"{what}, count as wrong.")
    return Given(Examples(truth, coded, {}, [], np.nan, notes), truth, coded, None)


def _as_given(labels, models, ids):
    truth = np.asarray(plain("labels", labels))
    values = {name: np.asarray(plain(name, given)) for name, given in models.items()}
    _check_length_and_ids(truth, values, ids)
    return Given(_nothing_to_count(truth), truth, values, None)


def _nothing_to_count(truth):
    return Examples(truth, {}, {}, [], np.nan, [])


def _check_length_and_ids(labels, columns, ids):
    if len(labels) == 0:
        raise bad_value("labels", "must hold at least one example, got none")
    for name, column in columns.items():
        check_length(name, column, len(labels))
    if ids is not None:
        check_ids(ids, len(labels))


def numbers(name: str, given: Any) -> np.ndarray:
    """`given` as finite float64 [N]."""
    column = complete(name, given)
    if not pd.api.types.is_numeric_dtype(column):
        raise bad_type(name, f"must hold numbers, got {describe(column.iloc[0] if column.dtype == object else column)}")
    values = column.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).argmax())
        raise bad_value(name, f"must hold finite numbers, got {values[row]} in row {row}")
    return values


def scored(metric: Metric, score: Any, labels: Any, models: dict[str, Any], classes: Any, ids: Any) -> Given:
    """Classes, and beside them what a function that people have written makes of each example."""
    examples = read_examples(labels, models, classes, ids)
    n, values = len(examples.labels), {}
    for model, predictions in models.items():
        found = np.asarray(plain(f"score(labels, {model})", score(labels, predictions)))
        if found.shape != (n,) or found.dtype.kind not in "biuf":
            expected = f"one number for each of the {n:,} examples"
            raise bad_value("score", f"must return {expected}, got {describe(found)} for {model}")
        values[model] = found = found.astype(np.float64)
        if not np.isfinite(found).all():
            row = int((~np.isfinite(found)).argmax())
            raise bad_value("score", f"must return finite numbers, got {found[row]} for {model} in row {row}")
    return Given(examples, examples.labels, values, None)


def of_student(given: Given, student: str, students: Collection[str]) -> Given:
    """What belongs to the teacher, the baseline, and this one of several students, as "student"."""

    def own(by_model):
        named = {"student" if name == student else name: value for name, value in by_model.items()}
        return {name: named[name] for name in ("teacher", "student", "baseline") if name in named}

    examples, others = given.examples, [name for name in students if name != student]
    examples = examples._replace(
        choices=own(examples.choices),
        confidence=own(examples.confidence),
        tables=own(examples.tables),
        notes=[note for note in examples.notes if not any(name in note for name in others)],
    )
    return given._replace(examples=examples, values=own(given.values))


# ---- weights and clusters ----


def read_weights(weights: Any, n: int) -> np.ndarray | None:
    """[N] of mean 1; None where there are none, or all are equal."""
    if weights is None:
        return None
    values = numbers("weights", weights)
    check_length("weights", values, n)
    if (values < 0).any():
        row = int((values < 0).argmax())
        raise bad_value("weights", f"must be >= 0, got {values[row]:g} in row {row}")
    if not values.any():
        raise bad_value("weights", "must not all be 0")
    return None if np.ptp(values) == 0 else values / values.mean()


def read_clusters(clusters: Any, n: int) -> np.ndarray | None:
    """[N] whole numbers from 0; None where there are none, or each example is its own."""
    if clusters is None:
        return None
    column = complete("clusters", clusters)
    check_length("clusters", column, n)
    codes, distinct = factorized("clusters", column)
    if len(distinct) < 2:
        raise bad_value("clusters", f"must name two clusters or more, got {distinct[0]!r} only")
    return None if len(distinct) == n else codes
