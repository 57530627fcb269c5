"""Other training data: what a comparison needs before it may credit the soft labels.

Each takes a DataSet and gives one back whose *training* split says something else, or less. Validation and test stay
as they are, so that agreement is always agreement with the real teacher. A student on hard labels needs none of these:
its soft weight is 0. `weighted_labels` changes no data, and gives a loss; `told` is for the blocks of a sweep.

    table = sweep(settings, controls.arg_max(garments), epochs=10)

Each raises TypeError or ValueError that names the argument.
"""

from kdcourse.controls.examples import long_tail, never_shown, noisy_labels, weighted_labels
from kdcourse.controls.signals import arg_max, sampled, shuffled, slipped, smoothed_labels, with_soft_labels
from kdcourse.controls.teachers import self_taught, taught_by, told

__all__ = [
    "arg_max",
    "long_tail",
    "never_shown",
    "noisy_labels",
    "sampled",
    "self_taught",
    "shuffled",
    "slipped",
    "smoothed_labels",
    "taught_by",
    "told",
    "weighted_labels",
    "with_soft_labels",
]
