"""The same-family ladder: CNNs of the teacher's shape, trained until validation stops improving.

Three arms learn with the same initial weights, in the same order: from the teacher's soft labels, from its first choice
("arg-max"), and from the labels. Settings are chosen on validation data by `climb`, so none lies at the end of what was
tried, and each arm has two of them to choose. Then the epochs are doubled until that adds less than half a point. Both
are done in the first repetitions of two rungs, 10× and 100×; the rungs near each take what it chose.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import joblib
import pandas as pd
import torch
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.models import channels_for_ratio, cnn
from kdcourse.sweep import grid
from kdcourse.train import cosine

# The rung that chooses -> the rungs that take its choice.
RUNGS = {10: [2, 5, 10, 20], 100: [50, 100, 200]}
# Where the choice of settings begins. What no step below belongs to stays as it is.
ARMS = {
    "soft": {"temperature": 4.0, "lr": 0.004},
    "labels": {"soft_weight": 0.0, "lr": 0.004, "weight_decay": 0.25},
    "arg-max": {"lr": 0.004, "weight_decay": 0.25},
}
STEPS = {"temperature": 2, "lr": 2, "weight_decay": 4}  # the next value is this many times larger or smaller
# Training pictures -> repetitions, how many of them choose, epochs to begin with, and {arm: its smallest ratio}. Blocks
# of pictures are independent of each other. All pictures take ten times as long: there, only the soft labels are
# trained, for the gap to the teacher, and not the largest students, whose gap is in no doubt.
PLAN = {
    5_000: {"repetitions": 5, "tried_on": 2, "epochs": 8, "arms": {"soft": 2, "labels": 2, "arg-max": 10}},
    50_000: {"repetitions": 3, "tried_on": 1, "epochs": 2, "arms": {"soft": 10}},
}
ENOUGH = 0.005  # of validation accuracy: if twice the epochs add less, they are not doubled
BATCH = 32


def ladder(run) -> dict[int, dict[int, dict[str, pd.DataFrame]]]:
    """Train the ladder.

    Parameters
    ----------
    run : ledger.Bench
        Its sweep keeps every finished student, so that the ladder goes on where it stopped.

    Returns
    -------
    dict
        {training pictures: {ratio: {arm: table}}}, tables as `sweep` returns them, with `test_right`: one row for each
        repetition, in the order of their seeds, the same in every arm. A block's number is its seed.
    """
    return {n: _rungs(run, n, **plan) for n, plan in PLAN.items()}


def climb(start: dict[str, float], score: Callable[[dict[str, float]], float]) -> dict[str, float]:
    """The settings that score no lower than those one step up or down of any, reached from `start` step by step.

    Parameters
    ----------
    start : dict
        A setting moves by its factor in `STEPS`; one that is not there stays as it is.
    score : function
        Of such a dict.

    Examples
    --------
    >>> climb({"lr": 0.5, "soft_weight": 0.0}, lambda settings: -abs(settings["lr"] - 3))
    {'lr': 2.0, 'soft_weight': 0.0}
    """
    moves = [(name, factor) for name in start if name in STEPS for factor in (STEPS[name], 1 / STEPS[name])]
    best, before = start, None
    while best != before:
        before = best
        best = max([before, *(before | {name: before[name] * factor} for name, factor in moves)], key=score)
    return best


def _rungs(run, n, repetitions, tried_on, epochs, arms):
    train, everything = run.data.train, n == len(run.data.train)
    blocks = [run.data if everything else replace(run.data, train=train[k * n :][:n]) for k in range(repetitions)]

    def trained(ratio, arm, k, how):
        """The table of one student, of how it is trained: its settings and `epochs`."""
        channels = channels_for_ratio(ratio, run.data.teacher_parameters)
        settings = {name: value for name, value in how.items() if name != "epochs"}
        return run.sweep(
            grid(width=channels[-1], init_seed=k, order_seed=k, **settings),
            controls.arg_max(blocks[k]) if arm == "arg-max" else blocks[k],
            student=partial(_student, cnn, channels),
            epochs=how["epochs"],
            batch_size=BATCH,
            schedule=cosine,
            predictions="right",
        )

    def chosen(rung, arm):
        """How the students of an arm are trained on the rungs near this one."""

        @cache
        def kept(*how):
            return pd.concat(trained(rung, arm, k, dict(how)) for k in range(tried_on))["validation_accuracy"].mean()

        def score(how):
            return kept(*how.items())

        best = climb(ARMS[arm] | {"epochs": epochs}, score)
        while score(longer := best | {"epochs": 2 * best["epochs"]}) >= score(best) + ENOUGH:
            best = longer
        return best

    choosing = [(rung, arm) for rung in RUNGS for arm in arms]
    how = dict(zip(choosing, _in_threads(run, chosen, choosing, f"settings, {n:,} pictures"), strict=True))
    rows = [
        (ratio, arm, k, how[rung, arm])
        for rung, ratios in RUNGS.items()
        for ratio in ratios
        for arm, smallest in arms.items()
        if ratio >= smallest
        for k in range(repetitions)
    ]
    ladder: dict = {}
    for (ratio, arm, *_), table in zip(rows, _in_threads(run, trained, rows, f"ladder, {n:,} pictures"), strict=True):
        rung = ladder.setdefault(ratio, {})
        rung[arm] = pd.concat([rung[arm], table]) if arm in rung else table
    return ladder


def _student(build, channels, row):
    """What builds it is an argument, so that its code is part of the name under which a finished student is kept."""
    return build(channels, seed=row["init_seed"])


def _in_threads(run, function, rows, what):
    """The function of each row. One student trains on one thread; a GPU takes them one after the other."""
    threads = torch.get_num_threads() if str(run.device) in ("auto", "cpu") and not torch.cuda.is_available() else 1
    parallel = joblib.Parallel(n_jobs=threads, backend="threading", return_as="generator")
    return list(tqdm(parallel(joblib.delayed(function)(*row) for row in rows), total=len(rows), desc=what, leave=False))
