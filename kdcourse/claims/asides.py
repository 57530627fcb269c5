"""What stands in brackets behind an answer: how large, what else says otherwise, and what is excluded."""

import itertools
import math

from kdcourse.claims.verdicts import listed

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
LITTLE = 10  # points: that no effect is larger is no news
AGAINST = {"better": "worse", "not worse": "worse", "worse": "better"}  # what a claim supports: what opposes it


def excluded(claim, parts):
    """What the intervals of the parts that cannot tell exclude all the same, rounded away from zero."""
    units = {part["unit"] for part in parts}
    what, reach = {
        "better": ("an effect above +", lambda part: part["high"]),
        "worse": ("a loss above ", lambda part: -part["low"]),
        "equivalent": ("a difference above ", lambda part: max(abs(part["low"]), abs(part["high"]))),
        "not worse": ("a loss above ", lambda part: -part["low"]),
    }[claim.supports]
    sizes = [reach(part) for part in parts]
    told = [size for size in sizes if units != {"points"} or size < LITTLE]
    size = max(told, default=0)
    if len(units) != 1 or size <= 0 or 2 * len(told) < len(sizes):
        return []
    (unit,), metrics = units, {part.get("metric", "accuracy") for part in parts}
    of = f" of {metrics.pop()}" if unit == "points" and len(metrics) == 1 and metrics != {"accuracy"} else ""
    digits = 1 - math.floor(math.log10(size))
    some = "" if len(told) == len(sizes) else f"for {number(len(told))} of {number(len(sizes))}, "
    return [f"{some}{what}{amount(math.ceil(size * 10**digits - 1e-9) / 10**digits, unit)}{of} is excluded"]


def little(claim, parts, unit):
    """That parts say yes by too little to be of interest."""
    if not claim.smallest or claim.supports not in ("better", "worse") or {part["unit"] for part in parts} != {unit}:
        return []
    reach = max(max(abs(part["low"]), abs(part["high"])) for part in parts)
    return [f"by less than the {amount(claim.smallest, unit)} of interest"] * (reach < claim.smallest)


def opposite(claim, parts):
    """In which other metrics and slices parts say the opposite."""
    way = AGAINST.get(claim.supports)
    opposed = [_surely(way, part) for part in parts]
    metrics = [*dict.fromkeys(itertools.chain(*opposed))]
    return [f"{_how_many(map(bool, opposed), 'but ')}{way} in {listed(metrics)}"] if metrics else []


def elsewhere(parts):
    """In which other metrics and slices all of these parts are better, or all are worse."""
    said = []
    for way in ("better", "worse"):
        several = [_surely(way, part) for part in parts]
        if metrics := [metric for metric in several[0] if all(metric in others for others in several)]:
            said.append(f"{'' if said else 'but '}{way} in {listed(metrics)}")
    return said


def _surely(way, part):
    """The other metrics and slices in which a part is "better" than zero, or "worse", with the whole interval."""
    sign = {"better": 1, "worse": -1}.get(way, 0)
    return [one["metric"] for one in part.get("also", ()) if min(sign * one["low"], sign * one["high"]) > 0]


def by_bootstrap(parts):
    """Which parts have another verdict by the bootstrap that stands in their note."""
    others = ["another verdict" in part.get("note", "") for part in parts]
    return [f"{_how_many(others)}not by a bootstrap"] * any(others)


def _how_many(some, every=""):
    """Of which parts something is said: "two of them ", or `every` where it is all."""
    some = [*some]
    return every if all(some) else f"{number(sum(some))} of them "


def amount(value: float, unit: str) -> str:
    """A size with its unit: three digits, and "1 point".

    >>> amount(1.0, "points"), amount(0.5, "points")
    ('1 point', '0.5 points')
    """
    return f"{float(f'{value:.3g}'):,.10g} {unit.removesuffix('s') if value == 1 else unit}"


def number(count: int) -> str:
    """A count in words, up to twelve."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"
