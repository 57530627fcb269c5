"""Call an answer, and read as numbers whatever comes back."""

import contextlib
from typing import NamedTuple

import numpy as np
import torch

TOLERANCE = 1e-4  # relative and absolute; generous, so that another order of summation never fails
DEEPEST, LONGEST = 3, 10_000  # lists in lists, and items in one: beyond these an output is not read,
MOST = 1_000_000  # and neither is a tensor or an array with more numbers


class Outcome(NamedTuple):
    """What one call came to."""

    output: object  # what it returned
    numbers: torch.Tensor | None  # the output in float64 on the CPU, if it is numbers; of words, their places
    whole: bool  # whether it is of an integer type
    error: BaseException | None  # what it raised
    changed: bool  # whether it changed its arguments


def attempt(function, *arguments):
    """(what it returned, None), or (None, what it raised). Only the stop button goes through."""
    try:
        return function(*arguments), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: an answer cannot end the notebook
        return None, error


@contextlib.contextmanager
def ordinary_torch():
    """float32 on the CPU with gradients, whatever the notebook has set and an answer sets; put back afterwards."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    on_cpu = torch.get_default_device().type == "cpu"
    device = contextlib.nullcontext() if on_cpu else torch.device("cpu")  # which makes every operation slower
    try:
        with device, torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)


def call(function, case, words=()):
    """Call `function` with a copy of the arguments. With `words`, it is to return some of them."""
    given = fresh(case)
    output, error = attempt(function, *given)
    unchanged, _ = attempt(lambda: all(map(_same, case, given)))
    numbers, whole = (attempt(read_words, output, words) if words else attempt(read, output))[0] or (None, False)
    return Outcome(output, numbers, whole, error, changed=not unchanged)


def fresh(case, dtype=None, gradients_for=()):
    """A copy of the arguments, floating-point tensors in `dtype`; those at `gradients_for` want gradients."""
    copies = [value.detach().clone() if isinstance(value, torch.Tensor) else value for value in case]
    if dtype is not None:
        copies = [v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v for v in copies]
    for place in gradients_for:
        copies[place].requires_grad_()
    return tuple(copies)


def read(output, depth=0):
    """(numbers as a float64 tensor on the CPU, whether their type is an integer one), or (None, False)."""
    kind = type(output)
    if issubclass(kind, torch.Tensor):
        if output.is_complex() or output.numel() > MOST:
            return None, False
        numbers = output.detach().to_dense().cpu().to(torch.float64, copy=True)
        return numbers, not output.is_floating_point()
    if issubclass(kind, (list, tuple)):
        return _read_list(output, depth) if depth < DEEPEST and len(output) <= LONGEST else (None, False)
    if issubclass(kind, (bool, int)):
        return torch.tensor(float(output), dtype=torch.float64), True
    if hasattr(kind, "__array__"):  # numpy, pandas and others
        array = np.asarray(output)
        if array.size > MOST:
            return None, False
        if array.dtype.kind not in "fiub":
            return read(array.tolist(), depth + 1) if array.dtype.kind == "O" else (None, False)
        return torch.from_numpy(np.array(array, dtype=np.float64)), array.dtype.kind != "f"
    if hasattr(kind, "__float__"):
        return torch.tensor(float(output), dtype=torch.float64), False
    return None, False


def _read_list(items, depth):
    parts = [read(item, depth + 1) for item in items]
    if any(numbers is None for numbers, _ in parts):
        return None, False
    if not parts:
        return torch.empty(0, dtype=torch.float64), False
    return torch.stack([numbers for numbers, _ in parts]), all(whole for _, whole in parts)


def read_words(output, words):
    """As `read`, of one word or a list of them: the place of each in `words`, −1 for one that is not there."""
    kind = type(output)
    if issubclass(kind, str):
        word = str.__str__(output)
        return torch.tensor(words.index(word) if word in words else -1, dtype=torch.float64), True
    if not issubclass(kind, (list, tuple)):
        known = hasattr(kind, "__array__")  # numpy, pandas and others
        return read_words(list(np.asarray(output)), words) if known else (None, False)
    if len(output) > LONGEST or not all(issubclass(type(item), str) for item in output):
        return None, False
    return torch.tensor([read_words(item, words)[0] for item in output], dtype=torch.float64), True


def close(one, other, tolerance=TOLERANCE):
    """Whether two outcomes are the same numbers, up to rounding and a relative tolerance."""
    if one.numbers is None or other.numbers is None or one.numbers.shape != other.numbers.shape:
        return False
    return torch.allclose(one.numbers, other.numbers, rtol=tolerance, atol=TOLERANCE, equal_nan=True)


def right(outcome, wanted, tolerance=TOLERANCE):
    """Whether an outcome is the one that was wanted; class indices have to be of an integer type as well."""
    return close(outcome, wanted, tolerance) and (outcome.whole or not wanted.whole)


def _same(before, after):
    return not isinstance(before, torch.Tensor) or torch.equal(before, after.detach())
