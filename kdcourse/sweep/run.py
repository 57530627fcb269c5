"""The sweep itself: which students go into which stack, where the stacks run, and the table of what came out."""

import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing
from itertools import pairwise
from os import PathLike
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from joblib.parallel import get_active_backend
from tqdm.auto import tqdm

from kdcourse._arguments import integer, one_of
from kdcourse._process import arithmetic_threads
from kdcourse.data import DataSet
from kdcourse.devices import resolve_device
from kdcourse.stack import schedule_factors
from kdcourse.sweep.checks import check_data, check_loss_on, seeded, taught_by_nobody
from kdcourse.sweep.chunk import Chunk, sizes_of, train_chunk
from kdcourse.sweep.kept import Kept
from kdcourse.sweep.settings import check_settings

SHARED = ["hidden_layers", "width", "order_seed"]  # what the students of one stack have in common
# Bytes of the largest layer of a stack on a CPU. From about 32 MB on, the C library of Linux takes the memory of every
# gradient anew from the kernel, which can cost more than to compute it.
LARGEST = 24 * 2**20


def sweep(
    grid: pd.DataFrame,
    data: DataSet,
    *,
    epochs: int,
    batch_size: int = 128,
    schedule: Callable[[float], float] | None = None,
    direction: str = "forward",
    loss: Callable | None = None,
    student: Callable[[dict], torch.nn.Module] | None = None,
    device: str = "auto",
    chunk: int = 64,
    resume: str | PathLike | bool | None = None,
    progress: bool = True,
    predictions: bool | str = False,
    bf16: bool = False,
    tf32: bool = False,
) -> pd.DataFrame:
    """Train one student per row of `grid` on data.train, and measure each on data.validation and data.test.

    Stacks run side by side, one thread each, on as many threads as `torch.get_num_threads()` says. Inside
    `joblib.parallel_config(backend="dask")` they run on a Dask cluster, with the same results. A sweep inside a
    `joblib.Parallel` runs on one thread.

    Parameters
    ----------
    grid
        What `grid` returns, or a DataFrame with some of its columns; `width` must be there.
    data
        With teacher logits in all three splits; without a teacher, students learn from labels alone (soft_weight 0).
        A control is another teacher signal: see `controls`. Inputs that are ids, [N, L], need its `vocabulary`; the
        students then are those of `mlp(..., ids=True)`.
    epochs, batch_size, schedule, direction
        As in `train.distill`.
    loss
        As in `stack.distill_stack`, the same for all students, whose grid then has no temperature and no soft_weight.
        Finished students are kept under its code and the values it uses.
    student
        A function of a row of the grid, as a dict, that makes its student, inputs [N, ...] -> logits [N, C]. It is
        called with torch's generator at row["init_seed"]; what `width` means is up to it. Kept under its code as a
        loss is. Such students train one by one, with `train.distill`, and a loss that is not finite ends the sweep. One
        that draws in training (dropout) disturbs those beside it, for torch has one generator. None: MLPs.
    device
        "auto" (CUDA, then MPS, then CPU) or a torch device name.
    chunk
        At most this many students in one stack, and no fewer than it takes to keep all cores busy. 32 to 64 stay in a
        CPU's cache, and no layer of a stack there passes 24 MB; a GPU likes more.
    resume
        Folder for finished students; None: a folder in this user's cache; False: keep nothing.
    progress
        Show one progress bar.
    predictions
        True: add the columns validation_logits and test_logits, a float32 array [N, C] for every student. "right": add
        test_right instead, a bool array [N]: does the student get the example right? (Never, if it diverged.)
    bf16, tf32
        Forward passes in bfloat16; TensorFloat-32 for the matrix products (CUDA only).

    Returns
    -------
    DataFrame
        With the index of `grid`: its settings, epochs, batch_size, examples, parameters, ratio (how many times smaller
        than the teacher), and for validation and test: accuracy, nll (nats), ece, agreement (share of examples on which
        student and teacher choose the same class; NaN without one) and, of two classes, auroc; loss of the last epoch;
        diverged_at (the
        step at which the loss was no longer finite, else <NA>; the measures are then NaN); seconds (of its stack,
        divided by its students).

    Raises
    ------
    TypeError, ValueError
        Naming the argument, before anything is trained.

    Examples
    --------
    >>> import torch
    >>> from kdcourse.data import DataSet, Split
    >>> from kdcourse.sweep import grid, sweep
    >>> inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    >>> half = [Split(part[:, :2].argmax(1), 3 * part[:, :2], inputs=part) for part in inputs.split(20)]
    >>> data = DataSet("halves", *half, class_names=("left", "right"), teacher_parameters=100)
    >>> table = sweep(grid(width=8, lr=0.1, init_seed=[0, 1]), data, epochs=20, resume=False, progress=False)
    >>> bool((table["test_accuracy"] > 0.8).all()), table["ratio"].round(1).tolist()
    (True, [1.7, 1.7])
    """
    settings = check_settings(grid)
    # Whatever the index is, and tables that were joined repeat theirs, a student is a position until the very end.
    index, settings = settings.index, settings.reset_index(drop=True)
    students = settings.to_dict("records")
    given, data = data, taught_by_nobody(data, settings, loss)
    student = None if student is None else seeded(student)
    check_data(data, direction, None if student is None else student(students[0]))
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    chunk_size = integer("chunk", chunk, at_least=1)
    logits = one_of("predictions", predictions, [False, True, "right"]) not in (False, "right")
    factors = schedule_factors(schedule, epochs, len(data.train), batch_size)
    where = resolve_device(device)
    if loss is not None and student is None:  # else `distill` tries it
        check_loss_on(data, loss, settings, direction)
    shared: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "direction": direction, "device": str(where)}
    shared |= {"bf16": bool(bf16), "tf32": bool(tf32), "vocabulary": data.vocabulary}
    chunk_size = chunk_size if student is None else 1
    kept = Kept(resume, data, shared | {"factors": factors}, logits, loss, student, students)
    results = [kept.load(position) for position in range(len(students))]
    left = [position for position, found in enumerate(results) if found is None]
    if progress and len(left) < len(students):
        print(f"{len(students) - len(left)} of {len(students)} students were trained before; kept in {kept.folder}")
    jobs, in_threads = _jobs(where)
    ends = data.vocabulary or data.train.inputs.shape[1], data.train.teacher_logits.shape[1]
    stacks = _plan(settings.loc[left], ends, chunk_size, jobs, LARGEST if where.type == "cpu" else sys.maxsize)
    tasks = {
        place: Chunk(
            [students[one] for one in rows], schedule=schedule, loss=loss, logits=logits, student=student, **shared
        )
        for place, rows in enumerate(stacks)
    }
    with _bar(len(left), epochs, progress) as bar, closing(_train(tasks, _arrays(data), jobs, in_threads, bar)) as done:
        for place, rows, arrays in done:
            for member, position in enumerate(stacks[place]):
                results[position] = rows[member], {name: array[member] for name, array in arrays.items()}
                kept.save(position, *results[position])
    table = _table(settings, results, data, epochs, batch_size, predictions).set_axis(index)
    return table if given is data else table.assign(validation_agreement=np.nan, test_agreement=np.nan)


def _arrays(data):
    """Plain arrays, one by one: joblib shares those with other processes, and Dask sends each of them just once."""
    splits = (data.train, data.validation, data.test)
    return [
        tensor.numpy(force=True)
        for split in splits
        for tensor in (split.inputs, split.labels.long(), split.teacher_logits.float())
    ]


def _jobs(device):
    """How many stacks are trained at a time, and whether they are in threads of this process."""
    backend, _ = get_active_backend(prefer="threads")
    if not getattr(backend, "uses_threads", False):
        return max(1, joblib.effective_n_jobs(None)), False  # whatever was configured
    alone = device.type == "cpu" and not backend.nesting_level
    return (torch.get_num_threads() if alone else 1), True


def _plan(settings, ends, chunk_size, jobs, largest=sys.maxsize):
    """Positions of the students in each stack: all of one kind, and as many stacks as keep `jobs` busy to the end.

    One stack on two threads gains little on a quiet machine and can collapse on a busy one; two stacks side by side do
    not. So the largest stack is cut, again and again, until there is a multiple of `jobs`. `ends` are the widths of the
    inputs and of the outputs; no layer of a stack passes `largest` bytes.
    """
    # Sorted, so that equal learning rates are neighbours.
    kinds = [
        rows.sort_values(["lr", "weight_decay", *rows.columns], kind="stable") for _, rows in settings.groupby(SHARED)
    ]
    layers = [[4 * a * b for a, b in pairwise(sizes_of(rows.iloc[0], *ends))] for rows in kinds]  # bytes of a student's
    counts = [
        -(-len(rows) // min(chunk_size, max(1, largest // max(sizes))))
        for rows, sizes in zip(kinds, layers, strict=True)
    ]

    def work(k):
        return len(kinds[k]) / counts[k] * sum(layers[k])

    while sum(counts) % jobs:
        divisible = [k for k, rows in enumerate(kinds) if counts[k] < len(rows)]
        if not divisible:
            break
        counts[max(divisible, key=work)] += 1
    # The longest come first: at the end, nothing long is left for one core alone.
    longest_first = sorted(range(len(kinds)), key=work, reverse=True)
    return [stack for k in longest_first for stack in np.array_split(kinds[k].index.to_numpy(), counts[k])]


def _train(tasks, arrays, jobs, in_threads, bar):
    """The results of `train_chunk`, as they come."""
    left, lost = dict(tasks), 0
    while left:
        try:
            with closing(_train_once(list(left.items()), arrays, jobs, in_threads, bar)) as trained:
                for place, rows, kept in trained:
                    del left[place]
                    lost = 0
                    yield place, rows, kept
        except CancelledError:
            # A Dask worker died that alone held the data. They are sent again, with the chunks that are left.
            lost += 1
            if lost > 3:
                raise


def _train_once(tasks, arrays, jobs, in_threads, bar):
    jobs = min(jobs, len(tasks)) if in_threads else None
    stop, idle = threading.Event(), threading.Semaphore(jobs or 0)

    def after_epoch(students):
        if stop.is_set():  # nobody waits for this chunk any more
            raise _Stopped
        bar.update(students)

    def in_thread(*arguments):
        with idle, arithmetic_threads(1):
            after_epoch(0)
            return train_chunk(*arguments, after_epoch=after_epoch)

    train_one = in_thread if in_threads else train_chunk  # a bar cannot travel to another process
    run = joblib.Parallel(jobs, prefer="threads", return_as="generator_unordered", batch_size=1)
    results = run(joblib.delayed(train_one)(place, one, *arrays) for place, one in tasks)
    try:
        for place, rows, kept in results:
            if not in_threads:
                bar.update(len(rows) * tasks[0][1].epochs)
            yield place, rows, kept
    finally:
        stop.set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib's advice on results that nobody took: there was an error
            results.close()
        # Threads end with their epoch. One that still computes while Python shuts down would abort the process.
        if in_threads:
            for _ in range(jobs):
                idle.acquire()
            idle.release(jobs)


class _Stopped(Exception):
    """Raised in a thread whose sweep was interrupted."""


def _bar(students, epochs, progress):
    return tqdm(
        total=students * epochs,
        desc=f"{students} students",
        bar_format="{l_bar}{bar}| {elapsed} < {remaining}",
        leave=False,
        disable=not progress or not students,
    )


def _table(settings, results, data, epochs, batch_size, predictions):
    measured = pd.DataFrame([row for row, _ in results], index=settings.index)
    table = settings.assign(epochs=epochs, batch_size=batch_size, examples=len(data.train))
    table["parameters"] = measured.pop("parameters")
    table["ratio"] = np.nan if data.teacher_parameters is None else data.teacher_parameters / table["parameters"]
    diverged_at, seconds = measured.pop("diverged_at").astype("Int64"), measured.pop("seconds")
    table = table.join(measured.astype("float64")).assign(diverged_at=diverged_at, seconds=seconds)
    if predictions == "right":
        right = [np.unpackbits(arrays["test_right"], count=len(data.test)).astype(bool) for _, arrays in results]
        table["test_right"] = pd.Series(right, index=settings.index)
    elif predictions:
        for split in ("validation", "test"):
            table[f"{split}_logits"] = pd.Series([arrays[split] for _, arrays in results], index=settings.index)
    return table
