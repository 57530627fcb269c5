"""Write workshop/answers.md: the key of every quiz, and what each check says to each known wrong answer.

python tools/build_answers.py

It is not committed: a new exercise or quiz would have to refresh it. The site has it as a page.
"""

from pathlib import Path

from kdcourse import check, quiz
from kdcourse.quiz.page import describe

ANSWERS = Path(__file__).resolve().parent.parent / "workshop" / "answers.md"


def answers():
    """The page, in Markdown."""
    parts = [
        "# Answers (spoilers)",
        "## Quizzes",
        *(_key(quiz.load(name)) for name in quiz.names()),
        "## Exercises: wrong answers that the checks know",
        "The message stands before the smallest input that shows the mistake, with what was expected and what came.",
        *map(_known_bugs, check.EXERCISES),
    ]
    return "\n\n".join(parts) + "\n"


def _key(one):
    lines = [f"### {one.title} (`{one.name}`)", ""]
    for number, question in enumerate(one.questions, 1):
        right = [answer for answer in question.answers if answer.get("correct")]
        lines.append(f"{number}. {question.question}")
        lines += [f"   - **{describe(answer)}** {answer['feedback']}" for answer in right]
    return "\n".join(lines)


def _known_bugs(exercise):
    rows = [f"| {name} | {bug.message} |" for name, bug in exercise.bugs.items()]
    return "\n".join(
        [f"### `{exercise.name}` (lesson {exercise.lesson[:2]})", "", "| wrong answer | message |", "|---|---|", *rows]
    )


if __name__ == "__main__":
    ANSWERS.write_text(answers(), encoding="utf-8")
