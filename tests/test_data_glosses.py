"""The WordNet glosses: what is in the file, what must not be in it, what the loader makes of it, and who judged it."""

import hashlib
import json
import lzma
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix
from scipy.stats import chisquare

from kdcourse import data
from kdcourse.data import load, wordnet_glosses

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_wordnet_glosses as builder  # noqa: E402
import minilm  # noqa: E402
import train_glosses_teacher as trainer  # noqa: E402

pytestmark = pytest.mark.slow  # the whole data set

FOLDER = data.folder() / "wordnet-glosses"
SIZES = {"train": 64_901, "validation": 8_000, "test": 8_000}


@pytest.fixture(scope="module")
def lines():
    """The file as it is, read without the package: split, class, synset, lemma, gloss."""
    names, *rows = lzma.decompress((FOLDER / "glosses.tsv.xz").read_bytes()).decode("ascii").split("\n")[:-1]
    assert names == "split\tclass\tsynset\tlemma\tgloss"
    return [row.split("\t") for row in rows]


@pytest.fixture(scope="module")
def glosses():
    return load("wordnet-glosses")


def words(gloss):
    return re.findall("[a-z0-9]+", gloss.lower())


# ---- the file ----


def test_every_gloss_is_whole_and_there_once(lines):
    assert Counter(split for split, *_ in lines) == SIZES
    assert len({synset for _, _, synset, *_ in lines}) == len({tuple(words(row[4])) for row in lines}) == len(lines)
    for _, _, synset, lemma, gloss in lines:
        assert re.fullmatch(r"n\d{8}", synset)
        assert lemma
        assert len(words(gloss)) >= 2
        assert gloss == " ".join(gloss.split())
    assert sum('"' in gloss for *_, gloss in lines) <= 10  # no sentence as an example


def test_the_datasheet_has_the_counts_of_the_file(lines):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    found = Counter((row[1], row[0]) for row in lines)
    for name in wordnet_glosses.CLASS_NAMES:
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert [int(cell.replace(",", "")) for cell in row.split("|")[-4:-1]] == [found[name, split] for split in SIZES]
    assert f"{len(lines):,} glosses" in page


def test_classes_have_a_long_tail_and_the_rarest_still_something_to_test_on(lines):
    count = Counter(row[1] for row in lines)
    assert tuple(sorted(count)) == wordnet_glosses.CLASS_NAMES
    assert max(count.values()) > 30 * min(count.values())
    assert sum(sorted(count.values())[:12]) < 0.2 * len(lines)
    assert min(Counter(row[1] for row in lines if row[0] == "test").values()) >= 30


def test_the_order_of_training_glosses_says_nothing_of_their_class(lines):
    train = np.array([row[1] for row in lines if row[0] == "train"])
    shares = Counter(train)
    first = Counter(train[:5_000])
    names = sorted(shares)
    expected = np.array([shares[name] for name in names]) * 5_000 / len(train)
    assert chisquare([first[name] for name in names], expected).pvalue > 1e-4


def test_no_gloss_has_a_near_twin_in_another_split(lines):
    """All pairs, by products of the matrices of words; the build compares the rarest words alone."""
    vocabulary = {word: k for k, word in enumerate({word for *_, gloss in lines for word in words(gloss)})}

    def matrix(*splits):
        sets = [{vocabulary[word] for word in words(gloss)} for split, *_, gloss in lines if split in splits]
        ends = np.cumsum([0, *map(len, sets)])
        columns = np.array([column for found in sets for column in found])
        return csr_matrix((np.ones(len(columns), np.float32), columns, ends), (len(sets), len(vocabulary)))

    def most_alike(some, others):
        most, sizes = [], others.getnnz(axis=1)
        for size in np.unique(some.getnnz(axis=1)):  # a set that is a fifth larger or smaller is no twin
            part = some[some.getnnz(axis=1) == size]
            near = (sizes >= 0.8 * size) & (0.8 * sizes <= size)
            shared = (part @ others[near].T).tocoo()
            most.append((shared.data / (size + sizes[near][shared.col] - shared.data)).max(initial=0))
        return max(most)

    assert 0.7 < most_alike(matrix("validation", "test"), matrix("train")) < 0.8
    assert 0.7 < most_alike(matrix("validation"), matrix("test")) < 0.8


# ---- the loader ----


def test_splits_have_their_sizes_types_and_texts(lines, glosses):
    assert glosses.vocabulary == 4097
    for name, size in SIZES.items():
        split, expected = getattr(glosses, name), [row for row in lines if row[0] == name]
        assert (split.inputs.dtype, split.inputs.shape) == (torch.int64, (size, 32))
        assert 0 <= split.inputs.min() < split.inputs.max() < glosses.vocabulary
        assert (split.labels.dtype, split.labels.shape) == (torch.int64, (size,))
        assert (split.teacher_logits.dtype, split.teacher_logits.shape) == (torch.float32, (size, 24))
        assert [glosses.class_names[label] for label in split.labels] == [row[1] for row in expected]
        assert split.about.to_numpy().tolist() == [[gloss, lemma, synset] for _, _, synset, lemma, gloss in expected]
        assert list(split.about) == ["gloss", "lemma", "synset"]


def bitwise_crc(content):
    """CRC-32 by its definition: the remainder by the reflected polynomial 0xEDB88320 (ISO 3309)."""
    register = 0xFFFFFFFF
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def naive_ids(gloss, size):
    """The docstring's words, one by one."""
    row = []
    for word in re.findall("[a-z0-9]+", gloss.lower()):
        marked = "<" + word + ">"
        grams = [marked] if len(marked) <= 5 else [marked[0:5], marked[len(marked) - 5 :]]
        row.extend(bitwise_crc(gram.encode()) % size + 1 for gram in grams)
    return (row + [0] * 32)[:32]


@pytest.mark.parametrize("size", [1, 4096, 32_768])
def test_ids_are_hashes_of_the_beginnings_and_ends_of_words(lines, size):
    texts = [row[4] for row in lines[:200]]
    assert wordnet_glosses.hashed_ids(texts, size).tolist() == [naive_ids(text, size) for text in texts]


def test_ids_do_not_change():
    """Pinned: students trained on these ids would not understand others. In lower case; other letters are letters."""
    found = wordnet_glosses.hashed_ids(["A plant, or plants: café_2"], 4096)[0].tolist()
    assert found == [684, 1788, 2629, 712, 1788, 3779, 990, 2152, 3133] + [0] * 23
    assert wordnet_glosses.hashed_ids(["", "? _"], 8).tolist() == [[0] * 32] * 2
    assert wordnet_glosses.hashed_ids([], 8).shape == (0, 32)


def test_inputs_of_a_split_are_those_of_its_glosses(lines, glosses):
    for name in SIZES:
        expected = [naive_ids(row[4], 4096) for row in [row for row in lines if row[0] == name][-10:]]
        assert getattr(glosses, name).inputs[-10:].tolist() == expected
    few = load("wordnet-glosses", with_teacher=False, features=7)
    assert (few.vocabulary, few.test.inputs.max().item(), few.teacher_parameters) == (8, 7, None)


def test_features_of_no_sense_are_refused():
    for features in (0, True):
        with pytest.raises(ValueError, match=f"features must be an integer >= 1, got {features!r}"):
            load("wordnet-glosses", features=features)
    with pytest.raises(TypeError, match="texts must be a list of strings, got the one string 'a cat'"):
        wordnet_glosses.hashed_ids("a cat", 8)


def test_a_teacher_of_other_glosses_is_refused(tmp_path, monkeypatch):
    names = ["glosses.tsv.xz", "teacher-logits.safetensors"]
    contents = {name: (FOLDER / name).read_bytes() for name in names}
    contents[names[0]] = lzma.compress(lzma.decompress(contents[names[0]]), preset=0)
    (tmp_path / "wordnet-glosses").mkdir()
    entries = {}
    for name, content in contents.items():
        (tmp_path / "wordnet-glosses" / name).write_bytes(content)
        entries[f"wordnet-glosses/{name}"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / "checksums.json").write_text(json.dumps(entries))
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=r"teacher-logits\.safetensors was made for other glosses"):
        load("wordnet-glosses")


# ---- the teacher ----


@pytest.fixture(scope="module")
def stored_logits():
    return load_file(FOLDER / "teacher-logits.safetensors")


@pytest.mark.parametrize("name", SIZES)
def test_logits_belong_to_their_glosses_and_are_as_good_as_the_card_says(lines, glosses, stored_logits, name):
    stored = stored_logits[name]
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(getattr(glosses, name).teacher_logits.numpy(), stored.astype(np.float32))
    labels = np.array([wordnet_glosses.CLASS_NAMES.index(row[1]) for row in lines if row[0] == name])
    right = (stored.argmax(1) == labels).mean()
    assert right > 0.86
    assert (np.roll(stored, 1, axis=0).argmax(1) == labels).mean() < 0.15  # one row off is chance
    wide = stored.astype(np.float64)
    nll = (np.log(np.exp(wide).sum(1)) - wide[np.arange(len(labels)), labels]).mean()
    card = (FOLDER / "teacher-card.md").read_text(encoding="utf-8")
    assert f"| {name} | {100 * right:.2f}% | {nll:.3f} |" in card


def test_the_card_has_the_recall_of_every_class(glosses, stored_logits):
    card = (FOLDER / "teacher-card.md").read_text(encoding="utf-8")
    labels, said = glosses.test.labels.numpy(), stored_logits["test"].argmax(1)
    for k, name in enumerate(glosses.class_names):
        assert f"| {name} | {(labels == k).sum()} | {100 * (said[labels == k] == k).mean():.1f}% |" in card


def test_the_teacher_is_as_large_as_its_kind():
    """MiniLM-L6-H384 without its pooler: embeddings of 30,522 pieces, 512 places and 2 kinds, six layers, our head."""
    width, wide = 384, 1536
    layer = 4 * (width + 1) * width + (width + 1) * wide + (wide + 1) * width + 4 * width
    expected = (30_522 + 512 + 2 + 2) * width + 6 * layer + 24 * (width + 1)
    assert load("wordnet-glosses").teacher_parameters == expected


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 6_500_000


# ---- how it is built ----


@pytest.mark.parametrize(
    ("gloss", "definition"),
    [
        ('a short attack; "they made a foray"', "a short attack"),
        ('a whole; "how big?"; "the team is a unit"', "a whole"),
        ('a line; "it begins so"- Donne; used in verse', "a line; used in verse"),
        ('"the first example"', ""),
        ('in the phrase "on the job"', 'in the phrase "on the job"'),
        ('a thing; "never closed', "a thing"),
    ],
)
def test_examples_are_cut_from_definitions(gloss, definition):
    assert builder.without_examples(gloss) == definition


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9), max_size=20),
    st.sampled_from([0.5, 0.8, 1.0]),
)
def test_twins_are_all_pairs_that_are_alike(texts, at_least):
    sets = [set(text) for text in texts]
    expected = {
        (i, j)
        for i, j in combinations(range(len(sets)), 2)
        if len(sets[i] & sets[j]) >= at_least * len(sets[i] | sets[j])
    }
    assert set(builder.twins([" ".join(text) for text in texts], at_least)) == expected


def test_a_synset_becomes_a_row_or_is_left_out_for_a_reason(tmp_path):
    form = "{:08} {:02} n 01 {} 0 000 | {}  \n"
    (tmp_path / "data.noun").write_text(
        "  1 the licence\n"
        + form.format(1, 3, "entity", "that which is perceived")
        + form.format(2, 5, "cat", 'a feline  mammal; "cats sleep"')
        + form.format(3, 5, "mouser", "A feline mammal")
        + form.format(4, 16, "reason", "a rational motive")
        + form.format(5, 18, "io", "mother")
    )
    rows, left_out = builder.read(tmp_path)
    assert rows == [{"class": "animal", "synset": "n00000002", "lemma": "cat", "gloss": "a feline mammal"}]
    assert left_out == {"tops": 1, "motive": 1, "one word or none": 1, "the same words as another": 1}


def test_a_chain_of_twins_stays_in_one_split(monkeypatch):
    monkeypatch.setattr(builder, "HELD_OUT", 20)
    rows = [{} for _ in range(100)]
    pairs = [(k, k + 1) for k in range(0, 60) if k % 3 != 2]
    sizes = builder.assign_splits(rows, pairs)
    assert sorted(sizes) == [1] * 40 + [3] * 20
    assert all(rows[i]["split"] == rows[j]["split"] for i, j in pairs)
    assert Counter(row["split"] for row in rows) == {"train": 60, "validation": 20, "test": 20}


# ---- how the teacher is trained ----


def random_weights(width=24, wide=36, pieces=50, layers=3):
    generator = torch.Generator().manual_seed(0)
    shapes = {
        f"embeddings.{name}_embeddings.weight": (n, width)
        for name, n in [("word", pieces), ("position", 9), ("token_type", 2)]
    }
    norms = ["embeddings.LayerNorm"]
    for k in range(layers):
        at = f"encoder.layer.{k}"
        for name, out, into in [
            *((f"attention.{part}", width, width) for part in ("self.query", "self.key", "self.value", "output.dense")),
            ("intermediate.dense", wide, width),
            ("output.dense", width, wide),
        ]:
            shapes |= {f"{at}.{name}.weight": (out, into), f"{at}.{name}.bias": (out,)}
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    weights = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {name: value + ("Norm.weight" in name) for name, value in weights.items()}


def test_a_layer_is_that_of_pytorch():
    weights = random_weights()
    reference = torch.nn.TransformerEncoderLayer(
        24, minilm.HEADS, 36, dropout=0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    at = "encoder.layer.1"
    kinds = ("query", "key", "value")
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm",
        "norm2": "output.LayerNorm",
    }
    state = {
        f"{theirs}.{part}": weights[f"{at}.{ours}.{part}"]
        for theirs, ours in names.items()
        for part in ("weight", "bias")
    }
    state |= {
        f"self_attn.in_proj_{part}": torch.cat([weights[f"{at}.attention.self.{kind}.{part}"] for kind in kinds])
        for part in ("weight", "bias")
    }
    reference.load_state_dict(state)
    hidden, mask = minilm.padded([torch.randn(n, 24) for n in (4, 7, 1)])
    ours, theirs = minilm.layer(weights, 1, hidden, mask), reference(hidden, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours[mask], theirs[mask], rtol=1e-4, atol=1e-5)


def test_words_become_their_longest_known_pieces(tmp_path):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cat", "##s", "cafe", "(", "ca", "##ts", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    tokens = minilm.Tokens(tmp_path / "vocab.txt")
    said = [pieces[number] for number in tokens("Cats (CAFÉ) dog.")]
    assert said == ["[CLS]", "cat", "##s", "(", "cafe", "[UNK]", "[UNK]", ".", "[SEP]"]
    assert len(tokens("cat " * 100)) == minilm.LONGEST


def test_a_gloss_is_judged_alone_as_in_a_batch_and_in_the_order_asked(tmp_path):
    weights = random_weights()
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 50, rng.integers(2, 9)).tolist() for _ in range(40)]
    states, starts = trainer.lower_states(weights, tokens, tmp_path)
    teacher = trainer.Teacher(weights, 4)
    torch.nn.init.normal_(teacher.head.weight)
    rows = rng.permutation(40)[:30]
    logits = trainer.judged(teacher, states, starts, rows)
    for row, found in zip(rows, logits, strict=True):
        hidden, mask = minilm.padded([torch.tensor(tokens[row])])
        hidden = minilm.embedded(weights, hidden)
        for k in range(3):
            hidden = minilm.layer(weights, k, hidden, mask)
        torch.testing.assert_close(found, teacher.head(hidden.mean(1))[0], rtol=0, atol=0.02)  # float16 between


def test_the_upper_layers_learn(tmp_path):
    weights = random_weights()
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 3, 3_000))
    tokens = [rng.integers(5 * label, 5 * label + 5, 4).tolist() for label in labels]
    states, starts = trainer.lower_states(weights, tokens, tmp_path)
    seen, unseen = np.arange(2_500), np.arange(2_500, 3_000)
    before = {name: value.clone() for name, value in weights.items()}
    teacher = trainer.tuned(weights, states, starts, labels, seen, 3e-3, 3)
    right = (trainer.judged(teacher, states, starts, unseen).argmax(1) == labels[unseen]).float().mean()
    assert right > 0.9
    assert all(torch.equal(before[name], value) for name, value in weights.items())  # the encoder's own stay
    assert {name.split(".")[2] for name in teacher.upper} == {"1", "2"}
    assert not any(torch.equal(before[name], value) for name, value in teacher.upper.items())
