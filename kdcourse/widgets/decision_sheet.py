"""The explorer of the decision sheet: whether to distil a large model for a feature, before anything is trained."""

from typing import Any

import traitlets

from kdcourse.memo.decision import METHODS, QUESTIONS, REASONS, Decision, decide
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._traits import Bounded, Flag, Whole

MOST_MONEY = 1e12


def decision_sheet(**answers: Any) -> "DecisionSheet":
    """A widget with the questions to ask before a large model is distilled, and what follows from the answers.

    Parameters
    ----------
    logits, tokenizer, terms, gold, alternatives : str, optional
        As in `kdcourse.memo.decide`. Those that are left out are answered as most teams would, who have not looked yet.
    **answers
        The other values that it has, by their names, as `DecisionSheet` lists them.

    Returns
    -------
    DecisionSheet

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Examples
    --------
    >>> sheet = decision_sheet(terms="allowed", gold="independent", alternatives="dearer", costs_known=True)
    >>> sheet.decision.verdict, round(sheet.months, 1)
    ('do', 2.3)
    >>> sheet.answers["terms"]
    'allowed'
    """
    places = {}
    for name, value in answers.items():
        if name in QUESTIONS:
            choices = list(QUESTIONS[name][1])
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
            value = choices.index(value)
        elif name not in MONEY:
            raise TypeError(f"decision_sheet has no {name}; it has {', '.join([*QUESTIONS, *MONEY])}")
        places[name] = value
    return DecisionSheet(**places)


def _asked():
    return [[question, list(answers.values())] for question, answers in QUESTIONS.values()]


def _listed(reasons):
    return {name: list(reason) for name, reason in reasons.items()}


class DecisionSheet(Explorer):
    """What `decision_sheet` returns.

    Attributes
    ----------
    logits, tokenizer, terms, gold, alternatives : int
        Place of the answer among those of the question, from 0.
    costs_known : bool
        Whether the costs below were worked out, and not guessed.
    requests_per_month : int
        From 1,000 to 1,000,000,000.
    teacher_cost, student_cost : float
        Per 1,000 requests, in [0, 1e12].
    one_time_cost : float
        Of the student: training, labels and work, without the teacher's answers.
    teacher_queries : int
        Answers of the teacher that it learns from, up to 100,000,000; they cost what its requests cost.
    fallback : float
        The share of requests that the student hands on to the teacher, in [0, 1]. They cost both.
    upkeep : float
        Of the student in a month.
    horizon_months : int
        How long it may take to pay back, from 1 to 60.
    """

    title = "Distil it, or not? A sheet for a feature with a large language model"
    lesson = "10_capstone"
    question = (
        "Answer for a feature of your own. What is open, and which single answer would stop it? With the costs as they "
        "are, at how many requests a month does it no longer pay?"
    )
    opening = {"costs_known": True}

    questions: traitlets.List = traitlets.List(_asked()).tag(sync=True)
    reasons: traitlets.Dict = traitlets.Dict(_listed(REASONS)).tag(sync=True)
    methods: traitlets.Dict = traitlets.Dict(_listed(METHODS)).tag(sync=True)
    logits = Whole(1, 0, 2).tag(sync=True)
    tokenizer = Whole(0, 0, 2).tag(sync=True)
    terms = Whole(0, 0, 2).tag(sync=True)
    gold = Whole(1, 0, 2).tag(sync=True)
    alternatives = Whole(0, 0, 2).tag(sync=True)
    costs_known = Flag(False).tag(sync=True)
    requests_per_month = Whole(1_000_000, 1_000, 1_000_000_000).tag(sync=True)
    teacher_cost = Bounded(10.0, 0.0, MOST_MONEY).tag(sync=True)
    student_cost = Bounded(0.2, 0.0, MOST_MONEY).tag(sync=True)
    one_time_cost = Bounded(20_000.0, 0.0, MOST_MONEY).tag(sync=True)
    teacher_queries = Whole(50_000, 0, 100_000_000).tag(sync=True)
    fallback = Bounded(0.05, 0.0, 1.0).tag(sync=True)
    upkeep = Bounded(500.0, 0.0, MOST_MONEY).tag(sync=True)
    horizon_months = Whole(12, 1, 60).tag(sync=True)

    @property
    def answers(self) -> dict[str, str]:
        """The answers by their names, as `kdcourse.memo.decide` takes them."""
        return {name: list(answers)[getattr(self, name)] for name, (_, answers) in QUESTIONS.items()}

    @property
    def months(self) -> float:
        """Until the student has paid for itself, infinity for never, as `kdcourse.ship.business_case` says."""
        from kdcourse.ship import business_case

        case = business_case(
            requests_per_month=self.requests_per_month,
            teacher_cost_per_1000=self.teacher_cost,
            student_cost_per_1000=self.student_cost,
            training_cost=self.one_time_cost,
            teacher_queries=self.teacher_queries,
            fallback_share=self.fallback,
            retraining_cost_per_month=self.upkeep,
        )
        return float(case.break_even_months)

    @property
    def decision(self) -> Decision:
        """What `kdcourse.memo.decide` says to what is set; a `memo` takes it as its sheet."""
        months = self.months if self.costs_known else None
        return decide(**self.answers, months=months, horizon_months=self.horizon_months)


MONEY = [
    "costs_known",
    "requests_per_month",
    "teacher_cost",
    "student_cost",
    "one_time_cost",
    "teacher_queries",
    "fallback",
    "upkeep",
    "horizon_months",
]
