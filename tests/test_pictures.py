"""The drawn diagrams of the lessons: they can be read anywhere, their numbers are right, and they reach every form."""

import base64
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from course_site import ROOT, Page, build_site, target
from nbformat.v4 import new_markdown_cell, new_notebook, writes
from PIL import ImageFont
from scipy import special, stats

from kdcourse import lessons
from kdcourse.audit import audit

sys.path.insert(0, str(ROOT / "tools"))
import build_notebooks  # noqa: E402

FOLDER = ROOT / "notebooks" / "pictures"
PICTURES = sorted(FOLDER.glob("*"))
SVG = "{http://www.w3.org/2000/svg}"
PHONE = 328  # pixels between the margins of a page that is 360 wide
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # DejaVu, wider than the fonts of most systems
LINK = re.compile(r"!\[([^\]]*)\]\((pictures/[^)]+)\)")

every_picture = pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)


def drawn(name):
    return ElementTree.parse(FOLDER / f"{name}.svg").getroot()


def words(element, **inherited):
    """(text, attributes with those of the elements around it) of every text in a picture."""
    attributes = inherited | element.attrib
    if element.tag == f"{SVG}text":
        yield element.text, attributes
    for child in element:
        yield from words(child, **attributes)


def with_class(picture, tag, *classes):
    return [one for one in picture.iter(SVG + tag) if one.get("class") in classes]


def number(element, name):
    return float(element.get(name))


@every_picture
def test_a_picture_is_small_whole_described_and_asks_for_nothing(path):
    picture = ElementTree.parse(path).getroot()
    assert picture.tag == f"{SVG}svg"
    assert path.stat().st_size < 12_000
    assert len(picture.findtext(f"{SVG}title")) > 10
    assert len(picture.findtext(f"{SVG}desc")) > 80
    tags = {one.tag.removeprefix(SVG) for one in picture.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "path", "use", "rect", "circle", "text"}
    for one in picture.iter():
        assert not [name for name in one.attrib if name.startswith("on")]
        assert one.get("href", "#").startswith("#")
    style = picture.findtext(f"{SVG}style")
    assert "url(" not in style + path.read_text(encoding="utf-8")
    assert "@import" not in style


@every_picture
def test_the_words_of_a_picture_stay_on_its_card_and_can_be_read_on_a_phone(path):
    picture = ElementTree.parse(path).getroot()
    width, height = map(float, picture.get("viewBox").split()[2:])
    for text, at in words(picture):
        size, bold = float(at["font-size"]), at.get("font-weight") or "say-" in at.get("class", "")
        assert size * PHONE / width >= 11, text
        font = ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)
        left = float(at["x"]) - font.getlength(text) * {"start": 0, "middle": 0.5, "end": 1}[at["text-anchor"]]
        assert 12 < left < left + font.getlength(text) < width - 12, text
        assert size < float(at["y"]) < height - 6, text


def fills(style):
    """{class: (colour as [3] in 0 … 1, opacity)} of a stylesheet."""
    found = re.findall(r"\.?([\w-]+)\{fill:#(\w{6})(?:;fill-opacity:([.\d]+))?", style)
    return {name: (np.array([*bytes.fromhex(colour)]) / 255, float(opacity or 1)) for name, colour, opacity in found}


def luminance(colour):
    """Relative luminance, as WCAG 2.2 defines it."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


@every_picture
def test_the_words_of_a_picture_have_contrast_in_light_and_in_dark(path):
    picture = ElementTree.parse(path).getroot()
    light, dark = map(fills, picture.findtext(f"{SVG}style").split("@media (prefers-color-scheme: dark)"))
    for colours in (light, light | dark):
        for text, at in words(picture):
            behind = np.ones(3)
            for box in picture.iter(f"{SVG}rect"):
                from_left, from_top = (float(at[side]) - number(box, side) for side in "xy")
                if 0 <= from_left <= number(box, "width") and 0 <= from_top <= number(box, "height"):
                    colour, opacity = colours[box.get("class")]
                    behind = opacity * colour + (1 - opacity) * behind
            bright, dim = sorted((luminance(colours[at.get("class", "text")][0]), luminance(behind)), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, text


def test_the_bars_of_the_temperature_are_the_softmax_of_the_logits_written_above_them():
    picture = drawn("temperature")
    written = [text.replace("−", "-") for text, _ in words(picture)]
    logits = np.array([float(text) for text in written if re.fullmatch(r"-?\d", text)][:4])
    temperatures = [float(text[4:]) for text in written if text.startswith("T = ")]
    heights = np.array([number(bar, "height") for bar in with_class(picture, "rect", "soft")]).reshape(3, 4)
    expected = np.array([special.softmax(logits / temperature) for temperature in temperatures])
    assert temperatures == [1, 4, 10]
    assert heights / heights.sum() * 3 == pytest.approx(expected, abs=0.001)
    shown = [int(text) for text in written if re.fullmatch(r"\d+", text)][-12:]
    assert shown == np.round(100 * expected).astype(int).ravel().tolist()


def test_the_interval_of_the_arms_is_that_of_its_dots():
    picture = drawn("arms")
    dots = [number(dot, "cx") for dot in with_class(picture, "circle", "guess")]
    (interval,) = with_class(picture, "path", "soft-line")
    low, high = stats.t.interval(0.95, len(dots) - 1, np.mean(dots), stats.sem(dots))
    assert [float(x) for x in re.fullmatch(r"M(\S+) \S+H(\S+)", interval.get("d")).groups()] == pytest.approx(
        [low, high], abs=0.1
    )


def test_the_picture_of_the_audit_shows_what_the_audit_finds():
    # Examples that both get right, the teacher alone, the student alone; 800 + 1,200 + 300 + 40 in all.
    counts = {
        "shirts": (560, 90, 20, 130),
        "bags": (1160, 14, 12, 14),
        "coats": (252, 16, 8, 24),
        "dresses": (34, 3, 1, 2),
    }
    slices = np.repeat(list(counts), [sum(count) for count in counts.values()])
    teacher, student = (
        np.concatenate([np.repeat(right, count) for count in counts.values()]) for right in ([1, 1, 0, 0], [1, 0, 1, 0])
    )
    report = audit(np.ones_like(teacher), teacher, student, {"slice": slices}, max_gap=0.05)
    found = report.table.set_index("level").loc[list(counts)]
    rows = [*found.to_dict("records"), report.overall]

    picture = drawn("audit")
    written = [text for text, _ in words(picture)]
    assert [text for text in written if text in ("flag", "pass", "watch", "too few")] == [
        row["verdict"] for row in rows
    ]
    assert [int(text.replace(",", "")) for text in written if re.fullmatch(r"[1-9][\d,]+", text)] == [
        row["n"] for row in rows
    ]
    strokes = [path.get("d") for path in picture.iter(f"{SVG}path") if path.get("class", "").endswith("-line")]
    ends = np.array([re.fullmatch(r"M(\S+) \S+H(\S+)", d).groups() for d in strokes if "H" in d], float)
    (limit,) = with_class(picture, "path", "limit")
    zero, allowed = (
        float(re.match(r"M(\S+)", d)[1]) for d in (with_class(picture, "path", "faint")[0].get("d"), limit.get("d"))
    )
    scale = (allowed - zero) / 0.05
    assert (ends - zero) / scale == pytest.approx(np.array([[row["low"], row["high"]] for row in rows]), abs=0.001)
    for style, who in (("teacher", "teacher"), ("guess", "student")):
        bars = np.array([number(bar, "width") for bar in with_class(picture, "rect", style) if bar.get("x") == "120"])
        assert bars / bars[0] == pytest.approx([row[who] / rows[0][who] for row in rows], abs=0.003)


# ---- where they are shown ----


def test_lessons_show_pictures_that_are_there_and_say_what_they_show():
    for source in build_notebooks.sources():
        text = source.read_text(encoding="utf-8")
        for alt, link in LINK.findall(text):
            assert (source.parent.parent / link).is_file(), f"{source.name}: {link}"
            assert len(alt) > 80, f"{source.name}: {link}"
        assert text.count("](pictures/") == len(LINK.findall(text)), f"{source.name}: a picture without its words"


@every_picture
def test_a_lesson_shows_the_picture(path):
    links = [link for source in build_notebooks.sources() for _, link in LINK.findall(source.read_text("utf-8"))]
    assert f"pictures/{path.name}" in links


WORDS = 'Two "arms" & one interval, which lies above 0'


@pytest.fixture
def notebook():
    """A lesson with a link and a picture."""
    return new_notebook(cells=[new_markdown_cell(f"# A\n\n[data](../data/x) ![{WORDS}](pictures/arms.svg)")])


def test_a_page_of_a_run_has_the_pictures_in_it(notebook):
    page = Page(lessons.to_html(notebook, FOLDER.parent))
    (picture,) = [attributes for tag, attributes in page.tags if tag == "img"]
    kind, _, content = picture["src"].partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(content) == (FOLDER / "arms.svg").read_bytes()
    assert picture["alt"] == WORDS


def test_the_solved_form_lies_one_folder_deeper(tmp_path):
    source = tmp_path / "01_a.py"
    source.write_text("# %% [markdown]\n# [data](../data/x) ![words](pictures/arms.svg)\n", encoding="utf-8")
    texts = {form: build_notebooks.built(source, form).cells[0].source for form in ("learner", "solved")}
    assert texts["learner"] == "[data](../data/x) ![words](pictures/arms.svg)"
    assert texts["solved"] == "[data](../../data/x) ![words](../pictures/arms.svg)"


@pytest.mark.slow  # Sphinx runs
def test_the_site_carries_the_pictures_with_their_words(notebook, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    build_site.lay_out(source)
    notebook.cells[0].source = notebook.cells[0].source.replace("[data](../data/x) ", "")
    (source / "lessons" / "01_a.ipynb").write_text(writes(notebook), encoding="utf-8")
    (source / "index.md").write_text("# Course\n\n```{toctree}\nlessons/01_a\nabout\n```\n", encoding="utf-8")
    (source / "about.md").write_text("# About\n", encoding="utf-8")
    build_site.render(source, out)
    path = out / "lessons" / "01_a.html"
    pictures = [attributes for tag, attributes in Page(path.read_text(encoding="utf-8")).tags if tag == "img"]
    (picture,) = [one for one in pictures if one["alt"] == WORDS]
    assert target(path, picture["src"])[0].read_bytes() == (FOLDER / "arms.svg").read_bytes()
