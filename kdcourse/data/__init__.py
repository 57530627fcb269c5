"""The course's data sets, shipped in `data/` and checked against their checksums every time they are read.

    garments = load("fashion-mnist")
    garments.train.inputs          # float32 [50000, 784], standardised
    garments.test.teacher_logits   # float32 [10000, 10]
    mails = load("spam-assassin")
    mails.test.about["group"]      # which of five kinds of mail each is; the texts are there, too
    glosses = load("wordnet-glosses")
    glosses.train.inputs           # int64 [64901, 32], ids of hashed n-grams; 0 pads
    flights = load("flights")
    flights.test.about["date"]     # flights of one day are not independent
    words = load("cmudict")        # sequences: words and how they are said, a form of its own
    words.train.examples()         # letters int64 [M, 20] and phonemes int64 [M, 21], as tokens

Splits are fixed: train for training, validation to choose anything, test to report once.
"""

import inspect
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Literal, overload

from kdcourse.data.dataset import DataSet, Split
from kdcourse.data.files import DataError, checked, folder, verify

if TYPE_CHECKING:
    from kdcourse.data.cmudict import Pronunciations

__all__ = ["DataError", "DataSet", "Split", "checked", "folder", "load", "names", "verify"]


def names() -> list[str]:
    """The data sets there are: every module of this package that has a function `load` is one.

    Examples
    --------
    >>> "fashion-mnist" in names()
    True
    """
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return sorted(module.__name__.rpartition(".")[2].replace("_", "-") for module in modules if hasattr(module, "load"))


@overload
def load(name: Literal["cmudict"], *, with_teacher: bool = True) -> "Pronunciations": ...  # type: ignore[overload-overlap]


@overload
def load(name: str, *, with_teacher: bool = True, **options) -> DataSet: ...


def load(name: str, *, with_teacher: bool = True, **options) -> "DataSet | Pronunciations":
    """A data set by name, every file of it checked first: never a half-loaded set.

    Parameters
    ----------
    name : str
        One of `names()`.
    with_teacher : bool
        False leaves the cached teacher logits out: what a teacher is trained on.
    **options
        Of this data set alone; for "spam-assassin" and "wordnet-glosses" `features`, how many numbers words are hashed
        to.

    Raises
    ------
    ValueError
        For a name that does not exist.
    TypeError
        For an option that this data set does not have.
    DataError
        For a file that is missing, truncated or altered.

    Examples
    --------
    >>> load("spam-assassin", features=64).test.inputs.shape[1]
    64
    """
    if name not in names():
        raise ValueError(f"name must be one of {', '.join(map(repr, names()))}, got {name!r}")
    loader = import_module(f"{__name__}.{name.replace('-', '_')}").load
    allowed = [option for option in inspect.signature(loader).parameters if option != "with_teacher"]
    for option in options:
        if option not in allowed:
            there = f"has {', '.join(allowed)}" if allowed else "has none"
            raise TypeError(f"{option} must be an option of {name!r}, which {there}")
    return loader(with_teacher, **options)
