"""By how much would a random split of CMUdict flatter? The teacher's recipe, where relatives may stand on both sides.

    python benchmarks/cmudict_split.py [--quick]

Takes an hour or two, and goes on where it was stopped. Writes benchmarks/results/cmudict-split.json: the errors on as
many test words as the fixed split has, and how many of them have an inflection or a near-twin among the training words.
"""

import argparse
import datetime
from pathlib import Path

import pandas as pd
import torch

from kdcourse import data, devices, store
from kdcourse.lm import Transformer, fit, greedy, pronunciation_errors, spelled
from kdcourse.lm.teacher import CHECKPOINT

ROOT = Path(__file__).resolve().parents[1]
SEED = 0  # of the split, and of the weights
RECIPE = ("lr", "batch_size", "weight_decay", "order_seed", "epochs")  # of what the teacher's checkpoint says


def shuffled(cmudict: data.cmudict.Pronunciations) -> tuple[data.cmudict.Words, data.cmudict.Words]:
    """(training words, test words), as many as the fixed splits have, drawn one by one from all of them."""
    together = pd.concat([getattr(cmudict, name).about for name in ("train", "validation", "test")], ignore_index=True)
    words = data.cmudict.Words(together)[torch.randperm(len(together), generator=torch.Generator().manual_seed(SEED))]
    return words[: len(cmudict.train)], words[-len(cmudict.test) :]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one epoch of a few words, to see that it runs")
    parser.add_argument("--kept", type=Path, default=ROOT / "runs" / "cmudict-random-split.safetensors")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "cmudict-split.json")
    arguments = parser.parse_args()
    train, test = shuffled(data.load("cmudict"))
    about = store.load_tensors(data.folder() / CHECKPOINT)[1]
    recipe = {name: about["training"][name] for name in RECIPE}
    if arguments.quick:
        train, test, recipe["epochs"] = train[:512], test[:100], 1
    model = Transformer(**about["transformer"], seed=SEED)
    letters, phonemes, _ = train.examples()
    arguments.kept.parent.mkdir(exist_ok=True)
    fit(model, letters, phonemes, checkpoint=arguments.kept, **recipe)
    found = pronunciation_errors(spelled(greedy(model, test.letters)), test.pronunciations)
    store.save_json(
        arguments.results,
        {
            "date": str(datetime.date.today()),
            "machine": devices.machine(),
            "words": len(test),
            "with_relatives": float(test.about["group"].isin(train.about["group"]).mean()),
            "recipe": about["transformer"] | recipe,
            "errors": {"phonemes": found.phoneme_rate, "words": found.word_rate},
        },
    )


if __name__ == "__main__":
    main()
