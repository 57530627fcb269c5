"""The page of an audit in a real browser: wide and narrow, light and dark, on paper, and looked at by axe."""

import re

import numpy as np
import pytest
from browser import faults, needs_chromium, tab_to, watched

from kdcourse.audit import audit, audit_all

pytestmark = needs_chromium
HOSTILE = [
    "<script>window.ran = 1</script>",
    '"><img src="https://example.org/x" onerror="window.ran = 1">',
    "</style></svg><svg onload='window.ran = 1'>",
    "a_very_long_name_without_a_single_place_to_break_it_" * 3,
]
# The width of an A4 page on its side less the margins, at 96 dots an inch.
PAPER = {"width": int((297 - 20) / 25.4 * 96), "height": 700}


def report(levels, n=150):
    """Probabilities, a baseline and a slice of numbers, so that the table has every column that there is."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, n * len(levels))
    group = np.repeat(levels, n)
    wrong = (rng.random(len(truth)) < 0.3) & (group == levels[0])
    better = group == levels[-1]
    teacher = np.where(better & (rng.random(len(truth)) < 0.4), 1 - truth, truth)
    student = np.where(wrong, 1 - truth, truth)
    baseline = np.where(rng.random(len(truth)) < 0.2, 1 - truth, truth)
    given = [np.where(np.eye(2)[chosen], 0.9, 0.1) for chosen in (teacher, student, baseline)]
    slices = {"group": group, "length": rng.lognormal(5, 1, len(truth))}
    return audit(truth, given[0], given[1], slices, baseline=given[2], max_gap=0.03, thresholds={"length": 0.05})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    report(["hard ham", *HOSTILE, "news letter"]).to_html(path)
    return path


@pytest.fixture(scope="module")
def page(browser, path):
    """The page, opened once: each test sets the width and the scheme that it looks at."""
    page = browser.new_page()
    page.complaints = watched(page, path.as_uri())
    page.goto(path.as_uri())
    yield page
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_no_fault_and_nothing_is_asked_for(page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert page.complaints == []
    assert faults(page) == []


def test_names_from_the_data_are_shown_and_never_run(page):
    assert page.evaluate("window.ran") is None
    assert set(HOSTILE) <= set(page.locator("th[scope=row]").all_inner_texts())
    assert page.locator("main img").count() == 1
    assert page.locator("script, main svg").count() == 0


def test_what_is_too_wide_scrolls_from_the_keyboard(page):
    page.set_viewport_size({"width": 320, "height": 900})
    for number in (0, 1):
        box = page.locator(".scroll").nth(number)
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        assert box.get_attribute("aria-label")
    tab_to(page, ".scroll:not(.figure)")
    page.keyboard.press("ArrowRight")
    # The page forbids what wait_for_function does, and scrolling is smooth.
    assert box.evaluate(
        """box => new Promise(done => {
            const look = () => box.scrollLeft > 0 ? done(true) : requestAnimationFrame(look);
            look();
        })"""
    )


def test_a_script_that_slipped_in_would_be_blocked(browser, path, tmp_path):
    address = tmp_path / "slipped.html"
    text = path.read_text(encoding="utf-8")
    address.write_text(text.replace("<main>", "<main><script>window.ran = 1</script>"), encoding="utf-8")
    page = browser.new_page()
    complaints = watched(page, address.as_uri())
    page.goto(address.as_uri())
    assert page.evaluate("window.ran") is None
    assert "Content Security Policy" in "".join(complaints)
    page.close()


def test_every_row_is_on_the_paper_and_nothing_is_cut_off(browser, tmp_path):
    many = report([f"group {k:02}" for k in range(60)], n=100)
    many.to_html(tmp_path / "many.html")
    page = browser.new_page(viewport=PAPER)
    page.goto((tmp_path / "many.html").as_uri())
    rows = page.locator("tbody tr")
    assert rows.count() == len(many.table) + 1 == 65
    for scheme in ("light", "dark"):
        page.emulate_media(media="print", color_scheme=scheme)
        boxes = rows.evaluate_all("rows => rows.map(row => [row.getBoundingClientRect(), row.checkVisibility()])")
        width = page.evaluate("document.documentElement.clientWidth")
        assert all(shown and box["height"] > 0 and 0 <= box["left"] < box["right"] <= width for box, shown in boxes)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        looks = page.locator(".scroll").evaluate_all("boxes => boxes.map(box => getComputedStyle(box).overflowX)")
        assert looks == ["visible", "visible"]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("thead").evaluate("head => getComputedStyle(head).display") == "table-header-group"
    assert sheets(page) >= 3
    page.close()


def sheets(page):
    """How many pages it has on paper."""
    return len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True)))


def test_a_report_of_up_to_twelve_slices_is_one_sheet(browser, tmp_path):
    signed = {"file": __file__, "columns": {"label": "y", "teacher": "teacher_*", "student": "student_*"}}
    page = browser.new_page(viewport=PAPER)
    for count, expected in [(8, 1), (9, 2)]:  # and four bins of the length
        found = report([f"group {k}" for k in range(count)]).signed("Ada, 2026-11-26", **signed)
        assert len(found.table) == count + 4
        found.to_html(tmp_path / "few.html")
        page.goto((tmp_path / "few.html").as_uri())
        assert min(sheets(page), 2) == expected
    found = report(["a", "b"])
    found.compare(found).to_html(tmp_path / "few.html")
    page.goto((tmp_path / "few.html").as_uri())
    page.emulate_media(media="print")
    words, figure = (page.locator(place).bounding_box() for place in (".summary", ".picture"))
    assert (words["y"], words["x"] + words["width"] < figure["x"]) == (figure["y"], True)
    page.close()


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Two pages: a report with all of its parts, and one of several students; their names are hostile."""
    folder, rng = tmp_path_factory.mktemp("parts"), np.random.default_rng(0)
    truth, group = np.tile([0, 1], 400), np.repeat([HOSTILE[0], HOSTILE[1], HOSTILE[3], "d"], 200)
    student = np.where((group == HOSTILE[0]) & (rng.random(800) < 0.4), 1 - truth, truth)
    names = np.array(HOSTILE[:2], object)
    given = [names[one] for one in (truth, truth, student)]
    asked = {"ids": [f"{HOSTILE[1]}{k}" for k in range(800)], "search": 2, "show_confusion": True, "show_examples": 5}
    before = audit(given[0], given[1], given[1], {"group": group})
    audit(*given, {"group": group}, **asked).compare(before).signed(HOSTILE[0]).to_html(folder / "one.html")
    audit_all(*given[:2], {HOSTILE[1]: given[2], "b": given[1]}, {"group": group}).to_html(folder / "two.html")
    return folder


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize(("name", "tables"), [("one.html", 5), ("two.html", 1)])
def test_every_part_is_without_fault_in_light_and_dark_and_runs_nothing(browser, parts, name, tables, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints = watched(page, (parts / name).as_uri())
    page.goto((parts / name).as_uri())
    assert page.locator("table").count() == tables
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page) == []
    assert (complaints, page.evaluate("window.ran")) == ([], None)
    page.close()
