"""The name of a function: the same code has the same, whatever it is called; other code, or other values, another."""

import ast
import functools
import importlib
import os
import shutil
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import kdcourse
from kdcourse import losses
from kdcourse.sweep.identity import code_behind, code_of, identity

HEAD = "import functools, torch, helpers\nimport torch.nn.functional as F\n"
PLAIN = """
T = 4.0

def helper(x):
    return x / T

def loss(s, t, y, weight=1.0):
    names = {"forward", "reverse", "both"}
    return weight * sum(F.cross_entropy(helper(part), y, reduction="none") for part in (s, s)) + helpers.shift(s)
"""


def loss_of(source, name="loss"):
    """A function of a module with this source, as a user writes it."""
    space = {"__name__": "somebody"}
    exec(compile(HEAD + source, "somebody.py", "exec"), space)
    return space[name]


@pytest.fixture(autouse=True)
def helpers(tmp_path, monkeypatch):
    """The other module of a user, as a file that can be changed."""
    path = tmp_path / "helpers.py"
    path.write_text("def shift(s):\n    return s[:, 0]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "helpers", raising=False)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def loss(", "# a comment\n\n\ndef loss("),
        ("    names =", '    """A docstring."""\n    names ='),
        ("return weight * sum(", "return weight * sum(  # why\n        "),
        ("weight=1.0", "weight: float = 1.0"),
        ("T = 4.0", "T = 4.0\nUNUSED = 5"),
    ],
)
def test_comments_layout_and_what_is_not_used_change_no_name(old, new):
    assert identity(loss_of(PLAIN.replace(old, new))) == identity(loss_of(PLAIN))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight * sum", "weight + sum"),
        ("weight=1.0", "weight=2.0"),
        ("T = 4.0", "T = 4"),
        ("x / T", "x * T"),
        ('"none"', '"mean"'),
        ("for part in (s, s)", "for part in (s, t)"),
        ("cross_entropy", "nll_loss"),
        ("helpers.shift(s)", "helpers.shift(t)"),
    ],
)
def test_a_change_of_the_code_or_of_what_it_uses_changes_the_name(old, new):
    assert identity(loss_of(PLAIN.replace(old, new))) != identity(loss_of(PLAIN))


def test_a_change_in_another_module_of_the_user_changes_the_name(helpers):
    before = identity(loss_of(PLAIN))
    helpers.write_text("def shift(s):\n    return s[:, 1]\n")
    del sys.modules["helpers"]
    assert identity(loss_of(PLAIN)) != before


@pytest.mark.parametrize(
    "how", ["from constants import K", "from constants import *", "import constants\nK = constants.K"]
)
def test_a_change_in_what_that_module_imports_changes_the_name(helpers, monkeypatch, how):
    names = []
    for value in (1, 22):  # of another length: within a second, that is how Python knows that a file has changed
        helpers.write_text(f"{how}\ndef shift(s):\n    return K * s[:, 0]\n")
        helpers.with_name("constants.py").write_text(f"K = {value}\n")
        for module in ("helpers", "constants"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        names.append(identity(loss_of(PLAIN)))
    assert names[0] != names[1]


@pytest.mark.slow
def test_a_fresh_process_with_other_hashes_gives_the_same_name(tmp_path):
    (tmp_path / "somebody.py").write_text(HEAD + PLAIN)
    code = "import somebody; from kdcourse.sweep.identity import identity; print(identity(somebody.loss))"
    root = str(Path(__file__).resolve().parent.parent)
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}", "PYTHONHASHSEED": "7", "PATH": ""}
    said = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment, cwd=tmp_path)
    assert said.strip() == identity(loss_of(PLAIN))


class Scaled:
    def __init__(self, by, weights=None):
        self.by, self.weights = by, weights

    def __call__(self, s, t, y):
        return self.by * F.cross_entropy(s, y, weight=self.weights, reduction="none")

    def method(self, s, t, y):
        return self(s, t, y)


@functools.lru_cache
def cached(x):
    return x


def closure(value):
    return lambda s, t, y: s * value


@torch.no_grad()
def without_gradients(s, t, y):
    return s


PAIRS = {
    "closure": lambda k: closure(k),
    "tensor": lambda k: closure(torch.tensor([1.0, k])),
    "tensor's shape": lambda k: closure(torch.ones(2, 6).view(k + 1, -1)),
    "array": lambda k: closure(np.array([1, k])),
    "list": lambda k: closure([k, {"a": (k,)}]),
    "set": lambda k: closure({"b", "a", str(k)}),
    "class": lambda k: closure([Scaled, dict][k - 1]),
    "library": lambda k: [F.cross_entropy, F.mse_loss, np.sum, torch.sum, max][k],
    "module": lambda k: torch.nn.KLDivLoss(reduction=["none", "mean", "sum"][k]),
    "partial": lambda k: functools.partial(losses.kd_loss, temperature=k),
    "object": lambda k: Scaled(k),
    "object with a tensor": lambda k: Scaled(1, torch.tensor([1.0, k])),
    "method": lambda k: Scaled(k).method,
    "wrapped by a library": lambda k: closure([cached, without_gradients][k - 1]),
    "ours": lambda k: [losses.kd_loss, losses.blended_loss, losses.soften][k],
    "made by ours": lambda k: losses.blended(k),
}


@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_values_count_and_not_the_objects_that_hold_them(make):
    assert identity(make(1)) == identity(make(1))
    assert identity(make(1)) != identity(make(2))


def test_a_function_that_calls_itself_has_a_name():
    recursive = "def loss(n):\n    return other(n)\n\ndef other(n):\n    return loss(n - 1)\n"
    assert identity(loss_of(recursive)) == identity(loss_of(recursive))
    assert identity(loss_of(recursive)) != identity(loss_of(recursive.replace("1", "2")))


@pytest.mark.parametrize("value", [torch.Generator(), object(), iter([1]), np.array([object()])], ids=range(4))
def test_what_cannot_be_written_down_has_no_name(value):
    with pytest.raises(TypeError, match="no value that could be written down"):
        identity(closure(value))


ROOM = {
    "front.py": """
import a
from kdcourse._arguments import integer
from kdcourse.room.back import g as behind, K
L: int = 2

def f(x: K):
    'Doc.'
    return behind(integer("x", x)) + L

def h():
    return a
""",
    "back.py": """
from b import c
K = 1

def g(x):
    if x:
        raise ValueError('no')
    return c(x) + K
""",
}


@pytest.fixture
def room(tmp_path, monkeypatch):
    """What lies behind f of a package `kdcourse.room` with these modules."""

    def behind(modules, module="kdcourse.room.front", **options):
        for name in [name for name in sys.modules if name.startswith("kdcourse.room")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "room", ignore_errors=True)
        (tmp_path / "room").mkdir()
        for name, source in {"__init__.py": "", **modules}.items():
            (tmp_path / "room" / name).write_text(source)
        return code_behind(module, "f", **options)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(kdcourse, "__path__", [*kdcourse.__path__, str(tmp_path)])
    for name in ("a", "b"):
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(c=None))
    return behind


def test_behind_a_name_is_what_it_uses_in_whatever_module_and_nothing_else(room):
    expected = ["K = 1", "L = 2", "b: c", "def f(x): return behind(integer('x', x)) + L"]
    expected += ["def g(x): if x: raise return c(x) + K", "g as behind"]
    assert [" ".join(code.split()) for code in room(ROOM)] == expected
    without = room(ROOM, but=("kdcourse._arguments", "kdcourse.room.back.g"))
    assert [" ".join(code.split()) for code in without] == [expected[1], expected[3], expected[5]]


@pytest.mark.parametrize(
    "through",
    [
        {
            "__init__.py": "from kdcourse.room.back import *\n",
            "front.py": "from kdcourse.room import g\ndef f(x): return g(x)",
        },
        {"front.py": "from kdcourse.room import back\ndef f(x): return back.g(x)\n"},
    ],
    ids=["a star", "a module"],
)
def test_what_is_reached_through_a_star_or_a_module_counts_with_all_that_it_uses(room, through):
    back = {"back.py": "from kdcourse.room.under import h\n__all__ = ['g']\ndef g(x): return h(x)\n"}
    found = [room(back | through | {"under.py": f"def h(x): return {factor} * x\n"}) for factor in (2, 3, 2)]
    assert found[0] == found[2] != found[1]


def test_a_module_of_the_package_counts_with_all_that_it_uses(room):
    names = []
    for factor in (2, 3):
        under = f"def h(x): return {factor} * x\n"
        room({"front.py": "from kdcourse.room.under import h\ndef f(x): return h(x)\n", "under.py": under})
        front = importlib.import_module("kdcourse.room.front")
        names.append(identity(lambda x, front=front: front.f(x)))
    assert names[0] != names[1]


def test_what_moves_to_another_module_keeps_its_name_and_what_changes_there_does_not(room):
    there = ROOM["back.py"].replace("c(x)", "c(-x)")
    moved = {
        "front.py": "from kdcourse.room.elsewhere import f\n",
        "elsewhere.py": ROOM["front.py"].replace("room.back", "room.under"),
        "under.py": ROOM["back.py"],
    }
    before = room(ROOM)
    assert room(moved) == room(moved, "kdcourse.room.elsewhere") == before
    assert room(moved | {"under.py": there}) == room(ROOM | {"back.py": there}) != before


def test_threads_parse_one_after_the_other(monkeypatch):
    """In Python 3.11, two at once could end in `SystemError: AST constructor recursion depth mismatch`."""
    parse, inside, most = ast.parse, [], []

    def slowly(source):
        inside.append(source)
        time.sleep(0.01)
        most.append(len(inside))
        inside.remove(source)
        return parse(source)

    monkeypatch.setattr(ast, "parse", slowly)
    with ThreadPoolExecutor(4) as threads:
        named = list(threads.map(code_of.__wrapped__, [f"x = {k}  # a comment" for k in range(8)]))
    assert named == [f"x = {k}" for k in range(8)]
    assert most == [1] * 8
