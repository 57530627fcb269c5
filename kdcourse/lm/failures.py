"""Five on-policy runs, four of them broken on purpose, each as it is met in public; `watch` says what can be seen."""

import copy
import itertools
from typing import Any

import pandas as pd
import torch
from torch import nn

from kdcourse._arguments import integer, one_of
from kdcourse.data.cmudict import END, PAD, START, TOKENS
from kdcourse.lm.model import Transformer
from kdcourse.lm.train import fit, on_policy
from kdcourse.lm.watch import watch
from kdcourse.losses import blended

RUNS = ("healthy", "end-of-sequence mismatch", "no warm start", "pad = end", "wrong vocabulary")
FIRST_PHONEME = TOKENS.index("AA")


class Renumbered(nn.Module):
    """A teacher in whose vocabulary our token i has the number `reads[i]` where it reads, `says[i]` where it answers.

    Parameters
    ----------
    teacher : Transformer
    reads, says : int64 Tensor [V]

    Examples
    --------
    >>> teacher, same = Transformer(69, width=8, layers=1, heads=1, seed=0), torch.arange(69)
    >>> letters, before = torch.tensor([[5, 3, 22]]), torch.tensor([[1, 49]])
    >>> torch.equal(Renumbered(teacher, same, same.flip(0))(letters, before), teacher(letters, before).flip(1))
    True
    """

    reads: torch.Tensor
    says: torch.Tensor

    def __init__(self, teacher: Transformer, reads: torch.Tensor, says: torch.Tensor):
        super().__init__()
        self.teacher, self.recipe = teacher, teacher.recipe
        self.register_buffer("reads", reads)
        self.register_buffer("says", says)

    def forward(self, prefix: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return self.teacher(self.reads[prefix], self.reads[tokens])[:, self.says]


def ends_with_start(teacher: Transformer) -> Renumbered:
    """The teacher, had it been trained to end with START, as models that begin and end with the same token are.

    Examples
    --------
    >>> teacher = Transformer(69, width=8, layers=1, heads=1, seed=0)
    >>> ends_with_start(teacher).says[:4].tolist()
    [0, 2, 1, 3]
    """
    same = torch.arange(len(TOKENS))
    says = same.clone()
    says[[START, END]] = torch.tensor([END, START])
    return Renumbered(teacher, same, says)


def other_vocabulary(teacher: Transformer, seed: int = 0) -> Renumbered:
    """The teacher, had its tokenizer numbered letters and phonemes otherwise; PAD, START and END are the same.

    Examples
    --------
    >>> order = other_vocabulary(Transformer(69, width=8, layers=1, heads=1, seed=0)).reads
    >>> sorted(order.tolist()) == list(range(69)), order[:3].tolist()
    (True, [0, 1, 2])
    """
    draws = torch.Generator().manual_seed(seed)
    parts = [torch.arange(3), torch.arange(3, FIRST_PHONEME), torch.arange(FIRST_PHONEME, len(TOKENS))]
    order = torch.cat([parts[0], *(part[torch.randperm(len(part), generator=draws)] for part in parts[1:])])
    return Renumbered(teacher, order, order)


def without_end(prefixes: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A `rewrite` for `fit` with the bug "pad = end": the END of every target is taken for padding, and not learned.

    Examples
    --------
    >>> without_end(torch.tensor([[5, 3, 22]]), torch.tensor([[49, 31, 61, 2, 0]])).tolist()
    [[49, 31, 61, 0, 0]]
    """
    return targets.masked_fill(targets == END, PAD)


def broken(
    name: str,
    student: Transformer,
    teacher: Transformer,
    letters: torch.Tensor,
    phonemes: torch.Tensor,
    *,
    watched: torch.Tensor,
    every: int = 8,
    batch_size: int = 32,
    lr: float = 4e-3,
    seed: int = 0,
) -> pd.DataFrame:
    """What `watch` sees of a run that goes on from a warm-started student: reverse divergence, on its own words.

    With "pad = end" it is the warm start that goes on, cross-entropy on the dictionary's phonemes, END taken for
    padding. On the student's own words the exact divergence forgives this bug: where the student misses an end, the
    loss still sees what the teacher says there.

    Parameters
    ----------
    name : str
        One of `RUNS`.
    student : Transformer
        Warm-started; left as it is.
    teacher : Transformer
        Which the bugs put another vocabulary or another end around.
    letters, phonemes : int64 Tensor [N, L] and [N, P]
        Of the words that are trained on, each once, as `Words.examples` gives them. On a few words again and again
        even a healthy run stops to improve on others.
    watched : int64 Tensor [M, L]
        The words that are watched.
    every : int
        Steps from one look to the next, >= 1.
    batch_size : int
        Words per step.
    lr : float
        Of the runs on the student's own words; labels, which are less noisy, have four times that.
    seed : int
        Of batches and samples, of the student without a warm start, and of the other vocabulary.

    Returns
    -------
    DataFrame
        A row before the first step, after every so many, and after the last: step, and the columns of `watch`.

    Examples
    --------
    >>> from kdcourse.data.cmudict import encode
    >>> student, teacher = (Transformer(69, width=16, layers=1, heads=2, seed=seed) for seed in (0, 1))
    >>> letters, said = encode(["cat", "at"], 3), encode([("K", "AE", "T", "<end>"), ("AE", "T", "<end>")], 4)
    >>> broken("pad = end", student, teacher, letters, said, watched=letters, batch_size=1, every=1)["step"].tolist()
    [0, 1, 2]
    """
    one_of("name", name, RUNS)
    every = integer("every", every, at_least=1)
    student = Transformer(**student.recipe, seed=seed) if name == "no warm start" else copy.deepcopy(student)
    judge: nn.Module = teacher
    if name == "end-of-sequence mismatch":
        judge = ends_with_start(teacher)
    if name == "wrong vocabulary":
        judge = other_vocabulary(teacher, seed)
    rewrite = on_policy(student, seed=seed)
    training: dict[str, Any] = {"teacher": judge, "loss": blended(direction="reverse"), "lr": lr}
    if name == "pad = end":
        rewrite, training = without_end, {"lr": 4 * lr}
    rows, steps = [], itertools.count()

    def look(step: int) -> None:
        rows.append({"step": step, **watch(student, judge, watched, seed=seed)})

    def look_and_rewrite(prefixes, targets):
        step = next(steps)
        if step % every == 0:
            look(step)
        return rewrite(prefixes, targets)

    fit(
        student, letters, phonemes, rewrite=look_and_rewrite, **training, epochs=1, batch_size=batch_size,
        order_seed=seed, device="cpu", progress=False,
    )  # fmt: skip
    look(next(steps))
    return pd.DataFrame(rows)
