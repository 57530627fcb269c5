"""What an audit measures: one line a metric, and the formulas behind them, with what each example adds.

A formula takes the labels, the predictions and the weights of one slice. It returns a Measure, or in a few words why
there is none. Values are those of scikit-learn; the influence of each example is what its bootstrap rests on.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kdcourse._arguments import bad_type, bad_value, confidence_level, describe, number, one_of

CALIBRATION_BINS = 15  # as in kdcourse.stats.calibration


class Measure(NamedTuple):
    value: float
    influence: np.ndarray  # [n] by how much an example moves the value, times n: weighted, it sums to 0
    size: float = np.nan  # of a share of right choices: on how many equal examples it rests


class Metric(NamedTuple):
    name: str
    measure: Callable[..., Measure | str]
    # What is measured: "choices", "one class" (choices for it or not), "probabilities" [N, C], "scores" of one class,
    # "numbers" against numbers, "columns" of scores without labels, or what a "function" makes of it
    reads: str
    greater_is_better: bool = True
    unit: str = "points"
    only: bool | None = None  # positives (True) or negatives are measured alone
    by_class: bool = False  # needs every class: examples are drawn again class by class

    @property
    def is_proportion(self) -> bool:
        """Is it a share of right choices, for which the test is exact?"""
        return self.measure is _accuracy

    @property
    def is_share(self) -> bool:
        return self.unit == "points"

    @property
    def is_mean(self) -> bool:
        """Is it a mean over examples, so that its gap is a mean difference?"""
        return self.measure in (_mean, _log_loss, _brier, _absolute_error) or self.name == "pinball"

    @property
    def absent(self) -> str:
        """What a slice without examples to measure lacks."""
        return "no example of the class" if self.only else "no example of another class"

    @property
    def gap(self) -> str:
        return "teacher − student" if self.greater_is_better else "student − teacher"


# ---- formulas ----


def ratio(top: np.ndarray, bottom: np.ndarray, weights: np.ndarray, *, choices: bool = False) -> Measure:
    """Σ weight · top / Σ weight · bottom, linearised as survey statistics does (Särndal et al. 1992, section 5.6)."""
    total = (weights * bottom).sum()
    value = float((weights * top).sum() / total)
    influence = (top - value * bottom) * (weights.sum() / total)
    return Measure(value, influence, effective(weights * bottom) if choices else np.nan)


def effective(weights: np.ndarray) -> float:
    """As many examples of equal weight tell as much (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _accuracy(labels, choices, weights):
    return ratio(choices == labels, np.ones(len(labels)), weights, choices=True)


def _precision(labels, choices, weights):
    if not (weights * choices).any():
        return "the class is never predicted"
    return ratio(choices & labels, choices * 1.0, weights, choices=True)


def _f1(labels, choices, weights):
    if not (weights * labels).any():
        return "no example of the class"
    return ratio(2.0 * (choices & labels), choices * 1.0 + labels, weights, choices=True)


def _balanced_accuracy(labels, choices, weights):
    present, of = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return "one class only"
    total, right = np.bincount(of, weights), choices == labels
    if np.bincount(of).min() < 2 or not total.all():
        return "fewer than two examples of some class"
    recall = np.bincount(of, weights * right) / total
    influence = (right - recall[of]) * (weights.sum() / (len(present) * total))[of]
    # A gap may sit in the smallest class alone.
    smallest = (total**2 / np.bincount(of, weights**2)).min()
    return Measure(float(recall.mean()), influence, len(present) * float(smallest))


def _auroc(labels, scores, weights):
    """With the components of DeLong, DeLong & Clarke-Pearson (1988): shares of the other class that rank below."""
    if min(labels.sum(), (~labels).sum()) < 2 or not ((weights * labels).any() and (weights * ~labels).any()):
        return "fewer than two examples of the class, or of the others"
    levels, at = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(at, weights * one, len(levels)) for one in (labels, ~labels))
    below = (np.cumsum(negative) - negative / 2) / negative.sum()
    above = 1 - (np.cumsum(positive) - positive / 2) / positive.sum()
    component = np.where(labels, below[at], above[at])
    value = float((weights * labels * component).sum() / positive.sum())
    of_its_kind = np.where(labels, positive.sum(), negative.sum())
    return Measure(value, (component - value) * weights.sum() / of_its_kind)


def _of_label(labels, probabilities):
    return np.take_along_axis(probabilities, labels[:, None], 1)[:, 0].astype(np.float64)


def _mean(labels, values, weights):
    return ratio(values, np.ones(len(values)), weights)


def _log_loss(labels, probabilities, weights):
    smallest = np.finfo(probabilities.dtype if probabilities.dtype.kind == "f" else float).eps  # as in scikit-learn
    total = probabilities.sum(1, dtype=np.float64)
    return _mean(labels, -np.log(np.clip(_of_label(labels, probabilities) / total, smallest, 1 - smallest)), weights)


def _brier(labels, probabilities, weights):
    right = _of_label(labels, probabilities)
    squares = (probabilities.astype(np.float64) ** 2).sum(1) - right**2 + (1 - right) ** 2
    return _mean(labels, squares / 2 if probabilities.shape[1] == 2 else squares, weights)  # as in scikit-learn


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """The calibration bin of each confidence; one on an edge belongs to the bin below."""
    edges = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
    return np.clip(np.searchsorted(edges, confidence) - 1, 0, CALIBRATION_BINS - 1)


def _calibration_error(labels, probabilities, weights):
    choice = probabilities.argmax(1)
    confidence = _of_label(choice, probabilities)
    which, surprise = bins_of(confidence), (choice == labels) - confidence
    sums = np.bincount(which, weights * surprise, CALIBRATION_BINS)
    value = float(np.abs(sums).sum() / weights.sum())
    return Measure(value, np.sign(sums)[which] * surprise - value)


def _absolute_error(labels, predictions, weights):
    return _mean(labels, np.abs(labels - predictions), weights)


def _root_mean_squared_error(labels, predictions, weights):
    square = _mean(labels, (labels - predictions) ** 2, weights)
    root = square.value**0.5
    return Measure(root, square.influence / (2 * root) if root else square.influence)


def _pinball(quantile):
    def loss(labels, predictions, weights):
        below = labels - predictions
        return _mean(labels, np.where(below >= 0, quantile * below, (quantile - 1) * below), weights)

    return loss


# ---- the table ----

OF_LABELS = "units of the labels"
METRICS = {
    one.name: one
    for one in [
        Metric("accuracy", _accuracy, "choices"),
        Metric("exact-match", _accuracy, "texts"),
        Metric("recall", _accuracy, "one class", only=True),
        Metric("specificity", _accuracy, "one class", only=False),
        Metric("precision", _precision, "one class"),
        Metric("f1", _f1, "one class"),
        Metric("balanced-accuracy", _balanced_accuracy, "choices", by_class=True),
        Metric("auroc", _auroc, "scores", unit="AUROC", by_class=True),
        Metric("log-loss", _log_loss, "probabilities", False, "nats"),
        Metric("brier", _brier, "probabilities", False, "Brier score"),
        Metric("ece", _calibration_error, "probabilities", False),
        Metric("mae", _absolute_error, "numbers", False, OF_LABELS),
        Metric("rmse", _root_mean_squared_error, "numbers", False, OF_LABELS),
        Metric("pinball", _pinball(0.5), "numbers", False, OF_LABELS),
        Metric("score", _mean, "columns", True, "score"),
        Metric("loss", _mean, "columns", False, "loss"),
    ]
}


def chosen(
    metric: Any,
    score: Callable | None = None,
    pos_label: Any = None,
    threshold: float | None = None,
    quantile: float | None = None,
    greater_is_better: bool = True,
) -> Metric:
    """The Metric that is asked for, with options that it takes."""
    if score is not None:
        if not callable(score):
            raise bad_type("score", f"must be a function of labels and predictions, got {describe(score)}")
        if metric != "accuracy":
            raise bad_value("score", "must be None where there is a metric")
    own = callable(metric)
    if not own:
        one_of("metric", metric, list(METRICS))
    if own:
        name = _name_of(metric, "metric")
        what = Metric(name, metric, "function", greater_is_better, name)
    elif score is not None:
        name = _name_of(score, "score")
        what = Metric(name, _mean, "scored", True, name)
    else:
        what = METRICS[metric]
    if not (own or greater_is_better):
        raise bad_value("greater_is_better", f"must be said of a function only, got {greater_is_better} for {metric}")
    if quantile is not None:
        if what.name != "pinball":
            raise bad_value("quantile", f"must be None but for pinball, got {quantile} for {what.name}")
        what = what._replace(measure=_pinball(confidence_level(quantile, "quantile")))
    if threshold is not None:
        if what.reads not in ("one class", "choices") or not math.isfinite(number("threshold", threshold)):
            raise bad_value("threshold", f"must be None for {what.name}, got {threshold}")
    elif pos_label is not None and what.reads not in ("one class", "scores", "probabilities"):
        raise bad_value("pos_label", f"must be None for {what.name} without a threshold, got {pos_label!r}")
    return what


def _name_of(function, otherwise):
    name = getattr(function, "__name__", otherwise)
    return otherwise if name == "<lambda>" else name
