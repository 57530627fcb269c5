"""Fit a model to labels, or to a teacher's logits."""

from typing import Any

import torch

from kdcourse._arguments import number
from kdcourse._arguments.logits import check_teacher_logits, check_teaches
from kdcourse._examples import Examples, labelled, only_one
from kdcourse.losses import LossFunction, blended
from kdcourse.train.loop import History, fit


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
    return fit(model, examples, loss, {}, epochs=epochs, **options)


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
    logits = check_teacher_logits(teacher_logits, direction)
    if loss is None:
        check_teaches("teacher_logits", logits)
        loss = blended(temperature, soft_weight, direction=direction, class_weight=class_weight)
        terms["soft"] = blended(temperature, direction=direction)
    examples = Examples(inputs, labels, teacher_logits.detach()).fit(student)
    if terms and examples.has_labels:
        terms["hard"] = blended(soft_weight=0, class_weight=class_weight)
    elif terms and soft_weight != 1:
        raise ValueError(f"labels must be given unless soft_weight is 1, got soft_weight={soft_weight}")
    return fit(student, examples, loss, terms, epochs=epochs, **options)
