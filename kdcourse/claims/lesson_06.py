"""The experiment of lesson 06: what a student is shown decides what it can learn.

The opposite claim, that distillation always makes a model much worse, is answered by what others have measured:
`95-percent-at-10x` and `above-20x-gap` against the teacher, `soft-beats-hard` against a model of the same size.
"""

from dataclasses import replace

from kdcourse import transfer
from kdcourse.claims.arms import FEW, MANY, options, pairs, planned, repetitions
from kdcourse.claims.record import claim
from kdcourse.claims.settings import BLOCK
from kdcourse.claims.tuning import SOFT, best_everywhere
from kdcourse.train import load_teacher

# About half of a block, which leaves half of the classes as many; and as many flights of one carrier as there are.
EXAMPLES = {"fashion-mnist": (FEW, 2_400), "flights": (FEW, 1_700)}
RUIN = 0.05  # the limit of lesson 04
OWN = "the task's own"
FEW_OF_THEM = "few pictures"  # the control


@claim(
    "wrong-distribution-ruins",
    "A transfer set from another distribution ruins the student.",
    taught_in="practitioners' guides; Menghani and Ravi 2019 (abstract) report exceptions",
    supports="worse",
    settings=("fashion-mnist", "flights"),
    parts="transfer sets",
    revised="A temperature of 320, the highest, counted as an edge at first: beyond it, soft labels only match logits. "
    "A few of the task's own pictures, ten times each, counted as another distribution at first; now a control.",
    smallest=2.0,
)
def wrong_distribution_ruins(run):
    """On test, students of the same teacher that were shown other examples minus those shown the task's own, as many of
    them and as often; settings of each arm chosen on the task's validation data. A student is ruined that is worse by
    more than 5 points. Of garments: those of which the teacher is surest, half of the classes, or digits, crops of one
    photograph, or noise; beside each, as a control, minus students shown a tenth of the task's own, ten times each. Of
    flights: of one carrier, of three months, or of six.
    """
    parts, name = [], run.setting.name
    for n in EXAMPLES[name]:
        shown = _flights(run, n) if name == "flights" else transfer.shown(n, load_teacher(name), run.device)
        pool, how = min(12 * n // 5, BLOCK), options(run, FEW if n == FEW else MANY)
        students = {}
        for what, signal in shown.items():
            places = repetitions(run, pool, signal=signal, **planned(run, MANY))
            students[what] = best_everywhere(run, places, run.setting.width, SOFT, how, f"{what}, {n:,}")
        own, few = ((one, students.pop(one, None)) for one in (OWN, FEW_OF_THEM))
        for arm in students.items():
            main = pairs(run, {"shown": arm[0], "examples": n}, arm, own, margin=RUIN)
            if few[1] is not None:  # the control: a lack of different pictures is no other distribution
                control = pairs(run, main.key, arm, few)
                main = main._replace(also=(*main.also, control._replace(metric=f"{main.metric}, over few of its own")))
            parts.append(main)
    return parts


def _flights(run, n):
    """As `transfer.shown`: flights of one carrier, or of some months. Blocks share none."""
    about = run.data.train.about
    month = about["date"].dt.month
    chosen = {
        OWN: month > 0,
        "one carrier": about["carrier"] == about["carrier"].mode()[0],
        "December to February": month.isin([12, 1, 2]),
        "January to June": month <= 6,
    }

    def of(rows):
        (places,) = rows.to_numpy().nonzero()
        return lambda data, block: replace(data, train=run.data.train[places[block * n : (block + 1) * n]])

    return {name: of(rows) for name, rows in chosen.items()}
