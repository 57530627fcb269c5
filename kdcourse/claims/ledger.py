"""Run claims, keep what came out in `data/results/`, and say it with caution."""

import datetime
import functools
import html
import time
from dataclasses import dataclass

from kdcourse import data, devices, store
from kdcourse.claims.records import CLAIMS
from kdcourse.stats import Comparison, compare
from kdcourse.sweep import sweep

CONFIDENCE = 0.95  # of all intervals of one claim together
RUNS = {"full": "full run", "now": "just now"}
CONTRADICTION = "This contradicts the full run: trust neither until you know why."


@dataclass(frozen=True)
class Bench:
    """What an experiment gets: the data, `sweep` with where it keeps its chunks filled in, and the device."""

    garments: data.DataSet
    sweep: object
    device: str


def find(*names):
    """The records with these names, or all. Raises ValueError that lists the names there are."""
    by_name = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in by_name:
            raise ValueError(f"no claim {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names] or list(CLAIMS)


def run(*names, resume=None, device="auto"):
    """Run the experiments of these claims, or of all that have one, and write `data/results/<name>.json`.

    resume  as in `sweep`: what was trained by an earlier call is not trained again
    returns an iterator of the results, as they are finished: dicts, as `result` gives them
    """
    claims = [claim for claim in find(*names) if claim.measure is not None or names]
    for claim in claims:
        if claim.measure is None:
            raise ValueError(f"{claim.name!r} has no experiment yet; lesson {claim.lesson} will bring it")
    bench = Bench(
        data.load("fashion-mnist"), functools.partial(sweep, resume=resume, device=device, progress=False), device
    )
    for claim in claims:
        start = time.perf_counter()
        measured = evaluate(claim, claim.measure(bench))
        measured |= {
            "date": str(datetime.date.today()),
            "machine": devices.machine(),
            "seconds": round(time.perf_counter() - start, 1),
        }
        store.save_json(_path(claim), measured)
        yield measured


def evaluate(claim, parts):
    """What a claim's parts come to: every comparison, and the verdict.

    The intervals are widened so that, with 95 % confidence, *all* of a claim's parts lie in theirs (Bonferroni).
    """
    results = []
    for part in parts:
        comparison = compare(
            part.a,
            part.b,
            margin=part.margin,
            confidence=1 - (1 - CONFIDENCE) / len(parts),
            init_seed=part.init_seed,
            order_seed=part.order_seed,
        )
        numbers = {name: getattr(comparison, name) * part.scale for name in ("mean", "low", "high")}
        results.append(
            {
                "name": part.name,
                **numbers,
                "margin": part.margin * part.scale,
                "unit": part.unit,
                "n": comparison.n,
                "verdict": comparison.verdict,
                "note": comparison.note,
            }
        )
    verdict = conclude(claim.supports, {part["name"]: part["verdict"] for part in results})
    return {"claim": claim.name, "verdict": verdict, "parts": results}


def conclude(supports, verdicts):
    """One cautious sentence from the verdicts {part: verdict}; `supports` is the one that speaks for the claim."""
    kinds = {"supported": [], "not supported": [], "inconclusive": []}
    for part, verdict in verdicts.items():
        if verdict == supports:
            kinds["supported"].append(part)
        elif verdict == "inconclusive":
            kinds["inconclusive"].append(part)
        else:
            kinds["not supported"].append(part)
    said = [kind for kind, parts in kinds.items() if parts]
    if said == ["inconclusive"]:
        return "inconclusive"
    if len(said) == 1:
        return f"{said[0]} here"
    return "depends: " + "; ".join(f"{kind} for {_listed(kinds[kind])}" for kind in said)


def result(name):
    """What the last full run of a claim found, as a dict, or None if there was none. Raises ValueError for the name."""
    (claim,) = find(name)
    path = _path(claim)
    return store.load_json(path) if path.exists() else None


def show(*names, measured=None):
    """Claims with what the committed full run found, to be shown in a lesson. They look the same in a terminal.

    measured  what this lesson has just found, to stand beside it: a Comparison, or {part: Comparison}, in the units of
              the experiment (accuracies as shares). A part named as in the full run stands beside that; where one
              says "better" and the other "worse", this is said
    """
    if measured is None or isinstance(measured, Comparison):
        measured = {} if measured is None else {"this lesson": measured}
    return Shown([(claim, result(claim.name)) for claim in find(*names)], measured)


class Shown:
    """Claims and results, as tables in a notebook and as lines in a terminal.

    compared        the parts that both the full run and this lesson have measured
    contradictions  those of them for which one says "better" and the other "worse"
    """

    def __init__(self, claims, measured):
        self.claims = [(claim, found, _rows(found, measured)) for claim, found in claims]
        self.compared = [row["part"] for *_, rows in self.claims for row in rows if row["full"] and row["now"]]
        self.contradictions = [row["part"] for *_, rows in self.claims for row in rows if row["contradicts"]]

    def __str__(self):
        lines = []
        for claim, found, rows in self.claims:
            lines += [f"{claim.name}: {claim.wording}", f"  {_verdict(found)}"]
            for row in rows:
                lines.append(f"  {row['part']}")
                lines += [f"    {name}: {row[run]}" for run, name in RUNS.items() if row[run]]
                lines += [f"    {CONTRADICTION}"] * row["contradicts"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        return "".join(_claim_in_html(*one) for one in self.claims)


def _rows(found, measured):
    """One row for each part that the full run or this lesson has, with what each says about it, or ""."""
    full = {} if found is None else {part["name"]: part for part in found["parts"]}
    unit = next(iter(full.values()))["unit"] if full else "points"  # one experiment, one unit
    rows = []
    for name in [*full, *(name for name in measured if name not in full)]:
        part, now = full.get(name), measured.get(name)
        rows.append(
            {
                "part": name,
                "full": "" if part is None else _said(part, part["n"], unit, part["verdict"], part["margin"]),
                "now": "" if now is None else _said(_scaled(now, unit), now.n, unit, now.verdict),
                "contradicts": None not in (part, now) and {part["verdict"], now.verdict} == {"better", "worse"},
            }
        )
    return rows


def _claim_in_html(claim, found, rows):
    when = "" if found is None else f" (full run of {html.escape(found['date'])})"
    said = [f"<b>{html.escape(claim.wording)}</b>", f"{html.escape(_verdict(found))}{when}"]
    said.append(f"<small>{html.escape(claim.measured)}</small>")
    runs = [run for run in ("full", "now") if any(row[run] for row in rows)]
    cell = "style='text-align:left;vertical-align:top'"
    head = "".join(f"<th {cell}>{RUNS[run]}</th>" for run in runs)
    body = ""
    for row in rows:
        cells = "".join(f"<td {cell}>{html.escape(row[run]) or '–'}</td>" for run in runs)
        note = f"<br><b>{CONTRADICTION}</b>" if row["contradicts"] else ""
        body += f"<tr><th scope='row' {cell}>{html.escape(row['part'])}{note}</th>{cells}</tr>"
    table = f"<table><thead><tr><th {cell}>part</th>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"<p>{'<br>'.join(said)}</p>{table}"


def table():
    """The ledger as a Markdown table: claim, lesson, effect with interval, verdict."""
    lines = ["| claim | lesson | effect [interval], pairs | verdict |", "|---|---|---|---|"]
    for claim in CLAIMS:
        found = result(claim.name)
        lines.append(
            f"| **{claim.name}** {claim.wording} | {claim.lesson} | {'<br>'.join(effects(found))} | {_verdict(found)} |"
        )
    return "\n".join(lines)


def effects(found):
    """One line per part of a result: its effect, its interval and how many pairs."""
    parts = [] if found is None else found["parts"]
    return [f"{part['name']}: {_said(part, part['n'], part['unit'], margin=part['margin'])}" for part in parts]


def _said(numbers, n, unit, verdict="", margin=0.0):
    # + 0.0 makes a plain zero of -0.0
    mean, low, high = (f"{round(numbers[name], 2) + 0.0:+.2f}" for name in ("mean", "low", "high"))
    limit = f", margin {margin:.2g}" if margin else ""
    return f"{mean} {unit} [{low}, {high}], n = {n}{limit}" + (f": {verdict}" if verdict else "")


def _scaled(comparison, unit):
    scale = 100 if unit == "points" else 1
    return {name: scale * getattr(comparison, name) for name in ("mean", "low", "high")}


def _verdict(found):
    return "not measured yet" if found is None else found["verdict"]


def _listed(names):
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _path(claim):
    return data.folder() / "results" / f"{claim.name}.json"
