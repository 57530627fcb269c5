"""Run claims, keep what came out in `data/results/`, and say it with caution."""

import datetime
import functools
import html
import time
from dataclasses import dataclass

from kdcourse import data, doctor, store
from kdcourse.claims.records import CLAIMS
from kdcourse.stats import Comparison, compare
from kdcourse.sweep import sweep

CONFIDENCE = 0.95  # of all intervals of one claim together


@dataclass(frozen=True)
class Bench:
    """What an experiment gets: the data, and `sweep` with where it runs and where it keeps its chunks filled in."""

    garments: data.DataSet
    sweep: object


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
    bench = Bench(data.load("fashion-mnist"), functools.partial(sweep, resume=resume, device=device, progress=False))
    for claim in claims:
        start = time.perf_counter()
        measured = evaluate(claim, claim.measure(bench))
        measured |= {
            "date": str(datetime.date.today()),
            "machine": doctor.machine(),
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

    measured  what this lesson has just found, to stand beside it: a Comparison, or {what: Comparison}; both in the
              units of accuracy, shown in points
    """
    if measured is None or isinstance(measured, Comparison):
        measured = {} if measured is None else {"here, just now": measured}
    return Shown([(claim, result(claim.name)) for claim in find(*names)], measured)


class Shown:
    """Claims and results, as a table in a notebook and as lines in a terminal."""

    def __init__(self, rows, measured):
        self.rows = rows
        self.measured = measured

    def __str__(self):
        lines = []
        for claim, found in self.rows:
            lines += [f"{claim.name}: {claim.wording}", f"  {_verdict(found)}"]
            lines += [f"  {line}" for line in effects(found)]
        for what, comparison in self.measured.items():
            lines.append(f"  {what}: {_points(comparison)}, {comparison.verdict}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        cells = []
        for claim, found in self.rows:
            lines = [*effects(found)]
            lines += [f"{what}: {_points(one)}, {one.verdict}" for what, one in self.measured.items()]
            effect = "<br>".join(html.escape(line) for line in lines)
            wording = f"{html.escape(claim.wording)}<br><small>{html.escape(claim.measured)}</small>"
            when = "" if found is None else f"<br><small>full run of {found['date']}</small>"
            cells.append(
                f"<tr style='text-align:left'><td style='text-align:left'>{wording}</td>"
                f"<td style='text-align:left'>{effect}</td>"
                f"<td style='text-align:left'>{html.escape(_verdict(found))}{when}</td></tr>"
            )
        head = "<tr><th>claim, and how it is tested</th><th>effect, with its interval</th><th>verdict</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(cells)}</tbody></table>"


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
    if found is None:
        return []
    lines = []
    for part in found["parts"]:
        margin = f", margin {part['margin']:.2g}" if part["margin"] else ""
        digits = 1 if part["unit"] == "points" else 2
        # + 0.0 makes a plain zero of -0.0
        mean, low, high = (f"{round(part[name], digits) + 0.0:+.{digits}f}" for name in ("mean", "low", "high"))
        lines.append(f"{part['name']}: {mean} {part['unit']} [{low}, {high}], n = {part['n']}{margin}")
    return lines


def _verdict(found):
    return "not measured yet" if found is None else found["verdict"]


def _points(comparison):
    mean, low, high = (100 * value for value in comparison[:3])
    return f"{mean:+.1f} points [{low:+.1f}, {high:+.1f}], n = {comparison.n}"


def _listed(names):
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _path(claim):
    return data.folder() / "results" / f"{claim.name}.json"
