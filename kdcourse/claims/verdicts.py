"""What a result says about its claim: part by part, for a setting, and over settings."""

import math
from typing import NamedTuple

from kdcourse.claims.record import PLACES, Claim, Key


def region(supports: str, margin: float) -> tuple[float, float]:
    """The open interval in which a difference speaks for what a claim `supports`.

    Examples
    --------
    >>> region("not worse", 0.5)
    (-0.5, inf)
    """
    return {
        "better": (margin, math.inf),
        "worse": (-math.inf, -margin),
        "equivalent": (-margin, margin),
        "not worse": (-margin, math.inf),
    }[supports]


def answer(claim: Claim, part: dict) -> str:
    """Does this part of a result speak for the claim?

    Parameters
    ----------
    claim : Claim
    part : dict
        With `low`, `high` and `margin`, in one unit.

    Returns
    -------
    str
        "yes" if the interval lies inside the region of what the claim `supports`, "no" if it lies wholly outside, else
        "cannot tell". An interval that only touches the end of the region cannot tell, as in `stats.compare`.

    Examples
    --------
    >>> from kdcourse.claims import find
    >>> (four_to_ten,) = find("t-4-to-10")
    >>> answer(four_to_ten, {"low": -0.2, "high": 0.3, "margin": 0.5})
    'yes'
    """
    low, high = region(claim.supports, part["margin"])
    if low < part["low"] and part["high"] < high:
        return "yes"
    return "no" if part["high"] < low or high < part["low"] else "cannot tell"


class Conclusion(NamedTuple):
    """The keys of a claim's parts by their answers, and the one answer of the claim: its verdict.

    `verdict` is "yes", "no" or "cannot tell". Where each part stands on its own and they differ, it is "depends" if
    some say yes and others no, and "yes in part" or "no in part" if the others cannot tell. It is "not measured" where
    there are none.
    """

    yes: list[Key]
    no: list[Key]
    cannot_tell: list[Key]
    verdict: str


def conclude(claim: Claim, found: dict | None, setting: str | None = None) -> Conclusion:
    """What a result says about its claim in one setting; without one, in all of them.

    Nothing is pooled: settings stand each on their own, and so does what a size is judged by: a student may be 50 times
    smaller, and 4 times faster.

    Examples
    --------
    >>> from kdcourse.claims import find
    >>> numbers = [{"low": 0.1, "high": 0.3}, {"low": -0.3, "high": 0.2}]
    >>> parts = [{"key": {"examples": n}, "margin": 0, **one} for n, one in zip((100, 500), numbers, strict=True)]
    >>> conclude(find("soft-beats-hard")[0], {"parts": parts}).verdict
    'yes in part'
    """
    keys: dict[str, list[Key]] = {"yes": [], "no": [], "cannot tell": []}
    answers: dict[tuple, list[str]] = {}
    for part in found["parts"] if found else ():
        if setting in (None, setting_of(part)):
            one = answer(claim, part)
            keys[one].append(key_of(part))
            answers.setdefault((setting_of(part), part["key"].get("by")), []).append(one)
    verdicts = [one for several in answers.values() for one in _verdicts(claim.holds, several)]
    verdict = _in_one(verdicts) if verdicts else "not measured"
    return Conclusion(keys["yes"], keys["no"], keys["cannot tell"], verdict)


def _verdicts(holds, answers):
    """What parts say: together, or each on its own."""
    if holds == "each" or len({*answers}) == 1:
        return answers
    decisive = {"all": "no", "any": "yes"}[holds]
    return [decisive if decisive in answers else "cannot tell"]


def _in_one(verdicts):
    if len({*verdicts}) == 1:
        return verdicts[0]
    if {"yes", "no"} <= {*verdicts}:
        return "depends"
    return "yes in part" if "yes" in verdicts else "no in part"


def measured_settings(claim: Claim, found: dict | None) -> list[str]:
    """The settings in which there are results, in the order of the record."""
    there = {setting_of(part) for part in found["parts"]} if found else set()
    return [*(one for one in claim.settings if one in there), *sorted(there - {*claim.settings})]


def standing(claim: Claim, found: dict | None) -> str:
    """In how many settings a claim holds, and in which; in which it holds in part, and the rest is open; and in which
    it holds in some cases, and fails in others. Nothing is pooled.

    Examples
    --------
    >>> from kdcourse.claims import find
    >>> parts = [{"key": {}, "margin": 0, "setting": name, "low": low, "high": 2} for name, low in
    ...          [("fashion-mnist", 1), ("wordnet-glosses", -1), ("flights", 1)]]
    >>> standing(find("soft-beats-hard")[0], {"parts": parts})
    'holds in 2 of 3 settings: garments and flights'
    """
    settings = measured_settings(claim, found)
    verdicts = {one: conclude(claim, found, one).verdict for one in settings}
    held, partly, mixed = (
        [PLACES.get(one, one) for one in settings if verdicts[one] == verdict]
        for verdict in ("yes", "yes in part", "depends")
    )
    said = f"holds in {len(held)} of {len(settings)} setting{'s' * (len(settings) != 1)}"
    for what, places in [(": ", held), ("; in part on ", partly), ("; in some cases on ", mixed)]:
        said += f"{what}{listed(places)}" if places else ""
    return said if settings else ""


def setting_of(part: dict) -> str:
    """The name of the data set that a part was measured on."""
    return part.get("setting", "fashion-mnist")


def key_of(part: dict) -> Key:
    """The key of a part, with its metric where that is not the accuracy."""
    metric = part.get("metric", "accuracy")
    return part["key"] if metric == "accuracy" else {**part["key"], "metric": metric}


def listed(words: list[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    >>> listed(["a", "b and c", "d"])
    'a, b and c, and d'
    """
    *others, last = words
    comma = "," * any(" and " in word for word in words)
    return f"{', '.join(others)}{comma} and {last}" if others else last
