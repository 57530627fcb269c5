"""WordNet's noun glosses as a table, and the numbers that a small student sees of them.

A word's number is its hash, as with the mails, but a gloss is kept as the short list of its numbers: of thousands of
features a dozen would not be zero, so that a student looks up a few rows of its first layer instead of multiplying by
all of them (Joulin et al. 2016, arXiv:1607.01759).
"""

import lzma
import re
import zlib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from kdcourse import store
from kdcourse._arguments import integer
from kdcourse.data.dataset import DataSet, Split
from kdcourse.data.files import DataError, checked, folder

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["hashed_ids", "load", "read_glosses"]

GRAM = 5  # characters, the marks of beginning and end among them
FEATURES = 4096
LENGTH = 32  # ids that are kept of a gloss; one gloss in nine has more, and 64 taught a student no more than 32
CLASS_NAMES = (
    "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling", "food", "group",
    "location", "object", "person", "phenomenon", "plant", "possession", "process", "quantity", "relation", "shape",
    "state", "substance", "time",
)  # fmt: skip
SPLITS = ("train", "validation", "test")
GLOSSES = "wordnet-glosses/glosses.tsv.xz"


def load(with_teacher: bool = True, features: int = FEATURES) -> DataSet:
    """See `kdcourse.data.load`; `features` is how many different ids n-grams are hashed to.

    Inputs are those of `hashed_ids`, `vocabulary` is features + 1. `about` holds gloss, lemma (a noun that the gloss
    explains) and synset ("n" and the offset in WordNet 3.0's data.noun).

    >>> len(load(with_teacher=False).class_names)
    24
    """
    features = integer("features", features, at_least=1)
    path = checked(GLOSSES)
    logits, teacher = {}, {}
    if with_teacher:
        name = "wordnet-glosses/teacher-logits.safetensors"
        logits, teacher = store.load_tensors(checked(name))
        if teacher["glosses"] != store.sha256(path):
            raise DataError(f"{folder() / name} was made for other glosses. Run tools/train_glosses_teacher.py")
    splits = {}
    for split, glosses in read_glosses(path).items():
        splits[split] = Split(
            labels(glosses),
            logits[split].float() if with_teacher else None,
            inputs=hashed_ids(glosses["gloss"], features),
            about=glosses[["gloss", "lemma", "synset"]],
        )
    return DataSet(
        "wordnet-glosses",
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=CLASS_NAMES,
        teacher_parameters=teacher.get("parameters"),
        vocabulary=features + 1,
    )


def read_glosses(path: "str | Path") -> "dict[str, pd.DataFrame]":
    """The glosses of a file with tab-separated columns, xz-compressed, by split; rows keep the order of the lines.

    Columns: class (its name), synset, lemma, gloss.

    >>> from kdcourse.data import checked
    >>> list(read_glosses(checked("wordnet-glosses/glosses.tsv.xz")))
    ['train', 'validation', 'test']
    """
    import pandas as pd

    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        table = pd.read_csv(file, sep="\t", quoting=3, dtype=str, keep_default_na=False)  # 3: quotes are text
    return {split: table[table["split"] == split].drop(columns="split").reset_index(drop=True) for split in SPLITS}


def labels(glosses):
    """int64 [N]: the label of each gloss of a table."""
    number = {name: k for k, name in enumerate(CLASS_NAMES)}
    return torch.tensor([number[name] for name in glosses["class"]])


def hashed_ids(texts: Iterable[str], size: int = FEATURES) -> torch.Tensor:
    """Words as ids: of every word the hash of its beginning and of its end, so that kin share one ("plants", "plant").

    A word is a run of letters and digits, in lower case, with < before and > after it. Its n-grams are its first five
    characters and its last five ("<plan", "ants>"), or the whole if it has no more. An n-gram's id is
    1 + (CRC-32 of its UTF-8 bytes modulo `size`).

    Parameters
    ----------
    texts : iterable of str [N]
    size : int
        How many ids, >= 1.

    Returns
    -------
    tensor, int64 [N, 32]
        Ids from 1 to size in the order of the words, 0 behind the last. Of a longer text the first 32 are kept.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, and for one string in place of several.

    Examples
    --------
    >>> hashed_ids(["a young cat", ""], size=4096)[:, :4].tolist()
    [[684, 126, 463, 2618], [0, 0, 0, 0]]
    """
    size = integer("size", size, at_least=1)
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of strings, got the one string {texts[:40]!r}")

    @cache  # a word is met a dozen times
    def ids(word):
        marked = f"<{word}>"
        grams = [marked[:GRAM], marked[-GRAM:]] if len(marked) > GRAM else [marked]
        return [1 + zlib.crc32(gram.encode()) % size for gram in grams]

    rows = [[number for word in _words(text) for number in ids(word)][:LENGTH] for text in texts]
    lengths = np.array([len(row) for row in rows], int)
    padded = np.zeros((len(rows), LENGTH), np.int64)
    padded[np.arange(LENGTH) < lengths[:, None]] = [number for row in rows for number in row]
    return torch.from_numpy(padded)


def _words(text):
    return re.findall(r"[^\W_]+", text.lower())
