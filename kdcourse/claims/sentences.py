"""Plain sentences for a reader in a hurry, made of the answers alone: what came out, and what would change it."""

from typing import NamedTuple

from kdcourse.claims.asides import amount, by_bootstrap, elsewhere, excluded, little, number, opposite
from kdcourse.claims.record import PLACES, Claim, values_of, words
from kdcourse.claims.verdicts import answer, conclude, key_of, listed, measured_settings, setting_of

ANSWERS = ("yes", "no", "cannot tell")
HEADS = {"yes": "Yes", "no": "No", "cannot tell": "We cannot tell"}
HEADS |= {"depends": "It depends", "yes in part": "Yes in part", "no in part": "No in part"}
NO_ARTICLE = ("all mail", "all pictures", "hard ham")  # slices that are no "the"
LONGEST = 120  # characters in which parts are named; where it takes more they are counted


def plain(claim: Claim, found: dict | None, setting: str | None = None) -> str:
    """The plain sentence of a claim: its answers in one setting, or in all in which it is to be measured.

    Parameters
    ----------
    claim : Claim
    found : dict or None
        A result, as of `claims.result`.
    setting : str, optional
        The name of a data set.

    Returns
    -------
    str
        It begins with "Yes", "No", "It depends", "We cannot tell" or "Not measured yet", and ends with a full stop.
        Where we cannot tell, it says from which size on every interval there excludes an effect, and in which other
        metrics or slices all are better, or worse. Where it is yes, it says if every effect is smaller than what is of
        interest, and where it is the opposite. A yes or no that a bootstrap does not share is marked.

    Examples
    --------
    >>> from kdcourse.claims import find
    >>> numbers = [("sneaker", 60, 80), ("trouser", 50, 60), ("bag", -2, 6.31), ("shirt", 20, 30)]
    >>> parts = [{"key": {"class": name}, "margin": 0, "low": low, "high": high, "unit": "points"}
    ...          for name, low, high in numbers]
    >>> plain(find("omitted-class-is-learned")[0], {"parts": parts})
    'Yes for three of four garments; for bags we cannot tell (an effect above +6.4 points is excluded).'
    """
    measured = [one for one in measured_settings(claim, found) if setting in (None, one)]
    if found is None or not measured:
        return "Not measured yet."
    unit = found["parts"][0]["unit"]
    bodies = {
        name: _body(claim, name, [part for part in found["parts"] if setting_of(part) == name], unit)
        for name in measured
    }
    said = _together(bodies, conclude(claim, found).verdict) if len(bodies) > 1 else _alone(bodies[measured[0]])
    missing = [_place(one) for one in claim.settings if one not in measured and setting is None]
    if missing:
        said = f"{said}; not measured yet {listed(missing)}"
    return f"{said[0].upper()}{said[1:]}."


def margin(found: dict | None) -> str:
    """A sentence with the margin of a result, if it has one, else "".

    >>> margin({"parts": [{"margin": 0.5, "unit": "points"}, {"margin": 0.01, "unit": "nats"}]})
    'Margin: 0.5 points or 0.01 nats.'
    """
    parts = found["parts"] if found else ()
    said = dict.fromkeys(amount(part["margin"], part["unit"]) for part in parts if part["margin"])
    return f"Margin: {' or '.join(said)}." if said else ""


def would_change(claim: Claim, found: dict | None = None) -> str:
    """What would change our mind: the interval that turns the claim's verdict, from what it supports and its margin.

    Examples
    --------
    >>> from kdcourse.claims import find
    >>> part = {"key": {}, "low": 0.6, "high": 0.9, "margin": 0.5, "unit": "points"}
    >>> would_change(find("low-data-gains-most")[0], {"parts": [part]})
    'An interval wholly below +0.5 points in any one of its steps would turn yes into no.'
    """
    inside, outside, sign = {
        "better": ("above", "below", "+"),
        "worse": ("below", "above", "−"),
        "equivalent": ("within", "outside", "±"),
        "not worse": ("above", "below", "−"),
    }[claim.supports]
    margins = {(part["margin"], part["unit"]) for part in found["parts"]} if found else {(0, "points")}
    limits = {f"{sign}{amount(*one)}" if one[0] else "zero" for one in margins}
    limit = limits.pop() if len(limits) == 1 else "its margin"
    verdict = conclude(claim, found).verdict
    if claim.holds != "each" and verdict in ("yes", "no"):
        side, turned = (outside, "yes into no") if verdict == "yes" else (inside, "no into yes")
        how_many = "any one" if (verdict == "yes") == (claim.holds == "all") else "every one"
        said = f"An interval wholly {side} {limit} in {how_many} of its {claim.parts} would turn {turned}"
    else:
        said = f"An interval wholly {inside} {limit} says yes, and one wholly {outside} it no"
        said += {
            "all": f"; it takes a yes in every one of its {claim.parts}",
            "any": f"; it takes a yes in any one of its {claim.parts}",
            "each": f", for each of its {claim.parts} alone",
        }[claim.holds]
    return f"{said}."


class _Body(NamedTuple):
    """What is said of one setting: a verdict to begin with, a clause for each answer, the one answer, if all agree.

    `aside` is what the latter needs beside it, in brackets.
    """

    head: str | None
    clauses: list[str]
    agreed: str | None
    aside: str


def _alone(body):
    """The sentence of one setting, without its full stop."""
    clauses = "; ".join(body.clauses)
    return f"{HEADS[body.head]}: {clauses}" if body.head else clauses


def _together(bodies, verdict):
    """The sentence of several settings. Those in which all parts agree come first, and need no more than their name."""
    first = next((one for one in ANSWERS if any(body.agreed == one for body in bodies.values())), None)
    leading = [name for name, body in bodies.items() if first and body.agreed == first]
    clauses = []
    for name, body in bodies.items():
        if name in leading:
            continue
        if body.agreed:
            clauses.append(f"{_place(name)} {_lower(HEADS[body.agreed])}{body.aside}")
        else:
            head = f"{_lower(HEADS[body.head])}: " if body.head and (leading or body.head != verdict) else ""
            clauses.append(f"{_place(name)} {head}{', '.join(body.clauses)}")
    if not leading:
        return f"{HEADS[verdict]}: {'; '.join(clauses)}"
    return "; ".join([f"{HEADS[first]} {listed([_place(one) + bodies[one].aside for one in leading])}", *clauses])


def _body(claim, setting, parts, unit):
    keys, asides = {one: [] for one in ANSWERS}, {}
    for part, key in zip(parts, _telling_apart(parts), strict=True):
        keys[answer(claim, part)].append(key)
    keys = {one: several for one, several in keys.items() if several}
    for one in keys:
        those = [part for part in parts if answer(claim, part) == one]
        said = little(claim, those, unit) + opposite(claim, those) if one == "yes" else []
        said = excluded(claim, those) + elsewhere(those) if one == "cannot tell" else said + by_bootstrap(those)
        asides[one] = f" ({', '.join(said)})" if said else ""
    if len(keys) == 1:
        ((agreed, several),) = keys.items()
        where = _everywhere(claim, agreed, several, setting)
        return _Body(None, [f"{HEADS[agreed]}{where and f', {where}'}{asides[agreed]}"], agreed, asides[agreed])
    # Where each part stands on its own, the most frequent answer is counted, if there is one, and the others are named.
    # Otherwise, the answer that decides is told first, and named.
    verdict = conclude(claim, {"parts": parts}).verdict
    first, second = sorted(map(len, keys.values()), reverse=True)[:2]
    order = ANSWERS if verdict != "no" else ("no", "yes", "cannot tell")
    clauses = []
    for one in order:
        if one in keys:
            counted = len(keys[one]) == first > max(second, 2) and one != verdict
            where = _where(claim, keys[one], len(parts), setting, counted)
            clauses.append(_clause(claim.holds == "each", one, where) + asides[one])
    begun = claim.holds == "each" and verdict != "depends"  # "Yes for ...; for ... we cannot tell"
    return _Body(None if begun else verdict, clauses, None, "")


def _telling_apart(parts):
    """The keys of parts, without what they all share. If they do not say it, they are about MLPs and the accuracy."""
    keys = [{"student": "MLP", **part["key"], "metric": part.get("metric", "accuracy")} for part in parts]
    if len(keys) == 1:
        return [key_of(parts[0])]
    return [{name: key[name] for name in key if any(other.get(name) != key[name] for other in keys)} for key in keys]


def _clause(each, one, where):
    if one == "cannot tell":
        return f"{where} {'we cannot tell' if each else 'it is open'}"
    return f"{one if each else {'yes': 'it holds', 'no': 'it fails'}[one]} {where}"


def _everywhere(claim, one, keys, setting):
    """Where all parts agree: "with 500 and 5,000 pictures", or "for all three cases"."""
    boxes = _boxes(keys)
    if len(boxes) == 1:
        return _box(boxes[0], setting)
    pair = len(keys) == 2
    every = {
        "yes": "for both" if pair else f"for all {number(len(keys))}",
        "no": f"for {'neither' if pair else 'none'} of the {number(len(keys))}",
        "cannot tell": f"for {'either' if pair else 'any'} of the {number(len(keys))}",
    }
    return f"{every[one]} {claim.parts}"


def _where(claim, keys, total, setting, counted):
    """Where some parts agree: "with 500 and 5,000 pictures", or "for three of four garments"."""
    boxes = _boxes(keys)
    named = " and ".join(_box(box, setting) for box in boxes)
    if counted or len(boxes) > 2 or (len(named) > LONGEST and len(keys) > 1):
        return f"for {number(len(keys))} of {number(total)} {claim.parts}"
    return named


def _boxes(keys):
    """Keys as few combinations: {name: values}, of which every one with every other is meant."""
    names = list(dict.fromkeys(name for key in keys for name in key))
    return min((_merged(keys, order) for order in (names, names[::-1])), key=len)


def _merged(keys, names):
    boxes = [{name: [value] for name, value in key.items()} for key in keys]
    for name in names:
        alike = {}
        for box in boxes:
            rest = repr([(other, values) for other, values in box.items() if other != name] + [name in box])
            if rest in alike and name in box:
                alike[rest] = alike[rest] | {name: alike[rest][name] + box[name]}
            else:
                alike[rest] = box
        boxes = list(alike.values())
    return boxes


def _box(box, setting):
    return " ".join(_values(name, values, setting) for name, values in box.items())


def _values(name, values, setting):
    before, each, after = words(name, values_of(values[0]), setting)
    if name == "ratio":
        each, after = "{}", " times smaller"
    said = [[each.format(_noun(name, one)) for one in values_of(value)] for value in values]
    if {len(one) for one in said} == {2} and len({first for first, _ in said}) == 1:
        return f"{before}{said[0][0]} against {listed([second for _, second in said])}{after}"
    return before + listed([" against ".join(pair) for pair in said]) + after


def _noun(name, value):
    if name == "class":
        return value + ("es" if value.endswith(("s", "sh", "ch", "x")) else "s")
    return value if name != "slice" or value in NO_ARTICLE else f"the {value}"


def _lower(text):
    return text[0].lower() + text[1:]


def _place(setting):
    return f"on {PLACES.get(setting, setting)}"
