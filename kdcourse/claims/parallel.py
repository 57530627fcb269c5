"""The students of an experiment side by side: a process for each core."""

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
        found = parallel(joblib.delayed(function)(*row) for row in rows)
        return list(tqdm(found, total=len(rows), desc=what, leave=False))
