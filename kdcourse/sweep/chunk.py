"""Train and measure one chunk of a sweep: students of one architecture that share their batches.

It takes plain arrays and settings and gives plain rows and arrays back, so that it can run in a thread, in another
process or on another machine.
"""

import math
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import rankdata

from kdcourse._process import generator_kept, matmul_precision
from kdcourse.models import StudentStack, count_parameters
from kdcourse.stack import distill_stack, logits_of_stack
from kdcourse.stats.calibration import expected_calibration_error
from kdcourse.train import distill, teacher_logits

PER_STUDENT = ["temperature", "soft_weight", "lr", "weight_decay"]


class Chunk(NamedTuple):
    """What a chunk is, apart from the data: `settings` has one dict per student, in the order of the stack."""

    settings: list[dict]
    epochs: int
    batch_size: int
    schedule: Callable[[float], float] | None
    direction: str
    loss: Callable | None
    device: str
    bf16: bool
    tf32: bool
    logits: bool
    vocabulary: int | None
    student: Callable[[dict], torch.nn.Module] | None  # of a chunk with one student, that is no MLP


def train_chunk(
    place: int, chunk: Chunk, *arrays: np.ndarray, after_epoch: Callable[[int], object] | None = None
) -> tuple[int, list[dict], dict[str, np.ndarray]]:
    """Train and measure the students of a chunk.

    Parameters
    ----------
    place
        Given back as it came, for results that arrive in any order.
    arrays
        Inputs, labels and teacher logits of the training, the validation and the test split.
    after_epoch
        Called with how many students finished an epoch.

    Returns
    -------
    place, rows, arrays
        One row of results per student, and {"test_right": uint8 [M, ceil(N / 8)]}, whether the student is right on each
        example, eight to a byte. With chunk.logits also {split: float32 [M, N, C]} for validation and test.
    """
    start = time.perf_counter()
    tensors = [_tensor(array) for array in arrays]
    train, *others = tensors[:3], tensors[3:6], tensors[6:]
    # The setting is the process's: chunks on a CPU do not touch it.
    on_cuda = chunk.device.startswith("cuda")
    with matmul_precision("high") if chunk.tf32 and on_cuda else nullcontext():
        rows, kept = _fit(chunk, train, dict(zip(("validation", "test"), others, strict=True)), after_epoch)
    for row in rows:
        row["seconds"] = (time.perf_counter() - start) / len(rows)
    return place, rows, kept


def _fit(chunk, train, splits, after_epoch):
    try:
        return _fit_at_once(chunk, train, splits, after_epoch)
    except torch.OutOfMemoryError:
        if len(chunk.settings) == 1:
            raise
    # Outside of the handler, so that nothing of the failed attempt is held any more.
    torch.cuda.empty_cache()
    half = len(chunk.settings) // 2
    rows, kept = [], []
    for settings in (chunk.settings[:half], chunk.settings[half:]):
        some_rows, some_kept = _fit(chunk._replace(settings=settings), train, splits, after_epoch)
        rows += some_rows
        kept.append(some_kept)
    return rows, {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}


def _fit_at_once(chunk, train, splits, after_epoch):
    student, loss, diverged_at, logits_of = (_stack if chunk.student is None else train_alone)(
        chunk, train, after_epoch
    )
    steps = chunk.epochs * math.ceil(len(train[0]) / chunk.batch_size)
    rows = [{"parameters": count_parameters(student) // len(loss)} for _ in chunk.settings]
    kept = {}
    for name, (split_inputs, split_labels, split_teacher) in splits.items():
        logits = logits_of(student, split_inputs)
        for row, measured in zip(rows, measure(logits, split_labels, split_teacher), strict=True):
            row |= {f"{name}_{measure}": value for measure, value in measured.items()}
        if chunk.logits:
            kept[name] = logits.transpose(1, 2).contiguous().numpy()
        if name == "test":
            kept["test_right"] = np.packbits((logits.max(1).indices == split_labels).numpy(), axis=1)
    for row, right, student_loss, step in zip(
        rows, kept["test_right"], loss.tolist(), diverged_at.tolist(), strict=True
    ):
        row["loss"] = student_loss
        if not step and any(math.isnan(row[f"{name}_ece"]) for name in splits):
            step = steps  # the last step left finite weights, but so large ones that the logits are not finite
        if step:  # what such a student says is of no use, and its row says so
            row |= dict.fromkeys((name for name in row if name != "parameters"), math.nan)
            right[:] = 0
        row["diverged_at"] = step or None
    return rows, kept


def _stack(chunk, train, after_epoch):
    inputs, labels, teacher_logits = train
    first = chunk.settings[0]
    sizes = sizes_of(first, chunk.vocabulary or inputs.shape[1], teacher_logits.shape[1])
    seeds = [row["init_seed"] for row in chunk.settings]
    stack = StudentStack(sizes, seeds, ids=chunk.vocabulary is not None).to(chunk.device)
    loss, diverged_at = distill_stack(
        stack,
        inputs,
        teacher_logits,
        labels,
        **{name: [row[name] for row in chunk.settings] for name in PER_STUDENT},
        direction=chunk.direction,
        loss=chunk.loss,
        epochs=chunk.epochs,
        batch_size=chunk.batch_size,
        order_seed=first["order_seed"],
        schedule=chunk.schedule,
        bf16=chunk.bf16,
        after_epoch=None if after_epoch is None else lambda: after_epoch(len(stack)),
    )
    return stack, loss, diverged_at, logits_of_stack


def train_alone(chunk: Chunk, train: list[torch.Tensor], after_epoch: Callable | None) -> tuple:
    """The student of a chunk, trained; its loss [1]; where it diverged [1]; and what asks it, [N, D] -> [1, C, N]."""
    inputs, labels, teachers = train
    (row,) = chunk.settings
    with generator_kept():
        student = chunk.student(row)  # type: ignore[misc]  # it is there, or this is not called
    history = distill(
        student,
        inputs,
        teachers,
        labels,
        **{name: row[name] for name in PER_STUDENT},
        direction=chunk.direction,
        loss=chunk.loss,
        epochs=chunk.epochs,
        batch_size=chunk.batch_size,
        order_seed=row["order_seed"],
        schedule=chunk.schedule,
        device=chunk.device,
        bf16=chunk.bf16,
        progress=False,
        after_epoch=None if after_epoch is None else lambda: after_epoch(1),
    )

    def logits_of(student, inputs):
        return teacher_logits(student, inputs, device=chunk.device).T[None]

    return student, torch.tensor([history.last["loss"]]), torch.zeros(1, dtype=torch.long), logits_of


def sizes_of(settings, inputs: int, classes: int) -> list[int]:
    """The layer widths of a student, from input to output."""
    return [inputs, *[settings["width"]] * int(settings["hidden_layers"]), classes]


def measure(logits: torch.Tensor, labels: torch.Tensor, teacher_logits: torch.Tensor) -> list[dict]:
    """One dict of measures per student, from logits [M, C, N]."""
    log_q = F.log_softmax(logits, 1)
    predicted = logits.max(1).indices  # argmax is much slower over an axis that is not the last
    nll = -log_q.gather(1, labels.expand(len(logits), 1, -1)).squeeze(1).double().mean(1)
    accuracy = (predicted == labels).double().mean(1)
    agreement = (predicted == teacher_logits.argmax(1)).double().mean(1)
    ece = [
        expected_calibration_error(student.exp().T.numpy(), labels.numpy()) if student.isfinite().all() else math.nan
        for student in log_q
    ]
    rows = [
        {"accuracy": a, "nll": n, "ece": e, "agreement": g}
        for a, n, e, g in zip(accuracy.tolist(), nll.tolist(), ece, agreement.tolist(), strict=True)
    ]
    if logits.shape[1] == 2:
        for row, margins in zip(rows, (logits[:, 1] - logits[:, 0]).numpy(), strict=True):
            row["auroc"] = _auroc(labels.numpy() == 1, margins)
    return rows


def _auroc(positive, scores):
    """The share of pairs of a positive and a negative example that are in order, ties half; NaN where there is none."""
    many, others = int(positive.sum()), int((~positive).sum())
    if not many * others or not np.isfinite(scores).all():
        return math.nan
    return float((rankdata(scores)[positive].sum() - many * (many + 1) / 2) / (many * others))


def _tensor(array):
    """The array as a tensor, not copied."""
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():  # other processes get the data for reading only, and nobody writes to them
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array)
