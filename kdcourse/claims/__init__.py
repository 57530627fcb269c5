"""The claims ledger: what is said about distillation, how this course tests it, and what came out.

claims.show("soft-beats-hard")     # the record, with the result of the committed full run
kdcourse claims --run              # in a terminal: run all experiments again
"""

from kdcourse.claims.arms import Part
from kdcourse.claims.ledger import conclude, effects, evaluate, find, result, run, show, table
from kdcourse.claims.records import CLAIMS, Claim

__all__ = ["CLAIMS", "Claim", "Part", "conclude", "effects", "evaluate", "find", "result", "run", "show", "table"]
