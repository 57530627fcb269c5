"""What the experiments of the ledger share: what they repeat on, and arms that are compared in pairs.

Test data are read once, for what was chosen on validation data (`claims.tuning`).
"""

from dataclasses import replace

import numpy as np
import torch

from kdcourse.claims.record import Arm, Part, label
from kdcourse.claims.settings import BLOCK, MOST_BLOCKS
from kdcourse.claims.tuning import best_everywhere
from kdcourse.models import mlp
from kdcourse.sweep.blocks import CHOSEN
from kdcourse.train import cosine

FEW, MANY = 500, 5_000  # training examples in experiments that look at two sizes


# ---- what is repeated, and what learns ----


def repetitions(run, n, *, inits=1, sets=1, fresh=0, signal=lambda data, block: data):
    """(data set, init seeds, order seed) each: what an experiment with n training examples repeats on.

    inits    so many initial weights for each set of examples
    sets     so many sets of n from each block of 5,000; no two share an example
    fresh    begins with another set: other examples where a block has some left, and other seeds
    signal   a function of the data set and the number of the block that gives the data set to train on

    Up to 5,000 examples come from blocks that share nothing. Of more there is one set only, and what is repeated are
    the seeds.
    """
    train = run.data.train
    if n > BLOCK:
        return [(signal(run.data.subset(min(n, len(train))), seed), [seed], seed) for seed in range(8 * inits)]
    found, count = [], min(len(train) // BLOCK, MOST_BLOCKS)
    for number in range(fresh, fresh + sets):
        for block in range(count):
            first = block * BLOCK + min(number * n, BLOCK - n)
            data = signal(replace(run.data, train=train[first : first + n]), block)
            # Initial weights of their own, too: where blocks share nothing, a block is all that is independent.
            order = block + number * count
            found.append((data, range(order * inits, (order + 1) * inits), order))
    return found


def planned(run, n):
    """How often an experiment on n examples is repeated, so that it shows the smallest effect that is of interest.

    The deviations of a first run asked for forty sets of a few hundred examples, and for all there are of 5,000
    (`stats.detectable_difference`). Whether they were enough, `describe.enough_pairs` says.
    """
    count = min(len(run.data.train) // BLOCK, MOST_BLOCKS)
    return {"sets": -(-40 // count)} if n <= FEW else {"inits": 2 if count < MOST_BLOCKS else 1}


def repeated(n):
    """What is repeated, in one word: with few examples (or two sizes of few) a block of them, else the seeds."""
    return "block" if np.max(n) <= BLOCK else "seed"


def inputs(data):
    """How many inputs a network for this data set has: numbers, or ids to choose among."""
    return data.vocabulary or data.train.inputs.shape[1]


def network(data, width, seed):
    """A network of the kind of the students, for teachers and assistants that an experiment trains itself."""
    return mlp([inputs(data), width, len(data.class_names)], seed, ids=data.vocabulary is not None)


def options(run, n):
    """How students train on n examples."""
    return {"schedule": cosine, **run.setting.training[n]}


def by_block(run, n, width, *arms, what="", fixed=(), epochs=None, **repeats):
    """For each arm, the students with its best settings, on n examples; `repeats` as `repetitions` has them.

    epochs  instead of those that are usual in this setting
    fixed   for each arm the settings that define it
    """
    places, what = repetitions(run, n, **repeats), what or label({"width": width, "examples": n}, run.setting.name)
    how = options(run, n) | ({"epochs": epochs} if epochs else {})
    fixed = fixed or [()] * len(arms)
    return [best_everywhere(run, places, width, arm, how, what, fixed=of) for arm, of in zip(arms, fixed, strict=True)]


# ---- arms ----


def on_test(run, table):
    """[students, test examples]: what each test example adds to the metric of each student."""
    return run.setting.scores(table, run.data.test)


def of_teacher(run):
    """[test examples]: what each test example adds to the metric of the teacher."""
    return run.setting.of_logits(run.data.test.teacher_logits.numpy(), run.data.test)


def on_slice(values, chosen):
    """[students, N]: values [students, N] of which only the chosen examples count, [N] or [students, N].

    The mean of each row is its mean over the chosen. Each example stands for what it adds to that mean (its influence),
    so that the spread of a row is right for a slice whose size is chance, too.
    """
    chosen = np.broadcast_to(np.asarray(chosen, dtype=float), values.shape)
    counts = chosen.sum(1, keepdims=True)
    means = (values * chosen).sum(1, keepdims=True) / counts
    return means + chosen * (values - means) * (values.shape[1] / counts)


def rarest_third(run):
    """[test examples]: which belong to the third of the classes that have the fewest training examples."""
    classes = len(run.data.class_names)
    counts = torch.bincount(run.data.train.labels, minlength=classes)
    return torch.isin(run.data.test.labels, counts.argsort()[: classes // 3]).numpy()


def students(name, table, values):
    """The arm of the students in `table`, with the settings that they chose: `values` [students, test examples]."""
    chosen = [*CHOSEN, "epochs"] if "epochs" in table else CHOSEN
    return Arm(name, values, table[chosen].iloc[0].astype(float).to_dict(), on_edge(table))


def on_edge(*tables):
    """The settings whose choice lies on an edge in one of these tables of students."""
    said = ", ".join(table["edges"].iloc[0] for table in tables if "edges" in table)
    return tuple(dict.fromkeys(name for name in said.split(", ") if name))


def seeds(a, b=None):
    """The seeds that the students of one table, or of two, share in pairs: {init_seed, order_seed}."""
    names = ["init_seed", "order_seed"]
    if b is not None and not np.array_equal(a[names].to_numpy(), b[names].to_numpy()):
        raise ValueError(f"the arms must have the same seeds, got {len(a)} and {len(b)} students")
    return {name: a[name].to_numpy() for name in names}


def part(run, key, a, b, shared, **looks):
    """The part that compares two arms whose values are [students, test examples], in the metric of the setting."""
    a, b = (arm._replace(values=run.setting.independent(arm.values, run.data.test)) for arm in (a, b))
    looks = {"repeated": repeated(key.get("examples", BLOCK)), **run.setting.looks(), **looks}
    return Part(key, a, b, **seeds(*shared), **looks)


def in_every_metric(run, build, *arguments, but=()):
    """The part `build(run, *arguments)`; beside it, the same in the setting's other metrics, except those in `but`."""
    others = [one for one in run.setting.also if one not in {run.setting.metric, *but}]
    runs = [replace(run, setting=replace(run.setting, metric=metric)) for metric in others]
    also = tuple(build(other, *arguments)._replace(margin=0.0, beside=None) for other in runs)
    return build(run, *arguments)._replace(also=also)


def pairs(run, key, a, b, slices=None, **looks):
    """The part that compares two arms, each (name, table of students), with the same seeds, on test.

    Beside it stands what they come to in other metrics, and on `slices`, {name: [test examples] which are inside}.
    """
    seeds(a[1], b[1])

    def looked(run, inside=None):
        values = [on_test(run, table) for _, table in (a, b)]
        if inside is not None:
            values = [on_slice(one, inside) for one in values]
        arms = [students(name, table, one) for (name, table), one in zip((a, b), values, strict=True)]
        return part(run, key, *arms, [a[1], b[1]], **looks)

    main = in_every_metric(run, looked)
    apart = {
        name: looked(run, inside)._replace(margin=0.0, beside=None, metric=f"{main.metric}, {name}")
        for name, inside in (slices or {}).items()
    }
    return main._replace(also=(*main.also, *apart.values()))


def pairs_by_block(run, key, width, arms, *, margin=0.0, fixed=None, slices=None, **repeats):
    """As `pairs`, of two arms {name: what it may choose among} that `by_block` trains on key["examples"] examples.

    For key["epochs"], if that is there.
    """
    what, same = label(key, run.setting.name), {"epochs": key.get("epochs"), **repeats}
    defined = [(fixed or {}).get(name, ()) for name in arms]
    tables = by_block(run, key["examples"], width, *arms.values(), what=what, fixed=defined, **same)
    return pairs(run, key, *zip(arms, tables, strict=True), slices, margin=margin)


def gain(run, soft, hard, name="gain of soft labels over labels"):
    """The gain on test of the students in one table over those with the same seeds in another."""
    seeds(soft, hard)
    chosen, other = (students(name, table, None).chosen or {} for table in (soft, hard))
    chosen |= {f"{setting} of the others": value for setting, value in other.items()}
    return Arm(name, on_test(run, soft) - on_test(run, hard), chosen, on_edge(soft, hard))


def constant(name, value, like):
    """An arm that is known beforehand, such as a limit."""
    return Arm(name, np.full_like(np.asarray(like, dtype=float), value))


def teacher_accuracy(data):
    """The share of the test examples that the teacher gets right."""
    return (data.test.teacher_logits.argmax(1) == data.test.labels).double().mean().item()
