"""The forest plot, read as a reader does: against its own ticks, in its own colours, with the usual widest font."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import ImageFont

from kdcourse import plots
from kdcourse.plots.answers import DIFFERENT
from kdcourse.plots.forest import COLOURS, MIDDLE, NARROW, WIDE

SVG = "{http://www.w3.org/2000/svg}"
FONTS = {style: f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans{style}.ttf" for style in ("", "-Bold")}
SETTINGS = ["garments", "glosses", "flights"]
REGIONS = {
    "better": (0.5, math.inf),
    "worse": (-math.inf, -0.5),
    "equivalent": (-0.5, 0.5),
    "not worse": (-0.5, math.inf),
}
WIDTHS = [WIDE, MIDDLE, NARROW]


def marks(seed, count, spread=3.0):
    drawn = np.random.default_rng(seed).normal(0, spread, (count, 2))
    answers = itertools.cycle(["yes", "no", "cannot tell"])
    return [plots.Mark(m, m - abs(h), m + abs(h), next(answers), f"part {k}") for k, (m, h) in enumerate(drawn)]


def ledger():
    """Twelve claims in three settings, one of them with 14 parts, and one in another unit."""
    rows, words = [], "A student that is much smaller than its teacher learns more from what it says than from labels."
    for k, (setting, (_, region)) in itertools.product(range(12), zip(SETTINGS, itertools.cycle(REGIONS.items()))):
        several = marks(k, 14 if k == 5 else 1 + k % 4)
        answer = "depends" if k % 5 == 1 else several[0].answer
        claim = f"Claim {k}. {words[: 20 + 7 * k]}"
        what = f"0{k // 3} Lesson", claim, setting, "points", answer, region, several, f"claims/{k}.html"
        rows.append(plots.Row(*what, "holds in 2 of 3" * (k % 2)))
    return [
        *rows,
        plots.Row("02 Lesson", "Gradients stay.", "garments", "doublings", "no", (-0.3, 0.3), marks(99, 2, 0.5)),
    ]


def parsed(rows, **options):
    return ET.fromstring(plots.forest(rows, **{"title": "2 of 3 claims hold & 1 does not"} | options))


def texts(root):
    """[(words, class, x, y, anchor)] of all that is written."""
    found = []
    for node in root.iter(f"{SVG}text"):
        anchor = node.get("text-anchor", "start")
        found.append((node.text or "", node.get("class", ""), float(node.get("x")), float(node.get("y")), anchor))
    return found


def boxes(root):
    """[(words, left, right, top, bottom)] of all that is written, in the widest of the usual fonts."""
    placed = []
    for words, style, x, y, anchor in texts(root):
        size = 16 if "title" in style else 12 if "small" in style else 13
        font = ImageFont.truetype(FONTS["-Bold" if {"title", "group"} & {*style.split()} else ""], size)
        length = font.getlength(words)
        left = x - length * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        if words:
            placed.append((words, left, left + length, y - 0.75 * size, y + 0.2 * size))
    return placed


def reading(root):
    """A function from a place to the value there, as the ticks say: linear in asinh of the value over the limit."""
    limit = float(re.search(r"beyond ±([\d.]+)", " ".join(words for words, *_ in texts(root)))[1])
    ticks = {}
    for words, _, x, _, anchor in texts(root):
        if anchor == "middle":
            ticks[float(words.replace("−", "-"))] = x
    slope, start = np.polyfit(list(ticks.values()), np.arcsinh(np.array(list(ticks)) / limit), 1)
    return lambda x: limit * math.sinh(slope * x + start)


def ends(group):
    """Where the interval of a mark begins and ends, and how many arrows it has."""
    line, *arrows = [path.get("d") for path in group.iter(f"{SVG}path") if path.get("class") in ("", None)]
    left, right = re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", line).groups()
    return float(left), float(right), len(arrows)


@pytest.mark.parametrize("width", WIDTHS)
def test_effects_intervals_and_pairs_lie_where_the_ticks_say(width):
    effects = [(0.2, -0.4, 0.8), (4.0, 3.0, 5.5), (-2.0, -7.0, 2.0), (60.0, 41.0, 79.0)]
    rows = [
        plots.Row(
            "", f"row {k}", "", "points", "yes", (0, math.inf), [plots.Mark(*one, "yes", "", [one[1], one[2], 0.7])]
        )
        for k, one in enumerate(effects)
    ]
    root = parsed(rows, width=width)
    value = reading(root)
    groups = [node for node in root.iter(f"{SVG}g") if node.get("class") == "yes main"]
    dots = [value(float(node.get("cx"))) for node in root.iter(f"{SVG}circle") if node.get("class") == "pair muted"]
    for group, (mean, low, high) in zip(groups, effects, strict=True):
        left, right, arrows = ends(group)
        assert [value(left), value(right)] == pytest.approx([low, high], rel=0.02, abs=0.03)
        assert value(float(group.find(f"{SVG}circle").get("cx"))) == pytest.approx(mean, rel=0.02, abs=0.03)
        assert arrows == 0
    expected = [one for _, low, high in effects for one in (low, high, 0.7)]
    assert dots == pytest.approx(expected, rel=0.02, abs=0.03)


def test_the_shade_covers_what_the_claim_says():
    for low, high in REGIONS.values():
        one = plots.Mark(2.0, -3.0, 5.0, "cannot tell")
        root = parsed([plots.Row("", "a", "", "points", "cannot tell", (low, high), [one])])
        value = reading(root)
        (shade,) = [node.get("d") for node in root.iter(f"{SVG}path") if node.get("class") == "shade"]
        start, end = map(float, re.match(r"M([\d.]+) [\d.]+H([\d.]+)", shade).groups())
        assert value(start) == pytest.approx(max(low, -3.0), abs=0.02)  # the axis ends at ticks: -3 and 10
        assert value(end) == pytest.approx(min(high, 10.0), rel=0.02)


def test_an_interval_that_is_too_long_ends_in_an_arrow_with_its_numbers_beside_it():
    short = [
        plots.Row("", f"{k}", "", "points", "yes", (0, math.inf), [plots.Mark(2.0, 1.0, 3.0, "yes")]) for k in range(20)
    ]
    for long, arrows in [((-900.0, 900.0), 2), ((0.5, math.inf), 1)]:
        mark = plots.Mark(2.0, *long, "cannot tell")
        root = parsed([*short, plots.Row("", "long", "", "points", "cannot tell", (0, math.inf), [mark])])
        (group,) = [node for node in root.iter(f"{SVG}g") if node.get("class") == "unsure main"]
        assert ends(group)[2] == arrows
        assert any("900.00]" in words or "+inf]" in words for words, *_ in texts(root))
        # The others keep their room.
        circle = next(node for node in root.iter(f"{SVG}g") if node.get("class") == "yes main").find(f"{SVG}circle")
        assert reading(root)(float(circle.get("cx"))) == pytest.approx(2.0, rel=0.02)


def test_the_first_mark_is_thick_and_where_it_depends_the_first_with_each_answer():
    several = [plots.Mark(k, k - 0.5, k + 0.5, answer) for k, answer in enumerate(["yes", "no", "yes", "no", "yes"])]
    for answer, thick in [("yes", ["yes main"]), *[(one, ["no main", "yes main"]) for one in DIFFERENT]]:
        root = parsed([plots.Row("", "a", "", "points", answer, (0, math.inf), several)])
        drawn = [node.get("class") for node in root.iter(f"{SVG}g")]
        assert len(drawn) == 5
        assert sorted(style for style in drawn if "main" in style) == thick
    written = [words for words, *_ in texts(root)]
    assert {"3", "2"} <= {*written}  # how often each came
    assert "+0.00 to +4.00" in written


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_that_is_written_is_cut_off_or_covers_another(width, inline):
    root = parsed(ledger(), width=width, inline=inline)
    height = float(root.get("height"))
    placed = boxes(root)
    assert [words for words, left, right, *_ in placed if left < 0 or right > width] == []
    assert [words for words, *_, top, bottom in placed if top < 0 or bottom > height] == []
    covered = [
        (a[0], b[0])
        for a, b in itertools.combinations(placed, 2)
        if a[1] < b[2] and b[1] < a[2] and a[3] < b[4] and b[3] < a[4]
    ]
    assert covered == []


def luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", COLOURS)
def test_every_colour_can_be_read_and_answers_differ_in_shape_too(theme):
    ink, muted, back, _, yes, no = COLOURS[theme]
    for colour in (ink, muted, yes, no):
        darker, lighter = sorted([luminance(colour), luminance(back)])
        assert (lighter + 0.05) / (darker + 0.05) > 4.5
    rows = [
        plots.Row("", answer, "", "points", answer, (0, math.inf), [plots.Mark(1, 0, 2, answer)])
        for answer in ("yes", "no", "cannot tell")
    ]
    root = parsed(rows)
    groups = [node for node in root.iter(f"{SVG}g") if "main" in node.get("class")]
    assert len({node.get("class") for node in groups}) == 3
    assert [list(node)[-1].tag.removeprefix(SVG) for node in groups] == ["circle", "rect", "path"]
    style = root.find(f"{SVG}style").text
    assert {yes, no, muted} <= {*re.findall(r"#\w+", style)}
    assert "prefers-color-scheme:dark" in style
    assert "prefers-color-scheme" not in parsed(rows, inline=True).find(f"{SVG}style").text


def test_it_is_said_in_words_and_asks_for_nothing():
    rows = ledger()
    text = plots.forest(rows, title="a & b")
    assert text == plots.forest(rows, title="a & b")
    assert re.findall(r"url\(|@import|<script|<image|<use", text) == []
    root = ET.fromstring(text)
    assert root.find(f"{SVG}title").text == "a & b"
    said = root.find(f"{SVG}desc").text
    for row in rows:
        assert f"{row.label.rstrip('.')}, {row.setting}: " in said
        assert f"{row.marks[0].mean:+.2f}".replace("-", "−") in said
    assert [words for words, *_ in texts(root)].count("holds in 2 of 3") == 6  # once for each claim that has it
    links = [node.get("href") for node in root.iter(f"{SVG}a")]
    assert links == [f"claims/{k}.html" for k in range(12)]
    assert len(text) < 100_000


def test_another_unit_has_an_axis_of_its_own():
    said = " ".join(words for words, *_ in texts(parsed(ledger())))
    assert re.findall(r"difference in (\w+) ", said) == ["points", "doublings"]
    auroc = [row._replace(unit="points of AUROC") for row in ledger()[:1]]
    written = [words for words, *_ in texts(parsed(auroc + ledger()[1:3]))]
    assert sum(words.startswith("difference in") for words in written) == 1


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([["yes"]], "Of 1 claim, 1 holds wherever it was measured (on one data set)"),
        ([["yes"], ["yes", "yes"]], "Of 2 claims, 2 hold wherever they were measured (1 of them on one data set)"),
        ([["yes", "yes"]], "Of 1 claim, 1 holds wherever it was measured"),
        ([["no"]], "Of 1 claim, none holds wherever it was measured and 1 holds nowhere"),
        ([["no"], ["no", "no"]], "Of 2 claims, none holds wherever it was measured and 2 hold nowhere"),
        (
            [["yes", "no"], ["cannot tell", "yes"], ["depends"], ["no", "depends"], ["no", "cannot tell"]],
            "Of 5 claims, none holds wherever it was measured, 2 are shown on some data sets only, "
            "2 hold in some cases only, and 1 is nowhere shown to hold",
        ),
        (
            [
                ["yes in part"],
                ["yes", "yes in part"],
                ["yes in part", "no"],
                ["yes", "yes in part", "cannot tell"],
                ["no in part"],
                ["no", "no in part"],
            ],
            "Of 6 claims, none holds wherever it was measured, 2 hold in part and fail nowhere, 1 is shown on some "
            "data sets only, 1 holds in some cases only, and 2 are nowhere shown to hold",
        ),
        (
            [["yes"], ["yes"], ["yes", "no"], ["no"], ["depends"], ["cannot tell"], ["cannot tell"]],
            "Of 7 claims, 2 hold wherever they were measured (each on one data set), 1 is shown on some data sets "
            "only, 1 holds nowhere, 1 holds in some cases only, and 2 are nowhere shown to hold",
        ),
    ],
)
def test_the_finding_is_a_sentence(answers, sentence):
    assert plots.finding({str(k): several for k, several in enumerate(answers)}) == sentence


def test_bad_rows_are_refused_by_name():
    row = ledger()[0]
    with pytest.raises(ValueError, match="rows must not be empty"):
        plots.forest([], title="t")
    with pytest.raises(ValueError, match="marks must not be empty"):
        plots.forest([row._replace(marks=[])], title="t")
    with pytest.raises(
        ValueError,
        match="answer must be one of 'yes', 'no', 'cannot tell', 'depends', 'yes in part', 'no in part', got 'maybe'",
    ):
        plots.forest([row._replace(answer="maybe")], title="t")
    with pytest.raises(ValueError, match="answer must be one of 'yes', 'no', 'cannot tell', got 'depends'"):
        plots.forest([row._replace(marks=[row.marks[0]._replace(answer="depends")])], title="t")
