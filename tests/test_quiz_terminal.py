"""The quiz in a terminal: by scripted sessions, in a process of its own and without one."""

import os
import re
import subprocess
import sys
from unittest.mock import Mock

import pytest
from sample_quiz import NAME, answer_to, write_course
from typer.testing import CliRunner

from kdcourse import progress, quiz
from kdcourse.cli import app
from kdcourse.quiz.content import title_of

WIDE = {"COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def sample(monkeypatch, tmp_path):
    """The course has one quiz, and the learner no record."""
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KDCOURSE_COURSE", str(write_course(tmp_path)))


def session(*arguments, typed=""):
    """What the command prints when these lines are typed, on one line, and its exit status."""
    done = CliRunner().invoke(app, list(arguments), input=typed, env=WIDE)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return " ".join(re.sub("[│╭╮╰╯─]+", " ", done.output).split()), done.exit_code


def script(wrong=(), **instead):
    """Lines that answer the sample, these questions wrong the first time; or with other lines for a question."""
    questions = quiz.load(NAME).questions
    lines = [instead.get(one.id, typed(one, one.id not in wrong)) for one in questions]
    return "\n".join(lines + [typed(one) for one in questions if one.id in wrong]) + "\n"


def typed(question, right=True):
    given = answer_to(question, right)
    if question.type == "numeric":
        return given
    return ",".join("abcde"[k] for k in (given if isinstance(given, list) else [given]))


def kept():
    return progress.load()["quizzes"]


def test_a_session_explains_every_answer_and_asks_what_was_missed_again():
    printed, status = session("quiz", NAME, typed=script(wrong=["sky", "sum", "flag"]))
    assert status == 0
    assert re.findall(r"(\d / 5) completed", printed) == [f"{k} / 5" for k in range(1, 6)]
    assert (printed.count("✗ Not right."), printed.count("✓ Right.")) == (3, 5)
    assert re.findall(r"Question (\d) of 5", printed) == list("12345124")
    said = ["Why `red`.", "Why `blue`.", "Divide.", "89.3 / 94.0 = 0.95.", "c) does not apply: Why `green`."]
    said += ["a) applies: Why `red`.", "Lesson: 01_soft_labels", "2 of 5 right at the first try."]
    assert [words for words in [*said, "The 3 you missed, once more."] if words not in printed] == []
    assert printed.endswith("All of them are right now. Your result, 2 of 5, is kept.")
    assert [kept()[NAME][field] for field in ("best", "best_total", "lesson")] == [0.4, 5, NAME]


def test_numbers_and_letters_are_taken_and_slips_do_not_count():
    lines = {"sky": "9\nz\na b\n\nB)", "sum": "about 95\n1,234\n\n95 %", "flag": "1 2 4"}
    printed, status = session("quiz", NAME, typed=script(**lines))
    assert status == 0
    slips = ["There is no option '9'; there are a to d, or 1 to 4.", "Choose one option.", "Choose an option first."]
    slips += ["“about 95” cannot be read as a number.", "“1,234” can be read in two ways.", "Type a number first."]
    assert [slip for slip in slips if slip not in printed] == []
    assert "5 of 5 right at the first try. Your result, 5 of 5, is kept." in printed


def test_a_question_missed_twice_is_told_and_comes_again():
    lines = script(wrong=["sum"]).splitlines()
    printed, _ = session("quiz", NAME, typed="\n".join([*lines[:-1], "0", "95", ""]))
    assert printed.count("The one you missed, once more.") == 2
    assert "The right answer: from 94.5 to 95.5 89.3 / 94.0 = 0.95." in printed


@pytest.mark.parametrize("end", ["Q\n", "", KeyboardInterrupt])
def test_leaving_early_says_that_nothing_is_kept(monkeypatch, end):
    if end is KeyboardInterrupt:
        monkeypatch.setattr("builtins.input", Mock(side_effect=["a", "3", end]))
        end = ""
    printed, status = session("quiz", NAME, typed="a\n3\n" + end)
    assert status == 0
    assert "no option" not in printed
    assert "You left at question 3 of 5. Only a whole quiz is kept, so your answers are lost." in printed
    assert kept() == {}


def test_leaving_among_the_missed_ones_keeps_the_result():
    lines = script(wrong=["sky", "sum", "grass", "flag", "snow"]).splitlines()[:5]
    printed, status = session("quiz", NAME, typed="\n".join([*lines, "q", ""]))
    assert (status, printed.endswith("Your result, 0 of 5, is kept.")) == (0, True)
    assert kept()[NAME]["best"] == 0


def test_in_a_process_of_its_own_a_terminal_without_the_signs_shows_question_marks():
    command = [sys.executable, "-m", "kdcourse.cli", "quiz", NAME]
    environment = {**os.environ, **WIDE, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, input=script().encode() + b"\xff\n", capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? Right." in done.stdout


def test_the_list_has_every_quiz_with_its_best_score():
    assert f"{NAME} 5 -" in session("quiz")[0]
    progress.answered_quiz(NAME, 4, 5)
    assert f"quiz questions best {NAME} 5 80% interview: 0 flashcards" in session("quiz")[0]


def test_mistakes_get_a_sentence(tmp_path):
    write_course(tmp_path, broken="[{")
    for arguments, message in {
        ("quiz", "nope"): f"no quiz 'nope'; there are {NAME}",
        ("quiz", "broken"): "broken.json is not valid JSON",
        ("quiz",): "broken.json is not valid JSON",
        ("quiz", "--html", str(tmp_path / "a.html")): "needs the name of a quiz",
        ("quiz", NAME, "--html", str(tmp_path / "no" / "a.html")): "cannot be written: No such file or directory",
    }.items():
        printed, status = session(*arguments)
        assert (status, message.replace(" ", "") in printed.replace(" ", "")) == (2, True)  # wrapped anywhere


def test_the_page_is_written(tmp_path):
    page = tmp_path / "colours.html"
    printed, status = session("quiz", NAME, "--html", str(page))
    assert (status, "07 Colours: the page is" in printed) == (0, True)
    assert page.read_text(encoding="utf-8") == quiz.to_html(NAME)


# ---- flashcards and the glossary: those of the course ----


@pytest.fixture
def course(monkeypatch):
    monkeypatch.delenv("KDCOURSE_COURSE")


@pytest.mark.usefixtures("course")
def test_flashcards_turn_at_enter_and_ask_on():
    cards = quiz.cards()
    texts = [card[field] for card in cards for field in ("front", "back", "follow_up", "follow_up_back")]
    for turns, seen in {0: 1, 1: 3, 2: 4, 3: 5, 4: 7, 3 * len(cards): len(texts)}.items():
        printed, status = session("quiz", "interview", typed="\n" * turns + "q\n")
        places = [printed.find(text) for text in texts]
        assert (status, places[seen:], sorted(places[:seen])) == (0, [-1] * (len(texts) - seen), places[:seen])
        assert ("Nothing is kept of the cards" in printed) == (seen < len(texts))
        assert printed.endswith("That was the last card.") == (seen == len(texts))
    assert re.findall(r"(\d\d [A-Z][a-z ]+) Card", printed) == [
        title_of(lesson) for lesson in dict.fromkeys(card["lesson"] for card in cards)
    ]


@pytest.mark.usefixtures("course")
def test_flashcards_of_one_lesson():
    cards = quiz.cards("02_temperature")
    printed, status = session("quiz", "interview", "02", typed="\n" * 3 * len(cards))
    assert (status, f"Card {len(cards)} of {len(cards)}" in printed) == (0, True)
    assert [card["lesson"] for card in quiz.cards() if card["follow_up_back"] in printed] == ["02_temperature"] * len(
        cards
    )
    for arguments, message in {
        ("interview", "77"): "no flashcards of a lesson '77'; there are of 00_start_here, ",
        ("final", "02"): "a lesson is named only after interview",
    }.items():
        printed, status = session("quiz", *arguments)
        assert (status, message in printed) == (2, True)


@pytest.mark.usefixtures("course")
def test_a_term_is_found_however_it_is_written():
    entry = next(entry for entry in quiz.glossary() if entry["term"] == "knowledge distillation")
    ways = (["KNOWLEDGE", "Distillation"], ["knowledge-distillation"], entry["also_known_as"][:1])
    printed = [session("glossary", *words)[0] for words in ways]
    assert printed[0] == printed[1] == printed[2]
    fields = [entry[field] for field in ("definition", "explanation", "misconception", "when_to_use", "when_to_avoid")]
    for text in [*fields, *(f"- {mistake}" for mistake in entry["mistakes"]), ", ".join(entry["related"])]:
        assert " ".join(text.split()) in printed[0]


@pytest.mark.usefixtures("course")
def test_the_glossary_lists_its_terms_and_helps_with_a_slip():
    printed, _ = session("glossary")
    assert all(entry["term"] in printed for entry in quiz.glossary())
    for slip, hint in {"temprature": "closest: temperature", "xyzzy": "`kdcourse glossary` lists all"}.items():
        printed, status = session("glossary", slip)
        assert (status, f"no entry '{slip}'; {hint}" in printed) == (2, True)
