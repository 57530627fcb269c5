"""The same sweep on a Dask cluster: a real scheduler, real worker processes, and real deaths among them."""

import multiprocessing
import os
import signal
from concurrent.futures import CancelledError
from multiprocessing import forkserver

import dask
import joblib
import psutil
import pytest
from blobs import blobs, close
from distributed import Client, LocalCluster

from kdcourse.sweep import chunk, grid, kept, sweep

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
DATA = blobs()
GRID = grid(width=[5, 9], temperature=[1, 4], lr=[0.01, 1e30], init_seed=range(3))  # half of them diverge
RUN = {"epochs": 4, "batch_size": 64, "chunk": 2, "device": "cpu", "progress": False, "predictions": True}  # 12 chunks


@pytest.fixture(scope="module")
def table():
    return sweep(GRID, DATA, resume=False, **RUN)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A client of two worker processes on this machine, at ports that are free. Nothing of it is left behind."""
    folder = tmp_path_factory.mktemp("workers")
    if METHOD == "forkserver":  # import once, whatever number of workers has to be started
        forkserver.set_forkserver_preload(["distributed", "kdcourse.sweep", "torch._dynamo"])
        forkserver.ensure_running()
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": METHOD}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", local_directory=folder
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
        last = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    if METHOD == "forkserver":
        forkserver._forkserver._stop()  # as CPython's own tests do; otherwise it ends a moment after this process
    psutil.wait_procs(last, timeout=60)
    assert not any(process.is_running() for process in last)


@pytest.mark.usefixtures("cluster")
def test_a_cluster_gives_the_same_table_and_what_it_finished_is_taken_up_here(table, tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "distill_stack", lambda *_, **__: pytest.fail("trained in this process"))
    with joblib.parallel_config(backend="dask"):
        found = sweep(GRID, DATA, resume=tmp_path, **RUN)
    close(found, table)
    assert len(list(tmp_path.glob("*.safetensors"))) == 24
    close(sweep(GRID, DATA, resume=tmp_path, **RUN), found)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("deaths", [1, 2])
def test_a_sweep_outlives_workers_that_are_killed(cluster, table, tmp_path, monkeypatch, deaths):
    cluster.wait_for_workers(2, timeout=120)
    victims, inner = list(cluster.run(os.getpid).values())[:deaths], kept.Kept.save

    def save(self, *arguments):
        inner(self, *arguments)
        while victims:  # as soon as the first student is finished
            os.kill(victims.pop(), signal.SIGKILL)

    monkeypatch.setattr(kept.Kept, "save", save)
    with joblib.parallel_config(backend="dask", wait_for_workers_timeout=60):
        found = sweep(GRID, DATA, resume=tmp_path, **RUN)
    assert not victims
    close(found, table)
    assert len(list(tmp_path.glob("*.safetensors"))) == 24


# ---- the data die with the only worker that held them; without a cluster, to choose the moment ----


@pytest.mark.parametrize("losses", [[0], [0, 1, 2], [5, 11], [2, 3, 4, 9, 10, 11]])
def test_data_that_were_lost_are_sent_again_and_finished_chunks_stay_finished(table, monkeypatch, losses):
    inner, calls, finished = chunk.train_chunk, [], []

    def losing(place, *arguments, **options):
        calls.append(place)
        if len(calls) - 1 in losses:
            raise CancelledError("lost")
        finished.append(place)
        return inner(place, *arguments, **options)

    monkeypatch.setattr("kdcourse.sweep.run.train_chunk", losing)
    close(sweep(GRID, DATA, resume=False, **RUN), table)
    assert sorted(finished) == list(range(12))
    assert len(calls) == 12 + len(losses)


def test_data_that_are_lost_again_and_again_are_an_error_in_the_end(monkeypatch):
    calls = []

    def losing(*_, **__):
        calls.append(1)
        raise CancelledError("lost")

    monkeypatch.setattr("kdcourse.sweep.run.train_chunk", losing)
    with pytest.raises(CancelledError, match="lost"):
        sweep(GRID, DATA, resume=False, **RUN)
    assert len(calls) == 4
