"""The students of an experiment side by side: what comes out is as one after the other, and in their order."""

import os
import time
from types import SimpleNamespace

import pytest
import torch

from kdcourse.claims.parallel import side_by_side

RUN = SimpleNamespace(device="cpu")


def slow_first(k):
    time.sleep(0.2 * (k == 0))
    return k, os.getpid(), torch.get_num_threads()


def test_rows_keep_their_order_in_processes_of_one_thread(two_threads):
    numbers, processes, threads = zip(*side_by_side(RUN, slow_first, [(k,) for k in range(6)], "students"), strict=True)
    assert numbers == (0, 1, 2, 3, 4, 5)
    assert os.getpid() not in processes
    assert {*threads} == {1}


def test_one_thread_needs_no_process():
    (_, process, _), *_ = side_by_side(RUN, slow_first, [(1,), (2,)], "students")
    assert process == os.getpid()
    assert side_by_side(RUN, slow_first, [], "students") == []


def test_an_error_comes_out_as_it_was(two_threads):
    with pytest.raises(ZeroDivisionError):
        side_by_side(RUN, lambda k: 1 / k, [(1,), (0,)], "students")
