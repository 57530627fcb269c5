"""The audit itself: read, count, judge, report."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_value, confidence_level, integer, one_of
from kdcourse.audit.inputs import counted
from kdcourse.audit.measuring import measured, notes_on
from kdcourse.audit.metrics import chosen
from kdcourse.audit.policy import EVERYTHING, REQUIRED, by_level, gap_limit, limits_by_slice, waived, waivers_by_slice
from kdcourse.audit.reading import read_clusters, read_given, read_weights, scored
from kdcourse.audit.report import AuditReport
from kdcourse.audit.slicing import SliceColumn, read_slices
from kdcourse.audit.spread import RESAMPLES
from kdcourse.audit.verdicts import CORRECTIONS, judge, tally, worst_first


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
    today: datetime.date | None = None,
    bins: int | Mapping[Any, int | Iterable[float] | None] = 4,
    crossings: Iterable[Iterable[Any]] = (),
    classes: ArrayLike | None = None,
    score: Callable[[Any, Any], ArrayLike] | None = None,
    ids: ArrayLike | None = None,
    confidence_bins: int | None = None,
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
    today : date, optional
        Of the report; waivers end by it.
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
    with the standard error of a paired bootstrap (`kdcourse.audit.spread`): that of ECE is rather too large. Slices of
    at least min_samples examples, and all examples together, are one family: the p-values for "exceeds max_gap" are
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
    options = {"pos_label": pos_label, "threshold": threshold, "quantile": quantile}
    what = chosen(metric, score, pos_label, threshold, quantile, greater_is_better)
    max_gap = gap_limit("max_gap", max_gap, what.is_share)
    limits = limits_by_slice(thresholds, what.is_share)
    min_samples = integer("min_samples", min_samples, at_least=1)
    confidence = confidence_level(confidence)
    require, correction = one_of("require", require, REQUIRED), one_of("correction", correction, list(CORRECTIONS))
    exempt, today = waivers_by_slice(waivers), today or datetime.date.today()
    models = {"teacher": teacher, "student": student} | ({} if baseline is None else {"baseline": baseline})
    if score is None:
        given = read_given(what, labels, models, classes=classes, ids=ids, pos_label=pos_label, threshold=threshold)
    else:
        given = scored(what, score, labels, models, classes, ids)
    examples, kept = given.examples, slice(None) if given.kept is None else given.kept
    n = len(given.labels if given.kept is None else given.kept)
    weight, cluster = read_weights(weights, n), read_clusters(clusters, n)
    weight, cluster = (None if column is None else column[kept] for column in (weight, cluster))
    exact = what.is_proportion and weight is None and cluster is None
    read = read_slices(
        slices,
        n,
        bins=bins,
        crossings=crossings,
        confidence=examples.confidence.get("teacher"),
        confidence_bins=confidence_bins,
    )
    everything = SliceColumn("overall", np.zeros(n, dtype=np.intp), ["all examples"])
    columns = [column._replace(codes=column.codes[kept]) for column in [everything, *read.columns]]
    counts = tally(examples, columns)
    counts.loc[counts["n"] == 0, "why"] = what.absent
    if not exact:
        found = measured(what, given, columns, weight, cluster)
        counts = counts.assign(**found)
        if found["why"][0]:
            raise bad_value("labels", f"must allow to measure {what.name}: {found['why'][0]}")
    allowed = [max_gap if limit is None else limit for limit in by_level("thresholds", read.columns, limits)]
    of_slices = {key: waiver for key, waiver in exempt.items() if key != EVERYTHING}
    exemptions = [exempt.get(EVERYTHING), *by_level("waivers", read.columns, of_slices)]
    table, tests = judge(
        counts,
        [max_gap, *allowed],
        chance=examples.chance if what.name == "accuracy" and score is None else np.nan,
        scored=not exact,
        compared=baseline is not None,
        min_samples=min_samples,
        confidence=confidence,
        correction=correction,
    )
    names = [EVERYTHING, *(f"{row.slice} = {row.level}" for row in table.iloc[1:].itertuples())]
    table["waiver"], not_held = waived(table["verdict"], exemptions, names, today)
    notes = examples.notes + read.notes + not_held + list(notes_on(weight, cluster, table.iloc[0]))
    if (table["n"].iloc[1:] < min_samples).all():
        notes.append(f"All slices have too few examples: none has {min_samples:,}.")
    if len(given.labels) < min_samples:
        fewer = f"There are fewer examples than min_samples, {len(given.labels):,}"
        notes.append(f"{fewer}: all together are judged nevertheless.")
    test = _test(what, exact, weight, cluster)
    return AuditReport(
        table=worst_first(table.iloc[1:]),
        overall=table.iloc[0].rename("overall"),
        corrected_for=tests,
        method=_about(what, options) + _method(test, tests, min_samples, confidence, correction),
        score_name=what.name,
        notes=notes,
        settings={
            "metric": {
                "name": what.name,
                "greater_is_better": what.greater_is_better,
                "gap": what.gap,
                "unit": what.unit,
                "exact": exact,
                **{name: value for name, value in options.items() if value is not None},
            },
            "max_gap": max_gap,
            "min_samples": min_samples,
            "confidence": confidence,
            "thresholds": limits,
            "require": require,
            "waivers": {key: str(waiver) for key, waiver in exempt.items()},
            "correction": correction,
            "date": today.isoformat(),
            "classes": examples.classes,
            "chance": examples.chance,
            "edges": read.edges,
            "slices": [column.name for column in read.columns],
            "confidence_bins": confidence_bins,
        },
    )


def _about(metric, options):
    """The metric in a sentence, where it is not accuracy or a score of somebody's own."""
    if metric.reads == "scored" or metric.name == "accuracy" and options["threshold"] is None:
        return ""
    words = {"pos_label": "of {!r}", "threshold": "at a threshold of {}", "quantile": "at the quantile {}"}
    said = [words[name].format(value) for name, value in options.items() if value is not None]
    better = "higher" if metric.greater_is_better else "lower"
    what = " ".join([metric.name, *said])
    return f"Measured is {what}: {better} is better, the gap is {metric.gap}, in {metric.unit}. "


def _test(metric, exact, weights, clusters):
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


def _method(test, tests, min_samples, confidence, correction):
    percent, error = f"{100 * confidence:.4g} %", f"{50 * (1 - confidence):.4g} %"
    tested = f"{counted(tests - 1, 'slice')} of at least {counted(min_samples, 'example')}, and all examples together"
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
        f"Verdicts come from {test}, corrected by {by} for {counted(tests, 'test')} ({tested}): {so}. "
        f"Each interval has {percent} for itself alone."
    )
