"""What the tests of the ledger share: a bench whose sweep trains nothing, so that what there is to find is known."""

import functools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from kdcourse import claims, data
from kdcourse._examples.losses import only_one
from kdcourse.claims.choices import Choices
from kdcourse.claims.settings import SETTINGS, Setting

NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NOISE = 0.0005  # of a single student; what students with the same seeds share is forty times as large, and on test only
MAILS = ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"]


@dataclass(frozen=True)
class Bench:
    """What an experiment gets, and beside it `seen`: what was swept, each with its grid, data set and options.

    Students that are made by a function of their own are not among these: the ladder of CNNs has its own tests.
    """

    setting: Setting
    data: data.DataSet
    sweep: Callable
    seen: list
    device: str = "cpu"
    choices: Choices = field(default_factory=Choices)


def world(effect, *, setting="fashion-mnist", teacher=0.9, examples=50_000, says=None):
    """A bench on which accuracies follow from `effect(row of the grid, data set)` -> (on validation, on test).

    A row of the grid says, too, whether its sweep was given a `loss`, or a `student`. Where `says` is not given, every
    test example has the accuracy of a student as its score, and every student predicts what the teacher does.

    setting  whose form the data have: pictures, glosses (ids), flights (days, two classes) or mails (groups)
    teacher  the share of the labels that the teacher gets right
    says     the logits of a student, a function of row of the grid, data set and name of the split
    """
    generator, random = torch.Generator().manual_seed(0), np.random.default_rng(0)
    names = NAMES if setting in ("fashion-mnist", "wordnet-glosses") else ("no", "yes")
    rare = 0.8 ** torch.arange(10) if setting == "wordnet-glosses" else torch.ones(len(names))

    def split(n):
        labels = torch.multinomial(rare, n, replacement=True, generator=generator)
        about = {"date": random.integers(n // 20, size=n), "origin": random.choice(["EWR", "JFK", "LGA"], n)}
        if setting == "spam-assassin":
            about = {"group": random.choice(MAILS, n, p=[0.4, 0.2, 0.08, 0.12, 0.2])}
            labels = torch.tensor([name.startswith("spam") for name in about["group"]]).long()
        logits = 5 * torch.nn.functional.one_hot(labels, len(names)).float()
        wrong = torch.rand(n, generator=generator) > teacher
        logits[wrong] = logits[wrong].roll(1, 1)
        logits[::5] /= 2  # a teacher is not equally sure of every example
        place = torch.arange(n)  # by this, an example is known again
        if setting == "wordnet-glosses":
            inputs = torch.stack([1 + place // 256, 1 + place % 256, torch.zeros_like(place)], 1)
        else:
            inputs = torch.cat([place[:, None] / 2**16, torch.randn(n, 5, generator=generator)], 1)  # exact in float32
        return data.Split(labels, logits, inputs=inputs, about=pd.DataFrame(about))

    form = {"teacher_parameters": 46_000, "vocabulary": None}
    if setting == "wordnet-glosses":
        form = {"teacher_parameters": 500_000, "vocabulary": 257}
    everything = data.DataSet("toy", split(examples), split(2_000), split(2_000), names, **form)
    seen = []

    def sweep(grid, some, *, epochs, batch_size, schedule=None, predictions=False, loss=None, student=None):
        for temperature, soft_weight in zip(grid["temperature"], grid["soft_weight"], strict=True):
            only_one(loss, temperature=temperature, soft_weight=soft_weight)  # as a real sweep has it
        columns = {name: grid[name].to_numpy() for name in grid} | {"loss": np.full(len(grid), loss is not None)}
        options = {"epochs": epochs, "batch_size": batch_size, "schedule": schedule}
        shown = {"grid": pd.DataFrame(columns), "data": some, "options": options}
        if student is None:
            seen.append(SimpleNamespace(**shown, loss=loss, predictions=predictions))
        rows = [SimpleNamespace(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
        drawn = [len(some.train), zlib.crc32(repr(rows).encode())]
        for row in rows:
            row.student = student
        on_validation, on_test = np.array([effect(row, some) for row in rows]).T
        luck = [np.random.default_rng([row.init_seed, row.order_seed]).normal(0, 40 * NOISE) for row in rows]
        # The same students have the same noise, whenever they are trained.
        noise = np.random.default_rng(drawn).normal(0, NOISE, (2, len(rows)))
        on_validation, on_test = on_validation + noise[0], on_test + luck + noise[1]
        measured = {"validation_accuracy": on_validation, "validation_nll": 1 - on_validation}
        table = {**columns, **measured, "validation_auroc": on_validation, "epochs": np.full(len(grid), epochs)}
        del table["loss"]

        def logits(row, name):
            return getattr(some, name).teacher_logits.numpy() if says is None else says(row, some, name)

        if predictions is True:
            for name in ("validation", "test"):
                table[f"{name}_logits"] = [logits(row, name) for row in rows]
        elif predictions == "right" and says is None:
            table["test_right"] = [np.full(len(some.test), one) for one in on_test]
        elif predictions == "right":
            table["test_right"] = [logits(row, "test").argmax(1) == some.test.labels.numpy() for row in rows]
        return pd.DataFrame(table)

    return Bench(SETTINGS[setting], everything, sweep, seen)


def flat(row, some):
    """The effect of a world in which all students are as good; on validation, none of those at an edge is."""
    lr = 0.01 if row.soft_weight and not row.loss else 0.003
    off = abs(np.log10(row.lr / lr)) + 0.1 * abs(np.log(row.temperature / 2.5)) + abs(row.soft_weight % 1 - 0.5)
    return 0.8 - 0.1 * off - 0.1 * row.weight_decay, 0.8


def trap(chosen, on_test):
    """(on validation, on test) of a student: every setting but the chosen one looks better on test, and by far."""
    return (0.8, on_test) if chosen else (0.7, 0.99)


def spy(monkeypatch, module, name, trained, *, untrained=False):
    """Note in `trained` each model that a function of a module trains: its weights before, and what it was given.

    Where they are to stay `untrained`, each is made different from all others, and nothing more.
    """
    original = getattr(module, name)

    def train(model, inputs, signal, **options):
        begun = [weight.detach().clone() for weight in model.parameters()]
        trained.append({"with": name, "model": model, "begun": begun, "inputs": inputs, "signal": signal} | options)
        if not untrained:
            return original(model, inputs, signal, **options)
        *_, bias = model.parameters()
        return bias.data.add_(torch.randn(len(bias), generator=torch.Generator().manual_seed(len(trained))))

    monkeypatch.setattr(module, name, train)


def positions(inputs):
    """Which training examples these are, by their inputs."""
    if not inputs.is_floating_point():
        return ((inputs[:, 0] - 1) * 256 + inputs[:, 1] - 1).tolist()
    return (inputs[:, 0].double() * 2**16).round().long().tolist()


@functools.cache
def which(split):
    """The examples of a split of the training examples, as their positions in it."""
    return positions(split.inputs)


def by_order(calls, bench):
    """{order seed: (positions of its examples, its initial weights)} of students that chose and were tested as all are.

    Fails where the students of an order have several sets of examples, or a call has several orders.
    """
    orders = {}
    for one in calls:
        (order,) = set(one.grid["order_seed"])
        where, inits = orders.setdefault(order, (which(one.data.train), set()))
        assert which(one.data.train) == where
        inits |= set(one.grid["init_seed"])
        assert one.data.validation is bench.data.validation or len(one.data.validation) == 500
        assert one.data.test is bench.data.test
    return orders


def speaker(some, models):
    """Which of these models made the teacher logits of a data set, as its position; None if none did."""
    few = slice(20)
    with torch.no_grad():
        for position, model in enumerate(models):
            if torch.allclose(model(some.train.inputs[few]), some.train.teacher_logits[few], atol=1e-5):
                return position
    return None


def found(name, bench, choices=None):
    """What the claim of this name comes to on this bench; `choices` are taken, and added to, where they are given."""
    (claim,) = claims.find(name)
    return claims.evaluate(claim, claim.measure(replace(bench, choices=choices or Choices())))


def ids(result):
    return [claims.part_id(part["key"]) for part in result["parts"]]


def means(result):
    return [part["mean"] for part in result["parts"]]


def width(result):
    """The widest interval. It is wide where the pairs are not paired: their shared luck does not cancel then."""
    return max(part["high"] - part["low"] for part in result["parts"])


def settings(calls, arm=lambda row: True):
    """The different settings tried by the students in these calls for which `arm(row)` holds."""
    columns = ["temperature", "soft_weight", "lr", "weight_decay"]
    rows = pd.concat([one.grid for one in calls])
    return rows[[bool(arm(row)) for row in rows.itertuples()]].drop_duplicates(columns)
