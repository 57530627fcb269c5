"""Slides in Chromium, on a projector of 1280 × 720: they fit, can be read, and need nothing from elsewhere."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from browser import needs_chromium, watched
from chromium import served

from kdcourse import claims

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_slides  # noqa: E402

HAS_REVEAL = importlib.util.find_spec("sphinx_revealjs") is not None
pytestmark = [
    needs_chromium,
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_REVEAL, reason="needs the extra kdcourse[slides]"),
]
MEASURE = """() => [...Array(Reveal.getTotalSlides()).keys()].map((number) => {
  Reveal.slide(number);
  const slide = Reveal.getCurrentSlide(), page = slide.querySelector(".page").getBoundingClientRect();
  const texts = [...slide.querySelectorAll(".page *")].filter((one) => [...one.childNodes].some(
    (node) => node.nodeType === 3 && node.textContent.trim()));
  const letters = texts.filter((one) => one.namespaceURI.endsWith("xhtml"))
    .map((one) => parseFloat(getComputedStyle(one).fontSize));
  const boxes = [...texts, ...slide.querySelectorAll("img, pre, table")].map((one) => one.getBoundingClientRect());
  return {
    number, kind: slide.className, letters: Math.min(...letters, 99), notes: slide.querySelector(".notes").innerText,
    page: [page.width, page.height],
    out: boxes.filter((box) => box.left < -1 || box.top < -1 || box.right > 1281 || box.bottom > 721).length,
    pictures: [...slide.querySelectorAll("img")].map((one) => [one.naturalWidth, one.clientWidth, one.clientHeight]),
  };
})"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("slides")
    # All of them: a lesson that is written later must fit, too.
    return out, build_slides.build(out=out)


def test_every_slide_fits_can_be_read_from_the_back_and_has_notes(browser, built):
    out, counts = built
    with served(out) as address, browser.new_page(viewport={"width": 1280, "height": 720}) as page:
        complaints = watched(page, address)
        for file, count in counts.items():
            page.goto(f"{address}/{file}")
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            page.wait_for_load_state("load")
            slides = page.evaluate(MEASURE)
            assert len(slides) == count
            for slide in slides:
                assert slide["page"] == [1280, 720], slide
                assert slide["out"] == 0, slide
                assert slide["letters"] >= 19, slide  # code in running text; what is lowest otherwise is 24
                assert len(slide["notes"].split()) > 3, slide
                for natural, width, height in slide["pictures"]:
                    assert natural > 0, slide
                    assert max(width / 1280, height / 720) > 0.7, slide
            if file != "votes.html":
                notebook = (ROOT / "notebooks" / file).with_suffix(".ipynb").read_text(encoding="utf-8")
                figures = sum("figure" in slide["kind"].split() for slide in slides)
                assert figures == notebook.count('"image/png": "') > 0
        assert complaints == []


def test_nothing_comes_from_elsewhere(built):
    out, _ = built
    for path in [*out.glob("*.html"), *out.glob("*.css")]:
        outside = re.findall(
            r"(?:src|href|url|import)\W{1,3}(?:https?:)?//[^\s\"')]+", path.read_text(encoding="utf-8")
        )
        assert outside == [], path.name


def test_every_claim_is_voted_on_before_it_is_answered(built):
    page = (built[0] / "votes.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section class="(vote|answer)">(.*?)</section>', page, re.S)
    assert [kind for kind, _ in sections] == ["vote", "answer"] * len(claims.CLAIMS)
    for claim, (_, asked), (_, told) in zip(claims.CLAIMS, sections[::2], sections[1::2], strict=True):
        answer = build_slides.html.escape(claims.plain(claim, claims.result(claim.name)))
        assert asked.count("<li>") == len(build_slides.VOTES)
        assert answer not in asked
        assert answer in told
