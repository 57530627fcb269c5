"""The loop itself, and the history that it leaves."""

import math
import time
from dataclasses import dataclass, field

import torch
from tqdm.auto import tqdm

from kdcourse._arguments import integer, not_negative, number, positive
from kdcourse._examples import borrowed, drawing_from, labelled, logits_of, try_loss
from kdcourse.devices import resolve_device
from kdcourse.train.answers import share_right


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


def cosine(done: float) -> float:
    """A schedule for `train` and `distill`: half a cosine, from 1 down to 0.

    >>> [round(cosine(done), 2) for done in (0, 0.25, 0.5, 1)]
    [1.0, 0.85, 0.5, 0.0]
    """
    return (1 + math.cos(math.pi * done)) / 2


def fit(
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
    factors = _factors(schedule, epochs * math.ceil(per_epoch / batch_size))

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
                if factors is not None:
                    optimizer.param_groups[0]["lr"] = lr * factors[step]
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
                row["validation_accuracy"] = share_right(model, validation, device)
            row["learning_rate"] = optimizer.param_groups[0]["lr"]
            row["seconds"] = time.perf_counter() - start
            history.rows.append(row)
            bar.set_postfix({name: f"{row[name]:.4f}" for name in ("loss", "validation_accuracy") if name in row})
            if after_epoch is not None:
                after_epoch()
    return history


def _factors(schedule, steps):
    """The factor on the learning rate at every step, or None. Raises an error for one that is none."""
    if schedule is None:
        return None
    factors = [number("what schedule returns", schedule(step / steps)) for step in range(steps)]
    for step, factor in enumerate(factors):
        if not 0 <= factor < math.inf:
            raise ValueError(f"schedule must return a factor >= 0 and finite, got {factor} at step {step}")
    return factors


def _diverged(loss, epoch, step, lr):
    return (
        f"the loss became {loss} at epoch {epoch}, step {step}: most often the learning rate is too high (lr={lr}), "
        "or the inputs are not standardised. The model's weights are of no use any more; make a new one"
    )
