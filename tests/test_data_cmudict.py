"""CMUdict as it ships: its words, its splits, its slices, and the script that made it on a small dictionary."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kdcourse import data
from kdcourse.data import cmudict, load
from kdcourse.data.cmudict import related
from kdcourse.lm import edit_distance

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_cmudict as builder  # noqa: E402

slow = pytest.mark.slow
LABELLED = ("train", "validation", "test")


@pytest.fixture(scope="module")
def words():
    return load("cmudict")


@pytest.fixture(scope="module")
def everything(words):
    return pd.concat([getattr(words, split).about.assign(split=split) for split in LABELLED], ignore_index=True)


# ---- what ships ----


@slow
def test_there_are_as_many_words_as_the_datasheet_says(words):
    sheet = (data.folder() / "cmudict" / "README.md").read_text(encoding="utf-8")

    def row(name):
        return [
            int(cell.replace(",", ""))
            for cell in re.search(rf"\| {name} \|(.*)\|", sheet)[1].split("|")
            if cell.strip()
        ]

    splits = [getattr(words, split) for split in (*LABELLED, "unlabelled")]
    assert row("words") == [len(one) for one in splits]
    assert row("groups") == [one.about["group"].nunique() for one in splits[:3]]
    assert row("with several pronunciations") == [
        sum(len(said) > 1 for said in one.pronunciations) for one in splits[:3]
    ]
    tiers = {"SCOWL 10 to 35, common": (10, 35), "SCOWL 40 to 60": (40, 60), "SCOWL 70 to 95, rare": (70, 95)}
    for name, (low, high) in tiers.items():
        assert row(name) == [int(one.about["tier"].between(low, high).sum()) for one in splits]
    assert row("not in SCOWL, mostly surnames") == [int(one.about["tier"].isna().sum()) for one in splits[:3]]


@slow
@pytest.mark.parametrize(
    ("word", "said", "tier", "kind"),
    [
        ("tomato", ["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"], 20, "word"),
        ("aaron's", ["EH1 R AH0 N Z"], 50, "name"),
        ("podgurski", ["P AA0 JH ER1 S K IY0"], None, ""),
    ],
)
def test_some_words_are_as_in_the_dictionary(everything, word, said, tier, kind):
    (row,) = everything[everything["word"] == word].to_dict("records")
    assert list(row["stressed"]) == said
    assert (row["kind"], None if pd.isna(row["tier"]) else row["tier"]) == (kind, tier)


@slow
def test_no_word_is_twice_and_no_group_in_two_splits(words, everything):
    assert everything["word"].is_unique
    assert not {*everything["word"]} & {*words.unlabelled.about["word"]}
    assert (everything.groupby("group")["split"].nunique() == 1).all()


@slow
def test_inflections_and_words_that_are_said_alike_stay_together(everything):
    """Found without the script's own pairs: by adding a letter or two, and by looking a pronunciation up."""
    split = dict(zip(everything["word"], everything["split"], strict=True))
    said = {
        word: {re.sub(r"\d", "", one) for one in stressed} for word, stressed in everything[["word", "stressed"]].values
    }
    sounds = {"s": ("S", "Z"), "'s": ("S", "Z"), "ed": ("D", "T"), "ing": ("IH NG",), "d": ("D", "T")}
    pairs = [
        (word, word + ending)
        for word in said
        if len(word) > 1
        for ending, endings in sounds.items()
        if said.get(word + ending, set()) & {f"{one} {end}" for one in said[word] for end in endings}
    ]
    assert len(pairs) > 20_000
    assert [pair for pair in pairs if split[pair[0]] != split[pair[1]]] == []
    homophones = everything.explode("stressed").assign(
        letters=lambda table: table["word"].str.replace(r"'|e(?=s?$)", "", regex=True)
    )
    crossing = homophones.groupby(["stressed", "letters"])["split"].nunique()
    assert len(crossing) < len(homophones) - 1000
    assert crossing.max() == 1


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("cats", "cat"), ("cat", "cats"), ("walked", "walking"), ("hope", "hoping"), ("tries", "try"),
        ("big", "biggest"), ("aaron's", "aaron"), ("ann", "ann's"), ("garter", "barter"), ("garter", "gartner"),
    ],
)  # fmt: skip
def test_relatives_are_inflections_and_long_words_that_one_letter_parts(word, other):
    assert related([word, "zzz"], [other]).tolist() == [True, False]


@pytest.mark.parametrize(("word", "other"), [("bat", "bet"), ("garter", "market"), ("is", "i"), ("ring", "r")])
def test_others_are_no_relatives(word, other):
    assert related([word], [other]).tolist() == [False]


@slow
def test_the_relatives_of_many_words_are_those_found_pair_by_pair(words):
    some, others = (list(split.about["word"][:400]) for split in (words.test, words.unlabelled))
    others += [word + "s" for word in some[:20]] + [word[1:] for word in some[20:40]]
    close = [
        any(edit_distance(word, other) == 1 and min(len(word), len(other)) >= 6 for other in others) for word in some
    ]
    found = related(some, others)
    assert found[np.array(close)].all()
    assert 20 < sum(close) <= found.sum() < 200


@slow
def test_the_splits_are_alike_and_the_order_is_a_sample(words, everything):
    shares = everything["split"].value_counts(normalize=True)
    assert 0.07 < shares["test"] < 0.09
    assert 0.03 < shares["validation"] < 0.06
    letters = everything["word"].str.len().groupby(everything["split"]).mean()
    assert letters.max() - letters.min() < 0.5
    first, rest = words.train[:2000].about, words.train[2000:].about
    assert abs(first["word"].str.len().mean() - rest["word"].str.len().mean()) < 0.2
    assert abs(first["tier"].isna().mean() - rest["tier"].isna().mean()) < 0.04


@slow
def test_letters_and_phonemes_are_tokens_that_spell_the_words(words):
    split = words.validation
    letters, phonemes, rows = split.examples()
    assert (letters.dtype, phonemes.dtype, letters.shape[1], phonemes.shape[1]) == (torch.int64, torch.int64, 20, 21)
    assert len(rows) == sum(map(len, split.pronunciations))
    assert 0.05 < 1 - len(split) / len(rows) < 0.09
    for at in range(0, len(rows), 97):
        word, said = split.about["word"][int(rows[at])], split.pronunciations[int(rows[at])]
        assert "".join(words.tokens[token] for token in letters[at] if token) == word
        *spoken, end = [words.tokens[token] for token in phonemes[at] if token]
        assert (tuple(spoken) in said, end) == (True, "<end>")
    assert len(split.examples(first=True)[2]) == len(split)
    assert words.vocabulary == len({*words.tokens}) == 69
    assert len(words.unlabelled.examples()[2]) == 0
    assert words.unlabelled.letters.shape == (len(words.unlabelled), 20)


@slow
def test_what_ships_is_small():
    assert sum(path.stat().st_size for path in (data.folder() / "cmudict").glob("*.xz")) < 3_000_000


# ---- the classes, on a few words ----


def few():
    table = {"word": ["cat", "o'er"], "stressed": [("K AE1 T",), ("OW1 ER0", "AO1 R", "AO2 R")]}
    return cmudict.Words(pd.DataFrame(table))


def test_the_same_sounds_with_another_stress_are_one_pronunciation():
    assert few().pronunciations == [(("K", "AE", "T"),), (("OW", "ER"), ("AO", "R"))]
    assert few().examples()[2].tolist() == [0, 1, 1]


def test_words_can_be_picked():
    assert few()[torch.tensor([1])].about["word"].tolist() == ["o'er"]
    assert torch.equal(few()[1:].letters, few().letters[1:])
    assert (len(few()), repr(few()[:1])) == (2, "Words(1)")
    with pytest.raises(TypeError, match="index must be a slice or a tensor of indices, got the single index 1"):
        few()[1]


@pytest.mark.parametrize(
    ("word", "message"), [("café", "got 'é' in 'café'"), ("cats", "be no longer than 3 in 'cats'")]
)
def test_what_is_no_token_or_too_long_is_refused(word, message):
    with pytest.raises(ValueError, match=message):
        cmudict.encode([word], 3 if word == "cats" else 20)


def test_slices_are_those_of_length_rarity_kind_and_pronunciations():
    table = {"word": ["a" * n for n in (5, 6, 8, 9)], "tier": [35.0, 40.0, 70.0, float("nan")]}
    words = cmudict.Words(pd.DataFrame(table | {"kind": ["word", "name", "word", ""], "stressed": [("AA1",)] * 4}))
    assert words.slices["length"].tolist() == ["up to 5 letters", *["6 to 8 letters"] * 2, "9 letters and more"]
    assert words.slices["rarity"].str.split(",").str[0].tolist() == [
        *("SCOWL 10 to 35", "SCOWL 40 to 60", "SCOWL 70 to 95", "not in SCOWL")
    ]
    assert words.slices["kind"].tolist() == ["word", "name", "word", "not in SCOWL"]
    assert {*words.slices["pronunciations"]} == {"one"}


# ---- the script ----

DICTIONARY = """A.S  EY1 EH1 S
ABANDON  AH0 B AE1 N D AH0 N
ABANDONED  AH0 B AE1 N D AH0 N D
BED  B EH1 D
BING  B IH1 NG
FLOWER  F L AW1 ER0
FLOUR  F L AW1 ER0
HARRISON  HH EH1 R IH0 S AH0 N
HARRISEN  HH EH1 R AH0 S AH0 N
READ  R EH1 D
READ(1)  R IY1 D
SMITH  S M IH1 TH
SMITHS'  S M IH1 TH S
SUPERCALIFRAGILISTIC  S UW2 P ER0 K AE2 L AH0 F R AE1 JH AH0 L IH2 S T IH0 K
SUPERCALIFRAGILISTICEXPIALIDOCIOUS  S UW2 P ER0
"""


def test_the_script_reads_the_dictionary_groups_words_and_keeps_groups_whole(tmp_path):
    (tmp_path / "dict.txt").write_text(DICTIONARY, encoding="latin-1")
    lists = {"english-words.10": "bed\nflower\nzebra\n", "american-words.50": "bed\nflour\nabandon\nx-ray\ncaf\xe9\n"}
    lists |= {"english-upper.35": "Smith\nBed\n", "british-words.10": "flour\n", "english-words.80": "zugzwang\nread\n"}
    (tmp_path / "scowl").mkdir()
    for name, text in lists.items():
        (tmp_path / "scowl" / name).write_text(text, encoding="latin-1")
    rows, report = builder.build(tmp_path / "dict.txt", tmp_path / "scowl")
    table = pd.DataFrame(rows, columns=builder.COLUMNS).set_index("word")
    assert report["left out"] == {"other signs than letters and apostrophes": 1, "longer than 20": 1}
    groups = table[table["split"] != "unlabelled"].groupby("group").groups
    assert {frozenset(group) for group in groups.values() if len(group) > 1} == {
        frozenset(pair)
        for pair in (["abandon", "abandoned"], ["flour", "flower"], ["harrisen", "harrison"], ["smith", "smiths'"])
    }
    assert all(table.loc[group, "split"].nunique() == 1 for group in groups.values())
    assert table.loc["read", "pronunciations"] == "R EH1 D / R IY1 D"
    assert table[table["split"] == "unlabelled"].index.tolist() == ["zebra"]
    found = table[["tier", "kind"]].T.to_dict("list")
    assert found["bed"] == ["10", "word"]
    assert (found["smith"], found["flour"], found["bing"]) == (["35", "name"], ["50", "word"], ["", ""])
    path = tmp_path / "words.tsv.xz"
    path.write_bytes(builder.compress(rows))
    assert builder.compress(rows) == path.read_bytes()
    read = cmudict.read_words(path)
    assert sum(map(len, read.values())) == len(rows)
    assert {word for split in LABELLED for word in read[split]["word"]} == {*table.index} - {"zebra"}
