"""Speculative decoding, against greedy decoding, every sequence's probability, and distributions put side by side."""

import itertools
import sys

import pytest
import torch
from scipy.stats import chisquare
from test_lm import LENGTHS, V, model, prefixes, tokens, written

from kdcourse.data.cmudict import END, PAD, START
from kdcourse.lm import Transformer, greedy, sample, speculative


def pair(scale=0.5):
    """A teacher, and a draft that is not like it at all."""
    return model(scale=scale), model(scale=scale, width=8, layers=1)


def near(teacher, noise=0.05):
    """A draft whose weights are the teacher's, but for some noise."""
    draft = model()
    draft.load_state_dict(teacher.state_dict())
    for k, parameter in enumerate(draft.parameters()):
        noisy = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(100 + k), dtype=parameter.dtype)
        parameter.data += noise * noisy
    return draft


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [1, 2, 5])
@pytest.mark.parametrize("longest", [1, 4, 12])
@pytest.mark.parametrize("noise", [0.05, None])
def test_at_temperature_0_it_writes_what_greedy_decoding_writes(monkeypatch, ahead, longest, noise):
    monkeypatch.setattr(sys.modules[speculative.__module__], "BATCH", 2)
    teacher, draft = pair()
    draft = draft if noise is None else near(teacher, noise)
    made, speculation = speculative(teacher, draft, prefixes(), ahead=ahead, temperature=0, longest=longest)
    assert made.tolist() == greedy(teacher, prefixes(), longest=longest).tolist()
    # Pass by pass, with whole forward passes of one row: the teacher writes what was right, and one token more.
    steps = tested = accepted = 0
    for k, length in enumerate(LENGTHS):
        sequence, done = written(made[k]), 0
        guesses = [
            draft(prefixes()[k : k + 1, :length], torch.tensor([[START, *sequence[:place]]]))[0, :, -1].argmax().item()
            for place in range(len(sequence))
        ]
        right = [guess == token for guess, token in zip(guesses, sequence, strict=True)]
        while done < len(sequence):
            run = len(list(itertools.takewhile(bool, right[done : done + ahead])))
            tested += min(run + 1, ahead, len(sequence) - done)
            accepted, steps, done = accepted + run, steps + 1, done + run + 1
    assert (speculation.steps, speculation.tested, speculation.accepted) == (steps, tested, accepted)
    assert speculation.written == (made != PAD).sum()
    assert speculation.overlap == pytest.approx(accepted / tested)


def test_a_draft_that_is_the_teacher_is_always_right():
    teacher = model()
    made, speculation = speculative(teacher, model(), prefixes().repeat(40, 1), ahead=3, longest=12)
    assert speculation.accepted == speculation.tested
    assert (speculation.acceptance, speculation.overlap) == pytest.approx((1, 1))
    assert speculation.steps == sum(-(-len(written(row)) // 4) for row in made)
    assert speculation.steps_saved == pytest.approx(1 - speculation.steps / speculation.written)


def probabilities(lm, prefix, longest, temperature):
    """{sequence: probability} of all that can be written: up to END, or cut off at `longest`."""
    found, open_ends = {}, [((), 1.0)]
    while open_ends:
        sequence, chance = open_ends.pop()
        if len(sequence) == longest or END in sequence:
            found[sequence] = chance
            continue
        logits = lm(prefix[prefix != PAD][None], torch.tensor([[START, *sequence]]))[0, :, -1]
        for token, likely in enumerate((logits / temperature).softmax(0).tolist()):
            if likely > 0:
                open_ends.append(((*sequence, token), chance * likely))
    return found


@pytest.mark.parametrize(("ahead", "temperature", "noise"), [(1, 1.0, None), (3, 1.0, 0.05), (2, 1.7, None)])
def test_samples_have_the_distribution_of_the_teacher(ahead, temperature, noise):
    teacher, draft = pair()
    draft = draft if noise is None else near(teacher, noise)
    prefix = prefixes([4])
    rows = prefix.repeat(2000, 1)
    made, speculation = speculative(teacher, draft, rows, ahead=ahead, temperature=temperature, longest=3)
    expected = probabilities(teacher, prefix[0], 3, temperature)
    assert sum(expected.values()) == pytest.approx(1)
    seen = dict.fromkeys(expected, 0)
    for row in made:
        seen[tuple(written(row))] += 1
    often = [sequence for sequence in expected if 2000 * expected[sequence] >= 5]
    counts = [seen[sequence] for sequence in often]
    wanted = [2000 * expected[sequence] for sequence in often]
    if (rest := 2000 - sum(wanted)) > 1:
        counts, wanted = [*counts, 2000 - sum(counts)], [*wanted, rest]
    assert len(often) > 5
    assert chisquare(counts, torch.tensor(wanted).mul(2000 / sum(wanted)).tolist()).pvalue > 0.001
    # The draft alone, with as many samples, is found out.
    drafted = sample(draft, prefix, 2000, temperature=temperature, longest=3)[0]
    own = [sum(tuple(written(row)) == sequence for row in drafted) for sequence in often]
    own += [2000 - sum(own)] * (len(wanted) > len(own))
    assert chisquare(own, torch.tensor(wanted).mul(2000 / sum(wanted)).tolist(), sum_check=False).pvalue < 1e-6


@pytest.mark.parametrize(("noise", "temperature"), [(None, 1.0), (0.05, 1.0), (0.2, 1.7)])
def test_proposals_are_accepted_as_often_as_one_minus_the_total_variation_says(noise, temperature):
    teacher, draft = pair()
    draft = draft if noise is None else near(teacher, noise)
    rows = prefixes().repeat(200, 1)
    made, speculation = speculative(teacher, draft, rows, ahead=1, temperature=temperature, longest=1)
    exact = []
    for k, length in enumerate(LENGTHS):
        p, q = (
            (lm(prefixes()[k : k + 1, :length], torch.tensor([[START]]))[0, :, 0] / temperature).softmax(0)
            for lm in (teacher, draft)
        )
        exact.append(1 - 0.5 * (p - q).abs().sum().item())
    assert speculation.tested == len(rows)
    assert speculation.overlap == pytest.approx(sum(exact) / len(exact))
    variance = sum(one * (1 - one) for one in exact) / len(exact) / len(rows)
    assert speculation.standard_error == pytest.approx(variance**0.5)
    # Of longer ones, too, each where it stands.
    longer = speculative(teacher, draft, rows, temperature=temperature, longest=5)[1]
    assert longer.steps < longer.written
    for one in (speculation, longer):
        assert abs(one.acceptance - one.overlap) < 3 * one.standard_error


def test_what_is_taken_back_from_a_cache_was_never_written():
    lm, given = model(), tokens(len(LENGTHS), 5)
    speculating = sys.modules[speculative.__module__]
    row_by_row = speculating._row_by_row(lm)
    cache, kept = lm.read(prefixes()), torch.tensor([0, 3, 1, 2, 3])
    lm.write(cache, given[:, :2])
    lm.write(cache, tokens(len(LENGTHS), 9)[:, -3:])  # of which each row keeps so many
    speculating.take_back(cache, 3, kept)
    logits = row_by_row.write(cache, given[:, 2:])
    for k, count in enumerate(kept.tolist()):
        row = torch.cat([given[k, :2], tokens(len(LENGTHS), 9)[k, -3:][:count], given[k, 2:]])[None]
        torch.testing.assert_close(logits[k : k + 1], lm(prefixes()[k : k + 1], row)[:, :, 2 + count :])


def test_the_seed_decides_and_no_rows_are_no_work():
    teacher, draft = pair()
    first, again, other = (speculative(teacher, draft, prefixes(), seed=seed, longest=9)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    none, speculation = speculative(teacher, draft, prefixes()[:0], longest=9)
    assert none.shape == (0, 9)
    assert (speculation.acceptance, speculation.steps_saved) == (0, 0)


def test_padding_is_proposed_and_written_at_no_temperature():
    teacher, draft = pair()
    made, speculation = speculative(teacher, draft, prefixes().repeat(100, 1), temperature=1e6, longest=8)
    for row in made.tolist():
        assert PAD not in row or row.index(PAD) == row.index(END) + 1
    assert speculation.acceptance > 0.99  # both are uniform


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"draft": Transformer(V + 1, 8, 1, 1)},
            f"draft must have the vocabulary of teacher, got {V + 1} and {V} tokens",
        ),
        ({"ahead": 0}, "ahead must be an integer >= 1, got 0"),
        ({"temperature": -1}, "temperature must be >= 0 and finite, got -1"),
        ({"temperature": 1e-40}, "temperature must be from 1e-6 to 1e6, got 1e-40"),
        ({"longest": 0}, "longest must be an integer >= 1, got 0"),
    ],
)
def test_speculating_names_what_it_refuses(arguments, message):
    teacher, draft = pair()
    with pytest.raises(ValueError, match=message):
        speculative(**{"teacher": teacher, "draft": draft, "prefixes": prefixes()} | arguments)
