"""Intervals and verdicts. `calibration` and `paired` are modules of their own."""

from kdcourse.stats.comparison import (
    Comparison,
    McNemar,
    compare,
    detectable_difference,
    holm,
    mcnemar,
    mean_interval,
    proportion_interval,
)

__all__ = [
    "Comparison",
    "McNemar",
    "compare",
    "detectable_difference",
    "holm",
    "mcnemar",
    "mean_interval",
    "proportion_interval",
]
