"""Models, data and losses that need not be ours."""

from kdcourse._examples.examples import Examples, check_examples, labelled
from kdcourse._examples.losses import check_loss, only_one, only_one_per_student, try_loss
from kdcourse._examples.models import borrowed, classes_of, drawing_from, home_of, in_mode, logits_of

__all__ = [
    "Examples",
    "borrowed",
    "check_examples",
    "check_loss",
    "classes_of",
    "drawing_from",
    "home_of",
    "in_mode",
    "labelled",
    "logits_of",
    "only_one",
    "only_one_per_student",
    "try_loss",
]
