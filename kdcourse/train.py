"""The training loop of the course: one loop, and a loss that is an argument.

`train` fits a model to labels, `distill` fits a student to a teacher's cached logits. Both check everything before the
first step, and only do arithmetic after it.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm.auto import tqdm

from kdcourse import data, store
from kdcourse._arguments import integer, not_negative, number, positive
from kdcourse._arguments.logits import check_teacher_logits
from kdcourse._examples import Examples, borrowed, drawing_from, labelled, logits_of, only_one, try_loss
from kdcourse.data.files import checkpoints
from kdcourse.devices import resolve_device
from kdcourse.losses import LossFunction, blended
from kdcourse.models import cnn


@dataclass
class History:
    """What happened in training: one row per epoch.

    Attributes
    ----------
    rows : list of dict
        epoch, loss; soft, hard, validation_accuracy where they apply; learning_rate, seconds.
    device : str
        Where it ran.
    """

    rows: list = field(default_factory=list)
    device: str = "cpu"

    @property
    def table(self):
        """The rows as a pandas DataFrame, indexed by epoch."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=None if self.rows else ["epoch"]).set_index("epoch")

    @property
    def last(self) -> dict:
        """The row of the last epoch."""
        return self.rows[-1]

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self):
        return self.table.to_html(float_format="{:.4g}".format)


def train(
    model: torch.nn.Module,
    inputs: Any,
    labels: torch.Tensor | None = None,
    *,
    class_weight: Any = None,
    epochs: int,
    **options: Any,
) -> History:
    """Fit `model` in place to hard labels with cross-entropy and AdamW.

    Parameters
    ----------
    model : nn.Module
        Gives logits [B, C] or [B, C, L], or an output with `.logits`, for a batch; a dict is passed as keywords. It
        comes back on the device and in the mode it came in.
    inputs : Tensor, dict of Tensors, DataLoader or list of batches
        A tensor [N, ...] of any shape, or a dict of them. The batches of a DataLoader or a list are tensors,
        (inputs, labels), or dicts with or without `labels`. Of a DataLoader the data set is used, with its collate
        function, workers and batch size; the order is that of `order_seed`, the same for every form of data.
    labels : integer Tensor, optional
        [N], or [N, L] for sequences, in [0, C); where the inputs bring none.
    class_weight : [C] Tensor or sequence, optional
        An example's loss is multiplied by the weight of its class; the mean stays one over examples.
    epochs : int
        Passes over the data, >= 1.

    Returns
    -------
    History

    Other Parameters
    ----------------
    lr, weight_decay : float
        Of AdamW: the learning rate, > 0 (0.001), and the weight decay, >= 0 (0.0).
    batch_size : int
        Examples per step, >= 1 (None: the DataLoader's, else 128); the last batch of an epoch may be smaller.
    order_seed : int
        Fixes the order of the batches (0) and whatever the model draws (dropout), so that two students can share them.
    schedule : function
        From the share of training that is done, in [0, 1), to a factor on `lr` (None: constant).
    augment : function
        (inputs of a batch, generator) -> inputs of the same shape (None).
    validation : Split, or inputs with labels as above
        What accuracy is measured on after every epoch (None).
    device, bf16, progress
        "auto" (CUDA, then MPS, then CPU) or a device's name; the forward pass in bfloat16, while weights and loss stay
        float32 (False); a progress bar, one step per epoch (True).
    after_epoch : function
        Called without arguments after every epoch (None).

    Raises
    ------
    TypeError, ValueError
        Naming the argument, before the first step.
    FloatingPointError
        At the first loss that is not finite.

    Examples
    --------
    >>> model, inputs = torch.nn.Linear(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> history = train(model, inputs, torch.tensor([0, 1]), epochs=50, lr=0.1, device="cpu", progress=False)
    >>> len(history), history.last["loss"] < history.rows[0]["loss"]
    (50, True)
    """
    examples = labelled(model, inputs, labels)
    loss = blended(soft_weight=0, class_weight=class_weight)
    return _fit(model, examples, loss, {}, epochs=epochs, **options)


def distill(
    student: torch.nn.Module,
    inputs: Any,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    temperature: float = 1.0,
    soft_weight: float = 1.0,
    loss: LossFunction | None = None,
    direction: str = "forward",
    class_weight: Any = None,
    epochs: int,
    **options: Any,
) -> History:
    """Fit `student` in place to a teacher's logits, with `blended_loss` or with a loss of your own.

    Parameters
    ----------
    student, inputs, epochs
        As `model`, `inputs` and `epochs` of `train`.
    teacher_logits : float Tensor
        [N, C], or [N, C, L] for sequences, computed once (see `teacher_logits`). Row i belongs to row i of the inputs:
        of the data set, for a DataLoader. Logarithms of probabilities are logits, too.
    labels : integer Tensor, optional
        [N] or [N, L]; not needed where `soft_weight` is 1, or for a loss that ignores them.
    temperature, soft_weight, direction, class_weight
        Settings of the everyday loss; see `losses.blended`.
    loss : function, optional
        Instead of these: (student_logits, teacher_logits, labels) -> one value per example, classes on axis 1, labels
        None where there are none.

    Returns
    -------
    History
        For the everyday loss the rows also hold the unweighted terms: `soft` and, where there are labels, `hard`.

    Other Parameters
    ----------------
    **options
        Those of `train`, and its errors.

    Examples
    --------
    >>> student, inputs = torch.nn.Linear(2, 2), torch.randn(8, 2)
    >>> def logit_distance(student_logits, teacher_logits, labels):
    ...     return (student_logits - teacher_logits).square().mean(1)
    >>> settings = {"epochs": 3, "device": "cpu", "progress": False}
    >>> distill(student, inputs, 2 * inputs, loss=logit_distance, **settings).table.columns.tolist()
    ['loss', 'learning_rate', 'seconds']
    >>> distill(student, inputs, 2 * inputs, temperature=4, **settings).table.columns.tolist()
    ['loss', 'soft', 'learning_rate', 'seconds']
    """
    only_one(loss, temperature=temperature, soft_weight=soft_weight, direction=direction, class_weight=class_weight)
    temperature, soft_weight = number("temperature", temperature), number("soft_weight", soft_weight)
    terms = {}
    if loss is None:
        loss = blended(temperature, soft_weight, direction=direction, class_weight=class_weight)
        terms["soft"] = blended(temperature, direction=direction)
    check_teacher_logits(teacher_logits, direction)
    examples = Examples(inputs, labels, teacher_logits.detach()).fit(student)
    if terms and examples.has_labels:
        terms["hard"] = blended(soft_weight=0, class_weight=class_weight)
    elif terms and soft_weight != 1:
        raise ValueError(f"labels must be given unless soft_weight is 1, got soft_weight={soft_weight}")
    return _fit(student, examples, loss, terms, epochs=epochs, **options)


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
    logits, _ = _answers(teacher, Examples(inputs), resolve_device(device), batch_size)
    return logits.clone()  # made outside inference mode, it can be used in autograd


def accuracy(model: torch.nn.Module, split: Any, *, device: str = "auto") -> float:
    """The share of the examples that `model` gets right, in eval mode.

    The arguments are those of `teacher_logits`; `split` is a Split, or inputs with labels in a form that `train` takes.

    >>> accuracy(torch.nn.Identity(), (torch.eye(4), torch.tensor([0, 1, 2, 0])), device="cpu")
    0.75
    """
    return _accuracy(model, labelled(model, split), resolve_device(device))


def _answers(model, examples, device, batch_size=None):
    """(logits, labels) of all examples in their order, on the CPU, in eval mode and without gradients."""
    size = examples.batch_size(batch_size, otherwise=1000)
    with borrowed(model, device, training=False), torch.inference_mode():
        batches = examples.to(device).batches(torch.arange(len(examples)), size)
        parts = [(logits_of(model, batch).float().cpu(), labels) for batch, _, labels in batches]
    logits, labels = zip(*parts, strict=True)
    return torch.cat(logits), None if labels[0] is None else torch.cat(labels).cpu()


def _accuracy(model, examples, device):
    logits, labels = _answers(model, examples, device)
    return (logits.argmax(1) == labels).double().mean().item()


def load_teacher(name: str) -> torch.nn.Module:
    """The teacher of a data set ("fashion-mnist"), in eval mode, from its checkpoint; its card lies beside that.

    Raises ValueError for a data set that does not exist or whose teacher ships as logits alone, and
    `kdcourse.data.DataError` if the file is missing or altered.
    """
    if name not in checkpoints():
        hint = f": its teacher ships as logits, load({name!r}).train.teacher_logits" if name in data.names() else ""
        hint = ": its teacher is a language model, lm.load_teacher()" if name == "cmudict" else hint
        raise ValueError(f"name must be one of {', '.join(map(repr, checkpoints()))}, got {name!r}{hint}")
    tensors, recipe = store.load_tensors(data.checked(f"{name}/teacher.safetensors"))
    teacher = cnn(**recipe["cnn"])
    teacher.load_state_dict(tensors)
    return teacher.eval()


def cosine(done: float) -> float:
    """A schedule for `train` and `distill`: half a cosine, from 1 down to 0.

    >>> [round(cosine(done), 2) for done in (0, 0.25, 0.5, 1)]
    [1.0, 0.85, 0.5, 0.0]
    """
    return (1 + math.cos(math.pi * done)) / 2


def _fit(
    model,
    examples,
    loss,
    terms,
    *,
    epochs,
    lr=1e-3,
    batch_size=None,
    order_seed=0,
    schedule=None,
    weight_decay=0.0,
    augment=None,
    validation=None,
    device="auto",
    bf16=False,
    progress=True,
    after_epoch=None,
):
    epochs = integer("epochs", epochs, at_least=1)
    batch_size = examples.batch_size(batch_size, otherwise=128)
    order_seed = integer("order_seed", order_seed, at_least=0)
    lr, weight_decay = positive("lr", lr), not_negative("weight_decay", weight_decay)
    for name, value in [("schedule", schedule), ("augment", augment), ("after_epoch", after_epoch)]:
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be a function or None, got {value!r}")
    if validation is not None:
        try:
            validation = labelled(model, validation)
        except (TypeError, ValueError) as error:
            raise type(error)(f"of validation, {error}") from error
    try_loss(loss, *examples.tried)
    examples.try_training(model, batch_size)
    device = resolve_device(device)
    history = History(device=str(device))
    order = torch.Generator().manual_seed(order_seed)
    noise = torch.Generator(device=device).manual_seed(order_seed)
    per_epoch = examples.per_epoch(batch_size)
    steps = epochs * math.ceil(per_epoch / batch_size)

    with borrowed(model, device, training=True), drawing_from(order_seed, device):
        examples = examples.to(device)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=lr, weight_decay=weight_decay, fused=device.type in ("cpu", "cuda")
        )
        step = 0
        bar = tqdm(range(1, epochs + 1), desc="training", unit="epoch", leave=False, disable=not progress)
        for epoch in bar:
            start = time.perf_counter()
            sums = dict.fromkeys(["loss", *terms], 0.0)
            rows = torch.randperm(len(examples), generator=order)[:per_epoch]
            for batch, *targets in examples.batches(rows, batch_size):
                if schedule is not None:
                    factor = schedule(step / steps)
                    if not 0 <= factor < math.inf:
                        raise ValueError(f"schedule must return a factor >= 0 and finite, got {factor} at step {step}")
                    optimizer.param_groups[0]["lr"] = lr * factor
                if augment is not None:
                    batch = augment(batch, noise)
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    logits = logits_of(model, batch)
                logits = logits.float() if bf16 else logits
                value = loss(logits, *targets).mean()
                step += 1
                if not value.isfinite():
                    raise FloatingPointError(_diverged(value.item(), epoch, step, lr))
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
                with torch.no_grad():
                    sums["loss"] += value * len(logits)
                    for name, term in terms.items():
                        sums[name] += term(logits, *targets).mean() * len(logits)
            if not all(parameter.isfinite().all() for parameter in model.parameters()):
                raise FloatingPointError(_diverged("not finite after its last step", epoch, step, lr))
            row = {"epoch": epoch, **{name: float(total) / per_epoch for name, total in sums.items()}}
            if validation is not None:
                row["validation_accuracy"] = _accuracy(model, validation, device)
            row["learning_rate"] = optimizer.param_groups[0]["lr"]
            row["seconds"] = time.perf_counter() - start
            history.rows.append(row)
            bar.set_postfix({name: f"{row[name]:.4f}" for name in ("loss", "validation_accuracy") if name in row})
            if after_epoch is not None:
                after_epoch()
    return history


def _diverged(loss, epoch, step, lr):
    return (
        f"the loss became {loss} at epoch {epoch}, step {step}: most often the learning rate is too high (lr={lr}), "
        "or the inputs are not standardised. The model's weights are of no use any more; make a new one"
    )
