"""The decision sheet: whether to distil a language model for a feature, before anything is trained.

The rules stand here, and once more in `kdcourse/static/decision_sheet.js`; a test holds the two to the same answers.
"""

import math
from typing import NamedTuple

from kdcourse._arguments import not_negative, number, one_of, positive

# Of each question its words, and of each answer its name and its words.
QUESTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "logits": (
        "What does the teacher give?",
        {
            "text": "text alone",
            "top": "text, and the likeliest few with their probabilities",
            "all": "every logit: it runs on our machines",
        },
    ),
    "tokenizer": (
        "What does it answer with, and does the student use the same tokens?",
        {
            "different": "text, in other tokens than the student's",
            "same": "text, in the student's own tokens",
            "classes": "one of a few fixed classes",
        },
    ),
    "terms": (
        "May you train on its answers?",
        {
            "unread": "nobody has read the terms of use for this",
            "forbidden": "no: the terms of use forbid it",
            "allowed": "yes, confirmed in writing for this use",
        },
    ),
    "gold": (
        "Who made the labels that you test on?",
        {
            "none": "there are none",
            "teacher": "the teacher, or a judge of its family",
            "independent": "people, or events, that never saw the teacher's answers",
        },
    ),
    "alternatives": (
        "Is something simpler good enough?",
        {
            "not priced": "not looked at yet",
            "one does": "yes: one was measured to be good enough for less",
            "dearer": "no: all four were priced, none is good enough for less",
        },
    ),
}


class Reason(NamedTuple):
    """One line of a decision.

    Attributes
    ----------
    says : str
        "do", "don't" or "measure first".
    text : str
    source : str
        Where it is from, or "" for arithmetic.
    link : str
        To that source, or "".
    """

    says: str
    text: str
    source: str = ""
    link: str = ""


_TERMS = (
    "Gemini API Additional Terms of Service, Use Restrictions",
    "https://ai.google.dev/gemini-api/terms",
)
_JUDGES = ("Panickssery, Bowman and Feng 2024", "https://arxiv.org/abs/2404.13076")
_TOP = ("Anshumann et al. 2025", "https://arxiv.org/abs/2503.16870")
_TOKENS = ("Boizard et al. 2024", "https://arxiv.org/abs/2402.12030")
_SEQUENCES = ("Kim and Rush 2016", "https://arxiv.org/abs/1606.07947")
_HINTON = ("Hinton, Vinyals and Dean 2015", "https://arxiv.org/abs/1503.02531")
_CASCADE = ("Chen, Zaharia and Zou 2023", "https://arxiv.org/abs/2305.05176")

# Each answer's reason, by the names that `_names` gives.
REASONS: dict[str, Reason] = {
    "terms forbidden": Reason(
        "don't",
        "The terms of use forbid it. Ask for permission, or take a teacher whose licence allows it.",
        *_TERMS,
    ),
    "terms unread": Reason(
        "measure first",
        "Read the terms of use, with somebody who answers for it. Several providers forbid to develop models that "
        "compete with theirs, and terms change.",
        *_TERMS,
    ),
    "terms allowed": Reason("do", "You may train on its answers. Keep the terms and their date with the data."),
    "alternatives one does": Reason(
        "don't",
        "Something simpler is good enough for less. Take that, and come back when it no longer is.",
        *_CASCADE,
    ),
    "alternatives not priced": Reason(
        "measure first",
        "Price four alternatives on the same test set: a smaller model off the shelf, prompt caching, speculative "
        "decoding (for a teacher that you host: faster, with the same outputs), and a cascade of a cheap model and the "
        "teacher.",
        *_CASCADE,
    ),
    "alternatives dearer": Reason("do", "Nothing simpler was good enough for less."),
    "costs never": Reason(
        "don't", "It never pays back: a month with the student costs as much as one without, or more."
    ),
    "costs late": Reason("don't", "It pays back later than you are ready to wait."),
    "costs unknown": Reason(
        "measure first",
        "Work out when it pays back: requests, the prices of both, the teacher's answers to learn from, labels, "
        "retraining.",
    ),
    "costs soon": Reason("do", "It pays back in time, the teacher's answers included."),
    "gold none": Reason(
        "measure first",
        "Label a test set, with enough examples in every slice that matters. Without one nobody knows what was lost.",
    ),
    "gold teacher": Reason(
        "measure first",
        "Have people label a test set. Against the teacher's own labels the teacher is never wrong, and models that "
        "judge prefer their own outputs.",
        *_JUDGES,
    ),
    "gold independent": Reason("do", "The test labels do not come from the teacher."),
}

# How to distil, by what the teacher gives and in what.
METHODS: dict[str, Reason] = {
    "classes all": Reason("do", "Match its probabilities of the classes, with a temperature: soft labels.", *_HINTON),
    "classes top": Reason(
        "do",
        "Match the probabilities that it gives, and keep what is left as the share of all other classes. To call it "
        "zero is to teach a bias.",
        *_TOP,
    ),
    "classes text": Reason(
        "do", "Train on the classes that it names: hard labels. Asked several times, their shares are soft.", *_HINTON
    ),
    "same all": Reason("do", "Match its probabilities token by token.", *_HINTON),
    "same top": Reason(
        "do",
        "Match the tokens that it gives, and keep what is left as the share of all others. To call it zero is to teach "
        "a bias.",
        *_TOP,
    ),
    "different": Reason(
        "do",
        "Tokens that differ do not line up. Train on its texts, or use a loss that does not need them to.",
        *_TOKENS,
    ),
    "text": Reason("do", "Train on the texts that it writes: sequence-level distillation.", *_SEQUENCES),
}


class Decision(NamedTuple):
    """What `decide` returns.

    Attributes
    ----------
    verdict : str
        "do", "don't" or "measure first".
    reasons : tuple of Reason
        One for each question: first those against, then what is to be measured, then those for.
    method : Reason
        How to distil, if at all.
    """

    verdict: str
    reasons: tuple[Reason, ...]
    method: Reason


def decide(
    *,
    logits: str,
    tokenizer: str,
    terms: str,
    gold: str,
    alternatives: str,
    months: float | None,
    horizon_months: float = 12.0,
) -> Decision:
    """Whether to distil a large model for a feature: do, don't, or measure first.

    One reason against is enough for "don't"; else one open question is enough for "measure first".

    Parameters
    ----------
    logits : {"all", "top", "text"}
        What the teacher gives.
    tokenizer : {"same", "different", "classes"}
        Whether student and teacher use the same tokens; "classes" where the answers are a few fixed classes.
    terms : {"allowed", "forbidden", "unread"}
        What the teacher's terms of use say of training on its answers.
    gold : {"independent", "teacher", "none"}
        Who labelled the test set.
    alternatives : {"dearer", "one does", "not priced"}
        Of a smaller model off the shelf, prompt caching, speculative decoding and a cascade.
    months : float or None
        Until the student has paid for itself, as `ship.business_case` says, the teacher's answers included; infinity
        for never, None where it has not been worked out.
    horizon_months : float
        How long that may take, > 0.

    Returns
    -------
    Decision

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> answers = {"logits": "top", "tokenizer": "classes", "terms": "allowed", "gold": "teacher"}
    >>> decision = decide(**answers, alternatives="dearer", months=4)
    >>> decision.verdict, decision.reasons[0].says, decision.reasons[0].source
    ('measure first', 'measure first', 'Panickssery, Bowman and Feng 2024')
    >>> decide(**answers | {"terms": "forbidden"}, alternatives="dearer", months=4).verdict
    "don't"
    """
    answers = {"logits": logits, "tokenizer": tokenizer, "terms": terms, "gold": gold, "alternatives": alternatives}
    for name, answer in answers.items():
        one_of(name, answer, list(QUESTIONS[name][1]))
    horizon_months = positive("horizon_months", horizon_months)
    if months is not None and number("months", months) != math.inf:
        months = not_negative("months", months)
    names, method = _names(terms, gold, alternatives, months, horizon_months), _method(logits, tokenizer)
    found = [REASONS[name] for name in names]
    order = ["don't", "measure first", "do"]
    reasons = tuple(sorted(found, key=lambda reason: order.index(reason.says)))
    return Decision(reasons[0].says, reasons, METHODS[method])


def _names(terms, gold, alternatives, months, horizon_months):
    if months is None:
        costs = "unknown"
    else:
        costs = "never" if months == math.inf else "late" if months > horizon_months else "soon"
    return [f"terms {terms}", f"alternatives {alternatives}", f"costs {costs}", f"gold {gold}"]


def _method(logits, tokenizer):
    if tokenizer == "classes":
        return f"classes {logits}"
    return "text" if logits == "text" else "different" if tokenizer == "different" else f"same {logits}"
