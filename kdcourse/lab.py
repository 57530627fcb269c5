"""The learner's own copies of the notebooks, and JupyterLab that opens them.

Lessons are worked in copies, `my-notebooks/` beside the course's `notebooks/`. What somebody wrote and what a new
version of the course brings therefore never meet in one file.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from kdcourse import _course, store

COPIES, RECORD = "my-notebooks", ".copied.json"  # the record: {file name: SHA-256 of what was copied to it}


def folder() -> Path:
    """Return where a learner works: in the course's folder, or in the user's data folder if that cannot be written to.

    Examples
    --------
    >>> folder().name
    'my-notebooks'
    """
    course = _course.find("notebooks").parent
    return (course if os.access(course, os.W_OK) else store.user_folder("data")) / COPIES


def shipped() -> list[Path]:
    """Return the course's own notebooks, in order. Raises CourseError where there are none."""
    found = sorted(_course.find("notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise _course.CourseError(f"The package was installed without its notebooks: {_course.CLONE}.")
    return found


def copy() -> list[Path]:
    """Copy the notebooks of which the learner has no copy yet, and what they show and link to; return all copies.

    Raises
    ------
    CourseError
        Where the course has no notebooks.
    OSError
        Where they cannot be written.
    """
    for source in shipped():
        if not (folder() / source.name).exists():
            _put(source, source.name)
        _put_links(source)
    return [folder() / source.name for source in shipped()]


def outdated() -> list[str]:
    """Return the names of the copies that are of an older version of the course.

    A version that `update` has put beside a copy counts as seen.
    """
    here, copied = folder(), _copied()
    return [
        source.name
        for source in shipped()
        if (here / source.name).exists() and store.sha256(source) not in (copied.get(source.name), _sha(source.name))
    ]


def update() -> dict[str, str]:
    """Bring the copies to the course's present version, and lose nothing of the learner's.

    A copy that is as it was made is replaced. Any other stays, and the new version is put beside it.

    Returns
    -------
    dict
        {name of a copy: name of the file that now holds the new version}, for the outdated ones.
    """
    old, copied, put = outdated(), _copied(), {}
    copy()
    for source in shipped():
        if source.name in old:
            names = [source.name, *(f"{source.stem}-new{number}.ipynb" for number in ["", *range(2, 1000)])]
            put[source.name] = next(name for name in names if _sha(name) in (None, copied.get(name)))
            _put(source, put[source.name])
            if put[source.name] != source.name:
                _record(source.name, store.sha256(source))  # seen; what they wrote still differs from it
    return put


def told(put: dict[str, str]) -> str:
    """Return in words what `update` did.

    Examples
    --------
    >>> print(told({}).partition(":")[0])
    Your copies are of the present version
    """
    lines = [
        f"{name}: " + ("renewed" if new == name else f"you changed it, so it stays; the new version is {new} beside it")
        for name, new in put.items()
    ]
    return "\n".join(lines or [f"Your copies are of the present version: {folder()}"])


def give_home() -> None:
    """Let Jupyter have the course's folder where a user has neither HOME nor an entry, as in some containers."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["KDCOURSE_HOME"] = os.environ["HOME"] = str(store.user_folder("data"))


def start(port: int = 8888, browser: bool = True) -> int:
    """Open the first copy in JupyterLab, and return the exit status of that when it ends."""
    give_home()
    here = folder()
    print(f"Your copies of the notebooks are in {here}", flush=True)
    command = [sys.executable, "-m", "jupyterlab", f"--port={port}", f"--ServerApp.root_dir={here.parent}"]
    command += [f"--LabApp.default_url=/lab/tree/{COPIES}/{shipped()[0].name}"]
    command += ["--LabApp.news_url=None"]  # it would ask every learner whether to fetch Jupyter's news
    command += [] if browser else ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container
        command += ["--allow-root"]
    try:
        status = subprocess.call(command)
    except KeyboardInterrupt:
        return 0
    if status > 0:
        print("JupyterLab stopped at an error. What kdcourse doctor calls FAIL may be why.", file=sys.stderr)
    return status


def _put(source, name):
    with store.replacing(folder() / name) as temporary:
        shutil.copyfile(source, temporary)
    _record(name, "changed in place" if _is_changed_in_place(source) else store.sha256(source))


def _put_links(source):
    """What a notebook links to lies beside the copies already, but for pictures, and for a course that is elsewhere."""
    for link in re.findall(r"\]\(((?:\.\./|pictures/)[^)#]+)", source.read_text(encoding="utf-8")):
        wanted, target = source.parent / link, folder() / link
        if wanted.is_file() and not (target.exists() and target.read_bytes() == wanted.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            with store.replacing(target) as temporary:
                shutil.copyfile(wanted, temporary)


def _is_changed_in_place(source):
    """Whether somebody worked in the course's own notebook. A copy of that is theirs from the first."""
    git = shutil.which("git")
    command = [git, "-C", str(source.parent), "status", "--porcelain", "--untracked-files=no", "--", source.name]
    return git is not None and subprocess.run(command, capture_output=True).stdout != b""


def _sha(name):
    path = folder() / name
    return store.sha256(path) if path.exists() else None


def _copied():
    try:
        record = store.load_json(folder() / RECORD)
    except (FileNotFoundError, store.DamagedFile):  # then every copy counts as changed, and stays
        return {}
    return record if isinstance(record, dict) else {}


def _record(name, sha):
    store.save_json(folder() / RECORD, _copied() | {name: sha})
