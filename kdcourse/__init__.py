"""A course on knowledge distillation that measures every claim it teaches.

The package stays light on purpose: nothing is imported here, so that `kdcourse --help` does not wait for torch.
Import what you need from its module: `from kdcourse.losses import kd_loss`.
"""

__version__ = "0.1.0"
