"""The audit itself: read, count, judge, report."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdcourse._arguments import bad_type, confidence_level, describe, integer, one_of
from kdcourse.audit.inputs import counted, read_examples
from kdcourse.audit.policy import EVERYTHING, REQUIRED, by_level, gap_limit, limits_by_slice, waived, waivers_by_slice
from kdcourse.audit.record import fingerprints, versions
from kdcourse.audit.report import AuditReport
from kdcourse.audit.search import search_part
from kdcourse.audit.slicing import SliceColumn, read_slices
from kdcourse.audit.telling import confusion_part, examples_part
from kdcourse.audit.verdicts import CORRECTIONS, judge, scores_of, tally, worst_first


def audit(
    labels: ArrayLike,
    teacher: ArrayLike,
    student: ArrayLike,
    slices: pd.DataFrame | Mapping[Any, ArrayLike],
    *,
    baseline: ArrayLike | None = None,
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
    search: int = 0,
    search_seed: int = 0,
    show_confusion: bool = False,
    show_examples: int = 0,
) -> AuditReport:
    """Where does the student lose what the teacher knows? Accuracy, gap and verdict, slice by slice.

    Parameters
    ----------
    labels : array_like [N]
        Classes: whole numbers, strings or booleans. An array, list, tensor or Series; everything aligns by position,
        an index is not looked at.
    teacher, student : array_like [N] or [N, C]
        Predictions for the same examples: classes, or probabilities with rows that sum to 1 (within 0.001).
    slices : DataFrame, or dict of columns [N] by name
        Strings, booleans, categories and up to 12 different whole numbers are levels as they are, other numbers are
        binned, and missing values are a level of their own. At most 200 levels.
    baseline : array_like [N] or [N, C], optional
        As `student`, of a model of the same size without a teacher.
    max_gap : float
        The loss (teacher − student) that a slice may have: a share in [0, 1), or in units of the score.
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
        score(labels, predictions) -> [N], higher is better, in place of accuracy. It gets both as they were given.
    ids : array_like [N], optional
        Names of the examples: refused if any comes twice.
    confidence_bins : int, optional
        How many quantile bins of the teacher's highest probability make a slice "teacher confidence", >= 2.
    search : int
        How many of the worst levels, and pairs of levels, to find on one half of the examples and to confirm on the
        other half; 0 for none. `kdcourse.audit.search` says how.
    search_seed : int
        Of the halves, >= 0.
    show_confusion : bool
        Whether the report shows which mistakes the student makes in the worst slice.
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
    A gap is tested on the examples that only one of the two gets right (`kdcourse.stats.paired`), the mean difference
    of a score by Student's t, which is as good as the t distribution is for its mean. Slices of at least min_samples
    examples, and all examples together, are one family: the p-values for "exceeds max_gap" are adjusted by Holm's
    method at (1 − confidence) / 2, and so are those for "stays within". So all flags and passes of a report are right
    together with a probability of at least `confidence`, however the slices overlap; levels that hold the same
    examples still count one by one. If there were a single test, a flag would be low > max_gap (to within one example);
    where that test alone would flag, and the corrected one does not, the verdict is "alarm".

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


def audited(
    labels, teacher, students, slices, *, baseline, max_gap, min_samples, confidence, thresholds, require, waivers,
    correction, today, bins, crossings, classes, score, ids, confidence_bins, search, search_seed, show_confusion,
    show_examples,
) -> dict[str, AuditReport]:  # fmt: skip
    """{name: report} of several students, whose tests are one family; the rest is as in `audit`.

    students  {name: predictions}: of a single one "student", of several "student['name']", as errors call them
    """
    if score is not None and not callable(score):
        raise bad_type("score", f"must be a function of labels and predictions, got {describe(score)}")
    scored = score is not None
    max_gap = gap_limit("max_gap", max_gap, scored)
    limits = limits_by_slice(thresholds, scored)
    min_samples = integer("min_samples", min_samples, at_least=1)
    confidence = confidence_level(confidence)
    require, correction = one_of("require", require, REQUIRED), one_of("correction", correction, list(CORRECTIONS))
    exempt, today = waivers_by_slice(waivers), today or datetime.date.today()
    given = {"teacher": teacher, **students} | ({} if baseline is None else {"baseline": baseline})
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
    allowed = [max_gap if limit is None else limit for limit in by_level("thresholds", read.columns, limits)]
    of_slices = {key: waiver for key, waiver in exempt.items() if key != EVERYTHING}
    exemptions = [exempt.get(EVERYTHING), *by_level("waivers", read.columns, of_slices)]
    columns = [everything, *read.columns]
    scores = None if score is None else scores_of(score, given, labels, n)
    of_student = {name: _of(name, examples, scores) for name in students}
    judged, tests = judge(
        pd.concat([tally(one, columns, values) for one, values in of_student.values()], ignore_index=True),
        [max_gap, *allowed] * len(students),
        chance=examples.chance,
        scored=scored,
        compared=baseline is not None,
        min_samples=min_samples,
        confidence=confidence,
        correction=correction,
        students=len(students),
    )
    name = getattr(score, "__name__", "score") if scored else "accuracy"
    settings = {
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
        "versions": versions(),
    }
    reports, rows = {}, len(allowed) + 1
    for place, (student, (own, values)) in enumerate(of_student.items()):
        table = judged.iloc[place * rows : (place + 1) * rows].reset_index(drop=True)
        names = [EVERYTHING, *(f"{row.slice} = {row.level}" for row in table.iloc[1:].itertuples())]
        table["waiver"], not_held = waived(table["verdict"], exemptions, names, today)
        notes = [note for note in examples.notes if not _of_another(note, student, students)] + read.notes + not_held
        if (table["n"].iloc[1:] < min_samples).all():
            notes.append(f"All slices have too few examples: none has {min_samples:,}.")
        if n < min_samples:
            notes.append(f"There are fewer examples than min_samples, {n:,}: all together are judged nevertheless.")
        report = AuditReport(
            table=worst_first(table.iloc[1:]),
            overall=table.iloc[0].rename("overall"),
            corrected_for=tests,
            method=_method(tests, len(students), min_samples, confidence, scored, correction),
            score_name="score" if name == "<lambda>" else name,
            notes=notes,
            settings=settings | {"fingerprints": fingerprints(own, ids)},
        )
        if search:
            report.parts["search"] = search_part(report, own, values, read.columns, allowed, search, search_seed)
        if show_confusion:
            report.parts["confusion"] = confusion_part(report, own, read.columns)
        if show_examples:
            report.parts["examples"] = examples_part(report, own, read.columns, ids, show_examples)
        reports[student] = report
    return reports


def _of(student, examples, scores):
    """(examples, scores) of the teacher, the baseline, and this one of several students, as "student"."""

    def own(by_model):
        named = {"student" if name == student else name: value for name, value in by_model.items()}
        return {name: named[name] for name in ("teacher", "student", "baseline") if name in named}

    examples = examples._replace(choices=own(examples.choices), confidence=own(examples.confidence))
    return examples, scores if scores is None else own(scores)


def _of_another(note, student, students):
    return any(other in note for other in students if other != student)


def _method(tests, students, min_samples, confidence, scored, correction):
    test = "Student's t test of the mean difference" if scored else "a test on what only one of the two gets right"
    percent, error = f"{100 * confidence:.4g} %", f"{50 * (1 - confidence):.4g} %"
    tested = f"{counted(tests // students - 1, 'slice')} of at least {counted(min_samples, 'example')}"
    tested += ", and all examples together"
    tested += f", for {students} students" if students > 1 else ""
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
