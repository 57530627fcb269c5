"""Quizzes, flashcards and the glossary in a terminal, or in a script that pipes the answers in."""

import difflib
import re
import shutil
import sys
import textwrap
from typing import Any

from kdcourse import progress
from kdcourse.quiz import content
from kdcourse.quiz.grading import NotAnAnswer, grade
from kdcourse.quiz.page import describe

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Left(Exception):
    """The learner left: q, the end of the input, or Ctrl-C."""


def ask(quiz: content.Quiz) -> None:
    """Ask a quiz, the missed questions again at the end, and keep the score of the first round."""
    _prepare()
    total = len(quiz.questions)
    answered, missed, kept = 0, [], None
    print(f"{quiz.title}: {total} questions. Answer with a letter or a number; q leaves.")
    try:
        for answered, question in enumerate(quiz.questions, 1):
            heading = f"Question {answered} of {total}"
            if not _put(question, heading):
                missed.append((question, heading))
            print(f"\n{answered} / {total} completed")
        right = total - len(missed)
        kept = progress.answered_quiz(quiz.name, right, total, quiz.lesson)
        print(f"\n{right} of {total} right at the first try.")
        while missed:
            print(f"\nThe {'one' if len(missed) == 1 else len(missed)} you missed, once more.")
            missed = [one for one in missed if not _put(*one, show=True)]
            if not missed:
                print("\nAll of them are right now.")
    except (Left, KeyboardInterrupt):
        if kept is None:
            print(f"\nYou left at question {answered} of {total}. Only a whole quiz is kept, so your answers are lost.")
    if kept is not None:
        print(f"Your result, {right} of {total}, {'is' if kept else 'could not be'} kept.")


def _put(question, heading, show=False):
    """Put one question until it gets an answer; explain it; return whether it was right. `show` a right answer, too."""
    many, answers = question.type == "many_choice", question.answers
    last = LETTERS[len(answers) - 1]
    _wrapped(f"\n{heading}")
    _wrapped(question.question)
    if question.type == "numeric":
        prompt = "Your answer, a number: "
    else:
        for letter, answer in zip(LETTERS, answers, strict=False):
            _wrapped(f"{letter}) {answer['answer']}", "  ", "     ")
        prompt = f"Your answers, all that apply (such as a, {last}): " if many else f"Your answer (a-{last}): "
    result = None
    while result is None:
        try:
            result = grade(question, _given(question, _read(prompt)))
        except NotAnAnswer as error:
            print(error)
    print("✓ Right." if result.correct else "✗ Not right.")
    for index, explanation in result.feedback:
        if many and index is not None:
            verdict = "applies" if answers[index]["correct"] else "does not apply"
            explanation = f"{LETTERS[index]}) {verdict}: {explanation}"
        _wrapped(explanation, "  ")
    for answer in answers if show and not result.correct else ():
        if answer.get("correct"):
            _wrapped(f"The right answer: {describe(answer)}", "  ")
            _wrapped(answer["feedback"], "  ")
    _wrapped(f"Lesson: {question.lesson}", "  ")
    return result.correct


def _given(question, typed):
    """What was typed as `grade` takes it: indices for letters (a, b) or numbers from 1."""
    if question.type == "numeric":
        return typed
    letters = LETTERS[: len(question.answers)]
    places = {name: k for k, letter in enumerate(letters) for name in (letter, str(k + 1))}
    words = re.findall(r"[^\s,;.)]+", typed.lower())
    for word in words:
        if word not in places:
            count = len(letters)
            raise NotAnAnswer(f"There is no option {word!r}; there are a to {letters[-1]}, or 1 to {count}.")
    chosen = [places[word] for word in words]
    if question.type == "many_choice":
        return chosen
    if len(chosen) > 1:
        raise NotAnAnswer("Choose one option.")
    return chosen[0] if chosen else None


def turn_cards(cards: list[dict[str, str]]) -> None:
    """Go through the flashcards: Enter shows an answer and what is asked next, Enter the answer to that, and so on."""
    _prepare()
    print(f"{len(cards)} cards. Answer aloud, then press Enter to see an answer; q leaves.")
    lesson = None
    try:
        for number, card in enumerate(cards, 1):
            if card["lesson"] != lesson:
                lesson = card["lesson"]
                _wrapped(f"\n{content.title_of(lesson)}")
            _wrapped(f"\nCard {number} of {len(cards)}")
            _wrapped(card["front"])
            _read("[Enter] ")
            _wrapped(card["back"], "  ")
            _wrapped(f"\nAsked next: {card['follow_up']}")
            _read("[Enter] ")
            _wrapped(card["follow_up_back"], "  ")
            if number < len(cards):
                _read("[Enter for the next card] ")
        print("\nThat was the last card.")
    except (Left, KeyboardInterrupt):
        print("\nNothing is kept of the cards; come back whenever you like.")


def show_list(done: dict[str, Any]) -> None:
    """Print the quizzes there are, with the best score of each; `done` as in `progress.load()["quizzes"]`."""
    names = content.names()
    width = max(map(len, ["quiz", *names]))
    print(f"{'quiz':<{width}}  questions   best")
    for name in names:
        best = f"{done[name]['best']:.0%}" if name in done else "-"
        print(f"{name:<{width}}  {len(content.load(name).questions):>9}  {best:>5}")
    print(f"\n{content.CARDS}: {len(content.cards())} flashcards. Take one with: kdcourse quiz NAME")


def show_glossary(entries: list[dict[str, Any]], term: str) -> None:
    """Print the entry for a term, or for another name of it, or all terms if it is empty.

    Raises
    ------
    ValueError
        If there is no such entry; the message names the closest terms.
    """
    _prepare()
    if not term:
        _wrapped(", ".join(sorted((entry["term"] for entry in entries), key=str.casefold)))
        return
    names = {_plain(name): entry for entry in entries for name in entry["also_known_as"]}
    names |= {_plain(entry["term"]): entry for entry in entries}
    if _plain(term) not in names:
        close = {names[name]["term"]: None for name in difflib.get_close_matches(_plain(term), names, n=3)}
        hint = f"closest: {', '.join(close)}" if close else "`kdcourse glossary` lists all"
        raise ValueError(f"no entry {term!r}; {hint}")
    entry = names[_plain(term)]
    also = f" (also: {', '.join(entry['also_known_as'])})" if entry["also_known_as"] else ""
    _wrapped(f"{entry['term']}{also}")
    _wrapped(entry["definition"], "  ")
    parts = {"": [entry["explanation"]]}
    parts |= {"Misconception": [entry["misconception"]], "Use it": [entry["when_to_use"]]}
    parts |= {"Avoid it": [entry["when_to_avoid"]], "Mistakes": [f"- {mistake}" for mistake in entry["mistakes"]]}
    parts |= {"Related": [", ".join(entry["related"])] if entry["related"] else []}
    for heading, texts in parts.items():
        if texts:
            print(f"\n{heading}" if heading else "")
        for text in texts:
            _wrapped(text, "  ", "    " if heading == "Mistakes" else "  ")


def _plain(name):
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _read(prompt):
    """One line of input. Raises Left at q, or when there is no more."""
    try:
        typed = input(prompt)
    except EOFError:
        print()
        raise Left from None
    if not sys.stdin.isatty():
        print(typed)  # nobody typed it on the screen, and the transcript should have it
    if typed.strip().casefold() == "q":
        raise Left
    return typed


def _prepare():
    """A terminal that has no ✓ shows a question mark instead of stopping."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _wrapped(text, indent="", later=None):
    """Print a text, its first line after `indent` and the others after `later`; after an empty line if it has one."""
    width = max(min(shutil.get_terminal_size().columns, 100), 30)
    lead = "\n" if text.startswith("\n") else ""
    later = indent if later is None else later
    options = {"initial_indent": indent, "subsequent_indent": later, "break_on_hyphens": False}
    print(lead + textwrap.fill(text.strip(), width, **options))
