"""The scripts that make the data, the teacher's card, the notebooks and the environment."""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdcourse import data

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_fashion_mnist  # noqa: E402
import build_notebooks  # noqa: E402
import install  # noqa: E402
import train_teacher  # noqa: E402


def test_idx_files_are_read_with_their_shape(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 3, 4) + values.tobytes()
    (tmp_path / "tiny.gz").write_bytes(gzip.compress(content))
    assert np.array_equal(build_fashion_mnist.read_idx(tmp_path / "tiny.gz"), values)


def test_the_card_says_what_the_stored_teacher_does():
    folder = data.folder() / "fashion-mnist"
    assert (folder / "teacher-card.md").read_text(encoding="utf-8") == train_teacher.card(folder)


def one_dot(row, column, count=200):
    pictures = torch.zeros(count, 28, 28)
    pictures[:, row, column] = 1.0
    return pictures.reshape(count, -1)


def test_augmentation_mirrors_and_shifts_by_at_most_two_pixels():
    generator = torch.Generator().manual_seed(0)
    moved = train_teacher.augment(one_dot(14, 4), generator).view(-1, 28, 28)
    places = {tuple(place[1:].tolist()) for place in moved.nonzero()}
    reachable = {(14 + dy, side + dx) for dy in range(-2, 3) for dx in range(-2, 3) for side in (4, 23)}
    assert places <= reachable
    assert len(places) > 40
    assert {column for _, column in places} == {2, 3, 4, 5, 6, 21, 22, 23, 24, 25}
    assert int((moved != 0).sum(dim=(1, 2)).max()) == 1


def test_augmentation_blanks_one_square_of_each_picture():
    generator = torch.Generator().manual_seed(0)
    bright = torch.ones(100, 784)
    bright[:, 0] = -1.0  # the background
    blanked = train_teacher.augment(bright, generator).view(-1, 28, 28)[:, 3:-3, 3:-3] == -1
    areas = blanked.sum(dim=(1, 2))
    assert int(areas.max()) == train_teacher.CUTOUT**2
    for picture in blanked[areas > 0]:
        rows, columns = picture.any(1).nonzero().flatten(), picture.any(0).nonzero().flatten()
        assert bool(picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all())


def test_one_cycle_rises_for_a_fifth_and_then_falls_to_almost_nothing():
    values = [train_teacher.one_cycle(k / 100) for k in range(101)]
    assert max(values) == values[20]
    assert values[:21] == sorted(values[:21])
    assert values[20:] == sorted(values[20:], reverse=True)
    assert 0 < values[-1] < 0.01


SOURCE = """# %% [markdown]
# # 00 · Tiny
# [a page](../README.md)

# %% tags=["parameters"]
FAST = False


# %% tags=["exercise", "skip-execution", "nbval-skip"]
def answer():
    return ...  # your code here


# %% tags=["solution"]
def answer():
    return 42


# %%
print(answer())
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(build_notebooks, "ROOT", tmp_path)
    path = tmp_path / "00_tiny.py"
    path.write_text(SOURCE)
    return path


def built(source, form):
    notebook = build_notebooks.execute(build_notebooks.built(source, form), source.parent)
    build_notebooks.write(notebook, source.with_suffix(".ipynb"))
    return notebook


def test_the_learner_form_keeps_the_stub_and_folds_the_solution_away(source):
    notebook = built(source, "learner")
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown", "code", "code", "markdown", "code"]
    assert "<details>" in notebook.cells[3].source
    assert "return 42" in notebook.cells[3].source
    assert notebook.cells[4].outputs[0].text == "Ellipsis\n"
    assert "(../README.md)" in notebook.cells[0].source


def test_the_solved_form_skips_the_stub_and_runs_the_solution(source):
    notebook = built(source, "solved")
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "code", "code"]
    assert {"skip-execution", "nbval-skip"} <= set(notebook.cells[2].metadata["tags"])
    assert notebook.cells[2].execution_count is None
    assert notebook.cells[4].outputs[0].text == "42\n"
    assert "(../../README.md)" in notebook.cells[0].source


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("print(answer())", "print(answer() + 1)", "differs from the source"),
        ("# # 00 · Tiny", "# # 00 · Small", "differs from the source"),
        ("# %%\nprint(answer())\n", "", "the source makes 4"),
        ("return 42", "return 43", "differs from the source"),
    ],
)
def test_any_change_of_the_source_is_drift(source, before, after, problem):
    built(source, "learner")
    path = source.with_suffix(".ipynb")
    assert build_notebooks.drift(source, path) == []
    assert before in SOURCE
    source.write_text(SOURCE.replace(before, after))
    assert any(problem in line for line in build_notebooks.drift(source, path))


def test_a_notebook_that_was_not_run_or_is_missing_is_drift(source):
    path = source.with_suffix(".ipynb")
    assert build_notebooks.drift(source, path) == ["00_tiny.ipynb does not exist"]
    build_notebooks.write(build_notebooks.build(source, "learner"), path)
    assert any("was not executed" in line for line in build_notebooks.drift(source, path))


def test_building_twice_gives_the_same_cells(source):
    first, second = (build_notebooks.build(source, "solved") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("system", "driver", "own_index", "index"),
    [
        ("Linux", False, False, True),
        ("Linux", True, False, False),
        ("Linux", False, True, False),
        ("Darwin", False, False, False),
    ],
)
def test_the_cpu_build_of_torch_is_taken_on_linux_without_a_gpu(monkeypatch, system, driver, own_index, index):
    calls = []
    monkeypatch.setattr(install, "has_torch", lambda python: False)
    monkeypatch.setattr(install.platform, "system", lambda: system)
    monkeypatch.setattr(install, "has_nvidia_driver", lambda: driver)
    monkeypatch.setattr(install, "has_own_index", lambda python: own_index)
    monkeypatch.setattr(install, "pip", lambda python, *arguments: calls.append(arguments))
    install.install_torch("python")
    assert len(calls) == 1
    assert calls[0][0].startswith("torch==")
    assert (install.CPU_INDEX in calls[0]) == index


def test_torch_comes_from_the_default_index_where_its_own_does_not_answer(monkeypatch):
    calls = []

    def pip(python, *arguments):
        calls.append(arguments)
        if install.CPU_INDEX in arguments:
            raise install.subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(install, "has_torch", lambda python: False)
    monkeypatch.setattr(install.platform, "system", lambda: "Linux")
    monkeypatch.setattr(install, "has_nvidia_driver", lambda: False)
    monkeypatch.setattr(install, "has_own_index", lambda python: False)
    monkeypatch.setattr(install, "pip", pip)
    install.install_torch("python")
    assert [install.CPU_INDEX in call for call in calls] == [True, False]
