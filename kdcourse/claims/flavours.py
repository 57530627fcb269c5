"""Ways to distil beside plain logits: what lesson 07's students learn from, each tuned in the same way.

All students learn with the same pictures, initial weights and order, for as many steps. They see pictures of half the
height and width, which costs a third; the teacher sees them whole. Settings are chosen on
validation data by `ladder.climb`. Features, and the losses that have a temperature, take the one that plain
distillation chose, and climb in their own weight instead: two settings for each way, steps of the same size.
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from kdcourse import data, features, store
from kdcourse._process import arithmetic_threads
from kdcourse.claims.arms import part
from kdcourse.claims.ladder import climb
from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.record import Arm, Part
from kdcourse.losses import (
    attention_loss,
    blended,
    dist_loss,
    dkd_loss,
    ensemble_logits,
    hint_loss,
    logit_mse,
    relation_loss,
)
from kdcourse.models import channels_for_ratio, cnn, mlp
from kdcourse.sweep.identity import code_behind
from kdcourse.train import accuracy, cosine, distill, load_teacher, teacher_logits, train

EXAMPLES, EPOCHS, BATCH_SIZE = 1_000, 24, 32
SIDE = 14  # of the pictures that students see
# If the difference varies by 0.8 points from block to block, fourteen show one of a point with 80 % power
# (`stats.detectable_difference`, at the confidence that fourteen parts need).
BLOCKS = 14
CHOOSE_ON, CHOOSE_BY = 2, 5_000  # blocks, validation pictures
RATIO, ASSISTANT, TEACHERS = 10, 3, 4  # how many times smaller than the teacher they are
WIDTH = 64  # of an MLP
MEMBERS, TEACHER_EXAMPLES, TEACHER_EPOCHS = 3, 10_000, 8
STOPS = (1, 2, 4)  # epochs of a teacher that stops early, each with a schedule of its own
LR, WEIGHT_DECAY = 0.004, 0.25  # where ways begin, as on the ladder; what else there is stays


@dataclass(frozen=True)
class Way:
    """How students are taught.

    Attributes
    ----------
    start : dict
        Where its settings begin, beside the learning rate; those in `ladder.STEPS` are climbed in.
    loss : function
        From the chosen settings to a loss function of logits.
    feature_loss : function or None
        Added to it `weight` times, between the `layers` {student's: teacher's}.
    teacher : function
        (run, block, settings) -> logits.
    after : str
        The way whose temperature it takes: plain distillation from the same kind of teacher.
    first : bool
        The features alone for the first half of the epochs, the logits alone for the second.
    student : function
    """

    start: Mapping[str, float]
    loss: Callable
    feature_loss: Callable | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    teacher: Callable = lambda run, k, how: block(run, k).teacher_logits
    after: str = ""
    first: bool = False
    student: Callable = lambda run, k: network(run, RATIO, k)


# ---- ways ----


def soft(how):
    return blended(how["temperature"])


def beside_labels(loss):
    """Cross-entropy with the labels, plus `weight` times a loss of the logits."""

    def made(how):
        hard, other, weight = blended(soft_weight=0), loss(how), how["weight"]
        return lambda student, said, labels: hard(student, said, labels) + weight * other(student, said, labels)

    return made


def dkd(how):
    return functools.partial(dkd_loss, temperature=how["temperature"])


def dist(how):
    return functools.partial(dist_loss, temperature=how["temperature"])


def assistant(run, k, how):
    """What a network of medium size says that has learned from the teacher on the same pictures."""

    def made():
        some, helper = block(run, k), network(run, ASSISTANT, 100 + k)
        inputs = smaller(some.inputs)
        _fit(run, distill, helper, inputs, some.teacher_logits, temperature=4.0, order_seed=100 + k)
        return teacher_logits(helper, inputs, device=run.device)

    return _kept(run, made, "assistant", k)


def alone(run, k, how):
    return own_teacher(run, 0, TEACHER_EPOCHS)[block_rows(k)]


def ensemble(run, k, how):
    return ensemble_logits([own_teacher(run, seed, TEACHER_EPOCHS)[block_rows(k)] for seed in range(MEMBERS)])


def early(run, k, how):
    return own_teacher(run, 0, how["stop"])[block_rows(k)]


def own_teacher(run, seed: int, epochs: int) -> torch.Tensor:
    """What a teacher that we train here says about all pictures of all blocks; it has learned from none of them."""

    def made():
        learned_from = run.data.train[-TEACHER_EXAMPLES:]
        teacher = network(run, TEACHERS, 200 + seed, side=28)
        _fit(run, train, teacher, learned_from.inputs, learned_from.labels, order_seed=200 + seed, epochs=epochs)
        return teacher_logits(teacher, run.data.train[: BLOCKS * EXAMPLES].inputs, device=run.device)

    return _kept(run, made, "teacher", seed, epochs)


def perceptron(run, k):
    return mlp([SIDE * SIDE, WIDTH, len(run.data.class_names)], k)


def network(run, ratio, seed, side=SIDE):
    """A CNN of the teacher's family, so many times smaller."""
    return cnn(channels_for_ratio(ratio, run.data.teacher_parameters), image=(1, side, side), seed=seed)


def smaller(inputs: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 28 · 28], each four pixels averaged: [N, 14 · 14]."""
    return F.avg_pool2d(inputs.unflatten(1, (1, 2 * SIDE, 2 * SIDE)), 2).flatten(1)


T, W = {"temperature": 4.0}, {"weight": 1.0}
WAYS = {
    "labels": Way({"weight_decay": WEIGHT_DECAY}, lambda how: blended(soft_weight=0)),
    "logits": Way(T, soft),
    "squared logits": Way(W, beside_labels(lambda how: logit_mse)),
    "DKD": Way(W, beside_labels(dkd), after="logits"),
    "DIST": Way({"weight": 4.0}, beside_labels(dist), after="logits"),
    "hints": Way(W, soft, hint_loss, {"3": "5"}, after="logits"),
    "hints first": Way(T, soft, hint_loss, {"3": "5"}, first=True),
    "attention": Way(W, soft, attention_loss, {"3": "3", "5": "5"}, after="logits"),
    "relations": Way(W, soft, relation_loss, {"7": "7"}, after="logits"),
    "assistant": Way(T, soft, teacher=assistant),
    "one of our teachers": Way(T, soft, teacher=alone),
    "ensemble": Way(T, soft, teacher=ensemble),
    "early-stopped teacher": Way({"stop": 2}, soft, teacher=early, after="one of our teachers"),
    "logits, MLP": Way(T, soft, student=perceptron),
    "hints, MLP": Way(W, soft, hint_loss, {"1": "7"}, after="logits, MLP", student=perceptron),
    "hints first, MLP": Way(T, soft, hint_loss, {"1": "7"}, first=True, student=perceptron),
    "relations, MLP": Way(W, soft, relation_loss, {"1": "7"}, after="logits, MLP", student=perceptron),
    "DKD, MLP": Way(W, beside_labels(dkd), after="logits, MLP", student=perceptron),
}


# ---- training ----


def block_rows(k: int) -> slice:
    return slice(k * EXAMPLES, (k + 1) * EXAMPLES)


def block(run, k: int) -> data.Split:
    """The pictures of the k-th repetition; no two share one."""
    return run.data.train[block_rows(k)]


def trained(run, name: str, k: int, how: Mapping[str, float]) -> tuple[np.ndarray, float]:
    """([test pictures], is the student right?; its accuracy on validation): from this user's cache, or trained now."""

    def made():
        way, some = WAYS[name], block(run, k)
        splits = some, run.data.test, run.data.validation[:CHOOSE_BY]
        inputs, test, validation = (smaller(one.inputs) for one in splits)
        student, said, loss = way.student(run, k), way.teacher(run, k, how), way.loss(how)
        rounds: list[tuple] = [(student, said, loss)]
        if way.feature_loss is not None:
            inside = [*way.layers.values()]
            shown = features.teacher_features(load_teacher("fashion-mnist"), some.inputs, inside, device=run.device)
            match = features.FeatureMatch(
                student,
                inputs,
                shown._replace(logits=said),
                way.layers,
                way.feature_loss,
                weight=how.get("weight", 1.0),
                soft=None if way.first else loss,
                regressor=way.feature_loss is hint_loss,
                seed=k,
            )
            rounds = [(match, match.teacher_logits, match.loss), *rounds[: way.first]]
        same = {name: how[name] for name in ("lr", "weight_decay") if name in how}
        same |= {"order_seed": k, "epochs": EPOCHS // len(rounds)}
        for learner, logits, loss in rounds:
            _fit(run, distill, learner, inputs, logits, some.labels, loss=loss, **same)
        right = teacher_logits(student, test, device=run.device).argmax(1) == run.data.test.labels
        on_validation = accuracy(student, (validation, splits[2].labels), device=run.device)
        return torch.cat([right.float(), torch.tensor([on_validation])])

    values = _kept(run, made, name, k, dict(how)).numpy()
    return values[:-1], float(values[-1])


def chosen(run, name: str, fixed: Mapping[str, float]) -> dict[str, float]:
    """The settings of a way, best on validation on average over the first blocks, and those that are fixed."""

    @functools.cache
    def kept(*how):
        return np.mean([trained(run, name, k, {**dict(how), **fixed})[1] for k in range(CHOOSE_ON)])

    best = max(
        (climb(begin, lambda how: kept(*how.items())) for begin in begins(name)), key=lambda how: kept(*how.items())
    )
    return {**best, **fixed}


def begins(name: str) -> list[dict]:
    """Where the climbs of a way begin; of a teacher that stops early, one for each stop."""
    start = WAYS[name].start
    return [{"lr": LR, "stop": stop} for stop in STOPS] if "stop" in start else [{"lr": LR, **start}]


def arms(run: Any) -> dict[str, Arm]:
    """{way: its students on all blocks, with what they chose on validation}, values [blocks, test pictures]."""
    seeds = [(seed, TEACHER_EPOCHS) for seed in range(MEMBERS)] + [(0, stop) for stop in STOPS]
    side_by_side(run, functools.partial(own_teacher, run), seeds, "teachers")
    first = [name for name, way in WAYS.items() if not way.after]
    then = [name for name, way in WAYS.items() if way.after]
    how: dict[str, dict] = {}
    for names in (first, then):  # the second ask what the first chose
        after = {name: WAYS[name].after for name in names}
        fixed = {name: {"temperature": how[way]["temperature"]} if way else {} for name, way in after.items()}
        picks = run.choices(
            {name: {"begins": begins(name), "fixed": fixed[name]} for name in names},
            lambda missing, fixed=fixed: side_by_side(
                run, functools.partial(chosen, run), [(name, fixed[name]) for name in missing], "settings"
            ),
        )
        how |= dict(zip(names, picks, strict=True))
    rows = [(name, k, how[name]) for name, k in itertools.product(WAYS, range(BLOCKS))]
    right = [values for values, _ in side_by_side(run, functools.partial(trained, run), rows, "students")]
    return {name: Arm(name, np.stack(right[place * BLOCKS :][:BLOCKS]), how[name]) for place, name in enumerate(WAYS)}


def against(run: Any, found: Mapping[str, Arm], one: str, other: str, key: dict, **beside: str) -> Part:
    """The part that compares two ways; `beside`: {what to call it: another way} for the record."""
    seeds = pd.DataFrame(dict.fromkeys(("init_seed", "order_seed"), np.arange(BLOCKS)))
    also = {name: float(found[way].values.mean()) for name, way in beside.items()}
    return part(run, key, found[one], found[other], [seeds], beside=also)


def _fit(run, how, *what, **options):
    usual = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "schedule": cosine, "lr": LR, "weight_decay": WEIGHT_DECAY}
    how(*what, **usual | options, device=run.device, progress=False)


def _kept(run, make, *about):
    """The tensor that `make` gives, from this user's cache if it is there: under all code and data behind it."""
    path = store.cache_folder("flavours") / f"{store.fingerprint([_behind(run.data), *about])}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with arithmetic_threads(1):  # students train side by side
            store.save_tensors(path, {"kept": make()})
    return store.load_tensors(path)[0]["kept"]


@functools.lru_cache(maxsize=1)
def _behind(garments):
    """What every student depends on."""
    splits = [split.fingerprint() for split in (garments.train, garments.validation, garments.test)]
    teacher = store.sha256(data.folder() / "fashion-mnist" / "teacher.safetensors")
    return [*code_behind(__name__, "trained"), torch.__version__, teacher, *splits]
