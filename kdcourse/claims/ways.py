"""What each arm of lesson 08 learns from, and what the teacher has spent on it.

Compute is counted in floating-point operations (`lm.forward_flops`): of the student's training, and of all that the
teacher reads, scores, samples and decodes. What is stored is paid for once, what the student writes in every step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from kdcourse.lm import beam, bucketed, forward_flops, greedy, sample, sampled_reverse_loss, teacher_logits, trimmed
from kdcourse.losses import blended

BATCH_SIZE = 128
PASS = 22.4e9  # what a student of this size spends on one pass over such a set
BUDGET, LARGE = 60 * PASS, 375 * PASS  # the large one is for words without labels, which the teacher must decode


@dataclass(frozen=True)
class Source:
    """Prefixes [N, L], targets [N, P], the teacher's logits on them or None, and what the teacher spent."""

    prefixes: torch.Tensor
    targets: torch.Tensor
    logits: torch.Tensor | None = None
    flops: float = 0.0


@dataclass(frozen=True)
class Way:
    """How an arm learns: from what, by which loss, and whether from what the student itself writes.

    Attributes
    ----------
    source : function
        (teacher, words, more) -> Source; of `more`, words without labels, there is a Source where the arm has them.
    loss : function
    warm : bool
        It goes on from soft targets, trained with half of what they have to train with.
    own : float
        Share of the batches that the student writes itself.
    more : bool
        It also learns from words without labels, as the teacher says them.
    budget : float
        Floating-point operations, the teacher's among them.
    """

    source: Callable
    loss: Callable
    warm: bool = False
    own: float = 0.0
    more: bool = False
    budget: float = BUDGET


# ---- what the teacher gives ----


def dictionary(teacher, words, more):
    """The listed pronunciations."""
    return Source(*words.examples()[:2])


def scored(teacher, words, more):
    """The listed pronunciations, and what the teacher says at each of their tokens."""
    letters, said, _ = words.examples()
    return Source(letters, said, teacher_logits(teacher, letters, said), cost(teacher, letters, said))


def sampled(count, soft=False):
    """So many completions of the teacher for each word, in place of the listed ones: with what it says there, or not.

    What it says comes along as it writes, so it costs nothing more.
    """

    def source(teacher, words, more):
        written = sample(teacher, words.letters, count, seed=0)
        repeated, targets = words.letters.repeat_interleave(count, 0), written.flatten(0, 1)
        logits = teacher_logits(teacher, repeated, targets) if soft else None
        return Source(repeated, targets, logits, cost(teacher, words.letters, written.amax(1), count))

    return source


def beamed(teacher, words, more):
    """The best completion of a beam of four for each word."""
    written = beam(teacher, words.letters, 4)[0]
    return Source(words.letters, written[:, 0], None, cost(teacher, words.letters, written.amax(1), 4))


def told(teacher, words):
    """Of words without a pronunciation the teacher's likeliest, and what it says at each of their tokens."""
    written = greedy(teacher, words.letters)
    spent = cost(teacher, words.letters, written)  # its logits come along as it writes
    return Source(words.letters, written, teacher_logits(teacher, words.letters, written), spent)


def with_more(soft):
    """The listed pronunciations, and more words as the teacher says them: with what else it says there, or without."""

    def source(teacher, words, more):
        known = scored(teacher, words, None) if soft else dictionary(teacher, words, None)
        logits = torch.cat([known.logits, more.logits]) if soft else None
        prefixes, targets = torch.cat([known.prefixes, more.prefixes]), torch.cat([known.targets, more.targets])
        return Source(prefixes, targets, logits, known.flops + more.flops)

    return source


def cost(model, prefixes, tokens, count=1):
    """What a model spends on scoring or writing [N, P] tokens, in batches as students have them."""
    order = torch.Generator().manual_seed(0)
    batches = bucketed(prefixes, tokens, BATCH_SIZE, order)
    return sum(forward_flops(model, *(trimmed(each[rows]) for each in (prefixes, tokens)), count) for rows in batches)


FORWARD, REVERSE = blended(), blended(direction="reverse")
WAYS = {
    "labels": Way(dictionary, blended(soft_weight=0)),
    "soft targets": Way(scored, FORWARD),
    "soft targets on 1 sample": Way(sampled(1, soft=True), FORWARD),
    "1 sample": Way(sampled(1), blended(soft_weight=0)),
    "4 samples": Way(sampled(4), blended(soft_weight=0)),
    "16 samples": Way(sampled(16), blended(soft_weight=0)),
    "beam of 4": Way(beamed, blended(soft_weight=0)),
    "reverse on the dictionary": Way(scored, REVERSE, warm=True),
    "on-policy": Way(dictionary, REVERSE, warm=True, own=1.0),
    "on-policy from scratch": Way(dictionary, REVERSE, own=1.0),
    "on-policy by sampled tokens": Way(dictionary, sampled_reverse_loss, warm=True, own=1.0),
    "half on-policy": Way(dictionary, REVERSE, warm=True, own=0.5),
    "soft targets for longer": Way(scored, FORWARD, budget=LARGE),
    "pseudo-labels of more words": Way(with_more(soft=False), blended(soft_weight=0), more=True, budget=LARGE),
    "soft targets of more words": Way(with_more(soft=True), FORWARD, more=True, budget=LARGE),
}
