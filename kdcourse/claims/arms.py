"""What the experiments of the ledger share: paired arms, settings to choose among, and the blocks they repeat on.

Everything is chosen on validation data; test data are read once, for what was chosen. Repetitions use other training
pictures where there are enough of them: block k of the training split, with batches in order k, and several initial
weights for each. All settings of an arm are tried on the first few repetitions; the others train only what was chosen.
"""

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from kdcourse.claims.record import Arm, Part, label
from kdcourse.sweep import grid
from kdcourse.train import cosine

BLOCK = 5_000  # pictures in a block; the training split holds ten
# Twelve settings are tried for the soft labels and twelve for the labels, so that neither arm has more chances.
# A high temperature wants a high learning rate: with less to choose from, T = 4 looks worse than it is.
SOFT = {"temperature": [1, 2, 4, 7, 10, 20], "lr": [0.003, 0.01]}
HARD = {"soft_weight": 0, "lr": [0.0003, 0.001, 0.003, 0.01], "weight_decay": [0, 0.1, 1]}
ARMS = {"soft labels": SOFT, "labels": HARD}
# Training pictures -> how long to train on them. About as many passes as each can use, the same for every arm.
TRAINING = {
    100: {"epochs": 40, "batch_size": 20},
    500: {"epochs": 40, "batch_size": 64},
    5_000: {"epochs": 20, "batch_size": 128},
}
SETTINGS = ["temperature", "soft_weight", "lr", "weight_decay"]
TRIED_ON = 3  # repetitions, each with all of its initial weights


def best(table, settings=SETTINGS):
    """The students with the settings that are best on validation (mean over the seeds), in the order of their seeds."""
    chosen = table.groupby(settings)["validation_accuracy"].mean().idxmax()
    rows = table[(table[settings] == list(chosen)).all(axis=1)]
    return rows.sort_values(["order_seed", "init_seed"])


def students(name, table, values=None):
    """The arm of the students in `table`, with the settings that they chose: their accuracy on test, or `values`."""
    values = table["test_accuracy"].to_numpy() if values is None else values
    return Arm(name, values, table[SETTINGS].iloc[0].astype(float).to_dict())


def seeds(a, b=None):
    """The seeds that the students of one table, or of two, share in pairs: {init_seed, order_seed}."""
    names = ["init_seed", "order_seed"]
    if b is not None and not np.array_equal(a[names].to_numpy(), b[names].to_numpy()):
        raise ValueError(f"the arms must have the same seeds, got {len(a)} and {len(b)} students")
    return {name: a[name].to_numpy() for name in names}


def pairs(key, a, b, **looks):
    """The part that compares the test accuracy of two arms, each (name, table of students), with the same seeds."""
    return Part(key, students(*a), students(*b), **seeds(a[1], b[1]), **looks)


def pairs_by_block(run, key, width, inits, arms, *, margin=0.0, **options):
    """As `pairs`, of two arms {name: what it may choose among} that `by_block` trains on key["examples"] pictures."""
    tables = by_block(run, key["examples"], width, inits, *arms.values(), **options)
    return pairs(key, *zip(arms, tables, strict=True), margin=margin)


def gain(soft, hard):
    """The gain in test accuracy of the students in one table over those with the same seeds in another."""
    seeds(soft, hard)
    return Arm("gain of soft labels over labels", soft["test_accuracy"].to_numpy() - hard["test_accuracy"].to_numpy())


def by_block(run, n, width, inits, *arms, signal=lambda data, block: data, fresh=0):
    """For each arm, the students with its best settings, on the first n pictures of every block.

    arms    dicts for `grid`, or lists of them: what the arm may choose among
    inits   so many initial weights for each block
    signal  a function of the data set and the number of the block that gives the data set to train on
    fresh   another number takes other initial weights, other orders, and other pictures where a block has some left
    """
    train, repetitions = run.garments.train, []
    count = len(train) // BLOCK
    for block in range(count):
        first = block * BLOCK + min(fresh * n, BLOCK - n)
        data = signal(replace(run.garments, train=train[first : first + n]), block)
        # Initial weights of their own, too: with ten blocks that share nothing, a block is all that is independent.
        order = block + fresh * count
        repetitions.append((data, range(order * inits, (order + 1) * inits), order))
    options, what = {"schedule": cosine, **TRAINING[n]}, label({"width": width, "examples": n})
    return [best_everywhere(run, repetitions, width, arm, options, what) for arm in arms]


def blocks(run, size=BLOCK):
    """(data set, init seeds, order seed) for each block of the training pictures; no two share a seed."""
    train = run.garments.train
    starts = range(0, len(train) - size + 1, size)
    return [(replace(run.garments, train=train[k : k + size]), [i], i) for i, k in enumerate(starts)]


def best_everywhere(run, repetitions, width, arm, options, what):
    """As `by_block`, for one arm; repetitions are (data set, init seeds, order seed)."""
    choices = pd.concat([grid(width=width, **one) for one in (arm if isinstance(arm, list) else [arm])])

    def trained(data, inits, order):
        seeded = pd.concat([choices.assign(init_seed=init, order_seed=order) for init in inits])
        return run.sweep(seeded, data, **options)

    bar = {"desc": what, "leave": False}
    tables = [trained(*one) for one in tqdm(repetitions[:TRIED_ON], **bar)]
    tried = best(pd.concat(tables))
    choices = tried[choices.columns].iloc[:1]
    # One small stack each, on one thread: so they run side by side. A GPU takes them one after the other.
    threads = torch.get_num_threads() if str(run.device) in ("auto", "cpu") and not torch.cuda.is_available() else 1
    rest = joblib.Parallel(n_jobs=threads, backend="threading", return_as="generator")(
        joblib.delayed(trained)(*one) for one in repetitions[TRIED_ON:]
    )
    rest = list(tqdm(rest, total=len(repetitions) - TRIED_ON, **bar))
    return pd.concat([tried, *rest]).sort_values(["order_seed", "init_seed"])


def teacher_accuracy(garments):
    """The share of the test pictures that the teacher gets right."""
    return (garments.test.teacher_logits.argmax(1) == garments.test.labels).double().mean().item()
