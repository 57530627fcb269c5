"""What an audit measures: against scikit-learn and fairlearn; what it refuses, and the same from the command."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paired_models import drawn
from sklearn import metrics as sklearn_metrics
from typer.testing import CliRunner

from kdcourse import cli
from kdcourse.audit import audit
from kdcourse.audit.report.tables import headline, plain_text
from kdcourse.stats.paired import gap_interval, gap_p_values

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


@pytest.mark.slow
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


# ---- functions of people's own ----


@pytest.mark.slow
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


# ---- what cannot be measured, and what is refused ----

TRUTH = np.array([0, 1] * 100 + [0] * 100)
GROUP = np.array(["both"] * 200 + ["negative"] * 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "options", "why"),
    [
        ("recall", {"threshold": 0.5}, "no example of the class"),
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
    assert f"not measurable: {why[:10]}" in plain_text(report)
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


# ---- the command ----


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A file with all that metrics can be of."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(14)
    labels, teacher, student = drawn(random, 400)
    frame = pd.DataFrame({"y": np.where(labels, "spam", "ham"), "flag": labels, "p": teacher, "q": student})
    frame["group"], frame["w"], frame["user"] = random.choice(list("ab"), 400), random.random(400), np.arange(400) // 4
    frame["minutes"], frame["fast"], frame["slow"] = teacher * 9, teacher * 9 + 1, student * 9 + 2
    frame["said"], frame["wrote"] = "01", np.where(student > 0.5, "01", np.where(student > 0.2, "1", ""))
    frame.to_csv("p.csv", index=False)
    frame.to_parquet("p.parquet")
    return frame


def run(*arguments):
    done = CliRunner().invoke(cli.app, ["audit", *map(str, arguments)], env={"COLUMNS": "2000", "NO_COLOR": "1"})
    return done.exit_code, re.sub(r"[\s│╭╮╰╯─]+", " ", done.stderr)


MAIL = ["--label", "y", "--teacher", "p", "--student", "q", "--class", "spam"]
TIMES = ["--label", "minutes", "--teacher", "fast", "--student", "slow", "--max-gap", "3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "same"),
    [
        ([*MAIL, "--metric", "recall", "--threshold", "0.4"],
         {"labels": "y", "metric": "recall", "pos_label": "spam", "threshold": 0.4}),
        ([*MAIL, "--metric", "auroc", "--max-gap", "0.1"],
         {"labels": "y", "metric": "auroc", "pos_label": "spam", "max_gap": 0.1}),
        (["--label", "flag", "--teacher", "p", "--student", "q", "--metric", "brier", "--max-gap", "0.1"],
         {"labels": "flag", "metric": "brier", "max_gap": 0.1}),
        ([*MAIL, "--threshold", "0.5", "--weight", "w", "--cluster", "user"],
         {"labels": "y", "pos_label": "spam", "threshold": 0.5, "weights": "w", "clusters": "user"}),
        ([*TIMES, "--metric", "pinball", "--quantile", "0.9"],
         {"labels": "minutes", "metric": "pinball", "quantile": 0.9, "max_gap": 3}),
        (["--teacher", "fast", "--student", "slow", "--metric", "loss", "--max-gap", "3", "--weight", "w"],
         {"labels": None, "metric": "loss", "weights": "w", "max_gap": 3}),
        (["--label", "said", "--teacher", "said", "--student", "wrote", "--metric", "exact-match"],
         {"labels": "said", "metric": "exact-match"}),
    ],
)  # fmt: skip
def test_the_command_gives_the_same_report_as_the_columns_do(table, options, same):
    named = {name: table[value] for name, value in same.items() if name in ("labels", "weights", "clusters") and value}
    models = {name: table[options[options.index(f"--{name}") + 1]] for name in ("teacher", "student")}
    report = audit(**{**same, **named, **models}, slices={"group": table["group"]})
    for file in ("p.csv", "p.parquet"):
        status, said = run(file, *options, "--slice", "group", "--json", "out.json")
        assert status == report.status, said
        found = json.loads(Path("out.json").read_text(encoding="utf-8"))
        assert found["metric"]["name"] == same.get("metric", "accuracy")
        for name in ["level", "n", "teacher", "student", "gap", "low", "high", "verdict"]:
            assert [row[name] for row in found["rows"]] == pytest.approx(report.table[name].tolist()), name


def test_a_gap_whose_error_nothing_tells_is_not_measurable_and_no_test_of_the_family():
    truth, off = np.arange(101) / 10, np.random.default_rng(0).normal(size=101)
    slices = {"group": ["many"] * 100 + ["one"]}
    settings = {"metric": "mae", "max_gap": 0.5}
    report = audit(truth, truth, truth + off, slices, min_samples=1, **settings)
    row = report.table.set_index("level").loc["one"]
    assert row["gap"] == pytest.approx(abs(off[100]))
    assert (row["verdict"], row["why"]) == ("not measurable", "too few examples to tell its error")
    assert (row["handling"], row["more_needed"], report.corrected_for) == ("collect data", 0, 2)
    usual = audit(truth, truth, truth + off, slices, **settings).table.set_index("level")
    assert usual["verdict"]["one"] == "too few"
    alone = audit([1.0], [1.0], [1.1], {"group": ["one"]}, min_samples=1, **settings).overall
    assert (alone["verdict"], alone["why"]) == ("watch", row["why"])  # all examples together are always judged


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        ([*MAIL, "--metric", "auroc"], "--max-gap", "--max-gap: must be given for auroc, in AUROC"),
        (
            [*MAIL[:6], "--metric", "recall", "--threshold", "0.5"],
            "--class",
            "--class: must name a class of the labels, got None",
        ),
        ([*MAIL, "--metric", "recall"], "--teacher", "probabilities of one class need a threshold"),
        ([*TIMES], "--label", "mae, rmse and pinball are metrics for real numbers"),
        (MAIL[2:6], "--label", "--label: must name a column for accuracy, got none"),
        ([*MAIL, "--metric", "best"], "--metric", "--metric: must be one of 'accuracy'"),
        ([*TIMES, "--metric", "mae", "--weight", "y"], "--weight", "--weight: must hold numbers, got 'ham'"),
        ([*TIMES, "--metric", "mae", "--cluster", "house"], "--cluster", "must name a column, got 'house'"),
        ([*TIMES, "--metric", "mae", "--quantile", "0.5"], "--quantile", "must be None but for pinball"),
    ],
)
def test_the_command_names_the_option_that_a_metric_cannot_take(table, options, option, said):
    status, error = run("p.csv", *options, "--slice", "group")
    assert (status, f"Invalid value for {option}: " in error, said in error) == (2, True, True), error
