"""Train CMUdict's teacher again: its checkpoint and its card.

    python tools/train_cmudict_teacher.py           # goes on where it was stopped
    python tools/train_cmudict_teacher.py --card    # only write the card again

Every epoch is kept in `runs/`. Nothing here looks at the test split except the last lines, which report on it once.
"""

import argparse
from pathlib import Path

import torch
from checksums import record

from kdcourse import data, store
from kdcourse.lm import Transformer, beam, bucketed, fit, greedy, padding_share, pronunciation_errors, spelled
from kdcourse.lm.teacher import CHECKPOINT
from kdcourse.models import count_parameters

SHAPE = {"width": 192, "layers": 4, "heads": 4, "dropout": 0.1}
RECIPE = {"lr": 6e-3, "batch_size": 256, "weight_decay": 0.05, "order_seed": 0}
EPOCHS = 15
GATE = 0.07  # phoneme error on test, greedy: what was asked for before there was a teacher
WATCHED = 1_000  # validation words whose errors are printed after every epoch
SPEEDS = {"training": "training", "greedy": "writing greedily", "beam of 4": "with a beam of four, of which all count,"}
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
MEASURED, SPLIT = RESULTS / "language-models.json", RESULTS / "cmudict-split.json"
KEPT = Path("runs/cmudict-teacher.safetensors")


def errors(model, words, width=None):
    """How wrong a model is on words: greedy, or with the best of a beam."""
    written = greedy(model, words.letters) if width is None else beam(model, words.letters, width)[0][:, 0]
    return pronunciation_errors(spelled(written), words.pronunciations)


def rates(found):
    return {"phonemes": found.phoneme_rate, "words": found.word_rate, "count": len(found.lengths)}


def measured(teacher, cmudict):
    """All that the card says of the teacher's errors, as JSON can hold it."""
    results = {}
    for name in ("validation", "test"):
        words = getattr(cmudict, name)
        found = errors(teacher, words)
        results[name] = {"greedy": rates(found), "beam of 4": rates(errors(teacher, words, width=4))}
        results[name]["slices"] = [
            [column, level, rates(found[rows])]
            for column, levels in words.slices.items()
            for level, rows in levels.groupby(levels).indices.items()
        ]
    return results


def card(path):
    """The text of `teacher-card.md`, from what is stored: every number in it is a measured one."""
    tensors, about = store.load_tensors(path)
    shape, training, found = about["transformer"], about["training"], about["errors"]
    parameters = sum(tensor.numel() for tensor in tensors.values())

    def line(name, rates):
        return f"| {name} | {rates['count']:,} | {rates['phonemes']:.2%} | {rates['words']:.2%} |"

    wrong = found["test"]["greedy"]["phonemes"]
    gate = f"Asked for beforehand: at most {GATE:.1%} of the phonemes of the test words, greedy. This teacher "
    gate += "keeps that." if wrong <= GATE else f"misses that by {100 * (wrong - GATE):.1f} points."
    whole = [
        line(f"{split}, {how}", found[split][how])
        for split in ("validation", "test")
        for how in ("greedy", "beam of 4")
    ]
    per_second = store.load_json(MEASURED)["tokens_per_second"]
    speed = ", ".join(f"{name} {round(per_second[f'teacher: {key}'], -2):,.0f}" for key, name in SPEEDS.items())
    speed += " tokens a second on one thread (`benchmarks/language_models.py`)"
    split = store.load_json(SPLIT)
    allowed = ", which was allowed," if split["errors"]["phonemes"] <= GATE else ""
    parts = [line(f"{column}: {level}", rates) for column, level, rates in found["test"]["slices"]]
    return f"""# CMUdict's teacher

Written by `tools/train_cmudict_teacher.py` from the stored checkpoint; do not edit by hand.

| | |
|---|---|
| Task | the phonemes of an English word, without stress, from its letters |
| Architecture | `kdcourse.lm.Transformer`, a prefix language model: {shape["layers"]} blocks, width {shape["width"]}, \
{shape["heads"]} heads, RMSNorm, rotary positions that count from 0 again behind the letters, squared ReLU, no biases |
| Parameters | {parameters:,} ({path.stat().st_size / 1e6:.1f} MB, float16 safetensors) |
| Trained on | the {training["examples"]:,} pronunciations of the training words, each of a word's as one example; \
cross-entropy of the phonemes alone, no label smoothing |
| Recipe | `kdcourse.lm.fit`: Muon for the matrices and AdamW for the rest, {training["epochs"]} epochs, \
batches of {training["batch_size"]} words of about one length ({training["padding"]:.1%} padding), \
learning rate up to {training["lr"]} in the first twentieth, then down as half a cosine, \
weight decay {training["weight_decay"]}, dropout {shape["dropout"]}, seed {training["seed"]} |
| Took | {training["seconds"] / 60:.0f} minutes on {training["device"]} \
({training["threads"]} thread{"s"[: training["threads"] > 1]}, busy with other work for a part of it; \
torch {training["torch"]}) |
| Chosen by | the weights after the last epoch. Learning rate and optimiser by short trials on validation; \
the test words were looked at once |
| Speed | {speed} |
| Made again by | `make cmudict` |

## What it gets wrong

Phonemes wrong per phoneme (insertions, deletions and replacements up to the nearest listed pronunciation), and words
with anything wrong.

| words | number | phoneme error | word error |
|---|---|---|---|
{chr(10).join(whole)}

{gate}

On the test words, greedy:

| slice | number | phoneme error | word error |
|---|---|---|---|
{chr(10).join(parts)}

## Against published rates

| | phoneme error | word error |
|---|---|---|
| Yao and Zweig 2015 (arXiv:1506.00196), bidirectional LSTM with alignments | 5.45% | 23.55% |
| Rao et al. 2015 (ICASSP), LSTM with an n-gram model | – | 21.3% |
| Sun et al. 2019 (arXiv:1904.03446), ensemble distilled into a transformer, with unlabelled words | 4.6% | 19.88% |
| CMUSphinx g2p-seq2seq (README of 2017), LSTM of 2 × 512 units, selection of 2007 | – | 23.3% |
| the same on the dictionary of 2017, without stress | – | about 31% |
| Phonetisaurus there: selection of 2007; dictionary of 2017, without stress | – | 24.4%; 33.89% |

The papers split an older selection at random, so that inflections and near-twins of a test word (*aaron's* of
*aaron*) stand in their training words; here no such group crosses. **What that is worth was measured**, with one
network each: trained by the same recipe on words that were shuffled one by one, where {split["with_relatives"]:.0%} of
{split["words"]:,} test words have a relative among the training words, it gets {split["errors"]["phonemes"]:.2%} of the
phonemes{allowed} and {split["errors"]["words"]:.2%} of the words wrong, instead of {wrong:.2%} and
{found["test"]["greedy"]["words"]:.2%} (`benchmarks/cmudict_split.py`). The newer dictionary, which is used here, is
harder, too: the lines of CMUSphinx suggest by how much. The numbers are not to be compared one by one.

## Use

- `kdcourse.lm.load_teacher()` is the network, in float32; no logits are stored. Of letters and the phonemes that stand
  before, `teacher(letters, phonemes)` makes logits [B, V, P].
- It has learned from the training words' pronunciations, so its answers there are surer, and more often right, than on
  words that are new to it.
- It knows American English as CMUdict has it, with many surnames, and will say something for any letters at all.
"""


def write_card(path):
    (path.parent / "teacher-card.md").write_text(card(path), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0, help="of the weights; with another, name another --kept")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where the run is kept, and gone on from")
    parser.add_argument("--card", action="store_true", help="train nothing, only write the card again")
    arguments = parser.parse_args()
    path = data.folder() / CHECKPOINT
    if arguments.card:
        write_card(path)
        return
    cmudict = data.load("cmudict")
    letters, phonemes, _ = cmudict.train.examples()
    padding = padding_share(
        letters, phonemes, bucketed(letters, phonemes, RECIPE["batch_size"], torch.Generator().manual_seed(0))
    )
    teacher = Transformer(cmudict.vocabulary, **SHAPE, seed=arguments.seed)
    print(f"{count_parameters(teacher):,} parameters, {len(letters):,} examples, padding {padding:.1%}", flush=True)
    watched = cmudict.validation[:WATCHED]

    def validate():
        found = rates(errors(teacher, watched))
        print(f"phonemes {found['phonemes']:.2%}, words {found['words']:.2%}", flush=True)
        return {"validation_phonemes": found["phonemes"], "validation_words": found["words"]}

    history = fit(
        teacher, letters, phonemes, epochs=arguments.epochs, validate=validate, checkpoint=arguments.kept, **RECIPE
    )
    print(history.table.to_string(), flush=True)
    about = {
        "transformer": teacher.recipe,
        "training": RECIPE
        | {
            "epochs": arguments.epochs,
            "seed": arguments.seed,
            "examples": len(letters),
            "padding": padding,
            "seconds": round(sum(row["seconds"] for row in history.rows)),
            "device": history.device,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__.partition("+")[0],
        },
    }
    halves = {name: tensor.half() for name, tensor in teacher.state_dict().items()}
    teacher.load_state_dict({name: tensor.float() for name, tensor in halves.items()})  # what is measured is what ships
    store.save_tensors(path, halves, about | {"errors": measured(teacher, cmudict)})
    record()
    write_card(path)


if __name__ == "__main__":
    main()
