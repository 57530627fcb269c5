"""The area under the ROC curve as a mean over examples, so that what holds of means holds of it too."""

import numpy as np
from numpy.typing import ArrayLike

from kdcourse.stats.columns import booleans, values


def auroc_contributions(labels: ArrayLike, scores: ArrayLike) -> np.ndarray:
    """What each example contributes to the AUROC: their mean is the AUROC, and its variance DeLong's.

    Parameters
    ----------
    labels : array_like [N]
        Is the example positive? Booleans, or integers 0 and 1; at least 2 of each.
    scores : array_like [N]
        Higher for examples that are more likely positive; any finite numbers.

    Returns
    -------
    numpy.ndarray [N]
        float64. Single contributions may lie outside [0, 1].

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    Notes
    -----
    DeLong, DeLong & Clarke-Pearson (1988, doi:10.2307/2531595): the structural component of a positive example is the
    share of negatives that score below it, that of a negative the share of positives above it; ties count half. Either
    kind has the AUROC as its mean, and the AUROC's variance is var(positives) / m + var(negatives) / k, of m and k.
    Here the deviations of a kind with m examples are scaled by sqrt(N (N - 1) / (m (m - 1))): then the plain variance
    of all N, divided by N, is the same. So are the covariances of models that score the same examples, and the
    rows that `compare` takes are made of these. Components come from midranks, in O(N log N) (Sun & Xu 2014,
    doi:10.1109/LSP.2014.2337313).

    Examples
    --------
    >>> contributions = auroc_contributions([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> round(float(contributions.mean()), 6)
    0.75
    """
    positive, scores = booleans("labels", labels), values("scores", scores)
    if len(positive) != len(scores):
        raise ValueError(f"scores must be as long as labels, got {len(scores)} and {len(positive)}")
    n, positives = len(scores), int(positive.sum())
    negatives = n - positives
    if min(positives, negatives) < 2:
        raise ValueError(f"labels must hold at least 2 positives and 2 negatives, got {positives} and {negatives}")
    # Of all that rank below an example, those of its own kind taken away; ties count half.
    from scipy.stats import rankdata

    others_below = rankdata(scores)
    for kind in (positive, ~positive):
        others_below[kind] -= rankdata(scores[kind])
    components = np.where(positive, others_below / negatives, 1 - others_below / positives)
    auroc = components[positive].mean()
    of_its_kind = np.where(positive, positives, negatives)
    return auroc + (components - auroc) * np.sqrt(n * (n - 1) / (of_its_kind * (of_its_kind - 1)))
