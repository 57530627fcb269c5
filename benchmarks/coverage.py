"""How often `kdcourse.stats.compare` is right: simulated experiments whose true difference is known.

    python benchmarks/coverage.py

Writes benchmarks/results/coverage.json and prints it as tables: first of pairs, where the true difference is 0; then of
pairs whose single test examples are known, so that the interval covers their choice too; then how often
`detectable_difference` is found as often as planned. tests/test_stats_simulation.py runs some of the scenarios with
fewer experiments. It takes about five minutes on one thread.
"""

import datetime
import sys
from pathlib import Path

from kdcourse import store

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from experiments import CROSSED_WITH_EXAMPLES, PLANNED, SCENARIOS, simulate  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.json"
EXPERIMENTS, WITH_EXAMPLES = 10_000, 2_000
POWER = 0.8


def measure(scenarios, experiments):
    measured = {}
    print('\n| scenario | coverage | false "better" | note speaks |\n|---|---:|---:|---:|')
    for name, draw in scenarios.items():
        shares = simulate(draw, experiments)
        measured[name] = {"coverage": shares["covered"], "false_better": shares["better"], "note": shares["note"]}
        row = " | ".join(f"{100 * share:.1f} %" for share in measured[name].values())
        print(f"| {name} | {row} |", flush=True)
    return measured


def measure_power(experiments):
    measured = {}
    print(f"\n| planned for {100 * POWER:.0f} % | found |\n|---|---:|")
    for name, (draw, planned) in PLANNED.items():
        measured[name] = simulate(draw, experiments, true=planned(POWER))["better"]
        print(f"| {name} | {100 * measured[name]:.1f} % |", flush=True)
    return measured


def main():
    results = {
        "date": str(datetime.date.today()),
        "experiments": EXPERIMENTS,
        "scenarios": measure(SCENARIOS, EXPERIMENTS),
        "experiments_with_examples": WITH_EXAMPLES,
        "with_examples": measure(CROSSED_WITH_EXAMPLES, WITH_EXAMPLES),
        "planned_power": POWER,
        "power": measure_power(WITH_EXAMPLES),
    }
    store.save_json(RESULTS, results)


if __name__ == "__main__":
    main()
