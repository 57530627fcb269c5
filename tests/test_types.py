"""The public functions have types that agree with one another, and docstrings that can be read by machines."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from docutils.core import publish_doctree
from docutils.nodes import field, system_message
from sphinx.ext.napoleon import Config, NumpyDocstring

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import site_api  # noqa: E402

MODULES = [f"kdcourse.{name}" for name in site_api.modules(ROOT / "kdcourse")]
# What runs the course: it is called by commands and front ends, and works on the folders of whoever runs it.
MACHINERY = {f"kdcourse.{name}" for name in ("doctor", "lab", "lessons", "progress", "quiz", "store")}
NAPOLEON = Config(napoleon_google_docstring=False, napoleon_use_rtype=False, napoleon_use_ivar=True)


@pytest.mark.slow  # half a minute the first time; `make lint` says it too
def test_mypy_finds_nothing():
    done = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def public(module):
    """(name, function) of everything that can be called in a public module: functions, classes and their methods."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
        value = getattr(module, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            yield name, value
            for part, method in vars(value).items():
                if not part.startswith("_") and inspect.isfunction(method):
                    yield f"{name}.{part}", method


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_have_typed_signatures(name):
    untyped = []
    for place, function in public(importlib.import_module(name)):
        if inspect.isfunction(function):
            parameters = inspect.signature(function).parameters.values()
            plain = [one for one in parameters if one.kind is not one.VAR_KEYWORD and one.name not in ("self", "cls")]
            if any(one.annotation is one.empty for one in plain) or "return" not in function.__annotations__:
                untyped.append(place)
    assert untyped == []


@pytest.mark.parametrize("name", [name for name in MODULES if name not in MACHINERY])
def test_public_functions_have_an_example(name):
    """What a method does, the example of its class may show."""
    callables = dict(public(importlib.import_module(name)))
    functions = {place: one for place, one in callables.items() if inspect.isfunction(one) and "." not in place}
    without = [f"{name}.{place}" for place, one in functions.items() if ">>>" not in one.__doc__]
    assert [place for place in without if place != "kdcourse.claims.run"] == []  # which takes minutes


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_name_their_parameters_and_can_be_read(name):
    faults = []
    for place, function in public(importlib.import_module(name)):
        made = str(NumpyDocstring(inspect.cleandoc(function.__doc__ or ""), NAPOLEON))
        tree = publish_doctree(
            f".. default-role:: literal\n\n{made}", settings_overrides={"report_level": 5, "_disable_config": True}
        )
        faults += [(place, message.astext()) for message in tree.findall(system_message) if message["level"] > 1]
        documented = [
            entry[0].astext().split()[1].lstrip("*")
            for entry in tree.findall(field)
            if entry[0].astext().startswith("param ")
        ]
        if documented and inspect.isfunction(function):
            taken = {one.name: one for one in inspect.signature(function).parameters.values() if one.name != "self"}
            further = {
                one.name for one in taken.values() if one.kind is one.VAR_KEYWORD
            }  # may be documented one by one
            wrong = taken.keys() - further - {*documented} or ({*documented} - taken.keys() if not further else ())
            faults += [(place, name) for name in wrong]
    assert faults == []
