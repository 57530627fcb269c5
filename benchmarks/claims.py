"""Is the ledger found again? Every claim measured once more, from an empty cache, with the choices of its record.

    python benchmarks/claims.py [--only CLAIM ...] [--setting SETTING ...]

It takes hours; run it again, and it goes on where it was stopped. Its data, cache and times lie in runs/claims-again,
so that the records stay as they are; delete it to begin anew. Writes benchmarks/results/claims.json: for each claim and
setting the seconds, and how its parts compare with the stored ones. Entries of other claims stay.
"""

import argparse
import datetime
import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from kdcourse import claims, data, devices, store
from kdcourse.ship import processor

ROOT = Path(__file__).resolve().parents[1]
OPPOSITE = {"better", "worse"}


def copied(source, target):
    """A folder of data with results of its own; all else are links."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.name == "results":
            shutil.copytree(path, target / path.name, dirs_exist_ok=True)
        elif not (target / path.name).is_symlink():
            (target / path.name).symlink_to(path)


def timed(job, work, path):
    """(what `work` returns, seconds that it took); those of an interrupted run count, they are kept in `path`."""
    ended = threading.Event()
    known = store.load_json(path) if path.exists() else {}
    before, start = known.get(job, 0.0), time.monotonic()

    def spent():
        return before + time.monotonic() - start

    def keep():
        while not ended.wait(5):
            store.save_json(path, known | {job: spent()})

    watch = threading.Thread(target=keep, daemon=True)
    watch.start()
    try:
        found = work()
    finally:
        ended.set()
        watch.join()
    return found, spent()


def compared(stored, again):
    """How the parts of two results of one claim in one setting compare."""
    first, second = ({claims.part_id(part["key"]): part for part in parts} for parts in (stored, again))
    both = [(first[name], second[name]) for name in first.keys() & second.keys()]
    others = [pair for pair in both if pair[0]["verdict"] != pair[1]["verdict"]]
    return {
        "parts": len(both),
        "unmatched": len(first.keys() ^ second.keys()),
        "same_verdict": len(both) - len(others),
        "opposite": sum({a["verdict"], b["verdict"]} == OPPOSITE for a, b in others),
        "inside": sum(a["low"] <= b["mean"] <= a["high"] for a, b in both),
        "changed": [
            {
                "part": claims.part_id(a["key"]),
                "verdicts": [a["verdict"], b["verdict"]],
                "means": [a["mean"], b["mean"]],
            }
            for a, b in others
        ],
    }


def parts_of(result, setting):
    return [part for part in result["parts"] if part["setting"] == setting]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="claims; all of them without")
    parser.add_argument("--setting", nargs="*", default=None)
    parser.add_argument("--kept", type=Path, default=ROOT / "runs" / "claims-again")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "claims.json")
    arguments = parser.parse_args()
    kept, results = arguments.kept.resolve(), arguments.results
    jobs = claims.planned(*arguments.only, settings=arguments.setting)
    stored = {claim.name: claims.result(claim.name) for claim, _ in jobs}
    copied(data.folder().resolve(), kept / "data")
    os.environ |= {"KDCOURSE_DATA": str(kept / "data"), "KDCOURSE_HOME": str(kept / "home")}
    measured = store.load_json(results) if results.exists() else {}
    for claim, setting in (bar := tqdm(jobs)):
        job = f"{claim.name}, {setting}"
        done = kept / "done" / job
        bar.set_description(job)
        if done.exists():
            continue
        work = partial(next, claims.run(claim.name, settings=[setting]))
        result, seconds = timed(job, work, kept / "seconds.json")
        machine = devices.machine() | {"processor": processor().name}
        about = {"date": str(datetime.date.today()), "machine": machine, "seconds": round(seconds, 1)}
        measured[job] = about | compared(parts_of(stored[claim.name], setting), parts_of(result, setting))
        store.save_json(results, measured)
        done.parent.mkdir(exist_ok=True)
        done.touch()
    hours, parts, same = (sum(one[name] for one in measured.values()) for name in ("seconds", "parts", "same_verdict"))
    print(f"{len(measured)} claims × settings, {hours / 3600:.1f} hours; {same} of {parts} parts have the same verdict")


if __name__ == "__main__":
    main()
