"""Intervals, tests and verdicts: what a lesson may conclude from a handful of runs. Built on scipy.

`calibration` and `paired` are modules of their own: `kdcourse.stats.calibration` relates confidence to accuracy,
`kdcourse.stats.paired` has the exact tests of an audit.
"""

from kdcourse.stats.best import expected_best
from kdcourse.stats.comparison import Comparison, compare
from kdcourse.stats.intervals import mean_interval, proportion_interval
from kdcourse.stats.ranking import auroc_contributions
from kdcourse.stats.significance import detectable_difference, holm

__all__ = [
    "Comparison",
    "auroc_contributions",
    "compare",
    "detectable_difference",
    "expected_best",
    "holm",
    "mean_interval",
    "proportion_interval",
]
