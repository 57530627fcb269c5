"""How claims are shown: full run and lesson side by side, contradictions said, and nothing that a page would run."""

import json
import re

import pytest
from IPython.core.formatters import DisplayFormatter

from kdcourse import claims, store
from kdcourse.claims import ledger
from kdcourse.stats import Comparison

WARNING = "This contradicts the full run: trust neither until you know why."
SAID = (
    "Yes with 100 pictures; with 500 pictures we cannot tell (an effect above 0.61 points is excluded); "
    "not measured yet on glosses and on flights."
)
VERDICTS = ["better", "worse", "equivalent", "inconclusive"]
FULL, HERE = (
    "+2.00 points [+1.49, +2.51], 20 blocks × 2 initialisations: better",
    "+3.00 points [+0.96, +5.04], n = 5: better",
)


def stored(verdict, mean=2.0, **changes):
    """A part of a full run, with `key` as its settings, or with 100 pictures."""
    part = {"key": {"examples": 100}, "mean": mean, "low": mean - 0.51, "high": mean + 0.51, "margin": 0.0, "n": 20}
    part |= {
        "setting": "fashion-mnist",
        "metric": "accuracy",
        "covers": {"block": 20, "init": 2},
        "example_error": None,
    }
    return part | {"unit": "points", "scale": 100.0, "verdict": verdict, "pairs": None} | changes


def now(verdict, mean=0.03):
    return Comparison(mean, mean - 0.0204, mean + 0.0204, 5, verdict)


@pytest.fixture
def full_run(tmp_path, monkeypatch):
    """A function that stores the parts of a full run as those of soft-beats-hard."""
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))

    def save(*parts, name="soft-beats-hard", **changes):
        about = {"date": "2020-02-29", "machine": {}, "seconds": 1.0}
        found = {"claim": name, "parts": list(parts), "settings": {part["setting"]: about for part in parts}} | changes
        store.save_json(tmp_path / "results" / f"{name}.json", found)

    return save


def table(shown):
    """The cells of all tables of a page, row by row."""
    rows = re.findall("<tr>(.*?)</tr>", shown._repr_html_())
    return [[re.sub("<.*?>", "", cell) for cell in re.findall("<t[hd] .*?</t[hd]>", row)] for row in rows]


# ---- side by side ----


def test_a_part_of_both_runs_is_one_row_one_paragraph_and_one_entry(full_run):
    full_run(stored("better"), stored("inconclusive", mean=0.1, key={"examples": 500}))
    shown = claims.show("soft-beats-hard", measured={"examples=100": now("better"), "mine": now("worse", mean=-0.05)})
    other, mine = (
        "+0.10 points [-0.41, +0.61], 20 blocks × 2 initialisations: inconclusive",
        "-5.00 points [-7.04, -2.96], n = 5: worse",
    )
    assert table(shown) == [
        ["part", "full run", "just now"],
        ["100 pictures", FULL, HERE],
        ["500 pictures", other, "–"],
        ["mine", "–", mine],
    ]
    (claim,) = claims.find("soft-beats-hard")
    assert str(shown).splitlines() == [
        f"soft-beats-hard: {claim.wording}",
        f"  {SAID}",
        "  100 pictures",
        f"    full run: {FULL}",
        f"    just now: {HERE}",
        "  500 pictures",
        f"    full run: {other}",
        "  mine",
        f"    just now: {mine}",
    ]
    assert repr(shown) == str(shown)
    assert (shown.compared, shown.contradictions) == (["examples=100"], [])
    (one,) = shown.data["claims"]
    assert one["plain"] == claims.plain(claim, claims.result(claim.name)) == SAID
    first, second, third = one["parts"]
    assert [(part["id"], part["key"]) for part in (first, third)] == [
        ("examples=100", {"examples": 100}),
        ("mine", None),
    ]
    assert first["full"] == {
        "mean": 2.0, "low": 1.49, "high": 2.51, "n": 20, "verdict": "better", "margin": 0.0, "unit": "points",
        "covers": {"block": 20, "init": 2},
    }  # fmt: skip
    assert first["now"]["mean"] == pytest.approx(3)
    assert (second["now"], third["full"]) == (None, None)


def test_a_notebook_stores_text_page_and_data(full_run):
    full_run(stored("better"))
    shown = claims.show("soft-beats-hard", measured=now("worse"))
    assert [row[0] for row in table(shown)] == ["part", "100 pictures", "this lesson"]
    bundle, _ = DisplayFormatter().format(shown)
    assert set(bundle) == {"text/plain", "text/html", claims.MIME}
    assert bundle["text/plain"] == str(shown)
    assert json.loads(json.dumps(bundle[claims.MIME])) == shown.data
    (claim,) = claims.find("soft-beats-hard")
    for said in [
        claim.wording,
        "Yes, with 100 pictures; not measured yet on glosses and on flights. (full run of 2020-02-29)",
        claim.measured,
    ]:
        assert said in bundle["text/html"]
    assert table(claims.show("soft-beats-hard"))[0] == ["part", "full run"]


def test_without_a_full_run_the_lesson_stands_alone(full_run):
    shown = claims.show("soft-beats-hard", measured={"mine": now("better")})
    assert table(shown) == [["part", "just now"], ["mine", HERE]]
    assert "Not measured yet." in str(shown)
    assert "Not measured yet." in shown._repr_html_()
    nobody = claims.show("on-policy-helps")
    assert (table(nobody), str(nobody).splitlines()[1:]) == ([], ["  Not measured yet."])


def test_several_claims_are_shown_one_after_the_other_and_without_a_name_all(full_run):
    full_run(stored("better"))
    full_run(stored("worse", key={"class": "sneaker"}), name="omitted-class-is-learned")
    shown = claims.show("omitted-class-is-learned", "soft-beats-hard")
    assert [row[0] for row in table(shown)] == ["part", "sneaker", "part", "100 pictures"]
    everything = [one["claim"] for one in claims.show().data["claims"]]
    assert everything == [claim.name for claim in claims.CLAIMS]
    assert re.findall(r"^\S+(?=: )", str(claims.show()), flags=re.M) == everything


# ---- units and margins ----


def test_the_lesson_is_shown_in_the_unit_of_the_full_run(full_run):
    full_run(stored("better", unit="doublings", scale=1.0, key={"temperature": [4, 1]}))
    measured = {"temperature=4:1": now("better", mean=1.25), "mine": now("better", mean=1.5)}
    assert [row[1:] for row in table(claims.show("soft-beats-hard", measured=measured))[1:]] == [
        [
            "+2.00 doublings [+1.49, +2.51], 20 blocks × 2 initialisations: better",
            "+1.25 doublings [+1.23, +1.27], n = 5: better",
        ],
        ["–", "+1.50 doublings [+1.48, +1.52], n = 5: better"],
    ]


def test_the_margin_is_said_with_every_verdict_that_follows_from_it_and_a_zero_has_no_minus(full_run):
    full_run(stored("equivalent", margin=1.0, mean=-0.001, low=-0.004, high=0.002))
    luck = "20 blocks × 2 initialisations"
    for here, said in [
        (Comparison(0.002, -0.004, 0.008, 5, "equivalent"), "+0.20 points [-0.40, +0.80], n = 5, margin 1: equivalent"),
        (Comparison(0.002, -0.004, 0.008, 5, "inconclusive"), "+0.20 points [-0.40, +0.80], n = 5: inconclusive"),
        (now("better", mean=0.05), "+5.00 points [+2.96, +7.04], n = 5, margin 1: better"),
    ]:
        rows = table(claims.show("soft-beats-hard", measured={"examples=100": here}))
        assert rows[1][1:] == [f"+0.00 points [+0.00, +0.00], {luck}, margin 1: equivalent", said]


def test_settings_stand_side_by_side_and_are_named(full_run):
    full_run(stored("better"), stored("worse", mean=-2.0, setting="flights", metric="AUROC"))
    shown = claims.show(
        "soft-beats-hard", measured={"examples=100,metric=AUROC,setting=flights": now("worse", mean=-0.02)}
    )
    assert [row[0] for row in table(shown)] == ["part", "100 pictures", "flights: 100 flights, AUROC"]
    assert shown.compared == ["examples=100,metric=AUROC,setting=flights"]
    assert str(shown).splitlines()[1] == "  Yes on garments; on flights no; not measured yet on glosses."


# ---- contradictions ----


# An interval for each verdict, in points, with a margin of one point.
ENDS = {"better": (1.2, 2.2), "worse": (-2.2, -1.2), "equivalent": (-0.4, 0.5), "inconclusive": (-2.0, 3.0)}
# By what a claim supports: the verdicts that answer it with yes, and with no.
ANSWERED = {
    "better": ({"better"}, {"worse", "equivalent"}),
    "worse": ({"worse"}, {"better", "equivalent"}),
    "equivalent": ({"equivalent"}, {"better", "worse"}),
    "not worse": ({"better", "equivalent"}, {"worse"}),
}


@pytest.mark.parametrize("supports", ANSWERED)
@pytest.mark.parametrize("here", VERDICTS)
@pytest.mark.parametrize("full", VERDICTS)
def test_better_against_worse_and_yes_against_no_are_contradictions_and_nothing_else_is(
    full, here, supports, full_run, monkeypatch
):
    record = claims.Claim("soft-beats-hard", "Wording.", "", "Measured.", supports=supports)
    monkeypatch.setattr(ledger, "CLAIMS", (record,))
    numbers = dict(zip(("low", "high"), ENDS[full], strict=True))
    full_run(stored(full, margin=1.0, **numbers), stored("better", key={"examples": 500}))
    low, high = (end / 100 for end in ENDS[here])
    measured = {"examples=100": Comparison((low + high) / 2, low, high, 5, here), "examples=7": now("worse")}
    shown = claims.show("soft-beats-hard", measured=measured)
    yes, no = ANSWERED[supports]
    answers = {(verdict in yes) - (verdict in no) for verdict in (full, here)}
    against = {full, here} == {"better", "worse"} or answers == {1, -1}
    assert shown.contradictions == ["examples=100"] * against
    assert [part["contradicts"] for part in shown.data["claims"][0]["parts"]] == [against, False, False]
    assert str(shown).count(WARNING) == shown._repr_html_().count(WARNING) == against
    assert shown.compared == ["examples=100"]
    if against:
        assert f"n = 5, margin 1: {here}\n    {WARNING}\n  500 pictures" in str(shown)
        assert table(shown)[1][0] == "100 pictures" + WARNING


# ---- escaping ----


def test_what_is_shown_is_escaped_wherever_it_comes_from(full_run, monkeypatch):
    nasty = "<script>alert('&amp;')</script>"
    about = {"fashion-mnist": {"date": nasty, "machine": {}, "seconds": 1.0}}
    full_run(stored("better", unit=nasty, key={"slice": nasty}), stored("worse", key={"slice": "b"}), settings=about)
    record = claims.Claim("soft-beats-hard", f"Wording {nasty}.", "", f"Measured {nasty}.")
    monkeypatch.setattr(ledger, "CLAIMS", (record,))
    measured = {f"slice={nasty}": now("worse"), f"mine {nasty}": now("better")}
    shown = claims.show("soft-beats-hard", measured=measured)
    page = shown._repr_html_()
    assert "<script" not in page
    # In wording, verdict, date, measured, and in both labels and the three results in this unit.
    assert page.count("&lt;script&gt;alert(&#x27;&amp;amp;&#x27;)&lt;/script&gt;") == 9
    assert str(shown).count(nasty) == 7  # a terminal needs no escaping
