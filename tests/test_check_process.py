"""A check comes back in time, whatever the answer does, and leaves the process as it found it."""

import _thread
import builtins
import cProfile
import io
import random
import sys
import threading

import numpy as np
import pytest
import torch
from test_check_hostile import returns, throws, with_an_axis

from kdcourse import check
from kdcourse.check import core, worker


@pytest.fixture(autouse=True)
def long_limit(monkeypatch):
    """On a busy machine even a quick answer can take a while."""
    monkeypatch.setattr(core, "LIMIT", 300)


@pytest.fixture
def short_limit(monkeypatch):
    monkeypatch.setattr(core, "LIMIT", 0.3)
    monkeypatch.setattr(worker, "PATIENCE", 60)  # an answer that can be stopped is, however busy the machine


# ---- answers that never come ----


def loops(*arguments):
    while True:
        pass


def loops_in_torch(logits, *arguments):
    while True:
        logits = logits + 1


def loops_and_swallows(*arguments):
    while True:
        try:
            while True:
                len(arguments)
        except Exception:
            continue


def loops_and_swallows_twice(*arguments):
    swallowed = 0
    while swallowed < 2:
        try:
            while True:
                len(arguments)
        except BaseException:
            swallowed += 1


class LoopsWhenRead:
    def __array__(self, *arguments, **named):
        while True:
            pass


def check_threads():
    """Those that go on. One that has ended is given the moment it needs to leave the list."""
    threads = [thread for thread in threading.enumerate() if isinstance(thread, worker.Worker)]
    for thread in threads:
        if thread.ended:
            thread.join()
    return [thread for thread in threads if not thread.ended]


@pytest.mark.parametrize(
    "answer", [loops, loops_in_torch, loops_and_swallows, loops_and_swallows_twice, returns(LoopsWhenRead())]
)
def test_endless_answer_is_stopped_and_told_so(answer, short_limit):
    before = check_threads()
    result = check.soften(answer)
    assert (result.passed, result.status, result.bug) == (False, "not yet", None)
    assert "Your soften was still running after 0.3 s" in result.message
    assert "called with logits      = [[2.0, 0.0, 0.0]]" in result.message
    assert "could not be stopped" not in result.message
    assert check_threads() == before  # it burns no CPU any more
    assert cProfile.Profile().runcall(lambda: "begins") == "begins"  # which it does not in 3.11 with a request pending


def test_answer_that_cannot_be_stopped_is_left_behind(short_limit, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.1)
    wake = threading.Event()
    result = check.soften(lambda *arguments: wake.wait())
    assert "It could not be stopped" in " ".join(result.message.split())
    (left_behind,) = check_threads()
    assert cProfile.Profile().runcall(lambda: "begins") == "begins"
    monkeypatch.setattr(core, "LIMIT", 300)
    assert check.soften(with_an_axis).passed
    wake.set()
    left_behind.join()
    assert cProfile.Profile().runcall(lambda: "begins") == "begins"


def test_slow_answer_is_judged_by_the_time_of_all_inputs_together(short_limit):
    calls = []

    def slow(logits, temperature):
        calls.append(threading.Event().wait(0.2))
        return with_an_axis(logits, temperature)

    assert "still running after 0.3 s" in check.soften(slow).message
    assert len(calls) < len(check.soften.small) + 4


def test_interrupt_by_the_learner_goes_through_and_stops_the_answer():
    assert threading.current_thread() is threading.main_thread()

    def presses_control_c(*arguments):
        _thread.interrupt_main()
        loops()

    with pytest.raises(KeyboardInterrupt):
        check.soften(presses_control_c)
    assert check_threads() == []
    assert check.soften(with_an_axis).passed


# ---- the process afterwards ----


def test_process_is_left_as_it_was():
    stream, typed = sys.stdout, builtins.input

    def meddles(logits, temperature):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        np.seterr(all="raise")
        builtins.input = None
        sys.stdout = None
        return with_an_axis(logits, temperature)

    def draws():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()  # noqa: NPY002

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    expected = draws()
    errors = np.geterr()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    assert check.soften(meddles).passed
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    assert np.geterr() == errors
    assert sys.stdout is stream
    assert builtins.input is typed
    assert draws() == expected


def test_answer_runs_with_gradients_enabled_whatever_mode_the_notebook_is_in():
    seen = []

    def looks(s, t, T):
        seen.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        return (
            T**2
            * torch.distributions.kl_divergence(
                *(torch.distributions.Categorical(logits=z / T) for z in (t.detach(), s))
            ).mean()
        )

    with torch.no_grad():
        assert "caution" not in check.kd_loss(looks).message
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert check.kd_loss(looks).passed
    assert set(seen) == {True}


def test_check_works_under_another_default_dtype_and_device():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert check.soften(with_an_axis).passed
            assert check.kd_loss(check.kd_loss.reference).passed
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_input_is_the_learners_again_in_other_threads(monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda prompt="": "typed")
    with worker.undisturbed():
        assert input() == "typed"
    assert input() == "typed"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_message_is_printed_where_characters_are_missing(encoding, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    result = check.kd_loss(check.kd_loss.bugs[0].function)
    terminal.flush()
    assert result.bug == "no T²"
    assert b"is missing. Softening makes the gradients smaller" in terminal.buffer.getvalue()


def test_closed_terminal_does_not_matter(monkeypatch):
    terminal = io.StringIO()
    terminal.close()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert check.soften(with_an_axis).passed


@pytest.mark.parametrize("broken", ["inputs", "reference", "bugs"])
def test_fault_of_the_check_itself_is_a_result_as_well(broken, monkeypatch):
    monkeypatch.setattr(check.soften, broken, throws(RuntimeError("the check is broken")))
    result = check.soften(lambda z, t: z / t)
    assert (result.status, result.bug) == ("not yet", None)
    if broken != "reference":
        assert "It could not be judged because of" in result.message
