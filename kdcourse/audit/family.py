"""Audits of students that are judged as one family: read, count, judge, report."""

import datetime

import numpy as np
import pandas as pd

from kdcourse._arguments import bad_value, confidence_level, integer, one_of
from kdcourse.audit.inputs.reading import of_student, read_clusters, read_given, read_weights, scored
from kdcourse.audit.inputs.slicing import SliceColumn, read_slices
from kdcourse.audit.judging.measuring import difference, measured, notes_on
from kdcourse.audit.judging.verdicts import CORRECTIONS, judge, tally, worst_first
from kdcourse.audit.metrics import chosen
from kdcourse.audit.policy import (
    EVERYTHING,
    REQUIRED,
    as_date,
    by_level,
    gap_limit,
    limits_by_slice,
    waived,
    waivers_by_slice,
)
from kdcourse.audit.report import wording
from kdcourse.audit.report.core import AuditReport
from kdcourse.audit.report.record import fingerprints, versions
from kdcourse.audit.report.telling import check_classes, confusion_part, examples_part
from kdcourse.audit.search import check_search, search_part


def audited(
    labels, teacher, students, slices, *, baseline, metric, pos_label, threshold, quantile, greater_is_better, weights,
    clusters, max_gap, min_samples, confidence, thresholds, require, waivers, correction, today, bins, crossings,
    classes, score, ids, confidence_bins, search, search_seed, show_confusion, show_examples,
) -> dict[str, AuditReport]:  # fmt: skip
    """{name: report} of several students, whose tests are one family; the rest is as in `audit`.

    students  {name: predictions}: of a single one "student", of several "student['name']", as errors call them
    """
    options = {"pos_label": pos_label, "threshold": threshold, "quantile": quantile}
    what = chosen(metric, score, pos_label, threshold, quantile, greater_is_better)
    max_gap = gap_limit("max_gap", max_gap, what.is_share)
    limits = limits_by_slice(thresholds, what.is_share)
    min_samples = integer("min_samples", min_samples, at_least=1)
    confidence = confidence_level(confidence)
    require, correction = one_of("require", require, REQUIRED), one_of("correction", correction, list(CORRECTIONS))
    exempt = waivers_by_slice(waivers)
    today = datetime.date.today() if today is None else as_date("today", today)
    models = {"teacher": teacher, **students} | ({} if baseline is None else {"baseline": baseline})
    if score is None:
        given = read_given(what, labels, models, classes=classes, ids=ids, pos_label=pos_label, threshold=threshold)
    else:
        given = scored(what, score, labels, models, classes, ids)
    examples, kept = given.examples, slice(None) if given.kept is None else given.kept
    n = len(given.labels if given.kept is None else given.kept)
    weight, cluster = read_weights(weights, n), read_clusters(clusters, n)
    # Without labels the teacher's scores tell which examples they are.
    marks = {"examples": teacher if labels is None else labels, "ids": ids, "weights": weight, "clusters": cluster}
    marks = fingerprints(marks | models)
    weight, cluster = (None if column is None else column[kept] for column in (weight, cluster))
    exact = what.is_proportion and weight is None and cluster is None
    if search:
        check_search(search, what, weight, cluster)
    for argument, asked in [("show_confusion", show_confusion), ("show_examples", show_examples)]:
        if asked:
            check_classes(argument, what, examples)
    read = read_slices(
        slices,
        n,
        bins=bins,
        crossings=crossings,
        confidence=examples.confidence.get("teacher"),
        confidence_bins=confidence_bins,
    )
    everything = SliceColumn("overall", np.zeros(n, dtype=np.intp), [EVERYTHING])
    if any(column.name == everything.name and EVERYTHING in column.levels for column in read.columns):
        raise bad_value("slices['overall']", f"must not have a level {EVERYTHING!r}, the name of all examples together")
    columns = [column._replace(codes=column.codes[kept]) for column in [everything, *read.columns]]
    own = {student: of_student(given, student, students) for student in students}
    counts = [_counted(what, one, columns, weight, cluster, exact) for one in own.values()]
    for student, table in zip(own, counts, strict=True):
        if why := table["why"][0]:
            of = f" of {student}" if len(students) > 1 else ""
            raise bad_value("labels", f"must allow to measure {what.name}{of}: {why}")
    allowed = [max_gap if limit is None else limit for limit in by_level("thresholds", read.columns, limits)]
    of_slices = {key: waiver for key, waiver in exempt.items() if key != EVERYTHING}
    exemptions = [exempt.get(EVERYTHING), *by_level("waivers", read.columns, of_slices)]
    judged, tests = judge(
        pd.concat(counts, ignore_index=True),
        [max_gap, *allowed] * len(students),
        chance=examples.chance if what.name == "accuracy" and score is None else np.nan,
        scored=not exact,
        compared=baseline is not None,
        min_samples=min_samples,
        confidence=confidence,
        correction=correction,
        students=len(students),
    )
    tables = [judged.iloc[rows].reset_index(drop=True) for rows in np.split(np.arange(len(judged)), len(students))]
    tested = [int(table["p_exceeds"].notna().sum()) for table in tables]
    test = wording.tested_by(what, exact, weight, cluster)
    settings = {
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
        "rows": n,
        "weighted": weight is not None,
        "clusters": None if cluster is None else len(np.unique(cluster)),
        "versions": versions(),
    }
    reports = {}
    for (student, one), table in zip(own.items(), tables, strict=True):
        names = [EVERYTHING, *(f"{row.slice} = {row.level}" for row in table.iloc[1:].itertuples())]
        table["waiver"], not_held = waived(table["verdict"], exemptions, names, today)
        notes = one.examples.notes + read.notes + not_held + list(notes_on(weight, cluster, table.iloc[0]))
        if (table["n"].iloc[1:] < min_samples).all():
            notes.append(f"All slices have too few examples: none has {min_samples:,}.")
        if len(one.labels) < min_samples:
            fewer = f"There are fewer examples than min_samples, {len(one.labels):,}"
            notes.append(f"{fewer}: all together are judged nevertheless.")
        own_marks = {"student" if name == student else name: mark for name, mark in marks.items()}
        own_marks = {name: mark for name, mark in own_marks.items() if name == "student" or name not in students}
        report = AuditReport(
            table=worst_first(table.iloc[1:]),
            overall=table.iloc[0].rename("overall"),
            corrected_for=tests,
            method=wording.about(what, options) + wording.method(test, tested, min_samples, confidence, correction),
            score_name=what.name,
            notes=notes,
            settings=settings | {"fingerprints": own_marks},
        )
        if search:
            lost = difference(what, one)
            report.parts["search"] = search_part(report, lost, columns[1:], allowed, search, search_seed)
        if show_confusion:
            report.parts["confusion"] = confusion_part(report, one.examples, columns[1:])
        if show_examples:
            report.parts["examples"] = examples_part(report, one, columns[1:], ids, show_examples)
        reports[student] = report
    return reports


def _counted(metric, given, columns, weight, cluster, exact):
    """One row per level: what can be counted, and with it the metric where its test is not exact."""
    counts = tally(given.examples, columns)
    counts.loc[counts["n"] == 0, "why"] = metric.absent
    return counts if exact else counts.assign(**measured(metric, given, columns, weight, cluster))
