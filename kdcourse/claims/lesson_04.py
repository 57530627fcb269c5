"""The experiments of lesson 04: students of several sizes, and assistants between a teacher and a small student."""

from tqdm.auto import tqdm

from kdcourse import controls
from kdcourse.claims.arms import (
    MANY,
    best_everywhere,
    constant,
    gain,
    inputs,
    merit,
    network,
    of_teacher,
    on_test,
    options,
    pairs,
    part,
    repetitions,
    students,
)
from kdcourse.claims.record import claim, label
from kdcourse.models import width_for_ratio
from kdcourse.train import distill

EVERYTHING = 50_000
# As many settings for the one arm as for the other, in every comparison.
SOFT = {"temperature": [1, 2, 4], "lr": [0.003, 0.01, 0.03]}
HARD = {"soft_weight": 0, "lr": [0.001, 0.003, 0.01], "weight_decay": [0, 0.03, 0.1, 0.3, 1, 3]}
DIRECT = {"temperature": [1, 2, 4, 7, 10, 20], "lr": [0.003, 0.01, 0.03]}  # with assistants of two sizes, SOFT is twice
ASSISTANTS = [5, 20]  # how many times smaller than the teacher
LIMIT, POINT = 0.05, 0.01


@claim(
    "sweet-spot-5-20",
    "The sweet spot is a student 5 to 20 times smaller than its teacher.",
    taught_in="practitioners' guides, as a rule of thumb; we know of no paper that supports it as a law",
    holds="all",
    revised="Its parts were judged one by one in a first run; since then, all of them must hold.",
)
def sweet_spot(run):
    """What distillation gains over the same-size student on labels, at a size ratio of 10, minus what it gains at a
    ratio outside the range; all 50,000 pictures, and blocks of 5,000.
    """
    parts = []
    for n, (soft, hard) in sizes(run).items():
        gains = {ratio: gain(run, soft[ratio], hard[ratio]) for ratio in soft}
        for ratio in gains:
            if not 5 <= ratio <= 20:
                key = {"ratio": [10, ratio], "examples": n}
                parts.append(part(run, key, gains[10], gains[ratio], [soft[10], soft[ratio]]))
    return parts


@claim(
    "below-5x-use-small",
    "Below 5 times smaller, distillation is not worth it: just train the small model on labels.",
    taught_in="practitioners' guides, as a rule of thumb",
    parts="transfer-set sizes",
)
def below_5x(run):
    """How far the gain of soft labels over labels on test stays under 1 point, at a size ratio of 2; settings of each
    arm chosen on validation.
    """
    parts = []
    for n, (soft, hard) in sizes(run).items():
        won = gain(run, soft[2], hard[2])
        key = {"side": "under", "ratio": 2, "examples": n}
        parts.append(part(run, key, constant("limit", POINT, won.values), won, [soft[2]]))
    return parts


@claim(
    "above-20x-gap",
    "Above 20 times smaller, the gap to the teacher becomes too large.",
    taught_in="practitioners' guides, as a rule of thumb; Mirzadeh et al. 2020 on the capacity gap",
    holds="all",
    settings=("fashion-mnist", "wordnet-glosses"),
    revised="Its parts were judged one by one in a first run; since then, all of them must hold.",
)
def above_20x(run):
    """How far the gap between teacher and distilled student on test lies over a limit of 5 points at ratios above 20,
    and under it up to 20.
    """
    parts, teacher = [], of_teacher(run)
    for n, (soft, _) in sizes(run).items():
        for ratio, table in soft.items():
            gap = students("gap to the teacher", table, teacher - on_test(run, table))
            limit, key = constant("limit", LIMIT, gap.values), {"ratio": ratio, "examples": n}
            if ratio > 20:
                parts.append(part(run, {"side": "over", **key}, gap, limit, [table]))
            else:
                parts.append(part(run, {"side": "under", **key}, limit, gap, [table]))
    return parts


@claim(
    "95-percent-at-10x",
    "A student a tenth of the size keeps 95 % of the teacher's accuracy.",
    taught_in="vendors and overviews; Sanh et al. 2019 report 97 % of a GLUE score at 60 % of the size",
    parts="transfer-set sizes",
)
def keeps_95_percent(run):
    """Distilled student's accuracy on test, minus 95 % of the teacher's, at a size ratio of 10."""
    parts, teacher = [], 0.95 * of_teacher(run)
    for n, (soft, _) in sizes(run).items():
        kept = students("student", soft[10], on_test(run, soft[10]))
        limit = constant("95 % of the teacher", 0, kept.values)._replace(values=0 * kept.values + teacher)
        parts.append(part(run, {"ratio": 10, "examples": n}, kept, limit, [soft[10]]))
    return parts


@claim(
    "assistant-bridges-gap",
    "An assistant of medium size helps a student that is much smaller than its teacher.",
    taught_in="Mirzadeh et al. 2020",
    parts="cases",
)
def assistant_bridges_gap(run):
    """On test, with an assistant in between minus without, above a size ratio of 20: at equal compute for the student,
    and at equal compute in all, the student that has none training longer instead. Its size (5 or 20 times smaller
    than the teacher) and temperature chosen on validation.
    """
    parts, same_size = [], sizes(run)
    for n, places in _places(run).items():
        helped = {}
        for size in ASSISTANTS:
            settings = same_size[n][0][size].iloc[0][["temperature", "lr"]].to_dict()  # as validation chose them
            bar = tqdm(places, desc="assistants", leave=False)
            helped[size] = [
                (controls.taught_by(data, _assistant(run, data, size, order, settings, n)), inits, order)
                for data, inits, order in bar
            ]
        for ratio in [50, 100, 200]:
            width, key = _width(run.data, ratio), {"ratio": ratio, "examples": n}
            # The assistant is a setting like the others: which of the two, validation says.
            via = {
                size: best_everywhere(run, helped[size], width, SOFT, options(run, n), label(key, run.setting.name))
                for size in helped
            }
            size = max(via, key=lambda size: merit(via[size], run.setting.choose).mean())
            usual = options(run, n)
            longer = {**usual, "epochs": round(usual["epochs"] * (1 + ratio / size))}
            for compute, trained in [("equal for the student", usual), ("equal in all", longer)]:
                direct = best_everywhere(run, places, width, DIRECT, trained, label(key, run.setting.name))
                arms = ("by an assistant", via[size]), ("by the teacher", direct)
                parts.append(pairs(run, {**key, "compute": compute}, *arms))
    return parts


def sizes(run):
    """{examples: ({ratio: distilled students}, {ratio: students on labels})}; each chose its settings on validation."""
    found = {}
    for n, places in _places(run).items():
        soft, hard = {}, {}
        for ratio in run.setting.ratios:
            width, what = _width(run.data, ratio), label({"ratio": ratio, "examples": n}, run.setting.name)
            soft[ratio], hard[ratio] = (
                best_everywhere(run, places, width, arm, options(run, n), what) for arm in (SOFT, HARD)
            )
        found[n] = soft, hard
    return found


def _places(run):
    """{examples: repetitions}: all training examples, and blocks of them; no two share a seed."""
    return {n: repetitions(run, n) for n in (EVERYTHING, MANY)}


def _assistant(run, data, ratio, seed, settings, n):
    assistant = network(data, _width(data, ratio), 100 + seed)
    same = {"order_seed": 100 + seed, "device": run.device, "progress": False, **options(run, n)}
    distill(assistant, data.train.inputs, data.train.teacher_logits, **settings, **same)
    return assistant


def _width(data, ratio):
    return width_for_ratio(ratio, data.teacher_parameters, inputs(data), len(data.class_names))
