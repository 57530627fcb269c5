"""What a learner drags. Every widget has a static picture beside it in the lesson, for readers without a kernel.

soft_labels   the teacher's probabilities at a temperature;  blended_loss  the loss, and what it asks of the student
live          students trained at a move of a slider;        student_size  what a student costs, and when it pays
slices        an audit at a limit that can be moved
distillation_steps  the whole pipeline, step by step, on points in the plane
"""

from importlib import import_module

_HOME = {
    "blended_loss": "blended_loss",
    "distillation_steps": "distillation_steps",
    "live": "live_training",
    "slices": "slices",
    "soft_labels": "soft_labels",
    "student_size": "student_size",
}
__all__ = list(_HOME)


def __getattr__(name):
    """Each widget when it is first asked for: `quiz` is in this package too, and must not wait for torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    widget = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = widget  # importing soft_labels has put the module of that name here
    return widget


def __dir__():
    return sorted({*globals(), *__all__})
