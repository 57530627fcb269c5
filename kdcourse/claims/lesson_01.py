"""The experiments of lesson 01: soft labels against hard ones, and the garment that is never shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import by_block, of_teacher, on_test, pairs, planned, seeds, students
from kdcourse.claims.phonemes import BLOCK, against, arms
from kdcourse.claims.record import Part, claim
from kdcourse.claims.tuning import ARMS, LINEAR
from kdcourse.stats.calibration import fit_bias
from kdcourse.sweep import grid


@claim(
    "soft-beats-hard",
    "A student learns more from soft labels than from hard labels.",
    taught_in="Hinton, Vinyals and Dean 2015, section 2; nearly every introduction since",
    settings=("fashion-mnist", "wordnet-glosses", "flights", "cmudict"),
    parts="transfer-set sizes",
    revised="In a first run, labels could choose a weight decay and soft labels could not; since then, both can. Words "
    "are new since then. 50,000 pictures came last, when the other sizes were known.",
    smallest=1.0,
)
def soft_beats_hard(run):
    """On test, soft labels minus labels: same examples, initial weights and order of the batches. Temperature and
    learning rate, or learning rate and weight decay, of each arm chosen on validation, and whether to stop sooner. Of
    words, at equal compute, the teacher's passes counted; T = 1.
    """
    if run.setting.name == "cmudict":
        found = arms(run, ["soft targets", "labels"])
        return [against(run, found, "soft targets", "labels", {"examples": BLOCK})]
    parts = []
    for n in run.setting.sizes:
        soft, hard, linear = by_block(run, n, run.setting.width, *ARMS.values(), LINEAR, **planned(run, n))
        others = {"teacher": of_teacher(run), "linear model on labels": on_test(run, linear)}
        beside = {name: float(values.mean()) for name, values in others.items()}
        parts.append(pairs(run, {"examples": n}, *zip(ARMS, (soft, hard), strict=True), beside=beside))
    return parts


@claim(
    "omitted-class-is-learned",
    "A student can learn a class it was never shown, from what the teacher says about the others.",
    taught_in="Hinton, Vinyals and Dean 2015, section 3 (a digit left out of MNIST)",
    parts="garments",
    revised="A first run crossed four initial weights with four orders of batches, too few of each to tell; "
    "since then, sixteen students share neither.",
    smallest=5.0,
)
def omitted_class(run):
    """Recall of the left-out garment on test, soft labels minus the teacher's arg-max labels, both after one bias was
    corrected on validation pictures of all ten. Left out: what label or teacher's first choice calls by that name. For
    comparison, students on soft labels that were shown all garments, in as many pictures, and those on soft labels
    before the correction.
    """
    garments, parts = run.data, []
    options = {"epochs": 6, "batch_size": 250, "predictions": True}
    # Sixteen students that share neither weights nor order: four of each, crossed, say little of what either does.
    settings = pd.concat([grid(width=128, temperature=4, lr=0.002, init_seed=k, order_seed=k) for k in range(16)])
    shown = run.sweep(settings, garments.subset(10_000), **options)
    for name in tqdm(["sneaker", "trouser", "bag", "shirt"], desc="left-out garments", leave=False):
        label, data = garments.class_index(name), controls.never_shown(garments, name)
        data = replace(data, train=data.train[:10_000])
        soft = run.sweep(settings, data, **options)
        hard = run.sweep(settings.assign(temperature=1.0), controls.arg_max(data), **options)
        a, b = (
            students(arm, table, _recall(table, garments, label))
            for arm, table in [("soft labels", soft), ("arg-max labels", hard)]
        )
        others = {
            "shown to it": _recall(shown, garments, label),
            "before the correction": _recall(soft, garments, label, repaired=False),
        }
        beside = {of: float(recall.mean()) for of, recall in others.items()}
        looks = {"repeated": "seed", "metric": "recall", "example": "pictures", "beside": beside}
        parts.append(Part({"class": name}, a, b, **seeds(soft, hard), **looks))
    return parts


def _recall(table, garments, label, repaired=True):
    """[students, test pictures of a class]: is it called by its name? `repaired`: after the bias of its output was
    raised to what is best on validation.
    """
    recalls, test = [], garments.test.labels.numpy()
    one = np.eye(len(garments.class_names), dtype=np.float32)[label]
    for before, after in zip(table["validation_logits"], table["test_logits"], strict=True):
        bias = fit_bias(before, garments.validation.labels, label) if repaired else 0
        recalls.append(((after + bias * one).argmax(1) == test)[test == label])
    return np.array(recalls, dtype=float)
