"""Eight-bit integers in place of 32-bit floats, by ONNX Runtime; and what the processor can do with them."""

import os
import platform
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch

from kdcourse._arguments import bad_value, describe, one_of
from kdcourse.ship.answering import open_session
from kdcourse.ship.export import quiet, size_in_bytes


class Processor(NamedTuple):
    """What a measurement of speed was made on.

    Attributes
    ----------
    name : str
    architecture : str
        Such as "x86_64" or "arm64".
    flags : tuple of str
        The instruction sets that it has, sorted; empty where the system does not say.
    vnni : bool
        Whether it multiplies 8-bit integers into 32-bit sums in one instruction (avx512_vnni, avx_vnni).
    """

    name: str
    architecture: str
    flags: tuple[str, ...]
    vnni: bool


class Quantized(NamedTuple):
    """What `quantize_int8` wrote.

    Attributes
    ----------
    path : Path
    bytes : int
        On disk.
    method : str
        "dynamic" or "static".
    reduce_range : bool
        Whether weights have 7 bits.
    processor : Processor
    """

    path: Path
    bytes: int
    method: str
    reduce_range: bool
    processor: Processor


def processor() -> Processor:
    """The processor of this machine: from /proc/cpuinfo, and where there is none from torch.

    Examples
    --------
    >>> processor().architecture == platform.machine()
    True
    """
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(errors="replace").split("\n\n")[0].splitlines()  # of the first core
        fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        name, flags = fields.get("model name", ""), fields.get("flags", fields.get("Features", "")).split()
    else:
        able = getattr(torch.cpu, "get_capabilities", dict)()  # from torch 2.10 on
        name, flags = able.get("cpu_name", ""), [flag for flag, has in able.items() if has is True]
    vnni = bool({"avx512_vnni", "avx_vnni"} & {*flags})
    return Processor(name or platform.processor(), platform.machine(), tuple(sorted(flags)), vnni)


def quantize_int8(
    path: str | Path,
    out: str | Path,
    *,
    method: str = "dynamic",
    calibration: torch.Tensor | None = None,
    reduce_range: bool | None = None,
) -> Quantized:
    """Write an ONNX model with weights, and the arithmetic on them, in 8-bit integers.

    Parameters
    ----------
    path : str or Path
        Of the model in float32.
    out : str or Path
        The file to write, all in one; replaced once all is well.
    method : str
        "dynamic": the range of activations is found anew for each batch, while it is answered. "static": it is fixed
        once, on `calibration`, and the graph carries pairs of quantize and dequantize (QDQ).
    calibration : Tensor [N, ...], optional
        Real examples, of training or validation; for "static" alone.
    reduce_range : bool, optional
        Weights in 7 bits. On an x86 processor without VNNI a product of two 8-bit numbers, added to its neighbour,
        overflows 16 bits and is cut off. None: where the processor of this machine needs it.

    Returns
    -------
    Quantized
        With the processor: how fast int8 is depends on it.

    Raises
    ------
    ValueError, TypeError
        Naming the argument. ImportError without the extra `export`.

    Notes
    -----
    Weights are symmetric and have a scale for each output; activations have a zero point (Jacob et al. 2018, eq. 1).

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from kdcourse.ship import export_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(torch.nn.Linear(4, 3), torch.randn(9, 4), Path(folder, "linear.onnx"))
    ...     quantize_int8(file.path, Path(folder, "int8.onnx")).path.name
    'int8.onnx'
    """
    path, out = Path(path), Path(out)
    one_of("method", method, ("dynamic", "static"))
    if isinstance(calibration, torch.Tensor) != (method == "static"):
        needed = "a tensor of real examples" if method == "static" else "None"
        raise bad_value("calibration", f"must be {needed} with method={method!r}, got {describe(calibration)}")
    here = processor()
    if reduce_range is None:
        reduce_range = here.architecture.lower() in ("x86_64", "amd64") and not here.vnni
    name = open_session(path).get_inputs()[0].name
    with quiet(), tempfile.TemporaryDirectory(dir=out.parent) as folder:
        import onnx
        import onnxruntime
        from onnxruntime import quantization

        prepared, written = Path(folder, "prepared.onnx"), Path(folder, out.name)
        # Batch norm goes into the convolutions before it. (quant_pre_process does this too, but loses weights that lie
        # in a second file.)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(prepared)
        onnxruntime.InferenceSession(onnx.load(path).SerializeToString(), options, providers=["CPUExecutionProvider"])
        model = onnx.load(prepared)
        del model.graph.value_info[:]  # shapes that the quantiser will not keep to
        settings = {"weight_type": quantization.QuantType.QInt8, "per_channel": True, "reduce_range": reduce_range}
        if method == "dynamic":
            quantization.quantize_dynamic(model, written, **settings)
        else:
            quantization.quantize_static(
                model, written, _reader(name, calibration), quant_format=quantization.QuantFormat.QDQ, **settings
            )
        os.replace(written, out)
    return Quantized(out, size_in_bytes(out), method, reduce_range, here)


def _reader(name, calibration):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        batches = iter(calibration.cpu().split(64))

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {name: batch.numpy()}

    return Reader()
