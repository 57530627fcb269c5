"""Slice columns: levels, bins, crossings, missing values, and columns of every kind."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcourse.audit import audit
from kdcourse.audit.inputs.slicing import read_slices


def levels(column, name="column", **settings):
    """{level: n} in the order of the levels, and the notes on slices."""
    read = read_slices({name: column}, len(column), **settings)
    (found,) = read.columns
    ours = [note for note in read.notes if note.startswith(name)]
    return dict(zip(found.levels, np.bincount(found.codes).tolist(), strict=True)), ours


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["b", "a", "b", "c"], {"a": 1, "b": 2, "c": 1}),
        ([True, False, True, True], {"False": 1, "True": 3}),
        ([1.0, 3.0, None, 3.0], {"1": 1, "3": 2, "(missing)": 1}),
        ([True, None, False, True], {"False": 1, "True": 2, "(missing)": 1}),
        ([1, "1", "x", 1], {"1": 2, "'1'": 1, "'x'": 1}),  # as Python writes them, where names would clash
        (["(missing)", None, "a", "a"], {"'(missing)'": 1, "'a'": 2, "(missing)": 1}),
        (["", " ", "a", "a"], {"''": 1, "' '": 1, "a": 2}),
        (torch.tensor([3, 1, 1, 1]), {"1": 3, "3": 1}),
        ([torch.tensor(3), torch.tensor(1), torch.tensor(1), torch.tensor(1)], {"1": 3, "3": 1}),
        (pd.Series(["b", pd.NA, "a", "a"], dtype="string"), {"a": 2, "b": 1, "(missing)": 1}),
        (pd.array([1, pd.NA, 2, 2], dtype="Int64"), {"1": 1, "2": 2, "(missing)": 1}),
        (pd.Series([1, pd.NA, 2, 2], dtype=object), {"1": 1, "2": 2, "(missing)": 1}),
        (pd.Categorical(["hi", "lo", "hi", None], ["lo", "hi"]), {"lo": 1, "hi": 2, "(missing)": 1}),
        (pd.cut(pd.Series([1, 5, 5, 9]), [0, 4, 10]), {"(0, 4]": 1, "(4, 10]": 3}),
        ([datetime.date(2024, 1, 2)] * 3 + [datetime.date(2023, 1, 2)], {"2023-01-02": 1, "2024-01-02": 3}),
    ],
)  # fmt: skip
def test_levels_in_their_order(column, expected):
    found, _ = levels(column)
    assert list(found.items()) == list(expected.items())


def test_up_to_12_whole_numbers_are_levels_and_more_are_binned():
    assert len(levels(list(range(12)) * 2)[0]) == 12
    binned = {"0 – 3": 6, "3 – 6": 6, "6 – 9": 6, "9 – 12": 8}
    assert levels(list(range(13)) * 2) == (binned, [])
    for missing in (None, math.nan, pd.NA):  # it makes no objects, and no floats, of numbers
        values = pd.Series([*range(13), missing] * 2, dtype=object)
        assert levels(values)[0] == binned | {"(missing)": 2}
    assert list(levels([1, 2, None, 5.5] * 6, bins=2)[0]) == ["1 – 2", "2 – 5.5", "(missing)"]


def test_what_is_missing_unused_or_alone_is_noted():
    assert levels(["a", None, np.nan, "b"])[1] == ["column has no value for 2 examples, the level (missing)."]
    assert levels(pd.Categorical(["a", "b", "a"], ["z", "b", "y", "a"]))[1] == ["column has no examples in 'z', 'y'."]
    assert levels(["a", "a"]) == ({"a": 2}, ["column has one level only, 'a': there is nothing to compare."])
    assert len(levels([str(number) for number in range(200)])[0]) == 200  # the most there may be


def by_hand(values, bins):
    """How many values lie in each bin that the edges make, edges[i] <= value < edges[i + 1]."""
    edges = sorted({sorted(values)[-(-(len(values) - 1) * k // bins)] for k in range(1, bins)} - {min(values)})
    inside = [sum(edge <= value for edge in edges) for value in values]
    return edges, [inside.count(number) for number in range(len(edges) + 1)]


@given(st.lists(st.integers(0, 60).map(lambda value: value / 4 + 0.125), min_size=2, max_size=60), st.integers(2, 7))
def test_quantile_bins_hold_what_a_sorted_list_says(values, bins):
    read = read_slices({"column": values}, len(values), bins=bins)
    edges, counts = by_hand(values, bins)
    assert read.edges == {"column": edges}
    assert np.bincount(read.columns[0].codes).tolist() == counts  # every bin, from the lowest
    expected = [f"column: {bins} quantile bins were asked for and {len(counts)} came out, for values repeat."]
    assert [note for note in read.notes if "asked for" in note] == (expected if len(counts) < bins else [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5] * 6 + [1.5, 2.5], {"0.5 – 1.5": 6, "1.5 – 2.5": 2}),
        ([0.5, 1.5] + [2.5] * 6, {"0.5 – 2.5": 2, "2.5": 6}),  # the highest value alone
        ([-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf], {"-inf – 2.5": 2, "2.5 – 3.5": 1, "3.5 – 4.5": 1, "4.5 – inf": 2}),
        ([1.00001, 1.00002, 1.00003, 1.00004],
            {"1.00001 – 1.00002": 1, "1.00002 – 1.00003": 1, "1.00003 – 1.00004": 2}),
        ([0.000012, 1234567.5, 5.25, 0.33333], {"1.2e-05 – 0.3333": 1, "0.3333 – 5.25": 1, "5.25 – 1234567.5": 2}),
    ],
)  # fmt: skip
def test_quantile_bins_by_hand(values, expected):
    bins = 3 if len(values) == 4 else 4
    assert list(levels(values, bins=bins)[0].items()) == list(expected.items())


def test_whole_numbers_are_told_apart_however_large_they_are():
    values = np.arange(2**63, 2**63 + 16, dtype=np.uint64)
    assert levels(values, bins=2)[0] == {
        "9223372036854775808 – 9223372036854775816": 8,
        "9223372036854775816 – 9223372036854775823": 8,
    }


def test_edges_cut_below_between_and_above():
    found, notes = levels([5, 10, 11.5, 19, 20, 45, None, 10], bins={"column": [10, 20, 30, 40]})
    assert found == {"< 10": 1, "10 – 20": 4, ">= 40": 1, "20 – 30": 1, "(missing)": 1}
    assert list(found) == ["< 10", "10 – 20", "20 – 30", ">= 40", "(missing)"]
    assert notes == [
        "column has no examples in '30 – 40'.",
        "column has no value for 1 example, the level (missing).",
    ]
    found, notes = levels([1, 2, 3], bins={"column": np.array([0.0, 5.0])})
    assert found == {"0 – 5": 3}
    assert notes == ["column has one level only, '0 – 5': there is nothing to compare."]  # none on "< 0" and ">= 5"


def test_bins_can_be_asked_for_column_by_column():
    slices = {"few": [1, 2, 3, 4] * 10, "many": list(range(40)), "as it is": np.arange(40) / 2, "default": range(40)}
    read = read_slices(slices, 40, bins={"few": 2, "many": 8, "as it is": 0})
    found = {column.name: column.levels for column in read.columns}
    assert {name: len(names) for name, names in found.items()} == {"few": 2, "many": 8, "as it is": 40, "default": 4}
    assert "0.5" in found["as it is"]
    assert "A bin holds its lower edge and not its upper one; the last quantile bin holds both." in read.notes


def crossed(slices, **settings):
    """{level: n} of the last column of slices, which crosses two others, and the names of all."""
    read = read_slices(slices, len(next(iter(slices.values()))), **settings)
    *_, last = read.columns
    counts = np.bincount(last.codes).tolist()
    return dict(zip(last.levels, counts, strict=True)), [column.name for column in read.columns], read.notes


def test_crossings_hold_each_pair_of_levels_that_occurs():
    group, length = ["spam", "ham", "ham"] * 8, list(range(24))
    found, names, _ = crossed(
        {"group": group, "length": length}, bins={"length": [12, 23.5]}, crossings=[("group", "length")]
    )
    expected = pd.Series(list(zip(group, ["< 12"] * 12 + ["12 – 23.5"] * 12, strict=True))).value_counts()
    assert found == {f"{one} × {other}": count for (one, other), count in expected.items()}
    assert names == ["group", "length", "group × length"]
    part, _, notes = crossed({"a": ["x", "x", "y"] * 8, "b": [1, 2, 3] * 8}, crossings=[["a", "b"]])
    assert part == {"x × 1": 8, "x × 2": 8, "y × 3": 8}
    assert "a × b: 3 of 6 combinations hold no example." in notes
    alike, _, _ = crossed({"a": ["x × y", "x"], "b": ["z", "y × z"]}, crossings=[("a", "b")])
    assert list(alike) == ["'x' × 'y × z'", "'x × y' × 'z'"]


def test_teacher_confidence_is_a_slice_of_its_highest_probability():
    top = np.linspace(0.5, 1, 40)[np.random.default_rng(1).permutation(40)]
    teacher = np.stack([top, 1 - top], axis=1)
    labels, group = [0] * 40, ["a", "b"] * 20
    report = audit(
        labels, teacher, labels, {"group": group}, confidence_bins=4, crossings=[("group", "teacher confidence")],
        thresholds={"teacher confidence": 0.3},
    )  # fmt: skip
    sliced = report.table[report.table["slice"] == "teacher confidence"]
    assert sliced["n"].tolist() == [10] * 4
    assert sliced["level"].tolist()[-1] == "0.8846 – 1"
    assert sliced["max_gap"].unique().tolist() == [0.3]
    assert sliced["ece_teacher"].tolist() == sorted(sliced["ece_teacher"], reverse=True)
    assert report.table["slice"].unique().tolist() == ["group", "teacher confidence", "group × teacher confidence"]
    assert audit(labels, teacher, labels, {}, confidence_bins=2).table["n"].tolist() == [20, 20]
    assert report.settings["confidence_bins"] == 4


def test_columns_align_by_position_whatever_index_they_have():
    rng = np.random.default_rng(2)
    labels, teacher, student = rng.integers(0, 2, (3, 60))
    group = rng.choice(["a", "b"], 60)
    plain = audit(labels, teacher, student, {"group": group}, min_samples=5).table
    index = rng.permutation(60)
    slices = pd.DataFrame({"group": group}, index=index)
    shuffled = audit(
        pd.Series(labels, index=index[::-1]), pd.Series(teacher), pd.Series(student, index=["same"] * 60), slices,
        min_samples=5,
    )  # fmt: skip
    pd.testing.assert_frame_equal(shuffled.table, plain)


def test_column_names_may_be_anything_but_empty():
    labels = [0, 1]
    slices = pd.DataFrame([["a", "b", "c"], ["a", "d", "e"]], columns=[0, ("x", "y"), "a=b × <c>"])
    report = audit(
        labels, labels, labels, slices, thresholds={0: 0.3, "a=b × <c>=e": 0.4}, crossings=[(0, "a=b × <c>")]
    )
    assert report.table["slice"].unique().tolist() == ["0", "('x', 'y')", "a=b × <c>", "0 × a=b × <c>"]
    assert report.table["max_gap"].tolist() == [0.3, 0.02, 0.02, 0.02, 0.4, 0.02, 0.02]
