"""The experiments behind the claims. Each function runs one and returns its parts: paired arms, ready to be compared.

Everything is chosen on validation data; test data are read once, for what was chosen. Repetitions use other training
pictures where there are enough of them: block k of the training split, with batches in order k, and several initial
weights for each.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.losses import kd_loss
from kdcourse.models import StudentStack, width_for_ratio
from kdcourse.stack import distill_stack, logits_of_stack
from kdcourse.sweep import grid
from kdcourse.train import cosine

BLOCK = 5_000  # pictures in a block; the training split holds ten
# Twelve settings are tried for the soft labels and twelve for the labels, so that neither arm has more chances.
SOFT = {"temperature": [1, 2, 4, 7, 10, 20], "lr": [0.001, 0.003]}
HARD = {"soft_weight": 0, "lr": [0.0003, 0.001, 0.003, 0.01], "weight_decay": [0, 0.1, 1]}
BLENDS = {"soft_weight": [0.1, 0.5, 0.9], "temperature": [1, 4, 10], "lr": [0.001, 0.003]}
# Training pictures -> how long to train on them. About as many passes as each can use, the same for every arm.
TRAINING = {
    100: {"epochs": 40, "batch_size": 20},
    500: {"epochs": 40, "batch_size": 64},
    5_000: {"epochs": 20, "batch_size": 128},
}
RATIOS = [2, 10, 20, 50, 100]


class Part(NamedTuple):
    """Two paired arms, higher is better, and the seeds that their pairs share. Differences are shown times `scale`."""

    name: str
    a: np.ndarray
    b: np.ndarray
    init_seed: np.ndarray
    order_seed: np.ndarray
    margin: float = 0.0
    scale: float = 100.0
    unit: str = "points"


def soft_beats_hard(run):
    """Soft labels against labels, with 100, 500 and 5,000 pictures, in students of 64 hidden units."""
    return [
        _part(_pictures(n), best(_by_block(run, n, 64, 4, SOFT)), best(_by_block(run, n, 64, 4, HARD)))
        for n in TRAINING
    ]


def low_data_gains_most(run):
    """The gains of `soft_beats_hard` against one another."""
    gains = {part.name: part for part in soft_beats_hard(run)}
    few, some, many = (gains[_pictures(n)] for n in TRAINING)
    return [
        few._replace(name=f"{few.name} against {some.name}", a=few.a - few.b, b=some.a - some.b),
        some._replace(name=f"{some.name} against {many.name}", a=some.a - some.b, b=many.a - many.b),
    ]


def temperature_4_to_10(run):
    """Temperatures inside and outside the range, for two sizes of student and two of the transfer set."""
    parts = []
    for width, inits in [(32, 4), (256, 2)]:
        for n in [500, 5_000]:
            table = _by_block(run, n, width, inits, SOFT)
            inside = table["temperature"].between(4, 10)
            parts.append(_part(f"{width} hidden units, {_pictures(n)}", best(table[inside]), best(table[~inside])))
    return parts


def blend_beats_either(run):
    """Blends against the better pure loss, in students of 64 hidden units."""
    parts = []
    for n in [500, 5_000]:
        pure = pd.concat([_by_block(run, n, 64, 4, SOFT), _by_block(run, n, 64, 4, HARD)])
        parts.append(_part(_pictures(n), best(_by_block(run, n, 64, 4, BLENDS)), best(pure)))
    return parts


def t_squared_keeps_gradients(run):
    """Gradient norms with respect to the student's logits at several temperatures, after one epoch on labels."""
    some = run.garments.subset(BLOCK).train
    inits, orders = range(8), range(4)
    norms = {}
    for order in orders:
        stack = StudentStack([some.inputs.shape[1], 64, 10], inits)
        distill_stack(stack, some.inputs, some.teacher_logits, some.labels, soft_weight=0.0, epochs=1, order_seed=order)
        student = logits_of_stack(stack, some.inputs[:1_000]).requires_grad_()
        teacher = some.teacher_logits[:1_000].T.expand_as(student)
        for temperature in [1, 4, 20]:
            loss = kd_loss(student, teacher, temperature, reduction="none").sum()
            (gradient,) = torch.autograd.grad(loss, student)
            norms.setdefault(temperature, []).append(gradient.norm(dim=1).mean(1).log2().numpy())
    norms = {temperature: np.concatenate(several) for temperature, several in norms.items()}
    seeds = {"init_seed": np.tile(inits, len(orders)), "order_seed": np.repeat(orders, len(inits))}
    looks = {"margin": np.log2(1.25), "scale": 1.0, "unit": "doublings", **seeds}
    return [Part(f"T = {high} against T = {low}", norms[high], norms[low], **looks) for low, high in [(1, 4), (4, 20)]]


def omitted_class(run):
    """A garment nobody shows or names: soft labels against the teacher's arg-max, each with one repaired bias."""
    garments, parts = run.garments, []
    settings = grid(width=128, temperature=4, lr=0.002, init_seed=range(4), order_seed=range(4))
    for name in tqdm(["sneaker", "trouser", "bag", "shirt"], desc="left-out garments", leave=False):
        label = garments.class_index(name)
        train = garments.train
        unseen = (train.labels != label) & (train.teacher_logits.argmax(1) != label)
        data = replace(garments, train=train[unseen][:10_000])
        options = {"epochs": 6, "batch_size": 250, "predictions": True}
        soft = run.sweep(settings, data, **options)
        hard = run.sweep(settings.assign(temperature=1.0), controls.arg_max(data), **options)
        a, b = (_repaired_recall(table, garments, label) for table in (soft, hard))
        parts.append(Part(name, a, b, soft["init_seed"].to_numpy(), soft["order_seed"].to_numpy()))
    return parts


def sweet_spot(run):
    """The gain of distillation at 10 times smaller, against the gain at other ratios."""
    soft, hard = _sizes(run)
    gain = {
        ratio: soft[ratio]["test_accuracy"].to_numpy() - hard[ratio]["test_accuracy"].to_numpy() for ratio in RATIOS
    }
    return [
        _part(f"10× against {ratio}×", soft[10], soft[10])._replace(a=gain[10], b=gain[ratio])
        for ratio in RATIOS
        if not 5 <= ratio <= 20
    ]


def below_5x(run):
    """Soft labels against labels in a student half the size of its teacher, with a margin of one point."""
    soft, hard = _sizes(run)
    return [_part("2×", soft[2], hard[2])._replace(margin=0.01)]


def above_20x(run):
    """The gap between teacher and distilled student: over five points from 20 times smaller on, and under it before."""
    soft, _ = _sizes(run)
    parts = []
    for ratio in RATIOS:
        part = _part(f"{ratio}×", soft[ratio], soft[ratio])
        gap, limit = _teacher_accuracy(run.garments) - part.a, np.full(len(part.a), 0.05)
        if ratio >= 20:
            parts.append(part._replace(name=f"over the limit at {ratio}×", a=gap, b=limit))
        else:
            parts.append(part._replace(name=f"under the limit at {ratio}×", a=limit, b=gap))
    return parts


def keeps_95_percent(run):
    """The share of the teacher's accuracy that a student ten times smaller retains, against 95 %."""
    soft, _ = _sizes(run)
    part = _part("10×", soft[10], soft[10])
    return [part._replace(a=part.a / _teacher_accuracy(run.garments), b=np.full(len(part.b), 0.95))]


def best(table):
    """The students with the settings that are best on validation (mean over the seeds), in the order of their seeds."""
    settings = ["temperature", "soft_weight", "lr", "weight_decay"]
    chosen = table.groupby(settings)["validation_accuracy"].mean().idxmax()
    rows = table[(table[settings] == list(chosen)).all(axis=1)]
    return rows.sort_values(["order_seed", "init_seed"])


def _by_block(run, n, width, inits, settings):
    """Students on the first n pictures of each block, all `settings` for every block and each of so many inits."""
    students = grid(width=width, init_seed=range(inits), **settings)
    train, tables = run.garments.train, []
    for block in tqdm(range(len(train) // BLOCK), desc=f"blocks, {width} units, {_pictures(n)}", leave=False):
        data = replace(run.garments, train=train[block * BLOCK : block * BLOCK + n])
        # Initial weights of their own, too: with ten blocks that share nothing, a block is all that is independent.
        own = students.assign(order_seed=block, init_seed=students["init_seed"] + block * inits)
        tables.append(run.sweep(own, data, schedule=cosine, **TRAINING[n]))
    return pd.concat(tables)


def _sizes(run):
    """({ratio: distilled students}, {ratio: students on labels}), of several sizes, on the whole training split."""
    garments = run.garments
    same = {"init_seed": range(3), "order_seed": range(3), "lr": 0.002}
    soft, hard = {}, {}
    for ratio in tqdm(RATIOS, desc="sizes", leave=False):
        width = width_for_ratio(ratio, garments.teacher_parameters, garments.train.inputs.shape[1])
        students = pd.concat([grid(width=width, temperature=[2, 4], **same), grid(width=width, soft_weight=0, **same)])
        table = run.sweep(students, garments, epochs=10, batch_size=256, schedule=cosine)
        soft[ratio], hard[ratio] = best(table[table["soft_weight"] == 1]), best(table[table["soft_weight"] == 0])
    return soft, hard


def _part(name, a, b):
    seeds = [rows[["order_seed", "init_seed"]].to_numpy() for rows in (a, b)]
    if not np.array_equal(*seeds):
        raise ValueError(f"the arms of {name!r} must have the same seeds, got {len(a)} and {len(b)} students")
    a_seeds = a["init_seed"].to_numpy(), a["order_seed"].to_numpy()
    return Part(name, a["test_accuracy"].to_numpy(), b["test_accuracy"].to_numpy(), *a_seeds)


def _repaired_recall(table, garments, label):
    """Recall on test of one class, after the bias of its output was raised to what is best on validation."""
    biases, recalls = np.arange(0, 20.1, 0.5), []
    validation, test = garments.validation.labels.numpy(), garments.test.labels.numpy()
    one = np.eye(len(garments.class_names), dtype=np.float32)[label]
    for on_validation, on_test in zip(table["validation_logits"], table["test_logits"], strict=True):
        accuracies = [((on_validation + bias * one).argmax(1) == validation).mean() for bias in biases]
        bias = biases[int(np.argmax(accuracies))]
        recalls.append(((on_test + bias * one).argmax(1) == test)[test == label].mean())
    return np.array(recalls)


def _teacher_accuracy(garments):
    return (garments.test.teacher_logits.argmax(1) == garments.test.labels).double().mean().item()


def _pictures(n):
    return f"{n:,} pictures"
