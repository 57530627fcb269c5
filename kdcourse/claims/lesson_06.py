"""The experiment of lesson 06: what a student is shown decides what it can learn.

The opposite claim, that distillation always makes a model much worse, is answered by what others have measured:
`95-percent-at-10x` and `above-20x-gap` against the teacher, `soft-beats-hard` against a model of the same size.
"""

from dataclasses import replace

import torch

from kdcourse import transfer
from kdcourse.claims.arms import FEW, MANY, SOFT, best_everywhere, options, pairs, planned, repetitions
from kdcourse.claims.record import claim
from kdcourse.claims.settings import BLOCK
from kdcourse.train import load_teacher

# Half of a block; and as many flights of one carrier as there are for 20 blocks.
EXAMPLES = {"fashion-mnist": (FEW, 2_400), "flights": (FEW, 1_700)}
RUIN = 0.05  # the limit of lesson 04
TIMES = 10  # how often each of a few pictures is shown


@claim(
    "wrong-distribution-ruins",
    "A transfer set from another distribution ruins the student.",
    taught_in="practitioners' guides; Menghani and Ravi 2019 (abstract) report exceptions",
    supports="worse",
    settings=("fashion-mnist", "flights"),
    parts="transfer sets",
)
def wrong_distribution_ruins(run):
    """On test, students of the same teacher that were shown other examples minus those shown the task's own, as many of
    them and as often; settings of each arm chosen on the task's validation data. A student is ruined that is worse by
    more than 5 points.
    """

    def students_of(name, signal, n):
        places = repetitions(run, n, signal=signal, **planned(run, MANY))
        return best_everywhere(run, places, run.setting.width, SOFT, options(run, FEW if n == FEW else MANY), name)

    parts = []
    for n in EXAMPLES[run.setting.name]:
        own = "the task's own", students_of("the task's own", lambda data, block: data, n)
        for name, signal in SHOWN[run.setting.name](run, n).items():
            arm = name, students_of(name, signal, n)
            parts.append(pairs(run, {"shown": name, "examples": n}, arm, own, margin=RUIN))
    return parts


def _of_pictures(run, n):
    """{name: a function of a repetition's data set and the number of its block} that gives what a student is shown."""
    classes, teacher = len(run.data.class_names), load_teacher(run.setting.name)

    def of_block(choose):
        """The first n of the pictures that `choose` gives, of 12 n / 5 of a block."""
        few = min(12 * n // 5, BLOCK)
        return lambda data, block: replace(data, train=choose(run.data.train[block * BLOCK :][:few], block)[:n])

    def half(block, number):  # the first five classes, in every other block the last five
        return block[(block.labels < classes // 2) == (number % 2 == 0)]

    def confident(block, number):
        return block[block.teacher_logits.softmax(1).amax(1).argsort(descending=True, stable=True)]

    def few(block, number):
        return block[torch.arange(n) % (n // TIMES)]

    def asked(pictures):
        return lambda data, block: transfer.asked(data, pictures(n, block), teacher, run.device)

    chosen = {"half the classes": half, "confident pictures": confident, "few pictures": few}
    made = {"digits": transfer.digits, "one photograph": transfer.one_picture, "noise": transfer.noise}
    return {name: of_block(choose) for name, choose in chosen.items()} | {name: asked(made[name]) for name in made}


def _of_flights(run, n):
    """As `_of_pictures`: flights of one carrier, or of some months, those of a block its own."""
    about = run.data.train.about
    month = about["date"].dt.month
    rows = {
        "one carrier": about["carrier"] == about["carrier"].mode()[0],
        "December to February": month.isin([12, 1, 2]),
        "January to June": month <= 6,
    }

    def of(chosen):
        (places,) = chosen.to_numpy().nonzero()
        return lambda data, block: replace(data, train=run.data.train[places[block * n : (block + 1) * n]])

    return {name: of(chosen) for name, chosen in rows.items()}


SHOWN = {"fashion-mnist": _of_pictures, "flights": _of_flights}
