"""Single requests, callers that ask at once, and fresh processes: what is counted, by clocks that the tests hold."""

import itertools
import threading

import numpy as np
import pytest
import torch
from tiny import C, D, modes, numbers, refusals, with_batch_norm_and_dropout
from torch import nn

from kdcourse import ship
from kdcourse.models import mlp

INPUTS = numbers(10, D)


class Slow(nn.Module):
    """A model whose k-th answer takes so many milliseconds on the clock that it holds."""

    def __init__(self, monkeypatch, milliseconds):
        super().__init__()
        self.layer, self.log, self.now = nn.Linear(D, C), [], 0.0
        self.milliseconds = milliseconds
        monkeypatch.setattr(ship.measure, "perf_counter", lambda: self.now)

    def forward(self, inputs):
        self.now += self.milliseconds(len(self.log)) / 1000
        self.log.append((len(inputs), self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
        return self.layer(inputs)


def test_percentiles_are_of_single_requests(monkeypatch):
    asked = itertools.count()
    order = np.random.default_rng(0).permutation(100)
    # The first answer of all asks whether the inputs fit; the first of each turn of 50 is not timed.
    model = Slow(monkeypatch, lambda k: 1e6 if k in (0, 1, 52) else 1 + order[next(asked)])
    table = ship.latency_percentiles({"slow": model}, INPUTS, batch_sizes=[3], requests=100, threads=2, progress=False)
    row = table.loc[("slow", 3)]
    assert [row.p50_ms, row.p95_ms, row.p99_ms] == pytest.approx([51, 96, 100])
    assert (row.requests, row.threads) == (100, 2)
    assert {*model.log[1:]} == {(3, False, True, 2)}


def test_models_take_turns_and_are_left_as_they_were(monkeypatch):
    class Named(Slow):
        def forward(self, inputs):
            order.append((self.name, len(inputs)))
            return super().forward(inputs)

    order, models = [], {name: Named(monkeypatch, lambda k: 1.0) for name in "ab"}
    for name, model in models.items():
        model.name = name
    other, before = with_batch_norm_and_dropout(), torch.get_num_threads()
    were = modes(other)
    table = ship.latency_percentiles(
        models | {"other": other}, INPUTS, batch_sizes=[1, 10], requests=60, progress=False
    )
    assert table.index.tolist() == [(name, size) for name in ("a", "b", "other") for size in (1, 10)]
    turns = [(key, len(list(group))) for key, group in itertools.groupby(order[2:])]
    assert turns == [((name, size), count) for size in (1, 10) for count in (51, 11) for name in "ab"]
    assert modes(other) == were
    assert torch.get_num_threads() == before


def test_callers_ask_at_the_same_time_and_all_their_requests_count():
    class Meeting(nn.Module):
        """An answer comes only once three callers are asking."""

        def __init__(self):
            super().__init__()
            self.layer, self.meeting, self.log = nn.Linear(D, C), threading.Barrier(3, timeout=60), []

        def forward(self, inputs):
            if len(self.log) >= 2:  # the first two are asked by nobody else
                self.meeting.wait()
            self.log.append((len(inputs), self.training, torch.is_inference_mode_enabled(), torch.get_num_threads()))
            return self.layer(inputs)

    model = Meeting()
    table = ship.throughput({"meeting": model}, INPUTS, callers=[3], requests=20, batch_size=2)
    assert table.index.tolist() == [("meeting", 3)]
    assert table.requests.tolist() == [60]
    assert model.log[1:] == [(2, False, True, 1)] * 61
    assert (table.requests_per_second > 0).all()


def test_requests_per_second_are_requests_over_seconds(monkeypatch):
    model = Slow(monkeypatch, lambda k: 4.0)
    row = ship.throughput({"slow": model}, INPUTS, callers=[1], requests=25).loc[("slow", 1)]
    assert [row.requests_per_second, row.p50_ms, row.p99_ms] == pytest.approx([250, 4, 4])


def test_sizes_that_are_not_said_are_those_for_which_there_are_inputs():
    models = {"model": mlp((D, C), seed=0)}

    def sizes(inputs, **options):
        table = ship.latency_percentiles(models, inputs, requests=1, progress=False, **options)
        return table.index.get_level_values("batch_size").tolist()

    assert (sizes(INPUTS), sizes(numbers(64, D))) == ([1], [1, 64])
    with pytest.raises(ValueError, match="batch_sizes must be at most the number of inputs, got 64 for 10 inputs"):
        sizes(INPUTS, batch_sizes=[1, 64])
    with pytest.raises(ValueError, match="inputs must be a tensor with at least one example, got None"):
        sizes(None)


@pytest.mark.parametrize("progress", [True, False])
def test_throughput_shows_a_progress_bar_where_it_is_wanted(capsys, progress):
    ship.throughput({"model": mlp((D, C), seed=0)}, INPUTS, callers=[1], requests=1, progress=progress)
    assert ("measuring" in capsys.readouterr().err) == progress


@refusals(
    "arguments",
    ({"callers": [0]}, ValueError, "callers must be an integer >= 1, got 0"),
    ({"batch_size": 11}, ValueError, "batch_size must be at most the number of inputs, got 11 for 10 inputs"),
    ({"models": []}, TypeError, "models must be a dict of nn.Modules by name, got list"),
)
def test_throughput_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        ship.throughput(**{"models": {"model": mlp((D, C), seed=0)}, "inputs": INPUTS} | arguments)


# ---- fresh processes ----


def test_a_fresh_process_says_its_memory_and_whether_it_has_torch(tmp_path):
    log = tmp_path / "log"
    note = f"open({str(log)!r}, 'a').write({{!r}})\n"
    programs = {
        "small": note.format("s") + "answer = dict",
        "large": note.format("l")
        + "import sys\nsys.modules['torch'] = sys\nblock = bytearray(200_000_000)\nanswer = dict",
    }
    table = ship.cold_start(programs, rounds=2)
    assert table.index.tolist() == ["small", "large"]
    assert log.read_text() == "slsl"  # they take turns
    assert table.torch.tolist() == [False, True]
    assert table.rounds.tolist() == [2, 2]
    assert (table.start_low_ms <= table.start_ms).all()
    assert (table.start_ms <= table.start_high_ms).all()
    more = table.peak_mb["large"] - table.peak_mb["small"]
    assert np.isnan(more) or 195 < more < 230


def test_a_program_that_fails_says_why():
    with pytest.raises(RuntimeError, match="(?s)program 'broken' failed: .*ZeroDivisionError"):
        ship.cold_start({"broken": "answer = lambda: 1 / 0"}, rounds=1)
    with pytest.raises(TypeError, match="programs must be a dict with at least one program, got 'answer = dict'"):
        ship.cold_start("answer = dict")
