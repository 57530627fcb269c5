"""An audit as a gate: alarms, what a release requires, waivers, the correction, and what an audit could have seen."""

import datetime
import json
import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from test_audit import joined, row
from typer.testing import CliRunner

from kdcourse import cli
from kdcourse.audit import audit
from kdcourse.audit.report.tables import headline, held_back, sight, state_of
from kdcourse.stats.paired import gap_interval, gap_p_values, gap_power

TODAY = datetime.date(2027, 1, 15)
# With 3 points allowed: over it, over it by its own test alone, in doubt, too small, and two that are safe.
FLAG, ALARM, WATCH, FEW = ("flag", (60, 0, 540)), ("alarm", (13, 0, 203)), ("watch", (8, 0, 142)), ("few", (9, 0, 1))
SAFE = [("safe", (0, 0, 900)), ("safe too", (2, 1, 797))]


def audited(*parts, **options):
    labels, teacher, student, group = joined(*parts)
    return audit(labels, teacher, student, {"group": group}, **{"max_gap": 0.03, "today": TODAY, **options})


def waiver(until="2027-06-30", reason="none arrive before June"):
    return {"reason": reason, "until": until}


def test_an_alarm_is_over_its_limit_by_its_own_test_and_not_after_the_correction():
    report = audited(FLAG, ALARM, WATCH, FEW, *SAFE)
    assert report.table.set_index("level")["verdict"].to_dict() == {
        "flag": "flag", "alarm": "alarm", "watch": "watch", "few": "too few", "other": "too few", "safe": "pass",
        "safe too": "pass",
    }  # fmt: skip
    tested = [(60, 0, 600), (13, 0, 216), (8, 0, 150), (0, 0, 900), (2, 1, 800)]
    tested.append(tuple(np.sum([*tested, (9, 0, 10), (0, 0, 1)], axis=0).tolist()))
    alone = [gap_p_values(*counts, 0.03)[0] for counts in tested]
    together = multipletests(alone, method="holm")[1]
    assert alone[1] <= 0.025 < together[1]
    found = row(report, "alarm")
    assert found["low"] == gap_interval(13, 0, 216, 0.95)[0] > 0.03
    assert (found["handling"], found["more_needed"] > 0) == ("fallback to teacher", True)
    assert report.alarmed["level"].tolist() == ["alarm"]
    assert report.table["level"].tolist()[:3] == ["flag", "alarm", "watch"]


def test_the_false_discovery_rate_is_benjamini_and_hochbergs():
    parts = [(f"g{k}", (25, 1, 374) if k < 4 else (6 - k // 2, 1, 393 + k // 2)) for k in range(8)]
    strict, loose = (audited(*parts, correction=one) for one in ("holm", "fdr"))
    counts = [*((a, b, a + b + c) for _, (a, b, c) in parts)]
    counts.append(tuple(np.sum([*counts, (0, 0, 1)], axis=0).tolist()))
    for name, side in [("p_exceeds", 0), ("p_within", 1)]:
        expected = multipletests([gap_p_values(*one, 0.03)[side] for one in counts], method="fdr_bh")[1]
        found = [*(row(loose, f"g{k}")[name] for k in range(8)), loose.overall[name]]
        assert found == pytest.approx(expected.tolist())
    assert len(strict.flagged) < len(loose.flagged)
    assert "no flag and no pass of this report is wrong" in strict.method
    assert "at most 2.5 % are wrong on average. A release needs Holm's method" in loose.method


@pytest.mark.parametrize(
    ("parts", "require", "waived", "status"),
    [
        (SAFE, "pass", [], 3),  # "other", one example: too few
        (SAFE, "pass", ["group=other"], 0),
        ([*SAFE, ALARM, WATCH, FEW], "no flag", [], 0),
        ([*SAFE, WATCH], "pass", ["group=other"], 3),
        ([*SAFE, WATCH], "pass", ["group"], 0),
        ([*SAFE, ALARM, FEW], "pass", ["group"], 0),
        ([*SAFE, FLAG, WATCH], "pass", ["group"], 1),
        ([*SAFE, FLAG], "no flag", [], 1),
        ([WATCH], "pass", ["group"], 3),  # all examples together are in doubt as well
        ([WATCH], "pass", ["group", "all examples"], 0),
    ],
)
def test_what_holds_a_release_back(parts, require, waived, status):
    report = audited(*parts, require=require, waivers={key: waiver() for key in waived})
    assert report.status == status
    said = held_back(report)
    if require == "no flag":
        assert said == ""
        return
    starts = {
        0: "Release: may go. Every slice passes, or is waived.",
        1: "Release: held back; something is flagged.",
        3: "Release: held back; undecided and not waived: ",
    }
    assert said.startswith(starts[status])
    assert status == 1 or (len(report.undecided) > 0) == (status == 3)


def test_a_waiver_holds_until_its_date_and_for_what_is_undecided():
    report = audited(
        FLAG, ALARM, WATCH, *SAFE, require="pass",
        waivers={
            "group=watch": waiver(TODAY), "group=alarm": waiver("2027-01-14"), "group=flag": waiver(),
            "group=safe": waiver("2020-01-01"),
        },
    )  # fmt: skip
    assert row(report, "watch")["waiver"] == "waived until 2027-01-15: none arrive before June"
    assert [row(report, level)["waiver"] for level in ("alarm", "flag", "safe")] == ["", "", ""]
    assert set(report.notes[-2:]) == {
        "The waiver of group = flag does not hold: a flag cannot be waived.",
        "The waiver of group = alarm does not hold: it ended on 2027-01-14.",
    }
    assert report.undecided["level"].tolist()[0] == "alarm"
    assert "watch, waived" in str(report)
    assert "group = watch: waived until 2027-01-15: none arrive before June" in str(report)


def test_the_date_may_be_a_string():
    given = {"group=watch": waiver("2027-01-14")}
    for today, held in [("2027-01-14", True), ("2027-01-15", False)]:
        report = audited(WATCH, waivers=given, today=today)
        assert (report.settings["date"], row(report, "watch")["waiver"] != "") == (today, held)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"require": "all"}, "require must be"),
        ({"correction": "bonferroni"}, "correction must be"),
        ({"waivers": ["group=a"]}, "waivers must be a dict"),
        ({"waivers": {"group=b": waiver()}}, "waivers must name slices, got 'group=b'"),
        ({"waivers": {"group=watch": {"reason": "x"}}}, r"waivers\['group=watch'\] must hold a reason and a date"),
        ({"waivers": {"group=watch": waiver(reason=" ")}}, r"waivers\['group=watch'\]\['reason'\] must be a sentence"),
        ({"waivers": {"group=watch": waiver("June")}}, r"waivers\['group=watch'\]\['until'\] must be a date.*'June'"),
        ({"waivers": {"group=watch": waiver(datetime.datetime(2027, 1, 1))}}, "must be a date"),
        ({"today": "15 January"}, "today must be a date, as 2027-01-31, got '15 January'"),
        ({"today": 20270115}, "today must be a date, as 2027-01-31, got 20270115"),
    ],
)
def test_a_policy_that_is_none_is_refused_by_name(options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        audited(WATCH, **options)


@pytest.mark.parametrize(
    ("parts", "state", "said"),
    [
        ([FLAG, ALARM, WATCH, FEW, *SAFE], "flag",
         "2 of 7 slices shown safe, 1 over the limit (group = flag), 1 alarm (group = alarm), 1 undecided, 2 with "
         "too few examples; all examples together undecided"),
        ([ALARM, *SAFE], "alarm", "2 of 4 slices shown safe, 1 alarm (group = alarm), 1 with too few examples"),
        ([WATCH], "undecided", "0 of 2 slices shown safe, 1 undecided, 1 with too few examples; all examples together "
         "undecided"),
    ],
)  # fmt: skip
def test_the_headline_counts_what_is_shown_safe_and_the_page_takes_the_colour_of_the_worst(
    parts, state, said, tmp_path
):
    report = audited(*parts)
    assert headline(report) == said
    assert state_of(report) == state
    report.to_html(tmp_path / "audit.html")
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert f'<p class="finding {state}">' in page
    assert sight(report) in page
    report.to_json(tmp_path / "audit.json")
    stored = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert (stored["headline"], stored["sight"], stored["schema_version"]) == (said, sight(report), 3)


def test_a_report_says_what_it_could_have_seen():
    report = audited(ALARM, *SAFE)
    least = row(report, "alarm")
    chance, needed = gap_power(0.0, 216, 0.06, 0.03, 1 - 0.05 / report.corrected_for)
    assert (least["chance_at_twice"], least["needed_at_twice"]) == (chance, needed)
    assert f"probability of about {100 * chance:.0f} % in group = alarm (216 examples; 80 % would take about " in sight(
        report
    )
    assert row(report, "other")["chance_at_twice"] == 0
    assert math.isnan(row(audited(ALARM, max_gap=0.0), "alarm")["chance_at_twice"])


# ---- the command ----

GATE = ["--label", "y", "--teacher", "teacher", "--student", "student", "--slice", "group", "--max-gap", "0.03"]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A file with a safe group and one in doubt."""
    monkeypatch.chdir(tmp_path)
    labels, teacher, student, group = joined(WATCH, *SAFE)
    rows = zip(labels[1:], teacher[1:], student[1:], group[1:], strict=True)
    lines = ["y,teacher,student,group", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "p.csv"


def status_of(*arguments):
    return CliRunner().invoke(cli.app, ["audit", *map(str, arguments)], env={"COLUMNS": "2000", "NO_COLOR": "1"})


def test_the_command_holds_back_what_is_undecided_where_it_is_asked_to(table):
    assert status_of(table, *GATE).exit_code == 0
    asked = status_of(table, *GATE, "--require-pass")
    assert asked.exit_code == 3
    assert "Release: held back; undecided and not waived: group = watch." in asked.stdout
    policy = '\ufeffrequire = "pass"\n[waivers."group=watch"]\nreason = "no mail yet"\nuntil = 2999-01-01\n'
    (table.parent / "t.toml").write_text(policy, encoding="utf-8")  # with a byte-order mark, as some editors write
    waived = status_of(table, *GATE, "--thresholds", "t.toml")
    assert waived.exit_code == 0
    assert "group = watch: waived until 2999-01-01: no mail yet" in waived.stdout
    assert status_of(table, *GATE, "--correction", "fdr").exit_code == 0
    bad = status_of(table, *GATE, "--correction", "none")
    assert (bad.exit_code, "--correction" in bad.stderr) == (2, True)
