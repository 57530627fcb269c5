"""Tables of site/audit.md, from what the benchmarks of the audit have written: errors, power, cost of each metric."""

from pathlib import Path

from kdcourse import store

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


def table(heads, rows):
    """In Markdown, the first column to the left."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def errors():
    """How often an audit errs where every verdict of that kind is wrong."""
    found = store.load_json(RESULTS / "audit-errors.json")
    heads = [f"{found['slices']} slices, each with", "a false flag", "by single intervals", "a false pass"]
    kinds = ["false flag", "false flag, by single intervals", "false pass"]
    rows = [
        [f"{name} ({one['examples_per_slice']:,} examples each)"]
        + [f"{100 * one[kind]['rate']:.1f} %" if kind in one else "–" for kind in kinds]
        for name, one in found["scenarios"].items()
    ]
    said = f"Each row: {found['audits']:,} simulated audits; the share of those in which any slice is wrong."
    return f"{table(heads, rows)}\n\n{said}"


def power():
    """How often a slice that loses more than it may is flagged, by its size; empty until it was measured."""
    path = RESULTS / "audit-power.json"
    if not path.exists():
        return ""
    found = store.load_json(path)
    cells = {(row["times"], row["n"], row["correction"]): row["flag"] for row in found["rows"]}
    times, sizes = (sorted({key[place] for key in cells}) for place in (0, 1))
    heads = ["the slice loses", *(f"{n:,} examples" for n in sizes)]
    rows = [
        [f"{one:g} × its limit"]
        + [f"{100 * cells[one, n, 'holm']:.1f} % ({100 * cells[one, n, 'fdr']:.1f} %)" for n in sizes]
        for one in times
    ]
    worst = {
        name: max(row["another flagged"] for row in found["rows"] if row["correction"] == name)
        for name in ("holm", "fdr")
    }
    return (
        "How often a slice is flagged depends on how many examples it has. Is yours large enough?\n\n"
        f"{table(heads, rows)}\n\nBy Holm's correction, and in brackets by the false discovery rate; "
        f"{found['audits']:,} simulated audits each. The limit is {100 * found['limit']:g} points; the other "
        f"{found['slices'] - 1} slices have {found['examples_of_others']:,} examples and lose nothing. "
        "At 1 × its limit each flag is false. "
        f"One of the others was flagged in at most {100 * worst['holm']:.1f} % ({100 * worst['fdr']:.1f} %)."
    )


def costs():
    """Time and memory of each metric; empty until it was measured."""
    path = RESULTS / "audit-metrics.json"
    if not path.exists():
        return ""
    found = store.load_json(path)
    rows = [
        [
            one["metric"],
            f"{one['seconds']:.1f} s",
            f"{one['processor_seconds']:.1f} s",
            f"{one['peak_megabytes']:,} MB",
            f"{one['times_accuracy']:.1f}",
        ]
        for one in found["metrics"]
    ]
    heads = ["metric", "takes", "of the processor", "peak memory", "times accuracy"]
    machine = found["machine"]
    where = f"{machine['cores']} cores ({machine['architecture']}, {machine['system']}, Python {machine['python']})"
    said = f"{found['rows']:,} examples from Parquet, three slices; median of {found['runs']} runs on {where}"
    return f"What it costs:\n\n{table(heads, rows)}\n\n{said}, {found['date']}."
