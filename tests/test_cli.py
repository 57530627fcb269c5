"""The command, run as a person runs it: in a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kdcourse import claims, data, doctor, lessons

ROOT = Path(__file__).resolve().parent.parent


def kdcourse(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "kdcourse", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
    )


def test_importing_the_command_does_not_wait_for_torch():
    code = "import sys, kdcourse.cli; print('torch' in sys.modules, 'pandas' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


@pytest.mark.slow
def test_doctor_finds_this_machine_ready():
    done = kdcourse("doctor")
    assert done.returncode == 0, done.stdout
    names = re.findall(r"^(?:OK|NOTE) +(\w+)", done.stdout, flags=re.M)
    assert names == ["python", "packages", "torch", "threads", "memory", "disk", "data", "lab", "notebooks"]


def test_doctor_names_all_that_is_wrong_and_goes_on(monkeypatch, capsys, tmp_path):
    def broken():
        raise ImportError("libtorch.so: cannot open shared object file")

    shutil.copy(data.folder() / "checksums.json", tmp_path)
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))
    monkeypatch.setattr("kdcourse.devices.resolve_device", lambda name: broken())
    monkeypatch.setattr("torch.get_num_threads", lambda: 4000)
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["nothing-of-the-kind", "numpy>=999", "tqdm"])
    assert doctor.report() is False
    said = capsys.readouterr().out
    assert re.search(r"FAIL  packages  nothing-of-the-kind is missing; numpy \S+ is not >=999\n +fix: .*-e .*", said)
    assert "FAIL  torch     ImportError: libtorch.so: cannot open shared object file" in said
    assert re.search(r"FAIL  threads   torch uses 4000 of .*\n +fix: set OMP_NUM_THREADS=", said)
    assert re.search(r"FAIL  data      .*is missing. To get it back, run `git checkout -- ", said)
    assert said.endswith("each FAIL line says what.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "77"], "no lesson '77'; there are 00_start_here, 01_soft_labels"),
        (["run", "--out", "README.md"], "README.md"),
        (["lab", "--port", "0"], "--port"),
        (["dance"], "No such command 'dance'"),
        (["quiz", "77"], "no quiz '77'; there are 01_soft_labels, "),
        (["quiz", "soft_labels"], "no quiz 'soft_labels'; closest: 01_soft_labels"),
        (["quiz", "intervew"], "no quiz 'intervew'; closest: interview"),
        (["glossary", "Temp"], "no entry 'Temp'; closest: temperature"),
        (["claims", "--setting", "flights", "soft-beat-hard"], "no claim 'soft-beat-hard'; closest: soft-beats-hard"),
        (["claims", "--choose", "soft-beats-hard"], "only a --run can choose again"),
        (["claims", "--setting", "nowhere"], "no setting 'nowhere'; there are fashion-mnist, wordnet-glosses, flights"),
        (["claims", "--setting", "cmudict", "omitted-class-is-learned"], "is measured in fashion-mnist, got settings"),
    ],
)
def test_mistakes_get_a_sentence_and_no_traceback(arguments, message):
    done = kdcourse(*arguments)
    assert done.returncode == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", ["05", "5"])
def test_a_quiz_goes_by_the_number_of_its_lesson(number):
    assert kdcourse("quiz", number).stdout.startswith("05 Sliced evaluation: ")


def test_claims_are_shown_in_one_setting_where_it_is_said():
    (claim,), found = claims.find("soft-beats-hard"), claims.result("soft-beats-hard")
    blocks = claims.describe(claim.name).split("\n\n")
    others = [block for block in blocks if re.match(r"  (fashion-mnist|wordnet-glosses|cmudict): ", block)]
    assert len(others) == 3
    shown = kdcourse("claims", "--setting", "flights", claim.name).stdout
    assert shown == "\n\n".join(block for block in blocks if block not in others) + "\n"
    lines = kdcourse("claims", "--setting", "flights").stdout.splitlines()
    assert lines[:2] == [f"{claim.name}, flights: {claim.wording}", f"  {claims.plain(claim, found, 'flights')}"]
    measured = [one.name for one in claims.CLAIMS if one.measure and "flights" in one.settings]
    assert [line.partition(",")[0] for line in lines[::2]] == measured


def run_notebook(folder, *cells):
    parameters = new_code_cell("FAST = False", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *(new_code_cell(code) for code in cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "00_broken.ipynb")
    return lessons.run(folder / "00_broken.ipynb", folder / "out", fast=True, progress=False)


@pytest.mark.slow
def test_lesson_that_fails_is_reported_and_still_leaves_a_page(tmp_path):
    result = run_notebook(tmp_path, "print(FAST)", "1 / 0", "print('never')")
    assert result.error == "ZeroDivisionError: division by zero"
    assert re.search("True.*ZeroDivisionError", result.html.read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.slow
def test_a_kernel_that_dies_is_reported_with_the_memory_it_took(tmp_path):
    result = run_notebook(tmp_path, "import os, time; x = bytearray(300_000_000); time.sleep(0.3); os._exit(1)")
    assert result.error.startswith("DeadKernelError")
    assert 300e6 < result.peak_bytes < 700e6
    assert str(result).startswith("FAIL  00_broken ")
