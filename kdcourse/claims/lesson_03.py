"""The experiments of lesson 03: blends of the two losses, and labels that are wrong."""

import functools
import math
from dataclasses import replace

import torch.nn.functional as F

from kdcourse import controls
from kdcourse.claims.arms import FEW, MANY, network, pairs_by_block, planned, repetitions
from kdcourse.claims.ladder import STEPS, climb
from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.record import claim, label
from kdcourse.claims.settings import BLOCK
from kdcourse.claims.tuning import ARMS, HARD, SOFT
from kdcourse.train import cosine, teacher_logits, train

BLENDS = {"soft_weight": [0.1, 0.5, 0.9], "temperature": [1, 4, 10], "lr": [0.003, 0.01, 0.03]}
MARGIN = 0.0025  # a quarter of a point
NOISE = 0.3
SMALL = 500  # validation examples that a team might have
# Of teachers on wrong labels: where the choice of their settings begins, and their hidden units.
TEACHER, TEACHER_WIDTH = {"lr": 0.004, "weight_decay": 0.25, "epochs": 8}, 256


@claim(
    "blend-beats-either",
    "A blend of soft and hard labels beats either alone.",
    taught_in="Hinton, Vinyals and Dean 2015, section 2; the default of most libraries",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="transfer-set sizes",
    revised="A first run had no margin; it was set once that run had found a smaller effect. The second run has fresh "
    "weights and, of 500, fresh pictures. Where a choice lay on an edge, that case chose again from a wider grid.",
    smallest=0.5,
)
def blend_beats_either(run):
    """On test, the best blend (soft weight between 0 and 1) minus the better of the two pure losses; weight,
    temperature and learning rate chosen on validation.
    """
    arms = {"blend": BLENDS, "the better pure loss": [SOFT, HARD]}
    return [
        pairs_by_block(run, {"examples": n}, run.setting.width, arms, margin=MARGIN, fresh=4, **planned(run, n))
        for n in (FEW, MANY)
    ]


@claim(
    "soft-labels-resist-noise",
    "Soft labels protect a student from wrong labels in its transfer set.",
    taught_in="Li et al. 2017, abstract, for a teacher that learned from clean labels",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    parts="cases",
    revised="In a first run, teachers on wrong labels had one learning rate, too low for glosses and flights, where "
    "they did harm in five cases. In a second, they chose it, but had no weight decay, and most chose the lowest rate "
    "or the most epochs that they could; with 5,000 flights, equally misled ones did harm. Now, nothing they choose "
    "ends. Where another choice lay on an edge, that case chose again from a wider grid.",
    smallest=0.5,
)
def soft_labels_resist_noise(run):
    """On test, soft labels minus labels, with 30 % of the transfer set's labels wrong. The teacher saw clean labels, or
    as many wrong ones of other examples, or the very same wrong labels. Settings of each arm, and of each teacher on
    wrong labels, chosen on validation, of which all labels are right; once on 500 examples of it, which may choose the
    same.
    """
    parts = []
    for n, teacher, validation in [
        (FEW, "clean", None),
        (MANY, "clean", None),
        (FEW, "misled", None),
        (FEW, "equally misled", None),
        (MANY, "equally misled", None),
        (FEW, "clean", SMALL),
    ]:
        key = {"examples": n, "teacher": teacher} | ({"validation": validation} if validation else {})
        how = {} if teacher == "clean" else _best_teachers(run, label(key, run.setting.name), teacher, n)
        signal = functools.partial(_signal, run, teacher, validation, how)
        parts.append(pairs_by_block(run, key, run.setting.width, ARMS, signal=signal, inits=2))
    return parts


def _signal(run, teacher, validation, how, data, block):
    noisy = controls.noisy_labels(data, NOISE, seed=block)
    if validation:
        noisy = replace(noisy, validation=noisy.validation[:validation])
    if teacher == "clean":
        return noisy
    return controls.taught_by(noisy, _teacher(run, _misled(run, teacher, data, block), block, how[block]))


def _misled(run, teacher, data, block):
    """What a teacher on wrong labels learns from: the very labels of its students, or those of other examples."""
    if teacher == "misled":  # 4,000 other examples of the block
        data = replace(run.data, train=run.data.train[block * BLOCK + 1_000 : (block + 1) * BLOCK])
    return controls.noisy_labels(data, NOISE, seed=block)


def _teacher(run, data, block, how):
    """A network that has learned from the labels of a data set."""
    teacher = network(data, TEACHER_WIDTH, 1_000 + block)
    same = {"batch_size": 128, "schedule": cosine, "order_seed": block, "device": run.device, "progress": False}
    train(teacher, data.train.inputs, data.train.labels, **{**how, "epochs": round(how["epochs"])}, **same)
    return teacher


def _best_teachers(run, what, teacher, n):
    """{block: the settings of its teacher that validation likes best}, of students with n examples."""
    among = {"begins": TEACHER, "width": TEACHER_WIDTH, "examples": 4_000 if teacher == "misled" else n}
    asked = {f"{what}, block {block}": block for *_, block in repetitions(run, n)}
    search = functools.partial(_best_teacher, run, teacher, n)
    found = run.choices(
        dict.fromkeys(asked, among),
        lambda missing: side_by_side(run, search, [(asked[one],) for one in missing], "teachers"),
    )
    return dict(zip(asked.values(), found, strict=True))


def _best_teacher(run, teacher, n, block):
    data, labels = _misled(run, teacher, repetitions(run, n)[block][0], block), run.data.validation.labels

    @functools.cache
    def kept(*how):
        if dict(how)["epochs"] < 1:
            return -math.inf
        said = teacher_logits(_teacher(run, data, block, dict(how)), run.data.validation.inputs, device=run.device)
        if run.setting.choose.endswith("_nll"):
            return -F.cross_entropy(said, labels).item()
        return (said.argmax(1) == labels).double().mean().item()

    return climb(TEACHER, lambda how: kept(*how.items()), {**STEPS, "epochs": 2})
