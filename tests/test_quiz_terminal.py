"""The quiz in a terminal: by scripted sessions, in a process of its own and without one."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from kdcourse import progress, quiz
from kdcourse.cli import app

WIDE = {"COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def fresh_record(monkeypatch, tmp_path):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))


def session(*arguments, typed=""):
    """What the command prints when these lines are typed, on one line, and its exit status."""
    done = CliRunner().invoke(app, list(arguments), input=typed, env=WIDE)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return " ".join(re.sub("[│╭╮╰╯─]+", " ", done.output).split()), done.exit_code


def letters(question, right=True):
    """What to type for a right answer, or a wrong one."""
    if question.type == "numeric":
        answer = next(one for one in question.answers if one.get("correct"))
        return str(answer["range"][0]) if right else "-12345"
    chosen = ["abcdefgh"[k] for k, answer in enumerate(question.answers) if answer["correct"] == right]
    return ",".join(chosen) if question.type == "many_choice" else chosen[0]


def script(name, wrong=()):
    """Lines that answer a quiz, these questions (from 1) wrong the first time."""
    questions = quiz.load(name).questions
    lines = [letters(question, k not in wrong) for k, question in enumerate(questions, 1)]
    return "\n".join(lines + [letters(questions[k - 1]) for k in wrong]) + "\n"


def test_a_scripted_session_in_a_process_of_its_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", "quiz", "00_start_here"],
        input=script("00_start_here", wrong=[1, 2, 4]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **WIDE, "PYTHONIOENCODING": "utf-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = done.stdout
    assert re.findall(r"^(\d / 5) completed$", printed, flags=re.M) == [f"{k} / 5" for k in range(1, 6)]
    assert (printed.count("✗ Not right."), printed.count("✓ Right.")) == (3, 5)
    assert re.findall(r"^Question (\d) of 5$", printed, flags=re.M) == list("12345124")
    assert "2 of 5 right at the first try." in printed
    assert "The 3 you missed, once more." in printed
    assert printed.endswith("All of them are right now.\nYour result, 2 of 5, is kept.\n")
    kept = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["quizzes"]["00_start_here"]
    assert (kept["best"], kept["best_total"], kept["lesson"]) == (0.4, 5, "00_start_here")


def test_every_answer_is_explained():
    printed, _ = session("quiz", "vocabulary", typed=script("vocabulary", wrong=[3]))
    questions = quiz.load("vocabulary").questions
    explained = [next(one["feedback"] for one in question.answers if one["correct"]) for question in questions]
    explained.append(next(one["feedback"] for one in questions[2].answers if not one["correct"]))
    assert [text for text in explained if " ".join(text.split()) not in printed] == []


def test_numbers_and_letters_are_taken_and_slips_do_not_count():
    questions = quiz.load("00_start_here").questions
    many = next(k for k, question in enumerate(questions) if question.type == "many_choice")
    lines = [letters(question) for question in questions]
    numbers = " ".join(str("abcdefgh".index(letter) + 1) for letter in lines[many].split(","))
    lines[0] = f"9\nz\na b\n\n{lines[0].upper()})"
    lines[1] = "about 95\n1,234\n\n95 %"
    lines[many] = numbers
    printed, status = session("quiz", "00_start_here", typed="\n".join(lines) + "\n")
    assert status == 0
    assert "There is no option '9'; there are a to d, or 1 to 4." in printed
    assert "Choose one option." in printed
    assert "Choose an option first." in printed
    assert "“about 95” cannot be read as a number." in printed
    assert "“1,234” can be read in two ways." in printed
    assert "Type a number first." in printed
    assert "5 of 5 right at the first try. Your result, 5 of 5, is kept." in printed


def test_a_question_missed_twice_is_told_and_comes_again():
    questions = quiz.load("00_start_here").questions
    typed = "\n".join([*(letters(question, k != 1) for k, question in enumerate(questions)), "0", "95"]) + "\n"
    printed, _ = session("quiz", "00_start_here", typed=typed)
    assert printed.count("The one you missed, once more.") == 2
    assert "The right answer: from 94.5 to 95.5 89.3 / 94.0 = 0.95." in printed


@pytest.mark.parametrize("end", ["q\n", "Q\n", ""])
def test_leaving_early_says_that_nothing_is_kept(end):
    printed, status = session("quiz", "vocabulary", typed="a\nb\n" + end)
    assert status == 0
    assert "You left after 2 of 5 questions. Only a whole quiz is kept, so these are lost." in printed
    assert progress.load()["quizzes"] == {}


def test_leaving_among_the_missed_ones_keeps_the_result():
    questions = quiz.load("vocabulary").questions
    printed, status = session("quiz", "vocabulary", typed="\n".join(letters(one, False) for one in questions) + "\nq\n")
    assert (status, printed.endswith("Your result, 0 of 5, is kept.")) == (0, True)
    assert progress.load()["quizzes"]["vocabulary"]["best"] == 0


def test_ctrl_c_leaves_politely():
    process = subprocess.Popen(
        [sys.executable, "-m", "kdcourse.cli", "quiz", "vocabulary"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, **WIDE, "PYTHONIOENCODING": "utf-8"},
    )
    printed = ""
    while not printed.endswith("Your answer (a-d): "):
        character = process.stdout.read(1)
        assert character, printed
        printed += character
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "You left after 0 of 5 questions." in rest
    assert "Traceback" not in rest


def test_the_list_has_every_quiz_with_its_best_score():
    progress.answered_quiz("vocabulary", 4, 5)
    printed, _ = session("quiz")
    assert "vocabulary 5 80%" in printed
    assert "00_start_here 5 -" in printed
    assert f"interview: {len(quiz.cards())} flashcards" in printed


def test_flashcards_turn_at_enter():
    cards = quiz.cards()
    printed, status = session("quiz", "interview", typed="\n\n\nq\n")
    backs = [" ".join(card["back"].split()) in printed for card in cards]
    assert (status, backs[:3]) == (0, [True, True, False])
    assert "Nothing is kept of the cards" in printed
    printed, _ = session("quiz", "interview", typed="\n" * (2 * len(cards)))
    assert printed.endswith("That was the last card.")
    assert all(" ".join(card["back"].split()) in printed for card in cards)


def test_a_term_is_found_however_it_is_written():
    entry = next(entry for entry in quiz.glossary() if entry["term"] == "knowledge distillation")
    printed = [
        session("glossary", *words)[0] for words in (["KNOWLEDGE", "Distillation"], ["knowledge-distillation"], ["kd"])
    ]
    assert printed[0] == printed[1] == printed[2]
    for field in ("definition", "explanation", "misconception", "when_to_use", "when_to_avoid"):
        assert " ".join(entry[field].split()) in printed[0]
    assert all(mistake in printed[0] for mistake in entry["mistakes"])


def test_the_glossary_lists_its_terms_and_helps_with_a_slip():
    printed, _ = session("glossary")
    assert all(entry["term"] in printed for entry in quiz.glossary())
    printed, status = session("glossary", "temprature")
    assert (status, "no entry 'temprature'; closest: temperature" in printed) == (2, True)
    printed, status = session("glossary", "xyzzy")
    assert (status, "`kdcourse glossary` lists all" in printed) == (2, True)


def test_mistakes_get_a_sentence(tmp_path):
    printed, status = session("quiz", "nope")
    assert (status, "no quiz 'nope'; there are 00_start_here, 01_soft_labels" in printed) == (2, True)
    printed, status = session("quiz", "--html", str(tmp_path / "a.html"))
    assert (status, "needs the name of a quiz" in printed) == (2, True)
    printed, status = session("quiz", "final", "--html", str(tmp_path / "no" / "a.html"))
    assert (status, "cannot be written: No such file or directory" in printed) == (2, True)


def test_a_file_with_a_fault_is_named(monkeypatch, tmp_path):
    (tmp_path / "broken.json").write_text("[{", encoding="utf-8")
    monkeypatch.setattr("kdcourse.quiz.content.folder", lambda: tmp_path)
    for arguments in (["quiz", "broken"], ["quiz"]):
        printed, status = session(*arguments)
        assert (status, "broken.json is not valid JSON" in printed) == (2, True)
    printed, status = session("glossary")
    assert (status, "glossary.json does not exist" in printed) == (2, True)


def test_the_page_is_written(tmp_path):
    page = tmp_path / "final.html"
    printed, status = session("quiz", "final", "--html", str(page))
    assert (status, "Final: the page is" in printed) == (0, True)
    assert page.read_text(encoding="utf-8") == quiz.to_html("final")


def test_a_terminal_without_the_signs_shows_question_marks():
    done = subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", "quiz", "vocabulary"],
        input=script("vocabulary").encode() + b"\xff\n",
        capture_output=True,
        env={**os.environ, **WIDE, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? Right." in done.stdout
