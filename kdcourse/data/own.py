"""A task of one's own: arrays become a data set, cut by class and standardised as it is in training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_type, bad_value, describe
from kdcourse.data.dataset import DataSet, Split


def own_task(
    inputs: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str] | np.ndarray | None = None,
    *,
    name: str = "own",
    seed: int = 0,
    about: pd.DataFrame | Mapping[str, ArrayLike] | None = None,
) -> DataSet:
    """A data set without a teacher: arrays cut into 60 % training, 20 % validation and 20 % test, by class.

    Parameters
    ----------
    inputs : array_like or DataFrame [N, D]
        Finite numbers; each column is standardised as it is in training, in float64. What this took is
        `standardised` of the data set.
    labels : array_like [N]
        Classes: strings or whole numbers.
    class_names : sequence of str [C], optional
        If these are the labels themselves, their order is that of the classes. Numbers can get other names, in the
        order of the sorted numbers. Left out, the sorted labels.
    name : str
        Of the data set.
    seed : int
        Of the cut.
    about : DataFrame or mapping of columns, N rows, optional
        What else is known of each example, to slice by. It is cut with the rows, and becomes `about` of each split.

    Raises
    ------
    TypeError, ValueError
        For inputs that are not finite numbers (with the column), labels that are missing or no classes, names that do
        not fit the labels, and rows that do not match. From scikit-learn, for a class of which there are too few
        examples to be in all three.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> iris = load_iris()
    >>> long = iris.data[:, 2] > 4
    >>> data = own_task(iris.data, iris.target, iris.target_names, about={"long petal": long})
    >>> data.train, data.test, data.class_names[0]
    (Split(90 examples), Split(30 examples), 'setosa')
    >>> int(data.test.about["long petal"].sum())
    17

    Raw rows become inputs of a student:

    >>> mean, deviation = data.standardised
    >>> rows = (torch.tensor(iris.data[:2]) - mean) / deviation
    >>> torch.nn.Linear(4, 3)(rows.float()).shape
    torch.Size([2, 3])
    """
    from sklearn.model_selection import train_test_split

    columns = _numbers(inputs)
    found, sorted_labels = _classes(labels)
    if len(sorted_labels) != len(columns):
        raise bad_value("labels", f"must have one row per input, got {len(sorted_labels)} for {len(columns)} inputs")
    own_names = [str(one) for one in found]
    names = own_names if class_names is None else _names(class_names, found)
    # Names that are the labels give the order; others are given to the labels as these are sorted.
    places = [names.index(one) for one in own_names] if set(names) == set(own_names) else range(len(names))
    known = None if about is None else _about(about, len(columns))

    rows = np.arange(len(columns))
    train, others = train_test_split(rows, test_size=0.4, stratify=sorted_labels, random_state=seed)
    validation, test = train_test_split(others, test_size=0.5, stratify=sorted_labels[others], random_state=seed)
    # A column that is constant in training may have a deviation of 1e-17.
    varies = columns[train].min(0) < columns[train].max(0)
    mean, deviation = columns[train].mean(0), np.where(varies, columns[train].std(0), 1)
    standardised = torch.from_numpy(((columns - mean) / deviation).astype(np.float32))
    indices = torch.from_numpy(np.array(places, np.int64)[sorted_labels])

    def part(rows):
        its = None if known is None else known.iloc[rows].reset_index(drop=True)
        return Split(indices[rows], inputs=standardised[rows], about=its)

    scale = torch.as_tensor(mean), torch.as_tensor(deviation)
    return DataSet(name, part(train), part(validation), part(test), tuple(names), standardised=scale)


def _numbers(inputs):
    """`inputs` as float64 [N, D], each of them finite."""
    table = inputs if isinstance(inputs, pd.DataFrame) else np.asarray(inputs)
    if table.ndim < 2:
        raise bad_value("inputs", f"must be numbers [N, D], got {describe(inputs)}")
    names = list(table.columns) if isinstance(table, pd.DataFrame) else None
    if names is not None or table.dtype.kind not in "biuf":
        numbers = np.column_stack([_number_column(*one) for one in pd.DataFrame(table).items()])
    else:
        numbers = table.astype(np.float64)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        row, *place = bad[0].tolist()
        column = names[place[0]] if names else place[0] if len(place) == 1 else place
        value = numbers[tuple(bad[0])].item()
        raise bad_value("inputs", f"must be finite, got {value} in column {column!r}, row {row}")
    return numbers


def _number_column(name, values):
    plain = values.dtype.kind in "biuf"
    text = next((value for value in values if isinstance(value, str)), None) if not plain else None
    try:
        if text is not None or values.dtype.kind in "mM":
            raise TypeError
        return values.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        got = values.iloc[0] if text is None else text
        raise bad_type("inputs", f"must be numbers, got {got!r} in column {name!r}") from None


def _classes(labels):
    """(the sorted classes, the place [N] of each label among them)."""
    if np.ndim(labels) != 1:
        raise bad_value("labels", f"must be [N], one per example, got shape {list(np.shape(labels))}")
    values = pd.Series(np.asarray(labels)).infer_objects()
    bad, problem = values.isna(), "be there for every example"
    if not bad.any() and values.dtype.kind == "f":
        bad, problem = values % 1 != 0, "be classes, strings or whole numbers"
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise bad_value("labels", f"must {problem}, got {values[row]} in row {row}")
    if values.dtype.kind == "f":
        values = values.astype(np.int64)
    try:
        return np.unique(values.to_numpy(), return_inverse=True)
    except TypeError:
        raise bad_type("labels", "must all be strings or all be whole numbers, got both") from None


def _names(class_names, found):
    """The class names as a list of str, once they fit the sorted classes that were found."""
    if isinstance(class_names, str | Mapping) or not hasattr(class_names, "__getitem__"):
        raise bad_type("class_names", f"must be a sequence of names in an order, got {describe(class_names)}")
    names, labels = [str(one) for one in class_names], [str(one) for one in found]
    if len(names) != len(labels) or len(set(names)) != len(names):
        raise bad_value("class_names", f"must be {len(labels)} different names, one for each of {labels}, got {names}")
    if isinstance(found[0], str) and set(names) != set(labels):
        raise bad_value("class_names", f"must be the labels {labels} in the order that you want, got {names}")
    return names


def _about(about, examples):
    if isinstance(about, Mapping):
        for column, values in about.items():
            if np.shape(values) != (examples,):
                shape = list(np.shape(values))
                raise bad_value(f"about[{column!r}]", f"must have one row per input, got shape {shape} for {examples}")
        return pd.DataFrame({column: np.asarray(values) for column, values in about.items()})  # by row, not by index
    if not isinstance(about, pd.DataFrame):
        raise bad_type("about", f"must be a DataFrame or a mapping of columns, got {describe(about)}")
    if len(about) != examples:
        raise bad_value("about", f"must have one row per input, got {len(about)} for {examples}")
    return about
