"""What int8 and pruning do to students that have learned from a teacher: every step against what it began with.

Steps are taken in several orders: distil, int8; distil, cut out half of the units, distil again, int8; distil, set
four fifths of the weights to zero. Before and after a step the same student answers the same examples, from ONNX files,
so that differences are small where a step does little. Beside them stand students of the small size from the start,
trained for as long in all, and students of labels.
"""

import functools
import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kdcourse import data, store
from kdcourse._process import arithmetic_threads
from kdcourse.claims import arms
from kdcourse.claims.arms import on_slice, part
from kdcourse.claims.ladder import climb
from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.record import Arm, Part
from kdcourse.models import channels_for_ratio, cnn
from kdcourse.ship import export_onnx, onnx_logits, processor, prune_units, prune_weights, quantize_int8
from kdcourse.sweep.identity import code_behind
from kdcourse.train import accuracy, cosine, distill

KINDS = {"fashion-mnist": ("MLP", "CNN"), "wordnet-glosses": ("MLP",)}
EXAMPLES = 5_000  # of a block
# A step changes few answers, so that pairs differ little: by half a point from block to block, six blocks show a cost
# beyond a margin of one point (`stats.detectable_difference`).
BLOCKS = {"MLP": 10, "CNN": 6}
CHOOSE_ON = {"MLP": 2, "CNN": 1}  # blocks
CHOOSE_BY = 5_000  # validation examples
TRAINING = {"MLP": {"epochs": 20, "batch_size": 128}, "CNN": {"epochs": 6, "batch_size": 32}}
RATIO = 20  # how many times smaller than the teacher a CNN is
UNITS, WEIGHTS = 0.5, 0.8  # shares that are cut out, or set to zero
MARGIN = 0.01  # of accuracy: what costs less costs little
FEWEST = 100  # validation examples of a class that can be the worst
METHOD = {"MLP": "dynamic", "CNN": "static"}  # ONNX Runtime's advice for convolutions
CALIBRATE_ON = 256

# Where settings begin; `ladder.STEPS` says which are climbed in.
SOFT, HARD = {"temperature": 4.0, "lr": 0.008}, {"lr": 0.004, "weight_decay": 0.25}
ARMS = {"distilled": SOFT, "small": SOFT, "labels": HARD}
BESIDE = {"half as wide from the start": "small", "labels alone": "labels", "labels alone in int8": "labels, int8"}
EPOCHS = {"distilled": 1.0, "labels": 1.0, "again": 0.5, "small": 1.5}  # times those of `TRAINING`
# {step: (after it, before it)}
STEPS = {
    "int8": ("distilled, int8", "distilled"),
    "half of the units cut": ("half", "distilled"),
    "half cut and distilled again": ("again", "distilled"),
    "int8 on top": ("again, int8", "again"),
    "80 % of weights zero": ("sparse", "distilled"),
}


# ---- training ----


def network(run: Any, kind: str, seed: int, *, small: bool = False) -> torch.nn.Sequential:
    """A student with its initial weights; `small`, of the size that is left when units are cut out."""

    def size(n):
        return round((1 - UNITS) * n) if small else n

    if kind == "CNN":
        return cnn([size(n) for n in channels_for_ratio(RATIO, run.data.teacher_parameters)], seed=seed)
    return arms.network(run.data, size(run.setting.width), seed)


def block(run: Any, k: int) -> data.Split:
    """The examples of the k-th repetition; no two share one."""
    return run.data.train[k * EXAMPLES : (k + 1) * EXAMPLES]


def split(run: Any, where: str) -> data.Split:
    """The test examples, or the validation examples that everything is chosen on."""
    return run.data.test if where == "test" else run.data.validation[:CHOOSE_BY]


def trained(run: Any, kind: str, arm: str, k: int, how: Mapping, before: Mapping | None = None) -> torch.nn.Sequential:
    """The student of an arm on a block: from this user's cache, or trained now.

    `before`: the settings of the distilled student that is cut, and then trained `how`.
    """
    model = network(run, kind, k, small=arm in ("small", "again"))

    def made():
        some = block(run, k)
        learner = model if before is None else prune_units(trained(run, kind, "distilled", k, before), UNITS)
        options = {"weight_decay": 0.25, "schedule": cosine} | TRAINING[kind] | how
        options["epochs"] = max(1, round(EPOCHS[arm] * TRAINING[kind]["epochs"]))
        options |= {"soft_weight": 0.0} if arm == "labels" else {}
        distill(
            learner,
            some.inputs,
            some.teacher_logits,
            some.labels,
            order_seed=k,
            device=run.device,
            progress=False,
            **options,
        )
        return dict(learner.state_dict())

    model.load_state_dict(_kept(run, made, "trained", kind, arm, k, dict(how), before and dict(before)))
    return model


def chosen(run: Any, kind: str, arm: str, start: Mapping, before: Mapping | None = None) -> dict[str, float]:
    """The settings of an arm, best on validation on average over the first blocks."""
    some = split(run, "validation")
    validation = (some.inputs, some.labels)

    @functools.cache
    def score(*how):
        models = [trained(run, kind, arm, k, dict(how), before) for k in range(CHOOSE_ON[kind])]
        return np.mean([accuracy(model, validation, device=run.device) for model in models])

    return climb(dict(start), lambda how: score(*how.items()))


# ---- measuring ----


def measured(run: Any, kind: str, k: int, how: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
    """{"state, split": [examples] is it right?} for each state, in float32 and in int8, by ONNX Runtime."""

    def made():
        models = {arm: trained(run, kind, arm, k, how[arm]) for arm in ARMS}
        models["again"] = trained(run, kind, "again", k, how["again"], how["distilled"])
        models["half"] = prune_units(models["distilled"], UNITS)
        models["sparse"] = prune_weights(models["distilled"], WEIGHTS)
        return {
            f"{name}{form}, {where}": logits.argmax(1) == split(run, where).labels
            for name, model in models.items()
            for (form, where), logits in _answers(run, kind, model, block(run, k).inputs[:CALIBRATE_ON]).items()
        }

    settings = {arm: dict(its) for arm, its in how.items()}
    tensors = _kept(run, made, "measured", kind, k, settings, processor().vnni)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _answers(run, kind, model, examples):
    """{(form, split): logits}, where the form is "" or ", int8"."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"": export_onnx(model, examples, Path(folder, "model.onnx")).path}
        calibration = examples if METHOD[kind] == "static" else None
        files[", int8"] = quantize_int8(
            files[""], Path(folder, "int8.onnx"), method=METHOD[kind], calibration=calibration
        ).path
        return {
            (form, where): onnx_logits(path, split(run, where).inputs)
            for (form, path), where in itertools.product(files.items(), ("validation", "test"))
        }


def steps(run: Any) -> list[Part]:
    """Each step against what it began with, for each kind of student of a setting."""
    return [one for kind in KINDS[run.setting.name] for one in _steps(run, kind)]


def _steps(run, kind):
    def choices(begins):
        """{arm: its settings} of {arm: what `chosen` asks for of it}."""
        asked = {f"{kind}, {arm}": (kind, arm, *begin) for arm, begin in begins.items()}
        found = run.choices(
            {what: {"begins": start, "training": TRAINING[kind]} for what, (_, _, start, *_) in asked.items()},
            lambda missing: side_by_side(
                run, functools.partial(chosen, run), [asked[what] for what in missing], "settings"
            ),
        )
        return dict(zip(begins, found, strict=True))

    how = choices({arm: (start,) for arm, start in ARMS.items()})
    gentle = {**how["distilled"], "lr": how["distilled"]["lr"] / 2}
    how |= choices({"again": (gentle, how["distilled"])})
    blocks = range(BLOCKS[kind])
    ready = [(kind, arm, k, how[arm]) for arm in ARMS for k in blocks]
    side_by_side(run, functools.partial(trained, run), ready, "students")
    tables = side_by_side(run, functools.partial(measured, run, kind), [(k, how) for k in blocks], "steps")
    found = {name: np.stack([table[name] for table in tables]).astype(np.float32) for name in tables[0]}
    return [_part(run, kind, step, found, how, pair) for step, pair in STEPS.items()]


def _part(run, kind, step, found, how, pair):
    key = {"student": kind, "step": step}
    seeds = [pd.DataFrame(dict.fromkeys(("init_seed", "order_seed"), np.arange(BLOCKS[kind])))]
    worst = run.data.test.labels.numpy() == _worst(run, found, *pair)
    a, b = (Arm(name, found[f"{name}, test"], how["again" if "again" in name else "distilled"]) for name in pair)
    on_worst = [arm._replace(values=on_slice(arm.values, worst)) for arm in (a, b)]
    looks = {"metric": f"{run.setting.metric}, worst class", "how_many": int(worst.sum())}
    beside = {said: float(found[f"{state}, test"].mean()) for said, state in BESIDE.items()}
    also = (part(run, key, *on_worst, seeds, **looks),)
    return part(run, key, a, b, seeds, margin=MARGIN, beside=beside, also=also)


def _worst(run, found, after, before):
    """The class of validation that a step costs most: every step has its own."""
    labels = split(run, "validation").labels.numpy()
    cost = (found[f"{before}, validation"] - found[f"{after}, validation"]).mean(0)
    classes = [label for label in np.unique(labels) if (labels == label).sum() >= FEWEST]
    return max(classes, key=lambda label: cost[labels == label].mean())


def _kept(run: Any, make: Callable, what: str, *about: Any) -> dict[str, torch.Tensor]:
    """The tensors that `make` gives, from this user's cache if they are there: under all code and data behind them."""
    path = store.cache_folder("shipping") / f"{store.fingerprint([_behind(run.data, what), *about])}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with arithmetic_threads(1):  # students train side by side
            store.save_tensors(path, make())
    return store.load_tensors(path)[0]


@functools.lru_cache(maxsize=4)
def _behind(examples, what):
    """What a result depends on."""
    splits = [split.fingerprint() for split in (examples.train, examples.validation, examples.test)]
    return [*code_behind(__name__, what), torch.__version__, *splits]
