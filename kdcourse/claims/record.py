"""What a claim is, and what its experiment returns: pairs of arms, under a key of named settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kdcourse._arguments import bad_value

SUPPORTS = ("better", "worse", "equivalent", "not worse")
HOLDS = ("all", "any", "each")
Key = dict[str, Any]  # {"ratio": 10, "examples": 5_000}; where the arms differ, both values: {"temperature": [4, 1]}

# What comes before a value, how each value is said, and what follows them. "{examples}" is what a setting consists of.
WORDS = {
    "against": ("against ", "{}", ""),
    "by": ("", "by {}", ""),
    "class": ("for ", "{}", ""),
    "compute": ("at compute ", "{}", ""),
    "epochs": ("within ", "{}", " epochs"),
    "examples": ("with ", "{:,}", " {examples}"),
    "method": ("by ", "{}", ""),
    "metric": ("in ", "{}", ""),
    "ratio": ("at ", "{}×", ""),
    "share": ("with ", "≤ {:.0%}", " asked"),
    "shown": ("on ", "{}", ""),
    "side": ("", "{}", " the limit"),
    "slice": ("for ", "{}", ""),
    "step": ("after ", "{}", ""),
    "student": ("for ", "{}s", ""),
    "teacher": ("taught by the ", "{}", " teacher"),
    "temperature": ("at ", "T = {}", ""),
    "validation": ("with ", "{:,}", " validation {examples}"),
    "width": ("at ", "{}", " hidden units"),
}
# Data sets in which claims are measured: what each consists of, and where it is said to be measured.
EXAMPLES = {
    "fashion-mnist": "pictures",
    "spam-assassin": "mails",
    "wordnet-glosses": "glosses",
    "flights": "flights",
    "cmudict": "words",
}
PLACES = EXAMPLES | {"fashion-mnist": "garments"}


def part_id(key: Key) -> str:
    """The short name of a part, made of its key: what lessons call it by.

    Examples
    --------
    >>> part_id({"ratio": [10, 50], "examples": 5_000})
    'ratio=10:50,examples=5000'
    """
    return ",".join(f"{name}={':'.join(str(value) for value in values_of(value))}" for name, value in key.items())


def label(key: Key, setting: str = "fashion-mnist") -> str:
    """A key in words, for people. The words are derived from the key, and never read back.

    Examples
    --------
    >>> label({"ratio": [10, 50], "examples": 5_000})
    '10× against 50×, 5,000 pictures'
    >>> label({"examples": 500}, "flights")
    '500 flights'
    >>> label({"momentum": 0.9})
    'momentum 0.9'
    """
    return ", ".join(_said(name, value, setting) for name, value in key.items())


def words(name: str, values: list, setting: str) -> tuple[str, str, str]:
    """How values of `name` are said: what comes before them, a format for each, and what follows them."""
    before, each, after = WORDS.get(
        name, ("for ", "{}", "") if isinstance(values[0], str) else ("at ", f"{name} {{}}", "")
    )
    return before, each, after.format(examples=EXAMPLES.get(setting, "examples"))


def values_of(value: Any) -> list:
    """The values of one entry of a key: both, where the arms differ."""
    return value if isinstance(value, list) else [value]


def _said(name, value, setting):
    _, each, after = words(name, values_of(value), setting)
    return " against ".join(each.format(one) for one in values_of(value)) + after


class Arm(NamedTuple):
    """One side of a comparison: values in pairs, higher is better, and what its students chose on validation.

    `values` are [n], one for each pair, or [n, N]: one for each test example as well, the same N in every row. `edges`
    names the settings whose choice lies on the edge of what could be tried.
    """

    name: str
    values: np.ndarray
    chosen: dict | None = None
    edges: tuple[str, ...] = ()


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
    setting, metric, example : str
        The name of the data set, of what the values are, and of what they are means over, in the plural: "pictures".
    how_many : int or None
        How many examples the values speak of, where that is a slice of them.
    also : tuple of Part
        The same comparison in other metrics, to be read beside it; no verdict on the claim hangs on them.
    beside : dict or None
        {name: value} of others in the same metric, such as the teacher and a model that costs less.
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
    setting: str = "fashion-mnist"
    metric: str = "accuracy"
    example: str = "examples"
    how_many: int | None = None
    also: tuple = ()
    beside: dict | None = None


@dataclass(frozen=True)
class Claim:
    """What is said about distillation, where, and how this course tests it. Written before its result is known.

    Attributes
    ----------
    name, wording, taught_in, measured : str
        What is said, by whom, and what the experiment compares.
    measure : callable or None
        The experiment, from a `ledger.Bench` to parts; None while no lesson has got to it.
    supports : str
        What a part must show: "better", "worse", "equivalent" or "not worse". See `verdicts.answer`.
    holds : str
        For the claim, "all" parts must speak, or "any", or "each" stands on its own.
    settings : tuple of str
        The data sets in which it is measured.
    parts : str
        What its parts are, in the plural: "garments".
    revised : str
        What of this record was changed after a first result had been seen, and why; "" if nothing was.
    smallest : float or None
        The smallest effect of interest, in the unit in which it is shown; None only where nothing is measured. Whether
        there are enough pairs for it, `describe.enough_pairs` says.
    planned : bool
        Was `smallest` stated before the stored result was known?
    lesson : str
        Two digits; filled in when the claim is found: those of its module.
    """

    name: str
    wording: str
    taught_in: str
    measured: str
    measure: Callable[[Any], Iterable[Part]] | None = None
    supports: str = "better"
    holds: str = "each"
    settings: tuple[str, ...] = ("fashion-mnist",)
    parts: str = "comparisons"
    revised: str = ""
    smallest: float | None = None
    planned: bool = False
    lesson: str = ""

    def __post_init__(self):
        for name, allowed in [("supports", SUPPORTS), ("holds", HOLDS)]:
            if getattr(self, name) not in allowed:
                raise bad_value(name, f"must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")


def claim(
    name: str,
    wording: str,
    *,
    taught_in: str,
    supports: str = "better",
    holds: str = "each",
    settings: tuple[str, ...] = ("fashion-mnist",),
    parts: str = "comparisons",
    revised: str = "",
    smallest: float | None = None,
    planned: bool = False,
) -> Callable[[Callable], Claim]:
    """Make an experiment the claim that it tests. Its docstring says what is measured; all else is as in `Claim`.

    Raises
    ------
    ValueError
        For another `supports` or `holds` than there are.

    Examples
    --------
    >>> @claim("soft-is-soft", "Soft labels are soft.", taught_in="nowhere", holds="all")
    ... def soft_is_soft(run):
    ...     '''The softness of soft labels.'''
    >>> soft_is_soft.measured, soft_is_soft.supports
    ('The softness of soft labels.', 'better')
    """
    reading = (supports, holds, settings, parts, revised, smallest, planned)

    def record(measure):
        return Claim(name, wording, taught_in, " ".join((measure.__doc__ or "").split()), measure, *reading)

    return record
