"""The student answers first; where it is unsure, the teacher is asked."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_value, class_indices, describe, share
from kdcourse.ship.cost import as_costs
from kdcourse.stats import proportion_interval
from kdcourse.stats.paired import gap_interval


class Cascade(NamedTuple):
    """A threshold of confidence: below it the student's answer is not taken, and the teacher is asked.

    Attributes
    ----------
    threshold : float
        Of the student's highest probability.

    Examples
    --------
    >>> cascade = Cascade(threshold=0.8)
    >>> cascade.asks([[0.9, 0.1], [0.6, 0.4]]).tolist()
    [False, True]
    >>> cascade.answers([[0.9, 0.1], [0.6, 0.4]], lambda rows: [[0.2, 0.8]] * len(rows)).argmax(1).tolist()
    [0, 1]
    """

    threshold: float

    def asks(self, student_probabilities: ArrayLike) -> np.ndarray:
        """Which of the examples [N, C] go to the teacher: bool [N]."""
        return _probabilities("student_probabilities", student_probabilities).max(1) < self.threshold

    def answers(self, student_probabilities: ArrayLike, teacher: Callable[[np.ndarray], ArrayLike]) -> np.ndarray:
        """The probabilities [N, C] that the cascade answers with.

        Parameters
        ----------
        student_probabilities : array_like or tensor [N, C]
        teacher : function
            From the numbers of the rows that it is asked about, int64 [n], to its probabilities [n, C]. It is called
            once, or not at all where nothing is to be asked.

        Returns
        -------
        array [N, C]
        """
        answers = _probabilities("student_probabilities", student_probabilities).copy()
        rows = np.flatnonzero(self.asks(answers))
        if len(rows):
            answers[rows] = _probabilities("teacher(rows)", teacher(rows), (len(rows), answers.shape[1]))
        return answers

    def evaluate(
        self,
        student_probabilities: ArrayLike,
        teacher_probabilities: ArrayLike,
        labels: ArrayLike,
        *,
        student_cost_per_1000: float = 0.0,
        teacher_cost_per_1000: float = 1.0,
        slices: Mapping[str, ArrayLike] | None = None,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """How right the cascade is and what it costs, on examples that the threshold was not chosen on.

        Parameters
        ----------
        student_probabilities, teacher_probabilities : array_like or tensor [N, C]
        labels : array_like or tensor [N]
            Class indices.
        student_cost_per_1000, teacher_cost_per_1000 : float
            Per 1,000 requests, >= 0, in one currency. All requests pay for the student, and those that are asked on
            pay for the teacher too. Left out, the cost is in teacher's requests.
        slices : dict of array_like [N], optional
            Name of a slice: the value of each example, or booleans, of which only True makes a row.
        confidence : float
            Of each interval alone, in (0, 1).

        Returns
        -------
        DataFrame
            A row ("all", "") and one for each slice and value, with `examples`; `fallback_share`, the share that goes
            to the teacher; `cost_per_1000`; `accuracy` of the cascade, with Wilson's interval `accuracy_low`,
            `accuracy_high`; `student_accuracy`, `teacher_accuracy`; `gain`, the cascade's accuracy minus the student's,
            with the interval of `stats.paired.gap_interval`, `gain_low`, `gain_high`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        student, teacher, labels = _right(student_probabilities, teacher_probabilities, labels)
        asked = self.asks(student_probabilities)
        student_cost, teacher_cost = as_costs(
            student_cost_per_1000=student_cost_per_1000, teacher_cost_per_1000=teacher_cost_per_1000
        )
        right = np.where(asked, teacher, student)

        def row(chosen):
            n, hits = int(chosen.sum()), int(right[chosen].sum())
            better, worse = int((right & ~student)[chosen].sum()), int((student & ~right)[chosen].sum())
            low, high = proportion_interval(hits, n, confidence)
            gain_low, gain_high = gap_interval(better, worse, n, confidence)
            return {
                "examples": n,
                "fallback_share": asked[chosen].mean(),
                "cost_per_1000": float(student_cost + asked[chosen].mean() * teacher_cost),
                "accuracy": hits / n,
                "accuracy_low": low,
                "accuracy_high": high,
                "student_accuracy": student[chosen].mean(),
                "teacher_accuracy": teacher[chosen].mean(),
                "gain": (better - worse) / n,
                "gain_low": gain_low,
                "gain_high": gain_high,
            }

        rows: dict[tuple[str, object], dict] = {("all", ""): row(np.ones(len(labels), dtype=bool))}
        for name, values in (slices or {}).items():
            column = pd.Series(_array(values))
            if len(column) != len(labels):
                raise bad_value(f"slices[{name!r}]", f"must have one value per example, got {len(column)}")
            for value in [True] if column.dtype == bool else sorted(column.dropna().unique()):
                chosen = (column == value).to_numpy()
                if chosen.any():
                    rows[name, value] = row(chosen)
        return pd.DataFrame(rows.values(), index=pd.MultiIndex.from_tuples(rows, names=["slice", "value"]))


def cascade_curve(
    student_probabilities: ArrayLike, teacher_probabilities: ArrayLike, labels: ArrayLike
) -> pd.DataFrame:
    """What each threshold would give: how many examples go to the teacher, and how many answers are right.

    Parameters
    ----------
    student_probabilities, teacher_probabilities : array_like or tensor [N, C]
    labels : array_like or tensor [N]
        Class indices.

    Returns
    -------
    DataFrame
        `threshold`, `fallback_share`, `accuracy`, from the student alone (threshold 0) to the teacher alone (infinity):
        a row for each threshold that makes a difference.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> cascade_curve([[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.1, 0.9]], [0, 1]).accuracy.tolist()
    [0.5, 1.0, 1.0]
    """
    student, teacher, _ = _right(student_probabilities, teacher_probabilities, labels)
    confidence = _probabilities("student_probabilities", student_probabilities).max(1)
    order = np.argsort(confidence, kind="stable")
    levels, first = np.unique(confidence[order], return_index=True)
    # Below each level, and below infinity: so many of the least sure are asked. Equally sure ones go together.
    asked = np.append(first, len(confidence))
    change = np.concatenate([[0], np.cumsum(teacher[order].astype(int) - student[order])])
    return pd.DataFrame(
        {
            "threshold": np.concatenate([[0.0], levels[1:], [np.inf]]),
            "fallback_share": asked / len(confidence),
            "accuracy": (student.sum() + change[asked]) / len(confidence),
        }
    )


def fit_cascade(
    student_probabilities: ArrayLike,
    teacher_probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    accuracy: float | None = None,
    fallback_share: float | None = None,
) -> Cascade:
    """The threshold that reaches an accuracy with the fewest questions, or the best accuracy within a budget of them.

    Fit it on validation examples: of those that it was chosen on, a threshold looks better than it is.

    Parameters
    ----------
    student_probabilities, teacher_probabilities : array_like or tensor [N, C]
    labels : array_like or tensor [N]
        Class indices.
    accuracy : float, optional
        To be reached, in [0, 1].
    fallback_share : float, optional
        The share of examples that may go to the teacher at most, in [0, 1].

    Returns
    -------
    Cascade

    Raises
    ------
    TypeError, ValueError
        Naming the argument; ValueError too if not exactly one of the two is given, and for an accuracy that no
        threshold reaches, with the best that one does.

    Examples
    --------
    >>> fit_cascade([[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.1, 0.9]], [0, 1], accuracy=1.0)
    Cascade(threshold=0.9)
    """
    if (accuracy is None) == (fallback_share is None):
        raise ValueError(f"give accuracy or fallback_share, got {accuracy!r} and {fallback_share!r}")
    curve = cascade_curve(student_probabilities, teacher_probabilities, labels)
    if fallback_share is not None:
        within = curve[curve.fallback_share <= share("fallback_share", fallback_share)]
        return Cascade(float(curve.threshold[within.accuracy.idxmax()]))  # the first of equally good ones
    reached = curve[curve.accuracy >= share("accuracy", accuracy)]
    if reached.empty:
        raise bad_value(
            "accuracy", f"must be one that a threshold reaches, at most {curve.accuracy.max()}, got {accuracy}"
        )
    return Cascade(float(reached.threshold.iloc[0]))


def _right(student_probabilities, teacher_probabilities, labels):
    """(student is right, teacher is right, labels), each [N]."""
    student = _probabilities("student_probabilities", student_probabilities)
    teacher = _probabilities("teacher_probabilities", teacher_probabilities, student.shape)
    labels = class_indices("labels", _array(labels), [len(student)], student.shape[1])
    return student.argmax(1) == labels, teacher.argmax(1) == labels, labels


def _probabilities(name, given, shape=None):
    rounding = 2**-8 if str(getattr(given, "dtype", "")) == "torch.bfloat16" else 1e-3  # by which a sum may miss 1
    given = _array(given)
    given = given.astype(np.float64) if given.dtype.kind in "iu" else given  # one class, and nothing for the others
    if given.dtype.kind != "f" or given.ndim != 2 or not given.size:
        raise TypeError(f"{name} must be numbers [N, C], got {describe(given)}")
    if shape is not None and given.shape != shape:
        raise bad_value(name, f"must have shape {list(shape)}, got {list(given.shape)}")
    wrong = ~(((given >= 0).all(1)) & (abs(given.sum(1) - 1) < rounding))
    if wrong.any():
        row = int(wrong.argmax())
        raise bad_value(name, f"must be >= 0 and sum to 1 in each row, got {given[row].tolist()} in row {row}")
    return given


def _array(values):
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values  # which numpy does not know
    return np.asarray(values)
