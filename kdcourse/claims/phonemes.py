"""Students of CMUdict's teacher at equal compute: what each arm of lesson 08 learns from, and what that has cost.

Compute is counted in floating-point operations (`lm.forward_flops`): of the student's training, and of all that the
teacher reads, scores, samples and decodes. What is stored is paid for once, what the student writes in every step.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from kdcourse import data, devices, lm, store
from kdcourse._process import arithmetic_threads
from kdcourse.claims.arms import part
from kdcourse.claims.record import Arm, Part
from kdcourse.claims.settings import METRICS
from kdcourse.data.cmudict import WORDS
from kdcourse.lm.teacher import CHECKPOINT
from kdcourse.losses import blended
from kdcourse.stats.calibration import confidence_gap

ENGINE = 1  # raised by whoever changes what comes out: all is then trained anew
STUDENT = {"width": 64, "layers": 2, "heads": 4}  # a seventeenth of the teacher's parameters
BLOCK, BLOCKS = 2_000, 5  # words with labels, and how many such sets: a lexicon as a language without many has it
BATCH_SIZE = 128
PASS = 22.4e9  # what a student of this size spends on one pass over such a set
BUDGET, LARGE = 60 * PASS, 375 * PASS  # the large one is for words without labels, which the teacher must decode
LRS = {"offline": (0.006, 0.012, 0.024), "on-policy": (0.001, 0.002, 0.004)}  # to begin with
SOONER = (1 / 4, 1 / 16)  # of the budget left to train with: also tried, the second if the first is better
# Of the test words, by `Words.slices`: where errors are looked at as well.
SLICES = {
    "long words": ("length", "9 letters and more"),
    "rare words": ("rarity", "SCOWL 70 to 95, rare"),
    "words that SCOWL lacks": ("rarity", "not in SCOWL, mostly surnames"),
}


@dataclass(frozen=True)
class Source:
    """Prefixes [N, L], targets [N, P], the teacher's logits on them or None, and what the teacher spent."""

    prefixes: torch.Tensor
    targets: torch.Tensor
    logits: torch.Tensor | None = None
    flops: float = 0.0


@dataclass(frozen=True)
class Way:
    """How an arm learns: from what, by which loss, and whether from what the student itself writes.

    Attributes
    ----------
    source : function
        (teacher, words, unlabelled) -> Source.
    loss : function
    warm : bool
        It goes on from soft targets, trained with half of what they have to train with.
    own : float
        Share of the batches that the student writes itself.
    """

    source: Callable
    loss: Callable
    warm: bool = False
    own: float = 0.0
    budget: float = BUDGET


# ---- what the teacher gives ----


def dictionary(teacher, words, unlabelled):
    """The listed pronunciations."""
    return Source(*words.examples()[:2])


def scored(teacher, words, unlabelled):
    """The listed pronunciations, and what the teacher says at each of their tokens."""
    letters, said, _ = words.examples()
    return Source(letters, said, lm.teacher_logits(teacher, letters, said), cost(teacher, letters, said))


def sampled(count):
    """So many completions of the teacher for each word, in place of the listed ones."""

    def source(teacher, words, unlabelled):
        written = lm.sample(teacher, words.letters, count, seed=0)
        repeated = words.letters.repeat_interleave(count, 0)
        return Source(repeated, written.flatten(0, 1), None, cost(teacher, words.letters, written.amax(1), count))

    return source


def beamed(teacher, words, unlabelled):
    """The best completion of a beam of four for each word."""
    written = lm.beam(teacher, words.letters, 4)[0]
    return Source(words.letters, written[:, 0], None, cost(teacher, words.letters, written.amax(1), 4))


def with_unlabelled(soft):
    """The listed pronunciations, and of words without one the teacher's likeliest; and what it says at their tokens."""

    def source(teacher, words, unlabelled):
        known, new = scored(teacher, words, None) if soft else dictionary(teacher, words, None), unlabelled.letters
        written = lm.greedy(teacher, new)
        logits = torch.cat([known.logits, lm.teacher_logits(teacher, new, written)]) if soft else None
        spent = known.flops + cost(teacher, new, written)  # its logits come along as it writes
        return Source(torch.cat([known.prefixes, new]), torch.cat([known.targets, written]), logits, spent)

    return source


def cost(model, prefixes, tokens, count=1):
    """What a model spends on scoring or writing [N, P] tokens, in batches as students have them."""
    order = torch.Generator().manual_seed(0)
    batches = lm.bucketed(prefixes, tokens, BATCH_SIZE, order)
    return sum(
        lm.forward_flops(model, *(lm.trimmed(part[rows]) for part in (prefixes, tokens)), count) for rows in batches
    )


FORWARD, REVERSE = blended(), blended(direction="reverse")
WAYS = {
    "labels": Way(dictionary, blended(soft_weight=0)),
    "soft targets": Way(scored, FORWARD),
    "1 sample": Way(sampled(1), blended(soft_weight=0)),
    "4 samples": Way(sampled(4), blended(soft_weight=0)),
    "16 samples": Way(sampled(16), blended(soft_weight=0)),
    "beam of 4": Way(beamed, blended(soft_weight=0)),
    "reverse on the dictionary": Way(scored, REVERSE, warm=True),
    "on-policy": Way(dictionary, REVERSE, warm=True, own=1.0),
    "on-policy from scratch": Way(dictionary, REVERSE, own=1.0),
    "on-policy by sampled tokens": Way(dictionary, lm.sampled_reverse_loss, warm=True, own=1.0),
    "half on-policy": Way(dictionary, REVERSE, warm=True, own=0.5),
    "soft targets for longer": Way(scored, FORWARD, budget=LARGE),
    "pseudo-labels of more words": Way(with_unlabelled(soft=False), blended(soft_weight=0), budget=LARGE),
    "soft targets of more words": Way(with_unlabelled(soft=True), FORWARD, budget=LARGE),
}


# ---- training ----


_words = functools.cache(lambda: data.load("cmudict"))
_teacher = functools.cache(lm.load_teacher)


def _kept(make, name, *about):
    """(tensors, metadata) that `make` gives for an arm, from this user's cache if they are there."""
    files = (WORDS,) if name == "labels" else (WORDS, CHECKPOINT)
    made_of = [
        ENGINE,
        STUDENT,
        BLOCK,
        BATCH_SIZE,
        name,
        *about,
        *(store.sha256(data.folder() / file) for file in files),
    ]
    path = store.cache_folder("language-models") / f"{store.fingerprint(made_of)}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        store.save_tensors(path, *make())
    return store.load_tensors(path)


def _source(name, block):
    """What an arm learns from, found in the cache where the teacher had to work for it."""
    words, make = _words().train[block * BLOCK : (block + 1) * BLOCK], WAYS[name].source
    if make is dictionary:
        return dictionary(None, words, None)

    def made():
        found = make(_teacher(), words, _words().unlabelled)
        tensors = {part: getattr(found, part) for part in ("prefixes", "targets", "logits")}
        return {part: tensor for part, tensor in tensors.items() if tensor is not None}, {"flops": found.flops}

    tensors, about = _kept(made, "scored" if make is scored else name, "source", block)
    return Source(**tensors, **about)


def trained(name: str, lr: float, share: float, block: int, warm: float | None = None) -> tuple[lm.Transformer, dict]:
    """The student of one arm on one block of words, and what it cost: from the cache, or trained now.

    Training gets a share of what the teacher has left of the budget, at the rate `lr`. Where there is a warm start, it
    was at the rate `warm`.
    """
    model = lm.Transformer(len(data.cmudict.TOKENS), **STUDENT, seed=block)

    def made():
        way = WAYS[name]
        source, spent = _source(name, block), 0.0
        if way.warm:
            before, about = trained("soft targets", warm, 0.5, block)
            model.load_state_dict(before.state_dict())
            spent = about["flops"]
        paid = 0.0 if way.warm else source.flops  # a warm start has paid for what the teacher says
        rewrite = lm.on_policy(model, way.own, seed=block) if way.own else None
        history = lm.fit(
            model,
            source.prefixes,
            source.targets,
            flops=(way.budget - spent - paid) * share,
            teacher=_teacher() if way.own else source.logits,
            loss=way.loss,
            rewrite=rewrite,
            lr=lr,
            batch_size=BATCH_SIZE,
            order_seed=block,
            device="cpu",
            progress=False,
        )
        seconds = sum(row["seconds"] for row in history.rows)
        spent += paid + sum(row["flops"] for row in history.rows)
        return dict(model.state_dict()), {"flops": spent, "teacher": paid, "seconds": seconds}

    with arithmetic_threads(1):
        tensors, about = _kept(made, name, "student", WAYS[name].budget, lr, share, block, warm)
    model.load_state_dict(tensors)
    return model, about


def on_validation(name: str, lr: float, share: float, block: int, warm: float | None = None) -> float:
    """Share of the phonemes of the validation words that a student gets right."""
    words, (model, _) = _words().validation, trained(name, lr, share, block, warm)
    with arithmetic_threads(1):
        return (
            1 - lm.pronunciation_errors(lm.spelled(lm.greedy(model, words.letters)), words.pronunciations).phoneme_rate
        )


def chosen(name: str, warm: float | None = None) -> tuple[float, float]:
    """(learning rate, share of the budget) of an arm, best on validation for the first block.

    Learning rates go on, by factors of two, until the best is none of the outermost.
    """
    lrs = list(LRS["on-policy" if WAYS[name].warm else "offline"])
    found = {lr: on_validation(name, lr, 1.0, 0, warm) for lr in lrs}
    while (best := max(found, key=found.__getitem__)) in (min(found), max(found)):
        further = best / 2 if best == min(found) else best * 2
        found[further] = on_validation(name, further, 1.0, 0, warm)
    share = 1.0
    for sooner in SOONER:
        right = on_validation(name, best, sooner, 0, warm)
        if right <= found[best]:
            break
        share, found[best] = sooner, right
    return best, share


# ---- measuring ----


def measured(
    name: str, lr: float, share: float, block: int, warm: float | None = None
) -> tuple[dict[str, np.ndarray], dict]:
    """What a student makes of the test words, float [N] each: see `lm.scores`."""

    def made():
        model, about = trained(name, lr, share, block, warm)
        return lm.scores(model, _words().test), about

    with arithmetic_threads(1):
        tensors, about = _kept(made, name, "test", WAYS[name].budget, lr, share, block, warm)
    return {name: tensor.numpy() for name, tensor in tensors.items()}, about


def arms(run, names: list[str]) -> dict[str, dict[str, Arm]]:
    """{arm: {metric: Arm}} on all blocks, with what each chose on validation.

    Students train side by side, one a core.
    """
    each = joblib.Parallel(n_jobs=1 if str(run.device) == "cuda" else devices.machine()["cores"])
    starts = {name: chosen("soft targets")[0] if WAYS[name].warm else None for name in names}
    picks = dict(zip(names, each(joblib.delayed(chosen)(name, starts[name]) for name in names), strict=True))
    students = [(name, *picks[name], block, starts[name]) for name in names for block in range(BLOCKS)]
    tables = each(joblib.delayed(measured)(*student) for student in tqdm(students, desc="arms", leave=False))
    found = {}
    for name in names:
        own = [table for (whose, *_), (table, _) in zip(students, tables, strict=True) if whose == name]
        values = {metric: np.stack([table[metric] for table in own]) for metric in own[0]}
        sure, right, long = values.pop("confidence"), values["word accuracy"], values.pop("phonemes")
        values["calibration"] = np.array([-confidence_gap(*pair) for pair in zip(sure, right, strict=True)])
        for what, (column, level) in SLICES.items():
            inside = (_words().test.slices[column] == level).to_numpy()
            wrong = (1 - values["phoneme accuracy"][:, inside]) * long.mean(1, keepdims=True)
            values[f"phoneme accuracy, {what}"] = 1 - wrong / long[:, inside].mean(1, keepdims=True)
        settings = dict(zip(("lr", "share"), picks[name], strict=True))
        found[name] = {metric: Arm(name, array, settings) for metric, array in values.items()}
    return found


def against(run, found: dict[str, dict[str, Arm]], one: str, other: str, key: dict) -> Part:
    """The part that compares two arms in phonemes on test, and in everything else beside it."""
    seeds = dict.fromkeys(("init_seed", "order_seed"), np.arange(BLOCKS))
    also = []
    for metric in found[one].keys() - {run.setting.metric}:
        a, b = (found[name][metric] for name in (one, other))
        scale, unit = METRICS[metric.partition(",")[0]]
        looks: dict[str, Any] = {"metric": metric, "scale": scale, "unit": unit, "example": "words", **seeds}
        if a.values.ndim == 2:
            counted = ~np.isnan(a.values[0])
            a, b = (arm._replace(values=arm.values[:, counted]) for arm in (a, b))
        also.append(Part(key, a, b, setting=run.setting.name, **looks))
    shared = [pd.DataFrame(seeds)]
    first, second = (found[name][run.setting.metric] for name in (one, other))
    return part(run, key, first, second, shared, also=tuple(sorted(also, key=lambda one: one.metric)))
