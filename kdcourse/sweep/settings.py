"""The settings of the students of a sweep: a DataFrame with one row per student."""

import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kdcourse._arguments import integer, not_negative, number, positive, share
from kdcourse.losses import blended

Several = float | Iterable[float]  # one value of a setting, or all that are tried


def _temperature(name, value):
    value = number(name, value)
    blended(value)
    return value


# The default of each setting, and its check.
SETTINGS: dict[str, tuple[Any, Callable]] = {
    "width": (None, partial(integer, at_least=1)),
    "hidden_layers": (1, partial(integer, at_least=0)),
    "temperature": (1.0, _temperature),
    "soft_weight": (1.0, share),
    "lr": (1e-3, positive),
    "weight_decay": (0.0, not_negative),
    "init_seed": (0, partial(integer, at_least=0)),
    "order_seed": (0, partial(integer, at_least=0)),
}


def grid(
    *,
    width: Several,
    hidden_layers: Several = 1,
    temperature: Several = 1.0,
    soft_weight: Several = 1.0,
    lr: Several = 1e-3,
    weight_decay: Several = 0.0,
    init_seed: Several = 0,
    order_seed: Several = 0,
) -> pd.DataFrame:
    """Every combination of the given settings, one row per student, for `sweep`.

    Each setting may be a single value or several. Rows are joined with pandas.concat, and thinned out like any
    DataFrame: `sweep` takes every table with such columns.

    Parameters
    ----------
    width, hidden_layers
        Units in each hidden layer, >= 1, and how many such layers, >= 0. With none, a linear model, the width says
        nothing.
    temperature, soft_weight, lr, weight_decay
        As in `train.distill`; soft_weight 0 is a student on hard labels, whatever its temperature.
    init_seed, order_seed
        They fix the initial weights and the batches. All students of a stack share their batches: to average over both
        kinds of luck, cross several of each (and give both to `stats.compare`).

    Returns
    -------
    DataFrame
        One column for each setting.

    Raises
    ------
    TypeError, ValueError
        Naming the setting, the value and the row.

    Examples
    --------
    >>> grid(width=[8, 32], temperature=[1, 4])[["width", "temperature", "lr"]]
       width  temperature     lr
    0      8          1.0  0.001
    1      8          4.0  0.001
    2     32          1.0  0.001
    3     32          4.0  0.001
    """
    given = (width, hidden_layers, temperature, soft_weight, lr, weight_decay, init_seed, order_seed)
    values = [list(value) if np.iterable(value) else [value] for value in given]
    for name, value, several in zip(SETTINGS, given, values, strict=True):
        if not several or isinstance(value, str):
            raise ValueError(f"{name} must be a value or several, got {value!r}")
    # dtype=object: beside 8.5, pandas would turn a 4 into 4.0, and the error would be about the wrong one.
    table = pd.DataFrame(list(itertools.product(*values)), columns=list(SETTINGS), dtype=object)
    return check_settings(table)


def check_settings(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with every column of `SETTINGS`, each in its type. Raises an error that names the column and the row."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"grid must be a DataFrame, as `grid` makes it, got {type(table).__name__}")
    unknown = [name for name in table.columns if name not in SETTINGS]
    if unknown:
        raise ValueError(f"grid must have no other columns than {', '.join(SETTINGS)}; got {unknown[0]!r}")
    if "width" not in table.columns:
        raise ValueError("grid must have the column 'width', got none")
    if len(table) == 0:
        raise ValueError("grid must have at least one row, got none")
    columns: dict[str, list] = {}
    for name, (default, check) in SETTINGS.items():
        values = table[name].tolist() if name in table.columns else [default] * len(table)
        columns[name] = []
        for row, value in zip(table.index, values, strict=True):
            try:
                columns[name].append(check(name, value))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error} (row {row!r} of the grid)") from None
    return pd.DataFrame(columns, index=table.index)
