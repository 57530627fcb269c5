"""What a learner drags: each public module here holds one widget, a function of the module's name.

Where `kdcourse/static/` has a script of that name, the widget is an explorer, which computes in the browser. Nothing
lists them: they are found where they lie.

>>> from kdcourse import widgets
>>> widgets.__all__
['blended_loss', 'decision_sheet', 'distillation_steps', 'forward_reverse', 'slices', 'soft_labels', 'student_size']
"""

import pkgutil
import sys
from importlib import import_module
from types import ModuleType

__all__ = sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))


class _Widgets(ModuleType):
    def __setattr__(self, name, value):
        """Importing a module of a package puts it here by its name, which is that of the widget inside it, too."""
        if name in __all__ and isinstance(value, ModuleType):
            value = getattr(value, name, value)
        super().__setattr__(name, value)

    def __getattr__(self, name):
        """Each widget when it is first asked for: one that needs no torch should not wait for it."""
        if name not in __all__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{self.__name__}.{name}"), name)

    def __dir__(self):
        return sorted({*self.__dict__, *__all__})


sys.modules[__name__].__class__ = _Widgets
