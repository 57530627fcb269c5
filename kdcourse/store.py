"""Files that are either whole or absent: JSON and safetensors, written atomically, never unpickled.

A reader sees the old file or the new one, whatever kills the writer. `fingerprint` names a result after everything that
determined it, so that it is found again.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Name = str | PathLike


class DamagedFile(ValueError):
    """A file that is there but cannot be read whole. The message names it."""


def save_json(path: Name, value: Any) -> None:
    """Write `value` to `path`, atomically. Missing folders are made.

    Raises
    ------
    ValueError
        For NaN and infinity.
    TypeError
        For what JSON cannot hold, keys that are not strings, too.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_json(f"{folder}/deep/down.json", {"width": [16, 64]})
    ...     load_json(f"{folder}/deep/down.json")
    {'width': [16, 64]}
    """
    _check_keys(value)
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_json(path: Name) -> Any:
    """The value in a JSON file. Raises FileNotFoundError, or DamagedFile if it is not JSON."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        return _parse(text.removeprefix("\ufeff"))  # some editors put a byte-order mark first
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        raise DamagedFile(f"{path} is not valid JSON: {error}") from error


def save_tensors(path: Name, tensors: "Mapping[str, torch.Tensor]", metadata: Any = None) -> None:
    """Write named tensors to a safetensors file, atomically.

    Parameters
    ----------
    path : str or Path
    tensors : dict of Tensors by name
        Stored contiguous and on the CPU.
    metadata : optional
        Anything JSON can hold; it travels in the file's header.

    Raises
    ------
    OSError
        For a file that cannot be written.

    Examples
    --------
    >>> import torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors(f"{folder}/one", {"weight": torch.ones(2)}, {"lr": 0.1})
    ...     load_tensors(f"{folder}/one")
    ({'weight': tensor([1., 1.])}, {'lr': 0.1})
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    if "__metadata__" in tensors:
        raise ValueError("tensors must not be named '__metadata__': the format keeps that name for itself")
    _check_keys(metadata)
    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"json": json.dumps(metadata, allow_nan=False)})
        except SafetensorError as error:  # what it says of a disk that is full
            raise OSError(str(error)) from error


def load_tensors(path: Name) -> "tuple[dict[str, torch.Tensor], Any]":
    """(tensors, metadata) of a safetensors file. Raises FileNotFoundError, or DamagedFile if it is not whole."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            return tensors, _parse((file.metadata() or {}).get("json", "null"))
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise DamagedFile(f"{path} is not a whole safetensors file: {error}") from error


def fingerprint(value: Any) -> str:
    """A short hexadecimal name for anything JSON can hold; it does not depend on the order of keys. (1 is not 1.0.)

    >>> fingerprint({"lr": 0.1, "width": 8}) == fingerprint({"width": 8, "lr": 0.1})
    True
    """
    _check_keys(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256(path: Name) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    >>> sha256(os.devnull)[:16]
    'e3b0c44298fc1c14'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_folder(kind: str) -> Path:
    """The folder of this user for the course's "cache" or "data": KDCOURSE_HOME, if that is set.

    Where a user has no home, as in some containers, it is one in the folder for temporary files.
    """
    import platformdirs

    home = os.environ.get("KDCOURSE_HOME")
    try:
        if home:
            return Path(home).expanduser()
        return {"cache": platformdirs.user_cache_path, "data": platformdirs.user_data_path}[kind]("kdcourse")
    except (RuntimeError, KeyError):  # neither HOME nor an entry of the user
        return Path(tempfile.gettempdir()) / f"kdcourse-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def cache_folder(name: str) -> Path:
    """Where results may be kept that can be computed again."""
    return user_folder("cache") / name


def _parse(text):
    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _check_keys(value):
    """JSON would turn the key 1 into "1" without a word."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys must be strings, got {key!r}")
            _check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_keys(item)


@contextmanager
def replacing(path: Name) -> Iterator[Path]:
    """A temporary path that takes the place of `path` if the block ends well, and vanishes if it does not.

    A file that is there keeps its mode; a new one has that of any file the process makes. A link stays, and what it
    leads to is replaced. What is no file, such as a pipe or a device, is written to and stays what it is.
    """
    path = Path(path)
    handle = _open_handle(path)
    if handle is not None or (path.exists() and not path.is_file()):
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "content"
            temporary.touch()
            yield temporary
            if sys.stdout is not None:
                sys.stdout.flush()
            with open(temporary, "rb") as content, open(path if handle is None else os.dup(handle), "wb") as file:
                shutil.copyfileobj(content, file)
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:200]}.{uuid.uuid4().hex[:8]}.part"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the umask takes
    try:
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        yield temporary
        with open(temporary, "r+b") as file:  # Windows syncs only what is open for writing
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _open_handle(path):
    """The number of the open file that a path such as /dev/stdout stands for, or None. Its place in it counts."""
    named = re.fullmatch(r"/dev/(?:(stdin|stdout|stderr)|fd/(\d+))|/proc/self/fd/(\d+)", str(path))
    if not named:
        return None
    return {"stdin": 0, "stdout": 1, "stderr": 2}[named[1]] if named[1] else int(named[2] or named[3])
