"""Turn WordNet's nouns into `data/wordnet-glosses/glosses.tsv.xz`: what a noun means, and of which of 25 kinds it is.

apt-get download wordnet-base && dpkg-deb -x wordnet-base_*.deb package
python tools/build_wordnet_glosses.py package/usr/share/wordnet
python tools/train_glosses_teacher.py MODEL CACHE
"""

import argparse
import lzma
import math
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from checksums import record
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kdcourse import data, store

# Numbers of the lexicographers' files, lexnames(5WN). Left out: 3, Tops, 51 synsets that stand above all kinds, and 16,
# motive, 42 synsets, of which a test split would get four.
CLASSES = {
    4: "act", 5: "animal", 6: "artifact", 7: "attribute", 8: "body", 9: "cognition", 10: "communication", 11: "event",
    12: "feeling", 13: "food", 14: "group", 15: "location", 17: "object", 18: "person", 19: "phenomenon", 20: "plant",
    21: "possession", 22: "process", 23: "quantity", 24: "relation", 25: "shape", 26: "state", 27: "substance",
    28: "time",
}  # fmt: skip
LEFT_OUT = {3: "tops", 16: "motive"}
SEED = 0
HELD_OUT = 8_000  # glosses, in validation and in test each
RELATED = 0.8  # Jaccard similarity of the sets of words from which on two glosses stay in one split
COLUMNS = ("split", "class", "synset", "lemma", "gloss")


def without_examples(gloss):
    """The definition alone: quoted sentences stand at the start or after a semicolon, at times with their author."""
    return re.sub(r'(?:^|;|:|,)\s*"[^"]*(?:"[^;]*|$)', "", gloss).strip(" ;:,")


def words(gloss):
    return re.findall(r"[^\W_]+", gloss.lower())


def read(folder):
    """(rows as dicts, counts of what was left out) from `data.noun`, whose form is in wndb(5WN)."""
    rows, left_out, seen = [], Counter(), set()
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        synset, gloss = line.split(" | ", 1)
        offset, number, _, _, lemma = synset.split(" ")[:5]
        gloss = " ".join(without_examples(gloss).split())
        key = tuple(words(gloss))
        if int(number) in LEFT_OUT:
            left_out[LEFT_OUT[int(number)]] += 1
        elif len(key) < 2:
            left_out["one word or none"] += 1
        elif key in seen:
            left_out["the same words as another"] += 1
        else:
            seen.add(key)
            rows.append({"class": CLASSES[int(number)], "synset": f"n{offset}", "lemma": lemma, "gloss": gloss})
    return rows, left_out


def twins(glosses, at_least=RELATED):
    """Pairs (i, j), i < j, of glosses whose sets of words have this Jaccard similarity or more; all of them.

    Of two sets so alike, the rarest words of one hold one of the rarest of the other: the n − ⌈t·n⌉ + 1 rarest
    of n words suffice (prefix filter; Chaudhuri et al. 2006, Bayardo et al. 2007).
    """
    sets = [set(words(gloss)) for gloss in glosses]
    frequency = Counter(word for found in sets for word in found)
    holders, pairs = defaultdict(list), []
    for row, found in enumerate(sets):
        rarest = sorted(found, key=lambda word: (frequency[word], word))
        candidates = set()
        for word in rarest[: len(found) - math.ceil(at_least * len(found)) + 1]:
            candidates.update(holders[word])
            holders[word].append(row)
        for other in candidates:
            if len(found & sets[other]) >= at_least * len(found | sets[other]):
                pairs.append((other, row))
    return pairs


def assign_splits(rows, pairs):
    """Give every row its `split`; rows that a chain of pairs connects get the same. Returns the families' sizes."""
    ends = np.array(pairs, int).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends)), ends.T), shape=(len(rows), len(rows)))
    families, family = connected_components(graph, directed=False)
    sizes = np.bincount(family)
    filled, split_of = Counter(), {}
    for chosen in np.random.default_rng(SEED).permutation(families):
        room = [split for split in ("test", "validation") if filled[split] + sizes[chosen] <= HELD_OUT]
        split_of[chosen] = room[0] if room else "train"
        filled[split_of[chosen]] += sizes[chosen]
    for row, number in zip(rows, family, strict=True):
        row["split"] = split_of[number]
    return sizes


def build(folder):
    """(rows in their final order, a report) from the folder with `data.noun`."""
    rows, left_out = read(folder)
    pairs = twins([row["gloss"] for row in rows])
    sizes = assign_splits(rows, pairs)
    report = {
        "left out": left_out,
        "twins": {"pairs": len(pairs), "in two classes": sum(rows[i]["class"] != rows[j]["class"] for i, j in pairs)},
        "families by size": Counter(sizes.tolist()),
        "splits": Counter(row["split"] for row in rows),
        "classes": Counter(row["class"] for row in rows),
    }
    # Random, so that the first n training glosses are a sample of them.
    order = np.random.default_rng(SEED + 1).permutation(len(rows))
    return [rows[k] for k in order], report


def compress(rows):
    """The bytes of an xz file with tab-separated columns below their names. They depend on the rows alone."""
    lines = ["\t".join(COLUMNS), *("\t".join(row[column] for column in COLUMNS) for row in rows)]
    return lzma.compress(("\n".join(lines) + "\n").encode(), preset=9 | lzma.PRESET_EXTREME)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder with data.noun")
    rows, report = build(parser.parse_args().source)
    for name, counts in report.items():
        print(f"{name}: {dict(sorted(counts.items()))}")
    path = data.folder() / "wordnet-glosses" / "glosses.tsv.xz"
    with store.replacing(path) as temporary:
        temporary.write_bytes(compress(rows))
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    record()


if __name__ == "__main__":
    main()
