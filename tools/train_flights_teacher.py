"""Train the flights' teacher again: its cached log-odds for every split, and its card.

    python tools/train_flights_teacher.py            # a few minutes on one CPU core
    python tools/train_flights_teacher.py --card     # only write the card again

What it says of a training flight comes from a teacher that has not seen that day (five folds of days). Nothing looks at
the test split except the last lines, which report on it once.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch
from checksums import record
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from kdcourse import data, store
from kdcourse.data import flights
from kdcourse.stats.calibration import expected_calibration_error

SEED = 0
FOLDS = 5
LEAVES = (7, 15, 31, 63)
SHARE = 0.15  # of the features, drawn anew for every split of a node
TREES = 1000  # at most; validation days say when it is enough
SEEN = [*flights.CATEGORIES, *flights.NUMBERS, *flights.WEATHER]
CODED = ["carrier", "origin", "dest"]


def columns(table):
    """What is known before the flights, as the teacher takes it: names of carriers and airports as codes."""
    known = flights.known_before(table)
    return known.assign(**{name: known[name].cat.codes for name in CODED})


def boosted(leaves, trees, *, watch=False):
    """The untrained teacher (Friedman 2001; Ke et al. 2017), stopped by validation or after so many trees."""
    return HistGradientBoostingClassifier(
        max_leaf_nodes=leaves,
        max_features=SHARE,
        learning_rate=0.1,
        min_samples_leaf=500,
        l2_regularization=30,
        max_iter=trees,
        early_stopping=watch,
        n_iter_no_change=25,
        categorical_features=CODED,
        random_state=SEED,
    )


def watched(leaves, train, validation):
    """A teacher that stops when the loss on validation does: both are (columns, late)."""
    return boosted(leaves, TREES, watch=True).fit(*train, X_val=validation[0], y_val=validation[1])


def train(tables):
    """({split: log-odds [N]}, facts about the teacher)."""
    seen = {split: (columns(table), table["late"].to_numpy()) for split, table in tables.items()}
    tried, models = [], []
    for leaves in LEAVES:
        model = watched(leaves, seen["train"], seen["validation"])
        result = report(model.decision_function(seen["validation"][0]), seen["validation"][1])
        tried.append({"leaves": leaves, "trees": model.n_iter_, **result})
        models.append(model)
        print(tried[-1], flush=True)
    best = min(range(len(tried)), key=lambda k: tried[k]["nll"])
    chosen, model = tried[best], models[best]
    said = {split: model.decision_function(seen[split][0]) for split in ("validation", "test")}
    known, late = seen["train"]
    said["train"], said["fitted"] = np.zeros(len(late)), model.decision_function(known)
    days = np.random.default_rng(SEED).permutation(np.unique(tables["train"]["date"]))
    for fold, unseen in enumerate(np.array_split(days, FOLDS)):
        held_out = tables["train"]["date"].isin(unseen).to_numpy()
        member = boosted(chosen["leaves"], chosen["trees"]).fit(known[~held_out], late[~held_out])
        said["train"][held_out] = member.decision_function(known[held_out])
        print(f"fold {fold + 1} of {FOLDS}", flush=True)
    return said, {
        "parameters": parameters(model),
        "chosen": chosen,
        "tried": tried,
        "ways": ways(tables, chosen["leaves"]),
    }


def parameters(model):
    """A value for each leaf, and a threshold (or a set of categories) for each node that is split."""
    return sum(len(tree.nodes) for trees in model._predictors for tree in trees)


def ways(tables, leaves):
    """AUROC on the last part if the same flights are divided in three other ways, into parts of the same sizes."""
    flights_ = pd.concat(tables.values(), ignore_index=True)
    known, late = columns(flights_), flights_["late"].to_numpy()
    ends = np.cumsum([len(tables["train"]), len(tables["validation"])])
    mixed = np.random.default_rng(SEED).permutation(len(late))
    found = {}
    for name, order in [("rows", mixed), ("time", mixed[flights_["date"].to_numpy()[mixed].argsort(kind="stable")])]:
        first, second, last = np.split(order, ends)
        model = watched(leaves, (known.iloc[first], late[first]), (known.iloc[second], late[second]))
        found[name] = report(model.decision_function(known.iloc[last]), late[last])
        print(name, found[name], flush=True)
    return found


def report(log_odds, late):
    """AUROC, negative log-likelihood (nats), accuracy and calibration error of log-odds against labels."""
    probability = expit(np.asarray(log_odds, np.float64))
    both = torch.from_numpy(np.stack([1 - probability, probability], 1))
    return {
        "auroc": float(roc_auc_score(late, log_odds)),
        "nll": float(log_loss(late, probability)),
        "accuracy": float(accuracy_score(late, probability > 0.5)),
        "ece": float(expected_calibration_error(both, torch.tensor(np.asarray(late, np.int64)))),
    }


def card(folder):
    """The text of `teacher-card.md`, from what is stored: every measured number in it is computed here."""
    loaded = data.load("flights")
    _, facts = store.load_tensors(folder / "teacher-logits.safetensors")
    chosen, fitted, ways_ = facts["chosen"], facts["fitted"], facts["ways"]
    quality = []
    for split in flights.SPLITS:
        part = getattr(loaded, split)
        quality.append(_row(split, report_of(part)) + f" {1 - part.labels.double().mean():.2%} |")
    test = report_of(loaded.test)
    right = (loaded.test.teacher_logits.argmax(1) == loaded.test.labels).numpy()
    single, by_day = standard_errors(right, loaded.test.about["date"])
    tried = [_row(f"{each['leaves']} | {each['trees']}", each) for each in facts["tried"]]
    divided = [
        _row("whole days, as here", test),
        _row("flights at random: days are in all parts", ways_["rows"]),
        _row("time: the last days of the year for test", ways_["time"]),
    ]
    measures = "AUROC | negative log-likelihood (nats) | accuracy | calibration error (ECE, 15 bins) |"
    return f"""# The flights' teacher

Written by `tools/train_flights_teacher.py` from the stored log-odds; do not edit by hand.

| | |
|---|---|
| Task | on time (0) or late (1): does a flight arrive more than {flights.LATE} minutes late? From what is known \
before it is to depart |
| Architecture | gradient boosting on histograms (Friedman 2001, doi:10.1214/aos/1013203451; Ke et al. 2017, \
LightGBM), scikit-learn's `HistGradientBoostingClassifier`: {chosen["trees"]} trees with up to \
{chosen["leaves"]} leaves, {SHARE:.0%} of the features at each split, learning rate 0.1 |
| Sees | {len(SEEN)} columns: {", ".join(SEEN)} |
| Parameters | {facts["parameters"]:,}: a value for each leaf, and a threshold (or set of categories) for each split |
| Trained on | the {len(loaded.train):,} training flights and their labels |
| Took | {facts["seconds"]:.0f} s on one CPU thread (scikit-learn {facts["sklearn"]}), all that is below included |
| Chosen by | likelihood on the validation days: the number of trees, how many leaves a tree has (below), \
and in an earlier trial the share of features out of 15%, 30% and all |
| Ships | its log-odds of *late*, float16 [N] for each split; not its trees |
| Made again by | `python tools/train_flights_teacher.py` |

## What it gets right

| split | {measures} share of the larger class |
|---|---|---|---|---|---|
{chr(10).join(quality)}

A model that calls every flight on time has the accuracy of the last column: accuracy says next to nothing here, AUROC
and likelihood do.

Flights of one day share their luck. The standard error of the test accuracy is {100 * single:.2f} points if all
{len(loaded.test):,} flights are taken for independent, and {100 * by_day:.2f} if only the \
{loaded.test.about["date"].nunique()} days are: a design effect of
{(by_day / single) ** 2:.0f}. Take days.

## Why whole days

The same recipe on the same flights, divided in three ways into parts of the same sizes; measured on the last part:

| divided by | {measures}
|---|---|---|---|---|
{chr(10).join(divided)}

At random the teacher knows how late the other flights of the day were, for weather, month and weekday tell it which
day it is. No model in use knows that. In time, it meets a season that it has not seen.

## Why the training flights' logits are out of fold

| of the training flights | {measures}
|---|---|---|---|---|
{_row("the teacher that was trained on them", fitted)}
{_row(f"out of fold, by {FOLDS} teachers that had not seen the day", report_of(loaded.train))}

The teacher is surer of days that it has seen than it is ever right to be of another day. What ships is out of fold:
{FOLDS} teachers of the same kind were trained on four fifths of the training days each. Validation and test were judged
by the one that was trained on all of them.

## What was tried

| leaves | trees | {measures}
|---|---|---|---|---|---|
{chr(10).join(tried)}

On the validation days, which also say when it has enough trees; so these figures are a little too good. Test's are not.

## Use

- `load("flights").train.teacher_logits` are half the log-odds, negative for the other class, so they sum to 0.
- With two classes there is no order among the wrong ones to show: a temperature only makes the targets paler.
- It knows one year of three airports. It is no forecast for anybody's flight today.
"""


def standard_errors(values, days):
    """Of the mean of `values` [N]: if all are independent, and if only days are (Liang and Zeger 1986, eq. 4)."""
    values = np.asarray(values, np.float64)
    off = pd.Series(values - values.mean()).groupby(np.asarray(days)).sum()
    clusters = len(off) / (len(off) - 1)
    return values.std(ddof=1) / len(values) ** 0.5, (clusters * (off**2).sum()) ** 0.5 / len(values)


def report_of(part):
    """`report` of what is stored for a split."""
    return report((part.teacher_logits[:, 1] - part.teacher_logits[:, 0]).numpy(), part.labels.numpy())


def _row(name, result):
    return f"| {name} | {result['auroc']:.4f} | {result['nll']:.4f} | {result['accuracy']:.2%} | {result['ece']:.3f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="train nothing, only write the card again")
    folder = data.folder() / "flights"
    if not parser.parse_args().card:
        import sklearn

        tables = flights.read_flights()
        start = time.perf_counter()
        said, facts = train(tables)
        facts |= {"seconds": time.perf_counter() - start, "sklearn": sklearn.__version__, "flights": flights.made_of()}
        facts["fitted"] = report(said.pop("fitted"), tables["train"]["late"])
        tensors = {split: torch.from_numpy(values).half() for split, values in said.items()}
        store.save_tensors(folder / "teacher-logits.safetensors", tensors, facts)
        record()
    (folder / "teacher-card.md").write_text(card(folder), encoding="utf-8")


if __name__ == "__main__":
    main()
