"""The figures of the lessons: a title that states the finding, intervals drawn, and alternative text.

Colours are Okabe and Ito's palette, which colour-blind readers can tell apart; every arm has a marker of its own too.
"""

from kdcourse.plots.answers import Mark, Row, finding
from kdcourse.plots.base import ARMS, COLOURS, DPI, MARKERS, figure, looks, show
from kdcourse.plots.curves import curves
from kdcourse.plots.dashboard import dashboard
from kdcourse.plots.forest import forest
from kdcourse.plots.heat import matrix, surface
from kdcourse.plots.panels import panels
from kdcourse.plots.pictures import picks, predictions, recognised, strips
from kdcourse.plots.pulls import pulls
from kdcourse.plots.repairs import repairs
from kdcourse.plots.results import differences, intervals, reliability
from kdcourse.plots.routes import routes
from kdcourse.plots.scatter import scatter
from kdcourse.plots.shares import shares
from kdcourse.plots.sizes import decision, faster
from kdcourse.plots.speeds import speeds
from kdcourse.plots.training import learning, slopes

__all__ = [
    "ARMS",
    "COLOURS",
    "DPI",
    "MARKERS",
    "Mark",
    "Row",
    "curves",
    "dashboard",
    "decision",
    "differences",
    "faster",
    "figure",
    "finding",
    "forest",
    "intervals",
    "learning",
    "looks",
    "matrix",
    "picks",
    "predictions",
    "recognised",
    "panels",
    "pulls",
    "reliability",
    "repairs",
    "routes",
    "scatter",
    "shares",
    "show",
    "slopes",
    "speeds",
    "strips",
    "surface",
]
