"""How long `kdcourse audit` takes for a million examples, and how much memory: the real command, its start included.

    python benchmarks/audit.py

Writes benchmarks/results/audit.json. Three slices (5 groups, 40 regions, a length in 4 bins), from CSV and from
Parquet, with JSON and Markdown, and with a page besides. Not on Windows, which does not tell the peak memory of a
process. The seconds of the processor are those of all cores: fewer than the seconds of the clock on a busy machine.
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

RESULTS = Path(__file__).resolve().parent / "results" / "audit.json"
ASKED = "--label y --teacher teacher --student student --slice group --slice region --slice length:4 --max-gap 0.03"
REPORTS = {"JSON and Markdown": [], "and a page": ["--html", "report.html"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="examples")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the table shows the median")
    parser.add_argument("--make", metavar="FOLDER", help="only write the predictions, to this folder")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go")
    asked = parser.parse_args()
    if asked.make:
        make(Path(asked.make), asked.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the peak of a new process counts what its parent held.
        again = [sys.executable, __file__, "--make", folder, "--rows", str(asked.rows)]
        subprocess.run(again, check=True)
        sizes = {path.suffix[1:]: path.stat().st_size for path in Path(folder).iterdir()}
        measured = {(kind, reports): [] for kind in sorted(sizes) for reports in REPORTS}
        for number in range(asked.runs):  # in turns: a slow minute of the machine does not hit one of them alone
            for (kind, reports), runs in measured.items():
                runs.append(audit(folder, f"predictions.{kind}", REPORTS[reports]))
                seconds, _, peak = runs[-1]
                print(
                    f"[{number + 1}/{asked.runs}] {kind}, {reports}: {seconds:.1f} s, {peak / 1e6:.0f} MB", flush=True
                )
    table = [
        {
            "file": kind,
            "reports": reports,
            "file_megabytes": round(sizes[kind] / 1e6, 1),
            "seconds": round(statistics.median(seconds for seconds, _, _ in runs), 2),
            "processor_seconds": round(statistics.median(processor for _, processor, _ in runs), 2),
            "peak_megabytes": round(statistics.median(peak for _, _, peak in runs) / 1e6),
        }
        for (kind, reports), runs in measured.items()
    ]
    about = {"date": str(datetime.date.today()), "rows": asked.rows, "runs": asked.runs, "machine": devices.machine()}
    store.save_json(asked.out, about | {"audits": table})
    for row in table:
        print(f"{row['file']}, {row['reports']}: {row['seconds']} s, {row['peak_megabytes']} MB (medians)")


def make(folder, rows):
    """Predictions of 10 classes, with a text beside them that no audit needs."""
    import numpy as np
    import pyarrow
    from pyarrow import csv, parquet

    rng = np.random.default_rng(0)

    def mostly(share, right):
        return np.where(rng.random(rows) < share, right, rng.integers(0, 10, rows))

    labels = rng.integers(0, 10, rows)
    teacher = mostly(0.94, labels)
    columns = {
        "id": np.arange(rows),
        "y": labels,
        "teacher": teacher,
        "student": mostly(0.95, teacher),
        "group": rng.choice(["easy ham", "hard ham", "list", "news", "spam"], rows),
        "region": rng.choice([f"region {k:02}" for k in range(40)], rows),
        "length": rng.lognormal(5, 1, rows).round(3),
        "text": np.repeat("a subject line of a usual length", rows),
    }
    table = pyarrow.table(columns)
    csv.write_csv(table, folder / "predictions.csv")
    parquet.write_table(table, folder / "predictions.parquet")


def audit(folder, file, reports, asked=ASKED):
    """(seconds, seconds of the processor, peak bytes) of one audit in a process of its own."""
    command = [sys.executable, "-m", "kdcourse.cli", "audit", file, *asked.split()]
    command += ["--json", "report.json", "--markdown", "report.md", *reports]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"the audit of {file} ended with status {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
