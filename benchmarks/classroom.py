"""A class on one machine: a real JupyterHub, whose learners run lesson 02 over its API, each in an own kernel.

    python benchmarks/classroom.py           # half an hour on an idle machine; Linux only
    python benchmarks/classroom.py --fast    # two learners, once: does it work? Writes nothing

JupyterHub (PyPI) and configurable-http-proxy (npm, so Node.js must be there) are installed into build/classroom the
first time, and nowhere else; the rest is the environment that runs this. All of it listens on loopback alone.

Writes benchmarks/results/classroom.json after each step; tools/build_readme.py makes workshop/classroom.md from it.
"""

import argparse
import asyncio
import datetime
import json
import random
import statistics
import subprocess
import time
from pathlib import Path

import psutil
from loopback_hub import ROOT, Hub, Learner, busy_seconds, cpu_seconds, install, memory

from kdcourse import devices, ship, store

RESULTS = ROOT / "benchmarks" / "results" / "classroom.json"
LESSON = ROOT / "notebooks" / "02_temperature.ipynb"
LESSON_MINUTES = 45  # what its first cell says
TOGETHER = [2, 4, 12]  # learners who run every cell at once, without a pause
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# glibc gives freed memory of 16 MB and more back to the system, and does so for the rest where 64 MB are unused.
FRUGAL = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "16000000", "MALLOC_TRIM_THRESHOLD_": "64000000"}
SETTINGS = [(4, {}), (1, ONE_THREAD | FRUGAL), (4, ONE_THREAD | FRUGAL)]  # beside one thread alone
AT_OWN_PACE = 12
LEAST_FREE = 2e9  # bytes that stay free whatever is measured
# Run after the lesson: megabytes of tensors, and of those what is read-only; then freed memory goes back to the system.
HELD = """
import ctypes, gc, json, torch
held = [one.untyped_storage() for one in gc.get_objects() if issubclass(type(one), torch.Tensor)]
tensors = sum({one.data_ptr(): one.nbytes() for one in held}.values())
pixels = {one.pixels.untyped_storage().data_ptr(): one.pixels.untyped_storage().nbytes()
          for one in (garments.train, garments.validation, garments.test)}
del held
gc.collect()
ctypes.CDLL(None).malloc_trim(0)
print(json.dumps({"tensors": round(tensors / 1e6), "pixels": round(sum(pixels.values()) / 1e6)}))
"""


async def watch(hub, seen):
    """Keep the moment at which all of them together took most memory."""
    while True:
        now = await asyncio.to_thread(memory, hub)
        if sum(map(sum, now.values())) > sum(map(sum, seen.values())):
            seen.clear()
            seen.update(now)
        await asyncio.sleep(1)


def cells_of(path, fast):
    """The code cells of a notebook that are run, FAST or in full."""
    cells = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and "skip-execution" not in tags:
            cells.append("".join(cell["source"]) + (f"\nFAST = {fast}" if "parameters" in tags else ""))
    return cells


async def measure(learners, environment, *, fast=True, think=0.0):
    """What becomes of a lesson when so many run it at once: seconds of each cell, memory, processor time.

    think  mean seconds between two cells of a learner, drawn from an exponential distribution
    """
    cells, draw = cells_of(LESSON, fast), random.Random(0)
    async with Hub(environment) as hub:
        alone = sum(map(sum, memory(hub).values()))
        people = [Learner(hub, f"learner-{number:02}") for number in range(learners)]
        start = time.perf_counter()
        await asyncio.gather(*(one.arrive() for one in people))
        arrived = time.perf_counter() - start
        spent, busy, start, seen = cpu_seconds(hub), busy_seconds(), time.perf_counter(), {}
        watcher = asyncio.create_task(watch(hub, seen))
        try:
            pause = (lambda: draw.expovariate(1 / think)) if think else (lambda: 0.0)
            seconds = await asyncio.gather(*(one.work(cells, pause) for one in people))
        finally:
            watcher.cancel()
        wall, spent = time.perf_counter() - start, cpu_seconds(hub) - spent
        others = (busy_seconds() - busy - spent) / wall
        after, resident = memory(hub), memory(hub, "rss")
        await people[0].execute(HELD)
        held = json.loads(people[0].printed) | {"kernel_trimmed": round(min(memory(hub)["kernel"]) / 1e6)}
        for one in people:
            one.socket.close()
    totals = [sum(one) for one in seconds]
    return {
        "learners": learners,
        "form": "fast" if fast else "full",
        "environment": environment,
        "think_seconds": think,
        "arrive_seconds": round(arrived, 1),
        "wall_seconds": round(wall, 1),
        "median_wait_seconds": round(statistics.median(totals), 1),
        "longest_wait_seconds": round(max(totals), 1),
        "cell_seconds": [round(statistics.median(times), 3) for times in zip(*seconds, strict=True)],
        "cpu_seconds_per_learner": round(spent / learners, 1),
        "cores_of_others": round(max(0.0, others), 2),
        "megabytes": {
            "hub_alone": round(alone / 1e6),
            "hub": round(sum(seen["hub"]) / 1e6),
            "server": round(statistics.mean(seen["server"]) / 1e6),
            "kernel": round(statistics.mean(seen["kernel"]) / 1e6),
            "kernel_afterwards": round(statistics.mean(after["kernel"]) / 1e6),
            "kernel_afterwards_rss": round(statistics.mean(resident["kernel"]) / 1e6),
            "server_rss": round(statistics.mean(resident["server"]) / 1e6),
            **held,
        },
    }


def plan():
    """What is measured, one after another: (name, learners, environment, options)."""
    yield "together", 1, ONE_THREAD, {}
    yield "whole", 1, ONE_THREAD, {"fast": False}
    for learners in TOGETHER:
        yield "together", learners, ONE_THREAD, {}
    for learners, environment in SETTINGS:
        yield "settings", learners, environment, {}
    yield "own pace", AT_OWN_PACE, ONE_THREAD, {"think": True}


def pace(results):
    """Mean seconds to think before a cell, so that FAST computes as large a share of the time as the whole lesson.

    Thinking can be sped up, computing cannot: the lesson's minutes shrink as its computing does.
    """
    fast, whole = results["together"][0], results["whole"][0]
    length = 60 * LESSON_MINUTES * fast["cpu_seconds_per_learner"] / whole["cpu_seconds_per_learner"]
    return round((length - fast["median_wait_seconds"]) / len(fast["cell_seconds"]), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="two learners, once; writes nothing")
    parser.add_argument("--resume", action="store_true", help="measure only the steps that are not there yet")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write")
    arguments = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        raise SystemExit("memory that is shared can only be told on Linux, from /proc/PID/smaps_rollup")
    if arguments.fast:
        print(json.dumps(asyncio.run(measure(2, ONE_THREAD)), indent=1))
        return
    gigabytes = round(psutil.virtual_memory().total / 1e9)
    machine = devices.machine() | {"processor": ship.processor().name, "memory_gigabytes": gigabytes}
    versions = {"jupyterhub": subprocess.check_output([install()[0], "--version"], text=True).strip()}
    about = {"machine": machine, **versions, "lesson": LESSON.stem, "lesson_minutes": LESSON_MINUTES}
    results = {"date": str(datetime.date.today()), **about}
    if arguments.resume:
        results = store.load_json(arguments.results)
        if {name: results[name] for name in about} != about:
            parser.error(f"--resume: what is there was measured elsewhere, {results['machine']}")
    for name, learners, environment, options in plan():
        if any((one["learners"], one["environment"]) == (learners, environment) for one in results.get(name, [])):
            continue
        largest = max((sum_of(one) for one in results.get("together", [])), default=1.5e9)
        if learners * largest > psutil.virtual_memory().available - LEAST_FREE:
            print(f"{name}, {learners} learners: left out, they would not fit into what is free", flush=True)
            continue
        if "think" in options:
            options = {"think": pace(results)}
        found = asyncio.run(measure(learners, environment, **options))
        results.setdefault(name, []).append(found)
        print(f"{name}, {learners} learners: {json.dumps(found)}", flush=True)
        store.save_json(arguments.results, results)


def sum_of(found):
    return 1e6 * (found["megabytes"]["server"] + found["megabytes"]["kernel"])


if __name__ == "__main__":
    main()
