"""What the tests of sweeps share: a small data set with a teacher that knows its formula, and a table of students."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from kdcourse.data import DataSet, Split
from kdcourse.sweep import grid

D, C = 20, 4
SIZES = {"train": 300, "validation": 200, "test": 200}


def blobs(seed=0, sizes=SIZES, spread=0.7):
    """Four Gaussians of unit variance. The teacher's logits are the exact log-likelihoods, up to a constant."""
    generator = torch.Generator().manual_seed(seed)
    centres = spread * torch.randn(C, D, generator=generator)
    splits = {}
    for name, size in sizes.items():
        labels = torch.randint(0, C, (size,), generator=generator)
        inputs = centres[labels] + torch.randn(size, D, generator=generator)
        logits = inputs @ centres.T - centres.square().sum(1) / 2
        splits[name] = Split(labels, logits, inputs=inputs)
    return DataSet("blobs", **splits, class_names=("north", "east", "south", "west"), teacher_parameters=10_000)


def bags(seed=0, sizes=SIZES, vocabulary=40, classes=C):
    """Rows of ids with padding anywhere. The teacher adds up what each id says for each class."""
    generator = torch.Generator().manual_seed(seed)
    says = torch.randn(vocabulary, classes, generator=generator)
    says[0] = 0
    splits = {}
    for name, size in sizes.items():
        ids = torch.randint(0, vocabulary, (size, 12), generator=generator)
        logits = says[ids].sum(1)
        splits[name] = Split(logits.softmax(1).multinomial(1, generator=generator)[:, 0], logits, inputs=ids)
    names = ("north", "east", "south", "west")[:classes]
    return DataSet("bags", **splits, class_names=names, teacher_parameters=10_000, vocabulary=vocabulary)


def with_changed(data, split, **parts):
    """The data with parts of one split replaced, each by a function of what it was."""
    old = getattr(data, split)
    new = {name: getattr(old, name) for name in ("labels", "teacher_logits", "inputs")}
    new |= {name: change(new[name]) for name, change in parts.items()}
    return replace(data, **{split: Split(**new)})


def mixed():
    """Students of several kinds in no order, under an index that says nothing about it."""
    table = pd.concat([
        grid(width=[5, 9], temperature=[1, 4], soft_weight=[0, 0.5], lr=0.02, init_seed=[0, 1]),
        grid(width=5, hidden_layers=2, lr=[0.01, 0.03], weight_decay=0.1, order_seed=[0, 3]),
    ])  # fmt: skip
    table = table.sample(frac=1, random_state=1)
    return table.set_axis([f"student {7 * k % 20}" for k in range(20)])


def close(one, other, rtol=1e-5, atol=1e-6):
    """The same table, apart from rounding and from how long it took."""
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"), rtol=rtol, atol=atol)


def files(folder):
    """{name: content} of the finished chunks in a folder."""
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.safetensors")}


def same(one, other, but=()):
    """The same table to the last bit, types, missing values and arrays included."""
    assert one.columns.tolist() == other.columns.tolist()
    arrays = [name for name in one.columns if name.endswith(("_logits", "_right"))]
    pd.testing.assert_frame_equal(
        one.drop(columns=[*arrays, *but]), other.drop(columns=[*arrays, *but]), check_exact=True
    )
    for name in arrays:
        for mine, others in zip(one[name], other[name], strict=True):
            assert mine.dtype == others.dtype
            assert mine.tobytes() == others.tobytes()
