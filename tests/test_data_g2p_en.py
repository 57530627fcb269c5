"""What g2p-en says: the network against PyTorch's own GRU, and the file against the dictionary and our models."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdcourse import data, lm
from kdcourse.data import g2p_en

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import build_g2p_en  # noqa: E402

WIDTH, HIDDEN = 5, 7
SIDES = {"enc": len(build_g2p_en.LETTERS), "dec": len(build_g2p_en.PHONEMES)}


@pytest.fixture(scope="module")
def said():
    return g2p_en.answers()


def random_layers():
    """PyTorch's layers with random weights, and these as the tool reads them."""
    layers, weights = {}, {}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for side, tokens in SIDES.items():
            layers[side] = torch.nn.Embedding(tokens, WIDTH), torch.nn.GRU(WIDTH, HIDDEN, batch_first=True)
            weights[f"{side}_emb"] = layers[side][0].weight
            for name, weight in layers[side][1].named_parameters():  # weight_ih_l0 and so on
                weights[f"{side}_{name[0]}_{name[-5:-3]}"] = weight.data.mul_(4)
        output = torch.nn.Linear(HIDDEN, SIDES["dec"])
    weights |= {"fc_w": output.weight, "fc_b": output.bias}
    return layers, output, {name: weight.detach().numpy() for name, weight in weights.items()}


@torch.no_grad()
def test_the_network_in_numpy_writes_what_pytorch_writes():
    layers, output, weights = random_layers()
    (letters, encoder), (phonemes, decoder) = layers["enc"], layers["dec"]
    words, expected = ["physics", "a", "tensors", "cat"], []
    for word in words:
        read = torch.tensor([[*(ord(letter) - ord("a") + 3 for letter in word), 2]])
        _, hidden = encoder(letters(read))
        token, written = torch.tensor([[2]]), []
        while len(written) < 20:
            answer, hidden = decoder(phonemes(token), hidden)
            token = output(answer).argmax(2)
            if token.item() == 3:
                break
            written.append(build_g2p_en.PHONEMES[token.item()])
        expected.append(" ".join(written))
    assert build_g2p_en.say(words, weights) == expected
    assert len({*expected}) > 1


@pytest.mark.slow
def test_each_word_stands_in_the_split_that_is_said_as_it_is_said_there_and_new_ones_in_none(said):
    ours = data.load("cmudict")
    found = {name: those.set_index("word")["listed"].to_dict() for name, those in said.groupby("set")}
    assert {name: len(those) for name, those in found.items()} == {
        "train": 6000, "test": 9154, "added by 2018": 950, "added later": 42
    }  # fmt: skip
    for name in ("train", "test"):
        words = getattr(ours, name)
        words = dict(zip(words.about["word"], words.pronunciations, strict=True))
        assert found[name].items() <= words.items()
    assert found["test"].keys() == {word for word in words if "'" not in word}
    known = {word for name in ("train", "validation", "test") for word in getattr(ours, name).about["word"]}
    assert not (found["added by 2018"].keys() | found["added later"].keys()) & known
    assert len(said) == said["word"].nunique()


def test_every_answer_and_every_entry_is_of_phonemes(said):
    known = {*data.cmudict.PHONEMES}
    assert {phoneme for column in ("g2p_en", "teacher", "student") for one in said[column] for phoneme in one} <= known
    assert {phoneme for listed in said["listed"] for one in listed for phoneme in one} == known
    assert said["listed"].map(len).min() == 1


def test_our_models_say_what_the_file_says_they_do(said):
    some = said[np.arange(len(said)) % 600 == 0]
    for name, model in {"teacher": lm.load_teacher(), "student": lm.load_student()}.items():
        written = lm.spelled(lm.greedy(model, data.cmudict.encode(some["word"], 20)))
        assert [tuple(one) for one in written] == some[name].tolist()
