"""The ledger as rows of forest plots: every claim in every setting, and every part of a claim."""

from kdcourse import claims, lessons, plots
from kdcourse.claims.record import PLACES
from kdcourse.claims.verdicts import key_of, measured_settings, region, setting_of
from kdcourse.plots.forest import MIDDLE, NARROW
from kdcourse.quiz.content import title_of


def lesson_name(number):
    """A lesson's title, or its number alone where it is not written yet."""
    return next((title_of(path.stem) for path in lessons.find() if path.stem[:2] == number), f"Lesson {number}")


def ledger(link="{}"):
    """A row for each claim and setting that is measured, and for each unit, if it has several there.

    The first mark is the least clear of the parts that decide. `link` is where a label leads, {} the claim's name.
    """
    rows = []
    for claim in claims.CLAIMS:
        found = claims.result(claim.name)
        settings = measured_settings(claim, found)
        verdicts = [claims.conclude(claim, found, setting).verdict for setting in settings]
        standing = f"holds in {verdicts.count('yes')} of {len(settings)}" if len(settings) > 1 else ""
        standing += f", in part in {verdicts.count('yes in part')}" if standing and "yes in part" in verdicts else ""
        for setting in settings:
            for unit in dict.fromkeys(part["unit"] for part in parts_in(found, setting)):
                parts = [part for part in parts_in(found, setting) if part["unit"] == unit]
                verdict = claims.conclude(claim, {"parts": parts}, setting).verdict
                parts.sort(key=lambda part: (claims.answer(claim, part) != verdict, clearness(claim, part)))
                edges = region(claim.supports, parts[0]["margin"])
                what = lesson_name(claim.lesson), claim.wording, PLACES.get(setting, setting), unit, verdict, edges
                marks = [mark(claim, part) for part in parts]
                rows.append(plots.Row(*what, marks, link.format(claim.name), standing))
    return rows


def of_claim(claim, found, setting):
    """A row for each part of a claim in one setting, with its pairs."""
    return [
        plots.Row(
            "",
            name(part) or claim.wording,
            "",
            part["unit"],
            claims.answer(claim, part),
            region(claim.supports, part["margin"]),
            [mark(claim, part, pairs=differences(part))],
        )
        for part in parts_in(found, setting)
    ]


def parts_in(found, setting):
    return [part for part in found["parts"] if setting_of(part) == setting]


def mark(claim, part, pairs=()):
    return plots.Mark(part["mean"], part["low"], part["high"], claims.answer(claim, part), name(part), pairs)


def name(part):
    """A part in words, without its setting."""
    return claims.label(key_of(part), setting_of(part))


def differences(part):
    """The differences of a part's pairs, in its unit; none where they were not kept."""
    pairs = part["pairs"]
    return [part["scale"] * (a - b) for a, b in zip(pairs["a"], pairs["b"], strict=True)] if pairs else []


def clearness(claim, part):
    """How far an interval lies from where its answer would be another; 0 if it lies across that already."""
    low, high = region(claim.supports, part["margin"])
    within = min(part["low"] - low, high - part["high"])
    outside = max(low - part["high"], part["low"] - high)
    return max(within, outside, 0)


def answers():
    """{what a claim says: its answers, one for each setting}, of those that are measured."""
    results = {claim: claims.result(claim.name) for claim in claims.CLAIMS}
    return {
        claim.wording: [claims.conclude(claim, found, setting).verdict for setting in measured_settings(claim, found)]
        for claim, found in results.items()
        if found
    }


def finding():
    """Where claims hold, in a sentence without its full stop; None where nothing is measured."""
    measured = answers()
    return plots.finding(measured) if measured else None


def inline(rows, title):
    """A forest plot as a piece of a page: one for wide screens and one for phones, of which a style hides one."""
    pictures = [
        f'<div class="kd-{style}">{plots.forest(rows, title=title, width=width, inline=True)}</div>'
        for style, width in [("wide", MIDDLE), ("narrow", NARROW)]
    ]
    return f'<div class="kd-forest">\n{"".join(pictures)}</div>'
