"""What an audit leaves behind: figure, page, JSON, Markdown and plain text all say what the table says."""

import json
import math
import os
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from figures import assert_nothing_is_cut_off
from matplotlib.collections import PathCollection
from scipy import stats

from kdcourse.audit import audit
from kdcourse.audit.report import figure as drawing
from kdcourse.audit.report.tables import cut, headline, plain_text, printable

# Examples, how many only the teacher gets right, how many only the student.
LEVELS = {
    "spam": (2000, 20, 10),
    "hard ham": (400, 80, 4),
    "list": (150, 6, 1),
    "odd": (20, 3, 0),
    "news": (1000, 0, 60),
}
HOSTILE = [
    "<script>window.ran=1</script>",
    '"><img src=x onerror="window.ran=1">',
    "$\\frac{1}{0}$ and $x$",
    "a|b *c* `d` _e_ [f](http://g.example)",
    "two\nlines\x1b[31m",
    "{{ 7 * 7 }}",
    "日本語 😀",
]


def report(levels=None, name="group", **options):
    labels, teacher, student, groups = [], [], [], []
    for level, (n, only_teacher, only_student) in (levels or LEVELS).items():
        truth = [k % 2 for k in range(n)]
        labels += truth
        teacher += [t ^ (k < only_student) for k, t in enumerate(truth)]
        student += [t ^ (only_student <= k < only_student + only_teacher) for k, t in enumerate(truth)]
        groups += [level] * n
    if options.pop("baseline", False):
        options["baseline"] = [t ^ (k % 10 == 0) for k, t in enumerate(labels)]
    if options.pop("probabilities", False):
        teacher, student = (np.where(np.eye(2)[chosen], 0.9, 0.1) for chosen in (teacher, student))
    return audit(labels, teacher, student, {name: groups}, **({"max_gap": 0.03} | options))


def hostile():
    return report({level: (150 + 10 * k, 40, 0) for k, level in enumerate(HOSTILE)})


@pytest.fixture(scope="module")
def found():
    return report(baseline=True, thresholds={"group=list": 0.05})


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "new folder" / "report.html"
    found.to_html(path)
    return path.read_text(encoding="utf-8")


def rows_of(report):
    return [*(row for _, row in report.table.iterrows()), report.overall]


# ---- the finding in words ----


@pytest.mark.parametrize(
    ("levels", "options", "said"),
    [
        (LEVELS, {},
         "2 of 5 slices shown safe, 1 over the limit (group = hard ham), 1 undecided, 1 with too few examples"),
        ({"a": (400, 80, 0), "b": (400, 90, 0), "c": (400, 0, 0)}, {},
         "1 of 3 slices shown safe, 2 over the limit (worst: group = b); all examples together over the limit"),
        ({"a": (900, 0, 0), "b": (900, 1, 0)}, {}, "2 of 2 slices shown safe"),
        ({"a": (900, 0, 0), "b": (200, 6, 0), "c": (3, 0, 0), "d": (4, 0, 0)}, {},
         "1 of 4 slices shown safe, 1 undecided, 2 with too few examples"),
        ({"a": (99, 12, 0), "b": (99, 12, 0), "c": (99, 12, 0)}, {},
         "0 of 3 slices shown safe, 3 with too few examples; all examples together over the limit"),
        ({"a": (400, 8, 0), "b": (400, 8, 0)}, {"thresholds": {"group": 0.2}},  # only the whole is open
         "2 of 2 slices shown safe; all examples together undecided"),
    ],
)  # fmt: skip
def test_the_headline_follows_the_verdicts(levels, options, said):
    assert headline(report(levels, **options)) == said


def test_long_names_lose_their_middle_and_what_cannot_be_shown_becomes_an_escape():
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghijk", 10) == "abcd…ghijk"
    assert printable("a\nb\x1b[0m × é 😀") == "a\\nb\\x1b[0m × é 😀"


# ---- text ----


def test_the_text_holds_each_row_the_worst_first_and_the_finding_last(found):
    lines = plain_text(found).splitlines()
    table = [re.split(r"\s{2,}", line) for line in lines[1:6]]
    assert [row[1] for row in table] == found.table["level"].tolist()
    low, high = (f"{100 * found.table[end][0]:+.1f}" for end in ("low", "high"))
    assert table[0][:5] == ["group", "hard ham", "flag", "400", f"+19.0 [{low}, {high}]"]
    assert table[0][5:] == ["3.0", "99.0 %", "80.0 %", "90.0 %", "–"]
    assert re.split(r"\s{2,}", lines[7])[:4] == ["overall", "all examples", "pass", "3,570"]
    assert (lines[-1], found.method in lines) == (headline(found), True)


def test_the_report_in_a_notebook_and_in_print_stops_at_the_worst_rows(found):
    lines = plain_text(found, most_rows=2).splitlines()
    assert [re.split(r"\s{2,}", line)[1] for line in lines[1:3]] == found.table["level"].tolist()[:2]
    assert lines[3] == "… and 3 more rows"
    long = report({f"level {k:02}": (20, 0, 0) for k in range(33)})
    assert "… and 13 more rows" in str(long)
    assert "Note: teacher and student choose the same class for all 660 examples." in str(long)
    assert "\nand 3 more\n" in long._repr_markdown_()


# ---- figure ----


@pytest.fixture
def picture(drawn):
    """A function that gives a figure, its axes and its words."""

    def shown(report, **options):
        drawing.draw(report, **options)
        fig, alt = drawn()
        return fig, fig.axes[0], alt

    return shown


def markers(ax):
    return [item for item in ax.collections if isinstance(item, PathCollection)]


def intervals(ax):
    return [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_ydata()) == 0][1:]


def test_the_figure_shows_gap_interval_and_size_of_every_row(found, picture):
    fig, ax, alt = picture(found)
    rows = rows_of(found)
    assert [text.get_text() for text in ax.get_yticklabels()] == [*found.table["level"], "all examples"]
    places = ax.get_yticks()
    assert ax.yaxis_inverted()
    assert (np.diff(places) > 0).all()
    assert [tuple(item.get_offsets()[0]) for item in markers(ax)] == [
        pytest.approx((100 * row["gap"], place)) for row, place in zip(rows, places, strict=True)
    ]
    assert np.array(intervals(ax)) == pytest.approx(np.array([[100 * row["low"], 100 * row["high"]] for row in rows]))
    sizes = {row["n"]: item.get_sizes()[0] for row, item in zip(rows[:-1], markers(ax), strict=False)}
    assert [sizes[n] for n in sorted(sizes)] == sorted(set(sizes.values()))
    words = [text.get_text() for text in ax.texts]
    assert words[:2] == ["n", "verdict"]
    assert words[2::2] == [f"{row['n']:,}" for row in rows]
    assert words[3::2] == ["flag", "watch", "too few", "pass", "pass, student better", "pass"]
    assert fig.get_suptitle().replace("\n", " ") == headline(found)
    assert_nothing_is_cut_off(fig)
    assert alt.startswith(
        f"{headline(found)}. Gap of each slice in points, with its 95 % interval. group = hard ham: +19.0 ["
    )
    assert "n = 400, allowed 3.0, flag; group = list: +3.3 [" in alt
    assert "n = 150, allowed 5.0, watch; group = odd: " in alt
    assert "all examples: +1.0 [" in alt


def test_behind_each_interval_lies_the_one_that_holds_for_all_slices_together(found, picture):
    _, ax, _ = picture(found)
    (lines,) = [item for item in ax.collections if item.get_label() == "together"]
    drawn = {round(line[0, 1], 6): line[:, 0] for line in lines.get_segments() if len(line)}
    alone = report(confidence=1 - 0.05 / found.corrected_for)
    for place, row, strict in zip(ax.get_yticks(), rows_of(found), rows_of(alone), strict=True):
        assert row["level"] == strict["level"]
        if row["verdict"] == "too few":  # is not tested
            assert round(place, 6) not in drawn
            continue
        assert drawn[round(place, 6)] == pytest.approx([100 * strict["low"], 100 * strict["high"]])
        assert strict["low"] < row["low"] < row["high"] < strict["high"]


def test_with_a_score_the_corrected_interval_is_that_of_students_t():
    random = np.random.default_rng(0)
    costs, said = np.array([0, *random.normal(0.1, 1, 9)]), random.integers(0, 10, 400)
    nothing, groups = np.zeros(400, int), np.repeat(["a", "b", "few"], [250, 140, 10])
    found = audit(nothing, nothing, said, {"group": groups}, score=lambda labels, said: -costs[said], max_gap=0.1)
    lost = costs[said]
    level = 1 - 0.05 / found.corrected_for
    assert found.corrected_for == 3
    for at, row in [*found.table.iterrows(), ("overall", found.overall)]:
        own = lost if at == "overall" else lost[groups == row["level"]]
        expected = stats.ttest_1samp(own, 0).confidence_interval(level)
        low, high = found.corrected.loc[at]
        assert (math.isnan(low) and row["level"] == "few") or (low, high) == pytest.approx(tuple(expected))


def test_verdicts_differ_in_marker_and_colour(picture):
    _, ax, _ = picture(report(thresholds={"group=list": 0.03}))
    looks = {
        text.get_text(): (item.get_paths()[0].vertices.tobytes(), tuple(item.get_facecolor()[0]))
        for text, item in zip(ax.texts[3::2], markers(ax), strict=True)
    }
    shapes, colours = zip(*(looks[verdict] for verdict in ["flag", "watch", "too few", "pass"]), strict=True)
    assert len(set(shapes)) == len(set(colours)) == 4
    assert looks["pass"] == looks["pass, student better"]


def test_the_gap_that_is_allowed_is_drawn_for_each_slice(found, picture):
    _, ax, _ = picture(found)
    (strokes,) = [item for item in ax.collections if item.get_label() == "allowed"]
    drawn = [(segment[0, 0], segment[:, 1].mean()) for segment in strokes.get_segments()]
    allowed = [*found.table["max_gap"], found.overall["max_gap"]]
    assert drawn == [pytest.approx((100 * gap, place)) for gap, place in zip(allowed, ax.get_yticks(), strict=True)]
    assert set(allowed) == {0.03, 0.05}


def test_a_slice_that_is_too_small_to_judge_does_not_squeeze_the_others(picture):
    one = report({"a": (5000, 30, 0), "b": (5000, 40, 0), "c": (1, 1, 0), "d": (1, 0, 1)})
    _, ax, _ = picture(one)
    left, right = ax.get_xlim()
    assert right - left < 10
    arrows = sorted(line.get_marker() for line in ax.lines if line.get_marker() in ("<", ">"))
    assert arrows == ["<", "<", ">", ">"]


def test_the_figure_keeps_to_the_worst_rows_and_says_so(found, picture):
    fig, ax, alt = picture(found, most_rows=2)
    assert [text.get_text() for text in ax.get_yticklabels()] == [*found.table["level"][:2], "all examples"]
    assert "3 more slices are not shown" in fig.get_supxlabel()
    assert "3 more slices are not shown" in alt


def test_rows_without_a_single_example_are_drawn_too(picture):
    levels = [f"level {k:02}" for k in range(39)] + ["last"] * 500
    labels = [int(level == "last") for level in levels]
    one = audit(labels, labels, labels, {"level": levels}, metric="recall")
    assert one.table["verdict"].tolist() == ["not measurable"] * 39 + ["pass"]  # which is not among the 30 worst
    _, ax, alt = picture(one)
    assert len(ax.get_yticks()) == 31
    assert "level = level 00: – –, n = 0, allowed 2.0, not measurable" in alt


def test_names_from_the_data_are_drawn_as_they_are_and_the_same_each_time(picture):
    one = hostile()
    assert drawing.svg(one) == drawing.svg(one)
    written = " ".join(ElementTree.fromstring(drawing.svg(one)).itertext())
    assert r"$\frac{1}{0}$ and $x$" in written
    assert "日本語" in written
    _, ax, _ = picture(one)  # a warning, of letters that the font lacks, would be an error
    assert {text.get_text() for text in ax.get_yticklabels()} == {*map(printable, HOSTILE), "all examples"}


def test_plot_shows_the_figure_with_its_words_and_names_columns_where_there_are_several(drawn):
    truth = [k % 2 for k in range(300)]
    two = audit(truth, truth, truth, {"a": [k % 3 > 0 for k in range(300)], "b": ["x"] * 300})
    assert two.plot() is None
    fig, _ = drawn()
    labels = {text.get_text() for text in fig.axes[0].get_yticklabels()}
    assert labels == {"a = True", "a = False", "b = x", "all examples"}


# ---- page ----


def test_the_page_is_complete_and_asks_nothing_of_the_network(page):
    soup = BeautifulSoup(page, "html.parser")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text().startswith("Audit: 2 of 5 slices shown safe")
    assert [heading.name for heading in soup.find_all(re.compile("^h[1-6]$"))] == ["h1", *["h2"] * 4]
    addresses = [
        item.get(name) for item in soup.find_all(True) for name in ("src", "href", "srcset", "action") if item.get(name)
    ]
    assert all(address.startswith("data:") for address in addresses)
    assert len(addresses) == 2
    assert soup.find_all(["script", "iframe", "object", "form"]) == []
    assert re.findall(r"url\(|@import|https?:", re.sub(r"base64,[^\"]*", "", page)) == []
    assert soup.img["alt"].startswith(soup.title.get_text().removeprefix("Audit: "))


def test_the_table_of_the_page_has_every_row_and_every_number(found, page):
    table = BeautifulSoup(page, "html.parser").table
    assert table.caption.get_text().startswith("The worst slice first")
    titles = [cell.get_text() for cell in table.thead.find_all("th", scope="col")]
    assert titles == [
        *["slice", "level", "verdict", "n", "gap (points) [95 % interval]", "allowed gap (points)"],
        *["teacher", "student", "baseline", "student over baseline (points) [95 % interval]"],
        *["retained above chance", "agreement", "more examples needed", "handling"],
    ]
    rows = [[cell.get_text() for cell in line.find_all(["th", "td"])] for line in table.find_all("tr")[1:]]
    for cells, row in zip(rows, rows_of(found), strict=True):
        rounded = row["more_needed"] if row["verdict"] == "too few" else float("{:.2g}".format(row["more_needed"]))
        more = f"{'' if row['verdict'] == 'too few' else 'about '}{rounded:,.0f}" if row["more_needed"] else "–"
        better = ", student better" if row["level"] == "news" else ""
        expected = [
            row["slice"],
            row["level"],
            row["verdict"] + better,
            f"{row['n']:,}",
            f"{100 * row['gap']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]",
            "5.0" if row["level"] == "list" else "3.0",
            *(f"{100 * row[name]:.1f} %" for name in ["teacher", "student", "baseline"]),
            f"{100 * row['over_baseline']:+.1f} "
            f"[{100 * row['over_baseline_low']:+.1f}, {100 * row['over_baseline_high']:+.1f}]",
            f"{100 * row['retained']:.1f} %",
            f"{100 * row['agreement']:.1f} %",
            more,
            row["handling"],
        ]
        assert cells == [cell.replace("-", "−") for cell in expected]


def test_the_page_says_what_was_asked_for_and_leaves_out_what_was_not_given(found, page, tmp_path):
    text = re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").main.get_text(" "))
    for said in [
        *["teacher, student and baseline, by accuracy", "3,570, the same ones for each model", found.method],
        *["Allowed gap 3.0 points", "Allowed gap of group=list 5.0 points", "100 examples"],
    ]:
        assert said in text
    better = text.split("beat the teacher")[1].split("What was compared")[0]
    assert "group = news: −6.0 [" in better
    assert "hard ham" not in better
    report(probabilities=True, max_gap=0.5).to_html(tmp_path / "page.html")
    assert plt.get_fignums() == []
    other = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<strong>Undecided.</strong>" in other
    assert ("calibration error, teacher" in other, "calibration error" in page) == (True, False)
    assert ("baseline</th>" in other, "baseline</th>" in page) == (False, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, {}),
        ({"weights": [1.0] * 500 + [3.0] * 500}, {"Weights": "as if 800 examples of equal weight"}),  # 2000² / 5000
        ({"clusters": [k // 4 for k in range(1000)]}, {"Clusters": "250, drawn again and tested as wholes"}),
    ],
)
def test_the_page_names_weights_and_clusters_among_what_was_compared(tmp_path, options, said):
    right = np.ones(1000, dtype=int)
    audit(right, right, right, {"half": [0, 1] * 500}, **options).to_html(tmp_path / "page.html")
    page = BeautifulSoup((tmp_path / "page.html").read_text(encoding="utf-8"), "html.parser")
    terms = {term.get_text(): term.find_next("dd").get_text() for term in page.select(".summary dt")}
    assert {name: text for name, text in terms.items() if name in ("Weights", "Clusters")} == said


@pytest.mark.parametrize("options", [{}, {"metric": "score", "max_gap": 0.05}])
def test_numbers_have_minus_signs_wherever_people_read_them(tmp_path, picture, options):
    given = {name: -1e-5 * np.arange(900) - shift for name, shift in [("teacher", 1.0), ("student", 0.5)]}
    given |= {"labels": None} if options else {"labels": [1] * 900, "teacher": [0] * 900, "student": [1] * 900}
    found = audit(**given, slices={"group": ["a"] * 900}, **options)
    found.to_html(tmp_path / "page.html")
    page = BeautifulSoup((tmp_path / "page.html").read_text(encoding="utf-8"), "html.parser").main.get_text(" ")
    texts = [
        plain_text(found),
        found.to_markdown(),
        page,
        *found.compare(found).parts["changes"].said,
        picture(found)[2],
    ]
    assert "−" in texts[0]
    for text in texts:
        assert not re.search(r"(?<![\w.-])-\d", text)


def test_names_are_shown_on_the_page_and_never_read_as_markup(tmp_path):
    hostile().to_html(tmp_path / "page.html")
    soup = BeautifulSoup((tmp_path / "page.html").read_text(encoding="utf-8"), "html.parser")
    assert (soup.find_all("script"), len(soup.find_all("img"))) == ([], 1)
    assert [item for item in soup.find_all(True) if any(name.startswith("on") for name in item.attrs)] == []
    assert {cell.get_text() for cell in soup.find_all("th", scope="row")} == {*map(printable, HOSTILE), "all examples"}


# ---- JSON ----


def as_json(report, path):
    """What `to_json` writes, read by a reader that knows no NaN."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    report.to_json(path / "audit.json")
    return json.loads((path / "audit.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_holds_the_whole_report(found, tmp_path):
    read = as_json(found, tmp_path)
    assert (read["schema"], read["schema_version"], read["status"]) == ("kdcourse.audit", 3, 1)
    assert read["headline"] == headline(found)
    assert read["corrected_for"] == found.corrected_for == 5
    assert {name: read["settings"][name] for name in found.settings} == found.settings
    for one, row in zip([*read["rows"], read["overall"]], rows_of(found), strict=True):
        assert set(one) == {*found.table.columns, "more_needed_unbounded"}
        for name, value in row.items():
            assert one[name] == (None if isinstance(value, float) and math.isnan(value) else value), name
        assert [type(one[name]) for name in ["n", "more_needed", "student_better"]] == [int, int, bool]


def test_json_says_when_no_number_of_examples_is_enough(tmp_path):
    one = report({"a": (200, 10, 0), "b": (500, 0, 0)}, max_gap=0.05)
    rows = {row["level"]: row for row in as_json(one, tmp_path)["rows"]}
    assert (rows["a"]["more_needed"], rows["a"]["more_needed_unbounded"]) == (None, True)
    assert (rows["b"]["more_needed"], rows["b"]["more_needed_unbounded"]) == (0, False)
    assert "no number is enough" in plain_text(one)


def test_gaps_come_in_the_units_of_the_score_and_with_the_decimals_that_the_limit_needs(tmp_path, picture):
    def profit(labels, predictions):
        return np.where(np.array(labels) == np.array(predictions), 2.5, -1.25)

    one = report(score=profit, max_gap=0.5)
    text = plain_text(one)
    assert "gap (profit) [95 % interval]" in text
    row = next(line for line in text.splitlines() if "hard ham" in line)
    assert "+0.7125 [" in row
    assert "%" not in row
    assert "retained" not in one.to_markdown()
    assert "(profit)" in picture(one)[1].get_xlabel()
    one.to_html(tmp_path / "page.html")
    assert "how much worse the student is: teacher − student." in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert as_json(one, tmp_path)["rows"][0]["retained"] is None
    assert re.search(r"hard ham .*\+19\.00 \[[^]]*\]  +0\.25  ", plain_text(report(max_gap=0.0025)))


# ---- Markdown ----


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_is_a_table_with_the_worst_first(found, tmp_path):
    text = found.to_markdown(tmp_path / "new" / "audit.md")
    assert (tmp_path / "new" / "audit.md").read_text(encoding="utf-8") == text == found.to_markdown()
    lines = text.splitlines()
    assert lines[0] == f"### Audit: {headline(found)}"
    titles, under, *table = [cells(line) for line in lines if line.startswith("|")]
    assert {len(row) for row in [under, *table]} == {len(titles)}
    assert {*under} == {"---", "---:"}
    assert [row[1] for row in table] == [*found.table["level"], "all examples"]
    assert [row[titles.index("verdict")] for row in table][:2] == ["**flag**", found.table["verdict"][1]]


def test_markdown_of_hostile_names_has_no_markup_of_theirs():
    table = [line for line in hostile().to_markdown().splitlines() if line.startswith("|")]
    assert len(table) == 3 + len(HOSTILE)
    assert {len(cells(line)) for line in table} == {len(cells(table[0]))}
    for sign in "<>*_`[]|":
        assert re.findall(rf"(?<!\\)\{sign}", "".join(cells(line)[1] for line in table[2:])) == [], sign
    assert any(r"a\|b \*c\* \`d\` \_e\_ \[f\](http://g.example)" in line for line in table)


# ---- files that cannot be written ----


@pytest.mark.parametrize("writer", ["to_html", "to_json", "to_markdown"])
def test_a_file_that_cannot_be_written_is_named_and_stays_as_it_was(found, tmp_path, monkeypatch, writer):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in [tmp_path / "file" / "out", tmp_path / "folder"]:
        with pytest.raises(OSError, match=f"^{re.escape(str(path))} cannot be written: "):
            getattr(found, writer)(path)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="file cannot be written: No space left on device"):
        getattr(found, writer)(tmp_path / "file")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"
