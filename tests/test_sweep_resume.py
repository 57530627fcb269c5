"""A sweep goes on where it stopped, and never takes up what something else has left."""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blobs import blobs, files, same

from kdcourse import store
from kdcourse.data import Split
from kdcourse.sweep import chunk, grid, kept, sweep
from kdcourse.train import cosine

DATA = blobs(sizes={"train": 60, "validation": 20, "test": 20})
GRID = grid(width=[3, 5], soft_weight=[0, 1], lr=[0.01, 1e30], init_seed=[0, 1])  # half of them diverge
QUIET = {"device": "cpu", "progress": False}
RUN = {"epochs": 2, "batch_size": 16, "chunk": 3, **QUIET}  # 2 kinds of 8 students, so 6 chunks


@pytest.fixture
def trained(monkeypatch):
    """The settings of every chunk that is trained from now on."""
    chunks, inner = [], chunk.train_chunk

    def counted(place, chunk, *arrays, **options):
        chunks.append(chunk.settings)
        return inner(place, chunk, *arrays, **options)

    monkeypatch.setattr("kdcourse.sweep.run.train_chunk", counted)
    return chunks


# ---- the same call again ----


@pytest.mark.parametrize("predictions", [False, True])
def test_the_same_call_trains_nothing_and_gives_the_same_table(tmp_path, trained, predictions):
    folder = tmp_path / "new" / "folder"
    table = sweep(GRID, DATA, resume=folder, predictions=predictions, **RUN)
    assert len(trained) == len(files(folder)) == 6
    assert table["diverged_at"].isna().sum() == table["test_nll"].notna().sum() == 8
    before = files(folder)
    again = sweep(GRID, blobs(sizes={"train": 60, "validation": 20, "test": 20}), resume=str(folder),
                  predictions=predictions, **RUN)  # fmt: skip
    assert len(trained) == 6
    same(again, table)
    assert files(folder) == before
    assert sorted(os.listdir(folder)) == sorted(before)


def test_it_says_what_was_trained_before(tmp_path, capsys):
    sweep(GRID[:8], DATA, resume=tmp_path, **RUN)
    sweep(GRID, DATA, resume=tmp_path, **{**RUN, "progress": True})
    assert f"8 of 16 students were trained before; kept in {tmp_path}\n" in capsys.readouterr().out


def test_the_order_and_the_index_of_the_grid_do_not_matter(tmp_path, trained):
    table = sweep(GRID, DATA, resume=tmp_path, **RUN)
    shuffled = GRID.sample(frac=1, random_state=0)
    same(sweep(shuffled, DATA, resume=tmp_path, **RUN), table.loc[shuffled.index])
    renamed = GRID.set_axis([f"student {k}" for k in range(16)])
    same(sweep(renamed, DATA, resume=tmp_path, **RUN), table.set_axis(renamed.index))
    assert len(trained) == 6


@pytest.mark.parametrize(
    "arguments",
    [
        {"schedule": lambda done: 1.0},
        {"epochs": np.int64(2)},
        {"device": torch.device("cpu")},
        {"data": replace(DATA, name="another name", teacher_parameters=5)},
    ],
    ids=["constant schedule", "numpy", "device", "name"],
)
def test_what_does_not_change_the_results_does_not_change_the_files(tmp_path, trained, arguments):
    sweep(GRID, DATA, resume=tmp_path, **RUN)
    sweep(GRID, **{"data": DATA, "resume": tmp_path, **RUN, **arguments})
    assert len(trained) == 6


def with_one_changed(split, part):
    """The data with one number of one split changed by as little as can be."""
    old = getattr(DATA, split)
    parts = {name: getattr(old, name).clone() for name in ("labels", "teacher_logits", "inputs")}
    flat = parts[part].view(-1)
    flat[7] = (flat[7] + 1) % 4 if part == "labels" else torch.nextafter(flat[7], torch.tensor(torch.inf))
    new = Split(parts["labels"], parts["teacher_logits"], inputs=parts["inputs"])
    return replace(DATA, **{split: new})


CHANGES = {
    "epochs": {"epochs": 3},
    "batch size": {"batch_size": 15},
    "schedule": {"schedule": cosine},
    "bf16": {"bf16": True},
    "tf32": {"tf32": True},
    "predictions": {"predictions": True},
    "width": {"grid": grid(width=4)},
    "depth": {"grid": grid(width=3, hidden_layers=2)},
    "temperature": {"grid": grid(width=3, temperature=1.0000000000000002)},
    "soft weight": {"grid": grid(width=3, soft_weight=0.5)},
    "lr": {"grid": grid(width=3, lr=0.002)},
    "weight decay": {"grid": grid(width=3, weight_decay=0.1)},
    "init seed": {"grid": grid(width=3, init_seed=1)},
    "order seed": {"grid": grid(width=3, order_seed=1)},
    "company": {"grid": grid(width=3, init_seed=[0, 1])},
    "fewer examples": {"data": DATA.subset(59)},
    **{
        f"one of the {part} of {split}": {"data": with_one_changed(split, part)}
        for split in ("train", "validation", "test")
        for part in ("labels", "teacher_logits", "inputs")
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_the_results_changes_the_files(tmp_path, trained, change):
    call = {"grid": grid(width=3), "data": DATA, "resume": tmp_path, **RUN}
    sweep(**call)
    sweep(**{**call, **change})
    assert (len(trained), len(files(tmp_path))) == (2, 2)


def test_another_version_of_the_engine_does_not_take_up_what_the_old_one_left(tmp_path, monkeypatch, trained):
    copies = []
    for module in kept.ENGINE:
        path = tmp_path / Path(module.__file__).name
        path.write_bytes(Path(module.__file__).read_bytes())
        copies.append(SimpleNamespace(__file__=str(path)))
    call = {"grid": grid(width=3), "data": DATA, "resume": tmp_path / "kept", **RUN}
    sweep(**call)
    monkeypatch.setattr(kept, "ENGINE", copies)
    sweep(**call)
    assert len(trained) == 1
    for count, copy in enumerate(copies):
        with open(copy.__file__, "a") as source:
            source.write("# changed\n")
        sweep(**call)
        assert len(trained) == count + 2
    monkeypatch.setattr(torch, "__version__", "0.4.1")
    sweep(**call)
    assert len(files(tmp_path / "kept")) == len(copies) + 2


# ---- where the files are ----


def test_by_default_finished_chunks_are_kept_in_the_folder_of_the_user(tmp_path, monkeypatch, trained):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    table = sweep(GRID, DATA, **RUN)
    assert len(files(tmp_path / "home" / "sweeps")) == 6
    same(sweep(GRID, DATA, resume=None, **RUN), table)
    assert len(trained) == 6


def test_without_resume_nothing_is_written_or_read(tmp_path, monkeypatch, trained):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        sweep(GRID, DATA, resume=False, **RUN)
    assert len(trained) == 12
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder has another place")
@pytest.mark.parametrize("home", [None, ""])
def test_without_a_home_the_folder_is_the_one_of_the_system(tmp_path, monkeypatch, home):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KDCOURSE_HOME", "")
    if home is None:
        monkeypatch.delenv("KDCOURSE_HOME")
    assert store.cache_folder("sweeps") == tmp_path / "kdcourse" / "sweeps"
    assert os.listdir(tmp_path) == []


def test_a_home_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    assert store.cache_folder("progress") == tmp_path / "progress"


# ---- damage ----


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: content[:5], lambda _: b"", lambda _: b"garbage" * 1000],
    ids=["truncated", "header only", "empty", "garbage"],
)
def test_a_damaged_file_is_named_and_its_students_are_trained_again(tmp_path, trained, damage):
    table = sweep(GRID, DATA, resume=tmp_path, predictions=True, **RUN)
    whole = files(tmp_path)
    name = sorted(whole)[2]
    (tmp_path / name).write_bytes(damage(whole[name]))
    with pytest.warns(UserWarning, match=f"{name} is not a whole .* trained again"):
        again = sweep(GRID, DATA, resume=tmp_path, predictions=True, **RUN)
    assert len(trained) == 7
    same(again, table, but=["seconds"])
    assert files(tmp_path).keys() == whole.keys()
    same(sweep(GRID, DATA, resume=tmp_path, predictions=True, **RUN), again)
    assert len(trained) == 7


def test_what_a_killed_writer_left_is_never_taken_for_a_result(tmp_path, trained):
    table = sweep(GRID, DATA, resume=tmp_path, **RUN)
    for path in list(tmp_path.glob("*.safetensors")):  # as if each had been killed in the last moment before its name
        path.rename(tmp_path / f".{path.name}.abcd1234.part")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(sweep(GRID, DATA, resume=tmp_path, **RUN), table, but=["seconds"])
    assert len(trained) == 12


def test_an_error_keeps_what_was_finished_before_it(tmp_path, monkeypatch):
    inner, calls = chunk.distill_stack, []

    def third_time_unlucky(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return inner(*arguments, **options)

    monkeypatch.setattr(chunk, "distill_stack", third_time_unlucky)
    with pytest.raises(ZeroDivisionError):
        sweep(GRID, DATA, resume=tmp_path, **RUN)
    assert len(files(tmp_path)) == 2
    same(sweep(GRID, DATA, resume=tmp_path, **RUN), sweep(GRID, DATA, resume=False, **RUN), but=["seconds"])
    assert len(calls) == 3 + 4 + 6


def test_a_cache_that_cannot_be_written_costs_a_warning_and_not_the_sweep(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file where a folder should be")
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    with pytest.warns(UserWarning, match="sweeps cannot be written .*: this sweep keeps nothing"):
        table = sweep(grid(width=4), blobs(), epochs=1, device="cpu", progress=False)
    assert table["test_accuracy"].notna().all()


def test_a_folder_that_was_asked_for_and_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        sweep(grid(width=4), blobs(), epochs=1, device="cpu", progress=False, resume=tmp_path / "file")
