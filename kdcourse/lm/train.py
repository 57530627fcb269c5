"""Training a language model on prefixes and what follows them: labels, a teacher's distributions, or both.

The loss is the argument that it is everywhere in the course, `(student_logits, teacher_logits, labels) -> one value
per token`, with logits [B, V, P] and labels [B, P]; padding is taken out here. What follows a prefix may be the
dictionary's, a teacher's samples, or, with `rewrite`, what the student itself has just written.
"""

import itertools
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from tqdm.auto import tqdm

from kdcourse import store
from kdcourse._arguments import ids, integer, not_negative, positive
from kdcourse._arguments import share as check_share
from kdcourse._examples import borrowed, drawing_from, home_of, in_mode
from kdcourse.data.cmudict import PAD, START
from kdcourse.devices import resolve_device
from kdcourse.lm.batches import bucketed, trimmed
from kdcourse.lm.compute import forward_flops
from kdcourse.lm.decode import BATCH, sample
from kdcourse.lm.model import Transformer
from kdcourse.lm.muon import Muon
from kdcourse.losses import LossFunction, blended
from kdcourse.train import History


def fit(
    model: Transformer,
    prefixes: torch.Tensor,
    targets: torch.Tensor,
    *,
    epochs: int | None = None,
    flops: float | None = None,
    teacher: Transformer | torch.Tensor | None = None,
    loss: LossFunction | None = None,
    rewrite: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    lr: float = 5e-3,
    batch_size: int = 256,
    weight_decay: float = 0.0,
    warmup: float = 0.05,
    order_seed: int = 0,
    validate: Callable[[], dict] | None = None,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    progress: bool = True,
) -> History:
    """Fit `model` in place with Muon; the learning rate rises linearly, then falls as half a cosine to 0.

    Parameters
    ----------
    model : Transformer
    prefixes : int64 Tensor [N, L]
        0 where they are padded.
    targets : int64 Tensor [N, P]
        What follows each, with END behind the last token, then 0.
    epochs, flops : int, float
        Either how many passes over the examples, >= 1; or what may be spent, counted as in the history: training ends
        with the step that reaches it.
    teacher : Transformer or Tensor, optional
        Asked about every batch as it comes. Or its logits [N, V, P] on the targets, from `teacher_logits`: whoever
        asked for them has paid. Without one the loss gets None.
    loss : function, optional
        None: cross-entropy without a teacher, the forward divergence with one.
    rewrite : function, optional
        (prefixes [B, L], targets [B, P]) -> targets [B, P'] that are trained on instead, such as `on_policy`.
    lr, weight_decay : float
        Of `Muon`; the learning rate at its highest.
    batch_size : int
        Examples per step.
    warmup : float
        Share of the steps in which the learning rate rises, in [0, 1).
    order_seed : int
        Fixes batches and dropout of every epoch.
    validate : function, optional
        Called after every epoch; what it returns, as {"validation_error": 0.07}, goes into the row.
    checkpoint : path, optional
        Written after every epoch, and gone on from if it is there: a run that was stopped ends like one that was not,
        but for what `rewrite` draws. If it holds as many epochs or more, the model is that of the checkpoint.
    device, progress
        "auto" (CUDA, then MPS, then CPU) or a device's name; a progress bar.

    Returns
    -------
    History
        Per epoch the loss (mean over tokens), the learning rate at its end, seconds, flops (`forward_flops`: three for
        the student, one for the teacher, one for what the student wrote), and what `validate` says.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    FloatingPointError
        At the first loss that is not finite.

    Examples
    --------
    >>> from kdcourse.data.cmudict import encode
    >>> model = Transformer(69, width=16, layers=1, heads=2, seed=0)
    >>> letters, said = encode(["cat", "at"], 3), encode([("K", "AE", "T", "<end>"), ("AE", "T", "<end>")], 4)
    >>> history = fit(model, letters, said, epochs=60, lr=0.02, device="cpu", progress=False)
    >>> history.last["loss"] < 0.1 * history.rows[0]["loss"]
    True
    """
    batch_size = integer("batch_size", batch_size, at_least=1)
    if (epochs is None) == (flops is None):
        raise ValueError(f"one of epochs and flops must be given, got epochs={epochs} and flops={flops}")
    if flops is None:
        epochs = integer("epochs", epochs, at_least=1)
    else:
        flops = positive("flops", flops)
    lr, weight_decay = positive("lr", lr), not_negative("weight_decay", weight_decay)
    for name, rows in [("prefixes", prefixes), ("targets", targets)]:
        ids(name, rows, model.recipe["vocabulary"])
    if len(prefixes) != len(targets):
        raise ValueError(f"targets must have one row per prefix, got {len(targets)} for {len(prefixes)}")
    asked, stored = (None, teacher) if isinstance(teacher, torch.Tensor) else (teacher, None)
    if stored is not None and rewrite is not None:
        raise TypeError("teacher must be a Transformer where targets are rewritten, got a Tensor")
    if stored is not None and len(stored) != len(targets):
        raise ValueError(f"teacher must have one row per target, got {len(stored)} for {len(targets)}")
    loss = loss or (blended() if teacher is not None else blended(soft_weight=0))
    device = resolve_device(device)
    optimizer = Muon(model.named_parameters(), lr, weight_decay)
    history = History(device=str(device))
    per_epoch = math.ceil(len(prefixes) / batch_size)
    lent = nullcontext() if asked is None else borrowed(asked, device, training=False)
    with borrowed(model, device, training=True), lent:
        if checkpoint is not None and Path(checkpoint).exists():  # here, for the optimizer's state to be on the device
            history.rows = _resume(checkpoint, model, optimizer)
        bar = tqdm(total=epochs, initial=len(history), desc="training", unit="epoch", leave=False, disable=not progress)
        for epoch in itertools.count(len(history)):
            spent_before = sum(row["flops"] for row in history.rows)
            if (epochs is not None and epoch >= epochs) or (flops is not None and spent_before >= flops):
                break
            start, total, tokens, spent = time.perf_counter(), 0.0, 0, 0
            order = torch.Generator().manual_seed(order_seed * 100_003 + epoch)
            with drawing_from(order_seed * 100_003 + epoch, device):
                for k, rows in enumerate(bucketed(prefixes, targets, batch_size, order)):
                    done = (epoch + k / per_epoch) / epochs if epochs else (spent_before + spent) / flops
                    if done >= 1:
                        break
                    for group in optimizer.param_groups:
                        group["lr"] = lr * warm_cosine(done, warmup)
                    batch, labels = trimmed(prefixes[rows]).to(device), trimmed(targets[rows]).to(device)
                    if rewrite is not None:
                        given, labels = labels, rewrite(batch, labels)
                        spent += 0 if labels is given else forward_flops(model, batch, labels)
                    said = None if stored is None else stored[rows, :, : labels.shape[1]].to(device, torch.float32)
                    values, mask = token_losses(model, batch, labels, loss, asked if said is None else said)
                    value = values.sum() / mask.sum()
                    if not value.isfinite():
                        step = epoch * per_epoch + k + 1
                        raise FloatingPointError(f"the loss became {value.item()} at epoch {epoch + 1}, step {step}")
                    optimizer.zero_grad(set_to_none=True)
                    value.backward()
                    optimizer.step()
                    total, tokens = total + float(values.detach().sum()), tokens + int(mask.sum())
                    spent += 3 * forward_flops(model, batch, labels)
                    if asked is not None:
                        spent += forward_flops(asked, batch, labels)
            row = {"epoch": epoch + 1, "loss": total / tokens, "learning_rate": optimizer.param_groups[0]["lr"]}
            row |= {"seconds": time.perf_counter() - start, "flops": spent}
            history.rows.append(row | (validate() if validate is not None else {}))
            bar.update()
            bar.set_postfix(loss=f"{row['loss']:.4f}")
            if checkpoint is not None:
                _keep(checkpoint, model, optimizer, history.rows)
        bar.close()
    return history


def token_losses(
    model: Transformer,
    prefixes: torch.Tensor,
    targets: torch.Tensor,
    loss: LossFunction,
    teacher: Transformer | torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(values [B, P], 0 in padding; mask [B, P], True where there is a token) of a loss on given targets.

    Both models are told every token that stands before (teacher forcing). No gradient flows into the teacher, of which
    the logits [B, V, P] will do.

    >>> from kdcourse.losses import hard_per_example
    >>> model, targets = Transformer(69, width=8, layers=1, heads=1, seed=0), torch.tensor([[49, 2, 0]])
    >>> by_labels = lambda student_logits, teacher_logits, labels: hard_per_example(student_logits, labels)
    >>> values, mask = token_losses(model, torch.tensor([[5, 3]]), targets, by_labels)
    >>> values.shape, mask.tolist()
    (torch.Size([1, 3]), [[True, True, False]])
    """
    before = _before(targets)
    mask = targets != PAD
    if teacher is None or isinstance(teacher, torch.Tensor):
        said = teacher
    else:
        with torch.no_grad(), in_mode(teacher, training=False):
            said = teacher(prefixes, before)
    return loss(model(prefixes, before), said, targets).masked_fill(~mask, 0.0), mask


def teacher_logits(teacher: Transformer, prefixes: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """What a teacher says behind each token of the targets, to be stored: float16 [N, V, P], 0 behind the last.

    Examples
    --------
    >>> teacher = Transformer(69, width=16, layers=1, heads=2, seed=0)
    >>> teacher_logits(teacher, torch.tensor([[5, 3, 22]]), torch.tensor([[49, 31, 22, 2]])).shape
    torch.Size([1, 69, 4])
    """
    stored = torch.zeros(len(targets), teacher.recipe["vocabulary"], targets.shape[1], dtype=torch.float16)
    device = home_of(teacher)
    with torch.no_grad(), in_mode(teacher, training=False):
        for rows in bucketed(prefixes, targets, BATCH, torch.Generator().manual_seed(0)):
            tokens = trimmed(targets[rows])
            said = teacher(trimmed(prefixes[rows]).to(device), _before(tokens).to(device))
            stored[rows, :, : tokens.shape[1]] = said.half().cpu()
    return stored


def on_policy(
    student: Transformer, share: float = 1.0, *, temperature: float = 1.0, seed: int = 0
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A `rewrite` for `fit`: what the student writes itself, in a share of the batches (Agarwal et al. 2023, alg. 1).

    Parameters
    ----------
    student : Transformer
        The model that is trained, as it is at that step.
    share : float
        Of the batches that are rewritten, in [0, 1]; the others keep their targets.
    temperature : float
        Of the samples.
    seed : int
        Of the choice of batches, and of the samples.

    Examples
    --------
    >>> student, letters = Transformer(69, width=16, layers=1, heads=2, seed=0), torch.tensor([[5, 3, 22]])
    >>> rewrite = on_policy(student, share=0.0)
    >>> rewrite(letters, torch.tensor([[49, 31, 2]])).tolist()
    [[49, 31, 2]]
    """
    share = check_share("share", share)
    draws = torch.Generator().manual_seed(integer("seed", seed, at_least=0))

    def rewrite(prefixes, targets):
        if torch.rand((), generator=draws) >= share:
            return targets
        fresh = int(torch.randint(2**31, (), generator=draws))
        return trimmed(sample(student, prefixes, temperature=temperature, seed=fresh)[:, 0].to(targets.device))

    return rewrite


def warm_cosine(done: float, warmup: float = 0.05) -> float:
    """A schedule: linearly from 0 to 1 while less than `warmup` of training is done, then half a cosine down to 0.

    >>> [round(warm_cosine(done, 0.2), 2) for done in (0, 0.1, 0.2, 0.6, 1)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if done < warmup:
        return done / warmup
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def _before(targets):
    return torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)


def _keep(checkpoint, model, optimizer, rows):
    tensors = dict(model.state_dict())
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"muon.{number}.{name}": value for name, value in state.items()}
    store.save_tensors(checkpoint, tensors, {"rows": rows})


def _resume(checkpoint, model, optimizer):
    tensors, kept = store.load_tensors(checkpoint)
    state = {}
    for name in [name for name in tensors if name.startswith("muon.")]:
        _, number, part = name.split(".")
        state.setdefault(int(number), {})[part] = tensors.pop(name)
    model.load_state_dict(tensors)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return kept["rows"]
