"""All there is to say about a claim, for a terminal: the sentence, the record, every part, and what would change it."""

import numpy as np
import pandas as pd

from kdcourse.claims.asides import amount
from kdcourse.claims.ledger import find, result
from kdcourse.claims.record import EXAMPLES, PLACES, Claim, label
from kdcourse.claims.sentences import margin, plain, would_change
from kdcourse.claims.settings import SETTINGS
from kdcourse.claims.verdicts import answer, key_of, measured_settings, setting_of, standing
from kdcourse.plots.base import signed
from kdcourse.stats import detectable_difference

COUNTED = {"init": "initialisations", "order": "orders of batches", "teacher": "pairs of teachers"}


def describe(name: str) -> str:
    """The record of a claim and its result in full: what `kdcourse claims NAME` prints.

    Raises
    ------
    ValueError
        For a name that is not there.

    Examples
    --------
    >>> print(describe("soft-beats-hard").splitlines()[0])
    soft-beats-hard: A student learns more from soft labels than from hard labels.
    """
    (claim,), found = find(name), result(name)
    measured = found or {"settings": {}, "parts": []}
    lines = [f"{claim.name}: {claim.wording}", f"  {plain(claim, found)}"]
    if len(measured_settings(claim, found)) > 1:
        lines.append(f"  It {standing(claim, found)}.")
    lines += [f"  {margin(found)}"] * bool(margin(found))
    lines += [f"  Taught in: {claim.taught_in}. Lesson {claim.lesson}.", f"  Measured: {claim.measured}"]
    lines += [f"  Revised: {claim.revised}"] * bool(claim.revised)
    lines += [f"  Budget: {budget(found)}"] * bool(budget(found))
    for setting, about in measured["settings"].items():
        lines += ["", f"  {setting}: {about['date']}, {_minutes(about['seconds'])} beside what was kept from before"]
        lines += [f"    {said}" for said in [choices_made(measured, setting)] if said]
        parts = [part for part in measured["parts"] if setting_of(part) == setting]
        lines += [f"    {line}" for part in parts for line in _part(claim, part)]
    if claim.measure:
        lines += ["", f"  What would change our mind: {would_change(claim, found)}"]
        lines += [f"  Enough pairs? {enough_pairs(claim, found)}"] * bool(enough_pairs(claim, found))
        lines.append(f"  Measure it again: kdcourse claims --run {claim.name}{chosen_again(found)}")
    return "\n".join(lines)


def chosen_again(found: dict | None) -> str:
    """What is to be said behind the command that measures a result again, or "" where nothing was chosen for it.

    >>> chosen_again(None)
    ''
    """
    chose = found and any("choices" in about for about in found["settings"].values())
    return "; with --choose, it chooses its settings again, too" if chose else ""


def choices_made(found: dict, setting: str) -> str:
    """A sentence about what was chosen on validation for a result in one setting: how much, by what, and what lies on
    an edge of what was tried, and could have gone on; "" where nothing was.

    >>> choices_made({"settings": {"flights": {}}, "parts": []}, "flights")
    ''
    """
    count = len(found["settings"][setting].get("choices", ()))
    if not count:
        return ""
    parts = [part for part in found["parts"] if setting_of(part) == setting]
    edges = {name for part in parts for arm in part["arms"].values() for name in arm.get("edges", ())}
    on_edge = f"on an edge: {', '.join(sorted(edges))}" if edges else "none on an edge that could be moved"
    by = " by log-likelihood" * (SETTINGS[setting].choose == "validation_nll")
    longest = sum(map(_took_all, found["settings"][setting]["choices"]))
    budget = f"; {longest} took all epochs of the budget" if longest else ""
    return f"{count} choice{'s' * (count > 1)} made on validation{by}; {on_edge}{budget}."


def _took_all(choice):
    """Whether an arm that could stop sooner did not."""
    may, chosen = choice["among"].get("epochs"), choice["chosen"]
    return may is not None and isinstance(chosen, dict) and chosen.get("epochs") == may


def budget(found: dict | None) -> str:
    """A sentence about the epochs of a result whose arms chose them, or "".

    >>> budget(None)
    ''
    """
    parts = [
        part
        for part in (found["parts"] if found else ())
        if any("epochs" in (arm["chosen"] or {}) for arm in part["arms"].values())
    ]
    ladder = [part for part in parts if part["key"].get("student") == "CNN"]
    said = ""
    if len(ladder) < len(parts):
        said = "Epochs were chosen within a budget that both arms share; training beyond it was not measured."
    if ladder:  # see `ladder._chosen`
        said += " Of CNNs, each arm doubled its own epochs until that added less than half a point on validation."
    return said.strip()


def enough_pairs(claim: Claim, found: dict | None) -> str:
    """A sentence about what luck may hide where a result cannot tell, beside what would be of interest.

    It may hide a true effect that such a run would show in fewer than four of five repetitions, with as much luck in
    training and as many test examples (`stats.detectable_difference`). Parts in another unit than the first are left
    out.

    >>> enough_pairs(find("soft-beats-hard")[0], None)
    ''
    """
    if claim.smallest is None or not found:
        return ""
    unit = found["parts"][0]["unit"]
    open_parts = [part for part in found["parts"] if part["unit"] == unit and answer(claim, part) == "cannot tell"]
    hidden = {part_label(claim, part): hidden_by_luck(part, found) for part in open_parts if part["pairs"]}
    hidden = {name: size for name, size in hidden.items() if size > claim.smallest}
    said = f"Effects from {amount(claim.smallest, unit)} up are of interest"
    said += ", which was stated after a first run" * (not claim.planned)
    if not open_parts:
        others = {part["unit"] for part in found["parts"]} - {unit}
        return f"{said}; no result{f' in {unit}' * bool(others)} is open."
    if not hidden:
        return f"{said}; a run like this one shows them four times in five."
    largest = max(hidden, key=hidden.__getitem__)
    where = f"{len(hidden)} of {len(found['parts'])} {claim.parts}"
    return f"{said}; luck may hide larger ones in {where}, up to {hidden[largest]:.1f} {unit} ({largest})."


def hidden_by_luck(part: dict, found: dict) -> float:
    """The largest effect that luck may hide in a part, in its unit, with as many parts at once.

    >>> found = result("soft-beats-hard")
    >>> hidden_by_luck(found["parts"][0], found) < find("soft-beats-hard")[0].smallest
    True
    """
    gain = part["scale"] * np.subtract(part["pairs"]["a"], part["pairs"]["b"])
    units = pd.Series(gain).groupby(part["pairs"]["order_seed"]).mean()
    together = sum(setting_of(other) == setting_of(part) for other in found["parts"])
    error, examples = part["example_error"] or 0.0, part["covers"].get("example")
    return detectable_difference(
        units.std(),
        len(units),
        confidence=1 - 0.05 / together,
        example_deviation=error * (examples or 0) ** 0.5,
        examples=examples,
    )


def _part(claim, part):
    """The lines about one part: its effect, both arms with what they chose, and its pairs."""
    arms = " against ".join(_arm(arm, part) for arm in part["arms"].values())
    lines = [f"{label(key_of(part), setting_of(part))}: {effect(part)}: {answer(claim, part)}", f"  {arms}"]
    if part["pairs"]:
        gain = part["scale"] * (np.array(part["pairs"]["a"]) - np.array(part["pairs"]["b"]))
        low, middle, high = map(signed, np.quantile(gain, [0, 0.5, 1]))
        lines.append(
            f"  {np.sum(gain > 0):,} of {len(gain):,} pairs above zero: from {low} to {high}, "
            f"median {middle} {part['unit']}"
        )
    return lines + [f"  {line}" for line in beside(part)] + [f"  {part['note']}"] * bool(part["note"])


def beside(part: dict) -> list[str]:
    """What is to be read beside a part: the same comparison in other metrics, and others in the same one.

    Examples
    --------
    >>> beside({"scale": 100.0, "beside": {"teacher": 0.871}})
    ['for comparison: teacher 87.10']
    """
    lines = [f"{one['metric']}: {_numbers(one)}" for one in part.get("also", ())]
    others = ", ".join(f"{name} {part['scale'] * value:.2f}" for name, value in part.get("beside", {}).items())
    return lines + [f"for comparison: {others}"] * bool(others)


def _arm(arm, part):
    chosen = ", ".join(f"{name} {_plain(value)}" for name, value in (arm["chosen"] or {}).items())
    chosen += f"; on an edge: {', '.join(arm['edges'])}" if arm.get("edges") else ""
    mean = "" if arm["mean"] is None else f" {part['scale'] * arm['mean']:.2f}"
    return f"{arm['name']}{mean}{f' ({chosen})' if chosen else ''}"


def _plain(value):
    return f"{value:g}" if isinstance(value, float) else value


def _minutes(seconds):
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def effects(found: dict | None) -> list[tuple[str, str]]:
    """(label, effect with its interval and what it covers) for each part of a result.

    Examples
    --------
    >>> [label for label, _ in effects(result("soft-beats-hard"))[:2]]
    ['100 pictures', '500 pictures']
    """
    return [(label(key_of(one), setting_of(one)), effect(one)) for one in (found["parts"] if found else ())]


def part_label(claim: Claim, part: dict) -> str:
    """A part in words, with its setting if that is not the first of its claim.

    >>> from kdcourse.claims import find, part, result
    >>> part_label(find("soft-beats-hard")[0], part(result("soft-beats-hard"), {"examples": 500}))
    '500 pictures'
    """
    setting = setting_of(part)
    words = label(key_of(part), setting)
    return words if setting == claim.settings[0] else f"{PLACES.get(setting, setting)}: {words}"


def effect(one: dict) -> str:
    """The numbers of a part: effect, interval, which luck that covers or else how many pairs, and a margin.

    >>> from kdcourse.claims import part, result
    >>> "points [" in effect(part(result("soft-beats-hard"), {"examples": 500}))
    True
    """
    limit = f", margin {one['margin']:.2g}" if one["margin"] else ""
    luck = covered(one) if one.get("covers") else f"n = {one['n']}"
    return f"{_numbers(one)}, {luck}{limit}"


def _numbers(one):
    digits = 3 if one["unit"] == "nats" else 2
    mean, low, high = (signed(one[name], digits) for name in ("mean", "low", "high"))
    return f"{mean} {one['unit']} [{low}, {high}]"


def covered(part: dict) -> str:
    """Which luck the interval of a part covers, in words.

    Examples
    --------
    >>> covered({"setting": "flights", "covers": {"block": 10, "init": 2, "example": 10_000}})
    '10 blocks × 2 initialisations × 10,000 flights'
    """
    nouns = COUNTED | {"example": part.get("example") or EXAMPLES.get(setting_of(part), "examples")}
    return " × ".join(f"{count:,} {nouns.get(what, f'{what}s')}" for what, count in part["covers"].items())
