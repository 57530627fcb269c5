"""Tables of site/audit.md: errors, power and cost of each metric, as the benchmarks wrote them; what files may hold."""

import tempfile
from pathlib import Path

from hostile_files import CLASSES, EXPECTED, READ, REFUSED, audited, saved

from kdcourse import store

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


def table(heads, rows, left=1):
    """In Markdown, the first columns to the left."""
    lines = [heads, [*["---"] * left, *["---:"] * (len(heads) - left)], *rows]
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
    """How often a slice that loses more than it may is flagged, by its size and by the correction."""
    found = store.load_json(RESULTS / "audit-power.json")
    alone, several = ([row for row in found["rows"] if (row["over"] > 1) == many] for many in (False, True))
    over = several[0]["over"]
    others = f"{found['slices'] - over} others"
    by = {name: [row for row in several if row["correction"] == name] for name in ("holm", "fdr")}
    most = max(more["flag"] - fewer["flag"] for fewer, more in zip(by["holm"], by["fdr"], strict=True))
    false = {name: percent(max(row["another flagged"] for row in rows)) for name, rows in by.items()}
    return (
        "How often a slice is flagged depends on how many examples it has. Is yours large enough?\n\n"
        f"{chances(alone)}\n\nBy Holm's correction, and in brackets by the false discovery rate; "
        f"{found['audits']:,} simulated audits each. The limit is {100 * found['limit']:g} points; the other "
        f"{found['slices'] - 1} slices have {found['examples_of_others']:,} examples and lose nothing. "
        "At 1 × its limit each flag is false. "
        f"Where {over} of the {found['slices']} slices lose more, and the {others} just their limit:\n\n"
        f"{chances(several)}\n\nThe false discovery rate finds up to {100 * most:.1f} points more of the slices over "
        f"the limit, and in up to {false['fdr']} of audits it flags one of the {others}, against {false['holm']} by "
        "Holm's correction."
    )


def percent(share):
    return f"{100 * share:.1f} %"


def chances(rows):
    """How often a slice is flagged, by how much it loses (down) and by its examples (across)."""
    cells = {(row["times"], row["n"], row["correction"]): row["flag"] for row in rows}
    times, sizes = (sorted({key[place] for key in cells}) for place in (0, 1))
    shown = [
        [
            f"{one:g} × its limit",
            *(f"{percent(cells[one, n, 'holm'])} ({percent(cells[one, n, 'fdr'])})" for n in sizes),
        ]
        for one in times
    ]
    return table(["the slice loses", *(f"{n:,} examples" for n in sizes)], shown)


def files():
    """What the command says of each file of hostile_files.py, up to where another library speaks, and its status."""
    rows = []
    for kind, (name, content) in READ.items():
        status, levels, _ = tried(name, content, [])
        rows.append([kind, "reads it right" if levels == EXPECTED else "reads it wrong", str(status)])
    for kind, (name, content, asked, words) in REFUSED.items():
        status, _, said = tried(name, content, asked)
        said = said[: said.index(words) + len(words)].removeprefix("Invalid value for ")
        rows.append([kind, f"`{said}`", str(status)])
    return table(["kind of file", "what the audit says", "exit status"], rows, left=2)


def tried(name, content, asked):
    with tempfile.TemporaryDirectory() as folder:
        return audited(saved(Path(folder), name, content), *CLASSES, *(asked or ["--slice", "group"]))


def costs():
    """Time and memory of each metric."""
    found = store.load_json(RESULTS / "audit-metrics.json")
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
    clock = "What it takes counts the time in which other programs had the processor, too."
    return f"What it costs:\n\n{table(heads, rows)}\n\n{said}, {found['date']}. {clock}"
