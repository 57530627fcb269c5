"""Bring a teacher: whatever it is, its answers become the teacher logits of a data set, and all the rest follows.

bring(data, network)                       # an nn.Module, [N, ...] -> logits [N, C]
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
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.api import Client, targets
from kdcourse.api.reading import LEAST
from kdcourse.data import DataSet, Split
from kdcourse.train import teacher_logits

SPLITS = ("train", "validation", "test")
CANARIES = 25  # a test of so many can reach p-values that a dozen checks need


def own_task(
    inputs: ArrayLike,
    labels: ArrayLike,
    class_names: tuple[str, ...] | None = None,
    *,
    name: str = "own",
    seed: int = 0,
) -> DataSet:
    """A data set without a teacher: arrays cut into 60 % training, 20 % validation and 20 % test, by class.

    Parameters
    ----------
    inputs : array_like [N, D]
        Numbers; each column is standardised as it is in training.
    labels : array_like [N]
        Classes.
    class_names : tuple of str, optional
        In the order of the sorted classes; their own names if not given.
    name : str
        Of the data set.
    seed : int
        Of the cut.

    Raises
    ------
    ValueError
        From scikit-learn, for a class of which there are too few examples to be in all three.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> iris = load_iris()
    >>> data = own_task(iris.data, iris.target, tuple(iris.target_names))
    >>> data.train, data.test, data.class_names[0]
    (Split(90 examples), Split(30 examples), np.str_('setosa'))
    """
    from sklearn.model_selection import train_test_split

    found, labels = np.unique(np.asarray(labels), return_inverse=True)
    columns = np.asarray(inputs, np.float32)
    train, others = train_test_split(np.arange(len(labels)), test_size=0.4, stratify=labels, random_state=seed)
    validation, test = train_test_split(others, test_size=0.5, stratify=labels[others], random_state=seed)
    spread = columns[train].std(0)
    columns = (columns - columns[train].mean(0)) / np.where(spread > 0, spread, 1)

    def part(rows):
        return Split(torch.from_numpy(labels[rows]), inputs=torch.from_numpy(columns[rows]))

    return DataSet(name, part(train), part(validation), part(test), class_names or tuple(map(str, found)))


def bring(data: DataSet, teacher: Any, *, check_every: int | None = 250, rest: str = "spread") -> DataSet:
    """The data set with the logits of another teacher in all three splits.

    Parameters
    ----------
    data : DataSet
        What it has of a teacher is replaced.
    teacher
        - an nn.Module from inputs [N, ...] to logits [N, C]
        - a dict with "train", "validation" and "test": probabilities [N, C] each, as an array, a tensor, or the path
          of a CSV file with one column per class (by their names, or in their order). Zeros become 1e-12.
        - a `Client` of an API. Test is asked first, then validation, then train, until a new version is found. Examples
          without an answer, or with one that cannot be trusted, leave their split.
    check_every, rest
        Of `Client.until_changed`, for an API. None for `check_every`: all answers are used, and nothing is checked.

    Raises
    ------
    TypeError, ValueError
        Naming the teacher's split.

    Examples
    --------
    >>> inputs, labels = torch.eye(4)[:, :2], torch.tensor([0, 1, 0, 0])
    >>> parts = [Split(labels, inputs=inputs)] * 3
    >>> data = DataSet("tiny", *parts, class_names=("a", "b"))
    >>> table = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]])
    >>> bring(data, dict.fromkeys(SPLITS, table)).test.teacher_logits.exp()[0]
    tensor([0.9000, 0.1000])
    """
    if isinstance(teacher, torch.nn.Module):
        size = sum(parameter.numel() for parameter in teacher.parameters())
        logits = {name: teacher_logits(teacher, getattr(data, name).inputs) for name in SPLITS}
        taught = {name: _with_logits(getattr(data, name), logits[name]) for name in SPLITS}
        return replace(data, **taught, teacher_parameters=size)
    if isinstance(teacher, Client):
        parts, kept = {}, torch.zeros(0)
        for name in reversed(SPLITS):
            if name == "train" and check_every is not None:
                canaries = kept.nonzero().flatten()[:CANARIES].tolist()  # of validation
                logits, kept = teacher.until_changed(name, canaries=canaries, check_every=check_every, rest=rest)
            else:
                logits, kept = targets(teacher(name, range(len(getattr(data, name)))), data.class_names, rest=rest)
            parts[name] = _with_logits(getattr(data, name)[kept], logits[kept])
        return replace(data, **parts, teacher_parameters=None)
    if not isinstance(teacher, Mapping) or set(teacher) != set(SPLITS):
        raise bad_type("teacher", f"must be an nn.Module, a Client or a dict of {SPLITS}, got {describe(teacher)}")
    tables = {name: _log(f"teacher[{name!r}]", teacher[name], getattr(data, name), data.class_names) for name in SPLITS}
    taught = {name: _with_logits(getattr(data, name), tables[name]) for name in SPLITS}
    return replace(data, **taught, teacher_parameters=None)


def _log(name, table, split, class_names):
    if isinstance(table, str | PathLike):
        table = pd.read_csv(table)
        table = table[list(class_names)] if set(class_names) <= set(table.columns) else table
    table = torch.as_tensor(np.asarray(table), dtype=torch.float64)
    if list(table.shape) != [len(split), len(class_names)]:
        raise bad_value(name, f"must be {[len(split), len(class_names)]}, got {list(table.shape)}")
    bad = (~(table >= 0).all(1) | ((table.sum(1) - 1).abs() > 1e-3)).nonzero().flatten()
    if len(bad):
        raise bad_value(
            name, f"must hold probabilities that sum to 1 in each row, got row {int(bad[0])}: {table[bad[0]].tolist()}"
        )
    return table.clamp_min(LEAST).log().float()


def _with_logits(split, logits):
    of = {"inputs": split.inputs} if split.pixels is None else {"pixels": split.pixels, "scale": split.scale}
    return Split(split.labels, logits, about=split.about, **of)
