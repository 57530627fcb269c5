"""What the experiments of the ledger share: paired arms, settings to choose among, and what they repeat on.

Everything is chosen on validation data; test data are read once, for what was chosen. All settings of an arm are tried
on the first few repetitions; the others train only what was chosen. Where the choice lies on the edge of what was
tried, more is tried beyond it, until it does not. A choice stays in the record of its claim (`claims.choices`).
"""

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from kdcourse.claims.record import Arm, Part, label
from kdcourse.claims.settings import BLOCK, MOST_BLOCKS
from kdcourse.models import mlp
from kdcourse.sweep import best_on_validation, grid
from kdcourse.sweep.blocks import CHOSEN, merit
from kdcourse.train import cosine

# Of soft labels, temperature and learning rate are tried together, and then weight decays beside what was best; of
# labels, learning rate and weight decay. That is at most thirty-six settings for either, so soft labels have no more
# chances. In a first run they had no weight decay to choose, and labels had.
# A high temperature wants a high learning rate: with less to choose from, T = 4 looks worse than it is.
SOFT = {"temperature": [1, 2, 4, 7, 10, 20], "lr": [0.003, 0.01, 0.03]}
HARD = {"soft_weight": 0, "lr": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], "weight_decay": [0, 0.03, 0.1, 0.3, 1, 3]}
THEN = {"weight_decay": [0.1, 1]}
ARMS = {"soft labels": SOFT, "labels": HARD}
LINEAR = {**HARD, "hidden_layers": 0}  # what costs least
TRIED_ON = 3  # repetitions, each with all of its initial weights; two where the examples stay the same
# What is tried next beyond an edge. Where these end, the edge is one of the thing itself, or is reported. No decay is
# less than none, and at the highest temperature the loss is all but the squared difference of logits, its limit.
STEPS = {
    "temperature": [0.03, 0.06, 0.12, 0.25, 0.5, 1, 2, 4, 7, 10, 20, 40, 80, 160, 320],
    "soft_weight": [0.001, 0.005, 0.02, 0.1, 0.5, 0.9, 0.98, 0.995, 0.999],
    "lr": [0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
    "weight_decay": [0, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
}
NATURAL_EDGES = {"weight_decay": 0, "temperature": 320}
SOONER = (4, 16)  # it is also tried to stop after a quarter of the epochs, and if that is better after a sixteenth
FEW, MANY = 500, 5_000  # training examples in experiments that look at two sizes


# ---- settings ----


def edges(arm, chosen):
    """{name: the values to try as well} for each setting of an arm whose chosen value is the least or largest tried.

    Empty where no choice lies on an edge. A value that `STEPS` does not go beyond gets an empty list.
    """
    beyond = {}
    for name, steps in STEPS.items():
        tried = np.unique(np.atleast_1d(arm.get(name, 0)))
        if len(tried) < 2 or chosen[name] not in (tried[0], tried[-1]) or chosen[name] == NATURAL_EDGES.get(name):
            continue
        lower = chosen[name] == tried[0]
        further = [step for step in steps if (step < tried[0] if lower else step > tried[-1])]
        beyond[name] = further[-1:] if lower else further[:1]
    return beyond


def near(settings, chosen):
    """A dict for `grid` with only those values that were chosen, or tried next to these."""
    kept = {}
    for name, values in settings.items():
        values = np.unique(np.atleast_1d(values))
        place = int(np.searchsorted(values, chosen[name]))
        kept[name] = values[max(0, place - 1) : place + 2].tolist()
    return kept


def best_everywhere(run, repetitions, width, arm, options, what, *, fixed=(), loss=None, predictions=None):
    """The students of an arm on all repetitions, with the settings that were best on validation in the first few.

    repetitions  (data set, init seeds, order seed) each
    arm          a dict for `grid`, or a list of them: what the arm may choose among
    options      of the sweep. Every arm may train less long, if validation likes that better, and none longer
    what         is chosen here, in words that nothing else with such an arm has in this experiment
    fixed        settings that define the arm: nothing is tried beyond their edges
    loss         a function of a repetition's data set that gives the `loss` of its sweep
    predictions  what the sweep keeps of the students that are returned; None: what their scores are made of
    returns      a table; its column `edges` names the settings whose choice still lies on an edge: "lr, temperature"
    """
    choose, bar = run.setting.choose, {"desc": what, "leave": False}
    first = repetitions[: TRIED_ON if len(repetitions[0][0].train) <= BLOCK else 2]

    def trained(choices, one, **more):
        data, inits, order = one
        seeded = pd.concat([choices.assign(init_seed=init, order_seed=order) for init in inits])
        more |= {} if loss is None else {"loss": loss(data)}
        return run.sweep(seeded, data, **{**options, **more})

    def tried(settings, epochs):
        choices = grid(width=width, **settings)
        tables = [trained(choices, one, epochs=epochs) for one in tqdm(first, **bar)]
        return best_on_validation(pd.concat(tables).assign(epochs=epochs), choose)

    def widened(settings, found, epochs):
        """More values are tried until no choice lies on an edge that can be left."""
        while True:
            beyond = {name: value for name, value in edges(settings, found.iloc[0]).items() if name not in fixed}
            if not any(beyond.values()):
                return settings, found.assign(edges=", ".join(beyond))
            for name, value in beyond.items():
                if value:
                    further = tried({**near(settings, found.iloc[0]), name: value}, epochs)
                    found = best_on_validation(pd.concat([found, further]), choose)
                    settings = {**settings, name: [*settings[name], *value]}

    def chosen(settings):
        settings, found = widened(settings, tried(settings, options["epochs"]), options["epochs"])
        for name in THEN.keys() - settings.keys():
            further = tried({**near(settings, found.iloc[0]), name: THEN[name]}, options["epochs"])
            settings, found = {**settings, name: [0, *THEN[name]]}, pd.concat([found, further])
            settings, found = widened(settings, best_on_validation(found, choose), options["epochs"])
        for share in SOONER:
            epochs = max(1, options["epochs"] // share)
            sooner = tried(near(settings, found.iloc[0]), epochs)
            if merit(sooner, choose).mean() <= merit(found, choose).mean():
                break
            settings, found = widened(settings, sooner, epochs)
        return found

    def search(_):
        of_arms = map(chosen, arm if isinstance(arm, list) else [arm])
        found = max(of_arms, key=lambda found: merit(found, choose).mean())
        yield found.iloc[0][["hidden_layers", *CHOSEN, "epochs", "edges"]].to_dict()

    among = {"settings": arm, "fixed": [*fixed], "width": width, "examples": len(first[0][0].train)}
    among |= {name: options[name] for name in ("epochs", "batch_size")}
    (found,) = run.choices({what: among}, search)
    choices, epochs = grid(width=width, **{name: found[name] for name in ("hidden_layers", *CHOSEN)}), found["epochs"]
    # One small stack each, on one thread: so they run side by side. A GPU takes them one after the other.
    threads = torch.get_num_threads() if str(run.device) in ("auto", "cpu") and not torch.cuda.is_available() else 1
    finished = joblib.Parallel(n_jobs=threads, backend="threading", return_as="generator")(
        joblib.delayed(trained)(choices, one, epochs=epochs, predictions=predictions or run.setting.predictions)
        for one in repetitions
    )
    table = pd.concat(list(tqdm(finished, total=len(repetitions), **bar)))
    return table.sort_values(["order_seed", "init_seed"]).assign(edges=found["edges"], epochs=epochs)


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
    (`stats.detectable_difference`). A test holds the stored pairs to the effect that a claim names.
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
    """
    places, what = repetitions(run, n, **repeats), what or label({"width": width, "examples": n}, run.setting.name)
    how = options(run, n) | ({"epochs": epochs} if epochs else {})
    return [best_everywhere(run, places, width, arm, how, what, fixed=fixed) for arm in arms]


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


def pairs_by_block(run, key, width, arms, *, margin=0.0, fixed=(), slices=None, **repeats):
    """As `pairs`, of two arms {name: what it may choose among} that `by_block` trains on key["examples"] examples.

    For key["epochs"], if that is there.
    """
    what, same = label(key, run.setting.name), {"fixed": fixed, "epochs": key.get("epochs"), **repeats}
    tables = by_block(run, key["examples"], width, *arms.values(), what=what, **same)
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
