"""The students of an experiment side by side: what comes out is as one after the other, and in their order."""

import os
import platform
import subprocess
import sys
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc")
def test_a_large_block_is_not_fetched_anew_in_every_step():
    """Counted are the pages that the system hands out while a block of 64 MB is written and freed, again and again."""
    program = """
import resource
import torch
from kdcourse.claims.parallel import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
before = pages()
keep_freed_memory()
torch.ones(16 * 2**20)
print(before, min(pages() for _ in range(5)))  # the first may still find a place
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 10
