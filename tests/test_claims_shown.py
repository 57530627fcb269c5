"""What a lesson measured beside the full run: a line and a bar each, contradictions said, nothing a page would run."""

import json
import re

import pytest
from IPython.core.formatters import DisplayFormatter

from kdcourse import claims, store
from kdcourse.claims import ledger
from kdcourse.stats import Comparison

WARNING = "This contradicts the full run: trust neither until you know why."
VERDICTS = ["better", "worse", "equivalent", "inconclusive"]


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

    def save(*parts):
        about = {"date": "2020-02-29", "machine": {}, "seconds": 1.0}
        found = {
            "claim": "soft-beats-hard",
            "parts": list(parts),
            "settings": {part["setting"]: about for part in parts},
        }
        store.save_json(tmp_path / "results" / "soft-beats-hard.json", found)

    return save


def show(measured, **options):
    return claims.show("soft-beats-hard", measured, title="Soft labels win", **options)


HERE, FULL = "+3.00 points [+0.96, +5.04], n = 5", "+2.00 points [+1.49, +2.51], 20 blocks × 2 initialisations"


def test_a_part_of_both_runs_is_one_line_one_bar_and_one_entry(full_run, drawn):
    full_run(stored("better"), stored("inconclusive", mean=0.1, key={"examples": 500}))
    shown = show(
        {"examples=100": now("better"), "mine": now("worse", -0.05)}, pairs={"examples=100": [0.01], "mine": [0]}
    )
    assert str(shown).splitlines() == [
        "“A student learns more from soft labels than from hard labels.”",
        f"100 pictures: just now {HERE}; full run {FULL}. Both support the claim.",
        "mine: −5.00 points [−7.04, −2.96], n = 5. The full run has not measured it.",
        "All of it: kdcourse claims soft-beats-hard",
    ]
    assert (shown.compared, shown.contradictions) == (["examples=100"], [])
    figure, words = drawn()
    assert words.startswith("Soft labels win. Paired differences with 95 % intervals, difference (points).")
    assert "100 pictures: +3.00 [+0.96, +5.04], n = 5, claim: yes; full run +2.00 [+1.49, +2.51]" in words
    assert "mine: -5.00 [-7.04, -2.96], n = 5, claim: no." in words
    (bar,) = [line for line in figure.axes[0].lines if line.get_linewidth() == 14]
    assert list(bar.get_xdata()) == pytest.approx([1.49, 2.51])
    first, second = shown.data["parts"]
    assert first["full"]["covers"] == {"block": 20, "init": 2}
    assert (first["now"]["mean"], second["full"]) == (pytest.approx(3), None)


def test_a_lesson_may_name_its_parts(full_run, drawn):
    full_run(stored("better"))
    shown = show({"examples=100": now("better")}, labels={"examples=100": "with few pictures"}, xlabel="soft − labels")
    assert "\nwith few pictures: just now" in str(shown)
    assert "soft − labels (points)" in drawn()[1]


@pytest.mark.parametrize("full", VERDICTS)
@pytest.mark.parametrize("here", VERDICTS)
@pytest.mark.parametrize("supports", ["better", "worse", "equivalent", "not worse"])
def test_the_line_says_how_each_answers_the_claim(full, here, supports, full_run, monkeypatch):
    """So a loss that is larger than a limit is never called better."""
    monkeypatch.setattr(claims.shown.plots, "differences", lambda *_, **__: None)
    record = claims.Claim("soft-beats-hard", "Wording.", "", "Measured.", supports=supports)
    monkeypatch.setattr(ledger, "CLAIMS", (record,))
    full_run(stored(full, margin=1.0, **dict(zip(("low", "high"), ENDS[full], strict=True))))
    low, high = (end / 100 for end in ENDS[here])
    _, line, _ = str(show({"examples=100": Comparison((low + high) / 2, low, high, 5, here)})).splitlines()
    yes, no = ANSWERED[supports]
    yours, theirs = (
        {verdict in yes: "supports the claim", verdict in no: "speaks against it"}.get(True, "cannot tell")
        for verdict in (here, full)
    )
    says = {"supports the claim": "Both support the claim.", "speaks against it": "Both speak against it."}.get(
        yours, "Neither can tell."
    )
    assert line.endswith((says if yours == theirs else f"Yours {yours}; the full run {theirs}.", WARNING))


def test_a_notebook_stores_text_page_and_data(full_run, drawn):
    full_run(stored("better"))
    shown = show({"examples=100": now("worse", -0.03)})
    bundle, _ = DisplayFormatter().format(shown)
    assert set(bundle) == {"text/plain", "text/html", claims.MIME}
    assert bundle["text/plain"] == str(shown) == repr(shown)
    assert json.loads(json.dumps(bundle[claims.MIME])) == shown.data
    assert WARNING in bundle["text/html"]


def test_nothing_measured_and_an_unknown_claim_are_errors():
    with pytest.raises(ValueError, match="measured must hold at least one comparison"):
        show({})
    with pytest.raises(ValueError, match="no claim 'soft'"):
        claims.show("soft", {"examples=100": now("better")}, title="x")


def test_without_a_full_run_the_lesson_stands_alone(full_run, drawn):
    shown = claims.show("on-policy-helps", {"mine": now("better")}, title="x")
    assert str(shown).splitlines()[1] == f"mine: {HERE}. The full run has not measured it."


def test_the_lesson_is_shown_in_the_unit_of_the_full_run_and_with_its_margin(full_run, drawn):
    full_run(stored("better", unit="doublings", scale=1.0, margin=1.0, key={"temperature": [4, 1]}))
    shown = show({"temperature=4:1": Comparison(1.25, 1.23, 1.27, 5, "better")})
    assert "just now +1.25 doublings [+1.23, +1.27], n = 5, margin 1; full run" in str(shown)
    assert "difference (doublings)" in drawn()[1]


def test_another_setting_is_named(full_run, drawn):
    full_run(stored("better"), stored("worse", mean=-2.0, setting="flights", metric="AUROC"))
    shown = show({"examples=100,metric=AUROC,setting=flights": now("worse", mean=-0.02)})
    assert "\nflights: 100 flights, AUROC: just now −2.00 points" in str(shown)


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
    monkeypatch.setattr(claims.shown.plots, "differences", lambda *_, **__: None)
    record = claims.Claim("soft-beats-hard", "Wording.", "", "Measured.", supports=supports)
    monkeypatch.setattr(ledger, "CLAIMS", (record,))
    full_run(stored(full, margin=1.0, **dict(zip(("low", "high"), ENDS[full], strict=True))))
    low, high = (end / 100 for end in ENDS[here])
    shown = show({"examples=100": Comparison((low + high) / 2, low, high, 5, here), "examples=7": now("worse")})
    yes, no = ANSWERED[supports]
    answers = {(verdict in yes) - (verdict in no) for verdict in (full, here)}
    against = {full, here} == {"better", "worse"} or answers == {1, -1}
    assert shown.contradictions == ["examples=100"] * against
    assert [part["contradicts"] for part in shown.data["parts"]] == [against, False]
    assert str(shown).count(WARNING) == against


def test_what_is_shown_is_escaped_wherever_it_comes_from(full_run, drawn):
    nasty = "<script>alert('&amp;')</script>"
    full_run(stored("better", unit=nasty, key={"slice": nasty}))
    shown = show({f"slice={nasty}": now("worse", -0.02), f"mine {nasty}": now("better")})
    page = shown._repr_mimebundle_()["text/html"]
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == str(shown).count("<script>") == len(re.findall("<script>", repr(shown))) > 2


def test_a_mark_is_hollow_where_the_claim_is_open_whatever_the_verdict(drawn, monkeypatch):
    looks = []
    monkeypatch.setattr(claims.shown.plots, "differences", lambda *_, unclear, **__: looks.append(unclear))
    close = Comparison(0.003, 0.0004, 0.0054, 5, "inconclusive")  # against a margin of half a point: no worse for sure
    for mean in (0.0, -0.008):
        measured = {"width=32,examples=500": Comparison(*(mean + value for value in close[:3]), 5, "inconclusive")}
        (part,) = claims.show("t-4-to-10", measured, title="T from 4 to 10").data["parts"]
        assert (part["now"]["answer"] == "cannot tell") == (part["label"] in looks[-1]) == (mean < 0)
