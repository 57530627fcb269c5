"""How fast teacher and student of lesson 08 train and write, and what the cache and batches of one length save.

    python benchmarks/language_models.py [--rounds 7] [--quick]

All ways take turns, on one thread, so that a busy moment hits all alike; the ratios are of medians in one run.
Tokens are those of words and END, padding left out. Writes benchmarks/results/language-models.json; a quick run writes
nothing.
"""

import argparse
import copy
import datetime
import statistics
import time
from pathlib import Path

import torch
from tqdm.auto import tqdm

from kdcourse import data, devices, store
from kdcourse.data.cmudict import END, PAD, START
from kdcourse.lm import beam, fit, greedy, load_student, load_teacher, sample, train

RESULTS = Path(__file__).resolve().parent / "results" / "language-models.json"


def at_random(prefixes, targets, batch_size, order):
    """Batches as they come, in place of `lm.bucketed`."""
    return list(torch.randperm(len(prefixes), generator=order).split(batch_size))


def without_cache(model, prefixes, longest=21):
    """Greedy decoding that reads everything again for each token, in batches of one length."""
    written = torch.full((len(prefixes), 1), START)
    done = torch.zeros(len(prefixes), dtype=torch.bool)
    with torch.no_grad():
        while written.shape[1] <= longest and not done.all():
            token = model(prefixes, written)[:, :, -1].argmax(1).masked_fill(done, PAD)
            written, done = torch.cat([written, token[:, None]], 1), done | (token == END)
    return written[:, 1:]


def ways(words, letters, phonemes):
    """{name: (function, tokens that it trains on or writes)}"""
    models = {"teacher": load_teacher(), "student": load_student()}
    found = {}
    listed = int((phonemes != PAD).sum())
    for name, model in models.items():

        def training(model=model, batches=train.bucketed, **options):
            kept, train.bucketed = train.bucketed, batches
            try:
                fit(copy.deepcopy(model), letters, phonemes, epochs=1, device="cpu", progress=False, **options)
            finally:
                train.bucketed = kept

        found[f"{name}: training"] = (training, listed)
        found[f"{name}: training, batches at random"] = (lambda training=training: training(batches=at_random), listed)
        writing = {
            "greedy": lambda model=model: greedy(model, words.letters),
            "greedy without cache": lambda model=model: without_cache(model, words.letters),
            "4 samples": lambda model=model: sample(model, words.letters, 4),
            "beam of 4": lambda model=model: beam(model, words.letters, 4)[0],
        }
        for way, write in writing.items():
            found[f"{name}: {way}"] = (write, int((write() != PAD).sum()))
    teacher = models["teacher"]
    found["student: training, teacher asked"] = (
        lambda: found["student: training"][0](teacher=teacher),
        listed,
    )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="few words, two rounds, and nothing is written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    words = data.load("cmudict").train[: 64 if arguments.quick else 1_000]
    letters, phonemes, _ = words.examples(first=True)
    timed = ways(words, letters, phonemes)
    seconds = {name: [] for name in timed}
    for _ in tqdm(range(2 if arguments.quick else arguments.rounds)):
        for name, (run, _) in timed.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    rates = {name: tokens / statistics.median(seconds[name]) for name, (_, tokens) in timed.items()}
    ratios = {
        "cache, teacher greedy": rates["teacher: greedy"] / rates["teacher: greedy without cache"],
        "cache, student greedy": rates["student: greedy"] / rates["student: greedy without cache"],
        "batches of one length, teacher": rates["teacher: training"] / rates["teacher: training, batches at random"],
        "batches of one length, student": rates["student: training"] / rates["student: training, batches at random"],
        "student over teacher, training": rates["student: training"] / rates["teacher: training"],
        "student over teacher, greedy": rates["student: greedy"] / rates["teacher: greedy"],
    }
    for name, rate in rates.items():
        print(f"{name}: {rate:,.0f} tokens a second")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times as fast")
    if not arguments.quick:
        about = {"date": str(datetime.date.today()), "machine": devices.machine(), "threads": 1, "words": len(words)}
        store.save_json(RESULTS, about | {"tokens_per_second": rates, "ratios": ratios})


if __name__ == "__main__":
    main()
