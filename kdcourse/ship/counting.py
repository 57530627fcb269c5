"""What one answer of a model costs in arithmetic."""

import contextlib

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kdcourse._examples import classes_of
from kdcourse.ship.answering import check_inputs, check_model


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
    check_model("model", model)
    check_inputs(inputs)
    with _counting() as counter:
        classes_of(model, "inputs", inputs)  # runs the first row
    operations = counter.get_total_flops()
    if operations == 0:
        raise ValueError(f"model must have a matrix product or a convolution, got none in {type(model).__name__}")
    return operations // 2


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
