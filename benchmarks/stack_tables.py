"""The tables and the verdicts of `benchmarks/stack.py`, from its results: a dict in, Markdown out."""

import statistics
from typing import NamedTuple

WIDTH, STUDENTS = 32, 64  # the students that the aims are about
OTHERS = {
    "teacher in the loop": "teacher in the loop",
    "cached logits": "cached logits",
    "resident": "resident tensors",
    "vmap": "vmap",
}
# What the stack is meant to reach on a CPU.
TIMES_AS_FAST = {"resident": 5, "cached logits": 10, "teacher in the loop": 50}
SHARE_OF_PEAK = 0.7
TWO_THREADS = 1.5
SWEEP_SECONDS = 120


def report(results):
    """All tables that the results have something for, as one page."""
    parts = [head(results), rates(results), peaks(results), others(results)]
    optional = {"threads": two_threads, "curve": curve, "sweep": sweep, "memory": memory, "profile": profile}
    parts += [make(results) for name, make in optional.items() if results.get(name)]
    if results["machine"]["device"] == "cpu":
        parts.append(verdicts(results))
    return "\n\n".join(parts) + "\n"


def head(results):
    machine, plan = results["machine"], results["plan"]
    where = machine["processor"] if machine["device"] == "cpu" else f"{machine['device']}, {machine['processor']}"
    text = (
        f"# Stacked students, measured\n\n{where} ({machine['cores']} cores, {machine['vectors']}, "
        f"{machine['system']}), Python {machine['python']}, torch {machine['torch']}, {results['date']}. "
        f"{results['examples']:,} pictures of Fashion-MNIST, batches of {results['batch_size']}, AdamW, "
        f"T = {results['temperature']:g}, soft_weight = {results['soft_weight']:g}; one thread where nothing else is "
        f"said. Medians of {plan['rounds']} interleaved rounds, of at least {plan['seconds']:g} s for each entry; in "
        "brackets the lowest and the highest. A student-sample is one student trained on one example; evaluation is "
        "not in it."
    )
    return text + "\n\n**A quick run: it shows that everything runs. Its numbers mean little.**" * results["quick"]


def rates(results):
    """Student-samples per second of every stack, and the share of the matrix products' peak that this is."""
    precisions = results["plan"]["precisions"]
    columns = ["width", "students"]
    for precision in precisions:
        columns += [f"{precision}, thousands/s", f"of the {precision} peak"]
    rows = []
    for block in results["widths"]:
        for students in results["plan"]["students"]:
            row = [block["width"], f"{students:,}"]
            for precision in precisions:
                row.append(thousands(stack_rounds(block, students, precision)))
                row.append(spread(share_of_peak(block, students, precision), percent))
            rows.append(row)
    text = (
        "The share counts only the products that training needs (two for the first layer, three for the second), "
        "against the fastest kind of product below, in the same round."
    )
    return section("Students in one stack", text, columns, rows)


def peaks(results):
    """What the machine's matrix products reached in the same rounds."""
    rows = [
        [block["width"], row["precision"], row["shape"], spread([value / 1e9 for value in row["rounds"]], whole)]
        for block in results["widths"]
        for row in block["rates"]
        if row["way"] == "product"
    ]
    text = (
        f"The square product has sides of {results['plan']['square']:,}; the first layer is that of "
        f"{max(results['plan']['students']):,} students."
    )
    return section("Matrix products", text, ["width", "precision", "shape", "GFLOP/s"], rows)


def others(results):
    """The other ways, and how many times as fast the stack is as each in the same round."""
    speeds, ratios = [], []
    for block in results["widths"]:
        stack = stack_rounds(block)
        rounds = [find(block["rates"], way=way) for way in OTHERS]
        speeds.append([block["width"], thousands(stack), *map(thousands, rounds)])
        ratios.append([block["width"], *(spread(ratio(stack, values), times) for values in rounds)])
    text = (
        f"fp32, thousands of student-samples per second. The stack and vmap train {STUDENTS} students at once, the "
        "others one. *Teacher in the loop* is a DataLoader and the teacher's forward pass on every batch; *cached "
        "logits* is the same DataLoader without the teacher; *resident tensors* is `train.distill`; *vmap* is "
        "`torch.func` with the fused AdamW."
    )
    first = section("Against other ways to train", text, ["width", "stack", *OTHERS.values()], speeds)
    second = table(["width", *(f"against {name}" for name in OTHERS.values())], ratios)
    return f"{first}\n\nHow many times as fast the stack is:\n\n{second}"


def two_threads(results):
    one = results["threads"][0]["rounds"]
    rows = [
        [row["way"], thousands(row["rounds"]), spread(ratio(row["rounds"], one), times)] for row in results["threads"]
    ]
    text = f"Stacks of {STUDENTS} students of width {WIDTH}, fp32. A sweep runs its stacks side by side."
    return section("Two threads", text, ["", "thousands/s", "against one thread"], rows)


def curve(results):
    """Seconds per epoch against the number of students."""
    rows = [
        [
            f"{row['students']:,}",
            spread(row["rounds"], "{:.2f}".format),
            spread([1000 * seconds / row["students"] for seconds in row["rounds"]], "{:.1f}".format),
        ]
        for row in results["curve"]
    ]
    text = (
        f"Width {WIDTH}, stacks of at most {STUDENTS}, run as a sweep runs them on {results['machine']['cores']} "
        "cores: as many stacks side by side as there are cores, one thread each. Set-up included; "
        f"{results['plan']['curve_rounds']} rounds."
    )
    return section("More and more students", text, ["students", "s per epoch, all", "ms per epoch, each"], rows)


def sweep(results):
    about = results["sweep"]
    return (
        f"A whole `sweep` of {about['students']:,} students of width {about['width']} on {about['examples']:,} "
        f"examples for {about['epochs']} epochs, with their evaluation, in stacks of at most {about['chunk']:,} on "
        f"{about['threads']} threads: {about['seconds']:.0f} seconds."
    )


def memory(results):
    """Peak memory, beside what the students' numbers alone take."""
    rows = [
        [
            row["way"],
            row["width"],
            row["students"],
            f"{16 * row['parameters'] / 1e6:.1f}",
            f"{row['bytes'] / 1e6:.1f}",
        ]
        for row in results["memory"]
    ]
    what = "resident memory" if results["machine"]["device"] == "cpu" else "GPU memory"
    text = (
        f"By how much training raises the peak of the {what} of a fresh process, which holds the examples and has "
        "trained two tiny students the same way. Beside it, four float32 numbers per weight: the weight, its gradient, "
        "and AdamW's two averages."
    )
    return section("Memory", text, ["", "width", "students", "four numbers per weight, MB", "peak, MB"], rows)


def profile(results):
    measured = results["profile"]
    parts = measured["seconds_per_step"]
    rows = [[part, f"{1000 * seconds:.2f}", percent(seconds / sum(parts.values()))] for part, seconds in parts.items()]
    text = f"{measured['students']} students of width {measured['width']}, fp32, one thread, by `torch.profiler`."
    return section("Where a step's time goes", text, ["part", "ms per step", "share"], rows)


class Aim(NamedTuple):
    """What is wanted, what came out in every round (None: not measured), and how to write such a number."""

    what: str
    bound: float
    rounds: list | None
    form: object
    at_least: bool = True

    @property
    def verdict(self):
        if self.rounds is None:
            return "not measured"
        value = statistics.median(self.rounds)
        return "met" if (value >= self.bound if self.at_least else value <= self.bound) else "missed"


def aims(results):
    block = next(block for block in results["widths"] if block["width"] == WIDTH)
    speed = [
        Aim(f"speed against {OTHERS[way]}", bound, ratio(stack_rounds(block), find(block["rates"], way=way)), times)
        for way, bound in TIMES_AS_FAST.items()
    ]
    two = None
    if results.get("threads"):
        one, _, side_by_side = (row["rounds"] for row in results["threads"])
        two = ratio(side_by_side, one)
    seconds = [results["sweep"]["seconds"]] if results.get("sweep") else None
    return [
        *speed,
        Aim("share of the fp32 peak", SHARE_OF_PEAK, share_of_peak(block, STUDENTS, "fp32"), percent),
        Aim("two threads (two stacks) against one", TWO_THREADS, two, times),
        Aim("sweep of 1,000 students", SWEEP_SECONDS, seconds, "{:.0f} s".format, at_least=False),
    ]


def verdicts(results):
    """The aims, each with what came out and whether it was met."""
    rows = [
        [
            aim.what,
            f"{'≥' if aim.at_least else '≤'} {aim.form(aim.bound)}",
            spread(aim.rounds, aim.form) if aim.rounds else "",
            aim.verdict,
        ]
        for aim in aims(results)
    ]
    text = f"{STUDENTS} students of width {WIDTH} in a stack, fp32. An aim is met if the median meets it."
    return section("Aims", text, ["", "aim", "measured", "verdict"], rows)


# ---- from rounds to cells ----


def find(rows, **about):
    """The rounds of the one row that fits."""
    (row,) = [row for row in rows if all(row[name] == value for name, value in about.items())]
    return row["rounds"]


def stack_rounds(block, students=STUDENTS, precision="fp32"):
    return find(block["rates"], way="stack", students=students, precision=precision)


def share_of_peak(block, students, precision):
    """Round by round, the needed FLOP/s of a stack over those of the kind of product that was fastest at the median."""
    products = [row["rounds"] for row in block["rates"] if (row["way"], row["precision"]) == ("product", precision)]
    peak = max(products, key=statistics.median)
    needed = [rate * block["flops_per_sample"] for rate in stack_rounds(block, students, precision)]
    return ratio(needed, peak)


def ratio(rounds, other):
    """Round by round, so that what slowed a whole round down cancels."""
    return [one / two for one, two in zip(rounds, other, strict=True)]


def spread(rounds, form):
    """The median, and the lowest and the highest where there are several."""
    middle = form(statistics.median(rounds))
    return middle if len(rounds) == 1 else f"{middle} ({form(min(rounds))}–{form(max(rounds))})"


def thousands(rounds):
    return spread([value / 1000 for value in rounds], lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2f}")


def whole(value):
    return f"{value:,.0f}"


def percent(value):
    return f"{value:.0%}"


def times(value):
    return f"{value:,.0f}×" if value >= 20 else f"{value:.1f}×" if value >= 5 else f"{value:.2f}×"


def section(title, text, columns, rows):
    return f"## {title}\n\n{text}\n\n{table(columns, rows)}"


def table(columns, rows):
    """A Markdown table; all but the first column to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
