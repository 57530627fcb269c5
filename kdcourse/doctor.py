"""Is this machine ready for the course? One line a check, and the fix beside each failure."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdcourse import _course, lab, store

PYTHON = ((3, 11), (3, 13))  # the oldest and the newest that are tested
MEMORY, DISK = 2e9, 5e8  # bytes that the largest lesson takes, and that copies, caches and records may need
LESSONS_ONLY = {"data", "lab", "memory"}  # what an audit, a quiz or the glossary does without


class Check(NamedTuple):
    """One line of the report: what was looked at, whether it is all right, what was found, and what to do if not.

    `ok` is None for what works, yet could be better.
    """

    name: str
    ok: bool | None
    found: str
    fix: str = ""

    def __str__(self) -> str:
        state = {True: "OK", None: "NOTE", False: "FAIL"}[self.ok]
        line = f"{state:<4}  {self.name:<9} {self.found}"
        return line if self.ok or not self.fix else f"{line}\n      {'':<9} fix: {self.fix}"


def examine() -> Iterator[Check]:
    """All checks, one at a time as they finish. None of them raises."""
    for check in (_python, _packages, _torch, _threads, _memory, _disk, _data, _lab, _notebooks):
        name = check.__name__.removeprefix("_")
        try:
            yield Check(name, *check())
        except Exception as error:  # a broken installation can fail in any way, and the report must go on
            yield Check(name, False, f"{type(error).__name__}: {error}", _install())


def report() -> bool:
    """Print every check; returns True if all are OK."""
    failed = set()
    for check in examine():
        print(check, flush=True)
        failed |= {check.name} if check.ok is False else set()
    if not failed:
        print("Everything is ready.")
    elif failed <= LESSONS_ONLY:
        print("The lessons need what the FAIL lines say; kdcourse audit, quiz, glossary and claims work without.")
    else:
        print("Something needs a fix before you start; each FAIL line says what.")
    return not failed


def _install(extra="lab"):
    """The command that installs what is missing, in a clone or where the package was installed from elsewhere."""
    pip = f"{_python_here()} -m pip install"
    if _course.is_installed():
        return f'{pip} "kdcourse[{extra}]"'
    clone = _course.PACKAGE.parent
    return f'{pip} -c "{clone / "constraints.txt"}" -e "{clone}[{extra}]"'


def _python_here():
    return f'"{sys.executable}"' if " " in sys.executable else sys.executable


def _python():
    ok = PYTHON[0] <= sys.version_info[:2] <= PYTHON[1]
    return ok, f"{platform.python_version()} in {Path(sys.prefix).name}", "use Python 3.11, 3.12 or 3.13"


def _packages(extra=""):
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    problems, others, tested = [], [], _tested()
    for requirement in map(Requirement, importlib.metadata.requires("kdcourse") or []):
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement.name} {version} is not {requirement.specifier}")
        if version != tested.get(canonicalize_name(requirement.name), version):
            others.append(f"{requirement.name} {version}")
    if problems:
        return False, "; ".join(problems), _install(extra)
    found = "all there, and new enough"
    if others:
        return None, f"{found}; the course was tested with other versions than {', '.join(others)}", _install(extra)
    return True, found


def _tested():
    """{package: version} of constraints.txt, but for torch: which build of it is right depends on the machine."""
    path = _course.find("constraints.txt")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name: version for name, version in pins.items() if name != "torch"}


def _torch():
    import torch

    from kdcourse.devices import resolve_device

    device = resolve_device("auto")
    value = float((torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)).sum())
    if value != 64**3:
        return False, f"{torch.__version__} multiplies wrongly on {device}", "install torch again, as the README says"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    found = f"{torch.__version__}, training runs on {name}"
    driver = shutil.which("nvidia-smi")
    if device.type == "cpu" and driver and subprocess.run([driver], capture_output=True).returncode == 0:
        return None, f"{found}, though there is a GPU", "install torch for it (https://pytorch.org); or go on as it is"
    return True, found if device.type != "cpu" else f"{found}; there is no GPU, and the lessons need none"


def _threads():
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota, _, period = _limit("cpu.max").partition(" ")
    if quota.isdigit():
        cores = min(cores, max(1, round(int(quota) / int(period))))
    threads = torch.get_num_threads()
    fix = f"set OMP_NUM_THREADS={cores}: more threads than cores make training many times slower"
    return threads <= cores, f"torch uses {threads} of {cores} cores", fix


def _memory():
    try:
        import psutil
    except ImportError:
        return True, "not known without the packages of the lessons"
    free, limit = psutil.virtual_memory().available, _limit("memory.max")
    if limit.isdigit():
        free = min(free, int(limit) - int(_limit("memory.current")))
    fix = "close other programs, and the notebooks that you are done with (Kernel > Shut Down All Kernels)"
    enough = True if free >= MEMORY else None if free >= MEMORY / 2 else False
    return enough, f"{free / 1e9:.1f} GB free; a lesson takes 1 to {MEMORY / 1e9:.0f} GB", fix


def _limit(name):
    """What a container or a hub allows this process, as the kernel writes it (cgroup v2); else empty."""
    path = Path("/sys/fs/cgroup", name)
    return path.read_text().strip() if path.exists() else ""


def _disk():
    places = {lab.folder(), store.user_folder("cache"), store.user_folder("data"), Path(tempfile.gettempdir())}
    free = {place: shutil.disk_usage(next(one for one in [place, *place.parents] if one.exists())) for place in places}
    place = min(places, key=lambda one: free[one].free)
    fix = f"free some space for {place}, or name another folder in the variable KDCOURSE_HOME"
    return free[place].free >= DISK, f"{free[place].free / 1e9:.1f} GB free for {place}", fix


def _data():
    from kdcourse import data

    try:
        names = data.verify()
    except data.DataError as error:  # it says what to do
        return False, str(error)
    size = sum((data.folder() / name).stat().st_size for name in names)
    return True, f"{len(names)} files, {size / 1e6:.0f} MB, every checksum right"


def _lab():
    try:
        _course.require_lab()
    except _course.CourseError as error:  # it says what to do
        return False, str(error)
    lab.give_home()
    from jupyter_core.paths import jupyter_path

    ok, found, *fix = _packages("lab")
    manager = Path("@jupyter-widgets", "jupyterlab-manager", "package.json")
    if ok is not False and not any((Path(place) / manager).exists() for place in jupyter_path("labextensions")):
        again = f"{_python_here()} -m pip install --force-reinstall ipywidgets jupyterlab_widgets"
        return False, f"JupyterLab cannot show widgets: {manager} is missing", again
    return ok, found if ok is False else f"{found}; JupyterLab shows widgets", *fix


def _notebooks():
    try:
        old = lab.outdated()
    except _course.CourseError:
        return True, "none: a clone of the course brings them"
    if old:
        return None, f"{len(old)} of your copies are of an older version: {', '.join(old)}", "kdcourse update"
    return True, f"your copies in {lab.folder()} are up to date" if lab.folder().exists() else "no copies of yours yet"
