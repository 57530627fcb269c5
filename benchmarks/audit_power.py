"""How often an audit of nine slices catches one that loses more than it may, and flags what it should not.

    python benchmarks/audit_power.py [--audits 2000] [--whole 20] [--quick]

One slice of n examples loses 1, 1.5, 2 or 3 times its limit of 3 points; eight others of 500 lose nothing. Then four
slices of n examples lose more than their limit; five others of 500 lose just their limit, so that flags of theirs are
as likely as false flags can be. Corrected for a release (Holm) and for exploring (false-discovery rate), on the same
examples. Flags and alarms are those of the first slice. Its flag at 1 times its limit is false, and so is every flag
of another.

Verdicts come from the tests and the correction of the audit itself. Whole audits, which draw up intervals and a report
too, take many times as long: the first 20 of each case are made, and must say the same. Prints each case as it is done,
and writes benchmarks/results/audit-power.json.
"""

import argparse
import datetime
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from kdcourse import store
from kdcourse.audit import audit
from kdcourse.audit.judging.verdicts import at_twice, decide
from kdcourse.stats import proportion_interval
from kdcourse.stats.paired import gap_p_values

RESULTS = Path(__file__).resolve().parent / "results" / "audit-power.json"
LIMIT, CONFIDENCE, SLICES, STUDENT_ONLY = 0.03, 0.95, 9, 0.01
# (slices over the limit, times the limit that the others lose, examples, times the limit)
CASES = [(1, 0, n, times) for n in [50, 100, 200, 500, 1000, 2000] for times in [1, 1.5, 2, 3]]
CASES += [(4, 1, n, times) for n in [200, 500, 1000] for times in [1.5, 2, 3]]
CORRECTIONS = ["holm", "fdr"]


def examples(random, over, others, n, times):
    """Labels, teacher, student and slice of an audit."""
    columns = []
    for k, (size, gap) in enumerate([(n, times * LIMIT)] * over + [(500, others * LIMIT)] * (SLICES - over)):
        kind = random.random(size)
        wrong_student = kind < STUDENT_ONLY + gap
        wrong_teacher = (kind >= STUDENT_ONLY + gap) & (kind < 2 * STUDENT_ONLY + gap) | (kind > 0.95)
        columns.append((~wrong_teacher, ~(wrong_student | (kind > 0.95)), np.full(size, k)))
    teacher, student, group = (np.concatenate(one) for one in zip(*columns, strict=True))
    return np.ones(len(group), dtype=bool), teacher, student, group


def verdicts_of(over, labels, teacher, student, group):
    """{correction: (verdict of the first slice, its chance as reported, flags over the limit, flags of others)}"""
    kinds = (teacher & ~student, student & ~teacher, labels)
    counts = np.array([np.bincount(group[kind], minlength=SLICES) for kind in kinds]).T
    rows = [counts.sum(0).tolist(), *counts.tolist()]  # all examples first
    alone = np.array([gap_p_values(*row, LIMIT) for row in rows])
    chance = at_twice(False, rows[1], LIMIT, 1 - (1 - CONFIDENCE) / len(rows))[0]
    verdicts = {correction: decide(alone, CONFIDENCE, correction)[2].tolist() for correction in CORRECTIONS}
    return {
        name: (said[1], chance, said[1 : over + 1].count("flag"), said[over + 1 :].count("flag"))
        for name, said in verdicts.items()
    }


def of_whole_audits(over, labels, teacher, student, group):
    """The same, from the reports."""
    found = {}
    for correction in CORRECTIONS:
        options = {"max_gap": LIMIT, "min_samples": 50, "confidence": CONFIDENCE, "correction": correction}
        report = audit(labels, teacher, student, {"slice": group.astype(str)}, **options)
        table = report.table.set_index("level")
        is_over = table.index.isin([str(k) for k in range(over)])
        flags = [int((table["verdict"][which] == "flag").sum()) for which in (is_over, ~is_over)]
        found[correction] = table["verdict"]["0"], float(table["chance_at_twice"]["0"]), *flags
    return found


def one_audit(seed, case, whole):
    drawn = examples(np.random.default_rng(seed), *case)
    found = verdicts_of(case[0], *drawn)
    if whole and found != (expected := of_whole_audits(case[0], *drawn)):
        raise AssertionError(f"audit {seed} of {case}: {found}, and the report has {expected}")
    return found


def measure(audits, whole, seed, case):
    jobs = (delayed(one_audit)([seed, k], case, k < whole) for k in range(audits))
    drawn = Parallel(n_jobs=-1, batch_size=20)(jobs)
    rows = []
    for correction in CORRECTIONS:
        verdicts, chances, right, false = zip(*(one[correction] for one in drawn), strict=True)
        row = dict(zip(["over", "others", "n", "times"], case, strict=True)) | {"correction": correction}
        for name in ("flag", "alarm", "pass"):
            count = verdicts.count(name)
            row[name], row[f"{name} interval"] = count / audits, list(proportion_interval(count, audits))
        right, false = np.array(right), np.array(false)
        row["said at twice"] = float(np.median(chances))
        row["another flagged"] = float((false > 0).mean())
        # What the false discovery rate bounds: of the flags of an audit, those of slices that only reach their limit.
        row["false share"] = float((false / np.maximum(right + false, 1)).mean())
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audits", type=int, default=2_000, help="of each case")
    parser.add_argument("--whole", type=int, default=20, help="of these, how many are whole audits, too")
    parser.add_argument("--quick", action="store_true", help="20 audits of each, 2 of them whole; writes nothing")
    arguments = parser.parse_args()
    audits, whole = (20, 2) if arguments.quick else (arguments.audits, arguments.whole)
    rows = []
    for seed, case in enumerate(CASES):
        start = time.perf_counter()
        rows += measure(audits, whole, seed, case)
        over, _, n, times = case
        flags = ", ".join(f"{row['correction']} {row['flag']:.1%}" for row in rows[-2:])
        said = f"{over} of {SLICES}, {n} examples, {times} times the limit: flagged {flags}"
        print(f"[{seed + 1}/{len(CASES)}] {said} ({time.perf_counter() - start:.0f} s)", flush=True)
    table = pd.DataFrame(rows).set_index(["over", "correction", "n", "times"])
    print(table["flag"].unstack("times").round(3))
    print(table.groupby(["over", "correction"])[["another flagged", "false share"]].max())
    if not arguments.quick:
        about = {"date": str(datetime.date.today()), "audits": audits, "whole audits": whole, "limit": LIMIT}
        about |= {"confidence": CONFIDENCE, "slices": SLICES, "examples_of_others": 500}
        store.save_json(RESULTS, about | {"only_student": STUDENT_ONLY, "rows": rows})


if __name__ == "__main__":
    main()
