"""Several students in one audit: one family of tests, one table, the worst status."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from statsmodels.stats.multitest import multipletests
from test_audit import answers
from test_audit_gate import status_of

from kdcourse.audit import audit, audit_all
from kdcourse.audit.report.tables import headline
from kdcourse.stats.paired import gap_p_values

OPTIONS = {"max_gap": 0.03, "min_samples": 50}


@pytest.fixture(scope="module")
def data():
    """Labels, teacher, three students by name, and groups; no two students lose the same."""
    labels, teacher, poor, baseline, group = answers(0, [0.0, 0.02, 0.06, 0.3], n_each=150)
    fair = np.where(np.arange(len(labels)) % 3 == 0, poor, teacher)
    return labels, teacher, {"poor": poor, "fair": fair, "same": teacher}, group, baseline


@pytest.fixture(scope="module")
def found(data):
    labels, teacher, students, group, baseline = data
    return audit_all(labels, teacher, students, {"group": group}, baseline=baseline, **OPTIONS)


@pytest.mark.slow
def test_p_values_are_adjusted_over_all_slices_of_all_students(data, found):
    labels, teacher, students, group, _ = data
    counts = {}
    for name, student in students.items():
        for level in [*sorted(set(group)), "all examples"]:
            where = (group == level) | (level == "all examples")
            right = (teacher == labels)[where], (student == labels)[where]
            counts[name, level] = (int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()), where.sum())
    assert found.corrected_for == len(counts) == 15
    for side, name in enumerate(["p_exceeds", "p_within"]):
        alone = [gap_p_values(a, b, int(n), 0.03)[side] for a, b, n in counts.values()]
        adjusted = dict(zip(counts, multipletests(alone, method="holm")[1], strict=True))
        for (student, level), expected in adjusted.items():
            report = found.reports[student]
            rows = report.table.set_index("level")[name].to_dict() | {"all examples": report.overall[name]}
            assert rows[level] == pytest.approx(expected)


def test_but_for_the_correction_each_report_is_that_of_its_student_alone(data, found):
    labels, teacher, students, group, baseline = data
    same = ["slice", "n", "teacher", "student", "gap", "low", "high", "over_baseline", "agreement", "retained"]
    for name, student in students.items():
        alone = audit(labels, teacher, student, {"group": group}, baseline=baseline, **OPTIONS)
        ours = found.reports[name]
        assert (
            ours.table.set_index("level")[same].sort_index().equals(alone.table.set_index("level")[same].sort_index())
        )
        assert ours.settings == alone.settings
        assert (ours.table["p_exceeds"].sum() >= alone.table["p_exceeds"].sum(), ours.corrected_for) == (True, 15)
    said = "(4 slices of at least 50 examples, and all examples together, for 3 students)"
    assert said in found.reports["poor"].method
    notes = {name: report.notes for name, report in found.reports.items()}
    assert notes["fair"] == []
    assert notes["same"] == ["teacher and student['same'] choose the same class for all 600 examples."]


def test_the_table_has_a_row_per_slice_the_worst_of_any_student_first(found):
    table = found.table
    assert table["level"].tolist()[-1] == "all examples"
    order = ["flag", "alarm", "watch", "too few", "pass"]
    verdicts = [f"verdict {name}" for name in found.reports]
    ranks = [min(order.index(row[verdict]) for verdict in verdicts) for _, row in table.iloc[:-1].iterrows()]
    assert ranks == sorted(ranks)
    for name, report in found.reports.items():
        for row in report.table.to_dict("records"):
            (ours,) = table[table["level"] == row["level"]].to_dict("records")
            assert (ours[f"verdict {name}"], ours[f"gap {name}"]) == (row["verdict"], row["gap"])


@pytest.mark.parametrize(
    ("names", "require", "status"),
    [(["poor", "same"], "pass", 1), (["fair", "same"], "pass", 3), (["fair", "same"], "no flag", 0)],
)
def test_the_status_is_the_worst(data, names, require, status):
    labels, teacher, students, group, _ = data
    some = {name: students[name] for name in names}
    found = audit_all(labels, teacher, some, {"group": group}, require=require, **OPTIONS)
    assert found.status == status
    assert {report.status for report in found.reports.values()} >= {status}


def test_every_output_has_every_student(found, tmp_path):
    said = [f"{name}: {headline(report)}" for name, report in found.reports.items()]
    assert found.to_markdown(tmp_path / "a.md") == (tmp_path / "a.md").read_text(encoding="utf-8")
    found.to_html(tmp_path / "a.html")
    found.to_json(tmp_path / "a.json")
    soup = BeautifulSoup((tmp_path / "a.html").read_text(encoding="utf-8"), "html.parser")
    assert [item.get_text() for item in soup.select("ul.finding li")] == [f"{one}." for one in said]
    assert len(soup.find_all("img")) == 3
    rows = [[cell.get_text() for cell in line.find_all("td")] for line in soup.table.tbody.find_all("tr")]
    assert [row[1:5] for row in rows] == [
        [row["level"], *(row[f"verdict {name}"] for name in found.reports)] for row in found.table.to_dict("records")
    ]
    for one in said:
        assert one in re.sub(r"\\", "", found.to_markdown())
        assert one in str(found)
    stored = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (stored["schema"], stored["status"]) == ("kdcourse.audit.several", found.status)
    assert stored["students"]["fair"]["rows"][0]["gap"] == found.reports["fair"].table["gap"][0]


def test_students_are_audited_by_any_metric_with_weights_and_clusters(data):
    labels, teacher, students, group, _ = data
    n = np.arange(len(labels))
    options = {"metric": "recall", "pos_label": 1, "clusters": n // 8, "weights": n % 3 + 1, "max_gap": 0.05}
    two = {name: students[name] for name in ("poor", "fair")}
    found = audit_all(labels, teacher, two, {"group": group}, min_samples=20, **options)
    same = ["level", "n", "teacher", "student", "gap", "low", "high", "effective_n", "design_effect", "independent_n"]
    for name, student in two.items():
        alone = audit(labels, teacher, student, {"group": group}, min_samples=20, **options)
        ours = found.reports[name]
        pd.testing.assert_frame_equal(
            *(one.table[same].sort_values("level", ignore_index=True) for one in (ours, alone))
        )
        assert (ours.corrected_for, ours.settings) == (2 * alone.corrected_for, alone.settings)
        effect = f"{ours.overall['design_effect']:.2g}"
        assert any(line.startswith(f"Note: {name}: The ") and effect in line for line in str(found).splitlines())
    assert "of clusters as wholes, weighted), corrected by Holm's method for 10 tests (4 slices " in str(found)


def test_what_cannot_be_measured_of_one_student_is_said_of_it_alone(tmp_path):
    labels, group = np.arange(800) % 2, np.arange(800) // 400
    never = np.where(group == 1, 0, labels)  # never says 1 in the second half
    found = audit_all(
        labels, labels, {"good": labels, "never": never}, {"half": group}, metric="precision", max_gap=0.1
    )
    (row,) = found.table[found.table["level"] == "1"].to_dict("records")
    assert (row["verdict good"], row["verdict never"]) == ("pass", "not measurable")
    assert (found.corrected_for, "(up to 2 slices of at least 100 examples" in str(found)) == (5, True)
    found.to_html(tmp_path / "a.html")
    page = BeautifulSoup((tmp_path / "a.html").read_text(encoding="utf-8"), "html.parser")
    assert "not measurable: student: the class is never predicted" in [cell.get_text() for cell in page.select("td")]
    assert "not measurable" in [term.get_text() for term in page.select(".verdicts dt")]


@pytest.mark.parametrize(
    ("students", "options", "said"),
    [
        ([0, 1], {}, "students must be a dict of predictions by name"),
        ({"a": [0, 1] * 50}, {}, r"students must be two or more, with names of their own, got \['a'\]"),
        ({"a": [0, 1] * 50, "b": [0, 1, 2]}, {}, r"student\['b'\] must be as long as labels, got 3 for 100 labels"),
        ({"a": [0, 1] * 50, "b": [0, 1] * 50}, {"search": 3}, "search must be asked of one student alone"),
        ({"a": [0, 1] * 50, "b": [0, 1] * 50}, {"show_examples": 3}, "show_examples must be asked of one student"),
        ({"a": [0, 1] * 50, "b": [0, 1] * 50}, {"maxgap": 3}, "unexpected keyword argument 'maxgap'"),
    ],
)
def test_bad_students_are_refused_by_name(students, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        audit_all([0, 1] * 50, [0, 1] * 50, students, {"g": [0, 1] * 50}, **options)


# ---- the command ----


@pytest.fixture
def asked(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    labels, teacher, students, group, _ = data
    columns = {"y": labels, "teacher": teacher, **students, "group": group}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    Path("p.csv").write_text("\n".join(lines), encoding="utf-8")
    return ["p.csv", "--label", "y", "--teacher", "teacher", "--slice", "group", "--min-samples", "50"]


def test_the_option_may_be_given_again(asked, found):
    done = status_of(*asked, "--student", "poor", "--student", "fair", "--student", "same", "--max-gap", "0.03",
                     "--json", "a.json", "--html", "a.html", "--markdown", "a.md", "--note", "Ada")  # fmt: skip
    assert done.exit_code == found.status == 1
    assert f"fair: {headline(found.reports['fair'])}" in done.stdout
    assert "Columns: y (label), teacher (teacher), poor, fair, same (student)" in done.stdout
    stored = json.loads(Path("a.json").read_text(encoding="utf-8"))
    for name, report in found.reports.items():
        assert [row["verdict"] for row in stored["students"][name]["rows"]] == report.table["verdict"].tolist()
    both = ["--student", "poor", "--student", "fair"]
    for option, value in [("--compare", ["a.json"]), ("--search", ["3"]), ("--confusion", []), ("--examples", ["3"])]:
        refused = status_of(*asked, *both, option, *value)
        assert (refused.exit_code, f"Invalid value for {option}" in refused.stderr) == (2, True)
    for wrong in (["poor", "poor"], ["poor", "none"]):
        refused = status_of(*asked, "--student", wrong[0], "--student", wrong[1])
        assert (refused.exit_code, "Invalid value for --student" in refused.stderr) == (2, True)
    assert "of one student" in status_of(*asked, "--student", "fair", "--compare", "a.json").stderr
