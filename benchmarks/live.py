"""How long a learner waits for live training: from letting go of the control to the new picture, in lesson 02.

    python benchmarks/live.py

Writes benchmarks/results/live.json. Each control is moved over all its values, several times, every value trained anew.
"""

import argparse
import datetime
import statistics
import time
from pathlib import Path

from kdcourse import data, devices, store
from kdcourse.widgets import live

RESULTS = Path(__file__).resolve().parent / "results" / "live.json"
# As the lessons call it; kept equal to them by a test.
CONTROLS = {
    "02_temperature": {
        "control": "temperature",
        "values": [1, 4, 10, 20],
        "settings": {"width": 32, "lr": 0.01},
        "against": {"soft_weight": 0, "temperature": 1, "lr": 0.003},
        "epochs": 20,
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times that every value is visited")
    rounds = parser.parse_args().rounds
    garments = data.load("fashion-mnist").subset(500)
    waits = {lesson: [] for lesson in CONTROLS}
    for _ in range(rounds):  # in turns, so that a slow minute of the machine does not hit one lesson alone
        for lesson, options in CONTROLS.items():
            first, *others = options["values"]
            box = live(garments, **options, start=first)
            for value in others:
                start = time.perf_counter()
                box.children[0].value = value
                waits[lesson].append(time.perf_counter() - start)
                if value not in box.results:
                    raise SystemExit(f"{lesson}: nothing came out at {value}")
    table = {
        lesson: {
            "moves": len(seconds),
            "median_seconds": round(statistics.median(seconds), 3),
            "p90_seconds": round(statistics.quantiles(seconds, n=10)[-1], 3),
        }
        for lesson, seconds in waits.items()
    }
    about = {"date": str(datetime.date.today()), "rounds": rounds, "machine": devices.machine()}
    store.save_json(RESULTS, about | {"lessons": table})
    for lesson, row in table.items():
        print(f"{lesson}: median {row['median_seconds']} s, p90 {row['p90_seconds']} s of {row['moves']} moves")


if __name__ == "__main__":
    main()
