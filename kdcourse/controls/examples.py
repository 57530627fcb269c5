"""Other labels, or fewer examples; the teacher says of them what it said."""

from copy import copy
from dataclasses import replace

import torch

from kdcourse import _arguments
from kdcourse._arguments import integer
from kdcourse.controls._signal import seeded, signal_of, tiny  # noqa: F401, for the examples
from kdcourse.data import DataSet
from kdcourse.losses import LossFunction, blended


def never_shown(data: DataSet, class_name: str) -> DataSet:
    """The data set without the training examples that label *or teacher* would call by the name of a class.

    Hinton et al. (2015, section 3) leave out the examples with the label; this leaves out more.

    >>> never_shown(tiny(), "spam").train.labels
    tensor([0])
    """
    said, label = signal_of(data).argmax(1), data.class_index(class_name)
    unseen = (data.train.labels != label) & (said != label)
    return replace(data, train=data.train[unseen])


def noisy_labels(data: DataSet, share: float, seed: int = 0) -> DataSet:
    """A `share` of the training *labels* replaced by other classes, drawn evenly; the teacher's logits stay.

    Exactly this share of the labels, in [0, 1], is wrong, to the nearest example.

    >>> noisy_labels(tiny(), 1.0).train.labels
    tensor([1, 0])
    """
    _arguments.share("share", share)
    classes, train, generator = signal_of(data).shape[1], data.train, seeded(seed)
    chosen = torch.randperm(len(train), generator=generator)[: round(share * len(train))]
    labels = train.labels.clone()
    labels[chosen] = (labels[chosen] + torch.randint(1, classes, (len(chosen),), generator=generator)) % classes
    mislabelled = copy(train)  # so that the teacher of the mirrored view stays as well
    mislabelled.labels = labels
    return replace(data, train=mislabelled)


def long_tail(data: DataSet, rarest: int, first: int = 0) -> DataSet:
    """Training examples dropped so that the classes get rarer step by step, the last of them down to `rarest`.

    Class first + k, counted round the classes, keeps most · (rarest / most)^(k / (C − 1)) of its examples, the first
    ones, where `most` is the size of the smallest class before (Cui et al. 2019, section 5.1, cut so). With another
    `first` another class is the rarest, so that "rare" can be told from "hard". The rarest is class first − 1.

    Parameters
    ----------
    data : DataSet
    rarest : int
        Examples, from 1 to the size of the smallest class.
    first : int
        In 0 ... C − 1.

    Examples
    --------
    >>> long_tail(tiny(), rarest=1).train
    Split(2 examples)
    """
    classes = signal_of(data).shape[1]
    rarest, first = integer("rarest", rarest, at_least=1), integer("first", first, at_least=0)
    if first >= classes:
        raise ValueError(f"first must be one of the {classes} classes, 0 to {classes - 1}, got {first}")
    labels = data.train.labels
    most = int(torch.bincount(labels, minlength=classes).min())
    if rarest > most:
        raise ValueError(f"rarest must be at most the size of the smallest class, {most}, got {rarest}")
    kept = torch.zeros(len(labels), dtype=torch.bool)
    for step in range(classes):
        count = round(most * (rarest / most) ** (step / max(classes - 1, 1)))
        kept[(labels == (first + step) % classes).nonzero().flatten()[:count]] = True
    return replace(data, train=data.train[kept])


def weighted_labels(data: DataSet) -> LossFunction:
    """The loss of labels in which all classes weigh the same, each example one over how frequent its class is.

    The simplest remedy for a long tail that needs no teacher.

    Parameters
    ----------
    data : DataSet
        Whose training labels are counted; a class without any counts as one that has a single example.

    Returns
    -------
    function
        A loss for `kdcourse.sweep.sweep`, as of `kdcourse.losses.blended`.

    Examples
    --------
    >>> loss = weighted_labels(tiny())
    >>> loss(torch.zeros(1, 2), None, torch.tensor([0])).shape
    torch.Size([1])
    """
    counts = torch.bincount(data.train.labels, minlength=signal_of(data).shape[1]).clamp(min=1)
    return blended(soft_weight=0, class_weight=len(data.train) / (len(counts) * counts))
