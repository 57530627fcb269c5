"""Settings of torch that belong to the whole process, changed for a while by several users who may overlap."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

# A layer draws its weights from torch's one global generator. Whoever seeds that, or puts back how it was, holds this
# lock: a thread that did so while another builds a student would change the student's weights.
GENERATOR = threading.RLock()


@contextmanager
def generator_kept() -> Iterator[None]:
    """The state of torch's CPU generator afterwards is the one before, and no other thread changes it meanwhile."""
    with GENERATOR, torch.random.fork_rng(devices=[]):
        yield


class _Setting:
    """A setting that the first user saves, and that is put back when the last one has left."""

    def __init__(self, get: Callable, put: Callable, *, per_thread: bool):
        self.get, self.put, self.per_thread = get, put, per_thread
        self.lock, self.users, self.before = threading.Lock(), 0, None

    @contextmanager
    def at(self, value) -> Iterator[None]:
        with self.lock:
            if not self.users:
                self.before = self.get()
            self.users += 1
            self.put(value)
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if self.per_thread or not self.users:
                    self.put(self.before)


# Every thread has its own number, and a new one takes the number that was set last, by whomever. So each user puts its
# own thread back, and the saved number is the one that was there before all of them.
_THREADS = _Setting(torch.get_num_threads, torch.set_num_threads, per_thread=True)
_HERE = threading.local()  # .depth: how many `arithmetic_threads` this thread is inside of
_PRECISION = _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, per_thread=False)


@contextmanager
def arithmetic_threads(count: int) -> Iterator[None]:
    """So many threads inside each of torch's operations that this thread asks for, inside a `with`.

    One `with` may stand in another: after it there are as many as before it.

    Parameters
    ----------
    count
        Number of threads, >= 1.

    Examples
    --------
    >>> with arithmetic_threads(2):
    ...     with arithmetic_threads(1):
    ...         inner = torch.get_num_threads()
    ...     inner, torch.get_num_threads()
    (1, 2)
    """
    outer, before = getattr(_HERE, "depth", 0), torch.get_num_threads()
    try:
        with _THREADS.at(count):
            _HERE.depth = outer + 1
            yield
    finally:
        _HERE.depth = outer
        if outer:  # only the outermost goes back to what was there before all users
            torch.set_num_threads(before)


def matmul_precision(name: str) -> AbstractContextManager[None]:
    """The precision of float32 matrix products on CUDA inside a `with`: "highest", or "high" for TensorFloat-32.

    Parameters
    ----------
    name
        As `torch.set_float32_matmul_precision` takes it.
    """
    return _PRECISION.at(name)
