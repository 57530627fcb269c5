"""What an audit measures: against scikit-learn and fairlearn, and its errors against resampling and simulation."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from kdcourse.audit import audit, spread
from kdcourse.audit.metrics import METRICS
from kdcourse.audit.tables import headline, plain_text
from kdcourse.stats.paired import gap_interval, gap_p_values
from kdcourse.stats.ranking import auroc_contributions

THRESHOLD = 0.4


def pinball(labels, predictions, **weights):
    return sklearn_metrics.mean_pinball_loss(labels, predictions, alpha=0.9, **weights)


def ece(labels, probability, sample_weight=None):
    """By a loop over bins, which are open on the left."""
    weights = np.ones(len(labels)) if sample_weight is None else sample_weight
    confidence, right = np.maximum(probability, 1 - probability), (probability > 0.5) == labels
    total = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        total += abs((weights * (right - 1.0 * confidence))[inside].sum())
    return total / weights.sum()


def specificity(labels, choices, **weights):
    return sklearn_metrics.recall_score(labels, choices, pos_label=0, **weights)


# metric: the same by scikit-learn, what else the audit is told, what is compared
OF_CLASSES = {
    "accuracy": sklearn_metrics.accuracy_score,
    "recall": sklearn_metrics.recall_score,
    "precision": sklearn_metrics.precision_score,
    "f1": sklearn_metrics.f1_score,
    "specificity": specificity,
    "balanced-accuracy": sklearn_metrics.balanced_accuracy_score,
}
OF_PROBABILITIES = {
    "auroc": sklearn_metrics.roc_auc_score,
    "log-loss": sklearn_metrics.log_loss,
    "brier": sklearn_metrics.brier_score_loss,
    "ece": ece,
}
OF_NUMBERS = {
    "mae": sklearn_metrics.mean_absolute_error,
    "rmse": sklearn_metrics.root_mean_squared_error,
    "pinball": pinball,
}
UNITS = {"auroc": "AUROC", "log-loss": "nats", "brier": "Brier score"}
UNITS |= dict.fromkeys(OF_NUMBERS, "units of the labels")
REFERENCE = OF_CLASSES | OF_PROBABILITIES | OF_NUMBERS


def drawn(random, n=600, pos=0.3, shared=0):
    """Labels 0 and 1, and the positive's probability by teacher and student; `shared` by how many are alike."""
    labels = (random.random(n) < pos).astype(int)
    common, own = (
        random.normal(0, size, n) if not shared else random.normal(0, size, -(-n // shared)).repeat(shared)[:n]
        for size in (1.4, 0.6)
    )
    score = 2 * labels - 1 + common
    teacher, student = (1 / (1 + np.exp(-one)) for one in (score, score + own - 0.1))
    return labels, teacher, student


def asked(metric, labels, teacher, student):
    """(arguments of the audit, what its reference takes of each model)."""
    if metric in OF_CLASSES:
        models = [(one >= THRESHOLD).astype(int) for one in (teacher, student)]
        return {"labels": labels, "teacher": teacher, "student": student, "threshold": THRESHOLD}, labels, models
    if metric in OF_PROBABILITIES:
        return {"labels": labels, "teacher": teacher, "student": student}, labels, [teacher, student]
    numbers = labels + teacher / 3
    more = {"quantile": 0.9} if metric == "pinball" else {}
    return {"labels": numbers, "teacher": teacher, "student": student, **more}, numbers, [teacher, student]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", REFERENCE)
def test_values_are_those_of_scikit_learn_slice_by_slice(metric, weighted):
    random = np.random.default_rng(3)
    labels, teacher, student = drawn(random)
    group = random.choice(list("abc"), 600)
    arguments, truth, models = asked(metric, labels, teacher, student)
    weights = random.exponential(size=600) if weighted else None
    report = audit(**arguments, slices={"group": group}, metric=metric, weights=weights)
    losses = {"log-loss", "brier", "ece", *OF_NUMBERS}
    for row in [*report.table.to_dict("records"), report.overall.to_dict()]:
        where = np.ones(600, dtype=bool) if row["level"] == "all examples" else group == row["level"]
        more = {} if weights is None else {"sample_weight": weights[where]}
        expected = [REFERENCE[metric](truth[where], one[where], **more) for one in models]
        assert [row["teacher"], row["student"]] == pytest.approx(expected, rel=1e-9)
        assert row["gap"] == pytest.approx((expected[0] - expected[1]) * (-1 if metric in losses else 1), abs=1e-9)
        assert row["low"] <= row["gap"] <= row["high"]
        of_class = {"recall": labels == 1, "specificity": labels == 0}.get(metric, np.ones(600, dtype=bool))
        assert row["n"] == (where & of_class).sum()
        if weighted:
            own = weights[where & of_class]
            assert row["effective_n"] == pytest.approx(own.sum() ** 2 / (own**2).sum())
    assert f"gap ({UNITS.get(metric, 'points')}) [95 % interval]" in plain_text(report)
    assert report.settings["metric"]["gap"] == ("student − teacher" if metric in losses else "teacher − student")


@pytest.mark.parametrize("metric", ["recall", "precision", "f1", "balanced-accuracy", "auroc", "log-loss", "mae"])
def test_the_values_of_groups_are_those_of_fairlearns_metric_frame(metric):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    random = np.random.default_rng(4)
    labels, teacher, student = drawn(random)
    group = random.choice(list("abcd"), 600)
    arguments, truth, models = asked(metric, labels, teacher, student)
    report = audit(**arguments, slices={"group": group}, metric=metric)
    for name, predictions in zip(["teacher", "student"], models, strict=True):
        frame = fairlearn.MetricFrame(
            metrics=REFERENCE[metric], y_true=truth, y_pred=predictions, sensitive_features=group
        )
        found = report.table.set_index("level")[name].sort_index()
        assert found.tolist() == pytest.approx(frame.by_group.sort_index().tolist())
        assert report.overall[name] == pytest.approx(frame.overall)


def test_metrics_of_many_classes_are_those_of_scikit_learn():
    random = np.random.default_rng(5)
    labels = random.integers(0, 4, 500)
    teacher, student = (random.dirichlet(np.ones(4), 500) + 2 * np.eye(4)[labels] for _ in range(2))
    teacher, student = (one / one.sum(1, keepdims=True) for one in (teacher, student))
    for metric, reference, choose in [
        ("balanced-accuracy", sklearn_metrics.balanced_accuracy_score, True),
        ("log-loss", sklearn_metrics.log_loss, False),
        ("brier", sklearn_metrics.brier_score_loss, False),
    ]:
        report = audit(labels, teacher, student, {"all": ["x"] * 500}, metric=metric)
        for name, model in [("teacher", teacher), ("student", student)]:
            assert report.overall[name] == pytest.approx(reference(labels, model.argmax(1) if choose else model))
    one = audit(labels, teacher, student, {"all": ["x"] * 500}, metric="auroc", pos_label=2).overall
    assert one["teacher"] == pytest.approx(sklearn_metrics.roc_auc_score(labels == 2, teacher[:, 2]))
    of_two = audit(labels, teacher, student, {"all": ["x"] * 500}, metric="precision", pos_label=2).overall
    assert of_two["student"] == pytest.approx(sklearn_metrics.precision_score(labels == 2, student.argmax(1) == 2))


def test_recall_is_tested_exactly_among_the_positives():
    labels, teacher, student = drawn(np.random.default_rng(6), 2000)
    report = audit(labels, teacher, student, {"all": ["x"] * 2000}, metric="recall", threshold=0.5)
    right = [(one >= 0.5)[labels == 1] for one in (teacher, student)]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    found, n = report.overall, int(labels.sum())
    assert (found["low"], found["high"]) == gap_interval(*only, n)
    assert found["p_exceeds"] == pytest.approx(min(1, 2 * gap_p_values(*only, n, 0.02)[0]))
    assert (report.settings["metric"]["exact"], found["n"]) == (True, n)
    assert "a test on what only one of the two gets right" in report.method
    assert any(f"{n} examples whose label is 1, of 2,000" in note for note in report.notes)


# ---- errors ----


def measured(metric, labels, teacher, student, weights=None, clusters=None):
    """(gap in value, its Spread) as the audit has them."""
    one = METRICS[metric]
    if one.reads == "probabilities":
        models = [np.stack([1 - p, p], axis=1) for p in (teacher, student)]
    elif one.reads in ("one class", "choices"):
        labels, models = labels.astype(bool), [p >= THRESHOLD for p in (teacher, student)]
    else:
        labels, models = labels.astype(bool if one.reads == "scores" else float), [teacher, student]
    weights = np.ones(len(labels)) if weights is None else weights
    of = [one.measure(labels, model, weights) for model in models]
    return of[0].value - of[1].value, spread.spread(*of, weights, labels if one.by_class else None, clusters)


ERRORS = [name for name in REFERENCE if METRICS[name].only is None and name != "pinball"]


@pytest.mark.parametrize("kind", ["plain", "weights", "clusters"])
@pytest.mark.parametrize("metric", ERRORS)
def test_the_error_is_that_of_examples_drawn_again(metric, kind):
    random = np.random.default_rng(7)
    labels, teacher, student = drawn(random, 1000, shared=4 if kind == "clusters" else 0)
    weights = random.exponential(size=1000) if kind == "weights" else None
    clusters = np.arange(1000) // 4 if kind == "clusters" else None
    _, found = measured(metric, labels, teacher, student, weights, clusters)
    again = []
    for _ in range(500):
        rows = random.integers(1000, size=1000)
        if kind == "clusters":
            rows = (4 * random.integers(250, size=250)[:, None] + np.arange(4)).ravel()
        own = None if weights is None else weights[rows]
        again.append(measured(metric, labels[rows], teacher[rows], student[rows], own)[0])
    if metric == "ece":  # is not smooth: bins that lie near their confidence change sides, and the error is too large
        assert 0.9 * np.std(again) < found.error < 2 * np.std(again)
    else:
        assert found.error == pytest.approx(np.std(again), rel=0.12)
    if kind == "clusters":
        assert found.design_effect > 1.3
        assert found.degrees == pytest.approx(249)


def test_the_error_of_auroc_is_delongs():
    labels, teacher, student = drawn(np.random.default_rng(8))
    _, found = measured("auroc", labels, teacher, student)
    difference = auroc_contributions(labels, teacher) - auroc_contributions(labels, student)
    assert found.error == pytest.approx(difference.std(ddof=1) / math.sqrt(600))


COVERED = {"precision", "f1", "balanced-accuracy", "accuracy"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "weights", "clusters"])
@pytest.mark.parametrize("metric", ERRORS)
def test_intervals_hold_the_true_gap_as_often_as_they_say(metric, kind):
    """In 92 to 98 % of 800 samples of 200, and shares of right choices, or ECE, in no less than that."""
    random = np.random.default_rng(9)
    shared = 4 if kind == "clusters" else 0
    truth, _ = measured(metric, *drawn(random, 400_000, shared=shared))
    inside = 0
    for _ in range(800):
        labels, teacher, student = drawn(random, 200, shared=shared)
        weights = random.uniform(0.2, 2, 200) if kind == "weights" else None
        clusters = np.arange(200) // 4 if shared else None
        gap, found = measured(metric, labels, teacher, student, weights, clusters)
        low, high = spread.interval(gap, found.error, found.degrees, found.size, 0.95)
        inside += low <= truth <= high
    assert inside / 800 >= 0.92
    assert inside / 800 <= 0.98 or metric in COVERED | {"ece"}


def test_models_that_never_differ_are_not_taken_for_equal():
    for size in (100, 300, 1000):
        low, high = spread.interval(0.0, 0.0, size - 1, size, 0.95)
        assert low == -high
        _, exact = gap_interval(0, 0, size)
        assert high == pytest.approx(exact, rel=0.25)
        assert high > 0.9 * exact
    labels = [0, 1] * 100
    report = audit(labels, labels, labels, {"g": ["a", "b"] * 100}, weights=[1, 2] * 100, max_gap=0.01)
    assert report.overall["verdict"] == "watch"


@pytest.mark.parametrize("margin", [-0.05, 0.0, 0.02, 0.1])
@pytest.mark.parametrize(
    ("gap", "error", "size"), [(0.03, 0.02, 150.0), (0.0, 0.0, 80.0), (-0.2, 0.05, 40.0), (0.3, 0.1, math.nan)]
)
def test_interval_and_tests_agree(gap, error, size, margin):
    for confidence in (0.8, 0.95, 0.999):
        low, high = spread.interval(gap, error, 30, size, confidence)
        exceeds, within = spread.p_values(gap, error, 30, size, margin)
        assert (exceeds <= (1 - confidence) / 2) == (margin < low)
        assert (within <= (1 - confidence) / 2) == (margin > high)


# ---- functions of people's own ----


def test_a_function_of_a_slice_is_a_metric_too():
    random = np.random.default_rng(10)
    labels, teacher, student = drawn(random)
    group = random.choice(list("ab"), 600)
    own = audit(labels, teacher, student, {"group": group}, metric=sklearn_metrics.roc_auc_score, max_gap=0.05)
    built_in = audit(labels, teacher, student, {"group": group}, metric="auroc", max_gap=0.05)
    assert own.score_name == "roc_auc_score"
    for name, within in [("teacher", 1e-9), ("gap", 1e-9), ("standard_error", 0.12)]:
        found, expected = (one.table.set_index("level")[name].sort_index() for one in (own, built_in))
        assert found.tolist() == pytest.approx(expected.tolist(), rel=within)
    assert "400 resamples" in own.method
    weights, users = random.exponential(size=600), np.arange(600) // 3
    options = {"weights": weights, "clusters": users, "max_gap": 1}
    worse = audit(labels, teacher, student, {"group": group}, metric=sklearn_metrics.mean_squared_error,
                  greater_is_better=False, **options)  # fmt: skip
    same = audit(labels, teacher, student, {"group": group}, metric="brier", **options)
    assert worse.overall["gap"] == pytest.approx(same.overall["gap"])
    assert worse.overall["standard_error"] == pytest.approx(same.overall["standard_error"], rel=0.15)
    with pytest.raises(ValueError, match="metric must return a number for a slice, got ndarray"):
        audit(labels, teacher, student, {"group": group}, metric=np.equal)


def test_scores_of_a_judge_need_no_labels_and_a_loss_turns_the_sign():
    random = np.random.default_rng(11)
    teacher, student = random.integers(1, 6, (2, 400))
    group = random.choice(list("ab"), 400)
    better = audit(None, teacher, student, {"group": group}, metric="score", max_gap=0.5)
    scored = audit(teacher, teacher, student, {"group": group}, score=lambda _, one: one, max_gap=0.5)
    for name in ["teacher", "student", "gap", "low", "high", "p_exceeds", "verdict"]:
        assert better.table[name].tolist() == pytest.approx(scored.table[name].tolist())
    lower = audit(None, teacher, student, {"group": group}, metric="loss", max_gap=0.5)
    assert lower.overall["gap"] == -better.overall["gap"]
    assert "lower is better, the gap is student − teacher" in lower.method


def test_answers_are_right_letter_by_letter():
    labels = [f"answer {k}" for k in range(300)]
    student = [*labels[:200], *(f" {label}" for label in labels[200:250]), *map(str.upper, labels[250:290]), *[""] * 10]
    report = audit(labels, labels, student, {"half": [k < 150 for k in range(300)]}, metric="exact-match")
    assert report.overall[["teacher", "student"]].tolist() == [1, 2 / 3]
    assert report.settings["classes"] == []
    assert "90 answers of student, unlike the label in blanks at the ends or capitals only" in report.notes[0]


# ---- weights and clusters ----


def test_equal_weights_and_clusters_of_one_change_nothing():
    labels, teacher, student = drawn(np.random.default_rng(12))
    arguments = labels, teacher >= 0.5, student >= 0.5, {"half": np.arange(600) % 2}
    alone = audit(*arguments).table
    pd.testing.assert_frame_equal(audit(*arguments, weights=[3.5] * 600, clusters=range(600)).table, alone)


def test_whole_weights_are_copies_and_clusters_of_copies_undo_them():
    random = np.random.default_rng(13)
    labels, teacher, student = drawn(random)
    slices, times = random.choice(list("ab"), 600), random.integers(1, 4, 600)
    for metric in ["balanced-accuracy", "auroc", "log-loss"]:
        more = {"threshold": 0.5} if metric == "balanced-accuracy" else {}
        weighted = audit(labels, teacher, student, {"g": slices}, metric=metric, weights=times, **more).overall
        rows = np.arange(600).repeat(times)
        copied = audit(
            labels[rows], teacher[rows], student[rows], {"g": slices[rows]}, metric=metric, clusters=rows, **more
        ).overall
        assert weighted["gap"] == pytest.approx(copied["gap"])
        # Class by class, or in one draw: the same but for a few per cent.
        assert weighted["standard_error"] == pytest.approx(copied["standard_error"], rel=0.02)
        assert copied["design_effect"] > 1.5


@pytest.mark.parametrize(
    ("weights", "clusters", "said"),
    [
        ([1, 2, -1, 1], None, "weights must be >= 0, got -1 in row 2"),
        ([1, 2, math.nan, 1], None, "weights must hold no missing values, got 1, the first in row 2"),
        ([1, 2, math.inf, 1], None, "weights must hold finite numbers, got inf in row 2"),
        ([0, 0, 0, 0], None, "weights must not all be 0"),
        ([1, 2], None, "weights must be as long as labels, got 2"),
        (list("abcd"), None, "weights must hold numbers, got "),
        (None, [1, 1, 1, 1], "clusters must name two clusters or more, got 1 only"),
        (None, [1, None, 2, 1], "clusters must hold no missing values, got 1"),
        (None, [1, 2], "clusters must be as long as labels, got 2"),
    ],
)
def test_bad_weights_and_clusters_are_refused_by_name(weights, clusters, said):
    with pytest.raises((TypeError, ValueError), match=re.escape(said)) as refused:
        audit([0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0], {"g": list("aabb")}, weights=weights, clusters=clusters)
    assert refused.value.argument == said.split()[0]


# ---- what cannot be measured, and what is refused ----

TRUTH = np.array([0, 1] * 100 + [0] * 100)
GROUP = np.array(["both"] * 200 + ["negative"] * 100)


@pytest.mark.parametrize(
    ("metric", "options", "why"),
    [
        ("recall", {"threshold": 0.5}, "no such example"),
        ("recall", {"threshold": 0.5, "weights": range(1, 301)}, "no example of the class"),
        ("f1", {"threshold": 0.5}, "no example of the class"),
        ("precision", {"threshold": 0.5}, "teacher: the class is never predicted"),
        ("balanced-accuracy", {"threshold": 0.5}, "one class only"),
        ("auroc", {}, "fewer than two examples of the class, or of the others"),
        ("log-loss", {"clusters": [*range(200), *[0] * 100]}, "all examples are in one cluster"),
        ("brier", {"weights": [1, 2] * 100 + [0] * 100}, "no example has a weight"),
        (lambda y, p: sklearn_metrics.log_loss(y, p), {}, "metric says: y_true contains only one label"),
        (lambda y, p: math.nan if y.min() == y.max() else 1.0, {}, "metric of teacher is nan"),
    ],
)
def test_a_slice_without_a_value_has_a_verdict_that_says_why(metric, options, why, tmp_path):
    probability = np.where(TRUTH == 1, 0.9, 0.1)
    report = audit(TRUTH, probability, probability, {"group": GROUP}, metric=metric, require="pass", **options)
    row = report.table.set_index("level").loc["negative"]
    assert row["verdict"] == "not measurable"
    assert row["why"].startswith(why)
    assert (row["handling"], row["more_needed"]) == ("collect data", 0)
    assert math.isnan(row["gap"])
    assert report.undecided["level"].tolist()[0] in ("negative", "both")
    assert "1 not measurable" in headline(report)
    assert f"not measurable, {why[:15]}" in plain_text(report)
    report.to_html(tmp_path / "report.html")
    report.to_json(tmp_path / "report.json")
    assert "The metric cannot be measured in this slice" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "NaN" not in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "negative" in report.to_markdown()
    assert report.corrected.loc["overall"].notna().all()


LABELS = ["ham", "spam", "egg", "ham"]
HALF = [0.5, 0.2, 0.1, 0.9]


@pytest.mark.parametrize(
    ("change", "argument", "said"),
    [
        ({"metric": "recal"}, "metric", "metric must be one of 'accuracy', 'exact-match', 'recall'"),
        ({"metric": "recall"}, "pos_label", "must name a class of the labels, got None; there are 'egg', 'ham'"),
        ({"metric": "recall", "pos_label": "x"}, "pos_label", "must be a class of the labels, got 'x'; there are"),
        ({"metric": "accuracy", "pos_label": "ham"}, "pos_label", "must be None for accuracy without a threshold"),
        ({"metric": "mae", "labels": HALF, "threshold": 0.5}, "threshold", "must be None for mae, got 0.5"),
        ({"metric": "mae", "quantile": 0.5}, "quantile", "must be None but for pinball, got 0.5 for mae"),
        ({"metric": "pinball", "quantile": 1}, "quantile", "quantile must be in (0, 1), got 1"),
        ({"metric": "mae"}, "labels", "labels must hold numbers, got "),
        ({"metric": "mae", "labels": HALF, "teacher": [1, 2, math.inf, 0]}, "teacher", "numbers, got inf in row 2"),
        ({"metric": "score", "teacher": HALF, "student": HALF[:3]}, "student", "as long as labels, got 3 for 4"),
        ({"metric": "recall", "pos_label": "ham", "threshold": 0.5, "teacher": [0, 1, 2, 0]}, "teacher",
         "must be probabilities of 'ham' in [0, 1], got 2 in row 2"),
        ({"metric": "recall", "pos_label": "ham", "threshold": 0.5}, "teacher", "teacher must hold numbers, got "),
        ({"metric": "auroc", "labels": [1, 1, 1, 1], "teacher": HALF, "student": HALF}, "labels", "two classes"),
        ({"metric": "exact-match", "student": [1, 2, 3, 4]}, "student", "must hold strings for exact-match, got "),
        ({"metric": "recall", "score": np.equal}, "score", "must be None where there is a metric"),
        ({"greater_is_better": False}, "greater_is_better", "must be said of a function only"),
        ({"metric": "mae", "labels": HALF, "teacher": HALF, "student": HALF, "max_gap": -1}, "max_gap", ">= 0"),
        ({"labels": HALF}, "labels", "got 0.1; mae, rmse and pinball are metrics for real numbers"),
        ({"labels": [0, 1, 1, 0], "student": HALF, "teacher": [0, 1, 1, 0]}, "student", "class, or a threshold"),
    ],
)  # fmt: skip
def test_what_a_metric_cannot_take_is_refused_by_name(change, argument, said):
    arguments = {"labels": LABELS, "teacher": LABELS, "student": LABELS, "slices": {"g": list("aabb")}} | change
    with pytest.raises((TypeError, ValueError), match=re.escape(said)) as refused:
        audit(**arguments)
    assert refused.value.argument == argument
