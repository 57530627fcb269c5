"""The same-family ladder: CNNs of the teacher's shape, trained until validation stops improving.

Three arms learn with the same initial weights, in the same order: from the teacher's soft labels, from its first choice
("arg-max"), and from the labels. Settings are chosen on validation data by `climb`, so none lies at the end of what was
tried: a learning rate, a weight decay and, for soft labels, a temperature. Then the epochs are doubled until that adds
less than half a point. Both are done once for each arm, in the first repetition of two rungs, 10× and 100×; the rungs
near each take what it chose.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import pandas as pd

from kdcourse import controls, data, store
from kdcourse.claims.parallel import side_by_side
from kdcourse.models import channels_for_ratio, cnn
from kdcourse.sweep import grid
from kdcourse.train import cosine

# The rung that chooses -> the rungs that take its choice.
RUNGS = {10: [2, 5, 10, 20], 100: [50, 100, 200]}
# Where the choice of settings begins. What no step below belongs to stays as it is.
ARMS = {
    "soft": {"temperature": 4.0, "lr": 0.004, "weight_decay": 0.25},
    "labels": {"soft_weight": 0.0, "lr": 0.004, "weight_decay": 0.25},
    "arg-max": {"lr": 0.004, "weight_decay": 0.25},
}
STEPS = {
    "temperature": 2,
    "lr": 2,
    "weight_decay": 4,
    "weight": 4,
}  # the next value is this many times larger or smaller
# Training pictures -> {arm: {ratio: repetitions}}. Of blocks of 5,000 pictures, gains over labels are asked for at all
# ratios, since by latency more of them are below 5 than by parameters, and one over the arg-max at 10×. Blocks are
# independent of each other: if gains vary by 0.4 points from one to the next, and differences of gains by 0.5, four
# show a gain of 1.2 points and a difference of 1.6 with 80 % power (`stats.detectable_difference`, at the confidence
# that the parts of a claim need). Training on all pictures takes ten times as long. There, seeds matter less than test
# pictures do: three show a gap 1.2 points from its limit, and labels are the control at one size inside the sweet spot
# and one outside.
PLAN: dict[int, dict[str, dict[int, int]]] = {
    50_000: {"soft": dict.fromkeys([10, 20, 50, 100], 3), "labels": dict.fromkeys([10, 50], 3)},
    5_000: {
        "soft": dict.fromkeys([2, 5, 10, 20, 50, 100, 200], 4),
        "labels": dict.fromkeys([2, 5, 10, 20, 50, 100, 200], 4),
        "arg-max": {10: 4},
    },
}
EPOCHS = {50_000: 1, 5_000: 8}  # to begin with: about as many steps
ENOUGH = 0.005  # of validation accuracy: if twice the epochs add less, they are not doubled
BATCH = 32
SIZES = "student-sizes.json"  # in the folder of the data; benchmarks/sizes.py writes it


def ladder(run) -> dict[int, dict[str, dict[int, pd.DataFrame]]]:
    """Train the ladder.

    Parameters
    ----------
    run : ledger.Bench
        Its sweep keeps every finished student, so that the ladder goes on where it stopped.

    Returns
    -------
    dict
        {training pictures: {arm: {ratio: table}}}, tables as `sweep` returns them, with `test_right`: one row for each
        repetition, in the order of their seeds, the same in every arm. A block's number is its seed.
    """
    choosing = [
        (n, arm, rung)
        for n, arms in PLAN.items()
        for arm, repetitions in arms.items()
        for rung, ratios in RUNGS.items()
        if repetitions.keys() & ratios
    ]
    asked = {f"{arm}, near {rung}×, {n:,} pictures": (n, arm, rung) for n, arm, rung in choosing}
    how = run.choices(
        {what: {"begins": ARMS[arm] | {"epochs": EPOCHS[n]}} for what, (n, arm, _) in asked.items()},
        lambda missing: side_by_side(run, partial(_chosen, run), [asked[what] for what in missing], "settings"),
    )
    rows = [
        (n, arm, ratio, k, settings)
        for (n, arm, rung), settings in zip(choosing, how, strict=True)
        for ratio in RUNGS[rung]
        for k in range(PLAN[n][arm].get(ratio, 0))
    ]
    found: dict = {n: {arm: {} for arm in arms} for n, arms in PLAN.items()}
    tables = side_by_side(run, partial(_trained, run), rows, "ladder")
    for (n, arm, ratio, *_), table in zip(rows, tables, strict=True):
        found[n][arm].setdefault(ratio, []).append(table)
    return {
        n: {arm: {ratio: pd.concat(tables) for ratio, tables in rungs.items()} for arm, rungs in arms.items()}
        for n, arms in found.items()
    }


def climb(
    start: dict[str, float], score: Callable[[dict[str, float]], float], steps: Mapping[str, float] = STEPS
) -> dict[str, float]:
    """The settings that score no lower than those one step up or down of any, reached from `start` step by step.

    Parameters
    ----------
    start : dict
        A setting moves by its factor in `steps`; one that is not there stays as it is.
    score : function
        Of such a dict.
    steps : mapping
        The factors.

    Examples
    --------
    >>> climb({"lr": 0.5, "soft_weight": 0.0}, lambda settings: -abs(settings["lr"] - 3))
    {'lr': 2.0, 'soft_weight': 0.0}
    """
    moves = [(name, factor) for name in start if name in steps for factor in (steps[name], 1 / steps[name])]
    best, before = start, None
    while best != before:
        before = best
        best = max([before, *(before | {name: before[name] * factor} for name, factor in moves)], key=score)
    return best


def measured_sizes() -> dict:
    """What `benchmarks/sizes.py` has measured: date, machine, teacher_accuracy, and one row per model."""
    return store.load_json(data.folder() / SIZES)


def faster() -> dict[int, float]:
    """{ratio: how many times sooner than the teacher its CNN answers 256 requests}, in two significant digits.

    In batches, since one request at a time shows nothing of sizes: there, no CNN is five times as fast as its teacher.

    Examples
    --------
    >>> list(faster())
    [2, 5, 10, 20, 50, 100, 200]
    """
    teacher, *students = measured_sizes()["models"]
    of_cnns = {row["ratio"]: row["batch_median_ms"] for row in students if row["student"] == "CNN"}
    return {ratio: float(f"{teacher['batch_median_ms'] / ms:.2g}") for ratio, ms in of_cnns.items()}


def _chosen(run, n, arm, rung):
    """How the students of an arm are trained on the rungs near this one: settings and `epochs`, best on validation."""

    @cache
    def kept(*how):
        return _trained(run, n, arm, rung, 0, dict(how))["validation_accuracy"].item()

    def score(how):
        return kept(*how.items())

    best = climb(ARMS[arm] | {"epochs": EPOCHS[n]}, score)
    while score(longer := best | {"epochs": 2 * best["epochs"]}) >= score(best) + ENOUGH:
        best = longer
    return best


def _trained(run, n, arm, ratio, k, how):
    """The table of one student, the k-th of its kind; `how` it is trained are its settings and `epochs`."""
    train, channels = run.data.train, channels_for_ratio(ratio, run.data.teacher_parameters)
    data = run.data if n == len(train) else replace(run.data, train=train[k * n :][:n])
    return run.sweep(
        grid(width=channels[-1], init_seed=k, order_seed=k, **{name: how[name] for name in how if name != "epochs"}),
        controls.arg_max(data) if arm == "arg-max" else data,
        student=partial(_student, cnn, channels),
        epochs=how["epochs"],
        batch_size=BATCH,
        schedule=cosine,
        predictions="right",
    )


def _student(build, channels, row):
    """What builds it is an argument, so that its code is part of the name under which a finished student is kept."""
    return build(channels, seed=row["init_seed"])
