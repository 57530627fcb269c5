"""The settings in which claims are measured: a data set, how its students train, and the metric that fits it."""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_softmax

from kdcourse.stats import auroc_contributions

BLOCK = 5_000  # examples in a block of the training split: repetitions take different ones
MOST_BLOCKS = 20


@dataclass(frozen=True)
class Setting:
    """A data set, and what belongs to it in every experiment.

    Attributes
    ----------
    name : str
        Of the data set, for `data.load`.
    example : str
        What test examples are called, in the plural; where they come in groups that share their luck, the groups.
    training : dict
        {training examples: epochs and batch size}: about as many passes as each can use, the same for every arm.
    sizes : tuple of int
        Training examples with which soft labels are compared with labels.
    width : int
        Hidden units of the everyday student.
    widths : tuple of int
        Of a small and of a large student.
    ratios : tuple of int
        How many times smaller than the teacher a student can be, and still be one of the kind that is trained here.
    metric, choose : str
        What is reported, one of `METRICS`, and the column of a sweep that settings are chosen by.
    also : tuple of str
        Metrics that are reported beside it.
    group : str or None
        The column of `test.about` that says which examples share their luck.
    """

    name: str
    example: str
    training: dict[int, dict] = field(hash=False)
    sizes: tuple[int, ...] = (500, 5_000, 50_000)
    width: int = 64
    widths: tuple[int, int] = (32, 256)
    ratios: tuple[int, ...] = ()
    metric: str = "accuracy"
    also: tuple[str, ...] = ()
    choose: str = "validation_accuracy"
    group: str | None = None

    @property
    def predictions(self):
        """What a sweep must keep of each student, for `scores`."""
        return "right" if self.metric == "accuracy" else True

    def scores(self, table, test):
        """float [students, test examples]: what each example adds to the metric of each student; its mean."""
        if "test_right" in table:
            return np.stack(table["test_right"]).astype(np.float32)
        return np.stack([self.of_logits(logits, test) for logits in table["test_logits"]])

    def of_logits(self, logits, split):
        """float [examples]: as `scores`, of logits [examples, classes], such as the teacher's."""
        labels, logits = split.labels.numpy(), np.asarray(logits)
        if self.metric == "accuracy":
            return (logits.argmax(1) == labels).astype(np.float32)
        if self.metric == "AUROC":
            return auroc_contributions(labels, logits[:, 1] - logits[:, 0])
        return np.take_along_axis(log_softmax(logits, 1), labels[:, None], 1)[:, 0]

    def independent(self, values, test):
        """float [students, groups]: values [students, test examples], summed over what is not independent.

        The mean of every row stays what it was.
        """
        if self.group is None:
            return values
        names, place = np.unique(test.about[self.group], return_inverse=True)
        sums = np.stack([np.bincount(place, weights=row, minlength=len(names)) for row in values])
        return sums * (len(names) / values.shape[1])

    def looks(self):
        """What a part says of its numbers: setting, metric, scale, unit, and what a test example is called."""
        scale, unit = METRICS[self.metric]
        return {"setting": self.name, "metric": self.metric, "scale": scale, "unit": unit, "example": self.example}


# What is reported -> by how much it is multiplied to be shown, and its unit then. More is better.
METRICS = {
    "accuracy": (100.0, "points"),
    "AUROC": (100.0, "points"),
    "log-likelihood": (1.0, "nats"),
    "phoneme accuracy": (100.0, "points"),
    "word accuracy": (100.0, "points"),
    "calibration": (100.0, "points"),
    "pronunciations said": (100.0, "points"),
}

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "fashion-mnist",
            "pictures",
            {
                100: {"epochs": 40, "batch_size": 20},
                500: {"epochs": 40, "batch_size": 64},
                5_000: {"epochs": 20, "batch_size": 128},
                50_000: {"epochs": 10, "batch_size": 128},
            },
            sizes=(100, 500, 5_000, 50_000),
            ratios=(2, 5, 10, 20, 50, 100, 200),
        ),
        Setting("spam-assassin", "mails", {}, sizes=(), width=4),
        Setting(
            "wordnet-glosses",
            "glosses",
            {
                500: {"epochs": 40, "batch_size": 64},
                5_000: {"epochs": 20, "batch_size": 128},
                50_000: {"epochs": 8, "batch_size": 128},
            },
            widths=(32, 128),
            ratios=(2, 10, 20, 50, 100, 200, 500),
        ),
        Setting(
            "flights",
            "days",
            {
                500: {"epochs": 80, "batch_size": 64},
                5_000: {"epochs": 20, "batch_size": 128},
                50_000: {"epochs": 5, "batch_size": 128},
            },
            widths=(16, 128),
            ratios=(2, 5, 10, 20, 50),
            metric="AUROC",
            also=("log-likelihood", "accuracy"),
            choose="validation_nll",
            group="date",
        ),
        Setting("cmudict", "groups of words", {}, sizes=(2_000,), metric="phoneme accuracy", group="group"),
    )
}
