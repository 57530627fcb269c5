"""Make a Colab notebook ready for a lesson. Its first cell, with the address of the repository:

    !git clone --quiet --depth 1 ADDRESS course
    %run course/tools/colab.py

Installs only what is missing. torch and numpy stay those of Colab, which fit its driver and may be loaded already.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ["torch", "numpy"]


def install():
    """Install the course and what it asks for, in the environment of this kernel."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "kept.txt")
        kept.write_text("".join(f"{name}=={importlib.metadata.version(name)}\n" for name in KEPT))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", str(kept), "-e", str(ROOT), "anywidget"]
        subprocess.run(command, check=True)


def main():
    install()
    sys.path.insert(0, str(ROOT))  # a kernel that runs already does not see what pip has just put there
    from google.colab import output

    output.enable_custom_widget_manager()
    print("The course is ready: run the cells below.")


if __name__ == "__main__":
    main()
