"""How long teacher and students of the sizes of lesson 04 take for a request, and what work that is.

    python benchmarks/sizes.py

Writes data/student-sizes.json, from which the explorer `student_size` and the claims take their milliseconds: of one
request at a time, and of batches, on one thread. All models take turns, so that a busy moment of the machine hits them
alike. Latencies decide which students a claim speaks of: run those of lesson 04 again afterwards.
"""

import argparse
import datetime

from kdcourse import data, devices, store
from kdcourse.claims.arms import teacher_accuracy
from kdcourse.claims.ladder import SIZES
from kdcourse.claims.settings import SETTINGS
from kdcourse.models import channels_for_ratio, cnn, count_parameters, mlp, width_for_ratio
from kdcourse.ship import latency, multiply_adds
from kdcourse.train import load_teacher

BATCH = 256


def models_of(garments, teacher):
    """[(what a row says of it, model)]: the teacher, and CNNs and MLPs as lesson 04 makes them."""
    inputs, classes = garments.test.inputs.shape[1], len(garments.class_names)
    found = [({"student": None, "ratio": None}, teacher)]
    for ratio in SETTINGS["fashion-mnist"].ratios:
        channels = channels_for_ratio(ratio, garments.teacher_parameters)
        found.append(({"student": "CNN", "ratio": ratio, "channels": channels}, cnn(channels, seed=0)))
    for ratio in SETTINGS["fashion-mnist"].ratios:
        width = width_for_ratio(ratio, garments.teacher_parameters, inputs, classes)
        found.append(({"student": "MLP", "ratio": ratio, "width": width}, mlp([inputs, width, classes], seed=0)))
    return found


def measure(garments, teacher, *, rounds):
    """The rows of the file: student and ratio (None of the teacher), channels or width, parameters, multiply-adds, and
    milliseconds of one request, then of a batch: median with its interval, and what 99 % of them stay under.
    """
    models, inputs = models_of(garments, teacher), garments.test.inputs[:BATCH]
    by_place = {str(place): model for place, (_, model) in enumerate(models)}

    def times_of(batch_size, rounds):
        # So short a turn is a single call: a mean of several would hide the slow ones.
        table = latency(by_place, inputs, batch_size=batch_size, rounds=rounds, seconds=1e-9)
        return table[["median_ms", "low_ms", "high_ms", "p99_ms"]].round(6)

    one, batch = times_of(1, rounds), times_of(BATCH, max(6, rounds // 5))
    times = one.join(batch.add_prefix("batch_")).to_dict("records")
    return [
        {**row, "parameters": count_parameters(model), "multiply_adds": multiply_adds(model, inputs[:1]), **its_times}
        for (row, model), its_times in zip(models, times, strict=True)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="requests to each model; a fifth as many batches")
    rounds = parser.parse_args().rounds
    garments = data.load("fashion-mnist")
    models = measure(garments, load_teacher("fashion-mnist"), rounds=rounds)
    about = {"date": str(datetime.date.today()), "machine": devices.machine(), "rounds": rounds}
    about |= {"batch_size": BATCH, "threads": 1, "teacher_accuracy": teacher_accuracy(garments)}
    store.save_json(data.folder() / SIZES, about | {"models": models})
    for row in models:
        name = f"{row['student']} {row['ratio']}×" if row["student"] else "teacher"
        one, batch = (models[0][ms] / row[ms] for ms in ("median_ms", "batch_median_ms"))
        interval = f"[{row['low_ms']:.4f}, {row['high_ms']:.4f}], p99 {row['p99_ms']:.4f}"
        print(f"{name:>8}: {row['median_ms']:.4f} ms {interval}; {one:.2g} times faster, in batches {batch:.2g}")


if __name__ == "__main__":
    main()
