"""The ledger in prose: numbers as they are stored, and an error where a sentence counts on what is not so."""

import pytest

from kdcourse import claims, store
from kdcourse.claims.quotes import KINDS


def stored(folder, *parts, name="soft-beats-hard"):
    about = {"date": "2020-02-29", "machine": {}, "seconds": 1.0}
    parts = [PART | part for part in parts]
    found = {"claim": name, "parts": parts, "settings": {part["setting"]: about for part in parts}}
    store.save_json(folder / "results" / f"{name}.json", found)


PART = {
    "setting": "fashion-mnist", "key": {"examples": 500}, "metric": "accuracy", "unit": "points", "scale": 100.0,
    "n": 40, "mean": -1.26, "low": -2.04, "high": -0.06, "margin": 0.5, "verdict": "worse", "example": "pictures",
    "covers": {"block": 40, "example": 10_000}, "arms": {"a": {"mean": 0.8126}, "b": {"mean": 0.825}}, "pairs": None,
    "beside": {"a linear model": 0.7},
}  # fmt: skip
ALSO = [
    {
        "metric": "word accuracy",
        "unit": "points",
        "scale": 100.0,
        "mean": 2.0,
        "low": 1.0,
        "high": 3.0,
        "verdict": "better",
    },
    {
        "metric": "calibration",
        "unit": "points",
        "scale": 100.0,
        "mean": 2.0,
        "low": -1.0,
        "high": 5.0,
        "verdict": "inconclusive",
    },
]
WHERE = "soft-beats-hard fashion-mnist examples=500"


@pytest.fixture(autouse=True)
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))
    stored(
        tmp_path,
        {},
        {"setting": "spam-assassin", "high": 0.04},
        {"setting": "flights", "metric": "log-likelihood", "unit": "nats", "mean": 0.01234, "scale": 1.0, "also": ALSO},
    )


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (f"gain {WHERE}", "−1.3 points [−2.0, −0.1]"),
        (f"effect {WHERE}", "−1.3 points [−2.0, −0.1] (40 blocks × 10,000 pictures)"),
        (f"size {WHERE} is worse", "1.3"),
        (f"margin {WHERE}", "0.5"),
        (f"a {WHERE}", "81.3"),
        (f"b {WHERE}", "82.5"),
        (f"beside:a_linear_model {WHERE}", "70.0"),
        ("size soft-beats-hard flights examples=500,metric=log-likelihood", "0.012"),
        ("gain soft-beats-hard flights examples=500,metric=log-likelihood", "+0.012 nats [−2.040, −0.060]"),
        ("gain soft-beats-hard flights examples=500,metric=word_accuracy is better", "+2.0 points [+1.0, +3.0]"),
        ("size soft-beats-hard flights examples=500,metric=calibration is inconclusive", "2.0"),
        ("gain soft-beats-hard spam-assassin examples=500", "−1.26 points [−2.04, +0.04]"),
        ("a soft-beats-hard flights examples=500,metric=log-likelihood", "0.8"),
    ],
)
def test_a_number_is_the_stored_one_rounded_and_signed(request_, said):
    assert claims.quote(request_) == said
    assert claims.filled(f"A {{{{ {request_} }}}} B {{{{{request_}}}}}") == f"A {said} B {said}"


def test_a_plain_sentence_is_that_of_the_ledger():
    (claim,), found = claims.find("soft-beats-hard"), claims.result("soft-beats-hard")
    assert claims.quote("plain soft-beats-hard") == claims.plain(claim, found)
    assert claims.quote("plain\n soft-beats-hard  flights") == claims.plain(claim, found, "flights")


def test_text_without_placeholders_and_mathematics_stay_as_they_are():
    assert claims.filled(text := "A {set} of $x_{i}$.") == text


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (f"gain {WHERE} is better", "counts on 'better'; the ledger says 'worse': −1.3 points"),
        ("gain soft-beats-hard fashion-mnist examples=7 is worse", "one of fashion-mnist examples=500; spam"),
        ("gain soft-beats-hard flights examples=500", "metric=log-likelihood"),
        ("gain soft-beats-hard", "it takes"),
        (f"beside:teacher {WHERE}", "it takes"),
        (f"gains {WHERE}", "it takes gain, effect"),
        ("gain soft-beats-harder fashion-mnist examples=500", "no claim 'soft-beats-harder'"),
        ("gain on-policy-helps fashion-mnist examples=500", "not measured yet"),
        ("plain", "no claim ''"),
        ("", "no claim ''"),
    ],
)
def test_what_the_ledger_does_not_have_is_an_error_that_names_the_request(request_, why):
    with pytest.raises(ValueError, match=why) as error:
        claims.filled(f"{{{{ {request_} }}}}")
    assert repr(request_) in str(error.value)


def test_every_kind_is_described_where_it_is_asked_for():
    assert all(f"`{kind}" in claims.quote.__doc__ for kind in [*KINDS, "plain"])
