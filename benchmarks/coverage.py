"""How often `kdcourse.stats.compare` is right: simulated experiments whose true difference is known to be 0.

    python benchmarks/coverage.py

Writes benchmarks/results/coverage.json and prints it as a table. tests/test_stats_simulation.py runs the same scenarios
with fewer experiments.
"""

import datetime
import sys
from pathlib import Path

from kdcourse import store

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from experiments import SCENARIOS, simulate  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.json"
EXPERIMENTS = 10_000


def main():
    measured = {}
    print('| scenario | coverage | false "better" | note speaks |\n|---|---:|---:|---:|')
    for name, draw in SCENARIOS.items():
        shares = simulate(draw, EXPERIMENTS)
        measured[name] = {"coverage": shares["covered"], "false_better": shares["better"], "note": shares["note"]}
        print(
            f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for share in measured[name].values()) + " |", flush=True
        )
    today = str(datetime.date.today())
    store.save_json(RESULTS, {"date": today, "experiments": EXPERIMENTS, "scenarios": measured})


if __name__ == "__main__":
    main()
