"""A forest plot: what was claimed, and effects with their intervals beside it.

It is an SVG that is written here, not drawn by matplotlib: its words stay words, so that it is small, the same on every
machine, dark where the reader's screen is dark, and its labels can be links.
"""

import html
import itertools
import math
import textwrap
from collections import Counter
from collections.abc import Sequence

import numpy as np

from kdcourse._arguments import one_of
from kdcourse.plots.answers import ANSWERS, DIFFERENT, Row, effect, numbers, words

STYLES = {"yes": "yes", "no": "no", "cannot tell": "unsure"}
WIDE, MIDDLE, NARROW = 840, 690, 340  # of the README, of the site, of a phone: pixels
ROW, LINE, LETTER = 19, 17, 7.1  # heights, and the width of a letter in the widest of the usual fonts: pixels

COLOURS = {  # the shades of Okabe and Ito's blue and vermilion that can be read as text
    "light": ("#1f2328", "#59636e", "#ffffff", "#d1d9e0", "#0066a1", "#b34a00"),
    "dark": ("#f0f6fc", "#a9b3be", "#0d1117", "#3d444d", "#56b4e9", "#ff9a57"),
}
COLOURED = """{0}.forest text{{fill:{1}}}{0}.forest .muted,{0}.forest .shade{{fill:{2}}}{0}.forest .zero{{stroke:{2}}}
{0}.forest .back{{fill:{3}}}{0}.forest .grid{{stroke:{4}}}{0}.forest .unsure{{fill:{2};stroke:{2}}}
{0}.forest .yes{{fill:{5};stroke:{5}}}{0}.forest .no{{fill:{6};stroke:{6}}}{0}.forest .open{{fill:{3}}}"""
RULES = """.forest{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
.forest .title{font-size:16px;font-weight:600}.forest .group{font-weight:600}.forest .small{font-size:12px}
.forest text,.forest .shade,.forest .pair{stroke:none!important}.forest .shade{fill-opacity:.15}
.forest .pair{fill-opacity:.55}.forest .main{stroke-width:2}.forest .part{opacity:.4}
.forest a:hover text{text-decoration:underline}"""


def forest(rows: Sequence[Row], *, title: str, width: int = WIDE, inline: bool = False) -> str:
    """Effects with their intervals, a line for each claim and setting, as an SVG.

    What is too far out for the axis ends in an arrow, and an effect that lies beyond it has its value written.

    Parameters
    ----------
    rows : sequence of Row
        In the order in which they are drawn; those of another axis come after all of the first.
    title : str
        The finding, a sentence.
    width : int
        In pixels. Below 800, labels stand above their rows; below 600, there are no numbers beside the rows.
    inline : bool
        For a page that shows the title itself, and says in `data-theme` whether it is dark: no background, no title,
        and the names of marks under the mouse. Otherwise, a file of its own that is dark where the reader's system is.

    Returns
    -------
    str
        Its `<title>` and `<desc>` say all of it in words.

    Raises
    ------
    ValueError
        If there are no rows, or one has no marks or an answer that is unknown.

    Examples
    --------
    >>> from kdcourse.plots.answers import Mark, Row
    >>> gain = Mark(2.3, 1.4, 3.2, "yes")
    >>> row = Row("01 · Soft labels", "Soft labels help.", "garments", "points", "yes", (0, float("inf")), [gain])
    >>> "+2.30 [+1.40, +3.20]" in forest([row], title="Soft labels help")
    True
    """
    if not rows:
        raise ValueError("rows must not be empty")
    for row in rows:
        one_of("answer", row.answer, [*ANSWERS, *DIFFERENT])
        for mark in row.marks:
            one_of("answer", mark.answer, list(ANSWERS))
        if not row.marks:
            raise ValueError(f"marks must not be empty, as those of the row {row.label!r} are")
    page = _Page(width, any(row.setting for row in rows), inline)
    if not inline:
        page.heading(title)
    page.legend(rows)
    for axis in dict.fromkeys(_axis(row) for row in rows):
        page.section(axis, [row for row in rows if _axis(row) == axis])
    return page.svg(title, words(rows))


def _axis(row):
    return row.unit.split()[0]


def _scale(rows):
    """An axis that is even near zero and logarithmic further out: where that begins, and the ticks.

    Half a point must be told from none, beside an effect of eighty. Every effect and every pair lies on it, but of ten
    intervals the longest may not: one with nearly no data would leave no room for the others.
    """
    shown = [0.0, *(value for row in rows for mark in row.marks for value in (mark.mean, *mark.pairs))]
    typical = float(np.median([max(map(abs, row.marks[0][:3])) for row in rows]))
    unit = 10.0 ** math.floor(math.log10(2 * typical)) if 0 < typical < math.inf else 1.0
    unit /= 10 if max(map(abs, shown)) <= unit else 1
    steps = [unit * 10**power * k for power in range(9) for k in (1, 3)]
    count = []
    for sign, edge in [(-1, 1), (1, 2)]:
        long = float(np.quantile([sign * row.marks[0][edge] for row in rows], 0.9))
        count.append(1 + int(np.searchsorted(steps, max(long, *(sign * value for value in shown)))))
    low, high = count
    return unit, [*(-step for step in reversed(steps[:low])), 0.0, *steps[:high]]


class _Page:
    """The elements of the picture, and `y`, how far down they have come."""

    def __init__(self, width, settings, inline):
        self.width, self.inline, self.elements, self.y = width, inline, [], 4 if inline else 12
        self.beside, self.numbers = width >= 800, width >= 600
        self.edge = 2 if inline else 14
        self.setting = 290 if self.beside else self.edge
        self.left = self.setting + (66 if settings else 10)
        self.right = width - (250 if self.numbers else 96) - self.edge

    def write(self, x, y, text, style="", anchor="start"):
        looks = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        self.elements.append(f'<text{looks} x="{x:.5g}" y="{y:.5g}">{html.escape(text)}</text>')

    def path(self, style, drawn):
        self.elements.append(f'<path class="{style}" d="{drawn}"/>')

    def heading(self, title):
        for line in textwrap.wrap(title, int((self.width - 2 * self.edge) / (1.4 * LETTER))):
            self.y += 21
            self.write(self.edge, self.y, line, "title")
        self.y += 6

    def legend(self, rows):
        """What the answers look like, and what else is drawn."""
        marks = [mark for row in rows for mark in row.marks]
        x, self.y = self.edge, self.y + LINE
        for answer, meaning in ANSWERS.items():
            if any(mark.answer == answer for mark in marks):
                said = f"{answer}: {meaning}"
                if x + LETTER * len(said) > self.width - self.edge:
                    x, self.y = self.edge, self.y + LINE
                self.shape(answer, x + 5, self.y - 4, 5)
                self.write(x + 16, self.y, said, "small")
                x += LETTER * len(said) + 24
        more = "Shaded: where the claim says the effect is. A row is one data set."
        more += " Its marks are cases, such as sizes; one word judges all of them, numbers count them." * any(
            len(row.marks) > 1 for row in rows
        )
        more += " Dots: single pairs." * any(len(mark.pairs) for mark in marks)
        for line in textwrap.wrap(more, int((self.width - 2 * self.edge) / LETTER)):
            self.y += LINE
            self.write(self.edge, self.y, line, "small muted")

    def section(self, name, rows):
        """The rows of one axis, below its ticks."""
        unit, ticks = _scale(rows)
        low, high = math.asinh(ticks[0] / unit), math.asinh(ticks[-1] / unit)

        def place(value):
            return self.left + (math.asinh(value / unit) - low) / (high - low) * (self.right - self.left)

        self.y += 28
        self.write(
            self.left if self.numbers else self.edge,
            self.y,
            f"difference in {name} (logarithmic beyond ±{unit:g})",
            "small muted",
        )
        self.ticks(ticks, place)
        group = None
        for (above, label), block in itertools.groupby(rows, lambda row: (row.group, row.label)):
            if above and above != group:
                self.y += 24
                self.write(self.edge, self.y, above, "group")
                self.y += 6
                self.path("grid", f"M{self.edge} {self.y}H{self.width - self.edge}")
            group = above
            self.block(label, list(block), ticks, place)
        self.ticks(ticks, place)

    def ticks(self, ticks, place):
        """Numbers at the ticks: zero, then the powers of ten, then what there is room for."""
        self.y += LINE
        written = []
        for tick in sorted(ticks, key=lambda tick: (tick != 0, f"{abs(tick):g}".strip("0.") != "1", abs(tick))):
            said = f"{tick:g}".replace("-", "−")
            x, half = place(tick), LETTER * len(said) / 2 + 2
            if all(abs(x - other) > half + its_half for other, its_half in written):
                written.append((x, half))
                self.write(x, self.y, said, "small muted", "middle")

    def block(self, label, rows, ticks, place):
        """The rows of one label. It stands beside them, or above where there is no room."""
        self.y += 5
        link = html.escape(rows[0].link)
        lines = textwrap.wrap(label, int(((self.setting if self.beside else self.width) - 26) / LETTER))
        self.elements += [f'<a href="{link}">'] * bool(link)
        for k, line in enumerate(lines):
            self.write(self.edge, self.y + LINE * k + 13, line)
        self.elements += ["</a>"] * bool(link)
        below = self.y + LINE * len(lines)
        if rows[0].standing:
            self.write(self.edge, below + 12, rows[0].standing, "small muted")
            below += LINE
        top = self.y if self.beside else below + 2
        heights = [ROW + 10 * any(len(mark.pairs) for mark in row.marks) for row in rows]
        for tick in ticks:
            self.path("grid" if tick else "zero", f"M{place(tick):.5g} {top}v{sum(heights)}")
        for row, height in zip(rows, heights, strict=True):
            self.row(row, top, height, place)
            top += height
        self.y = max(top, below) + 3

    def row(self, row, top, height, place):
        """The marks of a row between its setting and its answer."""
        middle = top + ROW / 2
        start, end = (min(max(place(edge), self.left), self.right) for edge in row.region)
        self.path("shade", f"M{start:.5g} {top + 1}H{end:.5g}v{height - 2}H{start:.5g}z")
        self.write(self.setting, middle + 4, row.setting, "small muted")
        first = {mark.answer: k for k, mark in reversed([*enumerate(row.marks)])}
        main = {0} if row.answer in ANSWERS else set(first.values())
        for k in sorted(range(len(row.marks)), key=lambda k: (k in main, -k)):
            spread = 0 if main == {0} == {k} else (k / max(len(row.marks) - 1, 1) - 0.5) * (ROW - 12)
            self.mark(row.marks[k], middle + spread, "main" if k in main else "part", place)
        for k, pair in enumerate(row.marks[0].pairs):
            at = middle + 10 + 5 * (k % 3) / 2
            self.elements.append(f'<circle class="pair muted" cx="{place(pair):.5g}" cy="{at:.5g}" r="2"/>')
        counts = {row.answer: row.answer} if row.answer in ANSWERS else Counter(mark.answer for mark in row.marks)
        x = self.right + 12
        for answer in sorted(counts, key=[*ANSWERS].index):
            self.shape(answer, x, middle, 4.5)
            self.write(x + 9, middle + 4, str(counts[answer]), f"small {STYLES[answer]}")
            x += 18 + 8 * len(str(counts[answer]))
        if self.numbers:
            self.write(self.width - self.edge, middle + 4, numbers(row), "small", "end")

    def mark(self, mark, y, style, place):
        middle, start, end = (place(value) for value in mark[:3])
        said = html.escape(f"{mark.name}: {effect(mark)}, {mark.answer}".removeprefix(": "))
        hint = f"<title>{said}</title>" if self.inline else ""  # a picture that is not part of a page shows none
        self.elements.append(f'<g class="{STYLES[mark.answer]} {style}">{hint}')
        self.path("", f"M{max(start, self.left):.5g} {y:.5g}H{min(end, self.right):.5g}")
        for cut, edge, way in [(start < self.left, self.left, -1), (end > self.right, self.right, 1)]:
            if cut:
                self.path("", f"M{edge:.5g} {y:.5g}l{-7 * way} -3.5v7z")
        self.shape(mark.answer, middle, y, 3.8 if style == "main" else 2.4)
        self.elements.append("</g>")

    def shape(self, answer, x, y, size):
        """The sign of an answer: a disc, a square, or a diamond that is hollow."""
        if answer == "yes":
            self.elements.append(f'<circle class="yes" cx="{x:.5g}" cy="{y:.5g}" r="{size}"/>')
        elif answer == "no":
            side = 1.8 * size
            place = f'x="{x - side / 2:.5g}" y="{y - side / 2:.5g}" width="{side:.5g}" height="{side:.5g}"'
            self.elements.append(f'<rect class="no" {place}/>')
        else:
            tip = 1.25 * size
            outline = f"M{x - tip:.5g} {y:.5g}l{tip:g} {-tip:g} {tip:g} {tip:g} {-tip:g} {tip:g}z"
            self.elements.append(f'<path class="unsure open" d="{outline}"/>')

    def svg(self, title, description):
        height = round(self.y + 14)
        dark = COLOURED.format('html[data-theme="dark"] ' if self.inline else "", *COLOURS["dark"])
        style = RULES + COLOURED.format("", *COLOURS["light"])
        style += dark if self.inline else f"@media (prefers-color-scheme:dark){{{dark}}}"
        back = "" if self.inline else f'<rect class="back" width="{self.width}" height="{height}" rx="6"/>'
        return "\n".join(
            [
                f'<svg class="forest" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height}" '
                f'width="{self.width}" height="{height}" role="{"group" if self.inline else "img"}">',
                f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc><style>{style}</style>{back}",
                *self.elements,
                "</svg>\n",
            ]
        )
