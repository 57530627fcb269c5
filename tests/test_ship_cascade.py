"""Cascades, against loops over examples and thresholds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from tiny import refusals

from kdcourse.ship import Cascade, cascade_curve, fit_cascade
from kdcourse.stats.paired import gap_interval


def setting(seed=0, n=60, classes=3, levels=None):
    """(student, teacher, labels): probabilities of a weak and of a strong model; with `levels` there are ties."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    made = []
    for strength in (1.0, 3.0):
        logits = random.normal(size=(n, classes)) + strength * np.eye(classes)[labels]
        logits = logits if levels is None else np.round(logits * levels) / levels
        made.append(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    return *made, labels


def by_hand(student, teacher, labels, threshold):
    """(share that is asked, accuracy), one example after the other."""
    asked, right = 0, 0
    for mine, others, label in zip(student, teacher, labels, strict=True):
        answer = mine
        if max(mine) < threshold:
            asked, answer = asked + 1, others
        right += np.argmax(answer) == label
    return asked / len(labels), right / len(labels)


@given(st.integers(0, 1000), st.sampled_from([None, 1, 2]))
def test_each_row_of_the_curve_is_what_its_threshold_gives(seed, levels):
    parts = setting(seed, n=25, levels=levels)
    curve = cascade_curve(*parts)
    for row in curve.itertuples():
        assert (row.fallback_share, row.accuracy) == pytest.approx(by_hand(*parts, row.threshold))
    assert curve.fallback_share.is_monotonic_increasing
    assert curve.fallback_share.iloc[[0, -1]].tolist() == [0, 1]
    # No other threshold gives anything else.
    given = {by_hand(*parts, threshold)[0] for threshold in np.linspace(0, 1.01, 200)}
    assert given <= {*curve.fallback_share}
    assert curve.fallback_share.is_unique


@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_threshold_asks_least_for_an_accuracy_and_gets_most_for_a_budget(seed, wanted):
    parts = setting(seed, n=25)
    tried = [by_hand(*parts, threshold) for threshold in [*np.unique(parts[0].max(1)), np.inf]]
    best = max(right for _, right in tried)
    if wanted > best:
        with pytest.raises(ValueError, match=f"accuracy must be one that a threshold reaches, at most {best}, got"):
            fit_cascade(*parts, accuracy=wanted)
    else:
        asked, right = by_hand(*parts, fit_cascade(*parts, accuracy=wanted).threshold)
        assert right >= wanted
        assert asked == min(share for share, accuracy in tried if accuracy >= wanted)
    asked, right = by_hand(*parts, fit_cascade(*parts, fallback_share=wanted).threshold)
    affordable = [(-accuracy, share) for share, accuracy in tried if share <= wanted]
    assert (-right, asked) == min(affordable)


def test_only_what_is_unsure_is_asked_and_the_rest_is_the_students():
    student, teacher, _ = setting()
    cascade, calls = Cascade(0.6), []

    def ask(rows):
        calls.append(rows)
        return torch.from_numpy(teacher[rows])

    answers = cascade.answers(torch.from_numpy(student), ask)
    (rows,) = calls
    unsure = [k for k in range(len(student)) if max(student[k]) < 0.6]
    assert rows.tolist() == unsure
    for k in range(len(student)):
        assert answers[k].tolist() == (teacher if k in unsure else student)[k].tolist()
    assert len(unsure) not in (0, len(student))
    Cascade(0.0).answers(student, lambda rows: pytest.fail("nobody is to be asked"))


def test_the_table_says_accuracy_cost_and_gain_of_all_and_of_each_slice():
    student, teacher, labels = setting(n=200)
    cascade, kinds = Cascade(0.6), np.array(["a", "b"])[np.arange(200) % 3 % 2]
    table = cascade.evaluate(
        torch.from_numpy(student),
        teacher,
        torch.from_numpy(labels),
        student_cost_per_1000=0.1,
        teacher_cost_per_1000=2.0,
        slices={"kind": kinds, "first": np.arange(200) < 50},
        confidence=0.9,
    )
    slices = {("all", ""): np.ones(200, bool), ("kind", "a"): kinds == "a", ("kind", "b"): kinds == "b"}
    slices["first", True] = np.arange(200) < 50
    assert table.index.tolist() == list(slices)
    for name, chosen in slices.items():
        row, parts = table.loc[name], (student[chosen], teacher[chosen], labels[chosen])
        n, (asked, right), (_, alone) = chosen.sum(), by_hand(*parts, 0.6), by_hand(*parts, 0)
        assert (row.examples, row.fallback_share, row.accuracy) == pytest.approx((n, asked, right))
        assert (row.student_accuracy, row.teacher_accuracy) == pytest.approx((alone, by_hand(*parts, np.inf)[1]))
        assert row.cost_per_1000 == pytest.approx(0.1 + 2 * asked)
        assert row.gain == pytest.approx(right - alone)
        wilson = scipy_stats.binomtest(round(right * n), n).proportion_ci(0.9, method="wilson")
        assert (row.accuracy_low, row.accuracy_high) == pytest.approx((wilson.low, wilson.high))
        unsure = parts[0].max(1) < 0.6
        better = sum(unsure & (parts[1].argmax(1) == parts[2]) & (parts[0].argmax(1) != parts[2]))
        worse = sum(unsure & (parts[1].argmax(1) != parts[2]) & (parts[0].argmax(1) == parts[2]))
        assert (row.gain_low, row.gain_high) == gap_interval(int(better), int(worse), int(n), 0.9)
        assert row.gain_low < row.gain < row.gain_high


def test_a_class_alone_for_each_example_is_as_good_as_probabilities():
    student = [[1, 0], [0, 1], [0, 1]]
    curve = cascade_curve(np.eye(2, dtype=int)[[0, 1, 1]], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [0, 1, 0])
    assert curve.accuracy.tolist() == [2 / 3, 1]
    answers = Cascade(2.0).answers(student, lambda rows: [[0.25, 0.75]] * len(rows))
    assert answers.tolist() == [[0.25, 0.75]] * 3


def test_probabilities_may_be_bfloat16_whose_sums_are_rounded():
    student = torch.randn(1000, 5, generator=torch.Generator().manual_seed(0)).softmax(1)
    rounded = student.bfloat16()
    assert (rounded.float().sum(1) - 1).abs().max() > 1e-3
    assert Cascade(0.5).asks(rounded).tolist() == (rounded.float().amax(1) < 0.5).tolist()


STUDENT, TEACHER, LABELS = setting(n=4)


@refusals(
    "arguments",
    ({"student_probabilities": STUDENT * 2}, ValueError, "student_probabilities must be >= 0 and sum to 1 in each row"),
    (
        {"student_probabilities": STUDENT[0]},
        TypeError,
        r"student_probabilities must be numbers \[N, C\], got ndarray of",
    ),
    (
        {"teacher_probabilities": TEACHER[:2]},
        ValueError,
        r"teacher_probabilities must have shape \[4, 3\], got \[2, 3\]",
    ),
    (
        {"student_probabilities": STUDENT > 0.5},
        TypeError,
        r"student_probabilities must be numbers \[N, C\], got ndarray",
    ),
    ({"labels": LABELS + 3}, ValueError, r"labels must be in \[0, 3\), got"),
    ({"accuracy": 0.5}, ValueError, "give accuracy or fallback_share, got 0.5 and 0.5"),
    ({"fallback_share": 2}, ValueError, r"fallback_share must be in \[0, 1\], got 2"),
)
def test_fitting_names_what_it_refuses(arguments, error, message):
    given = {"student_probabilities": STUDENT, "teacher_probabilities": TEACHER, "labels": LABELS}
    with pytest.raises(error, match=message):
        fit_cascade(**given | {"fallback_share": 0.5} | arguments)


def test_a_slice_has_a_value_for_each_example():
    with pytest.raises(ValueError, match=r"slices\['kind'\] must have one value per example, got 3"):
        Cascade(0.5).evaluate(STUDENT, TEACHER, LABELS, slices={"kind": [1, 2, 3]})
