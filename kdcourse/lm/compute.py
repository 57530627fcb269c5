"""What reading and writing cost, counted in floating-point operations."""

import torch

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
