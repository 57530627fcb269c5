"""Words and how they are said: CMUdict's entries with SCOWL's tiers of rarity, and words of SCOWL without a label.

One vocabulary of tokens serves letters and phonemes, so that one language model reads the first and writes the second.
"""

import lzma
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from kdcourse.data.files import checked

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["Pronunciations", "Words", "bases", "encode", "load", "read_words", "related"]

PAD, START, END = 0, 1, 2  # START stands between letters and phonemes, END behind the phonemes
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz'")
PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
TOKENS = ("<pad>", "<start>", "<end>", *LETTERS, *PHONEMES)
LONGEST = 20  # letters of a word, and phonemes of a pronunciation
SPLITS = ("train", "validation", "test", "unlabelled")
WORDS = "cmudict/words.tsv.xz"
SUFFIXES = (
    "s", "es", "'s", "s'", "'", "ed", "d", "ing", "in'", "er", "r", "ers", "rs", "or", "est", "st", "ly", "ness",
    "able", "ment", "ments", "less", "ful", "er's", "ings", "y", "ies", "ied", "ier", "iest", "ily", "iness",
)  # fmt: skip
SHORTEST_TWIN = 6  # letters; of shorter words nearly all are within one letter of another, "bat" of "bet"
_NUMBER = {token: number for number, token in enumerate(TOKENS)}


class Words:
    """Words, and every way in which each is said. Row i is the same word everywhere.

    Parameters
    ----------
    about : pandas.DataFrame
        With N rows, indexed 0 to N - 1. word; group, which inflections and near-twins share; tier, SCOWL's size 10 to
        95, NaN for words that it lacks; kind, "word", "name" or "" for those; stressed, a tuple of pronunciations
        with CMUdict's digits for stress, none for words without a label.

    Attributes
    ----------
    letters : tensor, int64 [N, 20]
        The letters of each word as tokens, 0 pads.
    pronunciations : list of N tuples
        Each of the different pronunciations without stress, tuples of phonemes, in the order of the dictionary.
    """

    def __init__(self, about: "pd.DataFrame") -> None:
        self.about = about

    @cached_property
    def letters(self) -> torch.Tensor:
        return encode(self.about["word"], LONGEST)

    @cached_property
    def pronunciations(self) -> list[tuple[tuple[str, ...], ...]]:
        # The same sounds with another stress are one pronunciation.
        return [
            tuple(dict.fromkeys(tuple(re.sub(r"\d", "", one).split()) for one in said))
            for said in self.about["stressed"]
        ]

    @cached_property
    def slices(self) -> "pd.DataFrame":
        """What errors are taken apart by, text [N, 4]: length, rarity, kind and pronunciations, as `audit` takes it."""
        import pandas as pd

        length, tier = self.about["word"].str.len(), self.about["tier"].fillna(100)
        several = np.array([len(said) > 1 for said in self.pronunciations])
        rarity = ["SCOWL 10 to 35, common", "SCOWL 40 to 60", "SCOWL 70 to 95, rare", "not in SCOWL, mostly surnames"]
        columns = {
            "length": np.select(
                [length <= 5, length <= 8], ["up to 5 letters", "6 to 8 letters"], "9 letters and more"
            ),
            "rarity": np.select([tier <= 35, tier <= 60, tier <= 95], rarity[:3], rarity[3]),
            "kind": self.about["kind"].replace({"": "not in SCOWL"}).to_numpy(),
            "pronunciations": np.where(several, "several", "one"),
        }
        return pd.DataFrame(columns)

    def examples(self, first: bool = False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Every word with every pronunciation, or with its first alone: what a model is trained on.

        Returns
        -------
        letters : tensor, int64 [M, 20]
        phonemes : tensor, int64 [M, 21]
            As tokens, END behind the last, then 0.
        rows : tensor, int64 [M]
            Of which word each is.
        """
        said = [one[:1] if first else one for one in self.pronunciations]
        rows = torch.tensor([row for row, one in enumerate(said) for _ in one], dtype=torch.long)
        phonemes = encode([(*phonemes, TOKENS[END]) for one in said for phonemes in one], LONGEST + 1)
        return self.letters[rows], phonemes, rows

    def __len__(self) -> int:
        return len(self.about)

    def __getitem__(self, index: slice | torch.Tensor | np.ndarray) -> "Words":
        """The words that a slice, an index tensor or a bool tensor picks."""
        if not isinstance(index, slice) and np.ndim(index) == 0:
            raise TypeError(f"index must be a slice or a tensor of indices, got the single index {index}")
        rows = index.numpy(force=True) if isinstance(index, torch.Tensor) else index
        return Words(self.about.iloc[rows].reset_index(drop=True))

    def __repr__(self):
        return f"Words({len(self):,})"


@dataclass(frozen=True)
class Pronunciations:
    """Four sets of words, and the tokens of letters and phonemes.

    Attributes
    ----------
    train, validation, test : Words
        For training; to choose anything; to report once. No group of inflections and near-twins crosses.
    unlabelled : Words
        What SCOWL has and CMUdict lacks, a transfer set without pronunciations.
    tokens : tuple of str
        The vocabulary; 0 pads, 1 stands between letters and phonemes, 2 behind the phonemes.
    """

    name: str
    train: Words
    validation: Words
    test: Words
    unlabelled: Words
    tokens: tuple[str, ...] = TOKENS

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.tokens)


def bases(word: str) -> set[str]:
    """What a word may be an inflection of, by its letters: itself without a suffix, and with what that may have taken.

    >>> sorted(bases("cats"))
    ['cat', 'cate', 'caty']
    """
    found = set()
    for suffix in SUFFIXES:
        if word.endswith(suffix):
            stem = word[: -len(suffix)]
            forms = {stem, stem + "e", stem + "y"} | ({stem[:-1]} if len(stem) > 2 and stem[-1] == stem[-2] else set())
            shortest = 1 if "'" in suffix else 2 if suffix in ("s", "es", "ing") else 3
            found |= {form for form in forms if len(form) >= shortest}
    return found


def related(words: Iterable[str], others: Iterable[str]) -> np.ndarray:
    """Which words have a relative among the others, by their letters alone: some that are none count as one.

    A relative is the word, or an inflection of it, or one of the same word; or, from `SHORTEST_TWIN` letters on, a word
    that has one letter more, less or in place of another.

    Parameters
    ----------
    words, others : iterables of str

    Returns
    -------
    bool array [N]

    Examples
    --------
    >>> related(["tries", "cart", "garter", "zebra"], ["try", "card", "barter"]).tolist()
    [True, False, True, False]
    """
    others = {*others}
    kin = others.union(*map(bases, others))
    near = {form for other in others for form in _shortened(other)}
    return np.array([bool(kin & {word, *bases(word)} or near & _shortened(word)) for word in words])


def _shortened(word):
    """A long word, and it without any one of its letters: two that share one of these are at most one edit apart, or
    have one letter moved."""
    return {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))} if len(word) >= SHORTEST_TWIN else set()


def load(with_teacher: bool = True) -> Pronunciations:
    """See `kdcourse.data.load`. The teacher is a checkpoint, `kdcourse.lm.load_teacher`; no logits are stored."""
    train, validation, test, unlabelled = (Words(table) for table in read_words(checked(WORDS)).values())
    return Pronunciations("cmudict", train, validation, test, unlabelled)


def read_words(path: "str | Path") -> "dict[str, pd.DataFrame]":
    """The words of a file with tab-separated columns, xz-compressed, by split; rows keep the order of the lines."""
    import pandas as pd

    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        table = pd.read_csv(file, sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table["tier"] = pd.to_numeric(table["tier"])
    table["stressed"] = [tuple(said.split(" / ")) if said else () for said in table.pop("pronunciations")]
    return {split: table[table["split"] == split].drop(columns="split").reset_index(drop=True) for split in SPLITS}


def encode(sequences: Iterable[Sequence[str]], length: int) -> torch.Tensor:
    """Sequences of tokens as their numbers, int64 [N, length], 0 behind the last.

    Parameters
    ----------
    sequences : iterable of str, or of sequences of str
        Of letters, a word; or of phonemes.
    length : int

    Raises
    ------
    ValueError
        For a token that does not exist, and for a sequence longer than `length`.

    Examples
    --------
    >>> encode(["cat", "o'er"], 5).tolist()
    [[5, 3, 22, 0, 0], [17, 29, 7, 20, 0]]
    """
    rows = []
    for sequence in sequences:
        unknown = [token for token in sequence if token not in _NUMBER]
        if unknown or len(sequence) > length:
            problem = f"hold tokens of the vocabulary, got {unknown[0]!r}" if unknown else f"be no longer than {length}"
            raise ValueError(f"sequences must {problem} in {sequence!r}")
        rows.append([_NUMBER[token] for token in sequence] + [PAD] * (length - len(sequence)))
    return torch.tensor(rows, dtype=torch.long).view(-1, length)
