"""The experiments of lesson 04: students of several sizes, and assistants between a teacher and a small student."""

import numpy as np
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import BLOCK, best_everywhere, blocks, gain, pairs, seeds, students, teacher_accuracy
from kdcourse.claims.record import Arm, Part, claim, label
from kdcourse.models import mlp, width_for_ratio
from kdcourse.train import cosine, distill

RATIOS = [2, 5, 10, 20, 50, 100, 200]
TRAINING = {
    50_000: {"epochs": 5, "batch_size": 128, "schedule": cosine},
    BLOCK: {"epochs": 20, "batch_size": 128, "schedule": cosine},
}
# As many settings for the one arm as for the other, in every comparison.
SOFT = {"temperature": [1, 4], "lr": [0.003, 0.01]}
HARD = {"soft_weight": 0, "lr": [0.001, 0.003, 0.01, 0.03]}
DIRECT = {"temperature": [1, 2, 4, 7], "lr": [0.003, 0.01]}
ASSISTANTS = [5, 20]  # how many times smaller than the teacher
LIMIT, POINT = 0.05, 0.01


@claim(
    "sweet-spot-5-20",
    "The sweet spot is a student 5 to 20 times smaller than its teacher.",
    taught_in="practitioners' guides, as a rule of thumb; we know of no paper that supports it as a law",
    holds="all",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    revised="Its parts were judged one by one in a first run; since then, all of them must hold.",
)
def sweet_spot(run):
    """What distillation gains over the same-size student on labels, at a size ratio of 10, minus what it gains at a
    ratio outside the range; all 50,000 pictures, and blocks of 5,000.
    """
    parts = []
    for n, (soft, hard) in sizes(run).items():
        for ratio in RATIOS:
            if not 5 <= ratio <= 20:
                gains = gain(soft[10], hard[10]), gain(soft[ratio], hard[ratio])
                parts.append(_part(run, {"ratio": [10, ratio], "examples": n}, *gains, soft[10], soft[ratio]))
    return parts


@claim(
    "below-5x-use-small",
    "Below 5 times smaller, distillation is not worth it: just train the small model on labels.",
    taught_in="practitioners' guides, as a rule of thumb",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="transfer-set sizes",
)
def below_5x(run):
    """How far the gain of soft labels over labels on test stays under 1 point, at a size ratio of 2; settings of each
    arm chosen on validation.
    """
    parts = []
    for n, (soft, hard) in sizes(run).items():
        key = {"side": "under", "ratio": 2, "examples": n}
        parts.append(_part(run, key, _limit(POINT, soft[2]), gain(soft[2], hard[2]), soft[2]))
    return parts


@claim(
    "above-20x-gap",
    "Above 20 times smaller, the gap to the teacher becomes too large.",
    taught_in="practitioners' guides, as a rule of thumb; Mirzadeh et al. 2020 on the capacity gap",
    holds="all",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    revised="Its parts were judged one by one in a first run; since then, all of them must hold.",
)
def above_20x(run):
    """How far the gap between teacher and distilled student on test lies over a limit of 5 points at ratios above 20,
    and under it up to 20.
    """
    parts, teacher = [], teacher_accuracy(run.garments)
    for n, (soft, _) in sizes(run).items():
        for ratio, table in soft.items():
            gap = students("gap to the teacher", table, teacher - table["test_accuracy"].to_numpy())
            limit, key = _limit(LIMIT, table), {"ratio": ratio, "examples": n}
            if ratio > 20:
                parts.append(_part(run, {"side": "over", **key}, gap, limit, table))
            else:
                parts.append(_part(run, {"side": "under", **key}, limit, gap, table))
    return parts


@claim(
    "95-percent-at-10x",
    "A student a tenth of the size keeps 95 % of the teacher's accuracy.",
    taught_in="vendors and overviews; Sanh et al. 2019 report 97 % of a GLUE score at 60 % of the size",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="transfer-set sizes",
)
def keeps_95_percent(run):
    """Distilled student's test accuracy as a share of the teacher's, minus 95 %, at a size ratio of 10."""
    parts, teacher = [], teacher_accuracy(run.garments)
    for n, (soft, _) in sizes(run).items():
        kept = students("share of the teacher's accuracy", soft[10], soft[10]["test_accuracy"].to_numpy() / teacher)
        parts.append(_part(run, {"ratio": 10, "examples": n}, kept, _limit(0.95, soft[10]), soft[10]))
    return parts


@claim(
    "assistant-bridges-gap",
    "An assistant of medium size helps a student that is much smaller than its teacher.",
    taught_in="Mirzadeh et al. 2020",
    parts="cases",
)
def assistant_bridges_gap(run):
    """Test accuracy with an assistant in between minus without, above a size ratio of 20, at equal compute for the
    student; its size (5 or 20 times smaller) and temperature chosen on validation.
    """
    parts, same_size = [], sizes(run)
    for n, repetitions in _repetitions(run).items():
        helped = {}
        for size in ASSISTANTS:
            settings = same_size[n][0][size].iloc[0][["temperature", "lr"]].to_dict()  # as validation chose them
            bar = tqdm(repetitions, desc="assistants", leave=False)
            helped[size] = [
                (controls.taught_by(data, _assistant(run, data, size, order, settings)), inits, order)
                for data, inits, order in bar
            ]
        for ratio in [50, 100, 200]:
            width, key = _width(run.garments, ratio), {"ratio": ratio, "examples": n}
            direct = best_everywhere(run, repetitions, width, DIRECT, TRAINING[n], label(key))
            # The assistant is a setting like the others: which of the two, validation says.
            via = [best_everywhere(run, helped[size], width, SOFT, TRAINING[n], label(key)) for size in ASSISTANTS]
            via = max(via, key=lambda rows: rows["validation_accuracy"].mean())
            parts.append(pairs(key, ("by an assistant", via), ("by the teacher", direct), repeated=_repeated(run, n)))
    return parts


def sizes(run):
    """{pictures: ({ratio: distilled students}, {ratio: students on labels})}; each chose its settings on validation."""
    found = {}
    for n, repetitions in _repetitions(run).items():
        soft, hard = {}, {}
        for ratio in RATIOS:
            width, what = _width(run.garments, ratio), label({"ratio": ratio, "examples": n})
            soft[ratio], hard[ratio] = (
                best_everywhere(run, repetitions, width, arm, TRAINING[n], what) for arm in (SOFT, HARD)
            )
        found[n] = soft, hard
    return found


def _part(run, key, a, b, *tables):
    return Part(key, a, b, **seeds(*tables), repeated=_repeated(run, key["examples"]))


def _repeated(run, n):
    return "seed" if n == len(run.garments.train) else "block"


def _limit(value, table):
    return Arm("limit", np.full(len(table), value))


def _repetitions(run):
    """{pictures: [(data set, init seeds, order seed)]}: all pictures, and blocks of them; no two share a seed."""
    everything = [(run.garments, [seed], seed) for seed in range(8)]
    return {len(run.garments.train): everything, BLOCK: blocks(run, BLOCK)}


def _assistant(run, data, ratio, seed, settings):
    inputs, classes = data.train.inputs.shape[1], len(data.class_names)
    assistant = mlp([inputs, _width(data, ratio), classes], 100 + seed)
    same = {"order_seed": 100 + seed, "device": run.device, "progress": False, **TRAINING[len(data.train)]}
    distill(assistant, data.train.inputs, data.train.teacher_logits, **settings, **same)
    return assistant


def _width(data, ratio):
    inputs, classes = data.train.inputs.shape[1], len(data.class_names)
    return width_for_ratio(ratio, data.teacher_parameters, inputs, classes)
