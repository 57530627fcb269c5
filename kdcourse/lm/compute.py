"""What a model costs: operations to read and write, bytes to keep what a teacher said."""

import torch

from kdcourse._arguments import bad_value, integer
from kdcourse.lm.model import Transformer


def forward_flops(model: Transformer, prefixes: torch.Tensor, tokens: torch.Tensor, count: int = 1) -> int:
    """Operations of the products in a forward pass over prefixes [B, L] and tokens [B, P]; an addition counts as one.

    Padding counts, since it is computed. Training on a batch costs about three times as much. A teacher's pass costs
    this once, and so does writing with the cache, but for the few per cent of attention that looks ahead.

    Parameters
    ----------
    model : Transformer
    prefixes, tokens : int64 Tensor
        Of which only the shapes matter.
    count : int
        Samples, or places in a beam, for each prefix, which is read once.

    Examples
    --------
    >>> model = Transformer(69, width=8, layers=1, heads=1, seed=0)
    >>> forward_flops(model, torch.zeros(1, 4), torch.zeros(1, 5))
    21296
    """
    (batch, read), new = prefixes.shape, tokens.shape[1]
    width, layers, vocabulary = (int(model.recipe[name]) for name in ("width", "layers", "vocabulary"))
    token = 2 * 12 * width**2 * layers
    reading = read * (token + 4 * width * layers * read)
    writing = new * (token + 4 * width * layers * (read + new) + 2 * width * vocabulary)
    return batch * (reading + count * writing)


def bytes_per_token(
    vocabulary: int, kept: int | None = None, *, exact: int | None = None, coefficients: int = 0
) -> int:
    """Bytes on disk for what a teacher says about one token of the transfer set.

    Parameters
    ----------
    vocabulary : int
        Tokens that there are, >= 2.
    kept : int, optional
        How many of the likeliest are kept, each with an id in as few bits as number the vocabulary. None: the whole
        distribution, without ids.
    exact : int, optional
        How many of those that are kept have a 16-bit number of their own; None: each of them.
    coefficients : int
        32-bit numbers, of a curve that stands for the others, as in DistillKit (github.com/arcee-ai/DistillKit).

    Returns
    -------
    int
        Before any general compression.

    Raises
    ------
    ValueError
        Naming the argument that is no count, or larger than what it is a part of.

    Examples
    --------
    >>> bytes_per_token(50_000), bytes_per_token(50_000, kept=100)
    (100000, 400)
    """
    vocabulary = integer("vocabulary", vocabulary, at_least=2)
    kept_ids = 0 if kept is None else integer("kept", kept, at_least=1)
    kept = vocabulary if kept is None else kept
    exact = kept if exact is None else integer("exact", exact, at_least=0)
    coefficients = integer("coefficients", coefficients, at_least=0)
    for name, value, limit in [("kept", kept, vocabulary), ("exact", exact, kept)]:
        if value > limit:
            raise bad_value(name, f"must be at most {limit}, got {value}")
    id_bits = (vocabulary - 1).bit_length()
    return -(-kept_ids * id_bits // 8) + 2 * exact + 4 * coefficients
