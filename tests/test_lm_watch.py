"""What is watched of an on-policy run, against loops over tokens; and runs that are broken on purpose, bug by bug."""

import copy
import itertools
import math
import sys

import pytest
import torch
from torch import nn

from kdcourse import data
from kdcourse.data.cmudict import END, PAD, START, encode
from kdcourse.lm import RUNS, Transformer, broken, fit, greedy, sample, scores, watch
from kdcourse.lm.failures import ends_with_start, other_vocabulary, without_end

LETTERS = encode(["cat", "at", "task", "dads"], 4)
SAID = encode([[*said.split(), "<end>"] for said in ("K AE T", "AE T", "T AE S K", "D AE D Z")], 5)
QUIET = {"device": "cpu", "progress": False}
TRAINING = {"epochs": 40, "lr": 0.02, **QUIET}


def model(seed, scale=5.0):
    """A model whose weights are large enough for it to have opinions."""
    lm = Transformer(69, width=16, layers=2, heads=2, seed=seed)
    with torch.no_grad():
        lm.head.weight *= scale
    return lm


@pytest.fixture(scope="module")
def taught():
    """A student that knows the words."""
    lm = model(0, scale=1.0)
    fit(lm, LETTERS, SAID, **TRAINING)
    return lm


def by_loops(student, teacher, prefixes, k, seed):
    lengths, endless, entropies, overlaps, rewards = [], [], [], [], []
    for letters, row in zip(prefixes, sample(student, prefixes, seed=seed)[:, 0].tolist(), strict=True):
        words = [token for token in row if token != PAD]
        lengths.append(len(words))
        endless.append(words[-1] != END)
        for place, token in enumerate(words):
            before = torch.tensor([[START, *words[:place]]])
            q, p = (
                lm(letters[letters != PAD][None], before)[0, :, -1].softmax(0).tolist() for lm in (student, teacher)
            )
            best_q, best_p = ({*sorted(range(69), key=lambda i: -of[i])[:k]} for of in (q, p))
            entropies.append(-sum(x * math.log(x) for x in q if x > 0))
            overlaps.append(len(best_q & best_p) / k)
            rewards.append(math.log(p[token]) - math.log(q[token]))
    of_words, of_tokens = {"length": lengths, "endless": endless}, {"entropy": entropies, "overlap": overlaps}
    return {name: sum(of) / len(of) for name, of in (of_words | of_tokens | {"reward": rewards}).items()}


@pytest.mark.slow
@pytest.mark.parametrize(("k", "seed"), [(1, 0), (5, 3)])
def test_what_is_watched_is_what_loops_over_the_tokens_find(k, seed):
    student, teacher = model(0), model(1)
    letters = LETTERS.repeat(3, 1)
    seen, wanted = watch(student, teacher, letters, k=k, seed=seed), by_loops(student, teacher, letters, k, seed)
    assert 0 < wanted["endless"] < 1
    assert seen == pytest.approx(wanted, rel=1e-4)


class Elsewhere(nn.Module):
    """A model on the meta device: it takes tokens that are there alone, and what it answers is known here."""

    def __init__(self, model, *tokens):
        super().__init__()
        self.recipe, self.weight = model.recipe, nn.Parameter(torch.zeros(1, device="meta"))
        self.logits = model(*tokens).detach()

    def forward(self, *tokens):
        assert all(rows.is_meta for rows in tokens)
        return self.logits


def test_models_that_are_watched_get_the_tokens_on_their_own_device(monkeypatch):
    student, teacher = model(0), model(1)
    expected, written = watch(student, teacher, LETTERS), sample(student, LETTERS)
    before = torch.cat([torch.full((4, 1), START), written[:, 0, :-1]], 1)
    monkeypatch.setattr(sys.modules[watch.__module__], "sample", lambda *_, **__: written)
    for pair in itertools.product(
        (student, Elsewhere(student, LETTERS, before)), (teacher, Elsewhere(teacher, LETTERS, before))
    ):
        assert watch(*pair, LETTERS) == expected


def test_a_model_that_is_scored_gets_the_words_on_its_own_device(monkeypatch):
    lm, words, asked = model(0), data.load("cmudict").test[:20], []
    expected = scores(lm, words, samples=2)

    def losses(_, *tokens_and_loss):
        asked.extend(tokens_and_loss[:2])
        return torch.zeros(asked[-1].shape), None

    module = sys.modules[scores.__module__]
    for name, write in [("greedy", greedy), ("sample", sample)]:
        monkeypatch.setattr(module, name, lambda _, *given, write=write, **options: write(lm, *given, **options))
    monkeypatch.setattr(module, "token_losses", losses)
    found = scores(Elsewhere(lm, LETTERS, LETTERS), words, samples=2)
    assert torch.equal(found["phoneme accuracy"], expected["phoneme accuracy"])
    assert len(asked) == 4
    assert all(tokens.is_meta for tokens in asked)


def test_watching_changes_no_model_and_draws_nothing():
    student = Transformer(69, width=16, layers=1, heads=2, dropout=0.5, seed=0).train()
    state, once = torch.get_rng_state(), watch(student, student, LETTERS)
    assert student.training
    assert torch.equal(torch.get_rng_state(), state)
    assert watch(student, student, LETTERS) == once


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be an integer >= 1, got 0"),
        ({"prefixes": LETTERS.float()}, TypeError, "prefixes must be an int32 or int64 tensor"),
    ],
)
def test_what_cannot_be_watched_is_refused(change, error, message):
    lm = model(0)
    with pytest.raises(error, match=message):
        watch(**{"student": lm, "teacher": lm, "prefixes": LETTERS} | change)


# ---- bugs ----


def test_a_teacher_with_another_end_says_start_where_it_said_end_and_all_else_is_as_it_was(taught):
    before = torch.cat([torch.full((4, 1), START), SAID[:, :-1]], 1)
    usual, other = taught(LETTERS, before), ends_with_start(taught)(LETTERS, before)
    assert torch.equal(other[:, START], usual[:, END])
    assert torch.equal(other[:, END], usual[:, START])
    kept = [token for token in range(69) if token not in (START, END)]
    assert torch.equal(other[:, kept], usual[:, kept])


def test_a_wrong_vocabulary_is_the_same_teacher_under_other_numbers(taught):
    other = other_vocabulary(taught, seed=1)
    back = {theirs: ours for ours, theirs in enumerate(other.reads.tolist())}
    assert [back[k] for k in range(3)] == [0, 1, 2]
    assert sum(ours != theirs for theirs, ours in back.items()) > 50
    before = torch.cat([torch.full((4, 1), START), SAID[:, :-1]], 1)
    renamed = [rows.clone().apply_(back.get) for rows in (LETTERS, before)]  # what its own words are to us
    said = other(*renamed)
    usual = taught(LETTERS, before)
    for theirs, ours in back.items():
        assert torch.equal(said[:, ours], usual[:, theirs])


def test_pad_is_end_takes_the_end_alone_out_of_the_loss():
    assert without_end(LETTERS, SAID).tolist() == [
        [0 if token == 2 else token for token in row] for row in SAID.tolist()
    ]


def test_a_student_that_never_sees_the_end_never_stops_until_it_sees_it():
    student = model(0, scale=1.0)
    fit(student, LETTERS, SAID, rewrite=without_end, **TRAINING)
    assert watch(student, student, LETTERS)["endless"] == 1
    fit(student, LETTERS, SAID, **TRAINING)
    assert watch(student, student, LETTERS)["endless"] == 0


MANY = LETTERS.repeat(12, 1), SAID.repeat(12, 1)


def run(name, student, teacher, **options):
    options = {"watched": LETTERS.repeat(8, 1), "batch_size": 4, "every": 6, "lr": 0.02} | options
    return broken(name, student, teacher, *MANY, **options)


def test_each_bug_leaves_its_own_mark(taught):
    runs = {name: run(name, taught, taught) for name in RUNS}
    first, last = ({name: table.iloc[k] for name, table in runs.items()} for k in (0, -1))
    cold, usual = "no warm start", first["healthy"]
    assert usual["reward"] == pytest.approx(0, abs=1e-6)
    for measure in ("length", "endless", "entropy"):  # all but one begin with the same student
        assert [name for name in RUNS if first[name][measure] != usual[measure]] == [cold]
    assert first[cold]["entropy"] == pytest.approx(math.log(68), abs=0.01)
    assert first["wrong vocabulary"]["reward"] < first["end-of-sequence mismatch"]["reward"] < -1
    assert first["wrong vocabulary"]["overlap"] < 0.5 < first["end-of-sequence mismatch"]["overlap"]
    assert first["pad = end"].equals(usual)
    assert last["end-of-sequence mismatch"]["endless"] > 0.9 > 0.1 > last["healthy"]["endless"]


def test_the_run_with_pad_as_end_is_the_warm_start_going_on(taught):
    by_hand, (letters, said) = copy.deepcopy(taught), MANY
    fit(by_hand, letters, said.masked_fill(said == END, PAD), epochs=1, lr=0.08, batch_size=4, **QUIET)
    seen = run("pad = end", taught, taught).iloc[-1].drop("step").to_dict()
    assert seen == pytest.approx(watch(by_hand, taught, LETTERS.repeat(8, 1)), rel=1e-3)


def test_a_run_is_the_same_with_the_same_seed_and_leaves_the_student_alone(taught):
    before = {name: tensor.clone() for name, tensor in taught.state_dict().items()}
    once, again, other = (run("healthy", taught, model(1), every=12, seed=seed) for seed in (0, 0, 1))
    assert once.equals(again)
    assert not once.equals(other)
    assert all(torch.equal(tensor, before[name]) for name, tensor in taught.state_dict().items())
    assert run("healthy", taught, taught, every=5)["step"].tolist() == [0, 5, 10, 12]


def test_a_run_without_that_name_is_refused(taught):
    with pytest.raises(ValueError, match="name must be one of 'healthy', .*, got 'lazy'"):
        run("lazy", taught, taught)
