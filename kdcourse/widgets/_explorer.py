"""What the explorers share: a widget whose model runs in the browser, and a picture for readers who have no kernel."""

import base64

import anywidget

from kdcourse._javascript import STATIC
from kdcourse.widgets._figure import render

MIME = "application/vnd.kdcourse.explorer+json"  # {"explorer": name, "state": {...}}: what a page without kernel needs
NOT_STATE = {"layout", "tabbable", "tooltip"}


class Explorer(anywidget.AnyWidget):
    """A widget of native controls that computes in JavaScript. A subclass names its module, and draws its picture.

    Every value that a control sets is a trait: it can be read and set from Python.
    """

    _css = STATIC / "explorer.css"
    module = ""  # of static/, without .js

    def picture(self):
        """(figure, what it shows in words): the explorer as it stands, for matplotlib."""
        raise NotImplementedError

    def state(self):
        """{name: value} of everything that the browser knows, for JSON."""
        names = (name for name in self.traits(sync=True) if not name.startswith("_") and name not in NOT_STATE)
        return {name: getattr(self, name) for name in names}

    def _repr_mimebundle_(self, **kwargs):
        """The widget; beside it its picture for a saved notebook, and its state for a page that runs the same model."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        fig, alt = self.picture()
        data |= {
            "image/png": base64.b64encode(render(fig)).decode(),
            "text/plain": f"[explorer] {alt}",
            MIME: {"explorer": self.module, "state": self.state()},
        }
        return data, {**metadata, "image/png": {"alt": alt}}
