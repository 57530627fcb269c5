"""The end of a distillation: what was promised, what was measured, and whether to ship.

plan = Plan(margin=0.02, slices=["group"], written="2026-11-26")      # before the test set is opened
result = memo("A student", plan=plan, report=report, not_tested=[...], monitoring=[...])
result.recommendation            # "ship" or "do not ship"; result.rules says why
"""

from kdcourse.memo.core import Memo, memo
from kdcourse.memo.decision import Decision, Reason, decide
from kdcourse.memo.plan import Plan

__all__ = ["Decision", "Memo", "Plan", "Reason", "decide", "memo"]
