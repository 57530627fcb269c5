"""The experiments of lesson 03: blends of the two losses, and labels that are wrong."""

import functools
from dataclasses import replace

from kdcourse import controls
from kdcourse.claims.arms import BLOCK, HARD, SOFT, by_block, part, pictures
from kdcourse.models import mlp
from kdcourse.train import cosine, train

BLENDS = {"soft_weight": [0.1, 0.5, 0.9], "temperature": [1, 4, 10], "lr": [0.003, 0.01]}
MARGIN = 0.0025  # a quarter of a point: fixed after a first run, without a margin, had found less; this is a second
NOISE = 0.3


def blend_beats_either(run):
    """Blends against the better pure loss, in students of 64 hidden units."""
    return [
        part(pictures(n), *by_block(run, n, 64, 2, BLENDS, [SOFT, HARD], fresh=1))._replace(margin=MARGIN)
        for n in (500, 5_000)
    ]


def soft_labels_resist_noise(run):
    """Soft labels against labels of which three in ten are wrong; then with a teacher that learned from such labels."""
    parts = [
        part(f"{pictures(n)}, clean teacher", *by_block(run, n, 64, 2, SOFT, HARD, signal=_with_noise))
        for n in (500, 5_000)
    ]
    misled = functools.partial(_misled, run)
    arms = by_block(run, 500, 64, 2, SOFT, HARD, signal=misled)
    return [*parts, part(f"{pictures(500)}, misled teacher", *arms)]


def _with_noise(data, block):
    return controls.noisy_labels(data, NOISE, seed=block)


def _misled(run, data, block):
    """Wrong labels, and a teacher trained on 4,000 other pictures of the block with as many of them wrong."""
    garments = run.garments
    others = replace(garments, train=garments.train[block * BLOCK + 1_000 : (block + 1) * BLOCK])
    others = _with_noise(others, block).train
    teacher = mlp([others.inputs.shape[1], 256, len(garments.class_names)], 1_000 + block)
    same = {"epochs": 10, "batch_size": 128, "schedule": cosine, "order_seed": block, "device": run.device}
    train(teacher, others.inputs, others.labels, progress=False, **same)
    return controls.taught_by(_with_noise(data, block), teacher)
