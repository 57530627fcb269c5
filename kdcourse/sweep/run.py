"""The sweep itself: which students go into which stack, where the stacks run, and the table of what came out."""

import threading
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing
from os import PathLike
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from joblib.parallel import get_active_backend
from tqdm.auto import tqdm

from kdcourse._arguments import integer
from kdcourse._examples import check_examples
from kdcourse._process import arithmetic_threads
from kdcourse.data import DataSet
from kdcourse.devices import resolve_device
from kdcourse.losses import blended_loss
from kdcourse.models import StudentStack, mlp
from kdcourse.stack import check_loss, only_one_per_student, schedule_factors
from kdcourse.sweep.chunk import Chunk, train_chunk
from kdcourse.sweep.kept import Kept
from kdcourse.sweep.settings import check_settings

SHARED = ["hidden_layers", "width", "order_seed"]  # what the students of one stack have in common


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
    predictions: bool = False,
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
        With teacher logits in all three splits. A control is another teacher signal: see `controls`.
    epochs, batch_size, schedule, direction
        As in `train.distill`.
    loss
        As in `stack.distill_stack`, the same for all students, whose grid then has no temperature and no soft_weight.
        Finished students are kept under its code and the values it uses.
    student
        A function of a row of the grid, as a dict, that makes its student, with initial weights of row["init_seed"]:
        [N, D] -> [N, C]; what `width` means is up to it. Kept under its code as a loss is. Such students train one by
        one, with `train.distill`, and a loss that is not finite ends the sweep. None: MLPs.
    device
        "auto" (CUDA, then MPS, then CPU) or a torch device name.
    chunk
        At most this many students in one stack, and no fewer than it takes to keep all cores busy. 32 to 64 stay in a
        CPU's cache; a GPU likes more.
    resume
        Folder for finished students; None: a folder in this user's cache; False: keep nothing.
    progress
        Show one progress bar.
    predictions
        Add the columns validation_logits and test_logits, a float32 array [N, C] for every student.
    bf16, tf32
        Forward passes in bfloat16; TensorFloat-32 for the matrix products (CUDA only).

    Returns
    -------
    DataFrame
        With the index of `grid`: its settings, epochs, batch_size, examples, parameters, ratio (how many times smaller
        than the teacher), and for validation and test: accuracy, nll (nats), ece, agreement (share of examples on which
        student and teacher choose the same class); loss of the last epoch; diverged_at (the step at which the loss was
        no longer finite, else <NA>; the measures are then NaN); seconds (of its stack, divided by its students).

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
    _check_data(data, direction)
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    chunk_size = integer("chunk", chunk, at_least=1)
    factors = schedule_factors(schedule, epochs, len(data.train), batch_size)
    where = resolve_device(device)
    if loss is not None:
        _check_loss(loss, settings, direction, data.train, alone=student is not None)
    shared: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "direction": direction, "device": str(where)}
    shared |= {"bf16": bool(bf16), "tf32": bool(tf32), "predictions": bool(predictions)}
    students = settings.to_dict("records")
    if student is not None:
        chunk_size, train = 1, data.train
        check_examples(student(students[0]), train.inputs, labels=train.labels, teacher_logits=train.teacher_logits)
    kept = Kept(resume, data, shared | {"factors": factors}, loss, student, students)
    results = [kept.load(position) for position in range(len(students))]
    left = [position for position, found in enumerate(results) if found is None]
    if progress and len(left) < len(students):
        print(f"{len(students) - len(left)} of {len(students)} students were trained before; kept in {kept.folder}")
    jobs, in_threads = _jobs(where)
    stacks = _plan(settings.loc[left], chunk_size, jobs)
    tasks = {
        place: Chunk([students[position] for position in rows], schedule=schedule, loss=loss, student=student, **shared)
        for place, rows in enumerate(stacks)
    }
    with _bar(len(left), epochs, progress) as bar, closing(_train(tasks, _arrays(data), jobs, in_threads, bar)) as done:
        for place, rows, logits in done:
            for member, position in enumerate(stacks[place]):
                results[position] = rows[member], {name: array[member] for name, array in logits.items()}
                kept.save(position, *results[position])
    return _table(settings, results, data, epochs, batch_size).set_axis(index)


def _check_data(data, direction):
    if not isinstance(data, DataSet):
        raise TypeError(f"data must be a DataSet, got {type(data).__name__}")
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        if len(split) == 0:
            raise ValueError(f"data.{name} must hold at least one example, got none")
        if split.teacher_logits is None:
            raise ValueError(f"data.{name} must hold the teacher's logits, got None")
        for part in ("inputs", "teacher_logits"):
            shape = list(getattr(split, part).shape)
            if len(shape) != 2:
                raise ValueError(f"data.{name}.{part} must be [N, D] and [N, C], got shape {shape}")
    student = mlp([data.train.inputs.shape[1], data.train.teacher_logits.shape[1]], seed=0)
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        logits = split.teacher_logits
        try:
            _, labels = check_examples(student, split.inputs, labels=split.labels, teacher_logits=logits)
            blended_loss(torch.zeros_like(logits), logits, labels)
        except (TypeError, ValueError) as error:
            raise type(error)(f"data.{name}: {error}") from None
    logits = data.train.teacher_logits
    blended_loss(torch.zeros_like(logits), logits, data.train.labels.long(), direction=direction)


def _check_loss(loss, settings, direction, train, *, alone):
    only_one_per_student(loss, settings["temperature"], settings["soft_weight"], direction)
    if alone:  # `distill` tries the loss on what one student says
        return
    logits = train.teacher_logits.detach().float()
    check_loss(loss, StudentStack([train.inputs.shape[1], logits.shape[1]], [0, 1]), train.inputs, logits, train.labels)


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


def _plan(settings, chunk_size, jobs):
    """Positions of the students in each stack: all of one kind, and as many stacks as keep `jobs` busy to the end.

    One stack on two threads gains little on a quiet machine and can collapse on a busy one; two stacks side by side do
    not. So the largest stack is cut, again and again, until there is a multiple of `jobs`.
    """
    # Sorted, so that equal learning rates are neighbours.
    kinds = [
        rows.sort_values(["lr", "weight_decay", *rows.columns], kind="stable") for _, rows in settings.groupby(SHARED)
    ]
    counts = [-(-len(rows) // chunk_size) for rows in kinds]

    def work(k):
        return len(kinds[k]) / counts[k] * kinds[k]["width"].iloc[0] * kinds[k]["hidden_layers"].iloc[0]

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
                for place, rows, logits in trained:
                    del left[place]
                    lost = 0
                    yield place, rows, logits
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
        for place, rows, logits in results:
            if not in_threads:
                bar.update(len(rows) * tasks[0][1].epochs)
            yield place, rows, logits
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


def _table(settings, results, data, epochs, batch_size):
    measured = pd.DataFrame([row for row, _ in results], index=settings.index)
    table = settings.assign(epochs=epochs, batch_size=batch_size, examples=len(data.train))
    table["parameters"] = measured.pop("parameters")
    table["ratio"] = np.nan if data.teacher_parameters is None else data.teacher_parameters / table["parameters"]
    diverged_at, seconds = measured.pop("diverged_at").astype("Int64"), measured.pop("seconds")
    table = table.join(measured.astype("float64")).assign(diverged_at=diverged_at, seconds=seconds)
    for split in ("validation", "test"):
        if split in results[0][1]:
            table[f"{split}_logits"] = pd.Series([logits[split] for _, logits in results], index=settings.index)
    return table
