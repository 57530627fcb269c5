"""Students that are no MLPs: each row is what `distill` trains alone, and is kept under its code."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from blobs import C, D, blobs, files, same
from torch import nn

from kdcourse.data import Split
from kdcourse.models import mlp
from kdcourse.sweep import grid, sweep
from kdcourse.train import cosine, distill

RUN = {"epochs": 3, "batch_size": 64, "schedule": cosine, "device": "cpu", "progress": False}
GRID = {"width": [4, 7], "temperature": [1, 4], "lr": 0.02, "init_seed": [0, 1], "order_seed": [0, 3]}


def normed(row, depth=1):
    """A student with what no stack has: batch norm. It behaves differently in training and afterwards."""
    width = row["width"]
    torch.manual_seed(row["init_seed"])
    layers = [nn.Sequential(nn.Linear(width, width), nn.Tanh()) for _ in range(depth)]
    return nn.Sequential(nn.Linear(D, width), nn.BatchNorm1d(width), *layers, nn.Linear(width, C))


@pytest.fixture(scope="module")
def data():
    return blobs()


def test_every_row_is_the_student_that_distill_trains_alone(data):
    table = sweep(grid(**GRID), data, student=normed, predictions=True, resume=False, **RUN)
    assert table["validation_accuracy"].nunique() > 5  # the rows differ, so a mix-up would show
    for row in table.to_dict("records"):
        model = normed(row)
        settings = {name: row[name] for name in ("temperature", "soft_weight", "lr", "weight_decay", "order_seed")}
        train = data.train
        history = distill(model, train.inputs, train.teacher_logits, train.labels, **settings, **RUN)
        assert row["loss"] == pytest.approx(history.last["loss"], rel=1e-6)
        assert row["parameters"] == sum(weight.numel() for weight in model.parameters())
        for split in ("validation", "test"):
            said = model.eval()(getattr(data, split).inputs).detach().numpy()
            np.testing.assert_allclose(row[f"{split}_logits"], said, rtol=1e-4, atol=1e-5)
            right = said.argmax(1) == getattr(data, split).labels.numpy()
            assert row[f"{split}_accuracy"] == pytest.approx(right.mean(), abs=1e-12)


def test_an_mlp_trained_alone_is_the_one_of_the_stack(data):
    def alone(row):
        return mlp([D, row["width"], C], row["init_seed"])

    settings = grid(**GRID | {"soft_weight": [0, 1]})
    stacked = sweep(settings, data, resume=False, **RUN)
    numbers = stacked.select_dtypes("number").columns.drop(["seconds", "diverged_at"])
    found = sweep(settings, data, student=alone, resume=False, **RUN)
    np.testing.assert_allclose(found[numbers], stacked[numbers], rtol=1e-4, atol=1e-5)


def test_a_student_is_kept_under_its_code_and_its_values(data, tmp_path):
    def swept(student):
        return sweep(grid(**GRID), data, student=student, resume=tmp_path, predictions=True, **RUN)

    first = swept(functools.partial(normed, depth=1))
    before = files(tmp_path)
    assert len(before) == len(first)
    same(swept(functools.partial(normed, depth=1)), first)
    assert files(tmp_path) == before
    other = swept(functools.partial(normed, depth=2))
    assert (other["parameters"] > first["parameters"]).all()
    assert len(files(tmp_path)) == 2 * len(first)


def test_a_student_that_does_not_fit_the_data_is_refused_before_training(data):
    with pytest.raises(ValueError, match="as many classes as the student, got 4 and 5"):
        sweep(grid(width=3), data, student=lambda row: nn.Linear(D, 5), resume=False, **RUN)
    with pytest.raises(TypeError, match="must be an nn.Module, got dict"):
        sweep(grid(width=3), data, student=lambda row: row, resume=False, **RUN)


def test_a_student_that_does_not_seed_itself_starts_from_the_seed_of_its_row(data):
    def unseeded(row):
        return nn.Sequential(nn.Linear(D, row["width"]), nn.Tanh(), nn.Linear(row["width"], C))

    settings = grid(width=4, lr=0.02, init_seed=range(6))
    torch.manual_seed(5)
    first = sweep(settings, data, student=unseeded, predictions=True, resume=False, **RUN)
    drawn = torch.rand(3)
    again = sweep(settings, data, student=unseeded, predictions=True, resume=False, **RUN)
    same(again, first, but=["seconds"])
    assert len({one.tobytes() for one in first["test_logits"]}) == 6
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))  # and torch's generator is left as it was


@pytest.mark.parametrize("wrong", [nn.Linear(D, C), nn.Linear])
def test_a_student_that_is_no_function_of_a_row_is_refused(data, wrong):
    with pytest.raises(TypeError, match="student must be a function of a row of the grid, .*, got .*Linear"):
        sweep(grid(width=3), data, student=wrong, resume=False, **RUN)


def test_students_of_ones_own_may_read_pictures(data):
    def pictures(tensor):
        return tensor.unsqueeze(1).unsqueeze(3)  # [N, 1, D, 1]

    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    shaped = {name: Split(one.labels, one.teacher_logits, inputs=pictures(one.inputs)) for name, one in parts.items()}
    flat = sweep(grid(width=4, lr=0.02), data, student=normed, resume=False, **RUN)
    options = {"student": lambda row: nn.Sequential(nn.Flatten(), *normed(row)), "resume": False} | RUN
    found = sweep(grid(width=4, lr=0.02), replace(data, **shaped), **options)
    same(found.drop(columns="seconds"), flat.drop(columns="seconds"))
    with pytest.raises(ValueError, match=r"data\.train\.inputs must be \[N, D\], got shape \[\d+, 1, \d+, 1\]"):
        sweep(grid(width=4), replace(data, **shaped), resume=False, **RUN)


def test_a_loss_of_ones_own_trains_such_students_too(data):
    def squares(student_logits, teacher_logits, labels):
        return (student_logits - teacher_logits).square().mean(1)

    (row,) = sweep(grid(width=5), data, student=normed, loss=squares, resume=False, **RUN).to_dict("records")
    model = normed(row)
    train = data.train
    history = distill(model, train.inputs, train.teacher_logits, loss=squares, **RUN)
    assert row["loss"] == pytest.approx(history.last["loss"], rel=1e-6)
