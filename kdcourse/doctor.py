"""Is this machine ready for the course? One line a check, and the fix beside each failure."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

PYTHON = ((3, 11), (3, 13))  # the oldest and the newest that are tested


class Check(NamedTuple):
    """One line of the report: what was looked at, whether it is all right, what was found, and what to do if not."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def __str__(self):
        line = f"{'OK  ' if self.ok else 'FAIL'}  {self.name:<9} {self.found}"
        return line if self.ok else f"{line}\n      {'':<9} fix: {self.fix}"


def examine():
    """All checks, one at a time as they finish (an iterator of `Check`). None of them raises."""
    for name, check in [
        ("python", _python),
        ("packages", _packages),
        ("torch", _torch),
        ("threads", _threads),
        ("data", _data),
        ("widgets", _widgets),
    ]:
        try:
            yield check()
        except Exception as error:  # a broken installation can fail in any way, and the report must go on
            yield Check(name, False, f"{type(error).__name__}: {error}", "install the course again: make lab")


def report():
    """Print every check; returns True if all are OK."""
    ok = True
    for check in examine():
        print(check, flush=True)
        ok &= check.ok
    print("Everything is ready." if ok else "Something needs a fix before you start; each FAIL line says what.")
    return ok


def _python():
    ok = PYTHON[0] <= sys.version_info[:2] <= PYTHON[1]
    return Check(
        "python", ok, f"{platform.python_version()} in {Path(sys.prefix).name}", "use Python 3.11, 3.12 or 3.13"
    )


def _packages():
    from packaging.requirements import Requirement

    required = [Requirement(line) for line in importlib.metadata.requires("kdcourse") or []]
    problems = []
    for requirement in required:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement.name} {version} is not {requirement.specifier}")
    here = Path(__file__).resolve().parent.parent
    found = "; ".join(problems) or "all there, and new enough"
    return Check("packages", not problems, found, f"{sys.executable} -m pip install -c constraints.txt -e {here}")


def _torch():
    import torch

    from kdcourse.train import resolve_device

    device = resolve_device("auto")
    value = float((torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)).sum())
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    fix = "install torch again, as the README says"
    return Check("torch", value == 64**3, f"{torch.__version__}, training runs on {name}", fix)


def _threads():
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    fix = f"set OMP_NUM_THREADS={cores}: more threads than cores make training many times slower"
    return Check("threads", threads <= cores, f"torch uses {threads} of {cores} cores", fix)


def _data():
    from kdcourse import data

    try:
        names = data.verify()
    except data.DataError as error:
        what, _, fix = str(error).partition(". To get it back, ")
        return Check("data", False, what, fix)
    size = sum((data.folder() / name).stat().st_size for name in names)
    return Check("data", True, f"{len(names)} files, {size / 1e6:.0f} MB, every checksum right")


def _widgets():
    import ipywidgets

    extension = Path(sys.prefix) / "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
    fix = f"{sys.executable} -m pip install --force-reinstall ipywidgets jupyterlab_widgets"
    found = f"ipywidgets {ipywidgets.__version__}, " + (
        "JupyterLab shows them" if extension.exists() else f"but {extension} is missing: JupyterLab cannot show them"
    )
    return Check("widgets", extension.exists(), found, fix)
