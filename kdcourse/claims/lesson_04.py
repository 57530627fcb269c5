"""The experiments of lesson 04: students of several sizes, and assistants between a teacher and a small student.

A size is judged by parameters. The CNNs on 5,000 pictures are judged by latency, too: by how many times sooner they
answer 256 requests. No students are trained for that. The other settings ship no teacher whose latency can be measured.
"""

import math
from dataclasses import replace
from functools import partial

from kdcourse import controls
from kdcourse.claims.arms import (
    MANY,
    constant,
    gain,
    in_every_metric,
    inputs,
    network,
    of_teacher,
    on_test,
    options,
    pairs,
    part,
    repetitions,
    students,
)
from kdcourse.claims.ladder import faster, ladder
from kdcourse.claims.parallel import side_by_side
from kdcourse.claims.record import claim, label
from kdcourse.claims.settings import BLOCK
from kdcourse.claims.tuning import STEPS, best_everywhere, near
from kdcourse.data import load
from kdcourse.data.wordnet_glosses import FEATURES
from kdcourse.models import width_for_ratio
from kdcourse.sweep.blocks import merit
from kdcourse.train import distill

EVERYTHING = 50_000
# As many settings for the one arm as for the other, in every comparison.
SOFT = {"temperature": [1, 2, 4], "lr": [0.003, 0.01, 0.03]}
HARD = {"soft_weight": 0, "lr": [0.001, 0.003, 0.01], "weight_decay": [0, 0.03, 0.1, 0.3, 1, 3]}
MLPS = {"soft": SOFT, "labels": HARD}
CHEAP = {"soft_weight": 0, "lr": [0.01, 0.03, 0.1], "hidden_layers": 0}
DIRECT = {"temperature": [1, 2, 4, 7, 10, 20], "lr": [0.003, 0.01, 0.03]}  # with assistants of two sizes, SOFT is twice
NAMES = {"labels": "labels", "arg-max": "arg-max labels"}
ASSISTANTS = [5, 20]  # how many times smaller than the teacher
LIMIT, POINT = 0.05, 0.01
NATS = ("log-likelihood",)  # for which no limit is set
FEWER = 4  # seeds on all pictures, where training takes up to 41 times as long
LADDER = (
    "The CNNs, flights and sizes by latency are new since a first run, which had MLPs on pictures alone; intervals of "
    "3 and 4 seeds, too short at first, are wider now"
)


@claim(
    "sweet-spot-5-20",
    "The sweet spot is a student 5 to 20 times smaller than its teacher.",
    taught_in="practitioners' guides, as a rule of thumb; we know of no paper that supports it as a law",
    holds="all",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    revised=f"{LADDER}. That run judged its parts one by one; now, all of them must hold. Glosses "
    "came last. Of flights, soft labels at 2× on 50,000 chose again.",
    smallest=1.6,
    planned=True,
)
def sweet_spot(run):
    """What soft labels gain on test over labels at a size ratio of 10, minus what they gain at a ratio outside 5 to 20.
    Same examples, initial weights and order for both. CNNs have blocks of 5,000 pictures, and for 50× all 50,000; MLPs
    those, or as many glosses or flights. By latency, the CNN nearest to 10 times faster, where one is 5 to 20 times
    faster; for glosses and flights no teacher is shipped whose latency could be measured.
    """
    parts = []
    for which, n, students_of, times in by_size(run, "soft", "labels", "arg-max"):
        soft, hard, arg_max = (students_of[arm] for arm in ("soft", "labels", "arg-max"))
        beside = {"gain over arg-max labels, 10×": gain(run, soft[10], arg_max[10]).values.mean()} if arg_max else None
        ten = nearest_to_10(hard, times)
        for ratio in hard if ten else ():
            if not 5 <= times[ratio] <= 20:
                key = {**which, "ratio": [ten, ratio], "examples": n}
                parts.append(in_every_metric(run, _gains_differ, key, times, soft, hard)._replace(beside=beside))
    return distinct(parts)


def _gains_differ(run, key, times, soft, hard):
    """The part that compares what soft labels gain over labels at one ratio and at another."""
    gains = [sized(gain(run, soft[ratio], hard[ratio]), key, times[ratio]) for ratio in key["ratio"]]
    return part(run, key, *gains, [soft[ratio] for ratio in key["ratio"]])


@claim(
    "below-5x-use-small",
    "Below 5 times smaller, distillation is not worth it: just train the small model on labels.",
    taught_in="practitioners' guides, as a rule of thumb",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    revised=f"{LADDER}. Glosses came last.",
    smallest=1.2,
    planned=True,
)
def below_5x(run):
    """How far what soft labels gain on test over labels stays under 1 point, at a size ratio of 2, and for CNNs that
    are less than 5 times faster. Settings of each arm were chosen on validation. CNNs have blocks of 5,000 pictures;
    MLPs those, or as many glosses or flights, and 50,000.
    """
    parts = []
    for which, n, students_of, times in by_size(run, "soft", "labels"):
        soft, hard = students_of["soft"], students_of["labels"]
        # At 5, soft labels alone may have been trained.
        for ratio in (one for one in hard if times[one] < 5):
            key = {**which, "side": "under", "ratio": ratio, "examples": n}
            tables = soft[ratio], hard[ratio]
            parts.append(in_every_metric(run, _under_a_point, key, times[ratio], *tables, but=NATS))
    return distinct(parts)


def _under_a_point(run, key, times, soft, hard):
    """The part that compares what soft labels gain over labels with a limit of 1 point."""
    won, means = gain(run, soft, hard), {"soft labels": soft, "labels": hard}
    beside = {name: on_test(run, table).mean() for name, table in means.items()}
    return part(run, key, constant("limit", POINT, won.values), sized(won, key, times), [soft], beside=beside)


@claim(
    "above-20x-gap",
    "Above 20 times smaller, and only there, the gap to the teacher is too large.",
    taught_in="practitioners' guides, as a rule of thumb; Mirzadeh et al. 2020 on the capacity gap",
    holds="all",
    settings=("fashion-mnist", "wordnet-glosses", "flights"),
    revised=f"{LADDER}. That run judged its parts one by one; now, all of them must hold. Glosses "
    "came last, and their ratio of 10 after the others.",
    smallest=1.8,
    planned=True,
)
def above_20x(run):
    """How far the gap on test between the teacher and students on soft labels lies over a limit of 5 points at ratios
    above 20, and under it up to 20. Of pictures, CNNs of the teacher's shape, by latency as well where that puts them
    on the other side of 20; of pictures, glosses and flights, small MLPs.
    """
    parts = []
    for which, n, students_of, times in by_size(run, "soft"):
        for ratio, table in students_of["soft"].items():
            key = {**which, "side": "over" if times[ratio] > 20 else "under", "ratio": ratio, "examples": n}
            parts.append(in_every_metric(run, _gap_and_limit, key, times[ratio], table, but=NATS))
    return distinct(parts)


def _gap_and_limit(run, key, times, table):
    """The part that compares the gap to the teacher with a limit of 5 points, over it or under it."""
    gap = students("gap to the teacher", table, of_teacher(run) - on_test(run, table))
    gap, limit = sized(gap, key, times), constant("limit", LIMIT, gap.values)
    return part(run, key, *((gap, limit) if key["side"] == "over" else (limit, gap)), [table])


@claim(
    "95-percent-at-10x",
    "A student a tenth of the size keeps 95 % of the teacher's accuracy.",
    taught_in="vendors and overviews; Sanh et al. 2019 report 97 % of a GLUE score at 60 % of the size",
    settings=("fashion-mnist", "wordnet-glosses"),
    revised=f"{LADDER}. Glosses came last.",
    smallest=1.2,
    planned=True,
)
def keeps_95_percent(run):
    """Accuracy on test of students on soft labels, minus 95 % of the teacher's, at a size ratio of 10. CNNs of the
    teacher's shape and MLPs, each on blocks of 5,000 pictures and on all 50,000; MLPs on as many glosses. By latency,
    the CNN nearest to 10 times faster, where one is 5 to 20 times faster. Not of flights, where who always says "on
    time" keeps that much. Beside glosses stands what a linear model learns from labels.
    """
    parts, teacher = [], of_teacher(run)
    for which, n, students_of, times in by_size(run, "soft", "labels", "arg-max"):
        ten = nearest_to_10(students_of["soft"], times)
        if ten is None:
            continue
        others = {arm: rungs[ten] for arm, rungs in students_of.items() if arm != "soft" and ten in rungs}
        beside = {f"students on {NAMES[arm]}": on_test(run, table).mean() for arm, table in others.items()}
        beside |= linear(run, n)
        soft = students_of["soft"][ten]
        kept = sized(students("student", soft, on_test(run, soft)), which, times[ten])
        limit = constant("95 % of the teacher", 0, kept.values)._replace(values=0 * kept.values + 0.95 * teacher)
        key = {**which, "ratio": ten, "examples": n}
        parts.append(part(run, key, kept, limit, [soft], beside={"teacher": teacher.mean(), **beside}))
    return distinct(parts)


@claim(
    "assistant-bridges-gap",
    "An assistant of medium size helps a student that is much smaller than its teacher.",
    taught_in="Mirzadeh et al. 2020",
    parts="cases",
    revised="A first run had no part at equal compute in all. Four parts, where a choice lay on an edge, chose again "
    "from wider grids.",
    smallest=1.6,
)
def assistant_bridges_gap(run):
    """On test, MLPs taught by an assistant minus MLPs taught by the teacher, above a size ratio of 20. At equal compute
    for the student; and at equal compute in all, where the student without an assistant trains longer instead.
    Temperature, learning rate and the size of the assistant (5 or 20 times smaller) were chosen on validation.
    """
    parts, same_size = [], sizes(run, "soft")
    for n, places in _places(run).items():
        usual, helped = options(run, n), {}
        # An assistant is trained as validation liked students of its size best.
        chosen = {size: _how(same_size[n]["soft"][size]) for size in ASSISTANTS}
        for size, how in chosen.items():
            train = partial(_assistant, run.device, size, {**usual, **how})
            trained = side_by_side(run, train, [(data, order) for data, _, order in places], "assistants")
            helped[size] = [
                (controls.taught_by(data, assistant), inits, order)
                for assistant, (data, inits, order) in zip(trained, places, strict=True)
            ]
        for ratio in [50, 100, 200]:
            width, key = _width(run.data, ratio), {"ratio": ratio, "examples": n}
            said = label(key, run.setting.name)
            # The assistant is a setting like the others: which of the two, validation says.
            via = {
                size: best_everywhere(run, helped[size], width, SOFT, usual, f"{said}, by an assistant of {size}×")
                for size in helped
            }
            size = max(via, key=lambda size: merit(via[size], run.setting.choose).mean())
            direct = best_everywhere(run, places, width, DIRECT, usual, said)
            # So many epochs of the student cost what its own and those of its assistant do. All that DIRECT holds would
            # take hours here, so this arm goes on from what it has chosen for the usual epochs, among as many settings
            # as the other arm. What longer training asks for is another learning rate: those next to the chosen one are
            # tried, further ones if they are better, and stopping sooner as in every arm.
            longer = {**usual, "epochs": round(usual["epochs"] + chosen[size]["epochs"] * ratio / size)}
            nearby = near({"lr": STEPS["lr"]}, direct.iloc[0])
            nearby |= {name: direct[name].iloc[0] for name in ("temperature", "weight_decay")}
            few = places if n <= BLOCK else places[:FEWER]
            alone = best_everywhere(run, few, width, nearby, longer, said)
            for compute, other in [("equal for the student", direct), ("equal in all", alone)]:
                arms = ("by an assistant", via[size].head(len(other))), ("by the teacher", other)
                parts.append(pairs(run, {**key, "compute": compute}, *arms))
    return parts


def by_size(run, *arms):
    """(what their keys say first, examples, {arm: {ratio: students}}, {ratio: how many times smaller, or faster}).

    The ladder's CNNs, where there are pictures: by parameters, and those on blocks by latency; then MLPs. An arm that
    was not trained has no ratios.
    """
    smaller = {ratio: ratio for ratio in run.setting.ratios}
    if run.setting.name == "fashion-mnist":
        cnns = {n: {arm: found.get(arm, {}) for arm in arms} for n, found in ladder(run).items()}
        for n, students_of in cnns.items():
            yield {"student": "CNN"}, n, students_of, smaller
        yield {"student": "CNN", "by": "latency"}, BLOCK, cnns[BLOCK], faster()
    for n, found in sizes(run, *arms).items():
        yield {}, n, {arm: found.get(arm, {}) for arm in arms}, smaller


def linear(run, n):
    """{name: mean accuracy on test} of linear models on labels, where inputs are ids: of as many as the students have,
    and of eight times as many. They have 0.1 and 0.8 million weights, and cost next to nothing.
    """
    found = {}
    for size in (FEATURES, 8 * FEATURES) if run.data.vocabulary else ():
        wide = replace(run, data=load("wordnet-glosses", features=size))
        table = best_everywhere(wide, repetitions(wide, n), 1, CHEAP, options(run, n), f"{n:,}, linear, {size:,}")
        found[f"linear model, {size} n-grams"] = on_test(wide, table).mean()
    return found


def nearest_to_10(ratios, times):
    """Which of these ratios is nearest to 10 times smaller (or faster, as `times` says), from 5 to 20; or None."""
    near = [ratio for ratio in ratios if 5 <= times[ratio] <= 20]
    return min(near, key=lambda ratio: abs(math.log(times[ratio] / 10)), default=None)


def sized(arm, which, times):
    """The arm; judged by latency, its name says how many times faster its students are."""
    return arm._replace(name=f"{arm.name}, {times:g} times faster") if "by" in which else arm


def distinct(parts):
    """Without those by latency that compare what a part by parameters does: no new information, but wider intervals."""
    keys = [one.key for one in parts]
    return [one for one in parts if "by" not in one.key or {k: v for k, v in one.key.items() if k != "by"} not in keys]


def sizes(run, *arms):
    """{examples: {arm: {ratio: MLPs}}} of those arms that MLPs have; each chose its settings on validation.

    As on the ladder, students on labels are trained only where a gain is asked for: at 10×, and outside of 5 to 20.
    """

    def trained(n, places, arm, ratio):
        what = label({"ratio": ratio, "examples": n}, run.setting.name)
        return best_everywhere(run, places, _width(run.data, ratio), MLPS[arm], options(run, n), what)

    asked = {arm: [r for r in run.setting.ratios if arm == "soft" or r == 10 or not 5 <= r <= 20] for arm in MLPS}
    return {
        n: {arm: {ratio: trained(n, places, arm, ratio) for ratio in asked[arm]} for arm in arms if arm in MLPS}
        for n, places in _places(run).items()
    }


def _places(run):
    """{examples: repetitions}: all training examples, and blocks of them; no two share a seed."""
    return {n: repetitions(run, n) for n in (EVERYTHING, MANY)}


def _assistant(device, ratio, how, data, seed):
    assistant = network(data, _width(data, ratio), 100 + seed)
    same = {"order_seed": 100 + seed, "device": device, "progress": False}
    distill(assistant, data.train.inputs, data.train.teacher_logits, **how, **same)
    return assistant


def _how(table):
    """How the students in a table were trained."""
    chosen = table.iloc[0]
    settings = {name: chosen[name] for name in ("temperature", "lr", "weight_decay")}
    return {**settings, "epochs": int(chosen["epochs"])}


def _width(data, ratio):
    return width_for_ratio(ratio, data.teacher_parameters, inputs(data), len(data.class_names))
