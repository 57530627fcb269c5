"""The name of a function: the same code has the same, whatever it is called; other code, or other values, another."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdcourse import losses
from kdcourse.sweep.identity import code_of, identity

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


def test_code_of_some_names_holds_what_they_use_and_nothing_else():
    source = "import a\nfrom b import c\nK = 1\nL: int = 2\n\ndef f(x: K):\n    'Doc.'\n    return g(x) + L\n\n"
    source += "def g(x):\n    if x:\n        raise ValueError('no')\n    return c(x)\n\ndef h():\n    return a\n"
    expected = "from b import c L = 2 def f(x): return g(x) + L def g(x): if x: raise return c(x)"
    assert " ".join(code_of(source, "f").split()) == expected
