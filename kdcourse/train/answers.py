"""What a model says of examples, and how much of it is right; and the teachers that ship with the course."""

from typing import Any

import torch

from kdcourse import data, store
from kdcourse._examples import Examples, borrowed, labelled, logits_of
from kdcourse.data.files import checkpoints
from kdcourse.devices import resolve_device
from kdcourse.models import cnn


def teacher_logits(
    teacher: torch.nn.Module, inputs: Any, *, batch_size: int | None = None, device: str = "auto"
) -> torch.Tensor:
    """What `teacher` says about every input, in eval mode and without gradients; the teacher is left as it was found.

    Parameters
    ----------
    teacher : nn.Module
        As `model` in `train`.
    inputs : Tensor, dict of Tensors, DataLoader or list of batches
        As in `train`. Labels that come with them are passed over.
    batch_size : int, optional
        None: the DataLoader's, else 1000.
    device : str

    Returns
    -------
    Tensor
        float32 [N, C], or [N, C, L], on the CPU. Row i is row i of the inputs: of the data set, for a DataLoader,
        whether it shuffles or not.

    Examples
    --------
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> inputs = torch.arange(4.0)[:, None]
    >>> shuffling = DataLoader(TensorDataset(inputs, torch.tensor([0, 1, 0, 1])), batch_size=3, shuffle=True)
    >>> teacher_logits(torch.nn.Flatten(), shuffling, device="cpu").squeeze(1)
    tensor([0., 1., 2., 3.])
    """
    if not isinstance(teacher, torch.nn.Module):
        raise TypeError(f"teacher must be an nn.Module, got {type(teacher).__name__}")
    logits, _ = answers(teacher, Examples(inputs), resolve_device(device), batch_size)
    return logits.clone()  # made outside inference mode, it can be used in autograd


def accuracy(model: torch.nn.Module, split: Any, *, device: str = "auto") -> float:
    """The share of the examples that `model` gets right, in eval mode.

    The arguments are those of `teacher_logits`; `split` is a Split, or inputs with labels in a form that `train` takes.

    >>> accuracy(torch.nn.Identity(), (torch.eye(4), torch.tensor([0, 1, 2, 0])), device="cpu")
    0.75
    """
    return share_right(model, labelled(model, split), resolve_device(device))


def load_teacher(name: str) -> torch.nn.Module:
    """The teacher of a data set ("fashion-mnist"), in eval mode, from its checkpoint; its card lies beside that.

    Raises ValueError for a data set that does not exist or whose teacher ships as logits alone, and
    `kdcourse.data.DataError` if the file is missing or altered.

    >>> load_teacher("fashion-mnist")(torch.zeros(1, 784)).shape
    torch.Size([1, 10])
    """
    if name not in checkpoints():
        hint = f": its teacher ships as logits, load({name!r}).train.teacher_logits" if name in data.names() else ""
        hint = ": its teacher is a language model, lm.load_teacher()" if name == "cmudict" else hint
        raise ValueError(f"name must be one of {', '.join(map(repr, checkpoints()))}, got {name!r}{hint}")
    tensors, recipe = store.load_tensors(data.checked(f"{name}/teacher.safetensors"))
    teacher = cnn(**recipe["cnn"])
    teacher.load_state_dict(tensors)
    return teacher.eval()


def answers(model, examples, device, batch_size=None):
    """(logits, labels) of all examples in their order, on the CPU, in eval mode and without gradients."""
    size = examples.batch_size(batch_size, otherwise=1000)
    with borrowed(model, device, training=False), torch.inference_mode():
        batches = examples.to(device).batches(torch.arange(len(examples)), size)
        parts = [(logits_of(model, batch).float().cpu(), labels) for batch, _, labels in batches]
    logits, labels = zip(*parts, strict=True)
    return torch.cat(logits), None if labels[0] is None else torch.cat(labels).cpu()


def share_right(model, examples, device):
    logits, labels = answers(model, examples, device)
    return (logits.argmax(1) == labels).double().mean().item()
