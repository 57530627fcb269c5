"""What the tests of the ledger share: a bench whose sweep trains nothing, so that what there is to find is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from kdcourse import claims, data

NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
NOISE = 0.0005  # of a single student; what students with the same seeds share is forty times as large, and on test only


def world(effect, *, teacher=0.9, pictures=50_000, teacher_parameters=460_000, says=None):
    """A bench on which accuracies follow from `effect(row of the grid, data set)` -> (on validation, on test).

    Where predictions are asked for, every student predicts what the teacher does, or `says`.

    teacher  the share of the labels that the teacher gets right
    says     the logits of a student, a function of row of the grid, data set and name of the split
    returns  what an experiment gets, and beside it `seen`: what was swept, each with its grid, data set and options
    """
    generator = torch.Generator().manual_seed(0)

    def split(n):
        labels = torch.randint(0, 10, (n,), generator=generator)
        logits = 5 * torch.nn.functional.one_hot(labels, 10).float()
        wrong = torch.rand(n, generator=generator) > teacher
        logits[wrong] = logits[wrong].roll(1, 1)
        logits[::5] /= 2  # a teacher is not equally sure of every picture
        inputs = torch.randn(n, 6, generator=generator)
        inputs[:, 0] = torch.arange(n) / 2**16  # exact in float32: by this, a picture is known again
        return data.Split(labels, logits, inputs=inputs)

    splits = split(pictures), split(2_000), split(2_000)
    garments = data.DataSet("toy", *splits, NAMES, teacher_parameters=teacher_parameters)
    seen = []

    def sweep(grid, some, *, epochs, batch_size, schedule=None, predictions=False):
        options = {"epochs": epochs, "batch_size": batch_size, "schedule": schedule, "predictions": predictions}
        seen.append(SimpleNamespace(grid=grid, data=some, options=options))
        on_validation, on_test = zip(*[effect(row, some) for row in grid.itertuples()], strict=True)
        seeds = zip(grid["init_seed"], grid["order_seed"], strict=True)
        luck = [np.random.default_rng([int(init), int(order)]).normal(0, 40 * NOISE) for init, order in seeds]
        # The same students have the same noise, whenever they are trained.
        random = np.random.default_rng([len(some.train), int(pd.util.hash_pandas_object(grid, index=False).sum())])
        noise = random.normal(0, NOISE, (2, len(grid)))
        table = grid.assign(
            validation_accuracy=np.array(on_validation) + noise[0],
            test_accuracy=np.array(on_test) + luck + noise[1],
        )
        for name in ("validation", "test") if predictions else ():
            table[f"{name}_logits"] = [
                getattr(some, name).teacher_logits.numpy() if says is None else says(row, some, name)
                for row in grid.itertuples()
            ]
        return table

    names = {"setting": "fashion-mnist", "data": garments, "garments": garments}
    return SimpleNamespace(**names, sweep=sweep, device="cpu", seen=seen)


def flat(row, some):
    """The effect of a world in which all students are as good."""
    return 0.8, 0.8


def spy(monkeypatch, module, name, trained, **changed):
    """Note in `trained` each model that a function of a module trains: its weights before, and what it was given."""
    original = getattr(module, name)

    def train(model, inputs, signal, **options):
        begun = [weight.detach().clone() for weight in model.parameters()]
        trained.append({"with": name, "model": model, "begun": begun, "inputs": inputs, "signal": signal} | options)
        return original(model, inputs, signal, **options | changed)

    monkeypatch.setattr(module, name, train)


def which(split):
    """The pictures of a split of the training pictures, as their positions in it."""
    return (split.inputs[:, 0].double() * 2**16).round().long().tolist()


def by_order(calls, bench):
    """{order seed: (positions of its pictures, its initial weights)} of students that chose and were tested as all are.

    Fails where the students of an order have several sets of pictures, or a call has several orders.
    """
    orders = {}
    for one in calls:
        (order,) = set(one.grid["order_seed"])
        where, inits = orders.setdefault(order, (which(one.data.train), set()))
        assert which(one.data.train) == where
        inits |= set(one.grid["init_seed"])
        assert one.data.validation is bench.garments.validation
        assert one.data.test is bench.garments.test
    return orders


def speaker(some, models):
    """Which of these models made the teacher logits of a data set, as its position; None if none did."""
    with torch.no_grad():
        same = [torch.allclose(model(some.train.inputs), some.train.teacher_logits, atol=1e-5) for model in models]
    return same.index(True) if True in same else None


def trap(chosen, on_test):
    """(on validation, on test) of a student: every setting but the chosen one looks better on test, and by far."""
    return (0.8, on_test) if chosen else (0.7, 0.99)


def found(name, bench):
    """What the claim of this name comes to on this bench."""
    (claim,) = claims.find(name)
    return claims.evaluate(claim, claim.measure(bench))


def said(result):
    """{id of a part: what it says about its claim}"""
    (claim,) = claims.find(result["claim"])
    kinds = {"yes": "supported", "no": "not_supported", "cannot tell": "inconclusive"}
    answers = {claims.part_id(part["key"]): claims.answer(claim, part) for part in result["parts"]}
    return {name: kind for answer, kind in kinds.items() for name in answers if answers[name] == answer}


def ids(result):
    return [claims.part_id(part["key"]) for part in result["parts"]]


def means(result):
    return [part["mean"] for part in result["parts"]]


def width(result):
    """The widest interval. It is wide where the pairs are not paired: their shared luck does not cancel then."""
    return max(part["high"] - part["low"] for part in result["parts"])


def settings(bench, arm, n=None):
    """The different settings tried by the students for which `arm(row)` holds, on n pictures, or on any number."""
    columns = ["temperature", "soft_weight", "lr", "weight_decay"]
    rows = pd.concat([one.grid for one in bench.seen if n in (None, len(one.data.train))])
    return rows[[bool(arm(row)) for row in rows.itertuples()]].drop_duplicates(columns)
