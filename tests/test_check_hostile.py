"""A check answers whatever it is handed, lets the stop button through, and leaves the notebook as it found it."""

import abc
import asyncio
import functools
import io
import sys
import time
import types

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdcourse import check, losses
from kdcourse.check import core
from kdcourse.check.outcome import read_words


def on_one_line(text):
    return " ".join(text.split())


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


class ExitsWhenRead:
    def __array__(self, *arguments, **named):
        sys.exit(3)


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


class Word(str):
    """A word that does not want to be compared or shown."""

    __slots__ = ()
    __eq__ = __repr__ = __str__ = __len__ = Raising.fail
    __hash__ = None


class Liar(list):
    """A list that is another one when it is gone through for the third time."""

    turns = 0

    def __iter__(self):
        self.turns += 1
        return super().__iter__() if self.turns < 3 else iter([1, 2])


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


def returns(value):
    return lambda *arguments: value


def recurses(*arguments):
    return recurses(*arguments)


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


# What is handed to the check.
ODD_ANSWERS = [
    None, ..., NotImplemented, 3, "soften", [keyword_only], torch.ones(2, 3), np.ones(3), Raising(), types, ValueError,
    RaisingType("Odd", (), {}), RaisingType("Odd", (), {})(), OddModule, OddModule(), abc.ABC, torch.nn.Linear(3, 3),
    max, type, str.upper, [].append, print, exec, sys.exit, time.sleep, check.soften, check.soften.hint,
    functools.partial(keyword_only, logits=1), functools.partial(keyword_only, 1, 2, 3), keyword_only, lambda: 1,
    lambda a, b, c, d, e, f, g: 1, yields, waits, yields_and_waits, recurses,
]  # fmt: skip
ERRORS = [
    SystemExit(1), GeneratorExit(), StopIteration(), MemoryError(), RecursionError("deep"), NotImplementedError(),
    AssertionError("no"), BaseException("base"), BaseExceptionGroup("group", [KeyboardInterrupt()]), UnprintableError(),
    asyncio.CancelledError(), ValueError("\x1b[31mred\r\n\ud800" + 10_000 * "long "), TypeError(Raising),
]  # fmt: skip
# What the answer returns.
ODD_VALUES = [
    None, "probabilities", b"\xff\x00", [], [[1.0], [1.0, 2.0]], contains_itself(), ["1", "2"], [0.0] * 100_000,
    (torch.ones(2), 1), {"a": 1}, {1}, range(3), object(), 10**5000, float("nan"), type, returns(1), check.soften,
    Raising(), ExitsWhenRead(), [Raising()], RaisingTuple((1, 2)), RaisingType("Odd", (), {})(), OddModule,
    OddModule(), [Word("no")] * 3, Liar(["no"] * 3), ["x" * 9999] * 3, ["a\nb\x1b[31m\ud800"] * 3, ValueError("no"),
    torch.ones(2, 3).as_subclass(RaisingTensor), np.ones(3).view(RaisingArray), np.array([object(), None], object),
    np.array(["1", "2"]), np.array(["2020-01-01"], dtype="datetime64[D]"), np.zeros(2, dtype=[("a", float)]),
    torch.ones(2, dtype=torch.complex64), torch.ones(1, 3, device="meta"), torch.eye(3).to_sparse(), torch.empty(0, 5),
    torch.tensor([True]), torch.ones(1, 3).half(), torch.ones(1).expand(10**6, 10**6),
    np.broadcast_to(1.0, (10**6, 10**6)),
]  # fmt: skip


def is_answered(exercise, answer, place):
    result = exercise(answer)
    assert isinstance(result, core.Result), place
    assert result.status in {"not attempted", "not yet"}, place
    assert not result.passed
    assert result.message.startswith(("Not yet. ", f"{exercise.name}: not attempted yet.")), place
    assert max(map(len, result.message.splitlines())) <= 100, place
    assert len(result.message) < 1500, place
    assert result.message.replace("\n", "").isprintable(), place
    assert "could not be judged" not in result.message, (place, result.message)


@pytest.mark.parametrize("name", ["soften", "blended_loss", "limit_loss", "paired_interval", "release"])
def test_odd_answer_and_odd_return_value_are_answered(name):
    for kind, answers in enumerate([ODD_ANSWERS, map(throws, ERRORS), map(returns, ODD_VALUES)]):
        for k, answer in enumerate(answers):
            is_answered(getattr(check, name), answer, (kind, k))


python_objects = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.builds(set),
    max_leaves=8,
)
arrays = st.builds(np.full, st.lists(st.integers(0, 3), max_size=3), st.floats() | st.integers(-9, 9) | st.text())
tensors = st.builds(
    lambda shape, fill: torch.full(shape, fill), st.lists(st.integers(0, 3), max_size=3), st.floats(width=32)
)


@given(value=python_objects | arrays | tensors | st.integers(0, len(ODD_VALUES) - 1).map(ODD_VALUES.__getitem__))
def test_any_answer_and_any_return_value_is_answered(value):
    for exercise in (check.shared_luck, check.kd_loss, check.choose_student, check.release):
        for answer in (value, returns(value), lambda *arguments: [value]):
            assert exercise(answer).status in {"not attempted", "not yet"}


# ---- what is said about them ----


def test_odd_answer_is_told_what_is_odd_about_it():
    for answer, message in [
        (None, "should be a function; this is a NoneType"),
        (torch.ones(2, 3), "this is a Tensor. Pass the function itself: check.soften(soften), without calling it."),
        (lambda: 1, "soften should take (logits, temperature), in this order; yours takes ()."),
        (lambda a, b, c, *more, **named: 1, "yours takes (a, b, c, *more, **named)."),
        (keyword_only, "yours takes (*, logits, temperature)."),
        (lambda z, t: 1 / 0, "stopped with ZeroDivisionError: division by zero"),
        (lambda z, t: z.softmax(), "stopped with TypeError"),
        (throws(SystemExit(3)), "stopped with SystemExit: 3"),
        (throws(UnprintableError()), "stopped with UnprintableError"),
        (throws(ValueError("a\x1b[31m\nb")), r"stopped with ValueError: a\x1b[31m b"),
        (recurses, "stopped with RecursionError: maximum recursion depth exceeded"),
        (yields, "Is there a `yield` where a `return` belongs?"),
        (waits, "returned a coroutine. Write `def`, without `async`."),
        (yields_and_waits, "returned an async_generator. Write `def`, without `async`."),
        (OddModule, "should be a function, and this is a class"),
        (print, "returned None. Is there a `return`"),
        (checks_itself, "returned a Result that cannot be read as a tensor"),
        (returns(torch.ones(1).expand(2_000, 1_000)), "returned a Tensor that cannot be read as a tensor"),
        (returns(np.broadcast_to(1.0, (2_000, 1_000))), "returned a ndarray that cannot be read as a tensor"),
    ]:
        assert message in on_one_line(check.soften(answer).message)


def test_nothing_and_too_much_are_told_what_to_pass(capsys):
    assert check.soften().status == "not attempted"
    assert capsys.readouterr().out == "soften: not attempted yet. Pass your function: check.soften(soften).\n"
    for result in (check.soften(torch.ones(1, 2), 2.0), check.soften(returns(1), temperature=2.0)):
        assert result.status == "not yet"
        assert "Pass your function and nothing else" in result.message


def stub(*arguments): ...


def stub_with_docstring(*arguments):
    """Return what the lesson asks for."""
    # your code here


def forgets_to_return(*arguments):
    total = len(arguments)
    total += 1


def test_stub_counts_as_not_attempted_and_a_forgotten_return_does_not():
    typed_at_a_prompt = {}
    exec("def stub(*arguments):\n    pass", typed_at_a_prompt)
    stubs = [stub, stub_with_docstring, typed_at_a_prompt["stub"], throws(NotImplementedError), lambda *arguments: None]
    for answer in [*stubs, ..., returns(...), returns(NotImplemented)]:
        assert check.soften(answer).status == "not attempted"
    result = check.soften(forgets_to_return)
    assert (result.status, result.bug) == ("not yet", None)
    assert "returned None. Is there a `return` on every way through it?" in result.message


@pytest.mark.parametrize("broken", ["inputs", "reference", "bugs"])
def test_fault_of_the_check_itself_is_a_result_as_well(broken, monkeypatch):
    monkeypatch.setattr(check.soften, broken, throws(RuntimeError("the check is broken")))
    result = check.soften(lambda z, t: z / t)
    assert (result.status, result.bug) == ("not yet", None)
    assert "It could not be judged because of" in result.message


# ---- right answers in odd clothes ----


class AsAMethod:
    def soften(self, logits, temperature):
        return (logits / temperature).softmax(1)

    __call__ = soften


class AsAModule(torch.nn.Module):
    def forward(self, logits, temperature):
        return torch.nn.functional.softmax(logits / temperature, dim=1)


def with_an_axis(logits, temperature, axis=1):
    return (logits / temperature).softmax(axis)


def prints(logits, temperature):
    print("the shape is", list(logits.shape))
    return with_an_axis(logits, temperature)


def test_right_answer_is_accepted_in_whatever_it_is_wrapped_and_whatever_it_returns(capsys):
    for k, answer in enumerate([
        AsAMethod().soften, AsAMethod(), AsAModule(), with_an_axis, functools.partial(with_an_axis, axis=1), prints,
        functools.wraps(stub)(lambda *arguments: with_an_axis(*arguments)), functools.lru_cache(with_an_axis),
        torch.no_grad()(with_an_axis), torch.inference_mode()(with_an_axis),
        lambda z, t: with_an_axis(z, t).to_sparse(), lambda z, t: [list(row) for row in with_an_axis(z, t)],
        lambda z, t: np.array(with_an_axis(z, t).tolist(), dtype=object),
    ]):  # fmt: skip
        assert check.soften(answer).passed, k
    assert "the shape is [1, 3]\n" in capsys.readouterr().out
    assert check.soften(lambda z, t: tuple(with_an_axis(z, t))).passed
    assert check.release(lambda *case: Word(check.release.reference(*case))).passed


def test_words_are_read_as_their_places_and_nothing_else_is():
    for output, places in [
        (["b", "a", "c"], [1, 0, -1]), (("a",), [0]), ([], []), ("b", 1), ("B", -1),
        (np.array(["b", "a"]), [1, 0]), (np.array(["b", "a"], dtype=object), [1, 0]),
        (pd.Series(["b", "a"], index=[5, 7]), [1, 0]), (pd.Series(["b", "a"], dtype="string"), [1, 0]),
        (pd.Categorical(["b", "a"], categories=["a", "b"]), [1, 0]),
    ]:  # fmt: skip
        numbers, whole = read_words(output, ("a", "b"))
        assert (numbers.tolist(), whole) == (places, True), output
    for output in [
        [1, 0], ["a", 0], [["a"]], torch.tensor([0, 1]), np.array([["a"]]), np.array([0]), {"a"}, None, b"a", 1,
        ["a"] * 10_001, np.array(["a"] * 10_001), iter(["a"]), pd.Series(["a", None]),
    ]:  # fmt: skip
        assert read_words(output, ("a", "b")) == (None, False), output


# ---- gradients ----


def test_right_value_that_would_not_train_the_student_alone_passes_with_a_caution():
    def kd(s, t, T):
        return losses.kd_loss(s, t.detach(), T, reduction="none")

    cross_entropy = functools.partial(torch.nn.functional.cross_entropy, reduction="none")
    no_gradient = "no gradient reaches student_logits, so nothing would train"
    for exercise, answer, caution in [
        (check.kd_loss, lambda s, t, T: kd(s, t, T).tolist(), no_gradient),
        (check.kd_loss, lambda s, t, T: kd(s.detach(), t, T), no_gradient),
        (check.kd_loss, torch.no_grad()(kd), no_gradient),
        (check.kd_loss, lambda s, t, T: kd(s, t, T).detach().numpy(), no_gradient),
        (check.kd_loss, check.kd_loss.reference, "a gradient flows into teacher_logits as well"),
        (check.blended_loss,
         lambda s, t, y, T, w: w * kd(s, t, T) + (1 - w) * cross_entropy(s.detach(), y),
         "its gradient to student_logits is not"),
    ]:  # fmt: skip
        result = exercise(answer)
        assert result.passed
        assert caution in on_one_line(result.message)
        assert result.message.count("A caution") == 1
    assert "caution" not in check.kd_loss(kd).message
    with torch.no_grad(), torch.inference_mode():  # the mode of the notebook does not matter
        result = check.kd_loss(kd)
    assert result.passed
    assert "caution" not in result.message


# ---- the notebook during a check, and afterwards ----


def test_stop_button_goes_through_and_the_next_check_works():
    for answer in (
        throws(KeyboardInterrupt()),
        returns(type("Stops", (), {"__array__": throws(KeyboardInterrupt())})()),
    ):
        with pytest.raises(KeyboardInterrupt):
            check.soften(answer)
        assert torch.get_default_dtype() is torch.float32
        assert check.soften(with_an_axis).passed


def test_notebook_is_left_as_it_was_and_its_settings_do_not_matter():
    def meddles(s, t, T):
        torch.set_default_dtype(torch.float16)
        torch.set_grad_enabled(False)
        return check.kd_loss.reference(s, t, T)

    state, seen = torch.get_rng_state(), []
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert check.kd_loss(meddles).passed
            assert torch.get_default_device().type == "meta"
        assert torch.get_default_dtype() is torch.float64
        assert torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
    for _ in range(2):
        assert check.soften(lambda logits, T: seen.append(T) or with_an_axis(logits, T)).passed
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    few = len(check.soften.small)
    assert first[:few] == second[:few]
    assert not set(first[few:]) & set(second[few:])  # fresh random inputs in every check,
    assert torch.equal(torch.get_rng_state(), state)  # and not drawn from the learner's generator


def test_message_is_printed_where_characters_are_missing_or_the_terminal_is_closed(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert check.kd_loss(check.kd_loss.bugs["no T²"].functions[0]).bug == "no T²"
    terminal.flush()
    assert b"is missing. Softening makes the gradients smaller" in terminal.buffer.getvalue()
    terminal.close()
    assert check.soften(with_an_axis).passed
