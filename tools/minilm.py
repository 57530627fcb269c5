"""MiniLM, a small BERT (Wang et al. 2020, arXiv:2002.10957): WordPiece, and the layers as functions of their weights.

The weights are a dict by the names they have in `model.safetensors`.
"""

import re
import unicodedata
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

HEADS = 12
LONGEST = 64  # tokens; one gloss in a thousand has more


class Tokens:
    """WordPiece, lower case, without accents (Devlin et al. 2019, arXiv:1810.04805): a word is cut into the longest
    pieces that are known, from its beginning on."""

    def __init__(self, path):
        self.numbers = {piece: k for k, piece in enumerate(path.read_text(encoding="utf-8").splitlines())}
        self.pieces = cache(self.pieces)

    def __call__(self, text):
        text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        found = [number for word in re.findall(r"[^\W_]+|[^\w\s]|_", text) for number in self.pieces(word)]
        return [self.numbers["[CLS]"], *found[: LONGEST - 2], self.numbers["[SEP]"]]

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            ends = range(len(word), start, -1)
            names = (("##" if start else "") + word[start:end] for end in ends)
            end, name = next(((e, n) for e, n in zip(ends, names, strict=True) if n in self.numbers), (None, None))
            if end is None:
                return [self.numbers["[UNK]"]]
            found.append(self.numbers[name])
            start = end
        return found


def embedded(weights, tokens):
    """What enters the first layer. tokens [B, L] -> [B, L, D]"""
    table = {name: weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    total = table["word"][tokens] + table["position"][: tokens.shape[1]] + table["token_type"][0]
    return normed(weights, "embeddings.LayerNorm", total)


def layer(weights, k, hidden, mask):
    """A layer of a transformer encoder, normalised after each half. hidden [B, L, D], mask bool [B, L] -> [B, L, D]"""
    at, size = f"encoder.layer.{k}", hidden.shape
    parts = (linear(weights, f"{at}.attention.self.{name}", hidden) for name in ("query", "key", "value"))
    parts = (part.view(*size[:2], HEADS, -1).transpose(1, 2) for part in parts)
    seen = F.scaled_dot_product_attention(*parts, attn_mask=mask[:, None, None, :])
    seen = linear(weights, f"{at}.attention.output.dense", seen.transpose(1, 2).reshape(size))
    hidden = normed(weights, f"{at}.attention.output.LayerNorm", seen + hidden)
    thought = linear(weights, f"{at}.output.dense", F.gelu(linear(weights, f"{at}.intermediate.dense", hidden)))
    return normed(weights, f"{at}.output.LayerNorm", thought + hidden)


def linear(weights, name, inputs):
    return F.linear(inputs, weights[f"{name}.weight"], weights[f"{name}.bias"])


def normed(weights, name, inputs):
    return F.layer_norm(inputs, inputs.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-12)


def depth(weights):
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))


def mean_of_tokens(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def padded(rows):
    """(rows of unequal length as one tensor with zeros behind, mask of what is none)."""
    lengths = torch.tensor([len(row) for row in rows])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]
