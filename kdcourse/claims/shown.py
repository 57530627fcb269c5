"""Claims as they are shown: the full run, what a lesson has just measured beside it, and where the two contradict."""

import html
from collections.abc import Mapping
from typing import Any

from kdcourse.claims.describe import effect, part_label
from kdcourse.claims.ledger import find, result
from kdcourse.claims.record import Claim, part_id
from kdcourse.claims.sentences import plain
from kdcourse.claims.verdicts import answer, key_of, measured_settings, setting_of
from kdcourse.stats import Comparison

MIME = "application/vnd.kdcourse.claims+json"  # of the data that a shown claim carries beside text and HTML
RUNS = {"full": "full run", "now": "just now"}
CONTRADICTION = "This contradicts the full run: trust neither until you know why."


def show(*names: str, measured: Comparison | Mapping[str, Comparison] | None = None) -> "Shown":
    """Claims with what the committed full run found, to be shown in a lesson. They look the same in a terminal.

    Parameters
    ----------
    *names : str
        Which claims; none means all.
    measured : Comparison or {str: Comparison}, optional
        What the lesson has just found, in the units of the experiment (accuracies as shares), by the id of the part
        that it stands beside, as "examples=100" (see `part_id`; of other settings than a claim's first,
        "examples=100,setting=flights"). Anything else has a row of its own.

    Examples
    --------
    >>> from kdcourse.stats import compare
    >>> gain = compare([0.84, 0.85, 0.85], [0.80, 0.80, 0.81])
    >>> show("soft-beats-hard", measured={"examples=100": gain}).compared
    ['examples=100']
    """
    if measured is None or isinstance(measured, Comparison):
        measured = {} if measured is None else {"this lesson": measured}
    return Shown([(claim, result(claim.name)) for claim in find(*names)], measured)


class Shown:
    """Claims and results: tables in a notebook, lines in a terminal, and data for whoever reads a stored notebook.

    Attributes
    ----------
    data : dict
        {"claims": [{"claim", "plain", "parts": [{"id", "setting", "key", "label", "full", "now", "contradicts"}]}]};
        `full` and `now` hold mean, low, high, n, verdict, margin and unit, `full` also covers; they are None where that
        run has not measured the part.
    compared : list of str
        The ids of the parts that both the full run and this lesson have measured.
    contradictions : list of str
        Those of them for which one says "better" and the other "worse", or that answer the claim with yes and with no.
    """

    def __init__(self, claims: list[tuple[Claim, dict | None]], measured: Mapping[str, Comparison]):
        self.data: dict[str, Any] = {"claims": []}
        self._heads = []
        for claim, found in claims:
            said = plain(claim, found)
            self.data["claims"].append({"claim": claim.name, "plain": said, "parts": _parts(claim, found, measured)})
            self._heads.append((claim, said, _dates(claim, found)))
        parts = [part for one in self.data["claims"] for part in one["parts"]]
        self.compared = [part["id"] for part in parts if part["full"] and part["now"]]
        self.contradictions = [part["id"] for part in parts if part["contradicts"]]

    def __str__(self) -> str:
        lines = []
        for (claim, said, _), one in zip(self._heads, self.data["claims"], strict=True):
            lines += [f"{claim.name}: {claim.wording}", f"  {said}"]
            for part in one["parts"]:
                lines.append(f"  {part['label']}")
                lines += [f"    {name}: {_said(part[run])}" for run, name in RUNS.items() if part[run]]
                lines += [f"    {CONTRADICTION}"] * part["contradicts"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        return "".join(_html(*head, one["parts"]) for head, one in zip(self._heads, self.data["claims"], strict=True))

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": self._repr_html_(), MIME: self.data}


def _dates(claim, found):
    """When the full run was, or when it was in each setting: "" without one."""
    dates = [found["settings"][setting]["date"] for setting in measured_settings(claim, found)]
    return f"full run of {', '.join(dict.fromkeys(dates))}" if dates else ""


def _parts(claim, found, measured):
    """What the full run and this lesson say about each part that either of them has."""
    full = {_id(claim, part): part for part in found["parts"]} if found else {}
    first = next(iter(full.values()), {"unit": "points", "scale": 100.0, "margin": 0.0})
    parts = []
    for name in [*full, *(name for name in measured if name not in full)]:
        part = full.get(name)
        now = _scaled(measured[name], part or first | {"margin": 0.0}) if name in measured else None
        parts.append(
            {
                "id": name,
                "setting": setting_of(part) if part else None,
                "key": part["key"] if part else None,
                "label": part_label(claim, part) if part else name,
                "full": part and {each: part[each] for each in (*Comparison._fields, "margin", "unit", "covers")},
                "now": now,
                "contradicts": bool(part and now) and _contradict(claim, part, now),
            }
        )
    return parts


def _id(claim, part):
    setting = setting_of(part)
    return part_id(key_of(part) | ({} if setting == claim.settings[0] else {"setting": setting}))


def _contradict(claim, full, now):
    answers = {answer(claim, full), answer(claim, now | {"margin": full["margin"]})}
    return {full["verdict"], now["verdict"]} == {"better", "worse"} or answers == {"yes", "no"}


def _scaled(now, full):
    """What the lesson measured, in the unit of the full run; with its margin, if the verdict follows from that."""
    mean, low, high = (full["scale"] * getattr(now, name) for name in ("mean", "low", "high"))
    margin = full["margin"]
    follows = {"better": low > margin, "worse": high < -margin, "equivalent": -margin < low and high < margin}
    if not follows.get(now.verdict, not any(follows.values())):
        margin = 0.0
    numbers = {"mean": mean, "low": low, "high": high, "n": now.n, "verdict": now.verdict}
    return numbers | {"margin": margin, "unit": full["unit"]}


def _said(one):
    return f"{effect(one)}: {one['verdict']}" if one else ""


def _html(claim, answered, dates, parts):
    when = f" ({html.escape(dates)})" if dates else ""
    said = [f"<b>{html.escape(claim.wording)}</b>", f"{html.escape(answered)}{when}"]
    said.append(f"<small>{html.escape(claim.measured)}</small>")
    runs = [run for run in RUNS if any(part[run] for part in parts)]
    cell = "style='text-align:left;vertical-align:top'"
    head = "".join(f"<th {cell}>{RUNS[run]}</th>" for run in runs)
    body = ""
    for part in parts:
        cells = "".join(f"<td {cell}>{html.escape(_said(part[run])) or '–'}</td>" for run in runs)
        note = f"<br><b>{CONTRADICTION}</b>" if part["contradicts"] else ""
        body += f"<tr><th scope='row' {cell}>{html.escape(part['label'])}{note}</th>{cells}</tr>"
    table = f"<table><thead><tr><th {cell}>part</th>{head}</tr></thead><tbody>{body}</tbody></table>" if parts else ""
    return f"<p>{'<br>'.join(said)}</p>{table}"
