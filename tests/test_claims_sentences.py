"""Verdicts and plain sentences: what a claim supports, how its parts speak together, English in every combination."""

import itertools
import re

import numpy as np
import pytest

from kdcourse import claims
from kdcourse.claims import Claim
from kdcourse.claims.record import EXAMPLES, HOLDS, SUPPORTS

ANSWERS = ("yes", "no", "cannot tell")
MARGIN = 0.5
# An interval for each answer, with a margin of a half.
INTERVALS = {
    "better": {"yes": (0.6, 0.9), "no": (-0.1, 0.4), "cannot tell": (-0.2, 1.23)},
    "worse": {"yes": (-0.9, -0.6), "no": (-0.4, 0.1), "cannot tell": (-1.23, 0.2)},
    "equivalent": {"yes": (-0.3, 0.4), "no": (0.6, 0.8), "cannot tell": (0.1, 1.23)},
    "not worse": {"yes": (-0.4, 0.4), "no": (-2.0, -0.6), "cannot tell": (-1.23, 0.2)},
}
OPEN = "(an effect above +1.3 points is excluded)"  # by the interval of "cannot tell"
LOSS = OPEN.replace("an effect above +", "a loss above ")
LETTERS = {"y": "yes", "n": "no", "c": "cannot tell"}
MEASURED = [claim for claim in claims.CLAIMS if claims.result(claim.name)]
every_measured = pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.name)


def all_keys():
    """Claims with the keys of their parts in the first setting; and one whose sizes are judged by latency, too."""
    for claim in MEASURED:
        parts = claims.result(claim.name)["parts"]
        yield pytest.param(claim, [one["key"] for one in parts if one["setting"] == parts[0]["setting"]], id=claim.name)
    cnn = {"student": "CNN"}
    places = [(cnn, "under", 2), (cnn, "over", 50), ({}, "under", 2), ({}, "over", 50)]
    places += [({**cnn, "by": "latency"}, "under", ratio) for ratio in (50, 100)]
    keys = [{**which, "side": side, "ratio": ratio, "examples": 500} for which, side, ratio in places]
    yield pytest.param(a_claim(parts="comparisons"), keys, id="by latency")


def a_claim(supports="better", holds="each", parts="garments", **record):
    return Claim("name", "Wording.", "somewhere", "Measured.", supports=supports, holds=holds, parts=parts, **record)


def result(claim, answers, keys, setting="fashion-mnist"):
    """A result in which each part has the answer that is asked for."""
    ends = [INTERVALS[claim.supports][answer] for answer in answers]
    parts = [
        {
            "key": key,
            "setting": setting,
            "metric": "accuracy",
            "low": low,
            "high": high,
            "margin": MARGIN,
            "unit": "points",
        }
        for key, (low, high) in zip(keys, ends, strict=True)
    ]
    return {"parts": parts}


def together(*results):
    return {"parts": [part for one in results for part in one["parts"]]}


def of_classes(answers, *, claim=None, **settings):
    keys = [{"class": name} for name in ("sneaker", "trouser", "bag", "shirt")]
    return claims.plain(claim or a_claim(), result(claim or a_claim(), answers, keys[: len(answers)], **settings))


# ---- answers ----


@pytest.mark.parametrize(("supports", "margin"), [(one, 0.5) for one in SUPPORTS] + [("better", 0.0), ("worse", 0.0)])
def test_an_answer_is_where_every_difference_of_the_interval_lies(supports, margin):
    """By trying many true differences of each interval, against the words of `supports`."""
    speaks = {
        "better": lambda true: true > margin,
        "worse": lambda true: true < -margin,
        "equivalent": lambda true: abs(true) < margin,
        "not worse": lambda true: true > -margin,
    }[supports]
    for low, high in itertools.combinations(np.arange(-1.05, 1.1, 0.1), 2):
        said = {bool(speaks(true)) for true in np.linspace(low, high, 201)}
        expected = {(True,): "yes", (False,): "no"}.get(tuple(said), "cannot tell")
        assert claims.answer(a_claim(supports), {"low": low, "high": high, "margin": margin}) == expected


@pytest.mark.parametrize("holds", HOLDS)
def test_a_verdict_is_the_one_that_every_way_out_of_what_is_open_leads_to(holds):
    """Try yes and no for each part that cannot tell: where both come out, the claim cannot tell either."""
    for answers in itertools.chain(*(itertools.product(ANSWERS, repeat=n) for n in range(1, 5))):
        found = result(a_claim(holds=holds), answers, [{"slice": str(k)} for k in range(len(answers))])
        said = claims.conclude(a_claim(holds=holds), found)
        ways = itertools.product(*(("yes", "no") if one == "cannot tell" else (one,) for one in answers))
        outcomes = {{"all": all, "any": any}.get(holds, all)(one == "yes" for one in way) for way in ways}
        expected = {(True,): "yes", (False,): "no"}.get(tuple(outcomes), "cannot tell")
        if holds == "each":
            differ = {"no": "depends", "yes": "yes in part", "": "no in part"}
            which = "no" if {"yes", "no"} <= {*answers} else "yes" if "yes" in answers else ""
            expected = answers[0] if len({*answers}) == 1 else differ[which]
        assert said.verdict == expected
        assert [len(said.yes), len(said.no), len(said.cannot_tell)] == [answers.count(one) for one in ANSWERS]


def test_nothing_is_pooled_over_settings():
    claim = a_claim(settings=("fashion-mnist", "wordnet-glosses", "flights"))
    ways = {name: result(claim, [one], [{}], name) for name, one in zip(claim.settings, ANSWERS, strict=True)}
    found = together(*ways.values())
    assert [claims.conclude(claim, found, name).verdict for name in claim.settings] == list(ANSWERS)
    assert claims.conclude(claim, found).verdict == "depends"
    assert claims.standing(claim, found) == "holds in 1 of 3 settings: garments"
    assert claims.standing(claim, ways["flights"]) == "holds in 0 of 1 setting"
    open_too = together(ways["fashion-mnist"], ways["flights"])
    assert claims.conclude(claim, open_too).verdict == "yes in part"
    assert claims.conclude(claim, together(ways["wordnet-glosses"], ways["flights"])).verdict == "no in part"
    assert (claims.standing(claim, None), claims.conclude(claim, None).verdict) == ("", "not measured")


@pytest.mark.parametrize(
    ("by_parameters", "by_latency", "verdict"),
    [
        ("yy", "yy", "yes"),
        ("yn", "nn", "no"),
        ("yy", "yn", "depends"),
        ("yn", "cy", "no in part"),
        ("yy", "cy", "yes in part"),
    ],
)
def test_nor_over_what_a_size_is_judged_by(by_parameters, by_latency, verdict):
    """A student that is 50 times smaller and 4 times faster cannot be over and under a limit."""
    claim = a_claim(holds="all")
    keys = [{**by, "ratio": ratio} for by in ({}, {"by": "latency"}) for ratio in (2, 50)]
    found = result(claim, [LETTERS[one] for one in by_parameters + by_latency], keys)
    assert claims.conclude(claim, found).verdict == verdict
    assert claims.plain(claim, found).startswith({"depends": "It depends"}.get(verdict, verdict.capitalize()))


def test_a_setting_in_which_the_rest_is_open_is_one_where_it_holds_in_part():
    claim = a_claim(settings=("fashion-mnist", "wordnet-glosses", "flights"), parts="sizes")
    keys = [{"examples": n} for n in (100, 500)]
    said = [
        result(claim, [LETTERS[one] for one in answers], keys, name)
        for name, answers in zip(claim.settings, ("yy", "cy", "yc"), strict=True)
    ]
    assert claims.standing(claim, together(*said)) == (
        "holds in 1 of 3 settings: garments; in part on glosses and flights"
    )
    assert claims.plain(claim, together(*said[1:])) == (
        f"Yes in part: on glosses yes with 500 glosses, with 100 glosses we cannot tell {OPEN}; "
        f"on flights yes with 100 flights, with 500 flights we cannot tell {OPEN}; not measured yet on garments."
    )
    fails = result(claim, ["yes", "no"], keys, "flights")
    assert (
        claims.standing(claim, together(*said[:2], fails))
        == "holds in 1 of 3 settings: garments; in part on glosses; in some cases on flights"
    )


# ---- sentences that somebody has read aloud ----


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ("yn", "It depends: yes for sneakers; no for trousers."),
        ("yyyy", "Yes, for sneakers, trousers, bags and shirts."),
        ("cc", f"We cannot tell, for sneakers and trousers {OPEN}."),
        ("yycy", f"Yes for three of four garments; for bags we cannot tell {OPEN}."),
        ("nnnc", f"No for three of four garments; for shirts we cannot tell {OPEN}."),
        ("yncn", f"It depends: yes for sneakers; no for trousers and shirts; for bags we cannot tell {OPEN}."),
    ],
)  # fmt: skip
def test_each_part_on_its_own(answers, sentence):
    assert of_classes([LETTERS[one] for one in answers]) == sentence


@pytest.mark.parametrize(
    ("holds", "answers", "sentence"),
    [
        ("all", "yyny", "No: it fails for bags; it holds for three of four garments."),
        ("all", "yc", f"We cannot tell: it holds for sneakers; for trousers it is open {LOSS}."),
        ("all", "yy", "Yes, for sneakers and trousers."),
        ("any", "nync", f"Yes: it holds for trousers; it fails for sneakers and bags; for shirts it is open {LOSS}."),
        ("any", "nnn", "No, for sneakers, trousers and bags."),
        ("any", "nc", f"We cannot tell: it fails for sneakers; for trousers it is open {LOSS}."),
    ],
)  # fmt: skip
def test_all_parts_or_any_of_them(holds, answers, sentence):
    claim = a_claim("not worse", holds)
    assert of_classes([LETTERS[one] for one in answers], claim=claim) == sentence


def test_what_parts_share_is_not_said_and_the_rest_is_as_short_as_it_can_be():
    claim = a_claim(parts="comparisons")
    keys = [{"side": "under", "ratio": ratio, "examples": n} for n in (50_000, 5_000) for ratio in (2, 5)]
    said = [claims.plain(claim, result(claim, answers.split(), keys)) for answers in ("yes yes no no", "yes no no yes")]
    assert said == [
        "It depends: yes at 2 and 5 times smaller with 50,000 pictures; "
        "no at 2 and 5 times smaller with 5,000 pictures.",
        "It depends: yes at 2 times smaller with 50,000 pictures and at 5 times smaller with 5,000 pictures; "
        "no at 5 times smaller with 50,000 pictures and at 2 times smaller with 5,000 pictures.",
    ]
    pairs = [{"ratio": [10, ratio], "width": 32} for ratio in (2, 50, 100)]
    assert claims.plain(claim, result(claim, ["yes"] * 3, pairs)) == "Yes, at 10 against 2, 50 and 100 times smaller."
    both = [{"student": "CNN", "ratio": 2, "examples": n} for n in (5, 6)] + [{"ratio": 2, "examples": 6}]
    assert claims.plain(claim, result(claim, ["yes", "yes", "no"], both)) == (
        "It depends: yes for CNNs with 5 and 6 pictures; no for MLPs with 6 pictures."
    )
    by_latency = [{"student": "CNN", "by": "latency", "ratio": ratio, "examples": 5} for ratio in (10, 50)]
    assert claims.plain(claim, result(claim, ["yes", "no", "no"], [both[0], *by_latency])) == (
        "It depends: yes at 2 times smaller; no by latency at 10 and 50 times smaller."
    )
    temperatures = [{"temperature": pair, "examples": n} for n in (1, 2, 3) for pair in ([4, 1], [20, 4])]
    temperatures[-1]["examples"] = 4
    assert claims.plain(claim, result(claim, ["no"] * 6, temperatures)) == "No, for none of the six comparisons."
    two = [{"temperature": 1, "examples": 5}, {"temperature": 2, "examples": 6}]
    assert claims.plain(claim, result(claim, ["no"] * 2, two)) == "No, for neither of the two comparisons."


def test_with_as_many_yes_as_no_both_are_named_and_the_most_frequent_is_counted():
    claim, keys = a_claim(parts="temperatures"), [{"temperature": t} for t in range(1, 8)]
    assert claims.plain(claim, result(claim, ["yes"] * 3 + ["no"] * 3, keys[:6])) == (
        "It depends: yes at T = 1, T = 2 and T = 3; no at T = 4, T = 5 and T = 6."
    )
    assert claims.plain(claim, result(claim, ["yes"] * 3 + ["no"] * 4, keys)) == (
        "It depends: yes at T = 1, T = 2 and T = 3; no for four of seven temperatures."
    )


def test_metrics_are_told_apart_where_there_are_several():
    claim = a_claim(settings=("flights",))
    keys = [{"examples": n} for n in (500, 5_000)]
    both = result(claim, ["yes", "yes"], keys, "flights"), result(claim, ["yes", "no"], keys, "flights")
    for part in both[1]["parts"]:
        part["metric"] = "AUROC"
    assert claims.plain(claim, together(*both)) == (
        "It depends: yes for three of four garments; no with 5,000 flights in AUROC."
    )
    assert claims.plain(claim, both[1]) == "It depends: yes with 500 flights; no with 5,000 flights."


@pytest.mark.parametrize(
    ("garments", "glosses", "flights", "sentence"),
    [
        ("yy", "nn", "yy", "Yes on garments and on flights; on glosses no."),
        ("yy", "yn", "yy", "Yes on garments and on flights; on glosses it depends: yes with 100 glosses, no with 500 "
         "glosses."),
        ("nn", "nn", "nn", "No on garments, on glosses and on flights."),
        ("cc", "cc", "nn", f"No on flights; on garments we cannot tell {OPEN}; on glosses we cannot tell {OPEN}."),
        ("yn", "ny", None, "It depends: on garments yes with 100 pictures, no with 500 pictures; on glosses yes with "
         "500 glosses, no with 100 glosses; not measured yet on flights."),
        ("yy", None, None, "Yes, with 100 and 500 pictures; not measured yet on glosses and on flights."),
        (None, None, None, "Not measured yet."),
    ],
)  # fmt: skip
def test_settings_are_named_one_by_one(garments, glosses, flights, sentence):
    claim = a_claim(settings=("fashion-mnist", "wordnet-glosses", "flights"), parts="transfer-set sizes")
    found = together(
        *(
            result(claim, [LETTERS[one] for one in said],
                   [{"examples": 100}, {"examples": 500}], name)
            for name, said in zip(claim.settings, (garments, glosses, flights), strict=True) if said
        )
    )  # fmt: skip
    assert claims.plain(claim, found if found["parts"] else None) == sentence
    alone = {"yy": "Yes, with 100 and 500 flights.", "nn": "No, with 100 and 500 flights.", None: "Not measured yet."}
    assert claims.plain(claim, found, "flights") == alone[flights]


# ---- what a yes does not say ----


def little(how_many, *also, supports="better", answers="yy", unit="points"):
    """Yes by 0.6 to 0.9 points, of which `how_many` are of interest; `also` stands beside the parts that come first."""
    claim = a_claim(supports, smallest=how_many)
    found = result(claim, [LETTERS[one] for one in answers], [{"class": name} for name in ("bag", "coat")])
    for part, metrics in zip(found["parts"], also, strict=False):
        part["also"] = [{"metric": metric, "low": low, "high": high} for metric, low, high in metrics]
    for part in found["parts"]:
        part["unit"] = unit
    return claims.plain(claim, found)


def test_a_yes_by_less_than_what_is_of_interest_says_so():
    assert little(1.0) == "Yes, for bags and coats (by less than the 1 point of interest)."
    assert little(1.0, supports="worse") == "Yes, for bags and coats (by less than the 1 point of interest)."
    assert little(1.0, unit="nats") == "Yes, for bags and coats (by less than the 1 nat of interest)."
    for enough in (0.9, None):
        assert little(enough) == "Yes, for bags and coats."
    assert little(2.0, supports="not worse") == "Yes, for bags and coats."  # no loss is no little gain
    assert little(1.0, answers="yc") == (
        f"Yes for bags (by less than the 1 point of interest); for coats we cannot tell {OPEN}."
    )
    assert little(2.0, answers="nn") == "No, for bags and coats."


def test_a_yes_with_the_opposite_beside_it_says_where():
    worse, better, open_ = ("calibration", -2, -1), ("calibration", 1, 2), ("recall", -1, 1)
    assert little(None, [worse, open_], [worse]) == "Yes, for bags and coats (but worse in calibration)."
    assert little(None, [("recall", -2, -1), worse], [worse]) == (
        "Yes, for bags and coats (but worse in recall and calibration)."
    )
    assert little(None, [worse]) == "Yes, for bags and coats (one of them worse in calibration)."
    assert little(1.0, [worse], [worse]) == (
        "Yes, for bags and coats (by less than the 1 point of interest, but worse in calibration)."
    )
    assert little(None, [better, open_], [open_]) == "Yes, for bags and coats."
    assert little(None, [worse], supports="not worse") == "Yes, for bags and coats (one of them worse in calibration)."
    assert little(None, [better], supports="worse") == "Yes, for bags and coats (one of them better in calibration)."
    assert little(None, [worse], supports="worse") == "Yes, for bags and coats."
    assert little(None, [worse], answers="ny") == "It depends: yes for coats; no for bags."


def test_what_is_open_says_in_which_other_metrics_all_of_it_is_better_or_worse():
    worse, better, open_ = ("calibration", -2, -1), ("calibration", 1, 2), ("recall", -1, 1)
    said = OPEN.removesuffix(")")
    for also, ending in [
        ([[worse, open_], [worse]], ", but worse in calibration)"),
        ([[better], [("recall", 1, 2), better]], ", but better in calibration)"),
        ([[("recall", 1, 2), worse]] * 2, ", but better in recall, worse in calibration)"),
        ([[better], [worse]], ")"),
        ([[better]], ")"),
    ]:
        assert little(1.0, *also, answers="cc") == f"We cannot tell, for bags and coats {said}{ending}."


def test_a_metric_that_is_not_the_accuracy_is_named_where_it_is_excluded():
    claim, keys = a_claim(), [{"class": name} for name in ("bag", "coat")]
    found = result(claim, ["yes", "cannot tell"], keys)
    for part in found["parts"]:
        part["metric"] = "recall"
    said = OPEN.replace("points", "points of recall")
    assert claims.plain(claim, found) == f"Yes for bags; for coats we cannot tell {said}."


def test_a_margin_is_said_once_for_each_unit():
    found = result(a_claim(), ["yes", "no"], [{"class": "bag"}, {"class": "coat"}])
    assert claims.margin(found) == "Margin: 0.5 points."
    assert claims.margin({"parts": [part | {"margin": 0.0} for part in found["parts"]]}) == claims.margin(None) == ""


def test_a_verdict_that_a_bootstrap_does_not_share_says_so():
    other = "A bootstrap, which assumes no normal distribution, gives [-0.1, +1] and another verdict, inconclusive."
    for answers, notes, sentence in [
        ("ny", [other], "It depends: yes for coats; no for bags (not by a bootstrap)."),
        ("yy", [other], "Yes, for bags and coats (one of them not by a bootstrap)."),
        ("yy", [other, other], "Yes, for bags and coats (not by a bootstrap)."),
        ("yy", [other.replace("another verdict, inconclusive", "the same verdict")], "Yes, for bags and coats."),
        ("cc", [other], f"We cannot tell, for bags and coats {OPEN}."),
    ]:
        found = result(a_claim(), [LETTERS[one] for one in answers], [{"class": name} for name in ("bag", "coat")])
        for part, note in zip(found["parts"], notes, strict=False):
            part["note"] = note
        assert claims.plain(a_claim(), found) == sentence


def test_in_several_settings_it_stands_behind_the_place():
    claim = a_claim(settings=("fashion-mnist", "flights"), smallest=1.0)
    found = together(*(result(claim, ["yes"], [{}], name) for name in claim.settings))
    found["parts"][1]["high"] = 1.5
    assert claims.plain(claim, found) == ("Yes on garments (by less than the 1 point of interest) and on flights.")


# ---- every combination of answers ----


def combinations(n, how_many=729):
    """All combinations of n answers, or so many of them, among these all with at most two answers in long runs."""
    if 3**n <= how_many:
        return list(itertools.product(ANSWERS, repeat=n))
    rng = np.random.default_rng(n)
    runs = [(a,) * k + (b,) * (n - k) for a in ANSWERS for b in ANSWERS for k in range(n + 1)]
    return list(dict.fromkeys(runs + [tuple(rng.choice(ANSWERS, n).tolist()) for _ in range(how_many)]))


def is_english(text):
    assert re.match(r"(Yes|No|It depends|We cannot tell)\b(?! in part[^:])", text), text
    assert re.search(r"[a-z\d)]\.$", text), text
    assert text.count(".") - len(re.findall(r"\d\.\d", text)) == 1, text
    assert not re.search(r"  | [,;:.)]|\( |,,|;;|\band and\b|: *[;.]|\bof (zero|one)\b|\bone [a-z-]+s\b", text), text
    assert not re.search(r"[{}\[\]_']|None|cannot tell for", text), text
    assert text.count("(") == text.count(")") == text.count("is excluded"), text


def words_of(key, shared, setting):
    """What must be read where a part is named: its values, as they are written."""
    each = [
        f"{one:.0%}" if name == "share" else one
        for name, value in key.items()
        if name not in shared
        for one in (value if isinstance(value, list) else [value])
    ]
    return {f"{one:,}" if isinstance(one, int) else re.sub(r"\W", " ", str(one)).strip() for one in each}


def accounts_for(claim, found, text, setting):
    """Every part is counted in the clause of its answer, or named there."""
    keys = [part["key"] for part in found["parts"]]
    shared = {name for name in keys[0] if all(key.get(name) == keys[0][name] for key in keys)} if len(keys) > 1 else {}
    clauses = re.split(r"; |: ", text.removesuffix("."))
    starts = {"yes": r"yes\b|it holds", "no": r"no\b|it fails", "cannot tell": r".*(we cannot tell|it is open)"}
    conclusion = claims.conclude(claim, found)
    for answer, several in zip(ANSWERS, conclusion[:3], strict=True):
        if not several:
            continue
        said = [one for one in clauses if re.match(starts[answer], one, flags=re.I) and len(one.split()) > 1]
        if len(several) == len(keys):
            said = [text]
        (clause,) = said[-1:]
        number = [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
        count, total = (number[n] if n < 13 else str(n) for n in (len(several), len(keys)))
        counted = f"for {count} of {total} {claim.parts}"
        every = (
            rf"for (all|none of the|any of the) {total} |for (both|neither of the two|either of the two) {claim.parts}"
        )
        if counted not in clause and not (len(several) == len(keys) and re.search(every, clause)):
            missing = {word for key in several for word in words_of(key, shared, setting)
                       if not re.search(rf"(?<![\d,]){re.escape(word)}", re.sub(r"[^\w,]", " ", clause))}  # fmt: skip
            assert not missing, (text, missing)


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "keys"), [*all_keys()])
def test_every_combination_of_answers_in_one_setting_is_english_and_leaves_no_part_out(claim, keys):
    setting = claim.settings[0]
    for holds, answers in itertools.product(HOLDS, combinations(len(keys))):
        again = a_claim(claim.supports, holds, claim.parts, settings=(setting,))
        found = result(again, answers, keys, setting)
        text = claims.plain(again, found)
        is_english(text)
        accounts_for(again, found, text, setting)


@pytest.mark.slow
@pytest.mark.parametrize(("claim", "keys"), [*all_keys()])
def test_every_combination_of_answers_in_several_settings_is_english_and_names_them(claim, keys):
    settings = ("fashion-mnist", "wordnet-glosses", "flights")
    each = combinations(len(keys), 20)
    rng = np.random.default_rng(0)
    for holds, n in itertools.product(HOLDS, (2, 3)):
        again = a_claim(claim.supports, holds, claim.parts, settings=settings)
        ways = list(itertools.product(each, repeat=n)) if len(each) ** n < 50 else [
            tuple(each[k] for k in rng.integers(len(each), size=n)) for _ in range(50)
        ]  # fmt: skip
        for way in ways:
            found = together(
                *(result(again, answers, keys, name) for name, answers in zip(settings, way, strict=False))
            )
            text = claims.plain(again, found)
            is_english(text)
            assert sorted(re.findall(r"\bon (garments|glosses|flights)", text)) == ["flights", "garments", "glosses"]
            assert ("not measured yet on flights" in text) == (n == 2)
            agreed = {name: answers[0] for name, answers in zip(settings, way, strict=False) if len({*answers}) == 1}
            verdicts = {claims.conclude(again, found, name).verdict for name in agreed}
            assert verdicts == {*agreed.values()}
            for name in {
                *settings[:n]
            } - agreed.keys():  # as in the sentence of that setting alone, which is tested above
                alone = claims.plain(again, found, name).removesuffix(".").split(": ")[-1].replace("; ", ", ")
                assert f"{alone[0].lower()}{alone[1:]}" in text
            assert len(re.findall("is excluded", text)) == sum("cannot tell" in answers for answers in way)
    assert {*settings} <= {*EXAMPLES}


# ---- what would change our mind ----


@pytest.mark.parametrize(
    ("record", "answers", "sentence"),
    [
        ({}, "y",
         "An interval wholly above +0.5 points says yes, and one wholly below it no, for each of its garments alone."),
        ({"holds": "all"}, "yy",
         "An interval wholly below +0.5 points in any one of its garments would turn yes into no."),
        ({"holds": "all"}, "yn",
         "An interval wholly above +0.5 points in every one of its garments would turn no into yes."),
        ({"holds": "any", "supports": "worse"}, "yn",
         "An interval wholly above −0.5 points in every one of its garments would turn yes into no."),
        ({"holds": "any", "supports": "equivalent"}, "nn",
         "An interval wholly within ±0.5 points in any one of its garments would turn no into yes."),
        ({"holds": "all", "supports": "not worse"}, "yc",
         "An interval wholly above −0.5 points says yes, and one wholly below it no; it takes a yes in every one of "
         "its garments."),
    ],
)  # fmt: skip
def test_what_would_change_our_mind_follows_from_region_margin_and_verdict(record, answers, sentence):
    claim = a_claim(**record)
    said = [LETTERS[one] for one in answers]
    assert claims.would_change(claim, result(claim, said, [{"class": str(k)} for k in range(len(said))])) == sentence


@every_measured
def test_what_would_change_our_mind_would_do_so(claim):
    """Put an interval where the sentence says into one part, or into all, and the verdict turns."""
    stored = claims.result(claim.name)
    stored["parts"] = [part for part in stored["parts"] if part["setting"] == stored["parts"][0]["setting"]]
    sentence = claims.would_change(claim, stored)
    turned = re.search(r"wholly (\w+) .* in (any|every) one .* would turn (yes|no) into (yes|no)", sentence)
    if not turned:
        return
    side, how_many, before, after = turned.groups()
    assert claims.conclude(claim, stored).verdict == before
    parts = stored["parts"]
    for part in parts if how_many == "every" else parts[:1]:
        margin = {"better": 1, "worse": -1, "not worse": -1}.get(claim.supports, 0) * part["margin"]
        # An open region: not its end itself.
        part["low"], part["high"] = {"above": (margin + 1e-9, 1e9), "below": (-1e9, margin - 1e-9), "within": (0, 0)}[
            side
        ]
    assert claims.conclude(claim, stored).verdict == after
