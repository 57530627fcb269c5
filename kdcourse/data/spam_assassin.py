"""The SpamAssassin mails as a table, and the numbers that a small student sees of them.

A word's place among the features is its hash, so there is no vocabulary to learn, to ship or to keep in step
(Weinberger et al. 2009, arXiv:0902.2206). Different words may share a place; the fewer places, the more of them do.
"""

import json
import lzma
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdcourse import store
from kdcourse._arguments import integer
from kdcourse.data.dataset import DataSet, Split
from kdcourse.data.files import DataError, checked, folder

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["hashed_features", "load", "read_mails"]

FEATURES = 4096
CLASS_NAMES = ("ham", "spam")
SPLITS = ("train", "validation", "test")
COLUMNS = ["id", "group", "subject", "text", "length"]


def load(with_teacher: bool = True, features: int = FEATURES) -> DataSet:
    """See `kdcourse.data.load`; `features` is how many hashed features a mail becomes.

    >>> load(with_teacher=False).class_names
    ('ham', 'spam')
    """
    features = integer("features", features, at_least=1)
    path = checked("spam-assassin/mails.jsonl.xz")
    logits, teacher = {}, {}
    if with_teacher:
        name = "spam-assassin/teacher-logits.safetensors"
        logits, teacher = store.load_tensors(checked(name))
        if teacher["mails"] != store.sha256(path):
            raise DataError(f"{folder() / name} was made for other mails. Run tools/train_spam_teacher.py")
    splits: dict[str, Any] = {}
    for split, mails in read_mails(path).items():
        splits[split] = Split(
            torch.tensor(mails["label"].to_numpy()),
            logits[split].float() if with_teacher else None,
            inputs=hashed_features(mails["subject"] + "\n" + mails["text"], features),
            about=mails[COLUMNS],
        )
    return DataSet(
        "spam-assassin",
        **splits,
        class_names=CLASS_NAMES,
        teacher_parameters=teacher.get("parameters"),
        vocabulary=None,
    )


def read_mails(path: "str | Path") -> "dict[str, pd.DataFrame]":
    """The mails of a file with one JSON object a line, xz-compressed, by split; rows keep the order of the lines.

    Columns: id, group, subject, text, length (characters before the text was cut), label (0 ham, 1 spam), and family,
    a number that is the same for mails with much of their text in common.

    >>> from kdcourse.data import checked
    >>> list(read_mails(checked("spam-assassin/mails.jsonl.xz")))
    ['train', 'validation', 'test']
    """
    import pandas as pd

    with lzma.open(path, "rt", encoding="utf-8") as file:
        mails = pd.DataFrame([json.loads(line) for line in file])
    return {
        split: mails.loc[mails["split"] == split, [*COLUMNS, "label", "family"]].reset_index(drop=True)
        for split in SPLITS
    }


def hashed_features(texts: Iterable[str], size: int = FEATURES) -> torch.Tensor:
    """Word counts as features: every word is counted at the place of its hash.

    Parameters
    ----------
    texts : iterable of str [N]
    size : int
        How many features D, >= 1.

    Returns
    -------
    tensor, float32 [N, D]
        log(1 + count), with the sign that the hash gives the word so that words which share a place tend to cancel;
        every row scaled to mean square 1, as standardised inputs have on average. A text without a word is a row of
        zeros. Not centred: most features are zero, and a zero is to stay one.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, and for one string in place of several.

    Examples
    --------
    >>> hashed_features(["free money", ""], size=8).square().mean(1).tolist()
    [1.0, 0.0]
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    size = integer("size", size, at_least=1)
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of strings, got the one string {texts[:40]!r}")
    vectorizer = HashingVectorizer(n_features=size, norm=None, dtype=np.float32)
    texts = list(texts)
    if not texts:
        return torch.zeros(0, size)
    counts = vectorizer.transform(texts)
    counts.data = np.sign(counts.data) * np.log1p(np.abs(counts.data))
    inputs = torch.from_numpy(counts.toarray())
    return inputs.mul_(size**0.5 / inputs.norm(dim=1, keepdim=True).clamp_min_(1e-12))
