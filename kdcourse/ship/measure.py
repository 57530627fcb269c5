"""How long a model takes to answer: the median and who is faster, the slowest requests, and several callers at once."""

import threading
import timeit
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from scipy import stats
from tqdm.auto import tqdm

from kdcourse._arguments import integer, positive
from kdcourse._process import arithmetic_threads
from kdcourse.ship.answering import Model, check_inputs, ready

TURN = 50  # requests that a model answers before it is the next one's turn
SIZES = (1, 64)  # examples in one request, where nothing else is said


def latency(
    models: Mapping[str, Model],
    inputs: torch.Tensor,
    *,
    batch_size: int = 1,
    rounds: int = 30,
    threads: int = 1,
    seconds: float = 0.01,
    progress: bool = True,
) -> pd.DataFrame:
    """How long each model takes to answer a batch of requests, from a batch in the CPU's memory to logits there.

    The models take turns, round after round, so that a busy moment of the machine hits them alike. They run in eval
    mode and inference mode, each on the device that it is on.

    Parameters
    ----------
    models : dict of nn.Modules by name
        Each [B, ...] -> logits [B, C]; all are left as they were found. A string or a Path is an ONNX file, which
        ONNX Runtime answers from.
    inputs : Tensor
        [N, ...]: one request per row, of which the first `batch_size` are answered.
    batch_size : int
        Requests that are answered together, from 1 to N.
    rounds : int
        Turns of each model, >= 6: the lowest and the highest of five are no 95 % interval yet.
    threads : int
        Inside each operation, >= 1; torch's setting is put back afterwards.
    seconds : float
        The least that a turn takes, > 0: the batch is answered again and again.
    progress : bool
        Show a progress bar, one step per round.

    Returns
    -------
    DataFrame
        One row per model, indexed by its name: `median_ms`, milliseconds per batch, the median over the rounds;
        `low_ms` and `high_ms`, its 95 % interval; `p99_ms`, what 99 % of the rounds stay under, of up to 100 the
        slowest (a round is the mean of several batches, or a single one that takes `seconds` or longer); `rounds`;
        `requests_per_second`, batch_size / median; `faster`, how many times sooner than the first model it answers: the
        median over the rounds of their ratio, with `faster_low` and `faster_high`, its 95 % interval.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The interval lies between two order statistics (Thompson 1936). It assumes independent rounds (a machine that slows
    down breaks that), and no distribution.

    Examples
    --------
    >>> model = torch.nn.Linear(784, 10)
    >>> table = latency({"linear": model}, torch.zeros(1, 784), rounds=6, seconds=1e-6, progress=False)
    >>> bool(0 < table.low_ms["linear"] <= table.median_ms["linear"])
    True
    """
    batch_size = integer("batch_size", batch_size, at_least=1)
    rounds, threads = integer("rounds", rounds, at_least=6), integer("threads", threads, at_least=1)
    seconds = positive("seconds", seconds)
    with ready(models, inputs, "batch_size", [batch_size], threads) as answers:
        turns: dict[str, list[float]] = {name: [] for name in models}
        batch = inputs[:batch_size].cpu()
        timers = {name: timeit.Timer(answer(batch)) for name, answer in answers.items()}
        calls = {name: _calls(timer, seconds) for name, timer in timers.items()}
        for _ in tqdm(range(rounds), desc="measuring", unit="round", leave=False, disable=not progress):
            for name, timer in timers.items():
                turns[name].append(1000 * timer.timeit(calls[name]) / calls[name])
    first = np.array(next(iter(turns.values())))
    rows = [_row(milliseconds, first / milliseconds, batch_size) for milliseconds in turns.values()]
    return pd.DataFrame(rows, index=pd.Index(list(models), name="model"))


def latency_percentiles(
    models: Mapping[str, Model],
    inputs: torch.Tensor,
    *,
    batch_sizes: Sequence[int] | None = None,
    requests: int = 500,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """How long single requests take: what half of them, 95 % and 99 % stay under.

    The models take turns of 50 requests, so that a busy moment of the machine hits them alike. The first request of
    each turn, which finds the model's weights out of the cache, is not counted.

    Parameters
    ----------
    models, inputs, threads, progress
        As in `latency`.
    batch_sizes : sequence of int, optional
        Examples in one request, each from 1 to N. Left out, 1 and 64, or 1 alone where there are fewer than 64 inputs.
    requests : int
        So many of each size are timed, one by one; the 99th percentile of fewer than 100 is the slowest.

    Returns
    -------
    DataFrame
        One row per model and batch size: `p50_ms`, `p95_ms`, `p99_ms`, and how it was measured: `requests`, `threads`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> model = torch.nn.Linear(784, 10)
    >>> table = latency_percentiles({"linear": model}, torch.zeros(64, 784), requests=20, progress=False)
    >>> table.index.tolist()
    [('linear', 1), ('linear', 64)]
    """
    if batch_sizes is None:
        check_inputs(inputs)
        batch_sizes = [size for size in SIZES if size <= len(inputs)]
    batch_sizes = [integer("batch_sizes", size, at_least=1) for size in batch_sizes]
    requests, threads = integer("requests", requests, at_least=1), integer("threads", threads, at_least=1)
    rows = {}
    with ready(models, inputs, "batch_sizes", batch_sizes, threads) as answers:
        for size in tqdm(batch_sizes, desc="measuring", unit="size", leave=False, disable=not progress):
            asked = {name: answer(inputs[:size].cpu()) for name, answer in answers.items()}
            times: dict[str, list[float]] = {name: [] for name in asked}
            for done in range(0, requests, TURN):
                for name, answer in asked.items():
                    answer()
                    times[name] += [_milliseconds(answer) for _ in range(min(TURN, requests - done))]
            rows |= {(name, size): _percentiles(each) | {"requests": requests} for name, each in times.items()}
    index = pd.MultiIndex.from_tuples(
        sorted(rows, key=lambda row: list(models).index(row[0])), names=["model", "batch_size"]
    )
    return pd.DataFrame([rows[row] for row in index], index=index).assign(threads=threads)


def throughput(
    models: Mapping[str, Model],
    inputs: torch.Tensor,
    *,
    callers: Sequence[int] = (1, 2, 4),
    requests: int = 200,
    batch_size: int = 1,
    threads: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """How many requests a second a model answers when several callers ask at once, and how long each then waits.

    Callers are threads of one process that share the model, as in a server. A caller sends its next request when it has
    the answer to the last one (a closed loop): the waiting times are not those of requests that come at random.

    Parameters
    ----------
    models, inputs, threads
        As in `latency`.
    progress : bool
        Show a progress bar, one step per model and number of callers.
    callers : sequence of int
        How many ask at once, each >= 1.
    requests : int
        Of each caller.
    batch_size : int
        Examples in one request, from 1 to N.

    Returns
    -------
    DataFrame
        One row per model and number of callers: `requests_per_second` of all callers together, `p50_ms` and `p99_ms` of
        a single request, `requests` of all callers, `threads`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> model = torch.nn.Linear(784, 10)
    >>> table = throughput({"linear": model}, torch.zeros(1, 784), callers=[2], requests=3, progress=False)
    >>> table.requests.tolist()
    [6]
    """
    callers = [integer("callers", count, at_least=1) for count in callers]
    requests, threads = integer("requests", requests, at_least=1), integer("threads", threads, at_least=1)
    batch_size = integer("batch_size", batch_size, at_least=1)
    rows = {}
    with ready(models, inputs, "batch_size", [batch_size], threads) as answers:
        asked = {name: answer(inputs[:batch_size].cpu()) for name, answer in answers.items()}
        steps = list(product(asked, callers))
        for name, count in tqdm(steps, desc="measuring", unit="step", leave=False, disable=not progress):
            asked[name]()
            seconds, times = _together(asked[name], count, requests, threads)
            measured = {"requests_per_second": count * requests / seconds} | _percentiles(times, (50, 99))
            rows[name, count] = measured | {"requests": count * requests, "threads": threads}
    index = pd.MultiIndex.from_tuples(rows, names=["model", "callers"])
    return pd.DataFrame(list(rows.values()), index=index)


def _together(answer, callers, requests, threads):
    """(seconds, the milliseconds of each request) of so many threads that start at once."""
    start = threading.Barrier(callers)

    def call():
        with arithmetic_threads(threads), torch.inference_mode():  # both are settings of a thread
            start.wait()
            began = perf_counter()
            return began, [_milliseconds(answer) for _ in range(requests)], perf_counter()

    with ThreadPoolExecutor(callers) as pool:
        done = [future.result() for future in [pool.submit(call) for _ in range(callers)]]
    began, times, ended = zip(*done, strict=True)
    return max(ended) - min(began), sum(times, [])


def _milliseconds(answer):
    began = perf_counter()
    answer()
    return 1000 * (perf_counter() - began)


def _percentiles(times, levels=(50, 95, 99)):
    return {f"p{level}_ms": float(np.percentile(times, level, method="higher")) for level in levels}


def _calls(timer, seconds):
    """The first of 1, 2, 4, ... calls that take so many seconds. Finding out warms the model up."""
    calls = 1
    while min(timer.repeat(3, calls)) < seconds:  # the least of three: a busy moment must not pass for a slow model
        calls *= 2
    return calls


def _row(milliseconds, faster, batch_size):
    (median, low, high), (ratio, least, most) = _median(milliseconds), _median(faster)
    return {
        "median_ms": median,
        "low_ms": low,
        "high_ms": high,
        **_percentiles(milliseconds, [99]),
        "rounds": len(milliseconds),
        "requests_per_second": 1000 * batch_size / median,
        "faster": ratio,
        "faster_low": least,
        "faster_high": most,
    }


def _median(values):
    """The median, and the ends of its 95 % interval."""
    interval = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    return float(np.median(values)), float(interval.low), float(interval.high)
