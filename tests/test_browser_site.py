"""The static site in a real browser, from a server on this machine: it runs by itself, and remembers."""

import itertools
import json
import re
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from browser import faults, needs_chromium, tab_to
from course_site import ROOT, served

from kdcourse import quiz
from kdcourse.quiz.content import title_of
from kdcourse.widgets._explorer import explorers

pytestmark = needs_chromium
SCREENSHOTS = ROOT / "build" / "screenshots" / "site"
KINDS = {
    "landing": "index.html",
    "lesson": "lessons/02_temperature.html",
    "explorers": "explorers.html",
    "quizzes": "quizzes/index.html",
    "quiz": "quizzes/vocabulary.html",
    "cards": "flashcards.html",
    "glossary": "glossary.html",
    "claims": "claims.html",
    "claim": "claims/soft-beats-hard.html",
    "datasheet": "data/spam-assassin.html",
    "reference": "api/index.html",
    "module": "api/kdcourse.losses.html",
    "answers": "instructors/answers.html",
    "about": "about.html",
    "search": "search.html?q=temperature",
}
NO_STORE = """Object.defineProperty(window, "localStorage", {
    configurable: true, get() { throw new DOMException("The store is closed.", "SecurityError"); } });"""
# Unfold what is folded, and load the pictures that wait until they are seen.
EVERYTHING = """() => {
    for (const details of document.querySelectorAll("article details")) details.open = true;
    return Promise.all([...document.images].map((image) => { image.loading = "eager"; return image.decode(); }));
}"""
GARBAGE = ["", "null", "[]", "7", '"text"', "{", '{"answers": null}', '{"answers": {"x": {}}, "first_tries": 3}', "{}}"]


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """A function that opens a page of the site and returns it, in one context for all calls with the same options."""
    with visitor(browser, address) as opened:
        yield opened


@contextmanager
def visitor(browser, address):
    contexts = {}

    def opened(path, script=None, **options):
        key = json.dumps([script, options], sort_keys=True)
        if key not in contexts:
            contexts[key] = browser.new_context(reduced_motion="reduce", **options)
            contexts[key].route(lambda url: not url.startswith(address), lambda route: route.abort())
            if script:
                contexts[key].add_init_script(script)
        page = contexts[key].new_page()
        page.set_default_timeout(30_000)
        page.address, page.complaints = f"{address}/", []
        complain = page.complaints.append
        page.on("console", lambda said: complain(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("response", lambda got: complain(f"{got.status} {got.url}") if got.status >= 400 else None)
        page.on("request", lambda sent: complain(sent.url) if abroad(sent.url, address) else None)
        page.goto(f"{address}/{path}")
        if options.get("java_script_enabled", True):
            wait(page)
        return page

    try:
        yield opened
    finally:
        for context in contexts.values():
            context.close()


def wait(page):
    """Until the scripts of the page have started."""
    page.wait_for_selector("html[data-course-ready]", state="attached")


def abroad(url, address):
    """Whether a request goes to another host. What a page makes itself (data:, blob:) goes to none."""
    return urlsplit(url).scheme not in ("data", "blob") and not url.startswith(f"{address}/")


def status(page, within="[data-course]"):
    return page.locator(f"{within} [role=status]").first.inner_text()


# ---- every page ----


def test_no_page_asks_another_host_or_complains(visit, site):
    """Of modules, claims and quizzes, one each: their pages are of one make, and `test_site.py` reads all of them."""
    page = visit("about.html")
    made_alike = ("api/kdcourse.", "claims/", "quizzes/0", "quizzes/1")
    paths = [path.relative_to(site).as_posix() for path in site.rglob("*.html")]
    for path in sorted({*KINDS.values(), *(path for path in paths if not path.startswith(made_alike))}):
        page.goto(page.address + path)
        wait(page)
        page.evaluate(EVERYTHING)
        assert page.complaints == [], path


def test_a_request_to_another_host_would_be_seen(visit):
    page = visit("about.html")
    page.evaluate("() => fetch('http://192.0.2.1/spy').catch(() => {})")
    assert "http://192.0.2.1/spy" in page.complaints


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_no_fault_and_nothing_scrolls_sideways(visit, scheme, width):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = visit("about.html", color_scheme=scheme, viewport={"width": width, "height": 900})
    for kind, path in KINDS.items():
        page.goto(page.address + path)
        wait(page)
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        page.screenshot(path=SCREENSHOTS / f"{kind}-{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        assert page.complaints == [], kind
        assert faults(page) == [], kind
        page.complaints.clear()  # axe itself asks for a stylesheet in vain


def test_every_icon_of_the_theme_is_drawn(visit):
    page = visit("lessons/02_temperature.html", viewport={"width": 360, "height": 900})
    seen = page.locator(".fa-solid").evaluate_all(
        "nodes => nodes.map(node => [node.className, getComputedStyle(node, '::before').maskImage])"
    )
    circle = page.evaluate("""() => {
        const node = document.body.appendChild(document.createElement("i"));
        node.className = "fa-solid";
        return getComputedStyle(node, "::before").maskImage;
    }""")
    assert len(seen) > 8
    assert [name for name, mask in seen if mask in (circle, "none")] == []


def test_wide_tables_code_and_formulas_scroll_by_keyboard(visit):
    page = visit("lessons/02_temperature.html", viewport={"width": 360, "height": 900})
    unreachable = page.evaluate("""() => [...document.querySelectorAll("article *")].filter((node) =>
        node.scrollWidth > node.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(node).overflowX) &&
        node.tabIndex !== 0).map((node) => node.outerHTML.slice(0, 100))""")
    assert unreachable == []
    assert page.locator("article [data-scrolls]").count() > 3


# ---- explorers ----


def test_every_explorer_runs_on_its_page_and_starts_where_it_should(visit):
    page = visit("explorers.html")
    for name, kind in explorers().items():
        explorer = page.locator(f"[data-explorer={name}]")
        assert page.get_by_role("heading", name=kind.title).count() == 1
        for trait, value in kind.opening.items():
            assert explorer.evaluate(f"node => node.model.get('{trait}')") == value
        text = explorer.inner_text()
        explorer.locator("input[type=range]:not([disabled])").first.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert explorer.inner_text() != text, name
    assert page.complaints == []


@pytest.mark.parametrize("path", ["index.html", "lessons/02_temperature.html"])
def test_explorers_on_other_pages_run_too(visit, path):
    page = visit(path)
    explorer = page.locator("[data-explorer]")
    explorer.locator("input[min='-1']").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert f"At T = {8 if path == 'index.html' else 2}.0" in explorer.inner_text()
    assert page.complaints == []


# ---- quizzes ----


def answer(page, question, right=True):
    """Choose an option of the question that stands in the first form, and check it."""
    form = page.locator(".kdcourse-quiz form").first
    index = [bool(one.get("correct")) for one in question.answers].index(right)
    form.locator("input").nth(index).check()
    form.get_by_role("button", name="Check").click()


def test_answers_survive_a_reload_and_are_counted_until_they_are_forgotten(visit):
    first = quiz.load("vocabulary").questions[0]
    page = visit("quizzes/vocabulary.html")
    answer(page, first)
    assert "1 / 5 completed" in status(page, ".kdcourse-quiz")
    page.reload()
    wait(page)
    assert "1 / 5 completed" in status(page, ".kdcourse-quiz")

    page = visit("lessons/00_start_here.html")  # the same quiz stands in a lesson
    assert "1 / 5 completed" in page.locator(".kdcourse-quiz").inner_text()

    page = visit("quizzes/index.html")
    assert page.locator("[data-quiz=vocabulary]").inner_text() == "1 of 5 answered, 1 right at the first try"
    assert page.locator("[data-quiz=final]").inner_text() == f"{len(quiz.load('final').questions)} questions"
    total = sum(len(quiz.load(name).questions) for name in quiz.names())
    assert status(page) == f"All quizzes: 1 of {total} answered, 1 right at the first try."
    page.evaluate("localStorage.setItem('not-ours', '1')")
    tab_to(page, "[data-course=quizzes] .kd-forget button")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "No, keep it"
    page.keyboard.press("Enter")
    assert page.locator("[data-quiz=vocabulary]").inner_text().startswith("1 of 5")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert status(page) == f"Forgotten. All quizzes: 0 of {total} answered, 0 right at the first try."
    kept = page.evaluate("Object.keys(localStorage)")
    assert [name for name in kept if name.startswith("kdcourse:quiz:")] == []
    assert "not-ours" in kept
    assert page.complaints == []
    assert visit("quizzes/vocabulary.html").locator(".kdcourse-quiz :checked").count() == 0


def test_a_miss_counts_as_answered_but_not_as_right(visit):
    answer(visit("quizzes/vocabulary.html"), quiz.load("vocabulary").questions[0], right=False)
    page = visit("quizzes/index.html")
    assert page.locator("[data-quiz=vocabulary]").inner_text() == "1 of 5 answered, 0 right at the first try"


# ---- flashcards ----


def card_texts(page):
    """What can be read on the card."""
    return page.locator(".kd-face > p:not(.kd-buttons):visible").all_inner_texts()


def turn(page):
    """Show the answer, and then the answer to what is asked next."""
    page.get_by_role("button", name="Show the answer", exact=True).click()
    page.get_by_role("button", name="Show the answer to this").click()


def test_cards_by_keyboard_alone(visit):
    cards = quiz.cards()
    page = visit("flashcards.html")
    assert status(page) == f"0 of {len(cards)} known, {len(cards)} to go."
    title = title_of(cards[0]["lesson"])
    assert card_texts(page) == [title, cards[0]["front"]]
    tab_to(page, ".kd-buttons button:nth-of-type(1)")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.innerText") == cards[0]["back"].replace("`", "")
    asked = [title, cards[0]["front"], cards[0]["back"], f"Asked next: {cards[0]['follow_up']}"]
    assert card_texts(page) == [text.replace("`", "") for text in asked]
    assert page.locator(".kd-buttons button:visible").all_inner_texts() == ["Show the answer to this"]
    tab_to(page, ".kd-buttons button:nth-of-type(2)")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.innerText") == cards[0]["follow_up_back"].replace("`", "")
    assert card_texts(page)[:-1] == [text.replace("`", "") for text in asked]
    tab_to(page, ".kd-buttons button:nth-of-type(4)")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.className") == "kd-front"
    assert card_texts(page) == [title, cards[1]["front"].replace("`", "")]
    assert status(page) == f"0 of {len(cards)} known, {len(cards)} to go."
    for button in (1, 2):
        tab_to(page, f".kd-buttons button:nth-of-type({button})")
        page.keyboard.press("Enter")
    tab_to(page, ".kd-buttons button:nth-of-type(3)")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert status(page) == f"1 of {len(cards)} known, {len(cards) - 1} to go."
    kept = json.loads(page.evaluate("localStorage.getItem('kdcourse:cards')"))
    assert kept == {cards[0]["id"]: "again", cards[1]["id"]: "known"}
    page.reload()
    wait(page)
    assert status(page) == f"1 of {len(cards)} known, {len(cards) - 1} to go."
    assert page.complaints == []
    assert faults(page) == []  # axe itself asks for a stylesheet in vain: it must come last


def test_cards_of_one_lesson_until_all_are_known_and_forgotten(visit):
    lesson = "02_temperature"
    some = [card for card in quiz.cards() if card["lesson"] == lesson]
    page = visit("flashcards.html")
    page.get_by_label("Cards of").select_option(lesson)
    assert status(page) == f"0 of {len(some)} known, {len(some)} to go."
    for card in some:
        assert card_texts(page) == [title_of(lesson), card["front"].replace("`", "")]
        turn(page)
        page.get_by_role("button", name="I knew it").click()
    assert status(page) == f"{len(some)} of {len(some)} known, 0 to go."
    assert page.get_by_role("button", name="Show the answer").count() == 0
    page.get_by_role("button", name="Forget which cards I knew").click()
    page.get_by_role("button", name="Yes, forget").click()
    assert status(page) == f"0 of {len(some)} known, {len(some)} to go."
    assert page.evaluate("localStorage.getItem('kdcourse:cards')") == "{}"


# ---- glossary and search ----


def test_the_glossary_filters_as_one_types(visit):
    page = visit("glossary.html")
    entries = quiz.glossary()
    assert status(page) == f"{len(entries)} terms."
    field = page.get_by_label("Search the glossary")
    for typed in ("kullback leibler", "TEACHER", "qqqq"):
        field.fill(typed)
        words = re.sub(r"[\s\-–_]+", " ", typed).lower().split()
        expected = set()
        for entry in entries:
            text = " ".join([entry["term"], *entry["also_known_as"], entry["definition"]])
            text = re.sub(r"[\s\-–_]+", " ", text.replace("`", "")).lower()
            if all(word in text for word in words):
                expected.add(entry["term"])
        shown = {node.inner_text() for node in page.locator(".kd-term:visible h2").all()}
        assert shown == expected
        assert status(page) == f"{len(expected)} of {len(entries)} terms."
        assert (len(expected) == 0) == (typed == "qqqq")
    page.evaluate("location.hash = 'soft-label'")  # a link to a term that the search had hidden
    page.locator("#soft-label details[open]").wait_for()
    assert field.input_value() == ""
    page.locator("#soft-label dd a").first.click()
    page.wait_for_function("document.querySelector(location.hash).querySelector('details').open")
    assert page.complaints == []


def test_the_search_finds_a_page_and_a_lesson(visit):
    page = visit("search.html?q=discordant")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").evaluate_all("nodes => nodes.map(node => node.getAttribute('href'))")
    assert [at for at in found if at.startswith("glossary.html")] != []
    page = visit("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("temperature")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=temperature*")
    page.locator("#search-results li a[href^='lessons/02_temperature.html']").first.wait_for()
    assert page.complaints == []


# ---- where things are missing ----


def test_garbage_in_the_store_is_as_nothing(visit):
    """Each kind in each store; the overview reads a store for each quiz, so it meets all kinds at once."""
    stored = [f"kdcourse:quiz:{name}" for name in quiz.names()]
    assert len(stored) >= len(GARBAGE)
    every_kind = dict(zip(stored, itertools.cycle(GARBAGE), strict=False))
    pages = {
        "quizzes/index.html": ("[data-course]", [every_kind]),
        "flashcards.html": ("[data-course]", [{"kdcourse:cards": garbage} for garbage in GARBAGE]),
        "quizzes/vocabulary.html": (".kdcourse-quiz", [{"kdcourse:quiz:vocabulary": garbage} for garbage in GARBAGE]),
    }
    for path, (within, cases) in pages.items():
        page = visit(path)
        for case in cases:
            page.evaluate("(stores) => Object.entries(stores).forEach((one) => localStorage.setItem(...one))", case)
            page.reload()
            wait(page)
            assert re.search(r"\b0 of|\b0 / 5 completed", status(page, within)), (path, case)
            assert page.complaints == []


def test_without_a_store_everything_works_and_nothing_is_kept(visit):
    page = visit("quizzes/vocabulary.html", script=NO_STORE)
    answer(page, quiz.load("vocabulary").questions[0])
    assert "1 / 5 completed" in status(page, ".kdcourse-quiz")
    assert page.complaints == []
    page = visit("quizzes/index.html", script=NO_STORE)
    assert "0 of" in status(page)
    assert page.complaints == []
    page = visit("flashcards.html", script=NO_STORE)
    turn(page)
    page.get_by_role("button", name="I knew it").click()
    assert status(page).startswith("1 of")
    assert page.complaints == []


def test_everything_can_be_read_without_scripts(visit):
    page = visit("glossary.html", java_script_enabled=False)
    assert page.locator(".kd-term:visible").count() == len(quiz.glossary())
    page = visit("flashcards.html", java_script_enabled=False)
    assert page.locator("section h2 + .kd-card").count() == len({card["lesson"] for card in quiz.cards()})
    card = page.locator("details.kd-card").first
    for field in ("back", "follow_up_back"):
        card.locator("summary:visible").last.click()
        assert quiz.cards()[0][field].replace("`", "") in card.inner_text()
    page = visit("quizzes/index.html", java_script_enabled=False)
    assert page.locator(".kd-list a").count() == len(quiz.names())
    page = visit("quizzes/vocabulary.html", java_script_enabled=False)
    assert page.locator(".kdcourse-quiz details").count() == len(quiz.load("vocabulary").questions)
    page = visit("lessons/02_temperature.html", java_script_enabled=False)
    assert page.locator("math").first.is_visible()
