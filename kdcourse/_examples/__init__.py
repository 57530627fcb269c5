"""Models and data that need not be ours."""

from kdcourse._examples.examples import Examples, check_examples, labelled, only_one, try_loss
from kdcourse._examples.models import borrowed, classes_of, drawing_from, home_of, in_mode, logits_of

__all__ = [
    "Examples",
    "borrowed",
    "check_examples",
    "classes_of",
    "drawing_from",
    "home_of",
    "in_mode",
    "labelled",
    "logits_of",
    "only_one",
    "try_loss",
]
