"""How confidence relates to accuracy: the calibration error, the table behind it, and the temperature that mends it.

Beside it, the one bias that mends a class which was never the likeliest in training.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from kdcourse._arguments import describe, integer
from kdcourse.stats.intervals import proportion_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["expected_calibration_error", "fit_bias", "fit_temperature", "reliability"]

# How far `fit_temperature` looks, on either side of the typical distance between logits. Wide, because one class that
# is ruled out by a logit of minus a billion stretches that distance.
_REACH = 1e12


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature that minimises the mean cross-entropy of softmax(logits / T) (Guo et al. 2017, section 4.2).

    Fit it on validation examples. First choices stay what they are, and so does the accuracy.

    Parameters
    ----------
    logits : array_like or tensor [N, C]
        Finite numbers.
    labels : array_like or tensor [N]
        Class indices.

    Returns
    -------
    float
        T > 0: above 1 where the model is too sure of itself, below 1 where it is not sure enough.

    Raises
    ------
    ValueError
        Naming the argument; also where no temperature is the best one, because the loss only falls towards T = 0
        (every label has the highest logit) or towards infinity (the labels' logits are no higher than the other
        classes' on average).
    TypeError
        For what are no numbers.

    Examples
    --------
    >>> round(fit_temperature([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], [0, 1, 1]), 3)
    2.885
    """
    logits, labels = _checked("logits", logits, labels)
    bad = np.argwhere(~np.isfinite(logits))
    if len(bad):
        raise ValueError(f"logits must be finite, got {logits[tuple(bad[0])]} at index {bad[0].tolist()}")
    below_top = logits - logits.max(1, keepdims=True)
    distance = -below_top.mean()
    if distance == 0:
        raise ValueError("logits must differ between the classes, got equal ones in every row")
    below_top /= distance
    label_logit = below_top[np.arange(len(labels)), labels].mean()

    def slope(log_sharpness):
        # The loss is convex in 1/T, with this derivative: the mean logit that the softmax expects, less the label's.
        probabilities = special.softmax(np.exp(log_sharpness) * below_top, axis=1)
        return (probabilities * below_top).sum(1).mean() - label_logit

    ends = -np.log(_REACH), np.log(_REACH)
    if slope(ends[0]) >= 0:
        raise ValueError(
            "logits must be higher for the labels than for the other classes, or the loss falls for ever as T grows; "
            f"got {logits[np.arange(len(labels)), labels].mean():.4g} for the labels and {logits.mean():.4g} for all "
            "classes, on average"
        )
    if slope(ends[1]) <= 0:
        right = (below_top[np.arange(len(labels)), labels] == 0).mean()
        raise ValueError(
            "logits must put another class above some label, or the loss falls all the way to T = 0; "
            f"got the highest logit for {right:.4g} of the labels"
        )
    return float(distance / np.exp(optimize.brentq(slope, *ends)))


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> "pd.DataFrame":
    """Accuracy beside confidence, bin by bin: the table behind a reliability diagram (Guo et al. 2017, section 2).

    Parameters
    ----------
    probabilities, labels, bins
        As in `expected_calibration_error`, whose errors these are too.

    Returns
    -------
    pandas.DataFrame
        One row for each bin that holds an example, the least sure first. `low` and `high` are its edges (a confidence
        of `low` belongs to the bin below), `n` counts its examples, `confidence` is their mean highest probability,
        `accuracy` the share of them that is right, with Wilson's 95 % interval `accuracy_low`, `accuracy_high`.

    Examples
    --------
    >>> reliability([[0.9, 0.1], [0.2, 0.8]], [0, 0], bins=2)[["n", "accuracy"]].values.tolist()
    [[2.0, 0.5]]
    """
    import pandas as pd

    confidence, correct, which, edges = _binned(probabilities, labels, bins)
    rows = []
    for k in np.unique(which):
        inside = which == k
        n, right = int(inside.sum()), int(correct[inside].sum())
        row = {"low": edges[k], "high": edges[k + 1], "n": n}
        row |= {"confidence": confidence[inside].mean(), "accuracy": right / n}
        row["accuracy_low"], row["accuracy_high"] = proportion_interval(right, n)
        rows.append(row)
    return pd.DataFrame(rows)


def fit_bias(logits: ArrayLike, labels: ArrayLike, label: int) -> float:
    """By how much to raise the logit of one class, for the best accuracy (Hinton et al. 2015, section 3).

    Fit it on validation examples. Steps of 0.5 up to 20 are tried; of equally good ones it is the smallest.

    Parameters
    ----------
    logits : array_like or tensor [N, C]
        Finite numbers, of two classes or more.
    labels : array_like or tensor [N]
        Class indices.
    label : int
        The class.

    Returns
    -------
    float
        0 to 20.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> fit_bias([[2.0, 0.0], [3.0, 2.0], [0.0, 1.0]], [0, 1, 1], label=1)
    1.5
    """
    logits, labels = _checked("logits", logits, labels)
    if not 0 <= integer("label", label, at_least=0) < logits.shape[1]:
        raise ValueError(f"label must be one of the {logits.shape[1]} classes, got {label}")
    if logits.shape[1] == 1:
        raise ValueError("logits must be of two classes or more, got 1")
    raised, others = logits[:, label], np.delete(logits, label, axis=1)
    rival, first = others.max(1), np.delete(np.arange(logits.shape[1]), label)[others.argmax(1)]
    enough = np.where(label < first, rival, np.nextafter(rival, np.inf))  # of equal logits the first is chosen
    biases = np.arange(0, 20.1, 0.5)
    accuracies = [np.where(raised + bias >= enough, labels == label, labels == first).mean() for bias in biases]
    return float(biases[int(np.argmax(accuracies))])


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """How far confidence is from accuracy, on average (Guo et al. 2017, eq. 3): 0 is perfect, 1 the worst.

    Parameters
    ----------
    probabilities : array_like or tensor [N, C]
        Rows that sum to 1.
    labels : array_like or tensor [N]
        Class indices.
    bins : int
        Equal-width bins of the highest probability, open on the left: (0, 1/15], (1/15, 2/15], ...

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Examples
    --------
    >>> round(expected_calibration_error([[0.9, 0.1], [0.2, 0.8]], [0, 1]), 3)
    0.15
    """
    confidence, correct, *_ = _binned(probabilities, labels, bins)
    return confidence_gap(confidence, correct, bins)


def confidence_gap(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """The expected calibration error of answers [N], each with its confidence and whether it is right, unchecked."""
    which, edges = _bins(confidence, bins)
    gaps = np.bincount(which, weights=correct - confidence, minlength=len(edges) - 1)
    return float(np.abs(gaps).sum() / len(correct))


def _binned(probabilities, labels, bins):
    """Per example, its confidence, whether it is right, and its bin; and the edges of the bins."""
    probabilities, labels = _checked("probabilities", probabilities, labels)
    bins = integer("bins", bins, at_least=1)
    outside = ~((probabilities >= 0) & (probabilities <= 1 + 1e-3))
    if outside.any():
        raise ValueError(f"probabilities must be in [0, 1], got {probabilities[outside][0]}")
    if not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        row = int(np.abs(probabilities.sum(1) - 1).argmax())
        raise ValueError(f"probabilities must sum to 1 over axis 1, got {probabilities[row].sum():.4g} in row {row}")
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels
    return confidence, correct, *_bins(confidence, bins)


def _bins(confidence, bins):
    # Not confidence * bins, rounded up: 0.56 * 25 is more than 14, and 0.56 would land above its edge.
    edges = np.arange(bins + 1) / bins
    return np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1), edges


def _checked(name, table, labels):
    """`table` as float64 [N, C] and the labels as an array [N], once each fits the other."""
    table, labels = _array(name, table), _array("labels", labels)
    if labels.ndim != 1 or (len(labels) and not np.issubdtype(labels.dtype, np.integer)):
        raise ValueError(f"labels must be integers [N], got {labels.dtype} of shape {list(labels.shape)}")
    if table.ndim != 2 or len(table) != len(labels) or table.size == 0:
        raise ValueError(
            f"{name} must be [N, C] with one row per label, got {list(table.shape)} for {len(labels)} labels"
        )
    if table.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers, got {describe(table)}")
    outside = labels[(labels < 0) | (labels >= table.shape[1])]
    if len(outside):
        raise ValueError(f"labels must be in [0, {table.shape[1]}), got {outside[0]}")
    return table.astype(np.float64), labels


def _array(name, values):
    if hasattr(values, "detach"):  # a tensor: numpy takes none with a gradient, on a GPU or in bfloat16
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    try:
        return np.asarray(values)
    except ValueError as reason:  # ragged lists
        raise TypeError(f"{name} must be numbers in rows of one length: {reason}") from None
