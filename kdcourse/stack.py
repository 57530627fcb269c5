"""Train a `StudentStack`: the loop of `train.distill`, for hundreds of students at once.

Nothing in here is new against `train`: the same losses, the same optimizer, the same batches. Only the tensors have one
axis more, and on a GPU the step is recorded once and replayed. That a stacked student ends with the weights of the same
student trained alone is this module's first test.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import TypeAlias

import torch
from torch.func import functional_call

from kdcourse._arguments import ids, integer, not_negative, number, positive
from kdcourse._examples import check_examples, check_loss, only_one_per_student
from kdcourse.losses import blended, blended_loss
from kdcourse.models import StudentStack

OnePerStudent: TypeAlias = float | Sequence[float] | torch.Tensor


def distill_stack(
    stack: StudentStack,
    inputs: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    temperature: OnePerStudent = 1.0,
    soft_weight: OnePerStudent = 1.0,
    direction: str = "forward",
    loss: Callable | None = None,
    lr: OnePerStudent = 1e-3,
    weight_decay: OnePerStudent = 0.0,
    epochs: int,
    batch_size: int = 128,
    order_seed: int = 0,
    schedule: Callable[[float], float] | None = None,
    bf16: bool = False,
    after_epoch: Callable[[], object] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit every student of `stack` in place to a teacher's logits and the labels, on the device that the stack is on.

    Parameters
    ----------
    stack
        M students; every student sees the same batches.
    inputs, teacher_logits, labels
        float [N, D] (a stack of ids: int32 or int64 [N, L]), float [N, C] and int64 [N].
    temperature, soft_weight, lr, weight_decay
        One number for all, or M numbers; otherwise as in `train.distill`. With soft_weight 0 a student learns from the
        labels alone.
    direction, epochs, batch_size, order_seed, schedule
        As in `train.distill`.
    loss
        Instead of `temperature`, `soft_weight` and `direction`: a function (student_logits [M, C, B], teacher_logits
        [M, C, B], labels [M, B]) -> one value per student and example, [M, B]. One that keeps the classes on axis 1
        does for a single student too. It must not read a value back from a GPU (`.item()`, `if` on a tensor).
    bf16
        Run the forward pass in bfloat16; the weights and the loss stay as they are.
    after_epoch
        Called after every epoch (a progress bar).

    Returns
    -------
    loss : Tensor [M], on the CPU
        Mean loss of the last epoch.
    diverged_at : int64 Tensor [M], on the CPU
        The step, from 1, at which a student's loss was first not finite, or 0. Such a student goes on computing
        nonsense; the others do not notice.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, before the first step.

    Examples
    --------
    >>> inputs = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    >>> stack = StudentStack((5, 8, 3), seeds=[0, 1])
    >>> labels = inputs[:, :3].argmax(1)
    >>> loss, _ = distill_stack(stack, inputs, 4 * inputs[:, :3], labels, temperature=[1, 4], lr=0.01, epochs=30)
    >>> loss.shape, bool((logits_of_stack(stack, inputs).argmax(1) == labels).double().mean() > 0.9)
    (torch.Size([2]), True)
    """
    if not isinstance(stack, StudentStack):
        raise TypeError(f"stack must be a StudentStack, got {type(stack).__name__}")
    inputs, labels = check_examples(stack, inputs, teacher_logits=teacher_logits, labels=labels)
    temperatures = _one_each("temperature", temperature, len(stack))
    soft_weights = _one_each("soft_weight", soft_weight, len(stack))
    rates = [positive("lr", rate) for rate in _one_each("lr", lr, len(stack))]
    decays = [not_negative("weight_decay", decay) for decay in _one_each("weight_decay", weight_decay, len(stack))]
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    factors = schedule_factors(schedule, epochs, len(inputs), batch_size)
    order = torch.Generator().manual_seed(integer("order_seed", order_seed, at_least=0))

    device = stack.weights[0].device
    inputs, labels, teacher_logits = (tensor.to(device) for tensor in (inputs, labels, teacher_logits))
    # One call of the checked loss finds every bad logit before the first step, and `blended` every bad setting.
    blended_loss(torch.zeros_like(teacher_logits), teacher_logits, labels, direction=direction)
    if loss is None:
        exact = torch.float32 if device.type == "mps" else torch.float64  # mps has no float64
        columns = [torch.tensor(values, dtype=exact, device=device) for values in (temperatures, soft_weights)]
        loss = blended(*(column[:, None, None] for column in columns), direction=direction)
    else:
        only_one_per_student(loss, temperatures, soft_weights, direction)
        check_loss(loss, stack, inputs, teacher_logits, labels)
    step = Step(stack, inputs, teacher_logits, labels, loss, lr=rates, weight_decay=decays, bf16=bf16)
    with _runner(device) as run:
        steps = iter(factors)
        for _ in range(epochs):
            step.total.zero_()
            for index in torch.randperm(len(inputs), generator=order).to(device).split(batch_size):
                step.set_rate(next(steps))
                run(step, index)
            if after_epoch is not None:
                after_epoch()
    # A last step can still spoil weights whose loss was finite; that shows only afterwards.
    spoilt = ~torch.stack([weight.flatten(1).isfinite().all(1) for weight in stack.parameters()]).all(0)
    diverged_at = torch.where((step.diverged_at == 0) & spoilt, step.count, step.diverged_at)
    return (step.total / len(inputs)).cpu(), diverged_at.long().cpu()


def schedule_factors(
    schedule: Callable[[float], float] | None, epochs: int, examples: int, batch_size: int
) -> list[float]:
    """The factor on the learning rate at every step of a run. Raises an error for one that is none.

    Examples
    --------
    >>> schedule_factors(lambda done: 1 - done, epochs=2, examples=20, batch_size=16)
    [1.0, 0.75, 0.5, 0.25]
    """
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    if schedule is not None and not callable(schedule):
        raise TypeError(f"schedule must be a function or None, got {schedule!r}")
    steps = epochs * math.ceil(examples / batch_size)
    if schedule is None:
        return [1.0] * steps
    factors = [number("what schedule returns", schedule(step / steps)) for step in range(steps)]
    for step, factor in enumerate(factors):
        if not 0 <= factor < math.inf:
            raise ValueError(f"schedule must return a factor >= 0 and finite, got {factor} at step {step}")
    return factors


def logits_of_stack(stack: StudentStack, inputs: torch.Tensor, *, batch_size: int = 1000) -> torch.Tensor:
    """What every student says about every input: float32 [M, C, N] on the CPU, without gradients.

    Examples
    --------
    >>> logits_of_stack(StudentStack((5, 8, 3), seeds=[0, 1]), torch.zeros(7, 5)).shape
    torch.Size([2, 3, 7])
    """
    device = stack.weights[0].device
    if stack.ids:  # one too large would be looked up in the next student
        ids("inputs", inputs, stack.sizes[0])
    with torch.inference_mode():
        parts = [stack(batch.to(device)).float().cpu() for batch in inputs.split(batch_size)]
    return torch.cat(parts, dim=2).clone()


class Step:
    """One step of training on the examples at `index`, for every student at once.

    CUDA records a step and replays it, so it asks the device for no value, and whatever it leaves behind, it leaves in
    tensors that stay: the weights, `total` (the losses of the epoch, [M]), `count` and `diverged_at`. A test runs it on
    the meta device, where anything else is an error.
    """

    def __init__(self, stack, inputs, teacher_logits, labels, loss, *, lr, weight_decay, bf16=False):
        self.stack, self.examples, self.loss, self.bf16 = stack, (inputs, teacher_logits, labels), loss, bf16
        self.weights = dict(stack.named_parameters())
        self.optimizer, self.groups = _optimizer(stack, lr, weight_decay)
        like = stack.weights[0]
        self.total = torch.zeros(len(stack), dtype=like.dtype, device=like.device)
        self.count = torch.zeros(1, device=like.device)
        self.diverged_at = torch.zeros(len(stack), device=like.device)

    def __call__(self, index):
        inputs, teacher_logits, labels = (tensor[index] for tensor in self.examples)
        loss = self.loss(self.logits(inputs), *_for_all(len(self.stack), teacher_logits, labels)).mean(1)
        gradients = torch.autograd.grad(loss.sum(), list(self.weights.values()))
        for group in self.groups:
            group.take(gradients)
        self.optimizer.step()
        loss = loss.detach()
        self.count.add_(1)
        first = (self.diverged_at == 0) & ~loss.isfinite()
        self.diverged_at.copy_(torch.where(first, self.count, self.diverged_at))
        self.total.add_(loss * len(index))

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        if not self.bf16:
            return self.stack(inputs)
        half = {name: weight.bfloat16() for name, weight in self.weights.items()}
        return functional_call(self.stack, half, inputs if self.stack.ids else inputs.bfloat16()).to(self.total.dtype)

    def set_rate(self, factor: float) -> None:
        """Multiply every student's learning rate by a factor, from now on."""
        for group in self.groups:
            group.set_rate(factor)


def _for_all(students, teacher_logits, labels):
    """Teacher logits [B, C] and labels [B] as every student sees them: [M, C, B] and [M, B], without a copy."""
    return teacher_logits.T.expand(students, -1, -1), labels.expand(students, -1)


class _Group:
    """Neighbouring students with the same learning rate and weight decay: a part of the stack, for the optimizer."""

    def __init__(self, stack, start, stop, lr, weight_decay):
        self.rows = slice(start, stop)
        self.lr = lr
        self.parts = [weight.detach()[self.rows] for weight in stack.parameters()]
        self.options = {"params": self.parts, "lr": lr, "weight_decay": weight_decay}

    def take(self, gradients):
        for part, gradient in zip(self.parts, gradients, strict=True):
            part.grad = gradient[self.rows]

    def set_rate(self, factor):
        if isinstance(self.options["lr"], torch.Tensor):  # a recorded step reads its rate from this tensor
            self.options["lr"].fill_(self.lr * factor)
        else:
            self.options["lr"] = self.lr * factor


def _optimizer(stack, lr, weight_decay):
    """AdamW, the one of `train`, with one group per run of students with the same settings."""
    settings = list(zip(lr, weight_decay, strict=True))
    bounds = [0]
    for _, run in groupby(settings):
        bounds.append(bounds[-1] + len(list(run)))
    groups = [_Group(stack, start, stop, *settings[start]) for start, stop in pairwise(bounds)]
    device = stack.weights[0].device
    recorded = device.type in ("cuda", "meta")  # meta: where a test runs what CUDA records
    optimizer = torch.optim.AdamW(
        [group.options for group in groups], fused=recorded or device.type == "cpu", capturable=recorded
    )
    for group, options in zip(groups, optimizer.param_groups, strict=True):
        group.options = options  # the optimizer's own copy is the one that counts
        if recorded:
            options["lr"] = torch.tensor(group.lr, device=device)
    return optimizer, groups


@contextmanager
def _runner(device) -> Iterator[Callable]:
    """A function that runs a step on a batch: it calls the step, or on CUDA records it and then replays it."""
    if device.type != "cuda":
        yield lambda step, index: step(index)
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield _Recorder(stream)
    torch.cuda.current_stream(device).wait_stream(stream)


class _Recorder:
    """A small student's step takes a GPU less time than Python needs to ask for it. So it is recorded as a CUDA graph.

    The first steps with a batch of some size run as they are (they count, and they warm the allocator up); the next one
    is recorded, and from then on only the batch's indices are copied in.
    """

    WARM_UP = 3

    def __init__(self, stream):
        self.stream = stream
        self.seen, self.graphs = {}, {}

    def __call__(self, step, index):
        size = len(index)
        self.seen[size] = self.seen.get(size, 0) + 1
        if self.seen[size] <= self.WARM_UP:
            step(index)
            return
        if size not in self.graphs:
            graph, batch = torch.cuda.CUDAGraph(), index.clone()
            with torch.cuda.graph(graph, stream=self.stream):
                step(batch)
            self.graphs[size] = graph, batch
        graph, batch = self.graphs[size]
        batch.copy_(index)
        graph.replay()


def _one_each(name, value, students):
    """`value` as a list of one float per student."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, (list, tuple)):
        if len(value) != students:
            raise ValueError(f"{name} must be a number or one per student, got {len(value)} for {students} students")
        return [number(name, one) for one in value]
    return [number(name, value)] * students
