"""Slices that nobody named: found on one half, confirmed on the other, and hardly ever by chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kdcourse.audit import audit
from kdcourse.audit.inputs.slicing import read_slices
from kdcourse.audit.search import search_part

LIMIT = 0.05


def drawn(seed, n, planted=0.0):
    """Labels, a student that loses LIMIT everywhere (and more where p is a and q is b), and three columns."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.choice(list("abcd"), n) for name in "pqr"}
    lost = rng.random(n) < LIMIT + planted * ((columns["p"] == "a") & (columns["q"] == "b"))
    labels = rng.integers(0, 2, n)
    return labels, np.where(lost, 1 - labels, labels), columns


def searched(labels, student, columns, lost=None, seed=0):
    """The table of a search without the audit around it; `lost` is a difference of scores."""
    report = SimpleNamespace(
        settings={
            "confidence": 0.95,
            "min_samples": 100,
            "metric": {"exact": lost is None, "unit": "points"},
        },
        score_name="accuracy",
        table={"max_gap": [LIMIT]},
        overall={"max_gap": LIMIT},
    )
    lost = labels != student if lost is None else lost
    read = read_slices(columns, len(labels)).columns
    limits = [LIMIT] * sum(len(column.levels) for column in read)
    return search_part(report, lost * 1.0, read, limits, 5, seed).table


def no_more_than_chance(count, runs):
    return count <= stats.binom.ppf(0.999, runs, 0.025)


@pytest.mark.slow
def test_of_normal_scores_at_the_limit_few_are_confirmed_though_the_half_they_were_found_on_says_they_are():
    confirmed, naive, runs = 0, 0, 200
    for seed in range(runs):
        labels, _, columns = drawn(seed, 2000)
        lost = np.random.default_rng(1000 + seed).normal(LIMIT, 1, 2000)
        found = searched(labels, labels, columns, lost, seed)
        confirmed += found["confirmed"].any()
        errors = (found["gap_found"] - LIMIT) * np.sqrt(found["n_found"])  # the deviation is 1
        naive += (stats.norm.sf(errors) <= 0.025).any()
    assert no_more_than_chance(confirmed, runs)
    assert naive > 0.5 * runs


@pytest.mark.slow
def test_of_a_loss_at_the_limit_few_slices_are_confirmed_and_a_planted_one_is_found_and_confirmed():
    chance = [searched(*drawn(seed, 2000), seed=seed)["confirmed"].any() for seed in range(40)]
    assert no_more_than_chance(sum(chance), 40)
    hits = 0
    for seed in range(6):
        first = searched(*drawn(seed, 3000, planted=0.3), seed=seed).iloc[0]
        hits += (first["slice"], first["level"], bool(first["confirmed"])) == ("p × q", "a × b", True)
    assert hits >= 5


@pytest.fixture(scope="module")
def planted():
    labels, student, columns = drawn(3, 3000, planted=0.3)
    report = audit(labels, labels, student, columns, max_gap=LIMIT, search=4, crossings=[("p", "r")])
    return report, pd.DataFrame(columns).assign(lost=labels != student)


def test_the_two_halves_share_no_example_and_miss_none(planted):
    report, frame = planted
    table = report.parts["search"].table
    assert len(table) >= 1
    for row in table.to_dict("records"):
        names = dict(zip(row["slice"].split(" × "), row["level"].split(" × "), strict=True))
        inside = frame[np.logical_and.reduce([frame[name] == level for name, level in names.items()])]
        assert row["n"] + row["n_found"] == len(inside)
        whole = row["n"] * row["gap"] + row["n_found"] * row["gap_found"]
        assert whole == pytest.approx(inside["lost"].sum())


def test_a_search_leaves_verdicts_alone_and_is_shown(planted):
    report, frame = planted
    labels = frame["lost"].astype(int)  # who is right matters, not what it is called
    plain = audit(labels * 0, labels * 0, labels, frame[["p", "q", "r"]], max_gap=LIMIT, crossings=[("p", "r")])
    assert (plain.table["verdict"].tolist(), plain.status) == (report.table["verdict"].tolist(), report.status)
    for text in (str(report), report.to_markdown()):
        assert "on 1,500 examples, drawn at random (seed 0); confirmed on the other 1,500: " in text
    assert "p × r × " not in str(report.parts["search"].table["slice"].tolist())


def test_nothing_is_found_under_the_name_of_a_part_of_it():
    rng = np.random.default_rng(0)
    columns = {name: rng.choice(list("ab"), 2000) for name in "pq"}
    labels = np.zeros(2000, int)
    student = (columns["p"] == "a").astype(int)  # all of p = a is lost, and so are its halves
    table = audit(labels, labels, student, columns, search=9).parts["search"].table
    assert table[["slice", "level"]].to_numpy().tolist() == [["p", "a"]]


def test_a_pair_may_lose_what_its_more_generous_level_may():
    columns = {"p": list("aabb") * 500, "q": list("xyxy") * 500}
    labels = np.zeros(2000, int)
    student = np.array([k // 4 % 2 if letter == "a" else 0 for k, letter in enumerate(columns["p"])])  # half of a
    for limit, found in [(0.6, []), (0.4, [["p", "a"]])]:
        report = audit(labels, labels, student, columns, thresholds={"p=a": limit, "q": 0.3}, search=9)
        assert report.parts["search"].table[["slice", "level"]].to_numpy().tolist() == found


def test_small_slices_are_no_candidates_and_a_seed_draws_other_halves():
    labels, columns = np.zeros(1000, int), {"q": ["rare" if k < 60 else "x" for k in range(1000)]}
    report = audit(labels, labels, (np.arange(1000) < 60).astype(int), columns, search=9)
    assert "Of 1 candidate " in str(report)
    assert "0 slices lost more than allowed" in str(report)
    labels, student, columns = drawn(3, 3000, planted=0.3)
    halves = {searched(labels, student, columns, seed=seed)["n_found"][0] for seed in (0, 0, 1, 2)}
    assert 2 <= len(halves) <= 3


def test_a_mean_error_is_searched_by_what_each_example_adds():
    rng = np.random.default_rng(0)
    columns = {name: rng.choice(list("abc"), 3000) for name in "pq"}
    labels, planted = rng.normal(size=3000), (columns["p"] == "a") & (columns["q"] == "b")
    teacher, student = labels + rng.normal(0, 0.1, 3000), labels + rng.normal(0, 0.1, 3000) + planted
    report = audit(labels, teacher, student, columns, metric="mae", max_gap=0.2, search=3)
    (row,) = report.parts["search"].table.to_dict("records")
    assert (row["slice"], row["level"], row["confirmed"]) == ("p × q", "a × b", True)
    lost = [
        abs(s - y) - abs(t - y) for y, t, s in zip(labels[planted], teacher[planted], student[planted], strict=True)
    ]
    assert row["n"] + row["n_found"] == len(lost)
    assert row["n"] * row["gap"] + row["n_found"] * row["gap_found"] == pytest.approx(sum(lost))
    assert "gap there (units of the labels)" in report.to_markdown()


def test_recall_is_searched_among_the_examples_of_its_class():
    labels, student, columns = drawn(3, 6000, planted=0.3)
    report = audit(labels, labels, student, columns, max_gap=LIMIT, metric="recall", search=1)
    alone = {name: column[labels == 1] for name, column in columns.items()}
    same = audit(labels[labels == 1], labels[labels == 1], student[labels == 1], alone, max_gap=LIMIT, search=1)
    assert report.parts["search"].table.equals(same.parts["search"].table)
    assert len(same.parts["search"].table) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metric": "balanced-accuracy"}, "search must be 0 for balanced-accuracy, which is no mean over examples"),
        ({"metric": "f1"}, "search must be 0 for f1, which is no mean over examples, got 2"),
        ({"weights": [1, 2] * 200}, "search must be 0 with weights, got 2"),
        ({"clusters": [1, 1, 2, 3] * 100}, "search must be 0 with clusters, got 2"),
    ],
)
def test_a_search_that_cannot_be_had_is_refused_by_name(options, said):
    with pytest.raises(ValueError, match=said):
        audit([0, 1] * 200, [0, 1] * 200, [0, 1] * 200, {"a": [0, 1, 1, 0] * 100}, search=2, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"search": -1}, "search must be an integer >= 1"), ({"search": 2, "search_seed": -1}, "search_seed must be")],
)
def test_a_search_that_is_none_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        audit([0, 1] * 200, [0, 1] * 200, [0, 1] * 200, {"a": [0, 1, 1, 0] * 100}, **options)
