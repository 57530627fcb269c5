"""Grids of students: train hundreds at once, and get one tidy row for each.

    table = sweep(grid(width=[16, 64], temperature=[1, 4], init_seed=range(8)), garments.subset(10_000), epochs=10)

Students that share an architecture and their batches are trained as one stack, `chunk` of them at a time. A finished
student is kept on disk under a name made from everything that determines it, so the same call goes on where it stopped.
"""

from kdcourse.sweep.blocks import best_on_validation, gain_over, sweep_blocks
from kdcourse.sweep.repaired import repaired
from kdcourse.sweep.run import sweep
from kdcourse.sweep.settings import grid

__all__ = ["best_on_validation", "gain_over", "grid", "repaired", "sweep", "sweep_blocks"]
