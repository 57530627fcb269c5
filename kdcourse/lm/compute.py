"""What reading, writing and training cost, counted in floating-point operations."""

from kdcourse.lm.model import Transformer


def forward_flops(model: Transformer, batch: int, read: int, written: int) -> int:
    """Operations of the products in a forward pass: prefixes [batch, read], then tokens [batch, written].

    A multiplication and its addition are two. Writing token by token with the cache costs the same but for attention,
    which then looks at what is there and not at the whole width; that is a small part and counted in full.
    Training on a batch costs about three times as much, a teacher's pass or a sample once.

    Parameters
    ----------
    model : Transformer
    batch, read, written : int
        Rows, and columns of each part, padding among them.

    Examples
    --------
    >>> forward_flops(Transformer(69, width=8, layers=1, heads=1, seed=0), batch=1, read=4, written=5)
    21296
    """
    width, layers, vocabulary = (model.recipe[name] for name in ("width", "layers", "vocabulary"))
    products = 2 * 12 * width**2 * layers * (read + written) + 2 * width * vocabulary * written
    attention = 4 * width * layers * (read * read + written * (read + written))
    return batch * (products + attention)
