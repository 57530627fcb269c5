"""Costs against closed forms and hand counts; the measuring of time against a clock that says what the test wants."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from tiny import C, D, modes, numbers, refusals, same, with_batch_norm_and_dropout
from torch import nn

from kdcourse import ship
from kdcourse.models import StudentStack, cnn, mlp
from kdcourse.ship import break_even, business_case, cost_per_1000, latency, multiply_adds

INPUTS = numbers(10, D)


def unchanged(model, before):
    return same(model, before) and all(p.requires_grad and p.grad is None for p in model.parameters())


# ---- multiply-adds ----


@pytest.mark.slow
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.integers(1, 5))
def test_an_mlp_multiplies_once_per_weight(sizes, n):
    expected = sum(inputs * outputs for inputs, outputs in zip(sizes, sizes[1:], strict=False))
    assert multiply_adds(mlp(sizes, seed=0), torch.zeros(n, sizes[0])) == expected


def test_a_cnn_by_hand():
    # A picture of 6 × 8 pixels with one channel. The stem keeps the size, each later stage halves it: 3 × 4, 2 × 2.
    stem = (6 * 8) * (3 * 3 * 1 * 4)
    second = (3 * 4) * (3 * 3) * (4 * 5 + 5 * 5 + 5 * 5)  # the stride-2 convolution, and two in the residual block
    third = (2 * 2) * (3 * 3) * (5 * 7 + 7 * 7 + 7 * 7)
    linear = 7 * 10
    model = cnn((4, 5, 7), image=(1, 6, 8), seed=0)
    assert multiply_adds(model, torch.zeros(3, 48)) == stem + second + third + linear


def test_grouped_convolutions_count_only_what_they_multiply():
    model = nn.Sequential(nn.Unflatten(1, (4, 3, 3)), nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.Flatten())
    assert multiply_adds(model, torch.zeros(1, 36)) == 9 * 8 * 9 * 2


def test_a_stack_costs_as_much_as_its_students():
    assert multiply_adds(StudentStack([D, 8, C], [0, 1, 2]), INPUTS) == 3 * multiply_adds(mlp([D, 8, C]), INPUTS)


def test_a_transformer_layer_counts_though_it_and_its_attention_are_fused():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Unflatten(1, (7, 8)), layer, nn.Flatten())
    attention = 7 * 8 * 24 + 2 * 7 * 7 * 8  # the projection; queries by keys, and weights by values
    expected = attention + 7 * 8 * 8 + 2 * 7 * 8 * 16
    assert multiply_adds(model, torch.zeros(2, 56)) == expected
    assert torch.backends.mha.get_fastpath_enabled()


def test_counting_leaves_the_model_as_it_was(capsys):
    model = with_batch_norm_and_dropout()
    before, were = copy.deepcopy(model), modes(model)
    assert multiply_adds(model, INPUTS) == D * 8 + 8 * C  # batch norm in training mode would refuse a single row
    assert unchanged(model, before)
    assert modes(model) == were == [True, True, False, True, False]
    assert capsys.readouterr() == ("", "")


@refusals(
    "arguments",
    ({"model": lambda x: x}, TypeError, "model must be an nn.Module, got function"),
    ({"model": nn.ReLU()}, ValueError, "model must have a matrix product or a convolution, got none in ReLU"),
    ({"inputs": INPUTS[:0]}, ValueError, r"inputs must be .* got torch\.float32 of shape \[0, 6\]"),
    ({"inputs": INPUTS[:, :3]}, ValueError, r"inputs must fit the model, got torch\.float32 of shape \[10, 3\]"),
)
def test_counting_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        multiply_adds(**{"model": mlp([D, C], seed=0), "inputs": INPUTS, **arguments})
    assert torch.backends.mha.get_fastpath_enabled()


# ---- latency ----

QUICK = {"rounds": 6, "seconds": 1e-6, "progress": False}


class Seen(nn.Module):
    """Answers, and notes under which conditions it was asked."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.layer, self.log, self.fail_at = nn.Linear(D, C), [], fail_at

    def forward(self, inputs):
        self.log.append((self.training, torch.is_inference_mode_enabled(), torch.get_num_threads(), len(inputs)))
        if len(self.log) == self.fail_at:
            raise OSError("no more")
        return self.layer(inputs)


class Clock:
    """Stands in for timeit.Timer: a call of model k takes `milliseconds(k, turn)`, and the order is noted."""

    def __init__(self, monkeypatch, milliseconds):
        self.milliseconds, self.log, self.models = milliseconds, [], 0
        monkeypatch.setattr(ship.measure.timeit, "Timer", self.timer)

    def timer(self, answer):
        clock, model, turns = self, self.models, [0]
        self.models += 1

        class Timer:
            def repeat(self, repeat, number):
                busy = 5.0 if not clock.log else 0.0  # a busy moment at first must not shorten the turns
                clock.log.append(("warm up", model, number))
                quiet = number * clock.milliseconds(model, None) / 1000
                return [quiet + busy] + [quiet] * (repeat - 1)

            def timeit(self, number):
                answer()
                clock.log.append(("turn", model, number))
                turns[0] += 1
                return number * clock.milliseconds(model, turns[0] - 1) / 1000

        return Timer()


def models(count):
    return {f"model {k}": mlp([D, C], seed=k) for k in range(count)}


def test_models_take_turns_round_after_round(monkeypatch):
    clock = Clock(monkeypatch, lambda model, turn: 1.0)
    latency(models(3), INPUTS, rounds=7, progress=False)
    turns = [model for kind, model, _ in clock.log if kind == "turn"]
    assert turns == [0, 1, 2] * 7
    kinds = [kind for kind, _, _ in clock.log]
    assert kinds == sorted(kinds, reverse=True)  # all warming up comes before the first turn


def test_each_model_is_called_often_enough_for_a_turn(monkeypatch):
    clock = Clock(monkeypatch, lambda model, turn: [0.01, 3.0, 500.0][model])
    latency(models(3), INPUTS, seconds=0.01, progress=False)
    calls = [{number for kind, model, number in clock.log if (kind, model) == ("turn", k)} for k in range(3)]
    assert calls == [{1024}, {4}, {1}]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_the_table_holds_the_median_and_what_follows_from_it(monkeypatch, batch_size):
    Clock(monkeypatch, lambda model, turn: [2.0, 8.0][model] if turn is None else [2.0, 8.0][model] + turn % 3)
    table = latency(models(2), INPUTS, batch_size=batch_size, rounds=9, progress=False)
    assert table.index.tolist() == ["model 0", "model 1"]
    assert table.index.name == "model"
    faster = ["faster", "faster_low", "faster_high"]
    times = ["median_ms", "low_ms", "high_ms", "p99_ms", "rounds", "requests_per_second"]
    assert table.columns.tolist() == times + faster
    assert table.median_ms.tolist() == pytest.approx([3.0, 9.0])
    assert table.rounds.tolist() == [9, 9]
    assert table.requests_per_second.tolist() == pytest.approx([batch_size / 0.003, batch_size / 0.009])


@pytest.mark.parametrize("rounds", [6, 7, 10, 20, 30, 101])
def test_the_interval_is_the_narrowest_symmetric_one_that_holds_the_median_95_times_in_100(monkeypatch, rounds):
    order = np.random.default_rng(rounds).permutation(rounds)
    Clock(monkeypatch, lambda model, turn: 1.0 if turn is None else 1.0 + order[turn])
    row = latency(models(1), INPUTS, rounds=rounds, progress=False).loc["model 0"]
    assert row.median_ms == pytest.approx(1 + (rounds - 1) / 2)
    assert row.p99_ms == {101: 100}.get(rounds, rounds)  # of up to 100 the slowest, and of 101 all but one
    below = round(row.low_ms) - 1  # so many rounds lie below the interval, and as many above it
    assert (row.low_ms, row.high_ms) == pytest.approx((1 + below, rounds - below))
    # The median is outside where at most `below` of the rounds fall on one side of it.
    fair = scipy_stats.binom(rounds, 0.5)
    assert 2 * fair.cdf(below) <= 0.05 < 2 * fair.cdf(below + 1)


def test_how_much_faster_is_judged_within_each_round(monkeypatch):
    """A machine that becomes ten times slower half-way hits both: their ratio stays what it was."""
    Clock(monkeypatch, lambda model, turn: [8.0, 2.0][model] * (10 if turn is not None and turn > 10 else 1))
    table = latency(models(2), INPUTS, rounds=21, progress=False)
    assert table.loc["model 1", ["faster", "faster_low", "faster_high"]].tolist() == pytest.approx([4, 4, 4])
    assert table.faster["model 0"] == 1
    assert table.high_ms["model 1"] > 2 * table.low_ms["model 1"]


def test_models_run_in_eval_and_inference_mode_on_the_batch_with_the_threads_that_were_asked_for():
    before = torch.get_num_threads()
    model = Seen()
    table = latency({"seen": model}, INPUTS, batch_size=3, threads=before + 1, **QUICK)
    fitting, *measuring = model.log  # the first call only asks whether the inputs fit
    assert set(measuring) == {(False, True, before + 1, 3)}
    assert len(measuring) >= 3 + 6
    assert 0 < table.low_ms["seen"] <= table.median_ms["seen"] <= table.high_ms["seen"]
    assert torch.get_num_threads() == before


def test_measuring_leaves_models_threads_and_modes_as_they_were(capsys):
    before_threads = torch.get_num_threads()
    model, other = with_batch_norm_and_dropout(), mlp([D, C], seed=0).eval()
    before, were = copy.deepcopy(model), modes(model)
    latency({"one": model, "other": other, "one again": model}, INPUTS, threads=before_threads + 1, **QUICK)
    assert unchanged(model, before)
    assert modes(model) == were == [True, True, False, True, False]
    assert not any(modes(other))
    assert torch.get_num_threads() == before_threads
    assert not torch.is_inference_mode_enabled()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("fail_at", [1, 2, 8])
def test_a_model_that_fails_leaves_everything_as_it_was(fail_at):
    before_threads = torch.get_num_threads()
    model, failing = with_batch_norm_and_dropout(), Seen(fail_at=fail_at)
    were = modes(model)
    with pytest.raises(OSError, match="no more"):
        latency({"one": model, "failing": failing}, INPUTS, threads=before_threads + 1, **QUICK)
    assert modes(model) == were
    assert modes(failing) == [True, True]
    assert torch.get_num_threads() == before_threads
    assert not torch.is_inference_mode_enabled()


def test_a_progress_bar_shows_the_rounds(capsys):
    latency(models(1), INPUTS, rounds=6, seconds=1e-6)
    assert "measuring" in capsys.readouterr().err


@refusals(
    "arguments",
    ({"models": {}}, ValueError, "models must hold at least one model, got none"),
    ({"models": mlp([D, C])}, TypeError, "models must be a dict of nn.Modules by name, got Sequential"),
    ({"models": {"f": lambda x: x}}, TypeError, r"models\['f'\] must be an nn.Module, got function"),
    ({"models": {"wide": mlp([7, C])}}, ValueError, r"for 'wide', inputs must fit the model, got .* \[10, 6\]"),
    ({"inputs": INPUTS.numpy()}, ValueError, "inputs must be a tensor .* got ndarray"),
    ({"batch_size": 11}, ValueError, "batch_size must be at most the number of inputs, got 11 for 10 inputs"),
    ({"rounds": 5}, ValueError, "rounds must be an integer >= 6, got 5"),
    ({"seconds": 0}, ValueError, "seconds must be > 0, got 0"),
)
def test_measuring_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        latency(**{"models": models(1), "inputs": INPUTS, **QUICK, **arguments})


class Far(nn.Module):
    """A model on another device, whose answers are there once they are fetched."""

    def __init__(self):
        super().__init__()
        self.weight, self.log = nn.Parameter(torch.empty(C, D, device="meta")), []

    def forward(self, inputs):
        assert inputs.device.type == "meta"
        self.log.append("asked")
        self.logits = inputs.new_empty(len(inputs), C)
        return self

    def cpu(self):
        self.log.append("fetched")


def test_the_answer_of_another_device_is_waited_for():
    model = Far()
    latency({"far": model}, INPUTS, **QUICK)
    fitting, *measuring = model.log
    assert measuring == ["asked", "fetched"] * (len(measuring) // 2)


@pytest.mark.gpu
def test_a_model_on_a_gpu_is_counted_and_measured_there():
    model, at_home = cnn(seed=0).cuda(), cnn(seed=0)
    inputs = torch.zeros(5, 784)
    assert multiply_adds(model, inputs) == multiply_adds(at_home, inputs)
    table = latency({"gpu": model, "cpu": at_home}, inputs, batch_size=5, **QUICK)
    assert (table.median_ms > 0).all()
    assert all(parameter.is_cuda for parameter in model.parameters())
    assert not any(parameter.is_cuda for parameter in at_home.parameters())


# ---- money ----


def test_what_a_thousand_requests_cost():
    assert cost_per_1000(3600, 1) == 1  # an hour
    assert cost_per_1000(10, 0.9) == pytest.approx(0.9 * (1000 * 0.010) / (60 * 60))
    assert isinstance(cost_per_1000(np.float32(3), 1), float)
    # A machine that answers 50 requests a second, and is busy a quarter of the time: 45,000 requests an hour.
    assert cost_per_1000(price_per_hour=0.9, requests_per_second=50, utilisation=0.25) == pytest.approx(0.9 / 45)
    assert cost_per_1000(20, 0.9, utilisation=0.25) == pytest.approx(0.9 / 45)


@refusals(
    "arguments",
    ({}, TypeError, "give milliseconds or requests_per_second, got None and None"),
    ({"milliseconds": 1, "requests_per_second": 1}, TypeError, "give milliseconds or requests_per_second, got 1 and 1"),
    ({"requests_per_second": 0}, ValueError, "requests_per_second must be > 0, got 0.0"),
    ({"milliseconds": 1, "utilisation": [0.5, 0]}, ValueError, r"utilisation must be in \(0, 1\], got 0.0"),
    ({"milliseconds": 1, "utilisation": 1.5}, ValueError, r"utilisation must be in \(0, 1\], got 1.5"),
)
def test_the_cost_of_requests_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        cost_per_1000(**{"price_per_hour": 1} | arguments)


shares, money = st.floats(0, 1), st.floats(0, 1e4)


@given(st.integers(1, 50), money, money, money, money, st.integers(0, 9000), shares, money)
def test_month_by_month_the_student_has_paid_for_itself_where_the_case_says(
    thousands, teacher, student, training, labelling, queries, fallback, retraining
):
    case = business_case(
        requests_per_month=1000 * thousands,
        teacher_cost_per_1000=teacher,
        student_cost_per_1000=student,
        training_cost=training,
        labelling_cost=labelling,
        teacher_queries=queries,
        fallback_share=fallback,
        retraining_cost_per_month=retraining,
    )
    spent = training + labelling + sum([teacher / 1000] * queries)
    with_student = thousands * student + thousands * fallback * teacher + retraining
    assert case.one_time_cost == pytest.approx(spent)
    assert (case.teacher_cost_per_month, case.student_cost_per_month) == pytest.approx(
        (thousands * teacher, with_student)
    )
    months = case.break_even_months
    if math.isinf(months):
        assert case.saved_per_month <= 0 or case.one_time_cost / case.saved_per_month == math.inf
    else:
        assert case.saved_per_month > 0
        assert months * case.teacher_cost_per_month == pytest.approx(spent + months * case.student_cost_per_month)
        assert case.break_even_requests == pytest.approx(1000 * thousands * months)


def test_a_case_takes_arrays_and_names_what_it_refuses():
    given = {"requests_per_month": 1000, "teacher_cost_per_1000": 2, "student_cost_per_1000": 1, "training_cost": 3}
    case = business_case(**given, fallback_share=np.array([0, 0.25, 0.5, 1]))
    assert case.break_even_months.tolist() == [3, 6, math.inf, math.inf]
    assert case.saved_per_month.tolist() == [1, 0.5, 0, -1]
    for change, message in [
        ({"requests_per_month": 0}, "requests_per_month must be > 0, got 0.0"),
        ({"fallback_share": 1.2}, r"fallback_share must be in \[0, 1\], got 1.2"),
        ({"labelling_cost": -1}, "labelling_cost must be >= 0 and finite, got -1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            business_case(**given | change)


costs = st.floats(0, 1e6)


@given(costs, costs, costs)
def test_at_break_even_both_ways_cost_the_same(one_time, teacher, student):
    requests = break_even(one_time, teacher, student)
    if teacher <= student:
        assert requests == math.inf
    elif requests < 1e300:
        saved = (teacher - student) * requests / 1000
        assert saved == pytest.approx(one_time)


@pytest.mark.parametrize(("costs", "requests"), [((100, 1, 2), math.inf), ((0, 0, 0), math.inf), ((0, 2, 1), 0)])
def test_who_saves_nothing_never_breaks_even_and_who_cost_nothing_does_at_once(costs, requests):
    assert break_even(*costs) == requests


def test_arrays_and_series_come_back_as_they_came():
    milliseconds = pd.Series({"teacher": 7.2, "student": 0.36})
    cost = cost_per_1000(milliseconds, 2)
    pd.testing.assert_series_equal(cost, pd.Series({"teacher": 0.004, "student": 0.0002}))
    requests = break_even(1.9, cost["teacher"], cost)
    pd.testing.assert_series_equal(requests, pd.Series({"teacher": math.inf, "student": 500_000.0}))
    requests = break_even(np.array([1, 2, 0]), 0.5, [0.25, 1, 0.5])
    assert isinstance(requests, np.ndarray)
    assert requests.tolist() == [4000, math.inf, math.inf]
    # Integers of a narrow type must not overflow.
    assert break_even(np.array([100], dtype=np.int8), 2, 1).tolist() == [100_000]
    assert cost_per_1000([3600, 7200], np.array([1, 2])).tolist() == [1, 4]


@refusals(
    "arguments",
    ({"teacher_cost": [1, -2.5]}, ValueError, r"teacher_cost must be >= 0 and finite, got -2\.5"),
    ({"teacher_cost": "2"}, TypeError, "teacher_cost must be a number, .* got '2'"),
    (
        {"teacher_cost": np.ones(3), "student_cost": np.ones((3, 1))},
        ValueError,
        r"student_cost must have the shape of teacher_cost, got \[3, 1\] and \[3\]",
    ),
    (
        {"one_time_cost": pd.Series([1.0]), "teacher_cost": np.ones(1), "student_cost": pd.Series({"a": 1.0})},
        ValueError,
        r"student_cost must have the index of one_time_cost, got \['a'\] and \[0\]",
    ),
)
def test_break_even_names_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        break_even(**{"one_time_cost": 1, "teacher_cost": 2, "student_cost": 1, **arguments})
