"""What `benchmarks/stack.py` times: ways to train students that all do the same arithmetic, and the matrix products
that no way can do without.

Most are generators that do one training step, and yield how many student-samples it trained, each time they are asked.
`steady_rate` times those. The package's own loops, which cannot be asked for one step, are timed by the epoch.
"""

import math
import threading
import time
from contextlib import suppress
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils.data import DataLoader, TensorDataset

from kdcourse._process import matmul_precision
from kdcourse.losses import hard_per_example, soft_per_example
from kdcourse.models import StudentStack, mlp
from kdcourse.stack import distill_stack
from kdcourse.train import distill

BATCH = 128
LOSS = {"temperature": 4.0, "soft_weight": 0.5}
LR = 1e-3
INPUTS, CLASSES = 784, 10


class Examples(NamedTuple):
    """inputs [N, D], labels [N] and teacher_logits [N, C], on one device."""

    inputs: torch.Tensor
    labels: torch.Tensor
    teacher_logits: torch.Tensor


def flops_per_sample(width):
    """Floating-point operations in the matrix products that one student with one hidden layer needs for one example.

    The first layer has two products, forward and for the weights' gradient; the second layer also sends a gradient on.
    """
    return 2 * (2 * INPUTS * width + 3 * width * CLASSES)


# ---- one student at a time ----


def teacher_in_loop(student, teacher, examples):
    """The loop of most tutorials: a DataLoader, and the teacher asked about every batch."""
    loader = DataLoader(TensorDataset(examples.inputs.cpu(), examples.labels.cpu()), BATCH, shuffle=True)
    device = examples.inputs.device
    optimizer = torch.optim.AdamW(student.parameters(), lr=LR, weight_decay=0.0)
    while True:
        for inputs, labels in loader:
            inputs, labels = inputs.to(device), labels.to(device)
            with torch.no_grad():
                teacher_logits = teacher(inputs)
            yield _usual_step(student, optimizer, inputs, labels, teacher_logits)


def cached_logits(student, examples):
    """The same loop with the teacher's logits computed beforehand, in the data set."""
    loader = DataLoader(TensorDataset(*(tensor.cpu() for tensor in examples)), BATCH, shuffle=True)
    device = examples.inputs.device
    optimizer = torch.optim.AdamW(student.parameters(), lr=LR, weight_decay=0.0)
    while True:
        for batch in loader:
            yield _usual_step(student, optimizer, *(tensor.to(device) for tensor in batch))


def _usual_step(student, optimizer, inputs, labels, teacher_logits):
    T, soft_weight = LOSS["temperature"], LOSS["soft_weight"]
    logits = student(inputs)
    soft = F.kl_div(F.log_softmax(logits / T, 1), F.softmax(teacher_logits / T, 1), reduction="batchmean") * T**2
    loss = soft_weight * soft + (1 - soft_weight) * F.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()  # for the log
    return len(inputs)


def train_alone(student, examples, *, epochs):
    """`train.distill` with the settings of all other arms; its tensors stay on the device."""
    inputs, labels, teacher_logits = examples
    options = dict(LOSS, lr=LR, batch_size=BATCH, epochs=epochs, device=str(inputs.device), progress=False)
    return distill(student, inputs, teacher_logits, labels, **options)


def resident_rate(student, examples, seconds):
    """Student-samples per second of `train_alone`. The first epoch is warm-up."""
    pilot = train_alone(student, examples, epochs=2).last["seconds"]
    history = train_alone(student, examples, epochs=1 + math.ceil(seconds / pilot))
    timed = [row["seconds"] for row in history.rows[1:]]
    return len(timed) * len(examples.inputs) / sum(timed)


# ---- many students at a time ----


def vmapped(student, parameters, examples):
    """`torch.func`: the gradient of one student's loss, mapped over stacked `parameters` {name: [M, ...]}."""
    parameters = {name: parameter.detach() for name, parameter in parameters.items()}
    students = len(next(iter(parameters.values())))
    optimizer = torch.optim.AdamW(list(parameters.values()), lr=LR, weight_decay=0.0, fused=True)

    def loss_of(one, inputs, labels, teacher_logits):
        logits = functional_call(student, one, (inputs,))
        soft = soft_per_example(logits, teacher_logits, LOSS["temperature"]).mean()
        return LOSS["soft_weight"] * soft + (1 - LOSS["soft_weight"]) * hard_per_example(logits, labels).mean()

    gradients_of = vmap(grad(loss_of), in_dims=(0, None, None, None))
    while True:
        for index in torch.randperm(len(examples.inputs)).to(examples.inputs.device).split(BATCH):
            gradients = gradients_of(parameters, *(tensor[index] for tensor in examples))
            for name, parameter in parameters.items():
                parameter.grad = gradients[name]
            optimizer.step()
            yield students * len(index)


def stack_rate(width, students, examples, seconds, *, precision="fp32", start_line=None):
    """Student-samples per second of `distill_stack`, over whole epochs, after those that warm up.

    An epoch has as many of the examples as the stack trains on in half of `seconds`, on CUDA all of them.
    start_line  threading.Barrier where the clock starts, for stacks that are timed side by side
    """
    stack = StudentStack((INPUTS, width, CLASSES), range(students)).to(examples.inputs.device)
    if not examples.inputs.is_cuda:
        per_batch = _epoch_seconds(stack, first_of(examples, 2 * BATCH), 0, precision)[0] / 2
        examples = first_of(examples, BATCH * max(2, math.ceil(seconds / 2 / per_batch)))
    epochs = _epoch_seconds(stack, examples, seconds, precision, start_line)
    return len(epochs) * students * len(examples.inputs) / sum(epochs)


class _Enough(Exception):
    """Raised by the clock to end a run."""


def _epoch_seconds(stack, examples, seconds, precision, start_line=None):
    """The duration of every epoch after the warm-up, until `seconds` are full."""
    # On CUDA three batches of each size run as they are and the fourth is recorded; an epoch has one last, smaller one.
    warm_up = 5 if examples.inputs.is_cuda else 1
    clock, ended = [], 0

    def after_epoch():
        nonlocal ended
        ended += 1
        if ended < warm_up:
            return
        synchronize(examples.inputs.device)
        if ended == warm_up and start_line is not None:
            start_line.wait()
        clock.append(time.perf_counter())
        if len(clock) > 1 and clock[-1] - clock[0] >= seconds:
            raise _Enough

    with suppress(_Enough):
        train_stack(stack, examples, epochs=1000, precision=precision, after_epoch=after_epoch)
    return [after - before for before, after in zip(clock, clock[1:], strict=False)]


def train_stack(stack, examples, *, epochs, precision="fp32", after_epoch=None):
    """`distill_stack` with the settings of all other arms. precision  "fp32", "bf16", or "tf32" (CUDA only)"""
    inputs, labels, teacher_logits = examples
    options = dict(LOSS, lr=LR, batch_size=BATCH, epochs=epochs, bf16=precision == "bf16", after_epoch=after_epoch)
    with matmul_precision("high" if precision == "tf32" else "highest"):
        return distill_stack(stack, inputs, teacher_logits, labels, **options)


def side_by_side_rate(width, students, examples, seconds, *, copies):
    """Student-samples per second of several stacks at once, each in a thread of its own, as in a sweep."""
    rates, start_line = [], threading.Barrier(copies, timeout=60)

    def one():
        rates.append(stack_rate(width, students, examples, seconds, start_line=start_line))

    threads = [threading.Thread(target=one) for _ in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(rates) < copies:
        raise RuntimeError("a stack that ran beside others stopped; its error is above")
    return sum(rates)


# ---- the yardstick ----


def product_shapes(width, students, *, square):
    """(rows, inner, columns) of matrix products: a large square one, and the two of a stack's first layer."""
    rows = width * students
    return {
        "square": (square, square, square),
        "first layer, forward": (rows, INPUTS, BATCH),
        "first layer, gradient": (rows, BATCH, INPUTS),
    }


def products(shape, device, precision):
    """One matrix product after the other, of the form `A @ B.T` that the stack's first layer has; yields FLOP."""
    rows, inner, columns = shape
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left = torch.randn(rows, inner, device=device).to(kind)
    right = torch.randn(columns, inner, device=device).to(kind)
    out = torch.empty(rows, columns, device=device, dtype=kind)
    while True:
        with matmul_precision("high" if precision == "tf32" else "highest"):
            torch.mm(left, right.T, out=out)
        yield 2 * rows * inner * columns


# ---- clocks and settings ----


def steady_rate(steps, seconds, device, warm_up=3):
    """Work per second of a generator that yields the work of each step, once its first steps are done."""
    for _ in range(warm_up):
        next(steps)
    count = 1
    while True:
        synchronize(device)
        start = time.perf_counter()
        work = sum(next(steps) for _ in range(count))
        synchronize(device)
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return work / elapsed
        count = math.ceil(count * min(10, max(1.2 * seconds / elapsed, 1.5)))


def synchronize(device):
    """Wait for all the work that a GPU was given; on a CPU there is none."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def check_that_all_do_the_same():
    """Raise AssertionError unless every way ends with the weights of the tutorials' loop."""
    # Fewer examples than a batch, so that their order makes no difference.
    sizes, steps = (12, 6, 4), 5
    teacher = mlp((12, 20, 4), seed=7).eval()
    inputs = torch.randn(100, 12, generator=torch.Generator().manual_seed(0))
    logits = teacher(inputs).detach()
    examples = Examples(inputs, logits.argmax(1), logits)
    students = {name: mlp(sizes, seed=1) for name in ("teacher in the loop", "cached logits", "resident")}
    ways = teacher_in_loop(students["teacher in the loop"], teacher, examples)
    cached = cached_logits(students["cached logits"], examples)
    alone = [mlp(sizes, seed) for seed in range(2)]
    parameters = stack_module_state(alone)[0]
    mapped = vmapped(alone[0], parameters, examples)
    for _ in range(steps):
        counted = [next(ways), next(cached), next(mapped)]
        if counted != [100, 100, 200]:
            raise AssertionError(f"a step must count its student-samples, got {counted}")
    train_alone(students["resident"], examples, epochs=steps)
    stack = StudentStack(sizes, [0, 1])
    train_stack(stack, examples, epochs=steps)
    ended = {name: list(student.parameters()) for name, student in students.items()}
    ended |= {"stack": list(stack.student(1).parameters()), "vmap": [weights[1] for weights in parameters.values()]}
    for name, weights in ended.items():
        for one, other in zip(weights, ended["teacher in the loop"], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def vmapped_students(width, students, examples):
    """A `vmapped` loop over new students."""
    device = examples.inputs.device
    alone = [mlp((INPUTS, width, CLASSES), seed).to(device) for seed in range(students)]
    return vmapped(alone[0], stack_module_state(alone)[0], examples)


def first_of(examples, count):
    """The first `count` examples."""
    return Examples(*(tensor[:count] for tensor in examples))
