"""How long `load("fashion-mnist")` takes and how much memory, each time in a fresh process, beside decompressing the
original gzip files' worth of bytes (a yardstick for the machine).

    python benchmarks/load.py

Writes benchmarks/results/load.json.
"""

import datetime
import json
import statistics
import subprocess
import sys
from pathlib import Path

from kdcourse import store

RESULTS = Path(__file__).resolve().parent / "results" / "load.json"
RUNS = 7
# Memory is the process's largest resident size, less what it was before the call (with torch imported by then).
PROGRAM = """
import gzip, json, resource, time
import torch
from kdcourse import data
packed = gzip.compress(bytes(range(256)) * 215_000, compresslevel=1)

def largest():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

gzip.decompress(packed)
start = time.perf_counter(); gzip.decompress(packed); yardstick = time.perf_counter() - start
before = largest()
start = time.perf_counter(); garments = data.load("fashion-mnist"); load = time.perf_counter() - start
after_load = largest()
start = time.perf_counter(); garments.train.inputs; inputs = time.perf_counter() - start
print(json.dumps({"load_seconds": load, "inputs_seconds": inputs, "gunzip_55_megabytes_seconds": yardstick,
    "load_megabytes": (after_load - before) / 1e6, "with_train_inputs_megabytes": (largest() - before) / 1e6}))
"""


def main():
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM], text=True)) for _ in range(RUNS)]
    medians = {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
    store.save_json(RESULTS, {"date": str(datetime.date.today()), "runs": RUNS, "median": medians})
    print(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
