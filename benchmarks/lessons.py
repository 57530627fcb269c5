"""How long every lesson computes, and how much memory its kernel takes: in full and under FAST, on this machine.

    python benchmarks/lessons.py                # or: make bench
    python benchmarks/lessons.py --only 06 07   # the others keep what was measured before, on the same machine

Writes benchmarks/results/lessons.json; tools/build_readme.py makes the table in site/install.md from it.
"""

import argparse
import datetime
import os
import statistics
import tempfile
from pathlib import Path

import psutil

from kdcourse import devices, lessons, ship, store

RESULTS = Path(__file__).resolve().parent / "results" / "lessons.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the table shows the median")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NN", help="lessons, by their numbers")
    arguments = parser.parse_args()
    runs, results = arguments.runs, {}
    memory = round(psutil.virtual_memory().total / 1e9)
    machine = devices.machine() | {"processor": ship.processor().name, "memory_gigabytes": memory}
    before = store.load_json(RESULTS) if RESULTS.exists() else {"machine": machine, "lessons": {}}
    if arguments.only != [""] and before["machine"] != machine:
        parser.error(f"--only: the others were measured on another machine, {before['machine']}; measure all of them")
    chosen = [path for path in lessons.find() if path.stem.startswith(tuple(arguments.only))]
    with tempfile.TemporaryDirectory() as folder:
        # All lessons once, then all again: a slow minute of the machine then hits one run of each, not all runs of one.
        for number in range(runs):
            for path in chosen:
                for mode in ("full", "fast"):
                    os.environ["KDCOURSE_HOME"] = tempfile.mkdtemp(dir=folder)  # nothing that an earlier run kept
                    run = lessons.run(path, folder, fast=mode == "fast", solved=True, progress=False)
                    if run.error:
                        raise SystemExit(f"{path.stem} stopped: {run.error}")
                    results.setdefault(path.stem, {}).setdefault(mode, []).append(run)
                    print(f"[{number + 1}/{runs}] {path.stem} {mode}: {run.seconds:.0f} s", flush=True)
    table = {
        lesson: {
            mode: {
                "seconds": round(statistics.median(run.seconds for run in measured), 1),
                "peak_megabytes": round(max(run.peak_bytes for run in measured) / 1e6),
            }
            for mode, measured in modes.items()
        }
        for lesson, modes in results.items()
    }
    about = {"date": str(datetime.date.today()), "runs": runs, "machine": machine}
    kept = before["lessons"] if before["machine"] == machine else {}
    store.save_json(RESULTS, about | {"lessons": dict(sorted((kept | table).items()))})


if __name__ == "__main__":
    main()
