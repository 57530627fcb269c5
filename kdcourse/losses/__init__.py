"""The losses of the course. Pure functions: tensors in, tensors out, no state.

The classes are always on axis 1, as in `torch.nn.functional.cross_entropy`: `[B, C]` for one student, `[M, C, B]`
for M stacked students, `[B, C, L]` for sequences.

`soften`, `kd_loss` and `blended_loss` check their arguments and then do the arithmetic. What trains students takes a
*loss function*, `(student_logits, teacher_logits, labels) -> one value per example`: `blended` makes the everyday one,
`functools.partial` gives the settings to another. It does arithmetic and no checks; `distill` tries it before the first
step. The losses on features, `(student_features, teacher_features) -> one value per example`, get there through
`kdcourse.features`.
"""

from kdcourse.losses import logits
from kdcourse.losses.arithmetic import (
    LossFunction,
    Setting,
    blended,
    hard_per_example,
    soft_per_example,
    widen,
)
from kdcourse.losses.checked import LossTerms, blended_loss, kd_loss, soften
from kdcourse.losses.features import attention_loss, hint_loss, relation_loss
from kdcourse.losses.logits import *  # noqa: F403, what that module offers is offered here

__all__ = [
    "LossFunction",
    "LossTerms",
    "Setting",
    "attention_loss",
    "blended",
    "blended_loss",
    "hard_per_example",
    "hint_loss",
    "kd_loss",
    "relation_loss",
    "soft_per_example",
    "soften",
    "widen",
]
__all__ += logits.__all__
