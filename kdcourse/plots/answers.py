"""What a forest plot shows, as plain data: rows with their marks, and how they are said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kdcourse.plots.base import signed

ANSWERS = {"yes": "all in the shaded part", "no": "none in it", "cannot tell": "across its edge"}
DIFFERENT = ("depends", "yes in part", "no in part")  # of a row whose marks differ
KINDS = {  # of claims, by their answers in all settings: how one is said, and several
    "everywhere": ("holds wherever it was measured", "hold wherever they were measured"),
    "partly": ("holds in part and fails nowhere", "hold in part and fail nowhere"),
    "somewhere": ("is shown on some data sets only", "are shown on some data sets only"),
    "nowhere": ("holds nowhere", "hold nowhere"),
    "depends": ("holds in some cases only", "hold in some cases only"),
    "open": ("is nowhere shown to hold", "are nowhere shown to hold"),
}


class Mark(NamedTuple):
    """An effect with its interval, in the unit of its row; `pairs` are the differences that it is the mean of."""

    mean: float
    low: float
    high: float
    answer: str
    name: str = ""
    pairs: Sequence[float] = ()


class Row(NamedTuple):
    """A claim, or a part of one, in one setting.

    Attributes
    ----------
    group, label, setting : str
        Rows that follow each other have what they share of group and label printed once.
    unit : str
        Rows whose units begin with the same word share an axis.
    answer : str
        What the marks come to: "yes", "no", "cannot tell"; or "depends" (on yes or no), "yes in part" or "no in part"
        (the rest is open), where each has an answer of its own.
    region : (float, float)
        Where the claim says that the effect lies, as (0.5, inf).
    marks : sequence of Mark
        The first is drawn thick and has its numbers beside it; where they differ, the first with each answer is thick.
    link : str
        Where the label leads.
    standing : str
        Stands below the label: in how many settings the claim holds.
    """

    group: str
    label: str
    setting: str
    unit: str
    answer: str
    region: tuple[float, float]
    marks: Sequence[Mark]
    link: str = ""
    standing: str = ""


def finding(answers: Mapping[str, Sequence[str]]) -> str:
    """In how many of the settings where they were measured claims hold: a sentence without its full stop.

    Parameters
    ----------
    answers : {claim: its answers, one for each setting}
        As those of rows.

    Examples
    --------
    >>> finding({"a": ["yes", "yes"], "b": ["no"], "c": ["yes", "no"]})
    'Of 3 claims, 1 holds wherever it was measured, 1 is shown on some data sets only, and 1 holds nowhere'
    """
    kinds = Counter(map(over_settings, answers.values()))
    single = sum(len(several) == 1 for several in answers.values() if over_settings(several) == "everywhere")
    which = f"{single} of them " if single < kinds["everywhere"] else "each " * (single > 1)
    alone = f" ({which}on one data set)" * bool(single)
    said = [
        f"{kinds[kind] or 'none'} {several if kinds[kind] > 1 else one}{alone * (kind == 'everywhere')}"
        for kind, (one, several) in KINDS.items()
        if kinds[kind] or kind == "everywhere"
    ]
    *others, last = said
    listed = f"{', '.join(others)}{',' * (len(others) > 1)} and {last}" if others else last
    return f"Of {len(answers)} claim{'s' * (len(answers) != 1)}, {listed}"


def over_settings(answers: Sequence[str]) -> str:
    """Which of `KINDS` a claim is, by its answers in all settings.

    >>> over_settings(["cannot tell", "no"]), over_settings(["yes", "yes in part"])
    ('open', 'partly')
    """
    if len({*answers}) == 1 and answers[0] in (alike := {"yes": "everywhere", "no": "nowhere"}):
        return alike[answers[0]]
    if {*answers} <= {"yes", "yes in part"}:
        return "partly"
    return "somewhere" if "yes" in answers else "depends" if {"depends", "yes in part"} & {*answers} else "open"


def words(rows: Sequence[Row]) -> str:
    """What a forest plot shows, for somebody who cannot see it."""
    where = [", ".join(filter(None, [row.group, row.label.rstrip("."), row.setting])) for row in rows]
    return " ".join(
        f"{place}: {tally(row)}, {effect(row.marks[0])} {row.unit}." for place, row in zip(where, rows, strict=True)
    )


def effect(mark: Mark) -> str:
    """The numbers of a mark, as "+2.30 [+1.40, +3.20]"."""
    digits = 2 if max(map(abs, mark[1:3])) >= 0.1 else 3  # nats are small
    mean, low, high = (signed(value, digits) for value in mark[:3])
    return f"{mean} [{low}, {high}]"


def numbers(row: Row) -> str:
    """What stands beside a row: the numbers of its first mark, or where answers differ the span of its effects."""
    if row.answer in ANSWERS:
        return effect(row.marks[0])
    return " to ".join(signed(pick(mark.mean for mark in row.marks)) for pick in (min, max))


def tally(row: Row) -> str:
    """The answer of a row; where they differ, how often each came."""
    counts = Counter(mark.answer for mark in row.marks)
    said = (f"{counts[answer]} {answer.replace('cannot tell', '?')}" for answer in ANSWERS if counts[answer])
    return row.answer if row.answer in ANSWERS else ", ".join(said)
