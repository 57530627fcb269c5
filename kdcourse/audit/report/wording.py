"""How an audit measured and tested, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdcourse.audit.inputs.examples import counted
from kdcourse.audit.judging.spread import RESAMPLES
from kdcourse.audit.metrics import Metric

OPTIONS = {"pos_label": "of {!r}", "threshold": "at a threshold of {}", "quantile": "at the quantile {}"}


def named(metric: str, options: Mapping[str, Any]) -> str:
    """ "recall of 'spam' at a threshold of 0.4": a metric with those of OPTIONS that were said of it."""
    said = [words.format(options[name]) for name, words in OPTIONS.items() if options.get(name) is not None]
    return " ".join([metric, *said])


def about(metric: Metric, options: Mapping[str, Any]) -> str:
    """The metric in a sentence, where it is not accuracy or a score of somebody's own; else ""."""
    if metric.reads == "scored" or metric.name == "accuracy" and options["threshold"] is None:
        return ""
    better = "higher" if metric.greater_is_better else "lower"
    return f"Measured is {named(metric.name, options)}: {better} is better, the gap is {metric.gap}, in {metric.unit}. "


def tested_by(metric: Metric, exact: bool, weights: np.ndarray | None, clusters: np.ndarray | None) -> str:
    """What the verdicts come from."""
    if exact:
        return "a test on what only one of the two gets right"
    if metric.is_mean and weights is None and clusters is None:
        return "Student's t test of the mean difference"
    way = f"{RESAMPLES} resamples" if metric.reads == "function" else "in closed form"
    unit = "clusters as wholes" if clusters is not None else "examples"
    by = ", class by class" if metric.by_class and clusters is None else ""
    weighted = ", weighted" if weights is not None else ""
    return f"Student's t test with the standard error of a paired bootstrap ({way}, of {unit}{by}{weighted})"


def method(test: str, tested: Sequence[int], min_samples: int, confidence: float, correction: str) -> str:
    """How verdicts come about; `tested` is how many rows of each student are tested, all examples among them."""
    percent, error = f"{100 * confidence:.4g} %", f"{50 * (1 - confidence):.4g} %"
    slices = f"{'' if len(set(tested)) == 1 else 'up to '}{counted(max(tested) - 1, 'slice')}"
    family = f"{slices} of at least {counted(min_samples, 'example')}, and all examples together"
    family += f", for {len(tested)} students" if len(tested) > 1 else ""
    by, so = {
        "holm": (
            "Holm's method",
            f"with a probability of at least {percent}, no flag and no pass of this report is wrong",
        ),
        "fdr": (
            "Benjamini and Hochberg's method, for exploring",
            f"of the flags, and of the passes, at most {error} are wrong on average. A release needs Holm's method",
        ),
    }[correction]
    return (
        f"Verdicts come from {test}, corrected by {by} for {counted(sum(tested), 'test')} ({family}): {so}. "
        f"Each interval has {percent} for itself alone."
    )
