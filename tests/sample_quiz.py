"""A small quiz with every type of question, for tests that are not about what the course asks."""

import json

NAME = "07_colours"
LESSON = "01_soft_labels"  # a lesson that there is; there is none of the quiz's own name


def options(*answers):
    """Options of which those that begin with + are right."""
    return [
        {"answer": text.strip("+"), "correct": text.startswith("+"), "feedback": f"Why `{text.strip('+')}`."}
        for text in answers
    ]


def choice(id, type, *answers):
    return {"id": id, "lesson": LESSON, "question": f"Which `{id}`?", "type": type, "answers": options(*answers)}


SAMPLE = [
    choice("sky", "multiple_choice", "red", "+blue", "green", "pink"),
    {
        "id": "sum",
        "lesson": LESSON,
        "question": "How many per cent?",
        "type": "numeric",
        "answers": [
            {"type": "value", "value": 94, "correct": False, "feedback": "Only just too low."},
            {"type": "range", "range": [94.5, 95.5], "correct": True, "feedback": "89.3 / 94.0 = 0.95."},
            {"type": "default", "feedback": "Divide."},
        ],
    },
    choice("grass", "multiple_choice", "+green", "blue"),
    choice("flag", "many_choice", "+red", "+white", "green", "+blue", "pink"),
    choice("snow", "multiple_choice", "red", "blue", "+white"),
]


def write_course(folder, **files):
    """Make `folder` one that KDCOURSE_COURSE can name: with these files (or texts) as quizzes, or with the sample."""
    (folder / "quizzes").mkdir(exist_ok=True)
    for name, value in (files or {NAME: SAMPLE, "interview": [], "glossary": []}).items():
        text = value if isinstance(value, str) else json.dumps(value)
        (folder / "quizzes" / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def answer_to(question, right=True):
    """A right answer to a Question, or a wrong one, as `grade` takes it."""
    if question.type == "numeric":
        answer = next(one for one in question.answers if one.get("correct"))
        return str(answer["range"][0] if "range" in answer else answer["value"]) if right else "-12345.5"
    chosen = [k for k, answer in enumerate(question.answers) if answer["correct"] == right]
    return chosen if question.type == "many_choice" else chosen[0]
