"""Train a `StudentStack`: the loop of `train.distill`, for hundreds of students at once.

Nothing in here is new against `train`: the same losses, the same optimizer, the same batches. Only the tensors have one
axis more, and on a GPU the step is recorded once and replayed. That a stacked student ends with the weights of the same
student trained alone is this module's first test.
"""

import math
from contextlib import contextmanager
from itertools import groupby, pairwise

import torch

from kdcourse._arguments import integer, number, positive
from kdcourse._examples import check_examples
from kdcourse.losses import blended_loss, hard_per_example, soft_per_example, widen
from kdcourse.models import StudentStack


def distill_stack(
    stack,
    inputs,
    teacher_logits,
    labels,
    *,
    temperature=1.0,
    soft_weight=1.0,
    lr=1e-3,
    weight_decay=0.0,
    epochs,
    batch_size=128,
    order_seed=0,
    schedule=None,
    bf16=False,
    after_epoch=None,
):
    """Fit every student of `stack` in place to a teacher's logits and the labels, on the device that the stack is on.

    stack           StudentStack of M students
    inputs          float [N, D];  teacher_logits  float [N, C];  labels  int64 [N]
    temperature, soft_weight, lr, weight_decay
                    one number for all, or M numbers; otherwise as in `train.distill`; with
                    soft_weight 0 a student learns from the labels alone
    epochs, batch_size, order_seed, schedule
                    as in `train.distill`; every student sees the same batches
    bf16            run the forward pass in bfloat16; the weights and the loss stay float32
    after_epoch     a function that is called with no argument after every epoch (a progress bar); None: none
    returns         (loss, diverged_at), both [M] on the CPU: the mean loss of the last epoch, and the step, from 1, at
                    which a student's loss was first not finite, or 0. Such a student goes on computing nonsense; the
                    others do not notice

    Raises TypeError or ValueError that names the argument.
    """
    if not isinstance(stack, StudentStack):
        raise TypeError(f"stack must be a StudentStack, got {type(stack).__name__}")
    inputs, labels = check_examples(stack, inputs, teacher_logits=teacher_logits, labels=labels)
    temperature, soft_weight, lr, weight_decay = (
        _one_each(name, value, len(stack))
        for name, value in [
            ("temperature", temperature),
            ("soft_weight", soft_weight),
            ("lr", lr),
            ("weight_decay", weight_decay),
        ]
    )
    for value in lr:
        positive("lr", value)
    for value in weight_decay:
        if not 0 <= value < math.inf:
            raise ValueError(f"weight_decay must be >= 0, got {value}")
    epochs, batch_size = integer("epochs", epochs, at_least=1), integer("batch_size", batch_size, at_least=1)
    factors = schedule_factors(schedule, epochs, len(inputs), batch_size)
    order = torch.Generator().manual_seed(integer("order_seed", order_seed, at_least=0))

    device = stack.weights[0].device
    inputs, labels, teacher_logits = (tensor.to(device) for tensor in (inputs, labels, teacher_logits))
    # One call of the checked loss finds every bad logit before the first step, and `_loss_function` every bad setting.
    blended_loss(torch.zeros_like(teacher_logits), teacher_logits, labels)
    loss_of = _loss_function(stack, temperature, soft_weight)
    teacher_logits, _ = widen(teacher_logits, max(temperature))
    optimizer, groups = _optimizer(stack, lr, weight_decay)
    # Whatever a step leaves behind, it leaves in these: a recorded step can only write to tensors that stay.
    total = torch.zeros(len(stack), dtype=stack.weights[0].dtype, device=device)
    step_number, diverged_at = torch.zeros(1, device=device), torch.zeros(len(stack), device=device)

    def step(index):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = stack(inputs[index])
        loss = loss_of(logits, teacher_logits[index], labels[index])
        gradients = torch.autograd.grad(loss.sum(), list(stack.parameters()))
        for group in groups:
            group.take(gradients)
        optimizer.step()
        loss = loss.detach()
        step_number.add_(1)
        first = (diverged_at == 0) & ~loss.isfinite()
        diverged_at.copy_(torch.where(first, step_number, diverged_at))
        total.add_(loss * len(index))

    with _runner(device) as run:
        steps = iter(factors)
        for _ in range(epochs):
            total.zero_()
            for index in torch.randperm(len(inputs), generator=order).to(device).split(batch_size):
                factor = next(steps)
                for group in groups:
                    group.set_rate(factor)
                run(step, index)
            if after_epoch is not None:
                after_epoch()
    # A last step can still spoil weights whose loss was finite; that shows only afterwards.
    spoilt = ~torch.stack([weight.flatten(1).isfinite().all(1) for weight in stack.parameters()]).all(0)
    diverged_at = torch.where((diverged_at == 0) & spoilt, step_number, diverged_at)
    return (total / len(inputs)).cpu(), diverged_at.long().cpu()


def schedule_factors(schedule, epochs, examples, batch_size):
    """The factor on the learning rate at every step of a run, as a list. Raises an error for one that is none."""
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


def logits_of_stack(stack, inputs, *, batch_size=1000):
    """What every student says about every input: float32 [M, C, N] on the CPU, without gradients."""
    device = stack.weights[0].device
    with torch.inference_mode():
        parts = [stack(batch.to(device)).float().cpu() for batch in inputs.split(batch_size)]
    return torch.cat(parts, dim=2).clone()


def _loss_function(stack, temperature, soft_weight):
    """(logits [M, C, B], teacher [B, C], labels [B]) -> one loss per student [M]; a term nobody weighs is left out."""
    weight = stack.weights[0]
    like = torch.zeros(len(stack), 2, 1, dtype=weight.dtype)
    T, alpha = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (temperature, soft_weight))
    blended_loss(like, like, torch.zeros(len(stack), 1, dtype=torch.int64), T, alpha)
    if weight.device.type != "mps":  # mps has no float64
        like, _ = widen(like, T)
    T, alpha = T.to(weight.device, like.dtype), alpha[:, 0].to(weight.device, like.dtype)
    any_soft, any_hard = max(soft_weight) > 0, min(soft_weight) < 1

    def loss_of(logits, teacher, labels):
        loss = 0
        logits = logits.to(T.dtype)
        if any_soft:
            loss = alpha * soft_per_example(logits, teacher.T.expand(len(logits), -1, -1), T)
        if any_hard:
            loss = loss + (1 - alpha) * hard_per_example(logits, labels.expand(len(logits), -1))
        return loss.mean(1)

    return loss_of


class _Group:
    """Neighbouring students with the same learning rate and weight decay: a part of the stack, for the optimizer."""

    def __init__(self, stack, start, stop, lr, weight_decay):
        self.rows = slice(start, stop)
        self.lr = lr
        self.parts = [weight.detach()[self.rows] for weight in stack.parameters()]
        rate = torch.tensor(lr, device=stack.weights[0].device) if stack.weights[0].is_cuda else lr
        self.options = {"params": self.parts, "lr": rate, "weight_decay": weight_decay}

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
    optimizer = torch.optim.AdamW(
        [group.options for group in groups], fused=device.type in ("cpu", "cuda"), capturable=device.type == "cuda"
    )
    for group, options in zip(groups, optimizer.param_groups, strict=True):
        group.options = options  # the optimizer's own copy is the one that counts
    return optimizer, groups


@contextmanager
def _runner(device):
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
    if isinstance(value, torch.Tensor) or hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        if len(value) != students:
            raise ValueError(f"{name} must be a number or one per student, got {len(value)} for {students} students")
        return [number(name, one) for one in value]
    return [number(name, value)] * students
