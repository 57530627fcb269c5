"""Write workshop/answers.md: the key of every quiz, and what each check says to each known wrong answer.

python tools/build_answers.py
"""

from pathlib import Path

from kdcourse import check, quiz
from kdcourse.quiz.page import describe

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "workshop" / "answers.md"


def answers():
    """The page, in Markdown."""
    parts = [
        "# Answers, for instructors",
        "Made by `tools/build_answers.py` from [`quizzes/`](../quizzes) and [`kdcourse/check/`](../kdcourse/check).",
        "## Quizzes",
        *(_key(quiz.load(name)) for name in quiz.names()),
        "## Exercises: wrong answers that the checks know",
        "The message stands before the smallest input that shows the mistake, with what was expected and what came.",
        check.answers_table().strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _key(one):
    lines = [f"### {one.title} (`{one.name}`)", ""]
    for number, question in enumerate(one.questions, 1):
        right = [answer for answer in question.answers if answer.get("correct")]
        lines.append(f"{number}. {question.question}")
        lines += [f"   - **{describe(answer)}** {answer['feedback']}" for answer in right]
    return "\n".join(lines)


def main():
    ANSWERS.write_text(answers(), encoding="utf-8")


if __name__ == "__main__":
    main()
