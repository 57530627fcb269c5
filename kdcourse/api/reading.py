"""What an API's answers are worth: classes, teacher logits, and whether they still come from the same version."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import special, stats

from kdcourse._arguments import bad_value, one_of
from kdcourse.api.simulated import Answer

NEVER = -1e4  # a logit whose probability is 0 in float32 at every temperature up to 90
LEAST = 1e-12  # of a probability that is not known to be 0


def parse(text: str, class_names: Sequence[str]) -> int | None:
    """The class that a text names; None where it names none, or several.

    >>> parse("I would say SPAM.", ["ham", "spam"]), parse("ham or spam", ["ham", "spam"]), parse("T-shirt", ["shirt"])
    (1, None, None)
    """
    names = [name.lower() for name in class_names]
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found = set(re.findall(rf"(?<![\w-])(?:{longest_first})(?![\w-])", text.lower()))
    return names.index(found.pop()) if len(found) == 1 else None


def targets(
    answers: Sequence[Answer], class_names: Sequence[str], *, rest: str = "spread"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Teacher logits of an API's answers, and which answers have any.

    Parameters
    ----------
    answers : sequence of Answer [N]
    class_names : sequence of str [C]
    rest : {"spread", "dropped"}
        What becomes of the probability that the listed tokens leave: it is spread evenly over the classes that are not
        listed, or they get none and the others share it in proportion.

    Returns
    -------
    logits : Tensor, float32 [N, C]
        Logarithms of probabilities, finite. Tokens that are a class name in other letters are added up, other tokens
        count as left. An answer without log-probabilities is its class with certainty.
    kept : bool Tensor [N]
        False for what was refused, names no single class, or has log-probabilities of other tokens alone; its logits
        are 0.

    Examples
    --------
    >>> logits, kept = targets([Answer("b", {"b": -0.5108, "B": -1.2040}, 0.1)], ["a", "b", "c"])
    >>> logits.exp().round(decimals=3), kept
    (tensor([[0.0500, 0.9000, 0.0500]]), tensor([True]))
    """
    one_of("rest", rest, ("spread", "dropped"))
    place = {name.lower(): k for k, name in enumerate(class_names)}
    logits = np.zeros((len(answers), len(place)))
    kept = np.zeros(len(answers), bool)
    for row, answer in enumerate(answers):
        said = parse(answer.text, class_names)
        listed = np.zeros(len(place))
        for token, logprob in answer.logprobs.items():
            if (k := place.get(token.strip().lower())) is not None:
                listed[k] += np.exp(logprob)
        if not answer.logprobs and said is not None:
            listed[said] = 1.0
        kept[row] = said is not None and listed.any()
        if kept[row]:
            unlisted = listed == 0
            left = max(1 - listed.sum(), 0) / max(unlisted.sum(), 1)
            spread = rest == "spread" and bool(answer.logprobs)
            with np.errstate(divide="ignore"):
                known = np.log(np.where(unlisted, max(left, LEAST) if spread else 0, listed))
            logits[row] = np.maximum(known - special.logsumexp(known), NEVER)
    return torch.from_numpy(logits).float(), torch.from_numpy(kept)


def version_changed(first: ArrayLike, second: ArrayLike, later: ArrayLike) -> float:
    """The p-value of "it is still the same version", from canaries: the same inputs, asked three times.

    As long as nothing changes, the second and the later answers lie equally far from the first. Wilcoxon's (1945)
    signed-rank test asks whether the later ones lie further off. Canaries are independent of each other.

    Parameters
    ----------
    first, second, later : array_like or tensor [K, C]
        Log-probabilities of K canaries, asked twice at the beginning, and now.

    Raises
    ------
    ValueError
        For shapes that differ.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second, same = rng.standard_normal((3, 20, 2))
    >>> bool(version_changed(first, second, same) > 0.05), bool(version_changed(first, second, same + [0, 4]) < 1e-4)
    (True, True)
    """
    first, second, later = (np.asarray(one, float) for one in (first, second, later))
    if not first.shape == second.shape == later.shape:
        raise bad_value("later", f"must have the shape of first and second, got {later.shape} for {first.shape}")
    further = (np.abs(later - first) - np.abs(second - first)).mean(1)
    return float(stats.wilcoxon(further, alternative="greater").pvalue) if further.any() else 1.0
