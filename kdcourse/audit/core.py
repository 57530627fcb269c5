"""The audit itself, of one student: its arguments and what it promises. `family` does the work."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from kdcourse.audit.family import audited
from kdcourse.audit.report.core import AuditReport


def audit(
    labels: ArrayLike | None,
    teacher: ArrayLike,
    student: ArrayLike,
    slices: pd.DataFrame | Mapping[Any, ArrayLike],
    *,
    baseline: ArrayLike | None = None,
    metric: str | Callable[..., float] = "accuracy",
    pos_label: Any = None,
    threshold: float | None = None,
    quantile: float | None = None,
    greater_is_better: bool = True,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    max_gap: float = 0.02,
    min_samples: int = 100,
    confidence: float = 0.95,
    thresholds: Mapping[Any, float] | None = None,
    require: str = "no flag",
    waivers: Mapping[Any, Mapping[str, Any]] | None = None,
    correction: str = "holm",
    today: datetime.date | str | None = None,
    bins: int | Mapping[Any, int | Iterable[float] | None] = 4,
    crossings: Iterable[Iterable[Any]] = (),
    classes: ArrayLike | None = None,
    score: Callable[[Any, Any], ArrayLike] | None = None,
    ids: ArrayLike | None = None,
    confidence_bins: int | None = None,
    search: int = 0,
    search_seed: int = 0,
    show_confusion: bool = False,
    show_examples: int = 0,
) -> AuditReport:
    """Where does the student lose what the teacher knows? A metric, its gap and a verdict, slice by slice.

    Parameters
    ----------
    labels : array_like [N]
        Classes: whole numbers, strings or booleans; numbers for "mae" and its like; None for "score" and "loss". An
        array, list, tensor or Series; everything aligns by position, an index is not looked at.
    teacher, student : array_like [N] or [N, C]
        Predictions for the same examples: classes, or probabilities with rows that sum to 1 (within 0.001); [N] of
        pos_label's probabilities where the metric takes them, or there is a threshold; else as the metric says.
    slices : DataFrame, or dict of columns [N] by name
        Strings, booleans, categories and up to 12 different whole numbers are levels as they are, other numbers are
        binned, and missing values are a level of their own. At most 200 levels.
    baseline : array_like [N] or [N, C], optional
        As `student`, of a model of the same size without a teacher.
    metric : str or function
        - "accuracy", "balanced-accuracy", and of the class pos_label "recall", "precision", "f1", "specificity"
        - "auroc" of pos_label (its probabilities, or any scores), "log-loss", "brier", "ece" (of probabilities)
        - "mae", "rmse", "pinball": labels and predictions are numbers
        - "score" (higher is better), "loss": teacher and student are numbers for each example, as of a grader or judge
        - "exact-match" of strings, which are compared as they are
        - metric(labels, predictions) -> float, of arrays of a slice; with weights it gets sample_weight too
    pos_label : label, optional
        The class that such a metric is of; 1, or True, if labels are only 0 and 1.
    threshold : float, optional
        The class is chosen where its probability is at least so much. One that was set on other examples.
    quantile : float, optional
        Of the pinball loss, in (0, 1); 0.5 if not said.
    greater_is_better : bool
        Of a function as metric.
    weights : array_like [N], optional
        How much each example counts, such as its share in production; >= 0, not all 0.
    clusters : array_like [N], optional
        The family, user or document of each example. What is in one cluster is drawn again, and tested, as a whole.
    max_gap : float
        How much worse the student may be in a slice (teacher − student; for losses and errors student − teacher): a
        share in [0, 1), or in the units of a metric that is no share.
    min_samples : int
        Slices with fewer examples are not judged, >= 1.
    confidence : float
        In (0, 1). Each interval has it for itself, and all verdicts are right together with it.
    thresholds : dict, optional
        {"slice": gap, "slice=level": gap} where another max_gap holds; that of a level comes first.
    require : {"no flag", "pass"}
        What a release needs: that nothing is flagged, or that every slice passes, and all examples together.
    waivers : dict, optional
        {"slice=level": {"reason": sentence, "until": date}}, or "slice" for all of its levels, or "all examples": an
        undecided slice that shall not hold a release back for so long. A flag cannot be waived.
    correction : {"holm", "fdr"}
        "holm" for a release: no verdict is wrong, with probability `confidence`. "fdr" for exploring: of the flags, and
        of the passes, at most the share (1 − confidence) / 2 is wrong on average, which finds more.
    today : date or str, optional
        Of the report; waivers end by it. A str is an ISO date.
    bins : int or dict
        How many quantile bins, >= 2. Or {slice: how many, or a list of edges, or 0 for levels as they are}, where
        slices that are not named get 4. With edges 10 and 20 the levels are "< 10", "10 – 20" and ">= 20": a bin
        holds its lower edge, not its upper one.
    crossings : iterable of pairs
        Pairs of slices, [("group", "length")], that are crossed to one more: "group × length".
    classes : array_like [C], optional
        The classes in the order of the columns, where they are not 0 … C − 1; labels may then still be numbers of
        columns if these are strings. Predictions of any other class are refused.
    score : function, optional
        score(labels, predictions) -> [N], higher is better, in place of a metric. It gets both as they were given.
    ids : array_like [N], optional
        Names of the examples: refused if any comes twice.
    confidence_bins : int, optional
        How many quantile bins of the teacher's highest probability make a slice "teacher confidence", >= 2.

    search : int
        How many of the worst levels, and pairs of levels, to find on one half of the examples and to confirm on the
        other half; 0 for none. `kdcourse.audit.search` says how. Of a mean over examples, without weights or clusters.
    search_seed : int
        Of the halves, >= 0.
    show_confusion : bool
        Whether the report shows which mistakes the student makes in the worst slice, by a metric of classes.
    show_examples : int
        How many examples of the worst slice the report shows that the teacher gets right and the student wrong. They
        may be private: nothing of a single example is shown where this is 0.

    Returns
    -------
    AuditReport

    Raises
    ------
    TypeError, ValueError
        For bad input. The message names the argument, the row or the column, and the value; `.argument` of the error
        is the argument's name.

    Notes
    -----
    Accuracy, exact match, recall and specificity (accuracy among one class) are tested exactly, on the examples that
    only one of the two gets right (`kdcourse.stats.paired`). Mean scores, losses and errors are tested by Student's t,
    which is as good as the t distribution is for their mean. So is anything else, and all with weights or clusters,
    with the standard error of a paired bootstrap (`judging.spread`): that of ECE is rather too large. Slices of at
    least min_samples examples, and all examples together, are one family: the p-values for "exceeds max_gap" are
    adjusted by Holm's method at (1 − confidence) / 2, and so are those for "stays within". So all flags and passes of a
    report are right together with a probability of at least `confidence`, however the slices overlap; levels that hold
    the same examples still count one by one. If there were a single test, a flag would be low > max_gap (to within one
    example); where that test alone would flag, and the corrected one does not, the verdict is "alarm".

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6:65.
    Benjamini & Hochberg (1995), Controlling the false discovery rate, JRSS B 57:289: for independent slices, and for
    those that overlap as subsets of the same examples do (Benjamini & Yekutieli 2001).

    Examples
    --------
    >>> labels = [0, 1] * 200
    >>> student = [1, 1] * 50 + [0, 1] * 150  # loses half of the first 100
    >>> group = ["hard"] * 100 + ["easy"] * 300
    >>> report = audit(labels, labels, student, {"group": group}, max_gap=0.03)
    >>> report.flagged[["slice", "level", "n", "teacher", "student", "gap"]]
       slice level    n  teacher  student  gap
    0  group  hard  100      1.0      0.5  0.5
    >>> report.passed["level"].tolist(), report.status
    (['easy'], 1)
    """
    given = locals()
    (report,) = audited(students={"student": given.pop("student")}, **given).values()
    return report
