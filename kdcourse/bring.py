"""Bring a teacher: whatever it is, its answers become the teacher logits of a data set, and all the rest follows.

bring(data, network)                       # an nn.Module, [N, ...] -> logits [N, C]
bring(data, model)                         # anything with predict_proba, such as scikit-learn's
bring(data, {"train": probabilities, "validation": "validation.csv", "test": "test.csv"})
bring(data, Client(api))                   # an API that gives text; see `kdcourse.api`
"""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
import torch

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.api import Client, targets
from kdcourse.api.reading import LEAST
from kdcourse.data import DataSet, Split
from kdcourse.data.own import own_task
from kdcourse.train import teacher_logits

SPLITS = ("train", "validation", "test")
__all__ = ["CANARIES", "SPLITS", "bring", "own_task"]
CANARIES = 25  # a test of so many can reach p-values that a dozen checks need
FEW = 10  # rows; of more, no logits all happen to sum to 1
FAILURES = (AttributeError, IndexError, RuntimeError, TypeError, ValueError)  # of a model that gets other inputs


def bring(data: DataSet, teacher: Any, *, check_every: int | None = 250, rest: str = "spread") -> DataSet:
    """The data set with the logits of another teacher in all three splits.

    Parameters
    ----------
    data : DataSet
        What it has of a teacher is replaced.
    teacher
        - an nn.Module from inputs [N, ...] to logits [N, C]
        - an object with `predict_proba`, such as a classifier of scikit-learn. It is asked about the inputs of each
          split as they are there (standardised, after `own_task`), so it should have learned from such. Its `classes_`
          are 0 to C - 1 or the class names, in any order.
        - a dict with "train", "validation" and "test": probabilities [N, C] each. The columns of an array or a tensor
          are the classes in their order; those of a DataFrame, or of a CSV file (its path), are named by the classes,
          or 0 to C - 1. Zeros become 1e-12.
        - a `Client` of an API. Test is asked first, then validation, then train, until a new version is found. Examples
          without an answer, or with one that cannot be trusted, leave their split.
    check_every, rest
        Of `Client.until_changed`, for an API. None for `check_every`: all answers are used, and nothing is checked.

    Raises
    ------
    TypeError, ValueError
        Naming the teacher's split: for what is no teacher, another number of examples or classes, columns that are not
        the classes, numbers that are no probabilities, and a module that gives probabilities.

    Examples
    --------
    >>> inputs, labels = torch.eye(4)[:, :2], torch.tensor([0, 1, 0, 0])
    >>> parts = [Split(labels, inputs=inputs)] * 3
    >>> data = DataSet("tiny", *parts, class_names=("a", "b"))
    >>> table = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]])
    >>> bring(data, dict.fromkeys(SPLITS, table)).test.teacher_logits.exp()[0]
    tensor([0.9000, 0.1000])
    >>> from sklearn.linear_model import LogisticRegression
    >>> bring(data, LogisticRegression().fit(inputs, labels)).test.teacher_logits.argmax(1)
    tensor([0, 0, 0, 0])
    """
    if isinstance(teacher, Client):
        return _of_client(data, teacher, check_every, rest)
    splits, names = {name: getattr(data, name) for name in SPLITS}, [str(one) for one in data.class_names]
    size = None
    if isinstance(teacher, torch.nn.Module):
        size = sum(parameter.numel() for parameter in teacher.parameters())
        logits = {name: _of_module(name, teacher, split, len(names)) for name, split in splits.items()}
    else:
        if hasattr(teacher, "predict_proba"):
            teacher = {name: _of_model(name, teacher, split, names) for name, split in splits.items()}
        _check_keys(teacher)
        logits = {name: _log(f"teacher[{name!r}]", teacher[name], split, names) for name, split in splits.items()}
    taught = {name: _with_logits(split, logits[name]) for name, split in splits.items()}
    return replace(data, **taught, teacher_parameters=size)


def _of_module(name, teacher, split, classes):
    try:
        logits = teacher_logits(teacher, split.inputs)
    except FAILURES as error:
        raise _no_answer(name, split, error) from error
    wanted = [len(split), classes]
    if list(logits.shape) != wanted:
        raise bad_value("teacher", f"must give logits {wanted} for {name}, one per class, got {list(logits.shape)}")
    if len(logits) > FEW and (logits >= 0).all() and ((logits.sum(1) - 1).abs() < 1e-4).all():
        raise bad_value("teacher", "must give logits, got rows that sum to 1 (probabilities): leave out the softmax")
    return logits


def _check_keys(teacher):
    came = describe(teacher)
    if isinstance(teacher, Mapping):
        missing, unknown = [one for one in SPLITS if one not in teacher], [one for one in teacher if one not in SPLITS]
        if not missing and not unknown:
            return
        came = f"a dict: missing {missing}, unknown {unknown}"
    kinds = f"an nn.Module, a Client or a dict of {SPLITS}, or have predict_proba"
    raise bad_type("teacher", f"must be {kinds}, got {came}")


def _of_client(data, client, check_every, rest):
    parts, kept = {}, torch.zeros(0)
    for name in reversed(SPLITS):
        if name == "train" and check_every is not None:
            canaries = kept.nonzero().flatten()[:CANARIES].tolist()  # of validation
            logits, kept = client.until_changed(name, canaries=canaries, check_every=check_every, rest=rest)
        else:
            logits, kept = targets(client(name, range(len(getattr(data, name)))), data.class_names, rest=rest)
        parts[name] = _with_logits(getattr(data, name)[kept], logits[kept])
    return replace(data, **parts, teacher_parameters=None)


def _of_model(name, model, split, class_names):
    """What `predict_proba` says of a split, as an array with the classes in their order."""
    places = list(range(len(class_names)))
    classes = getattr(model, "classes_", places)
    by_place = np.array_equal(classes, places)
    columns, order = (places, places) if by_place else ([str(one) for one in classes], class_names)
    if sorted(columns) != sorted(order):
        wanted = f"0 to {places[-1]} or the class names {class_names}"
        raise bad_value("teacher", f"must have classes_ {wanted}, got {columns}")
    try:
        said = np.asarray(model.predict_proba(split.inputs.numpy(force=True)))
        return pd.DataFrame(said, columns=columns)[order].to_numpy()
    except FAILURES as error:
        raise _no_answer(name, split, error) from error


def _no_answer(name, split, error):
    return bad_value("teacher", f"must have an answer for the {name} inputs, {describe(split.inputs)}: {error}")


def _log(name, table, split, class_names):
    """Logits of a table of probabilities, once it is one for this split."""
    if isinstance(table, str | PathLike):
        first = pd.read_csv(table, header=None, nrows=1)
        bare = first.select_dtypes("number").shape == first.shape
        hint = ": the file needs a header, its first row holds numbers" if bare else ""
        table = _in_order(name, pd.read_csv(table), class_names, hint)
    elif isinstance(table, pd.DataFrame):
        table = _in_order(name, table, class_names)
    if isinstance(table, torch.Tensor):
        table = table.numpy(force=True)
    try:
        table = torch.from_numpy(np.array(table, np.float64))  # a copy: that of a DataFrame cannot be written to
    except (TypeError, ValueError) as error:
        raise bad_value(name, f"must hold probabilities: {error}") from error
    if list(table.shape) != [len(split), len(class_names)]:
        raise bad_value(name, f"must be {[len(split), len(class_names)]}, got {list(table.shape)}")
    bad = (~(table >= 0).all(1) | ((table.sum(1) - 1).abs() > 1e-3)).nonzero().flatten()
    if len(bad):
        raise bad_value(
            name, f"must hold probabilities that sum to 1 in each row, got row {int(bad[0])}: {table[bad[0]].tolist()}"
        )
    return table.clamp_min(LEAST).log().float()


def _in_order(name, table, class_names, hint=""):
    """The columns of a DataFrame in the order of the classes, whose names or places they have."""
    columns, places = [str(one) for one in table.columns], [str(place) for place in range(len(class_names))]
    if all(columns.count(one) == 1 for one in class_names):
        return table.iloc[:, [columns.index(one) for one in class_names]]
    if sorted(columns) == sorted(places):
        return table.iloc[:, [columns.index(one) for one in places]]
    wanted = f"a column for each class, {class_names}, or columns 0 to {places[-1]}"
    raise bad_value(name, f"must have {wanted}, got columns {columns}{hint}")


def _with_logits(split, logits):
    of = {"inputs": split.inputs} if split.pixels is None else {"pixels": split.pixels, "scale": split.scale}
    return Split(split.labels, logits, about=split.about, **of)
