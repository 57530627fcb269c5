"""How often an audit of nine slices catches one that loses more than it may, and flags what it should not.

    python benchmarks/audit_power.py [--audits 2000] [--quick]

One slice of n examples loses 1, 1.5, 2 or 3 times its limit of 3 points; eight others of 500 lose nothing. Whole
audits, corrected for a release (Holm) and for exploring (false-discovery rate), on the same examples. A flag of the
first slice at 1 times its limit is false, and so is every flag of another. Writes benchmarks/results/audit-power.json.
"""

import argparse
import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from kdcourse import store
from kdcourse.audit import audit
from kdcourse.stats import proportion_interval

RESULTS = Path(__file__).resolve().parent / "results" / "audit-power.json"
LIMIT, OTHERS, STUDENT_ONLY = 0.03, 8, 0.01
SIZES, TIMES = [50, 100, 200, 500, 1000, 2000], [1, 1.5, 2, 3]
CORRECTIONS = ["holm", "fdr"]


def examples(random, n, times):
    """Labels, teacher, student and slice of an audit."""
    columns = []
    for k, (size, gap) in enumerate([(n, times * LIMIT), *[(500, 0.0)] * OTHERS]):
        kind = random.random(size)
        wrong_student = kind < STUDENT_ONLY + gap
        wrong_teacher = (kind >= STUDENT_ONLY + gap) & (kind < 2 * STUDENT_ONLY + gap) | (kind > 0.95)
        columns.append((~wrong_teacher, ~(wrong_student | (kind > 0.95)), np.full(size, str(k))))
    teacher, student, group = (np.concatenate(one) for one in zip(*columns, strict=True))
    return np.ones(len(group), dtype=bool), teacher, student, group


def one_audit(seed, n, times):
    """{correction: (verdict of the slice, its chance as reported, whether any other is flagged)}"""
    labels, teacher, student, group = examples(np.random.default_rng(seed), n, times)
    found = {}
    for correction in CORRECTIONS:
        report = audit(labels, teacher, student, {"slice": group}, max_gap=LIMIT, min_samples=50, correction=correction)
        table = report.table.set_index("level")
        others = (table.drop("0")["verdict"] == "flag").any()
        found[correction] = table["verdict"]["0"], table["chance_at_twice"]["0"], bool(others)
    return found


def measure(audits, n, times, seed):
    drawn = Parallel(n_jobs=-1, batch_size=20)(delayed(one_audit)([seed, k], n, times) for k in range(audits))
    rows = []
    for correction in CORRECTIONS:
        verdicts, chances, others = zip(*(one[correction] for one in drawn), strict=True)
        row = {"n": n, "times": times, "correction": correction}
        for name in ("flag", "alarm", "pass"):
            count = verdicts.count(name)
            row[name], row[f"{name} interval"] = count / audits, list(proportion_interval(count, audits))
        rows.append(row | {"said at twice": float(np.median(chances)), "another flagged": float(np.mean(others))})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audits", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="20 audits of each, and nothing is written")
    arguments = parser.parse_args()
    audits = 20 if arguments.quick else arguments.audits
    cases = [(n, times) for n in SIZES for times in TIMES]
    rows = [row for seed, case in enumerate(cases) for row in measure(audits, *case, seed)]
    table = pd.DataFrame(rows).set_index(["correction", "n", "times"])
    print(table[["flag", "alarm", "pass", "said at twice", "another flagged"]].unstack("times")["flag"].round(3))
    print(table.groupby("correction")["another flagged"].max())
    if not arguments.quick:
        about = {"date": str(datetime.date.today()), "audits": audits, "limit": LIMIT, "confidence": 0.95}
        about |= {"slices": OTHERS + 1, "examples_of_others": 500, "only_student": STUDENT_ONLY}
        store.save_json(RESULTS, about | {"rows": rows})


if __name__ == "__main__":
    main()
