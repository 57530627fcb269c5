"""The static site, looked at without a browser: it is whole, and asks nothing of any other host."""

import html
import pkgutil
import re

import nbformat
import pytest
import yaml
from course_site import ROOT, Page, addresses_in_css, build_site, imported, site_api, site_pages, target

import kdcourse
from kdcourse import claims, data, lessons, quiz

LIMIT = 1_500_000  # bytes of a page, decoded, without the figures of lessons


@pytest.fixture(scope="module")
def pages(site):
    """{file: Page} of the whole site."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_there_is_a_page_for_everything(site):
    expected = {f"lessons/{path.stem}" for path in lessons.find()}
    expected |= {f"quizzes/{name}" for name in quiz.names()}
    expected |= {f"claims/{claim.name}" for claim in claims.CLAIMS}
    expected |= {f"api/kdcourse.{name}" for name in site_api.modules(ROOT / "kdcourse")}
    expected |= {
        "index",
        "install",
        "explorers",
        "quizzes/index",
        "flashcards",
        "glossary",
        "claims",
        "data/index",
        "when",
    }
    expected |= {f"data/{name}" for name in data.names()}
    expected |= {f"data/{card.parent.name}-teacher" for card in (ROOT / "data").glob("*/teacher-card.md")}
    expected |= {"command", "audit", "audit_tools", "decision_sheet", "language_models", "api/index"}
    kit = ("index", "schedule", "notes", "drills", "mail", "answers", "hub", "classroom", "scale-out")
    expected |= {f"instructors/{name}" for name in kit}
    expected |= {"contributors/index"}
    expected |= {"contributors/quizzes", "contributors/site", "about", "search"}
    assert {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")} == expected


def test_every_public_module_has_a_page():
    found = {module.name for module in pkgutil.iter_modules(kdcourse.__path__) if not module.name.startswith("_")}
    assert {name for name in site_api.modules(ROOT / "kdcourse") if "." not in name} == found - {"cli"}


def test_a_module_inside_a_package_has_a_page_if_it_offers_names_of_its_own(tmp_path):
    (tmp_path / "stats").mkdir()
    for name, text in {
        "__init__": "from package.stats.tests import t_test\n",
        "paired": '"""Pairs\nof things.\n\nMore."""\n\n__all__ = ["pair"]\n',
        "tests": '"""Tests."""\n\n__all__ = ["t_test"]\n',
        "inner": '"""Helpers."""\n',
        "_own": '"""Own."""\n\n__all__ = ["own"]\n',
    }.items():
        (tmp_path / "stats" / f"{name}.py").write_text(text, encoding="utf-8")
    assert site_api.modules(tmp_path) == {"stats": "", "stats.paired": "Pairs\nof things."}


def test_every_link_leads_somewhere(pages):
    lost = []
    for path, page in pages.items():
        for address in page.links() + page.loaded():
            file, fragment = target(path, address) or (path, "")
            if not file.is_file() or (fragment and file.suffix == ".html" and fragment not in pages[file].ids):
                lost.append((path.name, address))
    assert lost == []


def test_no_page_asks_another_host_for_anything(site, pages):
    asked = [(path.name, at) for path, page in pages.items() for at in page.loaded() if target(path, at) is None]
    for path in site.rglob("*.css"):
        asked += [(path.name, at) for at in addresses_in_css(path.read_text(encoding="utf-8")) if "//" in at]
    for path in site.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        fetched = re.findall(r"(?:import|fetch|src\s*=)\s*\(?[\"'](?:https?:)?//[^\"']+", text)
        asked += [(path.name, at) for at in fetched]
    assert asked == []
    assert sum(len(page.loaded()) for page in pages.values()) > 500  # so the pages were looked at


def test_every_claim_term_card_and_question_is_there(site, pages):
    assert {claim.name for claim in claims.CLAIMS} <= pages[site / "claims.html"].ids
    glossary = pages[site / "glossary.html"]
    for entry in quiz.glossary():
        for key in ("definition", "explanation", "misconception", "when_to_use", "when_to_avoid"):
            assert entry[key].replace("`", "") in glossary.text, entry["term"]
    assert {card["id"] for card in quiz.cards()} <= pages[site / "flashcards.html"].ids
    for name in quiz.names():
        for question in quiz.load(name).questions:
            assert question.question.replace("`", "") in pages[site / "quizzes" / f"{name}.html"].text.replace("`", "")


def test_the_page_of_a_claim_says_all_about_it(site, pages):
    measured = 0
    for claim in claims.CLAIMS:
        page, found = pages[site / "claims" / f"{claim.name}.html"], claims.result(claim.name)
        assert f"claims/{claim.name}.html" in pages[site / "claims.html"].links()
        said = [claim.wording, claim.taught_in, claim.measured, claim.revised, claims.plain(claim, found)]
        if claim.measure:
            said += [claims.would_change(claim, found), f"kdcourse claims --run {claim.name}"]
        for label, effect in claims.effects(found):
            said += [label, effect]
        text = page.text.replace("’", "'")  # Sphinx sets quotation marks
        assert [one for one in said if one not in text] == [], claim.name
        styles = [attributes.get("class", "") for _, attributes in page.tags]
        for part in found["parts"] if found else ():
            measured += 1
            for arm in part["arms"].values():
                assert arm["name"] in page.text
                assert all(str(name) in page.text for name in arm["chosen"] or {})
        # Twice, for wide screens and for phones: a mark for each part, and a dot for each pair.
        parts = found["parts"] if found else []
        pairs = sum(len(part["pairs"]["a"]) for part in parts if part["pairs"])
        assert sum(style.endswith(" main") for style in styles) == 2 * len(parts)
        assert styles.count("pair muted") == 2 * pairs
    assert measured > 40


def test_the_picture_of_the_claims_leads_to_their_pages(site, pages):
    page = pages[site / "claims.html"]
    shown = {claim.wording for claim in claims.CLAIMS if claims.result(claim.name)}
    (title, *others) = re.findall(r"<desc>(.*?)</desc>", (site / "claims.html").read_text(encoding="utf-8"), re.S)
    assert len(others) == 1
    assert [one for one in shown if html.escape(one.rstrip(".")) not in title] == []
    for claim in claims.CLAIMS:
        times = page.links().count(f"claims/{claim.name}.html")
        assert times >= (3 if claim.wording in shown else 1)  # wide, narrow, and the table


def test_every_picture_has_words(pages):
    pictures = [attributes for page in pages.values() for tag, attributes in page.tags if tag == "img"]
    assert [one for one in pictures if "alt" not in one] == []
    figures = [one for one in pictures if "/figures/" in one["src"]]
    assert len(figures) > 40
    assert min(len(one["alt"]) for one in figures) > 20
    assert {one["loading"] for one in figures} == {"lazy"}
    assert min(int(one[side]) for one in figures for side in ("width", "height")) > 0


def test_every_formula_of_the_lessons_is_mathml(site, pages):
    total = 0
    for path in lessons.find():
        html = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        source = "\n".join(
            re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.S)
            for cell in build_site.read(path).cells
            if cell.cell_type == "markdown"
        )
        formulas = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", source, flags=re.S)
        made = re.findall(r"<math .*?</math>", html, flags=re.S)
        assert len(made) == len(formulas), path.stem
        assert [one for one in made if "\\" in one] == []
        assert "$$" not in re.sub(r"<pre>.*?</pre>", "", html, flags=re.S)
        total += len(made)
    assert total > 10


def weight(path, page):
    """Bytes of a page with all that it loads, decoded, without the figures of lessons."""
    files, new = {path}, {file for file, _ in filter(None, (target(path, at) for at in page.loaded()))}
    while new:
        files |= new
        scripts = [one for file in new if file.suffix == ".js" for one in imported(file) if one.exists()]
        styles = [(file, addresses_in_css(file.read_text(encoding="utf-8"))) for file in new if file.suffix == ".css"]
        inside = [(file.parent / at).resolve() for file, found in styles for at in found if at.endswith(".css")]
        new = {*scripts, *inside} - files
    return sum(file.stat().st_size for file in files if "figures" not in file.parts)


def test_code_keeps_its_words_and_its_colours(site, pages):
    colours = (site / "_static" / "pygments.css").read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        of = dict(re.findall(rf'\[data-theme="{theme}"\] \.highlight ?(\S*) {{[^}}]*?color: (#\w+)', colours))
        assert of[".n"] == of[".p"] == of[".w"] == of[""]
    html = (site / "lessons" / "00_start_here.html").read_text(encoding="utf-8")
    assert not re.search(r'<span class="(n|p|w)">', html)
    assert '<span class="kn">import</span>' in html
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    text = pages[site / "lessons" / "00_start_here.html"].text
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.source in text


def test_pages_are_light(site, pages):
    weights = {path.relative_to(site).as_posix(): weight(path, page) for path, page in pages.items()}
    assert {page: bytes for page, bytes in weights.items() if bytes > LIMIT} == {}
    assert min(weights.values()) > 300_000  # the theme alone weighs that, so it was counted
    served = [path for path in site.rglob("*") if path.is_file()]
    assert [path.name for path in served if path.stat().st_size > 1_000_000] == []
    assert [path.name for path in served if path.suffix in (".map", ".ipynb", ".woff2")] == []


def test_the_landing_page_adds_up_what_the_lessons_state(site, pages):
    stated = [re.search(r"\*\*(\d+) minutes\*\*", path.read_text(encoding="utf-8"))[1] for path in lessons.find()]
    hours, minutes = divmod(sum(map(int, stated)), 60)
    text = " ".join(pages[site / "index.html"].text.split())
    assert f"{len(stated)} lessons, {hours} hours {minutes} minutes" in text
    for command in ("make lab", "make test"):
        assert command in text
    assert "put:" not in (site / "index.html").read_text(encoding="utf-8")


def test_the_workflow_makes_the_site_and_deploys_it():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8"))
    build, deploy = workflow["jobs"]["build"]["steps"], workflow["jobs"]["deploy"]["steps"]
    assert "make site" in [step.get("run") for step in build]
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    (upload,) = [step for step in build if step.get("uses", "").startswith("actions/upload-pages-artifact@")]
    assert ROOT / upload["with"]["path"] == build_site.OUT
    assert any(step.get("uses", "").startswith("actions/deploy-pages@") for step in deploy)
    assert workflow[True].keys() == {"push", "workflow_dispatch"}  # YAML reads `on` as true


@pytest.mark.slow  # Sphinx runs
def test_a_page_that_sphinx_warns_about_is_an_error(tmp_path):
    source = tmp_path / "source"
    build_site.lay_out(source)
    (source / "index.md").write_text("# Nothing\n\n[lost](nowhere.md) and $\\nonsense{x}$\n", encoding="utf-8")
    (source / "about.md").write_text("---\norphan: true\n---\n# About\n", encoding="utf-8")
    with pytest.raises(build_site.SiteError) as caught:
        build_site.render(source, tmp_path / "out")
    assert "nowhere.md" in str(caught.value)
    assert "cannot be shown as MathML" in str(caught.value)


def test_every_term_has_a_plain_address_of_its_own():
    assert len({site_pages.term_id(entry["term"]) for entry in quiz.glossary()}) == len(quiz.glossary())
    assert site_pages.term_id("Kullback–Leibler divergence") == "kullback-leibler-divergence"
