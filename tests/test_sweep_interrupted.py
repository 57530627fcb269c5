"""Sweeps that are killed, again and again, or interrupted: finished chunks are kept, and the rest is done later."""

import functools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from blobs import blobs, close, files

from kdcourse import store
from kdcourse.sweep import chunk, grid, kept, sweep

pytestmark = pytest.mark.slow  # processes that are killed

DATA = blobs(sizes={"train": 60, "validation": 20, "test": 20})
MANY = grid(width=[3, 5], lr=0.01, init_seed=range(24))  # 48 students, in 24 stacks
SMALL = {
    "epochs": 8, "batch_size": 16, "chunk": 2, "device": "cpu", "progress": False, "predictions": True,
}  # fmt: skip
INTERRUPTED = 130  # what the nursery makes of a KeyboardInterrupt: Python's own status depends on what runs at its end
ENDLESS = 36  # a sweep in the nursery finishes this many students (or one more), and trains at the next for ever


def sweep_without_end(folder, threads):
    """The sweep of MANY, except that it never comes to its end: somebody has to stop it."""
    inner, lock, begun = chunk.distill_stack, threading.Lock(), [len(files(folder))]

    def without_end(stack, *arguments, **options):
        with lock:
            if begun[0] >= ENDLESS:
                options["epochs"] = 10**5
            begun[0] += len(stack)
        return inner(stack, *arguments, **options)

    chunk.distill_stack = without_end
    torch.set_num_threads(threads)
    sweep(MANY, DATA, resume=folder, **SMALL)


NURSERY = """
import json, os, signal, sys, torch
signal.signal(signal.SIGINT, signal.default_int_handler)
from test_sweep_interrupted import sweep_without_end
torch.optim.AdamW([torch.zeros(1)])  # the first one imports a lot
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            sweep_without_end(*json.loads(line))
        except KeyboardInterrupt:
            sys.exit(130)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """A process that imports everything once, and runs one sweep after another in a process of its own."""

    def __init__(self, log):
        here = Path(__file__).parent
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # Where tests run in the background, processes inherit that an interrupt is ignored. This one always does.
        ignore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                bufsize=0, env=environment, preexec_fn=ignore,
            )  # fmt: skip
        self.log, self.child = log, None

    def answer(self, seconds=120):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else b""
        assert line, f"no answer within {seconds} s: {self.log.read_text()}"
        return int(line)

    def run(self, folder, *, threads, until, stop):
        """Start a sweep, send it a signal once `until` students are finished, and return how it ended."""
        self.process.stdin.write(json.dumps([str(folder), threads]).encode() + b"\n")
        self.child = self.answer()
        deadline = time.monotonic() + 120
        while len(files(folder)) < until:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.001)
        os.kill(self.child, stop)
        code = self.answer()
        self.child = None
        return code

    def close(self):
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def uninterrupted():
    return sweep(MANY, DATA, resume=False, **SMALL)


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked on this system")


@forks
def test_a_sweep_that_is_killed_again_and_again_loses_only_what_was_under_way(
    tmp_path, nursery, uninterrupted, trained
):
    finished = {}
    for until in (0, 1, 12, 23, 32):
        assert nursery.run(tmp_path, threads=1, until=until, stop=signal.SIGKILL) == -signal.SIGKILL
        left = files(tmp_path)
        assert finished.items() <= left.items()  # neither lost nor written again
        assert until <= len(left) <= ENDLESS + 1
        for name in left:
            tensors, row = store.load_tensors(tmp_path / name)
            assert tensors["test"].shape == (20, 4)
            assert row["diverged_at"] is None
        assert all(path.name.startswith(".") for path in tmp_path.iterdir() if path.name not in left)
        finished = left
    table = sweep(MANY, DATA, resume=tmp_path, **SMALL)
    assert sum(map(len, trained)) == 48 - len(finished)
    close(table, uninterrupted)


@forks
@pytest.mark.parametrize("until", [10, ENDLESS])
def test_an_interrupt_ends_a_sweep_in_threads_and_keeps_what_is_finished(
    tmp_path, nursery, uninterrupted, trained, until
):
    # The answer comes within its deadline, although the chunks under way would take many minutes more.
    assert nursery.run(tmp_path, threads=2, until=until, stop=signal.SIGINT) == INTERRUPTED
    finished = files(tmp_path)
    assert until <= len(finished) <= ENDLESS + 1
    assert all(path.name.startswith(".") for path in tmp_path.iterdir() if path.name not in finished)
    close(sweep(MANY, DATA, resume=tmp_path, **SMALL), uninterrupted)
    assert sum(map(len, trained)) == 48 - len(finished)


@pytest.mark.usefixtures("two_threads")
def test_an_interrupted_sweep_leaves_no_thread_training(tmp_path, monkeypatch):
    inner, meeting, threads = chunk.distill_stack, threading.Barrier(2), []

    def quick_or_endless(stack, *arguments, **options):
        threads.append(threading.current_thread())
        meeting.wait(60)
        if stack.sizes[1] == 5:
            options["epochs"] = 10**5
        return inner(stack, *arguments, **options)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(chunk, "distill_stack", quick_or_endless)
    monkeypatch.setattr(kept.Kept, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sweep(grid(width=[3, 5]), DATA, resume=tmp_path, **SMALL)
    assert torch.get_num_threads() == 2
    assert len(threads) == 2
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
