"""How long teacher and students of the sizes of lesson 04 take for a request, and what work that is.

    python benchmarks/sizes.py

Writes data/student-sizes.json, from which the explorer `student_size` takes its milliseconds: one request at a time, on
one thread. All models take turns, so that a busy moment of the machine hits them alike.
"""

import argparse
import datetime

from kdcourse import data, devices, store
from kdcourse.claims.arms import teacher_accuracy
from kdcourse.claims.settings import SETTINGS
from kdcourse.claims.sizes import SIZES
from kdcourse.models import count_parameters, mlp, width_for_ratio
from kdcourse.ship import latency, multiply_adds
from kdcourse.train import load_teacher


def models_of(garments, teacher):
    """{"teacher" or ratio: (hidden units or None, model)}, as lesson 04 makes them."""
    inputs, classes = garments.test.inputs.shape[1], len(garments.class_names)
    found = {"teacher": (None, teacher)}
    for ratio in SETTINGS["fashion-mnist"].ratios:
        width = width_for_ratio(ratio, garments.teacher_parameters, inputs, classes)
        found[ratio] = width, mlp([inputs, width, classes], seed=0)
    return found


def measure(garments, teacher, *, rounds, seconds=0.01):
    """The rows of the file: ratio (None of the teacher), width, parameters, multiply-adds, milliseconds."""
    models = models_of(garments, teacher)
    one = garments.test.inputs[:1]
    times = latency({str(name): model for name, (_, model) in models.items()}, one, rounds=rounds, seconds=seconds)
    return [
        {
            "ratio": None if name == "teacher" else name,
            "width": width,
            "parameters": count_parameters(model),
            "multiply_adds": multiply_adds(model, one),
            **{column: round(times.loc[str(name), column], 6) for column in ["median_ms", "low_ms", "high_ms"]},
        }
        for name, (width, model) in models.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="turns of each model")
    rounds = parser.parse_args().rounds
    garments = data.load("fashion-mnist")
    models = measure(garments, load_teacher("fashion-mnist"), rounds=rounds)
    about = {"date": str(datetime.date.today()), "machine": devices.machine(), "rounds": rounds}
    about |= {"batch_size": 1, "threads": 1, "teacher_accuracy": teacher_accuracy(garments)}
    store.save_json(data.folder() / SIZES, about | {"models": models})
    for row in models:
        name = "teacher" if row["ratio"] is None else f"{row['ratio']}×"
        print(f"{name:>8}: {row['median_ms']:.4f} ms [{row['low_ms']:.4f}, {row['high_ms']:.4f}]")


if __name__ == "__main__":
    main()
