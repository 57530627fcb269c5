"""Find the claims, run them, keep what came out in `data/results/`, and say it with caution."""

import datetime
import functools
import json
import os
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from kdcourse import _course, data, devices, store
from kdcourse.claims.record import Claim, Key, Part, label, part_id
from kdcourse.stats import compare
from kdcourse.sweep import sweep

CONFIDENCE = 0.95  # of all intervals of one claim together
DIGITS = 6  # of what is stored; the comparison is made of the rounded values, so that it can be made again


@dataclass(frozen=True)
class Bench:
    """What an experiment gets: the data, `sweep` with where it keeps its chunks filled in, and the device."""

    garments: data.DataSet
    sweep: Callable
    device: str


class Conclusion(NamedTuple):
    """What a result says about its claim: the keys of its parts, by what they say."""

    supported: list[Key]
    not_supported: list[Key]
    inconclusive: list[Key]

    @property
    def kind(self) -> str:
        """The one word for all parts, as "not supported"; "depends" where they differ, "not measured" for none."""
        kinds = [name.replace("_", " ") for name, keys in self._asdict().items() if keys]
        return "depends" if len(kinds) > 1 else "".join(kinds) or "not measured"

    def __str__(self) -> str:
        if self.kind in ("supported", "not supported"):
            return f"{self.kind} here"
        if self.kind != "depends":
            return {"not measured": "not measured yet"}.get(self.kind, self.kind)
        said = [(name.replace("_", " "), keys) for name, keys in self._asdict().items() if keys]
        return "depends: " + "; ".join(f"{kind} for {_listed(map(label, keys))}" for kind, keys in said)


def _discovered() -> Iterator[Claim]:
    """The claims of the modules lesson_NN of this package, in the order of lessons and of their places there."""
    for name in sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if name.startswith("lesson_"):
            for value in vars(import_module(f"kdcourse.claims.{name}")).values():
                if isinstance(value, Claim):
                    yield replace(value, lesson=name.removeprefix("lesson_"))


CLAIMS: tuple[Claim, ...] = tuple(_discovered())


def find(*names: str) -> list[Claim]:
    """The claims with these names, or all.

    Raises
    ------
    ValueError
        For a name that is not there; it lists those that are.

    Examples
    --------
    >>> find("soft-beats-hard")[0].lesson
    '01'
    """
    by_name = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in by_name:
            raise ValueError(f"no claim {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names] or list(CLAIMS)


def run(*names: str, resume: str | bool | None = None, device: str = "auto") -> Iterator[dict]:
    """Run the experiments of these claims, or of all that have one, and write `data/results/<name>.json`.

    Parameters
    ----------
    *names : str
    resume : str, bool or None
        As in `sweep`: what was trained by an earlier call is not trained again.
    device : str
        As in `sweep`.

    Yields
    ------
    dict
        The results, as they are finished, as `result` gives them.

    Raises
    ------
    ValueError
        For a claim that is not there, or that has no experiment.
    CourseError
        Outside a clone of the course, where results have no place.
    """
    experiments = [(claim, _experiment(claim)) for claim in find(*names) if claim.measure or names]
    if stored("results").is_relative_to(_course.CARRIED):
        raise _course.CourseError(f"the results of claims are written into a clone of the course: {_course.CLONE}")
    students = functools.partial(sweep, resume=resume, device=device, progress=False)
    bench = Bench(data.load("fashion-mnist"), students, device)
    for claim, measure in experiments:
        start = time.perf_counter()
        measured = evaluate(claim, measure(bench))
        measured |= {
            "date": str(datetime.date.today()),
            "machine": devices.machine(),
            "seconds": round(time.perf_counter() - start, 1),
        }
        _save(measured)
        yield measured


def _experiment(claim):
    if claim.measure is None:
        raise ValueError(f"{claim.name!r} has no experiment yet; lesson {claim.lesson} will bring it")
    return claim.measure


def evaluate(claim: Claim, parts: Iterable[Part]) -> dict:
    """What a claim's parts come to: every comparison, with the pairs that it was made of.

    The intervals are widened so that, with 95 % confidence, *all* of a claim's parts lie in theirs (Bonferroni).

    Examples
    --------
    >>> from kdcourse.claims import Arm, Part
    >>> arms = Arm("soft labels", [0.81, 0.83, 0.85]), Arm("labels", [0.80, 0.81, 0.84])
    >>> (one,) = evaluate(find("soft-beats-hard")[0], [Part({"examples": 100}, *arms, [0, 1, 2], [0, 1, 2])])["parts"]
    >>> one["mean"], one["n"], one["verdict"]
    (1.33333, 3, 'inconclusive')
    """
    parts = list(parts)
    confidence = 1 - (1 - CONFIDENCE) / len(parts)
    return {"claim": claim.name, "parts": [_compared(part, confidence) for part in parts]}


def _compared(part, confidence):
    a, b = (_rounded(arm.values) for arm in (part.a, part.b))
    seeds = {name: _plain(getattr(part, name)) for name in ("init_seed", "order_seed")}
    found = compare(a, b, margin=part.margin, confidence=confidence, **seeds)
    numbers = {name: getattr(found, name) for name in ("mean", "low", "high")} | {"margin": part.margin}
    return {
        "key": part.key,
        **dict(zip(numbers, _rounded([part.scale * value for value in numbers.values()]), strict=True)),
        "unit": part.unit,
        "n": found.n,
        "verdict": found.verdict,
        "note": found.note,
        "arms": {"a": _arm(part.a, a), "b": _arm(part.b, b)},
        "scale": part.scale,
        "repeated": part.repeated,
        "pairs": {"a": a, "b": b, **seeds},
    }


def _arm(arm, values):
    return {"name": arm.name, "mean": _rounded([sum(values) / len(values)])[0], "chosen": arm.chosen}


def _rounded(values):
    return [float(f"{float(value):.{DIGITS}g}") for value in values]


def _plain(seeds):
    return None if seeds is None else [int(seed) for seed in seeds]


def conclude(claim: Claim, found: dict | None) -> Conclusion:
    """What a result says about its claim: which parts speak for it, which against it, and which cannot tell.

    Examples
    --------
    >>> parts = [{"key": {"examples": n}, "verdict": verdict} for n, verdict in [(100, "better"), (500, "worse")]]
    >>> print(conclude(find("soft-beats-hard")[0], {"parts": parts}))
    depends: supported for 100 pictures; not supported for 500 pictures
    """
    said = Conclusion([], [], [])
    for one in found["parts"] if found else ():
        if one["verdict"] == claim.supports:
            said.supported.append(one["key"])
        elif one["verdict"] == "inconclusive":
            said.inconclusive.append(one["key"])
        else:
            said.not_supported.append(one["key"])
    return said


def result(name: str) -> dict | None:
    """What the last full run of a claim found, or None if there was none. Raises ValueError for the name.

    Returns
    -------
    dict or None
        `claim`, `date`, `machine`, `seconds` and `parts`. A part has its `key`; `mean`, `low`, `high` and `margin` in
        `unit`, which are `scale` times the values; `n`, `verdict` and `note`; the `arms` a and b, each with its name,
        its mean, and the settings that were chosen where they are known; and the `pairs`: the values of both arms with
        the seeds that they share, or None where they were not kept. `repeated` says what a new order_seed brings.

    Examples
    --------
    >>> part(result("soft-beats-hard"), {"examples": 100})["verdict"]
    'better'
    """
    (claim,) = find(name)
    path = stored("results") / f"{claim.name}.json"
    return store.load_json(path) if path.exists() else None


def part(found: dict, key: Key) -> dict:
    """The part of a result with this key. Raises KeyError that lists the ids of those that there are."""
    for one in found["parts"]:
        if one["key"] == key:
            return one
    raise KeyError(f"no part {part_id(key)}; there are {'; '.join(part_id(one['key']) for one in found['parts'])}")


def table() -> str:
    """The ledger as a Markdown table: claim, lesson, effect with interval, verdict."""
    lines = ["| claim | lesson | effect [interval], pairs | verdict |", "|---|---|---|---|"]
    for claim in CLAIMS:
        found = result(claim.name)
        said = "<br>".join(f"{name}: {effect}" for name, effect in effects(found))
        lines.append(f"| **{claim.name}** {claim.wording} | {claim.lesson} | {said} | {conclude(claim, found)} |")
    return "\n".join(lines)


def effects(found: dict | None) -> list[tuple[str, str]]:
    """(label, effect with its interval and how many pairs) for each part of a result.

    Examples
    --------
    >>> effects(result("soft-beats-hard"))[0]
    ('100 pictures', '+2.32 points [+1.40, +3.24], n = 20')
    """
    return [(label(one["key"]), effect(one)) for one in (found["parts"] if found else ())]


def effect(one: dict) -> str:
    """The numbers of a part: effect, interval, how many pairs, and the margin if there is one."""
    # + 0.0 makes a plain zero of -0.0
    mean, low, high = (f"{round(one[name], 2) + 0.0:+.2f}" for name in ("mean", "low", "high"))
    limit = f", margin {one['margin']:.2g}" if one["margin"] else ""
    return f"{mean} {one['unit']} [{low}, {high}], n = {one['n']}{limit}"


def stored(name: str) -> Path:
    """Where a file of the ledger lies: in the folder named by KDCOURSE_DATA, or else in the course's `data/`."""
    chosen = os.environ.get("KDCOURSE_DATA")
    return Path(chosen) / name if chosen else _course.find(f"data/{name}")


def _save(measured):
    """Write a result, each list of numbers on a line of its own."""
    text = json.dumps(measured, indent=1, ensure_ascii=False, allow_nan=False)
    text = re.sub(r"\[[\s\d.,e+-]+\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    with store.replacing(stored("results") / f"{measured['claim']}.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _listed(names):
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
