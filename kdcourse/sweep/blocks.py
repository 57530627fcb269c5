"""Sweeps that are repeated on blocks of the training split, and what validation chooses among their students."""

from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from kdcourse._arguments import integer
from kdcourse.data import DataSet
from kdcourse.sweep.run import sweep

CHOSEN = ["temperature", "soft_weight", "lr", "weight_decay"]  # what `best_on_validation` may choose


def sweep_blocks(
    grid: pd.DataFrame,
    data: DataSet,
    *,
    examples: int,
    blocks: int,
    signal: Any = lambda data, block: data,
    loss_of: Any = None,
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """The same students on several blocks of training examples, each block with initial weights and order of its own.

    Within a block, all students share examples, initial weights (where their shape is the same) and the order of the
    batches: they are pairs. Between blocks, nothing is shared.

    Parameters
    ----------
    grid : DataFrame
        As of `grid`, with one seed: block k has `init_seed` and `order_seed` k.
    data : DataSet
        Whose training split is cut.
    examples : int
        In a block.
    blocks : int
        How many; together they must fit into the training split.
    signal : callable, optional
        From a block's data set and its number to the data set that is trained on, with other labels for example.
    loss_of : callable, optional
        From the data set that a block trains on to its loss, as `sweep` takes one: for losses that count its labels.
    progress : bool
        Show a bar, one step per block.
    **options
        Of `sweep`.

    Returns
    -------
    DataFrame
        As of `sweep`, with a column `block`.

    Raises
    ------
    ValueError
        For more blocks than there are examples for, for a grid of several seeds, and as `sweep` does.

    Examples
    --------
    >>> from kdcourse.data import load
    >>> from kdcourse.sweep import grid
    >>> arms = grid(width=4, soft_weight=[0, 1])
    >>> table = sweep_blocks(arms, load("fashion-mnist"), examples=20, blocks=3, epochs=1, progress=False, resume=False)
    >>> table.groupby("block").size().tolist()
    [2, 2, 2]
    """
    examples, blocks = integer("examples", examples, at_least=1), integer("blocks", blocks, at_least=1)
    if examples * blocks > len(data.train):
        raise ValueError(f"blocks must fit into {len(data.train):,} training examples, got {blocks} of {examples:,}")
    for name in ("init_seed", "order_seed"):
        if name in grid and grid[name].nunique() > 1:
            several = sorted(set(grid[name].tolist()))
            raise ValueError(f"grid must have one {name}, since block k has its own, k; got {several}")

    def one(block):
        part = replace(data, train=data.train[examples * block : examples * (block + 1)])
        students, learned = grid.assign(init_seed=block, order_seed=block), signal(part, block)
        own = options if loss_of is None else {**options, "loss": loss_of(learned)}
        return sweep(students, learned, progress=False, **own).assign(block=block)

    # A small stack is done soonest on one thread, with another beside it.
    parallel = joblib.Parallel(n_jobs=2, backend="threading", return_as="generator")
    tables = parallel(joblib.delayed(one)(block) for block in range(blocks))
    bar = tqdm(tables, total=blocks, desc="blocks", leave=False, disable=not progress)
    return pd.concat(bar, ignore_index=True)


def best_on_validation(table: pd.DataFrame, by: str = "validation_accuracy") -> pd.DataFrame:
    """The students of one arm with the settings whose mean over the blocks is best on validation, block by block.

    Parameters
    ----------
    table : DataFrame
        As of `sweep_blocks`: the students of one arm, whatever it may choose among (temperature, soft weight, learning
        rate, weight decay).
    by : str
        The column that decides; more is better, or less if it ends in "_nll".

    Returns
    -------
    DataFrame
        One row per block, in the order of the blocks, or of the seeds of any sweep: rows of two arms with the same ones
        are pairs. Settings with which a student diverged are not chosen.

    Raises
    ------
    ValueError
        For a column that is not there, for no settings with which all students converged, and where the chosen ones
        have no student, or more than one, on some block: compare students of one size.

    Examples
    --------
    >>> runs = {"lr": [0.1, 0.1, 1, 1], "block": [1, 0, 1, 0], "validation_accuracy": [0.7, 0.8, 0.6, 0.7]}
    >>> table = pd.DataFrame(runs).assign(temperature=1, soft_weight=1, weight_decay=0)
    >>> best_on_validation(table)[["lr", "block"]].to_numpy().tolist()
    [[0.1, 0.0], [0.1, 1.0]]
    """
    # A student that diverged has no accuracy: its settings are none to choose.
    if by not in table:
        raise ValueError(f"by must be a column of the table, {list(table.columns)}, got {by!r}")
    means = table.assign(merit=merit(table, by).fillna(-np.inf)).groupby(CHOSEN)["merit"].mean()
    if not (means > -np.inf).any():
        raise ValueError(f"table must hold settings with which no student diverged, got {len(means)} settings")
    rows = table[(table[CHOSEN] == list(means.idxmax())).all(axis=1)]
    seeds = [seed for seed in ("block", "order_seed", "init_seed") if seed in rows]
    if rows.duplicated(seeds).any() or len(rows) < len(table[seeds].drop_duplicates()):
        sizes = {name: table[name].unique().tolist() for name in ("width", "hidden_layers") if name in table}
        raise ValueError(f"table must hold one student for each of the settings and {seeds}, got sizes {sizes}")
    return rows.sort_values(seeds)


def merit(table: pd.DataFrame, by: str) -> pd.Series:
    """The column that settings are chosen by, so that more is better: of one that ends in "_nll", its negative.

    Examples
    --------
    >>> merit(pd.DataFrame({"validation_nll": [0.5]}), "validation_nll").tolist()
    [-0.5]
    """
    return -table[by] if by.endswith("_nll") else table[by]


def gain_over(table: pd.DataFrame, of: str = "test_accuracy", **settings: Any) -> pd.Series:
    """What each student gains over its pair: the one with these settings, of its size, on the same block.

    Parameters
    ----------
    table : DataFrame
        As of `sweep_blocks`, or several of them.
    of : str
        The column that is compared.
    **settings
        Columns and one value each, which single out one student per block, number of examples and width.

    Returns
    -------
    Series
        With the index of the table; 0 for the students with these settings.

    Raises
    ------
    ValueError
        Where the settings leave more than one student to compare with, or none.

    Examples
    --------
    >>> table = pd.DataFrame({"temperature": [1, 4, 1, 4], "block": [0, 0, 1, 1], "width": 32, "examples": 500})
    >>> gain_over(table.assign(test_accuracy=[0.5, 0.75, 0.5, 0.5]), temperature=1).tolist()
    [0.0, 0.25, 0.0, 0.0]
    """
    shared = ["examples", "width", "block"]
    base = table[(table[list(settings)] == list(settings.values())).all(axis=1)].set_index(shared)[of]
    wanted = pd.MultiIndex.from_frame(table[shared])
    if base.index.has_duplicates or not wanted.isin(base.index).all():
        raise ValueError(f"settings must single out one student per block, examples and width, got {settings}")
    return table[of] - base.loc[wanted].to_numpy()
