"""A small language model: a decoder-only transformer that reads a prefix whole and then writes token by token.

The parts are those of current models: RMSNorm before each half of a block (Zhang and Sennrich 2019), rotary positions
(Su et al. 2021), no biases, scaled dot-product attention, a key-value cache. Within the prefix attention looks both
ways (Raffel et al. 2020, section 3.2.1, a prefix language model): nothing of the prefix is ever predicted.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from kdcourse._arguments import integer
from kdcourse._process import generator_kept
from kdcourse.data.cmudict import PAD

NEVER = -1e4  # a logit whose probability is 0, and whose logarithm is finite


@dataclass
class Cache:
    """What a model keeps of the tokens it has read: keys and values [B, H, T, D] of every block.

    Attributes
    ----------
    keys, values : list of Tensors, one a block
    allowed : bool Tensor [B, T]
        False where the prefix was padding.
    written : int
        How many of the T tokens stand behind the prefix.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    allowed: torch.Tensor
    written: int = 0

    def rows(self, index: torch.Tensor) -> "Cache":
        """The cache of these rows of the batch, which may repeat: for beams, and for several samples of one prefix."""
        keys, values = ([one[index] for one in part] for part in (self.keys, self.values))
        return Cache(keys, values, self.allowed[index], self.written)


class Block(nn.Module):
    """Attention, then a perceptron; each adds to what it was given."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention, self.before_mlp = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, turn, allowed, past=None):
        """(x [B, T, W], keys, values): `turn` is the rotation of the T positions, `allowed` who may look at whom."""
        queries, keys, values = self.qkv(self.before_attention(x)).unflatten(2, (3, self.heads, -1)).unbind(2)
        queries, keys = (rotated(part, turn).transpose(1, 2) for part in (queries, keys))
        values = values.transpose(1, 2)
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed)
        x = x + self._drop(self.attended(found.transpose(1, 2).flatten(2)))
        x = x + self._drop(self.down(F.relu(self.up(self.before_mlp(x))).square()))
        return x, keys, values

    def _drop(self, x):
        if not (self.training and self.dropout):
            return x
        # One mask for all positions (Gal and Ghahramani 2016) takes a fraction of the random numbers, which cost a CPU
        # more than the product.
        return x * F.dropout(torch.ones_like(x[:, :1]), self.dropout)


class Transformer(nn.Module):
    """A prefix language model over one vocabulary, [B, L] and [B, P] tokens -> logits [B, V, P], classes on axis 1.

    Parameters
    ----------
    vocabulary : int
        How many tokens there are; 0 pads.
    width, layers, heads : int
        Of the residual stream, how many blocks, and how many heads of attention in each. The width is a multiple of
        2 · heads.
    dropout : float
        Share of what each half of a block adds that is dropped in training.
    seed : int, optional
        Initial weights as after `torch.manual_seed(seed)`, the global generator left alone.

    Raises
    ------
    ValueError
        For a size that is not a positive integer, and a width that the heads do not divide.

    Examples
    --------
    >>> model = Transformer(69, width=32, layers=2, heads=4, seed=0)
    >>> letters, written = torch.tensor([[5, 3, 22, 0]]), torch.tensor([[1, 49, 31]])
    >>> model(letters, written).shape
    torch.Size([1, 69, 3])
    """

    def __init__(
        self,
        vocabulary: int,
        width: int = 192,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        seed: int | None = None,
    ):
        super().__init__()
        sizes = {"vocabulary": vocabulary, "width": width, "layers": layers, "heads": heads}
        for name, value in sizes.items():
            integer(name, value, at_least=1)
        if width % (2 * heads):
            raise ValueError(f"width must be a multiple of 2 * heads = {2 * heads}, got {width}")
        self.recipe: dict[str, Any] = sizes | {"dropout": dropout}
        with nullcontext() if seed is None else generator_kept():
            if seed is not None:
                torch.default_generator.manual_seed(int(seed))  # torch.manual_seed would seed a GPU's as well
            self.embed = nn.Embedding(vocabulary, width)
            self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
            self.norm = nn.RMSNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)
            for name, parameter in self.named_parameters():
                if parameter.ndim == 2:
                    # What is added to the stream starts at zero, so that a deep model starts as a shallow one.
                    nn.init.normal_(parameter, std=0.0 if name.endswith(("attended.weight", "down.weight")) else 0.02)
        # Of each pair of a head's dimensions the angle per position, from one radian down to about 1/1,000.
        pairs = width // heads // 2
        self.register_buffer("padding", torch.tensor([PAD]), persistent=False)
        self.register_buffer("angles", 1e-3 ** (torch.arange(pairs) / pairs), persistent=False)

    def forward(self, prefix: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Logits [B, V, P] for what follows each of the tokens [B, P] behind a prefix [B, L]."""
        return self.write(self.read(prefix), tokens)

    def read(self, prefix: torch.Tensor) -> Cache:
        """The cache of a prefix [B, L], 0 where it is padding."""
        allowed = prefix != PAD
        cache = Cache([], [], allowed)
        x, turn = self.embed(prefix), self._turn(0, prefix.shape[1])
        for block in self.blocks:
            x, keys, values = block(x, turn, allowed[:, None, None])
            cache.keys.append(keys)
            cache.values.append(values)
        return cache

    def write(self, cache: Cache, tokens: torch.Tensor) -> torch.Tensor:
        """Logits [B, V, P] for what follows each of the tokens [B, P]; the cache then holds them too.

        Positions count from 0 behind the prefix again: what is written stands beside what it is read from, whatever
        the length of the prefix.
        """
        batch, new = tokens.shape
        causal = torch.ones(new, new, dtype=torch.bool, device=tokens.device).tril().expand(batch, 1, new, new)
        allowed = torch.cat([cache.allowed[:, None, None].expand(-1, -1, new, -1), causal], 3)
        x, turn = self.embed(tokens), self._turn(cache.written, new)
        for k, block in enumerate(self.blocks):
            x, cache.keys[k], cache.values[k] = block(x, turn, allowed, (cache.keys[k], cache.values[k]))
        cache.allowed = torch.cat([cache.allowed, torch.ones_like(tokens, dtype=torch.bool)], 1)
        cache.written += new
        # Padding is never said. If it could be, a student that is trained on its own words would escape into it:
        # no loss looks there.
        return self.head(self.norm(x)).transpose(1, 2).index_fill(1, self.padding, NEVER)

    def _turn(self, start, count):
        angles = torch.arange(start, start + count, device=self.angles.device)[:, None, None] * self.angles
        return angles.cos(), angles.sin()  # [T, 1, D/2]


def rotated(x, turn):
    """Queries or keys [B, T, H, D] with each pair of dimensions turned by its angle (Su et al. 2021, eq. 34)."""
    cos, sin = turn
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
