"""Print the lowest versions that pyproject.toml allows, as constraints for pip: `python tools/lowest.py > lowest.txt`.

Of what the package and its lessons run on, not of the tools for testing; torch stays the one that was tested.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("lab", "dask", "export", "site")


def lowest():
    """["numpy==1.26", ...] of all dependencies, and the tested torch first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for name in EXTRAS for line in project["optional-dependencies"][name])]
    torch = re.search(r"^torch==\S+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M).group()
    return [torch, *(line.replace(">=", "==") for line in lines if not line.startswith("torch>"))]


if __name__ == "__main__":
    print("\n".join(lowest()))
