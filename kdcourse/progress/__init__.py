"""What a learner has passed, kept in one small JSON file of this user. Nothing leaves the machine."""

from kdcourse.progress.certificate import certificate
from kdcourse.progress.overview import export, next_up, save_export, show, table
from kdcourse.progress.record import answered_quiz, load, passed_exercise, path

__all__ = [
    "answered_quiz",
    "certificate",
    "export",
    "load",
    "next_up",
    "passed_exercise",
    "path",
    "save_export",
    "show",
    "table",
]
