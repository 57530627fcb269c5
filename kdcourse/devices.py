"""Where something is trained, and what a result was measured on."""

import os
import platform

import torch


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """A torch.device: "auto" is CUDA, else MPS, else the CPU. Raises ValueError for a device that is not here.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        if resolved.type == "meta":
            raise RuntimeError("it holds no data")
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ValueError(f"device must be 'auto' or a device of this machine, got {device!r}: {error}") from None
    return resolved


def machine() -> dict:
    """Where something was measured, in a few plain fields: cores, architecture, system, python, torch, device.

    >>> list(machine())
    ['cores', 'architecture', 'system', 'python', 'torch', 'device']
    """
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }
