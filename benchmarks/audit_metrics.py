"""What each metric costs for a million examples: time and memory of the command, beside those of accuracy.

    python benchmarks/audit_metrics.py [--rows 1000000] [--runs 3] [--quick]

Three slices (5 groups, 40 regions, a length in 4 bins), from Parquet, with JSON and Markdown. Ratios are of medians of
runs that take turns. Accuracy is to stay below 5 s and 1 GB; it says so where it does not. Not on Windows, which does
not tell the peak memory of a process. Writes benchmarks/results/audit-metrics.json; a quick run writes nothing.
"""

import argparse
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdcourse import devices, store

RESULTS = Path(__file__).resolve().parent / "results" / "audit-metrics.json"
SLICES = "--slice group --slice region --slice length:4 --max-gap 0.03"
CHOICES = "--label y --teacher teacher --student student"
CLASS = "--label y --teacher p_teacher --student p_student --class 1"
NUMBERS = "--label amount --teacher a_teacher --student a_student"
ASKED = {
    "accuracy": CHOICES,
    "accuracy, weighted": f"{CHOICES} --weight weight",
    "accuracy, clusters": f"{CHOICES} --cluster user",
    **{name: f"{CLASS} --threshold 0.5 --metric {name}" for name in ["recall", "precision", "f1", "balanced-accuracy"]},
    **{name: f"{CLASS} --metric {name}" for name in ["auroc", "log-loss", "brier", "ece"]},
    **{name: f"{NUMBERS} --metric {name}" for name in ["mae", "rmse", "pinball"]},
    "score": "--teacher a_teacher --student a_student --metric score",
}
LIMITS = 5, 1e9  # seconds and bytes of accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="examples")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the table shows the median")
    parser.add_argument("--make", metavar="FOLDER", help="only write the predictions, to this folder")
    parser.add_argument("--quick", action="store_true", help="10,000 examples once, and nothing is written")
    asked = parser.parse_args()
    if asked.make:
        make(Path(asked.make), asked.rows)
        return
    rows, runs = (10_000, 1) if asked.quick else (asked.rows, asked.runs)
    measured = {name: [] for name in ASKED}
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the peak of a new process counts what its parent held.
        subprocess.run([sys.executable, __file__, "--make", folder, "--rows", str(rows)], check=True)
        for number in range(runs):  # in turns: a slow minute of the machine does not hit one of them alone
            for name, options in ASKED.items():
                measured[name].append(audit(folder, f"{options} {SLICES}"))
                print(f"[{number + 1}/{runs}] {name}: {measured[name][-1][0]:.1f} s", flush=True)
    medians = {name: [statistics.median(one) for one in zip(*found, strict=True)] for name, found in measured.items()}
    base = medians["accuracy"]
    table = [
        {
            "metric": name,
            "seconds": round(seconds, 2),
            "processor_seconds": round(processor, 2),
            "peak_megabytes": round(peak / 1e6),
            "times_accuracy": round(processor / base[1], 2),
        }
        for name, (seconds, processor, peak) in medians.items()
    ]
    for row in table:
        print(
            f"{row['metric']:20} {row['seconds']:6.1f} s {row['peak_megabytes']:6,} MB "
            f"{row['times_accuracy']:5.1f} times the processor of accuracy"
        )
    within = base[0] <= LIMITS[0] and base[2] <= LIMITS[1]
    print(f"accuracy is {'within' if within else 'NOT within'} {LIMITS[0]} s and {LIMITS[1] / 1e6:,.0f} MB")
    if not asked.quick:
        about = {"date": str(datetime.date.today()), "rows": rows, "runs": runs, "machine": devices.machine()}
        store.save_json(RESULTS, about | {"metrics": table})


def make(folder, rows):
    """Labels 0 and 1, amounts, and what two models said of them."""
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.3).astype(int)
    score = 2.0 * y - 1 + rng.normal(0, 1.2, rows)
    teacher, student = (1 / (1 + np.exp(-one)) for one in (score, score + rng.normal(0, 0.4, rows)))
    amount = rng.lognormal(3, 1, rows)
    columns = {
        "y": y,
        "p_teacher": teacher,
        "p_student": student,
        "teacher": (teacher > 0.5).astype(int),
        "student": (student > 0.5).astype(int),
        "amount": amount,
        "a_teacher": amount + rng.normal(0, 1, rows),
        "a_student": amount + rng.normal(0, 1.01, rows),
        "weight": rng.random(rows),
        "user": rng.integers(0, max(2, rows // 20), rows),
        "group": rng.choice(["easy ham", "hard ham", "list", "news", "spam"], rows),
        "region": rng.choice([f"region {k:02}" for k in range(40)], rows),
        "length": rng.lognormal(5, 1, rows).round(3),
    }
    parquet.write_table(pyarrow.table(columns), folder / "predictions.parquet")


def audit(folder, asked):
    """(seconds, seconds of the processor, peak bytes) of one audit in a process of its own."""
    command = [sys.executable, "-m", "kdcourse.cli", "audit", "predictions.parquet", *asked.split()]
    command += ["--json", "report.json", "--markdown", "report.md"]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"the audit {asked} ended with status {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
