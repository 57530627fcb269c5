"""The ledger of claims: found by itself, run by setting, and results from which everything can be made again."""

import json
import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats
from toy_bench import Bench, flat, found, world
from typer.testing import CliRunner

from kdcourse import _course, claims, cli, data, stats, store, transfer
from kdcourse.claims import (
    Arm,
    Part,
    flavours,
    ledger,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_07,
    lesson_08,
    phonemes,
    shipping,
)
from kdcourse.claims.choices import Choices
from kdcourse.claims.settings import SETTINGS
from kdcourse.data.cmudict import Words

pytestmark = pytest.mark.slow  # whole experiments

HARD = claims.find("soft-beats-hard")[0]
MEASURABLE = [claim for claim in claims.CLAIMS if claim.measure]
every_measurable = pytest.mark.parametrize("claim", MEASURABLE, ids=lambda claim: claim.name)


def part(a, b, key=None, **looks):
    """A part of two arms; without seeds, no two pairs share any."""
    a, b = (Arm(name, np.asarray(values, dtype=float)) for name, values in (("a", a), ("b", b)))
    each = np.arange(len(a.values))
    return Part(key or {"examples": 1}, a, b, **{"init_seed": each, "order_seed": each} | looks)


# ---- the records ----


def test_records_stand_in_the_order_of_their_lessons_and_say_what_where_and_how():
    lessons = [claim.lesson for claim in claims.CLAIMS]
    assert lessons == sorted(lessons)
    assert {"01", "05", "09"} <= set(lessons)
    assert set(Counter(claim.name for claim in claims.CLAIMS).values()) == {1}
    for claim in claims.CLAIMS:
        assert len(claim.taught_in) > 10
        assert [text[-1] for text in (claim.wording, claim.measured)] == [".", "."]
        assert (claim.settings, claim.parts.endswith("s")) == (tuple(dict.fromkeys(claim.settings)), True)
        assert claim.revised == "" or claim.revised.endswith(".")
        assert (claim.smallest or 0) > 0 if claim.measure else claim.smallest is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"supports": "no worse"}, "supports must be one of better, worse, equivalent, not worse, got 'no worse'"),
        ({"holds": "most"}, "holds must be one of all, any, each, got 'most'"),
    ],
)
def test_a_record_that_no_verdict_could_follow_from_is_refused(record, message):
    with pytest.raises(ValueError, match=message):
        claims.claim("name", "Wording.", taught_in="somewhere", **record)(lambda run: [])


@pytest.mark.parametrize(
    ("key", "name", "words"),
    [
        ({"width": [256, 32], "examples": 500}, "width=256:32,examples=500",
         "256 against 32 hidden units, 500 pictures"),
        ({"side": "under", "ratio": 5, "examples": 50_000}, "side=under,ratio=5,examples=50000",
         "under the limit, 5×, 50,000 pictures"),
        ({"examples": 500, "teacher": "misled"}, "examples=500,teacher=misled", "500 pictures, misled teacher"),
    ],
)  # fmt: skip
def test_the_id_and_the_words_of_a_part_are_made_of_its_key(key, name, words):
    assert (claims.part_id(key), claims.label(key)) == (name, words)


# ---- the results of the full run ----


def test_every_stored_result_belongs_to_a_claim_that_can_be_measured():
    assert {path.stem for path in (data.folder() / "results").glob("*.json")} == {claim.name for claim in MEASURABLE}


@every_measurable
def test_a_stored_verdict_follows_from_its_stored_interval(claim):
    stored = claims.result(claim.name)
    assert stored["claim"] == claim.name
    assert stored["settings"].keys() == {one["setting"] for one in stored["parts"]} <= {*claim.settings}
    assert all(
        about.keys() - {"files", "choices"} == {"date", "machine", "seconds"} for about in stored["settings"].values()
    )
    assert len({(one["setting"], one["metric"], claims.part_id(one["key"])) for one in stored["parts"]}) == len(
        stored["parts"]
    )
    for one in stored["parts"]:
        low, high, margin = one["low"], one["high"], one["margin"]
        assert low <= one["mean"] <= high
        assert {arm["mean"] is None for arm in one["arms"].values()} == {one["pairs"] is None}
        verdicts = {"better": low > margin, "worse": high < -margin, "equivalent": -margin < low and high < margin}
        assert one["verdict"] == next((verdict for verdict, holds in verdicts.items() if holds), "inconclusive")


def test_no_stored_choice_lies_on_the_edge_of_what_was_tried():
    parts = [part for claim in MEASURABLE for part in claims.result(claim.name)["parts"]]
    arms = [arm for part in parts for arm in part["arms"].values()]
    assert sum(arm["chosen"] is not None for arm in arms) > 100
    assert not [arm for arm in arms if "edges" in arm]


@every_measurable
def test_a_stored_interval_can_be_made_again_from_the_stored_pairs(claim):
    """By scipy where what is independent is a pair, or a block with as many pairs as any other; else by `compare`."""
    stored = claims.result(claim.name)
    for one in stored["parts"]:
        confidence = 1 - 0.05 / sum(other["setting"] == one["setting"] for other in stored["parts"])
        pairs, scale = one["pairs"], one["scale"]
        if pairs is None:
            continue
        a, b = np.array(pairs["a"]), np.array(pairs["b"])
        training = math.prod(count for what, count in one["covers"].items() if what != "example")
        assert len(a) == len(b) == training >= one["n"]
        assert ("example" in one["covers"]) == (one["example_error"] is not None)
        assert [arm["mean"] for arm in one["arms"].values()] == pytest.approx([a.mean(), b.mean()], rel=1e-4)
        if one["example_error"] is not None:  # the values of the examples are not in the file
            assert one["mean"] == pytest.approx(scale * np.mean(a - b), rel=1e-3, abs=1e-4)
            if "order" in one["covers"]:  # crossed seeds
                assert (
                    one["low"] < one["mean"] - one["example_error"] <= one["mean"] + one["example_error"] < one["high"]
                )
                continue
            # Training and examples, their variances added, with Satterthwaite's degrees of freedom; for these the
            # training counts as much as it may well do, since few units may show too little of it.
            units = pd.Series(scale * (a - b)).groupby(pairs["order_seed"]).mean()
            training, examples, free = units.var() / len(units), one["example_error"] ** 2, len(units) - 1
            most = training * free / scipy_stats.chi2.ppf(0.2, free)
            parts = most**2 / free + examples**2 / (one["covers"]["example"] - 1)
            reach = scipy_stats.t.ppf((1 + confidence) / 2, (most + examples) ** 2 / parts)
            reach *= (training + examples) ** 0.5
            assert [one["low"], one["high"]] == pytest.approx(
                [one["mean"] - reach, one["mean"] + reach], abs=0.02 * reach
            )
            continue
        orders = pairs["order_seed"] or list(range(len(a)))
        inits = pairs["init_seed"] or orders
        blocks = Counter(orders)
        if len(set(inits)) == len(a) and len(set(blocks.values())) == 1:
            means = [np.mean((a - b)[np.array(orders) == order]) for order in blocks]
            low, high = scipy_stats.ttest_1samp(means, 0).confidence_interval(confidence)
        else:
            seeds = {"init_seed": inits, "order_seed": orders}
            _, low, high, *_ = stats.compare(a, b, margin=one["margin"] / scale, confidence=confidence, **seeds)
        assert [one["mean"], one["low"], one["high"]] == pytest.approx(
            [scale * np.mean(a - b), scale * low, scale * high], rel=1e-4, abs=1e-4 * scale * (high - low)
        )


def words_bench(monkeypatch):
    """Six words of three groups, and arms that train nothing."""
    test = Words(pd.DataFrame({"group": ["a", "a", "b", "b", "c", "c"]}))

    def arms(run, names):
        values = np.random.default_rng(0).random((phonemes.BLOCKS, 6))
        return {name: {metric: Arm(name, values) for metric in ("phoneme accuracy", "word accuracy")} for name in names}

    for module in (lesson_01, lesson_08):
        monkeypatch.setattr(module, "arms", arms)
    return Bench(SETTINGS["cmudict"], SimpleNamespace(test=test), None, [])


def untrained_arms(monkeypatch):
    """The arms of lessons 07 and 09, with answers drawn at random."""
    rng = np.random.default_rng(0)

    def arms(run):
        shape = flavours.BLOCKS, len(run.data.test)
        return {name: Arm(name, rng.random(shape), {}) for name in flavours.WAYS}

    def measured(run, *_):
        states = {state for pair in shipping.STEPS.values() for state in pair} | {"small", "labels", "labels, int8"}
        sizes = {where: len(shipping.split(run, where)) for where in ("validation", "test")}
        return {f"{state}, {where}": rng.random(n) for state in sorted(states) for where, n in sizes.items()}

    monkeypatch.setattr(lesson_07, "arms", arms)
    monkeypatch.setattr(shipping, "chosen", lambda *_: {"lr": 0.008})
    monkeypatch.setattr(shipping, "trained", lambda *_: None)
    monkeypatch.setattr(shipping, "measured", measured)


class OfAnySize(Choices):
    """Choices for networks and sets of examples of other sizes, as a toy has them."""

    def __init__(self, known):
        super().__init__(known)
        self.known = known

    def __call__(self, asked, search):
        return super().__call__({what: self.of(among) for what, among in asked.items()}, search)

    @staticmethod
    def of(among):
        return {name: value for name, value in among.items() if name not in ("width", "examples")}


@pytest.mark.parametrize(
    ("claim", "setting"), claims.planned(), ids=[f"{claim.name}-{setting}" for claim, setting in claims.planned()]
)
def test_a_stored_result_is_of_the_experiment_as_it_is_now(claim, setting, monkeypatch):
    """Its parts have the keys, arms, pairs, margins and units that the experiment gives, were it to train nothing.

    And its choices are those that the experiment asks for, so that measuring it again needs no search.
    """
    stored = claims.result(claim.name) or {"parts": [], "settings": {}}
    kept = stored["settings"].get(setting, {}).get("choices", [])
    stored["parts"] = [one for one in stored["parts"] if one["setting"] == setting]
    if not stored["parts"]:
        pytest.skip(f"not measured yet in {setting}")
    if any(one["pairs"] is None for one in stored["parts"]):
        pytest.skip("measured before pairs were kept; `make claims` replaces it")
    for module, name in [(lesson_02, "train"), (lesson_02, "distill"), (lesson_03, "train"), (lesson_04, "distill")]:
        monkeypatch.setattr(module, name, lambda *arguments, **options: None)
    if setting == "cmudict":
        bench = words_bench(monkeypatch)
    else:
        count = {"wordnet-glosses": 60_000, "flights": 100_000}.get(setting, 50_000)
        bench = world(flat, setting=setting, examples=count)
        dates = pd.Timestamp(2013, 1, 1) + pd.to_timedelta(np.arange(count) % 365, "D")
        bench.data.train.about = bench.data.train.about.assign(date=dates, carrier="UA")
        monkeypatch.setattr(transfer, "asked", lambda some, *_: some)
        untrained_arms(monkeypatch)

    def looks(result):
        names = ("key", "margin", "unit", "scale", "repeated")
        return [  # how many test examples there are is the data's
            [one[name] for name in names]
            + [one["covers"] | {"example": "example" in one["covers"]}]
            + [arm["name"] for arm in one["arms"].values()]
            + [one["pairs"] and [one["pairs"]["init_seed"], one["pairs"]["order_seed"]]]
            for one in result["parts"]
        ]

    choices = OfAnySize([one | {"among": OfAnySize.of(one["among"])} for one in kept])
    now = json.loads(json.dumps(found(claim.name, bench, choices)))
    if setting != "cmudict" and claim.lesson != "07":  # whose arms are made up here
        asked = [[(one["what"], one["among"]) for one in each] for each in (choices.known, choices.made)]
        assert asked[0] == asked[1]
        assert choices.known == choices.made, "it was searched"
    assert looks(stored) == looks(now), "the experiment is another one since its last full run: `kdcourse claims --run`"


# ---- intervals ----


def test_the_intervals_of_a_claim_hold_together_in_each_setting():
    rng = np.random.default_rng(0)
    arms = [(rng.normal(0.5, 1, 12), rng.normal(0, 1, 12)) for _ in range(4)]
    settings = ["flights", "fashion-mnist", "flights", "flights"]
    parts = [part(*arm, scale=1.0, setting=setting) for arm, setting in zip(arms, settings, strict=True)]
    for one, (a, b) in zip(claims.evaluate(HARD, parts)["parts"], arms, strict=True):
        wide = scipy_stats.ttest_rel(a, b).confidence_interval(1 - 0.05 / settings.count(one["setting"]))
        assert [one["low"], one["high"]] == pytest.approx([wide.low, wide.high], rel=1e-4)


def test_pairs_that_share_a_block_count_as_one_unit():
    """Four initial weights in each of six blocks: the interval is the t-interval of the six means."""
    rng = np.random.default_rng(1)
    difference = np.repeat(rng.normal(0.02, 0.01, 6), 4) + rng.normal(0, 0.002, 24)
    seeds = {"init_seed": np.arange(24), "order_seed": np.repeat(np.arange(6), 4)}
    (one,) = claims.evaluate(HARD, [part(0.8 + difference, np.full(24, 0.8), **seeds)])["parts"]
    by_hand = scipy_stats.ttest_1samp(100 * difference.reshape(6, 4).mean(1), 0).confidence_interval(0.95)
    assert [one["low"], one["high"]] == pytest.approx([by_hand.low, by_hand.high], rel=1e-4)
    assert one["pairs"]["order_seed"] == [k // 4 for k in range(24)]
    assert (one["covers"], one["example_error"]) == ({"block": 6, "init": 4}, None)
    assert claims.covered(one) == "6 blocks × 4 initialisations"


@pytest.mark.parametrize(
    ("seeds", "covers"),
    [
        (([0, 1, 2], [0, 1, 2], "block"), {"block": 3}),
        (([0, 1, 2], [0, 1, 2], "seed"), {"seed": 3}),
        (([0, 1, 0, 1], [5, 5, 6, 6], "seed"), {"order": 2, "init": 2}),
        (([0, 1, 2, 3], [5, 5, 6, 6], "teacher"), {"teacher": 2, "init": 2}),
        (([0, 1, 2], [5, 5, 6], "block"), {"block": 2, "pair": 3}),
        ((None, None, "mail"), {"mail": 3}),
    ],
)
def test_a_part_says_what_its_interval_covers(seeds, covers):
    init, order, repeated = seeds
    values = np.linspace(0.1, 0.2, len(init or range(3))) ** 2
    looks = {"init_seed": init, "order_seed": order, "repeated": repeated}
    (one,) = claims.evaluate(HARD, [part(values, 0 * values, **looks)])["parts"]
    assert one["covers"] == covers


def test_values_for_every_example_are_compared_as_they_are_and_stored_as_their_means():
    """Against a limit, which is the same for every example, as against another arm."""
    rng = np.random.default_rng(2)
    right = (rng.random((6, 400)) < rng.choice([0.05, 0.95], 400, p=[0.2, 0.8])).astype(float)
    seeds = {"init_seed": list(range(6)), "order_seed": list(range(6))}
    (one,) = claims.evaluate(HARD, [part(right, np.full(6, 0.7), setting="flights", example="days", **seeds)])["parts"]
    both = stats.compare(right, np.full((6, 400), 0.7), **seeds)
    assert [one["low"], one["high"]] == pytest.approx([100 * both.low, 100 * both.high], rel=1e-4)
    assert one["example_error"] == pytest.approx(100 * both.example_error, rel=1e-4)
    assert one["example_error"] == pytest.approx(100 * right.mean(0).std(ddof=1) / 20, rel=0.3)
    assert one["pairs"]["a"] == pytest.approx(right.mean(1).tolist(), rel=1e-4)
    assert claims.covered(one) == "6 blocks × 400 days"


# ---- running and storing ----


@pytest.fixture
def ledger_folder(tmp_path, monkeypatch):
    """A ledger of its own, with a toy in place of all data; it notes in `asked` how its sweeps were called."""
    bench = world(lambda row, some: (flat(row, some)[0], 0.8 + 0.02 * row.soft_weight))

    def sweep(grid, some, *, resume, device, progress, **options):
        asked.add((some.name, resume, device, progress))
        return bench.sweep(grid, some, **options)

    asked = set()
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))
    store.save_json(tmp_path / "checksums.json", {})
    monkeypatch.setattr(data, "load", lambda name: replace(world(flat, setting=name).data, name=name))
    monkeypatch.setattr(ledger, "sweep", sweep)
    return SimpleNamespace(path=tmp_path, asked=asked)


def test_a_run_stores_what_it_found_with_its_arms_and_the_settings_that_they_chose(ledger_folder):
    (measured,) = claims.run("soft-beats-hard", settings=["fashion-mnist"], resume=False, device="cpu")
    assert ledger_folder.asked == {("fashion-mnist", False, "cpu", False)}
    text = (ledger_folder.path / "results" / "soft-beats-hard.json").read_text(encoding="utf-8")
    assert json.loads(text) == measured == claims.result("soft-beats-hard")
    assert measured["settings"]["fashion-mnist"]["machine"]["torch"] == torch.__version__
    arms = claims.part(measured, {"examples": 500})["arms"]
    assert [(arm["name"], arm["chosen"]["soft_weight"]) for arm in arms.values()] == [("soft labels", 1), ("labels", 0)]
    assert arms["a"]["mean"] - arms["b"]["mean"] == pytest.approx(0.02, abs=1e-3)
    with pytest.raises(KeyError, match="no part examples=7; there are examples=100; examples=500; examples=5000"):
        claims.part(measured, {"examples": 7})
    assert len(text.splitlines()) < 70 * len(measured["parts"])  # a list of pairs is one line


def test_every_setting_is_run_and_the_others_are_kept(ledger_folder):
    names = ["fashion-mnist", "wordnet-glosses", "flights"]
    *_, three = claims.run("soft-beats-hard", settings=names, device="cpu")
    assert list(three["settings"]) == names
    sizes = [len(SETTINGS[name].sizes) for name in three["settings"]]
    assert [one["setting"] for one in three["parts"]] == np.repeat([*three["settings"]], sizes).tolist()
    assert {name for name, *_ in ledger_folder.asked} == {*three["settings"]}
    kept = json.loads(json.dumps(three).replace('"unit": "points"', '"unit": "old"'))
    store.save_json(ledger_folder.path / "results" / "soft-beats-hard.json", kept)
    (again,) = claims.run("soft-beats-hard", settings=["wordnet-glosses"], device="cpu")
    assert [one["unit"] for one in again["parts"]] == np.repeat(["old", "points", "old"], sizes).tolist()
    assert claims.part(again, {"examples": 500}, "flights", "AUROC") == again["parts"][-3]


def test_what_cannot_be_run_is_refused_with_the_way_out(ledger_folder, monkeypatch):
    waiting = claims.Claim("hats-beat-socks", "Hats beat socks.", "nowhere", "Warmth.", lesson="99")
    monkeypatch.setattr(ledger, "CLAIMS", (*claims.CLAIMS, waiting))
    with pytest.raises(ValueError, match="'hats-beat-socks' has no experiment yet; lesson 99 will bring it"):
        next(claims.run("hats-beat-socks"))
    with pytest.raises(ValueError, match="no claim 'soft-is-soft'; there are soft-beats-hard, "):
        next(claims.run("soft-is-soft"))
    with pytest.raises(ValueError, match="measured in fashion-mnist, wordnet-glosses, flights, cmudict, got settings"):
        next(claims.run("soft-beats-hard", settings=["moons"]))
    monkeypatch.delenv("KDCOURSE_DATA")
    monkeypatch.setattr(_course, "roots", lambda: [_course.CARRIED])
    with pytest.raises(RuntimeError, match="written into a clone of the course: clone the course"):
        next(claims.run("soft-beats-hard"))


def test_the_ledger_is_read_from_where_the_course_is_carried(tmp_path, monkeypatch):
    monkeypatch.delenv("KDCOURSE_DATA", raising=False)
    monkeypatch.setattr(_course, "roots", lambda: [tmp_path / "nothing", tmp_path / "carried"])
    store.save_json(tmp_path / "carried" / "data" / "results" / "soft-beats-hard.json", {"parts": []})
    assert claims.result("soft-beats-hard") == {"parts": []}
    assert claims.result("t-4-to-10") is None


@pytest.mark.parametrize(
    ("setting", "count", "edges", "said"),
    [
        ("fashion-mnist", 0, [], ""),
        ("fashion-mnist", 1, [], "1 choice made on validation; none on an edge that could be moved."),
        ("fashion-mnist", 3, ["lr"], "3 choices made on validation; on an edge: lr."),
        ("flights", 2, [], "2 choices made on validation by log-likelihood; none on an edge that could be moved."),
        (
            "fashion-mnist",
            6,
            [],
            "6 choices made on validation; none on an edge that could be moved; 2 took all epochs of the budget.",
        ),
    ],
)
def test_a_result_says_how_much_was_chosen_by_what_and_what_lies_on_an_edge(setting, count, edges, said):
    own = {"setting": setting, "arms": {"a": {"edges": edges}, "b": {}}}
    others = {"setting": "wordnet-glosses", "arms": {"a": {"edges": ["temperature"]}, "b": {}}}
    chosen = [{"epochs": 5}, [0.01, 5], {"epochs": 20}, {"lr": 0.1}, {"epochs": 20}, {"epochs": 8}]
    may = [20, 5, 20, 20, 20, None]
    choices = [{"among": {"epochs": may[k]} if may[k] else {}, "chosen": chosen[k]} for k in range(count)]
    settings = {setting: {"choices": choices if count > 3 else choices[:1] * count}, "wordnet-glosses": {}}
    assert claims.choices_made({"settings": settings, "parts": [own, others]}, setting) == said


def test_the_command_shows_everything_and_runs_with_progress(ledger_folder):
    here = "Yes, with 100, 500, 5,000 and 50,000 pictures"
    yes = f"{here}; not measured yet on glosses, on flights and on words."
    for words, status, said in [
        (["soft-beats-hard"], 0, ["Not measured yet."]),
        (["--run", "soft-beats-hard", "--setting", "fashion-mnist"], 0,
         ["1 of 1: soft-beats-hard, fashion-mnist (0 minutes so far)", f"{here}.",
          "12 choices made on validation; none on an edge that could be moved"]),
        (["soft-beats-hard"], 0,
         [yes, "Taught in: Hinton", "500 pictures: +2.0",
          "10 blocks × 2 initialisations × 2,000 pictures: yes",
          "20 of 20 pairs above zero", "soft_weight 1", "What would change our mind: An interval wholly above zero",
          "Measure it again: kdcourse claims --run soft-beats-hard"]),
        ([], 0, [yes]),
        (["nonsense"], 2, ["no claim 'nonsense'"]),
    ]:  # fmt: skip
        done = CliRunner().invoke(cli.app, ["claims", *words])
        assert done.exit_code == status
        assert [one for one in said if one not in done.output.replace("\n", " ")] == []
