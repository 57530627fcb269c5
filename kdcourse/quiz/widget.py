"""A quiz in a notebook: native form controls, graded in JavaScript so that it works without a kernel too."""

import anywidget
import traitlets

from kdcourse import _course, progress
from kdcourse._javascript import STATIC, bundle
from kdcourse.quiz.content import Quiz, QuizError
from kdcourse.quiz.grading import NotAnAnswer, grade
from kdcourse.quiz.page import content, fragment, plain_text


class QuizWidget(anywidget.AnyWidget):
    """A quiz. Made by `kdcourse.quiz.show(name)`.

    Attributes
    ----------
    answers : dict
        {id of a question: what was given last}, as `grade` takes it; assign a new dict to set them.
    first_tries : dict
        {id of a question: whether the first answer to it was right}.
    score : int
        How many first answers were right.
    completed : bool
        Whether every question was answered; then the score is kept, as `kdcourse progress` shows it.
    """

    _esm = bundle("quiz")
    _css = STATIC / "quiz.css"
    name = traitlets.Unicode().tag(sync=True)
    content = traitlets.Dict().tag(sync=True)
    answers = traitlets.Dict().tag(sync=True)
    first_tries = traitlets.Dict().tag(sync=True)
    score = traitlets.Int()
    completed = traitlets.Bool()

    def __init__(self, quiz: Quiz):
        self._quiz = quiz
        self._questions = {question.id: question for question in quiz.questions}
        super().__init__(name=quiz.name, content=content(quiz, _beside))

    @traitlets.validate("answers")
    def _are_answers(self, proposal):
        for id, given in proposal["value"].items():
            if id not in self._questions:
                raise QuizError(f"{self.name} has no question {id!r}; there are {', '.join(self._questions)}")
            try:
                grade(self._questions[id], given)
            except NotAnAnswer as error:
                raise QuizError(f"{self.name}, question {id!r}: {error}") from None
        return proposal["value"]

    @traitlets.observe("answers")
    def _count(self, _):
        # The browser knows the first try even if the kernel was busy and sees only the last one.
        self.first_tries = {
            id: self.first_tries.get(id, grade(self._questions[id], given).correct)
            for id, given in self.answers.items()
        }
        self.score = sum(self.first_tries.values())
        self.completed = len(self.answers) == len(self._questions)

    @traitlets.observe("completed")
    def _keep(self, _):
        if self.completed:
            progress.answered_quiz(self.name, self.score, len(self._questions), self._quiz.lesson)

    def _repr_mimebundle_(self, **kwargs):
        """The widget, and beside it the same quiz as HTML for a saved notebook, and its questions as text."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/html": fragment(self.content), "text/plain": plain_text(self.content)}, metadata


def _beside(lesson):
    """The notebook of a lesson, as seen from the notebooks beside it; None if it is not there."""
    return f"{lesson}.ipynb" if _course.find(f"notebooks/{lesson}.ipynb").exists() else None
