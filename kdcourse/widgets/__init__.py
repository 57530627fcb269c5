"""What a learner drags. Every widget has a static picture beside it in the lesson, for readers without a kernel."""

from kdcourse.widgets.soft_labels import soft_labels

__all__ = ["soft_labels"]
