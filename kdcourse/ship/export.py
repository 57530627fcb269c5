"""From a torch module to an ONNX file that answers alike."""

import contextlib
import io
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from kdcourse._arguments import bad_value, positive
from kdcourse._examples import classes_of, in_mode, logits_of
from kdcourse.ship.answering import check_inputs, check_model, onnx_logits

ROWS = 256  # of each kind of input that the two are compared on
LARGE = 1e4  # standard deviations


class Export(NamedTuple):
    """What `export_onnx` wrote.

    Attributes
    ----------
    path : Path
    bytes : int
        On disk, with the file of weights beside it.
    difference : float
        The largest that was found, of any kind of input.
    differences : dict
        Of each kind of input: "given", "random", "zeros", "constant", "large".
    tolerance : float
        That they had to stay within.
    """

    path: Path
    bytes: int
    difference: float
    differences: dict[str, float]
    tolerance: float


def export_onnx(model: torch.nn.Module, inputs: torch.Tensor, path: str | Path, *, tolerance: float = 1e-4) -> Export:
    """Write a model as an ONNX file, once ONNX Runtime answers from it as torch does.

    The file takes batches of any size: `inputs` [B, ...] -> `logits` [B, C]. Its weights lie beside it, in a second
    file whose name ends with `.onnx.data`; both are needed.

    Parameters
    ----------
    model : nn.Module
        [B, ...] -> logits [B, C], on the CPU; it is exported in eval mode, and left as it was found.
    inputs : Tensor
        [N, ...], N >= 2, finite: real examples. The answers are compared on up to 256 of them, on random ones with
        their mean and standard deviation, on zeros, on a constant (the highest value of all) and on values of 10,000
        standard deviations; each as a batch and one alone. Integers are ids: they have no large values, and random ones
        are uniform.
    path : str or Path
        Ends with .onnx. Folders on the way are made. Both files are replaced once all is well, and not before.
    tolerance : float
        How far a logit may be from torch's, > 0; as a share of the largest logit of its row where that is above 1.

    Returns
    -------
    Export
        With the largest difference of each kind of input.

    Raises
    ------
    ValueError, TypeError
        Naming the argument; ValueError also for a model that torch cannot export, with torch's reason, and where the
        answers differ by more than the tolerance, with the kind of input. ImportError without the extra `export`.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(torch.nn.Linear(4, 3), torch.randn(9, 4), Path(folder, "linear.onnx"))
    ...     list(file.differences)
    ['given', 'zeros', 'constant', 'random', 'large']
    """
    check_model("model", model)
    check_inputs(inputs)
    path, tolerance = Path(path), positive("tolerance", tolerance)
    if path.suffix != ".onnx":
        raise bad_value("path", f"must end with .onnx, got {path.name}")
    if len(inputs) < 2:
        raise bad_value("inputs", f"must hold at least 2 examples, got {len(inputs)}")
    if (bad := ~inputs.isfinite()).any():
        raise bad_value("inputs", f"must be finite, got {inputs[bad][0].item()} in row {int(bad.nonzero()[0, 0])}")
    classes_of(model, "inputs", inputs)
    kinds = _kinds(inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, in_mode(model, training=False):
        written = Path(folder, path.name)
        with quiet(), _exporting(model):
            torch.onnx.export(
                model,
                (inputs[:2],),
                str(written),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["inputs"],
                output_names=["logits"],
                verbose=False,
            )
        differences = {kind: _difference(model, written, rows) for kind, rows in kinds.items()}
        worst = max(differences, key=lambda kind: differences[kind])
        if not differences[worst] <= tolerance:
            raise bad_value(
                "tolerance",
                f"{tolerance} is exceeded: on {worst} inputs the exported model differs by {differences[worst]:.3g}",
            )
        for name in (f"{path.name}.data", path.name):
            if Path(folder, name).exists():
                os.replace(Path(folder, name), path.with_name(name))
    return Export(path, size_in_bytes(path), differences[worst], differences, tolerance)


def size_in_bytes(model: torch.nn.Module | str | Path) -> int:
    """Bytes of an ONNX file with the weights that lie beside it, or of a module's parameters and buffers, each once.

    Examples
    --------
    >>> size_in_bytes(torch.nn.Linear(784, 10))
    31400
    """
    if isinstance(model, torch.nn.Module):
        return sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])
    import onnx

    path = Path(model)
    graph = onnx.load(path, load_external_data=False).graph
    beside = {
        entry.value
        for tensor in graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return path.stat().st_size + sum(path.with_name(name).stat().st_size for name in beside)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters warn of: their own old code, and packages that a model here does not need."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def _exporting(model):
    """Inside, what torch says is kept back: of a model that it cannot export, the first line of its reason is told."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # to which torch writes the graph as far as it came
            yield
    except torch.onnx.OnnxExporterError as error:
        reason = re.sub(r"\x1b\[[\d;]*m", "", str(error.__cause__ or error)).strip().partition("\n")[0]
        raise bad_value("model", f"must be one that torch can export, got {type(model).__name__}: {reason}") from None


def _kinds(inputs):
    given = inputs[:ROWS].cpu()
    shape, draws = (ROWS, *given.shape[1:]), torch.Generator().manual_seed(0)
    kinds = {"given": given, "zeros": torch.zeros_like(given), "constant": torch.full_like(given, given.max().item())}
    if not given.is_floating_point():
        return kinds | {"random": torch.randint(int(given.max()) + 1, shape, generator=draws, dtype=given.dtype)}
    normal = torch.randn(shape, generator=draws, dtype=given.dtype)
    return kinds | {"random": given.mean() + given.std() * normal, "large": LARGE * given.std() * normal}


def _difference(model, path, inputs):
    """The largest difference of a logit from torch's, over a batch and its first row alone."""
    worst = 0.0
    for rows in (inputs, inputs[:1]):
        with torch.no_grad():
            expected = logits_of(model, rows)
        scale = expected.abs().flatten(1).amax(1).clamp(min=1).view(-1, *[1] * (expected.ndim - 1))
        difference = (onnx_logits(path, rows) - expected).abs() / scale
        worst = max(worst, difference.nan_to_num(torch.inf).max().item())
    return worst
