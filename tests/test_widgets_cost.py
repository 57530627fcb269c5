import html
import re

import pandas as pd
import pytest

from kdcourse.widgets import student_size

# 36 per hour is 0.01 per second, so that 10 ms cost 0.0001: 1,000 requests of the teacher cost 0.1.
TEACHER = {"accuracy": 0.8, "ms": 10.0}
SIZES = pd.DataFrame(
    {
        "ratio": [20.0, 2.5, 1.25],
        "accuracy": [0.72, 0.78, 0.8],
        "low": [0.7, 0.76, 0.78],
        "high": [0.74, 0.8, 0.82],
        "ms": [2.0, 5.0, 10.0],
        "note": ["small", "middling", "large"],
    }
)


def lines(box):
    return [html.unescape(line) for line in re.findall("<p>(.*?)</p>", box.children[-1].value)]


def at(box, **values):
    controls = dict(zip(["ratio", "price", "load", "once"], box.children, strict=False))
    for name, value in values.items():
        controls[name].value = value
    return lines(box)


@pytest.fixture
def box():
    box = student_size(SIZES, TEACHER)
    at(box, price=36.0, load=1e4, once=80.0)
    return box


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr("kdcourse.widgets.cost_explorer.render", lambda fig: figures.append(fig) or b"")
    return figures


def test_the_numbers_are_those_of_a_hand_calculation(box):
    # 0.1 and 0.02 per 1,000 requests; 80 are saved after 1,000,000 requests, and a year has 3,650,000.
    assert at(box, ratio=20.0) == [
        "20× smaller: retains 90.0 % [87.5 %, 92.5 %] of the teacher's accuracy.",
        "1,000 requests cost 0.1 with the teacher, 0.02 with the student.",
        "Break-even: after 1,000,000 requests, 100 days at 10,000 a day.",
        "In a year, the teacher costs 365; the student costs 153, its making included.",
    ]


def test_a_student_may_retain_more_than_all(box):
    assert at(box, ratio=1.25)[0] == "1.25× smaller: retains 100.0 % [97.5 %, 102.5 %] of the teacher's accuracy."


def test_an_interval_is_cut_where_accuracy_ends():
    wide = student_size(SIZES.assign(low=-0.3, high=1.2), TEACHER)
    assert lines(wide)[0] == "1.25× smaller: retains 100.0 % [0.0 %, 125.0 %] of the teacher's accuracy."


def test_a_student_that_is_no_cheaper_never_breaks_even(box):
    _, costs, when, spent = at(box, ratio=1.25)
    assert costs == "1,000 requests cost 0.1 with the teacher, 0.1 with the student."
    assert when == "Break-even: never. The student saves nothing."
    assert spent == "In a year, the teacher costs 365; the student costs 445, its making included."


def test_a_machine_for_nothing_saves_nothing(box):
    assert at(box, ratio=20.0, price=0.0)[2] == "Break-even: never. The student saves nothing."


def test_a_student_for_nothing_pays_at_once(box):
    assert at(box, ratio=20.0, once=0.0)[2].startswith("Break-even: after 0 requests, 0 days")


@pytest.mark.parametrize(
    ("load", "days", "horizon"),
    [(1e7, "0.1", "a day"), (1e6, "1", "a day"), (5e5, "2", "a week"), (1e5, "10", "a month"), (1e3, "1,000", "ten")],
)
def test_the_time_axis_is_the_shortest_that_holds_the_break_even(box, load, days, horizon):
    *_, when, spent = at(box, ratio=20.0, load=load)
    assert when == f"Break-even: after 1,000,000 requests, {days} days at {load:,.0f} a day."
    assert spent.startswith(f"In {horizon}")


def test_a_break_even_beyond_ten_years_is_said_to_be_out_of_the_picture(box):
    *_, when, spent = at(box, ratio=20.0, load=100.0)
    assert when == "Break-even: after 1,000,000 requests, 10,000 days at 100 a day (beyond the picture)."
    assert spent.startswith("In ten years, ")


def test_lines_cross_at_the_break_even(drawn):
    box = student_size(SIZES, TEACHER)
    at(box, ratio=20.0, price=36.0, load=1e4, once=80.0)
    [ax] = drawn[-1].axes
    teacher, student, mark = ax.lines
    assert (teacher.get_xydata()[0].tolist(), student.get_xydata()[0].tolist()) == ([0, 0], [0, 80])
    assert teacher.get_xydata()[-1] == pytest.approx([365, 365])
    assert student.get_xydata()[-1] == pytest.approx([365, 153])
    assert mark.get_xydata()[-1] == pytest.approx([100, 100])
    assert len({line.get_linestyle() for line in ax.lines} & {"-", "--", ":"}) == 3
    assert len({line.get_marker() for line in ax.lines}) == 3
    for never in ({"ratio": 1.25}, {"ratio": 20.0, "load": 100.0}):
        at(box, **never)
        assert pd.isna(mark.get_xdata()).all()
    at(box, price=0.0, once=0.0)
    assert ax.get_ylim() == (0, 1)
    assert len(set(drawn)) == 1


def test_every_move_draws_once(drawn):
    box = student_size(SIZES, TEACHER)
    at(box, ratio=20.0, price=36.0, load=1e4, once=80.0)
    assert len(drawn) == 5


def test_controls_have_labels_and_bounds_and_the_ratios_are_in_order(box):
    ratio, price, load, once, image, _ = box.children
    assert [value for _, value in ratio.options] == [1.25, 2.5, 20.0]
    assert [label for label, _ in ratio.options] == ["1.25×", "2.5×", "20×"]
    assert all(control.description for control in (ratio, price, load, once))
    assert (10**load.min, 10**load.max) == (1e2, 1e8)
    price.value, once.value = -5.0, -5.0
    assert (price.value, once.value) == (0, 0)
    assert image.value[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_widget_leaves_no_open_figure(box):
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": [2.0, 2.0, 5.0]}, r"one for each ratio, got ratios \[2.0, 2.0, 5.0\]"),
        ({"ratio": [2.0, 0.0, 5.0]}, r"sizes\['ratio'\] must be > 0, got 0.0"),
        ({"ms": [1.0, -5.0, 10.0]}, r"sizes\['ms'\] must be > 0, got -5.0"),
        ({"low": [0.7, 0.79, 0.79]}, r"low <= accuracy <= high, got \[0.79, 0.78, 0.8\] at ratio 2.5"),
        ({"high": [0.74, 0.8, float("nan")]}, r"low <= accuracy <= high, got \[0.78, 0.8, nan\] at ratio 1.25"),
        ({"accuracy": [72.0, 0.78, 0.8]}, r"sizes\['accuracy'\] must be in \[0, 1\], got 72.0"),
        ({"accuracy": [0.72, float("nan"), 0.8]}, r"sizes\['accuracy'\] must be in \[0, 1\], got nan"),
        ({"accuracy": ["72 %", 0.78, 0.8]}, r"sizes\['accuracy'\] must be a number, got '72 %'"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        student_size(SIZES.assign(**change), TEACHER)


def test_sizes_must_be_a_table_with_its_columns():
    with pytest.raises(ValueError, match="sizes must have the columns .*; 'low' is missing"):
        student_size(SIZES.drop(columns="low"), TEACHER)
    with pytest.raises(ValueError, match=r"sizes must have one row or more, .* got ratios \[\]"):
        student_size(SIZES[:0], TEACHER)
    with pytest.raises(TypeError, match="sizes must be a DataFrame, got list"):
        student_size([], TEACHER)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"accuracy": 0.8}, "teacher must be a dict with accuracy and ms"),
        (0.8, "teacher must be a dict with accuracy and ms, got 0.8"),
        ({"accuracy": 80, "ms": 1}, r"teacher\['accuracy'\] must be in \(0, 1\], got 80"),
        ({"accuracy": 0.8, "ms": 0}, r"teacher\['ms'\] must be > 0, got 0"),
    ],
)
def test_a_teacher_that_makes_no_sense_is_refused(teacher, message):
    with pytest.raises(ValueError, match=message):
        student_size(SIZES, teacher)
