"""A check answers whatever it is handed, in time, and leaves the process as it found it."""

import abc
import asyncio
import functools
import sys
import time
import types

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcourse import check
from kdcourse.check import core

EVERY_STATUS = {"not attempted", "not yet"}


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


class Raising:
    """Raises whatever one asks of it."""

    def fail(self, *arguments, **named):
        raise RuntimeError("no")

    __call__ = __repr__ = __str__ = __eq__ = __len__ = __iter__ = __getitem__ = __bool__ = __float__ = fail
    __array__ = __getattr__ = __index__ = __format__ = __dir__ = fail
    __hash__ = None

    @property
    def __class__(self):
        raise RuntimeError("no class")


class RaisingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *arguments, **named):
        raise RuntimeError("no torch")


class RaisingTuple(tuple):
    __len__ = __iter__ = __getitem__ = __repr__ = Raising.fail


class RaisingType(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")


class RaisingArray(np.ndarray):
    def __array_finalize__(self, other):
        pass

    __array__ = __repr__ = __len__ = Raising.fail


class UnprintableError(Exception):
    __str__ = __repr__ = Raising.fail


class OddModule(torch.nn.Module):
    def forward(self, logits):
        return logits


def contains_itself():
    items = []
    items.append(items)
    return items


def throws(error):
    def answer(*arguments):
        raise error

    return answer


def recurses(*arguments):
    return recurses(*arguments)


def asks(*arguments):
    return input("what is the answer? ")


def yields(*arguments):
    yield arguments


async def waits(*arguments):
    return arguments


async def yields_and_waits(*arguments):
    yield arguments


def checks_itself(*arguments):
    return check.soften(checks_itself)


def keyword_only(*, logits, temperature):
    return logits / temperature


def returns(value):
    return lambda *arguments: value


# What is handed to the check.
ODD_ANSWERS = {
    "None": None,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "number": 3,
    "string": "soften",
    "list of functions": [keyword_only],
    "tensor": torch.ones(2, 3),
    "array": np.ones(3),
    "raising object": Raising(),
    "instance of a type without a name": RaisingType("Odd", (), {})(),
    "type without a name": RaisingType("Odd", (), {}),
    "class": OddModule,
    "abstract class": abc.ABC,
    "exception class": ValueError,
    "module": OddModule(),
    "untouched linear layer": torch.nn.Linear(3, 3),
    "Python module": types,
    "builtin": max,
    "builtin without a signature": type,
    "unbound method": str.upper,
    "bound method": [].append,
    "partial": functools.partial(keyword_only, logits=1),
    "partial with too much": functools.partial(keyword_only, 1, 2, 3),
    "the check itself": check.soften,
    "its hint": check.soften.hint,
    "function that checks itself": checks_itself,
    "keyword-only": keyword_only,
    "too few parameters": lambda: 1,
    "too many parameters": lambda a, b, c, d, e, f, g: 1,
    "generator": yields,
    "coroutine": waits,
    "asynchronous generator": yields_and_waits,
    "recursion": recurses,
    "input": asks,
    "print": print,
    "exec": exec,
    "exit": sys.exit,
    "sleep with the wrong arguments": time.sleep,
    **{
        f"raises {type(error).__name__} {number}": throws(error)
        for number, error in enumerate(
            [
                SystemExit(1),
                KeyboardInterrupt(),
                GeneratorExit(),
                StopIteration(),
                MemoryError(),
                RecursionError("deep"),
                NotImplementedError(),
                AssertionError("no"),
                BaseException("base"),
                BaseExceptionGroup("group", [KeyboardInterrupt()]),
                UnprintableError(),
                asyncio.CancelledError(),
                ValueError("\x1b[31mred\r\n\ud800" + 10_000 * "long "),
                TypeError(Raising),
            ]
        )
    },
}
# What the answer returns.
ODD_VALUES = {
    "None": None,
    "string": "probabilities",
    "bytes": b"\xff\x00",
    "empty list": [],
    "ragged list": [[1.0], [1.0, 2.0]],
    "list that contains itself": contains_itself(),
    "list of strings": ["1", "2"],
    "long list": [0.0] * 100_000,
    "tuple": (torch.ones(2), 1),
    "dict": {"a": 1},
    "set": {1},
    "range": range(3),
    "object": object(),
    "raising object": Raising(),
    "list of raising objects": [Raising()],
    "raising tensor": torch.ones(2, 3).as_subclass(RaisingTensor),
    "raising tuple": RaisingTuple((1, 2)),
    "raising array": np.ones(3).view(RaisingArray),
    "instance of a type without a name": RaisingType("Odd", (), {})(),
    "array of objects": np.array([object(), None], dtype=object),
    "array of strings": np.array(["1", "2"]),
    "array of dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "record array": np.zeros(2, dtype=[("a", float)]),
    "complex tensor": torch.ones(2, dtype=torch.complex64),
    "meta tensor": torch.ones(1, 3, device="meta"),
    "sparse tensor": torch.eye(3).to_sparse(),
    "empty tensor": torch.empty(0, 5),
    "bool tensor": torch.tensor([True]),
    "half tensor": torch.ones(1, 3).half(),
    "huge integer": 10**5000,
    "NaN": float("nan"),
    "class": OddModule,
    "module": OddModule(),
    "exception": ValueError("returned, not raised"),
    "function": returns(1),
    "check": check.soften,
    "type": type,
}


def name_of(exercise):
    return exercise.name


def is_answered(exercise, answer):
    result = exercise(answer)
    assert isinstance(result, core.Result)
    assert result.status in EVERY_STATUS
    assert not result.passed
    assert result.message.startswith(("Not yet. ", f"{exercise.name}: not attempted yet."))
    assert max(map(len, result.message.splitlines())) <= 100
    assert result.message.isprintable() or result.message.replace("\n", "").isprintable()
    assert "could not be judged" not in result.message
    return result


@pytest.mark.parametrize("name", ODD_ANSWERS)  # by name: pytest itself stumbles over some of them
@pytest.mark.parametrize(
    "exercise", [check.soften, check.blended_loss, check.break_even, check.read_audit], ids=name_of
)
def test_odd_answer_is_answered(exercise, name):
    is_answered(exercise, ODD_ANSWERS[name])


@pytest.mark.parametrize("name", ODD_VALUES)
@pytest.mark.parametrize(
    "exercise",
    [
        check.soften,
        check.kd_loss,
        check.fit_temperature,
        check.smallest_student,
        check.paired_interval,
        check.read_audit,
    ],
    ids=name_of,
)
def test_odd_return_value_is_answered(exercise, name):
    is_answered(exercise, returns(ODD_VALUES[name]))


def test_sparse_tensors_lists_and_fractions_are_numbers_too():
    assert check.hard_targets(lambda z: tuple(z.argmax(1).tolist())).passed
    assert check.soften(lambda z, t: (z / t).softmax(1).to_sparse()).passed
    assert check.soften(lambda z, t: [list(row) for row in (z / t).softmax(1)]).passed
    assert check.soften(lambda z, t: np.array((z / t).softmax(1).tolist(), dtype=object)).passed


python_objects = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.builds(set),
    max_leaves=8,
)
arrays = st.builds(np.full, st.lists(st.integers(0, 3), max_size=3), st.floats() | st.integers(-9, 9) | st.text())
tensors = st.builds(
    lambda shape, fill: torch.full(shape, fill), st.lists(st.integers(0, 3), max_size=3), st.floats(width=32)
)
odd_things = {**ODD_VALUES, **ODD_ANSWERS}


@given(value=python_objects | arrays | tensors, odd=st.sampled_from(sorted(odd_things)), use_odd=st.booleans())
def test_any_answer_and_any_return_value_is_answered(value, odd, use_odd):
    value = odd_things[odd] if use_odd else value
    for exercise in (
        check.retained_accuracy,
        check.kd_loss,
        check.break_even,
        check.smallest_student,
        check.read_audit,
    ):
        for answer in (value, returns(value), lambda *arguments: [value]):
            result = exercise(answer)
            assert result.status in EVERY_STATUS
            assert str(result)


# ---- what is said about them ----


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "should be a function; this is a NoneType"),
        (torch.ones(2, 3), "this is a Tensor. Pass the function itself: check.soften(soften), without calling it."),
        (lambda: 1, "soften should take (logits, temperature), in this order; yours takes ()."),
        (lambda z: 1, "yours takes (z)."),
        (lambda z, t, *, axis: 1, "yours takes (z, t, *, axis)."),
        (lambda a, b, c, *more, **named: 1, "yours takes (a, b, c, *more, **named)."),
        (keyword_only, "yours takes (*, logits, temperature)."),
        (lambda z, t: 1 / 0, "stopped with ZeroDivisionError: division by zero"),
        (lambda z, t: z.softmax(), "stopped with TypeError"),
        (throws(KeyError("T")), "stopped with KeyError: 'T'"),
        (throws(SystemExit(3)), "stopped with SystemExit: 3"),
        (throws(KeyboardInterrupt()), "stopped with KeyboardInterrupt"),
        (throws(MemoryError()), "stopped with MemoryError"),
        (throws(UnprintableError()), "stopped with UnprintableError"),
        (throws(ValueError("a\x1b[31m\nb")), r"stopped with ValueError: a\x1b[31m b"),
        (recurses, "stopped with RecursionError: maximum recursion depth exceeded"),
        (asks, "stopped with EOFError: nobody is there to type"),
        (yields, "Is there a `yield` where a `return` belongs?"),
        (waits, "returned a coroutine. Write `def`, without `async`."),
        (yields_and_waits, "returned an async_generator. Write `def`, without `async`."),
        (OddModule, "should be a function, and this is a class"),
        (print, "returned None. Is there a `return`"),
        (checks_itself, "returned a Result that cannot be read as a tensor"),
        (returns([0.0] * 100_000), "returned a list that cannot be read as a tensor"),
    ],
)
def test_odd_answer_is_told_what_is_odd_about_it(answer, message):
    assert message in " ".join(check.soften(answer).message.split())


def test_nothing_at_all_gets_a_friendly_message(capsys):
    result = check.soften()
    assert result.status == "not attempted"
    assert capsys.readouterr().out == "soften: not attempted yet. Pass your function: check.soften(soften).\n"


def test_more_than_a_function_is_refused():
    for result in (check.soften(torch.ones(1, 2), 2.0), check.soften(returns(1), temperature=2.0)):
        assert result.status == "not yet"
        assert "Pass your function and nothing else" in result.message


def test_check_inside_a_check_is_refused(capsys):
    check.soften(checks_itself)
    assert "A check was called inside a check" in capsys.readouterr().out


def stub(*arguments): ...


def stub_with_docstring(*arguments):
    """Return what the lesson asks for."""
    # your code here


def stub_of_the_lessons(*arguments):
    return ...  # your code here


def stub_that_passes(logits: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    pass


def stub_that_returns(*arguments):
    return None


typed_at_a_prompt = {}
exec("def stub(*arguments):\n    ...", typed_at_a_prompt)


@pytest.mark.parametrize("exercise", check.EXERCISES, ids=name_of)
@pytest.mark.parametrize(
    "answer",
    [
        stub,
        stub_with_docstring,
        stub_of_the_lessons,
        stub_that_returns,
        lambda *arguments: None,
        typed_at_a_prompt["stub"],
        throws(NotImplementedError),
        returns(NotImplemented),
        ...,
    ],
)
def test_stub_counts_as_not_attempted(exercise, answer, capsys):
    result = exercise(answer)
    assert (result.passed, result.status) == (False, "not attempted")
    assert capsys.readouterr().out == f"{exercise.name}: not attempted yet.\n"


def test_stub_with_its_parameters_counts_as_not_attempted():
    assert check.soften(stub_that_passes).status == "not attempted"


def forgets_to_return(*arguments):
    total = len(arguments)
    total += 1


def forgets_to_return_on_one_line(z, t): z.softmax(1)  # fmt: skip # noqa: E704


@pytest.mark.parametrize("answer", [forgets_to_return, forgets_to_return_on_one_line])
def test_forgotten_return_is_no_stub(answer):
    result = check.soften(answer)
    assert (result.status, result.bug) == ("not yet", None)
    assert "returned None. Is there a `return` on every way through it?" in result.message


# ---- right answers in odd clothes ----


class AsAMethod:
    def soften(self, logits, temperature):
        return (logits / temperature).softmax(1)

    @staticmethod
    def static(logits, temperature):
        return (logits / temperature).softmax(1)

    def __call__(self, logits, temperature):
        return self.soften(logits, temperature)


class AsAModule(torch.nn.Module):
    def forward(self, logits, temperature):
        return torch.nn.functional.softmax(logits / temperature, dim=1)


def with_an_axis(logits, temperature, axis=1):
    return (logits / temperature).softmax(axis)


def prints(logits, temperature):
    print("the shape is", list(logits.shape))
    return with_an_axis(logits, temperature)


@pytest.mark.parametrize(
    "answer",
    [
        AsAMethod().soften,
        AsAMethod.static,
        AsAMethod(),
        AsAModule(),
        with_an_axis,
        functools.partial(with_an_axis, axis=1),
        functools.wraps(stub)(lambda *arguments: with_an_axis(*arguments)),
        functools.lru_cache(with_an_axis),
        lambda *arguments: with_an_axis(*arguments),
        torch.no_grad()(with_an_axis),
        torch.inference_mode()(with_an_axis),
        prints,
    ],
)
def test_right_answer_is_accepted_in_whatever_it_is_wrapped(answer):
    assert check.soften(answer).passed


def test_what_the_answer_prints_is_seen(capsys):
    check.soften(prints)
    assert "the shape is [1, 3]\n" in capsys.readouterr().out
