"""Students of CMUdict's teacher at equal compute: trained, chosen on validation and measured, each kept in a cache."""

import functools
from typing import Any

import numpy as np
import pandas as pd

from kdcourse import data, devices, store
from kdcourse._process import arithmetic_threads
from kdcourse.claims import ways
from kdcourse.claims.arms import part
from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.record import Arm, Part
from kdcourse.claims.settings import METRICS
from kdcourse.claims.ways import BATCH_SIZE, WAYS, Source, dictionary, scored
from kdcourse.data.cmudict import WORDS, related
from kdcourse.lm import Transformer, fit, greedy, load_teacher, on_policy, pronunciation_errors, scores, spelled
from kdcourse.lm.teacher import CHECKPOINT
from kdcourse.stats.calibration import confidence_gap
from kdcourse.sweep.identity import CHECKS, code_behind, identity

STUDENT = {"width": 64, "layers": 2, "heads": 4}  # a seventeenth of the teacher's parameters
BLOCK = 2_000  # words with labels: a lexicon as a language without many has it
BLOCKS = 5
LRS = {"offline": (0.006, 0.012, 0.024), "on-policy": (0.001, 0.002, 0.004)}  # to begin with
SOONER = (1 / 4, 1 / 16)  # of the budget left to train with: also tried, the second if the first is better
# Of the test words, by `Words.slices`: where errors are looked at as well.
SLICES = {
    "long words": ("length", "9 letters and more"),
    "rare words": ("rarity", "SCOWL 70 to 95, rare"),
    "words that SCOWL lacks": ("rarity", "not in SCOWL, mostly surnames"),
    "names": ("kind", "name"),
    "words with several pronunciations": ("pronunciations", "several"),
}
UNTOLD = "words without relatives"  # among the words without labels


# ---- training ----


_words = functools.cache(lambda: data.load("cmudict"))
_teacher = functools.cache(load_teacher)


def _made_of(name):
    """Names all code, settings and files that an arm's students come from."""
    own = [WAYS[name], *([WAYS["soft targets"]] if WAYS[name].warm else [])]
    files = (WORDS,) if name == "labels" else (WORDS, CHECKPOINT)
    return [
        *code_behind(__name__, "measured", but=(CHECKS, f"{__name__}._kept", f"{ways.__name__}.WAYS")),
        *(part for way in own for part in (identity(way.source), identity(way.loss), way.warm, way.own, way.budget)),
        *(store.sha256(data.folder() / file) for file in files),
    ]


def _kept(make, name, *about):
    """(tensors, metadata) that `make` gives for an arm, from this user's cache if they are there."""
    made_of = [*_made_of(name), *about]
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
    if WAYS[name].more:
        return make(_teacher(), words, _more())
    return _kept_source(
        lambda: make(_teacher(), words, None), "soft targets" if make is scored else name, "source", block
    )


def _more():
    """What the teacher says of all words without labels: large, so it is kept once, for all arms and blocks."""
    name = next(name for name, way in WAYS.items() if way.more)
    return _kept_source(lambda: ways.told(_teacher(), _words().unlabelled), name, "more words")


def _kept_source(find, name, *about):
    def made():
        found = find()
        tensors = {name: getattr(found, name) for name in ("prefixes", "targets", "logits")}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}, {"flops": found.flops}

    tensors, known = _kept(made, name, *about)
    return Source(**tensors, **known)


def trained(
    name: str, lr: float, share: float, block: int, warm: float | None = None, device: str = "cpu"
) -> tuple[Transformer, dict]:
    """The student of one arm on one block of words, and what it cost: from the cache, or trained now.

    Training gets a share of what the teacher has left of the budget, at the rate `lr`. Where there is a warm start, it
    was at the rate `warm`.
    """
    model = Transformer(len(data.cmudict.TOKENS), **STUDENT, seed=block)

    def made():
        way = WAYS[name]
        source, spent = _source(name, block), 0.0
        if way.warm:
            before, about = trained("soft targets", warm, 0.5, block, None, device)
            model.load_state_dict(before.state_dict())
            spent = about["flops"]
        paid = 0.0 if way.warm else source.flops  # a warm start has paid for what the teacher says
        rewrite = on_policy(model, way.own, seed=block) if way.own else None
        history = fit(
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
            device=device,
            progress=False,
        )
        seconds = sum(row["seconds"] for row in history.rows)
        spent += paid + sum(row["flops"] for row in history.rows)
        return dict(model.state_dict()), {"flops": spent, "teacher": paid, "seconds": seconds}

    with arithmetic_threads(1):
        tensors, about = _kept(made, name, "student", lr, share, block, warm)
    model.load_state_dict(tensors)
    return model, about


def on_validation(
    name: str, lr: float, share: float, block: int, warm: float | None = None, device: str = "cpu"
) -> float:
    """Share of the phonemes of the validation words that a student gets right."""
    words, (model, _) = _words().validation, trained(name, lr, share, block, warm, device)
    with arithmetic_threads(1):
        return 1 - pronunciation_errors(spelled(greedy(model, words.letters)), words.pronunciations).phoneme_rate


def chosen(name: str, warm: float | None = None, device: str = "cpu") -> tuple[float, float]:
    """(learning rate, share of the budget) of an arm, best on validation for the first block.

    Learning rates go on, by factors of two, until the best is none of the outermost.
    """
    lrs = list(LRS["on-policy" if WAYS[name].warm else "offline"])
    found = {lr: on_validation(name, lr, 1.0, 0, warm, device) for lr in lrs}
    while (best := max(found, key=found.__getitem__)) in (min(found), max(found)):
        further = best / 2 if best == min(found) else best * 2
        found[further] = on_validation(name, further, 1.0, 0, warm, device)
    share = 1.0
    for sooner in SOONER:
        right = on_validation(name, best, sooner, 0, warm, device)
        if right <= found[best]:
            break
        share, found[best] = sooner, right
    return best, share


# ---- measuring ----


def measured(
    name: str, lr: float, share: float, block: int, warm: float | None = None, device: str = "cpu"
) -> tuple[dict[str, np.ndarray], dict]:
    """What a student makes of the test words, float [N] each: see `lm.scores`."""

    def made():
        model, about = trained(name, lr, share, block, warm, device)
        return scores(model, _words().test), about

    with arithmetic_threads(1):
        tensors, about = _kept(made, name, "test", lr, share, block, warm)
    return {name: tensor.numpy() for name, tensor in tensors.items()}, about


def arms(run, names: list[str]) -> dict[str, dict[str, Arm]]:
    """{arm: {metric: Arm}} on all blocks, with what each chose on validation.

    Students train side by side.
    """
    device = str(devices.resolve_device(run.device))
    if any(WAYS[name].more for name in names):
        _more()
    picks: dict[str, tuple] = {}

    def start(name):
        return picks["soft targets"][0] if WAYS[name].warm else None

    def pick(names):
        asked = {
            name: {
                "begins": LRS["on-policy" if WAYS[name].warm else "offline"],
                "shares": [1, *SOONER],
                "warm": start(name),
                "budget": WAYS[name].budget,
            }
            for name in names
        }
        found = run.choices(
            asked,
            lambda missing: side_by_side(run, chosen, [(name, start(name), device) for name in missing], "settings"),
        )
        picks.update(zip(names, map(tuple, found), strict=True))

    warm = [name for name in names if WAYS[name].warm]
    pick(list(dict.fromkeys([name for name in names if name not in warm] + ["soft targets"] * bool(warm))))
    pick(warm)
    students = [(name, *picks[name], block, start(name), device) for name in names for block in range(BLOCKS)]
    tables = side_by_side(run, measured, students, "arms")
    slices = {what: (_words().test.slices[column] == level).to_numpy() for what, (column, level) in SLICES.items()}
    if any(WAYS[name].more for name in names):  # were their relatives told, whose split is that of the labels?
        slices[UNTOLD] = ~related(_words().test.about["word"], _words().unlabelled.about["word"])
    found = {}
    for name in names:
        own = [table for (whose, *_), (table, _) in zip(students, tables, strict=True) if whose == name]
        values = {metric: np.stack([table[metric] for table in own]) for metric in own[0]}
        sure, right, long = values.pop("confidence"), values["word accuracy"], values.pop("phonemes")
        values["calibration"] = np.array([-confidence_gap(*pair) for pair in zip(sure, right, strict=True)])
        for what, inside in slices.items():
            wrong = (1 - values["phoneme accuracy"]) * long.mean(1, keepdims=True)
            of_slice = 1 - wrong / long[:, inside].mean(1, keepdims=True)
            values[f"phoneme accuracy, {what}"] = np.where(inside, of_slice, np.nan)
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
        looks: dict[str, Any] = run.setting.looks() | {"metric": metric, "scale": scale, "unit": unit, **seeds}
        if a.values.ndim == 2:
            counted = ~np.isnan(a.values[0])
            words = run.data.test[counted]
            a, b = (arm._replace(values=run.setting.independent(arm.values[:, counted], words)) for arm in (a, b))
        also.append(Part(key, a, b, **looks))
    shared = [pd.DataFrame(seeds)]
    first, second = (found[name][run.setting.metric] for name in (one, other))
    return part(run, key, first, second, shared, also=tuple(sorted(also, key=lambda one: one.metric)))
