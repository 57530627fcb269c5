"""Losses on what a layer says, `(student_features, teacher_features) -> one value per example`.

The channels are on axis 1. No gradient flows into the teacher's features. `kdcourse.features` trains with them.
"""

import torch
import torch.nn.functional as F

from kdcourse.losses.arithmetic import _precise


def hint_loss(student_features: torch.Tensor, teacher_features: torch.Tensor) -> torch.Tensor:
    """The mean squared difference of the features (FitNets; Romero et al. 2015, eq. 3).

    The paper has half the sum of the squares. Its regressor is no part of this: what comes here has the teacher's
    shape.

    Parameters
    ----------
    student_features, teacher_features : Tensor
        [B, ...] of one shape.

    Returns
    -------
    Tensor
        [B], squared units of the features.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> hint_loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, -1.0]]))  # (1 + 9) / 2
    tensor([5.])
    """
    student, teacher = _pair(student_features, teacher_features)
    if student.shape != teacher.shape:
        raise ValueError(
            "student_features must have the shape of teacher_features once they went through a regressor, "
            f"got {list(student.shape)} and {list(teacher.shape)}"
        )
    return (student - teacher).square().flatten(1).mean(1)


def attention_loss(student_features: torch.Tensor, teacher_features: torch.Tensor) -> torch.Tensor:
    """The distance between two attention maps (Zagoruyko and Komodakis 2017, eq. 2, one layer, without β/2).

    A map says where a layer is active: the sum of the squares over the channels, at each place, as a vector of
    length 1. The distance is the Euclidean one, as in the equation; the authors' code takes the mean of its square.

    Parameters
    ----------
    student_features, teacher_features : Tensor
        [B, channels, H, W]. The numbers of channels may differ. If the sizes do, maps are averaged down to the smaller
        height and the smaller width.

    Returns
    -------
    Tensor
        [B], from 0 to √2. A map that is 0 everywhere stays 0.

    Raises
    ------
    ValueError
        If the features are no pictures, or of different numbers of examples.

    Examples
    --------
    >>> left, both = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[1.0, 1.0]], [[1.0, -1.0]]]])
    >>> attention_loss(left, both), attention_loss(2 * both, both)  # sqrt(2 - sqrt(2)), 0
    (tensor([0.7654]), tensor([0.]))
    """
    student, teacher = _pair(student_features, teacher_features)
    for name, features in [("student_features", student), ("teacher_features", teacher)]:
        if features.ndim != 4:
            raise ValueError(f"{name} must be [B, channels, H, W], got {list(features.shape)}")
    height, width = (min(sizes) for sizes in zip(student.shape[2:], teacher.shape[2:], strict=True))
    student, teacher = (_map(features, (height, width)) for features in (student, teacher))
    return torch.linalg.vector_norm(student - teacher, dim=1)


def relation_loss(
    student_features: torch.Tensor,
    teacher_features: torch.Tensor,
    *,
    distance_weight: float = 1.0,
    angle_weight: float = 2.0,
) -> torch.Tensor:
    """How examples lie to one another: distances and angles (RKD; Park et al. 2019, section 3.2).

    For every pair of different examples the Huber loss between the student's distance and the teacher's, each divided
    by its mean over all pairs; for every three, the Huber loss between the cosines of the angle at the middle one. The
    paper sums over pairs and triples. This takes means, so that the weights do not depend on the batch size. Every
    example gets its share, that of the pairs it begins and of the angles at it: the mean over the batch is the mean
    over all.

    Parameters
    ----------
    student_features, teacher_features : Tensor
        [B, ...]; only B must be the same. Memory grows with B³.
    distance_weight, angle_weight : float
        Weights of the two terms; the paper has 1 to 2.

    Returns
    -------
    Tensor
        [B], no unit; 0 where a batch has too few examples. Examples at one and the same point have no angle: its
        cosine counts as 0.

    Raises
    ------
    ValueError
        If the numbers of examples differ.

    Examples
    --------
    >>> triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    >>> larger = 2 * triangle + 1
    >>> relation_loss(larger, triangle).abs().max() < 1e-6, relation_loss(triangle**2, triangle).mean() > 0.01
    (tensor(True), tensor(True))
    """
    student, teacher = _pair(student_features, teacher_features)
    distance, cosine = _relations(student.flatten(1))
    wanted, wanted_cosine = (part.to(student.dtype) for part in _relations(teacher.flatten(1)))
    count = len(student)
    pairs = F.huber_loss(distance, wanted, reduction="none").sum(1) / max(count - 1, 1)
    angles = F.huber_loss(cosine, wanted_cosine, reduction="none")
    angles = angles.sum((1, 2)) - angles.diagonal(dim1=1, dim2=2).sum(1)  # two directions, not one twice
    angles = angles / max((count - 1) * (count - 2), 1)
    return distance_weight * pairs + angle_weight * angles


def _relations(points):
    """Distances [B, B] over their mean, and cosines [B, B, B]: at i, between the directions to j and to k.

    From inner products, so that no direction [B, B, features] has to be stored; their differences take float64.
    """
    wide = _precise(points, True)
    wide = wide - wide.mean(0)
    inner = wide @ wide.mT
    square = inner.diagonal()
    both = square[:, None] + square
    squared = both - 2 * inner
    same = squared <= 64 * torch.finfo(wide.dtype).eps * both  # one and the same point, up to rounding
    distance = squared.masked_fill(same, 1).sqrt().masked_fill(same, 0)
    inverse = 1 / _not_zero(distance)
    half = square[:, None] / 2 - inner
    cosine = (inner + half[:, :, None] + half[:, None]) * inverse[:, :, None] * inverse[:, None]
    mean = distance.sum() / max(len(points) * (len(points) - 1), 1)
    return (distance / _not_zero(mean)).to(points.dtype), cosine.to(points.dtype)


def _map(features, size):
    energy = features.square().sum(1, keepdim=True)
    if energy.shape[2:] != size:
        energy = F.adaptive_avg_pool2d(energy, size)
    energy = energy.flatten(1)
    return energy / _not_zero(torch.linalg.vector_norm(energy, dim=1, keepdim=True))


def _not_zero(lengths):
    """Lengths to divide by. A vector of length 0 stays 0, and gets no gradient through its direction."""
    return lengths.masked_fill(lengths == 0, torch.inf)


def _pair(student_features, teacher_features):
    if len(student_features) != len(teacher_features):
        raise ValueError(
            "student_features must be of as many examples as teacher_features, "
            f"got {len(student_features)} and {len(teacher_features)}"
        )
    return _precise(student_features, False), _precise(teacher_features.detach(), False)
