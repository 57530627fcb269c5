"""The widget, from Python: what the browser sends is simulated with the message that it would send."""

import subprocess
import sys

import pytest

from kdcourse import progress, quiz


@pytest.fixture(autouse=True)
def fresh_record(monkeypatch, tmp_path):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))


def right(question):
    chosen = [k for k, answer in enumerate(question.answers) if answer.get("correct")]
    if question.type == "numeric":
        return str(question.answers[chosen[0]]["range"][0])
    return chosen if question.type == "many_choice" else chosen[0]


def wrong(question):
    if question.type == "numeric":
        return "-12345"
    chosen = [k for k, answer in enumerate(question.answers) if not answer["correct"]]
    return chosen if question.type == "many_choice" else chosen[0]


def test_answers_are_counted_and_a_whole_quiz_is_kept():
    widget = quiz.show("00_start_here")
    questions = quiz.load("00_start_here").questions
    for number, question in enumerate(questions, 1):
        assert (widget.score, widget.completed) == (number - 1, False)
        assert progress.load()["quizzes"] == {}
        widget.answers = {**widget.answers, question.id: right(question)}
    assert (widget.score, widget.completed) == (5, True)
    kept = progress.load()["quizzes"]["00_start_here"]
    assert (kept["best"], kept["best_total"], kept["attempts"], kept["lesson"]) == (1.0, 5, 1, "00_start_here")


def test_the_score_is_that_of_the_first_tries():
    widget = quiz.show("vocabulary")
    questions = quiz.load("vocabulary").questions
    widget.answers = {question.id: wrong(question) for question in questions[:2]}
    widget.answers = {question.id: right(question) for question in questions}
    assert (widget.score, widget.completed) == (3, True)
    widget.answers = {**widget.answers, questions[4].id: wrong(questions[4])}
    assert widget.score == 3
    assert progress.load()["quizzes"]["vocabulary"]["attempts"] == 1


def test_a_first_try_that_the_busy_kernel_missed_still_counts():
    widget = quiz.show("vocabulary")
    question = quiz.load("vocabulary").questions[0]
    widget.set_state({"answers": {question.id: right(question)}, "first_tries": {question.id: False}})
    assert widget.answers == {question.id: right(question)}
    assert widget.score == 0


def test_answers_can_be_taken_away_to_begin_again():
    widget = quiz.show("vocabulary")
    questions = quiz.load("vocabulary").questions
    widget.answers = {question.id: wrong(question) for question in questions}
    widget.answers = {}
    assert (widget.score, widget.completed, widget.first_tries) == (0, False, {})
    widget.answers = {question.id: right(question) for question in questions}
    assert (widget.score, widget.completed) == (5, True)
    assert progress.load()["quizzes"]["vocabulary"]["attempts"] == 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"nobody": 0}, "vocabulary has no question 'nobody'; there are vocabulary-"),
        ({"vocabulary-name": 4}, "vocabulary, question 'vocabulary-name': There are options 0 to 3, and no option 4"),
        ({"vocabulary-name": None}, "question 'vocabulary-name': Choose an option first"),
    ],
)
def test_answers_that_are_none_are_refused_and_change_nothing(answers, message):
    widget = quiz.show("vocabulary")
    with pytest.raises(quiz.QuizError, match=message):
        widget.answers = answers
    assert (widget.answers, widget.score) == ({}, 0)


def test_two_widgets_of_one_quiz_are_independent():
    first, second = quiz.show("vocabulary"), quiz.show("vocabulary")
    first.answers = {"vocabulary-name": 0}
    assert second.answers == {}


def test_a_result_that_cannot_be_kept_does_not_stop_the_quiz(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("KDCOURSE_HOME", str(blocked))
    widget = quiz.show("vocabulary")
    widget.answers = {question.id: right(question) for question in quiz.load("vocabulary").questions}
    assert widget.completed


def test_a_saved_notebook_has_the_quiz_as_widget_as_page_and_as_text():
    data, _ = quiz.show("01_soft_labels")._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "http" not in data["text/html"].replace("(https?|file)", "")
    lines = data["text/plain"].splitlines()
    questions = quiz.load("01_soft_labels").questions
    assert [line for line in lines if line.startswith("7. ")] == [f"7. {questions[6].question}"]
    assert questions[0].answers[0]["feedback"] not in data["text/plain"]


def test_reading_a_quiz_needs_neither_torch_nor_widgets():
    code = "import sys; from kdcourse import quiz; quiz.to_html('final'); "
    code += "print('torch' in sys.modules, 'anywidget' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
