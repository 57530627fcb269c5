"""What the pieces of the site's build make of good and of broken input."""

import base64
import io
import json
import re

import pytest
from course_site import build_site, claims_forest, site_claims, site_landing, site_links, site_notebooks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from kdcourse import claims, data, store
from kdcourse.stats import Comparison
from kdcourse.widgets._explorer import explorers

EXPLORER, SiteError = site_notebooks.EXPLORER, site_notebooks.SiteError
header, read, transform = site_notebooks.header, site_notebooks.read, site_notebooks.transform
KNOWN = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributors/index.md",
    "notebooks/01_soft_labels.ipynb": "lessons/01_soft_labels.ipynb",
    "data/garments/README.md": "data/garments.md",
    "site/install.md": "install.md",
}


def png(width=3, height=2):
    picture = io.BytesIO()
    Image.new("L", (width, height)).save(picture, "PNG")
    return base64.b64encode(picture.getvalue()).decode()


def shown(data, metadata=None, source="show()"):
    output = new_output("display_data", data=data, metadata=metadata or {})
    return new_notebook(cells=[new_code_cell(source, outputs=[output])])


def html_of(notebook, folder):
    transform(notebook, "01_soft_labels", folder, KNOWN)
    return notebook.cells[0].outputs[0].data["text/html"]


# ---- notebooks ----


ALT = {"image/png": {"alt": 'A slide, and <what> it "shows" & more'}}


def test_a_figure_becomes_a_file_with_its_words_and_size(tmp_path):
    html = html_of(shown({"image/png": png(), "text/plain": "[figure]"}, ALT), tmp_path)
    path = "_static/figures/01_soft_labels/1.png"
    assert f'src="../{path}"' in html
    assert 'alt="A slide, and &lt;what&gt; it &quot;shows&quot; &amp; more"' in html
    assert 'width="3" height="2" loading="lazy"' in html
    assert (tmp_path / path).read_bytes() == base64.b64decode(png())


def test_a_figure_that_says_how_large_it_is_to_be_shown_is_shown_so(tmp_path):
    about = {"image/png": ALT["image/png"] | {"width": 30, "height": 20}}
    assert 'width="30" height="20"' in html_of(shown({"image/png": png(60, 40)}, about), tmp_path)


def test_a_table_of_pandas_has_no_empty_heading(tmp_path):
    html = html_of(shown({"text/html": '<table class="dataframe"><tr><th></th><th>a</th></tr></table>'}), tmp_path)
    assert html == '<table class="dataframe"><tr><td></td><th>a</th></tr></table>'


def test_a_claim_that_a_lesson_shows_leads_to_its_page(tmp_path, drawn):
    gain = Comparison(0.02, 0.01, 0.03, 9, "better")
    measured = claims.show("soft-beats-hard", {"examples=100": gain}, title="Soft labels win")
    html = html_of(shown(measured._repr_mimebundle_()), tmp_path)
    assert '<a href="../claims/soft-beats-hard.html">soft-beats-hard</a>' in html


def test_an_explorer_keeps_its_picture_and_its_state(tmp_path):
    state = {"text": "</script><b>", "values": [1, 2.5, None]}
    data = {EXPLORER: {"explorer": "soft_labels", "state": state}, "image/png": png(), "text/plain": "[explorer]"}
    notebook = shown(data, ALT)
    (explorer,) = transform(notebook, "01_soft_labels", tmp_path, KNOWN)
    html = notebook.cells[0].outputs[0].data["text/html"]
    assert html.startswith('<div class="kdcourse-explorer" data-explorer="soft_labels"><img src="../_static/figures/')
    stored = html.partition('<script type="application/json">')[2].partition("</script>")[0]
    assert "<" not in stored
    assert json.loads(stored) == state
    assert '"soft_labels"><img src="_static/figures/' in explorer.html("")


def test_a_quiz_comes_from_its_file_without_script_and_style(tmp_path):
    old = '<div class="kdcourse-quiz">old</div><style>x</style><script type="module">start();</script>'
    html = html_of(shown({"text/html": old}, source='from kdcourse import quiz\nquiz.show( "vocabulary" )'), tmp_path)
    assert "old" not in html
    assert "<style>" not in html
    assert html.count("<script") == 1
    stored = json.loads(html.partition('<script type="application/json">')[2].partition("</script>")[0])
    assert stored["name"] == "vocabulary"
    for question in stored["questions"]:
        known = question["lesson"] == "01_soft_labels"
        assert question.get("href") == ("../lessons/01_soft_labels.html" if known else None)


@pytest.mark.parametrize(
    ("data", "metadata", "source", "why"),
    [
        ({"image/png": png()}, {}, "", "no alternative text"),
        ({"image/png": base64.b64encode(b"GIF89a").decode()}, ALT, "", "is no PNG"),
        ({EXPLORER: {"explorer": "a", "state": {}}}, {}, "", "has no picture beside it"),
        ({EXPLORER: {"explorer": "../a", "state": {}}, "image/png": png()}, ALT, "", "must have a name and a state"),
        ({EXPLORER: {"explorer": "a"}, "image/png": png()}, ALT, "", "must have a name and a state"),
        ({EXPLORER: [], "image/png": png()}, ALT, "", "must have a name and a state"),
        ({"text/html": '<div class="kdcourse-quiz">'}, {}, "quiz.show(name)", "has no quiz.show with a name"),
        ({"text/html": '<div class="kdcourse-quiz">'}, {}, "quiz.show('none')", "no quiz 'none'"),
    ],
)
def test_a_broken_output_is_an_error_that_says_where_and_why(tmp_path, data, metadata, source, why):
    with pytest.raises(SiteError, match=f"(?s)^01_soft_labels.ipynb, cell 1: .*{why}"):
        transform(shown(data, metadata, source), "01_soft_labels", tmp_path, KNOWN)


@pytest.mark.parametrize("text", ["", '{"cells": 3, "nbformat": 4}', "[]"])
def test_a_file_that_is_no_notebook_is_an_error_with_its_name(tmp_path, text):
    path = tmp_path / "01_broken.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SiteError, match="01_broken.ipynb"):
        header(read(path), "01_broken")


def test_a_lesson_states_its_title_its_minutes_and_its_aims():
    text = "# 07 · Seven\n\n**45 minutes** · needs nothing\n\nYou will be able to\n- count,\n- count on."
    notebook = new_notebook(cells=[new_markdown_cell(text)])
    assert header(notebook, "07_seven") == ("07 · Seven", 45, "count; count on")
    with pytest.raises(SiteError, match="07_seven.ipynb must begin"):
        header(new_notebook(cells=[new_markdown_cell("# 07 · Seven")]), "07_seven")


def test_explorers_that_are_missing_are_an_error_that_names_them():
    there = dict.fromkeys(explorers())
    build_site.require_explorers(there)
    del there["soft_labels"]
    with pytest.raises(SiteError, match="no lesson has stored the explorers soft_labels: run make notebooks"):
        build_site.require_explorers(there)


# ---- links ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[one](01_soft_labels.ipynb#see)", "[one](01_soft_labels.ipynb#see)"),
        ("[sheet](../data/garments/README.md)", "[sheet](../data/garments.md)"),
        ("[pip](../site/install.md#without-make)", "[pip](../install.md#without-make)"),
        ("[the records](../kdcourse/claims/record.py)", "the records (`kdcourse/claims/record.py`)"),
        ("[`record.py`](../kdcourse/claims/record.py)", "`kdcourse/claims/record.py`"),
        ("[arXiv](https://arxiv.org/abs/1)", "[arXiv](https://arxiv.org/abs/1)"),
        ("[below](#here)", "[below](#here)"),
        ("`[no](link.py)` and ``a ` [no](link.py)``", "`[no](link.py)` and ``a ` [no](link.py)``"),
        ("```python\nx = [a](b.py)\n```\n[l](../x.py)", "```python\nx = [a](b.py)\n```\nl (`x.py`)"),
        ("[`a` and [b](../x.py)", "[`a` and b (`x.py`)"),
    ],
)
def test_links_lead_to_pages_or_name_the_file(text, expected):
    assert site_links.rewrite(text, "notebooks/00_a.ipynb", "lessons/00_a.ipynb", KNOWN) == expected


def test_with_a_repository_files_that_are_no_pages_are_linked():
    where = "https://example.org/them/course/"
    made = site_links.rewrite("[r](../tools/x.py)", "notebooks/a.ipynb", "lessons/a.ipynb", KNOWN, where)
    assert made == "[r](https://example.org/them/course/blob/main/tools/x.py)"


@pytest.mark.parametrize("repository", ["", "https://example.org/them/course"])
def test_where_the_notebooks_are_not_on_github_nothing_offers_to_open_them_there(repository, tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# A")])
    transform(notebook, "01_soft_labels", tmp_path, KNOWN, repository)
    assert notebook.cells[0].source == "# A"


def test_where_they_are_a_lesson_can_be_opened_in_colab_and_in_binder(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# A"), new_markdown_cell("b")])
    transform(notebook, "01_soft_labels", tmp_path, KNOWN, "https://github.com/them/course")
    first, second = (cell.source for cell in notebook.cells)
    colab, binder = "https://colab.research.google.com/github", "https://mybinder.org/v2/gh"
    assert f"]({colab}/them/course/blob/main/notebooks/01_soft_labels.ipynb)" in first
    assert f"]({binder}/them/course/main?labpath=notebooks/01_soft_labels.ipynb)" in first
    assert second == "b"


def test_a_stored_result_leads_to_the_page_of_its_claim():
    known = site_links.pages()
    made = site_links.rewrite("[r](../data/results/t-4-to-10.json)", "notebooks/a.ipynb", "lessons/a.ipynb", known)
    assert made == "[r](../claims/t-4-to-10.md)"


# ---- claims ----

TEMPERATURE, NOISE = claims.find("t-4-to-10", "soft-labels-resist-noise")  # not worse than -0.5; better


def part(low, high, setting="fashion-mnist", unit="points", margin=0.5, pairs=None):
    arms = {
        "a": {"name": "soft <b>", "mean": 0.8, "chosen": {"lr": 0.01}},
        "b": {"name": "hard", "mean": None, "chosen": None},
    }
    numbers = {"mean": (low + high) / 2, "low": low, "high": high, "margin": margin, "unit": unit, "scale": 100.0}
    more = {"n": 8, "verdict": "better", "note": "A note.", "covers": {"block": 8}, "repeated": "block", "pairs": pairs}
    key = {"examples": int(1_000 + 100 * high)}
    return {"setting": setting, "key": key, "metric": "accuracy", "arms": arms, **numbers, **more}


@pytest.fixture
def found(monkeypatch):
    """A function that gives the ledger, for the time of a test, these parts of one claim, and nothing of the others."""

    def measured(claim, *parts):
        about = {"date": "2026-01-02", "machine": {}, "seconds": 95.0}
        result = {"claim": claim.name, "settings": {one["setting"]: about for one in parts}, "parts": list(parts)}
        monkeypatch.setattr(claims, "result", lambda name: result if name == claim.name else None)
        return result

    return measured


def test_the_part_that_decides_is_the_first_mark_and_the_least_clear_of_its_kind(found):
    found(NOISE, part(1, 2), part(0.6, 3), part(-0.2, 0.9), part(-3, 0.4), part(-5, -4))
    (row,) = claims_forest.ledger("{}.html")
    expected = claims.conclude(NOISE, claims.result(NOISE.name)).verdict
    assert row.answer == expected
    assert row.region == (0.5, float("inf"))
    assert row.link == "soft-labels-resist-noise.html"
    first = {mark.answer: mark.low for mark in reversed(row.marks)}
    assert first == {"yes": 0.6, "cannot tell": -0.2, "no": -3}


def test_a_row_for_each_setting_and_unit_and_no_mark_with_another_unit(found):
    found(TEMPERATURE, part(1, 2), part(1, 3, "flights"), part(0.1, 0.2, "flights", unit="nats", margin=0.01))
    rows = claims_forest.ledger()
    assert [(row.setting, row.unit, len(row.marks), row.standing) for row in rows] == [
        ("garments", "points", 1, "holds in 2 of 2"),
        ("flights", "points", 1, "holds in 2 of 2"),
        ("flights", "nats", 1, "holds in 2 of 2"),
    ]
    found(TEMPERATURE, part(-3, -2))
    (row,) = claims_forest.ledger()
    assert row.standing == ""  # of one setting, its answer says it
    assert rows[2].region[0] == -0.01
    found(NOISE, part(1, 2), part(-1, 2), part(1, 2, "flights"))
    assert {row.standing for row in claims_forest.ledger()} == {"holds in 1 of 2, in part in 1"}


def test_the_page_of_a_claim_in_two_settings(found, tmp_path, monkeypatch):
    pairs = {"a": [0.9, 0.8], "b": [0.7, 0.9], "init_seed": [0, 1], "order_seed": [0, 1]}
    result = found(TEMPERATURE, part(1, 2, pairs=pairs), part(-3, -1, "flights"))
    run = {"date": "2026-01-03", "seconds": 250.0}
    monkeypatch.setattr(site_claims, "AGAIN", tmp_path / "claims.json")
    store.save_json(
        site_claims.AGAIN, {"t-4-to-10, flights": run, "t-4-to-10, fashion-mnist": run | {"date": "2026-01-01"}}
    )
    page = site_claims.claim_pages({})["claims/t-4-to-10.md"]
    for setting in ("fashion-mnist", "flights"):
        assert claims.plain(TEMPERATURE, result, setting) in page
    assert "## On garments" in page
    assert "## On flights" in page
    assert "soft &lt;b&gt;: 80.00 (lr 0.01)<br>hard" in page
    assert "soft <b>" not in page
    assert "It holds in 1 of 2 settings: garments." in page
    assert "Measured on 2026-01-02. " in page
    assert "Measured on 2026-01-02; once more on 2026-01-03, in 4 minutes. " in page
    site_claims.AGAIN.unlink()
    assert "It holds in 1 of 2 settings: garments." in site_claims.claims_page({})
    assert page.count('class="pair muted"') == 2 * 2
    first, second = (claims_forest.differences(one) for one in result["parts"])
    assert (first, second) == (pytest.approx([20.0, -10.0]), [])


def test_a_claim_that_is_not_measured_has_a_page_without_results(found, monkeypatch):
    found(TEMPERATURE, part(1, 2))
    waiting = claims.Claim("hats-beat-socks", "Hats beat socks.", "nowhere", "Warmth.", lesson="09")
    monkeypatch.setattr(claims, "CLAIMS", (*claims.CLAIMS, waiting))
    page = site_claims.claim_pages({})["claims/hats-beat-socks.md"]
    assert "Not measured yet." in page
    assert "<svg" not in page
    assert "Measure it again" not in page
    index = site_claims.claims_page({})
    found = "Of 1 claim, 1 holds wherever it was measured (on one data set)."
    assert f"1 of {len(claims.CLAIMS)} claims is measured so far. {found}" in index


def test_a_ledger_without_results_has_a_page_without_a_picture(monkeypatch):
    monkeypatch.setattr(claims, "result", lambda name: None)
    index = site_claims.claims_page({})
    assert "<svg" not in index
    assert f"0 of {len(claims.CLAIMS)} claims are measured so far." in index


def test_what_was_measured_again_is_summed_up_beside_the_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(site_claims, "AGAIN", tmp_path / "claims.json")
    assert site_claims.measured_again() == ""
    made = {at: about["date"] for at, about in claims.result(NOISE.name)["settings"].items()}
    job = {"seconds": 1800, "parts": 4, "same_verdict": 4, "opposite": 0, "machine": {"cores": 2}}
    jobs = {f"{NOISE.name}, {at}": job | {"date": day} for at, day in made.items()}
    jobs[f"{NOISE.name}, flights"] |= {"same_verdict": 3}
    jobs[f"{NOISE.name}, wordnet-glosses"] |= {"date": "2026-01-01"}  # the record is newer
    store.save_json(tmp_path / "claims.json", jobs)
    said = site_claims.measured_again()
    assert f"Of {len(claims.planned())} experiments (a claim on a data set), 2 were run once more" in said
    assert "on 2 cores, in 1.0 hours: 7 of 8 comparisons came to the same verdict, none to the opposite one." in said
    assert said in site_claims.claims_page({})


def test_tables_of_the_site_have_minus_signs_and_none_before_a_zero(monkeypatch):
    arms = {name: {"name": name, "mean": 0.8, "chosen": {}} for name in "ab"}
    right = part(-3, -0.04) | {"key": {"examples": 500}, "arms": arms}
    wrong = part(-0.02, 1) | {"key": {"examples": 500, "teacher": "clean"}, "arms": arms}
    parts = {"soft-beats-hard": [right], "soft-labels-resist-noise": [wrong]}
    monkeypatch.setattr(claims, "result", lambda name: {"settings": {"fashion-mnist": {}}, "parts": parts[name]})
    assert "| **−1.52\u00a0[−3.00,\u00a0−0.04]** | 80.0 |" in site_claims.where_soft_labels_help()
    last = site_claims.what_wrong_labels_do().splitlines()[-1]
    assert last == "| garments | −1.52 [−3.00, −0.04] | +0.49 [−0.02, +1.00] |"


def test_what_a_random_split_pretends_is_what_the_teachers_card_says():
    card = (data.folder() / "flights" / "teacher-card.md").read_text(encoding="utf-8")
    at_random = re.search(r"flights at random: .*? \| (0\.\d+) ", card)[1]
    honest = re.search(r"whole days, as here \| (0\.\d+) ", card)[1]
    said = site_claims.what_days_tell()
    assert [float(one) for one in re.findall(r"0\.\d+", said)] == pytest.approx(
        [float(honest), float(at_random)], abs=0.0006
    )


# ---- pages ----


def test_a_page_that_asks_for_what_is_not_there_is_an_error():
    assert build_site.filled("a <!-- put: b --> c", {"b": "B"}, "x.md") == "a B c"
    with pytest.raises(SiteError, match=r"x.md asks for 'd'; there are b"):
        build_site.filled("<!-- put: d -->", {"b": "B"}, "x.md")


def test_durations_are_spelled_out():
    assert [site_landing.duration(minutes) for minutes in (250, 60, 1)] == ["4 hours 10 minutes", "1 hour", "1 minute"]
