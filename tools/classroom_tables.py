"""Tables of workshop/classroom.md: what benchmarks/classroom.py measured, and what follows for other classes."""

import math
from itertools import pairwise
from pathlib import Path

from audit_tables import table

from kdcourse import store

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
CLASSES = [20, 40, 100]
SYSTEM = 2.0  # GB kept for the operating system
BUSY = 0.5  # share of the cores that may be busy on average: above it, waits grow quickly
MOST_OF_OTHERS = 0.5  # cores that other programs may keep busy
DISTURBED = (
    " That lengthens every wait, that of one alone too, so comparisons of waits are rough; memory does not depend on "
    "it, and the seconds of a core little."
)


def classroom():
    return store.load_json(RESULTS / "classroom.json")


def gigabytes(measured):
    """{"02": ..., "heaviest": ...}: memory of one learner, server and kernel, in lesson 02 and in the heaviest lesson.

    What many share counts once, as measured with most learners. What the whole lesson takes more than its FAST form is
    added, and what the heaviest lesson takes more than this one.
    """
    first, most, whole = measured["together"][0], measured["together"][-1], measured["whole"][0]
    alone, many, full = (one["megabytes"]["kernel"] for one in (first, most, whole))
    here = (many + most["megabytes"]["server"] + max(0, full - alone)) / 1000
    peaks = {name: modes["full"]["peak_megabytes"] for name, modes in lessons().items()}
    return {"02": here, "heaviest": here + (max(peaks.values()) - peaks[measured["lesson"]]) / 1000}


def lessons():
    return store.load_json(RESULTS / "lessons.json")["lessons"]


def heaviest():
    """The number of the lesson that takes most memory."""
    return max(lessons(), key=lambda name: lessons()[name]["full"]["peak_megabytes"])[:2]


def hub_gigabytes(measured):
    return measured["together"][-1]["megabytes"]["hub"] / 1000


def fit(measured, memory, per_learner):
    """How many learners fit into `memory` GB."""
    return int((memory - SYSTEM - hub_gigabytes(measured)) / per_learner)


def doubling(runs, of="median_wait_seconds"):
    """The number of learners at which everybody waits twice as long as one alone, between two that were measured.

    None if that was not reached.
    """
    for fewer, more in pairwise(runs):
        low, high = (one[of] / runs[0][of] for one in (fewer, more))
        if low <= 2 < high:
            return fewer["learners"] + (2 - low) / (high - low) * (more["learners"] - fewer["learners"])
    return None


def saturating(measured):
    """The number of learners, each at their own pace, who keep all cores busy all the time."""
    whole = measured["whole"][0]
    return measured["machine"]["cores"] * 60 * measured["lesson_minutes"] / whole["cpu_seconds_per_learner"]


def holds():
    """How many learners this machine holds, and what stops more."""
    measured = classroom()
    machine, need, whole = measured["machine"], gigabytes(measured), measured["whole"][0]
    size, double = machine["memory_gigabytes"], doubling(measured["together"])
    many = 2 * saturating(measured)
    lines = [
        f"**Memory: {fit(measured, size, need['02'])} learners** in {size} GB, at {need['02']:.2f} GB each, "
        f"{SYSTEM:.0f} GB being left to the system; {fit(measured, size, need['heaviest'])} where all run lesson "
        f"{heaviest()}, the heaviest ({need['heaviest']:.2f} GB).",
        f"**Cores, everybody at their own pace: {int(many)} learners** before the lesson takes twice its "
        f"{measured['lesson_minutes']} minutes, by arithmetic: it computes for {whole['cpu_seconds_per_learner']:.0f} "
        f"seconds of one core, so {math.ceil(saturating(measured))} learners keep {machine['cores']} cores busy all "
        f"the time.{own_pace(measured)}",
        "**Cores, everybody running every cell at once, without a pause: "
        + (f"{double:.1f} learners** before all wait" if double else f"more than {CLASSES[0]}** before all wait")
        + " twice as long as one alone.",
    ]
    return "\n".join(f"- {line}" for line in lines) + f"\n\n{machine_sentence(measured)}"


def own_pace(measured):
    """How much longer learners waited who paused between cells."""
    alone = measured["together"][0]["median_wait_seconds"]
    return "".join(
        f" Measured with {one['learners']}: they waited {one['median_wait_seconds'] / alone:.1f} times as long as one."
        for one in measured.get("own pace", [])
    )


def machine_sentence(measured):
    """Where it was measured, and what else ran there."""
    machine = measured["machine"]
    runs = [one for name in ("together", "whole", "settings", "own pace") for one in measured.get(name, [])]
    others = sorted(one["cores_of_others"] for one in runs)
    return (
        f"Measured on {machine['cores']} cores of {machine['processor']} with {machine['memory_gigabytes']} GB "
        f"({machine['system']}, Python {machine['python']}, torch {machine['torch']}, JupyterHub "
        f"{measured['jupyterhub']}), {measured['date']}. Other programs kept {others[0]:.1f} to {others[-1]:.1f} cores "
        f"busy meanwhile.{DISTURBED if others[-1] > MOST_OF_OTHERS else ''}"
    )


def together():
    """What was measured, one row a run."""
    measured = classroom()
    runs = [("all at once", one) for one in measured["together"]]
    runs += [("own pace", one) for one in measured.get("own pace", [])]
    alone = measured["together"][0]
    longest = max(range(len(alone["cell_seconds"])), key=alone["cell_seconds"].__getitem__)
    short = [k for k, seconds in enumerate(alone["cell_seconds"]) if seconds < 1]
    heads = ["learners", "", "wait in all cells", "against one", "at least", "longest cell", "short cells", "GB, all"]
    cores = measured["machine"]["cores"]
    rows = [
        [
            str(one["learners"]),
            how,
            f"{one['median_wait_seconds']:.0f} s",
            f"{one['median_wait_seconds'] / alone['median_wait_seconds']:.1f}×",
            "–" if how == "own pace" else f"{one['learners'] * one['cpu_seconds_per_learner'] / cores:.0f} s",
            f"{one['cell_seconds'][longest]:.1f} s",
            f"{sum(one['cell_seconds'][k] for k in short):.1f} s",
            f"{total_gigabytes(one):.1f}",
        ]
        for how, one in runs
    ]
    said = (
        "Lesson 02 in its FAST form; the median learner. *At least*: what all of them compute, divided by the cores. "
        "Short cells take less than a second alone, and are added up. Memory is that of hub, servers and kernels at "
        "its peak, as PSS: pages that several share count once."
    )
    return f"{table(heads, rows)}\n\n{said}"


def total_gigabytes(run):
    each = run["megabytes"]
    return (each["hub"] + run["learners"] * (each["server"] + each["kernel"])) / 1000


def settings():
    """Threads and the allocator: whether they change anything."""
    measured = classroom()
    runs = [("OMP_NUM_THREADS=1", one) for one in measured["together"] if one["learners"] in (1, 4)]
    for one in measured.get("settings", []):
        named = [f"{name}={value}" for name, value in one["environment"].items()]
        runs.append((", ".join(named) or "none set", one))
    rows = [
        [
            f"`{name}`" if "=" in name else name,
            str(one["learners"]),
            f"{one['median_wait_seconds']:.0f} s",
            f"{one['cpu_seconds_per_learner']:.0f} s",
            f"{one['megabytes']['kernel']} MB",
            f"{one['megabytes']['kernel_afterwards']} MB",
        ]
        for name, one in sorted(runs, key=lambda run: (run[0] != "none set", run[0], run[1]["learners"]))
    ]
    heads = ["variables", "learners", "wait", "seconds of a core, each", "kernel, peak", "when done"]
    return table(heads, rows)


def held():
    """What a kernel's memory is, when the lesson is done."""
    one = classroom()["whole"][0]["megabytes"]
    own, shared = one["kernel_afterwards"], one["kernel_afterwards_rss"] - one["kernel_afterwards"]
    return (
        f"A kernel that has run the whole lesson holds {own} MB of its own; {shared} MB more, libraries, it shares "
        f"with the others already. {one['tensors']} MB are tensors, and {one['pixels']} MB of these the pictures as "
        f"they were read: only those could be mapped from a file and shared, saving {one['pixels'] / own:.0%}. "
        f"{own - one['kernel_trimmed']} MB are no longer in use: the C library keeps them for what comes next."
    )


def sizing():
    """Memory and cores for classes of some sizes: extrapolated."""
    measured = classroom()
    need, whole = gigabytes(measured), measured["whole"][0]
    share = whole["cpu_seconds_per_learner"] / (60 * measured["lesson_minutes"])
    used = whole["cpu_seconds_per_learner"] / lessons()[measured["lesson"]]["full"]["seconds"]
    rows = []
    for learners in CLASSES:
        memory = [SYSTEM + hub_gigabytes(measured) + learners * need[lesson] for lesson in ("02", "heaviest")]
        rows.append(
            [
                str(learners),
                *(f"{math.ceil(one)} GB" for one in memory),
                str(math.ceil(learners * share / BUSY)),
                str(math.ceil(learners * used / 2)),
            ]
        )
    heads = [
        "learners",
        "memory, all in lesson 02",
        f"all in lesson {heaviest()}",
        "cores, own pace",
        "cores, all press *run* at once",
    ]
    said = (
        f"**Extrapolated** from at most {measured['together'][-1]['learners']} learners, not measured. Memory: "
        f"{SYSTEM:.0f} GB for the system, {hub_gigabytes(measured):.2f} GB for the hub, {need['02']:.2f} or "
        f"{need['heaviest']:.2f} GB a learner with one kernel; a second kernel left open costs as much again. "
        f"Cores at their own pace: so many that half are busy, a learner keeping {100 * share:.0f} % of one busy. "
        f"All at once: so many that a cell takes twice as long as alone, where a learner uses {used:.1f} cores."
    )
    return f"{table(heads, rows)}\n\n{said}"
