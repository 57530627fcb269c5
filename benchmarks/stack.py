"""How fast a stack of students trains: against the machine's matrix products, against other ways to train the same
students, with two threads, and in a whole sweep.

    python benchmarks/stack.py                  # on a machine that does nothing else; about ten minutes
    python benchmarks/stack.py --quick          # does everything run? Its numbers mean little
    python benchmarks/stack.py --device cuda    # or: make gpu

Only ratios are to be believed, and only those of one run. So every way is measured once per round, in an order that
rotates from round to round, and a ratio is taken round by round.
Writes benchmarks/results/stack-<processor or GPU>.json, and the tables beside it (.md).
"""

import argparse
import datetime
import platform
import re
import statistics
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import stack_arms as arms
import torch
from tqdm.auto import tqdm

from kdcourse import data, devices, store
from kdcourse._process import arithmetic_threads
from kdcourse.models import mlp
from kdcourse.sweep import grid, sweep
from kdcourse.train import load_teacher

RESULTS = Path(__file__).resolve().parent / "results"
EXAMPLES = 10_000
WIDTH, STUDENTS = 32, 64  # the students that the aims are about
OTHERS = ("teacher in the loop", "cached logits", "resident", "vmap")
AIMS = {  # what is wanted of them, by the device
    "cpu": {"resident": 5, "cached logits": 10, "teacher in the loop": 50, "two threads": 1.5, "sweep seconds": 120},
    "cuda": {"student-samples/s": 100e6},
}


class Plan(NamedTuple):
    """What to measure. A measurement takes `seconds` or more, and is repeated in every round."""

    rounds: int = 5
    seconds: float = 0.5
    widths: tuple = (8, WIDTH, 128)
    students: tuple = (1, 8, 32, STUDENTS)
    precisions: tuple = ("fp32", "bf16")
    square: int = 1024  # the side of the large matrix product
    chunk: int = STUDENTS


CPU = Plan()
CUDA = Plan(
    widths=(WIDTH, 128),
    students=(STUDENTS, 256, 1024, 4096),
    precisions=("fp32", "tf32", "bf16"),
    square=8192,
    chunk=1024,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one size, one round, no sweep; writes a file of its own")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"There is no CUDA card here that torch {torch.__version__} can use, so nothing is measured.")
    device, plan = options.device, CUDA if options.device == "cuda" else CPU
    if options.quick:
        plan = plan._replace(rounds=1, seconds=0.02, widths=(WIDTH,), students=(STUDENTS,), square=256)
    arms.check_that_all_do_the_same()
    machine = devices.machine() | {"processor": processor(), "vectors": torch.backends.cpu.get_cpu_capability()}
    machine["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    results = {"date": str(datetime.date.today()), "quick": options.quick, "machine": machine, "plan": plan._asdict()}
    results |= {"examples": EXAMPLES, "batch_size": arms.BATCH, **arms.LOSS}
    garments = data.load("fashion-mnist").subset(EXAMPLES)
    split = garments.train
    examples = arms.Examples(*(part.to(device) for part in (split.inputs, split.labels, split.teacher_logits)))
    teacher = load_teacher("fashion-mnist").to(device)

    with arithmetic_threads(1):
        results["widths"] = [
            {
                "width": width,
                "flops_per_sample": arms.flops_per_sample(width),
                "rates": interleave(ways(width, plan, examples, teacher), plan.rounds, f"width {width}"),
            }
            for width in plan.widths
        ]
    if device == "cpu" and machine["cores"] > 1:
        results["threads"] = interleave(ways_of_two_threads(plan, examples), plan.rounds, "two threads")
    if not options.quick:
        results["sweep"] = whole_sweep(garments, device, plan.chunk)

    name = machine["device"] if device == "cuda" else f"cpu {machine['processor']}"
    slug = re.sub(r"[^a-z0-9]+", "-", f"{name}{' quick' * options.quick}".lower()).strip("-")
    path = options.results / f"stack-{slug}.json"
    store.save_json(path, results)
    path.with_suffix(".md").write_text(report(results, device), encoding="utf-8")
    print(f"\n{report(results, device)}\nWritten to {path} and beside it (.md).")


# ---- measuring ----


def interleave(ways, rounds, what):
    """What every way came to in every round: `ways` is a list of (description, function without argument)."""
    rows = [about | {"rounds": []} for about, _ in ways]
    with tqdm(total=rounds * len(ways), desc=what) as bar:
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
    for precision in plan.precisions:
        for students in plan.students:
            rate = partial(arms.stack_rate, width, students, examples, plan.seconds, precision=precision)
            measured.append(way("stack", students, rate, precision))
        for shape, sides in arms.product_shapes(width, max(plan.students), square=plan.square).items():
            rate = partial(steady, arms.products, sides, device, precision)
            measured.append(way("product", max(plan.students), rate, precision, shape=shape))
    return measured


def ways_of_two_threads(plan, examples):
    """One stack on one thread; one stack on two; two stacks side by side, on one thread each."""

    def on(threads, measure, **more):
        with arithmetic_threads(threads):
            return measure(WIDTH, STUDENTS, examples, plan.seconds, **more)

    return [
        ({"way": "one stack, one thread"}, partial(on, 1, arms.stack_rate)),
        ({"way": "one stack, two threads"}, partial(on, 2, arms.stack_rate)),
        ({"way": "two stacks side by side, one thread each"}, partial(on, 1, arms.side_by_side_rate, copies=2)),
    ]


def whole_sweep(garments, device, chunk):
    """A thousand students from their settings to their table, evaluation included."""
    settings = grid(width=WIDTH, temperature=(1, 2, 4, 8, 16), soft_weight=(0.5, 1.0), init_seed=range(100))
    start = time.perf_counter()
    sweep(settings, garments, epochs=10, batch_size=arms.BATCH, device=device, chunk=chunk, resume=False)
    about = {"students": len(settings), "width": WIDTH, "epochs": 10, "examples": len(garments.train), "chunk": chunk}
    return about | {"threads": torch.get_num_threads(), "seconds": time.perf_counter() - start}


def processor():
    """The name of the processor, as the system gives it."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), flags=re.M)
        if found:
            return found.group(1)
    return platform.processor() or platform.machine()


# ---- tables ----


def report(results, device):
    """All that was measured, as one page."""
    machine, plan = results["machine"], results["plan"]
    where = machine["processor"] if device == "cpu" else f"{machine['device']}, {machine['processor']}"
    head = (
        f"# Stacked students, measured\n\n{where} ({machine['cores']} cores, {machine['vectors']}, "
        f"{machine['system']}), Python {machine['python']}, torch {machine['torch']}, {results['date']}. "
        f"{results['examples']:,} pictures of Fashion-MNIST, batches of {results['batch_size']}, AdamW, "
        f"T = {results['temperature']:g}, soft_weight = {results['soft_weight']:g}; one thread where nothing else is "
        f"said. Medians of {plan['rounds']} interleaved rounds, of {plan['seconds']:g} s or more each; in brackets the "
        "lowest and the highest. Rates are thousands of student-samples (one student trained on one example) per "
        "second; the peak is that of the fastest of three matrix products, counting only the products that training "
        "needs."
    )
    stacks, others = [], []
    for block in results["widths"]:
        for row in block["rates"]:
            if row["way"] == "stack":
                share = [rate * block["flops_per_sample"] / peak for rate, peak in _pairs(row, _peak(block, row))]
                cells = [row["precision"], f"{row['students']:,}", _thousands(row["rounds"]), _spread(share, "{:.0%}")]
                stacks.append([block["width"], *cells])
            elif row["way"] in OTHERS:
                ratio = [a / b for a, b in _pairs(_stack(block), row)]
                others.append([block["width"], row["way"], _thousands(row["rounds"]), _spread(ratio, "{:,.1f}×")])
    parts = [
        head + "\n\n**A quick run: it shows that everything runs. Its numbers mean little.**" * results["quick"],
        _section("Students in one stack", ["width", "precision", "students", "rate", "of the peak"], stacks),
        _section(f"A stack of {STUDENTS} against other ways", ["width", "way", "rate", "the stack is"], others),
    ]
    if "threads" in results:
        one = results["threads"][0]
        rows = [
            [row["way"], _thousands(row["rounds"]), _spread([a / b for a, b in _pairs(row, one)], "{:.2f}×")]
            for row in results["threads"]
        ]
        parts.append(_section("Two threads", ["", "rate", "against one thread"], rows))
    if "sweep" in results:
        about = results["sweep"]
        parts.append(
            f"A whole `sweep` of {about['students']:,} students of width {about['width']} on {about['examples']:,} "
            f"examples for {about['epochs']} epochs, evaluation included, in stacks of at most {about['chunk']:,} on "
            f"{about['threads']} threads: {about['seconds']:.0f} seconds."
        )
    reached = _reached(results)
    rows = [[what, f"{aim:,g}", f"{reached[what]:,.3g}"] for what, aim in AIMS[device].items() if what in reached]
    parts.append(_section(f"Aims, for width {WIDTH}", ["", "aim", "median"], rows))
    return "\n\n".join(parts) + "\n"


def _reached(results):
    """The medians that the aims are about: what the stack gains, and how long a sweep takes."""
    block = next(block for block in results["widths"] if block["width"] == WIDTH)
    found = {
        row["way"]: [a / b for a, b in _pairs(_stack(block), row)] for row in block["rates"] if row["way"] in OTHERS
    }
    stacks = [row["rounds"] for row in block["rates"] if row["way"] == "stack"]
    found["student-samples/s"] = max(stacks, key=statistics.median)
    if "threads" in results:
        one, _, side_by_side = results["threads"]
        found["two threads"] = [a / b for a, b in _pairs(side_by_side, one)]
    if "sweep" in results:
        found["sweep seconds"] = [results["sweep"]["seconds"]]
    return {what: statistics.median(rounds) for what, rounds in found.items()}


def _pairs(row, other):
    """Round by round, so that what slowed a whole round down cancels."""
    return list(zip(row["rounds"], other["rounds"], strict=True))


def _stack(block):
    """The row of the stack that all is compared with."""
    about = {"way": "stack", "students": STUDENTS, "precision": "fp32"}
    return next(row for row in block["rates"] if about.items() <= row.items())


def _peak(block, stack):
    """The row of the kind of product that was fastest at the median, in the precision of a stack."""
    products = [row for row in block["rates"] if (row["way"], row["precision"]) == ("product", stack["precision"])]
    return max(products, key=lambda row: statistics.median(row["rounds"]))


def _spread(rounds, form):
    """The median, and the lowest and the highest where there are several."""
    middle = form.format(statistics.median(rounds))
    return middle if len(rounds) == 1 else f"{middle} ({form.format(min(rounds))}–{form.format(max(rounds))})"


def _thousands(rounds):
    return _spread([value / 1000 for value in rounds], "{:,.0f}" if min(rounds) >= 1e4 else "{:.2f}")


def _section(title, columns, rows):
    """A Markdown table under its title; all but the first column to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main()
