"""The experiments of lesson 02: the best temperature, what T² does to gradients, few data, smoothed teachers."""

from dataclasses import replace

import numpy as np
import torch
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import BLOCK, SOFT, TRAINING, Part, best_everywhere, by_block, part, pictures
from kdcourse.claims.lesson_01 import soft_beats_hard
from kdcourse.losses import kd_loss
from kdcourse.models import StudentStack, mlp
from kdcourse.stack import distill_stack, logits_of_stack
from kdcourse.train import cosine, distill, train

STUDENTS = {32: 2, 256: 1}  # width of a student -> how many initial weights for each block
MARGIN = 0.005  # half a point, as in the lesson; a first run had none, and could not call two ranges equal


def low_data_gains_most(run):
    """The gains of `soft_beats_hard` against one another."""
    gains = {part.name: part for part in soft_beats_hard(run)}
    few, some, many = (gains[pictures(n)] for n in TRAINING)
    return [
        few._replace(name=f"{few.name} against {some.name}", a=few.a - few.b, b=some.a - some.b),
        some._replace(name=f"{some.name} against {many.name}", a=some.a - some.b, b=many.a - many.b),
    ]


def temperature_4_to_10(run):
    """Temperatures inside and outside the range, for two sizes of student and two of the transfer set."""
    inside = {**SOFT, "temperature": [t for t in SOFT["temperature"] if 4 <= t <= 10]}
    outside = {**SOFT, "temperature": [t for t in SOFT["temperature"] if not 4 <= t <= 10]}
    return [
        part(f"{width} hidden units, {pictures(n)}", *by_block(run, n, width, inits, inside, outside))._replace(
            margin=MARGIN
        )
        for width, inits in STUDENTS.items()
        for n in (500, 5_000)
    ]


def best_temperature_moves(run):
    """What T = 4 gains over T = 1: in large students minus in small ones, with few pictures minus with many."""
    gains = {}
    for width, inits in STUDENTS.items():
        for n in (500, 5_000):
            arms = by_block(run, n, width, inits, *({**SOFT, "temperature": t} for t in (4, 1)))
            # One number for each block: the two sizes of student have their own numbers of initial weights.
            at_4, at_1 = (arm.groupby("order_seed")["test_accuracy"].mean() for arm in arms)
            gains[width, n] = (at_4 - at_1).to_numpy()
    small, large = STUDENTS
    blocks = np.arange(len(gains[small, 500]))

    def contrast(name, a, b):
        return Part(name, gains[a], gains[b], blocks, blocks)

    return [
        contrast(f"{large} against {small} hidden units, {pictures(500)}", (large, 500), (small, 500)),
        contrast(f"{large} against {small} hidden units, {pictures(5_000)}", (large, 5_000), (small, 5_000)),
        contrast(f"500 against 5,000 pictures, {small} hidden units", (small, 500), (small, 5_000)),
        contrast(f"500 against 5,000 pictures, {large} hidden units", (large, 500), (large, 5_000)),
    ]


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


def smoothed_teacher(run):
    """Students of teachers that were trained with label smoothing, against students of teachers that were not.

    A teacher is the unit: six pairs of networks with 256 hidden units on all training pictures, the two of a pair with
    the same initial weights and batches. Their students have 64 hidden units and 5,000 pictures each.
    """
    taught = {0.0: [], 0.1: []}
    for seed in tqdm(range(6), desc="pairs of teachers", leave=False):
        block = replace(run.garments, train=run.garments.train[seed * BLOCK : (seed + 1) * BLOCK])
        for amount, repetitions in taught.items():
            data = controls.taught_by(block, _teacher(run, seed, amount))
            repetitions.append((data, [2 * seed, 2 * seed + 1], seed))
    options, parts = {"schedule": cosine, **TRAINING[BLOCK]}, []
    for t in (1, 4, 10):
        arm = {**SOFT, "temperature": t}
        plain, smoothed = (best_everywhere(run, taught[a], 64, arm, options, f"T = {t}") for a in taught)
        parts.append(part(f"T = {t}", smoothed, plain))
    return parts


def _teacher(run, seed, amount):
    """A teacher with 256 hidden units, trained on all labels, smoothed by `amount`."""
    garments = run.garments
    teacher = mlp([garments.train.inputs.shape[1], 256, len(garments.class_names)], seed)
    same = {"epochs": 5, "batch_size": 128, "schedule": cosine, "order_seed": seed, "device": run.device}
    if amount == 0:
        train(teacher, garments.train.inputs, garments.train.labels, progress=False, **same)
    else:
        signal = controls.smoothed_labels(garments, amount).train.teacher_logits
        distill(teacher, garments.train.inputs, signal, temperature=1, progress=False, **same)
    return teacher
