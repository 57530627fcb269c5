"""Files that are either whole or absent: JSON and safetensors, written atomically, never unpickled.

A reader sees the old file or the new one, whatever kills the writer. `fingerprint` names a result after everything that
determined it, so that it is found again.
"""

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path


class DamagedFile(ValueError):
    """A file that is there but cannot be read whole. The message names it."""


def save_json(path, value):
    """Write `value` (what JSON can hold; NaN is refused) to `path`, atomically. Missing folders are made."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with _replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_json(path):
    """The value in a JSON file. Raises FileNotFoundError, or DamagedFile if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # a UnicodeDecodeError is one too
        raise DamagedFile(f"{path} is not valid JSON: {error}") from error


def save_tensors(path, tensors, metadata=None):
    """Write named tensors to a safetensors file, atomically.

    tensors   {name: tensor}; stored contiguous and on the CPU
    metadata  anything JSON can hold; it travels in the file's header
    """
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with _replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"json": json.dumps(metadata, allow_nan=False)})


def load_tensors(path):
    """(tensors, metadata) of a safetensors file. Raises FileNotFoundError, or DamagedFile if it is not whole."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            return tensors, json.loads((file.metadata() or {}).get("json", "null"))
    except (SafetensorError, ValueError, OSError) as error:
        raise DamagedFile(f"{path} is not a whole safetensors file: {error}") from error


def fingerprint(value):
    """A short hexadecimal name for anything JSON can hold; equal values, whatever their key order, share it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256(path):
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _replacing(path):
    """A temporary path beside `path` that takes its place if the block ends well, and vanishes if it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
