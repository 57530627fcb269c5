"""The experiments of lesson 01: soft labels against hard ones, and the garment that is never shown."""

from dataclasses import replace

import numpy as np
from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import HARD, SOFT, TRAINING, Part, by_block, part, pictures
from kdcourse.sweep import grid


def soft_beats_hard(run):
    """Soft labels against labels, with 100, 500 and 5,000 pictures, in students of 64 hidden units."""
    return [part(pictures(n), *by_block(run, n, 64, 2, SOFT, HARD)) for n in TRAINING]


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
