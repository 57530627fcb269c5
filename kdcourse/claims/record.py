"""What a claim is, and what its experiment returns: pairs of arms, under a key of named settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Key = dict[str, Any]  # {"ratio": 10, "examples": 5_000}; where the arms differ, both values: {"temperature": [4, 1]}

# How a setting is said: each of its values, and what follows them. A name is said as it is.
WORDS = {
    "examples": ("{:,}", " pictures"),
    "ratio": ("{}×", ""),
    "side": ("{}", " the limit"),
    "teacher": ("{}", " teacher"),
    "temperature": ("T = {}", ""),
    "width": ("{}", " hidden units"),
}


def part_id(key: Key) -> str:
    """The short name of a part, made of its key: what lessons call it by.

    Examples
    --------
    >>> part_id({"ratio": [10, 50], "examples": 5_000})
    'ratio=10:50,examples=5000'
    """
    return ",".join(f"{name}={':'.join(str(value) for value in _values(value))}" for name, value in key.items())


def label(key: Key) -> str:
    """A key in words, for people. The words are derived from the key, and never read back.

    Examples
    --------
    >>> label({"ratio": [10, 50], "examples": 5_000})
    '10× against 50×, 5,000 pictures'
    >>> label({"class": "sneaker"})
    'sneaker'
    >>> label({"momentum": 0.9})
    'momentum 0.9'
    """
    return ", ".join(_said(name, value) for name, value in key.items())


def _said(name, value):
    values = _values(value)
    each, after = WORDS.get(name, ("{}" if isinstance(values[0], str) else f"{name} {{}}", ""))
    return " against ".join(each.format(one) for one in values) + after


def _values(value):
    return value if isinstance(value, list) else [value]


class Arm(NamedTuple):
    """One side of a comparison: [n] values in pairs, higher is better, and the settings that validation chose."""

    name: str
    values: np.ndarray
    chosen: dict | None = None


class Part(NamedTuple):
    """One comparison of a claim: two arms in pairs.

    Attributes
    ----------
    key : dict
        What sets this part apart from the others of its claim. See `label`.
    init_seed, order_seed : ndarray or None
        [n] What the pairs share: pairs that share a seed are not independent.
    repeated : str
        What a new `order_seed` brings: "block" (other pictures, too), "seed" (the same pictures), "teacher" or "mail".
    margin : float
        Differences smaller than this do not matter; in the unit of the values.
    scale, unit : float, str
        Differences are shown times `scale`, in `unit`.
    """

    key: Key
    a: Arm
    b: Arm
    init_seed: np.ndarray | None
    order_seed: np.ndarray | None
    repeated: str = "block"
    margin: float = 0.0
    scale: float = 100.0
    unit: str = "points"


@dataclass(frozen=True)
class Claim:
    """What is said about distillation, where, and how this course tests it. Written before its result is known.

    `supports` is the verdict of `stats.compare` that speaks for the claim. `measure` is the experiment, from a
    `ledger.Bench` to parts, or None while no lesson has got to it; `measured` says what it compares. `lesson`, two
    digits, is filled in when the claim is found: those of its module.
    """

    name: str
    wording: str
    taught_in: str
    measured: str
    supports: str = "better"
    measure: Callable[[Any], Iterable[Part]] | None = None
    lesson: str = ""


def claim(name: str, wording: str, *, taught_in: str, supports: str = "better") -> Callable[[Callable], Claim]:
    """Make an experiment the claim that it tests. Its docstring says what is measured.

    Examples
    --------
    >>> @claim("soft-is-soft", "Soft labels are soft.", taught_in="nowhere")
    ... def soft_is_soft(run):
    ...     '''The softness of soft labels.'''
    >>> soft_is_soft.measured
    'The softness of soft labels.'
    """
    return lambda measure: Claim(name, wording, taught_in, " ".join((measure.__doc__ or "").split()), supports, measure)
