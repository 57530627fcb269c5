"""All that needs a CUDA card: its tests, and the benchmark of stacks, whose result file is named after the card.

make gpu
"""

import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent


def main():
    if not torch.cuda.is_available():
        sys.exit(
            f"There is no CUDA card here that torch {torch.__version__} can use, so nothing is tested or measured."
        )
    for command in (["-m", "pytest", "-m", "gpu"], ["benchmarks/stack.py", "--device", "cuda"]):
        status = subprocess.run([sys.executable, *command], cwd=ROOT).returncode
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
