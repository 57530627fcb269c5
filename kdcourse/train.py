"""The training loop of the course: one loop, two loss functions.

`train` fits a model to labels, `distill` fits a student to a teacher's cached logits. Both check everything before the
first step, and only do arithmetic after it.
"""

import math
import time
from dataclasses import dataclass, field

import torch
from tqdm.auto import tqdm

from kdcourse import data, store
from kdcourse._arguments import describe, integer, number, positive
from kdcourse._examples import check_examples, check_validation
from kdcourse._modules import drawing_from, in_mode, visiting
from kdcourse.devices import resolve_device
from kdcourse.losses import blended_loss, hard_per_example, soft_per_example, widen
from kdcourse.models import cnn


@dataclass
class History:
    """What happened in training: one row per epoch.

    rows    list of dicts: epoch, loss; soft, hard, validation_accuracy where they apply; learning_rate, seconds
    device  where it ran
    """

    rows: list = field(default_factory=list)
    device: str = "cpu"

    @property
    def table(self):
        """The rows as a pandas DataFrame, indexed by epoch."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=None if self.rows else ["epoch"]).set_index("epoch")

    @property
    def last(self):
        """The row of the last epoch."""
        return self.rows[-1]

    def __len__(self):
        return len(self.rows)

    def _repr_html_(self):
        return self.table.to_html(float_format="{:.4g}".format)


def train(model, inputs, labels, *, epochs, **options):
    """Fit `model` in place to hard labels with cross-entropy and AdamW.

    model    nn.Module, `[B, D]` -> `[B, C]`; comes back on the device and in the mode it came in
    inputs   float [N, D];  labels  int64 [N], in [0, C)
    epochs   passes over the data, >= 1
    returns  History

    Options, here and in `distill`:
    lr            learning rate of AdamW, > 0 (default 0.001)
    batch_size    examples per step, >= 1 (128); the last batch of an epoch may be smaller
    order_seed    fixes the order of the batches (0), and whatever the model draws (dropout): the same seed gives two
                  students the same batches
    schedule      function from the share of training that is done, in [0, 1), to a factor on `lr`; None: constant
    weight_decay  of AdamW (0.0)
    augment       function (inputs [B, D], generator) -> inputs [B, D], applied to each batch; None: none
    validation    a Split to measure accuracy on after every epoch; None: none
    device        "auto" (CUDA, then MPS, then CPU) or a torch device name
    bf16          run the forward pass in bfloat16; the weights and the loss stay float32 (False)
    progress      show a progress bar, one step per epoch (True)

    Raises TypeError or ValueError that names the argument, and FloatingPointError at the first loss that is not finite.
    """
    inputs, labels = check_examples(model, inputs, labels=labels)

    def loss_of(logits, batch):
        return {"loss": hard_per_example(logits, batch["labels"]).mean()}

    return _fit(model, inputs, {"labels": labels}, loss_of, epochs=epochs, **options)


def distill(
    student,
    inputs,
    teacher_logits,
    labels=None,
    *,
    temperature=1.0,
    soft_weight=1.0,
    epochs,
    direction="forward",
    **options,
):
    """Fit `student` in place to a teacher's logits: `blended_loss`, or `kd_loss` alone where soft_weight is 1.

    student         nn.Module, `[B, D]` -> `[B, C]`; comes back on the device and in the mode it came in
    inputs          float [N, D]
    teacher_logits  float [N, C], computed once (see `teacher_logits`); row i belongs to row i of `inputs`
    labels          int64 [N]; may be None where soft_weight is 1
    temperature     a number > 0;  soft_weight  a number in [0, 1];  direction  as in `kd_loss`
    returns         History, whose rows also hold the unweighted `soft` and `hard` terms

    Options and errors are those of `train`.
    """
    temperature, soft_weight = number("temperature", temperature), number("soft_weight", soft_weight)
    if labels is None and soft_weight != 1:
        raise ValueError(f"labels must be given unless soft_weight is 1, got soft_weight={soft_weight}")
    given = {} if labels is None else {"labels": labels}
    inputs, labels = check_examples(student, inputs, teacher_logits=teacher_logits, **given)
    given = {} if labels is None else {"labels": labels}
    # One call of the checked loss finds every bad setting before the first step.
    blended_loss(
        torch.zeros_like(teacher_logits),
        teacher_logits,
        torch.zeros(len(inputs), dtype=torch.int64) if labels is None else labels,
        temperature,
        soft_weight,
        direction=direction,
    )

    teacher_logits, _ = widen(teacher_logits, temperature)

    def loss_of(logits, batch):
        wide, _ = widen(logits, temperature)
        soft = soft_per_example(wide, batch["teacher_logits"], temperature, direction=direction).mean()
        if labels is None:
            return {"loss": soft, "soft": soft}
        hard = hard_per_example(logits, batch["labels"]).mean()
        return {"loss": soft_weight * soft + (1 - soft_weight) * hard, "soft": soft, "hard": hard}

    targets = {"teacher_logits": teacher_logits, **given}
    return _fit(student, inputs, targets, loss_of, epochs=epochs, **options)


def teacher_logits(teacher, inputs, *, batch_size=1000, device="auto"):
    """What `teacher` says about every input: float32 [N, C] on the CPU, in eval mode and without gradients.

    The teacher is left as it was found: weights, buffers, device, and the mode of every module in it.
    """
    if not isinstance(teacher, torch.nn.Module):
        raise TypeError(f"teacher must be an nn.Module, got {type(teacher).__name__}")
    if not isinstance(inputs, torch.Tensor) or len(inputs) == 0:
        raise ValueError(f"inputs must be a tensor with at least one example, got {describe(inputs)}")
    batch_size = integer("batch_size", batch_size, at_least=1)
    device = resolve_device(device)
    with visiting(teacher, device), in_mode(teacher, training=False), torch.inference_mode():
        parts = [teacher(batch.to(device)).float().cpu() for batch in inputs.split(batch_size)]
    return torch.cat(parts).clone()  # the clone, made outside inference mode, can be used in autograd


def accuracy(model, split, *, device="auto"):
    """The share of the examples of `split` that `model` gets right, in eval mode."""
    predictions = teacher_logits(model, split.inputs, device=device).argmax(1)
    return (predictions == split.labels).double().mean().item()


def load_teacher(name):
    """The teacher of a data set ("fashion-mnist"): an nn.Module in eval mode, from the checkpoint in `data/`.

    Its card lies beside the checkpoint. Raises `kdcourse.data.DataError` if the file is missing or altered.
    """
    tensors, recipe = store.load_tensors(data.checked(f"{name}/teacher.safetensors"))
    teacher = cnn(**recipe["cnn"])
    teacher.load_state_dict(tensors)
    return teacher.eval()


def cosine(done):
    """A schedule for `train` and `distill`: half a cosine, from 1 down to 0."""
    return (1 + math.cos(math.pi * done)) / 2


def _fit(
    model,
    inputs,
    targets,
    loss_of,
    *,
    epochs,
    lr=1e-3,
    batch_size=128,
    order_seed=0,
    schedule=None,
    weight_decay=0.0,
    augment=None,
    validation=None,
    device="auto",
    bf16=False,
    progress=True,
):
    epochs = integer("epochs", epochs, at_least=1)
    batch_size = integer("batch_size", batch_size, at_least=1)
    order_seed = integer("order_seed", order_seed, at_least=0)
    lr = positive("lr", lr)
    if not 0 <= number("weight_decay", weight_decay) < math.inf:
        raise ValueError(f"weight_decay must be >= 0, got {weight_decay}")
    for name, value in [("schedule", schedule), ("augment", augment)]:
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be a function or None, got {value!r}")
    if validation is not None:
        check_validation(model, validation)
    device = resolve_device(device)
    history = History(device=str(device))
    order = torch.Generator().manual_seed(order_seed)
    noise = torch.Generator(device=device).manual_seed(order_seed)
    batches_per_epoch = math.ceil(len(inputs) / batch_size)

    with visiting(model, device), in_mode(model, training=True), drawing_from(order_seed, device):
        inputs = inputs.to(device)
        targets = {name: value.to(device) for name, value in targets.items()}
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=lr, weight_decay=weight_decay, fused=device.type in ("cpu", "cuda")
        )
        step = 0
        bar = tqdm(range(1, epochs + 1), desc="training", unit="epoch", leave=False, disable=not progress)
        for epoch in bar:
            start = time.perf_counter()
            sums = {}
            for index in torch.randperm(len(inputs), generator=order).to(device).split(batch_size):
                if schedule is not None:
                    factor = schedule(step / (epochs * batches_per_epoch))
                    if not 0 <= factor < math.inf:
                        raise ValueError(f"schedule must return a factor >= 0 and finite, got {factor} at step {step}")
                    for group in optimizer.param_groups:
                        group["lr"] = lr * factor
                batch = inputs[index] if augment is None else augment(inputs[index], noise)
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    logits = model(batch)
                terms = loss_of(logits.float() if bf16 else logits, {name: v[index] for name, v in targets.items()})
                step += 1
                if not torch.isfinite(terms["loss"]):
                    raise FloatingPointError(_diverged(terms["loss"].item(), epoch, step, lr))
                optimizer.zero_grad(set_to_none=True)
                terms["loss"].backward()
                optimizer.step()
                for name, term in terms.items():
                    sums[name] = sums.get(name, 0.0) + term.detach() * len(index)
            if not all(parameter.isfinite().all() for parameter in model.parameters()):
                raise FloatingPointError(_diverged("not finite after its last step", epoch, step, lr))
            row = {"epoch": epoch, **{name: float(total) / len(inputs) for name, total in sums.items()}}
            if validation is not None:
                row["validation_accuracy"] = accuracy(model, validation, device=device)
            row["learning_rate"] = optimizer.param_groups[0]["lr"]
            row["seconds"] = time.perf_counter() - start
            history.rows.append(row)
            bar.set_postfix({name: f"{row[name]:.4f}" for name in ("loss", "validation_accuracy") if name in row})
    return history


def _diverged(loss, epoch, step, lr):
    return (
        f"the loss became {loss} at epoch {epoch}, step {step}: most often the learning rate is too high (lr={lr}), "
        "or the inputs are not standardised. The model's weights are of no use any more; make a new one"
    )
