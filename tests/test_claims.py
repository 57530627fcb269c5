"""The ledger of claims: records that are whole, experiments that choose on validation, verdicts that are cautious."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats
from typer.testing import CliRunner

from kdcourse import claims, cli, data, store
from kdcourse.claims import ledger, measure
from kdcourse.claims.measure import Part

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


def test_every_stored_result_belongs_to_a_claim_that_can_be_measured():
    measurable = {claim.name for claim in claims.CLAIMS if claim.measure}
    stored = {path.stem for path in (data.folder() / "results").glob("*.json")}
    assert stored == measurable


@pytest.mark.parametrize("claim", [claim for claim in claims.CLAIMS if claim.measure], ids=lambda claim: claim.name)
def test_a_stored_verdict_follows_from_its_stored_intervals(claim):
    found = claims.result(claim.name)
    verdicts = {}
    for one in found["parts"]:
        assert one["low"] <= one["mean"] <= one["high"]
        if one["low"] > one["margin"]:
            verdicts[one["name"]] = "better"
        elif one["high"] < -one["margin"]:
            verdicts[one["name"]] = "worse"
        elif -one["margin"] < one["low"] and one["high"] < one["margin"]:
            verdicts[one["name"]] = "equivalent"
        else:
            verdicts[one["name"]] = "inconclusive"
    assert verdicts == {one["name"]: one["verdict"] for one in found["parts"]}
    assert found["verdict"] == claims.conclude(claim.supports, verdicts)
    assert {"date", "machine", "seconds"} <= found.keys()


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


# ---- experiments, on a sweep whose results are known beforehand ----


def world(effect, noise=0.0005, teacher=0.9):
    """A bench whose sweep trains nothing: accuracies follow from `effect(row, data)`, on validation and on test."""
    generator = torch.Generator().manual_seed(0)

    def split(n):
        labels = torch.randint(0, 10, (n,), generator=generator)
        logits = 5 * torch.nn.functional.one_hot(labels, 10).float()
        wrong = torch.rand(n, generator=generator) > teacher
        logits[wrong] = logits[wrong].roll(1, 1)
        return data.Split(labels, logits, inputs=torch.randn(n, 6, generator=generator))

    names = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    garments = data.DataSet("toy", split(50_000), split(2_000), split(2_000), names, teacher_parameters=460_000)
    rng = np.random.default_rng(0)

    def sweep(grid, some, *, epochs, **options):
        on_validation, on_test = zip(*[effect(row, some) for row in grid.itertuples()], strict=True)
        shared = {
            seed: rng.normal(0, 10 * noise) for seed in set(zip(grid["init_seed"], grid["order_seed"], strict=True))
        }
        luck = np.array([shared[seeds] for seeds in zip(grid["init_seed"], grid["order_seed"], strict=True)])
        return grid.assign(
            validation_accuracy=np.array(on_validation) + rng.normal(0, noise, len(grid)),
            test_accuracy=np.array(on_test) + luck + rng.normal(0, noise, len(grid)),
        )

    return SimpleNamespace(garments=garments, sweep=sweep)


def test_soft_beats_hard_compares_what_validation_chose_and_not_what_test_would_choose():
    def effect(row, some):
        soft = row.soft_weight == 1
        chosen = row.temperature == 7 and row.lr == 0.003 if soft else row.lr == 0.01 and row.weight_decay == 0.1
        # The settings that look best on test are others, and by far: they must not be taken.
        return (0.8, 0.7 + 0.02 * soft) if chosen else (0.7, 0.95)

    found = claims.evaluate(claims.find("soft-beats-hard")[0], measure.soft_beats_hard(world(effect)))
    assert [one["mean"] for one in found["parts"]] == pytest.approx([2, 2, 2], abs=0.2)
    assert [one["n"] for one in found["parts"]] == [40, 40, 40]
    assert found["verdict"] == "supported here"


def test_both_arms_of_soft_beats_hard_have_as_many_chances():
    tried = {}

    def effect(row, some):
        tried.setdefault(row.soft_weight, set()).add((row.temperature, row.lr, row.weight_decay))
        return 0.8, 0.8

    measure.soft_beats_hard(world(effect))
    assert len(tried[0]) == len(tried[1]) == 12


def test_low_data_gains_most_is_the_difference_of_two_gains():
    def effect(row, some):
        gain = {100: 0.03, 500: 0.01, 5_000: 0.01}[len(some.train)]
        return (0.7 + gain * (row.soft_weight == 1),) * 2

    found = claims.evaluate(claims.find("low-data-gains-most")[0], measure.low_data_gains_most(world(effect)))
    assert [one["mean"] for one in found["parts"]] == pytest.approx([2, 0], abs=0.2)
    assert (
        found["verdict"] == "depends: supported for 100 pictures against 500 pictures; "
        "inconclusive for 500 pictures against 5,000 pictures"
    )


def test_the_temperatures_of_the_claim_stand_against_the_others():
    def effect(row, some):
        return ({1: 0.80, 2: 0.81, 4: 0.83, 7: 0.82, 10: 0.82, 20: 0.815}[row.temperature],) * 2

    found = claims.evaluate(claims.find("t-4-to-10")[0], measure.temperature_4_to_10(world(effect)))
    assert [one["mean"] for one in found["parts"]] == pytest.approx([1.5] * 4, abs=0.2)


def test_a_blend_stands_against_the_better_of_the_two_pure_losses():
    def effect(row, some):
        return ({0: 0.80, 1: 0.82}.get(row.soft_weight, 0.83),) * 2

    found = claims.evaluate(claims.find("blend-beats-either")[0], measure.blend_beats_either(world(effect)))
    assert [one["mean"] for one in found["parts"]] == pytest.approx([1, 1], abs=0.2)


def test_the_claims_about_size_read_the_same_students():
    gains = {2: 0.002, 10: 0.02, 20: 0.02, 50: 0.01, 100: 0.03}

    def effect(row, some):
        ratio = min(
            gains, key=lambda r: abs(np.log(460_000 / (row.width * 17) / r))
        )  # 6 inputs, 10 classes: 17 weights
        return (0.9 - 0.0008 * ratio + gains[ratio] * row.soft_weight,) * 2

    bench = world(effect)
    teacher = (bench.garments.test.teacher_logits.argmax(1) == bench.garments.test.labels).double().mean().item()

    def effects(name, experiment):
        return [one["mean"] for one in claims.evaluate(claims.find(name)[0], experiment(bench))["parts"]]

    assert effects("below-5x-use-small", measure.below_5x) == pytest.approx([0.2], abs=0.2)
    over = {ratio: 100 * (teacher - (0.9 - 0.0008 * ratio + gains[ratio]) - 0.05) for ratio in gains}
    expected = [-over[2], -over[10], over[20], over[50], over[100]]
    assert effects("above-20x-gap", measure.above_20x) == pytest.approx(expected, abs=0.5)
    kept = 100 * ((0.9 - 0.008 + 0.02) / teacher - 0.95)
    assert effects("95-percent-at-10x", measure.keeps_95_percent) == pytest.approx([kept], abs=0.5)
    outside = {2: 0.002, 50: 0.01, 100: 0.03}
    differences = [100 * (gains[10] - gain) for gain in outside.values()]
    assert effects("sweet-spot-5-20", measure.sweet_spot) == pytest.approx(differences, abs=0.3)


def test_gradients_are_those_of_the_loss_times_t_squared():
    """Far above the logits' size, T² · KL has a gradient that no longer depends on T; below, it does."""
    bench = world(lambda row, some: (0, 0))
    parts = measure.t_squared_keeps_gradients(bench)
    assert [part.name for part in parts] == ["T = 4 against T = 1", "T = 20 against T = 4"]
    some = bench.garments.train[:5_000]
    stack = measure.StudentStack([6, 64, 10], range(8))
    measure.distill_stack(stack, some.inputs, some.teacher_logits, some.labels, soft_weight=0.0, epochs=1, order_seed=3)
    z = measure.logits_of_stack(stack, some.inputs[:1_000]).double().numpy()
    t = some.teacher_logits[:1_000].T.double().numpy()
    for temperature, norms in [(1, parts[0].b), (4, parts[0].a), (20, parts[1].a)]:
        q, p = (np.exp(x / temperature) / np.exp(x / temperature).sum(-2, keepdims=True) for x in (z, t))
        by_hand = np.log2(temperature * np.linalg.norm(q - p, axis=1).mean(1))  # T² · (q − p) / T
        assert norms[-8:] == pytest.approx(by_hand, abs=1e-4)


def test_the_left_out_class_is_nowhere_in_the_training_pictures_and_its_bias_is_chosen_on_validation():
    seen = []

    def sweep(grid, some, **options):
        seen.append(some.train)
        rows = len(grid)
        on_validation, on_test = (part.teacher_logits.clone() for part in (some.validation, some.test))
        label = 7 if len(seen) <= 2 else None
        if label is not None:  # the student is five too low on sneakers, on validation as on test
            on_validation[:, label] -= 5.25
            on_test[:, label] -= 5.25
        return grid.assign(validation_logits=[on_validation.numpy()] * rows, test_logits=[on_test.numpy()] * rows)

    bench = world(lambda row, some: (0, 0), teacher=1.0)
    bench.sweep = sweep
    sneaker, *_ = measure.omitted_class(bench)
    for train, label in zip(seen[:8:2], [7, 1, 8, 6], strict=True):
        assert not (train.labels == label).any()
        assert not (train.teacher_logits.argmax(1) == label).any()
    assert torch.isinf(seen[1].teacher_logits).any()  # the other arm knows the first choices alone
    assert sneaker.a == pytest.approx(1.0)


def test_arms_with_other_seeds_are_refused():
    rows = pd.DataFrame({"order_seed": [0, 1], "init_seed": [0, 0], "test_accuracy": [0.5, 0.6]})
    with pytest.raises(ValueError, match="the arms of 'here' must have the same seeds, got 2 and 1 students"):
        measure._part("here", rows, rows[:1])


# ---- running, storing, showing ----


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
    (found,) = claims.run("soft-beats-hard")
    assert (
        store.load_json(ledger_folder / "results" / "soft-beats-hard.json") == found == claims.result("soft-beats-hard")
    )
    assert found["verdict"] == "supported here"
    assert {"name", "mean", "low", "high", "n", "verdict", "unit", "margin", "note"} == found["parts"][0].keys()
    assert found["machine"]["torch"] == torch.__version__
    assert found["date"].count("-") == 2


def test_a_claim_without_an_experiment_cannot_be_run_and_says_who_will_bring_it(ledger_folder):
    with pytest.raises(ValueError, match="'on-policy-helps' has no experiment yet; lesson 08 will bring it"):
        list(claims.run("on-policy-helps"))


def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are():
    with pytest.raises(ValueError, match="no claim 'soft-is-soft'; there are soft-beats-hard, "):
        claims.show("soft-is-soft")


def test_a_claim_is_shown_with_its_effects_and_what_was_just_measured(ledger_folder):
    list(claims.run("soft-beats-hard"))
    from kdcourse.stats import compare

    gain = compare([0.72, 0.73, 0.75], [0.70, 0.70, 0.74])
    shown = claims.show("soft-beats-hard", measured=gain)
    text, page = str(shown), shown._repr_html_()
    for said in [
        "A student learns more",
        "supported here",
        "100 pictures: +2.0 points [",
        "here, just now: +2.0 points",
    ]:
        assert said in text
        assert said in page
    assert repr(shown) == text


def test_a_claim_that_nobody_measured_says_so(ledger_folder):
    assert "not measured yet" in str(claims.show("on-policy-helps"))
    assert "| not measured yet |" in claims.table()


def test_what_is_shown_is_escaped(ledger_folder, monkeypatch):
    list(claims.run("soft-beats-hard"))
    path = ledger_folder / "results" / "soft-beats-hard.json"
    found = store.load_json(path)
    found["parts"][0]["name"] = "<script>"
    store.save_json(path, found)
    assert "<script>" not in claims.show("soft-beats-hard")._repr_html_()


def test_the_table_has_one_row_for_each_claim():
    rows = claims.table().splitlines()[2:]
    assert [row.split("**")[1] for row in rows] == [claim.name for claim in claims.CLAIMS]
    assert all(row.count(" | ") == 3 for row in rows)


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
