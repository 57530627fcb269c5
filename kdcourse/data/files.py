"""The files of the data sets: where they lie, and that they are whole."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kdcourse import _course, store


class DataError(_course.CourseError):
    """A data file is missing, truncated or altered. The message names it and says how to get it back."""


def folder() -> Path:
    """Where the data lie: the course's `data/`, or the folder named by the variable KDCOURSE_DATA.

    >>> (folder() / "checksums.json").exists()
    True
    """
    return Path(os.environ.get("KDCOURSE_DATA") or _course.find("data"))


def verify() -> list[str]:
    """Check every file in `data/` against `data/checksums.json` and return their names.

    Raises
    ------
    DataError
        At the first that is missing, truncated or altered.

    >>> "fashion-mnist/test.png" in verify()
    True
    """
    names = list(_manifest())
    with ThreadPoolExecutor() as pool:
        list(pool.map(checked, names))
    return names


def checked(name: str) -> Path:
    """The path of a data file, once its size and SHA-256 are the recorded ones.

    Parameters
    ----------
    name : str
        As in `data/checksums.json`, such as "fashion-mnist/test.png".

    Raises
    ------
    DataError
        If it is not listed, missing, truncated or altered. The message says how to get it back.

    Examples
    --------
    >>> checked("fashion-mnist/test.png").name
    'test.png'
    """
    path = folder() / name
    recorded = _manifest().get(name)
    if recorded is None and not path.is_file():
        raise DataError(f"{path} is missing, and no file of the course's: checksums.json does not list it")
    if recorded is None:
        raise DataError(f"{path} is not listed in checksums.json. {_remedy('checksums.json')}")
    if not path.is_file():
        if path.is_relative_to(_course.CARRIED):
            raise DataError(f"The package was installed without its data sets: {_course.CLONE}.")
        raise DataError(f"{path} is missing. {_remedy(name)}")
    size = path.stat().st_size
    if size != recorded["bytes"]:
        what = "truncated" if size < recorded["bytes"] else "altered"
        raise DataError(f"{path} is {what}: {size:,} bytes, not {recorded['bytes']:,}. {_remedy(name)}")
    if store.sha256(path) != recorded["sha256"]:
        raise DataError(f"{path} is altered: its SHA-256 is not the recorded one. {_remedy(name)}")
    return path


def _manifest():
    path = folder() / "checksums.json"
    if not path.is_file():
        raise DataError(f"{path} is missing. {_remedy('checksums.json')}")
    try:
        manifest = store.load_json(path)
    except store.DamagedFile as error:
        raise DataError(f"{error}. {_remedy('checksums.json')}") from error
    if not isinstance(manifest, dict) or not manifest:
        raise DataError(f"{path} lists no files. {_remedy('checksums.json')}")
    for name, entry in manifest.items():
        if not isinstance(entry, dict) or not {"bytes", "sha256"} <= entry.keys():
            raise DataError(f"{path} has no size and checksum for {name}. {_remedy('checksums.json')}")
    return manifest


def _remedy(name):
    path = folder() / name
    again = f"copy {path.name} from a fresh download of the course into the same folder"
    if _course.is_course(folder().parent) or not _course.is_installed():
        again = f'run `git checkout -- "{path}"` in your clone, or {again}'
    return f"To get it back, {again}"


def checkpoints():
    """The data sets whose teacher ships as a checkpoint; of the others only its logits are there."""
    here = [path.relative_to(folder()).as_posix() for path in folder().glob("*/teacher.safetensors")]
    return sorted({name.partition("/")[0] for name in [*_manifest(), *here] if name.endswith("/teacher.safetensors")})


def teacher_parameters(name):
    """How many numbers of a teacher's checkpoint were trained; what batch norm only keeps count of was not."""
    tensors, _ = store.load_tensors(checked(f"{name}/teacher.safetensors"))
    counted = ("running_mean", "running_var", "num_batches_tracked")
    return sum(tensor.numel() for key, tensor in tensors.items() if not key.endswith(counted))
