"""The exercises of lesson 05: right answers, each written in several ways, mistakes, and answers that are words."""

import itertools
import math
import statistics
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from kdcourse import check
from kdcourse.check import core
from kdcourse.check.outcome import call, read_words


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


def on_one_line(text):
    return " ".join(text.split())


# ---- right answers ----


def interval_by_counts(teacher_right, student_right):
    n = len(teacher_right)
    only_teacher = int((teacher_right & ~student_right).sum())
    only_student = int((student_right & ~teacher_right).sum())
    gap = (only_teacher - only_student) / n
    variance = (only_teacher + only_student - n * gap**2) / (n - 1)
    return gap, gap - 1.96 * math.sqrt(variance / n), gap + 1.96 * math.sqrt(variance / n)


def interval_in_numpy(teacher_right, student_right):
    difference = teacher_right.numpy().astype(int) - student_right.numpy().astype(int)
    half = 1.96 * difference.std(ddof=1) / np.sqrt(difference.size)
    return np.array([difference.mean(), difference.mean() - half, difference.mean() + half])


def interval_by_loops(teacher_right, student_right):
    differences = [int(t) - int(s) for t, s in zip(teacher_right.tolist(), student_right.tolist(), strict=True)]
    half = 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
    gap = statistics.fmean(differences)
    return [gap, gap - half, gap + half]


def interval_by_covariance(t, s):
    both = torch.stack([t, s]).float()
    ((var_t, cov), (_, var_s)) = torch.cov(both)
    gap = both[0].mean() - both[1].mean()
    half = 1.96 * ((var_t + var_s - 2 * cov) / len(t)).sqrt()
    return gap, gap - half, gap + half


def interval_by_statsmodels(t, s):
    described = DescrStatsW(t.double().numpy() - s.double().numpy())
    return described.mean, *described.zconfint_mean()


def needed_by_counting(disagree, gap, max_gap):
    if gap == max_gap:
        return math.inf
    s, n = math.sqrt(disagree - gap * gap), 1
    while abs(gap - max_gap) < 2.8 * s / math.sqrt(n):
        n += 1
    return n


def needed_by_power(disagree, gap, max_gap):
    distance, s = abs(gap - max_gap), math.sqrt(disagree - gap**2)
    if distance < 1e-12:
        return np.inf
    n = np.arange(1, 4000)
    power = stats.norm.cdf(distance * np.sqrt(n) / s - 1.96)
    return n[np.searchsorted(power, stats.norm.cdf(0.84))]


def needed_in_torch(disagree, gap, max_gap):
    share, gap, limit = torch.tensor([disagree, gap, max_gap], dtype=torch.float64)
    return torch.ceil(((1.96 + 0.84) ** 2 * (share - gap**2)) / (gap - limit) ** 2)


def needed_in_fractions(*case):
    disagree, gap, limit = (Fraction(str(value)) for value in case)
    if gap == limit:
        return float("inf")
    return math.ceil(Fraction("2.8") ** 2 * (disagree - gap**2) / (limit - gap) ** 2)


def read_by_loop(n, gap, low, high, max_gap, min_samples):
    verdicts = []
    for k in range(len(n)):
        if n[k] < min_samples:
            verdicts.append("too few")
        elif low[k] > max_gap[k]:
            verdicts.append("flag")
        elif high[k] < max_gap[k]:
            verdicts.append("pass")
        else:
            verdicts.append("watch")
    return verdicts


def read_in_numpy(n, gap, low, high, max_gap, min_samples):
    n, low, high, max_gap = (column.numpy() for column in (n, low, high, max_gap))
    return np.select([n < min_samples, low > max_gap, high < max_gap], ["too few", "flag", "pass"], "watch")


def read_in_pandas(n, gap, low, high, max_gap, min_samples):
    table = pd.DataFrame({"n": n, "low": low, "high": high, "max_gap": max_gap})
    verdict = pd.Series("watch", index=table.index)
    verdict[table["high"] <= table["max_gap"]] = "pass"
    verdict[table["low"] >= table["max_gap"]] = "flag"
    verdict[table["n"] < min_samples] = "too few"
    return verdict


def read_by_places(n, gap, low, high, max_gap, min_samples):
    place = 1 + (low > max_gap).long() - (high < max_gap).long()
    return tuple(
        "too few" if size < min_samples else ("pass", "watch", "flag")[k]
        for size, k in zip(n.tolist(), place.tolist(), strict=True)
    )


RIGHT_05 = {
    "paired_interval": [
        interval_by_counts,
        interval_in_numpy,
        interval_by_loops,
        interval_by_covariance,
        interval_by_statsmodels,
    ],
    "examples_needed": [needed_by_counting, needed_by_power, needed_in_torch, needed_in_fractions],
    "read_audit": [read_by_loop, read_in_numpy, read_in_pandas, read_by_places],
}


# ---- mistakes, in the words people write them in ----


def written(gap, half):
    """An interval as it is typed: `half` of the two tensors of right answers, as floats."""
    return lambda t, s: [(m := gap(t.float(), s.float())), m - (h := half(t.float(), s.float())), m + h]


def difference(t, s):
    return t.mean() - s.mean()


def share(p):
    return p.mean() * (1 - p.mean())


def verdicts(rule):
    """A verdict for each slice by `rule(n, gap, low, high, max_gap)`, all numbers."""
    return lambda *case: [rule(*(float(value) for value in row)) for row in zip(*case[:5], strict=True)]


@pytest.mark.parametrize(
    ("exercise", "answer", "bug"),
    [
        (check.paired_interval,
         written(difference, lambda t, s: 1.96 * ((share(t) + share(s)) / len(t)).sqrt()), "unpaired"),
        (check.paired_interval,
         written(difference, lambda t, s: 1.96 * (t.var() / len(t) + s.var() / len(s)).sqrt()), "unpaired"),
        (check.paired_interval, written(difference, lambda t, s: 1.96 * np.std((t - s).numpy()) / len(t) ** 0.5),
         "divided by N in s"),
        (check.paired_interval, written(difference, lambda t, s: 1.96 * (t - s).std()), "spread of single examples"),
        (check.paired_interval, written(difference, lambda t, s: 1.96 * (t - s).var() / len(t) ** 0.5), "variance"),
        (check.paired_interval, written(difference, lambda t, s: 1.96 * (t - s).var() / len(t)), "variance"),
        (check.paired_interval, written(difference, lambda t, s: 1.645 * (t - s).std() / len(t) ** 0.5), "1.645"),
        (check.paired_interval, written(lambda t, s: (s - t).mean(), lambda t, s: 1.96 * (t - s).std() / len(t) ** 0.5),
         "sign"),
        (check.paired_interval, written(lambda t, s: (t != s).float().mean(),
                                        lambda t, s: 1.96 * (t != s).float().std() / len(t) ** 0.5),
         "differences without their sign"),
        (check.paired_interval, written(lambda t, s: t.mean(), lambda t, s: 1.96 * (share(t) / len(t)).sqrt()),
         "one model only"),
        (check.paired_interval, written(lambda t, s: s.mean(), lambda t, s: 1.96 * s.std() / len(s) ** 0.5),
         "one model only"),
        (check.paired_interval, written(lambda t, s: 100 * difference(t, s),
                                        lambda t, s: 196 * (t - s).std() / len(t) ** 0.5), "percent"),
        (check.paired_interval,
         lambda t, s: [(d := DescrStatsW(t.double().numpy() - s.double().numpy())).mean, *d.tconfint_mean()],
         "Student's t"),
        (check.paired_interval, written(difference, lambda t, s: 1.96 * ((t - s) ** 2).sum().sqrt() / len(t)),
         "mean not removed"),
        (check.examples_needed, lambda d, g, m: math.ceil((1.96 / (g - m)) ** 2 * (d - g * g)) if g != m else math.inf,
         "no power"),
        (check.examples_needed, lambda d, g, m: 7.84 * (d - g * g) / (g - m) ** 2 if g != m else math.inf,
         "not rounded"),
        (check.examples_needed, lambda d, g, m: int(7.84 * (d - g * g) / (g - m) ** 2) if g != m else math.inf,
         "rounded down"),
        (check.examples_needed, lambda d, g, m: int(7.84 * (d - g * g) / (g - m) ** 2), "rounded down"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * (d - g * g) / (g - m)) if g != m else math.inf,
         "distance not squared"),
        (check.examples_needed, lambda d, g, m: math.ceil(2.8 * (d - g * g) ** 0.5 / (g - m)) if g != m else math.inf,
         "square forgotten"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * d / (g - m) ** 2) if g != m else math.inf,
         "gap left in s²"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * (d - g * g) / g**2) if g else math.inf,
         "compared with 0"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * d * (1 - d) / (g - m) ** 2) if g != m else math.inf,
         "variance of one share"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * (d - g * g) / (g - m) ** 2) if g > m else math.inf,
         "never below max_gap"),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * (d - g * g) / (g - m) ** 2) if g != m else 0,
         "0 for never"),
        (check.examples_needed, lambda d, g, m: math.inf if g == m else math.ceil(
            ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / (g - m)) ** 2 * (d - g * g)), "more digits"),
        (check.read_audit, lambda n, g, lo, hi, m, k: ["too few" if a < k else "flag" if b > c else "pass"
                                                       for a, b, c in zip(n, g, m, strict=True)], "by the gap alone"),
        (check.read_audit, lambda n, g, lo, hi, m, k: ["too few" if a < k else "flag" if b > c else "pass"
                                                       for a, b, c in zip(n, lo, m, strict=True)], "not known passes"),
        (check.read_audit, lambda n, g, lo, hi, m, k: ["too few" if a < k else "flag" if b > c else "pass"
                                                       for a, b, c in zip(n, hi, m, strict=True)],
         "not known is flagged"),
        (check.read_audit, verdicts(lambda n, g, lo, hi, m: "flag" if lo > m else "pass" if hi < m else "too few"
                                    if n < 100 else "watch"), "too few last"),
        (check.read_audit, verdicts(lambda n, g, lo, hi, m: "too few" if n <= 100 else "flag" if lo > m else "pass"
                                    if hi < m else "watch"), "exactly enough is too few"),
        (check.read_audit, lambda n, g, lo, hi, m, k: read_by_loop(n, g, lo, hi, m[:1].expand(len(n)), k),
         "one max_gap for all"),
        (check.read_audit, lambda n, g, lo, hi, m, k: read_by_loop(n, g, lo, hi, m.mean().expand(len(n)), k),
         "one max_gap for all"),
        (check.read_audit, verdicts(lambda n, g, lo, hi, m: "too few" if n < 100 else "flag" if lo > 0 else "pass"
                                    if hi < m else "watch"), "any gap is flagged"),
        (check.read_audit, lambda n, g, lo, hi, m, k: ["flag" if (n * g).sum() / n.sum() > m.mean() else "pass"] *
         len(n), "the average decides"),
        (check.read_audit, verdicts(lambda n, g, lo, hi, m: "too few" if n < 100 else "flag" if lo > m else "pass"
                                    if max(abs(lo), abs(hi)) < m else "watch"), "a better student does not pass"),
    ],
)  # fmt: skip
def test_bugs_of_lesson_05_are_recognised_in_the_words_people_write_them_in(exercise, answer, bug):
    result = exercise(answer)
    assert (result.status, result.bug) == ("not yet", bug), result


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        (check.paired_interval, lambda t, s: t - s, "stopped with RuntimeError: Subtraction"),
        (check.paired_interval, lambda t, s: (t.double() - s.double()).mean(),
         "a tuple of 3 numbers is expected, and one number came back"),
        (check.paired_interval, lambda t, s: interval_by_counts(t, s)[1:],
         "returned 2 things (a tuple). Return a tuple of 3 numbers."),
        (check.paired_interval, lambda t, s: interval_by_loops(t, s)[:2],
         "a tuple of 3 numbers is expected, and a tensor of shape [2] came back"),
        (check.paired_interval, lambda t, s: (0, 1, "x"), "Return a tuple of 3 numbers."),
        (check.examples_needed, lambda d, g, m: math.ceil(7.84 * (d - g * g) / (g - m) ** 2), "ZeroDivisionError"),
        (check.examples_needed, lambda d, g, m: None if g == m else needed_by_counting(d, g, m), "returned None"),
        (check.examples_needed, lambda d, g, m: math.ceil(np.float64(d) * math.inf), "OverflowError"),
        (check.read_audit, lambda *case: read_by_loop(*case)[0], "a list of 3 words is expected, and one word came"),
        (check.read_audit, lambda *case: read_by_loop(*case)[:2], "a list of 3 words is expected, and a list of 2"),
        (check.read_audit, lambda *case: [], "and a list of 0 words came back"),
        (check.read_audit, lambda *case: case[0] < 100, "returned a Tensor that cannot be read as a list of 3 words"),
        (check.read_audit, lambda *case: [1, 2, 3], "returned a list that cannot be read as a list of 3 words"),
        (check.read_audit, lambda *case: (read_by_loop(*case), case[1]), "Return only a list of 3 words"),
        (check.read_audit, lambda *case: ["flag", "pass", None], "returned a list that cannot be read"),
        (check.read_audit, lambda *case: {"flag"}, "returned a set that cannot be read as a list of 3 words"),
        (check.read_audit, lambda n, g, lo, hi, m, k: ["flag" if lo > m else "pass"], "stopped with RuntimeError"),
    ],
)  # fmt: skip
def test_what_lesson_05_says_of_what_is_no_answer(exercise, answer, message):
    result = exercise(answer)
    assert (result.status, result.bug) == ("not yet", None)
    assert message in on_one_line(result.message)


@pytest.mark.parametrize("name", RIGHT_05)
def test_exercise_of_lesson_05_has_four_hints_and_many_bugs(name):
    exercise = getattr(check, name)
    assert exercise.lesson == "05_sliced_evaluation"
    assert (len(exercise.hints), len(exercise.bugs) >= 15) == (4, True)
    assert all(len(bug.message) < 200 for bug in exercise.bugs)


@pytest.mark.parametrize("how", [math.ceil, float, torch.tensor, np.int64])
def test_a_whole_number_may_be_of_any_type(how):
    def answer(*case):
        n = needed_by_counting(*case)
        return n if n == math.inf else how(n)

    assert check.examples_needed(answer).passed
    one_more = check.examples_needed(lambda *case: answer(*case) + 1)
    assert "whole numbers, where fractions are due" not in one_more.message
    assert not one_more.passed


# ---- answers that are words ----


class Word(str):
    """A word that does not want to be compared or shown."""

    __slots__ = ()

    def fail(self, *arguments):
        raise RuntimeError("no")

    __eq__ = __repr__ = __str__ = __len__ = fail
    __hash__ = None


class Liar(list):
    """A list that is another one when it is gone through for the third time."""

    turns = 0

    def __iter__(self):
        self.turns += 1
        return super().__iter__() if self.turns < 3 else iter([1, 2])


def test_another_spelling_is_shown_as_it_came():
    result = check.read_audit(lambda *case: [word.upper() for word in read_by_loop(*case)])
    assert (result.status, result.bug) == ("not yet", None)
    said = on_one_line(result.message)
    assert said.startswith("Not yet. Only these words are verdicts: “too few”, “flag”, “pass” and “watch”")
    assert "expected ['flag', 'pass', 'watch'] got ['FLAG', 'PASS', 'WATCH']" in said


def test_long_and_odd_words_do_not_break_the_lines():
    for word in ("x" * 10_000, "a\nb\x1b[31m\ud800", Word("flag"), Word("no"), np.str_("no")):
        result = check.read_audit(lambda *case: [word] * len(case[0]))  # noqa: B023
        assert (result.passed, result.status) == (False, "not yet")
        assert "could not be judged" not in result.message
        assert result.message.replace("\n", "").isprintable()
        assert max(map(len, result.message.splitlines())) <= 100
        assert len(result.message) < 800
    assert "could not be judged" not in check.read_audit(lambda *case: Liar(["no"] * len(case[0]))).message
    assert check.read_audit(lambda *case: [Word(word) for word in read_by_loop(*case)]).passed


@pytest.mark.parametrize(
    ("output", "places"),
    [
        (["b", "a", "c"], [1, 0, -1]),
        (("a",), [0]),
        ([], []),
        ("b", 1),
        ("B", -1),
        (np.array(["b", "a"]), [1, 0]),
        (np.array(["b", "a"], dtype=object), [1, 0]),
        (pd.Series(["b", "a"], index=[5, 7]), [1, 0]),
        (pd.Series(["b", "a"], dtype="string"), [1, 0]),
        (pd.Categorical(["b", "a"], categories=["a", "b"]), [1, 0]),
    ],
)
def test_words_are_read_as_their_places(output, places):
    numbers, whole = read_words(output, ("a", "b"))
    assert (numbers.tolist(), whole) == (places, True)


@pytest.mark.parametrize(
    "output",
    [
        [1, 0], ["a", 0], [["a"]], torch.tensor([0, 1]), np.array([["a"]]), np.array([0]), {"a"}, None, b"a", 1,
        ["a"] * 10_001, np.array(["a"] * 10_001), iter(["a"]), pd.Series(["a", None]),
    ],
)  # fmt: skip
def test_what_is_no_list_of_words_is_not_read(output):
    assert read_words(output, ("a", "b")) == (None, False)


# ---- properties of the references ----

seeds = st.integers(0, 2**32 - 1)


def case_of(exercise, seed):
    return exercise.inputs(torch.Generator().manual_seed(seed))


@given(seed=seeds)
def test_interval_is_that_of_statsmodels_and_turns_over_with_the_models(seed):
    teacher, student = case_of(check.paired_interval, seed)
    gap, low, high = check.paired_interval.reference(teacher, student)
    described = DescrStatsW(teacher.double().numpy() - student.double().numpy())
    assert (float(gap), float(low), float(high)) == pytest.approx(
        (described.mean, *described.zconfint_mean()), abs=1e-4
    )
    other = check.paired_interval.reference(student, teacher)
    assert [float(value) for value in other] == pytest.approx([-float(value) for value in (gap, high, low)])
    assert {-1, 1} <= set((teacher.long() - student.long()).tolist())


@given(seed=seeds)
def test_with_so_many_examples_the_power_is_80_percent_and_with_one_less_it_is_not(seed):
    disagree, gap, max_gap = case_of(check.examples_needed, seed)
    n = check.examples_needed.reference(disagree, gap, max_gap)
    if gap == max_gap:
        assert n == math.inf
        return
    assert 20 < n == int(n) < 3001
    outcomes = {1: (disagree + gap) / 2, -1: (disagree - gap) / 2, 0: 1 - disagree}
    spread = math.sqrt(sum(p * (value - gap) ** 2 for value, p in outcomes.items()))
    powers = [stats.norm.cdf(abs(gap - max_gap) / (spread / math.sqrt(m)) - 1.96) for m in (n - 1, n)]
    assert powers[0] < stats.norm.cdf(0.84) <= powers[1]


@given(seed=seeds)
def test_a_larger_limit_never_makes_a_verdict_worse_and_slices_do_not_touch_each_other(seed):
    n, gap, low, high, max_gap, least = case_of(check.read_audit, seed)
    reference = check.read_audit.reference
    severity = {"flag": 2, "watch": 1, "pass": 0, "too few": 9}
    found = [
        [severity[word] for word in reference(n, gap, low, high, limit, least)] for limit in (max_gap, 2 * max_gap)
    ]
    assert all(one >= other for one, other in zip(*found, strict=True))
    order = torch.randperm(len(n))
    moved = reference(*(column[order] for column in (n, gap, low, high, max_gap)), least)
    assert [severity[word] for word in moved] == [found[0][k] for k in order]
    assert all((end - max_gap).abs().min() > 1e-3 for end in (low, high))  # > and ≥ are both right


def test_the_small_inputs_show_every_verdict_and_how_it_comes_about():
    seen = [
        (word, *(float(value) for value in row))
        for case in check.read_audit.small
        for word, row in zip(read_by_loop(*case), zip(*case[:5], strict=True), strict=True)
    ]
    assert {word for word, *_ in seen} == set(check.read_audit.words)
    assert all(low < gap < high for _, _, gap, low, high, _ in seen)
    assert any(n == 100 and word != "too few" for word, n, *_ in seen)
    for exercise in (check.paired_interval, check.examples_needed, check.read_audit):
        for answer, case in itertools.product(RIGHT_05[exercise.name], exercise.small):
            assert call(answer, case, exercise.words).error is None
