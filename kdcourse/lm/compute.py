"""What reading and writing cost, counted in floating-point operations."""

import torch

from kdcourse.lm.model import Transformer


def forward_flops(model: Transformer, prefixes: torch.Tensor, tokens: torch.Tensor) -> int:
    """Operations of the products in a forward pass over prefixes [B, L] and tokens [B, P]; an addition counts as one.

    Padding counts, since it is computed. Training on a batch costs about three times as much, a teacher's pass once. Of
    `count` samples of one prefix each costs `forward_flops(model, prefixes[:, :0], tokens)`, and reading is shared. To
    write with the cache costs less by that part of the attention that looks ahead, a few per cent.

    Parameters
    ----------
    model : Transformer
    prefixes, tokens : int64 Tensor
        Of which only the shapes matter.

    Examples
    --------
    >>> model = Transformer(69, width=8, layers=1, heads=1, seed=0)
    >>> forward_flops(model, torch.zeros(1, 4), torch.zeros(1, 5))
    21296
    """
    (batch, read), written = prefixes.shape, tokens.shape[1]
    width, layers, vocabulary = (int(model.recipe[name]) for name in ("width", "layers", "vocabulary"))
    products = 2 * 12 * width**2 * layers * (read + written) + 2 * width * vocabulary * written
    attention = 4 * width * layers * (read * read + written * (read + written))
    return batch * (products + attention)
