"""What the explorers share: a widget whose model runs in the browser, and its state for pages without a kernel."""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import anywidget

from kdcourse._javascript import STATIC, bundle

MIME = "application/vnd.kdcourse.explorer+json"  # {"explorer": name, "state": {...}}: what a page without kernel needs
NOT_STATE = {"layout", "tabbable", "tooltip"}


class Explorer(anywidget.AnyWidget):
    """A widget of native controls that computes in JavaScript, in the script that is called as the subclass's module.

    Every value that a control sets is a trait: it can be read and set from Python. When notebooks are built, the
    picture for readers without a kernel is taken of the explorer itself, in a browser.

    Attributes
    ----------
    module : str
        Name of the script in `kdcourse/static/`, and of the Python module. Nobody sets it.
    title, question : str
        Heading on the site's page of explorers, and the text below it, in Markdown: what to try, what to find out.
    lesson : str
        The lesson whose explorer the site shows, such as "01_soft_labels".
    opening : dict
        Values from which the explorer starts on that page, where they differ from the lesson's.
    pictured : dict
        Values that its picture shows, where they differ from those it starts from.
    """

    _css = STATIC / "explorer.css"
    module: ClassVar[str] = ""
    title: ClassVar[str]
    question: ClassVar[str]
    lesson: ClassVar[str]
    opening: ClassVar[dict[str, Any]] = {}
    pictured: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        if not cls.module:
            cls.module = cls.__module__.rpartition(".")[2]
            cls._esm = bundle(cls.module)
        super().__init_subclass__(**options)

    def state(self) -> dict[str, Any]:
        """Everything that the browser knows, by name, for JSON."""
        names = (name for name in self.traits(sync=True) if not name.startswith("_") and name not in NOT_STATE)
        return {name: getattr(self, name) for name in names}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and beside it its state for a page that runs the same script."""
        data, metadata = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        words = f"[explorer] {self.title}. It runs in JupyterLab, and on the course's site."
        return {**data, "text/plain": words, MIME: {"explorer": self.module, "state": self.state()}}, metadata


def explorers() -> dict[str, type[Explorer]]:
    """Every explorer of the course by its name, in the order of their lessons.

    Examples
    --------
    >>> list(explorers())
    ['distillation_steps', 'soft_labels', 'blended_loss', 'student_size', 'slices', 'forward_reverse', 'decision_sheet']
    """
    package = __name__.rpartition(".")[0]
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if (STATIC / f"{found.name}.js").exists():
            import_module(f"{package}.{found.name}")
    ours = [one for one in Explorer.__subclasses__() if one.__module__ == f"{package}.{one.module}"]
    return {one.module: one for one in sorted(ours, key=lambda one: one.lesson)}
