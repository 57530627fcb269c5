"""A sweep gives the same table in chunks of any size, in threads, in other processes, and in too little memory."""

import contextlib
import threading

import joblib
import pandas as pd
import pytest
import torch
from blobs import C, D, blobs, close, mixed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from kdcourse._process import arithmetic_threads, matmul_precision
from kdcourse.losses import kd_loss
from kdcourse.sweep import grid, run, sweep

pytestmark = pytest.mark.slow  # other processes

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


def test_chunks_run_side_by_side_with_one_thread_each(data, table, before_each_stack, two_threads):
    meeting, threads = threading.Barrier(2), []

    def meet(_):
        meeting.wait(60)  # two chunks are under way at once, or this breaks
        threads.append((threading.get_ident(), torch.get_num_threads()))

    before_each_stack(meet)
    before = torch.get_rng_state()
    found = sweep(mixed(), data, chunk=2, **RUN, **QUIET)
    assert len(threads) == 10
    assert len({name for name, _ in threads}) == 2
    assert {count for _, count in threads} == {1}
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)
    close(found, table)


@pytest.mark.parametrize("fails", [False, True])
def test_overlapping_sweeps_leave_the_threads_as_they_were(data, before_each_stack, two_threads, fails):
    """One sweep begins, the other begins and ends (or fails), and only then the first one ends."""
    begun, over = threading.Event(), threading.Event()

    def wait_or_fail(stack):
        if stack.sizes[1] == 9:
            begun.set()
            assert over.wait(60)
        elif fails:
            raise ZeroDivisionError

    before_each_stack(wait_or_fail)
    tables = []
    first = threading.Thread(
        target=lambda: tables.append(sweep(grid(width=9, init_seed=range(4)), data, **RUN, **QUIET))
    )
    first.start()
    assert begun.wait(60)
    if fails:
        with pytest.raises(ZeroDivisionError):
            sweep(grid(width=5, init_seed=range(4)), data, **RUN, **QUIET)
    else:
        tables.append(sweep(grid(width=5, init_seed=range(4)), data, **RUN, **QUIET))
    assert torch.get_num_threads() == 2
    over.set()
    first.join(60)
    assert len(tables) == 2 - fails
    counts = [torch.get_num_threads()]
    new = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))  # starts with what was set last
    new.start()
    new.join()
    assert counts == [2, 2]


def test_settings_of_the_process_come_back_in_any_order_of_leaving():
    before = torch.get_float32_matmul_precision()
    for leaves_first in (0, 1):
        users = [matmul_precision("high"), matmul_precision("medium")]
        for user in users:
            user.__enter__()
        users.pop(leaves_first).__exit__(None, None, None)
        assert torch.get_float32_matmul_precision() == "medium"
        users[0].__exit__(None, None, None)
        assert torch.get_float32_matmul_precision() == before


@pytest.mark.usefixtures("two_threads")
def test_a_number_of_threads_within_another_gives_way_to_that_one_again():
    begun, over = threading.Event(), threading.Event()

    def meanwhile():
        with arithmetic_threads(5):
            begun.set()
            assert over.wait(60)

    other = threading.Thread(target=meanwhile)
    other.start()
    assert begun.wait(60)
    with arithmetic_threads(3):
        with contextlib.suppress(ZeroDivisionError), arithmetic_threads(1):
            with arithmetic_threads(4):
                pass
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == 3
    counts = [torch.get_num_threads()]
    over.set()
    other.join(60)
    new = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))  # starts with what was set last
    new.start()
    new.join()
    assert counts == [2, 2]


@pytest.mark.parametrize(
    ("students", "jobs", "options", "sizes"),
    [
        ({8: 32}, 1, {}, [32]),
        ({8: 32}, 2, {}, [16, 16]),
        ({8: 200}, 2, {}, [50, 50, 50, 50]),  # of at most 64, an even number
        ({8: 6, 64: 6}, 2, {}, [6, 6]),
        ({8: 6, 64: 6}, 4, {}, [2, 2, 2, 6]),  # the wide ones take longest
        ({8: 130}, 1, {}, [44, 43, 43]),
        ({8: 6}, 1, {"largest": 2 * 4 * D * 8}, [2, 2, 2]),  # what two students need
        ({8: 3}, 1, {"largest": 1}, [1, 1, 1]),
    ],
)
def test_stacks_are_as_large_as_they_can_be_with_all_cores_busy(students, jobs, options, sizes):
    settings = pd.concat([grid(width=width, init_seed=range(count)) for width, count in students.items()])
    stacks = run._plan(settings.reset_index(drop=True), (D, C), 64, jobs, **options)
    assert [len(stack) for stack in stacks] == sizes
    assert sorted(position for stack in stacks for position in stack) == list(range(len(settings)))


def test_sweeps_that_run_side_by_side_take_one_thread_each(data, before_each_stack, two_threads):
    stacks = []
    before_each_stack(lambda stack: stacks.append((len(stack), torch.get_num_threads())))
    calls = [joblib.delayed(sweep)(grid(width=width, init_seed=range(4)), data, **RUN, **QUIET) for width in (3, 4, 5)]
    joblib.Parallel(2, backend="threading")(calls)
    assert stacks == [(4, 1)] * 3
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


@pytest.mark.usefixtures("loky")
def test_a_loss_travels_to_other_processes_with_what_it_holds(data):
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0])

    def weighted(student_logits, teacher_logits, labels):
        return weights[labels] * kd_loss(student_logits, teacher_logits, reduction="none")

    settings = grid(width=[5, 9], init_seed=[0, 1])
    found = sweep(settings, data, loss=weighted, **RUN, **QUIET)
    with joblib.parallel_config(backend="threading"):
        close(found, sweep(settings, data, loss=weighted, **RUN, **QUIET))


# ---- in too little memory ----


def test_a_stack_that_does_not_fit_is_halved_until_it_does(data, table, before_each_stack):
    tried = []

    def cramped(stack):
        tried.append(len(stack))
        if len(stack) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    before_each_stack(cramped)
    close(sweep(mixed(), data, **RUN, **QUIET), table)
    assert max(tried) == 8
    assert sum(size for size in tried if size <= 3) == 20


def test_a_student_that_does_not_fit_alone_is_an_error(data, before_each_stack):
    def full(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    before_each_stack(full)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        sweep(grid(width=5, init_seed=range(5)), data, **RUN, **QUIET)
