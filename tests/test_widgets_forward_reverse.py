"""The explorer of forward and reverse KL, in Python: what it asks a teacher, and what it refuses."""

import copy
import itertools
import sys

import numpy as np
import pytest
import torch
from explorer_page import stored

from kdcourse import data
from kdcourse.data.cmudict import LONGEST, encode
from kdcourse.lm import Transformer
from kdcourse.widgets import forward_reverse

module = sys.modules[forward_reverse.__module__]
MINUTE = "M IH/AY N AH/UW/IH T"


@pytest.fixture(scope="module")
def teacher():
    """A tiny one that looks at what it is given: at first nothing of a Transformer's blocks counts."""
    made = Transformer(69, width=16, layers=2, heads=2, dropout=0.5, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return made


def test_a_pronunciation_has_the_product_of_what_each_token_has_after_those_before(teacher):
    letters = encode(["minute"], LONGEST)
    expected = []
    for first, second in itertools.product(["IH", "AY"], ["AH", "UW", "IH"]):
        written, probability = [1], 1.0
        for token in encode([("M", first, "N", second, "T", "<end>")], 6)[0].tolist():
            with torch.no_grad():
                logits = copy.deepcopy(teacher).eval()(letters, torch.tensor([written]))[0, :, -1].double()
            probability *= (logits.exp() / logits.exp().sum())[token].item()
            written.append(token)
        expected.append(probability)
    teacher.train()
    found = module.joint(teacher, "minute", MINUTE)
    assert found.numpy() == pytest.approx(np.reshape(expected, (2, 3)), rel=1e-4)
    assert teacher.training
    [one] = forward_reverse({"minute": MINUTE}, teacher).words
    assert (one["word"], one["covered"]) == ("minute", pytest.approx(sum(expected), rel=1e-4))
    assert one["joint"] == pytest.approx(np.reshape(expected, (2, 3)) / sum(expected), rel=1e-4)


def test_what_is_not_given_are_words_of_the_validation_split_and_the_course_s_own_teacher(monkeypatch, teacher):
    monkeypatch.setattr(module, "load_teacher", lambda: teacher)
    explorer = forward_reverse(beta=0.5)
    words = [one["word"] for one in explorer.words]
    assert words == [*module.WORDS]
    assert 3 <= len(words) <= 5
    assert {*words} <= {*data.load("cmudict").validation.about["word"]}
    assert explorer.words == forward_reverse(module.WORDS, teacher).words
    assert (explorer.word_number, explorer.beta) == (0, 0.5)


def test_the_teacher_of_the_lesson_is_in_two_minds_about_every_word_and_mixes_them_seldom():
    for one in stored()["forward_reverse"]["words"]:
        joint = np.array(one["joint"])
        first, second = np.argsort(-joint.ravel())[:2]
        (i, j), (k, m) = (np.unravel_index(cell, joint.shape) for cell in (first, second))
        assert (i != k, j != m) == (True, True), one["word"]
        assert joint[k, m] > 0.1, one["word"]
        assert max(joint[i, m], joint[k, j]) < joint[k, m] / 2, one["word"]
        assert one["covered"] > 0.5, one["word"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"minute": "M IH N AH/UW T"}, "said must leave two phonemes open, as in 'M IH/AY N AH/UW T', got 'M IH N AH/"),
        ({"minute": "M IH/AY N/M AH/UW T"}, "said must leave two phonemes open"),
        ({"minute": "M IH/AY N AH/OO T"}, "sequences must hold tokens of the vocabulary, got 'OO'"),
        ({"minüte": MINUTE}, "sequences must hold tokens of the vocabulary, got 'ü'"),
        ({}, "words must be one or more, got {}"),
    ],
)
def test_words_that_make_no_sense_are_refused(teacher, words, message):
    with pytest.raises(ValueError, match=message):
        forward_reverse(words, teacher)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("beta", 1.01, r"beta must be in \[0, 1\], got 1.01"),
        ("word_number", 1, r"word_number must be in \[0, 1\), got 1"),
        (
            "joint",
            [[0.5, 0.5]],
            r"words must have a joint of shape \[2, 3\], two sizes, for 'minute', got \[\[0.5, 0.5\]\]",
        ),
        ("joint", [[0.5, 0.5], [0, 0]], r"words must have a joint of shape \[2, 3\]"),
        ("joint", [[0.5, 0.3, 0.2], ["0", 0, 0]], "words must be a number, got '0'"),
        ("joint", [[0.5, 0.3, 0.2], [0, 0, 0]], "words must have joint probabilities > 0 with the sum 1, got"),
        ("joint", [[0.5, 0.3, 0.2], [0.1, 0.1, 0.1]], "words must have joint probabilities > 0 with the sum 1, got"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(teacher, name, value, message):
    explorer = forward_reverse({"minute": MINUTE}, teacher)
    before = explorer.state()
    name, value = ("words", [before["words"][0] | {"joint": value}]) if name == "joint" else (name, value)
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(explorer, name, value)
    assert explorer.state() == before
