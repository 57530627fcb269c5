"""The pages of claims: a forest plot of the ledger with its table, and a page for each claim."""

import html
import re
from pathlib import Path

import claims_forest
from site_pages import lesson_pages
from sklearn.metrics import roc_auc_score

from kdcourse import claims, data, store
from kdcourse.claims import quotes
from kdcourse.claims.describe import budget, chosen_again, enough_pairs
from kdcourse.claims.record import PLACES
from kdcourse.claims.verdicts import measured_settings

AGAIN = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "claims.json"
SIGNS = {"yes": "✓", "no": "✗", "depends": "±", "cannot tell": "?", "not measured": "…"}
SIGNS |= {"yes in part": "✓?", "no in part": "✗?"}


def claims_page(known):
    """The ledger as Markdown: the picture, every claim with its plain sentence, and the pages below."""
    rows = claims_forest.ledger("claims/{}.html")
    picture = claims_forest.inline(rows, claims_forest.finding()) if rows else ""
    lessons = lesson_pages(known)
    body = "\n".join(_row(claim, _lesson(claim, lessons, "")) for claim in claims.CLAIMS)
    head = "<thead><tr><th>claim</th><th>what came out</th><th>lesson</th></tr></thead>"
    table = f'<table class="kd-overview">\n{head}\n<tbody>\n{body}\n</tbody>\n</table>'
    below = "\n".join(f"{claim.name} <claims/{claim.name}>" for claim in claims.CLAIMS)
    return f"""# Claims

What is usually said about distillation, and what came out when this course put it to the test. Claims were written
down before they were measured; what was not, or was revised after a first run, stands on its claim's page. {summary()}

{picture}

A positive number means that the option named first won; with a margin, the claim may ask no more than not to lose by
that. Students of one *block* share their training examples; other blocks have others. Within a claim and a setting, the
intervals of its parts hold jointly at 95 %; those of other metrics and slices, shown beside a part, do not count among
them. No result is pooled over settings. `make claims` measures everything again, with the settings that were chosen;
`make claims CHOOSE=1` chooses these again, too.

{measured_again()}

## Every claim

{frame(table, "All claims with what came out")}

```{{toctree}}
:hidden:

{below}
```
"""


def claim_pages(known):
    """{page: Markdown} of every claim, the ones that are not measured yet among them."""
    lessons = lesson_pages(known)
    return {f"claims/{claim.name}.md": _page(claim, claims.result(claim.name), lessons) for claim in claims.CLAIMS}


def summary():
    """One or two sentences: how many claims are measured, and what they came to."""
    measured = sum(claims.result(claim.name) is not None for claim in claims.CLAIMS)
    verb, found = "is" if measured == 1 else "are", f" {claims_forest.finding()}." if measured else ""
    return f"{measured} of {len(claims.CLAIMS)} claims {verb} measured so far.{found}"


def measured_again():
    """A sentence about what `benchmarks/claims.py` found when it measured claims once more, or "" where it did not."""
    jobs = runs_again()
    if not jobs:
        return ""
    seconds, parts, same, opposite = (
        sum(job[name] for job in jobs.values()) for name in ("seconds", "parts", "same_verdict", "opposite")
    )
    cores = ", ".join(sorted({str(job["machine"]["cores"]) for job in jobs.values()}))
    return (
        f"Is it found again? Of {len(claims.planned())} experiments (a claim on a data set), {len(jobs)} were run once "
        f"more with the stored choices, from an empty cache on {cores} cores, in {seconds / 3600:.1f} hours: "
        f"{same} of {parts} comparisons came to the same verdict, {opposite or 'none'} to the opposite one."
    )


def runs_again():
    """{"claim, setting": its run by `benchmarks/claims.py`}, of those that were run since their record was made."""
    if not AGAIN.exists():
        return {}
    made = {f"{claim.name}, {at}": _dates(claim).get(at) for claim, at in claims.planned()}
    return {job: one for job, one in store.load_json(AGAIN).items() if made.get(job) and made[job] <= one["date"]}


def _dates(claim):
    """{setting: the day of its record}"""
    return {at: about["date"] for at, about in (claims.result(claim.name) or {"settings": {}})["settings"].items()}


def where_soft_labels_help():
    """A Markdown table: what soft labels gain in every setting, beside the teacher and what costs least."""
    lines = ["| examples | soft − labels | soft labels | labels | linear model | teacher | gap closed |"]
    lines.append("|--:|---|--:|--:|--:|--:|--:|")
    found = claims.result("soft-beats-hard")
    for setting in found["settings"]:
        for part in claims_forest.parts_in(found, setting):
            numbers = {name: arm["mean"] for name, arm in part["arms"].items()} | part.get("beside", {})
            shown = [f"{part['scale'] * value:.1f}" for value in numbers.values()]
            gain = _gain(part).replace(" ", "\u00a0")
            teacher, *linear = shown[2:] or ["–", "–"]
            soft, labels, *others = numbers.values()
            better = part["verdict"] == "better"
            closed = f"{100 * (soft - labels) / (others[0] - labels):.0f} %" if others and better else "–"
            cells = [f"{part['key']['examples']:,} {PLACES[setting]}", f"**{gain}**" if better else gain, *shown[:2]]
            cells += [*linear, teacher, closed]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def what_wrong_labels_do():
    """A Markdown table: what soft labels gain in every setting, with right labels and with wrong ones among them."""
    lines = ["| data | all labels right | three in ten wrong |", "|---|---|---|"]
    right, wrong = (claims.result(name) for name in ("soft-beats-hard", "soft-labels-resist-noise"))
    for setting in right["settings"]:
        if setting in wrong["settings"]:
            parts = [
                claims.part(right, {"examples": 500}, setting),
                claims.part(wrong, {"examples": 500, "teacher": "clean"}, setting),
            ]
            lines.append(f"| {PLACES[setting]} | {' | '.join(map(_gain, parts))} |")
    return "\n".join(lines)


def what_days_tell():
    """How well the teacher of flights ranks test flights, of days that it has not seen and of days that it has."""
    _, about = store.load_tensors(data.folder() / "flights" / "teacher-logits.safetensors")
    test = data.load("flights").test
    honest = roc_auc_score(test.labels, test.teacher_logits[:, 1] - test.teacher_logits[:, 0])
    return f"{honest:.3f} on days that are new to it, {about['ways']['rows']['auroc']:.3f} with days in all parts"


def _gain(part):
    return quotes.gain_of(part).replace(f" {part['unit']}", "")


def frame(table, label):
    """A table that scrolls in a frame of its own where it is wider than the page."""
    return f'<div class="kd-frame" role="group" aria-label="{html.escape(label)}" tabindex="0">\n{table}\n</div>'


def _row(claim, lesson):
    found = claims.result(claim.name)
    wording = f'<a href="claims/{claim.name}.html">{html.escape(claim.wording)}</a>'
    said = f"{_sign(claim, found)} {_said(claim, found)}"
    return f'<tr id="{claim.name}"><td>{wording}</td><td>{said}</td><td>{lesson}</td></tr>'


def _said(claim, found):
    """The plain sentence; of several settings, also in which the claim holds; and a margin, if there is one."""
    said = [claims.plain(claim, found)]
    said += [f"It {claims.standing(claim, found)}."] * (len(measured_settings(claim, found)) > 1)
    return html.escape(" ".join([*said, claims.margin(found)]).strip())


def _lesson(claim, lessons, root):
    stem = next((stem for stem in lessons if stem[:2] == claim.lesson), None)
    return f'<a href="{root}lessons/{stem}.html">{claim.lesson}</a>' if stem else claim.lesson


def _sign(claim, found):
    verdict = claims.conclude(claim, found).verdict
    return f'<span class="kd-sign kd-{verdict.replace(" ", "-")}" aria-hidden="true">{SIGNS[verdict]}</span>'


def _page(claim, found, lessons):
    facts = [
        ("Taught in", f"{html.escape(claim.taught_in)}; here in lesson {_lesson(claim, lessons, '../')}."),
        ("Measured", html.escape(claim.measured)),
    ]
    facts += [("Revised", html.escape(claim.revised))] * bool(claim.revised)
    facts += [("Budget", budget(found))] * bool(budget(found))
    if claim.measure:
        facts += [
            ("What would change our mind", html.escape(claims.would_change(claim, found))),
            ("Enough pairs?", html.escape(enough_pairs(claim, found))),
            ("Measure it again", f"<code>kdcourse claims --run {claim.name}</code>{chosen_again(found)}"),
        ]
    listed = "\n".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    sections = "\n\n".join(_setting(claim, found, setting) for setting in measured_settings(claim, found))
    return f"""# {_text(claim.wording)}

<p class="kd-lead">{_sign(claim, found)} {_said(claim, found)}</p>

<dl class="kd-claim">
{listed}
</dl>

{sections}
"""


def _setting(claim, found, setting):
    """What was found in one setting: every part as a picture and in numbers."""
    about, place = found["settings"][setting], PLACES.get(setting, setting)
    plain = claims.plain(claim, found, setting)
    said = f"{_text(plain)}\n\n" if len(measured_settings(claim, found)) > 1 else ""  # else it stands above
    rows = claims_forest.of_claim(claim, found, setting)
    parts = "\n".join(_part(claim, part) for part in claims_forest.parts_in(found, setting))
    head = "<thead><tr><th>part</th><th>effect [interval]</th><th>answer</th><th>compared</th></tr></thead>"
    table = frame(f"<table>\n{head}\n<tbody>\n{parts}\n</tbody>\n</table>", f"What was found on {place}")
    when = f"Measured on {about['date']}"
    again = runs_again().get(f"{claim.name}, {setting}")
    if again:
        minutes = max(1, round(again["seconds"] / 60))
        when += f"; once more on {again['date']}, in {minutes} minute{'s' * (minutes != 1)}"
    when += ". "
    when += claims.choices_made(found, setting)
    return f"""## On {place}

{said}{claims_forest.inline(rows, plain)}

{table}

<p class="kd-note">{html.escape(when)}</p>"""


def _part(claim, part):
    """A row of the table: the effect with what its interval covers, the answer, and both arms."""
    notes = [*claims.beside(part), *([part["note"]] if part["note"] else [])]
    note = "".join(f'<br><span class="kd-note">{html.escape(one)}</span>' for one in notes)
    name = html.escape(claims_forest.name(part) or claim.wording)
    arms = "<br>".join(dict.fromkeys(_arm(arm, part) for arm in part["arms"].values()))
    return (
        f'<tr><th scope="row">{name}</th><td>{html.escape(claims.effect(part))}{note}</td>'
        f"<td>{claims.answer(claim, part)}</td><td>{arms}</td></tr>"
    )


def _arm(arm, part):
    """An arm: its name, its mean in the unit of the part, and what its students chose on validation."""
    mean = "" if arm["mean"] is None else f": {part['scale'] * arm['mean']:.2f}"
    edges = arm.get("edges", ())
    chosen = ", ".join(
        f"{name} {value:g}{', on an edge' * (name in edges)}" for name, value in (arm["chosen"] or {}).items()
    )
    return html.escape(f"{arm['name']}{mean}{f' ({chosen})' if chosen else ''}")


def _text(text):
    """A text in which Markdown finds nothing to do."""
    return re.sub(r"([\\`*_{}\[\]<>#$])", r"\\\1", text)
