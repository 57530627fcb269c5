"""A sweep goes on where it stopped, and never takes up what something else has left."""

import contextlib
import functools
import os
import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from blobs import bags, blobs, close, files, same, with_changed

from kdcourse import store
from kdcourse.sweep import grid, kept, sweep
from kdcourse.train import cosine

pytestmark = pytest.mark.slow  # sweeps that are trained again and again

DATA = blobs(sizes={"train": 60, "validation": 20, "test": 20})
GRID = grid(width=[3, 5], soft_weight=[0, 1], lr=[0.01, 1e30], init_seed=[0, 1])  # half of them diverge
QUIET = {"device": "cpu", "progress": False}
RUN = {"epochs": 2, "batch_size": 16, "chunk": 3, **QUIET}  # 2 kinds of 8 students, so 6 chunks


# ---- the same call again ----


@pytest.mark.parametrize("predictions", [False, True, "right"])
def test_the_same_call_trains_nothing_and_gives_the_same_table(tmp_path, trained, predictions):
    folder = tmp_path / "new" / "folder"
    table = sweep(GRID, DATA, resume=folder, predictions=predictions, **RUN)
    assert (len(trained), len(files(folder))) == (6, 16)
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

    def change(tensor):
        flat = tensor.clone().view(-1)
        flat[7] = (flat[7] + 1) % 4 if part == "labels" else torch.nextafter(flat[7], torch.tensor(torch.inf))
        return flat.view_as(tensor)

    return with_changed(DATA, split, **{part: change})


LABELLED = torch.nn.CrossEntropyLoss(reduction="none")


def labelled(student_logits, teacher_logits, labels):
    return LABELLED(student_logits, labels)


OTHER_SETTINGS = {"width": 4, "hidden_layers": 2, "temperature": 1.0000000000000002, "soft_weight": 0.5}
OTHER_SETTINGS |= {"lr": 0.002, "weight_decay": 0.1, "init_seed": 1, "order_seed": 1}
CHANGES = {
    "epochs": {"epochs": 3},
    "batch size": {"batch_size": 15},
    "schedule": {"schedule": cosine},
    "bf16": {"bf16": True},
    "tf32": {"tf32": True},
    "direction": {"direction": "reverse"},
    "loss": {"loss": labelled},
    "fewer examples": {"data": DATA.subset(59)},
    **{name: {"grid": grid(**{"width": 3, name: value})} for name, value in OTHER_SETTINGS.items()},
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


def test_students_kept_with_more_serve_a_request_for_less(tmp_path, trained):
    wanted = ["right", False, True, "right", False, True]
    found = [sweep(GRID, DATA, resume=tmp_path, predictions=one, **RUN) for one in wanted]
    assert len(trained) == 6 + 6  # once for what little is asked for at first, and once for the logits
    assert len(files(tmp_path)) == 16
    same(found[0].drop(columns="test_right"), found[1])
    for one, table in zip(wanted, found, strict=True):
        same(table, sweep(GRID, DATA, resume=False, predictions=one, **RUN), but=["seconds"])


def test_students_of_ids_are_kept_and_others_are_trained_for_other_ids_or_another_vocabulary(tmp_path, trained):
    data = bags(sizes={"train": 60, "validation": 20, "test": 20})
    call = {"grid": grid(width=3, hidden_layers=[0, 1]), "resume": tmp_path, **RUN}
    table = sweep(data=data, **call)
    same(sweep(data=bags(sizes={"train": 60, "validation": 20, "test": 20}), **call), table)
    assert len(trained) == 2
    for count, other in enumerate([
        replace(data, vocabulary=41),
        *(with_changed(data, split, inputs=lambda ids: ids.roll(1, 0)) for split in ("train", "validation", "test")),
    ]):  # fmt: skip
        sweep(data=other, **call)
        assert len(trained) == 4 + 2 * count


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_student_is_found_whatever_its_company_and_the_number_of_cores(tmp_path, trained, threads, two_threads):
    table = sweep(GRID, DATA, resume=tmp_path, **RUN)
    del trained[:]
    torch.set_num_threads(threads)
    more = pd.concat([GRID[::3], grid(width=4, init_seed=[0, 1])], ignore_index=True)
    found = sweep(more, DATA, resume=tmp_path, **{**RUN, "chunk": 64})
    assert sorted(row["init_seed"] for settings in trained for row in settings) == [0, 1]
    assert {row["width"] for settings in trained for row in settings} == {4}
    same(found[:6], table[::3].reset_index(drop=True))


# A change in a file, and what it lies behind: the results of a stack, and of students who are trained one by one.
CHANGES = [
    ("stack.py", "self.optimizer.step()", "self.optimizer.step()  # a comment", ()),
    ("stack.py", '"""Fit every student', '"""Said otherwise: fit every student', ()),
    ("stack.py", 'f"stack must be', 'f"the stack, please, must be', ()),
    ("stack.py", "epochs: int", "epochs: float", ()),
    ("stack.py", "loss * len(index)", "loss + len(index)", ("stack",)),
    ("stack.py", "batch_size: int = 1000", "batch_size: int = 999", ("stack",)),
    ("stack.py", "gradient[self.rows]", "-gradient[self.rows]", ("stack",)),  # in a class that the training uses
    ("stack.py", "from torch.func import", "from torch.nn.utils.stateless import", ("stack",)),
    ("models/networks.py", "padding_idx=0", "padding_idx=1", ("stack",)),
    ("train/loop.py", "zero_grad(set_to_none=True)", "zero_grad()", ("alone",)),
    ("train/loop.py", "1 + math.cos", "2 + math.cos", ()),
    ("_examples/models.py", "manual_seed(seed)", "manual_seed(0)", ("alone",)),
    ("_arguments/logits.py", "(1e-6, 1e6)", "(1e-5, 1e6)", ()),
    ("losses/arithmetic.py", "** 2 * divergence", "* divergence", ("stack", "alone")),
    ("stats/calibration.py", "bins: int = 15", "bins: int = 10", ("stack", "alone")),
]


@pytest.mark.parametrize(("file", "old", "new", "concerns"), CHANGES, ids=[f"{one[0]}: {one[1]}" for one in CHANGES])
def test_a_change_is_in_the_engine_of_the_students_whose_results_it_changes(monkeypatch, file, old, new, concerns):
    before, read = [kept.engine(alone=alone) for alone in (False, True)], Path.read_text

    def changed(path, **options):
        text = read(path, **options)
        if not path.as_posix().endswith(f"kdcourse/{file}"):
            return text
        assert old in text
        return text.replace(old, new)

    monkeypatch.setattr(Path, "read_text", changed)
    after = [kept.engine(alone=alone) for alone in (False, True)]
    assert [one != other for one, other in zip(before, after, strict=True)] == [
        kind in concerns for kind in ("stack", "alone")
    ]


@pytest.mark.parametrize("what", ["engine", "torch"])
def test_another_version_does_not_take_up_what_the_old_one_left(tmp_path, monkeypatch, trained, what):
    call = {"grid": grid(width=3), "data": DATA, "resume": tmp_path, **RUN}
    sweep(**call)
    if what == "engine":
        monkeypatch.setattr(kept, "engine", lambda **_: ["another"])
    else:
        monkeypatch.setattr(torch, "__version__", "0.4.1")
    sweep(**call)
    assert (len(trained), len(files(tmp_path))) == (2, 2)


# ---- which loss made it ----


def halved(student_logits, teacher_logits, labels):
    return factor() * labelled(student_logits, teacher_logits, labels)


def factor():
    return 0.5


def scaled(by):
    return lambda student_logits, teacher_logits, labels: by * labelled(student_logits, teacher_logits, labels)


def test_a_sweep_with_the_same_loss_is_found_and_with_another_one_it_is_not(tmp_path, monkeypatch, trained):
    call = {"grid": grid(width=3), "data": DATA, "resume": tmp_path, **RUN}
    for count, loss in enumerate([halved, scaled(2), scaled(3), functools.partial(halved), halved, scaled(2)]):
        sweep(**call, loss=loss)
        assert len(trained) == min(count + 1, 4)
    monkeypatch.setattr(sys.modules[__name__], "factor", lambda: 0.25)  # a helper that the loss calls
    sweep(**call, loss=halved)
    assert len(trained) == 5


def test_a_loss_that_has_no_name_of_its_own_is_not_kept(tmp_path, monkeypatch):
    generator = torch.Generator()

    def noisy(student_logits, teacher_logits, labels):
        generator.manual_seed(0)
        return labelled(student_logits, teacher_logits, labels)

    call = {"grid": grid(width=3), "data": DATA, "loss": noisy, **RUN}
    with pytest.raises(TypeError, match=r"with this loss, resume must be False: .*Generator.* no value"):
        sweep(**call, resume=tmp_path)
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    with pytest.warns(UserWarning, match="loss cannot be told from others .* keeps nothing"):
        sweep(**call)
    sweep(**call, resume=False)
    assert files(tmp_path / "sweeps") == {}


# ---- where the files are ----


def test_by_default_finished_chunks_are_kept_in_the_folder_of_the_user(tmp_path, monkeypatch, trained):
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    table = sweep(GRID, DATA, **RUN)
    assert len(files(tmp_path / "home" / "sweeps")) == 16
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
    with pytest.warns(UserWarning, match=f"{name} is not a whole .* Its student is trained again"):
        again = sweep(GRID, DATA, resume=tmp_path, predictions=True, **RUN)
    assert [len(settings) for settings in trained] == [3, 3, 2, 3, 3, 2, 1]
    close(again, table)  # alone, a student ends with other last digits
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


def test_an_error_keeps_what_was_finished_before_it(tmp_path, before_each_stack):
    calls = []

    def third_time_unlucky(_):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError

    before_each_stack(third_time_unlucky)
    with pytest.raises(ZeroDivisionError):
        sweep(GRID, DATA, resume=tmp_path, **RUN)
    assert len(files(tmp_path)) == 6
    close(sweep(GRID, DATA, resume=tmp_path, **RUN), sweep(GRID, DATA, resume=False, **RUN))
    assert len(calls) == 3 + 4 + 6


def test_a_cache_that_cannot_be_written_costs_a_warning_and_not_the_sweep(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file where a folder should be")
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    with pytest.warns(UserWarning, match="sweeps cannot be written .*: this sweep keeps nothing"):
        table = sweep(grid(width=4), blobs(), epochs=1, device="cpu", progress=False)
    assert table["test_accuracy"].notna().all()


@pytest.fixture(params=["full", "read-only"])
def no_room(request):
    """A context in which a folder takes no file, however it comes to that."""

    @contextlib.contextmanager
    def refuse(folder):
        if request.param == "full":
            limits = pytest.importorskip("resource")
            # No file may be larger than 100 bytes: what has begun cannot be finished, as on a full disk.
            before = limits.getrlimit(limits.RLIMIT_FSIZE)
            limits.setrlimit(limits.RLIMIT_FSIZE, (100, before[1]))
            try:
                yield
            finally:
                limits.setrlimit(limits.RLIMIT_FSIZE, before)
            return
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        try:
            yield
        finally:
            folder.chmod(0o700)

    return refuse


def test_a_folder_that_takes_no_file_costs_a_warning_and_not_the_sweep(tmp_path, trained, no_room):
    sweep(GRID[:5], DATA, resume=tmp_path, **RUN)
    kept_before, trained[:] = files(tmp_path), []
    message = f"{re.escape(str(tmp_path))} cannot be written .*: students of this sweep are not kept"
    with pytest.warns(UserWarning, match=message), no_room(tmp_path):
        table = sweep(GRID, DATA, resume=tmp_path, **RUN)
    assert sum(map(len, trained)) == 16 - 5
    assert files(tmp_path) == kept_before
    assert len(list(tmp_path.iterdir())) == 5  # nothing half written either
    close(table, sweep(GRID, DATA, resume=False, **RUN))
