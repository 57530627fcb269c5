"""The exercise `diagnose_runs`, and the five runs that it is about."""

import pandas as pd
import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pairings import exchanged, wrong_pairings
from kdcourse.lm.failures import RUNS, broken
from kdcourse.lm.model import Transformer

NAME_OF = {
    "A": "wrong vocabulary",
    "B": "pad = end",
    "C": "healthy",
    "D": "no warm start",
    "E": "end-of-sequence mismatch",
}
# What a dashboard shows of each. A wrong pairing is told both: of the name, what it would look like, and of the run,
# what it looks like.
WOULD = {
    "healthy": "A healthy run begins with a reward near 0 and high overlap, and its length stays.",
    "end-of-sequence mismatch": "A teacher with another end is at odds with the student about one token of each word: "
    "overlap begins high, reward begins low, and soon hardly a word ends before the limit of 21 tokens.",
    "no warm start": "Without a warm start the first entropy is that of 68 equally likely tokens, ln 68 = 4.2 nats.",
    "pad = end": "With pad = end a warm student begins as a healthy one, in all four rows, and its words grow longer "
    "step by step.",
    "wrong vocabulary": "In a wrong vocabulary a warm student, sure of itself, shares next to none of its likeliest "
    "tokens with the teacher at step 0.",
}
_SEEN = {
    "healthy": "begins with a reward near 0, and length, overlap and reward hardly move.",
    "end-of-sequence mismatch": "begins with high overlap and a reward far below 0, and its length climbs to the end.",
    "no warm start": "begins with an entropy above 4 nats, and its words begin near the limit and become shorter.",
    "pad = end": "begins with a reward near 0; then its length grows step by step while the reward falls.",
    "wrong vocabulary": "begins as sure of itself as B, C and E, with next to no overlap; its reward stays lowest.",
}


def five_runs(
    student: Transformer,
    teacher: Transformer,
    letters: torch.Tensor,
    phonemes: torch.Tensor,
    watched: torch.Tensor,
    *,
    every: int = 8,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """What `lm.watch` sees of five on-policy runs, four of which have a bug each.

    Parameters
    ----------
    student, teacher, letters, phonemes, watched, every, seed
        As in `kdcourse.lm.broken`.

    Returns
    -------
    dict
        For each of the runs "A" to "E" a row for every time it was watched.

    Examples
    --------
    >>> student, teacher = (Transformer(69, width=16, layers=1, heads=2, seed=seed) for seed in (0, 1))
    >>> letters, said = torch.tensor([[5, 3, 22]]), torch.tensor([[49, 31, 61, 2]])
    >>> {run: len(table) for run, table in five_runs(student, teacher, letters, said, letters).items()}
    {'A': 2, 'B': 2, 'C': 2, 'D': 2, 'E': 2}
    """
    return {
        run: broken(name, student, teacher, letters, phonemes, watched=watched, every=every, seed=seed)
        for run, name in NAME_OF.items()
    }


diagnose_runs = Exercise(
    "diagnose_runs",
    lesson="08_language_models",
    order=4,
    reference=lambda run: NAME_OF[run],
    inputs=lambda generator: ("ABCDE"[int(torch.randint(5, (), generator=generator))],),
    small=[("A",), ("B",), ("C",), ("D",), ("E",)],
    words=RUNS,
    praise="Four lines told five runs apart, and three of the bugs before the first step.",
    hints=[
        "Begin at step 0, before anything is trained. Four runs start from the same student.",
        "One student is unsure of everything at step 0. Of two others the teacher thinks badly at once: of one in all "
        "it says, of the other in one token of each word.",
        "Two runs start alike in all four rows, and one of them stays as it was.",
        "Two runs end long. In one the reward is bad before the first step, and the length jumps; in the other the "
        "reward is good at first, and the length creeps.",
    ],
    bugs={
        "B and E exchanged": Bug(
            exchanged(NAME_OF, "B", "E"),
            "B and E both grow long. A teacher with another end disagrees from the first step on; a student that "
            "never sees END in its loss begins well. Compare their rewards at step 0, and how fast they grow.",
        ),
        "A and D exchanged": Bug(
            exchanged(NAME_OF, "A", "D"),
            "A and D both begin with little overlap and a bad reward. A student that knows nothing is unsure of every "
            "token; one that meets a wrong vocabulary is sure of itself. Look at the entropy at step 0.",
        ),
        "B and C exchanged": Bug(
            exchanged(NAME_OF, "B", "C"),
            "B and C begin alike. In one of them the words then grow longer and the reward falls: that is no healthy "
            "run.",
        ),
        "A and E exchanged": Bug(
            exchanged(NAME_OF, "A", "E"),
            "In A and E a trained student begins with a bad reward. Another end is one token of each word; another "
            "vocabulary is all of them. Look at the overlap at step 0, then at the length.",
        ),
        "D and E exchanged": Bug(
            exchanged(NAME_OF, "D", "E"),
            "D and E are both at the limit of 21 tokens for a while, one of them at first, the other one at last. "
            "Which student could not stop before it was trained?",
        ),
        "C and D exchanged": Bug(
            exchanged(NAME_OF, "C", "D"),
            "D learns, and its length comes to rest, but look at where it started: an entropy above 4 nats is that of "
            "a student that has learned nothing yet.",
        ),
        "all healthy": Bug(
            lambda run: "healthy",
            "Four of the five have a bug, though no loss was NaN and nothing crashed. Which rows leave their course?",
        ),
    },
    rules=[
        Rule(lambda answer, run: answer >= 0, f"Only these words name a run here: {', '.join(RUNS)}."),
        *wrong_pairings(NAME_OF, RUNS, WOULD, {run: _SEEN[name] for run, name in NAME_OF.items()}),
    ],
)
