"""Names for code: the same code has the same name in every process, and other code has another.

`code_behind` is for the package's own code, `identity` for a function that somebody hands us. Neither looks at
comments, docstrings or line numbers, nor at the module of the package that something stands in: they change no result.
"""

import ast
import dis
import functools
import hashlib
import importlib
import inspect
import sys
import sysconfig
import threading
import types
from pathlib import Path

import numpy as np
import torch

from kdcourse import store

_STDLIB = sysconfig.get_path("stdlib")
CHECKS = "kdcourse._arguments"  # what is given to training, or refused: no result depends on how
_PARSING = threading.Lock()  # two threads that parse at once can end in a SystemError
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), torch.dtype, torch.device, range, slice)


@functools.cache
def code_of(source: str) -> str:
    """The source of a module without what changes no result: comments, layout, docstrings, annotations, messages.

    Examples
    --------
    >>> code_of("def f(x: int): 'Twice.'; return 2 * x  # doubled") == code_of("def f(x): return 2*x")
    True
    """
    return ast.unparse(_stripped(source))


def code_behind(module: str, name: str, *, but: tuple[str, ...] = (CHECKS,)) -> list[str]:
    """A function or class of the package and all that it uses there, as `code_of` has it, in alphabetical order.

    In which module a definition stands is no part of it, so that one that moves is still the same.

    Parameters
    ----------
    module, name
        Where it can be imported from.
    but
        Modules, packages and definitions in modules, by their full names, that are not looked into.

    Examples
    --------
    >>> code_behind("kdcourse.losses", "kd_loss") == code_behind("kdcourse.losses", "soften")
    False
    """
    within = functools.cache(lambda where: _definitions(_source(importlib.import_module(where))))
    found, seen, waiting = set(), set(), {(module, name)}
    while waiting:
        seen |= waiting
        known = [one for one in waiting if not any(f"{'.'.join(one)}.".startswith(f"{end}.") for end in but)]
        waiting = set()
        for where, what in known:
            for code, used in within(where).get(what, []):
                found.add(code)
                waiting |= {one if isinstance(one, tuple) else (where, one) for one in used}
        waiting -= seen
    return sorted(found - {""})


@functools.cache
def _definitions(source):
    """{name: [(code, what that uses)]} of a module; what it uses is a name of its own, or (module, name) of another."""
    found = {}
    for statement in _stripped(source).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                if alias.name == "*":
                    everything = importlib.import_module(statement.module).__all__
                    found |= {name: [("", {(statement.module, name)})] for name in everything}
                    continue
                name = alias.asname or alias.name.split(".")[0]
                found.setdefault(name, []).append(_imported(getattr(statement, "module", ""), alias))
            continue
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        for name in _defines(statement):
            found.setdefault(name, []).append((ast.unparse(statement), used))
    return found


def _imported(of, alias):
    if not f"{of}.".startswith("kdcourse."):
        return f"{of}: {ast.unparse(alias)}", set()
    thing = getattr(importlib.import_module(of), alias.name, None)
    if isinstance(thing, types.ModuleType):  # its name does not say what of it is used
        return code_of(_source(thing)), _all_of(thing)
    return ast.unparse(alias) if alias.asname else "", {(of, alias.name)}


def _all_of(module):
    return {(module.__name__, name) for name in _definitions(_source(module))}


def _defines(statement):
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _source(module):
    return Path(module.__file__).read_text(encoding="utf-8")


def _stripped(source):
    return _Stripped().visit(_parsed(source))


def _parsed(source):
    with _PARSING:
        return ast.parse(source)


class _Stripped(ast.NodeTransformer):
    def visit(self, node):
        match node:
            case ast.AST(body=[ast.Expr(value=ast.Constant()), *rest]):  # a docstring
                node.body = rest or [ast.Pass()]
        return super().visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):  # noqa: N802 - the name that ast looks for
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):  # noqa: N802
        if node.value is None:
            node.annotation = ast.Constant(None)
            return node
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_Raise(self, _):  # noqa: N802
        return ast.Raise()  # an error ends a run, whatever it says


def identity(function) -> str:
    """A name for what a function does: its bytecode and constants, and those of all that it uses, wherever it lives.

    It covers default arguments, the values of a closure, the helpers and constants that a function refers to, the
    parts of a `functools.partial` and the fields of a callable object. Functions of installed libraries count by their
    name and the library's version.

    Parameters
    ----------
    function
        Any callable.

    Returns
    -------
    str
        16 hexadecimal digits, the same in every process (of one version of Python).

    Raises
    ------
    TypeError
        If something the function uses has no value that could be written down, a file or a generator for example.

    Examples
    --------
    >>> def times(factor):
    ...     return lambda x: factor * x
    >>> identity(times(2)) == identity(times(2)), identity(times(2)) == identity(times(3))
    (True, False)
    """
    return store.fingerprint(_Described().value(function))


class _Described:
    """Values as nested lists of strings. A function, a class or an object that was met before is a number."""

    def __init__(self):
        self.met = []

    def value(self, value):
        if isinstance(value, _PLAIN):
            return [type(value).__name__, repr(value)]
        if isinstance(value, (tuple, list)):
            return [type(value).__name__, *map(self.value, value)]
        if isinstance(value, (set, frozenset)):  # in no order of its own, and so each member by itself
            return [type(value).__name__, *sorted((_Described().value(one) for one in value), key=repr)]
        if isinstance(value, dict):
            return ["dict", *([self.value(key), self.value(one)] for key, one in value.items())]
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
            return _numbers(value)
        if isinstance(value, types.CodeType):
            return self.code(value)
        for number, one in enumerate(self.met):
            if one is value:
                return ["again", str(number)]
        self.met.append(value)
        return self.thing(value)

    def thing(self, value):
        """What may refer to itself."""
        if isinstance(value, functools.partial):
            return ["partial", *map(self.value, (value.func, value.args, value.keywords))]
        if isinstance(value, types.MethodType):
            return ["method", self.value(value.__func__), self.value(value.__self__)]
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, self.value(value.__func__)]
        if isinstance(value, property):
            return ["property", self.value(value.fget)]
        if isinstance(value, types.ModuleType):
            return self.module(value)
        if isinstance(value, types.FunctionType):
            return self.function(value)
        if isinstance(value, type):
            return self.of_class(value)
        if callable(value) and hasattr(value, "__qualname__"):  # written in C
            return _named(value)
        if isinstance(value, torch.nn.Module) or (hasattr(value, "__dict__") and not _installed(_file(type(value)))):
            return ["object", self.value(type(value)), self.value(vars(value))]
        raise TypeError(f"{value!r} has no value that could be written down")

    def function(self, function):
        given = [function.__defaults__, function.__kwdefaults__]
        if _installed(function.__code__.co_filename):
            if hasattr(function, "__wrapped__"):
                given = [function.__wrapped__]
            return ["library", *_named(function), *map(self.value, given)]
        given += [cell.cell_contents for cell in function.__closure__ or ()]
        if function.__module__.split(".")[0] == "kdcourse":
            name = function.__qualname__
            code = [name, *code_behind(function.__module__, name.split(".")[0])]
        else:
            names = sorted(_looked_up(function.__code__) & function.__globals__.keys())
            code = [*self.code(function.__code__), *([name, self.value(function.__globals__[name])] for name in names)]
        return ["function", *code, *map(self.value, given)]

    def module(self, module):
        path = getattr(module, "__file__", None)
        if path is None or _installed(path):
            return _named(module)
        code = code_of(_source(module))
        if module.__name__.split(".")[0] == "kdcourse":
            return ["module", code, *sorted({part for one in _all_of(module) for part in code_behind(*one)})]
        imports = [one for one in ast.walk(_parsed(code)) if isinstance(one, (ast.Import, ast.ImportFrom))]
        names = {(alias.asname or alias.name).split(".")[0] for one in imports for alias in one.names}
        used = sorted(vars(module)) if "*" in names else sorted(names & vars(module).keys())
        return ["module", code, *([name, self.value(vars(module)[name])] for name in used if name[:2] != "__")]

    def code(self, code):
        constants = code.co_consts
        # The first constant of a `def` is its docstring, or None. (From Python 3.14 on, a flag says which.)
        has_docstring = code.co_flags & 0x4000000 if sys.version_info >= (3, 14) else code.co_name[0] != "<"
        if has_docstring and constants and isinstance(constants[0], str):
            constants = (None, *constants[1:])
        form = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
        form += (code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS),)
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
        binary = code.co_code.hex(), code.co_exceptiontable.hex()
        return ["code", *binary, repr(form), repr(names), *map(self.value, constants)]

    def of_class(self, one):
        if _installed(_file(one)):
            return _named(one)
        members = {
            name: member
            for name, member in vars(one).items()
            if isinstance(member, types.FunctionType) or not name.startswith("__")
        }
        return ["class", self.value(one.__bases__), self.value(members)]


def _looked_up(code):
    """The global names that some code refers to, and the code inside it."""
    names = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_looked_up(one) for one in code.co_consts if isinstance(one, types.CodeType)))


def _named(thing):
    """What belongs to a library, by its name and the library's version."""
    module = thing.__name__ if isinstance(thing, types.ModuleType) else str(getattr(thing, "__module__", None))
    version = getattr(sys.modules.get(module.split(".")[0]), "__version__", "")
    return ["named", module, getattr(thing, "__qualname__", ""), str(version)]


def _file(thing):
    file = getattr(sys.modules.get(thing.__module__), "__file__", None)
    return file or ("" if thing.__module__ == "__main__" else _STDLIB)


def _installed(path):
    """Is this a file of Python itself or of an installed library?"""
    return path.startswith((_STDLIB, "<frozen")) or not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def _numbers(value):
    if isinstance(value, torch.Tensor):
        raw = value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy()
    else:
        raw = np.ascontiguousarray(value)
    if raw.dtype == object:
        raise TypeError(f"an array of objects has no value that could be written down: {value!r}")
    return [type(value).__name__, str(value.dtype), str(list(value.shape)), hashlib.sha256(raw.tobytes()).hexdigest()]
