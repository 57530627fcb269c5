"""How claims are shown: full run and lesson side by side, contradictions said, and nothing that a page would run."""

import re
from html.parser import HTMLParser

import pytest

from kdcourse import claims, data, store
from kdcourse.claims import ledger
from kdcourse.stats import Comparison

WARNING = "This contradicts the full run: trust neither until you know why."
VERDICTS = ["better", "worse", "equivalent", "inconclusive"]


def stored_part(name, verdict, mean=2.0, **changes):
    part = {"name": name, "mean": mean, "low": mean - 0.51, "high": mean + 0.51, "margin": 0.0, "unit": "points"}
    return part | {"n": 40, "verdict": verdict, "note": ""} | changes


def now(verdict, mean=0.03):
    return Comparison(mean, mean - 0.0204, mean + 0.0204, 5, verdict)


@pytest.fixture
def full_run(tmp_path, monkeypatch):
    """A function that stores the parts of a full run as those of soft-beats-hard."""
    monkeypatch.setattr(data, "folder", lambda: tmp_path)

    def save(*parts, name="soft-beats-hard", **changes):
        found = {"claim": name, "verdict": "supported here", "parts": list(parts), "date": "2020-02-29"}
        store.save_json(tmp_path / "results" / f"{name}.json", found | changes)

    return save


class Table(HTMLParser):
    """The cells of all tables of a page, row by row, and its tags."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, text):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text


def table(shown):
    return Table(shown._repr_html_()).rows


# ---- side by side ----


def test_a_part_of_both_runs_is_one_row_and_one_paragraph(full_run):
    full_run(stored_part("100 pictures", "better"), stored_part("500 pictures", "inconclusive", mean=0.1))
    shown = claims.show("soft-beats-hard", measured={"100 pictures": now("better")})
    full, here = "+2.00 points [+1.49, +2.51], n = 40: better", "+3.00 points [+0.96, +5.04], n = 5: better"
    other = "+0.10 points [-0.41, +0.61], n = 40: inconclusive"
    assert table(shown) == [
        ["part", "full run", "just now"],
        ["100 pictures", full, here],
        ["500 pictures", other, "–"],
    ]
    (claim,) = claims.find("soft-beats-hard")
    assert str(shown).splitlines() == [
        f"soft-beats-hard: {claim.wording}",
        "  supported here",
        "  100 pictures",
        f"    full run: {full}",
        f"    just now: {here}",
        "  500 pictures",
        f"    full run: {other}",
    ]
    assert repr(shown) == str(shown)
    assert shown.compared == ["100 pictures"]
    assert shown.contradictions == []


def test_the_page_says_the_wording_the_verdict_the_date_and_how_it_is_measured(full_run):
    full_run(stored_part("100 pictures", "better"))
    page = claims.show("soft-beats-hard")._repr_html_()
    (claim,) = claims.find("soft-beats-hard")
    for said in [claim.wording, "supported here (full run of 2020-02-29)", claim.measured]:
        assert said in page


def test_a_part_that_only_the_lesson_has_stands_in_a_row_of_its_own(full_run):
    full_run(stored_part("100 pictures", "better"))
    shown = claims.show("soft-beats-hard", measured={"7 pictures": now("worse", mean=-0.05)})
    assert table(shown)[1:] == [
        ["100 pictures", "+2.00 points [+1.49, +2.51], n = 40: better", "–"],
        ["7 pictures", "–", "-5.00 points [-7.04, -2.96], n = 5: worse"],
    ]
    assert shown.compared == []
    assert "  7 pictures\n    just now: -5.00 points" in str(shown)


def test_a_single_comparison_is_called_this_lesson(full_run):
    full_run(stored_part("100 pictures", "better"))
    shown = claims.show("soft-beats-hard", measured=now("better"))
    assert [row[0] for row in table(shown)] == ["part", "100 pictures", "this lesson"]


def test_without_a_measurement_there_is_no_column_for_one(full_run):
    full_run(stored_part("100 pictures", "better"))
    shown = claims.show("soft-beats-hard")
    assert table(shown)[0] == ["part", "full run"]
    assert "just now" not in str(shown)


def test_without_a_full_run_the_lesson_stands_alone(full_run):
    shown = claims.show("soft-beats-hard", measured={"100 pictures": now("better")})
    assert table(shown) == [["part", "just now"], ["100 pictures", "+3.00 points [+0.96, +5.04], n = 5: better"]]
    assert "not measured yet" in str(shown)
    assert "not measured yet" in shown._repr_html_()
    assert shown.compared == []


def test_a_claim_that_nobody_measured_has_no_table(full_run):
    shown = claims.show("on-policy-helps")
    assert table(shown) == []
    assert str(shown).splitlines()[1:] == ["  not measured yet"]
    assert "not measured yet" in shown._repr_html_()


def test_several_claims_are_shown_one_after_the_other(full_run):
    full_run(stored_part("100 pictures", "better"))
    full_run(stored_part("sneaker", "worse"), name="omitted-class-is-learned")
    shown = claims.show("omitted-class-is-learned", "soft-beats-hard")
    assert [row[0] for row in table(shown)] == ["part", "sneaker", "part", "100 pictures"]
    assert re.findall(r"^\S+(?=:)", str(shown), flags=re.M) == ["omitted-class-is-learned", "soft-beats-hard"]


def test_without_a_name_all_claims_are_shown(full_run):
    assert re.findall(r"^\S+(?=: )", str(claims.show()), flags=re.M) == [claim.name for claim in claims.CLAIMS]


# ---- units and margins ----


def test_points_are_a_hundred_times_the_lessons_shares_and_other_units_are_not(full_run):
    full_run(stored_part("T = 4 against T = 1", "better", unit="doublings"))
    shown = claims.show("soft-beats-hard", measured={"T = 4 against T = 1": now("better", mean=1.25)})
    assert table(shown)[1][1:] == [
        "+2.00 doublings [+1.49, +2.51], n = 40: better",
        "+1.25 doublings [+1.23, +1.27], n = 5: better",
    ]


def test_a_part_that_only_the_lesson_has_is_in_the_unit_of_its_experiment(full_run):
    full_run(stored_part("T = 4 against T = 1", "better", unit="doublings"))
    shown = claims.show("soft-beats-hard", measured={"T = 8 against T = 1": now("better", mean=1.25)})
    assert table(shown)[2] == ["T = 8 against T = 1", "–", "+1.25 doublings [+1.23, +1.27], n = 5: better"]


def test_the_margin_of_the_full_run_is_said(full_run):
    full_run(stored_part("2×", "equivalent", margin=1.0))
    assert "n = 40, margin 1: equivalent" in str(claims.show("soft-beats-hard"))


def test_a_zero_has_no_minus(full_run):
    full_run(stored_part("2×", "inconclusive", mean=-0.001, low=-0.004, high=0.002))
    assert "+0.00 points [+0.00, +0.00]" in str(claims.show("soft-beats-hard"))


# ---- contradictions ----


@pytest.mark.parametrize("here", VERDICTS)
@pytest.mark.parametrize("full", VERDICTS)
def test_better_against_worse_is_a_contradiction_and_nothing_else_is(full, here, full_run):
    full_run(stored_part("100 pictures", full), stored_part("500 pictures", "better"))
    shown = claims.show("soft-beats-hard", measured={"100 pictures": now(here)})
    against = {full, here} == {"better", "worse"}
    assert shown.contradictions == ["100 pictures"] * against
    assert str(shown).count(WARNING) == shown._repr_html_().count(WARNING) == against
    assert shown.compared == ["100 pictures"]
    if against:
        assert f"n = 5: {here}\n    {WARNING}\n  500 pictures" in str(shown)
        assert table(shown)[1][0] == "100 pictures" + WARNING


def test_parts_of_other_names_do_not_contradict_each_other(full_run):
    full_run(stored_part("100 pictures", "better"))
    shown = claims.show("soft-beats-hard", measured={"500 pictures": now("worse"), "7 pictures": now("better")})
    assert shown.contradictions == []
    assert WARNING not in str(shown)


def test_every_contradiction_is_said_at_its_own_part(full_run):
    names = ["A", "B", "C"]
    full_run(*(stored_part(name, verdict) for name, verdict in zip(names, ["better", "worse", "worse"], strict=True)))
    shown = claims.show("soft-beats-hard", measured={"A": now("worse"), "B": now("better"), "C": now("worse")})
    assert shown.contradictions == ["A", "B"]
    assert shown.compared == names
    assert [WARNING in row[0] for row in table(shown)[1:]] == [True, True, False]


# ---- escaping ----


def test_what_is_shown_is_escaped_wherever_it_comes_from(full_run, monkeypatch):
    nasty = "<script>alert('&amp;')</script>"
    full_run(stored_part(nasty, "better", unit=nasty), verdict=f"supported {nasty}", date=nasty)
    record = claims.Claim("soft-beats-hard", f"Wording {nasty}.", "", "01", f"Measured {nasty}.")
    monkeypatch.setattr(ledger, "CLAIMS", (record,))
    shown = claims.show("soft-beats-hard", measured={nasty: now("worse"), f"mine {nasty}": now("better")})
    page = shown._repr_html_()
    assert "script" not in Table(page).tags
    assert page.count("&lt;script&gt;alert(&#x27;&amp;amp;&#x27;)&lt;/script&gt;") == 9
    assert str(shown).count(nasty) == 7  # a terminal needs no escaping
