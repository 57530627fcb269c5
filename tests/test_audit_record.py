"""What a report was made from, who signs it, and what it shows of single examples only where it was asked to."""

import hashlib
import json
from collections import Counter
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from test_audit import answers
from test_audit_gate import status_of

from kdcourse.audit import audit
from kdcourse.audit.report.tables import about, likely


@pytest.fixture(scope="module")
def data():
    """Labels, probabilities of teacher and student, groups, ids; "g2" is the worst."""
    labels, teacher, student, _, group = answers(4, [0.0, 0.05, 0.4], n_each=150)
    rng = np.random.default_rng(0)

    def sure(chosen):
        table = rng.dirichlet([1, 1, 1], len(chosen))
        table[np.arange(len(chosen)), chosen] += 1
        return table / 2

    return labels, sure(teacher), sure(student), group, [f"id {k}" for k in range(len(labels))]


@pytest.fixture(scope="module")
def shown(data):
    labels, teacher, student, group, ids = data
    return audit(labels, teacher, student, {"group": group}, ids=ids, show_confusion=True, show_examples=10)


def test_the_examples_are_those_that_teacher_and_student_are_surest_of_and_differ(data, shown):
    labels, teacher, student, group, ids = data
    lost = [
        (-(teacher[k].max() + student[k].max()), k)
        for k in range(len(labels))
        if group[k] == "g2" and teacher[k].argmax() == labels[k] != student[k].argmax()
    ]
    table = shown.parts["examples"].table
    assert table["row"].tolist() == [k for _, k in sorted(lost)[:10]]
    for row in table.to_dict("records"):
        k = row["row"]
        assert (row["id"], row["label"], row["student"]) == (ids[k], labels[k], student[k].argmax())
        assert row["teacher_confidence"] == pytest.approx(teacher[k].max())
    assert f"the teacher alone is right on {len(lost)} examples; 10 of them" in shown.parts["examples"].said[0]


def test_without_probabilities_and_ids_the_first_examples_are_shown_by_row(data):
    labels, teacher, student, group, _ = data
    plain = audit(labels, teacher.argmax(1), student.argmax(1), {"group": group}, show_examples=3)
    table = plain.parts["examples"].table
    assert list(table) == ["row", "label", "student"]
    where = (group == "g2") & (teacher.argmax(1) == labels) & (student.argmax(1) != labels)
    assert table["row"].tolist() == np.flatnonzero(where)[:3].tolist()


def test_the_mistakes_are_what_a_counter_counts(data, shown):
    labels, teacher, student, group, _ = data
    inside = [k for k in range(len(labels)) if group[k] == "g2"]
    wrong = Counter((labels[k], student[k].argmax()) for k in inside if student[k].argmax() != labels[k])
    table = shown.parts["confusion"].table
    assert {(row.label, row.student): row.n for row in table.itertuples()} == wrong
    assert table["n"].is_monotonic_decreasing
    of = Counter(labels[k] for k in inside)
    right = Counter((labels[k], student[k].argmax()) for k in inside if teacher[k].argmax() == labels[k])
    for row in table.itertuples():
        assert (row.of, row.teacher_right) == (of[row.label], right[row.label, row.student])
    counts = [sum(model[k].argmax() == labels[k] for k in inside) for model in (student, teacher)]
    assert f"Of 150 examples in group = g2, the student gets {counts[0]} right, the teacher {counts[1]}." in str(shown)


def test_nothing_of_a_single_example_is_shown_unless_it_was_asked_for(data, tmp_path):
    labels, teacher, student, group, ids = data
    report = audit(labels, teacher, student, {"group": group}, ids=ids)
    report.to_html(tmp_path / "a.html")
    report.to_json(tmp_path / "a.json")
    texts = [str(report), report.to_markdown(), *((tmp_path / f"a.{kind}").read_text() for kind in ("html", "json"))]
    assert report.parts == {}
    assert [text for text in texts if "id 1" in text or "Examples of" in text] == []


def test_of_one_class_rows_count_as_in_the_file(data):
    labels, teacher, student, group, ids = data
    choices = [np.array(model).argmax(1) for model in (teacher, student)]
    report = audit(labels, *choices, {"group": group}, ids=ids, metric="recall", pos_label=1, show_confusion=True,
                   show_examples=100)  # fmt: skip
    lost = np.flatnonzero((group == "g2") & (labels == 1) & (choices[0] == 1) & (choices[1] != 1))
    table = report.parts["examples"].table
    assert (table["row"].tolist(), table["id"].tolist()) == (lost.tolist(), [ids[k] for k in lost])
    assert set(table["student"]) == {"not 1"}
    wrong = ((group == "g2") & (labels == 1) & (choices[1] != 1)).sum()
    assert report.parts["confusion"].table[["label", "student", "n"]].to_numpy().tolist() == [[1, "not 1", wrong]]


@pytest.mark.parametrize("argument", ["show_confusion", "show_examples"])
@pytest.mark.parametrize(
    ("metric", "predictions"), [("mae", [0.5, 1.0]), ("auroc", [0.2, 0.8]), ("exact-match", ["a", "b"])]
)
def test_mistakes_and_examples_are_refused_where_no_classes_are_chosen(argument, metric, predictions):
    labels = ["a", "b"] * 50 if metric == "exact-match" else [0, 1] * 50
    with pytest.raises(ValueError, match=f"{argument} must be left out for {metric}, which chooses no classes"):
        audit(labels, predictions * 50, predictions * 50, {"g": [0, 0, 1, 1] * 25}, metric=metric, max_gap=0.1,
              **{argument: 1})  # fmt: skip


# ---- the record ----


@pytest.fixture
def asked(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    labels, teacher, student, group, ids = data
    rows = zip(labels, teacher.argmax(1), student.argmax(1), group, ids, strict=True)
    Path("p.csv").write_text("\n".join(["y,t,s,group,key", *(",".join(map(str, row)) for row in rows)]) + "\n")
    return ["p.csv", "--label", "y", "--teacher", "t", "--student", "s", "--slice", "group", "--id", "key"]


def test_the_report_names_file_columns_date_versions_limits_waivers_and_who_signs(asked):
    policy = (
        'max_gap = 0.9\n[thresholds]\n"group=g0" = 0.25\n[waivers."group=g1"]\nreason = "new"\nuntil = 2999-01-01\n'
    )
    Path("t.toml").write_text(policy)
    done = status_of(*asked, "--thresholds", "t.toml", "--note", "Ada, 2026-11-26", "--html", "a.html", "--json",
                     "a.json", "--markdown", "a.md")  # fmt: skip
    digest = hashlib.sha256(Path("p.csv").read_bytes()).hexdigest()
    data = f"p.csv, 450 rows, SHA-256 {digest}"
    stored = json.loads(Path("a.json").read_text())["settings"]
    assert stored["data"] == {"file": "p.csv", "rows": 450, "sha256": digest}
    assert stored["columns"] == {"label": "y", "teacher": "t", "student": "s", "id": "key"}
    assert stored["note"] == "Ada, 2026-11-26"
    assert stored["versions"]["numpy"] == metadata.version("numpy")
    soup = BeautifulSoup(Path("a.html").read_text(), "html.parser").dl
    terms = dict(zip(*([item.get_text() for item in soup.find_all(kind)] for kind in ("dt", "dd")), strict=True))
    assert terms["Data"] == data
    assert terms["Columns"] == "y (label), t (teacher), s (student), key (id)"
    assert terms["Signed"] == "Ada, 2026-11-26"
    assert terms["Allowed gap of group=g0"] == "25.0 points"
    assert terms["Waiver of group=g1"] == "waived until 2999-01-01: new"
    assert terms["Date"] == stored["date"]
    assert f"scipy {metadata.version('scipy')}" in terms["Versions"]
    for text in (done.stdout, Path("a.md").read_text()):
        assert f"Data: {data}" in text
        assert "Signed: Ada, 2026-11-26" in text


def test_weight_and_cluster_are_recorded_and_all_rows_are_counted_whatever_the_metric(asked):
    lines = Path("p.csv").read_text().splitlines()
    more = [f"{line},{k % 3 + 1},{k // 2}" for k, line in enumerate(lines[1:])]
    Path("p.csv").write_text("\n".join([f"{lines[0]},w,user", *more]) + "\n")
    status_of(*asked, "--metric", "recall", "--class", "1", "--weight", "w", "--cluster", "user", "--json", "a.json")
    stored = json.loads(Path("a.json").read_text())
    columns = {"label": "y", "teacher": "t", "student": "s", "id": "key", "weight": "w", "cluster": "user"}
    assert (stored["settings"]["columns"], stored["settings"]["data"]["rows"]) == (columns, 450)
    assert {"weights", "clusters"} <= set(stored["settings"]["fingerprints"])
    assert stored["overall"]["n"] < 450


def test_an_audit_of_arrays_says_nothing_of_a_file_and_may_be_signed(data, shown, tmp_path):
    assert "Versions" not in str(shown)  # which differ between machines, and notebooks keep what is printed
    signed = shown.signed("Ada")
    assert "Signed: Ada" in signed.to_markdown()
    assert "Data: " not in signed.to_markdown()
    assert signed.parts == shown.parts


def test_a_signature_without_a_word_is_refused(asked, shown):
    with pytest.raises(ValueError, match="note must say who signs, got ' '"):
        shown.signed(" ")
    done = status_of(*asked, "--note", " ", "--html", "a.html")
    assert (done.exit_code, "--note" in done.stderr, Path("a.html").exists()) == (2, True, False)


def test_the_command_shows_examples_and_mistakes_where_it_is_asked_to(asked):
    done = status_of(*asked, "--examples", "2", "--confusion", "--search", "1")
    for said in (
        "Examples of the worst slice. In group = g2",
        "Mistakes in the worst slice.",
        "searched for. Of 3 cand",
    ):
        assert said in done.stdout
    assert [status_of(*asked, option, "-1").exit_code for option in ("--examples", "--search")] == [2, 2]


def test_an_estimate_has_two_digits_and_no_approximation_is_certain():
    assert [about(518_123), about(95.6), about(7)] == ["about 520,000", "about 96", "about 7"]
    assert [likely(0.999), likely(0.0001), likely(0.314)] == ["over 99 %", "under 1 %", "about 31 %"]
