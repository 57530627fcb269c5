"""The figures of the lessons: a title that states the finding, intervals drawn, and alternative text.

Colours are Okabe and Ito's palette, which colour-blind readers can tell apart; every arm has a marker of its own too.
"""

from kdcourse.plots.answers import Mark, Row, finding
from kdcourse.plots.base import ARMS, COLOURS, DPI, MARKERS, figure, looks, show
from kdcourse.plots.curves import curves, tradeoff
from kdcourse.plots.forest import forest
from kdcourse.plots.heat import matrix, surface
from kdcourse.plots.pictures import gallery, pictures, predictions
from kdcourse.plots.results import differences, intervals, reliability, verdicts
from kdcourse.plots.sizes import decision, faster

__all__ = [
    "ARMS",
    "COLOURS",
    "DPI",
    "MARKERS",
    "Mark",
    "Row",
    "curves",
    "decision",
    "differences",
    "faster",
    "figure",
    "finding",
    "forest",
    "gallery",
    "intervals",
    "looks",
    "matrix",
    "pictures",
    "predictions",
    "reliability",
    "show",
    "surface",
    "tradeoff",
    "verdicts",
]
