"""Quizzes, flashcards and the glossary in a terminal, or in a script that pipes the answers in."""

import difflib
import re
import shutil
import sys
import textwrap

from kdcourse.quiz import content
from kdcourse.quiz.grading import NotAnAnswer, grade
from kdcourse.quiz.page import describe

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Left(Exception):
    """The learner left: q, the end of the input, or Ctrl-C."""


def ask(quiz):
    """Ask a Quiz, the missed questions again at the end, and keep the score of the first round."""
    from kdcourse import progress

    _prepare()
    total = len(quiz.questions)
    answered, right, missed, kept = 0, 0, [], None
    print(f"{quiz.title}: {total} questions. Answer with a letter or a number; q leaves.")
    try:
        for number, question in enumerate(quiz.questions, 1):
            heading = f"Question {number} of {total}"
            if _put(question, heading):
                right += 1
            else:
                missed.append((question, heading))
            answered = number
            print(f"\n{answered} / {total} completed")
        kept = progress.answered_quiz(quiz.name, right, total, quiz.lesson)
        print(f"\n{right} of {total} right at the first try.")
        while missed:
            count = "one" if len(missed) == 1 else len(missed)
            print(f"\nThe {count} you missed, once more.")
            missed = [one for one in missed if not _put(*one, show=True)]
            if not missed:
                print("\nAll of them are right now.")
    except (Left, KeyboardInterrupt):
        if kept is None:
            print(f"\nYou left after {answered} of {total} questions. Only a whole quiz is kept, so these are lost.")
    if kept is not None:
        print(f"Your result, {right} of {total}, {'is' if kept else 'could not be'} kept.")


def _put(question, heading, show=False):
    """Put one question until it gets an answer; explain it; return whether it was right. `show` a right answer, too."""
    _wrapped(f"\n{heading}", "")
    _wrapped(question.question, "")
    if question.type == "numeric":
        prompt = "Your answer, a number: "
    else:
        for letter, answer in zip(LETTERS, question.answers, strict=False):
            _wrapped(f"{letter}) {answer['answer']}", "  ", "     ")
        last = LETTERS[len(question.answers) - 1]
        many = question.type == "many_choice"
        prompt = f"Your answers, all that apply (such as a, {last}): " if many else f"Your answer (a-{last}): "
    while True:
        try:
            result = grade(question, _given(question, _read(prompt)))
            break
        except NotAnAnswer as error:
            print(error)
    print("✓ Right." if result.correct else "✗ Not right.")
    for index, explanation in result.feedback:
        applies = "" if index is None else "applies: " if question.answers[index]["correct"] else "does not apply: "
        many = question.type == "many_choice" and index is not None
        _wrapped(f"{LETTERS[index]}) {applies}{explanation}" if many else explanation, "  ")
    if show and not result.correct:
        for answer in question.answers:
            if answer.get("correct"):
                _wrapped(f"The right answer: {describe(answer)}", "  ")
                _wrapped(answer["feedback"], "  ")
    _wrapped(f"Lesson: {question.lesson}", "  ")
    return result.correct


def _given(question, typed):
    """What was typed as `grade` takes it: indices for letters (a, b) or numbers from 1."""
    if question.type == "numeric":
        return typed
    count = len(question.answers)
    chosen = []
    for word in re.findall(r"[^\s,;.)]+", typed):
        if word.isdecimal() and 1 <= int(word) <= count:
            chosen.append(int(word) - 1)
        elif len(word) == 1 and word.lower() in LETTERS[:count]:
            chosen.append(LETTERS.index(word.lower()))
        else:
            raise NotAnAnswer(f"There is no option {word!r}; there are a to {LETTERS[count - 1]}, or 1 to {count}.")
    if question.type == "many_choice":
        return chosen
    if len(chosen) > 1:
        raise NotAnAnswer("Choose one option.")
    return chosen[0] if chosen else None


def turn_cards(cards):
    """Go through the flashcards: Enter shows the back, Enter again the next card."""
    _prepare()
    print(f"{len(cards)} cards. Answer aloud, then press Enter to see an answer; q leaves.")
    try:
        for number, card in enumerate(cards, 1):
            _wrapped(f"\nCard {number} of {len(cards)}, lesson {card['lesson']}", "")
            _wrapped(card["front"], "")
            _read("[Enter] ")
            _wrapped(card["back"], "  ")
            if number < len(cards):
                _read("[Enter for the next card] ")
        print("\nThat was the last card.")
    except (Left, KeyboardInterrupt):
        print("\nNothing is kept of the cards; come back whenever you like.")


def show_list(done):
    """Print the quizzes there are, with the best score of each; `done` as in `progress.load()["quizzes"]`."""
    rows = [("quiz", "questions", "best")]
    for name in content.names():
        best = f"{done[name]['best']:.0%}" if name in done else "-"
        rows.append((name, str(len(content.load(name).questions)), best))
    width = max(len(row[0]) for row in rows)
    for name, questions, best in rows:
        print(f"{name:<{width}}  {questions:>9}  {best:>5}")
    print(f"\n{content.CARDS}: {len(content.cards())} flashcards. Take one with: kdcourse quiz NAME")


def show_glossary(entries, term):
    """Print the entry for a term, or for another name of it, or all terms if it is empty.

    Raises ValueError that names the closest terms.
    """
    _prepare()
    if not term:
        _wrapped(", ".join(sorted((entry["term"] for entry in entries), key=str.casefold)), "")
        return
    names = {_plain(name): entry for entry in entries for name in entry["also_known_as"]}
    names |= {_plain(entry["term"]): entry for entry in entries}
    if _plain(term) not in names:
        close = difflib.get_close_matches(_plain(term), names, n=3)
        close = dict.fromkeys(names[name]["term"] for name in close)
        hint = f"; closest: {', '.join(close)}" if close else "; `kdcourse glossary` lists all"
        raise ValueError(f"no entry {term!r}{hint}")
    entry = names[_plain(term)]
    also = f" (also: {', '.join(entry['also_known_as'])})" if entry["also_known_as"] else ""
    _wrapped(f"{entry['term']}{also}", "")
    _wrapped(entry["definition"], "  ")
    print()
    _wrapped(entry["explanation"], "  ")
    for heading, key in [("Misconception", "misconception"), ("Use it", "when_to_use"), ("Avoid it", "when_to_avoid")]:
        print(f"\n{heading}")
        _wrapped(entry[key], "  ")
    if entry["mistakes"]:
        print("\nMistakes")
        for mistake in entry["mistakes"]:
            _wrapped(f"- {mistake}", "  ", "    ")
    if entry["related"]:
        print("\nRelated")
        _wrapped(", ".join(entry["related"]), "  ")


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


def _wrapped(text, indent, later=None):
    width = min(shutil.get_terminal_size().columns, 100)
    later = indent if later is None else later
    lead = "\n" if text.startswith("\n") else ""
    options = {"initial_indent": indent, "subsequent_indent": later, "break_on_hyphens": False}
    print(lead + textwrap.fill(text.strip(), max(width, 30), **options))
