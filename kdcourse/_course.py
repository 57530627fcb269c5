"""Where the course's files are: a clone, or what an installed package carries of it."""

import errno
import os
import re
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CARRIED = PACKAGE / "course"  # what a wheel brings: quizzes, glossary, ledger, lesson sources; not the large data
CLONE = "clone the course and run this in its folder, or name that folder in the variable KDCOURSE_COURSE"


class CourseError(RuntimeError):
    """Something of the course is not on this machine. The message is a sentence that says how to get it."""


def find(name: str) -> Path:
    """The path of a file or folder of the course, such as "quizzes" or "data/checksums.json".

    Looked for in the folder that KDCOURSE_COURSE names, in the clone that the package lies in, in the current folder
    and those that it lies in, and in what the installed package carries; the first that is there. If none is, the path
    where it would be expected.
    """
    places = roots()
    return next((place / name for place in places if (place / name).exists()), places[0] / name)


def roots() -> list[Path]:
    """The folders that may hold the course, the one that goes first at the front."""
    chosen = os.environ.get("KDCOURSE_COURSE")
    here = Path.cwd()
    clones = [place for place in dict.fromkeys([PACKAGE.parent, here, *here.parents]) if is_course(place)]
    return [*([Path(chosen)] if chosen else []), *clones, CARRIED]


def is_course(folder: Path) -> bool:
    """Whether a folder is a clone of the course."""
    return (folder / "notebooks" / "source").is_dir() and (folder / "quizzes").is_dir()


def is_installed() -> bool:
    """Whether the package was installed as a copy, not in place of its clone (`pip install -e`)."""
    return not is_course(PACKAGE.parent)


def require_lab() -> None:
    """See that the packages of the extra `lab` are there. Raises CourseError that says how to install them."""
    if any(find_spec(name) is None for name in ("anywidget", "jupyterlab", "papermill")):
        raise CourseError('Lessons need packages that are not installed: pip install "kdcourse[lab]"')


def explained(error: Exception) -> str:
    """What a CourseError says, or what to do where the disk or its rights refuse a file; empty for other errors."""
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    shut = {errno.EROFS, errno.EACCES, errno.EPERM}
    if not isinstance(error, OSError):
        return str(error)
    if error.errno not in full | shut:
        return ""
    where = re.sub(
        r"\.([^/\\]+)\.\w{8}\.part$", r"\1", str(error.filename2 or error.filename or "A file")
    )  # of `store`
    fix = "free some space, or choose another folder" if error.errno in full else "choose a folder that is yours"
    named = "--out, where a command has it, names one for pages, the variable KDCOURSE_HOME one for all that is kept"
    return f"{where} cannot be written: {error.strerror}. Please {fix}: {named}."
