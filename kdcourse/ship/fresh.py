"""A fresh process for each measurement: how soon it gives its first answer, and how much memory it takes."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import pandas as pd

from kdcourse._arguments import describe, integer

# What answers from an ONNX file; neither torch nor kdcourse is imported.
ONNX = """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession({path!r}, options, providers=["CPUExecutionProvider"])
given = session.get_inputs()[0]
shape = [size if isinstance(size, int) else 1 for size in given.shape]
inputs = numpy.zeros(shape, "float32" if given.type == "tensor(float)" else "int64")
def answer():
    return session.run(None, {{given.name: inputs}})
"""

MEASURED = """
answer()
print("answered", flush=True)
import json, sys, time
began = time.perf_counter()
answer()
again = 1000 * (time.perf_counter() - began)
try:  # where there is one: ru_maxrss may be inherited from the parent
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e3
except OSError:
    try:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    except ImportError:
        peak = None
print(json.dumps({"again_ms": again, "peak_mb": peak, "torch": "torch" in sys.modules}), flush=True)
"""


def cold_start(programs: Mapping[str, str | Path], *, rounds: int = 3, threads: int = 1) -> pd.DataFrame:
    """How long a new process takes to its first answer, and how much memory it has had at most.

    The programs take turns, round after round. The files have been read before, by whoever wrote or tried them: a
    machine that has just been started takes longer.

    Parameters
    ----------
    programs : dict by name
        A Path is an ONNX file: the process imports numpy and onnxruntime, opens it, and answers one request of zeros. A
        string is Python code that defines `answer()`, with all the imports and the loading that it takes.
    rounds : int
        Processes of each, >= 1.
    threads : int
        Inside each operation of ONNX Runtime; for other programs the value of OMP_NUM_THREADS.

    Returns
    -------
    DataFrame
        One row per program: `start_ms`, from the start of the process to the first answer, the median over the rounds,
        with the lowest and the highest, `start_low_ms` and `start_high_ms`; `again_ms`, a second answer; `peak_mb`, the
        most memory (resident set) of the process, NaN on Windows; `torch`, whether torch was imported; `rounds`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    RuntimeError
        With what a program wrote, if it fails.

    Examples
    --------
    >>> cold_start({"nothing": "answer = dict"}, rounds=1).torch.tolist()
    [False]
    """
    if not isinstance(programs, Mapping) or not programs:
        raise TypeError(f"programs must be a dict with at least one program, got {describe(programs)}")
    rounds, threads = integer("rounds", rounds, at_least=1), integer("threads", threads, at_least=1)
    measured: dict[str, list[dict]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            if isinstance(program, Path):
                program = ONNX.format(path=str(program), threads=threads)
            measured[name].append(_measure(name, program, threads))
    return pd.DataFrame([_row(runs) for runs in measured.values()], index=pd.Index(list(measured), name="program"))


def _measure(name, program, threads):
    command = [sys.executable, "-c", program + MEASURED]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    began = perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        answered = any(line.strip() == "answered" for line in lines)
        start = 1000 * (perf_counter() - began)
        rest = process.stdout.read()
        if process.wait() or not answered:
            errors.seek(0)
            raise RuntimeError(f"program {name!r} failed: {errors.read().strip()}")
    return {"start_ms": start} | json.loads(rest.splitlines()[-1])


def _row(runs):
    starts = [run["start_ms"] for run in runs]
    peaks = [float("nan") if run["peak_mb"] is None else run["peak_mb"] for run in runs]
    return {
        "start_ms": statistics.median(starts),
        "start_low_ms": min(starts),
        "start_high_ms": max(starts),
        "again_ms": statistics.median(run["again_ms"] for run in runs),
        "peak_mb": statistics.median(peaks),
        "torch": any(run["torch"] for run in runs),
        "rounds": len(runs),
    }
