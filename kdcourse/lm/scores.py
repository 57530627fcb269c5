"""Everything that is measured of a model on words with pronunciations, word by word."""

import numpy as np
import torch

from kdcourse._examples import home_of, in_mode
from kdcourse.data.cmudict import Words
from kdcourse.lm.batches import bucketed, trimmed
from kdcourse.lm.decode import BATCH, greedy, sample, spelled
from kdcourse.lm.errors import pronunciation_errors
from kdcourse.lm.model import Transformer
from kdcourse.lm.train import token_losses
from kdcourse.losses import blended


def scores(model: Transformer, words: Words, *, samples: int = 16, seed: int = 0) -> dict[str, torch.Tensor]:
    """What each word adds to each metric of a model: the mean over words is the metric.

    Parameters
    ----------
    model : Transformer
    words : Words
        With pronunciations, N of them.
    samples : int
        Drawn of each word with several pronunciations.
    seed : int
        Of the samples.

    Returns
    -------
    dict of float32 Tensors [N]
        "phoneme accuracy", 1 minus the phoneme error of what is written greedily, in which a word has its share of all
        phonemes; "phonemes", how many the listed pronunciation has that is nearest; "word accuracy", 1 where nothing is
        wrong; "log-likelihood" in nats per token of the first pronunciation that is listed; "confidence", the
        probability of what is written; and "pronunciations said", of the listed ones those among the samples, NaN where
        only one is listed.

    Examples
    --------
    >>> from kdcourse import data
    >>> words = data.load("cmudict").test[:20]
    >>> found = scores(Transformer(69, width=8, layers=1, heads=1, seed=0), words, samples=2)
    >>> found["word accuracy"].sum().item()
    0.0
    """
    written = greedy(model, words.letters)
    errors = pronunciation_errors(spelled(written), words.pronunciations)
    letters, said, _ = words.examples(first=True)
    listed, mask = _log_probabilities(model, letters, said)
    own, _ = _log_probabilities(model, words.letters, written)
    found = np.full(len(words), np.nan)
    several = np.array([len(known) > 1 for known in words.pronunciations])
    drawn = sample(model, words.letters[several], samples, seed=seed)
    for row, written_of_it in zip(np.flatnonzero(several), drawn, strict=True):
        known = set(words.pronunciations[row])
        found[row] = len(known & set(spelled(written_of_it))) / len(known)
    values = {
        "phoneme accuracy": 1 - errors.distances / errors.lengths.mean(),
        "phonemes": errors.lengths,
        "word accuracy": errors.distances == 0,
        "log-likelihood": listed.sum(1) / mask.sum() * len(words),
        "confidence": own.sum(1).exp(),
        "pronunciations said": found,
    }
    return {name: torch.as_tensor(np.asarray(value), dtype=torch.float32) for name, value in values.items()}


def _log_probabilities(model, letters, tokens):
    """Of each token, [N, P], 0 in padding; and where there is one."""
    values, home = torch.zeros(tokens.shape), home_of(model)
    nothing = torch.Generator().manual_seed(0)
    with torch.no_grad(), in_mode(model, training=False):
        for rows in bucketed(letters, tokens, BATCH, nothing):
            batch, said = trimmed(letters[rows]).to(home), trimmed(tokens[rows]).to(home)
            found, _ = token_losses(model, batch, said, blended(soft_weight=0))
            values[rows, : found.shape[1]] = -found.cpu()
    return values, tokens != 0
