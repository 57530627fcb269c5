"""What the parts of a claim come to: every comparison with its interval, and what that covers."""

from collections.abc import Iterable

import numpy as np

from kdcourse.claims.record import Claim, Part
from kdcourse.stats import compare

CONFIDENCE = 0.95  # of all intervals of one claim in one setting together
DIGITS = 6  # of what is stored; a comparison of pairs is made of the rounded values, so that it can be made again


def evaluate(claim: Claim, parts: Iterable[Part]) -> dict:
    """What a claim's parts come to: every comparison, with the pairs that it was made of.

    The intervals are widened so that, with 95 % confidence, *all* parts of one setting lie in theirs (Bonferroni).

    Parameters
    ----------
    claim : Claim
    parts : iterable of Part
        Whose arms hold [n] values, or [n, N]. Where one arm has examples and the other none, each pair's one value
        stands for all of its examples.

    Returns
    -------
    dict
        `claim` and `parts`, as in `result`.

    Examples
    --------
    >>> from kdcourse.claims import Arm, Part, find
    >>> arms = Arm("soft labels", [0.81, 0.83, 0.85]), Arm("labels", [0.80, 0.81, 0.84])
    >>> (one,) = evaluate(find("soft-beats-hard")[0], [Part({"examples": 100}, *arms, [0, 1, 2], [0, 1, 2])])["parts"]
    >>> one["mean"], one["covers"], one["verdict"]
    (1.33333, {'block': 3}, 'inconclusive')
    """
    parts = list(parts)
    settings = [part.setting for part in parts]
    confidences = [1 - (1 - CONFIDENCE) / settings.count(part.setting) for part in parts]
    return {"claim": claim.name, "parts": list(map(_compared, parts, confidences))}


def _compared(part, confidence):
    a, b = (np.asarray(arm.values, dtype=float) for arm in (part.a, part.b))
    per_example = a.ndim == 2 or b.ndim == 2
    means = [_rounded(values.mean(1) if values.ndim == 2 else values) for values in (a, b)]
    if per_example:
        a, b = np.broadcast_arrays(*(values if values.ndim == 2 else values[:, None] for values in (a, b)))
    else:
        a, b = means
    seeds = {name: _plain(getattr(part, name)) for name in ("init_seed", "order_seed")}
    scaled = {"a": np.multiply(a, part.scale), "b": np.multiply(b, part.scale), "margin": part.scale * part.margin}
    found = compare(**scaled, confidence=confidence, **seeds)  # as it is shown: so its note is, too
    numbers = {name: getattr(found, name) for name in ("mean", "low", "high")} | {"margin": scaled["margin"]}
    return {
        "setting": part.setting,
        "key": part.key,
        "metric": part.metric,
        **dict(zip(numbers, _rounded(numbers.values()), strict=True)),
        "unit": part.unit,
        "n": found.n,
        "verdict": found.verdict,
        "note": found.note,
        "arms": {name: _arm(arm, values) for name, arm, values in zip("ab", (part.a, part.b), means, strict=True)},
        "scale": part.scale,
        "repeated": part.repeated,
        "covers": covers(part.repeated, len(means[0]), **seeds)
        | ({"example": part.how_many or a.shape[1]} if per_example else {}),
        "example": part.example,
        "example_error": _rounded([found.example_error])[0] if per_example else None,
        "pairs": {"a": means[0], "b": means[1], **seeds},
    } | _beside(part, confidence)


def _beside(part, confidence):
    """What a part has to be read beside it: the comparison in other metrics, and others in the same one."""
    said = {}
    if part.also:
        said["also"] = [_in_short(_compared(other, confidence)) for other in part.also]
    if part.beside:
        said["beside"] = dict(zip(part.beside, _rounded(part.beside.values()), strict=True))
    return said


def _in_short(one):
    """Of a comparison in another metric: what it came to."""
    means = {name: arm["mean"] for name, arm in one["arms"].items()}
    kept = ("metric", "mean", "low", "high", "margin", "unit", "verdict", "covers")
    return {name: one[name] for name in kept} | {"arms": means}


def covers(repeated: str, n: int, init_seed: list | None, order_seed: list | None) -> dict[str, int]:
    """Which luck the interval of n pairs covers, and of how many: what was repeated, and weights for each of those.

    Examples
    --------
    >>> covers("block", 4, init_seed=[0, 1, 2, 3], order_seed=[0, 0, 1, 1])
    {'block': 2, 'init': 2}
    """
    orders = len(set(order_seed or init_seed or range(n)))
    if n == orders:
        return {repeated: n}
    if n % orders:  # some have more pairs than others
        return {repeated: orders, "pair": n}
    # On the same pictures, a seed stands for weights and order alike, unless each order has several weights.
    return {"order" if repeated == "seed" else repeated: orders, "init": n // orders}


def _arm(arm, values):
    said = {"name": arm.name, "mean": _rounded([sum(values) / len(values)])[0], "chosen": arm.chosen}
    return said | ({"edges": list(arm.edges)} if arm.edges else {})


def _rounded(values):
    return [float(f"{float(value):.{DIGITS}g}") for value in values]


def _plain(seeds):
    return None if seeds is None else [int(seed) for seed in seeds]
