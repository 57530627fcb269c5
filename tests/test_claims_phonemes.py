"""The arms of lesson 08 at equal compute, on a few words and with tiny models: what they learn from, and its cost."""

import re
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from kdcourse import data, lm
from kdcourse.claims import find, lesson_08, phonemes, ways
from kdcourse.claims.choices import Choices
from kdcourse.claims.record import Arm, Part
from kdcourse.claims.settings import SETTINGS
from kdcourse.data.cmudict import END, PAD
from kdcourse.stats.calibration import confidence_gap, expected_calibration_error

pytestmark = pytest.mark.slow  # whole experiments

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 30
OFFLINE = [name for name, way in phonemes.WAYS.items() if not way.own]


@pytest.fixture(scope="module")
def words():
    cmudict = data.load("cmudict")
    few = {"train": 3 * BLOCK, "validation": 20, "test": 60, "unlabelled": 25}
    return replace(cmudict, **{name: getattr(cmudict, name)[:count] for name, count in few.items()})


@pytest.fixture
def world(words, monkeypatch, tmp_path):
    """A course whose teacher is tiny, whose words are few, and whose students train for a moment."""
    teacher = lm.Transformer(69, width=16, layers=1, heads=2, seed=7).eval()
    with torch.no_grad():
        for parameter in teacher.parameters():
            if parameter.ndim == 2:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) / 3)
    monkeypatch.setattr(phonemes, "_words", lambda: words)
    monkeypatch.setattr(phonemes, "_teacher", lambda: teacher)
    monkeypatch.setattr(phonemes, "CHECKPOINT", phonemes.WORDS)
    monkeypatch.setattr(phonemes, "STUDENT", {"width": 8, "layers": 1, "heads": 1})
    monkeypatch.setattr(phonemes, "BLOCK", BLOCK)
    for module in (phonemes, ways):
        monkeypatch.setattr(module, "BATCH_SIZE", 10)
    whole = phonemes.WAYS

    def shorten(budget):
        short = {name: replace(way, budget=budget * way.budget / ways.BUDGET) for name, way in whole.items()}
        monkeypatch.setattr(phonemes, "WAYS", short)

    shorten(4e8)
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    return SimpleNamespace(words=words, teacher=teacher, shorten=shorten)


def texts(rows):
    return lm.spelled(rows)


def test_the_lesson_names_the_budgets_in_passes_and_the_words_without_labels():
    text = (ROOT / "notebooks" / "source" / "08_language_models.py").read_text(encoding="utf-8")
    # Forward and backward, a pass of training is three passes.
    small, large = (f"{3 * budget / ways.PASS:,.0f}" for budget in (ways.BUDGET, ways.LARGE))
    assert f"the compute of {small} student passes over its {phonemes.BLOCK:,} words" in text
    assert f"With more compute for all, {large} such passes" in text
    assert {*re.findall(r"\d+,000(?= more| words without| are inflections)", text)} == {
        f"{round(len(data.load('cmudict').unlabelled), -4):,}"
    }


def test_a_pass_is_what_a_student_spends_on_the_words_of_a_block():
    student = lm.Transformer(69, **phonemes.STUDENT, seed=0)
    letters, said, _ = data.load("cmudict").train[: phonemes.BLOCK].examples()
    batches = lm.bucketed(letters, said, ways.BATCH_SIZE, torch.Generator().manual_seed(0))
    spent = 3 * sum(lm.forward_flops(student, lm.trimmed(letters[rows]), lm.trimmed(said[rows])) for rows in batches)
    assert spent == pytest.approx(ways.PASS, rel=0.02)


@pytest.mark.parametrize("name", OFFLINE)
def test_each_arm_learns_from_what_its_name_says(name, world):
    source, words = phonemes._source(name, 1), world.words.train[BLOCK : 2 * BLOCK]
    letters, listed, _ = words.examples()
    count = {"1 sample": 1, "4 samples": 4, "16 samples": 16}.get(name.removeprefix("soft targets on "))
    if count:
        assert torch.equal(source.prefixes, words.letters.repeat_interleave(count, 0))
        again = lm.sample(world.teacher, words.letters, count, seed=0)
        assert torch.equal(source.targets, again.flatten(0, 1))
    elif name == "beam of 4":
        tokens, scores = lm.beam(world.teacher, words.letters, 4)
        assert torch.equal(source.targets, tokens[torch.arange(BLOCK), scores.argmax(1)])
    else:
        assert torch.equal(source.targets[: len(listed)], listed)
        assert torch.equal(source.prefixes[: len(letters)], letters)
        new = world.words.unlabelled.letters if "more words" in name else letters[:0]
        assert torch.equal(source.prefixes[len(letters) :], new)
        assert texts(source.targets[len(letters) :]) == texts(lm.greedy(world.teacher, new))
    assert (source.logits is not None) == ("soft" in name or "reverse" in name)
    if source.logits is not None:
        row = -1
        tokens = source.targets[row][source.targets[row] != PAD]
        before = torch.tensor([[1, *tokens[:-1].tolist()]])
        prefix = source.prefixes[row][source.prefixes[row] != PAD][None]
        said = world.teacher(prefix, before)[0]
        assert torch.allclose(source.logits[row, :, : len(tokens)].float(), said, atol=0.02, rtol=1e-3)


def test_the_teacher_is_paid_for_what_it_reads_and_writes(world):
    """In batches of one row nothing is padded, so that a sum over words is all there is."""
    words = world.words.train[:4]
    lengths = [len(word) for word in words.about["word"]]
    listed = [len(said) + 1 for said in (one[0] for one in words.pronunciations)]
    tokens = torch.zeros(4, 21, dtype=torch.long)
    for row, length in enumerate(listed):
        tokens[row, :length] = END
    expected = 0
    for read, new in zip(lengths, listed, strict=True):
        expected += lm.forward_flops(world.teacher, torch.zeros(1, read), torch.zeros(1, new), 3)
    alone = [ways.cost(world.teacher, words.letters[k : k + 1], tokens[k : k + 1], 3) for k in range(4)]
    assert sum(alone) == expected
    assert ways.cost(world.teacher, words.letters, tokens, 3) >= expected


@pytest.mark.parametrize("name", ["labels", "soft targets", "4 samples", "on-policy", "on-policy from scratch"])
def test_every_arm_spends_its_budget_and_no_step_more(name, world):
    student, about = phonemes.trained(name, 0.003, 1.0, 0, 0.003)
    step = 30 * lm.forward_flops(world.teacher, torch.zeros(1, 20), torch.zeros(1, 21))
    assert phonemes.WAYS[name].budget <= about["flops"] < phonemes.WAYS[name].budget + 5 * step
    again, same = phonemes.trained(name, 0.003, 1.0, 0, 0.003)
    assert same == about  # from the cache: seconds are those of then
    assert all(torch.equal(one, other) for one, other in zip(student.parameters(), again.parameters(), strict=True))


def test_a_warm_start_is_half_the_budget_of_soft_targets(world, monkeypatch):
    fitted = []
    monkeypatch.setattr(
        phonemes, "fit", lambda model, *_, **options: fitted.append(options) or SimpleNamespace(rows=[])
    )
    phonemes.trained("on-policy", 0.001, 1.0, 0, 0.004)
    warm, own = fitted
    cost = phonemes._source("soft targets", 0).flops
    assert (warm["lr"], warm["rewrite"], warm["flops"]) == (0.004, None, pytest.approx((4e8 - cost) / 2))
    assert (own["lr"], own["teacher"]) == (0.001, world.teacher)
    assert own["flops"] == pytest.approx(4e8 - cost)  # nothing was really spent on training here
    phonemes.trained("reverse on the dictionary", 0.001, 1.0, 0, 0.004)
    assert fitted[-1]["flops"] == own["flops"]  # what the teacher says is paid for once
    assert {one["device"] for one in fitted} == {"cpu"}
    phonemes.trained("half on-policy", 0.001, 1.0, 0, 0.003, "cuda")
    assert [one["device"] for one in fitted[-2:]] == ["cuda", "cuda"]


def test_settings_are_chosen_on_validation_and_no_learning_rate_lies_on_an_edge(monkeypatch):
    asked = []

    def on_validation(name, lr, share, block, warm, device):
        asked.append((lr, share, block))
        return 0.9 - abs(np.log2(lr / 0.024)) / 10 + (0.05 if share == 0.25 else 0)

    monkeypatch.setattr(phonemes, "on_validation", on_validation)
    assert phonemes.chosen("labels") == (0.024, 0.25)
    assert {lr for lr, *_ in asked} == {0.006, 0.012, 0.024, 0.048}
    assert {block for *_, block in asked} == {0}


def test_parts_are_paired_by_block_in_every_metric(world, monkeypatch):
    monkeypatch.setattr(phonemes, "chosen", lambda *_: (0.003, 1.0))
    monkeypatch.setattr(phonemes, "BLOCKS", 2)
    monkeypatch.setattr(phonemes.devices, "machine", lambda: {"cores": 1})
    run = SimpleNamespace(setting=SETTINGS["cmudict"], data=world.words, device="cpu", choices=Choices())
    found = phonemes.arms(run, ["labels", "soft targets"])
    part = phonemes.against(run, found, "soft targets", "labels", {"examples": BLOCK})
    groups = world.words.test.about["group"].nunique()
    assert part.a.values.shape == (2, groups)
    test = world.words.test
    for block in range(2):
        student, _ = phonemes.trained("soft targets", 0.003, 1.0, block)
        errors = lm.pronunciation_errors(texts(lm.greedy(student, test.letters)), test.pronunciations)
        assert part.a.values[block].mean() == pytest.approx(1 - errors.phoneme_rate, abs=1e-4)
    also = {one.metric: one.a.values for one in part.also}
    slices = {f"phoneme accuracy, {name}" for name in phonemes.SLICES}
    assert also.keys() == {"word accuracy", "log-likelihood", "calibration", "pronunciations said"} | slices
    rare = (test.slices["rarity"] == "SCOWL 70 to 95, rare").to_numpy()
    errors = lm.pronunciation_errors(texts(lm.greedy(student, test.letters)), test.pronunciations)  # of the last block
    assert also["phoneme accuracy, rare words"].shape == (2, test.about["group"][rare].nunique())
    assert also["phoneme accuracy, rare words"][1].mean() == pytest.approx(1 - errors[rare].phoneme_rate, abs=1e-4)
    several = np.array([len(said) > 1 for said in test.pronunciations])
    assert also["pronunciations said"].shape == (2, test.about["group"][several].nunique())


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("on-policy-needs-warm-start", [("on-policy", "on-policy from scratch")]),
        ("whole-distribution-beats-sampled-token", [("on-policy", "on-policy by sampled tokens")]),
        (
            "soft-beats-sampled",
            [
                *[("soft targets", f"{written}") for written in ("1 sample", "4 samples", "16 samples", "beam of 4")],
                ("soft targets on 1 sample", "1 sample"),
            ],
        ),
        (
            "more-unlabelled-data-beats-a-better-loss",
            [
                ("pseudo-labels of more words", "soft targets for longer"),
                ("soft targets of more words", "soft targets for longer"),
            ],
        ),
    ],
)
def test_a_claim_compares_the_arms_that_its_sentence_names_and_both_spend_the_same(name, pairs, monkeypatch):
    trained = {}

    def arms(run, names):
        trained.update((name, {"phoneme accuracy": Arm(name, np.full((5, 3), 0.5))}) for name in names)
        return trained

    def against(run, found, one, other, key):
        return Part(key, *(found[name]["phoneme accuracy"] for name in (one, other)), np.arange(5), np.arange(5))

    for module_name, function in (("arms", arms), ("against", against)):
        monkeypatch.setattr(lesson_08, module_name, function)
    (claim,) = find(name)
    parts = claim.measure(SimpleNamespace(setting=SETTINGS["cmudict"]))
    assert [(part.a.name, part.b.name) for part in parts] == pairs
    assert len({str(part.key) for part in parts}) == len(parts)
    assert all(ways.WAYS[part.a.name].budget == ways.WAYS[part.b.name].budget for part in parts)
    assert {*trained} == {*chain(*pairs), *chain(*((part.beside or {}).keys() for part in parts))}


# ---- what is measured of a model ----


def test_scores_of_a_model_are_those_of_each_word_alone(words):
    model = lm.Transformer(69, width=8, layers=1, heads=1, seed=3)
    lm.fit(model, *words.train.examples()[:2], epochs=30, lr=0.02, device="cpu", progress=False)
    test = words.test
    found = lm.scores(model, test, samples=50)
    written = lm.greedy(model, test.letters)
    likelihoods, tokens = [], 0
    for row in range(len(test)):
        listed, prefix = test.pronunciations[row], test.letters[row][test.letters[row] != PAD][None]
        said = data.cmudict.encode([(*listed[0], "<end>")], 21)[0]
        said = said[said != PAD]
        probabilities = model(prefix, torch.tensor([[1, *said[:-1].tolist()]]))[0].softmax(0).detach().numpy()
        likelihoods.append(-log_loss(said.numpy(), probabilities.T, labels=range(69), normalize=False))
        tokens += len(said)
        assert bool(found["word accuracy"][row]) == (texts(written[row : row + 1])[0] in listed)
        assert bool(found["pronunciations said"][row].isnan()) == (len(listed) == 1)
    assert found["log-likelihood"].mean().item() == pytest.approx(sum(likelihoods) / tokens, rel=1e-4)
    errors = lm.pronunciation_errors(texts(written), test.pronunciations)
    assert found["phoneme accuracy"].mean().item() == pytest.approx(1 - errors.phoneme_rate, abs=1e-5)
    assert 0 < found["confidence"].min() <= found["confidence"].max() < 1


def test_the_gap_between_confidence_and_right_answers_is_the_calibration_error():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), 500)
    labels = random.integers(3, size=500)
    gap = confidence_gap(probabilities.max(1), probabilities.argmax(1) == labels)
    assert gap == pytest.approx(expected_calibration_error(probabilities, labels))
    assert confidence_gap(np.array([0.95, 0.95, 0.05]), np.array([1, 1, 1])) == pytest.approx((0.05 * 2 + 0.95) / 3)


def test_no_two_students_share_a_place_in_the_cache(world):
    world.shorten(1e7)
    for name in ("labels", "soft targets", "soft targets for longer"):
        for lr, share, block in ((0.003, 1.0, 0), (0.004, 1.0, 0), (0.003, 0.5, 0), (0.003, 1.0, 1)):
            phonemes.trained(name, lr, share, block)
    kept = list((phonemes.store.cache_folder("language-models")).iterdir())
    assert len(kept) == 12 + 2  # two arms share what the teacher said of two blocks
