"""The page of claims: what is said about distillation, how the course measures it, and what came out."""

import html
import re
from collections import Counter

from site_pages import lesson_pages, lesson_title

from kdcourse import claims

# How a conclusion is said, and its sign.
KINDS = {
    "yes": ("holds here", "✓"),
    "no": ("does not hold here", "✗"),
    "depends": ("depends", "±"),
    "cannot tell": ("we cannot tell", "?"),
    "not measured": ("not measured yet", "…"),
}


def claims_page(known):
    """The ledger as Markdown: a table with every verdict, then each claim with how it was measured."""
    lessons = {stem[:2]: stem for stem in lesson_pages(known)}
    rows = "\n".join(_row(claim, lessons) for claim in claims.CLAIMS)
    head = "<thead><tr><th>claim</th><th>verdict</th><th>lesson</th></tr></thead>"
    table = f'<table class="kd-overview">\n{head}\n<tbody>\n{rows}\n</tbody>\n</table>'
    parts = []
    for number in sorted({claim.lesson for claim in claims.CLAIMS}):
        stem = lessons.get(number)
        link = (
            f"\n\nTested in [lesson {number}](lessons/{stem}.ipynb)." if stem else "\n\nThis lesson is not written yet."
        )
        title = f"Lesson {lesson_title(stem)}" if stem else f"Lesson {number}"
        parts.append(f"## {title}{link}")
        parts += [_claim(claim) for claim in claims.CLAIMS if claim.lesson == number]
    body = "\n\n".join(parts)
    return f"""# Claims

What is usually said about distillation, and what came out when this course put it to the test, on its own data: one
image data set, one teacher, small students, and the mails of lesson 05. Each claim was written down before it was
measured. {summary()}

Effects that speak for what is named first are positive. The intervals of one claim hold together, with 95 % confidence;
each says what luck it covers, and of how much. `make claims` measures everything again.

{frame(table, "All claims with their verdicts")}

{body}
"""


def summary():
    """One sentence: how many claims were measured, and what they came to."""
    counted = Counter(_kind(claim) for claim in claims.CLAIMS)
    measured = len(claims.CLAIMS) - counted.pop("not measured", 0)
    said = {"yes": "hold", "no": "do not", "depends": "depend on the case", "cannot tell": "are open"}
    listed = ", ".join(f"{counted[kind]} {said[kind]}" for kind in said if counted[kind])
    return f"Of {len(claims.CLAIMS)} claims, {measured} are measured so far{f': {listed}' if listed else ''}."


def _kind(claim):
    return claims.conclude(claim, claims.result(claim.name)).verdict


def frame(table, label):
    """A table that scrolls in a frame of its own where it is wider than the page."""
    return f'<div class="kd-frame" role="group" aria-label="{html.escape(label)}" tabindex="0">\n{table}\n</div>'


def _row(claim, lessons):
    stem = lessons.get(claim.lesson)
    lesson = f'<a href="lessons/{stem}.html">{claim.lesson}</a>' if stem else claim.lesson
    wording = f'<a href="#{claim.name}">{html.escape(claim.wording)}</a>'
    return f"<tr><td>{wording}</td><td>{_sign(claim)}</td><td>{lesson}</td></tr>"


def _sign(claim, said=None):
    """The sign of a claim's verdict, and the verdict in words or what is said instead."""
    words, sign = KINDS[_kind(claim)]
    colour = {"✓": " kd-right", "✗": " kd-wrong"}.get(sign, "")
    return f'<span class="kd-sign{colour}" aria-hidden="true">{sign}</span> {html.escape(said or words)}'


def _claim(claim):
    found = claims.result(claim.name)
    lines = [
        f'<div id="{claim.name}"></div>\n\n### {_plain(claim.wording)}',
        f"<p>{_sign(claim, claims.plain(claim, found))}</p>",
        f"<p><b>Taught in:</b> {html.escape(claim.taught_in)}.</p>",
        f"<p><b>Measured:</b> {html.escape(claim.measured)}</p>",
    ]
    if found is not None:
        rows = []
        for part, (label, effect) in zip(found["parts"], claims.effects(found), strict=True):
            rows.append(
                f'<tr><th scope="row">{html.escape(label)}</th><td>{html.escape(effect)}</td>'
                f"<td>{html.escape(part['verdict'])}</td></tr>"
            )
        head = "<thead><tr><th>part</th><th>effect [interval]</th><th>verdict</th></tr></thead>"
        body = "\n".join(rows)
        lines.append(frame(f"<table>\n{head}\n<tbody>\n{body}\n</tbody>\n</table>", f"{claim.name}: what was found"))
        dates = ", ".join(f"{name}: {about['date']}" for name, about in found["settings"].items())
        lines.append(f'<p class="kd-note">Full run of {html.escape(dates)}.</p>')
    return "\n\n".join(lines)


def _plain(text):
    """A text in which Markdown finds nothing to do."""
    return re.sub(r"([\\`*_{}\[\]<>#$])", r"\\\1", text)
