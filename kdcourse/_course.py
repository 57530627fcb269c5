"""Where the course's files are: a clone, or what an installed package carries of it."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CARRIED = PACKAGE / "course"  # what a wheel brings: quizzes, glossary, ledger, lesson sources; not the large data
CLONE = "clone the course and run this in its folder, or name that folder in the variable KDCOURSE_COURSE"


def find(name: str) -> Path:
    """The path of a file or folder of the course, such as "quizzes" or "data/checksums.json".

    Looked for in the folder that KDCOURSE_COURSE names, in the clone that the package lies in, in the current folder,
    and in what the installed package carries; the first that is there. If none is, the path where it would be expected.
    """
    places = roots()
    return next((place / name for place in places if (place / name).exists()), places[0] / name)


def roots() -> list[Path]:
    """The folders that may hold the course, the one that goes first at the front."""
    chosen = os.environ.get("KDCOURSE_COURSE")
    here = [place for place in (PACKAGE.parent, Path.cwd()) if is_course(place)]
    return [*([Path(chosen)] if chosen else []), *here, CARRIED]


def is_course(folder: Path) -> bool:
    """Whether a folder is a clone of the course."""
    return (folder / "notebooks" / "source").is_dir() and (folder / "quizzes").is_dir()
