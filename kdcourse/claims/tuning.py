"""How every arm finds its settings: those that are best on validation data, among as many as any other arm.

All settings of an arm are tried on the first few repetitions; the others train only what was chosen. Where the choice
lies on the edge of what was tried, more is tried beyond it, until it does not. A choice stays in the record of its
claim (`claims.choices`).
"""

from functools import partial

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.settings import BLOCK
from kdcourse.sweep import best_on_validation, grid
from kdcourse.sweep.blocks import CHOSEN, merit

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

    def tried(settings, epochs):
        train = partial(_trained, run.sweep, loss, grid(width=width, **settings), {**options, "epochs": epochs})
        tables = [train(one) for one in tqdm(first, **bar)]
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

    # A loss of its own has neither temperature nor soft weight to choose.
    names = [name for name in ("hidden_layers", *CHOSEN) if loss is None or name not in ("temperature", "soft_weight")]

    def search(_):
        of_arms = map(chosen, arm if isinstance(arm, list) else [arm])
        found = max(of_arms, key=lambda found: merit(found, choose).mean())
        yield found.iloc[0][[*names, "epochs", "edges"]].to_dict()

    among = {"settings": arm, "fixed": [*fixed], "width": width, "examples": len(first[0][0].train)}
    among |= {name: options[name] for name in ("epochs", "batch_size")}
    (found,) = run.choices({what: among}, search)
    choices, epochs = grid(width=width, **{name: found[name] for name in names}), found["epochs"]
    last = {**options, "epochs": epochs, "predictions": predictions or run.setting.predictions}
    train = partial(_trained, run.sweep, loss, choices, last)
    table = pd.concat(side_by_side(run, train, [(one,) for one in repetitions], what))
    return table.sort_values(["order_seed", "init_seed"]).assign(edges=found["edges"], epochs=epochs)


def _trained(sweep, loss, choices, options, one):
    """The students of a repetition: each of the choices, with each of its initial weights."""
    data, inits, order = one
    seeded = pd.concat([choices.assign(init_seed=init, order_seed=order) for init in inits])
    return sweep(seeded, data, **options, **({} if loss is None else {"loss": loss(data)}))
