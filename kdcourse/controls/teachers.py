"""The same examples with another teacher."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from kdcourse._arguments import integer
from kdcourse._process import arithmetic_threads
from kdcourse.controls._signal import signal_of, tiny, with_signal  # noqa: F401, for the examples
from kdcourse.controls.signals import arg_max, sampled, smoothed_labels, with_soft_labels
from kdcourse.data import DataSet
from kdcourse.models import mlp
from kdcourse.train import accuracy, cosine, distill, teacher_logits, train

TINY = 1e-30  # of a probability that may not be zero


def taught_by(data: DataSet, teacher: torch.nn.Module) -> DataSet:
    """The same examples with another teacher, [N, D] -> logits [N, C]: an assistant, one that was trained otherwise.

    >>> taught_by(tiny(), torch.nn.Identity()).train.teacher_logits
    tensor([[1., 0.],
            [0., 1.]])
    """
    before = signal_of(data)
    said = teacher_logits(teacher, data.train.inputs)
    if said.shape != before.shape:
        raise ValueError(f"teacher must give logits {list(before.shape)}, got {list(said.shape)}")
    return with_signal(data, said)


def self_taught(
    data: DataSet, *, width: int = 256, epochs: Sequence[int] = (5, 10, 20), seed: int = 0, device: str = "auto"
) -> DataSet:
    """The same examples with a teacher that learned from their own labels: it knows no more than its student may.

    The teacher is a network with `width` hidden units; of these numbers of epochs it has the one that is best on
    validation. Where labels are wrong, it has learned from the wrong ones.

    >>> tiny = tiny()
    >>> self_taught(tiny, width=4, epochs=[30]).train.teacher_logits.shape == tiny.train.teacher_logits.shape
    True
    """
    classes, train_split = signal_of(data).shape[1], data.train
    width, seed = integer("width", width, at_least=1), integer("seed", seed, at_least=0)
    teachers = []
    for passes in epochs:
        teacher = mlp([train_split.inputs.shape[1], width, classes], seed)
        how = {"schedule": cosine, "order_seed": seed, "device": device, "progress": False}
        train(teacher, train_split.inputs, train_split.labels, epochs=passes, **how)
        teachers.append((accuracy(teacher, data.validation, device=device), -passes, teacher))
    if not teachers:
        raise ValueError(f"epochs must not be empty, got {epochs!r}")
    return taught_by(data, max(teachers, key=lambda one: one[:2])[2])


def told(data: DataSet, n: int, *, quick: bool = False) -> dict[str, Callable[[DataSet, int], DataSet]]:
    """What a teacher may say of the first n pictures, each a function of a block's data set and its number.

    - "one sample each": a class drawn from its probabilities, as an API gives that answers in text
    - "first choices": its most probable class
    - "four times too sure": its logits, times four
    - "smoothed" and "plain": another teacher's, of 256 units; of these two one has learned with label smoothing

    The two learn from the labels of the last 10,000 of the training pictures of `data`, with `quick` of 2,000.

    >>> from kdcourse.data import load
    >>> garments = load("fashion-mnist").subset(60)
    >>> told(garments, 20)["first choices"](garments, 0).train.teacher_logits.softmax(1).amax(1).unique()
    tensor([1.])
    """
    n = integer("n", n, at_least=1)
    apart = replace(data, train=data.train[-2_000 if quick else -10_000 :])

    def learned(amount):
        soft = smoothed_labels(apart, amount).train.teacher_logits
        teacher = mlp([data.train.inputs.shape[1], 256, len(data.class_names)], seed=0)
        how = {"temperature": 1, "epochs": 5, "schedule": cosine, "device": "cpu", "progress": False}
        with arithmetic_threads(1):  # more would wait for one another longer than they compute
            distill(teacher, apart.train.inputs, soft, **how)
        return lambda data, block: taught_by(data.subset(n), teacher)

    def too_sure(data, block):
        some = data.subset(n)
        return with_soft_labels(some, (4 * some.train.teacher_logits).softmax(1) + TINY, 1)

    return {
        "one sample each": lambda data, block: sampled(data.subset(n), block),
        "first choices": lambda data, block: arg_max(data.subset(n)),
        "four times too sure": too_sure,
        "smoothed": learned(0.1),
        "plain": learned(TINY),
    }
