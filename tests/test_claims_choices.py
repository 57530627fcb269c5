"""What was chosen on validation stays in the records, and measuring again takes it from there."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from toy_bench import found, world

from kdcourse import claims, store
from kdcourse.claims import flavours, ledger, phonemes
from kdcourse.claims.choices import Choices
from kdcourse.claims.describe import budget, enough_pairs
from kdcourse.claims.record import Arm, Part

SAID = ("temperature", "soft_weight", "lr", "weight_decay", "epochs", "weight", "stop", "share")


def never(missing):
    raise AssertionError(f"searched for {missing}")


def test_what_is_known_is_taken_and_the_rest_is_searched_for():
    known = [{"what": "rate", "among": [1, 2], "chosen": 2, "date": "2026-01-01"}]
    choices, asked = Choices(known), []
    chosen = choices({"rate": (1, 2), "width": {"units": np.int64(8)}}, lambda missing: asked.append(missing) or [8.0])
    assert chosen == [2, 8.0]
    assert asked == [["width"]]
    assert choices.made[0] == known[0]  # with the day on which it was chosen
    assert [choices.made[1][name] for name in ("what", "among", "chosen")] == ["width", {"units": 8}, 8.0]
    assert Choices(json.loads(json.dumps(choices.made)))({"width": {"units": 8}}, never) == [8.0]


@pytest.mark.parametrize("asked", [{"rate": [1, 2, 3]}, {"a rate": [1, 2]}])
def test_other_words_and_other_values_to_choose_among_are_another_choice(asked):
    choices = Choices([{"what": "rate", "among": [1, 2], "chosen": 2, "date": "2026-01-01"}])
    assert choices(asked, lambda missing: [1]) == [1]


def test_two_searches_of_an_experiment_do_not_share_a_choice():
    choices = Choices()
    choices({"rate": [1, 2]}, lambda _: [1])
    choices({"rate": [1, 3]}, lambda _: [3])
    with pytest.raises(ValueError, match=r"got 'rate' twice, among \[1, 2\]"):
        choices({"rate": [1, 2]}, lambda _: [2])


def test_a_search_must_choose_for_each():
    with pytest.raises(ValueError, match="zip"):
        Choices()({"a": 1, "b": 2}, lambda _: [1])


def by_rate(row, some):
    """Soft labels like another temperature than the edges, and nothing lies on one."""
    off = abs(np.log10(row.lr / 0.01)) + abs(np.log(row.temperature / 2)) * row.soft_weight + row.weight_decay
    return 0.8 - 0.1 * off, 0.7 + 0.05 * row.soft_weight - 0.1 * off


@pytest.mark.parametrize("name", ["soft-beats-hard", "blend-beats-either", "above-20x-gap", "assistant-bridges-gap"])
def test_measuring_with_what_was_chosen_trains_fewer_students_and_finds_the_same(name, monkeypatch):
    monkeypatch.setattr("kdcourse.claims.lesson_04.distill", lambda *_, **__: None)
    first, made = world(by_rate), Choices()
    before = found(name, first, made)
    again, taken = world(by_rate), Choices(json.loads(json.dumps(made.made)))
    assert found(name, again, taken) == before
    assert taken.made == made.made
    assert sum(len(one.grid) for one in again.seen) < 0.7 * sum(len(one.grid) for one in first.seen)


@pytest.fixture
def one_claim(tmp_path, monkeypatch):
    """A claim that chooses a rate; it counts how often, and its results lie in a folder of their own."""
    (tmp_path / "results").mkdir()
    searched = []

    def measure(run):
        (rate,) = run.choices({"rate": [1, 2]}, lambda _: searched.append(1) or [len(searched)])
        values = np.array([0.1, 0.2, 0.3])
        seeds = {"init_seed": np.arange(3), "order_seed": np.arange(3)}
        return [Part({"examples": 5}, Arm("a", values + rate, {"lr": rate}), Arm("b", values[::-1]), **seeds)]

    (claim,) = claims.find("soft-beats-hard")
    claim = replace(claim, name="toy", settings=("flights",), measure=measure)
    monkeypatch.setattr(ledger, "CLAIMS", (claim,))
    monkeypatch.setattr(ledger.data, "folder", lambda: tmp_path)
    store.save_json(tmp_path / "checksums.json", {"flights/test": {"sha256": "a"}, "cmudict/test": {"sha256": "b"}})
    monkeypatch.setattr(ledger.data, "load", lambda name: None)
    return searched


def rates(result):
    assert [one["what"] for one in result["settings"]["flights"]["choices"]] == ["rate"]
    return result["settings"]["flights"]["choices"][0]["chosen"], result["parts"][0]["arms"]["a"]["chosen"]["lr"]


def test_a_run_takes_what_its_record_holds_unless_it_is_to_choose(one_claim, tmp_path):
    assert rates(*claims.run("toy")) == (1, 1)
    text = (tmp_path / "results" / "toy.json").read_text()
    assert sum('"what": "rate"' in line and '"date"' in line for line in text.splitlines()) == 1  # on one line
    assert rates(*claims.run("toy")) == (1, 1)
    assert rates(claims.result("toy")) == (1, 1)
    assert len(one_claim) == 1
    assert rates(*claims.run("toy", choose=True)) == (2, 2)
    assert rates(*claims.run("toy")) == (2, 2)


def test_what_was_chosen_for_other_data_is_not_taken(one_claim, tmp_path):
    assert rates(*claims.run("toy")) == (1, 1)
    store.save_json(tmp_path / "checksums.json", {"flights/test": {"sha256": "a"}, "cmudict/test": {"sha256": "c"}})
    assert rates(*claims.run("toy")) == (1, 1)
    store.save_json(tmp_path / "checksums.json", {"flights/test": {"sha256": "c"}, "cmudict/test": {"sha256": "c"}})
    assert rates(*claims.run("toy")) == (2, 2)


def test_what_is_stored_while_an_experiment_runs_is_not_lost(one_claim, monkeypatch):
    list(claims.run("toy"))
    (claim,) = ledger.CLAIMS

    def measure(run):
        stored = claims.result("toy")
        stored["settings"]["cmudict"] = stored["settings"]["flights"]
        ledger._save(stored)
        return claim.measure(run)

    monkeypatch.setattr(ledger, "CLAIMS", (replace(claim, measure=measure),))
    assert {"flights", "cmudict"} == next(claims.run("toy"))["settings"].keys()


RECORDS = [
    (claim.name, setting)
    for claim in claims.CLAIMS
    for setting, about in (claims.result(claim.name) or {"settings": {}})["settings"].items()
    if "choices" in about
]


@pytest.mark.parametrize(("name", "setting"), RECORDS)
def test_what_a_record_says_of_its_arms_is_what_was_chosen_for_these_data(name, setting):
    result = claims.result(name)
    about = result["settings"][setting]
    assert about["files"] == ledger._files(setting)
    choices = [one["chosen"] for one in about["choices"]]
    choices = [dict(zip(("lr", "share"), one, strict=True)) if isinstance(one, list) else one for one in choices]
    arms = [arm["chosen"] for part in result["parts"] if part["setting"] == setting for arm in part["arms"].values()]
    said = 0
    for arm in filter(None, arms):
        for of in ("", " of the others"):
            found = {key.removesuffix(of): value for key, value in arm.items() if key.endswith(of)}
            found = {key: value for key, value in found.items() if key in SAID and key + of in arm}
            if "lr" in found:
                # What is not to choose on the ladder is not in its choices.
                assert any(all(one.get(key, value) == value for key, value in found.items()) for one in choices), found
                said += 1
    assert said


def test_one_question_has_one_answer():
    """An arm that several claims share is trained once for all of them: a sentence about it must hold in each."""
    answers, shared = {}, 0
    for claim in claims.CLAIMS:
        if claim.name == "low-data-gains-most":  # which chooses on examples of its own
            continue
        for setting, about in claims.result(claim.name)["settings"].items():
            for one in about.get("choices", ()):
                asked = json.dumps([setting, one["what"], one["among"]], sort_keys=True)
                shared += asked in answers
                assert answers.setdefault(asked, one["chosen"]) == one["chosen"], (claim.name, asked)
    assert len(answers) > 300
    assert shared > 60


def test_the_records_of_lessons_07_and_08_hold_a_choice_for_each_arm():
    ways = claims.result("features-beat-logits")["settings"]["fashion-mnist"]["choices"]
    assert sorted(one["what"] for one in ways) == sorted(flavours.WAYS)
    arms = {
        one["what"]: one["chosen"]
        for name in ("soft-beats-hard", *(claim.name for claim in claims.CLAIMS if claim.lesson == "08"))
        for one in claims.result(name)["settings"]["cmudict"]["choices"]
    }
    assert sorted(arms) == sorted(phonemes.WAYS)


def test_the_budget_of_the_ladder_is_that_of_each_arm():
    arms = {"a": {"chosen": {"epochs": 8}}, "b": {"chosen": None}}
    network, cnn = {"key": {"ratio": 2}, "arms": arms}, {"key": {"student": "CNN"}, "arms": arms}
    shared, own = "that both arms share", "Of CNNs, each arm doubled its own epochs"
    for parts, said in [([network], [True, False]), ([cnn], [False, True]), ([network, cnn], [True, True])]:
        assert [one in budget({"parts": parts}) for one in (shared, own)] == said
    assert budget({"parts": [{"key": {}, "arms": {"a": {"chosen": {"lr": 1}}}}]}) == ""


INTEREST = "Effects from 1 point up are of interest, which was stated after a first run"


def open_part(deviation, name, unit="points", low=-1.0, example_error=None):
    """A part of eight blocks in two trainings each, whose gains in a block deviate by this much."""
    blocks = np.repeat(scipy_stats.zscore(np.arange(8.0), ddof=1) * deviation, 2)
    pairs = {"a": (blocks + np.tile([5.0, -5.0], 8)) / 100, "b": np.zeros(16), "order_seed": np.repeat(np.arange(8), 2)}
    return {"key": {"class": name}, "setting": "flights", "metric": "accuracy", "unit": unit, "scale": 100.0,
            "low": low, "high": 1.0, "margin": 0.0, "pairs": pairs, "covers": {"block": 8, "example": 400},
            "example_error": example_error}  # fmt: skip


def test_what_luck_may_hide_is_shown_by_four_of_five_runs():
    (claim,) = claims.find("low-data-gains-most")
    parts = [open_part(0.2, "shirt"), open_part(2.0, "bag"), open_part(9, "bag", "nats")]
    said = enough_pairs(claim, {"parts": parts})
    (size,) = re.findall(r"in 1 of 3 steps, up to (\S+) points \(flights: bag\)\.$", said)
    draws = np.random.default_rng(0).normal(float(size), 2.0, size=(40_000, 8))
    found = scipy_stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05 / 3
    assert found.mean() == pytest.approx(0.8, abs=0.015)


def test_few_test_examples_hide_what_no_luck_in_training_does():
    (claim,) = claims.find("low-data-gains-most")
    said = enough_pairs(claim, {"parts": [open_part(0.0, "shirt", example_error=1.5)]})
    (size,) = re.findall(r"up to (\S+) points \(flights: shirt\)\.$", said)
    draws = np.random.default_rng(0).normal(float(size), 1.5, size=40_000)
    assert (np.abs(draws) > 1.96 * 1.5).mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("parts", "ending"),
    [
        ([open_part(0.2, "shirt")], f"{INTEREST}; a run like this one shows them four times in five."),
        ([open_part(2.0, "shirt", low=0.1)], f"{INTEREST}; no result is open."),
        (
            [open_part(2.0, "shirt", low=0.1), open_part(2.0, "bag", "nats")],
            f"{INTEREST}; no result in points is open.",
        ),
    ],
)
def test_what_is_decided_or_has_pairs_enough_hides_nothing(parts, ending):
    (claim,) = claims.find("low-data-gains-most")
    assert enough_pairs(claim, {"parts": parts}) == ending
    assert enough_pairs(claim, None) == ""
