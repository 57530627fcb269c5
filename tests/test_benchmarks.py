"""The benchmark of stacked students: all that it times does the same arithmetic, and its tables say what came out."""

import ast
import copy
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.func import stack_module_state
from torch.utils.flop_counter import FlopCounterMode

from kdcourse.models import StudentStack, mlp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import live  # noqa: E402
import stack as benchmark  # noqa: E402
import stack_arms as arms  # noqa: E402
import stack_memory  # noqa: E402
import stack_tables as tables  # noqa: E402

SIZES, STEPS = (12, 6, 4), 5


@pytest.fixture
def teacher():
    return mlp((12, 20, 4), seed=7).eval()


@pytest.fixture
def examples(teacher):
    """Less than a batch, so that no order of the examples makes a difference."""
    inputs = torch.randn(100, 12, generator=torch.Generator().manual_seed(0))
    logits = 5 * teacher(inputs).detach()
    return arms.Examples(inputs, logits.argmax(1), logits)


@pytest.fixture
def expected(teacher, examples):
    """The weights of two students after the tutorials' loop, which uses none of the package's losses."""

    def louder(inputs):
        return 5 * teacher(inputs)

    return [
        list(after(student, arms.teacher_in_loop(student, louder, examples)).parameters())
        for student in (mlp(SIZES, seed) for seed in range(2))
    ]


def after(student, steps):
    for _ in range(STEPS):
        assert next(steps) == 100
    return student


def same(got, expected):
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one.detach(), other.detach(), rtol=1e-4, atol=1e-5)


def test_training_with_cached_logits_is_training_with_the_teacher(examples, expected):
    student = mlp(SIZES, seed=1)
    same(after(student, arms.cached_logits(student, examples)).parameters(), expected[1])


def test_training_with_resident_tensors_is_training_with_the_teacher(examples, expected):
    student = mlp(SIZES, seed=1)
    arms.train_alone(student, examples, epochs=STEPS)
    same(student.parameters(), expected[1])


def test_training_a_stack_is_training_with_the_teacher(examples, expected):
    stack = StudentStack(SIZES, [0, 1])
    arms.train_stack(stack, examples, epochs=STEPS)
    for m in range(2):
        same(stack.student(m).parameters(), expected[m])


def test_training_under_vmap_is_training_with_the_teacher(examples, expected):
    students = [mlp(SIZES, seed) for seed in range(2)]
    parameters, _ = stack_module_state(students)
    steps = arms.vmapped(students[0], parameters, examples)
    for _ in range(STEPS):
        assert next(steps) == 2 * 100
    for m in range(2):
        same([parameter[m] for parameter in parameters.values()], expected[m])


def test_the_counted_operations_are_those_of_a_training_step():
    student, inputs = mlp((arms.INPUTS, 8, arms.CLASSES), seed=0), torch.randn(16, arms.INPUTS)
    with FlopCounterMode(display=False) as counter:
        student(inputs).sum().backward()
    assert counter.get_total_flops() == 16 * arms.flops_per_sample(8)


def test_a_steady_rate_is_work_over_time_without_the_warm_up(monkeypatch):
    now = 0.0

    def steps():
        nonlocal now
        for number in range(1000):
            now += 100.0 if number < 3 else 0.25
            yield 5

    monkeypatch.setattr(arms, "time", SimpleNamespace(perf_counter=lambda: now))
    assert arms.steady_rate(steps(), 2.0, "cpu") == 5 / 0.25


def test_the_rate_of_a_stack_leaves_its_first_epoch_out(monkeypatch, examples):
    now = 0.0

    def train(stack, examples, *, epochs, precision, after_epoch):
        nonlocal now
        for epoch in range(epochs):
            now += 100.0 if epoch == 0 else 0.25
            after_epoch()

    monkeypatch.setattr(arms, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(arms, "train_stack", train)
    assert arms.stack_rate(6, 3, examples, 2.0) == 3 * 100 / 0.25


def test_every_way_is_measured_once_a_round_and_the_order_rotates():
    order = []
    ways = [({"way": name}, lambda name=name: order.append(name) or len(order)) for name in "abcd"]
    rows = benchmark.interleave(ways, 2, "")
    assert order == list("abcd") + list("cdab")
    assert rows[0] == {"way": "a", "rounds": [1, 7]}


@pytest.mark.parametrize("plan", [benchmark.CPU, benchmark.CUDA], ids=["cpu", "cuda"])
def test_a_quick_run_measures_what_the_tables_compare(plan, teacher):
    quick = benchmark.quick(plan)
    assert tables.WIDTH in quick.widths
    assert tables.STUDENTS in quick.students
    assert all(hasattr(stack_memory, run) for _, run, _, _ in plan.memory)
    examples = arms.Examples(torch.zeros(1, arms.INPUTS), torch.zeros(1), torch.zeros(1, arms.CLASSES))
    rows = [about for about, _ in benchmark.ways(tables.WIDTH, quick, examples, teacher)]
    assert {row["way"] for row in rows} == {*tables.OTHERS, "stack", "product"}
    assert len({tuple(row.items()) for row in rows}) == len(rows)


def row(way, rounds, students=1, precision="fp32", **more):
    return {"way": way, "students": students, "precision": precision, **more, "rounds": rounds}


@pytest.fixture
def results():
    """Invented, with a slow third round that hits everybody."""
    rates = [
        row("stack", [600e3, 620e3, 300e3], 64),
        row("stack", [60e3, 62e3, 30e3], 1),
        row("teacher in the loop", [1e3, 1e3, 0.5e3]),
        row("cached logits", [30e3, 31e3, 15e3]),
        row("resident", [150e3, 155e3, 75e3]),
        row("vmap", [200e3, 200e3, 100e3], 64),
        row("product", [80e9, 80e9, 40e9], 64, shape="square"),
        row("product", [70e9, 70e9, 200e9], 64, shape="first layer, forward"),
    ]
    return {
        "date": "2025-01-01",
        "quick": False,
        "machine": {
            "cores": 2, "system": "Linux", "python": "3.11", "torch": "2.6", "device": "cpu",
            "processor": "A Processor", "vectors": "AVX2",
        },
        "plan": benchmark.CPU._replace(rounds=3, precisions=("fp32",), students=(1, 64))._asdict(),
        "examples": 10_000, "batch_size": 128, "temperature": 4.0, "soft_weight": 0.5,
        "widths": [{"width": 32, "flops_per_sample": 100_000, "rates": rates}],
        "threads": [
            {"way": "one", "rounds": [600e3, 600e3, 300e3]},
            {"way": "two", "rounds": [700e3, 700e3, 300e3]},
            {"way": "side by side", "rounds": [960e3, 960e3, 420e3]},
        ],
        "curve": [{"students": 1, "rounds": [0.1, 0.2, 0.3]}, {"students": 1024, "rounds": [10.0, 10.24, 11.0]}],
        "sweep": {
            "students": 1000, "width": 32, "epochs": 10, "examples": 10_000, "chunk": 64, "threads": 2,
            "seconds": 119.0,
        },
        "memory": [{"way": "stack", "width": 32, "students": 64, "parameters": 1_000_000, "bytes": 65_000_000}],
        "profile": {"width": 32, "students": 64, "seconds_per_step": {"products": 0.009, "optimizer": 0.001}},
    }  # fmt: skip


def test_ratios_are_taken_round_by_round(results):
    line = next(line for line in tables.others(results).splitlines()[::-1] if line.startswith("| 32"))
    assert line == "| 32 | 600× (600×–620×) | 20× (20×–20×) | 4.00× (4.00×–4.00×) | 3.00× (3.00×–3.10×) |"


def test_the_share_of_the_peak_is_against_the_product_that_is_fastest_at_the_median(results):
    shares = tables.share_of_peak(results["widths"][0], 64, "fp32")
    assert shares == pytest.approx([0.75, 0.775, 0.75])


def test_every_table_is_in_the_report_and_whole(results):
    text = tables.report(results)
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Students in one stack", "Matrix products", "Against other ways to train", "Two threads",
        "More and more students", "Memory", "Where a step's time goes", "Aims",
    ]  # fmt: skip
    for part in text.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1, part
    assert "| 1,024 | 10.24 (10.00–11.00) | 10.0 (9.8–10.7) |" in text
    assert "| stack | 32 | 64 | 16.0 | 65.0 |" in text
    assert "| optimizer | 1.00 | 10% |" in text
    assert "quick run" not in text
    assert "quick run" in tables.report(results | {"quick": True})


def test_a_run_on_a_gpu_has_no_verdicts_and_what_was_not_measured_no_table(results):
    for name in ("threads", "curve", "profile"):
        del results[name]
    results["machine"] |= {"device": "A GPU"}
    text = tables.report(results | {"memory": []})
    assert "A GPU, A Processor" in text
    assert not {"## Aims", "## Two threads", "## Memory"} & set(text.splitlines())


def test_an_aim_is_met_or_missed_or_not_measured(results):
    assert [aim.verdict for aim in tables.aims(results)] == ["missed", "met", "met", "met", "met", "met"]
    slow = copy.deepcopy(results)
    slow["sweep"]["seconds"] = math.nextafter(tables.SWEEP_SECONDS, math.inf)
    del slow["threads"]
    assert [aim.verdict for aim in tables.aims(slow)][-2:] == ["not measured", "missed"]
    assert "| sweep of 1,000 students | ≤ 120 s | 119 s | met |" in tables.verdicts(results)


def test_live_training_is_measured_as_the_lessons_call_it():
    """The arguments of `live(...)` in each lesson, read from its source, are those of benchmarks/live.py."""
    for lesson, options in live.CONTROLS.items():
        tree = ast.parse((ROOT / "notebooks" / "source" / f"{lesson}.py").read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "live"]
        (call,) = calls
        assert ast.unparse(call.args[0]) == "garments.subset(500)"
        names = {"TEMPERATURES": [1, 4, 10, 20]}
        found = {
            word.arg: names[word.value.id] if isinstance(word.value, ast.Name) else ast.literal_eval(word.value)
            for word in call.keywords
            if word.arg not in ("start", "device", "description")
        }
        assert found == options
