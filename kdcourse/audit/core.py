"""The audit itself: read, count, judge, report."""

import numpy as np

from kdcourse._arguments import describe, integer, number
from kdcourse.audit.columns import counted
from kdcourse.audit.inputs import read_examples
from kdcourse.audit.policy import check_gap, check_thresholds, gaps_allowed
from kdcourse.audit.report import AuditReport
from kdcourse.audit.slicing import SliceColumn, read_slices
from kdcourse.audit.tally import check_score, tally
from kdcourse.audit.verdicts import judge, worst_first


def audit(
    labels,
    teacher,
    student,
    slices,
    *,
    baseline=None,
    max_gap=0.02,
    min_samples=100,
    confidence=0.95,
    thresholds=None,
    bins=4,
    crossings=(),
    classes=None,
    score=None,
    ids=None,
    confidence_bins=None,
):
    """Where does the student lose what the teacher knows? Accuracy, gap and verdict, slice by slice.

    labels             [N] classes: whole numbers, strings or booleans; an array, list, tensor or Series
    teacher, student   predictions for the same examples: classes [N], or probabilities [N, C], rows that sum to 1
                       (within 0.001). Everything aligns by position: an index is not looked at
    slices             DataFrame, or dict of columns [N] by name. Strings, booleans, categories and up to 12 different
                       whole numbers are levels as they are, other numbers are binned, and missing values are a level
                       of their own; at most 200 levels
    baseline           as `student`, of a model of the same size without a teacher
    max_gap            the loss (teacher − student) that a slice may have: a share in [0, 1), or in units of the score
    min_samples        slices with fewer examples are not judged, >= 1
    confidence         in (0, 1): each interval has it for itself, and all verdicts are right together with it
    thresholds         {"slice": gap, "slice=level": gap} where another max_gap holds; that of a level comes first
    bins               how many quantile bins, >= 2; or {slice: how many, or a list of edges, or 0 for levels as they
                       are}, where slices that are not named get 4. With edges 10 and 20 the levels are "< 10",
                       "10 – 20" and ">= 20"; a bin holds its lower edge, not its upper one
    crossings          pairs of slices, [("group", "length")], that are crossed to one more: "group × length"
    classes            the classes in the order of the columns, where they are not 0 … C − 1; labels may then still be
                       numbers of columns if these are strings. Predictions of any other class are refused
    score              score(labels, predictions) -> [N], higher is better, to be used in place of accuracy; it gets
                       both as they were given
    ids                [N] names of the examples: refused if any comes twice
    confidence_bins    how many quantile bins of the teacher's highest probability make a slice "teacher confidence"
    returns            AuditReport

    A gap is tested on the examples that only one of the two gets right (`kdcourse.paired`), the mean difference of a
    score by Student's t. Slices of at least min_samples examples, and all examples together, are one family: the
    p-values for "exceeds max_gap" are adjusted by Holm's method (1979) at (1 − confidence) / 2, and so are those for
    "stays within". So all flags and passes of a report are right together with a probability of at least
    `confidence`, however the slices overlap; levels that hold the same examples still count one by one. If there were
    a single test, a flag would be low > max_gap (to within one example). With a score all this is as good as the t
    distribution is for its mean.

    Raises TypeError or ValueError that names the argument, the row or the column, and the value.
    """
    if score is not None and not callable(score):
        raise TypeError(f"score must be a function of labels and predictions, got {describe(score)}")
    scored = score is not None
    max_gap = check_gap("max_gap", max_gap, scored)
    thresholds = check_thresholds(thresholds, scored)
    min_samples = integer("min_samples", min_samples, at_least=1)
    plain_confidence = number("confidence", confidence)
    if not 0 < plain_confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    given = {"teacher": teacher, "student": student} | ({} if baseline is None else {"baseline": baseline})
    examples = read_examples(labels, given, classes, ids)
    n = len(examples.labels)
    read = read_slices(
        slices,
        n,
        bins=bins,
        crossings=crossings,
        confidence=examples.confidence.get("teacher"),
        confidence_bins=confidence_bins,
    )
    everything = SliceColumn("overall", np.zeros(n, dtype=np.intp), ["all examples"])
    scores = check_score(score, given, labels, n) if scored else None
    table, tests = judge(
        tally(examples, [everything, *read.columns], scores),
        [max_gap, *gaps_allowed(read.columns, max_gap, thresholds)],
        chance=examples.chance,
        scored=scored,
        compared=baseline is not None,
        min_samples=min_samples,
        confidence=plain_confidence,
    )
    notes = examples.notes + read.notes
    if (table["n"].iloc[1:] < min_samples).all():
        notes.append(f"All slices have too few examples: none has {min_samples:,}.")
    if n < min_samples:
        notes.append(f"There are fewer examples than min_samples, {n:,}: all together are judged nevertheless.")
    name = getattr(score, "__name__", "score") if scored else "accuracy"
    return AuditReport(
        table=worst_first(table.iloc[1:]),
        overall=table.iloc[0].rename("overall"),
        corrected_for=tests,
        method=_method(tests, min_samples, plain_confidence, scored),
        score_name="score" if name == "<lambda>" else name,
        notes=notes,
        settings={
            "max_gap": max_gap,
            "min_samples": min_samples,
            "confidence": plain_confidence,
            "thresholds": thresholds,
            "classes": examples.classes,
            "chance": examples.chance,
            "edges": read.edges,
            "slices": [column.name for column in read.columns],
            "confidence_bins": confidence_bins,
        },
    )


def _method(tests, min_samples, confidence, scored):
    test = "Student's t test of the mean difference" if scored else "a test on what only one of the two gets right"
    percent = f"{100 * confidence:.4g} %"
    tested = f"{counted(tests - 1, 'slice')} of at least {counted(min_samples, 'example')}, and all examples together"
    return (
        f"Verdicts come from {test}, corrected by Holm's method for {counted(tests, 'test')} ({tested}): with a "
        f"probability of at least {percent}, no flag and no pass of this report is wrong. Each interval has {percent} "
        "for itself alone."
    )
