"""The exercise `choose_temperature`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _chosen_by(score):
    """The temperature with the best score, one score per temperature from (validation, test); the first of equals."""
    return lambda temperatures, validation, test: temperatures[score(validation, test).argmax()]


def _last_best(scores):
    return (scores == scores.max()).nonzero()[-1, 0]


def _accuracies(generator):
    """Multiples of 1/512: their sums have no rounding, so that equal means are equal in whatever order one adds."""
    seeds = int(torch.randint(2, 5, (), generator=generator))
    settings = int(torch.randint(seeds, 8, (), generator=generator))  # an index of a seed is one of a setting too
    temperatures = torch.tensor([1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])[:settings]
    validation, test = torch.randint(400, 490, (2, settings, seeds), generator=generator, dtype=torch.int64) / 512
    return temperatures, validation.float(), test.float()


# Each of them tells a wrong way of choosing from the right one and from all the others; in the third, two are equal.
_SMALL = (
    ([1, 4, 8], [[0.82, 0.83], [0.89, 0.81], [0.81, 0.9]], [[0.89, 0.85], [0.91, 0.81], [0.83, 0.84]]),
    ([2, 5], [[0.82, 0.91, 0.82], [0.85, 0.8, 0.84]], [[0.85, 0.92, 0.86], [0.8, 0.89, 0.83]]),
    ([1, 4, 8], [[0.92, 0.87], [0.86, 0.89], [0.87, 0.92]], [[0.86, 0.85], [0.83, 0.84], [0.82, 0.9]]),
    (
        [1, 2, 4, 8],
        [[0.81, 0.88], [0.85, 0.86], [0.88, 0.86], [0.81, 0.89]],
        [[0.9, 0.8], [0.88, 0.86], [0.81, 0.82], [0.86, 0.8]],
    ),
)

choose_temperature = Exercise(
    "choose_temperature",
    lesson="02_temperature",
    order=2,
    reference=lambda temperatures, validation, test: temperatures[validation.mean(1).argmax()],
    inputs=_accuracies,
    small=[tuple(torch.tensor(values, dtype=torch.float32) for values in case) for case in _SMALL],
    praise="The test accuracies stay unused: they are for the one number that is reported at the end.",
    hints=[
        "Which of the two tables may a choice look at?",
        "A row is a temperature, a column is a seed. A single lucky run should not decide: average over the seeds.",
        "argmax gives the position of the best mean, the first of equal ones. Which temperature stands there?",
        "return temperatures[validation.mean(1).argmax()]",
    ],
    bugs={
        "chosen on test": Bug(
            _chosen_by(lambda validation, test: test.mean(1)),
            "You choose on test. Then the test accuracy of the winner is flattered by the choice. Choose on "
            "validation, and leave test for the end.",
            _chosen_by(lambda validation, test: test.amax(1)),
        ),
        "chosen on both": Bug(
            _chosen_by(lambda validation, test: (validation + test).mean(1)),
            "Test has a say in your choice, half of it. Leave it out: only what no choice has seen can be reported.",
        ),
        "the best single run": Bug(
            _chosen_by(lambda validation, test: validation.amax(1)),
            "One lucky run decides. The best of several seeds is best by luck as well: compare means over the seeds.",
        ),
        "the worst single run": Bug(
            _chosen_by(lambda validation, test: validation.amin(1)),
            "The worst seed of each temperature decides. That is cautious, but it is one run again: compare means.",
        ),
        "the median run": Bug(
            _chosen_by(lambda validation, test: validation.quantile(0.5, 1)),
            "The median of the seeds decides. With so few seeds it throws most of the measurements away: use the mean.",
            _chosen_by(lambda validation, test: validation.median(1).values),
        ),
        "the worst temperature": Bug(
            _chosen_by(lambda validation, test: -validation.mean(1)),
            "That is the temperature with the lowest accuracy: argmin belongs to a loss. For an accuracy, take argmax.",
        ),
        "the index": Bug(
            lambda temperatures, validation, test: validation.mean(1).argmax(),
            "That is the position of the best temperature in the list. Return the temperature that stands there.",
            lambda temperatures, validation, test: validation.mean(1).argmax() + 1,
        ),
        "wrong axis": Bug(
            _chosen_by(lambda validation, test: validation.mean(0)),
            "The mean runs over axis 0, the temperatures, so you chose the best seed. Average over the seeds: axis 1.",
        ),
        "one seed only": Bug(
            _chosen_by(lambda validation, test: validation[:, 0]),
            "Only one seed is looked at. The others were run so that the luck of one does not decide.",
            _chosen_by(lambda validation, test: validation[:, -1]),
        ),
        "the accuracy": Bug(
            lambda temperatures, validation, test: validation.mean(1).amax(),
            "That is the best accuracy. Return the temperature that reached it.",
            lambda temperatures, validation, test: test.mean(1)[validation.mean(1).argmax()],
            lambda temperatures, validation, test: validation.amax(),
        ),
        "the last of equal ones": Bug(
            lambda temperatures, validation, test: temperatures[_last_best(validation.mean(1))],
            "Two temperatures are equally good here, and you take the last. Take the first, as argmax does: "
            "a rule for ties that is fixed beforehand leaves nothing to taste.",
        ),
        "one choice per seed": Bug(
            lambda temperatures, validation, test: temperatures[validation.argmax(0)].mean(),
            "Each seed makes a choice of its own. Average the accuracies over the seeds first, then choose once.",
            lambda temperatures, validation, test: temperatures[validation.argmax(0)],
        ),
        "where validation and test agree": Bug(
            _chosen_by(lambda validation, test: -(validation - test).mean(1).abs()),
            "You choose where validation and test differ least. That is luck, not quality; and it looks at test.",
        ),
        "the steadiest": Bug(
            _chosen_by(lambda validation, test: -validation.std(1)),
            "You choose the temperature whose seeds differ least. Steady is not good: choose the best mean.",
        ),
    },
    rules=[
        Rule(
            lambda chosen, temperatures, validation, test: bool((temperatures == chosen).any()),
            "The answer should be one of the temperatures that were tried.",
        )
    ],
)
