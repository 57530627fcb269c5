"""The widget, from Python: what the browser sends is simulated with the message that it would send."""

import pytest
from sample_quiz import LESSON, NAME, answer_to, write_course

from kdcourse import progress, quiz
from kdcourse.quiz.page import content, fragment


@pytest.fixture(autouse=True)
def questions(monkeypatch, tmp_path):
    """Those of the one quiz that the course has; the learner has no record."""
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KDCOURSE_COURSE", str(write_course(tmp_path)))
    return quiz.load(NAME).questions


def kept():
    return progress.load()["quizzes"].get(NAME)


def test_answers_are_counted_and_a_whole_quiz_is_kept(questions):
    widget = quiz.show(NAME)
    for number, question in enumerate(questions):
        assert (widget.score, widget.completed, kept()) == (number, False, None)
        widget.answers = {**widget.answers, question.id: answer_to(question)}
    assert (widget.score, widget.completed) == (5, True)
    assert [kept()[field] for field in ("best", "best_total", "attempts", "lesson")] == [1.0, 5, 1, NAME]
    assert quiz.show(NAME).answers == {}  # two widgets of one quiz are independent


def test_the_score_is_that_of_the_first_tries(questions):
    widget = quiz.show(NAME)
    widget.answers = {question.id: answer_to(question, right=False) for question in questions[:2]}
    widget.answers = {question.id: answer_to(question) for question in questions}
    assert (widget.score, widget.completed) == (3, True)
    widget.answers = {**widget.answers, questions[4].id: answer_to(questions[4], right=False)}
    assert widget.score == 3
    assert kept()["attempts"] == 1


def test_a_first_try_that_the_busy_kernel_missed_still_counts(questions):
    widget = quiz.show(NAME)
    given = {questions[0].id: answer_to(questions[0])}
    widget.set_state({"answers": given, "first_tries": {questions[0].id: False}})
    assert (widget.answers, widget.score) == (given, 0)


def test_answers_can_be_taken_away_to_begin_again(questions):
    widget = quiz.show(NAME)
    widget.answers = {question.id: answer_to(question, right=False) for question in questions}
    widget.answers = {}
    assert (widget.score, widget.completed, widget.first_tries) == (0, False, {})
    widget.answers = {question.id: answer_to(question) for question in questions}
    assert (widget.score, widget.completed, kept()["attempts"]) == (5, True, 2)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"nobody": 0}, f"{NAME} has no question 'nobody'; there are sky, sum"),
        ({"sky": 4}, f"{NAME}, question 'sky': There are options 0 to 3, and no option 4"),
        ({"sky": None}, "question 'sky': Choose an option first"),
    ],
)
def test_answers_that_are_none_are_refused_and_change_nothing(answers, message):
    widget = quiz.show(NAME)
    with pytest.raises(quiz.QuizError, match=message):
        widget.answers = answers
    assert (widget.answers, widget.score) == ({}, 0)


def test_a_saved_notebook_has_the_quiz_as_widget_as_page_and_as_text():
    data, _ = quiz.show(NAME)._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "http" not in data["text/html"].replace("(https?|file)", "")
    assert f'"href": "{LESSON}.ipynb"' in data["text/html"]
    assert data["text/plain"].startswith("Quiz: 07 Colours\n1. Which `sky`?\n   - red\n   - blue\n")
    assert "Why" not in data["text/plain"]


def test_content_cannot_end_the_script_it_lies_in():
    shown = content(quiz.load(NAME))
    shown["questions"][0]["question"] = "</script><script>alert(1)</script><!--"
    made = fragment(shown)
    assert made.count("<script") == made.count("</script>") == 2
    assert "<!--" not in made
