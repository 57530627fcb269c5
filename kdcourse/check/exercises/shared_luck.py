"""The exercise `shared_luck`: accuracies of one's own making, judged by what pairs and averages say of them."""

from math import isclose

import torch
from scipy.stats import ttest_ind

from kdcourse.check.core import Bug, Exercise
from kdcourse.check.outcome import attempt, read
from kdcourse.stats import compare

TELLING = ["pairs tell", "averages cannot tell"]
# A word of its own for everything that can be wrong.
WORDS = [*TELLING, "pairs cannot tell", "averages tell", "labels win", "all differences equal", "no shares"]


def _what_they_tell(shared_luck, pairs):
    """What there is to say about an answer, in words."""
    found, _ = attempt(read, shared_luck(pairs))  # which reads no more of a hostile answer than it must
    numbers = found and found[0]
    if numbers is None or list(numbers.shape) != [2, pairs]:
        raise ValueError(f"two lists of {pairs} accuracies are due, labels first")
    labels, soft = numbers.tolist()
    if not all(0 <= value <= 1 for value in labels + soft):
        return ["no shares"]
    gains = [b - a for a, b in zip(labels, soft, strict=True)]
    if all(isclose(gain, gains[0], abs_tol=1e-9) for gain in gains):
        return ["all differences equal"]
    found, unpaired = compare(soft, labels), ttest_ind(soft, labels, equal_var=False).confidence_interval(0.95)
    if found.mean < 0:
        return ["labels win"]
    averages = "averages tell" if unpaired.low > 0 else "averages cannot tell"
    return ["pairs tell" if found.verdict == "better" else "pairs cannot tell", averages]


def _arms(luck, gain, apart=0.002, noise=0.0):
    """An answer. Accuracies: luck that is shared, a gain whose size varies by `apart`, luck of one arm alone."""

    def answer(pairs):
        labels = [0.7 + luck * k for k in range(pairs)]
        return labels, [a + gain + apart * (k % 2) + noise * (-1) ** k for k, a in enumerate(labels)]

    return answer


def _opposite(pairs):
    """An answer in which one student of a pair is lucky when the other is not."""
    labels = [0.7 + 0.01 * k for k in range(pairs)]
    return labels, [0.035 + a for a in reversed(labels)]


shared_luck = Exercise(
    "shared_luck",
    lesson="00_start_here",
    order=2,
    reference=_arms(luck=0.02, gain=0.01),
    inputs=lambda generator: (int(torch.randint(4, 12, (), generator=generator)),),
    small=[(4,)],
    praise="The luck is shared within a pair, so it cancels in the differences, and only there.",
    hints=[
        "What do both students of a pair share? Give each pair good or bad luck of its own, and add it to both.",
        "Let the luck spread the pairs over 5 points or more, and let every soft student win by about 1 point.",
        "labels = [0.70 + 0.02 * k for k in range(pairs)]; soft = the same, plus 0.01 or 0.012 in turn.",
    ],
    bugs={
        "no luck to share": Bug(
            _arms(luck=0.0005, gain=0.01),
            "The averages tell as well: there is too little luck to hide the gain. Let the pairs differ from each "
            "other by far more than the two students of a pair.",
        ),
        "luck that is not shared": Bug(
            _arms(luck=0.02, gain=0.001, noise=0.05),
            "The pairs cannot tell either: their differences scatter too much. Add the luck of a pair to both of its "
            "students.",
        ),
        "pairs that hide what averages show": Bug(
            _opposite,
            "It is the other way round: here the averages tell, and the pairs do not. When one student of a pair is "
            "lucky, the other should be lucky too.",
        ),
        "labels win": Bug(
            _arms(luck=0.02, gain=-0.01),
            "Labels win on average. The first list is the students on labels, the second those on soft labels.",
        ),
        "one and the same difference": Bug(
            _arms(luck=0.02, gain=0.01, apart=0.0),
            "All differences are equal. Real trainings never differ by exactly the same: let the gain vary a little.",
        ),
        "no shares": Bug(
            _arms(luck=2.0, gain=1.0),
            "Accuracies are shares, between 0 and 1. Write 0.81 for 81 %.",
        ),
    },
    words=WORDS,
    through=_what_they_tell,
)
