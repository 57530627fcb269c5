"""How often the intervals and tests of `kdcourse.stats.paired` are right, beside Tango's without their correction.

    python benchmarks/paired.py [--quick]

Nothing is simulated: the probabilities of all outcomes that matter are added up, at the boundary of the hypothesis.
Writes benchmarks/results/paired.json and prints it as tables; a quick run has fewer scenarios and writes nothing.
"""

import argparse
import datetime
import math
import platform
import time
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

from kdcourse import store
from kdcourse.stats import tango
from kdcourse.stats.paired import examples_needed, gap_interval, gap_p_values

RESULTS = Path(__file__).resolve().parent / "results" / "paired.json"
EXAMPLES = [10, 20, 30, 50, 100, 300, 1000]
SHARES = [(0.005, 0.0), (0.011, 0.001), (0.02, 0.02), (0.03, 0.01), (0.052, 0.002), (0.08, 0.03), (0.1, 0.1),
          (0.25, 0.1)]  # fmt: skip
"""Of examples that only the first, only the second model gets right."""
SLICES = 20
ERRORS = {"0.025": 0.025, "0.025 / 20": 0.025 / SLICES}
PLANS = [(30, 10, 500, 0.02), (5, 5, 200, 0.02), (60, 20, 1000, 0.02), (2, 2, 300, 0.02), (90, 40, 1000, 0.03)]
COUNTS = [(2, 1, 12), (5, 3, 30), (8, 5, 100), (30, 10, 500), (300, 200, 10_000), (25_000, 20_000, 1_000_000)]


def chance_of_rejecting(n, share_a, share_b, rejects):
    """P(rejects(a, b)), where more of a never turns a rejection back and more of b takes more of a."""
    total, needed = 0.0, 0
    first, last = (int(stats.binom.ppf(tail, n, share_b)) for tail in (1e-10, 1 - 1e-10))
    for b in range(max(first, 0), last + 1):
        while needed > 0 and rejects(min(needed, n - b + 1) - 1, b):
            needed = min(needed, n - b + 1) - 1
        while needed <= n - b and not rejects(needed, b):
            needed += 1
        total += stats.binom.pmf(b, n, share_b) * stats.binom.sf(needed - 1, n - b, share_a / (1 - share_b))
    return float(total)


def both_sides(n, share_a, share_b, exceeds, within):
    """Errors of the two tests at the boundary; `within` rejects where more of b is more extreme."""
    return (
        chance_of_rejecting(n, share_a, share_b, exceeds),
        chance_of_rejecting(n, share_b, share_a, lambda b, a: within(a, b)),
    )


def scenario(n, share_a, share_b):
    """Coverage of the 95 % interval and errors of both tests where the gap is the margin, corrected and not."""
    gap = share_a - share_b
    measured = {"n": n, "share_a": share_a, "share_b": share_b, "corrected": {}, "tango": {}}
    z = {name: stats.norm.isf(error) for name, error in ERRORS.items()}

    def tango(a, b):
        return float(tango.score(a, b, n, gap))

    missed = {
        "corrected": both_sides(
            n,
            share_a,
            share_b,
            lambda a, b: gap_interval(a, b, n)[0] > gap,
            lambda a, b: gap_interval(a, b, n)[1] < gap,
        ),
        "tango": both_sides(
            n, share_a, share_b, lambda a, b: tango(a, b) > z["0.025"], lambda a, b: tango(a, b) < -z["0.025"]
        ),
    }
    for name, error in ERRORS.items():
        errors = {
            "corrected": both_sides(
                n,
                share_a,
                share_b,
                lambda a, b, error=error: gap_p_values(a, b, n, gap)[0] <= error,
                lambda a, b, error=error: gap_p_values(a, b, n, gap)[1] <= error,
            ),
            "tango": both_sides(
                n,
                share_a,
                share_b,
                lambda a, b, name=name: tango(a, b) >= z[name],
                lambda a, b, name=name: tango(a, b) <= -z[name],
            ),
        }
        for method, (exceeds, within) in errors.items():
            measured[method][name] = {"exceeds": rounded(exceeds), "within": rounded(within)}
    for method, (low, high) in missed.items():
        measured[method]["coverage"] = round(1 - low - high, 5)
    return measured


def rounded(value):
    return float(f"{value:.4g}")


def worst(scenarios, method, name):
    """The largest error of either test, by how much it is allowed, and where."""
    error, where = max(
        (max(found[method][name].values()), (found["n"], found["share_a"], found["share_b"])) for found in scenarios
    )
    n, share_a, share_b = where
    return {"ratio": round(error / ERRORS[name], 3), "n": n, "share_a": share_a, "share_b": share_b}


def summary(scenarios):
    summed = {}
    for method in ["corrected", "tango"]:
        far = max(max(found[method]["0.025 / 20"].values()) for found in scenarios)
        summed[method] = {
            "smallest coverage": min(found[method]["coverage"] for found in scenarios),
            "mean coverage": round(float(np.mean([found[method]["coverage"] for found in scenarios])), 4),
            **{f"largest error at {name}": worst(scenarios, method, name) for name in ERRORS},
            # Holm over independent slices that all lie at the margin errs where the smallest p-value is small enough.
            "largest error of a family of 20 at 0.025": round(1 - (1 - far) ** SLICES, 4),
        }
    return summed


def tango_width(only_a, only_b, n):
    z = stats.norm.isf(0.025)
    gap = (only_a - only_b) / n
    low, high = (
        scipy.optimize.brentq(lambda at, z=z: float(tango.score(only_a, only_b, n, at)) - z, *bounds, xtol=1e-12)
        for z, bounds in [(z, (-1 + 1e-9, gap)), (-z, (gap, 1 - 1e-9))]
    )
    return high - low


def costs():
    """The interval's width over Tango's, and the processor time of calls whose results are not kept from before."""
    found = []
    for only_a, only_b, n in COUNTS:
        started = time.process_time()
        for more in range(5):
            gap_interval(only_a + more, only_b, n, 0.951)
        interval = (time.process_time() - started) / 5
        started = time.process_time()
        for more in range(5):
            gap_p_values(only_a + more, only_b, n, 0.0123)
        tests = (time.process_time() - started) / 5
        low, high = gap_interval(only_a, only_b, n)
        found.append(
            {
                "only_a": only_a,
                "only_b": only_b,
                "n": n,
                "width_over_tangos": round((high - low) / tango_width(only_a, only_b, n), 3),
                "interval_ms": round(1e3 * interval, 1),
                "tests_ms": round(1e3 * tests, 1),
            }
        )
    return found


def plans():
    """Does the number of examples that `examples_needed` names give the power asked for, 0.8?"""
    found = []
    for only_a, only_b, n, margin in PLANS:
        for slices in [1, SLICES]:
            error = 0.025 / slices
            needed = examples_needed(only_a, only_b, n, margin, confidence=1 - 2 * error)
            if needed == math.inf:
                continue
            exceeds = (only_a - only_b) / n > margin
            shares = (only_a / n, only_b / n) if exceeds else (only_b / n, only_a / n)

            def rejects(more, less, needed=needed, error=error, exceeds=exceeds, margin=margin):
                return gap_p_values(more, less, needed, margin if exceeds else -margin)[0] <= error

            power = chance_of_rejecting(needed, *shares, rejects)
            case = {"only_a": only_a, "only_b": only_b, "n": n, "margin": margin, "slices": slices}
            found.append({**case, "needed": needed, "power": round(power, 3)})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer scenarios, nothing is written")
    quick = parser.parse_args().quick
    scenarios = []
    print("| n | only a | only b | coverage | Tango's | error at 0.025 / 20, over it | Tango's |\n" + "|---:" * 7 + "|")
    for n in EXAMPLES[:4] if quick else EXAMPLES:
        for share_a, share_b in SHARES[::3] if quick else SHARES:
            found = scenario(n, share_a, share_b)
            scenarios.append(found)
            cells = [f"{found[method]['coverage']:.4f}" for method in ["corrected", "tango"]]
            for method in ["corrected", "tango"]:
                cells.append(f"{max(found[method]['0.025 / 20'].values()) / ERRORS['0.025 / 20']:.2f}")
            print(f"| {n} | {share_a} | {share_b} | " + " | ".join(cells) + " |", flush=True)
    results = {
        "date": str(datetime.date.today()),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "method": "exact: the probabilities of outcomes are added up, so there is no seed",
        "summary": summary(scenarios),
        "plans": [] if quick else plans(),
        "costs": costs(),
        "scenarios": scenarios,
    }
    for name in ["summary", "plans", "costs"]:
        print(name, *(results[name].items() if name == "summary" else results[name]), sep="\n  ")
    if not quick:
        store.save_json(RESULTS, results)


if __name__ == "__main__":
    main()
