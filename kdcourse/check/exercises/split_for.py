"""The exercise `split_for`: the sketch of a pipeline, as data."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule

SPLIT_OF = {
    "write the plan": "none",
    "distil": "train",
    "choose size and temperature": "validation",
    "audit": "test",
}
_STEPS = list(SPLIT_OF)
_SPLITS = ["none", "train", "validation", "test"]
# Of each wrong split what to say.
_WRONG = {
    "write the plan": {
        "test": "A plan that has seen the test set fits it. Margins are set before that is opened.",
        "validation": "A margin follows from what a mistake does to somebody, and no split knows that.",
        "train": "Nothing is learned from examples when the plan is written. It says what would stop you.",
    },
    "distil": {
        "none": "A student learns from what its teacher says of examples. Of which?",
        "test": "A student that was taught on the test set has seen the examination. That is a leak.",
        "validation": "What teaches the student cannot choose among students any more.",
    },
    "choose size and temperature": {
        "none": "Sizes and temperatures differ in what students get right, so somebody has to look.",
        "train": "On what they have learned from, larger students look better than they are.",
        "test": "The best of many on the test set is partly the luckiest, and nothing is left to report on.",
    },
    "audit": {
        "none": "An audit measures what the student loses. On which examples?",
        "train": "An audit on what the student has learned from is no audit.",
        "validation": "Validation has chosen this student, so it flatters it. Audit on what has chosen nothing.",
    },
}


def _but(step, split):
    """The right answers, one of them exchanged."""
    return lambda step_asked: split if step_asked == step else SPLIT_OF[step_asked]


split_for = Exercise(
    "split_for",
    lesson="10_capstone",
    order=1,
    reference=lambda step: SPLIT_OF[step],
    inputs=lambda generator: (_STEPS[int(torch.randint(len(_STEPS), (), generator=generator))],),
    small=[(step,) for step in _STEPS],
    words=_SPLITS,
    praise="What chooses does not report, and the test set is opened once.",
    hints=[
        "Of each step ask: does it learn, choose, or report? A promise does none of the three.",
        "Training examples teach, validation examples choose, test examples report.",
        "One step chooses. Another is a promise, and sees nothing.",
    ],
    bugs={
        f"{step} on {split}": Bug(_but(step, split), said)
        for step, wrong in _WRONG.items()
        for split, said in wrong.items()
    },
    rules=[
        Rule(lambda place, step: place >= 0, f"Return one of these words: {', '.join(_SPLITS)}."),
        *(
            Rule(lambda place, asked, step=step, split=split: (asked, _SPLITS[int(place)]) != (step, split), said)
            for step, wrong in _WRONG.items()
            for split, said in wrong.items()
        ),
    ],
)
