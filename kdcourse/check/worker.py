"""Run code that may never end: in a thread of its own, with a deadline, and leave the process as it was."""

import builtins
import contextlib
import contextvars
import ctypes
import random
import sys
import threading
import time

import numpy as np
import torch

PATIENCE = 1.0  # seconds in which a thread is asked to stop, again and again


class Stopped(BaseException):
    """Raised inside a thread that has run past its deadline."""


class Worker(threading.Thread):
    """A thread that keeps what `task()` returned (`result`), or what it raised (`error`)."""

    def __init__(self, task):
        super().__init__(daemon=True, name="kdcourse-check")
        self.result = None
        self.error = None
        self._task = task
        self._context = contextvars.copy_context()  # so that a notebook shows what is printed under the right cell
        self._lock = threading.Lock()
        self._over = False
        self._ended = threading.Event()  # not join(): in 3.11 a Ctrl-C there makes a running thread look dead

    def run(self):
        try:
            try:
                self.result = self._context.run(self._task)
            except BaseException as error:
                self.error = error
        except Stopped:
            pass  # asked twice
        while True:
            try:
                with self._lock:
                    self._over = True  # from here on nobody asks any more
                _let_it_arrive()
                self._ended.set()
                return
            except Stopped:
                continue

    @property
    def ended(self):
        return self._ended.is_set()

    def work(self, seconds):
        """Start, and wait; after `seconds` ask it to stop. Returns whether it ended by itself. Ctrl-C stops it too."""
        try:
            self.start()
            end = time.monotonic() + seconds
            while not self.ended and time.monotonic() < end:
                self._ended.wait(0.1)  # in short steps: on Windows Ctrl-C cannot end a wait
        except BaseException:
            self.stop()
            raise
        if self.ended:
            return True
        self.stop()
        return False

    def stop(self):
        """Ask it to stop, for a while: an `except:` in a loop may swallow a request. Afterwards it may still run."""
        end, pause = time.monotonic() + PATIENCE, 0.05
        while self.ident is not None and not self.ended and time.monotonic() < end:
            with self._lock:
                if not self._over:
                    _ask_to_stop(self.ident)
            self._ended.wait(pause)
            pause *= 2  # on a busy machine it may take a while to leave; a request that comes then is of no use


def _ask_to_stop(ident):
    """Have the thread raise Stopped as soon as it runs Python code again.

    Until it does, if it sleeps for instance, CPython up to 3.12 keeps a flag up for all threads. With that flag up, all
    of them are slow, and in 3.11 a function that is profiled or traced never begins. The flag comes down when any
    request arrives, so this thread sends one to itself; the other thread raises the flag again when it wakes.
    """
    stopped = ctypes.py_object(Stopped)
    threads = ctypes.c_ulong(ident), ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    try:
        raise_in(threads[0], stopped)
        raise_in(threads[1], stopped)
        _let_it_arrive()
    except Stopped:
        pass


def _let_it_arrive():
    """A request is looked for at every turn of a loop."""
    for _ in range(100):
        pass


def attempt(function, *arguments):
    """(what it returned, None), or (None, what it raised). Only the request to stop goes through."""
    try:
        return function(*arguments), None
    except Stopped:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: a thread cannot end the program
        return None, error


@contextlib.contextmanager
def undisturbed():
    """Put back what an answer can change for everybody: default dtype, random states, standard output, `input`.

    The gradient mode and numpy's error state belong to the worker's thread and context, and end with it.
    """
    dtype, streams, ask = torch.get_default_dtype(), (sys.stdout, sys.stderr), builtins.input
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []

    def refuse(*prompt):
        if isinstance(threading.current_thread(), Worker):
            raise EOFError("nobody is there to type: a check hands over all that is needed as arguments")
        return ask(*prompt)

    builtins.input = refuse
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        torch.set_default_dtype(dtype)
        sys.stdout, sys.stderr = streams
        builtins.input = ask
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
