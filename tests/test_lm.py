"""The language model and how it writes: the cache, padding, batches, beams and samples, against slower ways."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from kdcourse.data.cmudict import END, PAD, START, encode
from kdcourse.lm import Transformer, beam, decode, greedy, sample, spelled

V = 6  # <pad>, <start>, <end> and three words
LENGTHS = (1, 4, 2, 3, 4)


def model(vocabulary=V, scale=0.5, **options):
    """A model whose weights are large enough that its distributions are far from uniform."""
    made = Transformer(vocabulary, **{"width": 16, "layers": 2, "heads": 2, "seed": 0} | options).double()
    for k, parameter in enumerate(made.parameters()):
        if parameter.ndim == 2:
            parameter.data = scale * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(k), dtype=torch.float64
            )
    return made.eval()


def prefixes(lengths=LENGTHS, columns=4, vocabulary=V):
    rows = torch.randint(3, vocabulary, (len(lengths), columns), generator=torch.Generator().manual_seed(1))
    return rows.masked_fill(torch.arange(columns) >= torch.tensor(lengths)[:, None], PAD)


def tokens(*shape):
    return torch.randint(1, V, shape, generator=torch.Generator().manual_seed(2))


def log_probability(lm, prefix, sequence):
    """log p of one sequence of Python ints, from whole forward passes of one row without padding."""
    logits = lm(prefix[prefix != PAD][None], torch.tensor([[START, *sequence[:-1]]]))[0]
    return sum(logits[:, k].log_softmax(0)[token].item() for k, token in enumerate(sequence))


def written(row):
    """A row of tokens up to the END, as Python ints."""
    row = row.tolist()
    stop = next((k + 1 for k, token in enumerate(row) if token in (END, PAD)), len(row))
    return row[:stop]


# ---- the model ----


@pytest.mark.parametrize("pieces", [[1] * 5, [2, 3], [4, 1]])
def test_with_and_without_the_cache_the_logits_are_the_same(pieces):
    lm, given = model(), tokens(len(LENGTHS), 5)
    cache = lm.read(prefixes())
    parts = [lm.write(cache, part) for part in given.split(pieces, 1)]
    torch.testing.assert_close(torch.cat(parts, 2), lm(prefixes(), given))


def test_padding_changes_nothing():
    lm, given = model(), tokens(len(LENGTHS), 5)
    wide = torch.nn.functional.pad(prefixes(), (0, 3))
    torch.testing.assert_close(lm(wide, given), lm(prefixes(), given))
    for k, length in enumerate(LENGTHS):
        torch.testing.assert_close(
            lm(prefixes()[k : k + 1, :length], given[k : k + 1]), lm(prefixes(), given)[k : k + 1]
        )


def test_a_token_sees_what_stands_before_it_and_the_whole_prefix_alone():
    lm, given = model(), tokens(1, 5)
    before = lm(prefixes([4]), given)
    later = given.clone()
    later[0, 3] = 3 if given[0, 3] != 3 else 4
    changed = (lm(prefixes([4]), later) != before).any(1)[0]
    assert changed.tolist() == [False, False, False, True, True]
    other = prefixes([4])
    other[0, 3] = 3 if other[0, 3] != 3 else 4
    assert (lm(other, given) != before).any(1).all()


def test_attention_is_that_of_a_naive_loop():
    """One block, one head at a time, in Python loops, with the rotation as complex numbers."""
    lm = model(layers=1)
    block, letters, given = lm.blocks[0], prefixes([3], 3), tokens(1, 4)
    x = torch.cat([lm.embed(letters), lm.embed(given)], 1)[0]
    places = [*range(3), *range(4)]

    def norm(row, layer):
        return row / (row.square().mean() + torch.finfo(torch.float64).eps).sqrt() * layer.weight

    qkv = [(block.qkv.weight @ norm(row, block.before_attention)).view(3, 2, 8) for row in x]

    def turned(vector, place):
        turns = [complex(math.cos(place * angle), math.sin(place * angle)) for angle in lm.angles.tolist()]
        return [complex(vector[k].item(), vector[k + 4].item()) * turn for k, turn in enumerate(turns)]

    def score(i, j, head):
        pairs = zip(turned(qkv[i][0, head], places[i]), turned(qkv[j][1, head], places[j]), strict=True)
        return sum((q * k.conjugate()).real for q, k in pairs) / math.sqrt(8)

    logits = []
    for i in range(3, 7):
        heads = []
        for head in range(2):
            weights = torch.tensor([score(i, j, head) for j in range(i + 1)]).softmax(0)
            heads.append(sum(w * qkv[j][2, head] for j, w in enumerate(weights)))
        row = x[i] + block.attended.weight @ torch.cat(heads)
        row = row + block.down.weight @ (block.up.weight @ norm(row, block.before_mlp)).clamp(min=0) ** 2
        logits.append(lm.head.weight @ norm(row, lm.norm))
    torch.testing.assert_close(lm(letters, given)[0, 1:].T, torch.stack(logits)[:, 1:], rtol=1e-6, atol=1e-6)


def test_padding_is_never_said():
    logits = model()(prefixes(), tokens(5, 4))
    assert logits.isfinite().all()
    assert not logits.softmax(1)[:, PAD].any()
    assert (logits.softmax(1)[:, 1:] > 0).all()


def test_dropout_drops_in_training_alone_and_the_seed_fixes_the_weights():
    lm, given = model(dropout=0.5), tokens(5, 4)
    assert torch.equal(lm(prefixes(), given), lm(prefixes(), given))
    lm.train()
    assert not torch.equal(lm(prefixes(), given), lm(prefixes(), given))
    one, same, other = (Transformer(V, 8, 1, 1, seed=seed).embed.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_seed_gives_the_weights_that_torch_would_and_leaves_every_generator_alone(monkeypatch):
    def refuse(seed):
        raise AssertionError("a GPU was seeded")

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        by_hand = Transformer(V, 8, 2, 2)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    state = torch.get_rng_state()
    for seed in (3, np.int64(3)):
        for mine, its in zip(Transformer(V, 8, 2, 2, seed=seed).parameters(), by_hand.parameters(), strict=True):
            assert torch.equal(mine, its)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"width": 18, "heads": 4}, "width must be a multiple of .* 8, got 18"), ({"layers": 0}, "layers must be an int")],
)
def test_sizes_of_no_sense_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        Transformer(V, **sizes)


# ---- decoding ----


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_greedy_takes_the_likeliest_token_of_a_whole_forward_pass(scale):
    lm = model(scale=scale)
    for row, prefix in zip(greedy(lm, prefixes(), longest=6), prefixes(), strict=True):
        expected = []
        while len(expected) < 6 and END not in expected:
            logits = lm(prefix[prefix != PAD][None], torch.tensor([[START, *expected]]))
            expected.append(int(logits[0, :, -1].argmax()))
        assert written(row) == expected


WRITE = {
    "greedy": lambda lm, words: greedy(lm, words, longest=5),
    "beam": lambda lm, words: beam(lm, words, 3, longest=5)[0],
    "scores": lambda lm, words: beam(lm, words, 3, longest=5)[1],
}


@pytest.mark.parametrize("how", WRITE)
def test_the_split_into_batches_changes_nothing(monkeypatch, how):
    lm, words = model(), prefixes([1, 4, 2, 3, 4, 1, 2], 5)
    whole = WRITE[how](lm, words)
    monkeypatch.setattr(decode, "BATCH", 3)
    torch.testing.assert_close(WRITE[how](lm, words), whole)


def test_a_beam_of_one_is_greedy():
    for scale in (0.3, 0.5, 1.0):
        lm = model(scale=scale)
        assert torch.equal(beam(lm, prefixes(), 1, longest=6)[0][:, 0], greedy(lm, prefixes(), longest=6))


def test_a_wide_beam_finds_the_likeliest_of_all_sequences():
    lm, longest = model(), 3
    middles = [token for token in range(1, V) if token != END]
    everything = [[*one, END] for n in range(longest) for one in itertools.product(middles, repeat=n)]
    everything += [list(one) for one in itertools.product(middles, repeat=longest)]
    found, scores = beam(lm, prefixes(), V - 1, longest=longest)
    for k, prefix in enumerate(prefixes()):
        known = {tuple(one): log_probability(lm, prefix, one) for one in everything}
        assert math.fsum(map(math.exp, known.values())) == pytest.approx(1)
        best = max(known, key=known.get)
        assert written(found[k, 0]) == list(best)
        assert scores[k, 0].item() == pytest.approx(known[best], abs=1e-5)
        for row, score in zip(found[k], scores[k], strict=True):
            assert known[tuple(written(row))] == pytest.approx(score.item(), abs=1e-5)
        assert (scores[k].diff() <= 0).all()
        assert len({tuple(row.tolist()) for row in found[k]}) == V - 1


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_samples_follow_the_distribution(temperature):
    lm, count = model(scale=0.4), 4000
    prefix = prefixes([3])
    drawn = sample(lm, prefix, count, temperature=temperature, longest=2)[0]
    first = (lm(prefix, torch.tensor([[START]]))[0, :, 0] / temperature).softmax(0)
    expected = {}
    for one in range(1, V):
        if one == END:
            expected[one,] = first[one].item()
            continue
        second = (lm(prefix, torch.tensor([[START, one]]))[0, :, 1] / temperature).softmax(0)
        expected |= {(one, two): (first[one] * second[two]).item() for two in range(1, V)}
    seen = [tuple(written(row)) for row in drawn]
    often = [one for one, p in expected.items() if p * count >= 5]
    observed = [seen.count(one) for one in often]
    rest, spare = count - sum(observed), 1 - sum(expected[one] for one in often)
    assert chisquare([*observed, rest], [*(count * expected[one] for one in often), count * spare]).pvalue > 1e-3
    wrong = [count / len(often) * (1 - spare)] * len(often)
    assert chisquare([*observed, rest], [*wrong, count * spare]).pvalue < 1e-6  # it could have failed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-6, 2000.0, 1e6])
def test_at_no_temperature_padding_is_written_before_the_end(temperature, dtype):
    drawn = sample(model().to(dtype), prefixes(), 300, temperature=temperature, longest=8).flatten(0, 1)
    for row in drawn.tolist():
        assert PAD not in row or row.index(PAD) == row.index(END) + 1
    if temperature > 1:  # all but padding are about as likely
        first = drawn[:, 0].bincount(minlength=V)
        assert chisquare(first[1:], [300.0] * 5).pvalue > 1e-3


def test_samples_are_fixed_by_the_seed_and_each_prefix_has_its_own():
    lm = model(scale=0.3)
    one, same, other = (sample(lm, prefixes(), 4, seed=seed, longest=5) for seed in (0, 0, 1))
    assert one.shape == (5, 4, 5)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    for row in one.flatten(0, 1):
        assert not row[len(written(row)) :].any()


def test_writing_leaves_mode_and_gradients_alone():
    lm = model(dropout=0.5).train()
    calm = greedy(lm, prefixes(), longest=5)
    assert lm.training
    assert lm.blocks[0].training
    assert torch.equal(calm, greedy(lm.eval(), prefixes(), longest=5))
    assert not calm.requires_grad


def test_phonemes_are_spelled_up_to_the_end():
    said = [("K", "AE", "T"), (), ("ZH",)]
    rows = encode([(*one, "<end>") for one in said], 6)
    assert spelled(rows) == said
    assert spelled(rows[:, :2]) == [("K", "AE"), (), ("ZH",)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lm: beam(lm, prefixes(), V), "width must be below the size of the vocabulary, 6, got 6"),
        (lambda lm: sample(lm, prefixes(), 0), "count must be an integer >= 1, got 0"),
        (lambda lm: sample(lm, prefixes(), temperature=0.0), "temperature must be > 0, got 0.0"),
        (lambda lm: sample(lm, prefixes(), temperature=1e-40), "temperature must be from 1e-6 to 1e6, got 1e-40"),
        (lambda lm: sample(lm, prefixes(), temperature=math.inf), "temperature must be from 1e-6 to 1e6, got inf"),
        (lambda lm: greedy(lm, prefixes(), longest=0), "longest must be an integer >= 1, got 0"),
    ],
)
def test_settings_of_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(model())


def test_of_no_prefix_nothing_is_written():
    none = prefixes()[:0]
    shapes = [
        greedy(model(), none, longest=3),
        sample(model(), none, 2, longest=3),
        beam(model(), none, 2, longest=3)[0],
    ]
    assert [tuple(tokens.shape) for tokens in shapes] == [(0, 3), (0, 2, 3), (0, 2, 3)]
