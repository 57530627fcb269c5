"""From a prefix to what a model writes: the likeliest token each time, samples, or the best of a beam.

Every function takes prefixes int64 [N, L], 0 where they are padded, and works through them in batches of about equal
length, in eval mode and without gradients. What is written is int64 [.., P] tokens: END behind the last, then 0; a
sequence that is cut at `longest` has no END.
"""

from collections.abc import Callable, Iterator

import torch

from kdcourse._arguments import integer, number
from kdcourse._arguments.logits import check_temperature
from kdcourse._examples import home_of, in_mode
from kdcourse.data.cmudict import END, LONGEST, PAD, START, TOKENS
from kdcourse.lm.model import Transformer

BATCH = 512  # rows that are written at once


def greedy(model: Transformer, prefixes: torch.Tensor, *, longest: int = LONGEST + 1) -> torch.Tensor:
    """The likeliest token each time, until END or until `longest` tokens are written.

    Parameters
    ----------
    model : Transformer
    prefixes : int64 Tensor [N, L]
    longest : int
        Tokens, END among them.

    Returns
    -------
    int64 Tensor [N, longest]

    Examples
    --------
    >>> greedy(Transformer(69, width=8, layers=1, heads=1, seed=0), torch.tensor([[5, 3, 22]]), longest=4).shape
    torch.Size([1, 4])
    """
    return _write(model, prefixes, longest, lambda logits: logits.argmax(1))


def sample(
    model: Transformer,
    prefixes: torch.Tensor,
    count: int = 1,
    *,
    temperature: float = 1.0,
    seed: int = 0,
    longest: int = LONGEST + 1,
) -> torch.Tensor:
    """`count` samples from the model's distribution for each prefix, which is read once.

    Parameters
    ----------
    model : Transformer
    prefixes : int64 Tensor [N, L]
    count : int
        Samples of each, >= 1; they may be equal.
    temperature : float
        The logits are divided by it, from 1e-6 to 1e6.
    seed : int
        Of the draws.
    longest : int
        Tokens, END among them.

    Returns
    -------
    int64 Tensor [N, count, longest]

    Examples
    --------
    >>> model, words = Transformer(69, width=8, layers=1, heads=1, seed=0), torch.tensor([[5, 3, 22], [7, 0, 0]])
    >>> sample(model, words, 3, longest=4).shape
    torch.Size([2, 3, 4])
    """
    count, temperature = integer("count", count, at_least=1), check_temperature(number("temperature", temperature))
    draws = torch.Generator(device=home_of(model)).manual_seed(integer("seed", seed, at_least=0))

    def draw(logits):
        return torch.multinomial(tempered(logits, temperature), 1, generator=draws).squeeze(1)

    return _write(model, prefixes, longest, draw, count).unflatten(0, (len(prefixes), count))


def beam(
    model: Transformer, prefixes: torch.Tensor, width: int = 4, *, longest: int = LONGEST + 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The `width` likeliest sequences that a beam search of this width finds, likeliest first.

    Parameters
    ----------
    model : Transformer
    prefixes : int64 Tensor [N, L]
    width : int
        From 1 (greedy decoding) to one less than the size of the vocabulary.
    longest : int
        Tokens, END among them.

    Returns
    -------
    tokens : int64 Tensor [N, width, longest]
    log_probabilities : Tensor [N, width]
        Of each whole sequence under the model, natural logarithms; not divided by its length.

    Examples
    --------
    >>> model = Transformer(69, width=8, layers=1, heads=1, seed=0)
    >>> tokens, log_probabilities = beam(model, torch.tensor([[5, 3, 22]]), width=2, longest=4)
    >>> tokens.shape, bool(log_probabilities[0, 0] >= log_probabilities[0, 1])
    (torch.Size([1, 2, 4]), True)
    """
    vocabulary = model.recipe["vocabulary"]
    if integer("width", width, at_least=1) >= vocabulary:
        raise ValueError(f"width must be below the size of the vocabulary, {vocabulary}, got {width}")
    longest = integer("longest", longest, at_least=1)
    tokens = torch.full((len(prefixes), width, longest), PAD)
    scores = torch.zeros(len(prefixes), width, dtype=model.embed.weight.dtype)
    with torch.no_grad(), in_mode(model, training=False):
        for rows, prefix in batches(prefixes.to(home_of(model)), max(1, BATCH // width)):
            tokens[rows], scores[rows] = (part.cpu() for part in _beam(model, prefix, width, longest))
    return tokens, scores


def spelled(tokens: torch.Tensor) -> list[tuple[str, ...]]:
    """Rows of tokens [N, P] as tuples of phonemes, up to END.

    >>> spelled(torch.tensor([[49, 31, 2, 0], [2, 0, 0, 0]]))
    [('K', 'AE'), ()]
    """
    rows = []
    for row in tokens.tolist():
        stop = next((place for place, token in enumerate(row) if token in (END, PAD)), len(row))
        rows.append(tuple(TOKENS[token] for token in row[:stop]))
    return rows


def tempered(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Probabilities [B, V, ...] of the next token at a temperature: of padding 0, whatever its logit is divided by.

    >>> tempered(torch.tensor([[-1e4, 0.0, 0.0]]), 1e6)
    tensor([[0.0000, 0.5000, 0.5000]])
    """
    scaled = logits / temperature
    scaled[:, PAD] = -torch.inf
    return scaled.softmax(1)


def batches(prefixes: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(row numbers, prefixes without the columns that none of them needs), the shortest first."""
    lengths = (prefixes != PAD).sum(1)
    for rows in lengths.argsort(stable=True).split(size) if len(lengths) else ():
        yield rows.cpu(), prefixes[rows, : int(lengths[rows].max())]


def _write(model, prefixes, longest, choose: Callable[[torch.Tensor], torch.Tensor], count=1):
    """[N · count, longest]: `choose` picks the next token [B] from logits [B, V]."""
    longest = integer("longest", longest, at_least=1)
    written = torch.full((len(prefixes), count, longest), PAD)
    with torch.no_grad(), in_mode(model, training=False):
        for rows, prefix in batches(prefixes.to(home_of(model)), max(1, BATCH // count)):
            cache = model.read(prefix).rows(torch.arange(len(prefix), device=prefix.device).repeat_interleave(count))
            last = torch.full((len(prefix) * count,), START, device=prefix.device)
            done = torch.zeros_like(last, dtype=torch.bool)
            columns = []
            while len(columns) < longest and not done.all():
                last = choose(model.write(cache, last[:, None]).squeeze(2)).masked_fill(done, PAD)
                columns.append(last)
                done = done | (last == END)
            written[rows, :, : len(columns)] = torch.stack(columns, 1).unflatten(0, (-1, count)).cpu()
    return written.flatten(0, 1)


def _beam(model, prefix, width, longest):
    """(tokens [B, width, longest], scores [B, width]) for one batch."""
    batch = len(prefix)
    first = torch.arange(batch, device=prefix.device)[:, None] * width  # the row of each beam's first sequence
    cache = model.read(prefix).rows(torch.arange(batch, device=prefix.device).repeat_interleave(width))
    tokens = torch.full((batch, width, longest), PAD, device=prefix.device)
    # All sequences start equal: but for the first they are impossible, else each would be found `width` times.
    scores = torch.full((batch, width), -torch.inf, device=prefix.device)
    scores[:, 0] = 0
    last = torch.full((batch, width), START, device=prefix.device)
    for place in range(longest):
        logits = model.write(cache, last.view(-1, 1)).squeeze(2)
        steps = logits.log_softmax(1).view(batch, width, -1)
        ended = ((last == END) | (last == PAD))[:, :, None]
        # What has ended goes on with padding alone, which costs nothing.
        padding = torch.arange(steps.shape[2], device=prefix.device) == PAD
        steps = torch.where(ended, torch.where(padding, 0.0, -torch.inf), steps)
        scores, best = (scores[:, :, None] + steps).flatten(1).topk(width, 1)
        parent, last = best // steps.shape[2], best % steps.shape[2]
        tokens = tokens.gather(1, parent[:, :, None].expand_as(tokens))
        tokens[:, :, place] = last
        if ((last == END) | (last == PAD)).all():
            break
        cache = cache.rows((first + parent).flatten())
    return tokens, scores
