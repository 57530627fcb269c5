"""Grids of students: train hundreds at once, and get one tidy row for each.

    table = sweep(grid(width=[16, 64], temperature=[1, 4], init_seed=range(8)), garments.subset(10_000), epochs=10)

Students that share an architecture and their batches are trained as one stack, `chunk` of them at a time. A finished
chunk is kept on disk under a name made from everything that determines it, so the same call goes on where it stopped.
"""

import threading
import warnings
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager

import joblib
import numpy as np
import pandas as pd
import torch
from joblib.parallel import get_active_backend
from tqdm.auto import tqdm

from kdcourse._arguments import integer
from kdcourse._examples import check_examples
from kdcourse.data import DataSet
from kdcourse.losses import blended_loss
from kdcourse.models import mlp
from kdcourse.stack import schedule_factors
from kdcourse.sweep.chunk import Chunk, train_chunk
from kdcourse.sweep.kept import Kept
from kdcourse.sweep.settings import check_settings, grid
from kdcourse.train import resolve_device

__all__ = ["grid", "sweep"]

SHARED = ["hidden_layers", "width", "order_seed"]  # what the students of one stack have in common


def sweep(
    grid,
    data,
    *,
    epochs,
    batch_size=128,
    schedule=None,
    device="auto",
    chunk=64,
    resume=None,
    progress=True,
    predictions=False,
    bf16=False,
    tf32=False,
):
    """Train one student per row of `grid` on data.train, and measure each on data.validation and data.test.

    grid         what `grid` returns, or a DataFrame with some of its columns; `width` must be there
    data         DataSet with teacher logits in all three splits. A control is another teacher signal: see `controls`
    epochs, batch_size, schedule
                 as in `train.distill`
    device       "auto" (CUDA, then MPS, then CPU) or a torch device name
    chunk        at most this many students in one stack (on a CPU, fewer in a small sweep: then several stacks can run
                 side by side). 32 to 64 stay in a CPU's cache; a GPU likes more
    resume       folder for finished chunks; None: a folder in this user's cache; False: keep nothing
    progress     show one progress bar
    predictions  add the columns validation_logits and test_logits, a float32 array [N, C] for every student
    bf16         forward passes in bfloat16;  tf32  TensorFloat-32 for the matrix products (CUDA only)
    returns      a DataFrame with the index of `grid`: its settings, epochs, batch_size, examples, parameters, ratio
                 (how many times smaller than the teacher), and for validation and test: accuracy, nll (nats), ece,
                 agreement (share of examples on which student and teacher choose the same class); loss of the last
                 epoch; diverged_at (the step at which the loss was no longer finite, else <NA>; the measures are then
                 NaN); seconds (of its chunk, divided by its students)

    Chunks run side by side, one thread each, on as many threads as `torch.get_num_threads()` says. Inside
    `joblib.parallel_config(backend="dask")` they run on a Dask cluster, with the same results.

    Raises TypeError or ValueError that names the argument, before anything is trained.
    """
    settings = check_settings(grid)
    # Whatever the index is, and tables that were joined repeat theirs, a student is a position until the very end.
    index, settings = settings.index, settings.reset_index(drop=True)
    data = _check_data(data)
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    chunk_size = integer("chunk", chunk, at_least=1)
    factors = schedule_factors(schedule, epochs, len(data.train), batch_size)
    device = resolve_device(device)
    template = Chunk([], epochs, batch_size, schedule, str(device), bool(bf16), bool(tf32), bool(predictions))
    arrays = _arrays(data)
    positions = list(_plan(settings, chunk_size, device))
    chunks = [template._replace(settings=settings.iloc[rows].to_dict("records")) for rows in positions]
    kept = Kept(resume, data, factors, chunks)
    results = [kept.load(i) for i in range(len(chunks))]
    tasks = [(i, one) for i, one in enumerate(chunks) if results[i] is None]
    students = sum(len(one.settings) for _, one in tasks)
    if progress and students < len(settings):
        print(f"{len(settings) - students} of {len(settings)} students were trained before; kept in {kept.folder}")
    with _bar(students, epochs, progress) as bar, closing(_train(tasks, arrays, device, bar)) as trained:
        for i, rows, logits in trained:
            kept.save(i, rows, logits)
            results[i] = rows, logits
    return _table(settings, positions, results, data, epochs, batch_size).set_axis(index)


def _check_data(data):
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
    return data


def _arrays(data):
    """Plain arrays, one by one: joblib shares those with other processes, and Dask sends each of them just once."""
    splits = (data.train, data.validation, data.test)
    return [
        tensor.numpy(force=True)
        for split in splits
        for tensor in (split.inputs, split.labels.long(), split.teacher_logits.float())
    ]


def _plan(settings, chunk_size, device):
    """Positions of the rows that go into each chunk: students of one kind, in chunks of about equal size."""
    if device.type == "cpu":
        # One stack on two threads gains little on a quiet machine and can collapse on a busy one; two stacks side by
        # side do not. So even a small sweep is cut into some chunks. (Not by the number of cores: a chunk that was kept
        # on one machine should be found on another.)
        chunk_size = min(chunk_size, max(8, -(-len(settings) // 4)))
    for _, rows in settings.groupby(SHARED):
        # Sorted, so that a chunk is the same whatever the order of the grid, and equal learning rates are neighbours.
        rows = rows.sort_values(["lr", "weight_decay", *rows.columns], kind="stable").index.to_numpy()
        yield from np.array_split(rows, -(-len(rows) // chunk_size))


def _train(tasks, arrays, device, bar):
    """The results of `train_chunk`, as they come."""
    left, lost = dict(tasks), 0
    while left:
        try:
            with closing(_train_once(list(left.items()), arrays, device, bar)) as trained:
                for i, rows, logits in trained:
                    del left[i]
                    lost = 0
                    yield i, rows, logits
        except CancelledError:
            # A Dask worker died that alone held the data. They are sent again, with the chunks that are left.
            lost += 1
            if lost > 3:
                raise


def _train_once(tasks, arrays, device, bar):
    backend, _ = get_active_backend(prefer="threads")
    in_threads = getattr(backend, "uses_threads", False)
    jobs = None  # whatever was configured
    if in_threads:
        jobs = 1 if device.type != "cpu" else max(1, min(torch.get_num_threads(), len(tasks)))
    stop, idle = threading.Event(), threading.Semaphore(jobs or 0)

    def after_epoch(students):
        if stop.is_set():  # nobody waits for this chunk any more
            raise _Stopped
        bar.update(students)

    def in_thread(*arguments):
        with idle:
            after_epoch(0)
            return train_chunk(*arguments, after_epoch=after_epoch)

    train_one = in_thread if in_threads else train_chunk  # a bar cannot travel to another process
    with _threads_per_job(jobs):
        run = joblib.Parallel(jobs, prefer="threads", return_as="generator_unordered", batch_size=1)
        results = run(joblib.delayed(train_one)(i, one, *arrays) for i, one in tasks)
        try:
            for i, rows, logits in results:
                if not in_threads:
                    bar.update(len(rows) * tasks[0][1].epochs)
                yield i, rows, logits
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


@contextmanager
def _threads_per_job(jobs):
    """While chunks run in threads of this process, each has one for its arithmetic."""
    before = torch.get_num_threads()
    if jobs is not None:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _table(settings, positions, results, data, epochs, batch_size):
    measured, logits = [None] * len(settings), {}
    for rows, (measures, arrays) in zip(positions, results, strict=True):
        for place, position in enumerate(rows):
            measured[position] = measures[place]
            for split, array in arrays.items():
                logits.setdefault(f"{split}_logits", [None] * len(settings))[position] = array[place]
    measured = pd.DataFrame(measured, index=settings.index)
    table = settings.assign(epochs=epochs, batch_size=batch_size, examples=len(data.train))
    table["parameters"] = measured.pop("parameters")
    table["ratio"] = np.nan if data.teacher_parameters is None else data.teacher_parameters / table["parameters"]
    diverged_at, seconds = measured.pop("diverged_at").astype("Int64"), measured.pop("seconds")
    table = table.join(measured.astype("float64")).assign(diverged_at=diverged_at, seconds=seconds)
    for name in ("validation_logits", "test_logits"):  # a file does not keep their order
        if name in logits:
            table[name] = pd.Series(logits[name], index=settings.index)
    return table
