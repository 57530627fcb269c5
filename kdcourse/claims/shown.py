"""What a lesson has just measured, drawn over what the full run found, and whether the two agree."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from kdcourse import plots
from kdcourse.claims.describe import effect, part_label
from kdcourse.claims.ledger import find, result
from kdcourse.claims.record import Claim, part_id
from kdcourse.claims.verdicts import answer, key_of, setting_of
from kdcourse.stats import Comparison

MIME = "application/vnd.kdcourse.claims+json"  # of the data that a shown claim carries beside text and HTML
SAYS = {"yes": "supports the claim", "no": "speaks against it", "cannot tell": "cannot tell"}
IN_FIGURE = {"yes": "claim: yes", "no": "claim: no", "cannot tell": "cannot tell"}
CONTRADICTION = "This contradicts the full run: trust neither until you know why."


def show(
    name: str,
    measured: Mapping[str, Comparison],
    *,
    title: str,
    xlabel: str = "difference",
    pairs: Mapping[str, Sequence[float]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> "Shown":
    """Draw what a lesson has just measured of a claim over the full run's intervals, and say whether the two agree.

    Parameters
    ----------
    name : str
        Of the claim.
    measured : {str: Comparison}
        What the lesson has found, in the units of the experiment (accuracies as shares), by the id of the part that it
        stands beside, as "examples=100" (see `part_id`; of other settings than a claim's first,
        "examples=100,setting=flights"). Anything else has a row of its own.
    title, xlabel : str
        Of the figure; the unit is added.
    pairs : {str: differences of the single pairs}, optional
        To be drawn as dots, by the same ids and in the same units.
    labels : {str: str}, optional
        What to call parts by, in place of the words that their keys make.

    Raises
    ------
    ValueError
        For a claim that is not there, and where nothing was measured.

    Examples
    --------
    >>> from kdcourse.stats import compare
    >>> gain = compare([0.84, 0.85, 0.85], [0.80, 0.80, 0.81])
    >>> shown = show("soft-beats-hard", {"examples=100": gain}, title="Soft labels win")  # doctest: +ELLIPSIS
    [figure] Soft labels win. ...
    >>> shown.compared
    ['examples=100']
    """
    if not measured:
        raise ValueError(f"measured must hold at least one comparison, got {measured!r}")
    (claim,) = find(name)
    shown = Shown(claim, result(name), measured, labels or {})
    names = {part["id"]: part["label"] for part in shown.data["parts"]}
    plots.differences(
        {names[one]: found for one, found in measured.items()},
        title=title,
        xlabel=f"{xlabel} ({shown.unit})",
        scale=shown.scale,
        margin=shown.margin / shown.scale,
        pairs=pairs and {names[one]: values for one, values in pairs.items()},
        full={
            part["label"]: (part["full"]["mean"], part["full"]["low"], part["full"]["high"])
            for part in shown.data["parts"]
            if part["full"]
        },
        said={part["label"]: IN_FIGURE[part["now"]["answer"]] for part in shown.data["parts"]},
        unclear={part["label"] for part in shown.data["parts"] if part["now"]["answer"] == "cannot tell"},
    )
    return shown


class Shown:
    """A line for each part: what was measured just now, what the full run found, and whether they agree.

    Attributes
    ----------
    data : dict
        {"claim", "text", "parts": [{"id", "label", "full", "now", "contradicts"}]}; `full` and `now` hold mean, low,
        high, n, verdict, what that answers the claim, margin and unit, `full` also covers; `full` is None where the
        full run has no such part.
    compared, contradictions : list of str
        The ids of the parts that the full run has measured too, and of those of them for which one says "better" and
        the other "worse", or that answer the claim with yes and with no.
    """

    def __init__(self, claim: Claim, found: dict | None, measured: Mapping[str, Comparison], labels: Mapping[str, str]):
        stored = {_id(claim, part): part for part in found["parts"]} if found else {}
        first: dict[str, Any] = next(iter(stored.values()), {"unit": "points", "scale": 100.0, "margin": 0.0})
        self.unit: str = first["unit"]
        self.scale: float = first["scale"]
        self.margin: float = first["margin"]
        parts = [
            _compared(claim, name, one, stored.get(name), first, labels.get(name)) for name, one in measured.items()
        ]
        self.data: dict[str, Any] = {"claim": claim.name, "text": claim.wording, "parts": parts}
        self.compared = [part["id"] for part in parts if part["full"]]
        self.contradictions = [part["id"] for part in parts if part["contradicts"]]

    def __str__(self) -> str:
        lines = [_line(part) for part in self.data["parts"]]
        return "\n".join([f"“{self.data['text']}”", *lines, f"All of it: kdcourse claims {self.data['claim']}"])

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        page = f"<p>{'<br>'.join(map(html.escape, str(self).splitlines()))}</p>"
        return {"text/plain": str(self), "text/html": page, MIME: self.data}


def _compared(claim, name, now, part, first, label):
    """What the full run and this lesson say about one part."""
    now = _scaled(now, part or first | {"margin": 0.0})
    kept = (*Comparison._fields, "margin", "unit", "covers", "example")
    margin = (part or now)["margin"]
    now["answer"] = answer(claim, now | {"margin": margin})
    full = part and {each: part.get(each) for each in kept} | {"answer": answer(claim, part)}
    return {
        "id": name,
        "label": label or (part_label(claim, part) if part else name),
        "full": full,
        "now": now,
        "contradicts": bool(part) and _contradict(full, now),
    }


def _id(claim, part):
    setting = setting_of(part)
    return part_id(key_of(part) | ({} if setting == claim.settings[0] else {"setting": setting}))


def _contradict(full, now):
    return {full["verdict"], now["verdict"]} == {"better", "worse"} or {full["answer"], now["answer"]} == {"yes", "no"}


def _scaled(now, full):
    """What the lesson measured, in the unit of the full run; with its margin, if the verdict follows from that."""
    mean, low, high = (full["scale"] * getattr(now, name) for name in ("mean", "low", "high"))
    margin = full["margin"]
    follows = {"better": low > margin, "worse": high < -margin, "equivalent": -margin < low and high < margin}
    if not follows.get(now.verdict, not any(follows.values())):
        margin = 0.0
    numbers = {"mean": mean, "low": low, "high": high, "n": now.n, "verdict": now.verdict}
    return numbers | {"margin": margin, "unit": full["unit"]}


def _line(part):
    full, now = part["full"], part["now"]
    yours, theirs = now["answer"], full and full["answer"]
    if not full:
        return f"{part['label']}: {effect(now)}. The full run has not measured it."
    if part["contradicts"]:
        said = CONTRADICTION
    elif yours == theirs:
        said = {"yes": "Both support the claim.", "no": "Both speak against it."}.get(yours, "Neither can tell.")
    else:
        said = f"Yours {SAYS[yours]}; the full run {SAYS[theirs]}."
    return f"{part['label']}: just now {effect(now)}; full run {effect(full)}. {said}"
