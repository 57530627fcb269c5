"""The ledger in prose: `{{ gain soft-beats-hard fashion-mnist examples=500 is better }}` becomes the stored numbers.

Lessons, the README and pages hold such placeholders; their builds fill them in, so no number of a full run is typed.
"""

import re
from collections.abc import Callable

from kdcourse.claims.describe import covered
from kdcourse.claims.ledger import find, result
from kdcourse.claims.record import part_id
from kdcourse.claims.sentences import plain
from kdcourse.claims.verdicts import key_of, setting_of
from kdcourse.plots.base import signed

PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.S)


def quote(request: str) -> str:
    """What the ledger says.

    Parameters
    ----------
    request : str
        `KIND CLAIM SETTING PART is VERDICT`. SETTING is a data set, and PART an id as of `part_id`, with its metric if
        that is not the accuracy, and `_` for spaces; other metrics of a part are there as well. A sentence that counts
        on a verdict names it, and an error says when it no longer is. KIND is one of

        - `gain`: the difference with its interval, "+2.5 points [+1.9, +3.1]"
        - `effect`: the same with what the interval covers, "(40 blocks × 10,000 pictures)"
        - `size`: how large it is, without its sign, "2.5"
        - `ratio`: of a difference in doublings, how many times that is, "4.7"
        - `margin`: what is too small to matter there, "0.5"
        - `a` or `b`: the mean of the arm named first or second, "81.3"
        - `beside:NAME`: another value that is stored for comparison, its NAME with `_` for spaces, "87.1"
        - `plain`: the plain sentence, in all settings or in one; takes no part.

    Raises
    ------
    ValueError
        That names the request, for what is not stored, and for another verdict than the one named.

    Examples
    --------
    >>> quote("size soft-beats-hard fashion-mnist examples=100 is better")
    '2.5'
    """
    asked, _, expected = " ".join(request.split()).partition(" is ")
    kind, name, *where = asked.split(" ") if " " in asked else (asked, "")
    try:
        (claim,), found = find(name), result(name) or {"parts": []}
        if kind == "plain" and len(where) < 2 and not expected:
            return plain(claim, found, *where)
        setting, wanted = where
        one = next(one for one in _all(found["parts"]) if setting_of(one) == setting and _id(one) == wanted)
        kind, _, other = kind.partition(":")
        said = KINDS[kind](one, other.replace("_", " ")) if other else KINDS[kind](one)
    except (KeyError, TypeError, StopIteration, ValueError) as error:
        raise ValueError(f"the ledger has nothing for {request!r}: {_there_is(name, error)}") from None
    if expected and one["verdict"] != expected:
        raise ValueError(f"{request!r} counts on {expected!r}; the ledger says {one['verdict']!r}: {effect_of(one)}")
    return said


def filled(text: str) -> str:
    """`text` with every placeholder replaced by what the ledger says. Raises ValueError as `quote` does.

    Examples
    --------
    >>> filled("Soft labels won by {{ size soft-beats-hard fashion-mnist examples=100 is better }} points.")
    'Soft labels won by 2.5 points.'
    """
    return PLACEHOLDER.sub(lambda found: quote(found[1]), text)


def gain_of(one: dict) -> str:
    """The difference of a part with its interval, as it stands in a sentence."""
    numbers = [one[name] for name in ("mean", "low", "high")]
    digits = 3 if one["unit"] == "nats" else 1 if min(map(abs, numbers)) >= 0.05 else 2  # no end looks like zero
    mean, low, high = (signed(number, digits) for number in numbers)
    return f"{mean} {one['unit']} [{low}, {high}]"


def effect_of(one: dict) -> str:
    """The difference of a part, and which luck its interval covers."""
    return f"{gain_of(one)} ({covered(one)})"


def mean_of(one: dict, mean: float) -> str:
    """A mean that a part has stored, as it is displayed: accuracies in percent."""
    return f"{one['scale'] * mean:.1f}".replace("-", "−")


KINDS: dict[str, Callable[..., str]] = {
    "gain": gain_of,
    "effect": effect_of,
    "size": lambda one: f"{abs(one['mean']):.{3 if one['unit'] == 'nats' else 1}f}",
    "ratio": lambda one: f"{2 ** abs(one['mean']):.1f}",
    "margin": lambda one: f"{one['margin']:g}",
    "a": lambda one: mean_of(one, one["arms"]["a"]["mean"]),
    "b": lambda one: mean_of(one, one["arms"]["b"]["mean"]),
    "beside": lambda one, name: mean_of(one, one["beside"][name]),
}


def _all(parts):
    """Every part, and behind it the same in its other metrics."""
    for part in parts:
        yield part
        yield from (part | other for other in part.get("also", ()))


def _id(one):
    return part_id(key_of(one)).replace(" ", "_")


def _there_is(name, error):
    """Why a request found nothing, with what could have been asked for instead."""
    try:
        found = result(name)
    except ValueError:
        return str(error)
    if found is None:
        return f"{name} is not measured yet"
    parts = [f"{setting_of(one)} {_id(one)}" for one in found["parts"]]
    return f"it takes {', '.join(KINDS)} or plain, and one of {'; '.join(parts)}"
