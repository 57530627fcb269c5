"""Data that need not be ours.

Examples are a tensor, a dict of tensors, a DataLoader or a list of batches. Row i is the same example every time, so
that the i-th row of cached teacher logits cannot belong to another one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from kdcourse._arguments import class_indices, describe, ids, integer
from kdcourse._examples.models import (
    answer,
    as_logits,
    buffers_kept,
    classes_of,
    count_rows,
    drawing_from,
    each,
    home_of,
    in_words,
    moved,
)
from kdcourse._process import generator_kept

TRIED = 3  # examples that a model and a loss are tried on before the first step
OF_THE_LOADER = ("num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context")


class Examples:
    """N inputs, each with its label and its teacher logits where there are any, to be read in any order.

    Parameters
    ----------
    inputs : Tensor, dict of Tensors, DataLoader or list of batches
        A tensor [N, ...], or a dict of such tensors, which may hold `labels`. Of a DataLoader the data set is read, row
        by row in the order that is asked for, and collated by the loader. A list of batches is joined.
    labels : Tensor, optional
        [N, ...], where the inputs bring none.
    teacher_logits : Tensor, optional
        [N, C, ...].
    """

    def __init__(self, inputs: Any, labels: Any = None, teacher_logits: torch.Tensor | None = None):
        self.loader = inputs if isinstance(inputs, DataLoader) else None
        self.teacher_logits, self.labels, self.inputs = teacher_logits, _the_one(None, labels), None
        self.device = torch.device("cpu")
        self._seeds = torch.Generator()  # a loader's workers draw their seeds here, and not from the global generator
        self._shape: list[int] | None = None  # of one example's logits, once a model was asked
        if self.loader is not None:
            _check_order(self.loader)
        else:
            self.inputs, own = _joined(inputs) if isinstance(inputs, list) else _parts(inputs)
            self.labels = _the_one(own, self.labels)
            _check_finite(self.inputs)
        if len(self) == 0:
            raise ValueError("inputs must hold at least one example, got none")
        for name, rows in [("teacher_logits", teacher_logits), ("labels", self.labels)]:
            if rows is not None and len(rows) != len(self):
                raise ValueError(f"{name} must have one row per input, got {len(rows)} for {len(self)} inputs")
        with generator_kept():  # a data set may draw random numbers
            self._first = next(self.batches(torch.arange(min(TRIED, len(self))), TRIED))
        self.has_labels = self._first[2] is not None

    def __len__(self) -> int:
        return count_rows(self.inputs) if self.loader is None else len(self.loader.dataset)  # type: ignore[arg-type]

    def batch_size(self, given: int | None, otherwise: int) -> int:
        """The one that was given, else the DataLoader's, else another."""
        usual = otherwise if self.loader is None else self.loader.batch_size or 1
        return usual if given is None else integer("batch_size", given, at_least=1)

    def per_epoch(self, batch_size: int) -> int:
        """How many examples an epoch takes: all, unless the DataLoader drops those that do not fill a batch."""
        drops = self.loader is not None and self.loader.drop_last and len(self) > batch_size
        return len(self) - drops * (len(self) % batch_size)

    def batches(self, order: torch.Tensor, size: int) -> Iterator[tuple[Any, torch.Tensor | None, torch.Tensor | None]]:
        """(inputs, teacher_logits, labels) of one batch after the other, on the device; `order` holds row numbers."""
        pieces = order.to(self.device).split(size)
        if self.loader is None:
            for rows in pieces:
                yield _picked(self.inputs, rows), _picked(self.teacher_logits, rows), _picked(self.labels, rows)
            return
        options = {name: getattr(self.loader, name) for name in OF_THE_LOADER}
        chosen = [rows.tolist() for rows in pieces]
        reader = DataLoader(self.loader.dataset, batch_sampler=chosen, generator=self._seeds, **options)
        for rows, batch in zip(pieces, reader, strict=True):
            inputs, own = _parts(batch)
            if count_rows(inputs) != len(rows):
                raise ValueError(f"collate_fn must keep every example, got {count_rows(inputs)} of {len(rows)}")
            labels = self._checked(_the_one(own, _picked(self.labels, rows)))
            yield moved(inputs, self.device), _picked(self.teacher_logits, rows), moved(labels, self.device)

    def to(self, device: torch.device) -> "Examples":
        """These examples, with batches on a device."""
        self.device = device
        for name in ("inputs", "teacher_logits", "labels"):
            setattr(self, name, moved(getattr(self, name), device))
        return self

    def fit(self, model) -> "Examples":
        """These examples, once each part fits the model. An error that says what does not, otherwise."""
        inputs, teacher_logits, labels = self._first
        whole = in_words(inputs if self.inputs is None else self.inputs)
        logits = as_logits(answer(model, inputs, f"inputs must fit the model, got {whole}"), inputs)
        self._shape = list(logits.shape[1:])
        if teacher_logits is not None:
            _check_teacher(self.teacher_logits, self._shape)
        self.labels, labels = self._checked(self.labels), self._checked(labels)
        # As many examples as classes, and a loss that mixes the axes up would not be noticed.
        few = slice(TRIED - 1 if len(logits) == self._shape[0] == TRIED else TRIED)
        self.tried = [
            part if part is None else part[few].to(logits.device) for part in (logits, teacher_logits, labels)
        ]
        return self

    def try_training(self, model, batch_size: int) -> None:
        """Raise an error unless the model answers in training as it does in eval mode, the smallest batch too.

        Batch norm has no variance in a batch of one, and some models return more in training than they do otherwise.
        """
        many = self.per_epoch(batch_size)
        smallest = many % batch_size or batch_size
        inputs = _picked(self._first[0], slice(min(smallest, TRIED)))
        problem = f"inputs must fit the model in training, got {in_words(inputs)}"
        if smallest == 1:
            problem = f"batch_size must leave no example alone in the last batch, got {batch_size} for {many} examples"
        with drawing_from(0, home_of(model)), buffers_kept(model):
            logits = as_logits(answer(model, inputs, problem, training=True), inputs)
        shape = list(logits.shape[1:])
        if shape != self._shape:
            raise ValueError(f"the model must return one shape in both modes, got {self._shape}, in training {shape}")

    def _checked(self, labels):
        if labels is None or self._shape is None:
            return labels
        return class_indices("labels", labels, [len(labels), *self._shape[1:]], self._shape[0]).long()


def labelled(model, inputs, labels=None) -> Examples:
    """Examples of a Split, or of inputs and labels, once they fit the model and there are labels."""
    if hasattr(inputs, "inputs") and hasattr(inputs, "labels"):
        inputs, labels = inputs.inputs, inputs.labels
    examples = Examples(inputs, labels)
    if not examples.has_labels:
        raise TypeError("labels must be an integer tensor of class indices, got None")
    return examples.fit(model)


def check_examples(stack, inputs, *, teacher_logits, labels):
    """The inputs [N, D] or [N, L], and the labels as int64, once each fits a stack of students and the others."""
    of_ids = getattr(stack, "ids", False)  # one student alone need not be ours
    for name, floats in [("inputs", inputs), ("teacher_logits", teacher_logits)][of_ids:]:
        if not isinstance(floats, torch.Tensor) or not floats.is_floating_point():
            raise TypeError(f"{name} must be a floating-point tensor, got {describe(floats)}")
    if of_ids:
        ids("inputs", inputs, stack.sizes[0])
    if labels is None:
        raise TypeError("labels must be an integer tensor of class indices, got None")
    Examples(inputs, labels, teacher_logits)  # for what it refuses
    classes = classes_of(stack, "inputs", inputs)
    _check_teacher(teacher_logits, [classes])
    return inputs, class_indices("labels", labels, [len(inputs)], classes).long()


def _check_teacher(teacher_logits, shape):
    """Raise ValueError unless each row has the shape of the student's logits."""
    classes, *places = shape
    if teacher_logits.ndim < 2 or list(teacher_logits.shape[2:]) != places:
        wanted = ", ".join(map(str, ["N", "C", *places]))
        raise ValueError(f"teacher_logits must be [{wanted}], got {in_words(teacher_logits)}")
    if teacher_logits.shape[1] != classes:
        raise ValueError(
            f"teacher_logits must have as many classes as the student, got {teacher_logits.shape[1]} and {classes}"
        )


def _picked(value, rows):
    return each(value, lambda part: part[rows])


def _parts(batch):
    """(inputs, labels or None) of a batch: a tensor, a pair, or a dict with or without labels."""
    labels = None
    if isinstance(batch, (tuple, list)) and len(batch) in (1, 2):
        batch, labels = (*batch, None)[:2]
    if isinstance(batch, Mapping):
        batch = dict(batch)
        labels = _the_one(batch.pop("labels", None), labels)
    parts = batch.values() if isinstance(batch, Mapping) else [batch]
    if not parts or not all(isinstance(part, torch.Tensor) and part.ndim for part in parts):
        hint = ". list(inputs) makes batches of it that keep their order" if isinstance(batch, Iterable) else ""
        if hasattr(batch, "__array__"):  # of NumPy or pandas
            hint = ". torch.tensor(numpy.asarray(inputs), dtype=torch.float32) makes one of it"
        raise TypeError(
            "inputs must be a tensor [N, ...], a dict of tensors, (inputs, labels), a DataLoader or a list of such, "
            f"got {in_words(batch)}{hint}"
        )
    if len({len(part) for part in parts}) > 1:
        raise ValueError(f"inputs must have one row per example in each field, got {in_words(batch)}")
    return batch, _the_one(None, labels)


def _joined(batches):
    """(inputs, labels or None) of a list of batches, one after the other."""
    if not batches:
        raise ValueError("inputs must hold at least one example, got none")
    inputs, labels = zip(*map(_parts, batches), strict=True)
    try:
        if isinstance(inputs[0], dict):
            whole = {name: torch.cat([part[name] for part in inputs]) for name in inputs[0]}
        else:
            whole = torch.cat(inputs)
        return whole, None if labels[0] is None else torch.cat(labels)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"inputs must be batches that can be joined along their first axis: {error}") from error


def _the_one(own, given):
    """The labels that came with the inputs or beside them, or None."""
    if own is not None and given is not None:
        raise ValueError("labels must be given once, got some with the inputs and some beside them")
    labels = given if own is None else own
    if labels is not None and not isinstance(labels, torch.Tensor):
        raise TypeError(f"labels must be an integer tensor of class indices, got {describe(labels)}")
    return labels


def _check_finite(inputs):
    for name, part in inputs.items() if isinstance(inputs, Mapping) else [("inputs", inputs)]:
        if part.sum().isfinite():  # one that is not finite would spoil the sum
            continue
        bad = ~part.isfinite()
        if bad.any():
            row = bad.nonzero()[0, 0].item()
            raise ValueError(f"{name} must be finite, got {part[row][bad[row]].flatten()[0].item()} in row {row}")


def _check_order(loader):
    """Cached logits belong to row i of a data set, so its rows must have numbers, and their order be ours to choose."""
    sampler = loader.sampler
    plain = type(sampler) is SequentialSampler or (type(sampler) is RandomSampler and not sampler.replacement)
    if type(loader.batch_sampler) is not BatchSampler or not plain or len(sampler) != len(loader.dataset):
        raise ValueError(
            "inputs must be a DataLoader whose examples have numbers: cached logits belong to them, and their order is "
            f"chosen here (order_seed). Got {type(loader.dataset).__name__} with {type(sampler).__name__}; "
            "list(inputs) makes batches of it that keep their order"
        )
