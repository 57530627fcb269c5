"""The memo: its recommendation follows from rules that were set before, and both of its forms say so."""

import datetime
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import faults, needs_chromium, watched

from kdcourse.audit import audit
from kdcourse.memo import Plan, decide, memo
from kdcourse.ship import Export, business_case
from kdcourse.stats import Comparison

TODAY = datetime.date(2026, 11, 26)
WAIVER = {"reason": "The teacher answers these.", "until": "2027-03-01"}
HOSTILE = "<b>x</b> | **x**"
CASE = {"requests_per_month": 1e6, "teacher_cost_per_1000": 1.0, "student_cost_per_1000": 0.1, "training_cost": 4500}


def plan(**changes):
    return Plan(**{"margin": 0.03, "slices": ["group"], "written": "2026-11-20"} | changes)


def report(lost=(0, 0, 0), sizes=(600, 400, 300), *, names=("a", "b", "c"), **options):
    """An audit in whose slices so many examples are right for the teacher alone."""
    group = np.repeat(names, sizes)
    labels = np.arange(len(group)) % 2
    wrong = np.concatenate([np.arange(size) < count for count, size in zip(lost, sizes, strict=True)])
    settings = {**plan().policy, "today": TODAY} | options
    return audit(labels, labels, np.where(wrong, 1 - labels, labels), {"group": group}, **settings)


def latency(p99=1.0):
    index = pd.MultiIndex.from_product([["teacher", "student"], [1, 64]], names=["model", "batch_size"])
    return pd.DataFrame(
        {"p50_ms": [5, 80, 0.5, 9], "p95_ms": [6, 90, 0.7, 10], "p99_ms": [8, 99, p99, 12.0]}, index=index
    )


def export(difference=1e-6):
    return Export(Path("student.onnx"), 4096, difference, {"given": difference, "large": 0.0}, 1e-4)


def sheet(**changes):
    answers = {"logits": "all", "tokenizer": "classes", "terms": "allowed", "gold": "independent"}
    return decide(**answers | {"alternatives": "dearer", "months": 5} | changes)


def full(**changes):
    given = {
        "plan": plan(p99_ms=2, break_even_months=12),
        "report": report(),
        "comparison": Comparison(0.01, -0.02, 0.04, 8, "inconclusive"),
        "export": export(),
        "latency": latency(),
        "case": business_case(**CASE),
        "sheet": sheet(),
        "not_tested": ["Mails after 2006."],
        "monitoring": ["Accuracy, weekly."],
    }
    return memo("A student", **given | changes)


def broken(result):
    return result.rules.index[result.rules["held"] == "no"].tolist()


# ---- the recommendation ----


@pytest.mark.parametrize(
    ("changes", "rules", "said"),
    [
        ({}, [], "kept by the audit of 2026-11-26"),
        ({"plan": plan(slices=["group", "age"])}, [0], "age was not audited"),
        ({"plan": plan(margin=0.025)}, [0], "the margin was 3.0 points"),
        ({"plan": plan(thresholds={"group=a": 0.1})}, [0], "other margins held in some slices"),
        ({"plan": plan(min_samples=50)}, [0], "at least 100 examples"),
        ({"plan": plan(written=datetime.date(2026, 11, 27))}, [0], "audited on 2026-11-26, before it"),
        ({"plan": plan(confidence=0.99)}, [0], "with a confidence of 0.95"),
        ({"plan": plan(metric="recall")}, [0], "audited by accuracy"),
        ({"report": report(correction="fdr")}, [0], "corrected as for exploring (fdr)"),
        ({"report": report((90, 0, 0))}, [1], "group = a, all examples"),
        ({"report": report((0, 11, 0))}, [2], "group = b (watch)"),
        ({"report": report(sizes=(600, 400, 60))}, [2], "group = c (too few)"),
        (
            {"report": report(sizes=(600, 400, 60), waivers={"group=c": WAIVER})},
            [],
            "all others decided; waived: group = c",
        ),
        ({"report": report((90, 0, 0), waivers={"group=a": WAIVER})}, [1], "group = a, all examples"),
        (
            {"comparison": Comparison(-0.01, -0.031, 0.01, 8, "inconclusive")},
            [3],
            "−1.0 [−3.1, +1.0], n = 8; not shown to be better",
        ),
        (
            {"comparison": Comparison(-0.02, -0.029, -0.011, 8, "worse")},
            [3],
            "−2.0 [−2.9, −1.1], n = 8; shown to be worse",
        ),
        ({"export": export(1e-3)}, [4], "1.0e−03 at most, on inputs given, large"),
        ({"latency": latency(p99=2.1)}, [5], "p99 2.1 ms"),
        ({"latency": None}, [5], "not measured"),
        ({"case": business_case(**CASE | {"training_cost": 12_000})}, [6], "after 13 months"),
        ({"case": business_case(**CASE | {"student_cost_per_1000": 1.0})}, [6], "never"),
        ({"case": None}, [6], "not measured"),
        ({"sheet": sheet(gold="teacher")}, [7], "measure first"),
        ({"sheet": sheet(terms="forbidden")}, [7], "don't"),
    ],
)
def test_one_broken_rule_is_enough_and_its_row_says_what_was_found(changes, rules, said):
    if isinstance(changes.get("plan"), Plan):
        limits = {"p99_ms": 2, "break_even_months": 12}
        given = {
            name: getattr(changes["plan"], name)
            for name in ("margin", "slices", "written", "min_samples", "thresholds", "metric", "confidence")
        }
        changes = {"plan": Plan(**given, **limits)}
    result = full(**changes)
    assert broken(result) == rules
    assert result.recommendation == ("do not ship" if rules else "ship")
    assert said in result.rules["measured"].to_list()
    assert all(result.rules["rule"][k] in str(result) for k in rules)


def test_what_no_plan_asks_for_decides_nothing_and_is_listed_as_not_measured():
    bare = memo("A student", plan=plan(), report=report(), not_tested=["Rain."], monitoring=["Rain."])
    assert bare.recommendation == "ship"
    assert bare.rules["held"].to_list() == ["yes"] * 3 + ["not asked"] * 5
    assert bare.not_tested == [
        "Rain.",
        "Not worse than the same student on hard labels: not measured.",
        "The exported file answers alike: not measured.",
        "Fast enough: not measured.",
        "Pays for itself in time: not measured.",
        "The decision sheet says do: not filled in.",
    ]
    measured = full(plan=plan())
    assert measured.rules["measured"][5] == "p99 1 ms"
    assert measured.not_tested == ["Mails after 2006."]


def test_slices_that_could_not_be_judged_and_those_that_were_waived_are_named():
    result = full(report=report(sizes=(600, 400, 60), waivers={"group=c": WAIVER}))
    assert result.not_tested[1:] == ["group = c: 60 examples are too few to judge."]
    assert result.monitoring[1:] == ["group = c, waived until 2027-03-01: The teacher answers these."]


def test_the_smallest_batch_of_the_row_that_would_ship_is_held_against_the_limit():
    assert broken(full(latency=latency()[::-1])) == []
    assert broken(full(latency=latency(), student="teacher")) == [5]
    plain = pd.DataFrame({"median_ms": [0.5], "p99_ms": [3.0]}, index=pd.Index(["int8"], name="model"))
    assert broken(full(latency=plain, student="int8")) == [5]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"plan": {"margin": 0.03}}, TypeError, "plan must be a Plan, got dict"),
        ({"report": "fine"}, TypeError, "^report must be an AuditReport, got 'fine'"),
        ({"comparison": 0.1}, TypeError, "comparison must be a Comparison or None, got 0.1"),
        ({"latency": {"p99_ms": 1}}, TypeError, "latency must be a DataFrame or None, got dict"),
        (
            {"latency": latency().drop(columns="p99_ms")},
            ValueError,
            r"latency must have the column p99_ms, got \['p50_ms', 'p95_ms'\]",
        ),
        ({"export": Path("student.onnx")}, TypeError, r"export must be an Export or None, got \w*Path"),
        ({"case": 5.0}, TypeError, "case must be a BusinessCase or None, got 5.0"),
        ({"not_tested": []}, ValueError, r"not_tested must hold one or more sentences, got \[\]"),
        ({"monitoring": "weekly"}, TypeError, "monitoring must be a list of sentences, got 'weekly'"),
        ({"monitoring": [" "]}, ValueError, "monitoring must hold one or more sentences"),
        (
            {"student": "other"},
            ValueError,
            r"student must be a row of latency, one of \['teacher', 'student'\], got 'other'",
        ),
        (
            {"case": business_case(**CASE | {"training_cost": np.array([1.0, 2.0])})},
            ValueError,
            "case must be of single",
        ),
    ],
)
def test_what_makes_no_memo_is_refused_by_name(changes, error, message):
    with pytest.raises(error, match=message):
        full(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"margin": -0.1}, ValueError, "margin must be >= 0 and finite, got -0.1"),
        ({"slices": "group"}, TypeError, "slices must be a list of names, got 'group'"),
        ({"slices": []}, ValueError, r"slices must be one or more names, got \[\]"),
        ({"written": "yesterday"}, ValueError, "written must be a date, as 2026-11-26, got 'yesterday'"),
        ({"min_samples": 0}, ValueError, "min_samples must be an integer >= 1, got 0"),
        ({"thresholds": {"group": -1}}, ValueError, r"thresholds\['group'\] must be >= 0"),
        ({"p99_ms": 0}, ValueError, "p99_ms must be > 0, got 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_by_name(changes, error, message):
    with pytest.raises(error, match=message):
        plan(**changes)


# ---- both forms ----


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.requests = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.requests += [
            value for name, value in attrs if name in ("src", "srcset") or (tag == "link" and name == "href")
        ]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page(tmp_path):
    def written(result):
        result.to_html(tmp_path / "sub" / "memo.html")
        return (tmp_path / "sub" / "memo.html").read_text(encoding="utf-8")

    return written


def squeezed(text):
    return " ".join(text.split())


def test_both_forms_hold_every_rule_every_sentence_and_the_recommendation(page, tmp_path):
    result = full(report=report((90, 0, 0), sizes=(600, 400, 60), waivers={"group=c": WAIVER}))
    parsed = Page(page(result))
    markdown = result.to_markdown(tmp_path / "memo.md")
    assert (tmp_path / "memo.md").read_text(encoding="utf-8") == markdown == result._repr_markdown_()
    words, marked = squeezed(" ".join(parsed.words)), re.sub(r"\\(?=[\[\]_#~<>&|*])", "", markdown)
    cells = [*result.rules.to_numpy().ravel(), *result.not_tested, *result.monitoring, result.sheet.method.text]
    for said in [
        *cells,
        *(one.text for one in result.sheet.reasons),
        "1 rule is broken",
        "It has paid for itself after 5 months",
        "Intervals hold one by one, verdicts all together.",
    ]:
        assert said in words
        assert said in marked
    assert "Do not ship" in words
    assert markdown.startswith("### A student: do not ship\n")
    assert parsed.requests == ["data:,"]
    assert "script" not in parsed.tags


@pytest.mark.parametrize(
    ("cost", "said"), [(3000, "after 3.3 months"), (9900, "after 11 months"), (139_500, "after 155 months")]
)
def test_both_forms_say_months_in_whole_numbers_from_ten_up(page, cost, said):
    result = full(case=business_case(**CASE | {"training_cost": cost}))
    assert f"It has paid for itself {said}." in squeezed(" ".join(Page(page(result)).words))
    assert f"It has paid for itself {said}." in result.to_markdown()


def test_what_was_given_is_shown_and_never_read_as_markup(page):
    result = full(report=report(names=(HOSTILE, "b", "c")), not_tested=[HOSTILE], monitoring=[HOSTILE])
    parsed = Page(page(result))
    assert "b" not in parsed.tags
    assert sum(HOSTILE in words for words in parsed.words) == 3
    assert not re.search(r"(?<!\\)<b", result.to_markdown())
    assert "| **x**" not in result.to_markdown()


def test_a_memo_that_cannot_be_written_says_which(tmp_path):
    (tmp_path / "taken").mkdir()
    result = full()
    with pytest.raises(OSError, match="taken cannot be written"):
        result.to_html(tmp_path / "taken")


@pytest.fixture
def longest():
    """As much as a memo holds: more slices, models and sentences than it shows."""
    names = [f"a slice with quite a long name, number {k}" for k in range(12)]
    sentences = [f"Number {k}: requests of a kind that nobody has tried, and that may well come up." for k in range(12)]
    index = pd.MultiIndex.from_product(
        [["teacher", "student, float32", "student", "small"], [1, 64]], names=["model", "batch_size"]
    )
    speeds = pd.DataFrame({"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}, index=index)
    found = report([40] * 6 + [3] * 6, [120] * 12, names=names)
    open_sheet = sheet(terms="unread", gold="none", alternatives="not priced", months=None)
    return full(report=found, latency=speeds, sheet=open_sheet, not_tested=sentences, monitoring=sentences)


@needs_chromium
def test_the_page_prints_on_one_sheet_fits_a_phone_and_has_no_fault_for_axe(browser, longest, tmp_path):
    longest.to_html(tmp_path / "memo.html")
    assert [said.count("Number 11:") for said in (longest.to_markdown(), (tmp_path / "memo.html").read_text())] == [
        2,
        0,
    ]
    address = (tmp_path / "memo.html").as_uri()
    for scheme, width in [("light", 1000), ("dark", 360)]:
        with browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 800}, offline=True
        ) as context:
            tab = context.new_page()
            complaints = watched(tab, address)
            tab.goto(address)
            assert faults(tab) == []
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            assert complaints == []
            printed = tab.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
