"""How fast a stack of students trains: against the machine's matrix products, against other ways to train the same
students, with two threads, and for a thousand students; and how much memory it takes.

    python benchmarks/stack.py                  # on a machine that does nothing else; about ten minutes
    python benchmarks/stack.py --quick          # does everything run? Its numbers mean little
    python benchmarks/stack.py --device cuda

Only ratios are to be believed, and only those of one run. So every way is measured once per round, in an order that
rotates from round to round, and a ratio is taken round by round.
Writes benchmarks/results/stack-<processor or GPU>.json, and the tables beside it (.md).
"""

import argparse
import datetime
import platform
import re
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import stack_arms as arms
import torch
from stack_memory import memory
from stack_tables import STUDENTS, WIDTH, report
from tqdm.auto import tqdm

from kdcourse import data, devices, store
from kdcourse.models import StudentStack, mlp
from kdcourse.sweep import grid, sweep
from kdcourse.train import load_teacher

RESULTS = Path(__file__).resolve().parent / "results"
EXAMPLES = 10_000


class Plan(NamedTuple):
    """What to measure. A measurement takes `seconds` or more, and is repeated in every round."""

    rounds: int = 5
    seconds: float = 0.5
    widths: tuple = (8, WIDTH, 64, 128)
    students: tuple = (1, 8, 32, STUDENTS)
    precisions: tuple = ("fp32", "bf16")
    square: int = 1024  # the side of the large matrix product
    curve: tuple = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    curve_rounds: int = 3
    sweep_chunk: int = STUDENTS
    # a name, a function of stack_memory, width, students
    memory: tuple = (
        ("one student", "run_one_by_one", WIDTH, 1),
        ("stack", "run_stack", WIDTH, STUDENTS),
        ("stack", "run_stack", 128, STUDENTS),
        ("vmap", "run_vmapped", WIDTH, STUDENTS),
    )


CPU = Plan()
CUDA = CPU._replace(
    widths=(WIDTH, 128),
    students=(STUDENTS, 256, 1024, 4096),
    precisions=("fp32", "tf32", "bf16"),
    square=8192,
    sweep_chunk=1024,
)


def quick(plan):
    return plan._replace(
        rounds=2,
        seconds=0.1,
        widths=(WIDTH,),
        students=tuple(sorted({plan.students[0], STUDENTS})),
        curve=(8, 2 * STUDENTS),
        curve_rounds=1,
        memory=plan.memory[:2],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="few sizes, two rounds, no sweep; writes a file of its own"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, help=f"measure everything so many times (default {CPU.rounds})")
    parser.add_argument("--profile", action="store_true", help="also: where the time of a step goes (CPU only)")
    options = parser.parse_args()
    device, plan = options.device, CUDA if options.device == "cuda" else CPU
    if options.quick:
        plan = quick(plan)
    if options.rounds is not None:
        plan = plan._replace(rounds=options.rounds, curve_rounds=options.rounds)
    machine = devices.machine() | {"processor": processor(), "vectors": torch.backends.cpu.get_cpu_capability()}
    machine["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    results = {"date": str(datetime.date.today()), "quick": options.quick, "machine": machine, "plan": plan._asdict()}
    results |= {"examples": EXAMPLES, "batch_size": arms.BATCH, **arms.LOSS}
    cores = machine["cores"]

    # First, while this process is small: the largest size of a child starts at what its parent had.
    results["memory"] = memory(plan.memory, device)
    garments = data.load("fashion-mnist").subset(EXAMPLES)
    split = garments.train
    examples = arms.Examples(*(part.to(device) for part in (split.inputs, split.labels, split.teacher_logits)))
    teacher = load_teacher("fashion-mnist").to(device)

    with arms.threads(1):
        results["widths"] = []
        for width in plan.widths:
            rows = interleave(ways(width, plan, examples, teacher), plan.rounds, f"width {width}")
            block = {"width": width, "flops_per_sample": arms.flops_per_sample(width), "rates": rows}
            results["widths"].append(block)
        if options.profile and device == "cpu":
            results["profile"] = profile(examples)
    if device == "cpu":
        if cores > 1:
            results["threads"] = interleave(ways_of_two_threads(plan, examples), plan.rounds, "two threads")
        growing = [({"students": m}, partial(seconds_per_epoch, m, examples, cores)) for m in plan.curve]
        results["curve"] = interleave(growing, plan.curve_rounds, "more and more students")
    if not options.quick:
        with arms.threads(cores):
            results["sweep"] = whole_sweep(garments, device, plan.sweep_chunk)

    name = machine["device"] if device == "cuda" else f"cpu {machine['processor']}"
    slug = re.sub(r"[^a-z0-9]+", "-", f"{name}{' quick' * options.quick}".lower()).strip("-")
    path = RESULTS / f"stack-{slug}.json"
    store.save_json(path, results)
    path.with_suffix(".md").write_text(report(results), encoding="utf-8")
    print(f"\n{report(results)}\nWritten to {path} and beside it (.md).")


def interleave(ways, rounds, what):
    """What every way came to in every round: `ways` is a list of (description, function without argument)."""
    rows = [about | {"rounds": []} for about, _ in ways]
    with tqdm(total=rounds * len(ways), desc=what, leave=True) as bar:
        for number in range(rounds):
            shift = number * len(ways) // rounds
            for place in [*range(shift, len(ways)), *range(shift)]:
                rows[place]["rounds"].append(ways[place][1]())
                bar.update()
    return rows


def ways(width, plan, examples, teacher):
    """Everything that is measured in the same rounds for one width, on one thread, as `interleave` takes it."""
    device = examples.inputs.device

    def student():
        return mlp((arms.INPUTS, width, arms.CLASSES), seed=0).to(device)

    def steady(make, *arguments):
        return arms.steady_rate(make(*arguments), plan.seconds, device)

    def way(name, students, measure, precision="fp32", **more):
        return {"way": name, "students": students, "precision": precision, **more}, measure

    measured = [
        way("teacher in the loop", 1, lambda: steady(arms.teacher_in_loop, student(), teacher, examples)),
        way("cached logits", 1, lambda: steady(arms.cached_logits, student(), examples)),
        way("resident", 1, lambda: arms.resident_rate(student(), examples, plan.seconds)),
        way("vmap", STUDENTS, lambda: steady(arms.vmapped_students, width, STUDENTS, examples)),
    ]
    most = max(plan.students)
    for precision in plan.precisions:
        for students in plan.students:
            rate = partial(arms.stack_rate, width, students, examples, plan.seconds, precision=precision)
            measured.append(way("stack", students, rate, precision))
        for shape, sides in arms.product_shapes(width, most, square=plan.square).items():
            rate = partial(steady, arms.products, sides, device, precision)
            measured.append(way("product", most, rate, precision, shape=shape))
    return measured


def ways_of_two_threads(plan, examples):
    """One stack on one thread; one stack on two; two stacks side by side, on one thread each."""
    one = partial(arms.stack_rate, WIDTH, STUDENTS, examples, plan.seconds)
    two = partial(arms.side_by_side_rate, WIDTH, STUDENTS, examples, plan.seconds, copies=2)
    return [
        ({"way": "one stack, one thread"}, partial(on_threads, 1, one)),
        ({"way": "one stack, two threads"}, partial(on_threads, 2, one)),
        ({"way": "two stacks side by side, one thread each"}, partial(on_threads, 1, two)),
    ]


def seconds_per_epoch(students, examples, cores):
    """For so many students, in stacks of up to 64 that run side by side, one thread each."""
    parts = torch.arange(students).split(STUDENTS)
    stacks = [StudentStack((arms.INPUTS, WIDTH, arms.CLASSES), seeds.tolist()) for seeds in parts]
    epochs = max(1, 8 // students)  # a single student's epoch is over too soon
    jobs = min(cores, len(stacks))

    def train_all():
        start = time.perf_counter()
        run = joblib.Parallel(jobs, prefer="threads")
        run(joblib.delayed(arms.train_stack)(stack, examples, epochs=epochs) for stack in stacks)
        return (time.perf_counter() - start) / epochs

    return on_threads(1, train_all)


def on_threads(count, measure):
    with arms.threads(count):
        return measure()


def whole_sweep(garments, device, chunk):
    """A thousand students from their settings to their table, evaluation included."""
    settings = grid(width=WIDTH, temperature=(1, 2, 4, 8, 16), soft_weight=(0.5, 1.0), init_seed=range(100))
    start = time.perf_counter()
    table = sweep(settings, garments, epochs=10, batch_size=arms.BATCH, device=device, chunk=chunk, resume=False)
    seconds = time.perf_counter() - start
    about = {"students": len(table), "width": WIDTH, "epochs": 10, "examples": len(garments.train), "chunk": chunk}
    return about | {"threads": torch.get_num_threads(), "seconds": seconds}


def profile(examples):
    """Where the time of a step goes: PyTorch's operations by what they are for, in seconds per step."""
    parts = {
        "first layer's matrix products": ["aten::mm"],
        "second layer's matrix products": ["aten::bmm", "aten::baddbmm"],
        "softmax and its gradient": ["aten::_log_softmax", "aten::_log_softmax_backward_data"],
        "optimizer": ["aten::_fused_adamw_", "Optimizer.step#AdamW.step"],
        "picking the batch": ["aten::index"],
    }
    batches, epochs = 10, 5
    few = arms.first_of(examples, batches * arms.BATCH)
    stack = StudentStack((arms.INPUTS, WIDTH, arms.CLASSES), range(STUDENTS))
    arms.train_stack(stack, few, epochs=1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        arms.train_stack(stack, few, epochs=epochs)
        elapsed = time.perf_counter() - start
    own = {event.key: event.self_cpu_time_total / 1e6 for event in profiler.key_averages()}
    seconds = {part: sum(own.pop(name, 0.0) for name in names) for part, names in parts.items()}
    seconds["other operations"] = sum(own.values())
    seconds["between operations"] = max(0.0, elapsed - sum(seconds.values()))
    per_step = {part: value / (batches * epochs) for part, value in seconds.items()}
    return {"width": WIDTH, "students": STUDENTS, "seconds_per_step": per_step}


def processor():
    """The name of the processor, as the system gives it."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), flags=re.M)
        if found:
            return found.group(1)
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
