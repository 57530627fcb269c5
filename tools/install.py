"""Set the course up in a virtual environment: `python tools/install.py [FOLDER [EXTRAS]]`.

EXTRAS are those of pyproject.toml: `lab` is enough for learners; all that `make` needs comes if none are named.
Needs only Python 3.11 to 3.13.

torch comes first, in the version that was tested. On Linux the default package brings gigabytes of CUDA, so where no
NVIDIA driver answers, the CPU build is taken from PyTorch's own index. An index that you configured for pip goes first.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EXTRAS = "dev,browser,site,slides"
SUPPORTED = ((3, 11), (3, 13))


def main():
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        sys.exit(
            f"The course needs Python 3.11 to 3.13; this is {platform.python_version()} ({sys.executable}). "
            "Choose another one: make lab PYTHON=python3.12"
        )
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".venv").resolve()
    extras = sys.argv[2] if len(sys.argv) > 2 else EXTRAS
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making a virtual environment in {folder}", flush=True)
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    print("Installing (a few minutes the first time)", flush=True)
    install_torch(python)
    pip(python, "-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{extras}]")
    if extras == EXTRAS:
        (folder / "ready").touch()  # for make


def install_torch(python):
    pinned = re.search(r"^torch==\S+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M).group()
    if has_torch(python):
        return
    if platform.system() == "Linux" and not has_nvidia_driver() and not has_own_index(python):
        try:
            pip(python, pinned, "--index-url", CPU_INDEX)
            return
        except subprocess.CalledProcessError:
            print(f"{CPU_INDEX} did not answer; taking torch from pip's default index", flush=True)
    pip(python, pinned)


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def has_nvidia_driver():
    command = shutil.which("nvidia-smi")
    return command is not None and subprocess.run([command], capture_output=True).returncode == 0


def has_own_index(python):
    """Whether pip was told where to look: a mirror, or a folder of wheels. Then that is what its owner wants."""
    settings = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    return re.search(r"(index-url|find-links)", settings) is not None


def pip(python, *arguments):
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], check=True)


if __name__ == "__main__":
    main()
