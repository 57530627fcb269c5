"""The claims ledger: what is said about distillation, how this course tests it, and what came out.

claims.show("soft-beats-hard", {"examples=100": found}, title="...")   # in a lesson: over what the full run found
kdcourse claims NAME                                                   # in a terminal: everything about one claim
kdcourse claims --run                                                  # run all experiments again
kdcourse claims --run --choose                                         # and choose all settings again, too

A claim is one function in `lesson_NN.py`, with `@claim(...)` above it; a `Claim(...)` there has no experiment yet.
"""

from kdcourse.claims.describe import beside, choices_made, covered, describe, effect, effects, part_label
from kdcourse.claims.evaluation import evaluate
from kdcourse.claims.ledger import CLAIMS, find, part, planned, result, run
from kdcourse.claims.quotes import filled, quote
from kdcourse.claims.record import Arm, Claim, Part, claim, label, part_id
from kdcourse.claims.sentences import margin, plain, would_change
from kdcourse.claims.shown import MIME, Shown, show
from kdcourse.claims.verdicts import Conclusion, answer, conclude, standing

__all__ = [
    "CLAIMS",
    "MIME",
    "Arm",
    "Claim",
    "Conclusion",
    "Part",
    "Shown",
    "answer",
    "beside",
    "choices_made",
    "claim",
    "conclude",
    "covered",
    "describe",
    "effect",
    "effects",
    "evaluate",
    "filled",
    "find",
    "label",
    "margin",
    "part",
    "part_id",
    "part_label",
    "plain",
    "planned",
    "quote",
    "result",
    "run",
    "show",
    "standing",
    "would_change",
]
