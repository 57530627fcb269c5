"""Is this machine ready for the course? One line a check, and the fix beside each failure."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdcourse import _course

PYTHON = ((3, 11), (3, 13))  # the oldest and the newest that are tested
LESSONS_ONLY = {"data", "lab"}  # what an audit, a quiz or the glossary does without


class Check(NamedTuple):
    """One line of the report: what was looked at, whether it is all right, what was found, and what to do if not."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'OK  ' if self.ok else 'FAIL'}  {self.name:<9} {self.found}"
        return line if self.ok or not self.fix else f"{line}\n      {'':<9} fix: {self.fix}"


def examine() -> Iterator[Check]:
    """All checks, one at a time as they finish. None of them raises."""
    for check in (_python, _packages, _torch, _threads, _data, _lab):
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
        failed |= set() if check.ok else {check.name}
    if not failed:
        print("Everything is ready.")
    elif failed <= LESSONS_ONLY:
        print("The lessons need what the FAIL lines say; kdcourse audit, quiz, glossary and claims work without.")
    else:
        print("Something needs a fix before you start; each FAIL line says what.")
    return not failed


def _install(extra="lab"):
    """The command that installs what is missing, in a clone or where the package was installed from elsewhere."""
    pip = f"{sys.executable} -m pip install"
    if _course.is_installed():
        return f'{pip} "kdcourse[{extra}]"'
    return f'{pip} -c constraints.txt -e "{_course.PACKAGE.parent}[{extra}]"'


def _python():
    ok = PYTHON[0] <= sys.version_info[:2] <= PYTHON[1]
    return ok, f"{platform.python_version()} in {Path(sys.prefix).name}", "use Python 3.11, 3.12 or 3.13"


def _packages(extra=""):
    from packaging.requirements import Requirement

    problems = []
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
    return not problems, "; ".join(problems) or "all there, and new enough", _install(extra)


def _torch():
    import torch

    from kdcourse.devices import resolve_device

    device = resolve_device("auto")
    value = float((torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)).sum())
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    fix = "install torch again, as the README says"
    return value == 64**3, f"{torch.__version__}, training runs on {name}", fix


def _threads():
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    fix = f"set OMP_NUM_THREADS={cores}: more threads than cores make training many times slower"
    return threads <= cores, f"torch uses {threads} of {cores} cores", fix


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
    from jupyter_core.paths import jupyter_path

    ok, found, fix = _packages("lab")
    manager = Path("@jupyter-widgets", "jupyterlab-manager", "package.json")
    if ok and not any((Path(place) / manager).exists() for place in jupyter_path("labextensions")):
        fix = f"{sys.executable} -m pip install --force-reinstall ipywidgets jupyterlab_widgets"
        return False, f"JupyterLab cannot show widgets: {manager} is missing", fix
    return ok, f"{found}; JupyterLab shows widgets" if ok else found, fix
