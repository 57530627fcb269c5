"""What every control needs: the teacher's logits of a data set, another signal in their place, and chance."""

from dataclasses import replace

import torch

from kdcourse._arguments import integer
from kdcourse.data import DataSet, Split


def signal_of(data):
    if not isinstance(data, DataSet):
        raise TypeError(f"data must be a DataSet, got {type(data).__name__}")
    if data.train.teacher_logits is None:
        raise ValueError("data.train must hold the teacher's logits, got None")
    return data.train.teacher_logits


def with_signal(data, teacher_logits):
    train = data.train
    if train.pixels is None:
        return replace(data, train=Split(train.labels, teacher_logits, inputs=train.inputs))
    return replace(data, train=Split(train.labels, teacher_logits, pixels=train.pixels, scale=train.scale))


def seeded(seed):
    return torch.Generator().manual_seed(integer("seed", seed, at_least=0))


def tiny():
    """Two examples, for the examples above."""
    split = Split(torch.tensor([0, 1]), torch.tensor([[3.0, 0.0], [1.0, 2.0]]), inputs=torch.eye(2))
    return DataSet("tiny", split, split, split, class_names=("ham", "spam"))
