"""What a cascade wins back: students that hand on to the teacher what they are unsure of, and what chance would win.

A router that went by the teacher's confidence, or its margin, would have to ask about everything to know it. So what it
is compared with are as many examples drawn at random.
"""

import numpy as np
from scipy.special import softmax

from kdcourse.claims.arms import MANY, of_teacher, on_slice, on_test, part, rarest_third, repetitions, students
from kdcourse.claims.lesson_05 import SOFT, TRAINING, WIDTH, hard_ham, spam_filters
from kdcourse.claims.tuning import best_everywhere
from kdcourse.ship import fit_cascade

SHARES = [0.1, 0.2]  # of the validation examples, that may go to the teacher
HALF = "half of the loss won back"
OVER_CHANCE = "over asking at random"


def routes(run):
    """The parts of `cascade-recovers-the-tail`."""
    mail = run.setting.name == "spam-assassin"
    if mail:
        table, slices, looks = spam_filters(run, predictions=True), {"hard ham": hard_ham(run)}, {"repeated": "seed"}
    else:  # the same as in gap-is-not-uniform
        repeats = repetitions(run, MANY)
        table = best_everywhere(run, repeats, WIDTH, SOFT, TRAINING, "by slice", predictions=True)
        slices, looks = {"rarest third of classes": rarest_third(run)}, {}
    slices["all mail" if mail else "all glosses"] = np.ones(len(run.data.test), dtype=bool)
    alone, teacher = on_test(run, table), np.broadcast_to(of_teacher(run), (len(table), len(run.data.test)))
    parts = []
    for share in SHARES:
        asked = np.stack([_asked(run, one, share) for _, one in table.iterrows()])
        asks = asked.mean(1, keepdims=True)
        routed = np.where(asked, teacher, alone)
        half, random = (alone + teacher) / 2, (1 - asks) * alone + asks * teacher
        for place, chosen in slices.items():
            key, looks["how_many"] = {"slice": place, "share": share}, int(chosen.sum())
            cascade, won, chance = (
                students(name, table, on_slice(values, chosen))
                for name, values in [("cascade", routed), (HALF, half), ("random routing", random)]
            )
            cascade.chosen["share asked on test"] = float(asks.mean())
            # The control: that it beats chance is no evidence that it recovers most.
            control = part(run, key, cascade, chance, [table], **looks)
            beside = {"student": alone[:, chosen].mean(), "teacher": teacher[:, chosen].mean()}
            main = part(run, key, cascade, won, [table], beside=beside, **looks)
            parts.append(main._replace(also=(control._replace(metric=f"{control.metric}, {OVER_CHANCE}"),)))
    return parts


def _asked(run, student, share):
    """[test examples]: which the teacher is asked about, below the threshold that validation chose for this student."""
    validation = run.data.validation
    own, new = (softmax(student[f"{split}_logits"].astype(float), 1) for split in ("validation", "test"))
    teacher = softmax(validation.teacher_logits.numpy().astype(float), 1)
    return fit_cascade(own, teacher, validation.labels, fallback_share=share).asks(new)
