"""What a model costs to run: multiply-adds, milliseconds and money, and when its training has paid for itself."""

import contextlib
import timeit
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm

from kdcourse._arguments import describe, integer, positive
from kdcourse._examples import classes_of, home_of, in_mode
from kdcourse._process import arithmetic_threads

Costs: TypeAlias = float | np.ndarray | pd.Series


def multiply_adds(model: torch.nn.Module, inputs: torch.Tensor) -> int:
    """How many multiply-adds `model` spends on one example, counted while it answers the first row of `inputs`.

    Matrix products (linear layers, attention) and convolutions count, whether torch counts them as one operation or
    two: half the FLOPs of its FlopCounterMode. A zero that pads a picture counts like a pixel. Biases, batch norm,
    activations and pooling do not count, nor does what the counter does not know: nn.LSTM on a CPU, quantised layers,
    a matrix times a single vector.

    Parameters
    ----------
    model : nn.Module
        [B, ...] -> logits [B, C]; it runs in eval mode without gradients, and is left as it was found.
    inputs : Tensor
        [N, ...], one example or more, on any device.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; ValueError too for a model in which nothing counts.

    Examples
    --------
    >>> multiply_adds(torch.nn.Linear(784, 10), torch.zeros(1, 784))
    7840
    """
    _check_model("model", model)
    _check_inputs(inputs)
    with _counting() as counter:
        classes_of(model, "inputs", inputs)  # runs the first row
    operations = counter.get_total_flops()
    if operations == 0:
        raise ValueError(f"model must have a matrix product or a convolution, got none in {type(model).__name__}")
    return operations // 2


def latency(
    models: Mapping[str, torch.nn.Module],
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
        Each [B, ...] -> logits [B, C]; all are left as they were found.
    inputs : Tensor
        [N, ...]: one request per row, of which the first `batch_size` are answered.
    batch_size : int
        Requests that are answered together, from 1 to N.
    rounds : int
        Turns of each model, >= 6: the lowest and the highest of five are no 95 % interval yet.
    threads : int
        Inside each of torch's operations, >= 1; put back afterwards.
    seconds : float
        The least that a turn takes, > 0: the batch is answered again and again.
    progress : bool
        Show a progress bar, one step per round.

    Returns
    -------
    DataFrame
        One row per model, indexed by its name: `median_ms`, milliseconds per batch, the median over the rounds;
        `low_ms` and `high_ms`, its 95 % interval; `p99_ms`, what 99 % of the rounds stay under (a round is the mean of
        several batches, or a single one that takes `seconds` or longer); `rounds`; `requests_per_second`,
        batch_size / median; `faster`, how many times sooner than the first model it answers: the median over the
        rounds of their ratio, with `faster_low` and `faster_high`, its 95 % interval.

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
    if not isinstance(models, Mapping):
        raise TypeError(f"models must be a dict of nn.Modules by name, got {describe(models)}")
    if not models:
        raise ValueError("models must hold at least one model, got none")
    _check_inputs(inputs)
    batch_size = integer("batch_size", batch_size, at_least=1)
    if batch_size > len(inputs):
        raise ValueError(f"batch_size must be at most the number of inputs, got {batch_size} for {len(inputs)} inputs")
    rounds, threads = integer("rounds", rounds, at_least=6), integer("threads", threads, at_least=1)
    seconds = positive("seconds", seconds)
    for name, model in models.items():
        _check_model(f"models[{name!r}]", model)
        classes_of(model, f"for {name!r}, inputs", inputs)
    batch = inputs[:batch_size].cpu()
    turns: dict[str, list[float]] = {name: [] for name in models}
    with contextlib.ExitStack() as stack:
        stack.enter_context(arithmetic_threads(threads))
        stack.enter_context(torch.inference_mode())
        for model in models.values():
            stack.enter_context(in_mode(model, training=False))
        timers = {name: timeit.Timer(_answer(model, batch)) for name, model in models.items()}
        calls = {name: _calls(timer, seconds) for name, timer in timers.items()}
        for _ in tqdm(range(rounds), desc="measuring", unit="round", leave=False, disable=not progress):
            for name, timer in timers.items():
                turns[name].append(1000 * timer.timeit(calls[name]) / calls[name])
    first = np.array(next(iter(turns.values())))
    rows = [_row(milliseconds, first / milliseconds, batch_size) for milliseconds in turns.values()]
    return pd.DataFrame(rows, index=pd.Index(list(models), name="model"))


def cost_per_1000(milliseconds: Costs, price_per_hour: Costs) -> Costs:
    """What 1,000 requests cost on a machine that serves one after the other, and is paid only while it does.

    Parameters
    ----------
    milliseconds : float, array or Series
        Per request, >= 0; of a batch, `median_ms / batch_size`.
    price_per_hour : float, array or Series
        Of the machine, >= 0, in any currency.

    Returns
    -------
    float, array or Series
        In that currency.

    Raises
    ------
    TypeError, ValueError
        For what is no number, negative or not finite, and for arrays that do not match.

    Examples
    --------
    >>> cost_per_1000(milliseconds=7.2, price_per_hour=2)
    0.004
    """
    milliseconds, price_per_hour = _costs(milliseconds=milliseconds, price_per_hour=price_per_hour)
    return _plain(milliseconds * price_per_hour / 3600)


def break_even(one_time_cost: Costs, teacher_cost: Costs, student_cost: Costs) -> Costs:
    """After how many requests the student has saved what it cost to make.

    Parameters
    ----------
    one_time_cost : float, array or Series
        Of the student (its training, the work), >= 0.
    teacher_cost, student_cost : float, array or Series
        Per 1,000 requests, >= 0, in the same currency.

    Returns
    -------
    float, array or Series
        Requests; infinity where the student saves nothing.

    Raises
    ------
    TypeError, ValueError
        For what is no number, negative or not finite, and for arrays that do not match.

    Examples
    --------
    >>> break_even(one_time_cost=100, teacher_cost=0.5, student_cost=0.25)
    400000.0
    """
    one_time_cost, teacher_cost, student_cost = _costs(
        one_time_cost=one_time_cost, teacher_cost=teacher_cost, student_cost=student_cost
    )
    saved = np.maximum(teacher_cost - student_cost, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        requests = 1000 * one_time_cost / saved
    # fmin passes over NaN, which can only be 0 / 0: a student that cost nothing and saves nothing.
    return _plain(np.fmin(requests, np.inf))


@contextlib.contextmanager
def _counting():
    """A FlopCounterMode that sees attention too: the CPU's fused kernels for it are not among those that it knows."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _answer(model, batch):
    """A function that answers the batch once."""
    device = home_of(model)
    if device.type == "cpu":
        return lambda: model(batch)
    return lambda: model(batch.to(device)).cpu()  # on a GPU a call returns before its answer is there: .cpu() waits


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
        "p99_ms": float(np.quantile(milliseconds, 0.99)),
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


def _costs(**values):
    """The values as float64, scalars, arrays or Series, once all are >= 0 and finite and go together."""
    columns = {}
    for name, value in values.items():
        column = value if isinstance(value, pd.Series) else np.asarray(value)
        if column.dtype.kind not in "iuf":
            raise TypeError(f"{name} must be a number, or an array or Series of them, got {describe(value)}")
        columns[name] = column = column.astype(np.float64)
        bad = np.asarray(column)[~((column >= 0) & (column < np.inf))]
        if len(bad):
            raise ValueError(f"{name} must be >= 0 and finite, got {bad[0]}")
    shapes = {name: list(column.shape) for name, column in columns.items() if column.ndim}
    indexes = {name: column.index for name, column in columns.items() if isinstance(column, pd.Series)}
    for name, shape in shapes.items():
        first = next(iter(shapes))
        if shape != shapes[first]:
            raise ValueError(f"{name} must have the shape of {first}, got {shape} and {shapes[first]}")
    for name, index in indexes.items():
        first = next(iter(indexes))
        if not index.equals(indexes[first]):  # pandas would fill up with NaN
            raise ValueError(f"{name} must have the index of {first}, got {list(index)} and {list(indexes[first])}")
    return columns.values()


def _plain(result):
    return float(result) if np.ndim(result) == 0 else result


def _check_model(name, model):
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{name} must be an nn.Module, got {type(model).__name__}")


def _check_inputs(inputs):
    if not isinstance(inputs, torch.Tensor) or inputs.ndim == 0 or len(inputs) == 0:
        raise ValueError(f"inputs must be a tensor with at least one example, got {describe(inputs)}")
