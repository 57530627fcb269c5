"""The experiments of lesson 04: students of several sizes, and assistants between a teacher and a small student."""

from dataclasses import replace

import numpy as np
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import BLOCK, best_everywhere, part, pictures, teacher_accuracy
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


def sweet_spot(run):
    """The gain of distillation at 10 times smaller, against the gain at ratios outside the range."""
    parts = []
    for n, (soft, hard) in sizes(run).items():
        gain = {r: soft[r]["test_accuracy"].to_numpy() - hard[r]["test_accuracy"].to_numpy() for r in RATIOS}
        for ratio in RATIOS:
            if not 5 <= ratio <= 20:
                one = part(f"10× against {ratio}×, {pictures(n)}", soft[10], soft[10])
                parts.append(one._replace(a=gain[10], b=gain[ratio]))
    return parts


def below_5x(run):
    """How far the gain of soft labels over labels stays under one point, in a student half the size of its teacher."""
    parts = []
    for n, (soft, hard) in sizes(run).items():
        one = part(f"gain under a point at 2×, {pictures(n)}", soft[2], hard[2])
        parts.append(one._replace(a=np.full(len(one.a), POINT), b=one.a - one.b))
    return parts


def above_20x(run):
    """The gap between teacher and distilled student: over five points above a ratio of 20, and under it up to there."""
    parts = []
    for n, (soft, _) in sizes(run).items():
        for ratio in RATIOS:
            one = part(f"{ratio}×, {pictures(n)}", soft[ratio], soft[ratio])
            gap, limit = teacher_accuracy(run.garments) - one.a, np.full(len(one.a), LIMIT)
            if ratio > 20:
                parts.append(one._replace(name=f"over the limit at {one.name}", a=gap, b=limit))
            else:
                parts.append(one._replace(name=f"under the limit at {one.name}", a=limit, b=gap))
    return parts


def keeps_95_percent(run):
    """The share of the teacher's accuracy that a student ten times smaller retains, against 95 %."""
    parts = []
    for n, (soft, _) in sizes(run).items():
        one = part(f"10×, {pictures(n)}", soft[10], soft[10])
        parts.append(one._replace(a=one.a / teacher_accuracy(run.garments), b=np.full(len(one.b), 0.95)))
    return parts


def assistant_bridges_gap(run):
    """Students taught by an assistant against students taught by the teacher, with as many steps and settings."""
    parts, students = [], sizes(run)
    for n, repetitions in _repetitions(run).items():
        helped = {}
        for size in ASSISTANTS:
            settings = students[n][0][size].iloc[0][["temperature", "lr"]].to_dict()  # as validation chose them
            bar = tqdm(repetitions, desc="assistants", leave=False)
            helped[size] = [
                (controls.taught_by(data, _assistant(run, data, size, order, settings)), inits, order)
                for data, inits, order in bar
            ]
        for ratio in [50, 100, 200]:
            width, what = _width(run.garments, ratio), f"{ratio}×, {pictures(n)}"
            direct = best_everywhere(run, repetitions, width, DIRECT, TRAINING[n], what)
            # The assistant is a setting like the others: which of the two, validation says.
            via = [best_everywhere(run, helped[size], width, SOFT, TRAINING[n], what) for size in ASSISTANTS]
            parts.append(part(what, max(via, key=lambda rows: rows["validation_accuracy"].mean()), direct))
    return parts


def sizes(run):
    """{pictures: ({ratio: distilled students}, {ratio: students on labels})}; each chose its settings on validation."""
    found = {}
    for n, repetitions in _repetitions(run).items():
        soft, hard = {}, {}
        for ratio in RATIOS:
            width, what = _width(run.garments, ratio), f"{ratio}×, {pictures(n)}"
            soft[ratio], hard[ratio] = (
                best_everywhere(run, repetitions, width, arm, TRAINING[n], what) for arm in (SOFT, HARD)
            )
        found[n] = soft, hard
    return found


def _repetitions(run):
    """{pictures: [(data set, init seeds, order seed)]}: all pictures, and blocks of them; no two share a seed."""
    train = run.garments.train
    blocks = [replace(run.garments, train=train[k : k + BLOCK]) for k in range(0, len(train), BLOCK)]
    return {
        len(train): [(run.garments, [seed], seed) for seed in range(8)],
        BLOCK: [(data, [k], k) for k, data in enumerate(blocks)],
    }


def _assistant(run, data, ratio, seed, settings):
    inputs, classes = data.train.inputs.shape[1], len(data.class_names)
    assistant = mlp([inputs, _width(data, ratio), classes], 100 + seed)
    same = {"order_seed": 100 + seed, "device": run.device, "progress": False, **TRAINING[len(data.train)]}
    distill(assistant, data.train.inputs, data.train.teacher_logits, **settings, **same)
    return assistant


def _width(data, ratio):
    inputs, classes = data.train.inputs.shape[1], len(data.class_names)
    return width_for_ratio(ratio, data.teacher_parameters, inputs, classes)
