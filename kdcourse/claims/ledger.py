"""Find the claims, run them in each of their settings, and keep what came out in `data/results/`."""

import datetime
import functools
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from kdcourse import _course, data, devices, store
from kdcourse.claims.choices import Choices
from kdcourse.claims.evaluation import evaluate
from kdcourse.claims.record import Claim, Key, part_id
from kdcourse.claims.settings import SETTINGS, Setting
from kdcourse.claims.verdicts import setting_of
from kdcourse.data import DataSet
from kdcourse.sweep import sweep


@dataclass(frozen=True)
class Bench:
    """What an experiment gets: a setting and its data, `sweep` with where it keeps its chunks filled in, the device,
    and what it chose before.
    """

    setting: Setting
    data: DataSet
    sweep: Callable
    device: str
    choices: Choices = field(default_factory=Choices)


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


def planned(*names: str, settings: Sequence[str] | None = None) -> list[tuple[Claim, str]]:
    """What `run` measures, in its order: claims, each in every of its settings, or in those of them that are named.

    Raises
    ------
    ValueError
        For a claim that is not there, or has no experiment, or is not measured in any of `settings`.

    Examples
    --------
    >>> [setting for _, setting in planned("soft-beats-hard", settings=["fashion-mnist"])]
    ['fashion-mnist']
    """
    jobs = []
    for claim in find(*names):
        if claim.measure is None and names:
            raise ValueError(f"{claim.name!r} has no experiment yet; lesson {claim.lesson} will bring it")
        chosen = [one for one in claim.settings if settings is None or one in settings]
        if names and not chosen:
            raise ValueError(f"{claim.name!r} is measured in {', '.join(claim.settings)}, got settings {settings}")
        jobs += [(claim, one) for one in chosen if claim.measure]
    return jobs


def run(
    *names: str,
    settings: Sequence[str] | None = None,
    choose: bool = False,
    resume: str | bool | None = None,
    device: str = "auto",
) -> Iterator[dict]:
    """Run the experiments of these claims, or of all that have one, and write `data/results/<name>.json`.

    They take the settings that were chosen on validation data when they were measured before; where none were, and
    with `choose`, they choose.

    Parameters
    ----------
    *names : str
    settings : sequence of str, optional
        Names of data sets; without, every setting of each claim. What is stored of others is kept.
    choose : bool
        Choose everything again, which takes three times as long.
    resume : str, bool or None
        As in `sweep`: what was trained by an earlier call is not trained again.
    device : str
        As in `sweep`.

    Yields
    ------
    dict
        The result of a claim after each of its settings, in the order of `planned`, as `result` gives it.

    Raises
    ------
    ValueError
        As `planned` does.
    CourseError
        Outside a clone of the course, where results have no place.
    """
    jobs = planned(*names, settings=settings)
    if data.folder().is_relative_to(_course.CARRIED):
        raise _course.CourseError(f"the results of claims are written into a clone of the course: {_course.CLONE}")
    return _results(jobs, functools.partial(sweep, resume=resume, device=device, progress=False), device, choose)


def _results(jobs, students, device, choose):
    load = functools.cache(data.load)
    for claim, setting in jobs:
        assert claim.measure is not None  # `planned` leaves these out
        start = time.perf_counter()
        before, files = (result(claim.name) or {"settings": {}})["settings"].get(setting, {}), _files(setting)
        known = before.get("choices", ()) if before.get("files") == files and not choose else ()
        bench = Bench(SETTINGS[setting], load(setting), students, device, Choices(known))
        parts = [part._replace(setting=setting) for part in claim.measure(bench)]
        seconds = round(time.perf_counter() - start, 1)
        about = {"date": str(datetime.date.today()), "machine": devices.machine(), "seconds": seconds}
        about |= {"files": files, "choices": bench.choices.made} if bench.choices.made else {}
        measured = _merged(claim, result(claim.name), evaluate(claim, parts), setting, about)
        _save(measured)
        yield measured


def _files(setting):
    """Names what a data set and its teacher are made of: what was chosen for others is not taken."""
    known = store.load_json(data.folder() / "checksums.json")
    return store.fingerprint(
        [[name, known[name]["sha256"]] for name in sorted(known) if name.startswith(f"{setting}/")]
    )


def _merged(claim, old, new, setting, about):
    """A result with one setting measured anew, and the others as they were, in the order of the record."""
    abouts = (old["settings"] if old else {}) | {setting: about}
    parts = [part for part in old["parts"] if setting_of(part) != setting] if old else []
    order = [*claim.settings, *sorted(abouts.keys() - {*claim.settings})]
    return {
        "claim": claim.name,
        "settings": {name: abouts[name] for name in order if name in abouts},
        "parts": sorted(parts + new["parts"], key=lambda part: order.index(setting_of(part))),
    }


def result(name: str) -> dict | None:
    """What the last full runs of a claim found, or None if there was none. Raises ValueError for the name.

    Returns
    -------
    dict or None
        `claim`; `settings`, each with `date`, `machine`, `seconds` (without what it took from earlier runs, or from
        claims that share its students) and `choices` as `Choices` makes them, which hold for the `files` of that data
        set; and `parts`. A part has its `setting`, `key` and
        `metric`; `mean`, `low`, `high` and `margin` in `unit`, which are `scale` times the values; `n`, the number of
        independent units of training; `verdict` and `note`; the `arms` a and b, each with its name, its mean, the
        settings that were chosen where they are known, and `edges` where some of these lie on one; and the `pairs`: one
        value of both arms for each pair, the mean over examples, with the seeds that they share, or None where they
        were not kept. `covers` says which luck the interval covers, and of how many ({"block": 10, "init": 2,
        "example": 10000}), `example` what the examples are called; `example_error` is what the choice of examples alone
        adds to the standard error, None where the interval does not cover it. `repeated` says what a new order_seed
        brings. `also` has the same comparison in other metrics, `beside` the values of others in the same one.

    Examples
    --------
    >>> part(result("soft-beats-hard"), {"examples": 100})["verdict"]
    'better'
    """
    (claim,) = find(name)
    path = data.folder() / "results" / f"{claim.name}.json"
    return store.load_json(path) if path.exists() else None


def part(found: dict, key: Key, setting: str | None = None, metric: str | None = None) -> dict:
    """The part of a result with this key, the first of all settings and metrics if none is said.

    Raises
    ------
    KeyError
        That lists the ids of those that there are.

    >>> part(result("soft-beats-hard"), {"examples": 500})["setting"]
    'fashion-mnist'
    """
    for one in found["parts"]:
        if one["key"] == key and metric in (None, one["metric"]) and setting in (None, setting_of(one)):
            return one
    raise KeyError(f"no part {part_id(key)}; there are {'; '.join(part_id(one['key']) for one in found['parts'])}")


def _save(measured):
    """Write a result, each list of numbers and each choice on a line of its own."""
    text = json.dumps(measured, indent=1, ensure_ascii=False, allow_nan=False)
    text = re.sub(r"\[[\s\d.,e+-]+\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    text = re.sub(r'\{\s*"what":.*?"date": "[\d-]+"\s*\}', lambda found: " ".join(found[0].split()), text, flags=re.S)
    with store.replacing(data.folder() / "results" / f"{measured['claim']}.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
