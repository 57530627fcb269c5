"""What changed since an earlier audit: by hand, and never with numbers that cannot be compared."""

import json
import math

import numpy as np
import pytest
from test_audit import joined
from test_audit_gate import ALARM, FEW, FLAG, SAFE, WATCH, audited, status_of

from kdcourse.audit import audit
from kdcourse.audit.report.pages import content

BEFORE = [FLAG, ALARM, WATCH, ("quiet", (1, 0, 799)), *SAFE]
NOW = [("flag", (0, 0, 600)), ("alarm", (60, 0, 156)), WATCH, ("quiet", (19, 0, 781)), SAFE[1], ("new", (0, 0, 400))]


def changed(now, before):
    return now.compare(before).parts["changes"]


def by_level(part, name):
    return part.table.set_index("level")[name].to_dict()


def as_old(report, **change):
    """What an older version wrote: without fingerprints."""
    old = json.loads(json.dumps(content(report)))
    for name in ("fingerprints", "versions"):
        del old["settings"][name]
    return old | change


def test_verdicts_that_changed_and_slices_that_came_and_went_are_told_the_most_serious_first():
    part = changed(audited(*NOW), audited(*BEFORE))
    assert by_level(part, "change") == {
        "alarm": "worse", "all examples": "", "flag": "better", "quiet": "worse", "safe": "gone", "new": "new",
        "watch": "", "safe too": "", "other": "",
    }  # fmt: skip
    order = part.table["change"].tolist()
    assert order == sorted(order, key=["worse", "new", "gone", "changed", "better", "clear move", ""].index)
    assert by_level(part, "verdict_before")["alarm"] == "alarm"
    assert by_level(part, "verdict")["alarm"] == "flag"
    assert ["group", "safe", "gone", "pass", "–"] in [cells[:5] for cells in part.cells()]
    assert part.said[0].startswith("Since the audit of 2027-01-15: 2 worse by verdict, 1 new, 1 gone, ")


def test_gaps_are_subtracted_where_the_examples_and_the_metric_are_the_same():
    labels, teacher, student, group = joined(*BEFORE)
    rng = np.random.default_rng(0)
    other = np.where(rng.random(len(labels)) < 0.02, 0, student)
    before, now = (audit(labels, teacher, one, {"group": group}, max_gap=0.03) for one in (student, other))
    part = changed(now, before)
    for level in [*set(group), "all examples"]:
        where = np.array([level in (one, "all examples") for one in group])
        lost = [(np.array(one)[where] == np.array(labels)[where]).mean() for one in (student, other)]
        assert by_level(part, "moved")[level] == pytest.approx(lost[0] - lost[1])
    assert "The student answers as before." in changed(before, before).said
    assert set(changed(before, before).table["change"]) == {""}


def test_a_move_is_clear_where_the_two_intervals_do_not_overlap():
    labels, groups = [0, 1] * 1000, ["a"] * 1000 + ["b"] * 1000
    before = [1 - y if k < 300 or k > 1995 else y for k, y in enumerate(labels)]
    now = [1 - y if k < 150 or k > 1993 else y for k, y in enumerate(labels)]
    part = changed(*(audit(labels, labels, one, {"g": groups}) for one in (now, before)))
    assert by_level(part, "change")["a"] == "clear move"  # a flag before and after
    assert by_level(part, "change")["b"] == ""
    assert part.said[-1].startswith("A move is clear where the two intervals do not overlap")
    assert part.shown["level"].tolist()[0] == "a"


def mean(labels, predictions):
    return np.equal(labels, predictions)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"score": mean}, "Another metric: mean before, accuracy now."),
        ({"max_gap": 0.05}, "Judged otherwise: the gap that is allowed changed."),
        ({"confidence": 0.9, "min_samples": 50}, "the smallest slice that is judged, the confidence changed"),
        ({"thresholds": {"group": 0.1}}, "the gaps that single slices may have changed"),
        ({"correction": "fdr"}, "the correction changed. A verdict may have changed with that alone."),
    ],
)
def test_what_differs_between_the_two_is_said(options, said):
    now, before = audited(*BEFORE), audited(*BEFORE, **options)
    part = changed(now, before)
    assert said in " ".join(part.said)
    withheld = "score" in options
    assert part.table["moved"].isna().all() == withheld
    assert ("So gaps before, in mean, are not shown." in part.said) == withheld
    assert ("gap before (points)" in [column.title for column in part.columns]) != withheld
    assert ("moved (points)" in [column.title for column in part.columns]) != withheld


@pytest.mark.parametrize(
    ("before", "now", "said", "moves"),
    [
        ({}, {"metric": "recall"}, "Another metric: accuracy before, recall of 1 now.", False),
        (
            {"metric": "recall"},
            {"metric": "specificity"},
            "Another metric: recall of 1 before, specificity of 1 now.",
            False,
        ),
        ({}, {"weights": "ones and twos"}, "Weighted now, and not before.", False),
        ({"weights": "ones and twos"}, {"weights": "twos and ones"}, "Weighted by other weights than before.", False),
        ({"weights": "ones and twos"}, {"weights": "ones and twos"}, "The student answers as before.", True),
        ({"clusters": "pairs"}, {}, "In clusters before, and not now.", True),
        ({"clusters": "pairs"}, {"clusters": "threes"}, "In clusters by other clusters than before.", True),
        ({"clusters": "pairs"}, {}, "Judged otherwise: the clusters changed.", True),
    ],
)
def test_another_metric_other_weights_and_other_clusters_are_said(before, now, said, moves):
    labels, teacher, student, group = joined(*BEFORE)
    places = np.arange(len(labels))
    columns = {"ones and twos": places % 2 + 1, "twos and ones": 2 - places % 2}
    columns |= {"pairs": places // 2, "threes": places // 3}

    def of(options):
        given = {name: columns.get(value, value) for name, value in options.items()}
        given |= {"pos_label": 1} if "metric" in options else {}
        return audit(labels, teacher, student, {"group": group}, max_gap=0.03, **given)

    part = changed(of(now), of(before))
    assert said in " ".join(part.said)
    assert part.table["moved"].notna().any() == moves
    assert ("So gaps are shown side by side and not subtracted." in part.said) != moves


def test_gaps_before_in_another_unit_are_not_shown():
    labels, group = np.arange(600) % 2, {"g": ["a", "b", "c"] * 200}
    before = audit(labels, labels, labels, group)
    now = audit(labels, labels, labels + 1.0, group, metric="mae", max_gap=0.5)
    part = changed(now, before)
    assert "Another metric: accuracy before, mae (lower is better) now." in part.said
    assert "So gaps before, in points, are not shown." in part.said
    assert [column.name for column in part.columns if "gap" in column.name] == ["gap"]


def test_other_examples_another_teacher_and_other_ids_are_noticed():
    labels, teacher, student, group = joined(*BEFORE)
    n = len(labels)
    base = audit(labels, teacher, student, {"group": group}, ids=range(n))
    fewer = audit(labels[:-1], teacher[:-1], student[:-1], {"group": group[:-1]})
    assert (
        f"Other examples, or in another order: {n - 1:,} examples before, {n:,} examples now."
        in changed(base, fewer).said
    )
    assert changed(base, fewer).table["moved"].isna().all()
    others = audit(labels, teacher, student, {"group": group}, ids=range(1, n + 1))
    assert changed(base, others).table["moved"].isna().all()
    nameless = audit(labels, teacher, student, {"group": group})  # the same labels, and nothing says otherwise
    assert changed(base, nameless).table["moved"].eq(0).all()
    teacher = [*teacher[:-1], 1 - teacher[-1]]
    assert any("The teacher answers otherwise" in one for one in changed(
        base, audit(labels, teacher, student, {"group": group})).said)  # fmt: skip


def test_reports_of_schema_1_and_2_are_read_and_what_they_do_not_say_is_said():
    report = audited(*BEFORE)
    second = changed(report, as_old(report))
    unknown = "The earlier report does not say which examples it saw, so whether they are the same is unknown."
    assert unknown in second.said
    assert second.table["moved"].isna().all()
    first = as_old(report, schema_version=1)
    for name in ("require", "correction", "date", "waivers"):
        del first["settings"][name]
    for row in first["rows"]:
        row["verdict"] = "watch" if row["verdict"] == "alarm" else row["verdict"]
    part = changed(report, first)
    assert by_level(part, "change")["alarm"] == "worse"
    assert "The earlier report knew no alarm: what was watch then may be alarm now." in part.said
    assert part.said[0].startswith("Since an audit without a date (kdcourse ")
    assert not any("Judged otherwise" in one for one in part.said)


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ({"schema": "kdcourse.audit", "schema_version": 4}, "must have schema_version 1, 2 or 3, got 4"),
        ({"schema": "kdcourse.audit"}, "must have schema_version 1, 2 or 3, got None"),
        ({"schema": "kdcourse.audit.several"}, "must be the audit of one student, of schema 'kdcourse.audit', got 'kd"),
        ({"rows": []}, "must be the audit of one student, of schema 'kdcourse.audit', got None"),
        ([1, 2], "got None in "),
    ],
)
def test_what_is_no_earlier_audit_is_refused_with_its_file(tmp_path, old, said):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    with pytest.raises(ValueError, match="^old must") as caught:
        audited(WATCH).compare(path)
    assert said in str(caught.value)
    assert str(caught.value).endswith(f" in {path}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    report = audited(WATCH)
    with pytest.raises(ValueError, match=r"old cannot be read in .*none.json: No such file"):
        report.compare(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"old must be an audit as JSON: .*broken.json is not valid JSON"):
        report.compare(str(tmp_path / "broken.json"))
    with pytest.raises(TypeError, match="old must be a report, or the path of one as JSON, got 3"):
        report.compare(3)


def test_every_output_shows_what_changed(tmp_path):
    report = audited(*NOW).compare(audited(*BEFORE))
    said = report.parts["changes"].said[0]
    report.to_html(tmp_path / "a.html")
    report.to_json(tmp_path / "a.json")
    assert said in str(report)
    assert said in report.to_markdown()
    assert f"<p>{said}</p>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    stored = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["changes"]
    assert stored["said"][0] == said
    assert len(stored["rows"]) == len(report.parts["changes"].table)
    gone = next(row for row in stored["rows"] if row["change"] == "gone")
    assert (gone["verdict"], gone["gap"], gone["moved"]) == (None, None, None)
    assert math.isclose(gone["gap_before"], 0.0)
    report.compare(tmp_path / "a.json").to_json(tmp_path / "a.json")  # reads its own
    assert report.compare(tmp_path / "a.json").status == report.status


def test_the_command_compares_and_names_its_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels, teacher, student, group = joined(*BEFORE)
    rows = zip(labels, teacher, student, group, strict=True)
    (tmp_path / "p.csv").write_text(
        "\n".join(["y,teacher,student,group", *(",".join(map(str, row)) for row in rows)]), encoding="utf-8"
    )
    asked = ["p.csv", "--label", "y", "--teacher", "teacher", "--student", "student", "--slice", "group"]
    assert status_of(*asked, "--json", "old.json", "--max-gap", "0.03").exit_code == 1
    again = status_of(*asked, "--compare", "old.json", "--max-gap", "0.04")
    assert "What changed. Since the audit of " in again.stdout
    assert "Judged otherwise: the gap that is allowed changed." in again.stdout
    refused = status_of(*asked, "--compare", "none.json", "--html", "x.html")
    assert (refused.exit_code, "--compare" in refused.stderr, (tmp_path / "x.html").exists()) == (2, True, False)


def test_few_examples_that_become_a_watch_are_neither_better_nor_worse():
    more = audited(("few", (9, 0, 141)), *SAFE)
    assert by_level(changed(more, audited(FEW, *SAFE)), "change")["few"] == "changed"
