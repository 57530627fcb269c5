"""What a forest plot shows, as plain data: rows with their marks, and how they are said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

ANSWERS = {"yes": "all in the shaded part", "no": "none in it", "cannot tell": "across its edge"}


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
        What the marks come to: "yes", "no", "cannot tell", or "depends" where each has an answer of its own.
    region : (float, float)
        Where the claim says that the effect lies, as (0.5, inf).
    marks : sequence of Mark
        The first is drawn thick and has its numbers beside it; where it depends, the first with each answer is thick.
    link : str
        Where the label leads.
    """

    group: str
    label: str
    setting: str
    unit: str
    answer: str
    region: tuple[float, float]
    marks: Sequence[Mark]
    link: str = ""


def finding(answers: Mapping[str, Sequence[str]]) -> str:
    """How many claims hold: a sentence without its full stop.

    Parameters
    ----------
    answers : {claim: its answers, one for each setting}
        A claim holds if all are "yes"; it depends on the case if they differ, or one is "depends".

    Examples
    --------
    >>> finding({"a": ["yes", "yes"], "b": ["no"], "c": ["yes", "no"], "d": ["cannot tell"], "e": ["yes"]})
    '2 of 5 claims hold, 1 does not, 1 depends on the case, and 1 we cannot tell'
    """
    kinds = Counter("depends" if len({*several}) > 1 else several[0] for several in answers.values())
    claims = f"claim{'s' if len(answers) != 1 else ''}"
    said = [f"{kinds['yes'] or 'None'} of {len(answers)} {claims} {'hold' if kinds['yes'] > 1 else 'holds'}"]
    for kind, one, several in [
        ("no", "does not", "do not"),
        ("depends", "depends on the case", "depend on the case"),
        ("cannot tell", "we cannot tell", "we cannot tell"),
    ]:
        if kinds[kind]:
            said.append(f"{kinds[kind]} {one if kinds[kind] == 1 else several}")
    *others, last = said
    return f"{', '.join(others)}{',' * (len(others) > 1)} and {last}" if others else last


def words(rows: Sequence[Row]) -> str:
    """What a forest plot shows, for somebody who cannot see it."""
    where = [", ".join(filter(None, [row.group, row.label.rstrip("."), row.setting])) for row in rows]
    return " ".join(
        f"{place}: {tally(row)}, {effect(row.marks[0])} {row.unit}." for place, row in zip(where, rows, strict=True)
    )


def effect(mark: Mark) -> str:
    """The numbers of a mark, as "+2.30 [+1.40, +3.20]"."""
    digits = 2 if max(map(abs, mark[1:3])) >= 0.1 else 3  # nats are small
    # + 0.0 makes a plain zero of -0.0
    mean, low, high = (f"{round(value, digits) + 0.0:+.{digits}f}" for value in mark[:3])
    return f"{mean} [{low}, {high}]".replace("-", "−")


def numbers(row: Row) -> str:
    """What stands beside a row: the numbers of its first mark, or where it depends the span of its effects."""
    if row.answer != "depends":
        return effect(row.marks[0])
    return " to ".join(f"{pick(mark.mean for mark in row.marks):+.2f}" for pick in (min, max)).replace("-", "−")


def tally(row: Row) -> str:
    """The answer of a row; where it depends, how often each came."""
    counts = Counter(mark.answer for mark in row.marks)
    said = (f"{counts[answer]} {answer.replace('cannot tell', '?')}" for answer in ANSWERS if counts[answer])
    return ", ".join(said) if row.answer == "depends" else row.answer
