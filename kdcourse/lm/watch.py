"""What to watch while a student learns from its own words: length, entropy, overlap with the teacher, reward."""

import torch
from torch import nn

from kdcourse._arguments import ids, integer
from kdcourse._examples import home_of, in_mode
from kdcourse.data.cmudict import END, PAD, START
from kdcourse.lm.decode import sample
from kdcourse.lm.model import Transformer


def watch(
    student: Transformer, teacher: nn.Module, prefixes: torch.Tensor, *, k: int = 5, seed: int = 0
) -> dict[str, float]:
    """One sample of the student for each prefix, and what both models say of every token in it.

    The reward is what on-policy distillation climbs (Lu 2025, "On-Policy Distillation", Thinking Machines Lab).

    Parameters
    ----------
    student : Transformer
    teacher : nn.Module
        prefixes [N, L] and tokens [N, P] -> logits [N, V, P].
    prefixes : int64 Tensor [N, L]
        0 where they are padded; words that the student is not trained on.
    k : int
        How many of the likeliest tokens are compared, >= 1.
    seed : int
        Of the samples. Keep it the same for a whole run, so that luck does not move the lines.

    Returns
    -------
    dict
        length (tokens of a sample, END among them, mean), endless (share of the samples that were cut before END),
        and, as means over all written tokens: entropy (of the student's next-token distribution, nats), overlap (share
        of the teacher's k likeliest tokens that are among the student's k likeliest), reward (log p − log q of the
        token, nats: its mean is minus KL(student ‖ teacher)).

    Examples
    --------
    >>> student, letters = Transformer(69, width=16, layers=1, heads=2, seed=0), torch.tensor([[5, 3, 22], [3, 22, 0]])
    >>> seen = watch(student, student, letters)
    >>> seen["overlap"], seen["reward"]
    (1.0, 0.0)
    """
    k = integer("k", k, at_least=1)
    ids("prefixes", prefixes, student.recipe["vocabulary"])
    written = sample(student, prefixes, seed=seed)[:, 0]
    before = torch.cat([torch.full_like(written[:, :1], START), written[:, :-1]], 1)
    with torch.no_grad(), in_mode(student, training=False), in_mode(teacher, training=False):
        log_q, log_p = (_log_probabilities(model, prefixes, before) for model in (student, teacher))
    ours, theirs = (log_probabilities.topk(k, dim=1).indices for log_probabilities in (log_q, log_p))
    of_tokens = {
        "entropy": -(log_q.exp() * log_q).sum(1),
        "overlap": (theirs[:, :, None] == ours[:, None]).any(2).float().mean(1),
        "reward": (log_p - log_q).gather(1, written[:, None]).squeeze(1),
    }
    mask = written != PAD
    return {
        "length": float(mask.sum(1).float().mean()),
        "endless": float((written != END).all(1).float().mean()),
        **{name: float(values[mask].mean()) for name, values in of_tokens.items()},
    }


def _log_probabilities(model, prefixes, before):
    """[N, V, P] on the CPU, wherever the model is."""
    home = home_of(model)
    return model(prefixes.to(home), before.to(home)).log_softmax(1).cpu()
