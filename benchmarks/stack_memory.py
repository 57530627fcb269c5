"""How much memory ways to train students take, each in a fresh process: a part of `benchmarks/stack.py`."""

import math
import subprocess
import sys
from pathlib import Path

import stack_arms as arms
import torch

from kdcourse.models import StudentStack, count_parameters, mlp


def memory(cases, device):
    """One row for each case (way, name of a function below, width, students). Empty on Windows, which cannot say."""
    if sys.platform == "win32":
        return []
    rows = []
    for way, run, width, students in cases:
        call = f"import stack_memory as m; print(m.peak_bytes(m.{run}, {width}, {students}, {device!r}))"
        said = subprocess.check_output([sys.executable, "-c", call], text=True, cwd=Path(__file__).resolve().parent)
        parameters = students * count_parameters(mlp((arms.INPUTS, width, arms.CLASSES), seed=0))
        rows.append({"way": way, "width": width, "students": students, "parameters": parameters, "bytes": int(said)})
    return rows


def peak_bytes(run, width, students, device):
    """How far `run` raises this process's largest resident memory, or on CUDA the largest memory its tensors held.

    The examples are random (memory does not look at them): reading the real ones would raise the peak beforehand.
    """
    torch.set_num_threads(1)
    inputs, logits = torch.randn(10_000, arms.INPUTS, device=device), torch.randn(10_000, arms.CLASSES, device=device)
    examples = arms.Examples(inputs, logits.argmax(1), logits)
    run(8, 2, examples)  # what PyTorch imports at the first step is not the students' memory
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()  # to what is held now
    before = _largest(device)
    run(width, students, examples)
    return _largest(device) - before


def _largest(device):
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run_stack(width, students, examples):
    stack = StudentStack((arms.INPUTS, width, arms.CLASSES), range(students))
    arms.train_stack(stack.to(examples.inputs.device), examples, epochs=2)


def run_vmapped(width, students, examples):
    steps = arms.vmapped_students(width, students, examples)
    for _ in range(2 * math.ceil(len(examples.inputs) / arms.BATCH)):
        next(steps)


def run_one_by_one(width, students, examples):
    for seed in range(students):
        arms.train_alone(mlp((arms.INPUTS, width, arms.CLASSES), seed), examples, epochs=2)
