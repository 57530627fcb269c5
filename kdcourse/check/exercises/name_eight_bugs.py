"""The exercise `name_eight_bugs`; the runs that it is about are those of `kdcourse.gallery`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pairings import exchanged, wrong_pairings
from kdcourse.gallery import BUG_OF, NAMES

# A wrong pairing is told both: of the name, what it would look like, and of the run, what it looks like.
WOULD = {
    "teacher on both sides": "With the teacher on both sides the soft term is 0 from the first batch on.",
    "cache misaligned": "A misaligned cache asks for other pictures' answers: a sound loss, the same twice, that a "
    "copy of the teacher does badly on, and a student that stays unsure.",
    "raw logits": "Raw logits, taken for probabilities, change the loss when a constant is added to all of them.",
    "log missing": "Without its logarithm the divergence is below 0, for a copy of the teacher, too.",
    "softmax twice": "After a second softmax no logits reach the teacher's probabilities: a copy is above 0, and "
    "nothing else moves the term.",
    "wrong axis": "A softmax over the batch changes when the batch does: alone, a picture gets probability 1.",
    "teacher in train mode": "A teacher in training mode draws its dropout anew: the same batch twice, two values.",
    "gradient into the teacher": "A teacher that learns comes to meet the student: a sound term, low at once, and a "
    "student that has still moved away from what the teacher said before.",
}
_SEEN = {
    "A": "is far below 0 from first to last, and for a copy of the teacher.",
    "B": "gives another value when the same batch is computed twice.",
    "C": "gives the same value twice and alone, is far above 0 for a copy, and its student stays unsure.",
    "D": "changes most when each picture is alone in its batch.",
    "E": "has a soft term of 0 at first and at last.",
    "F": "is above 0 for a copy, the same twice and alone, and its student becomes very sure.",
    "G": "passes all four probes, and its soft term, not 0, is below that of the right run at first and at last.",
    "H": "is the only one that changes when 10 is added to all logits.",
}


name_eight_bugs = Exercise(
    "name_eight_bugs",
    lesson="06_when_distillation_fails",
    order=2,
    reference=lambda run: BUG_OF[run],
    inputs=lambda generator: ("ABCDEFGH"[int(torch.randint(8, (), generator=generator))],),
    small=[(run,) for run in "ABCDEFGH"],
    words=NAMES,
    praise="Four probes on one batch, and the soft term itself: eight bugs told apart.",
    hints=[
        "Begin with the probes: again, alone and shift are not 0 in one run each that is easy to name. Which bug "
        "makes chance, company, or a constant matter?",
        "Two runs have a negative term. One of them goes there for a copy of the teacher.",
        "Three terms pass all probes: the right one's, and two more. One is 0 at once; the other is too small.",
        "Two are left, above 0 for a copy and steady. One student becomes too sure, the other stays unsure: whose "
        "targets belong to other pictures?",
    ],
    bugs={
        "A and F exchanged": Bug(
            exchanged(BUG_OF, "A", "F"),
            "A and F both make a student too sure. A divergence without its logarithm falls below 0; a second softmax "
            "leaves a real divergence, which is never below 0. Look at the copy.",
        ),
        "C and F exchanged": Bug(
            exchanged(BUG_OF, "C", "F"),
            "C and F both stay far above 0, for a copy as well. One student is drawn to the average of all answers and "
            "stays unsure; the other pushes its logits apart against a second softmax. Look at the confidence.",
        ),
        "B and C exchanged": Bug(
            exchanged(BUG_OF, "B", "C"),
            "In B and C the targets are not what the teacher says of the picture. Dropout draws anew each time; a "
            "cache that is read in the wrong order gives a wrong answer, and always the same one. Look at again.",
        ),
        "E and G exchanged": Bug(
            exchanged(BUG_OF, "E", "G"),
            "E and G both pass all probes. A term of the teacher with itself is 0 before anything is learned; a "
            "teacher that gives way makes it small, and not at once 0.",
        ),
        "A and H exchanged": Bug(
            exchanged(BUG_OF, "A", "H"),
            "A and H both end below 0, which no divergence does. A missing logarithm still takes probabilities, which "
            "a constant does not change; raw logits it does. Look at shift.",
        ),
        "D and F exchanged": Bug(
            exchanged(BUG_OF, "D", "F"),
            "In D and F a softmax is at fault. A second one sees one picture at a time; one over the wrong axis sees "
            "the whole batch. Look at alone.",
        ),
        "B and D exchanged": Bug(
            exchanged(BUG_OF, "B", "D"),
            "B and D are both above 0 for a copy. One value depends on the company in the batch, the other on the "
            "draw. Look at again.",
        ),
        "one name for all": Bug(
            lambda run: NAMES[0],
            "Each of the eight names belongs to one run.",
            *(lambda run, name=name: name for name in NAMES[1:]),
        ),
    },
    rules=[
        Rule(lambda answer, run: answer >= 0, f"Only these words name a bug here: {', '.join(NAMES)}."),
        *wrong_pairings(BUG_OF, NAMES, WOULD, _SEEN),
    ],
)
