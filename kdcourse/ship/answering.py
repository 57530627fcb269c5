"""Models that answer, each in the same way: torch's modules, and ONNX files in ONNX Runtime."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kdcourse._arguments import bad_value, describe, integer
from kdcourse._examples import classes_of, home_of, in_mode
from kdcourse._process import arithmetic_threads

Model = torch.nn.Module | str | Path
FLOATS = {"tensor(float16)": torch.float16, "tensor(float)": torch.float32, "tensor(double)": torch.float64}


def open_session(path: str | Path, *, threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` of an ONNX file, on the CPU, with so many threads inside each operation.

    Raises ValueError for a file that ONNX Runtime does not take, ImportError without the extra `export`.

    >>> import tempfile
    >>> from kdcourse.ship import export_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(torch.nn.Linear(4, 3), torch.randn(9, 4), Path(folder, "linear.onnx"))
    ...     [one.name for one in open_session(file.path).get_inputs()]
    ['inputs']
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = integer("threads", threads, at_least=1), 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no base class but this
        raise ValueError(f"path must be an ONNX file that ONNX Runtime takes, got {path}: {error}") from error


def onnx_logits(path: str | Path, inputs: torch.Tensor, *, batch_size: int = 1024, threads: int = 1) -> torch.Tensor:
    """What an exported model says, [N, C], worked out by ONNX Runtime.

    Parameters
    ----------
    path : str or Path
    inputs : Tensor [N, ...]
        Floating-point numbers of any type become those that the file takes.
    batch_size : int
        Rows that are answered at once.
    threads : int
        Inside each operation.

    Returns
    -------
    Tensor [N, C]

    Raises
    ------
    ValueError
        Naming the argument. ImportError without the extra `export`.

    Examples
    --------
    >>> import tempfile
    >>> from kdcourse.ship import export_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(torch.nn.Linear(4, 3), torch.randn(9, 4), Path(folder, "linear.onnx"))
    ...     onnx_logits(file.path, torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """
    check_inputs(inputs)
    answer = _run(open_session(path, threads=threads))
    parts = inputs.cpu().split(integer("batch_size", batch_size, at_least=1))
    with _fitting("inputs", inputs):
        return torch.cat([torch.from_numpy(answer(part)()) for part in parts])


@contextlib.contextmanager
def ready(
    models: Mapping[str, Model], inputs: torch.Tensor, argument: str, batch_sizes: Sequence[int], threads: int
) -> Iterator[dict[str, Callable[[torch.Tensor], Callable[[], object]]]]:
    """For each model a function that takes a batch and makes a function that answers it once.

    Inside the `with` torch's modules are in eval and inference mode, with so many threads; afterwards they are as they
    were. `argument` is what the caller calls `batch_sizes`. Raises an error that names the argument for what is no
    model, and for inputs that do not fit one.
    """
    if not isinstance(models, Mapping):
        raise TypeError(f"models must be a dict of nn.Modules by name, got {describe(models)}")
    if not models:
        raise ValueError("models must hold at least one model, got none")
    check_inputs(inputs)
    for size in batch_sizes:
        if size > len(inputs):
            raise bad_value(argument, f"must be at most the number of inputs, got {size} for {len(inputs)} inputs")
    answers = {}
    for name, model in models.items():
        if isinstance(model, str | Path):
            answers[name] = _run(open_session(model, threads=threads))
            with _fitting(f"for {name!r}, inputs", inputs):
                answers[name](inputs[:1].cpu())()
        else:
            check_model(f"models[{name!r}]", model)
            classes_of(model, f"for {name!r}, inputs", inputs)
            answers[name] = _call(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(arithmetic_threads(threads))
        stack.enter_context(torch.inference_mode())
        for model in models.values():
            if isinstance(model, torch.nn.Module):
                stack.enter_context(in_mode(model, training=False))
        yield answers


def _call(model):
    device = home_of(model)
    if device.type == "cpu":
        return lambda batch: lambda: model(batch)
    # On a GPU a call returns before its answer is there: .cpu() waits.
    return lambda batch: lambda: model(batch.to(device)).cpu()


def _run(session):
    given = session.get_inputs()[0]

    def bind(batch):
        wanted = FLOATS.get(given.type, batch.dtype) if batch.is_floating_point() else batch.dtype
        fed = {given.name: batch.to(wanted).numpy()}
        return lambda: session.run(None, fed)[0]

    return bind


@contextlib.contextmanager
def _fitting(name, inputs):
    try:
        yield
    except Exception as error:  # ONNX Runtime's, as above
        raise ValueError(f"{name} must fit the model, got {describe(inputs)}: {error}") from error


def check_model(name, model):
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{name} must be an nn.Module, got {type(model).__name__}")


def check_inputs(inputs):
    if not isinstance(inputs, torch.Tensor) or inputs.ndim == 0 or len(inputs) == 0:
        raise ValueError(f"inputs must be a tensor with at least one example, got {describe(inputs)}")
