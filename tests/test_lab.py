"""Learners work in copies: made once, renewed only where untouched, never lost; and JupyterLab opens them."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from kdcourse import _course, doctor, lab, lessons, store

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["00_start.ipynb", "01_next.ipynb"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course in a folder with a difficult name; the copies lie in it."""
    course = tmp_path / "Kurs für alle"
    for name in ["quizzes", "notebooks/source", "notebooks/pictures", "data"]:
        (course / name).mkdir(parents=True)
    (course / "notebooks" / "pictures" / "one.svg").write_text("<svg/>")
    (course / "data" / "card.md").write_text("about the data")
    (course / "constraints.txt").write_text("")
    publish(course, 1)
    monkeypatch.setenv("KDCOURSE_COURSE", str(course))
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path / "home"))
    return course


def publish(course, version):
    for name in NAMES:
        text = f"version {version} ![seen](pictures/one.svg) [card](../data/card.md) [next](01_next.ipynb)"
        cell = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": text}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (course / "notebooks" / name).write_text(json.dumps(notebook))


def contents(course):
    return {path.name: path.read_text() for path in (course / lab.COPIES).glob("*.ipynb")}


def test_copies_are_made_once_with_their_pictures_and_stay_as_they_are(course):
    made = lab.copy()
    assert [path.name for path in made] == NAMES
    made[0].write_text("mine")
    publish(course, 2)
    lab.copy()
    assert made[0].read_text() == "mine"
    assert "version 1" in made[1].read_text()
    assert (course / lab.COPIES / "pictures" / "one.svg").read_text() == "<svg/>"
    assert lab.update() == {NAMES[0]: "00_start-new.ipynb", NAMES[1]: NAMES[1]}


def test_whatever_is_done_between_upgrades_nothing_that_was_written_is_lost(course):
    """Every text that a learner ever saved in some file is in some file afterwards, and the newest version is, too."""
    lab.copy()
    written = []
    for version, changed in enumerate([[], NAMES[:1], NAMES, ["00_start-new.ipynb"], [], NAMES[1:]], 2):
        for name in changed:
            written.append(f"{name}, worked on before version {version}")
            path = course / lab.COPIES / name
            path.write_text("\n".join([path.read_text(), written[-1]]))
        publish(course, version)
        assert lab.outdated() == NAMES
        put = lab.update()
        everything = contents(course)
        assert [text for text in written if text not in "".join(everything.values())] == []
        assert all(f"version {version}" in everything[new] for new in put.values())
        assert lab.outdated() == []
        assert (lab.update(), contents(course)) == ({}, everything)
    assert put == {NAMES[0]: "00_start-new2.ipynb", NAMES[1]: "01_next-new.ipynb"}


@pytest.mark.parametrize("damage", ["", "[1]", "{}"])
def test_without_a_record_every_copy_counts_as_changed(course, damage):
    lab.copy()
    (course / lab.COPIES / lab.RECORD).write_text(damage)
    publish(course, 2)
    assert lab.update() == {name: name.replace(".ipynb", "-new.ipynb") for name in NAMES}
    assert "version 1" in contents(course)[NAMES[0]]


def test_who_worked_in_the_course_s_own_notebook_keeps_that_too(course):
    def git(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", "-C", course, *who, *arguments], check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    own = course / "notebooks" / NAMES[0]
    own.write_text("worked on in place")
    lab.copy()
    git("checkout", "--", "notebooks")
    assert lab.update() == {NAMES[0]: "00_start-new.ipynb"}
    assert contents(course)[NAMES[0]] == "worked on in place"


def test_a_course_that_cannot_be_written_to_has_its_copies_in_the_user_s_folder(course, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != course)
    assert all(path.is_relative_to(tmp_path / "home") for path in lab.copy())
    assert not (course / lab.COPIES).exists()
    for link in ["pictures/one.svg", "../data/card.md"]:
        assert (lab.folder() / link).is_file()


def test_the_links_of_the_lessons_lead_somewhere_from_the_copies(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setenv("KDCOURSE_HOME", str(tmp_path))
    links = {
        (path, link)
        for path in lab.copy()
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "markdown"
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", "".join(cell["source"]))
    }
    assert len(links) > 20
    assert [link for path, link in links if not (path.parent / link).exists()] == []


def test_doctor_tells_of_old_copies_little_space_and_other_versions(course, monkeypatch, tmp_path):
    lab.copy()
    publish(course, 2)
    (course / "constraints.txt").write_text("numpy==0.1\ntorch==0.1\n")
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1200000000\n")
    monkeypatch.setattr("kdcourse.doctor._limit", lambda name: (tmp_path / name).read_text().strip())
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 10**8))
    said = {check.name: str(check) for check in doctor.examine()}
    assert re.search(
        r"^NOTE  packages  all there.* tested with other versions than numpy \S+\n +fix: ", said["packages"]
    )
    assert re.search(r"^FAIL  threads   torch uses 2 of 1 cores\n +fix: set OMP_NUM_THREADS=1", said["threads"])
    assert re.search(r"^NOTE  memory    1.8 GB free; .*\n +fix: close other programs", said["memory"])
    assert re.search(r"^FAIL  disk      0.1 GB free for .*\n +fix: free some space .*KDCOURSE_HOME", said["disk"])
    assert re.search(
        r"^NOTE  notebooks 2 of your copies .*: 00_start.ipynb.*\n +fix: kdcourse update", said["notebooks"]
    )


@pytest.mark.parametrize(("status", "state"), [(0, "NOTE"), (9, "OK")])
def test_doctor_sees_a_gpu_that_torch_does_not(monkeypatch, status, state):
    monkeypatch.setattr("kdcourse.devices.resolve_device", lambda name: __import__("torch").device("cpu"))
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("subprocess.run", lambda command, **_: subprocess.CompletedProcess(command, status))
    (line,) = [str(check) for check in doctor.examine() if check.name == "torch"]
    assert line.startswith(f"{state:<4}  torch")
    assert ("though there is a GPU" in line) == (state == "NOTE")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(28, "No space left on device", "/full/.record.json.0f9e8d7c.part"),
            "/full/record.json cannot be written.*free some space",
        ),
        (OSError(30, "Read-only file system", "a", None, "b"), "b cannot be written: .*folder that is yours: --out"),
        (_course.CourseError("clone it"), "clone it"),
        (OSError(5, "Input/output error"), "$"),
    ],
)
def test_a_file_that_cannot_be_written_is_explained(error, said):
    assert re.match(said, _course.explained(error))


@pytest.mark.skipif(os.name == "nt", reason="the limit that plays a full disk is one of POSIX")
def test_on_a_full_disk_an_update_says_so_and_leaves_every_copy_whole(course):
    lab.copy()
    before = contents(course)
    publish(course, 2)
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50)); "
    program = f"import sys; sys.argv = ['kdcourse', 'update']; {limited}from kdcourse import cli; cli.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r"(?:A file|.*00_start.ipynb) cannot be written: .*free some space.*\n", done.stderr)
    assert contents(course) == before


def test_a_kernel_that_does_not_start_is_told_in_a_sentence(tmp_path, monkeypatch):
    def dies(*_, **__):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("papermill.execute_notebook", dies)
    with pytest.raises(_course.CourseError, match="^Kernel died before replying to kernel_info. What kdcourse doctor"):
        lessons.run(lessons.find(["00"])[0], tmp_path, progress=False)


def test_who_has_no_home_gets_one_for_jupyter_and_the_same_record_as_without(monkeypatch):
    def missing():
        raise RuntimeError("Could not determine home directory.")

    for name in ("HOME", "KDCOURSE_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards, whatever it becomes
    monkeypatch.setattr(Path, "home", missing)
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: missing())
    before = store.user_folder("data")
    lab.give_home()
    assert os.environ["HOME"] == os.environ["KDCOURSE_HOME"] == str(before) == str(store.user_folder("data"))


@contextlib.contextmanager
def opened(folder, *arguments):
    """A Python that opens JupyterLab, in the C locale, and the address at which it says it listens."""
    command = [sys.executable, *arguments]
    variables = {"LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(folder), "JUPYTER_TOKEN": "for-the-test", **variables}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=folder
    )

    def end():
        for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            one.terminate()

    watchdog = threading.Timer(600, end)
    watchdog.start()
    try:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if found := re.search(
                r"(http://(?:localhost|127.0.0.1):\d+)(/lab/tree/my-notebooks/00_start.*ipynb)", line
            ):
                yield process, found[1], found[2]
                break
        else:
            pytest.fail("".join(printed))
    finally:
        watchdog.cancel()
        end()
        process.communicate()


def asked(process, address):
    request = urllib.request.Request(address, headers={"Authorization": "token for-the-test"})
    while True:  # the server says where it is a moment before it listens
        try:
            return urllib.request.urlopen(request).read().decode()
        except urllib.error.URLError:
            assert process.poll() is None


@pytest.mark.slow
def test_two_labs_at_once_open_the_first_copy_and_ask_nothing(course, tmp_path):
    """From another folder, in a course whose path has spaces and letters beyond ASCII, in the C locale, at one port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "kdcourse.cli", "lab", "--no-browser", "--port", str(port)]
    start = ["-O", "-c", f"from kdcourse import lab; lab.copy(); lab.start({port}, False)"]
    with opened(tmp_path, *command) as one, opened(tmp_path, *start) as two:
        assert one[1] != two[1]
        for process, address, page in (one, two):
            content = json.loads(asked(process, f"{address}/api/contents/my-notebooks/{NAMES[0]}"))["content"]
            assert content["cells"][0]["source"].startswith("version 1")
            assert re.search(r'"news": \{"disabled": true\}', asked(process, address + page))
