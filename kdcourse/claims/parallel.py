"""The students of an experiment side by side: a process for each core."""

import ctypes
import platform
from collections.abc import Callable, Sequence
from typing import Any

import joblib
import torch
from tqdm.auto import tqdm

from kdcourse.devices import resolve_device


def side_by_side(run: Any, function: Callable, rows: Sequence[tuple], what: str) -> list:
    """The function of each row, in their order, as many at a time as torch has threads; a GPU takes one after another.

    In processes of one thread each: threads that train small students wait for each other, since Python has one lock.
    What function and rows hold is copied to the process.

    Parameters
    ----------
    run : ledger.Bench
        Of which the device counts.
    what : str
        Beside the bar.
    """
    on_cpu = resolve_device(run.device).type == "cpu"
    jobs = min(torch.get_num_threads(), len(rows)) if on_cpu else 1
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(max(1, jobs), return_as="generator")
        found = parallel(joblib.delayed(_at_work)(function, *row) for row in rows)
        return list(tqdm(found, total=len(rows), desc=what, leave=False))


def keep_freed_memory() -> None:
    """From now on, this process keeps what it frees for its next step; where the C library is not glibc, nothing.

    glibc gives blocks above 32 MB back to the system at once, and has the next step fetch every page anew: a step of a
    student with 11 million weights took twice as long (malloc(3), mallopt(3)).
    """
    if platform.libc_ver()[0] == "glibc":
        for setting in (-3, -1):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            ctypes.CDLL(None).mallopt(setting, 2**31 - 1)


def _at_work(function, *row):
    keep_freed_memory()
    return function(*row)
