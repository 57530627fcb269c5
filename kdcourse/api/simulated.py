"""A data set's own teacher, as an API would give it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import special

from kdcourse import store
from kdcourse.data import DataSet

VERSION = 2  # of the answers; another one is another key, so that nobody finds those of before
SPELLINGS = {str.lower: 0.9, str.upper: 0.1}  # the tokens that stand for one class, and their shares
SENTENCES = ("{}", "{}.", "Answer: {}", "I would say {}.")
REFUSAL = "I cannot help with that."


class Answer(NamedTuple):
    """What came back from one call.

    Attributes
    ----------
    text : str
    logprobs : dict of float by token
        The likeliest tokens and their natural logarithms; empty where the API gives none, or refuses.
    price : float
    """

    text: str
    logprobs: dict[str, float]
    price: float


@dataclass(frozen=True)
class SimulatedAPI:
    """The teacher of a data set behind an API that answers in words.

    A time of day is the number of calls before: the same call at the same time has the same answer.

    Attributes
    ----------
    data : DataSet
        With the teacher's logits.
    top : int
        So many of the likeliest tokens come with the answer, 0 for none. A class has two (spam, SPAM), and one where
        its name is the same in both (7).
    noise : float
        Standard deviation of what is added to each logit, anew at each call.
    refuses : dict of float by class name
        Share of the examples of which the teacher thinks so that it will not answer: the same ones every time.
    unclear : float
        Share of the answers that name two classes.
    drift, changes_at : float, int
        From this call on, a new version adds `drift` to the logit of the last class. Nobody says so.
    price : float
        Of a call, refused or not.
    seed : int

    Examples
    --------
    >>> import torch
    >>> from kdcourse.data import Split
    >>> part = Split(torch.tensor([1]), torch.tensor([[0.0, 4.0]]), inputs=torch.zeros(1, 1))
    >>> api = SimulatedAPI(DataSet("mails", part, part, part, class_names=("ham", "spam")), top=3, noise=0)
    >>> api.ask("test", 0, call=0)
    Answer(text='spam', logprobs={'spam': -0.1235, 'SPAM': -2.3207, 'ham': -4.1235}, price=0.001)
    """

    data: DataSet = field(repr=False)
    top: int = 5
    noise: float = 0.3
    refuses: Mapping[str, float] = field(default_factory=dict)
    unclear: float = 0.01
    drift: float = 0.0
    changes_at: int | None = None
    price: float = 0.001
    seed: int = 0

    @property
    def key(self) -> str:
        """A short name for everything that its answers depend on."""
        settings = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "data"}
        logits = [getattr(self.data, split).fingerprint() for split in ("train", "validation", "test")]
        return store.fingerprint([VERSION, logits, settings | {"refuses": dict(self.refuses)}])

    def ask(self, split: str, row: int, call: int) -> Answer:
        """The answer about row `row` of the split of that name, after `call` other calls."""
        names = self.data.class_names
        logits = getattr(self.data, split).teacher_logits[row].double().numpy().copy()
        place = ("train", "validation", "test").index(split)
        refused = np.random.default_rng([self.seed, 1, place, row]).random()
        if refused < self.refuses.get(names[logits.argmax()], 0.0):
            return Answer(REFUSAL, {}, self.price)
        rng = np.random.default_rng([self.seed, 0, call])
        logits += self.noise * rng.standard_normal(len(logits))
        if self.changes_at is not None and call >= self.changes_at:
            logits[-1] += self.drift
        said, second = (names[k] for k in logits.argsort()[[-1, -2]])
        if rng.random() < self.unclear:
            said = f"{said} or {second}"
        text = SENTENCES[rng.integers(len(SENTENCES))].format(said)
        tokens: dict[str, float] = {}
        for name, logprob in zip(names, special.log_softmax(logits), strict=True):
            for spelled, share in SPELLINGS.items():
                before = tokens.get(spelled(name), -np.inf)  # a name without letters is spelled in one way alone
                tokens[spelled(name)] = float(np.logaddexp(before, logprob + np.log(share)))
        likeliest = sorted(tokens, key=tokens.__getitem__, reverse=True)[: self.top]
        return Answer(text, {token: round(tokens[token], 4) for token in likeliest}, self.price)
