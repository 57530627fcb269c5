"""Grids, and what a sweep refuses before anything is trained, naming the argument, the value and the row."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from blobs import bags, blobs, same, with_changed
from tiny import refusals

from kdcourse.sweep import grid, sweep

QUIET = {"device": "cpu", "progress": False, "resume": False}
SMALL = {"train": 40, "validation": 20, "test": 20}
DATA = blobs(sizes=SMALL)
SEVERAL = {
    "width": [4, 8],
    "hidden_layers": [1, 2],
    "temperature": [1.0, 4.0, 8.0],
    "soft_weight": [0.0, 1.0],
    "lr": [0.001],
    "weight_decay": [0.0, 0.1],
    "init_seed": [0, 1],
    "order_seed": [5, 3],
}


# ---- grid ----


def test_a_grid_is_the_product_of_its_settings():
    table = grid(**SEVERAL)
    assert table.columns.tolist() == list(SEVERAL)
    assert list(table.itertuples(index=False, name=None)) == list(itertools.product(*SEVERAL.values()))
    assert table.index.tolist() == list(range(192))
    assert [str(kind) for kind in table.dtypes] == ["int64"] * 2 + ["float64"] * 4 + ["int64"] * 2


def test_one_value_of_a_setting_needs_no_list():
    assert grid(width=4, lr=0.1, order_seed=2).equals(grid(width=[4], lr=[0.1], order_seed=[2]))
    one = {"hidden_layers": 1, "temperature": 1.0, "soft_weight": 1.0, "lr": 1e-3, "weight_decay": 0.0}
    assert grid(width=4).to_dict("records") == [{"width": 4, **one, "init_seed": 0, "order_seed": 0}]


@pytest.mark.parametrize(
    "values",
    [range(2, 5), np.arange(2, 5), torch.arange(2, 5), pd.Series([2, 3, 4]), (k for k in [2, 3, 4])],
    ids=["range", "numpy", "torch", "pandas", "generator"],
)
def test_settings_come_in_anything_that_can_be_looped_over(values):
    table = grid(width=values, lr=np.float32(0.5), init_seed=np.int64(1))
    assert table.equals(grid(width=[2, 3, 4], lr=0.5, init_seed=1))


@refusals(
    "settings",
    ({"width": 0}, ValueError, r"width must be an integer >= 1, got 0 \(row 0 of the grid\)"),
    ({"width": [4, 8.5]}, ValueError, r"width must be an integer >= 1, got 8\.5 \(row 1 of the grid\)"),
    ({"width": "64"}, ValueError, "width must be a value or several, got '64'"),
    ({"temperature": [1, 0]}, ValueError, r"temperature must be > 0, got 0\.0 \(row 1"),
    ({"temperature": math.inf}, ValueError, r"temperature must be from 1e-6 to 1e6, got inf \(row 0"),
    ({"soft_weight": [0, 1, 1.5]}, ValueError, r"soft_weight must be in \[0, 1\], got 1\.5 \(row 2"),
    ({"lr": [0.1, 0]}, ValueError, r"lr must be > 0, got 0 \(row 1"),
    ({"weight_decay": -1}, ValueError, r"weight_decay must be >= 0 and finite, got -1 \(row 0"),
    ({"order_seed": 0.5}, ValueError, r"order_seed must be an integer >= 0, got 0\.5 \(row 0"),
)
def test_a_grid_names_the_setting_the_value_and_the_row_that_it_refuses(settings, error, message):
    with pytest.raises(error, match=message):
        grid(**{"width": 4, **settings})


# ---- sweep ----


@pytest.fixture(autouse=True)
def _nothing_is_trained(monkeypatch):
    """Unless a test takes this back, whatever reaches the training has come too far."""
    monkeypatch.setattr("kdcourse.sweep.run.train_chunk", lambda *_, **__: pytest.fail("something was trained"))


def test_a_sweep_needs_a_width_and_fills_in_the_rest(monkeypatch):
    monkeypatch.undo()
    table = sweep(pd.DataFrame({"lr": [0.1, 0.01], "width": [3, 5]}, index=[8, 2]), DATA, epochs=1, **QUIET)
    full = sweep(grid(width=[3, 5], lr=[0.1, 0.01]).iloc[[0, 3]], DATA, epochs=1, **QUIET)
    same(table, full.set_axis([8, 2]), but=["seconds"])


TABLE = pd.DataFrame({"width": [3, 4], "lr": [0.1, math.nan]}, index=["a", "b"])
GAPS = pd.concat([grid(width=3), pd.DataFrame({"width": [4], "lr": [0.1]})], ignore_index=True)


@refusals(
    "arguments",
    ({"grid": [{"width": 3}]}, TypeError, "grid must be a DataFrame, as `grid` makes it, got list"),
    ({"grid": TABLE[["lr"]]}, ValueError, "grid must have the column 'width', got none"),
    ({"grid": TABLE[:0]}, ValueError, "grid must have at least one row, got none"),
    ({"grid": TABLE.assign(alpha=1)}, ValueError, "grid must have no other columns than .*; got 'alpha'"),
    ({"grid": TABLE}, ValueError, r"lr must be > 0, got nan \(row 'b' of the grid\)"),
    ({"grid": GAPS}, ValueError, r"hidden_layers must be an integer >= 0, got 1\.0 \(row 0 of the grid\)"),
    ({"data": DATA.train}, TypeError, "data must be a DataSet, got Split"),
    ({"epochs": 0}, ValueError, "epochs must be an integer >= 1, got 0"),
    ({"chunk": 0}, ValueError, "chunk must be an integer >= 1, got 0"),
    ({"schedule": lambda done: -1}, ValueError, "schedule must return a factor >= 0 and finite, got -1"),
    ({"device": "abacus"}, ValueError, "device must be 'auto' or a device of this machine, got 'abacus'"),
    ({"predictions": "wrong"}, ValueError, "predictions must be one of False, True, 'right', got 'wrong'"),
    ({"predictions": None}, ValueError, "predictions must be one of False, True, 'right', got None"),
    ({"resume": True}, TypeError, "resume must be a folder, None or False, got True"),
    ({"direction": "sideways"}, ValueError, "direction must be one of 'forward', 'reverse', got 'sideways'"),
    ({"loss": 5}, TypeError, "loss must be a function .*, got 5"),
    ({"loss": lambda s, t, y: (s - t).mean()}, ValueError, r"loss must return .* got shape \[\]"),
    ({"loss": lambda s, t, y: s.sum(1) * math.nan}, ValueError, "loss must be finite, got nan"),
    ({"loss": max, "grid": grid(width=3, temperature=[1, 4])}, ValueError, r"loss and temperature=4\.0"),
)
def test_a_sweep_names_the_argument_that_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        sweep(**{"grid": grid(width=3), "data": DATA, "epochs": 1, **QUIET, **arguments})


def test_a_folder_that_cannot_be_is_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file"):
        sweep(grid(width=3), DATA, epochs=1, **{**QUIET, "resume": tmp_path / "file"})


def with_nan(tensor):
    tensor = tensor.clone()
    tensor[3, 1] = math.nan
    return tensor


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"teacher_logits": lambda _: None}, ValueError, "must hold the teacher's logits, got None"),
        (
            dict.fromkeys(["inputs", "labels", "teacher_logits"], lambda tensor: tensor[:0]),
            ValueError,
            "must hold at least one example, got none",
        ),
        ({"labels": lambda labels: labels + 1}, ValueError, r": labels must be in \[0, 4\), got 4"),
        ({"inputs": with_nan}, ValueError, ": inputs must be finite, got nan in row 3"),
        ({"inputs": lambda inputs: inputs[:, 0]}, ValueError, r"\.inputs must be .* got shape \[\d+\]"),
        ({"teacher_logits": with_nan}, ValueError, r": teacher_logits must be finite, got nan at index \[3, 1\]"),
        ({"teacher_logits": lambda logits: logits[:, 0]}, ValueError, r"\.teacher_logits must be .* shape \[\d+\]"),
    ],
    ids=["no teacher", "empty", "label too large", "nan input", "flat inputs", "nan logit", "flat logits"],
)
def test_data_that_cannot_be_swept_are_refused_by_split(split, parts, error, message):
    with pytest.raises(error, match=rf"data\.{split}{message}" if message[0] in ":\\" else f"data.{split} {message}"):
        sweep(grid(width=3), with_changed(DATA, split, **parts), epochs=1, **QUIET)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("wrong", [-1, 40])
def test_ids_beyond_the_vocabulary_are_refused_by_split(split, wrong):
    def change(ids):
        ids = ids.clone()
        ids[3, 1] = wrong
        return ids

    data = with_changed(bags(sizes=SMALL), split, inputs=change)
    with pytest.raises(ValueError, match=rf"data\.{split}: inputs must be in \[0, 40\), got {wrong} at index \[3, 1\]"):
        sweep(grid(width=3), data, epochs=1, **QUIET)


@refusals(
    "data",
    (
        replace(bags(sizes=SMALL), vocabulary=None),
        ValueError,
        r"vocabulary must be given .* ids \(torch\.int64\), got None",
    ),
    (replace(bags(sizes=SMALL), vocabulary=1.5), ValueError, r"data\.vocabulary must be an integer >= 2, got 1\.5"),
    (replace(DATA, vocabulary=40), TypeError, r"data\.train: inputs must be an int32 or int64 .* got torch\.float32"),
)
def test_ids_need_a_vocabulary_and_a_vocabulary_needs_ids(data, error, message):
    with pytest.raises(error, match=message):
        sweep(grid(width=3), data, epochs=1, **QUIET)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_splits_that_do_not_match_the_training_split_are_refused(split):
    for parts, message in [
        ({"inputs": lambda inputs: inputs[:, :3]}, r"inputs must fit the model, got .* \[20, 3\]"),
        ({"teacher_logits": lambda logits: logits[:, :3]}, "teacher_logits must have as many classes .* got 3 and 4"),
    ]:
        with pytest.raises(ValueError, match=f"data.{split}: {message}"):
            sweep(grid(width=3), with_changed(DATA, split, **parts), epochs=1, **QUIET)


def test_a_teacher_that_rules_classes_out_is_no_error(monkeypatch):
    monkeypatch.undo()

    def certain(logits):
        return torch.full_like(logits, -math.inf).scatter_(1, logits.argmax(1)[:, None], 0.0)

    data = with_changed(DATA, "train", teacher_logits=certain)
    assert sweep(grid(width=3), data, epochs=1, **QUIET)["test_nll"].notna().all()


def test_counts_may_come_from_a_table(monkeypatch, tmp_path):
    monkeypatch.undo()
    settings = {"epochs": np.int64(1), "batch_size": np.int64(16), "chunk": np.int64(2)}
    found = sweep(grid(width=3), DATA, **settings, **{**QUIET, "resume": tmp_path})
    plain = sweep(grid(width=3), DATA, **{name: int(value) for name, value in settings.items()}, **QUIET)
    same(found, plain, but=["seconds"])
