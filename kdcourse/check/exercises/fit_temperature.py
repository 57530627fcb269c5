"""The exercise `fit_temperature`: temperature scaling (Guo et al. 2017, section 4.2)."""

import math

import torch
from scipy.optimize import minimize_scalar

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import logs, of_the_labels

NARROWEST, WIDEST = 1e-3, 1e3  # temperatures between which is searched
NEAR = 0.02  # how far an answer may be from the best temperature, relative: a grid is a good answer too


def _cross_entropy(z, y, T, axis=1):
    return -of_the_labels(logs(z, T, axis), y).mean()


def _best(logits, labels):
    """The best temperature. In 1/T the cross-entropy is convex: its slope changes sign once, so halving finds where."""
    z, low, high = logits.double(), math.log(1 / WIDEST), math.log(1 / NARROWEST)
    of_label = of_the_labels(z, labels).mean()
    for _ in range(60):
        middle = (low + high) / 2
        expected = ((math.exp(middle) * z).softmax(1) * z).sum(1).mean()
        low, high = (middle, high) if expected < of_label else (low, middle)
    return math.exp(-(low + high) / 2)


def _minimised(loss):
    """A bug: the temperature that minimises another `loss(logits, labels, T)`. Some have several minima: grid first."""

    def fit(logits, labels):
        z = logits.double()
        grid = torch.logspace(math.log10(NARROWEST), math.log10(WIDEST), 61, dtype=torch.float64).tolist()
        losses = [float(loss(z, labels, T)) for T in grid]
        k = losses.index(min(losses))
        ends = math.log(grid[max(k - 1, 0)]), math.log(grid[min(k + 1, len(grid) - 1)])
        return math.exp(minimize_scalar(lambda x: float(loss(z, labels, math.exp(x))), bounds=ends).x)

    return fit


def _squared_error(z, y, T):
    return ((z / T).softmax(1) - torch.nn.functional.one_hot(y, z.shape[1])).square().mean()


def _confidence_gap(z, y, T):
    return ((z / T).softmax(1).amax(1).mean() - (z.argmax(1) == y).double().mean()).square()


def _constant(temperatures, message):
    """A bug: always one of these temperatures, whatever the logits."""
    functions = [lambda logits, labels, T=T: T for T in temperatures]
    return Bug(functions[0], message, *functions[1:])


def _answers(generator):
    """Labels drawn from softmax(z), and logits that are z too large (over-confident) or z too small."""
    while True:
        rows = int(torch.randint(50, 301, (), generator=generator))
        classes = int(torch.randint(2, 6, (), generator=generator))
        z = (1 + 1.5 * torch.rand((), generator=generator)) * torch.randn(rows, classes, generator=generator)
        labels = torch.multinomial(z.softmax(1), 1, generator=generator).squeeze(1)
        over, part = torch.rand(2, generator=generator).tolist()
        logits = z * (1.8 + 2.2 * part if over < 0.5 else 0.4 + 0.2 * part)
        T = _best(logits, labels)
        if 0.35 < T < 5.5 and abs(math.log(T)) > 0.4:  # near T = 1 nothing would be told apart
            return logits.float(), labels


fit_temperature = Exercise(
    "fit_temperature",
    lesson="02_temperature",
    order=3,
    reference=_best,
    inputs=_answers,
    small=[
        (torch.tensor([[5.0, 0.0], [2.0, 0.0], [0.0, 6.0], [0.0, 6.0]]), torch.tensor([0, 1, 1, 1])),
        (torch.tensor([[0.0, 0.2], [0.0, 0.8], [0.0, 0.4], [0.2, 0.0]]), torch.tensor([1, 1, 0, 0])),
    ],
    praise="It cools what is over-confident, warms what is too timid, and changes no arg-max.",
    tolerance=NEAR,
    hints=[
        "Which T makes the labels likeliest, if the probabilities are softmax(logits / T)? Nothing else is changed.",
        "Write a function from T to F.cross_entropy(logits / T, labels). Then look for its lowest point.",
        "A fine grid will do, evenly spaced in log T: from 0.1 to 10, so that T may fall on either side of 1.",
        "grid = torch.logspace(-1, 1, 500); losses = torch.stack([F.cross_entropy(logits / T, labels) for T in grid]); "
        "return grid[losses.argmin()]",
    ],
    bugs={
        "upside down": Bug(
            lambda z, y: 1 / _best(z, y),
            "That is 1/T. Either you multiply the logits by what you fit, or you fit 1/T and forget to turn it over.",
        ),
        "the logarithm of T": Bug(
            lambda z, y: math.log(_best(z, y)),
            "That is log T. To search over log T is a good idea, since T stays positive; return exp of what you find.",
        ),
        "the loss": Bug(
            lambda z, y: _cross_entropy(z.double(), y, _best(z, y)),
            "That is a cross-entropy. Return the temperature at which it is lowest: argmin, not min.",
            lambda z, y: _cross_entropy(z.double(), y, 1.0),
        ),
        "never below 1": Bug(
            lambda z, y: max(_best(z, y), 1.0),
            "Your search never goes below T = 1. This model is not confident enough, and needs a T below 1.",
        ),
        "never above 1": Bug(
            lambda z, y: min(_best(z, y), 1.0),
            "Your search never goes above T = 1. This model is too confident, and needs a T above 1.",
        ),
        "lower end of the range": _constant(
            (0.1, 0.001, 0.01, 0.02, 0.05, 0.2, 0.25, 0.3, 0.5),
            "The same small T comes back whatever the logits are, perhaps the lower end of your range. Is the loss "
            "minimised, not maximised? Does F.cross_entropy get logits, not probabilities? And the accuracy will "
            "not do: it is equal at every T.",
        ),
        "upper end of the range": _constant(
            (10.0, 4.0, 5.0, 6.0, 8.0, 20.0, 50.0, 100.0, 1000.0),
            "The same large T comes back whatever the logits are, perhaps the upper end of your range. Do the "
            "labels belong to these rows, and do the classes count from 0?",
        ),
        "not fitted": _constant(
            (1.0, 1.5, 2.0, 3.0),
            "The same T comes back whatever the logits are. Is anything fitted? Look at the loss of several T.",
        ),
        "softmax before the temperature": Bug(
            _minimised(lambda z, y, T: _cross_entropy(z.softmax(1), y, T)),
            "You divide probabilities by T, and the softmax is applied twice. Divide the logits.",
        ),
        "wrong axis": Bug(
            _minimised(lambda z, y, T: _cross_entropy(z, y, T, axis=0)),
            "The softmax runs over axis 0, the examples. The classes are on axis 1.",
        ),
        "squared error": Bug(
            _minimised(_squared_error),
            "That T minimises the squared error of the probabilities, the Brier score. It is often near, but it is the "
            "cross-entropy that is asked for.",
        ),
        "confidence matched to accuracy": Bug(
            _minimised(_confidence_gap),
            "That T makes the mean confidence equal to the accuracy. It looks only at the winners, and only on "
            "average; the cross-entropy looks at every answer.",
        ),
        "the accuracy": Bug(
            lambda z, y: (z.argmax(1) == y).double().mean(),
            "That is the accuracy, which no T changes. Return the temperature at which the cross-entropy is lowest.",
        ),
    },
    rules=[
        Rule(lambda T, z, y: T > 0, "A temperature is positive. Search over log T, and this cannot happen."),
        Rule(
            lambda T, z, y: _best(z, y) / 3 < T,
            "That is far too small: the loss is steep there. Is the softmax applied twice, or does logits.argmax stand "
            "in for the labels?",
        ),
        Rule(
            lambda T, z, y: 3 * _best(z, y) > T,
            "That is far too large: all classes come out nearly alike. Does each label still belong to its row, and do "
            "the classes count from 0?",
        ),
        Rule(
            lambda T, z, y: not NEAR < abs(T / _best(z, y) - 1) < 0.2,
            "That is near, but not within 2 % of the best. Is the grid too coarse, does your range end too early, "
            "or does the search stop too soon?",
        ),
    ],
)
