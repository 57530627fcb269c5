"""The ledger of claims: records that are whole, cautious verdicts, and results that belong to their experiments."""

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from toy_bench import found, world
from typer.testing import CliRunner

from kdcourse import claims, cli, data, store
from kdcourse.claims import Part, ledger, lesson_02, lesson_04

NAMES = [
    "soft-beats-hard",
    "omitted-class-is-learned",
    "t-4-to-10",
    "t-squared-keeps-gradients",
    "blend-beats-either",
    "sweet-spot-5-20",
    "below-5x-use-small",
    "above-20x-gap",
    "assistant-bridges-gap",
    "95-percent-at-10x",
    "gap-is-not-uniform",
    "rare-and-hard-lose-most",
    "average-hides-slices",
    "distillation-lifts-the-tail-over-hard-labels",
    "wrong-distribution-ruins",
    "soft-beats-sampled",
    "on-policy-helps",
    "low-data-gains-most",
    "best-temperature-moves",
    "soft-labels-resist-noise",
    "smoothed-teacher-teaches-worse",
    "pruning-and-int8-stack-with-distillation",
    "cascade-recovers-the-tail",
]


def part(a, b, **changes):
    a = np.asarray(a, dtype=float)
    looks = {"name": "part", "init_seed": np.arange(len(a)), "order_seed": np.arange(len(a))} | changes
    return Part(a=a, b=np.asarray(b, dtype=float), **looks)


# ---- the records ----


def test_every_claim_of_the_curriculum_has_one_record():
    assert sorted(claim.name for claim in claims.CLAIMS) == sorted(NAMES)


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.name)
def test_a_record_says_what_where_and_how(claim):
    for text in (claim.wording, claim.taught_in, claim.measured):
        assert len(text) > 10
    assert claim.wording.endswith(".")
    assert claim.measured.endswith(".")
    assert claim.lesson in {f"{number:02}" for number in range(11)}
    assert claim.supports in {"better", "worse", "equivalent"}


# ---- the results of the full run ----

MEASURABLE = [claim for claim in claims.CLAIMS if claim.measure]
every_measurable = pytest.mark.parametrize("claim", MEASURABLE, ids=lambda claim: claim.name)


def test_every_stored_result_belongs_to_a_claim_that_can_be_measured():
    stored = {path.stem for path in (data.folder() / "results").glob("*.json")}
    assert stored == {claim.name for claim in MEASURABLE}


@every_measurable
def test_a_stored_verdict_follows_from_its_stored_intervals(claim):
    stored = claims.result(claim.name)
    assert stored is not None, "no full run yet: `kdcourse claims --run`"
    verdicts = {}
    for one in stored["parts"]:
        assert one["low"] <= one["mean"] <= one["high"]
        if one["low"] > one["margin"]:
            verdicts[one["name"]] = "better"
        elif one["high"] < -one["margin"]:
            verdicts[one["name"]] = "worse"
        elif -one["margin"] < one["low"] and one["high"] < one["margin"]:
            verdicts[one["name"]] = "equivalent"
        else:
            verdicts[one["name"]] = "inconclusive"
    assert verdicts == {one["name"]: one["verdict"] for one in stored["parts"]}
    assert stored["verdict"] == claims.conclude(claim.supports, verdicts)
    assert {"date", "machine", "seconds"} <= stored.keys()


@every_measurable
def test_a_stored_result_is_of_the_experiment_as_it_is_now(claim, monkeypatch):
    """Its parts have the names, pairs, margins and units that the experiment gives, were it to train nothing."""
    for module, name in [(lesson_02, "train"), (lesson_02, "distill"), (lesson_04, "distill")]:
        monkeypatch.setattr(module, name, lambda *arguments, **options: None)
    bench = world(lambda row, some: (0.8, 0.8), teacher_parameters=4_600)
    for split in (bench.garments.validation, bench.garments.test):
        split.teacher_logits[::5] /= 2  # not equally sure of every picture
    now = found(claim.name, bench)
    stored = claims.result(claim.name)
    assert stored is not None, "no full run yet: `kdcourse claims --run`"
    looks = ("name", "n", "margin", "unit")
    assert [[one[look] for look in looks] for one in stored["parts"]] == [
        [one[look] for look in looks] for one in now["parts"]
    ], "the experiment is another one since its last full run: `kdcourse claims --run`"


# ---- verdicts ----


@pytest.mark.parametrize(
    ("supports", "verdicts", "said"),
    [
        ("better", ["better", "better"], "supported here"),
        ("better", ["worse", "worse"], "not supported here"),
        ("better", ["equivalent"], "not supported here"),
        ("better", ["inconclusive", "inconclusive"], "inconclusive"),
        ("better", ["better", "worse"], "depends: supported for A; not supported for B"),
        ("better", ["better", "inconclusive"], "depends: supported for A; inconclusive for B"),
        ("better", ["better", "better", "worse", "inconclusive"],
         "depends: supported for A and B; not supported for C; inconclusive for D"),
        ("equivalent", ["equivalent"], "supported here"),
        ("equivalent", ["better", "worse"], "not supported here"),
        ("worse", ["worse", "better"], "depends: supported for A; not supported for B"),
    ],
)  # fmt: skip
def test_the_conclusion_says_no_more_than_the_verdicts(supports, verdicts, said):
    assert claims.conclude(supports, dict(zip("ABCD", verdicts, strict=False))) == said


def test_the_intervals_of_a_claim_hold_together():
    rng = np.random.default_rng(0)
    arms = [(rng.normal(0.5, 1, 12), rng.normal(0, 1, 12)) for _ in range(4)]
    seeds = {"init_seed": np.arange(12), "order_seed": np.zeros(12), "scale": 1.0}
    parts = [part(a, b, name=str(k), **seeds | {"order_seed": np.arange(12)}) for k, (a, b) in enumerate(arms)]
    found = claims.evaluate(claims.find("soft-beats-hard")[0], parts)
    for one, (a, b) in zip(found["parts"], arms, strict=True):
        wide = scipy_stats.ttest_rel(a, b).confidence_interval(1 - 0.05 / 4)
        assert [one["low"], one["high"]] == pytest.approx([wide.low, wide.high])


def test_the_scale_changes_what_is_shown_and_not_the_verdict():
    a, b = [0.81, 0.83, 0.82, 0.84], [0.80, 0.81, 0.81, 0.82]
    in_points, plain = (
        claims.evaluate(claims.find("soft-beats-hard")[0], [part(a, b, scale=scale, margin=0.001)])["parts"][0]
        for scale in (100.0, 1.0)
    )
    for name in ("mean", "low", "high", "margin"):
        assert in_points[name] == pytest.approx(100 * plain[name])
    assert in_points["verdict"] == plain["verdict"] == "better"


def test_pairs_that_share_a_block_count_as_one_unit():
    """Four initial weights in each of six blocks: the interval is the t-interval of the six means."""
    rng = np.random.default_rng(1)
    difference = np.repeat(rng.normal(0.02, 0.01, 6), 4) + rng.normal(0, 0.002, 24)
    seeds = {"init_seed": np.arange(24), "order_seed": np.repeat(np.arange(6), 4)}
    (one,) = claims.evaluate(claims.find("soft-beats-hard")[0], [part(0.8 + difference, np.full(24, 0.8), **seeds)])[
        "parts"
    ]
    by_hand = scipy_stats.ttest_1samp(100 * difference.reshape(6, 4).mean(1), 0).confidence_interval(0.95)
    assert [one["low"], one["high"]] == pytest.approx([by_hand.low, by_hand.high])
    assert one["n"] == 24


# ---- running and storing ----


@pytest.fixture
def ledger_folder(tmp_path, monkeypatch):
    """A ledger of its own, with a toy in place of the garments."""
    bench = world(lambda row, some: (0.8 + 0.02 * row.soft_weight,) * 2)
    monkeypatch.setattr(data, "folder", lambda: tmp_path)
    monkeypatch.setattr(data, "load", lambda name: bench.garments)
    monkeypatch.setattr(
        ledger, "sweep", lambda grid, some, *, resume, device, progress, **options: bench.sweep(grid, some, **options)
    )
    return tmp_path


def test_a_run_stores_effect_interval_n_verdict_machine_and_date(ledger_folder):
    (measured,) = claims.run("soft-beats-hard")
    stored = store.load_json(ledger_folder / "results" / "soft-beats-hard.json")
    assert stored == measured == claims.result("soft-beats-hard")
    assert measured["verdict"] == "supported here"
    assert {"name", "mean", "low", "high", "n", "verdict", "unit", "margin", "note"} == measured["parts"][0].keys()
    assert measured["machine"]["torch"] == torch.__version__
    assert measured["date"].count("-") == 2


def test_an_experiment_gets_the_data_the_sweep_and_the_device_that_the_run_was_given(ledger_folder, monkeypatch):
    given = []

    def measure(bench):
        given.append(bench)
        return [part([0.81, 0.82], [0.80, 0.80])]

    claim = claims.Claim("named", "What is said.", "somewhere", "01", "What is done.", measure=measure)
    monkeypatch.setattr(ledger, "CLAIMS", (claim,))
    (measured,) = claims.run("named", resume=False, device="cpu")
    assert measured["claim"] == "named"
    (bench,) = given
    assert bench.garments is data.load("fashion-mnist")
    assert bench.device == "cpu"
    assert bench.sweep.keywords == {"resume": False, "device": "cpu", "progress": False}


def test_a_claim_without_an_experiment_cannot_be_run_and_says_who_will_bring_it(ledger_folder):
    with pytest.raises(ValueError, match="'on-policy-helps' has no experiment yet; lesson 08 will bring it"):
        list(claims.run("on-policy-helps"))


def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are():
    with pytest.raises(ValueError, match="no claim 'soft-is-soft'; there are soft-beats-hard, "):
        claims.show("soft-is-soft")


def test_the_table_has_one_row_for_each_claim():
    rows = claims.table().splitlines()[2:]
    assert [row.split("**")[1] for row in rows] == [claim.name for claim in claims.CLAIMS]
    assert all(row.count(" | ") == 3 for row in rows)


def test_the_table_says_where_there_was_no_run(ledger_folder):
    rows = claims.table().splitlines()[2:]
    assert all(row.endswith(" | not measured yet |") for row in rows)


def test_the_command_shows_and_runs(ledger_folder):
    shown = CliRunner().invoke(cli.app, ["claims", "soft-beats-hard"])
    assert shown.exit_code == 0
    assert "not measured yet" in shown.output
    ran = CliRunner().invoke(cli.app, ["claims", "--run", "soft-beats-hard"])
    assert ran.exit_code == 0
    assert "supported here" in ran.output
    assert "supported here" in CliRunner().invoke(cli.app, ["claims", "soft-beats-hard"]).output


def test_the_command_refuses_a_name_that_is_not_there():
    refused = CliRunner().invoke(cli.app, ["claims", "nonsense"])
    assert refused.exit_code == 2
    assert "no claim 'nonsense'" in refused.output.replace("\n", " ")
