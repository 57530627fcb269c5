"""A data set: three splits whose rows belong together, and what the teacher said about every row."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kdcourse import store
from kdcourse._arguments import bad_type, describe

if TYPE_CHECKING:
    import pandas as pd

SIDE = 28  # pixels per row and per column of a picture


class Split:
    """Examples with their labels and what the teacher said about them. Row i is the same example everywhere.

    Parameters
    ----------
    labels : tensor, int64 [N]
        Class indices; other integer types will do.
    teacher_logits : tensor, float32 [N, C], optional
    inputs : tensor, float32 [N, D], or int64 [N, L] for ids, optional
        Standardised; or ids below the data set's vocabulary, 0 pads. Give either these or `pixels`, of which they are
        made on first use.
    pixels : tensor, uint8 [N, D], optional
        For data that are pictures.
    scale : (mean, deviation)
        Of the pixels: what standardises them.
    flipped_logits : tensor, float32 [N, C], optional
        What the teacher says about the mirrored pictures.
    about : pandas.DataFrame, optional
        With N rows, indexed 0 to N - 1: what else is known of each example.

    Raises
    ------
    TypeError
        For labels that are not integers, and for anything but a tensor where one is due.
    ValueError
        For labels that are not [N], rows that do not match them, and both or neither of `inputs` and `pixels`.

    Examples
    --------
    >>> split = Split(torch.tensor([0, 1, 1]), inputs=torch.zeros(3, 4))
    >>> split, split[1:].labels.tolist()
    (Split(3 examples), [1, 1])
    """

    def __init__(
        self,
        labels: torch.Tensor,
        teacher_logits: torch.Tensor | None = None,
        *,
        inputs: torch.Tensor | None = None,
        pixels: torch.Tensor | None = None,
        scale: tuple[float, float] = (0.0, 1.0),
        flipped_logits: torch.Tensor | None = None,
        about: "pd.DataFrame | None" = None,
    ) -> None:
        if (inputs is None) == (pixels is None):
            raise ValueError("give exactly one of inputs and pixels")
        # [N, 1] beside [N] would broadcast to [N, N] wherever labels are compared.
        if np.ndim(labels) != 1:
            raise ValueError(f"labels must be [N], one per example, got shape {list(np.shape(labels))}")
        tensors = {"labels": labels, "teacher_logits": teacher_logits, "inputs": inputs, "pixels": pixels}
        for name, value in tensors.items():
            if value is not None and not isinstance(value, torch.Tensor):
                raise bad_type(name, f"must be a tensor, got {describe(value)}: torch.as_tensor makes one of an array")
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise bad_type("labels", f"must be integers, the index of each example's class, got {describe(labels)}")
        self.labels = labels
        self.teacher_logits: Any = teacher_logits  # a tensor wherever there is a teacher
        self.pixels = pixels
        self.scale = scale
        self._flipped_logits = flipped_logits
        self.about = about
        if inputs is not None:
            self.inputs = inputs
        for name in ("teacher_logits", "pixels", "_flipped_logits", "about"):
            value = getattr(self, name)
            if value is not None and len(value) != len(labels):
                raise ValueError(f"{name.strip('_')} must have one row per label, got {len(value)} for {len(labels)}")
        if inputs is not None and len(inputs) != len(labels):
            raise ValueError(f"inputs must have one row per label, got {len(inputs)} for {len(labels)}")

    @cached_property
    def inputs(self) -> torch.Tensor:
        assert self.pixels is not None  # else they were given
        mean, deviation = self.scale
        return self.pixels.to(torch.float32).sub_(mean).div_(deviation)

    def __getstate__(self):
        """What is copied, and sent to other processes: not the inputs where pixels make them, and of a slice its rows
        alone, where torch would send all that it was cut from."""
        made = {"inputs"} if self.pixels is not None else set()
        return {name: _own(value) for name, value in vars(self).items() if name not in made}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | torch.Tensor | np.ndarray) -> "Split":
        """The examples that a slice, an index tensor or a bool tensor picks, as a Split."""
        if not isinstance(index, slice) and np.ndim(index) == 0:
            raise TypeError(f"index must be a slice or a tensor of indices, got the single index {index}")

        def pick(rows):
            return None if rows is None else rows[index]

        return Split(
            self.labels[index],
            pick(self.teacher_logits),
            inputs=None if self.pixels is not None else self.inputs[index],
            pixels=pick(self.pixels),
            scale=self.scale,
            flipped_logits=pick(self._flipped_logits),
            about=None if self.about is None else self.about.iloc[_for_numpy(index)].reset_index(drop=True),
        )

    def flipped(self) -> "Split":
        """The same pictures mirrored left to right, with what the teacher says about the mirrored view.

        Raises ValueError for data that are no pictures.
        """
        if self.pixels is None:
            raise ValueError("only pictures can be flipped; this split has none")
        mirrored = self.pixels.view(-1, SIDE, SIDE).flip(2).reshape(-1, SIDE * SIDE)
        return Split(
            self.labels,
            self._flipped_logits,
            pixels=mirrored,
            scale=self.scale,
            flipped_logits=self.teacher_logits,
            about=self.about,
        )

    def fingerprint(self) -> str:
        """A short hexadecimal name for its content: the same inputs, labels and teacher logits give the same name."""
        parts = [self.inputs, self.labels, self.teacher_logits]
        return store.fingerprint([None if part is None else _digest(part) for part in parts])

    def __repr__(self):
        return f"Split({len(self):,} examples)"


@dataclass(frozen=True)
class DataSet:
    """Three fixed splits, the names of the classes, and how large the teacher is that gave the logits.

    Attributes
    ----------
    train, validation, test : Split
        For training; to choose anything; to report once.
    class_names : tuple of str
    teacher_parameters : int or None
    vocabulary : int or None
        For inputs that are ids: they are below it, and 0 pads. None for inputs that are numbers.
    standardised : (mean, deviation), float64 [D] each, or None
        What `kdcourse.bring.own_task` standardised the inputs with: those of training. A raw row becomes an input by
        `(row - mean) / deviation`, cast to float32.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    teacher_parameters: int | None = None
    vocabulary: int | None = None
    standardised: tuple[torch.Tensor, torch.Tensor] | None = None

    def subset(self, n: int) -> "DataSet":
        """The same data set with the first n training examples (their order is fixed and random).

        Raises ValueError unless n is an integer from 1 to the number of training examples.

        >>> from kdcourse.data import load
        >>> len(load("fashion-mnist", with_teacher=False).subset(500).train)
        500
        """
        if not isinstance(n, int) or not 1 <= n <= len(self.train):
            raise ValueError(f"n must be an integer from 1 to {len(self.train):,}, got {n!r}")
        return replace(self, train=self.train[:n])

    def without(self, class_name: str) -> "DataSet":
        """The same data set with one class left out of the training split, and only there.

        >>> from kdcourse.data import load
        >>> bool((load("fashion-mnist", with_teacher=False).without("sneaker").train.labels == 7).any())
        False
        """
        kept = self.train.labels != self.class_index(class_name)
        return replace(self, train=self.train[kept])

    def class_index(self, class_name: str) -> int:
        """The label that stands for `class_name`. Raises ValueError that lists the names.

        >>> from kdcourse.data import load
        >>> load("fashion-mnist", with_teacher=False).class_index("sneaker")
        7
        """
        if class_name not in self.class_names:
            raise ValueError(f"class_name must be one of {', '.join(self.class_names)}; got {class_name!r}")
        return self.class_names.index(class_name)


def _own(value):
    cut = isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes
    return value.clone() if cut else value


def _for_numpy(index):
    """An index tensor as an array, which pandas understands; a slice as it is."""
    return index.numpy(force=True) if isinstance(index, torch.Tensor) else index


def _digest(tensor):
    """SHA-256 of a tensor's type, shape and bytes."""
    array = np.ascontiguousarray(tensor.numpy(force=True))
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array)
    return digest.hexdigest()
