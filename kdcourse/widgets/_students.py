"""The students of live training: which pairs a value of the slider stands for, and their accuracies."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kdcourse._arguments import one_of
from kdcourse.sweep import grid, sweep

CONTROLS = ("temperature", "soft_weight", "width")


def pairs(
    control: str, values: list[float], settings: Mapping[str, Any], against: Mapping[str, Any], repeats: int
) -> dict[float, list[tuple[tuple, pd.DataFrame]]]:
    """{value: [(key, table) of the arm, (key, table) of its baseline]}; equal keys stand for equal students."""
    one_of("control", control, CONTROLS)
    for name, given in [("settings", settings), ("against", against)]:
        if not isinstance(given, Mapping):
            raise TypeError(f"{name} must be a dict, got {type(given).__name__}")
        if "init_seed" in given:
            raise ValueError(f"{name} must not hold init_seed, which tells the pairs apart; got {given['init_seed']!r}")
    if control in settings:
        raise ValueError(f"settings must not hold the control {control}, got {settings[control]!r}")
    if not against:
        raise ValueError("against must hold at least one column, got none")
    if not values or any(values.count(value) > 1 for value in values):
        raise ValueError(f"values must be one or more, each of them once, got {values}")
    arms = {value: {**settings, control: value} for value in values}
    return {value: [_students(arm, repeats), _students({**arm, **against}, repeats)] for value, arm in arms.items()}


def _students(columns, repeats):
    table = grid(**columns, init_seed=range(repeats))
    if len(table) != repeats:
        raise ValueError(f"settings and against must hold one value for each column, got {columns}")
    key = table.drop(columns="init_seed").iloc[0].to_dict()
    if key["soft_weight"] == 0:
        key["temperature"] = 1.0  # labels alone know no temperature: one baseline serves them all
    return tuple(key.items()), table


def title(against: Mapping[str, Any]) -> str:
    """What the baseline is called."""
    labels = against.get("soft_weight") == 0
    rest = [name for name in against if not (labels and name in ("soft_weight", "temperature"))]
    return ", ".join(["labels"] * labels + [f"{name.replace('_', ' ')} {against[name]}" for name in rest])


def train(tables: dict[tuple, pd.DataFrame], data: Any, **how: Any) -> dict[tuple, np.ndarray]:
    """{key: validation accuracies in percent}, one for each row of its table."""
    students = sweep(pd.concat(tables.values()), data, resume=False, progress=False, **how)
    accuracies = 100 * students["validation_accuracy"].to_numpy(float)
    if lost := int(np.isnan(accuracies).sum()):
        raise ArithmeticError(f"{lost} of {len(accuracies)} students diverged: their loss was no longer finite")
    return dict(zip(tables, accuracies.reshape(len(tables), -1), strict=True))
