"""The scripts that make the data, the teacher's card, the notebooks and the environment."""

import gzip
import html
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdcourse import claims, data

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_fashion_mnist  # noqa: E402
import build_notebooks  # noqa: E402
import build_readme  # noqa: E402
import install  # noqa: E402
import lowest  # noqa: E402
import train_teacher  # noqa: E402


def test_idx_files_are_read_with_their_shape(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 3, 4) + values.tobytes()
    (tmp_path / "tiny.gz").write_bytes(gzip.compress(content))
    assert np.array_equal(build_fashion_mnist.read_idx(tmp_path / "tiny.gz"), values)


def test_the_card_says_what_the_stored_teacher_does():
    folder = data.folder() / "fashion-mnist"
    assert (folder / "teacher-card.md").read_text(encoding="utf-8") == train_teacher.card(folder)


def test_augmentation_mirrors_and_shifts_by_at_most_two_pixels():
    dots = torch.zeros(200, 28, 28)
    dots[:, 14, 4] = 1.0
    moved = train_teacher.augment(dots.reshape(200, -1), torch.Generator().manual_seed(0)).view(-1, 28, 28)
    places = {tuple(place[1:].tolist()) for place in moved.nonzero()}
    assert places <= {(14 + dy, side + dx) for dy in range(-2, 3) for dx in range(-2, 3) for side in (4, 23)}
    assert len(places) > 40
    assert int((moved != 0).sum(dim=(1, 2)).max()) == 1


def test_augmentation_blanks_one_square_of_each_picture():
    bright = torch.ones(100, 784)
    bright[:, 0] = -1.0  # the background
    blanked = train_teacher.augment(bright, torch.Generator().manual_seed(0)).view(-1, 28, 28)[:, 3:-3, 3:-3] == -1
    areas = blanked.sum(dim=(1, 2))
    assert int(areas.max()) == train_teacher.CUTOUT**2
    for picture in blanked[areas > 0]:
        assert picture.any(1).sum() * picture.any(0).sum() == picture.sum()


def test_the_readme_shows_the_picture_of_the_stored_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path, picture in build_readme.pictures().items():
        assert path.relative_to(ROOT).as_posix() in text
        assert path.read_text(encoding="utf-8") == picture, "run python tools/build_readme.py"
        assert len(picture) < 200_000
    (alt,) = re.findall(r'<img src="site/pictures/claims-wide.svg" width="\d+" alt="([^"]+)">', text)
    measured = [claim.wording.rstrip(".") for claim in claims.CLAIMS if claims.result(claim.name)]
    assert [wording for wording in measured if wording not in html.unescape(alt)] == []


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


@pytest.mark.slow
def test_the_learner_form_folds_the_solution_away_and_the_solved_form_runs_it(source):
    learner, solved = built(source, "learner").cells, built(source, "solved").cells
    assert [cell.cell_type for cell in learner] == ["markdown", "code", "code", "markdown", "code"]
    assert [cell.cell_type for cell in solved] == ["markdown", "code", "code", "code", "code"]
    assert re.search("<details>.*return 42", learner[3].source, flags=re.S)
    assert {"skip-execution", "nbval-skip"} <= set(solved[2].metadata["tags"])
    assert solved[2].execution_count is None
    assert [cells[4].outputs[0].text for cells in (learner, solved)] == ["Ellipsis\n", "42\n"]
    assert "(../README.md)" in learner[0].source
    assert "(../../README.md)" in solved[0].source


@pytest.mark.slow
def test_any_change_of_the_source_is_drift(source):
    built(source, "learner")
    path = source.with_suffix(".ipynb")
    assert build_notebooks.drift(source, path) == []
    for before, after, problem in [
        ("print(answer())", "print(answer() + 1)", "differs from the source"),
        ("# # 00 · Tiny", "# # 00 · Small", "differs from the source"),
        ("# %%\nprint(answer())\n", "", "the source makes 4"),
        ("return 42", "return 43", "differs from the source"),
    ]:
        assert before in SOURCE
        source.write_text(SOURCE.replace(before, after))
        assert any(problem in line for line in build_notebooks.drift(source, path))


def test_a_notebook_that_was_not_run_or_is_missing_is_drift(source):
    path = source.with_suffix(".ipynb")
    assert build_notebooks.drift(source, path) == ["00_tiny.ipynb does not exist"]
    build_notebooks.write(build_notebooks.build(source, "learner"), path)
    assert any("was not executed" in line for line in build_notebooks.drift(source, path))


@pytest.fixture
def installed(monkeypatch):
    """A function that installs torch on a machine as described; returns what pip was asked for."""

    def install_on(system, *, driver=False, own_index=False, unreachable=()):
        calls = []

        def pip(python, *arguments):
            calls.append(arguments)
            if {*arguments} & {*unreachable}:
                raise install.subprocess.CalledProcessError(1, "pip")

        monkeypatch.setattr(install, "has_torch", lambda python: False)
        monkeypatch.setattr(install.platform, "system", lambda: system)
        monkeypatch.setattr(install, "has_nvidia_driver", lambda: driver)
        monkeypatch.setattr(install, "has_own_index", lambda python: own_index)
        monkeypatch.setattr(install, "pip", pip)
        install.install_torch("python")
        assert all(call[0].startswith("torch==") for call in calls)
        return [install.CPU_INDEX in call for call in calls]

    return install_on


def test_the_cpu_build_of_torch_is_taken_on_linux_without_a_gpu(installed):
    assert installed("Linux") == [True]
    assert installed("Linux", driver=True) == [False]
    assert installed("Linux", own_index=True) == [False]
    assert installed("Darwin") == [False]
    # Where that index does not answer, the default one is asked.
    assert installed("Linux", unreachable=[install.CPU_INDEX]) == [True, False]


def test_the_lowest_versions_are_those_of_pyproject():
    pins = dict(line.split("==") for line in lowest.lowest())
    assert {"numpy", "jupyterlab", "dask", "sphinx"} <= set(pins)
    assert pins["torch"] == re.search(r"^torch==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)[1]
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        for name, version in re.findall(r'"([\w-]+)>=([\d.]+)"', line):
            assert pins.get(name, version) == version or name == "torch"
