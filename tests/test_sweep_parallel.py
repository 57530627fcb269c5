"""A sweep gives the same table in chunks of any size, in threads, in other processes, and in too little memory."""

import threading

import joblib
import pandas as pd
import pytest
import torch
from blobs import blobs, close, mixed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from kdcourse.sweep import chunk, grid, sweep

QUIET = {"device": "cpu", "progress": False, "resume": False}
RUN = {"epochs": 3, "batch_size": 64, "predictions": True}


@pytest.fixture(scope="module")
def data():
    return blobs()


@pytest.fixture(scope="module")
def table(data):
    """All in one thread and in chunks as they come."""
    return sweep(mixed(), data, **RUN, **QUIET)


# ---- in chunks, in any order ----


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_the_size_of_a_chunk_does_not_matter(data, table, chunk):
    close(sweep(mixed(), data, chunk=chunk, **RUN, **QUIET), table)


def test_the_order_of_the_rows_does_not_matter(data, table):
    shuffled = mixed().sample(frac=1, random_state=2)
    close(sweep(shuffled, data, chunk=3, **RUN, **QUIET), table.loc[shuffled.index])


def test_joined_grids_may_repeat_their_index(data, table):
    joined = mixed().set_axis([0, 1, 2, 0, 1] * 4)
    close(sweep(joined, data, **RUN, **QUIET), table.set_axis(joined.index))
    named = mixed().set_axis(pd.MultiIndex.from_product([["a", "b"], range(10)], names=["arm", "row"]))
    close(sweep(named, data, **RUN, **QUIET), table.set_axis(named.index))


# ---- side by side ----


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_chunks_run_side_by_side_with_one_thread_each(data, table, monkeypatch, two_threads):
    inner, meeting, threads = chunk.distill_stack, threading.Barrier(2), []

    def watched(*arguments, **options):
        meeting.wait(60)  # two chunks are under way at once, or this breaks
        threads.append((threading.get_ident(), torch.get_num_threads()))
        return inner(*arguments, **options)

    monkeypatch.setattr(chunk, "distill_stack", watched)
    before = torch.get_rng_state()
    found = sweep(mixed(), data, chunk=2, **RUN, **QUIET)
    assert len(threads) == 10
    assert len({name for name, _ in threads}) == 2
    assert {count for _, count in threads} == {1}
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)
    close(found, table)


def test_an_error_in_one_thread_stops_the_sweep_and_restores_the_threads(data, monkeypatch, two_threads):
    inner = chunk.distill_stack

    def failing(stack, *arguments, **options):
        if stack.sizes[1] == 9:
            raise ZeroDivisionError("width 9")
        return inner(stack, *arguments, **options)

    monkeypatch.setattr(chunk, "distill_stack", failing)
    with pytest.raises(ZeroDivisionError, match="width 9"):
        sweep(mixed(), data, **RUN, **QUIET)
    assert torch.get_num_threads() == 2


@pytest.fixture
def loky(monkeypatch):
    """Two processes, to which all data are sent for reading only; a warning about that would be an error."""
    monkeypatch.setenv("PYTHONWARNINGS", "error:The given NumPy array is not writable:UserWarning")
    with joblib.parallel_config(backend="loky", n_jobs=2, max_nbytes=1):
        yield
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.mark.usefixtures("loky")
def test_other_processes_give_the_same_table_and_the_bar_counts_what_they_finish(data, table, tmp_path, monkeypatch):
    bars = []
    monkeypatch.setattr("kdcourse.sweep.run.tqdm", lambda **options: bars.append(tqdm(**options)) or bars[-1])
    close(sweep(mixed(), data, chunk=3, **RUN, **{**QUIET, "resume": tmp_path, "progress": True}), table)
    assert [(bar.n, bar.total, bar.disable) for bar in bars] == [(60, 60, True)]


# ---- in too little memory ----


def test_a_stack_that_does_not_fit_is_halved_until_it_does(data, table, monkeypatch):
    inner, tried = chunk.distill_stack, []

    def cramped(stack, *arguments, **options):
        tried.append(len(stack))
        if len(stack) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(stack, *arguments, **options)

    monkeypatch.setattr(chunk, "distill_stack", cramped)
    close(sweep(mixed(), data, **RUN, **QUIET), table)
    assert max(tried) == 8
    assert sum(size for size in tried if size <= 3) == 20


def test_a_student_that_does_not_fit_alone_is_an_error(data, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(chunk, "distill_stack", full)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        sweep(grid(width=5, init_seed=range(5)), data, **RUN, **QUIET)
