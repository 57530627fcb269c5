"""How often an audit of 20 slices flags, or passes, what it should not: whole audits, simulated.

    python benchmarks/audit_errors.py [--audits 2000] [--quick]

In every audit each slice has the same true gap. Without a gap, or with one that is exactly the limit, every flag is
false; with a gap that is exactly the limit, every pass is false too. Beside the report's own verdicts: what the single
intervals would have flagged. Writes benchmarks/results/audit-errors.json.
"""

import argparse
import datetime
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from kdcourse import store
from kdcourse.audit import audit
from kdcourse.stats import proportion_interval

RESULTS = Path(__file__).resolve().parent / "results" / "audit-errors.json"
SLICES = 20
# name: examples in each slice, shares that only the teacher and only the student get right, the limit
SCENARIOS = {
    "no gap, none allowed": (200, 0.05, 0.05, 0.0),
    "no gap, 2 points allowed": (200, 0.05, 0.05, 0.02),
    "a gap of 2 points, 2 allowed": (200, 0.04, 0.02, 0.02),
    "a gap of 2 points, 2 allowed, rare disagreement": (500, 0.022, 0.002, 0.02),
}


def one_audit(seed, n, only_teacher, only_student, max_gap):
    """(any flag, any pass, any single interval above the limit) of an audit with this seed."""
    random = np.random.default_rng(seed)
    kind = random.random(n * SLICES)
    labels = np.ones(n * SLICES, dtype=int)
    teacher, student = labels.copy(), labels.copy()
    student[kind < only_teacher] = 0
    teacher[(kind >= only_teacher) & (kind < only_teacher + only_student)] = 0
    both = (kind >= only_teacher + only_student) & (kind < only_teacher + only_student + 0.05)
    teacher[both] = student[both] = 0
    report = audit(labels, teacher, student, {"slice": np.repeat(np.arange(SLICES), n).astype(str)}, max_gap=max_gap)
    verdicts = set(report.table["verdict"]) | {report.overall["verdict"]}
    return "flag" in verdicts, "pass" in verdicts, bool((report.table["low"] > max_gap).any())


def measure(audits, scenario, seed):
    n, only_teacher, only_student, max_gap = scenario
    found = np.array(
        Parallel(n_jobs=-1, batch_size=20)(
            delayed(one_audit)([seed, k], n, only_teacher, only_student, max_gap) for k in range(audits)
        )
    )
    gap = only_teacher - only_student
    wrong = {"false flag": found[:, 0], "false flag, by single intervals": found[:, 2]}
    if gap > max_gap - 1e-9:
        wrong["false pass"] = found[:, 1]
        wrong["any false verdict"] = found[:, 0] | found[:, 1]
    rates = {
        name: {"rate": float(hits.mean()), "interval": list(proportion_interval(int(hits.sum()), audits))}
        for name, hits in wrong.items()
    }
    about = {"examples_per_slice": n, "only_teacher": only_teacher, "only_student": only_student, "max_gap": max_gap}
    return about | rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audits", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="40 audits of each, and nothing is written")
    arguments = parser.parse_args()
    audits = 40 if arguments.quick else arguments.audits
    results = {}
    for seed, (name, scenario) in enumerate(SCENARIOS.items()):
        results[name] = measure(audits, scenario, seed)
        said = ", ".join(f"{key} {value['rate']:.2%}" for key, value in results[name].items() if "false" in key)
        print(f"{name}: {said}", flush=True)
    if not arguments.quick:
        about = {"date": str(datetime.date.today()), "audits": audits, "slices": SLICES, "confidence": 0.95}
        store.save_json(RESULTS, about | {"scenarios": results})


if __name__ == "__main__":
    main()
