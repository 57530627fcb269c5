"""The command, run as a person runs it: in a process of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kdcourse import data, doctor, lessons

ROOT = Path(__file__).resolve().parent.parent


def kdcourse(*arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "kdcourse.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
    )


@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--help"], ["run", "--help"], ["lab", "-h"]])
def test_help_explains_itself(arguments):
    done = kdcourse(*arguments)
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_importing_the_command_does_not_wait_for_torch():
    code = "import sys, kdcourse.cli; print('torch' in sys.modules, 'pandas' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


def test_version_is_the_package_version():
    import kdcourse as package

    assert kdcourse("--version").stdout.strip() == f"kdcourse {package.__version__}"


def test_doctor_finds_this_machine_ready():
    done = kdcourse("doctor")
    assert done.returncode == 0, done.stdout
    names = re.findall(r"^OK +(\w+)", done.stdout, flags=re.M)
    assert names == ["python", "packages", "torch", "threads", "data", "widgets"]


def test_doctor_names_damaged_data_and_the_fix(tmp_path):
    shutil.copy(data.folder() / "checksums.json", tmp_path)
    done = kdcourse("doctor", KDCOURSE_DATA=str(tmp_path))
    assert done.returncode == 1
    assert re.search(r"^FAIL +data +.*is missing", done.stdout, flags=re.M)
    assert "fix: run `git checkout -- " in done.stdout


def test_doctor_warns_of_more_threads_than_cores(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 4000)
    check = doctor._threads()
    assert not check.ok
    assert check.found.startswith("torch uses 4000 of ")
    assert check.fix.startswith("set OMP_NUM_THREADS=")


def test_doctor_reports_a_broken_package_and_goes_on(monkeypatch, capsys):
    def broken():
        raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "_torch", broken)
    assert doctor.report() is False
    printed = capsys.readouterr().out
    assert "FAIL  torch     ImportError: libtorch.so: cannot open shared object file" in printed
    assert "widgets" in printed


def test_doctor_names_missing_and_old_packages(monkeypatch):
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["nothing-of-the-kind", "numpy>=999", "tqdm"])
    check = doctor._packages()
    assert not check.ok
    assert "nothing-of-the-kind is missing" in check.found
    assert re.search(r"numpy \S+ is not >=999", check.found)
    assert "tqdm" not in check.found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "77"], "no lesson '77'; there are 00_start_here, 01_soft_labels"),
        (["run", "--out", "README.md"], "README.md"),
        (["lab", "--port", "0"], "--port"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_mistakes_get_a_sentence_and_no_traceback(arguments, message):
    done = kdcourse(*arguments)
    assert done.returncode == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)
    assert "Traceback" not in done.stderr


def test_run_leaves_a_page_and_a_summary(tmp_path):
    done = kdcourse("run", "0", "--fast", "--solved", "--out", str(tmp_path / "pages"))
    assert done.returncode == 0, done.stdout + done.stderr
    seconds, megabytes = re.search(r"^OK +00_start_here +([\d.]+) s +(\d+) MB", done.stdout, flags=re.M).groups()
    assert 1 < float(seconds) < 600
    assert 100 < int(megabytes) < 2000
    assert "1 of 1 lessons ran to the end" in done.stdout
    page = (tmp_path / "pages" / "00_start_here.html").read_text(encoding="utf-8")
    assert "retained_accuracy is correct" in page
    assert re.search(r'alt="2 pictures of each class: t-shirt', page)
    assert "No description" not in page


def notebook_of(path, *cells):
    parameters = new_code_cell("FAST = False", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *(new_code_cell(code) for code in cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def test_lesson_that_fails_is_reported_and_still_leaves_a_page(tmp_path):
    path = notebook_of(tmp_path / "00_broken.ipynb", "print(FAST)", "1 / 0", "print('never')")
    result = lessons.run(path, tmp_path / "out", fast=True, progress=False)
    assert result.error == "ZeroDivisionError: division by zero"
    page = result.html.read_text(encoding="utf-8")
    assert "True" in page
    assert "ZeroDivisionError" in page


def test_kernel_that_dies_is_reported(tmp_path):
    path = notebook_of(tmp_path / "00_dies.ipynb", "import os; os._exit(1)")
    result = lessons.run(path, tmp_path / "out", progress=False)
    assert result.error.startswith("DeadKernelError")


def test_peak_memory_is_that_of_the_kernel(tmp_path):
    path = notebook_of(tmp_path / "00_large.ipynb", "x = bytearray(300_000_000); import time; time.sleep(0.3); del x")
    result = lessons.run(path, tmp_path / "out", progress=False)
    assert 300e6 < result.peak_bytes < 700e6


def test_lab_opens_the_first_lesson(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "kdcourse.cli", "lab", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_TOKEN": "for-the-test"},
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if f":{port}/lab/tree/notebooks/00_start_here.ipynb" in line:
                break
        else:
            pytest.fail(printed)
        base = f"http://localhost:{port}"
        headers = {"Authorization": "token for-the-test"}

        def get(path):
            while True:  # the server says where it is a moment before it listens
                try:
                    return urllib.request.urlopen(urllib.request.Request(base + path, headers=headers)).read()
                except urllib.error.URLError:
                    if process.poll() is not None:
                        raise

        assert b"jupyter-config-data" in get("/lab/tree/notebooks/00_start_here.ipynb")
        content = json.loads(get("/api/contents/notebooks/00_start_here.ipynb"))["content"]
        assert content["cells"][0]["source"].startswith("# 00")
    finally:
        watchdog.cancel()
        children = psutil.Process(process.pid).children(recursive=True)
        for child in [*children, process]:
            child.send_signal(signal.SIGTERM)
        process.communicate()
