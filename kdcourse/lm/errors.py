"""Phoneme and word errors: how far what a model writes is from what a dictionary lists."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Said = Sequence[str]


@dataclass(frozen=True)
class Errors:
    """How wrong each of N words is.

    Attributes
    ----------
    distances : array, int [N]
        Phonemes to insert, delete or replace until the pronunciation that was written is the nearest that is listed.
    lengths : array, int [N]
        How many phonemes that one has.
    """

    distances: np.ndarray
    lengths: np.ndarray

    @property
    def phoneme_rate(self) -> float:
        """Phonemes wrong per phoneme listed; more than 1 where a model writes too many."""
        return float(self.distances.sum() / self.lengths.sum())

    @property
    def word_rate(self) -> float:
        """Share of words of which anything is wrong."""
        return float((self.distances > 0).mean())

    def __getitem__(self, index) -> "Errors":
        return Errors(self.distances[index], self.lengths[index])

    def __repr__(self):
        return f"Errors({self.phoneme_rate:.2%} of phonemes, {self.word_rate:.2%} of {len(self.lengths):,} words)"


def edit_distance(one: Said, other: Said) -> int:
    """Fewest insertions, deletions and replacements that turn one sequence into the other (Levenshtein 1966).

    Examples
    --------
    >>> edit_distance(["K", "AE", "T"], ["K", "AH", "T", "S"])
    2
    """
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, theirs in enumerate(other, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (mine != theirs))
    return row[-1]


def pronunciation_errors(written: Sequence[Said], listed: Sequence[Sequence[Said]]) -> Errors:
    """The errors of N words, each against the nearest of its listed pronunciations.

    Parameters
    ----------
    written : N sequences of phonemes
    listed : N sequences of one pronunciation or more
        Of those at the same distance the first counts.

    Raises
    ------
    ValueError
        If the two differ in length, or a word has no pronunciation.

    Examples
    --------
    >>> errors = pronunciation_errors([["AH"], ["K", "AE"]], [[["EY"], ["AH"]], [["K", "AE", "T"]]])
    >>> errors
    Errors(25.00% of phonemes, 50.00% of 2 words)
    """
    if len(written) != len(listed):
        raise ValueError(f"listed must have one entry per word, got {len(listed)} for {len(written)}")
    nearest = []
    for place, (one, known) in enumerate(zip(written, listed, strict=True)):
        if not known:
            raise ValueError(f"listed must have a pronunciation or more of every word, got none at index {place}")
        nearest.append(min(((edit_distance(one, said), len(said)) for said in known), key=lambda pair: pair[0]))
    distances, lengths = np.array(nearest, int).reshape(-1, 2).T
    return Errors(distances, lengths)
