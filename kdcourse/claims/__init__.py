"""The claims ledger: what is said about distillation, how this course tests it, and what came out.

claims.show("soft-beats-hard")     # the record, with the result of the committed full run
kdcourse claims --run              # in a terminal: run all experiments again

A claim is one function in `lesson_NN.py`, with `@claim(...)` above it; a `Claim(...)` there has no experiment yet.
"""

from kdcourse.claims.ledger import CLAIMS, Conclusion, conclude, effects, evaluate, find, part, result, run, table
from kdcourse.claims.record import Arm, Claim, Part, claim, label, part_id
from kdcourse.claims.shown import MIME, Shown, show

__all__ = [
    "CLAIMS",
    "MIME",
    "Arm",
    "Claim",
    "Conclusion",
    "Part",
    "Shown",
    "claim",
    "conclude",
    "effects",
    "evaluate",
    "find",
    "label",
    "part",
    "part_id",
    "result",
    "run",
    "show",
    "table",
]
